"""Rankings: every pair of them, ties, and weights that keep one ranking from counting for many."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rewardkit_rm.pairs.pair import Pair
from rewardkit_rm.pairs.rankings import ranking_pairs, ranks_of_scores

from rewardkit.errors import BatchError

rankings = st.integers(2, 9).flatmap(lambda count: st.lists(st.integers(1, 4), min_size=count, max_size=count))


@settings(deadline=None)
@given(rankings)
def test_every_two_responses_make_one_pair_the_better_one_first(ranks: list[int]) -> None:
    responses = [f"response {place}" for place in range(len(ranks))]
    rank = dict(zip(responses, ranks, strict=True))
    pairs = ranking_pairs("p", responses, ranks)
    assert len({frozenset((pair.chosen, pair.rejected)) for pair in pairs}) == len(pairs) == math.comb(len(ranks), 2)
    for pair in pairs:
        assert rank[pair.chosen] <= rank[pair.rejected]
        assert pair.tie == (rank[pair.chosen] == rank[pair.rejected])
        assert pair.probability == (0.5 if pair.tie else 1.0)


@pytest.mark.parametrize("count", range(2, 10))
@pytest.mark.parametrize(
    ("weighting", "of_all", "of_each"),
    [
        ("ranking", lambda k: 1.0, lambda k: 2 / k),
        ("response", lambda k: k / 2, lambda k: 1.0),
        ("pair", lambda k: k * (k - 1) / 2, lambda k: k - 1.0),
    ],
    ids=["ranking", "response", "pair"],
)
def test_what_weighs_one_is_as_asked(count: int, weighting: Any, of_all: Any, of_each: Any) -> None:
    responses = [str(number) for number in range(count)]
    pairs = ranking_pairs("p", responses, weighting=weighting, like=Pair("", "", "", weight=3.0))
    assert sum(pair.weight for pair in pairs) == pytest.approx(3 * of_all(count))
    for response in responses:
        weight = sum(pair.weight for pair in pairs if response in (pair.chosen, pair.rejected))
        assert weight == pytest.approx(3 * of_each(count))


def test_without_ranks_the_first_is_the_best() -> None:
    assert [(pair.chosen, pair.rejected) for pair in ranking_pairs("p", "abc")] == [("a", "b"), ("a", "c"), ("b", "c")]


def test_pairs_take_over_what_the_ranking_says_of_itself() -> None:
    like = Pair("", "", "", domain="math", annotator="ann", id="7", where="f:3")
    [pair] = ranking_pairs("p", ["a", "b"], [2, 1], like=like)
    assert pair == Pair("p", "b", "a", domain="math", annotator="ann", id="7/2-1", where="f:3")


@settings(deadline=None)
@given(st.lists(st.floats(-5, 5), min_size=1, max_size=9))
def test_ranks_of_scores_put_the_greatest_first(scores: list[float]) -> None:
    ranks = ranks_of_scores(scores)
    for one, rank in zip(scores, ranks, strict=True):
        assert rank == 1 + len({other for other in scores if other > one})


@pytest.mark.parametrize(
    ("responses", "ranks", "message"),
    [
        ([], None, "f:1: a ranking has 2 to 64 responses, got 0"),
        (["a"], None, "f:1: a ranking has 2 to 64 responses, got 1"),
        (["a"] * 65, None, "f:1: a ranking has 2 to 64 responses, got 65"),
        (["a", "b"], [1, 2, 3], "f:1: 2 responses, but 3 ranks"),
        (["a", "b"], [1, math.nan], "f:1: ranks must be finite numbers"),
    ],
    ids=["none", "one", "too many", "too many ranks", "nan"],
)
def test_what_is_no_ranking_is_refused(responses: list[str], ranks: list[float] | None, message: str) -> None:
    with pytest.raises(BatchError, match=message):
        ranking_pairs("p", responses, ranks, where="f:1")
