"""Verified correctness of mathematical answers as a rewardkit component."""

from typing import TYPE_CHECKING

from rewardkit import Component, hookimpl

if TYPE_CHECKING:
    import click


@hookimpl
def rewardkit_components() -> list[type[Component]]:
    """Return every component of this distribution."""
    from rewardkit_math.math_verify import MathVerify
    from rewardkit_math.verifier import MathVerifier

    return [MathVerifier, MathVerify]


@hookimpl
def rewardkit_commands() -> "list[click.Command]":
    """Return the command ``rewardkit math``."""
    from rewardkit_math.command import math

    return [math]
