"""The checklist for a reward model before RL: margin, accuracy, domains, length, scale. Nothing is scored here."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from rewardkit import Calibration
from rewardkit.cli.screen import count, figure, percent
from rewardkit.errors import shown
from rewardkit_rm.calibrating import Drift
from rewardkit_rm.component import RewardModelScorer
from rewardkit_rm.evaluation.evaluation import Evaluation, Figure, Slice, SpillOver
from rewardkit_rm.gate.report import GateRow, Outcome, judge

__all__ = ["calibration_row", "drift_row", "points", "quality_rows", "scale_row", "spill_over_row"]

_MARGIN = 1.0
_ACCURACY = 0.65
_CHANCE = 0.5
_CORRELATION = 0.5
_UNSCORED = 0.01
_DOMAIN_PAIRS = 50
_SHORTER_PAIRS = 20
_UNNAMED = "(none)"
_STD = (0.05, 20.0)
_DOMAINS_SHOWN = 5


def quality_rows(evaluation: Evaluation) -> Iterator[GateRow]:
    """Return the rows that the evaluation on held-out pairs decides."""
    yield _margin_row(evaluation)
    yield _accuracy_row(evaluation)
    yield _domain_row(evaluation)
    yield from _length_rows(evaluation)
    yield _unscored_row(evaluation)


def _margin_row(evaluation: Evaluation) -> GateRow:
    outcome = judge(evaluation.mean_margin, _MARGIN)
    return GateRow(
        id="margin",
        title="Mean margin",
        outcome=outcome,
        measured=_told(evaluation.mean_margin, figure),
        bound=f"above {_MARGIN:g}, the whole interval",
        value=evaluation.mean_margin.value,
        advice=_advice(
            outcome,
            "The sides of a pair get almost the same score: train on more or clearer pairs, or with a larger model.",
            "Measure on more pairs.",
        ),
    )


def _accuracy_row(evaluation: Evaluation) -> GateRow:
    found = Figure(value=evaluation.accuracy, interval=evaluation.accuracy_interval)
    outcome = judge(found, _ACCURACY)
    return GateRow(
        id="accuracy",
        title="Validation accuracy",
        outcome=outcome,
        measured=f"{_told(found, points)} of {count(evaluation.pairs, 'pair')}",
        bound=f"above {percent(_ACCURACY)}, the whole interval",
        value=found.value,
        advice=_advice(
            outcome,
            "A policy learns the errors of its reward: get better pairs (rewardkit rm data check), more of them, or a "
            "stronger base model.",
            "Measure on more pairs: four times as many halve the interval.",
        ),
    )


def _domain_row(evaluation: Evaluation) -> GateRow:
    named = [part for part in evaluation.by_domain if len(evaluation.by_domain) > 1 or part.name != _UNNAMED]
    known = [part for part in named if part.pairs >= _DOMAIN_PAIRS and part.accuracy.value is not None]
    known.sort(key=lambda part: part.accuracy.value or 0.0)
    outcomes = {part.name: judge(part.accuracy, _ACCURACY, strict=False) for part in known}
    outcome: Outcome = next((one for one in ("fail", "unclear", "pass") if one in outcomes.values()), "not measured")
    return GateRow(
        id="domains",
        title="No weak domain",
        outcome=outcome,
        measured="; ".join(map(_domain, known[:_DOMAINS_SHOWN]))
        or (f"no domain with {_DOMAIN_PAIRS} pairs" if named else "no pair names a domain"),
        bound=f"{percent(_ACCURACY)} in every domain of {_DOMAIN_PAIRS} pairs or more",
        value=known[0].accuracy.value if known else None,
        advice=_advice(
            outcome,
            f"Add pairs of {_names([name for name, one in outcomes.items() if one == 'fail'])}, or route those prompts "
            "to another reward (when: in the config).",
            "Measure the weakest domains on more pairs.",
        ),
    )


def _domain(part: Slice) -> str:
    return f"{part.name} {_told(part.accuracy, points)} of {part.pairs:,}"


def _names(names: list[str]) -> str:
    more = f" and {len(names) - _DOMAINS_SHOWN} more" if len(names) > _DOMAINS_SHOWN else ""
    return ", ".join(names[:_DOMAINS_SHOWN]) + more


def _length_rows(evaluation: Evaluation) -> Iterator[GateRow]:
    shorter = next((part for part in evaluation.by_length if part.name == "chosen shorter"), None)
    found = Figure(value=None) if shorter is None else shorter.accuracy
    outcome = judge(found, _CHANCE, strict=False)
    pairs = 0 if shorter is None else shorter.pairs
    if pairs < _SHORTER_PAIRS and evaluation.length is not None:
        outcome = "unclear"
    yield GateRow(
        id="shorter",
        title="Accuracy where the better side is shorter",
        outcome=outcome,
        measured=f"{_told(found, points)} of {count(pairs, 'pair')}",
        bound=f"at least {percent(_CHANCE)}, of at least {_SHORTER_PAIRS} pairs",
        value=found.value,
        advice=_advice(
            outcome,
            "The model takes length for quality, and a policy will write longer and longer: train on length-balanced "
            "pairs, and put a length penalty beside it.",
            "Measure on more pairs whose better side is shorter.",
        ),
    )
    yield _correlation_row(evaluation)


def _correlation_row(evaluation: Evaluation) -> GateRow:
    found = Figure(value=None) if evaluation.length is None else evaluation.length.pearson_log
    low, high = found.interval or (found.value or 0.0, found.value or 0.0)
    outcome: Outcome = "unclear"
    if found.value is None:
        outcome = "not measured"
    elif low >= -_CORRELATION and high <= _CORRELATION:
        outcome = "pass"
    elif low > _CORRELATION or high < -_CORRELATION:
        outcome = "fail"
    return GateRow(
        id="length",
        title="Score does not follow length",
        outcome=outcome,
        measured=f"correlation with log length {_told(found, figure)}",
        bound=f"between -{_CORRELATION:g} and {_CORRELATION:g}",
        value=found.value,
        advice=_advice(
            outcome,
            "Length alone explains a good part of the score: train on length-balanced pairs.",
            "Measure on more pairs.",
        ),
    )


def _unscored_row(evaluation: Evaluation) -> GateRow:
    unscored, every = evaluation.unscored.count, evaluation.unscored.count + evaluation.pairs
    share = unscored / every if every else 0.0
    reason = next(iter(evaluation.unscored.reasons), "")
    passed = share <= _UNSCORED
    return GateRow(
        id="unscored",
        title="Every pair can be scored",
        outcome="pass" if passed else "fail",
        measured=f"{unscored:,} of {count(every, 'pair')} not scored" + (f": {reason}" if reason else ""),
        bound=f"at most {percent(_UNSCORED)}",
        value=share,
        advice=""
        if passed
        else "Such completions have no reward in RL: raise the model's max_length, or cap the policy's.",
    )


def calibration_row(calibration: Calibration | None, digest: str) -> GateRow:
    """Return whether there is a calibration, and whether it is that of this model."""
    outcome: Outcome = "pass"
    advice, told = "", ""
    if calibration is None:
        outcome, told = "fail", "none"
    elif calibration.component not in (None, RewardModelScorer.name):
        outcome, told = "fail", f"of another component ({shown(calibration.component)})"
    elif calibration.model is not None and calibration.model != digest:
        outcome, told = "fail", f"of other weights ({calibration.model[:12]}, not {digest[:12]})"
    elif calibration.model is None and digest:
        outcome, told = "unclear", "it does not say of which weights"
    else:
        scores = "an unknown number of scores" if calibration.n is None else count(calibration.n, "score")
        told = f"mean {figure(calibration.mean)}, std {figure(calibration.std)} of {scores}"
    if outcome != "pass":
        advice = "Run rewardkit rm calibrate MODEL DATA, and name its file in the config: normalize: …/calibration.json"
    return GateRow(
        id="calibration",
        title="Scores are calibrated",
        outcome=outcome,
        measured=told,
        bound="a calibration of these weights",
        advice=advice,
    )


def scale_row(std: float | None) -> GateRow:
    """Return whether the spread of the raw scores is neither tiny nor huge."""
    outcome: Outcome = "not measured"
    if std is not None:
        outcome = "pass" if _STD[0] <= std <= _STD[1] else "fail"
    advice = ""
    if outcome == "fail":
        advice = (
            "Scores that hardly differ drown in rounding: train longer, or with a larger learning rate."
            if std is not None and std < _STD[0]
            else "Such scores lose digits in half precision and saturate: train with a centring term or weight decay."
        )
    return GateRow(
        id="scale",
        title="Spread of the scores",
        outcome=outcome,
        measured=f"std {figure(std)}",
        bound=f"{_STD[0]:g} to {_STD[1]:g}",
        value=std,
        advice=advice,
    )


def drift_row(drift: Drift | None) -> GateRow:
    """Return whether the scores are like those of the calibration set."""
    outcomes: dict[str, Outcome] = {"stable": "pass", "drifted": "fail", "unclear": "unclear"}
    outcome = "not measured" if drift is None else outcomes[drift.verdict]
    measured = "no calibration to compare with"
    if drift is not None:
        measured = f"mean {drift.shift:+.2f} std, spread × {drift.spread:.2f}"
        measured += "" if drift.share is None else f", shares within {percent(drift.share)}"
        measured += "" if drift.verdict == "stable" else f": {drift.reason}"
    return GateRow(
        id="drift",
        title="Scores are stable",
        outcome=outcome,
        measured=measured,
        bound="mean within 0.5 std, spread × 0.67 to 1.5, shares within 20 %",
        value=None if drift is None else drift.shift,
        advice=_advice(
            outcome,
            "A score means something else here than on the calibration set: calibrate on data like what the policy "
            "will write.",
            "Measure on more data.",
        ),
    )


def spill_over_row(found: SpillOver) -> GateRow:
    """Return whether the model holds on other domains than it was trained on."""
    outcome = judge(found.accuracy, _ACCURACY, strict=False)
    return GateRow(
        id=f"spill_over.{found.name}",
        title=f"Accuracy on other data: {found.name}",
        outcome=outcome,
        measured=f"{_told(found.accuracy, points)} of {count(found.pairs, 'pair')}",
        bound=f"at least {percent(_ACCURACY)}",
        value=found.accuracy.value,
        advice=_advice(
            outcome,
            "The model does not carry over: use it on prompts like its training data only, or add pairs of this kind.",
            "Measure on more pairs.",
        ),
    )


def _told(found: Figure, show: Callable[[float | None], str]) -> str:
    if found.value is None:
        return "–"
    if found.interval is None:
        return show(found.value)
    return f"{show(found.value)} ({show(found.interval.low)} to {show(found.interval.high)})"


def points(share: float | None) -> str:
    """Return a share in percent with one decimal.

    >>> points(0.6482)
    '64.8 %'
    """
    return "–" if share is None else f"{100 * share:.1f} %"


def _advice(outcome: Outcome, fail: str, unclear: str) -> str:
    return {"fail": fail, "unclear": unclear}.get(outcome, "")
