"""Calibration of a reward model: mean, spread and quantiles of its scores, the temperature of its margins, drift."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from rewardkit import Calibration
from rewardkit.errors import ConfigError, Problem, RewardKitError
from rewardkit.validation import problems_of
from rewardkit_rm.component import RewardModelScorer

if TYPE_CHECKING:
    from rewardkit_rm.evaluation.scored import ScoredPair

__all__ = [
    "LEVELS",
    "Drift",
    "Margins",
    "ModelCalibration",
    "ProbabilityErrors",
    "Temperature",
    "calibrate",
    "calibrate_temperature",
    "find_drift",
    "fit_temperature",
    "margins_of",
    "probability_errors",
    "read_calibration",
]

Floats = NDArray[np.float64]

LEVELS = ("0.01", "0.05", "0.25", "0.5", "0.75", "0.95", "0.99")
"""The levels of the quantiles that a calibration keeps."""

_FEWEST_SCORES = 30
_FEWEST_PAIRS = 50
_FEWEST_TO_COMPARE = 100
_FOLDS = 5
_BOUNDS = np.log([1e-9, 1e9])  # of T, in mean absolute margins
_TOO_SMALL = (
    "no temperature: no pair contradicts its margin, so that the smallest T would fit best; calibrate on pairs that "
    "the model was not trained on, and on more of them"
)
_TOO_LARGE = (
    "no temperature: the margins are wrong on the whole, so that the largest T would fit best; a model that prefers "
    "the worse side cannot be calibrated"
)
_MOST_SHIFT, _MOST_SPREAD, _MOST_SHARE = 0.5, 1.5, 0.2


class _Figures(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)


class ProbabilityErrors(_Figures):
    """How well ``P(chosen is better) = sigmoid(margin / T)`` says how often the model is right; smaller is better."""

    nll: float = Field(description="Mean negative log-likelihood; ln 2 = 0.693 without any preference.")
    brier: float = Field(description="Mean squared error of the probability; 0.25 without any preference.")
    ece: float = Field(description="Expected calibration error: mean gap of confidence and accuracy in ten bins.")


class Temperature(_Figures):
    """The temperature of a model's margins, and what it changes on pairs that it was not fitted on."""

    value: float | None = Field(description="T in sigmoid(margin / T); None where it cannot be fitted.")
    why_not: str = Field(default="", description="Why it cannot be fitted.")
    pairs: int
    before: ProbabilityErrors = Field(description="With T = 1.")
    after: ProbabilityErrors | None = Field(
        default=None, description="Each fifth of the prompts with the T that was fitted on the others."
    )


class Drift(_Figures):
    """How far the scores of another set lie from those of the calibration set."""

    scores: int
    shift: float = Field(description="Difference of the means, in standard deviations of the calibration set.")
    spread: float = Field(description="Standard deviation, in those of the calibration set.")
    share: float | None = Field(
        description="Greatest difference of the shares of scores below one of the stored quantiles: the statistic of "
        "Kolmogorov and Smirnov at those points. None where none are stored."
    )
    verdict: Literal["stable", "drifted", "unclear"]
    reason: str


class ModelCalibration(_Figures):
    """What calibrating a model found."""

    calibration: Calibration
    left_out: int = Field(description="Responses that the model could not score.")
    temperature: Temperature | None = Field(default=None, description="None of data that holds no pairs.")
    drift: dict[str, Drift] = Field(default_factory=dict)


class Margins(NamedTuple):
    """The pairs of a set as arrays, shape ``(N,)`` each.

    Attributes:
        values: Score of the chosen side minus that of the rejected one.
        targets: How probable it is that the chosen side is better: 1, 0.5 of a tie, or a soft label.
        clusters: A number that pairs of the same prompt share.
    """

    values: Floats
    targets: Floats
    clusters: NDArray[np.uint64]


