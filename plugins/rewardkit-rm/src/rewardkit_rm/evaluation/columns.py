"""Pairs of a batch as arrays, and the columns whose sums every figure is made of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rewardkit_rm.evaluation.bootstrap import Clusters, Floats, cluster_of
from rewardkit_rm.evaluation.reliability import BINS, bin_of, brier, confidence, negative_log_likelihood, outcome
from rewardkit_rm.evaluation.scored import ScoredPair

__all__ = ["PairColumns", "sum_columns"]


@dataclass(frozen=True)
class PairColumns:
    """Scored pairs that are no labelled ties, as arrays of shape ``(N,)``.

    Pairs whose chosen side is better with a probability below 0.5 have their sides swapped.

    Attributes:
        chosen: Scores of the chosen sides.
        rejected: Scores of the rejected sides.
        probability: How probable it is that the chosen side is better, from 0.5 on.
        chosen_length: Characters of the chosen sides; nan where either length of a pair is unknown.
        rejected_length: The same of the rejected sides.
        clusters: 64 bits that stand for the prompt.
    """

    chosen: Floats
    rejected: Floats
    probability: Floats
    chosen_length: Floats
    rejected_length: Floats
    clusters: Clusters

    @classmethod
    def of(cls, pairs: Sequence[ScoredPair], start: int) -> PairColumns:
        """Take the columns of pairs, of which the first is number ``start`` of its stream."""
        rows = [_row(pair) for pair in pairs]
        a, b, c, d, e = np.array(rows, dtype=np.float64).reshape(len(rows), 5).T
        clusters = [cluster_of(pair.prompt or f"\0{start + at}") for at, pair in enumerate(pairs)]
        return cls(a, b, c, d, e, np.array(clusters, dtype=np.uint64))

    @property
    def margins(self) -> Floats:
        """Score of the chosen side minus that of the rejected one."""
        return self.chosen - self.rejected

    @property
    def known_length(self) -> NDArray[np.bool_]:
        """Where both lengths are known."""
        return ~np.isnan(self.chosen_length)


def _row(pair: ScoredPair) -> tuple[float, float, float, float, float]:
    lengths: tuple[float, float] = (np.nan, np.nan)
    if pair.chosen_length is not None and pair.rejected_length is not None:
        lengths = float(pair.chosen_length), float(pair.rejected_length)
    if pair.probability < 0.5:
        return pair.rejected_score, pair.chosen_score, 1 - pair.probability, lengths[1], lengths[0]
    return pair.chosen_score, pair.rejected_score, pair.probability, *lengths


def sum_columns(pairs: PairColumns, shift: tuple[float, float]) -> dict[str, Floats]:
    """Return what is summed over pairs, by name.

    Args:
        pairs: The pairs.
        shift: A score and a length near the usual ones: taken away before squares are summed, so that correlations
            lose no digits.
    """
    margins = pairs.margins
    columns = {
        "n": np.ones_like(margins),
        "correct": (margins > 0) * 1.0,
        "tie": (margins == 0) * 1.0,
        "margin": margins,
        "brier": brier(margins, pairs.probability),
        "nll": negative_log_likelihood(margins, pairs.probability),
    }
    return columns | _gaps(margins, pairs.probability) | _length_columns(pairs) | _moments(pairs, *shift)


def _gaps(margins: Floats, probability: Floats) -> dict[str, Floats]:
    """Return outcome minus confidence in the column of its bin."""
    sure = confidence(margins)
    gap, place = outcome(margins, probability) - sure, bin_of(sure)
    return {f"gap{at}": np.where(place == at, gap, 0.0) for at in range(BINS)}


def _length_columns(pairs: PairColumns) -> dict[str, Floats]:
    known, correct = pairs.known_length, pairs.margins > 0
    longer, shorter = pairs.chosen_length > pairs.rejected_length, pairs.chosen_length < pairs.rejected_length
    masks = {
        "n_length": known,
        "correct_length": correct & known,
        "longer": longer,
        "shorter": shorter,
        "correct_longer": correct & longer,
        "correct_shorter": correct & shorter,
    }
    return {name: mask.astype(np.float64) for name, mask in masks.items()}


def _moments(pairs: PairColumns, score: float, length: float) -> dict[str, Floats]:
    """Return sums and products of scores and lengths over both sides, and of margins and differences of lengths."""
    known = pairs.known_length
    s = [np.where(known, side - score, 0.0) for side in (pairs.chosen, pairs.rejected)]
    raw = [np.nan_to_num(side - length) for side in (pairs.chosen_length, pairs.rejected_length)]
    log = [np.nan_to_num(np.log1p(side) - np.log1p(length)) for side in (pairs.chosen_length, pairs.rejected_length)]
    m, d, g = s[0] - s[1], raw[0] - raw[1], log[0] - log[1]
    return {
        "s": s[0] + s[1],
        "l": raw[0] + raw[1],
        "g": log[0] + log[1],
        "ss": s[0] ** 2 + s[1] ** 2,
        "ll": raw[0] ** 2 + raw[1] ** 2,
        "gg": log[0] ** 2 + log[1] ** 2,
        "sl": s[0] * raw[0] + s[1] * raw[1],
        "sg": s[0] * log[0] + s[1] * log[1],
        "mm": m * m,
        "dd": d * d,
        "md": m * d,
        "ee": g * g,
        "me": m * g,
    }
