"""Figures of an evaluation: worked by hand, against scipy and sklearn, and what must not change them."""

from __future__ import annotations

import dataclasses
import json
import math
import random
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rewardkit_rm.evaluation.evaluate import evaluate
from rewardkit_rm.evaluation.evaluation import Evaluation, Rating
from rewardkit_rm.evaluation.evaluation import Figure as Found
from rewardkit_rm.evaluation.scored import ScoredPair
from scipy import stats
from scipy.special import expit
from sklearn.calibration import calibration_curve
from sklearn.metrics import brier_score_loss, log_loss

from rewardkit.errors import BatchError


def pair(chosen_score: float, rejected_score: float, /, **rest: Any) -> ScoredPair:
    return ScoredPair(chosen_score, rejected_score, **rest)


def some_pairs(count: int, seed: int = 0, prompts: int = 0) -> list[ScoredPair]:
    """Pairs whose score follows length and quality, of three domains."""
    numbers = np.random.default_rng(seed)
    lengths, noise = numbers.integers(0, 2000, (count, 2)), numbers.normal(size=(count, 2))
    return [
        pair(
            float(noise[at, 0] + 0.8 + lengths[at, 0] / 1000),
            float(noise[at, 1] + lengths[at, 1] / 1000),
            prompt=f"prompt {at % prompts if prompts else at}",
            domain=("math", "chat", "code")[at % 3],
            chosen_length=int(lengths[at, 0]),
            rejected_length=int(lengths[at, 1]),
            where=f"row {at}",
        )
        for at in range(count)
    ]


PAIRS = some_pairs(600)
MARGINS = np.array([one.chosen_score - one.rejected_score for one in PAIRS])
SCORES = np.array([(one.chosen_score, one.rejected_score) for one in PAIRS])
LENGTHS = np.array([(one.chosen_length, one.rejected_length) for one in PAIRS], dtype=float)
FOUND = evaluate(PAIRS)


def test_accuracy_is_the_first_key_of_the_json() -> None:
    found = json.loads(FOUND.model_dump_json())
    assert next(iter(found)) == "accuracy"
    assert found["accuracy"] == (MARGINS > 0).mean()
    assert Evaluation.model_validate_json(FOUND.model_dump_json()) == FOUND


def test_figures_worked_by_hand() -> None:
    found = evaluate(
        [
            pair(2.0, 0.5, chosen_length=10, rejected_length=5, domain="a"),  # right, margin 1.5
            pair(0.5, 2.0, chosen_length=9, rejected_length=3, domain="a"),  # wrong, margin -1.5
            pair(1.0, 1.0, chosen_length=4, rejected_length=8, domain="b"),  # equal scores
            pair(3.0, 0.0, chosen_length=7, rejected_length=7, domain="b"),  # right, margin 3, equal length
            pair(1.0, 0.0, domain="b"),  # right, margin 1, no lengths
            pair(5.0, 1.0, tie=True),
            pair(1.0, 3.0, probability=0.5),
            pair(math.nan, 1.0, problem="too long", where="file:7"),
        ]
    )
    assert (found.pairs, found.score_ties, found.labelled_ties.count, found.unscored.count) == (5, 1, 2, 1)
    assert found.accuracy == 3 / 5
    assert found.accuracy_half_ties.value == 3.5 / 5
    assert found.mean_margin.value == (1.5 - 1.5 + 0 + 3 + 1) / 5
    assert found.median_margin.value == 1.0
    assert found.labelled_ties.share == 2 / 7
    assert found.labelled_ties.mean_absolute_margin == (4 + 2) / 2
    assert found.unscored.first == ["file:7: too long"]
    assert found.unscored.reasons == {"too long": 1}
    assert {part.name: (part.pairs, part.accuracy.value) for part in found.by_domain} == {
        "a": (2, 0.5),
        "b": (3, 2 / 3),
    }
    assert {part.name: (part.pairs, part.accuracy.value) for part in found.by_length} == {
        "chosen longer": (2, 0.5),
        "chosen shorter": (1, 0.0),
        "equal length": (1, 1.0),
        "length unknown": (1, 1.0),
    }
    assert found.calibration is not None
    # (0.2014 + 1.7014 + 0.6931 + 0.0486 + 0.3133) / 5
    assert found.calibration.nll.value == pytest.approx(0.5916, abs=1e-4)


