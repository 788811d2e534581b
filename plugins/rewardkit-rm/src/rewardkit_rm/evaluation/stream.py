"""Collects scored pairs one batch at a time; memory does not grow with their number."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from rewardkit.errors import encodable
from rewardkit.statistics import Series
from rewardkit_rm.evaluation.bootstrap import Floats, PoissonBootstrap, Sums
from rewardkit_rm.evaluation.columns import PairColumns, sum_columns
from rewardkit_rm.evaluation.evaluation import LabelledTies, Unscored
from rewardkit_rm.evaluation.inspection import Inspection
from rewardkit_rm.evaluation.reliability import BINS, bin_of, confidence, outcome
from rewardkit_rm.evaluation.reservoir import Reservoir
from rewardkit_rm.evaluation.scored import ScoredPair

__all__ = ["OTHER_DOMAINS", "SIDES", "PairStream", "batches"]

T = TypeVar("T")

_BATCH = 1024
_MOST_PARTS = 200
_MOST_REASONS = 20
_FIRST = 5
_FEW_PROMPTS = 30
_DOMAIN_CHARACTERS = 100
OTHER_DOMAINS = "(other domains)"
SIDES = ("chosen longer", "chosen shorter", "equal length", "length unknown")


def batches(rows: Iterable[T], size: int = _BATCH) -> Iterator[list[T]]:
    """Return rows in lists of a size; the last may be shorter.

    >>> list(batches("abcde", 2))
    [['a', 'b'], ['c', 'd'], ['e']]
    """
    iterator = iter(rows)
    while batch := list(itertools.islice(iterator, size)):
        yield batch


class PairStream:
    """Sums, samples and counts over scored pairs.

    Args:
        bootstrap: Where the weights of the replicates come from.
        sample: Size of the uniform sample.
        inspect: How many pairs to keep for looking at, of each kind.
        seed: Seed of the sample.
    """

    def __init__(self, bootstrap: PoissonBootstrap, sample: int, inspect: int, seed: int) -> None:
        self.bootstrap = bootstrap
        self.sums = Sums(bootstrap)
        self.paired = Sums(bootstrap)
        self.domains: dict[str, Sums] = {}
        self.sides: dict[str, Sums] = {}
        self.margins, self.scores, self.tie_margins = Series(), Series(), Series()
        self.curve = np.zeros((3, BINS))
        self.sample = Reservoir(sample, seed)
        self.inspection = Inspection(inspect)
        self.seen = self.unscored = 0
        self.reasons: dict[str, int] = {}
        self.first_unscored: list[str] = []
        self.prompts: set[int] = set()
        self._shift: tuple[float, float] | None = None

    def add(self, pairs: Sequence[ScoredPair], other: Sequence[ScoredPair] | None = None) -> None:
        """Take in a batch.

        Args:
            pairs: Scored pairs.
            other: The same pairs with the scores of another model.
        """
        start, self.seen = self.seen, self.seen + len(pairs)
        kept = [at for at, pair in enumerate(pairs) if self._counts(pair)]
        if not kept:
            return
        scored = [pairs[at] for at in kept]
        columns = PairColumns.of(scored, start)
        weights = self.bootstrap.weights(columns.clusters)
        self._add_scored(scored, columns, weights)
        if other is not None:
            self._add_paired(columns, _margins(scored, [other[at] for at in kept]), weights)

    def _counts(self, pair: ScoredPair) -> bool:
        """Tell whether a pair is for the figures; what is not is counted here."""
        if pair.problem:
            self.unscored += 1
            if len(self.first_unscored) < _FIRST:
                self.first_unscored.append(encodable(f"{pair.where or pair.id or f'pair {self.seen}'}: {pair.problem}"))
            reason = encodable(pair.problem)
            reason = reason if reason in self.reasons or len(self.reasons) < _MOST_REASONS else "(other reasons)"
            self.reasons[reason] = self.reasons.get(reason, 0) + 1
            return False
        if pair.undecided:
            self.tie_margins.add([abs(pair.chosen_score - pair.rejected_score)])
            return False
        return True

    def _add_scored(self, scored: Sequence[ScoredPair], columns: PairColumns, weights: Floats) -> None:
        shift = self._shift = self._shift or _shift(columns)
        summed = sum_columns(columns, shift)
        self.sums.add(summed, weights)
        names = [encodable(pair.domain[:_DOMAIN_CHARACTERS]) for pair in scored]
        self._add_parts(self.domains, names, summed, weights)
        self._add_parts(self.sides, _sides(columns), summed, weights)
        self.margins.add(columns.margins)
        self.scores.add(np.concatenate([columns.chosen, columns.rejected]))
        self._add_curve(columns)
        self.sample.add({name: getattr(columns, name) for name in _SAMPLED}, columns.clusters)
        self.inspection.add(scored, columns.margins)
        if len(self.prompts) < _FEW_PROMPTS:
            self.prompts.update(columns.clusters.tolist())

    def _add_parts(
        self, parts: dict[str, Sums], names: Sequence[str], summed: Mapping[str, Floats], weights: Floats
    ) -> None:
        places: dict[str, list[int]] = {}
        for at, name in enumerate(names):
            known = name in parts or name in places or len(parts) + len(places) < _MOST_PARTS
            places.setdefault(name if known else OTHER_DOMAINS, []).append(at)
        for name, rows in places.items():
            sums = parts.setdefault(name, Sums(self.bootstrap))
            sums.add({column: summed[column][rows] for column in _OF_PART}, weights[rows])

    def _add_curve(self, columns: PairColumns) -> None:
        sure = confidence(columns.margins)
        place = bin_of(sure)
        parts = np.ones_like(sure), sure, outcome(columns.margins, columns.probability)
        self.curve += np.stack([np.bincount(place, weights=part, minlength=BINS) for part in parts])

    def _add_paired(self, columns: PairColumns, other: Floats, weights: Floats) -> None:
        both = ~np.isnan(other)
        added = {
            "n": both,
            "correct": both & (columns.margins > 0),
            "other": both & (other > 0),
        }
        self.paired.add({name: mask.astype(np.float64) for name, mask in added.items()}, weights)

    @property
    def few_prompts(self) -> int | None:
        """The number of prompts, where it is too small for a bootstrap."""
        return len(self.prompts) if len(self.prompts) < _FEW_PROMPTS else None

    @property
    def sampled(self) -> int | None:
        """Size of the sample; None where it holds every pair."""
        return None if self.sample.exact else len(self.sample)

    def labelled_ties(self) -> LabelledTies:
        """Return what is known of pairs that annotators found equally good."""
        count, scored = self.tie_margins.count, self.seen - self.unscored
        mean = self.tie_margins.mean if count else None
        return LabelledTies(count=count, share=count / scored if scored else 0.0, mean_absolute_margin=mean)

    def without_scores(self) -> Unscored:
        """Return how many pairs have no scores, and why."""
        return Unscored(count=self.unscored, reasons=self.reasons, first=self.first_unscored)


_SAMPLED = ("chosen", "rejected", "probability", "chosen_length", "rejected_length")
_OF_PART = ("n", "correct", "tie", "margin", "n_length", "longer")


def _shift(columns: PairColumns) -> tuple[float, float]:
    lengths: NDArray[np.float64] = columns.chosen_length[columns.known_length]
    return float(columns.chosen[0]), float(lengths[0]) if len(lengths) else 0.0


def _margins(pairs: Sequence[ScoredPair], other: Sequence[ScoredPair]) -> Floats:
    """Return the margins of another model, with the sides as our labels order them; nan where it has no score."""
    signs = np.where([pair.probability < 0.5 for pair in pairs], -1.0, 1.0)
    margins = [np.nan if one.problem else one.chosen_score - one.rejected_score for one in other]
    return signs * np.array(margins, dtype=np.float64)


def _sides(columns: PairColumns) -> list[str]:
    longer, shorter = (
        columns.chosen_length > columns.rejected_length,
        columns.chosen_length < columns.rejected_length,
    )
    names = np.select([longer, shorter, columns.known_length], SIDES[:3], SIDES[3])
    return [str(name) for name in names]
