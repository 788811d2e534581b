"""What a person should know before a reward model is used: warnings drawn from an evaluation."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from rewardkit.cli.screen import count, figure, percent
from rewardkit_rm.evaluation.evaluation import Evaluation
from rewardkit_rm.evaluation.stream import OTHER_DOMAINS, PairStream
from rewardkit_rm.evaluation.wording import told, with_interval

__all__ = ["warnings_of"]

_FLOOR = 0.65
_LEAKAGE = 0.95
_TIE_SHARE = 0.30
_SCORE_TIES = 0.01
_GAP = 0.10
_LENGTH_GAP = 0.20
_WITHIN = 0.5
_ECE = 0.10
_FEW_PAIRS = 30
_NAMED = 5
_FAR_ROBUST, _FAR = 10.0, 5.0
_MAD_TO_STD = 1.4826


def warnings_of(found: Evaluation, stream: PairStream) -> list[str]:
    """Return what is wrong or doubtful, the gravest first; each names its figure and its limit."""
    if found.accuracy is None:
        return ["no pair has two scores and a preference: nothing was evaluated", *_about_pairs(found, stream)]
    checks = (
        _about_accuracy(found, found.accuracy),
        _about_overfitting(found, found.accuracy),
        _about_length(found),
        _about_scores(found, stream),
        _about_pairs(found, stream),
    )
    return [text for check in checks for text in check]


def _about_accuracy(found: Evaluation, accuracy: float) -> Iterator[str]:
    interval = found.accuracy_interval
    if accuracy < _FLOOR:
        yield f"accuracy {_percent(accuracy)} is below the floor of 65 %: do not train on this model"
    elif interval is not None and interval.low < _FLOOR:
        yield f"accuracy may lie below the floor of 65 %: its interval starts at {_percent(interval.low)}"
    if accuracy >= _LEAKAGE and found.pairs >= _FEW_PAIRS:
        yield f"accuracy {_percent(accuracy)} is above published levels: look for pairs that were trained on"
    weak = [part for part in found.by_domain if part.pairs >= _FEW_PAIRS and (part.accuracy.value or 0) < _FLOOR]
    if weak and len(found.by_domain) > 1:
        lowest = sorted(weak, key=lambda part: part.accuracy.value or 0)[:_NAMED]
        named = ", ".join(f"{part.name} {_percent(part.accuracy.value)}" for part in lowest)
        more = f" and {len(weak) - _NAMED} more" if len(weak) > _NAMED else ""
        yield f"below the floor of 65 % in {len(weak)} of {len(found.by_domain)} domains: {named}{more}"


def _about_overfitting(found: Evaluation, accuracy: float) -> Iterator[str]:
    training = found.training_accuracy
    if training is not None and training - accuracy > _GAP:
        yield f"overfitting: accuracy {_percent(training)} on training pairs, {_percent(accuracy)} here"
    for other in found.spill_over:
        value = other.accuracy.value
        if value is None:
            yield f"{other.name}: no pair has two scores and a preference"
        elif value < _FLOOR:
            yield f"spill-over to {other.name}: accuracy {_percent(value)} is below the floor of 65 %"
        elif accuracy - value > _GAP:
            yield f"spill-over to {other.name}: accuracy {_percent(value)}, against {_percent(accuracy)} here"


def _about_length(found: Evaluation) -> Iterator[str]:
    for baseline in found.baselines:
        interval = baseline.difference.interval
        if interval is not None and interval.low <= 0:
            yield f"not surely better than {baseline.name}: {with_interval(baseline.difference, 'points')}"
    if found.length is None:
        return
    gap, within = found.length.accuracy_gap.value, found.length.within_spearman.value
    if gap is not None and abs(gap) > _LENGTH_GAP:
        side = "longer" if gap > 0 else "shorter"
        yield f"reward follows length: accuracy is {100 * abs(gap):.1f} points higher where the chosen side is {side}"
    if within is not None and abs(within) > _WITHIN:
        yield f"reward follows length: rank correlation within prompts {within:+.2f}"


def _about_scores(found: Evaluation, stream: PairStream) -> Iterator[str]:
    if found.scores.low == found.scores.high:
        yield f"every score is {figure(found.scores.low)}: the model says nothing"
        return
    if found.score_ties > _SCORE_TIES * found.pairs:
        share = percent(found.score_ties / found.pairs)
        yield f"{share} of pairs have two equal scores: scored in half precision, or texts cut to the same?"
    yield from _about_extremes(stream)
    ece = found.calibration.ece.value if found.calibration is not None else None
    if ece is not None and ece > _ECE:
        sure, right = stream.curve[1].sum(), stream.curve[2].sum()
        how = "over" if sure > right else "under"
        off = f"sigma(margin) is off by {100 * ece:.1f} points on average"
        yield f"{how}-confident: {off}; rewardkit rm calibrate fits it"


def _about_extremes(stream: PairStream) -> Iterator[str]:
    """Compare the furthest score with the median: in spreads of the middle, which extremes do not move, and in std."""
    scores = np.concatenate([stream.sample["chosen"], stream.sample["rejected"]])
    median = float(np.median(scores))
    spread = _MAD_TO_STD * float(np.median(np.abs(scores - median)))
    low, high = stream.scores.low, stream.scores.high
    if low is None or high is None or not spread:
        return
    furthest = low if median - low > high - median else high
    distance = abs(furthest - median)
    if distance > _FAR_ROBUST * spread and distance > _FAR * stream.scores.std:
        away = f"{distance / spread:,.0f} robust standard deviations from the median {figure(median)}"
        yield f"extreme scores: {figure(furthest)} lies {away}; clip rewards"


def _about_pairs(found: Evaluation, stream: PairStream) -> Iterator[str]:
    if found.unscored.count:
        yield f"{count(found.unscored.count, 'pair')} could not be scored, first {found.unscored.first[0]}"
    if found.labelled_ties.share > _TIE_SHARE:
        yield f"{percent(found.labelled_ties.share)} of pairs are labelled as ties, more than 30 %"
    if found.pairs and stream.few_prompts is not None:
        yield f"only {count(stream.few_prompts, 'prompt')}: intervals are too narrow"
    if OTHER_DOMAINS in stream.domains:
        yield f"more than {len(stream.domains) - 1} domains: the rest is summed up as {OTHER_DOMAINS!r}"


def _percent(share: float | None) -> str:
    return told(share, "percent")
