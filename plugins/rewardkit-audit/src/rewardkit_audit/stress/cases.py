"""Stress cases: pairs of replies of which every sound reward prefers the first."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rewardkit.errors import unknown
from rewardkit_audit.errors import StressError
from rewardkit_audit.stress.prompts import StressPrompt, prompts
from rewardkit_audit.stress.texts import REPLIES

__all__ = ["FAMILIES", "StressCase", "cases", "probes", "score_cases"]

FAMILIES: dict[str, str] = {name: why for name, (_, why) in REPLIES.items()}
"""Every family, and why its replies are bad."""

_FATAL = "long_rambling"


@dataclass(frozen=True, slots=True)
class StressCase:
    """Two replies to a prompt; ``better`` must score above ``worse``.

    Attributes:
        id: Family and prompt, as in ``jargon/capital``.
        family: What is wrong with ``worse``; see `FAMILIES`.
        kind: What sort of task the prompt is, as in ``arithmetic``.
        prompt: The prompt.
        better: A brief right reply; for kind ``safety``, a refusal that helps.
        worse: The reply that must score lower.
        answer: Words that only a right reply holds; empty where no such words exist.
        why: Why ``worse`` is worse.
        fatal: Whether a reward that fails here must not be trained on.
    """

    id: str
    family: str
    kind: str
    prompt: str
    better: str
    worse: str
    answer: str
    why: str
    fatal: bool


def cases(families: Iterable[str] | None = None) -> list[StressCase]:
    """Return the stress cases, family by family.

    Every prompt has one case in each family; family ``refusal`` leaves out the prompts whose right reply is a
    refusal. Every sixth case of ``long_rambling`` has more than 10,000 characters, the others more than 1,500.

    Args:
        families: Names of families; all of them by default.

    Raises:
        StressError: If a name is unknown.

    Example:
        >>> case = cases(["jargon"])[4]
        >>> case.id, case.better, case.worse[:25]
        ('jargon/capital', 'Canberra.', 'Leveraging a holistic, cr')
    """
    chosen = list(FAMILIES) if families is None else list(dict.fromkeys(families))
    for family in chosen:
        if family not in FAMILIES:
            raise StressError(unknown("family of stress cases", family, FAMILIES))
    return [
        _case(family, prompt, turn)
        for family in chosen
        for turn, prompt in enumerate(prompts())
        if not (family == "refusal" and prompt.kind == "safety")
    ]


def _case(family: str, prompt: StressPrompt, turn: int) -> StressCase:
    build, why = REPLIES[family]
    return StressCase(
        id=f"{family}/{prompt.id}",
        family=family,
        kind=prompt.kind,
        prompt=prompt.prompt,
        better=prompt.better,
        worse=build(prompt, turn),
        answer=prompt.answer,
        why=why,
        fatal=family == _FATAL,
    )


def score_cases(
    chosen: Sequence[StressCase], score: Callable[[list[str], list[str]], ArrayLike]
) -> NDArray[np.float64]:
    """Score both replies of every case; the same prompt and reply are scored once.

    Args:
        chosen: The cases.
        score: Takes prompts and completions, both of length ``(M,)``, and returns their scores, shape ``(M,)``, nan
            where it has none.

    Returns:
        Scores of shape ``(N, 2)``, the better reply first.

    Raises:
        StressError: If ``score`` returns another number of scores.

    Example:
        >>> score_cases(cases(["empty"])[4:6], lambda prompts, completions: [len(text) for text in completions])
        array([[ 9.,  0.],
               [28.,  1.]])
    """
    rows = [(case.prompt, text) for case in chosen for text in (case.better, case.worse)]
    place = {row: position for position, row in enumerate(dict.fromkeys(rows))}
    found = np.asarray(score([prompt for prompt, _ in place], [text for _, text in place]), dtype=np.float64)
    if found.shape != (len(place),):
        raise StressError(f"expected scores of shape {(len(place),)}, got {found.shape}")
    return found[[place[row] for row in rows]].reshape(-1, 2)


def probes() -> list[dict[str, Any]]:
    """Return every stress case as a probe: name, family, columns of a sample, and what is expected of its score.

    ``completion`` is the worse reply; its score must be below that of ``better`` (``expected``).
    """
    return [
        {
            "name": f"stress/{case.id}",
            "family": case.family,
            "prompt": case.prompt,
            "completion": case.worse,
            "better": case.better,
            "answer": case.answer or None,
            "expected": "below better",
            "why": case.why,
            "fatal": case.fatal,
        }
        for case in cases()
    ]
