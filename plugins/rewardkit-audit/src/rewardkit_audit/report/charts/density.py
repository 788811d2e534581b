"""One number against another."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import PathPatch
from matplotlib.path import Path
from matplotlib.ticker import FixedLocator, FuncFormatter
from numpy.typing import ArrayLike, NDArray

from rewardkit.errors import shown
from rewardkit_audit.errors import ReportError
from rewardkit_audit.report.charts.numbers import finite, nothing, same_length, span_of
from rewardkit_audit.report.drawing import ACCENT, INK, QUIET, SMALL, Margins, draw, name_axes, number
from rewardkit_audit.report.parts import Chart

__all__ = ["density"]

_POINTS = 300
_COLUMNS, _LINES = 40, 28
_SHADES = 6
_PARTS = 12
_NEEDED = 5


def density(
    x_values: ArrayLike,
    y_values: ArrayLike,
    *,
    title: str,
    x: str,
    y: str,
    log_x: bool = False,
    caption: str = "",
) -> Chart:
    """Draw one number against another: up to 300 points as points, more as the shade of 40 by 28 cells.

    A line follows the median of ``y`` over twelfths of the points in the order of ``x``; a twelfth needs five points.

    Args:
        x_values: As in lengths in characters, shape ``(N,)``.
        y_values: As in rewards, shape ``(N,)``.
        title: What is seen, as in ``Longer answers get higher rewards``.
        x: What stands across, with its unit.
        y: What stands up, with its unit.
        log_x: Whether ``x`` grows by factors: at ``log(1 + x)``, so that 0 has a place.
        caption: What the reader must know; how the cells are shaded is added.

    Raises:
        ReportError: If a number is nan, infinite or beyond 1e150, one row is longer, or ``log_x`` meets a negative
            number.

    Example:
        >>> density([0, 10, 1000], [0.1, 0.2, 0.9], title="Longer is better", x="characters", y="reward",
        ...     log_x=True).description
        'reward against characters: 3 points, characters from 0 to 1,000, reward from 0.1 to 0.9.'
    """
    across, up = finite(x_values, title, x), finite(y_values, title, y)
    same_length(title, x, across, y, up)
    if not len(across):
        return nothing(title, caption)
    if log_x and across.min() < 0:
        raise ReportError(f"chart {shown(title)}: {x}: a logarithmic axis holds no negative number: {across.min()}")
    description = f"{y} against {x}: {len(across):,} points, {_range(x, across)}, {_range(y, up)}."
    placed = np.log1p(across) if log_x else across
    cells = None if len(across) <= _POINTS else _cells(placed, up)
    if cells is not None:
        caption = f"{caption} Darker: more of the {len(across):,} points.".strip()

    def paint(axes: Axes) -> None:
        if cells is None:
            axes.scatter(placed, up, s=14, color=ACCENT, alpha=0.5, linewidths=0, clip_on=False)
        else:
            _shade(axes, *cells)
        _draw_median(axes, placed, up)
        _place(axes, placed, up, log_x)
        name_axes(axes, f"{x} (logarithmic)" if log_x else x, y, Margins())

    return Chart(title, draw(paint, description), description, caption)


def _range(name: str, values: NDArray[np.float64]) -> str:
    return f"{name} from {number(float(values.min()))} to {number(float(values.max()))}"


def _cells(
    x: NDArray[np.float64], y: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    counts, across, up = np.histogram2d(x, y, bins=(_COLUMNS, _LINES), range=(span_of(x), span_of(y)))
    return counts, across, up


def _shade(axes: Axes, counts: NDArray[np.float64], x: NDArray[np.float64], y: NDArray[np.float64]) -> None:
    """Draw one path for each shade; the square root keeps cells of few points in sight."""
    shades = np.ceil(_SHADES * np.sqrt(counts / counts.max()))
    for shade in range(1, _SHADES + 1):
        boxes = [_box(x[i], x[i + 1], y[j], y[j + 1]) for i, j in np.argwhere(shades == shade)]
        if boxes:
            path = Path.make_compound_path(*boxes)
            axes.add_patch(PathPatch(path, facecolor=ACCENT, alpha=0.1 + 0.9 * shade / _SHADES, linewidth=0))


def _box(left: float, right: float, low: float, high: float) -> Path:
    corners = [(left, low), (left, high), (right, high), (right, low), (left, low)]
    return Path(corners, [Path.MOVETO, Path.LINETO, Path.LINETO, Path.LINETO, Path.CLOSEPOLY])


def _draw_median(axes: Axes, x: NDArray[np.float64], y: NDArray[np.float64]) -> None:
    parts = [part for part in np.array_split(np.argsort(x, kind="stable"), _PARTS) if len(part) >= _NEEDED]
    places = [(float(np.median(x[part])), float(np.median(y[part]))) for part in parts]
    if len({place for place, _ in places}) < 2:
        return
    axes.plot(*zip(*places, strict=True), color=INK, linewidth=1.75)
    axes.annotate("median", places[-1], (5, 0), textcoords="offset points", va="center", fontsize=SMALL)


def _place(axes: Axes, x: NDArray[np.float64], y: NDArray[np.float64], log_x: bool) -> None:
    (left, right), (low, high) = span_of(x), span_of(y)
    axes.set_xlim(left, right)
    axes.set_ylim(low - 0.03 * (high - low), high + 0.03 * (high - low))
    if low < 0 < high:
        axes.axhline(0, color=QUIET, linewidth=1)
    if log_x:
        ticks = np.log1p([0.0, *(10.0**power for power in range(151))])
        within = ticks[(ticks >= left) & (ticks <= right)]
        axes.xaxis.set_major_locator(FixedLocator(list(within[:: max(1, len(within) // 6)])))
        axes.xaxis.set_major_formatter(FuncFormatter(lambda place, _: number(round(float(np.expm1(place))))))
