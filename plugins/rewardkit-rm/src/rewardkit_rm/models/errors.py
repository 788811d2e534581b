"""What a user can get wrong about a model."""

from __future__ import annotations

from rewardkit.errors import RewardKitError

__all__ = ["ModelError"]


class ModelError(RewardKitError):
    """A reward model that cannot be made, loaded, saved or used; the message says which, why, and what would be."""