def test_a_pair_whose_label_prefers_the_other_side_is_turned() -> None:
    turned = evaluate([pair(0.0, 2.0, probability=0.2, chosen_length=1, rejected_length=9, chosen="no", rejected="ok")])
    assert turned.accuracy == 1.0
    assert turned.by_length[0].name == "chosen longer"
    assert turned.samples.best[0].chosen == "ok"
    assert turned.samples.best[0].margin == 2.0


def test_accuracy_is_over_pairs_and_not_a_mean_over_batches() -> None:
    right, wrong = [pair(1.0, 0.0)] * 1024, [pair(0.0, 1.0)]  # a second batch of one pair, all wrong
    assert evaluate(right + wrong).accuracy == 1024 / 1025


def width(found: Found) -> float:
    assert found.interval is not None
    return found.interval.high - found.interval.low


def value(found: Found) -> float:
    assert found.value is not None
    return found.value


def test_correlations_with_length_are_those_of_scipy() -> None:
    bias = FOUND.length
    assert bias is not None
    margins, lengths = np.concatenate([MARGINS, -MARGINS]), LENGTHS[:, 0] - LENGTHS[:, 1]
    both = np.concatenate([lengths, -lengths])
    logs = np.log1p(LENGTHS)
    log_difference = np.concatenate([logs[:, 0] - logs[:, 1], logs[:, 1] - logs[:, 0]])
    expected = {
        "pearson": stats.pearsonr(SCORES.ravel(), LENGTHS.ravel()),
        "pearson_log": stats.pearsonr(SCORES.ravel(), logs.ravel()),
        "spearman": stats.spearmanr(SCORES.ravel(), LENGTHS.ravel()),
        "within_pearson": stats.pearsonr(margins, both),
        "within_pearson_log": stats.pearsonr(margins, log_difference),
        "within_spearman": stats.spearmanr(margins, both),
    }
    for name, there in expected.items():
        assert value(getattr(bias, name)) == pytest.approx(there.statistic, abs=1e-9), name
    longer = LENGTHS[:, 0] > LENGTHS[:, 1]
    shorter = LENGTHS[:, 0] < LENGTHS[:, 1]
    assert value(bias.accuracy_gap) == pytest.approx((MARGINS[longer] > 0).mean() - (MARGINS[shorter] > 0).mean())
    assert bias.pairs == 600


def test_the_correlation_within_prompts_is_that_of_scores_and_lengths_less_the_mean_of_their_pair() -> None:
    assert FOUND.length is not None
    centred = [(side - side.mean(axis=1, keepdims=True)).ravel() for side in (SCORES, LENGTHS)]
    assert value(FOUND.length.within_pearson) == pytest.approx(stats.pearsonr(*centred).statistic)


def test_a_score_that_only_counts_characters_follows_length_entirely() -> None:
    lengths = [(10, 3), (4, 9), (7, 1), (100, 20)] * 10
    found = evaluate([pair(a, b, chosen_length=a, rejected_length=b) for a, b in lengths])
    assert found.length is not None
    for name in ("pearson", "spearman", "within_pearson", "within_spearman", "accuracy_gap"):
        assert value(getattr(found.length, name)) == pytest.approx(1.0), name
    assert value(found.baselines[0].difference) == 0.0


def test_a_constant_score_has_no_correlation() -> None:
    found = evaluate([pair(1.1, 1.1, chosen_length=at, rejected_length=2 * at) for at in range(40)])
    assert found.length is not None
    assert found.length.pearson.value is None
    assert found.length.spearman.value is None
    assert found.length.within_pearson.value is None
    assert found.calibration is not None
    assert found.calibration.temperature is None
    assert found.warnings[:1] == ["accuracy 0.0 % is below the floor of 65 %: do not train on this model"]
    assert "every score is 1.1: the model says nothing" in found.warnings


