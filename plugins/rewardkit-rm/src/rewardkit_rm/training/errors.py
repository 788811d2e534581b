"""What can go wrong in training."""

from __future__ import annotations

from rewardkit.errors import RewardKitError

__all__ = ["TrainingError"]


class TrainingError(RewardKitError):
    """A run that cannot start, go on or be saved; the message says why, and what is kept."""
