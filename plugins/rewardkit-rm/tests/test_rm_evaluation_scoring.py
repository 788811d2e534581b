"""From a model to scored pairs: the same scores as one by one, in order, a few at a time."""

from __future__ import annotations

import math
from collections.abc import Iterator

import pytest
from rewardkit_rm.evaluation.evaluate import evaluate
from rewardkit_rm.evaluation.ratings import RatedResponse, rated_response, score_responses
from rewardkit_rm.evaluation.scoring import score_pairs
from rewardkit_rm.models.scorer import Scorer
from rewardkit_rm.pairs.pair import Pair, prompt_key
from tiny_models import tiny_scorer

from rewardkit.errors import BatchError


@pytest.fixture(scope="module")
def scorer(tmp_path_factory: pytest.TempPathFactory) -> Scorer:
    return tiny_scorer(tmp_path_factory.mktemp("model"))


PAIRS = [
    Pair(f"What is {at} plus one?", "It is " + "4 " * at, "No.", domain="math", id=str(at), where=f"f:{at}")
    for at in range(1, 8)
]


def test_pairs_are_scored_as_each_completion_is_alone(scorer: Scorer) -> None:
    found = list(score_pairs(scorer, PAIRS, batch_pairs=3))
    for pair, scored in zip(PAIRS, found, strict=True):
        alone = [float(scorer.score([pair.prompt], [text]).values[0]) for text in (pair.chosen, pair.rejected)]
        assert [scored.chosen_score, scored.rejected_score] == pytest.approx(alone, abs=1e-4)
        assert (scored.prompt, scored.domain, scored.id, scored.where) == (
            prompt_key(pair.prompt),
            "math",
            pair.id,
            pair.where,
        )
        assert (scored.chosen_length, scored.rejected_length) == (len(pair.chosen), 3)
    assert evaluate(found).pairs == 7


def test_labels_and_chat_prompts_are_kept(scorer: Scorer) -> None:
    turns = ({"role": "user", "content": "Why?"},)
    [found] = score_pairs(scorer, [Pair(turns, "a", "b", probability=0.25, tie=True)])
    assert (found.tie, found.probability, found.prompt_text) == (True, 0.25, "Why?")


def test_a_pair_that_does_not_fit_has_no_score_and_says_why(scorer: Scorer) -> None:
    long = Pair("q", "word " * 5000, "b", where="f:9")
    found = list(score_pairs(scorer, [PAIRS[0], long]))
    assert math.isnan(found[1].chosen_score)
    assert found[1].problem.startswith("chosen: ")
    unscored = evaluate(found).unscored
    assert unscored.count == 1
    assert unscored.first[0].startswith("f:9: chosen: ")


def test_pairs_are_read_no_further_than_the_batch_that_is_scored(scorer: Scorer) -> None:
    read = []

    def pairs() -> Iterator[Pair]:
        for pair in PAIRS:
            read.append(pair)
            yield pair

    next(score_pairs(scorer, pairs(), batch_pairs=2))
    assert len(read) == 2


def test_rated_responses_are_scored_by_the_model(scorer: Scorer) -> None:
    rated = [
        RatedResponse({"rating": 1.0}, {"": 99.0}, prompt="Why?", completion=text) for text in ("a", "word " * 5000)
    ]
    first, second = score_responses(scorer, rated)
    assert first.scores[""] == pytest.approx(float(scorer.score(["Why?"], ["a"]).values[0]), abs=1e-4)
    assert second.scores == {}


@pytest.mark.parametrize("given", [{"completion": "a"}, {"prompt": "Why?"}], ids=["no prompt", "no completion"])
def test_a_rated_response_without_both_texts_cannot_be_scored(scorer: Scorer, given: dict[str, str]) -> None:
    rated = rated_response({"rating": 1.0} | given, "f:3")
    with pytest.raises(BatchError, match="f:3: needs 'prompt' and 'completion' to be scored"):
        list(score_responses(scorer, [rated]))