def test_calibration_is_that_of_sklearn_with_every_pair_in_both_orders() -> None:
    calibration = FOUND.calibration
    assert calibration is not None
    predicted = expit(np.concatenate([MARGINS, -MARGINS]))
    better = np.concatenate([np.ones(600), np.zeros(600)])
    assert value(calibration.brier) == pytest.approx(brier_score_loss(better, predicted))
    assert value(calibration.nll) == pytest.approx(log_loss(better, predicted))
    correct, confidence = calibration_curve(better, predicted, n_bins=20)
    assert [one.correct for one in calibration.curve] == pytest.approx(correct[10:].tolist())
    assert [one.confidence for one in calibration.curve] == pytest.approx(confidence[10:].tolist())
    held = np.array([one.pairs for one in calibration.curve])
    assert value(calibration.ece) == pytest.approx((held * np.abs(correct - confidence)[10:]).sum() / 600)


def test_soft_labels_count_with_their_probability() -> None:
    found = evaluate([pair(1.5, 0.0, probability=0.8)] * 10)
    assert found.calibration is not None
    predicted = expit(1.5)
    assert value(found.calibration.brier) == pytest.approx((predicted - 0.8) ** 2)
    assert value(found.calibration.nll) == pytest.approx(-0.8 * math.log(predicted) - 0.2 * math.log(1 - predicted))
    assert value(found.calibration.ece) == pytest.approx(predicted - 0.8)
    # sigma(1.5 / T) = 0.8 has T = 1.5 / ln 4
    assert found.calibration.temperature == pytest.approx(1.5 / math.log(4), abs=1e-4)


def test_margins_of_a_thousand_do_not_overflow() -> None:
    found = evaluate([pair(1000.0, 0.0)] * 3 + [pair(0.0, 1000.0)])
    assert found.calibration is not None
    assert value(found.calibration.nll) == 250.0
    assert value(found.calibration.brier) == 0.25
    assert found.calibration.curve[-1].pairs == 4


def test_the_largest_scores_give_finite_figures() -> None:
    found = evaluate([pair(1e100, -1e100, chosen_length=1, rejected_length=2), pair(0.0, 1.0)])
    assert value(found.mean_margin) == 1e100
    assert all(math.isfinite(edge) for edge in found.margins.edges)
    json.loads(found.model_dump_json())


def test_longer_and_shorter_wins_stand_beside_the_model() -> None:
    longer, shorter = FOUND.baselines
    assert (longer.name, shorter.name) == ("longer wins", "shorter wins")
    right = LENGTHS[:, 0] > LENGTHS[:, 1]
    assert value(longer.accuracy) == right.mean()
    assert value(longer.difference) == pytest.approx(((MARGINS > 0) * 1.0 - right).mean())
    assert value(shorter.accuracy) == (LENGTHS[:, 0] < LENGTHS[:, 1]).mean()


def rescored(pairs: list[ScoredPair], change: float, seed: int = 1) -> list[ScoredPair]:
    noise = random.Random(seed)
    return [dataclasses.replace(one, chosen_score=one.chosen_score + noise.gauss(0, change)) for one in pairs]


def test_the_difference_to_a_second_model_is_paired() -> None:
    near = evaluate(PAIRS, baseline=rescored(PAIRS, 0.1), baseline_name="near").baselines[-1]
    far = evaluate(PAIRS, baseline=some_pairs(600, seed=9), baseline_name="far").baselines[-1]
    assert near.name == "near"
    assert near.pairs == 600
    # unpaired, both would be as wide: sqrt(2) 2 1.96 sqrt(0.2 / 600) = 0.10
    assert width(near.difference) < 0.04 < 0.08 < width(far.difference)


