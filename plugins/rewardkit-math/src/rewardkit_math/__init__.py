"""Verified correctness of mathematical answers as a rewardkit component."""

from rewardkit import Component, hookimpl


@hookimpl
def rewardkit_components() -> list[type[Component]]:
    """Return every component of this distribution."""
    from rewardkit_math.math_verify import MathVerify
    from rewardkit_math.verifier import MathVerifier

    return [MathVerifier, MathVerify]
