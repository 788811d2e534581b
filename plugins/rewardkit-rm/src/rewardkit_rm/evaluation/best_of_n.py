"""Best-of-N: how good is the response that a reward model picks, as it may pick from more and more?"""

from __future__ import annotations

import functools
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from rewardkit.errors import BatchError
from rewardkit_rm.evaluation.bootstrap import Floats, Interval, PoissonBootstrap, Sums, cluster_of
from rewardkit_rm.evaluation.scored import finite_score

__all__ = ["BestOfN", "best_of_n", "best_of_n_rows", "expected_best"]

_SAME = 1e-12


class BestOfN(NamedTuple):
    """Mean outcome of what is picked from ``n`` responses, over groups.

    Attributes:
        n: From how many is picked.
        groups: Groups that have so many.
        picked: By the reward model.
        interval: Its 95 % interval; groups are drawn.
        oracle: By one who knows the outcomes.
        random: By chance: the mean outcome.
        gain: Share of the way from chance to the oracle; None where they are equal.
        kl: How far picking moves the policy: ``log n - (n - 1) / n``.
    """

    n: int
    groups: int
    picked: float
    interval: Interval | None
    oracle: float
    random: float
    gain: float | None
    kl: float


def expected_best(scores: ArrayLike, outcomes: ArrayLike, n: int) -> float:
    """Return the expected outcome of the highest-scored among ``n`` responses drawn from a group.

    All draws of ``n`` out of ``N`` without replacement count alike, so nothing is simulated: the response in place
    ``i`` by score (from 0 on, ascending) is the best of ``C(i, n - 1)`` of the ``C(N, n)`` draws. Among equal scores
    one is picked by chance: they share the weight of their places. Source of the estimator: Nakano and others,
    *WebGPT* (2021), appendix I.

    Args:
        scores: Scores of the ``N`` responses of a group.
        outcomes: How good each is, as in 1 for correct and 0 for wrong.
        n: From how many is picked, from 1 to ``N``.

    Raises:
        ValueError: If ``n`` is out of range, or lengths differ.

    Example:
        >>> expected_best([0.1, 0.9, 0.5], [0.0, 1.0, 0.0], 1), expected_best([0.1, 0.9, 0.5], [0.0, 1.0, 0.0], 2)
        (0.3333333333333333, 0.6666666666666666)
    """
    values, good = np.asarray(scores, dtype=np.float64), np.asarray(outcomes, dtype=np.float64)
    if values.shape != good.shape or values.ndim != 1:
        raise ValueError(f"scores and outcomes must be equally long, got {values.shape} and {good.shape}")
    if not 1 <= n <= len(values):
        raise ValueError(f"n must be from 1 to {len(values)}, got {n}")
    if not (np.isfinite(values).all() and np.isfinite(good).all()):
        raise ValueError("scores and outcomes must be finite")
    order = np.argsort(values)
    _, place, count = np.unique(values[order], return_inverse=True, return_counts=True)
    shared = np.bincount(place, weights=_weights(len(values), n)) / count
    return float(shared[place] @ good[order])


@functools.lru_cache(maxsize=256)
def _weights(size: int, n: int) -> Floats:
    """Return ``C(i, n - 1) / C(size, n)`` for each place ``i``, from the last down so that nothing overflows."""
    places = np.arange(size - 1, 0, -1)
    falling = np.cumprod(np.concatenate([[n / size], (places - n + 1).clip(min=0) / places]))
    return falling[::-1].copy()