def test_pairs_that_the_second_model_could_not_score_are_left_out_of_the_difference() -> None:
    other = [*PAIRS[:-1], pair(math.nan, 0.0, problem="too long")]
    assert evaluate(PAIRS, baseline=other).baselines[-1].pairs == 599


def test_the_labels_of_the_first_model_order_the_sides_of_the_second() -> None:
    ours = [pair(0.0, 1.0, probability=0.0)] * 4  # the second side is better, and scores higher
    theirs = [pair(0.0, 1.0)] * 4
    assert value(evaluate(ours, baseline=theirs).baselines[-1].accuracy) == 1.0


OTHER_PAIRS = {
    "fewer": (PAIRS[:5], "the baseline holds other pairs: row 5 has none; give the same pairs in the same order"),
    "more": ([*PAIRS[:6], PAIRS[7]], "the baseline holds other pairs: row 7 is too many"),
    "another prompt": ([PAIRS[1]], "row 1: another prompt than row 0; give the same pairs in the same order"),
    "another id": ([pair(1.0, 0.0, id="b", where="x:1")], "x:1: another id than row 0"),
}


@pytest.mark.parametrize(("other", "message"), OTHER_PAIRS.values(), ids=OTHER_PAIRS)
def test_other_pairs_are_no_baseline(other: list[ScoredPair], message: str) -> None:
    ours = [dataclasses.replace(one, id="a") for one in PAIRS[:6]]
    with pytest.raises(BatchError, match=message):
        evaluate(ours, baseline=other)


def test_the_order_of_pairs_changes_nothing_but_rounding() -> None:
    mixed = PAIRS.copy()
    random.Random(0).shuffle(mixed)
    found = evaluate(mixed).model_dump()
    expected = FOUND.model_dump()
    for name in ("accuracy", "pairs", "score_ties", "margins", "by_length", "by_domain", "calibration", "samples"):
        assert close(found[name], expected[name]), name
    assert found["accuracy_interval"] == pytest.approx(expected["accuracy_interval"], abs=1e-9)
    assert found["median_margin"] == expected["median_margin"]


def close(one: Any, other: Any) -> bool:
    """Tell whether two dumps are equal but for rounding."""
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(close(one[key], other[key]) for key in one)
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(close(a, b) for a, b in zip(one, other, strict=True))
    return bool(one == pytest.approx(other, rel=1e-6, abs=1e-9)) if isinstance(one, float) else bool(one == other)


def test_the_same_pairs_give_the_same_evaluation() -> None:
    assert evaluate(PAIRS) == FOUND


def test_intervals_of_few_prompts_are_wider_than_those_of_many() -> None:
    def of(prompts: int) -> float:
        twins = [dataclasses.replace(PAIRS[at % prompts], prompt=f"p{at % prompts}") for at in range(600)]
        return width(evaluate(twins).mean_margin)

    # 60 prompts of ten equal pairs each: sqrt(10) times as wide
    assert 2.2 < of(60) / of(600) < 4.5


def test_pairs_without_a_prompt_are_independent_of_each_other() -> None:
    nameless = [dataclasses.replace(one, prompt="") for one in PAIRS]
    interval, expected = evaluate(nameless).accuracy_interval, FOUND.accuracy_interval
    assert interval == pytest.approx(expected, abs=0.01)


def test_intervals_of_95_percent_hold_the_truth_as_often_as_they_say() -> None:
    held = 0
    for seed in range(60):
        draws = np.random.default_rng(seed).random(300)
        interval = evaluate([pair(float(draw), 0.3) for draw in draws], replicates=400, inspect=0).accuracy_interval
        assert interval is not None
        held += interval.low <= 0.7 <= interval.high
    # binomial with p = 0.95: 52 of 60 or more with a probability of 0.99
    assert held >= 52


def test_a_sample_stands_in_for_more_pairs_than_it_holds() -> None:
    found = evaluate(PAIRS, sample=300)
    assert found.sampled == 300
    assert FOUND.sampled is None
    assert found.accuracy == FOUND.accuracy
    assert found.margins == FOUND.margins
    assert value(found.median_margin) == pytest.approx(value(FOUND.median_margin), abs=0.2)
    assert value(found.median_margin) != value(FOUND.median_margin)


