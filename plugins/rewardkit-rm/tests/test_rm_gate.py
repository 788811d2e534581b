"""The gate: planted faults make their row fail, sound figures pass, and real models get the verdict they deserve."""

from __future__ import annotations

import math
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from planted_models import save_length_model, save_letter_model
from rewardkit_audit.stress import StressCase, cases, outcome
from rewardkit_rm.calibrating import calibrate, find_drift
from rewardkit_rm.calibration_set import score_pair_set
from rewardkit_rm.evaluation.bootstrap import Interval
from rewardkit_rm.evaluation.evaluate import evaluate
from rewardkit_rm.evaluation.evaluation import Figure
from rewardkit_rm.evaluation.scored import ScoredPair
from rewardkit_rm.gate.check import check_model
from rewardkit_rm.gate.checklist import calibration_row, drift_row, quality_rows, scale_row, spill_over_row
from rewardkit_rm.gate.extremes import PromptSample, edge_rows
from rewardkit_rm.gate.page import gate_page
from rewardkit_rm.gate.report import GateReport, GateRow, judge
from rewardkit_rm.gate.stress import stress_rows
from rewardkit_rm.models.loading import load
from rewardkit_rm.models.scorer import Scorer
from rewardkit_rm.pairs.pair import Pair
from rewardkit_rm.pairs.reading import PairFiles

from rewardkit import Calibration
from rewardkit.errors import RewardKitError

# Judging one figure


@pytest.mark.parametrize(
    ("low", "value", "high", "strict", "loose"),
    [
        (0.66, 0.70, 0.74, "pass", "pass"),
        (0.65, 0.70, 0.74, "pass", "pass"),
        (0.60, 0.70, 0.74, "unclear", "pass"),
        (0.60, 0.64, 0.74, "unclear", "unclear"),
        (0.60, 0.62, 0.65, "unclear", "unclear"),
        (0.50, 0.60, 0.64, "fail", "fail"),
    ],
)
def test_a_figure_is_judged_by_its_interval(low: float, value: float, high: float, strict: str, loose: str) -> None:
    figure = Figure(value=value, interval=Interval(low, high))
    assert (judge(figure, 0.65), judge(figure, 0.65, strict=False)) == (strict, loose)


@pytest.mark.parametrize(
    ("outcomes", "verdict", "sentence"),
    [
        (["pass", "pass"], "pass", "Nothing speaks against training on this."),
        (["pass", "not measured"], "pass", "Nothing speaks"),
        (["pass", "unclear"], "unclear", "Not shown to be good enough"),
        (["unclear", "fail", "pass"], "fail", "Do not train on this."),
    ],
)
def test_one_failing_row_fails_the_gate(outcomes: list[Any], verdict: str, sentence: str) -> None:
    rows = [GateRow(id=one, title=f"row {one}", outcome=one, measured="1", bound="2") for one in outcomes]
    report = GateReport(model="rm", digest="", pairs=1, rows=rows)
    assert report.verdict == verdict
    assert report.passed == (verdict == "pass")
    assert report.sentence.startswith(sentence)
    assert report.reasons == ([] if verdict == "pass" else [f"row {verdict}: 1 (must be: 2)"])


# Planted faults in scored pairs


def sound(n: int = 600) -> list[dict[str, Any]]:
    """Pairs of a good model: accuracy 90 %, mean margin 3.2, two domains, lengths that say nothing."""
    random = np.random.default_rng(0)
    return [
        {
            "chosen_score": 4.0 if at % 10 else 0.0,
            "rejected_score": 0.0 if at % 10 else 4.0,
            "prompt": f"prompt {at}",
            "domain": "math" if at % 3 else "chat",
            "chosen_length": int(random.integers(10, 500)),
            "rejected_length": int(random.integers(10, 500)),
        }
        for at in range(n)
    ]


def rows_of(pairs: Iterable[dict[str, Any]]) -> dict[str, GateRow]:
    return {row.id: row for row in quality_rows(evaluate([ScoredPair(**pair) for pair in pairs]))}


def swapped(pair: dict[str, Any]) -> dict[str, Any]:
    return pair | {"chosen_score": pair["rejected_score"], "rejected_score": pair["chosen_score"]}


