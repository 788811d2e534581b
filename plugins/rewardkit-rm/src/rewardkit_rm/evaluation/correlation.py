"""Medians and rank correlations with confidence intervals clustered by prompt, over arrays."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rewardkit.comparison import spearman
from rewardkit_rm.evaluation.bootstrap import Clusters, Estimate, Floats, PoissonBootstrap, interval_of

__all__ = ["median_estimate", "spearman_estimate", "weighted_median", "weighted_spearman"]

_WEIGHTS_AT_A_TIME = 1_000_000
_RANK_REPLICATES = 400  # ranking again in every replicate is what costs time


def median_estimate(values: Floats, clusters: Clusters, bootstrap: PoissonBootstrap) -> Estimate:
    """Return the median of values, shape ``(N,)``, and its interval.

    >>> values = np.arange(101.0)
    >>> median_estimate(values, values.astype(np.uint64), PoissonBootstrap(400)).value
    50.0
    """
    if not len(values):
        return Estimate(None, None)
    order = np.argsort(values, kind="stable")
    values, clusters = values[order], clusters[order]
    replicates = _each(lambda weights: weighted_median(values, weights), clusters, bootstrap, bootstrap.replicates)
    return Estimate(float(np.median(values)), interval_of(replicates))


def spearman_estimate(x: ArrayLike, y: ArrayLike, clusters: Clusters, bootstrap: PoissonBootstrap) -> Estimate:
    """Return Spearman's rank correlation and its interval (from at most 400 replicates).

    Args:
        x: Numbers, shape ``(N,)``, none of them nan.
        y: Numbers, shape ``(N,)``, none of them nan.
        clusters: What `cluster_of` gave for the prompt of each, shape ``(N,)``.
        bootstrap: Where the weights come from.

    Returns:
        A figure from -1 to 1; None where fewer than two pairs are there or one side is constant.

    Example:
        >>> x = np.arange(50.0)
        >>> spearman_estimate(x, -x, x.astype(np.uint64), PoissonBootstrap(400))
        Estimate(value=-1.0, interval=Interval(low=-1.0, high=-1.0))
    """
    one, other = np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64)
    value = spearman(one, other)
    if value is None:
        return Estimate(None, None)
    a, b = (np.unique(values, return_inverse=True)[1] for values in (one, other))
    count = min(bootstrap.replicates, _RANK_REPLICATES)
    replicates = _each(lambda w: np.array([weighted_spearman(a, b, row) for row in w.T]), clusters, bootstrap, count)
    return Estimate(value, interval_of(replicates))


def _each(
    statistic: Callable[[Floats], Floats], clusters: Clusters, bootstrap: PoissonBootstrap, replicates: int
) -> Floats:
    """Return a statistic of the weights of some replicates at a time, so that memory stays small."""
    step = max(4, _WEIGHTS_AT_A_TIME // max(len(clusters), 1) // 4 * 4)
    starts = range(0, replicates, step)
    return np.concatenate([statistic(bootstrap.weights(clusters, at, min(at + step, replicates))) for at in starts])


def weighted_median(values: Floats, weights: Floats) -> Floats:
    """Return the median of values that count several times: that of the list with each repeated.

    Args:
        values: Sorted, shape ``(N,)``.
        weights: How often each counts in each replicate, whole numbers, shape ``(N, R)``.

    Returns:
        Shape ``(R,)``; nan where all weights are 0.

    Example:
        >>> weighted_median(np.array([1.0, 2.0, 5.0]), np.array([[1.0], [1.0], [2.0]])).tolist()
        [3.5]
    """
    ends = np.cumsum(weights, axis=0)
    total = ends[-1]
    low, high = np.floor((total - 1) / 2), np.floor(total / 2)
    places = [(ends <= place).sum(axis=0).clip(max=len(values) - 1) for place in (low, high)]
    return np.where(total > 0, (values[places[0]] + values[places[1]]) / 2, np.nan)


def weighted_spearman(x: NDArray[np.intp], y: NDArray[np.intp], weights: Floats) -> float:
    """Return Spearman's rank correlation of pairs that count several times.

    Args:
        x: The place of each number among the different ones in order, from 0 on, shape ``(N,)``.
        y: The same of the other side.
        weights: How often each pair counts, shape ``(N,)``.

    Returns:
        That of the list with each pair repeated; nan where one side is constant in it.
    """
    a, b = _weighted_ranks(x, weights), _weighted_ranks(y, weights)
    total = weights.sum()
    if not total:
        return float("nan")
    a, b = a - (weights * a).sum() / total, b - (weights * b).sum() / total
    spread = (weights * a * a).sum() * (weights * b * b).sum()
    return float((weights * a * b).sum() / np.sqrt(spread)) if spread > 0 else float("nan")


def _weighted_ranks(places: NDArray[np.intp], weights: Floats) -> Floats:
    counts = np.bincount(places, weights=weights)
    ranks: Floats = (np.cumsum(counts) - (counts - 1) / 2)[places]
    return ranks
