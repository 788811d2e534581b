"""What one comparison carries along: the policy, the seed of its random points, and what it may still spend."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from rewardkit_math.formulas.tree import Tree
from rewardkit_math.policy import Policy, Settlement

__all__ = ["MAX_NESTING", "MAX_WORK", "OutOfWorkError", "Session", "different", "equal", "unsettled"]

MAX_NESTING = 12
"""Deepest nesting of groups and chains that are compared part by part."""
MAX_WORK = 20_000
"""Work that one comparison may take; a unit is one operation at 50 digits, three to five microseconds."""


class OutOfWorkError(Exception):
    """The comparison would take more work than it may."""


@dataclass(slots=True)
class Session:
    """One comparison.

    Work is counted, never timed, so that a verdict does not depend on the machine.
    """

    policy: Policy
    seed: bytes
    compare: Callable[[Tree, Tree, Session], Settlement]
    work_left: float = MAX_WORK
    nesting: int = 0

    def spend(self, units: float) -> None:
        """Count work before it is done.

        Raises:
            OutOfWorkError: It is more than what is left.
        """
        self.work_left -= units
        if self.work_left < 0:
            raise OutOfWorkError

    def settle(self, a: Tree, b: Tree) -> Settlement:
        """Compare two parts by all rules."""
        self.spend(1)
        if self.nesting >= MAX_NESTING:
            return unsettled(f"nested deeper than {MAX_NESTING}")
        self.nesting += 1
        settled = self.compare(a, b, self)
        self.nesting -= 1
        return settled


def equal(reason: str) -> Settlement:
    """Return a settlement that says yes."""
    return Settlement(True, reason)


def different(reason: str) -> Settlement:
    """Return a settlement that says no."""
    return Settlement(False, reason)


def unsettled(reason: str, close: bool = False) -> Settlement:
    """Return a settlement that leaves it open."""
    return Settlement(None, f"not settled: {reason}", close)
