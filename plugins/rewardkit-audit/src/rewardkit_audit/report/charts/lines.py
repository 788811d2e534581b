"""Figures that follow a quantity, as best-of-N does."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator
from numpy.typing import NDArray

from rewardkit.errors import shown
from rewardkit_audit.errors import ReportError
from rewardkit_audit.report.charts.numbers import finite, nothing, same_length, span_of
from rewardkit_audit.report.drawing import ACCENT, QUIET, Margins, draw, fitted, name_axes, number, text_width
from rewardkit_audit.report.parts import Chart

__all__ = ["Line", "lines"]

_LABEL = 150.0
_POINTS = 20
_APART = 15.0
_HEIGHT = 300.0


@dataclass(frozen=True)
class Line:
    """Figures in the order of a quantity.

    Attributes:
        label: Its name, written at its end.
        x: The quantity, shape ``(N,)``, rising.
        y: The figures, shape ``(N,)``.
        low: Lower ends of intervals, shape ``(N,)``.
        high: Upper ends of them.
        grey: Whether it is there to be compared with.
    """

    label: str
    x: Sequence[float]
    y: Sequence[float]
    low: Sequence[float] | None = None
    high: Sequence[float] | None = None
    grey: bool = False


@dataclass(frozen=True)
class _Drawn:
    label: str
    x: NDArray[np.float64]
    y: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    grey: bool


def lines(
    items: Sequence[Line], *, title: str, x: str, y: str, log_x: bool = False, percent: bool = False, caption: str = ""
) -> Chart:
    """Draw lines with their intervals, each named at its right end.

    Args:
        items: The lines; one without numbers is left out.
        title: What is seen, as in ``The best of 16 is right twice as often as the first``.
        x: What stands across, with its unit.
        y: What stands up, with its unit.
        log_x: Whether equal factors of ``x`` are equally far apart.
        percent: Whether ``y`` are shares and shown in percent.
        caption: What the reader must know.

    Raises:
        ReportError: If a number is nan or infinite, rows differ in length, ``x`` does not rise or is not above 0
            where ``log_x`` is set, or only one end of the intervals is given.

    Example:
        >>> lines([Line("reward model", [1, 2, 4], [0.2, 0.3, 0.35])], title="More is better", x="answers",
        ...     y="correct", log_x=True).description
        'correct against answers. reward model: 0.2 at 1, 0.35 at 4.'
    """
    known = [_checked(item, title, log_x) for item in items if len(item.x) or len(item.y)]
    if not known:
        return nothing(title, caption)
    description = f"{y} against {x}. {' '.join(map(_ends, known))}"
    margins = Margins(right=14 + min(_LABEL, max(text_width(fitted(item.label, _LABEL)) for item in known)))

    def paint(axes: Axes) -> None:
        if log_x:
            axes.set_xscale("log")
        axes.set_xlim(*_across(known, log_x))
        low, high = span_of(np.concatenate([values for item in known for values in (item.low, item.high)]))
        axes.set_ylim(low - 0.04 * (high - low), high + 0.04 * (high - low))
        _set_ticks(axes, known, percent)
        for item in known:
            _draw_line(axes, item)
        _name_lines(axes, known)
        name_axes(axes, f"{x} (logarithmic)" if log_x else x, y, margins)

    return Chart(title, draw(paint, description, _HEIGHT, margins), description, caption)


def _checked(item: Line, title: str, log_x: bool) -> _Drawn:
    name = shown(item.label)
    if (item.low is None) != (item.high is None):
        raise ReportError(f"chart {shown(title)}: {name}: intervals need both ends")
    rows = [item.x, item.y, item.y if item.low is None else item.low, item.y if item.high is None else item.high]
    x, y, low, high = (finite(row, title, name) for row in rows)
    for other in (y, low, high):
        same_length(title, f"x of {name}", x, "y", other)
    if (np.diff(x) <= 0).any() or (log_x and x.min() <= 0):
        raise ReportError(f"chart {shown(title)}: {name}: x must rise{' and be above 0' if log_x else ''}")
    return _Drawn(item.label, x, y, low, high, item.grey)


def _ends(item: _Drawn) -> str:
    places = [f"{number(item.y[at])} at {number(item.x[at])}" for at in dict.fromkeys((0, len(item.x) - 1))]
    return f"{item.label}: {', '.join(places)}."


def _across(known: Sequence[_Drawn], log_x: bool) -> tuple[float, float]:
    x = np.concatenate([item.x for item in known])
    if not log_x:
        return span_of(x)
    low, high = float(x.min()), float(x.max())
    return (low, high) if high > low * 1.001 else (low / 2, high * 2)


def _set_ticks(axes: Axes, known: Sequence[_Drawn], percent: bool) -> None:
    places = np.unique(np.concatenate([item.x for item in known]))
    if len(places) <= 10:
        axes.xaxis.set_major_locator(FixedLocator(list(places)))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: number(value)))
    if percent:
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{number(round(100 * value, 6))} %"))


def _draw_line(axes: Axes, item: _Drawn) -> None:
    colour = QUIET if item.grey else ACCENT
    if (item.high > item.low).any():
        axes.fill_between(item.x, item.low, item.high, color=colour, alpha=0.2, linewidth=0)
    axes.plot(item.x, item.y, color=colour, linewidth=1.5 if item.grey else 2.0)
    if len(item.x) <= _POINTS:
        axes.scatter(item.x, item.y, s=22, color=colour, linewidths=0, clip_on=False, zorder=3)


def _name_lines(axes: Axes, known: Sequence[_Drawn]) -> None:
    """Write every name at the end of its line, moved up where two would touch."""
    lowest = -np.inf
    for item in sorted(known, key=lambda item: (float(item.y[-1]), item.label)):
        height = float(axes.transData.transform((item.x[-1], item.y[-1]))[1])
        lowest = max(height, lowest + _APART)
        place = {"textcoords": "offset points", "va": "center", "color": QUIET if item.grey else ACCENT}
        end = (float(item.x[-1]), float(item.y[-1]))
        axes.annotate(fitted(item.label, _LABEL), end, (8, lowest - height), annotation_clip=False, **place)  # type: ignore[arg-type]
