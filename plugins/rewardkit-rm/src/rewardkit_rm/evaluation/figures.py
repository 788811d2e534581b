"""Figures of a stream of scored pairs, once it has ended."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from rewardkit.errors import RewardKitError
from rewardkit.statistics import Series
from rewardkit_rm.calibrating import fit_temperature
from rewardkit_rm.evaluation.bands import ACCURACY, SPILL_OVER, Band, band_of
from rewardkit_rm.evaluation.bootstrap import Floats, Statistic, Sums
from rewardkit_rm.evaluation.correlation import median_estimate, spearman_estimate
from rewardkit_rm.evaluation.evaluation import (
    Baseline,
    CalibrationBin,
    Distribution,
    Evaluation,
    Figure,
    LengthBias,
    Point,
    Reliability,
    Slice,
    SpillOver,
)
from rewardkit_rm.evaluation.reliability import BINS
from rewardkit_rm.evaluation.stream import SIDES, PairStream

__all__ = ["evaluation_of", "spill_over_of"]

_POINTS = 500


def evaluation_of(stream: PairStream, baseline_name: str, seed: int) -> Evaluation:
    """Return the figures of a stream; spill-over, ratings and warnings are added by the caller."""
    sums = stream.sums
    accuracy = _figure(sums, _ratio("correct", "n"))
    return Evaluation(
        accuracy=accuracy.value,
        accuracy_interval=accuracy.interval,
        accuracy_band=band_of(accuracy.value, ACCURACY),
        accuracy_half_ties=_figure(sums, lambda s: (s["correct"] + s["tie"] / 2) / s["n"]),
        pairs=_count(sums, "n"),
        score_ties=_count(sums, "tie"),
        labelled_ties=stream.labelled_ties(),
        unscored=stream.without_scores(),
        mean_margin=_figure(sums, _ratio("margin", "n")),
        median_margin=_median(stream),
        margins=_distribution(stream.margins),
        scores=_distribution(stream.scores),
        by_domain=_by_domain(stream, ACCURACY),
        by_length=[_slice(name, stream.sides[name], ACCURACY) for name in SIDES if name in stream.sides],
        baselines=_baselines(stream, baseline_name),
        length=_length_bias(stream) if _count(sums, "n_length") else None,
        calibration=_reliability(stream) if _count(sums, "n") else None,
        samples=stream.inspection.samples(),
        sampled=stream.sampled,
        replicates=stream.bootstrap.replicates,
        seed=seed,
    )


def spill_over_of(name: str, stream: PairStream) -> SpillOver:
    """Return the figures of pairs of another domain."""
    whole = _slice(name, stream.sums, SPILL_OVER)
    return SpillOver(
        name=name,
        pairs=whole.pairs,
        score_ties=whole.score_ties,
        accuracy=whole.accuracy,
        longer_wins=whole.longer_wins,
        band=whole.band,
        by_domain=_by_domain(stream, SPILL_OVER),
        labelled_ties=stream.labelled_ties(),
        unscored=stream.without_scores(),
    )


def _ratio(numerator: str, denominator: str) -> Statistic:
    return lambda sums: sums[numerator] / sums[denominator]


def _figure(sums: Sums, statistic: Statistic) -> Figure:
    return Figure.of(sums.estimate(statistic))


def _count(sums: Sums, name: str) -> int:
    return round(sums.value(name))


def _median(stream: PairStream) -> Figure:
    if not stream.sample.seen:
        return Figure(value=None)
    margins = stream.sample["chosen"] - stream.sample["rejected"]
    return Figure.of(median_estimate(margins, stream.sample.clusters, stream.bootstrap))


def _distribution(series: Series) -> Distribution:
    found = series.as_dict()
    edges, counts = found["histogram"]["edges"], found["histogram"]["counts"]
    return Distribution(
        mean=found["mean"], std=found["std"], low=found["min"], high=found["max"], edges=edges, counts=counts
    )


def _by_domain(stream: PairStream, bands: Sequence[Band]) -> list[Slice]:
    slices = [_slice(name or "(none)", sums, bands) for name, sums in stream.domains.items()]
    return sorted(slices, key=lambda one: (-one.pairs, one.name))


def _slice(name: str, sums: Sums, bands: Sequence[Band]) -> Slice:
    accuracy = _figure(sums, _ratio("correct", "n"))
    known = _count(sums, "n_length")
    return Slice(
        name=name,
        pairs=_count(sums, "n"),
        score_ties=_count(sums, "tie"),
        accuracy=accuracy,
        mean_margin=_figure(sums, _ratio("margin", "n")),
        longer_wins=sums.value("longer") / known if known else None,
        band=band_of(accuracy.value, bands),
    )


def _baselines(stream: PairStream, name: str) -> list[Baseline]:
    found = []
    if known := _count(stream.sums, "n_length"):
        found += [
            _baseline(f"{side} wins", known, stream.sums, "correct_length", side, "n_length")
            for side in ("longer", "shorter")
        ]
    if paired := _count(stream.paired, "n"):
        found.append(_baseline(name, paired, stream.paired, "correct", "other", "n"))
    return found


def _baseline(name: str, pairs: int, sums: Sums, correct: str, other: str, n: str) -> Baseline:
    difference = _figure(sums, lambda s: (s[correct] - s[other]) / s[n])
    return Baseline(name=name, pairs=pairs, accuracy=_figure(sums, _ratio(other, n)), difference=difference)


def _pearson(x: str, y: str, xy: str, xx: str, yy: str) -> Statistic:
    """Return the correlation over both sides of every pair; nan where one of them is constant."""

    def statistic(sums: Mapping[str, Floats]) -> Floats:
        n = 2 * sums["n_length"]
        spread = (sums[xx] - sums[x] ** 2 / n) * (sums[yy] - sums[y] ** 2 / n)
        return np.clip((sums[xy] - sums[x] * sums[y] / n) / np.sqrt(spread), -1, 1)

    return statistic


def _within(xy: str, xx: str, yy: str) -> Statistic:
    return lambda sums: sums[xy] / np.sqrt(sums[xx] * sums[yy])


def _gap(sums: Mapping[str, Floats]) -> Floats:
    return sums["correct_longer"] / sums["longer"] - sums["correct_shorter"] / sums["shorter"]


def _length_bias(stream: PairStream) -> LengthBias:
    sums, sample = stream.sums, stream.sample
    known = ~np.isnan(sample["chosen_length"])
    scores = np.stack([sample["chosen"], sample["rejected"]])[:, known]
    lengths = np.stack([sample["chosen_length"], sample["rejected_length"]])[:, known]
    clusters = np.tile(sample.clusters[known], 2)
    # both orders of every pair: the margin and its negative
    margins, differences = (np.concatenate([side[0] - side[1], side[1] - side[0]]) for side in (scores, lengths))
    return LengthBias(
        pairs=_count(sums, "n_length"),
        pearson=_figure(sums, _pearson("s", "l", "sl", "ss", "ll")),
        pearson_log=_figure(sums, _pearson("s", "g", "sg", "ss", "gg")),
        spearman=Figure.of(spearman_estimate(scores.ravel(), lengths.ravel(), clusters, stream.bootstrap)),
        within_pearson=_figure(sums, _within("md", "mm", "dd")),
        within_pearson_log=_figure(sums, _within("me", "mm", "ee")),
        within_spearman=Figure.of(spearman_estimate(margins, differences, clusters, stream.bootstrap)),
        accuracy_gap=_figure(sums, _gap),
        points=_points(scores, lengths),
    )


def _points(scores: Floats, lengths: Floats) -> list[Point]:
    """Return both sides of evenly spaced pairs."""
    places = np.unique(np.linspace(0, scores.shape[1] - 1, min(_POINTS, scores.shape[1])).astype(np.int64))
    return [
        Point(length=int(lengths[side, at]), score=float(scores[side, at]), chosen=side == 0)
        for at in places
        for side in (0, 1)
    ]


def _reliability(stream: PairStream) -> Reliability:
    sums = stream.sums
    return Reliability(
        ece=_figure(sums, lambda s: np.abs([s[f"gap{at}"] for at in range(BINS)]).sum(axis=0) / s["n"]),
        brier=_figure(sums, _ratio("brier", "n")),
        nll=_figure(sums, _ratio("nll", "n")),
        temperature=_temperature(stream),
        curve=[_bin(at, *stream.curve[:, at].tolist()) for at in range(BINS)],
    )


def _temperature(stream: PairStream) -> float | None:
    sample = stream.sample
    try:
        return fit_temperature(sample["chosen"] - sample["rejected"], sample["probability"])
    except RewardKitError:
        return None


def _bin(at: int, pairs: float, confidence: float, correct: float) -> CalibrationBin:
    width = 0.5 / BINS
    return CalibrationBin(
        low=round(0.5 + at * width, 6),
        high=round(0.5 + (at + 1) * width, 6),
        pairs=round(pairs),
        confidence=confidence / pairs if pairs else None,
        correct=correct / pairs if pairs else None,
    )