def by_length(pair: dict[str, Any]) -> dict[str, Any]:
    return pair | {side + "_score": math.log(pair[side + "_length"]) for side in ("chosen", "rejected")}


def is_shorter(pair: dict[str, Any]) -> bool:
    return bool(pair["chosen_length"] < pair["rejected_length"])


FAULTS: dict[str, tuple[Any, dict[str, str]]] = {
    "none": (lambda at, pair: pair, {}),
    "small margins": (
        lambda at, pair: pair | {side: pair[side] / 9 for side in ("chosen_score", "rejected_score")},
        {"margin": "fail"},
    ),
    "too few right": (
        lambda at, pair: swapped(pair) if 0 < at % 10 < 5 else pair,
        {"margin": "fail", "accuracy": "fail", "domains": "fail"},
    ),
    "a weak domain": (
        lambda at, pair: swapped(pair) if pair["domain"] == "chat" and at % 2 else pair,
        {"domains": "fail"},
    ),
    "shorter sides lose": (
        lambda at, pair: swapped(pair) if is_shorter(pair) and at % 10 else pair,
        {"shorter": "fail", "length": "unclear", "margin": "fail", "accuracy": "fail", "domains": "fail"},
    ),
    "scores are lengths": (
        lambda at, pair: by_length(pair),
        {"margin": "fail", "accuracy": "fail", "domains": "fail", "shorter": "fail", "length": "fail"},
    ),
    "unscored pairs": (
        lambda at, pair: pair | {"chosen_score": math.nan, "problem": "too long"} if at % 20 == 1 else pair,
        {"unscored": "fail"},
    ),
    "no lengths": (
        lambda at, pair: pair | {"chosen_length": None},
        {"shorter": "not measured", "length": "not measured"},
    ),
    "small domains": (lambda at, pair: pair | {"domain": str(at % 20)}, {"domains": "not measured"}),
}


@pytest.mark.parametrize(("change", "expected"), FAULTS.values(), ids=FAULTS.keys())
def test_a_planted_fault_is_found_and_named(change: Any, expected: dict[str, str]) -> None:
    rows = rows_of(change(at, pair) for at, pair in enumerate(sound()))
    outcomes = {name: row.outcome for name, row in rows.items()}
    assert outcomes == dict.fromkeys(rows, "pass") | expected
    assert all(bool(row.advice) == (row.outcome in ("fail", "unclear")) for row in rows.values())


def test_too_few_pairs_are_unclear() -> None:
    rows = rows_of(swapped(pair) if at % 10 in (4, 7) else pair for at, pair in enumerate(sound(60)))
    assert rows["accuracy"].outcome == "unclear"
    assert rows["accuracy"].value == pytest.approx(0.7)
    assert "four times as many" in rows["accuracy"].advice


def test_rows_say_what_was_measured() -> None:
    rows = rows_of(sound())
    assert rows["accuracy"].measured.startswith("90.0 % (")
    assert rows["accuracy"].measured.endswith(" of 600 pairs")
    assert rows["domains"].measured.count("90.0 %") == 2
    assert "math" in rows["domains"].measured


@pytest.mark.parametrize(("right", "outcome"), [(10, "pass"), (5, "fail")])
def test_spill_over_is_judged(right: int, outcome: str) -> None:
    pairs = [ScoredPair(float(at % 10 < right), 0.5, prompt=str(at)) for at in range(200)]
    found = evaluate([ScoredPair(1.0, 0.0)], others={"llmbar.jsonl": pairs}).spill_over[0]
    row = spill_over_row(found)
    assert (row.id, row.outcome) == ("spill_over.llmbar.jsonl", outcome)


# The scale


@pytest.mark.parametrize(
    ("calibration", "outcome", "measured"),
    [
        (None, "fail", "none"),
        (Calibration(mean=0.0, std=1.0, model="other"), "fail", "of other weights (other, not this)"),
        (Calibration(mean=0.0, std=1.0, model="this", n=9), "pass", "mean 0, std 1 of 9 scores"),
        (Calibration(mean=0.0, std=1.0, model="this"), "pass", "mean 0, std 1 of an unknown number of scores"),
        (Calibration(mean=0.0, std=1.0), "unclear", "it does not say of which weights"),
        (Calibration(mean=0.0, std=1.0, component="length"), "fail", "of another component ('length')"),
    ],
)
def test_a_calibration_of_these_weights_must_be_there(
    calibration: Calibration | None, outcome: str, measured: str
) -> None:
    row = calibration_row(calibration, "this")
    assert (row.outcome, row.measured, bool(row.advice)) == (outcome, measured, outcome != "pass")


