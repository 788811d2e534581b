"""The tables of ``rewardkit rm eval``."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from rewardkit.cli.screen import console, count, figure, percent, table, tell
from rewardkit_rm.evaluation.wording import interval, percent_points

if TYPE_CHECKING:
    from rewardkit_rm.evaluation.evaluation import Evaluation, Figure, LengthBias, Reliability, Slice

__all__ = ["show"]

_DOMAINS = 30
_EXCERPT = 160

Row = tuple[str, str, str, str]


def show(found: Evaluation) -> None:
    """Print an evaluation on stdout, and its warnings on stderr."""
    screen = console()
    made = table("figure", "value", "95 % interval", "published level", numbers=("value",), fold=("published level",))
    for row in _headline(found):
        made.add_row(*row)
    screen.print(made)
    screen.print()
    screen.print(_pairs(found), soft_wrap=True)
    _show_parts("domain", found.by_domain)
    _show_parts("side", found.by_length)
    _show_others(found)
    _show_worst(found)
    for warning in found.warnings:
        tell(f"warning: {warning}")


def _headline(found: Evaluation) -> Iterator[Row]:
    from rewardkit_rm.evaluation.evaluation import Figure

    accuracy = Figure(value=found.accuracy, interval=found.accuracy_interval)
    yield _share("accuracy", accuracy, found.accuracy_band)
    if found.score_ties:
        yield _share("accuracy, equal scores half right", found.accuracy_half_ties)
    for one in found.baselines:
        yield _share(f"{one.name}", one.accuracy)
        yield _share(f"better than {one.name}", one.difference)
    yield _number("mean margin", found.mean_margin)
    yield _number("median margin", found.median_margin)
    if found.calibration is not None:
        yield from _calibration(found.calibration)
    if found.length is not None:
        yield from _length(found.length)
    for rating in found.ratings:
        yield _number(f"Spearman with {rating.name}", rating.spearman, rating.band)


def _calibration(found: Reliability) -> Iterator[Row]:
    yield _number("calibration error (ECE)", found.ece)
    yield _number("Brier score", found.brier)
    yield _number("negative log-likelihood", found.nll)
    yield ("temperature that fits best", figure(found.temperature), "", "")


def _length(found: LengthBias) -> Iterator[Row]:
    yield _number("score and length, Pearson", found.pearson)
    yield _number("score and log length, Pearson", found.pearson_log)
    yield _number("score and length, Spearman", found.spearman)
    yield _number("within prompts, Pearson", found.within_pearson)
    yield _number("within prompts, Spearman", found.within_spearman)
    yield _share("accuracy, chosen longer minus shorter", found.accuracy_gap)


def _share(name: str, found: Figure, band: str = "") -> Row:
    return (name, percent_points(found.value), interval(found, share=True), band)


def _number(name: str, found: Figure, band: str = "") -> Row:
    return (name, figure(found.value), interval(found), band)


def _pairs(found: Evaluation) -> str:
    ties = found.labelled_ties
    text = f"{count(found.pairs, 'pair')}, {found.score_ties:,} with equal scores (wrong)"
    if ties.count:
        text += f"; {ties.count:,} labelled as ties left out ({percent(ties.share)})"
    if found.unscored.count:
        text += f"; {found.unscored.count:,} without scores left out"
    return text if found.sampled is None else f"{text}; medians and rank correlations of a sample of {found.sampled:,}"


def _show_parts(heading: str, parts: Sequence[Slice]) -> None:
    if not parts or (heading == "domain" and [part.name for part in parts] == ["(none)"]):
        return
    numbers = ("pairs", "accuracy", "mean margin", "longer wins")
    made = table(heading, *numbers[:2], "95 % interval", *numbers[2:], numbers=numbers, fold=(heading,))
    for part in parts[:_DOMAINS]:
        made.add_row(
            part.name,
            f"{part.pairs:,}",
            percent_points(part.accuracy.value),
            interval(part.accuracy, share=True),
            figure(part.mean_margin.value),
            percent_points(part.longer_wins),
        )
    screen = console()
    screen.print()
    screen.print(made)
    if len(parts) > _DOMAINS:
        screen.print(f"and {count(len(parts) - _DOMAINS, heading)} more")


def _show_others(found: Evaluation) -> None:
    if not found.spill_over:
        return
    numbers = ("pairs", "accuracy", "longer wins")
    made = table(
        "other domains",
        *numbers,
        "95 % interval",
        "published level",
        numbers=numbers,
        fold=("other domains", "published level"),
    )
    for one in found.spill_over:
        made.add_row(
            one.name,
            f"{one.pairs:,}",
            percent_points(one.accuracy.value),
            percent_points(one.longer_wins),
            interval(one.accuracy, share=True),
            one.band,
        )
    console().print()
    console().print(made)


def _show_worst(found: Evaluation) -> None:
    from rewardkit.explain import escape

    if not found.samples.worst:
        return
    worst = found.samples.worst[0]
    screen = console()
    name = ", ".join(filter(None, [worst.domain, worst.id, worst.where]))
    screen.print(f"\nmost surely wrong: margin {figure(worst.margin)}, {name}", style="bold")
    for label, text in (("prompt", worst.prompt), ("chosen", worst.chosen), ("rejected", worst.rejected)):
        if text:
            screen.print(f"{label:<9}{escape(text)[:_EXCERPT]}", soft_wrap=True)
