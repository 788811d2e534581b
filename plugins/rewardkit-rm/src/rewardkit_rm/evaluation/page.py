"""The page of an evaluation: pictures first, one HTML file that opens offline."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rewardkit_audit.report import Cell, Chart, Fact, Facts, Note, Page, Sample, Samples, Section, Table
from rewardkit_audit.report import charts as draw

from rewardkit.cli.screen import count, figure
from rewardkit_rm.evaluation.evaluation import Evaluation, Figure, LengthBias, PairSample, Reliability, Slice
from rewardkit_rm.evaluation.wording import Unit, interval, told, with_interval

__all__ = ["evaluation_page"]

_VALIDATION = (draw.Band("floor", 0.65), draw.Band("published", 0.80, 0.95))
_SPILL_OVER = (draw.Band("floor", 0.65), draw.Band("published", 0.75, 1.0))


def evaluation_page(found: Evaluation, title: str = "Reward model", subtitle: str = "") -> Page:
    """Return the page of an evaluation.

    Args:
        found: The evaluation.
        title: What was evaluated.
        subtitle: On what; the number of pairs by default.

    Example:
        >>> from rewardkit_rm.evaluation.evaluate import evaluate
        >>> from rewardkit_rm.evaluation.scored import ScoredPair
        >>> evaluation_page(evaluate([ScoredPair(2.0, 0.5), ScoredPair(0.0, 1.0)])).html().count("<svg")
        4
    """
    page = Page(title, subtitle or count(found.pairs, "pair"))
    page.add(_facts(found), *(Note(text, "warning") for text in found.warnings), Note(_counting(found)))
    page.add(_accuracy(found), _margins(found))
    if found.length is not None:
        page.add(_length(found, found.length))
    if found.spill_over:
        page.add(_spill_over(found))
    if found.ratings:
        page.add(_ratings(found))
    return page.add(_samples(found))


def _facts(found: Evaluation) -> Facts:
    accuracy = Figure(value=found.accuracy, interval=found.accuracy_interval)
    facts = [
        Fact("Accuracy", told(found.accuracy, "percent"), _note(accuracy, found.accuracy_band, "percent")),
        Fact("Mean margin", figure(found.mean_margin.value), _note(found.mean_margin)),
        Fact("Median margin", figure(found.median_margin.value), _note(found.median_margin)),
    ]
    facts += [
        Fact(f"Better than {one.name}", told(one.difference.value, "points"), _note(one.difference, unit="points"))
        for one in found.baselines
    ]
    return Facts(facts)


def _note(found: Figure, band: str = "", unit: Unit = "number") -> str:
    around = interval(found, unit)
    return "; ".join(filter(None, [f"95 % interval {around}" if around else "", band]))


def _counting(found: Evaluation) -> str:
    parts = [f"Accuracy is over {count(found.pairs, 'pair')}."]
    if found.score_ties:
        half = told(found.accuracy_half_ties.value, "percent")
        parts.append(f"{count(found.score_ties, 'pair')} with equal scores count as wrong (as half right: {half}).")
    if found.labelled_ties.count:
        parts.append(f"{count(found.labelled_ties.count, 'pair')} labelled as ties are left out.")
    if found.unscored.count:
        parts.append(f"{count(found.unscored.count, 'pair')} without scores are left out.")
    parts.append(f"Intervals come from {found.replicates:,} replicates of a bootstrap over prompts.")
    if found.sampled is not None:
        parts.append(
            f"Medians, rank correlations and pictures of single responses rest on a sample of {found.sampled:,} pairs."
        )
    return " ".join(parts)


def _accuracy(found: Evaluation) -> Section:
    section = Section("Accuracy by part").add(
        _bars(found.by_domain, "Accuracy by domain", found.accuracy, _VALIDATION),
        _bars(found.by_length, "Accuracy by which side is longer", found.accuracy, _VALIDATION),
    )
    if found.baselines:
        rows: list[list[Cell]] = [
            [one.name, one.pairs, with_interval(one.accuracy, "percent"), with_interval(one.difference, "points")]
            for one in found.baselines
        ]
        section.add(Table(["baseline", "pairs", "its accuracy", "the model minus it"], rows))
    return section


def _bars(parts: Sequence[Slice], title: str, whole: float | None, bands: Sequence[draw.Band]) -> Chart:
    items = [
        draw.Bar(
            part.name,
            part.accuracy.value,
            part.accuracy.interval.low if part.accuracy.interval else None,
            part.accuracy.interval.high if part.accuracy.interval else None,
            part.pairs,
        )
        for part in parts
        if part.accuracy.value is not None
    ]
    if whole is not None and len(items) > 1:
        items.append(draw.Bar("all", whole, grey=True))
    return draw.bars(items, title=title, x="accuracy", percent=True, limits=(0, 1), bands=bands, count="pairs")


def _margins(found: Evaluation) -> Section:
    marks = [] if found.mean_margin.value is None else [draw.Mark(found.mean_margin.value, "mean")]
    section = Section("Margins and calibration").add(
        draw.histogram_of_counts(
            found.margins.counts,
            found.margins.edges,
            title="Margin: chosen score minus rejected score",
            x="margin",
            y="pairs",
            marks=marks,
            split=0.0,
            caption="Grey: the rejected side scores higher.",
        )
    )
    return section.add(*_calibration(found.calibration)) if found.calibration is not None else section


def _calibration(found: Reliability) -> tuple[Chart, Table]:
    bins = [
        draw.CalibrationBin(one.confidence, one.correct, one.pairs)
        for one in found.curve
        if one.confidence is not None and one.correct is not None
    ]
    rows = [
        ["Expected calibration error", with_interval(found.ece)],
        ["Brier score (0.25: no preference)", with_interval(found.brier)],
        ["Negative log-likelihood (0.693: no preference)", with_interval(found.nll)],
        ["Temperature that fits best", figure(found.temperature)],
    ]
    curve = draw.calibration_curve(
        bins,
        title="Calibration: how sure the model is, and how often it is right",
        x="confidence σ(|margin|)",
        y="share right",
        caption="Grey columns: how many pairs. Below the line the model is too sure.",
    )
    return curve, Table(["calibration", "value"], rows)


def _length(found: Evaluation, bias: LengthBias) -> Section:
    rows = [
        ["over responses, Pearson", with_interval(bias.pearson)],
        ["over responses, Pearson, log length", with_interval(bias.pearson_log)],
        ["over responses, Spearman", with_interval(bias.spearman)],
        ["within prompts, Pearson", with_interval(bias.within_pearson)],
        ["within prompts, Pearson, log length", with_interval(bias.within_pearson_log)],
        ["within prompts, Spearman", with_interval(bias.within_spearman)],
        ["accuracy, longer minus shorter", with_interval(bias.accuracy_gap, "points")],
    ]
    lengths, scores = [point.length for point in bias.points], [point.score for point in bias.points]
    return Section("Reward against length").add(
        draw.density(
            lengths, scores, title="Score against length of the response", x="characters", y="score", log_x=True
        ),
        Table(["correlation of score and length", "value"], rows),
    )


def _spill_over(found: Evaluation) -> Section:
    rows: list[list[Cell]] = [
        [one.name, one.pairs, with_interval(one.accuracy, "percent"), told(one.longer_wins, "percent"), one.band]
        for one in found.spill_over
    ]
    section = Section("Other domains").add(
        Table(["pairs of", "pairs", "accuracy", "longer wins", "published level"], rows)
    )
    for one in found.spill_over:
        section.add(_bars(one.by_domain, f"Accuracy on {one.name}", one.accuracy.value, _SPILL_OVER))
    return section


def _ratings(found: Evaluation) -> Section:
    rows: list[list[Cell]] = [[one.name, one.responses, with_interval(one.spearman), one.band] for one in found.ratings]
    return Section("Human ratings").add(Table(["rating", "responses", "Spearman", "published level"], rows))


def _samples(found: Evaluation) -> Section:
    kinds = (
        ("Most surely wrong", found.samples.worst),
        ("Closest to a tie", found.samples.closest),
        ("Most surely right", found.samples.best),
    )
    return Section("Samples to look at").add(
        *(Samples(title, [_sample(one) for one in kind]) for title, kind in kinds if kind)
    )


def _sample(one: PairSample) -> Sample:
    name = ", ".join(filter(None, [f"margin {figure(one.margin)}", one.domain, one.id or one.where]))
    return Sample(name, list(_texts(one)))


def _texts(one: PairSample) -> Iterator[tuple[str, str]]:
    if one.prompt:
        yield "prompt", one.prompt
    for name, score, text in (("chosen", one.chosen_score, one.chosen), ("rejected", one.rejected_score, one.rejected)):
        yield f"{name}, score {figure(score)}", text or "(no text)"