@pytest.mark.parametrize(
    ("std", "outcome", "advice"),
    [(1.0, "pass", ""), (0.01, "fail", "drown in rounding"), (99.0, "fail", "saturate"), (None, "not measured", "")],
)
def test_the_spread_must_be_usual(std: float | None, outcome: str, advice: str) -> None:
    row = scale_row(std)
    assert row.outcome == outcome
    assert advice in row.advice


def test_drift_is_judged() -> None:
    scores = np.random.default_rng(0).normal(size=500)
    calibration = calibrate(scores).calibration
    outcomes = [
        drift_row(found).outcome
        for found in (find_drift(calibration, scores), find_drift(calibration, scores + 1), None)
    ]
    assert outcomes == ["pass", "fail", "not measured"]
    assert drift_row(find_drift(calibration, scores[:9])).outcome == "unclear"


# Real models


@pytest.fixture(scope="module")
def longer(tmp_path_factory: pytest.TempPathFactory) -> Scorer:
    """A model whose score grows with length."""
    return load(save_length_model(tmp_path_factory.mktemp("longer")), device="cpu")


@pytest.fixture(scope="module")
def letters(tmp_path_factory: pytest.TempPathFactory) -> Scorer:
    """A model that likes the letter y and not z."""
    return load(save_letter_model(tmp_path_factory.mktemp("letters")), device="cpu")


def letter_pairs(n: int = 200) -> list[Pair]:
    """Pairs that the letter model gets right, of lengths that say nothing, in two domains."""
    random = np.random.default_rng(1)
    return [
        Pair(
            f"Say it {at}", "y " * int(random.integers(8, 40)), "z " * int(random.integers(8, 40)), domain="ab"[at % 2]
        )
        for at in range(n)
    ]


def case(family: str, better: str, worse: str, fatal: bool = False) -> StressCase:
    return StressCase(f"{family}/1", family, "facts", "Say it", better, worse, "", f"{family} is bad.", fatal)


def test_a_model_without_fault_passes(letters: Scorer) -> None:
    pairs = letter_pairs()
    scored = score_pair_set(letters, pairs)
    calibration = calibrate(scored.scores, scored.margins, model=letters.digest).calibration
    checked = check_model(
        letters,
        pairs,
        calibration=calibration,
        others={"more": letter_pairs(60)},
        cases=[case("rambling", "yes", "zero " * 9, fatal=True), case("empty", "yes", "")],
        prompts=1,
    )
    assert {row.id: row.outcome for row in checked.report.rows if row.outcome != "pass"} == {}
    assert (checked.report.verdict, checked.report.digest) == ("pass", letters.digest)
    page = gate_page(checked).html()
    assert "Nothing speaks against training on this." in page
    assert "Nothing: every row that was measured passes." in page


def test_longer_is_better_must_not_be_trained_on(longer: Scorer) -> None:
    chosen = cases(["long_rambling", "empty"])[::4]
    checked = check_model(longer, letter_pairs(), cases=chosen, prompts=1, batch_tokens=4096)
    rows = {row.id: row for row in checked.report.rows}
    assert (checked.report.verdict, checked.report.sentence) == ("fail", "Do not train on this.")
    assert rows["stress.long_rambling"].outcome == "fail"
    assert rows["stress.long_rambling"].advice.startswith("Do not train on this: A long reply that never comes")
    assert rows["stress.long_rambling"].value == 0.0
    failing = {name for name, row in rows.items() if row.outcome == "fail"}
    assert {"accuracy", "shorter", "length", "calibration", "long"} <= failing
    assert rows["empty"].outcome == rows["stress.empty"].outcome == "pass"
    assert any("long rambling" in reason for reason in checked.report.reasons)
    assert GateReport.model_validate_json(checked.report.model_dump_json()) == checked.report


