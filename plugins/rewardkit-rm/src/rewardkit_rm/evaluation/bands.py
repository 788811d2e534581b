"""Levels that published work names for reward models, as bands to read figures by."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

__all__ = ["ACCURACY", "RANK_CORRELATION", "SPILL_OVER", "Band", "band_of"]


class Band(NamedTuple):
    """A range of a figure, ``low <= figure < high``, and what it means."""

    low: float
    high: float
    name: str


_FLOOR = 0.65

ACCURACY: tuple[Band, ...] = (
    Band(0.0, 0.5, "worse than a coin"),
    Band(0.5, _FLOOR, "below the floor"),
    Band(_FLOOR, 0.7, "above the floor"),
    Band(0.7, 0.8, "good for a first model"),
    Band(0.8, 0.95, "as published models on validation data"),
    Band(0.95, 1.01, "above published levels: look for leakage"),
)
"""Pairwise accuracy on held-out pairs: at least 65 % before any use, 70 % at first, 80 to 95 % published."""

SPILL_OVER: tuple[Band, ...] = (
    Band(0.0, 0.5, "worse than a coin"),
    Band(0.5, _FLOOR, "below the floor"),
    Band(_FLOOR, 0.75, "above the floor"),
    Band(0.75, 1.01, "as published models on other domains"),
)
"""Pairwise accuracy on domains that the model was not trained on."""

RANK_CORRELATION: tuple[Band, ...] = (
    Band(-1.0, 0.0, "against the ratings"),
    Band(0.0, 0.3, "weak"),
    Band(0.3, 0.7, "moderate"),
    Band(0.7, 1.01, "as published models against human ratings"),
)
"""Spearman's rank correlation with human ratings."""


def band_of(value: float | None, bands: Sequence[Band]) -> str:
    """Return the name of the band that holds a figure; nothing where there is no figure.

    >>> band_of(0.83, ACCURACY), band_of(0.6, SPILL_OVER), band_of(None, ACCURACY)
    ('as published models on validation data', 'below the floor', '')
    """
    return next((band.name for band in bands if value is not None and band.low <= value < band.high), "")
