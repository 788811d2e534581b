"""Reward models: preference data, training, evaluation, calibration, a gate before RL, and scoring."""

from typing import TYPE_CHECKING

from rewardkit import Component, hookimpl

if TYPE_CHECKING:
    import click


@hookimpl
def rewardkit_components() -> list[type[Component]]:
    """Return every component of this distribution."""
    from rewardkit_rm.component import RewardModelScorer

    return [RewardModelScorer]


@hookimpl
def rewardkit_commands() -> "list[click.Command]":
    """Return the command ``rewardkit rm``."""
    from rewardkit_rm.cli import rm

    return [rm]
