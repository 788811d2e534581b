"""Rank correlation with human ratings: the public anchor, scipy, and what is refused."""

from __future__ import annotations

import json
import math
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rewardkit_rm.evaluation.evaluation import Rating
from rewardkit_rm.evaluation.ratings import RatedResponse, RatingFiles, correlate_ratings, rated_response
from scipy import stats

from rewardkit.errors import BatchError
from rewardkit.files import Layout

DATA = Path(os.environ.get("REWARDKIT_DATA") or Path(__file__).parents[4] / "shared" / "data")


@pytest.mark.data
def test_the_public_anchor_is_reproduced_to_three_digits() -> None:
    path = DATA / "rm/ratings/topical_chat.jsonl"
    if not path.exists():
        pytest.skip(f"no evaluation data: {path} does not exist (set REWARDKIT_DATA)")
    columns = {"rating": "human", "score": "unieval"}
    found = {one.name: one for one in correlate_ratings(RatingFiles([path], Layout(columns=columns)))}
    values = {name: round(one.spearman.value or 0, 3) for name, one in found.items()}
    # published by the authors of UniEval for Topical-Chat
    expected = {"naturalness": 0.514, "coherence": 0.613, "engagingness": 0.605, "groundedness": 0.575}
    assert {name: values[name] for name in expected} == expected
    assert all(one.responses == 360 for one in found.values())
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    for name in values:
        pairs = [(row["unieval"][name], row["human"][name]) for row in rows]
        assert values[name] == round(stats.spearmanr(*zip(*pairs, strict=True)).statistic, 3)


def test_intervals_are_wider_where_responses_share_prompts() -> None:
    numbers = np.random.default_rng(0)
    quality = numbers.normal(size=40)
    rated = [
        RatedResponse({"rating": float(quality[at % 40])}, {"": float(quality[at % 40] + noise)}, prompt=str(at % 40))
        for at, noise in enumerate(np.tile(numbers.normal(size=40), 10))
    ]
    free = [RatedResponse(one.ratings, one.scores) for one in rated]
    [together], [apart] = correlate_ratings(rated), correlate_ratings(free)
    assert together.spearman.value == apart.spearman.value
    assert 2 < width(together) / width(apart) < 5  # sqrt(10) = 3.2


def width(found: Rating) -> float:
    assert found.spearman.interval is not None
    return found.spearman.interval.high - found.spearman.interval.low


def test_names_have_their_own_scores_or_share_one() -> None:
    rated = [
        RatedResponse({"a": float(at), "b": float(-at)}, {"a": float(at), "": float(at)}, prompt="p")
        for at in range(30)
    ]
    assert {one.name: one.spearman.value for one in correlate_ratings(rated)} == {"a": 1.0, "b": -1.0}


def test_a_response_without_a_score_is_counted_and_not_ranked() -> None:
    rated = [RatedResponse({"rating": float(at)}, {"": float(at)} if at % 2 else {}) for at in range(10)]
    [found] = correlate_ratings(rated)
    assert (found.responses, found.unscored, found.spearman.value) == (5, 5, 1.0)
    [nothing] = correlate_ratings([RatedResponse({"rating": 1.0}, {})])
    assert (nothing.responses, nothing.unscored, nothing.spearman.value, nothing.band) == (0, 1, None, "")


def test_a_rating_without_a_number_is_left_out() -> None:
    assert rated_response({"rating": {"a": 1, "b": None}, "score": 2}, "x").ratings == {"a": 1.0}


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "no rating": ({"score": 1}, r"row 1: needs 'rating', a number or a mapping of names to numbers \(--map"),
    "text": ({"rating": "good"}, "'rating' must be a number, got 'good'"),
    "nan": ({"rating": {"a": math.nan}}, "'rating.a' must be a finite number"),
    "score": ({"rating": 1, "score": math.inf}, "'score' must be a finite number"),
    "nothing": ({"rating": {}}, "'rating' must hold 1 to 50 names, got 0"),
    "names": ({"rating": {str(at): at for at in range(60)}}, "'rating' must hold 1 to 50 names, got 60"),
    "prompt": ({"rating": 1, "prompt": 5}, "prompt: expected text or chat messages, got int"),
    "completion": ({"rating": 1, "response": 5}, "'completion': expected chat messages, got int"),
}


@pytest.mark.parametrize(("row", "message"), REFUSED.values(), ids=REFUSED)
def test_ratings_that_cannot_be_read_are_refused(row: dict[str, Any], message: str) -> None:
    with pytest.raises(BatchError, match=message):
        rated_response(row, "row 1")


def test_names_without_end_are_refused() -> None:
    rated = (RatedResponse({str(at): 1.0}, {"": 1.0}, where=f"row {at}") for at in range(60))
    with pytest.raises(BatchError, match="row 50: more than 50 names were rated, the last '50'"):
        correlate_ratings(rated)


def test_chat_prompts_and_completions_are_read() -> None:
    turns = [{"role": "user", "content": "hi"}]
    read = rated_response({"rating": 1, "prompt": turns, "response": [{"role": "assistant", "content": "yo"}]}, "x")
    assert (read.prompt, read.completion) == (tuple(turns), "yo")