def calibrate(
    scores: ArrayLike, margins: Margins | None = None, *, model: str | None = None, clip: float | None = None
) -> ModelCalibration:
    """Calibrate on the scores of a fixed set.

    Args:
        scores: One score per response, nan where the model gave none; of pairs those of both sides.
        margins: The pairs, where the set holds any.
        model: Digest of the model.
        clip: Normalised scores are clipped to this many standard deviations.

    Raises:
        RewardKitError: If there are fewer than 30 scores, or all are equal.

    Example:
        >>> found = calibrate(np.arange(101.0))
        >>> found.calibration.mean, found.calibration.quantiles["0.95"]
        (50.0, 95.0)
    """
    values = np.asarray(scores, dtype=np.float64)
    known = values[~np.isnan(values)]
    if len(known) < _FEWEST_SCORES:
        raise RewardKitError(f"calibration needs at least {_FEWEST_SCORES} scores, got {len(known)}")
    if np.ptp(known) == 0:
        raise RewardKitError(f"all {len(known)} responses got the score {known[0]:g}: this model tells nothing apart")
    fitted = Calibration.fit(known, clip=clip, component=RewardModelScorer.name)
    temperature = None if margins is None else calibrate_temperature(margins)
    calibration = Calibration(
        **fitted.model_dump(exclude_none=True),
        version=RewardModelScorer.version,
        model=model,
        temperature=None if temperature is None else temperature.value,
        quantiles={level: float(np.quantile(known, float(level))) for level in LEVELS},
    )
    return ModelCalibration(calibration=calibration, left_out=len(values) - len(known), temperature=temperature)


def read_calibration(path: str | Path) -> Calibration:
    """Read a calibration file.

    Raises:
        ConfigError: If it cannot be read or is no calibration; says what is wrong with it.
    """
    source = str(path)
    try:
        content = Path(path).read_bytes()
        return Calibration.model_validate_json(content)
    except OSError as error:
        raise ConfigError([Problem("", f"cannot be read: {error.strerror or error}")], source) from None
    except ValidationError as error:
        raise ConfigError(_problems(error, content), source) from None


def _problems(error: ValidationError, content: bytes) -> list[Problem]:
    try:
        return problems_of(error, json.loads(content), "", Calibration)
    except (ValueError, RecursionError) as broken:
        return [Problem("", f"broken JSON: {broken}")]


def margins_of(pairs: Iterable[ScoredPair]) -> Margins:
    """Return the pairs that have both scores as arrays; ties have the target 0.5."""
    from rewardkit_rm.evaluation.columns import PairColumns

    known = [pair for pair in pairs if not pair.problem]
    columns = PairColumns.of(known, 0)
    ties = np.array([pair.tie for pair in known], dtype=np.bool_)
    return Margins(columns.margins, np.where(ties, 0.5, columns.probability), columns.clusters)


def calibrate_temperature(margins: Margins) -> Temperature:
    """Fit the temperature, and measure it on pairs that it was not fitted on: five folds of prompts.

    Raises:
        RewardKitError: If there is no pair.
    """
    if not len(margins.values):
        raise RewardKitError("no pair has two scores")
    before = probability_errors(margins.values, margins.targets)
    try:
        if len(margins.values) < _FEWEST_PAIRS:
            raise RewardKitError(f"a temperature needs at least {_FEWEST_PAIRS} pairs, got {len(margins.values)}")
        value = fit_temperature(margins.values, margins.targets)
        after = probability_errors(_cross_fitted(margins), margins.targets)
    except RewardKitError as error:
        return Temperature(value=None, why_not=str(error), pairs=len(margins.values), before=before)
    return Temperature(value=value, pairs=len(margins.values), before=before, after=after)


def _cross_fitted(margins: Margins) -> Floats:
    """Return ``margin / T``, with T fitted on the prompts of the other folds."""
    scaled = np.empty_like(margins.values)
    folds = margins.clusters % _FOLDS
    for fold in np.unique(folds):
        own = folds == fold
        try:
            scaled[own] = margins.values[own] / fit_temperature(margins.values[~own], margins.targets[~own])
        except RewardKitError as error:
            raise RewardKitError(f"with one fold of the prompts left out: {error}") from None
    return scaled