def test_samples_to_look_at_are_the_most_extreme_and_escaped() -> None:
    hostile = dataclasses.replace(PAIRS[0], chosen_score=-99.0, chosen="\x1b[31m<script>\ud83d" + "x" * 5000, id="\x07")
    found = evaluate([*PAIRS, hostile], inspect=3).samples
    order = np.argsort(MARGINS)
    assert found.worst[0].chosen.startswith("\\x1b[31m<script>\\ud83d")
    assert len(found.worst[0].chosen) < 1000
    assert found.worst[0].id == "\\x07"
    assert [one.where for one in found.worst[1:]] == [f"row {at}" for at in order[:2]]
    assert [one.where for one in found.best] == [f"row {at}" for at in order[::-1][:3]]
    assert [one.where for one in found.closest] == [f"row {at}" for at in np.argsort(np.abs(MARGINS))[:3]]


def test_only_wrong_pairs_are_the_worst_and_only_right_ones_the_best() -> None:
    found = evaluate([pair(1.0, 0.0), pair(1.0, 1.0)]).samples
    assert (len(found.worst), len(found.closest), len(found.best)) == (0, 2, 1)


def test_more_domains_than_are_kept_apart_are_summed_up() -> None:
    found = evaluate([pair(1.0, 0.0, domain=f"domain {at}") for at in range(500)])
    assert len(found.by_domain) == 201
    assert sum(part.pairs for part in found.by_domain) == 500
    assert found.by_domain[0].name == "(other domains)"
    assert any("more than 200 domains" in text for text in found.warnings)


def test_nothing_to_evaluate_is_said_and_no_figure_is_made_up() -> None:
    found = evaluate([pair(1.0, 0.0, tie=True), pair(math.nan, 1.0, problem="gone", id="x")])
    assert found.accuracy is None
    assert found.accuracy_interval is None
    assert found.mean_margin == Found(value=None)
    assert found.calibration is None
    assert found.length is None
    assert found.warnings[0] == "no pair has two scores and a preference: nothing was evaluated"
    assert evaluate([]).pairs == 0


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.integers(-3, 3), st.integers(-3, 3), st.booleans()), max_size=40))
def test_every_pair_is_counted_once(rows: list[tuple[int, int, bool]]) -> None:
    found = evaluate([pair(float(a), float(b), tie=tie) for a, b, tie in rows], replicates=8)
    judged = [(a, b) for a, b, tie in rows if not tie]
    assert found.pairs + found.labelled_ties.count == len(rows)
    assert found.score_ties == sum(a == b for a, b in judged)
    assert found.accuracy == (sum(a > b for a, b in judged) / len(judged) if judged else None)
    assert sum(found.margins.counts) == found.pairs


GOOD = [pair(1.0 + at / 500, 0.0, prompt=str(at)) for at in range(80)] + [
    pair(0.0, 0.5, prompt=f"w{at}") for at in range(20)
]

