"""Confidence intervals of a stream, clustered by prompt: the Poisson bootstrap."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "Clusters",
    "Estimate",
    "Floats",
    "Interval",
    "PoissonBootstrap",
    "Statistic",
    "Sums",
    "cluster_of",
    "interval_of",
]

Floats = NDArray[np.float64]
Clusters = NDArray[np.uint64]
"""What `cluster_of` gave for the prompts of rows, shape ``(N,)``."""

_LEVEL = 0.95
_DRAWS_A_WORD = 4
_STEP = np.uint64(0x9E3779B97F4A7C15)


class Interval(NamedTuple):
    """A 95 % confidence interval."""

    low: float
    high: float


class Estimate(NamedTuple):
    """A figure and its 95 % confidence interval; None where it is not defined."""

    value: float | None
    interval: Interval | None


def cluster_of(key: str) -> int:
    """Return 64 bits that stand for a prompt.

    >>> cluster_of("a prompt") == cluster_of("a prompt"), cluster_of("a prompt") < 2**64
    (True, True)
    """
    return int.from_bytes(hashlib.blake2b(key.encode(errors="surrogatepass"), digest_size=8).digest(), "little")


class PoissonBootstrap:
    """Draws how often each prompt counts in each replicate, from nothing but a seed and the prompt.

    In an exact clustered bootstrap a replicate draws as many prompts as there are, with replacement: how often one
    is drawn is binomial with mean 1. For many prompts that is Poisson(1), independently for every prompt, so that
    no list of prompts is needed: pairs of one prompt get the same weights wherever in the stream they stand, and
    memory does not grow with the stream. Source: Chamandy, Muralidharan, Najmi and Naidu, *Estimating uncertainty
    for massive data streams* (2012). A hash of 64 bits gives four draws of 16 bits, which fixes the probabilities
    to within 1/65,536.

    Args:
        replicates: Their number ``R``, a multiple of 4.
        seed: Another one draws other weights.

    Example:
        >>> weights = PoissonBootstrap(8).weights(np.array([7, 9, 7], dtype=np.uint64))
        >>> weights.shape, bool((weights[0] == weights[2]).all())
        ((3, 8), True)
    """

    def __init__(self, replicates: int = 1000, seed: int = 0) -> None:
        if replicates < _DRAWS_A_WORD or replicates % _DRAWS_A_WORD:
            raise ValueError(f"replicates must be a positive multiple of {_DRAWS_A_WORD}, got {replicates}")
        self.replicates = replicates
        words = np.arange(replicates // _DRAWS_A_WORD, dtype=np.uint64)
        self._keys = _mixed(words * _STEP + np.uint64(seed % 2**64))

    def weights(self, clusters: Clusters, first: int = 0, last: int | None = None) -> Floats:
        """Return the weights of pairs in replicates ``first`` to ``last`` (both multiples of 4).

        Args:
            clusters: What `cluster_of` gave for the prompt of each pair, shape ``(N,)``.
            first: The first replicate.
            last: The one after the last; all by default.

        Returns:
            Whole numbers from 0 on, shape ``(N, last - first)``.
        """
        keys = self._keys[first // _DRAWS_A_WORD : None if last is None else last // _DRAWS_A_WORD]
        words = _mixed(clusters[:, None] ^ keys[None, :])
        return _POISSON[words.view(np.uint16)]


def _mixed(words: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Scramble 64 bits (the finaliser of SplitMix64)."""
    with np.errstate(over="ignore"):
        words = (words ^ (words >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        words = (words ^ (words >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return words ^ (words >> np.uint64(31))


def _poisson_table() -> Floats:
    """Return the draw of Poisson(1) that each number of 16 bits stands for."""
    probabilities = np.exp(-1.0) / np.cumprod([1.0, *range(1, 12)])
    edges = np.round(np.cumsum(probabilities) * 65536).astype(np.int64)
    return np.searchsorted(edges, np.arange(65536), side="right").astype(np.float64)


_POISSON = _poisson_table()

Statistic = Callable[[Mapping[str, Floats]], Floats]
"""Maps sums by name, each of shape ``(...)``, to values of that shape; nan where undefined."""


class Sums:
    """Sums over a stream of pairs, once as they are and once in every replicate.

    Every figure that is a function of sums (a mean, an accuracy, a difference of two, a correlation) then has its
    confidence interval without the pairs being kept.

    Example:
        >>> sums = Sums(PoissonBootstrap(1000))
        >>> clusters = np.arange(400, dtype=np.uint64)
        >>> sums.add({"n": np.ones(400), "correct": (clusters % 4 > 0) * 1.0}, sums.bootstrap.weights(clusters))
        >>> value, interval = sums.estimate(lambda s: s["correct"] / s["n"])
        >>> value, 0.69 < interval.low < 0.73 < 0.77 < interval.high < 0.81
        (0.75, True)
    """

    def __init__(self, bootstrap: PoissonBootstrap) -> None:
        self.bootstrap = bootstrap
        self._names: list[str] = []
        self._sums = np.zeros(0)
        self._replicates = np.zeros((bootstrap.replicates, 0))

    def add(self, columns: Mapping[str, Floats], weights: Floats) -> None:
        """Add the columns of a batch, each of shape ``(N,)``; ``weights`` has shape ``(N, R)``."""
        if not self._names:
            self._names = list(columns)
            self._sums = np.zeros(len(columns))
            self._replicates = np.zeros((self.bootstrap.replicates, len(columns)))
        values = np.stack(list(columns.values()), axis=1)
        self._sums += values.sum(axis=0)
        # products so small that the linear algebra library starts no threads for them: on a busy machine it would
        # spend several times the work on waiting
        parts = weights.T.reshape(-1, _DRAWS_A_WORD, len(weights))
        self._replicates += np.matmul(parts, values).reshape(self._replicates.shape)

    def value(self, name: str) -> float:
        """Return one of the sums; 0 before anything was added."""
        return float(self._sums[self._names.index(name)]) if self._names else 0.0

    def estimate(self, statistic: Statistic) -> Estimate:
        """Return a function of the sums, and the interval that its replicates span.

        Args:
            statistic: The function.
        """
        if not self._names:
            return Estimate(None, None)
        with np.errstate(divide="ignore", invalid="ignore"):
            point = float(statistic(dict(zip(self._names, self._sums, strict=True))))
            replicates = statistic(dict(zip(self._names, self._replicates.T, strict=True)))
        return Estimate(point, interval_of(replicates)) if np.isfinite(point) else Estimate(None, None)


def interval_of(replicates: Floats) -> Interval | None:
    """Return the 2.5 % and 97.5 % quantiles of replicates; those where the figure is undefined are left out."""
    known = replicates[np.isfinite(replicates)]
    if not len(known):
        return None
    low, high = np.quantile(known, [(1 - _LEVEL) / 2, (1 + _LEVEL) / 2])
    return Interval(float(low), float(high))
