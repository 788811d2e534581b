"""What every chart asks of its numbers, and what it says where there are none."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import ArrayLike, NDArray

from rewardkit.errors import shown
from rewardkit_audit.errors import ReportError
from rewardkit_audit.report.drawing import QUIET, draw
from rewardkit_audit.report.parts import Chart

__all__ = ["finite", "interval", "nothing", "same_length", "span_of"]

_LARGEST = 1e150  # squares and spans of what is smaller stay finite


def finite(values: ArrayLike, title: str, name: str) -> NDArray[np.float64]:
    """Return numbers as an array, shape ``(N,)``.

    Raises:
        ReportError: If they are no numbers, not in one row, nan, infinite or beyond 1e150.
    """
    try:
        found = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError):
        raise ReportError(f"chart {shown(title)}: {name}: expected numbers, got {shown(values)}") from None
    if found.ndim != 1:
        raise ReportError(f"chart {shown(title)}: {name}: expected one row of numbers, got shape {found.shape}")
    wrong = np.flatnonzero(~(np.abs(found) <= _LARGEST))
    if len(wrong):
        value = found[wrong[0]]
        raise ReportError(f"chart {shown(title)}: {name}: number {wrong[0]} is {value}; leave out what has no number")
    return found


def same_length(title: str, name: str, values: NDArray[np.float64], other: str, others: NDArray[np.float64]) -> None:
    """Refuse two rows of numbers of which one is longer.

    Raises:
        ReportError: If it is.
    """
    if len(values) != len(others):
        raise ReportError(f"chart {shown(title)}: {len(values)} numbers for {name}, {len(others)} for {other}")


def interval(title: str, name: str, value: float, low: float | None, high: float | None) -> tuple[float, float] | None:
    """Return an interval around a value, or None where there is none.

    Raises:
        ReportError: If a number is not finite, only one end is given, or the ends stand the wrong way round.
    """
    if low is None and high is None:
        finite([value], title, name)
        return None
    if low is None or high is None:
        raise ReportError(f"chart {shown(title)}: {name}: an interval needs both ends")
    finite([value, low, high], title, name)
    if low > high:
        raise ReportError(f"chart {shown(title)}: {name}: the interval ends ({high}) before it starts ({low})")
    return low, high


def span_of(values: NDArray[np.float64]) -> tuple[float, float]:
    """Return the lowest and highest number, set apart where they are nearly the same."""
    low, high = float(values.min()), float(values.max())
    room = max(abs(low), abs(high)) * 1e-6
    if high - low > room:
        return low, high
    room = max(0.5, 1000 * room)
    return low - room, high + room


def nothing(title: str, caption: str, why: str = "There is nothing to show.") -> Chart:
    """Return a chart that says that there are no numbers."""

    def paint(axes: Axes) -> None:
        axes.axis("off")
        axes.text(0.5, 0.5, why, transform=axes.transAxes, ha="center", va="center", color=QUIET)

    return Chart(title, draw(paint, why, height=90), why, caption)
