"""Is a margin as sure as it says? The calibration curve of ``sigma(margin)``, ECE, Brier score and likelihood."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from rewardkit_rm.evaluation.bootstrap import Floats

__all__ = ["BINS", "bin_of", "brier", "confidence", "negative_log_likelihood", "outcome"]

BINS = 10
"""Bins of confidence, of equal width from 0.5 to 1."""


def confidence(margins: Floats) -> Floats:
    """Return how sure a Bradley-Terry model is of the side that it prefers: ``sigma(|margin|)``, in [0.5, 1].

    >>> confidence(np.array([0.0, -1.5, 1.5])).round(4).tolist()
    [0.5, 0.8176, 0.8176]
    """
    return np.asarray(expit(np.abs(margins)), dtype=np.float64)


def outcome(margins: Floats, probability: Floats) -> Floats:
    """Return how probable it is that the side with the greater score is the better one.

    Args:
        margins: Score of the chosen side minus that of the rejected one, shape ``(N,)``.
        probability: How probable it is that the chosen side is better, shape ``(N,)``.

    Returns:
        Shape ``(N,)``; 0.5 where both scores are equal, because a model without preference is right half the time.

    Example:
        >>> outcome(np.array([2.0, -2.0, 0.0]), np.array([1.0, 1.0, 1.0])).tolist()
        [1.0, 0.0, 0.5]
    """
    return np.where(margins > 0, probability, np.where(margins < 0, 1 - probability, 0.5))


def bin_of(confidences: Floats) -> NDArray[np.intp]:
    """Return the bin of each confidence: ``[0.5, 0.55)`` is 0, ``[0.95, 1]`` is 9.

    >>> bin_of(np.array([0.5, 0.8176, 1.0])).tolist()
    [0, 6, 9]
    """
    return np.minimum((confidences - 0.5) * 2 * BINS, BINS - 1).astype(np.intp)


def brier(margins: Floats, probability: Floats) -> Floats:
    """Return ``(sigma(margin) - probability)^2`` of each pair: 0 is best, 0.25 is that of no preference.

    Source: Brier, *Verification of forecasts expressed in terms of probability* (1950).

    >>> brier(np.array([1.5, 0.0]), np.array([1.0, 1.0])).round(4).tolist()
    [0.0333, 0.25]
    """
    return np.square(np.asarray(expit(margins)) - probability)


def negative_log_likelihood(margins: Floats, probability: Floats) -> Floats:
    """Return ``-p log sigma(margin) - (1 - p) log sigma(-margin)`` of each pair; ln 2 is that of no preference.

    >>> negative_log_likelihood(np.array([1.5, -1.5, -1000.0]), np.array([1.0, 1.0, 1.0])).round(4).tolist()
    [0.2014, 1.7014, 1000.0]
    """
    return probability * np.logaddexp(0, -margins) + (1 - probability) * np.logaddexp(0, margins)
