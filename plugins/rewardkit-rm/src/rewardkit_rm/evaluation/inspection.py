"""Keeps the few pairs of a stream that a person should look at."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from rewardkit.explain import escape, excerpt
from rewardkit_rm.evaluation.evaluation import PairSample, Samples
from rewardkit_rm.evaluation.scored import ScoredPair

__all__ = ["Inspection"]


class Inspection:
    """The pairs most surely wrong, closest to a tie, and most surely right.

    Args:
        count: How many of each.
    """

    def __init__(self, count: int) -> None:
        self.worst, self.closest, self.best = _Least(count), _Least(count), _Least(count)

    def add(self, pairs: Sequence[ScoredPair], margins: NDArray[np.float64]) -> None:
        """Take in a batch of pairs and their margins, shape ``(N,)``."""
        self.worst.add(pairs, margins, np.where(margins < 0, margins, np.inf))
        self.closest.add(pairs, margins, np.abs(margins))
        self.best.add(pairs, margins, np.where(margins > 0, -margins, np.inf))

    def samples(self) -> Samples:
        """Return them; the first of each kind is the most extreme."""
        return Samples(worst=self.worst.samples, closest=self.closest.samples, best=self.best.samples)


class _Least:
    """The pairs with the smallest keys so far; of equal ones the first."""

    def __init__(self, count: int) -> None:
        self.count = count
        self._kept: list[tuple[float, PairSample]] = []

    def add(self, pairs: Sequence[ScoredPair], margins: NDArray[np.float64], keys: NDArray[np.float64]) -> None:
        limit = self._kept[-1][0] if len(self._kept) == self.count and self.count else np.inf
        for at in np.argsort(keys, kind="stable")[: self.count].tolist():
            if keys[at] < limit:
                self._kept.append((float(keys[at]), _sample(pairs[at], float(margins[at]))))
        self._kept = sorted(self._kept, key=lambda one: one[0])[: self.count]

    @property
    def samples(self) -> list[PairSample]:
        return [sample for _, sample in self._kept]


def _sample(pair: ScoredPair, margin: float) -> PairSample:
    """Cut and escape the texts of a pair; where the label prefers the rejected side, the sides are swapped."""
    sides = [(pair.chosen_score, pair.chosen), (pair.rejected_score, pair.rejected)]
    if pair.probability < 0.5:
        sides.reverse()
    return PairSample(
        margin=margin,
        chosen_score=sides[0][0],
        rejected_score=sides[1][0],
        domain=escape(pair.domain),
        id=escape(pair.id),
        where=escape(pair.where),
        prompt=excerpt(pair.prompt_text),
        chosen=excerpt(sides[0][1]),
        rejected=excerpt(sides[1][1]),
    )
