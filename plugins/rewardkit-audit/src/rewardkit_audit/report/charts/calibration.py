"""Does a probability come true as often as it says?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes

from rewardkit.errors import shown
from rewardkit_audit.errors import ReportError
from rewardkit_audit.report.charts.numbers import interval, nothing
from rewardkit_audit.report.drawing import ACCENT, QUIET, RULE, SMALL, Margins, draw, name_axes
from rewardkit_audit.report.parts import Chart

__all__ = ["CalibrationBin", "calibration_curve"]


@dataclass(frozen=True)
class CalibrationBin:
    """Predictions that lie close together, and what came of them.

    Attributes:
        predicted: Their mean probability, from 0 to 1.
        observed: The share that came true, from 0 to 1.
        count: How many they are.
        low: Lower end of an interval around ``observed``.
        high: Upper end of it.
    """

    predicted: float
    observed: float
    count: int
    low: float | None = None
    high: float | None = None


def calibration_curve(
    bins: Sequence[CalibrationBin],
    *,
    title: str,
    x: str = "predicted probability",
    y: str = "observed share",
    caption: str = "",
) -> Chart:
    """Draw the observed share over the predicted probability, with the diagonal where both agree.

    Grey columns at the bottom show how many predictions each bin holds. Where every prediction is at least one half,
    as with the more probable side of a pair, the axis starts there.

    Args:
        bins: In any order; a bin of no predictions is left out.
        title: What is seen, as in ``Overconfident: of 90 % only 74 % come true``.
        x: What was predicted.
        y: What was observed.
        caption: What the reader must know.

    Raises:
        ReportError: If a probability is not from 0 to 1, a count is negative, or an interval is none.
    """
    held = sorted((found for found in bins if _checked(found, title)), key=lambda found: found.predicted)
    if not held:
        return nothing(title, caption)
    start = 0.5 if held[0].predicted >= 0.5 else 0.0
    bottom = min(start, *(found.observed if found.low is None else found.low for found in held), 1.0)
    places = ", ".join(f"{found.predicted:.2f} to {found.observed:.2f}" for found in held)
    description = f"{y} against {x} in {len(held)} bins, predicted to observed: {places}."

    def paint(axes: Axes) -> None:
        axes.set_xlim(start, 1)
        axes.set_ylim(bottom, 1)
        _draw_counts(axes, held, bottom)
        axes.plot([start, 1], [start, 1], color=QUIET, linewidth=1)
        axes.annotate("as predicted", (start + 0.98 * (1 - start), 1), (0, 5), ha="right", **_SMALL)  # type: ignore[arg-type]
        _draw_bins(axes, held)
        name_axes(axes, x, y, Margins())

    return Chart(title, draw(paint, description, 330), description, caption)


_SMALL = {"textcoords": "offset points", "fontsize": SMALL, "color": QUIET}


def _checked(found: CalibrationBin, title: str) -> bool:
    """Tell whether a bin holds predictions."""
    if found.count == 0:
        return False
    interval(title, "a bin", found.observed, found.low, found.high)
    interval(title, "a bin", found.predicted, None, None)
    shares = [found.predicted, found.observed, found.low or 0.0, found.high or 0.0]
    if found.count < 0 or not all(0 <= share <= 1 for share in shares):
        raise ReportError(f"chart {shown(title)}: a bin needs shares from 0 to 1 and a count, got {found}")
    return True


def _draw_counts(axes: Axes, held: Sequence[CalibrationBin], bottom: float) -> None:
    most = max(found.count for found in held)
    left, right = axes.get_xlim()
    for found in held:
        top = bottom + 0.15 * (1 - bottom) * found.count / most
        axes.fill_between(
            [found.predicted - 0.012 * (right - left), found.predicted + 0.012 * (right - left)],
            bottom, top, color=RULE, linewidth=0, clip_on=False,
        )  # fmt: skip


def _draw_bins(axes: Axes, held: Sequence[CalibrationBin]) -> None:
    x, y = [found.predicted for found in held], [found.observed for found in held]
    axes.plot(x, y, color=ACCENT, linewidth=1.5, clip_on=False)
    for found in held:
        if found.low is not None and found.high is not None:
            axes.plot([found.predicted] * 2, [found.low, found.high], color=ACCENT, linewidth=1.5, clip_on=False)
    axes.scatter(x, y, s=30, color=ACCENT, linewidths=0, clip_on=False, zorder=3)