def fit_temperature(margins: ArrayLike, targets: ArrayLike | None = None) -> float:
    """Return the T that minimises the mean negative log-likelihood of ``P(chosen is better) = sigmoid(margin / T)``.

    It is convex in ``1 / T``, and has its minimum at a finite T above 0 exactly if some pair contradicts its margin and
    the margins are right on the whole; both are tested before it is searched for. Source: Guo, Pleiss, Sun and
    Weinberger, *On calibration of modern neural networks* (2017).

    Args:
        margins: Score of the chosen side minus that of the rejected one, shape ``(N,)``.
        targets: How probable it is that the chosen side is better, shape ``(N,)``; 1 by default.

    Raises:
        RewardKitError: If there is no margin or no such minimum: the margins are never or mostly wrong.

    Example:
        >>> round(fit_temperature([2.0, 2.0, 2.0, -2.0]), 4) == round(2 / math.log(3), 4)  # sigmoid(2 / T) = 3 / 4
        True
    """
    from scipy.optimize import minimize_scalar

    from rewardkit_rm.evaluation.reliability import negative_log_likelihood

    values = np.asarray(margins, dtype=np.float64)
    wanted = np.ones_like(values) if targets is None else np.asarray(targets, dtype=np.float64)
    if not len(values) or not np.isfinite(values).all():
        raise RewardKitError("a temperature needs at least one pair, and finite margins")
    if not (np.where(values > 0, 1 - wanted, wanted) * np.abs(values)).any():
        raise RewardKitError(_TOO_SMALL)
    if ((wanted - 0.5) * values).sum() <= 0:
        raise RewardKitError(_TOO_LARGE)
    found = minimize_scalar(
        lambda log_t: negative_log_likelihood(values * math.exp(-log_t), wanted).mean(),
        bounds=_BOUNDS + math.log(np.abs(values).mean()),
        method="bounded",
        options={"xatol": 1e-9},
    )
    return math.exp(found.x)


def probability_errors(margins: ArrayLike, targets: ArrayLike) -> ProbabilityErrors:
    """Return likelihood, Brier score and calibration error of margins as they are, shape ``(N,)``."""
    from rewardkit_rm.evaluation.reliability import bin_of, brier, confidence, negative_log_likelihood, outcome

    values, wanted = np.asarray(margins, dtype=np.float64), np.asarray(targets, dtype=np.float64)
    sure = confidence(values)
    gaps = np.bincount(bin_of(sure), weights=sure - outcome(values, wanted))
    return ProbabilityErrors(
        nll=float(negative_log_likelihood(values, wanted).mean()),
        brier=float(brier(values, wanted).mean()),
        ece=float(np.abs(gaps).sum() / len(values)),
    )


def find_drift(calibration: Calibration, scores: ArrayLike) -> Drift:
    """Compare the scores of another set with a calibration.

    Drifted: means more than half a standard deviation apart, a spread more than 1.5 times or less than 1 / 1.5 of the
    calibrated one, or shares below a stored quantile that differ by more than 20 points. Unclear: fewer than 100
    scores.

    Args:
        calibration: What the scores should be like.
        scores: Scores of another set, nan where there is none, shape ``(N,)``.

    Raises:
        RewardKitError: If there is no score.

    Example:
        >>> calibration = calibrate(np.arange(101.0)).calibration
        >>> find_drift(calibration, np.arange(101.0)).verdict, find_drift(calibration, np.arange(101.0) + 40).verdict
        ('stable', 'drifted')
    """
    values = np.asarray(scores, dtype=np.float64)
    values = values[~np.isnan(values)]
    if not len(values):
        raise RewardKitError("no score to compare with the calibration")
    shift, spread = float(values.mean() - calibration.mean) / calibration.std, float(values.std()) / calibration.std
    share = _share_difference(calibration.quantiles or {}, values)
    reasons = _drift_reasons(shift, spread, share)
    verdict: Literal["stable", "drifted", "unclear"] = "drifted" if reasons else "stable"
    if len(values) < _FEWEST_TO_COMPARE:
        verdict, reasons = "unclear", [f"{len(values)} scores are too few: at least {_FEWEST_TO_COMPARE} are needed"]
    reason = "; ".join(reasons) or "mean, spread and quantiles are those of the calibration set"
    return Drift(scores=len(values), shift=shift, spread=spread, share=share, verdict=verdict, reason=reason)


def _share_difference(quantiles: Mapping[str, float], values: Floats) -> float | None:
    """Return how far a level lies from the shares below and up to its quantile, which differ where scores repeat."""
    gaps = [
        max(float(level) - float((values <= value).mean()), float((values < value).mean()) - float(level), 0.0)
        for level, value in quantiles.items()
    ]
    return max(gaps, default=None)


def _drift_reasons(shift: float, spread: float, share: float | None) -> list[str]:
    found = []
    if abs(shift) > _MOST_SHIFT:
        found.append(f"the mean lies {shift:+.2f} standard deviations away (at most {_MOST_SHIFT})")
    if not 1 / _MOST_SPREAD <= spread <= _MOST_SPREAD:
        found.append(f"the spread is {spread:.2f} times the calibrated one (1 / {_MOST_SPREAD} to {_MOST_SPREAD})")
    if share is not None and share > _MOST_SHARE:
        found.append(
            f"the shares below a quantile differ by {100 * share:.0f} points (at most {100 * _MOST_SHARE:.0f})"
        )
    return found
