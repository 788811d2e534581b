"""Length balance: half of every stratum chooses the longer side, and nothing else changes."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rewardkit_rm.pairs.balance import balance, balance_factors
from rewardkit_rm.pairs.pair import Pair

from rewardkit.errors import RewardKitError

METHODS: Any = pytest.mark.parametrize("method", ["subsample", "weights"])
pairs_strategy = st.lists(
    st.builds(
        lambda chosen, rejected, domain, tie: Pair("p", "x" * chosen, "x" * rejected, domain=domain, tie=tie),
        st.integers(0, 12),
        st.integers(0, 12),
        st.sampled_from("ab"),
        st.sampled_from([False, False, True]),
    ),
    max_size=60,
)


def stratum(pair: Pair) -> tuple[str, int]:
    """1, 2-3, 4-7 and 8-15 characters, written out."""
    difference = abs(len(pair.chosen) - len(pair.rejected))
    return pair.domain, [0, 1, 2, 2, 4, 4, 4, 4, 8, 8, 8, 8, 8][difference]


def decided(pair: Pair) -> bool:
    return not pair.tie and len(pair.chosen) != len(pair.rejected)


@METHODS
@settings(deadline=None)
@given(pairs=pairs_strategy, seed=st.integers(0, 3))
def test_in_every_stratum_half_of_the_weight_chooses_the_longer_side(method: Any, pairs: list[Pair], seed: int) -> None:
    before: dict[Any, list[int]] = defaultdict(lambda: [0, 0])
    after: dict[Any, list[float]] = defaultdict(lambda: [0.0, 0.0])
    for pair in filter(decided, pairs):
        before[stratum(pair)][len(pair.chosen) > len(pair.rejected)] += 1
    for pair in filter(decided, balance(pairs, method, seed)):
        after[stratum(pair)][len(pair.chosen) > len(pair.rejected)] += pair.weight
    for key, counts in before.items():
        assert after[key] == pytest.approx([min(counts), min(counts)])


@METHODS
@settings(deadline=None)
@given(pairs=pairs_strategy)
def test_ties_and_equal_lengths_stay_and_the_order_with_them(method: Any, pairs: list[Pair]) -> None:
    kept = list(balance(pairs, method))
    assert [pair for pair in kept if not decided(pair)] == [pair for pair in pairs if not decided(pair)]
    factors = balance_factors(pairs, method)
    assert ((factors >= 0) & (factors <= 1)).all()
    assert [pair.chosen for pair in kept] == [
        pair.chosen for pair, factor in zip(pairs, factors, strict=True) if factor > 0
    ]


def test_the_seed_decides_which_pairs_are_left_out() -> None:
    pairs = [Pair(str(number), "long", "s") for number in range(50)] + [Pair("q", "s", "long")] * 10
    again = [balance_factors(pairs, seed=seed) for seed in (1, 1, 2)]
    assert (again[0] == again[1]).all()
    assert (again[0] != again[2]).any()
    assert {float(factors.sum()) for factors in again} == {20.0}


def test_what_can_be_read_once_is_balanced_too() -> None:
    pairs = [Pair("p", "long", "s"), Pair("q", "long", "s"), Pair("p", "s", "long")]
    assert len(list(balance(pair for pair in pairs))) == 2
    assert list(balance([])) == []


def test_weights_multiply_those_that_pairs_have() -> None:
    pairs = [Pair("p", "long", "s", weight=4.0), Pair("q", "long", "s", weight=2.0), Pair("p", "s", "long", weight=3.0)]
    assert [pair.weight for pair in balance(pairs, "weights")] == [2.0, 1.0, 3.0]
    assert np.array_equal(balance_factors(pairs, "weights"), [0.5, 0.5, 1.0])


def test_an_unknown_method_is_refused() -> None:
    method: Any = "subsampl"
    with pytest.raises(RewardKitError, match="unknown method 'subsampl'; did you mean 'subsample'"):
        balance_factors([], method)