WARNINGS: dict[str, tuple[list[ScoredPair], dict[str, Any], str]] = {
    "below the floor": (GOOD[40:], {}, "accuracy may lie below the floor of 65 %: its interval starts at 5"),
    "far below": (GOOD[70:], {}, "accuracy 33.3 % is below the floor of 65 %: do not train on this model"),
    "leakage": (GOOD[:80], {}, "accuracy 100.0 % is above published levels: look for pairs that were trained on"),
    "weak domain": (
        [dataclasses.replace(one, domain="good") for one in GOOD]
        + [pair(at % 2, 0.5, domain="poor", prompt=f"d{at}") for at in range(40)],
        {},
        "below the floor of 65 % in 1 of 2 domains: poor 50.0 %",
    ),
    "many weak domains": (
        [pair(at % 2, 0.5, domain=f"d{at // 40}", prompt=f"d{at}") for at in range(320)],
        {},
        "below the floor of 65 % in 8 of 8 domains: d0 50.0 %, d1 50.0 %, d2 50.0 %, d3 50.0 %, d4 50.0 % and 3 more",
    ),
    "overfitting": (GOOD, {"training_accuracy": 0.99}, "overfitting: accuracy 99.0 % on training pairs, 80.0 % here"),
    "spill-over below the floor": (
        GOOD,
        {"others": {"llmbar": GOOD[70:]}},
        "spill-over to llmbar: accuracy 33.3 % is below the floor of 65 %",
    ),
    "spill-over below validation": (
        GOOD[:80],
        {"others": {"x": GOOD}},
        "spill-over to x: accuracy 80.0 %, against 100.0 % here",
    ),
    "spill-over of nothing": (GOOD, {"others": {"x": []}}, "x: no pair has two scores and a preference"),
    "no better than length": (
        [dataclasses.replace(one, chosen_length=2, rejected_length=1) for one in GOOD],
        {},
        "not surely better than longer wins: -20.0 points (-",
    ),
    "follows length": (
        [
            dataclasses.replace(one, chosen_length=2 - (at >= 80), rejected_length=1 + (at >= 80))
            for at, one in enumerate(GOOD)
        ],
        {},
        "reward follows length: accuracy is 100.0 points higher where the chosen side is longer",
    ),
    "within prompts": (
        [pair(at * 1.0, 0.0, chosen_length=at, rejected_length=0, prompt=str(at)) for at in range(60)],
        {},
        "reward follows length: rank correlation within prompts +1.00",
    ),
    "score ties": ([*GOOD, *[pair(1.0, 1.0)] * 5], {}, "5 % of pairs have two equal scores: scored in half precision"),
    "extreme": ([*GOOD, pair(900.0, 0.0)], {}, "extreme scores: 900 lies"),
    "extreme below": ([*GOOD, pair(0.0, -900.0)], {}, "extreme scores: -900 lies"),
    "over-confident": (
        [pair(9.0, 0.0), pair(9.0, 0.0), pair(0.0, 9.0)] * 20,
        {},
        "over-confident: sigma(margin) is off by 33",
    ),
    "under-confident": (
        [pair(0.01 * at, 0.0, prompt=str(at)) for at in range(1, 60)],
        {},
        "under-confident: sigma(margin)",
    ),
    "unscored": (
        [*GOOD, pair(math.nan, 0.0, problem="cut", where="f:9")],
        {},
        "1 pair could not be scored, first f:9: cut",
    ),
    "labelled ties": (
        [*GOOD, *[pair(1.0, 0.0, tie=True)] * 50],
        {},
        "33 % of pairs are labelled as ties, more than 30 %",
    ),
    "few prompts": (
        [dataclasses.replace(one, prompt="p") for one in GOOD],
        {},
        "only 1 prompt: intervals are too narrow",
    ),
}


@pytest.mark.parametrize(("pairs", "options", "text"), WARNINGS.values(), ids=WARNINGS)
def test_what_a_person_should_know_is_said(pairs: list[ScoredPair], options: dict[str, Any], text: str) -> None:
    assert [found for found in evaluate(pairs, **options).warnings if found.startswith(text)]


def test_a_good_model_gets_no_warning() -> None:
    margins = stats.norm(1.6, 1.5).ppf(np.linspace(0.001, 0.999, 600))
    pairs = [
        pair(float(margin) + at % 5, at % 5, prompt=str(at), chosen_length=100 + at % 7, rejected_length=103)
        for at, margin in enumerate(margins)
    ]
    found = evaluate(pairs, others={"other": pairs[100:]}, training_accuracy=0.9)
    assert found.warnings == []
    assert found.accuracy_band == "as published models on validation data"
    assert found.spill_over[0].band == "as published models on other domains"


def test_ratings_stand_in_the_evaluation_as_they_were_found() -> None:
    rating = Rating(name="overall", responses=9, spearman=Found(value=0.71), band="x")
    assert evaluate(GOOD, ratings=[rating]).ratings == [rating]
