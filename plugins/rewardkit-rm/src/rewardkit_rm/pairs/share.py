"""A share with its interval."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike
from pydantic import BaseModel, ConfigDict
from rewardkit_audit.wilson import wilson

__all__ = ["Share"]


class Share(BaseModel):
    """A share of independent trials, with its 95 % Wilson interval.

    Weighted trials count as ``(Σw)² / Σw²`` of them (Kish 1965); see `rewardkit_audit.wilson`. Pairs that share a
    prompt are not independent: where there are many of a prompt, and their weight does not make up for it, the interval
    is too narrow.

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
        trials = float(weight.sum()) ** 2 / float(weight @ weight)
        low, high = wilson(share * trials, trials)
        return cls(total=len(weight), share=share, low=low, high=high)
