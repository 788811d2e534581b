"""Calibration of a reward model: temperature, errors of probabilities, quantiles, drift; against scipy and sklearn."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rewardkit_rm.calibrating import (
    LEVELS,
    Margins,
    calibrate,
    calibrate_temperature,
    find_drift,
    fit_temperature,
    margins_of,
    probability_errors,
    read_calibration,
)
from rewardkit_rm.evaluation.scored import ScoredPair
from scipy import stats
from scipy.special import expit
from sklearn.linear_model import LogisticRegression

from rewardkit import Calibration
from rewardkit.errors import ConfigError, RewardKitError

# Temperature


def drawn(n: int, temperature: float, seed: int = 0, scale: float = 1.0) -> np.ndarray:
    """Margins of pairs whose side is drawn with probability sigmoid(margin / temperature)."""
    random = np.random.default_rng(seed)
    margins = random.normal(scale=2.0, size=n)
    right = random.random(n) < expit(margins / temperature)
    return np.where(right, margins, -margins) * scale


@pytest.mark.parametrize(
    ("margins", "expected"),
    [
        ([2.0, 2.0, 2.0, -2.0], 2 / math.log(3)),  # sigmoid(2 / T) = 3 / 4
        ([1.0] * 9 + [-1.0], 1 / math.log(9)),  # sigmoid(1 / T) = 9 / 10
        ([0.5, 0.5, -0.5, 0.0], 0.5 / math.log(2)),  # sigmoid(0.5 / T) = 2 / 3; a margin of 0 says nothing
    ],
)
def test_a_temperature_worked_by_hand(margins: list[float], expected: float) -> None:
    assert fit_temperature(margins) == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("temperature", [0.3, 1.0, 4.0])
@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e6])
def test_the_temperature_is_that_of_a_logistic_regression_without_intercept(temperature: float, scale: float) -> None:
    margins = drawn(4000, temperature)
    sides = np.where(np.arange(4000) % 2, 1.0, -1.0)
    reference = LogisticRegression(C=np.inf, fit_intercept=False, tol=1e-10)
    reference.fit((margins * sides)[:, None], sides > 0)
    assert fit_temperature(margins * scale) == pytest.approx(scale / reference.coef_[0, 0], rel=1e-4)
    assert fit_temperature(margins) == pytest.approx(temperature, rel=0.15)


def test_soft_labels_are_fitted_exactly_where_they_fit() -> None:
    margins = np.linspace(-3, 3, 41)
    assert fit_temperature(margins, expit(margins / 1.7)) == pytest.approx(1.7, rel=1e-6)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.floats(-50, 50).filter(lambda x: abs(x) > 1e-3), min_size=3, max_size=30), st.floats(0.01, 100))
def test_no_other_temperature_fits_better_and_scaling_scales(margins: list[float], factor: float) -> None:
    values = np.array(margins)
    try:
        found = fit_temperature(values)
    except RewardKitError:
        assert (values > 0).all() or values.sum() <= 0
        return
    nll = np.logaddexp(0, -values / found).mean()
    for other in (found * 0.9, found * 1.1):
        assert nll <= np.logaddexp(0, -values / other).mean() + 1e-9
    assert fit_temperature(values * factor) == pytest.approx(found * factor, rel=1e-3)


@pytest.mark.parametrize(
    ("margins", "targets", "message"),
    [
        ([1.0, 2.0, 3.0], None, "no pair contradicts its margin, so that the smallest T would fit best"),
        ([0.0, 0.0], None, "no pair contradicts its margin"),
        ([1.0, 2.0], [1.0, 1.0], "no pair contradicts its margin"),
        ([-1.0, -2.0, 0.5], None, "the margins are wrong on the whole, so that the largest T would fit best"),
        ([1.0, -1.0], None, "wrong on the whole"),
        ([1.0, 2.0], [0.5, 0.5], "wrong on the whole"),
        ([], None, "at least one pair, and finite margins"),
        ([1.0, math.nan], None, "finite margins"),
        ([1.0, math.inf], None, "finite margins"),
    ],
)
def test_where_no_temperature_is_best_that_is_said(
    margins: list[float], targets: list[float] | None, message: str
) -> None:
    with pytest.raises(RewardKitError, match=message):
        fit_temperature(margins, targets)


def test_errors_of_probabilities_worked_by_hand() -> None:
    # sigmoid(1.5) = 0.8176; bins of 0.05: both pairs lie in the bin from 0.80. Accuracy 1/2, confidence 0.8176.
    found = probability_errors([1.5, -1.5], [1.0, 1.0])
    assert found.ece == pytest.approx(0.8175745 - 0.5)
    assert found.brier == pytest.approx(((1 - 0.8175745) ** 2 + 0.8175745**2) / 2)
    assert found.nll == pytest.approx((0.2014133 + 1.7014133) / 2)


# Pairs as arrays


def test_ties_count_half_and_pairs_without_scores_do_not_count() -> None:
    pairs = [
        ScoredPair(2.0, 0.5, prompt="a"),
        ScoredPair(1.0, 0.0, prompt="a", tie=True),
        ScoredPair(math.nan, 0.0, problem="too long"),
        ScoredPair(1.0, 3.0, probability=0.2),
    ]
    margins = margins_of(pairs)
    assert margins.values.tolist() == [1.5, 1.0, 2.0]
    assert margins.targets.tolist() == [1.0, 0.5, 0.8]
    assert margins.clusters[0] == margins.clusters[1] != margins.clusters[2]


def margins(values: np.ndarray, prompts: int) -> Margins:
    clusters = np.arange(len(values), dtype=np.uint64) % np.uint64(prompts)
    return Margins(values, np.ones_like(values), clusters)


def test_after_is_measured_on_prompts_that_the_temperature_was_not_fitted_on() -> None:
    values = drawn(2000, 3.0)
    clusters = np.arange(2000, dtype=np.uint64)
    found = calibrate_temperature(Margins(values, np.ones(2000), clusters))
    scaled = np.empty(2000)
    for fold in range(5):
        own = clusters % 5 == fold
        scaled[own] = values[own] / fit_temperature(values[~own])
    assert found.after is not None
    assert found.value is not None
    assert found.after == probability_errors(scaled, np.ones(2000))
    assert found.after != probability_errors(values / found.value, np.ones(2000)), "not the optimistic figure"
    assert found.after.nll < found.before.nll
    assert found.after.ece < 0.05 < found.before.ece


@pytest.mark.parametrize(
    ("pairs", "message"),
    [
        (margins(drawn(49, 3.0), 49), "at least 50 pairs, got 49"),
        (margins(np.ones(60), 60), "no pair contradicts its margin"),
        (margins(-np.ones(60), 60), "wrong on the whole"),
        (margins(np.where(np.arange(60) == 7, -1.0, 1.0), 60), "with one fold of the prompts left out: no temperature"),
        (margins(drawn(60, 3.0), 1), "with one fold of the prompts left out: .*at least one pair"),
    ],
    ids=["few", "separable", "wrong", "one wrong pair", "one prompt"],
)
def test_what_cannot_be_fitted_keeps_its_reason(pairs: Margins, message: str) -> None:
    found = calibrate_temperature(pairs)
    assert found.value is None
    assert found.after is None
    assert found.before.nll > 0
    assert re.search(message, found.why_not)


def test_no_pair_with_scores_is_an_error() -> None:
    with pytest.raises(RewardKitError, match="no pair has two scores"):
        calibrate_temperature(margins_of([ScoredPair(math.nan, 1.0, problem="too long")]))


# Calibration


def test_figures_are_those_of_numpy_and_missing_scores_are_counted() -> None:
    scores = np.random.default_rng(3).normal(5.0, 2.0, 500)
    found = calibrate([*scores, math.nan, math.nan], model="abc", clip=3.0)
    calibration = found.calibration
    assert (calibration.mean, calibration.std, calibration.n) == (scores.mean(), scores.std(), 500)
    assert calibration.quantiles == {level: np.quantile(scores, float(level)) for level in LEVELS}
    assert (calibration.model, calibration.clip, calibration.component) == ("abc", 3.0, "reward_model")
    assert (found.left_out, found.temperature) == (2, None)


def test_the_file_is_read_back_as_it_was(tmp_path: Path) -> None:
    values = drawn(200, 2.0)
    calibration = calibrate(np.arange(400.0), margins(values, 200)).calibration
    calibration.save(tmp_path / "calibration.json")
    assert read_calibration(tmp_path / "calibration.json") == calibration
    assert calibration.temperature == fit_temperature(values)


@pytest.mark.parametrize(
    ("scores", "message"),
    [
        ([1.0] * 29, "at least 30 scores, got 29"),
        ([math.nan] * 99, "at least 30 scores, got 0"),
        ([2.5] * 40, "all 40 responses got the score 2.5: this model tells nothing apart"),
        ([1.0] * 39 + [math.inf], "calibration needs finite scores"),
    ],
)
def test_scores_that_cannot_be_calibrated_are_refused(scores: list[float], message: str) -> None:
    with pytest.raises(RewardKitError, match=message):
        calibrate(scores)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "calibration.json: cannot be read: No such file"),
        (b"{", "calibration.json: broken JSON"),
        (b"[" * 200_000, "calibration.json: broken JSON"),
        (b'{"mean": 1}', "calibration.json: std: is required"),
        (b'{"mean": 1, "std": 0, "sd": 1}', "2 problems"),
        (b"\xff", "calibration.json: broken JSON"),
    ],
)
def test_a_broken_file_is_named(tmp_path: Path, content: bytes | None, message: str) -> None:
    path = tmp_path / "calibration.json"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ConfigError, match=message):
        read_calibration(path)


# Drift

BASE = np.random.default_rng(0).normal(size=4000)


@pytest.mark.parametrize(
    ("change", "verdict", "reason"),
    [
        (lambda x: x, "stable", "those of the calibration set"),
        (lambda x: x[:400], "stable", "those of the calibration set"),
        (lambda x: x + 0.4, "stable", "those of the calibration set"),
        (lambda x: x + 0.7, "drifted", r"the mean lies \+0.7\d standard deviations away \(at most 0.5\)"),
        (lambda x: x - 0.7, "drifted", "the mean lies -0.7"),
        (lambda x: x * 1.7, "drifted", "the spread is 1.7"),
        (lambda x: x * 0.5, "drifted", "the spread is 0.5"),
        (lambda x: np.sign(x), "drifted", "the shares below a quantile differ by"),
        (lambda x: x[:99] + 9, "unclear", "99 scores are too few: at least 100 are needed"),
    ],
    ids=["same", "part", "near", "up", "down", "wide", "narrow", "two values", "few"],
)
def test_drift_is_told_with_its_reason(change: Callable[[np.ndarray], np.ndarray], verdict: str, reason: str) -> None:
    found = find_drift(calibrate(BASE).calibration, change(BASE))
    assert found.verdict == verdict
    assert re.search(reason, found.reason)


def test_the_share_is_the_statistic_of_kolmogorov_and_smirnov_at_the_stored_quantiles() -> None:
    other = np.random.default_rng(1).normal(0.3, 1.2, 2000)
    calibration = calibrate(BASE).calibration
    found = find_drift(calibration, other).share
    quantiles = calibration.quantiles or {}
    expected = max(abs((other <= value).mean() - float(level)) for level, value in quantiles.items())
    assert found == pytest.approx(expected, abs=1e-3)
    assert found is not None
    assert found <= stats.ks_2samp(BASE, other).statistic + 1e-3


def test_scores_that_repeat_are_no_drift() -> None:
    scores = np.repeat([0.0, 1.0, 2.0], [900, 50, 50])
    found = find_drift(calibrate(scores).calibration, scores)
    assert (found.verdict, found.share) == ("stable", 0.0)


def test_a_calibration_without_quantiles_is_compared_by_mean_and_spread() -> None:
    found = find_drift(Calibration(mean=0.0, std=1.0), BASE)
    assert (found.verdict, found.share) == ("stable", None)


def test_drift_needs_a_score() -> None:
    with pytest.raises(RewardKitError, match="no score to compare with the calibration"):
        find_drift(Calibration(mean=0.0, std=1.0), [math.nan])


def test_everything_goes_to_json() -> None:
    found = calibrate(np.arange(400.0), margins(drawn(200, 2.0), 200))
    found = found.model_copy(update={"drift": {"other": find_drift(found.calibration, BASE)}})
    written = json.loads(found.model_dump_json())
    assert written["drift"]["other"]["verdict"] == "drifted"
    assert type(found).model_validate_json(found.model_dump_json()) == found