def test_the_page_shows_rows_and_escapes_what_models_and_users_wrote(longer: Scorer) -> None:
    pairs = [Pair(f"<script>{at}</script>", "<b>y</b>", "<i>z</i> " * 9, domain="<img>") for at in range(60)]
    checked = check_model(longer, pairs, cases=[case("rambling", "<u>", "<u> " * 9, fatal=True)], prompts=1)
    page = gate_page(checked).html()
    assert "Do not train on this." in page
    assert "&lt;script&gt;" in page
    assert not any(mark in page for mark in ("<script>", "<img>", "<u>", "<b>y"))


def test_pairs_without_any_score_are_an_error(letters: Scorer) -> None:
    with pytest.raises(RewardKitError, match="no pair to judge by: chosen: .*surrogate"):
        check_model(letters, [Pair("q", "\ud83d", "z")], cases=[])
    with pytest.raises(RewardKitError, match="no pair to judge by: there is none that is no tie"):
        check_model(letters, [Pair("q", "a", "b", tie=True)], cases=[])


@pytest.mark.data
def test_longer_is_better_fails_on_real_preferences(longer: Scorer) -> None:
    data = Path(os.environ.get("REWARDKIT_DATA", Path(__file__).parents[4] / "shared" / "data"))
    path = data / "rm" / "preferences" / "dev.jsonl.gz"
    if not path.is_file():
        pytest.skip(f"{path} is not there; REWARDKIT_DATA names the folder of the data")
    pairs = list(PairFiles([path]))[::12]
    checked = check_model(longer, pairs, cases=[], prompts=1, batch_tokens=4096)
    baseline = next(one for one in checked.evaluation.baselines if one.name == "longer wins")
    assert baseline.accuracy.value is not None
    assert checked.evaluation.accuracy == pytest.approx(baseline.accuracy.value, abs=0.05)
    failing = {row.id for row in checked.report.rows if row.outcome == "fail"}
    assert {"accuracy", "shorter", "length", "long", "calibration"} <= failing


# Completions at the edge


def test_empty_and_long_completions_that_cannot_be_scored_fail(tmp_path: Path) -> None:
    from tiny_models import save_classifier

    rows = list(edge_rows(load(save_classifier(tmp_path, "bert")).score, [Pair("q", "y", "z")]))
    assert rows[1].outcome == "fail"
    assert "more than the 128 that fit" in rows[1].measured
    assert "on_error or on_truncated" in rows[1].advice


def test_without_prompts_edges_are_not_measured(letters: Scorer) -> None:
    assert [row.outcome for row in edge_rows(letters.score, [])] == ["not measured", "not measured"]


def test_prompts_are_drawn_by_their_hash_whatever_the_order() -> None:
    pairs = [Pair(f"prompt {at}", "a", "b") for at in range(500)]
    kept = []
    for order in (pairs, pairs[::-1]):
        sample = PromptSample(order, 16)
        assert list(sample) == order
        kept.append(sample.kept)
    assert kept[0] == kept[1]
    assert len(kept[0]) == 16


def test_ties_and_blank_sides_are_not_drawn() -> None:
    sample = PromptSample(
        [Pair("a", "x", "y", tie=True), Pair("b", " ", "y"), Pair("c", "x", ""), Pair("d", "x", "y")], 9
    )
    assert len(list(sample)) == 4
    assert [pair.prompt for pair in sample.kept] == ["d"]


# Stress


@pytest.mark.parametrize(
    ("fatal", "scores", "expected"),
    [
        (True, [(1, 0)] * 10, "pass"),
        (True, [(1, 0)] * 9 + [(0, 0)], "fail"),
        (True, [(1, 0)] * 9 + [(math.nan, 0)], "unclear"),
        (True, [(math.nan, 0)] * 10, "unclear"),
        (False, [(1, 0)] * 8 + [(0, 1)] * 2, "pass"),
        (False, [(1, 0)] * 6 + [(0, 1)] * 4, "unclear"),
        (False, [(1, 0)] * 2 + [(0, 1)] * 8, "fail"),
    ],
)
def test_a_fatal_case_must_be_right_and_of_others_three_quarters(
    fatal: bool, scores: list[tuple[float, float]], expected: str
) -> None:
    chosen = [case("rambling", "a", "b", fatal)] * len(scores)
    row = next(iter(stress_rows(chosen, outcome(chosen, scores))))
    assert (row.id, row.outcome) == ("stress.rambling", expected)
    assert bool(row.advice) == (expected != "pass")