def best_of_n(
    groups: Iterable[tuple[ArrayLike, ArrayLike]],
    ns: Sequence[int] = (),
    *,
    replicates: int = 1000,
    seed: int = 0,
) -> list[BestOfN]:
    """Return the mean outcome of best-of-n over groups of responses, as ``n`` grows.

    Args:
        groups: For each prompt the scores and the outcomes of its responses.
        ns: From how many to pick, ascending; 1, 2, 4, … up to the size of the smallest group by default.
        replicates: Replicates of the bootstrap, a multiple of 4.
        seed: Seed of the bootstrap.

    Raises:
        BatchError: If there is no group, a group is smaller than some ``n``, or a number is not finite.

    Example:
        >>> found = best_of_n([([0.1, 0.9], [0.0, 1.0]), ([0.9, 0.1], [0.0, 1.0])])
        >>> [(one.n, one.picked, one.oracle, one.random) for one in found]
        [(1, 0.5, 0.5, 0.5), (2, 0.5, 1.0, 0.5)]
    """
    read = [_group(scores, outcomes, number) for number, (scores, outcomes) in enumerate(groups)]
    if not read:
        raise BatchError("best of n needs groups of responses, got none")
    smallest = min(range(len(read)), key=lambda at: len(read[at][0]))
    size = len(read[smallest][0])
    chosen = sorted(set(ns)) or [2**power for power in range(size.bit_length())]
    if chosen[0] < 1 or chosen[-1] > size:
        raise BatchError(f"n must be from 1 to {size}, the size of group {smallest}; got {chosen}")
    clusters = np.array([cluster_of(str(number)) for number in range(len(read))], dtype=np.uint64)
    bootstrap = PoissonBootstrap(replicates, seed)
    weights = bootstrap.weights(clusters)
    return [_at(n, read, bootstrap, weights) for n in chosen]


def _group(scores: ArrayLike, outcomes: ArrayLike, number: int) -> tuple[Floats, Floats]:
    values, good = np.asarray(scores, dtype=np.float64), np.asarray(outcomes, dtype=np.float64)
    if values.shape != good.shape or values.ndim != 1 or not len(values):
        raise BatchError(f"group {number}: needs as many scores as outcomes, got {values.shape} and {good.shape}")
    if not (np.isfinite(values).all() and np.isfinite(good).all()):
        raise BatchError(f"group {number}: scores and outcomes must be finite")
    return values, good


def _at(n: int, groups: Sequence[tuple[Floats, Floats]], bootstrap: PoissonBootstrap, weights: Floats) -> BestOfN:
    picked = np.array([expected_best(scores, outcomes, n) for scores, outcomes in groups])
    oracle = float(np.mean([expected_best(outcomes, outcomes, n) for _, outcomes in groups]))
    random = float(np.mean([outcomes.mean() for _, outcomes in groups]))
    sums = Sums(bootstrap)
    sums.add({"n": np.ones(len(groups)), "picked": picked}, weights)
    interval = sums.estimate(lambda s: s["picked"] / s["n"]).interval
    mean = float(picked.mean())
    gain = (mean - random) / (oracle - random) if oracle - random > _SAME else None
    return BestOfN(n, len(groups), mean, interval, oracle, random, gain, kl=math.log(n) - (n - 1) / n)


def best_of_n_rows(rows: Iterable[Mapping[str, Any]], ns: Sequence[int] = ()) -> list[BestOfN]:
    """Return `best_of_n` of rows that hold ``scores`` and ``outcomes`` (or ``correct``: true, false), equally long.

    Raises:
        BatchError: If a row cannot be read, or see `best_of_n`.

    Example:
        >>> best_of_n_rows([{"scores": [0.1, 0.9], "correct": [False, True]}])[-1].picked
        1.0
    """
    return best_of_n((_read(row, f"row {number}") for number, row in enumerate(rows)), ns)


def _read(row: Mapping[str, Any], where: str) -> tuple[list[float], list[float]]:
    scores, outcomes = row.get("scores"), row.get("outcomes", row.get("correct"))
    if not isinstance(scores, Sequence) or not isinstance(outcomes, Sequence) or len(scores) != len(outcomes):
        raise BatchError(f"{where}: needs 'scores' and 'outcomes' (or 'correct'), two lists of equal length")
    good = [float(value) if isinstance(value, bool) else value for value in outcomes]
    return (
        [finite_score(value, "scores", where) for value in scores],
        [finite_score(value, "outcomes", where) for value in good],
    )
