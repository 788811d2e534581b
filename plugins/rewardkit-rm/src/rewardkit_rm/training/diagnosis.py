"""What the figures of a run say is wrong: a loss that does not move, more learned by heart than understood."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping

from rewardkit_rm.training.objective import Figures

__all__ = ["SETTLED_PAIRS", "overfitting", "stuck"]

SETTLED_PAIRS = 1000
"""Pairs trained on after the warm-up before a stuck loss is told."""

_STUCK_GAIN = 0.005
_GAP = 0.1
_ERRORS = 2.0


def stuck(figures: Figures) -> str:
    """Say that a loss is no lower than if both sides of every pair scored the same; nothing if it is lower.

    It is where it is not 0.005 below that (for Bradley-Terry below ln 2 = 0.693), and the accuracy is within two
    standard errors of one half, counting exactly equal scores as half.

    Args:
        figures: Of at least `SETTLED_PAIRS` pairs trained on one after the other.
    """
    accuracy = figures.accuracy + figures.tied / 2
    if not figures.decided or figures.gain > _STUCK_GAIN or abs(accuracy - 0.5) > _ERRORS * figures.accuracy_error:
        return ""
    told = (
        f"nothing is learned: over {figures.pairs:,} pairs the loss is {figures.loss:.3f}, no lower than with equal "
        "scores on both sides (ln 2 = 0.693 with Bradley-Terry)"
    )
    if figures.tied > 0.5:
        return (
            f"{told}, and {figures.tied:.0%} of the pairs score exactly the same on both sides: both are read at a "
            "token that they share (padding that is taken for the end), or they are the same after they were cut"
        )
    return f"{told}; the learning rate is too low, too little learns, or the labels contradict each other"


def overfitting(figures: Mapping[str, Figures]) -> Iterator[str]:
    """Say where accuracy falls by more than ten points, and two standard errors, from one set to the next.

    Args:
        figures: By set, at one step: ``train`` (pairs trained on since the evaluation before), ``validation``, and
            other domains.
    """
    train, validation = figures.get("train"), figures.get("validation")
    if train and validation and _falls(train, validation):
        yield (
            f"over-fitting: accuracy {train.accuracy:.1%} in training and {validation.accuracy:.1%} in validation; "
            "fewer epochs, more dropout or weight decay, or more pairs"
        )
    for name, other in figures.items():
        if name in ("train", "validation") or not validation:
            continue
        if _falls(validation, other):
            yield (
                f"does not carry over to {name}: accuracy {validation.accuracy:.1%} in validation and "
                f"{other.accuracy:.1%} there; what was learned may be a habit of this data"
            )


def _falls(high: Figures, low: Figures) -> bool:
    fall = high.accuracy - low.accuracy
    return fall > max(_GAP, _ERRORS * math.hypot(high.accuracy_error, low.accuracy_error))
