"""The tables of ``rewardkit rm eval``."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from rewardkit.cli.screen import console, count, figure, percent, table, tell
from rewardkit_rm.evaluation.wording import Unit, interval, told

if TYPE_CHECKING:
    from rich.table import Table

    from rewardkit_rm.evaluation.evaluation import Evaluation, Figure, LengthBias, Reliability, Slice, SpillOver

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
    _show_domains(found.by_domain)
    _show_sides(found.by_length)
    _show_others(found.spill_over)
    _show_worst(found)
    for warning in found.warnings:
        tell(f"warning: {warning}")


def _headline(found: Evaluation) -> Iterator[Row]:
    from rewardkit_rm.evaluation.evaluation import Figure

    accuracy = Figure(value=found.accuracy, interval=found.accuracy_interval)
    yield _row("accuracy", accuracy, "percent", found.accuracy_band)
    if found.score_ties:
        yield _row("accuracy, ties half right", found.accuracy_half_ties, "percent")
    for one in found.baselines:
        yield _row(one.name, one.accuracy, "percent")
        yield _row(f"better than {one.name}", one.difference, "points")
    yield _row("mean margin", found.mean_margin)
    yield _row("median margin", found.median_margin)
    if found.calibration is not None:
        yield from _calibration(found.calibration)
    if found.length is not None:
        yield from _length(found.length)
    for rating in found.ratings:
        yield _row(f"Spearman with {rating.name}", rating.spearman, band=rating.band)


def _calibration(found: Reliability) -> Iterator[Row]:
    yield _row("calibration error (ECE)", found.ece)
    yield _row("Brier score", found.brier)
    yield _row("negative log-likelihood", found.nll)
    yield ("temperature that fits best", figure(found.temperature), "", "")


def _length(found: LengthBias) -> Iterator[Row]:
    yield _row("score and length, Pearson", found.pearson)
    yield _row("score and log length, Pearson", found.pearson_log)
    yield _row("score and length, Spearman", found.spearman)
    yield _row("within prompts, Pearson", found.within_pearson)
    yield _row("within prompts, Spearman", found.within_spearman)
    yield _row("accuracy, longer minus shorter", found.accuracy_gap, "points")


def _row(name: str, found: Figure, unit: Unit = "number", band: str = "") -> Row:
    return (name, told(found.value, unit), interval(found, unit), band)


def _pairs(found: Evaluation) -> str:
    ties = found.labelled_ties
    text = f"{count(found.pairs, 'pair')}, {found.score_ties:,} with equal scores (wrong)"
    if ties.count:
        text += f"; {ties.count:,} labelled as ties left out ({percent(ties.share)})"
    if found.unscored.count:
        text += f"; {found.unscored.count:,} without scores left out"
    return text if found.sampled is None else f"{text}; medians and rank correlations of a sample of {found.sampled:,}"


def _show_domains(parts: Sequence[Slice]) -> None:
    if [part.name for part in parts] == ["(none)"]:
        return
    numbers = ("pairs", "accuracy", "mean margin", "longer wins")
    made = table("domain", *numbers[:2], "95 % interval", *numbers[2:], numbers=numbers, fold=("domain",))
    for part in parts[:_DOMAINS]:
        made.add_row(*_cells(part), figure(part.mean_margin.value), told(part.longer_wins, "percent"))
    _print(made)
    if len(parts) > _DOMAINS:
        console().print(f"and {count(len(parts) - _DOMAINS, 'domain')} more")


def _show_sides(parts: Sequence[Slice]) -> None:
    numbers = ("pairs", "accuracy", "mean margin")
    made = table("side", *numbers[:2], "95 % interval", numbers[2], numbers=numbers)
    for part in parts:
        made.add_row(*_cells(part), figure(part.mean_margin.value))
    _print(made)


def _show_others(parts: Sequence[SpillOver]) -> None:
    numbers, fold = ("pairs", "accuracy", "longer wins"), ("other domains", "published level")
    made = table(fold[0], *numbers[:2], "95 % interval", numbers[2], fold[1], numbers=numbers, fold=fold)
    for part in parts:
        made.add_row(*_cells(part), told(part.longer_wins, "percent"), part.band)
    _print(made)


def _cells(part: Slice | SpillOver) -> Row:
    return (part.name, f"{part.pairs:,}", told(part.accuracy.value, "percent"), interval(part.accuracy, "percent"))


def _print(made: Table) -> None:
    if made.rows:
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
