"""Figures in words, the same in the terminal and on the page."""

from __future__ import annotations

from typing import Literal

from rewardkit.cli.screen import figure
from rewardkit_rm.evaluation.evaluation import Figure

__all__ = ["Unit", "interval", "told", "with_interval"]

Unit = Literal["number", "percent", "points"]
"""A number as it is, a share in percent, or a difference of two shares in percentage points."""


def told(value: float | None, unit: Unit = "number") -> str:
    """Return a figure in its unit.

    >>> told(0.0416, "points"), told(-0.2, "points"), told(0.0416, "percent"), told(0.0416)
    ('+4.2 points', '-20.0 points', '4.2 %', '0.042')
    """
    if value is None:
        return "–"
    return f"{_plain(value, unit)}{_SIGNS[unit]}"


def interval(found: Figure, unit: Unit = "number") -> str:
    """Return the interval of a figure; nothing where there is none.

    >>> found = Figure(value=0.05, interval=(-0.01, 0.11))
    >>> interval(found, "percent"), interval(found, "points")
    ('-1.0 to 11.0 %', '-1.0 to +11.0')
    """
    if found.interval is None:
        return ""
    low, high = (_plain(end, unit) for end in found.interval)
    return f"{low} to {high} %" if unit == "percent" else f"{low} to {high}"


def with_interval(found: Figure, unit: Unit = "number") -> str:
    """Return a figure with its interval in brackets.

    >>> with_interval(Figure(value=0.5, interval=(0.41, 0.59)))
    '0.5 (0.41 to 0.59)'
    """
    around = interval(found, unit)
    return f"{told(found.value, unit)} ({around})" if around else told(found.value, unit)


_SIGNS: dict[Unit, str] = {"number": "", "percent": " %", "points": " points"}


def _plain(value: float, unit: Unit) -> str:
    if unit == "number":
        return figure(value)
    return f"{100 * value:.1f}" if unit == "percent" else f"{100 * value:+.1f}"
