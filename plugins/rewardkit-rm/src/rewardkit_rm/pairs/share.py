"""A share with its interval."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike
from pydantic import BaseModel, ConfigDict

__all__ = ["Share"]

_Z = 1.959964


class Share(BaseModel):
    """A share of independent trials, with the 95 % interval of Wilson (1927).

    With the share ``p``, ``n`` trials and ``z = 1.96``, the interval is
    ``(p + z²/2n ± z * sqrt(p(1-p)/n + z²/4n²)) / (1 + z²/n)``; it never leaves 0 to 1, and holds up for few trials.
    Weighted trials count as ``n = (Σw)² / Σw²`` (Kish 1965). Pairs that share a prompt are not independent: where
    there are many of a prompt, and their weight does not make up for it, the interval is too narrow.

    Attributes:
        total: Trials.
        share: Weight of those that are true, divided by the weight of all; None without weight, as are the ends of
            the interval.
        low: Lower end of the interval.
        high: Upper end of the interval.
    """

    model_config = ConfigDict(frozen=True, defer_build=True)

    total: int
    share: float | None = None
    low: float | None = None
    high: float | None = None

    @classmethod
    def of(cls, true: ArrayLike, weights: ArrayLike) -> Share:
        """Return the share of what is true, shape ``(N,)``, by weights, shape ``(N,)``.

        >>> found = Share.of([True] * 9 + [False], np.ones(10))
        >>> round(found.low, 3), round(found.high, 3)
        (0.596, 0.982)
        """
        weight = np.asarray(weights, dtype=np.float64)
        if not weight.sum() > 0:
            return cls(total=len(weight))
        share = float(weight @ np.asarray(true, dtype=np.float64) / weight.sum())
        part = _Z**2 * float(weight @ weight) / float(weight.sum()) ** 2
        centre = (share + part / 2) / (1 + part)
        half = math.sqrt(part * share * (1 - share) + part**2 / 4) / (1 + part)
        return cls(total=len(weight), share=share, low=max(0.0, centre - half), high=min(1.0, centre + half))
