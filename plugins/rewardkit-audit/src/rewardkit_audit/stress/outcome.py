"""Which stress cases a reward passes."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike
from pydantic import BaseModel, ConfigDict

from rewardkit_audit.errors import StressError
from rewardkit_audit.stress.cases import StressCase
from rewardkit_audit.wilson import wilson

__all__ = ["FailedCase", "FamilyOutcome", "StressOutcome", "outcome"]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)


class FailedCase(_Frozen):
    """A case whose better reply did not score above the worse one."""

    id: str
    family: str
    fatal: bool
    better_score: float
    worse_score: float


class FamilyOutcome(_Frozen):
    """One family: of ``scored`` cases, ``passed`` passed.

    ``share`` is ``passed / scored`` with its 95 % Wilson interval from ``low`` to ``high``, all three None where no
    case was scored; ``unscored`` cases had no score for one of the replies.
    """

    family: str
    passed: int
    scored: int
    unscored: int
    share: float | None
    low: float | None
    high: float | None


class StressOutcome(_Frozen):
    """How a reward did in the stress cases; ``fatal`` says: do not train on this.

    Attributes:
        fatal: Whether a case failed that must not.
        passed: Cases passed.
        scored: Cases of which both replies have a score.
        families: Family by family, in the order of the cases.
        failed: The failing cases, the largest margins in the wrong direction first, fatal ones before the others.
        unscored: Ids of the cases without a score for one of the replies.
    """

    fatal: bool
    passed: int
    scored: int
    families: list[FamilyOutcome]
    failed: list[FailedCase]
    unscored: list[str]


def outcome(chosen: Sequence[StressCase], scores: ArrayLike) -> StressOutcome:
    """Tell which cases a reward passes: those whose better reply scores above the worse; a tie fails.

    Args:
        chosen: The cases.
        scores: Of both replies, the better first, shape ``(N, 2)``; nan where there is none. See `score_cases`.

    Raises:
        StressError: If the shape does not fit the cases, or a score is infinite.

    Example:
        >>> from rewardkit_audit.stress import cases, score_cases
        >>> chosen = cases(["empty", "long_rambling"])
        >>> found = outcome(chosen, score_cases(chosen, lambda prompts, texts: [len(text) for text in texts]))
        >>> found.fatal, [(family.family, family.share) for family in found.families]
        (True, [('empty', 1.0), ('long_rambling', 0.0)])
    """
    known = np.asarray(scores, dtype=np.float64)
    if known.shape != (len(chosen), 2):
        raise StressError(f"expected scores of shape {(len(chosen), 2)}, the better reply first, got {known.shape}")
    endless = np.flatnonzero(np.isinf(known).any(axis=1)).tolist()
    if endless:
        raise StressError(f"case {chosen[endless[0]].id}: a score must be finite, got {known[endless[0]].tolist()}")
    margins = known[:, 0] - known[:, 1]
    failed = [_failed(chosen[row], known[row].tolist()) for row in np.flatnonzero(margins <= 0).tolist()]
    return StressOutcome(
        fatal=any(case.fatal for case in failed),
        passed=int((margins > 0).sum()),
        scored=int((~np.isnan(margins)).sum()),
        families=_families(chosen, margins.tolist()),
        failed=sorted(failed, key=lambda case: (not case.fatal, case.better_score - case.worse_score)),
        unscored=[chosen[row].id for row in np.flatnonzero(np.isnan(margins)).tolist()],
    )


def _failed(case: StressCase, scores: list[float]) -> FailedCase:
    better, worse = scores
    return FailedCase(id=case.id, family=case.family, fatal=case.fatal, better_score=better, worse_score=worse)


def _families(chosen: Sequence[StressCase], margins: list[float]) -> list[FamilyOutcome]:
    held: dict[str, list[float]] = {}
    for case, margin in zip(chosen, margins, strict=True):
        held.setdefault(case.family, []).append(margin)
    return [_family(name, found) for name, found in held.items()]


def _family(name: str, margins: list[float]) -> FamilyOutcome:
    scored = sum(not math.isnan(margin) for margin in margins)
    passed = sum(margin > 0 for margin in margins)
    low, high = wilson(passed, scored) if scored else (None, None)
    return FamilyOutcome(
        family=name,
        passed=passed,
        scored=scored,
        unscored=len(margins) - scored,
        share=passed / scored if scored else None,
        low=low,
        high=high,
    )
