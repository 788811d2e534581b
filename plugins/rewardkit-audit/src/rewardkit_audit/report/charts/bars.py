"""One figure for each of several things, with its interval."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, MaxNLocator

from rewardkit.errors import shown
from rewardkit_audit.errors import ReportError
from rewardkit_audit.report.charts.numbers import finite, interval, nothing
from rewardkit_audit.report.drawing import (
    ACCENT,
    INK,
    LABEL_ROW,
    QUIET,
    RULE,
    SMALL,
    WIDTH,
    Margins,
    draw,
    fitted,
    number,
    text_width,
)
from rewardkit_audit.report.parts import Chart

__all__ = ["Band", "Bar", "bars"]

_BARS = 200
_ROW = 24.0
_LABEL = 170.0
_VALUE = 58.0
_COUNT = 58.0


@dataclass(frozen=True)
class Bar:
    """One figure.

    Attributes:
        label: What it belongs to, as in ``math``.
        value: The figure.
        low: Lower end of an interval around it.
        high: Upper end of it.
        count: How many samples it was measured on.
        grey: Whether it is there to be compared with, as a baseline is.
    """

    label: str
    value: float
    low: float | None = None
    high: float | None = None
    count: int | None = None
    grey: bool = False


@dataclass(frozen=True)
class Band:
    """A range of figures with a name, as in ``Band("published", 0.80, 0.95)``; without ``high`` a line."""

    label: str
    low: float
    high: float | None = None


def bars(
    items: Sequence[Bar],
    *,
    title: str,
    x: str,
    percent: bool = False,
    limits: tuple[float, float] | None = None,
    bands: Sequence[Band] = (),
    count: str = "samples",
    caption: str = "",
) -> Chart:
    """Draw bars from zero, in the order given, with intervals and named bands.

    Args:
        items: The figures; the first 200 are drawn, and the caption says so.
        title: What is seen, as in ``Only chat reaches the published level``.
        x: What the figures are, with their unit.
        percent: Whether figures are shares and shown in percent; the axis then goes from 0 to 1.
        limits: Where the axis starts and ends; by default it holds zero, every figure, interval and band.
        bands: Named ranges and lines.
        count: What ``Bar.count`` counts, in the plural.
        caption: What the reader must know.

    Raises:
        ReportError: If a number is nan or infinite, an interval or band is none, or ``limits`` do not hold zero.

    Example:
        >>> chart = bars([Bar("math", 0.59, 0.56, 0.62), Bar("chat", 0.66)], title="Chat is easier than math",
        ...     x="accuracy", percent=True, bands=[Band("floor", 0.65), Band("published", 0.80, 0.95)])
        >>> chart.description
        'accuracy: math 59 %, chat 66 %.'
    """
    first = items[:_BARS]
    for item in first:
        interval(title, shown(item.label), item.value, item.low, item.high)
    start, end = _limits(first, bands, (0.0, 1.0) if percent and limits is None else limits, title)
    if not first:
        return nothing(title, caption)
    if len(items) > _BARS:
        caption = f"{caption} The first {_BARS} of {len(items):,} are drawn.".strip()
    said = f"{x}: {', '.join(f'{item.label} {_figure(item.value, percent)}' for item in first)}."
    margins = _margins(first, len(bands))
    height = margins.top + margins.bottom + _ROW * len(first)

    def paint(axes: Axes) -> None:
        axes.set_xlim(start, end)
        axes.set_ylim(len(first) - 0.5, -0.5)
        axes.grid(visible=False)
        axes.xaxis.set_major_locator(MaxNLocator(max(2, round(_wide(margins) / 75))))
        axes.set_yticks([])
        axes.set_xlabel(fitted(x, WIDTH), labelpad=6)
        if percent:
            axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{number(round(100 * value, 6))} %"))
        _draw_bands(axes, bands, margins)
        for row, item in enumerate(first):
            _draw_bar(axes, row, item, percent, margins)
        axes.axvline(0, color=QUIET, linewidth=1)
        if any(item.count is not None for item in first):
            _beside(axes, -0.5, fitted(count, _COUNT, SMALL), margins.right, QUIET, lift=9)

    return Chart(title, draw(paint, said, height, margins), said, caption)


def _limits(
    items: Sequence[Bar], bands: Sequence[Band], limits: tuple[float, float] | None, title: str
) -> tuple[float, float]:
    for band in bands:
        interval(title, shown(band.label), band.low, band.low, band.low if band.high is None else band.high)
    if limits is not None:
        start, end = finite(limits, title, "limits")
        if not start <= 0 <= end or start == end:
            raise ReportError(f"chart {shown(title)}: bars start at zero, which limits {limits} do not hold")
        return float(start), float(end)
    numbers = [0.0, *(band.low for band in bands), *(band.high for band in bands if band.high is not None)]
    for item in items:
        numbers += [value for value in (item.value, item.low, item.high) if value is not None]
    start, end = min(numbers), max(numbers)
    return start, end if end > start else start + 1.0


def _margins(items: Sequence[Bar], rows: int) -> Margins:
    left = 12 + min(_LABEL, max(text_width(fitted(item.label, _LABEL)) for item in items))
    counted = any(item.count is not None for item in items)
    right = 8 + _VALUE + _COUNT * counted
    return Margins(left=left, right=right, top=max(24.0 * counted, 8 + LABEL_ROW * rows))


def _wide(margins: Margins) -> float:
    return WIDTH - margins.left - margins.right


def _figure(value: float, percent: bool) -> str:
    return f"{number(round(100 * value, 1 if abs(value) < 0.1 else 0))} %" if percent else number(value)


def _draw_bands(axes: Axes, bands: Sequence[Band], margins: Margins) -> None:
    tall = axes.get_window_extent().height
    left, right = axes.get_xlim()
    for row, band in enumerate(bands, start=1):
        top = 1 + (4 + LABEL_ROW * (row - 1)) / tall
        if band.high is None:
            axes.plot([band.low] * 2, [0, top], transform=axes.get_xaxis_transform(), color=INK, lw=1, clip_on=False)
        else:
            axes.axvspan(band.low, band.high, color=RULE, alpha=0.6, linewidth=0, clip_on=False)
        side = "left" if band.low < (left + right) / 2 else "right"
        at = band.low if band.high is None or side == "left" else band.high
        label = fitted(band.label, (WIDTH - margins.left) / 2, SMALL)
        axes.annotate(label, (at, 1), (0, 6 + LABEL_ROW * (row - 1)), ha=side, fontsize=SMALL,
                      xycoords=("data", "axes fraction"), textcoords="offset points")  # fmt: skip


def _draw_bar(axes: Axes, row: int, item: Bar, percent: bool, margins: Margins) -> None:
    axes.barh(row, item.value, height=0.6, color=QUIET if item.grey else ACCENT, alpha=0.7, linewidth=0)
    if item.low is not None and item.high is not None:
        axes.plot([item.low, item.high], [row, row], color=INK, linewidth=2)
    _beside(axes, row, fitted(item.label, _LABEL), -8, INK, at=0.0)
    _beside(axes, row, _figure(item.value, percent), _VALUE, INK)
    if item.count is not None:
        _beside(axes, row, f"{item.count:,}", margins.right, QUIET)


def _beside(axes: Axes, row: float, text: str, away: float, colour: str, at: float = 1.0, lift: float = 0.0) -> None:
    """Write text that ends ``away`` from the right (1) or left (0) end of the axes."""
    axes.annotate(
        text, (at, row), (away, lift), xycoords=("axes fraction", "data"), textcoords="offset points",
        ha="right", va="center", color=colour,
    )  # fmt: skip
