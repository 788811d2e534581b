"""Calibration: the fixed mean and standard deviation that normalise a score."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Annotated, Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from pydantic import BaseModel, ConfigDict, Field, field_validator

from rewardkit.errors import RewardKitError, shown

__all__ = ["Calibration", "standardise_groups"]

_SAME = 1e-8
_DRIFT_ROWS = 64
_DRIFT_STDS = 2.0
_DRIFT_RATIO = 3.0


class Calibration(BaseModel):
    """Normalise a score by the mean and standard deviation of a fixed calibration set.

    ``z = (score - mean) / std``, then clipped to ``[-clip, clip]``. The set stays the same for the whole run, so
    that a score means the same at every step; the statistics of the current batch are never used. Model, temperature
    and quantiles are records: they change no score.

    Example:
        >>> calibration = Calibration.fit([1.0, 2.0, 3.0], clip=1.0)
        >>> calibration.apply(np.array([2.0, 99.0])).tolist()
        [0.0, 1.0]
    """

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid", defer_build=True)

    mean: float = Field(allow_inf_nan=False, description="Mean of the scores of the calibration set.")
    std: float = Field(gt=0, allow_inf_nan=False, description="Their population standard deviation.")
    clip: float | None = Field(default=None, gt=0, description="Clip to this many standard deviations.")
    n: int | None = Field(default=None, ge=1, description="Number of scores it was fitted on.")
    component: str | None = Field(default=None, description="The component that was calibrated.")
    version: str | None = Field(default=None, description="Its version.")
    model: str | None = Field(default=None, description="Digest of the model that gave the scores.")
    temperature: float | None = Field(
        default=None, gt=0, allow_inf_nan=False, description="T in P(a is better than b) = sigmoid((a - b) / T)."
    )
    quantiles: dict[str, Annotated[float, Field(allow_inf_nan=False)]] | None = Field(
        default=None, description='Level to quantile of the scores, as in {"0.05": -1.2, "0.5": 0.3}.'
    )

    @field_validator("quantiles")
    @classmethod
    def _increasing(cls, quantiles: dict[str, float] | None) -> dict[str, float] | None:
        values = [value for _, value in sorted((_level(name), value) for name, value in (quantiles or {}).items())]
        if values != sorted(values):
            raise ValueError(f"quantiles must grow with their level, got {quantiles}")
        return quantiles

    @classmethod
    def fit(cls, scores: ArrayLike, clip: float | None = None, component: str | None = None) -> Self:
        """Fit mean and std on the scores of a calibration set; nan (abstained) is left out.

        Raises:
            RewardKitError: If fewer than two scores remain, all are equal, or one is infinite.
        """
        values = np.asarray(scores, dtype=np.float64)
        values = values[~np.isnan(values)]
        if not np.isfinite(values).all():
            raise RewardKitError("calibration needs finite scores")
        if len(values) < 2 or values.std() <= _SAME * np.abs(values).mean():
            raise RewardKitError(f"calibration needs at least two different scores, got {len(values)} without spread")
        return cls(mean=float(values.mean()), std=float(values.std()), clip=clip, n=len(values), component=component)

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """Read a calibration file (JSON).

        Raises:
            OSError: If the file cannot be read.
            pydantic.ValidationError: If it is no calibration.
        """
        return cls.model_validate_json(Path(path).read_bytes())

    def save(self, path: str | Path) -> None:
        """Write a calibration file (JSON)."""
        Path(path).write_text(self.model_dump_json(indent=2, exclude_none=True) + "\n")

    def apply(self, scores: NDArray[np.float64]) -> NDArray[np.float64]:
        """Normalise scores, shape ``(N,)``; nan stays nan."""
        z = (scores - self.mean) / self.std
        return z if self.clip is None else np.clip(z, -self.clip, self.clip)

    def drift(self, scores: NDArray[np.float64]) -> str | None:
        """Say how far a batch has drifted from the calibration set, or None.

        Reported from 64 scores on, when the batch mean lies more than two standard deviations from the calibrated
        mean, or the batch's spread is less than a third or more than three times the calibrated one.
        """
        values = scores[~np.isnan(scores)]
        if len(values) < _DRIFT_ROWS:
            return None
        shift, ratio = (values.mean() - self.mean) / self.std, values.std() / self.std
        if abs(shift) <= _DRIFT_STDS and 1 / _DRIFT_RATIO <= ratio <= _DRIFT_RATIO:
            return None
        return f"drifted from its calibration: mean {shift:+.1f} std away, spread {ratio:.2f} times the calibrated one"


def _level(name: str) -> float:
    try:
        level = float(name)
    except ValueError:
        level = math.nan
    if not 0 < level < 1:
        raise ValueError(f"the level of a quantile lies between 0 and 1, got {shown(name)}")
    return level


def standardise_groups(scores: NDArray[np.float64], group: NDArray[Any]) -> NDArray[np.float64]:
    """Standardise scores within their group: ``(score - group mean) / group std``.

    Args:
        scores: Shape ``(N,)``; nan is left out of the statistics and stays nan.
        group: The group of each sample, shape ``(N,)``.

    Returns:
        Shape ``(N,)``; 0 throughout a group whose scores are all equal.

    Example:
        >>> standardise_groups(np.array([1.0, 3.0, 5.0]), np.array([0, 0, 1])).tolist()
        [-1.0, 1.0, 0.0]
    """
    _, index = np.unique(group, return_inverse=True)
    known = ~np.isnan(scores)
    values = np.where(known, scores, 0.0)
    count = np.maximum(np.bincount(index, weights=known), 1.0)
    centred = values - (np.bincount(index, weights=values) / count)[index]
    centred[~known] = 0.0
    std = np.sqrt(np.bincount(index, weights=centred**2) / count)[index]
    scale = (np.bincount(index, weights=np.abs(values)) / count)[index]
    flat = std <= _SAME * scale
    out = np.where(flat, 0.0, centred / np.where(flat, 1.0, std))
    out[~known] = np.nan
    return out
