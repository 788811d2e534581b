"""What cannot be reported: values that no chart or table can show, stress cases without fitting scores."""

from __future__ import annotations

from rewardkit.errors import RewardKitError

__all__ = ["ReportError", "StressError"]


class ReportError(RewardKitError, ValueError):
    """A chart or a table that cannot be made; the message names it and says why."""


class StressError(RewardKitError, ValueError):
    """Stress cases or their scores that cannot be used; the message says which and why."""
