"""How numbers are spread."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import PathPatch
from matplotlib.path import Path
from matplotlib.ticker import MaxNLocator
from numpy.typing import ArrayLike, NDArray

from rewardkit.errors import shown
from rewardkit_audit.errors import ReportError
from rewardkit_audit.report.charts.numbers import finite, nothing, same_length, span_of
from rewardkit_audit.report.drawing import ACCENT, LABEL_ROW, QUIET, Margins, across, draw, name_axes, number
from rewardkit_audit.report.parts import Chart

__all__ = ["Mark", "histogram", "histogram_of_counts"]

_BINS = 30


@dataclass(frozen=True)
class Mark:
    """A labelled line across a chart, as in ``Mark(1.0, "needed mean")``."""

    at: float
    label: str


def histogram(
    values: ArrayLike,
    *,
    title: str,
    x: str,
    y: str = "samples",
    marks: Sequence[Mark] = (),
    split: float | None = None,
    caption: str = "",
) -> Chart:
    """Draw how numbers are spread, over about thirty bins of the same width.

    Args:
        values: Numbers, shape ``(N,)``.
        title: What is seen, as in ``36 % of the margins are below zero``.
        x: What the numbers are, with their unit.
        y: What is counted, in the plural.
        marks: Labelled lines.
        split: Bins left of this number are grey; a bin starts there.
        caption: What the reader must know.

    Raises:
        ReportError: If a number is nan, infinite or beyond 1e150.

    Example:
        >>> chart = histogram([0.5, 1.5, -1.0], title="Two of three margins are positive", x="margin", split=0.0)
        >>> chart.description
        'Histogram of margin: 3 samples from −1 to 1.5, median 0.5.'
    """
    known = finite(values, title, x)
    if not len(known):
        return nothing(title, caption)
    edges = _edges(known, split)
    bins = np.clip(np.searchsorted(edges, known, side="right") - 1, 0, len(edges) - 2)
    low, middle, high = (number(float(of(known))) for of in (np.min, np.median, np.max))
    description = f"Histogram of {x}: {len(known):,} {y} from {low} to {high}, median {middle}."
    counts = np.bincount(bins, minlength=len(edges) - 1)
    return Chart(
        title, _drawn(counts, edges, x, y, _checked(marks, split, title), split, description), description, caption
    )


def histogram_of_counts(
    counts: ArrayLike,
    edges: ArrayLike,
    *,
    title: str,
    x: str,
    y: str = "samples",
    marks: Sequence[Mark] = (),
    split: float | None = None,
    caption: str = "",
) -> Chart:
    """Draw a histogram that was counted elsewhere, as `rewardkit.histogram.Histogram` does over a stream.

    Args:
        counts: How many numbers each bin holds, shape ``(B,)``; never negative.
        edges: Where bins start and end, rising, shape ``(B + 1,)``.
        title: What is seen.
        x: What the numbers are, with their unit.
        y: What is counted, in the plural.
        marks: Labelled lines.
        split: Bins left of this number are grey.
        caption: What the reader must know.

    Raises:
        ReportError: If edges do not rise or do not fit the counts, or a number is negative, nan or infinite.
    """
    known, bounds = finite(counts, title, "counts"), finite(edges, title, "edges")
    same_length(title, "bins between edges", bounds[1:], "counts", known)
    if (known < 0).any() or (np.diff(bounds) <= 0).any():
        raise ReportError(f"chart {shown(title)}: counts must not be negative, and edges must rise")
    if not known.any():
        return nothing(title, caption)
    low, high = number(float(bounds[0])), number(float(bounds[-1]))
    description = f"Histogram of {x}: {int(known.sum()):,} {y} from {low} to {high}."
    return Chart(
        title, _drawn(known, bounds, x, y, _checked(marks, split, title), split, description), description, caption
    )


def _edges(values: NDArray[np.float64], split: float | None) -> NDArray[np.float64]:
    low, high = span_of(values)
    if split is None or not low < split < high:
        return np.linspace(low, high, _BINS + 1)
    width = (high - low) / _BINS
    steps = np.arange(math.floor((low - split) / width), math.ceil((high - split) / width) + 1)
    return split + width * steps.astype(np.float64)


def _checked(marks: Sequence[Mark], split: float | None, title: str) -> Sequence[Mark]:
    finite([mark.at for mark in marks], title, "marks")
    finite([0.0 if split is None else split], title, "split")
    return marks


def _drawn(
    counts: NDArray[np.generic],
    edges: NDArray[np.float64],
    x: str,
    y: str,
    marks: Sequence[Mark],
    split: float | None,
    description: str,
) -> str:
    margins = Margins(top=26 + LABEL_ROW * len(marks))

    def paint(axes: Axes) -> None:
        right = edges[:-1] >= (-math.inf if split is None else split)
        for chosen, colour in ((right, ACCENT), (~right, QUIET)):
            axes.add_patch(PathPatch(_bars(counts[chosen], edges[:-1][chosen], edges[1:][chosen]), fc=colour, lw=0))
        places = [mark.at for mark in marks]
        axes.set_xlim(min(edges[0], *places, edges[0]), max(edges[-1], *places, edges[-1]))
        axes.set_ylim(0, float(counts.max()) * 1.05)
        axes.yaxis.set_major_locator(MaxNLocator(5, integer=True))
        name_axes(axes, x, y, margins)
        across(axes, [(mark.at, mark.label) for mark in marks])

    return draw(paint, description, 274 + margins.top, margins)


def _bars(counts: NDArray[np.generic], left: NDArray[np.float64], right: NDArray[np.float64]) -> Path:
    """Return one path of all bars, a hair apart."""
    gap = (right - left) * 0.03
    zero = np.zeros(len(counts))
    x = np.stack([left + gap, left + gap, right - gap, right - gap, left], axis=1)
    y = np.stack([zero, counts, counts, zero, zero], axis=1)
    codes = [Path.MOVETO, Path.LINETO, Path.LINETO, Path.LINETO, Path.CLOSEPOLY] * len(counts)
    return Path(np.stack([x.ravel(), y.ravel()], axis=1), codes)
