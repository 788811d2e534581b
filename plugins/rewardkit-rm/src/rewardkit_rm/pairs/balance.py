"""Length-balanced pairs: no more to be won by choosing the longer side."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from rewardkit.errors import RewardKitError, unknown
from rewardkit_rm.pairs.pair import Pair

__all__ = ["Method", "balance", "balance_factors"]

Method = Literal["subsample", "weights"]
"""Leave pairs out, or keep them all with less weight."""


def balance(pairs: Iterable[Pair], method: Method = "subsample", seed: int = 0) -> Iterator[Pair]:
    """Balance pairs so that the longer side is chosen as often as the shorter one.

    Goes through the pairs twice; what can be gone through once is held in memory. See `balance_factors`.

    Args:
        pairs: The pairs.
        method: Leave pairs out at random, or multiply their weight.
        seed: For which pairs are left out.

    Returns:
        The pairs that are kept, in order.

    Example:
        >>> long, short = Pair("Hi", "hello", "yo"), Pair("Hi", "yo", "hello")
        >>> [pair.weight for pair in balance([long, long, short], "weights")]
        [0.5, 0.5, 1.0]
    """
    again = list(pairs) if iter(pairs) is pairs else pairs
    for pair, factor in zip(again, balance_factors(again, method, seed).tolist(), strict=True):
        if factor == 1:
            yield pair
        elif factor > 0:
            yield replace(pair, weight=pair.weight * factor)


def balance_factors(pairs: Iterable[Pair], method: Method = "subsample", seed: int = 0) -> NDArray[np.float64]:
    """Return the factor of the weight of each pair, from 0 to 1, that balances lengths.

    Pairs of the same domain whose sides differ by about as much (1, 2–3, 4–7, 8–15, … characters) make a stratum.
    With ``L`` pairs in it whose longer side is chosen and ``S`` whose shorter one is, the more numerous kind is cut
    down to ``min(L, S)``: at random (factors 0 and 1), or by the weight ``min(L, S) / L`` (or ``/ S``). Afterwards,
    in every stratum half of the pairs, or of the weights, choose the longer side, so that neither *longer wins* nor
    *much longer wins* is right more often than chance. The other kind is never weighted up: one pair among a hundred
    would count a hundred times. Where a stratum has one kind only, its pairs get the factor 0.

    Ties and pairs of equal length keep the factor 1. The weights that pairs have already do not enter into ``L`` and
    ``S``.

    Args:
        pairs: The pairs.
        method: ``subsample`` or ``weights``.
        seed: For which pairs are left out.

    Returns:
        Factors, shape ``(N,)``.

    Raises:
        RewardKitError: If there is no such method.
    """
    if method not in get_args(Method):
        raise RewardKitError(unknown("method", method, get_args(Method)))
    strata, longer = _strata(pairs)
    counts = np.zeros((int(strata.max(initial=-1)) + 1, 2), dtype=np.int64)
    counted = longer >= 0
    np.add.at(counts, (strata[counted], longer[counted]), 1)
    factors = np.ones(len(strata))
    rng = np.random.default_rng(seed)
    for stratum, kind in np.argwhere(counts > counts[:, ::-1]):
        rows = np.flatnonzero((strata == stratum) & (longer == kind))
        kept = counts[stratum, 1 - kind]
        if method == "weights":
            factors[rows] = kept / len(rows)
        else:
            factors[rng.permutation(rows)[kept:]] = 0.0
    return factors


def _strata(pairs: Iterable[Pair]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the stratum of each pair, and 1 where the longer side is chosen, 0 where the shorter, -1 else."""
    numbers: dict[tuple[str, int], int] = {}
    strata, longer = [], []
    for pair in pairs:
        difference = len(pair.chosen) - len(pair.rejected)
        undecided = pair.undecided or difference == 0
        longer.append(-1 if undecided else int(difference > 0))
        strata.append(numbers.setdefault((pair.domain, abs(difference).bit_length()), len(numbers)))
    return np.array(strata, dtype=np.int64), np.array(longer, dtype=np.int64)
