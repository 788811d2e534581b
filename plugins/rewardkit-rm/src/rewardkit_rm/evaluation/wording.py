"""Figures in words, the same in the terminal and on the page."""

from __future__ import annotations

from rewardkit.cli.screen import figure
from rewardkit_rm.evaluation.evaluation import Figure

__all__ = ["interval", "percent_points", "with_interval"]


def percent_points(share: float | None) -> str:
    """Return a share in percent, to one decimal.

    >>> percent_points(0.63512), percent_points(None)
    ('63.5 %', '–')
    """
    return "–" if share is None else f"{100 * share:.1f} %"


def interval(found: Figure, share: bool = False) -> str:
    """Return the interval of a figure; nothing where there is none.

    >>> interval(Figure(value=0.5, interval=(0.41, 0.59)), share=True)
    '41.0 to 59.0 %'
    """
    if found.interval is None:
        return ""
    low, high = found.interval
    return f"{100 * low:.1f} to {100 * high:.1f} %" if share else f"{figure(low)} to {figure(high)}"


def with_interval(found: Figure, share: bool = False) -> str:
    """Return a figure with its interval in brackets.

    >>> with_interval(Figure(value=0.5, interval=(0.41, 0.59)))
    '0.5 (0.41 to 0.59)'
    """
    value = percent_points(found.value) if share else figure(found.value)
    told = interval(found, share)
    return f"{value} ({told})" if told else value
