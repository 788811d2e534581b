"""What a task may come to, and what the pool itself may refuse."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple, TypeAlias, Union

from rewardkit.errors import RewardKitError

__all__ = ["JSON", "PoolError", "Status", "TaskError", "TaskOutcome"]

JSON: TypeAlias = Union[bool, int, float, str, Sequence["JSON"], Mapping[str, "JSON"], None]  # noqa: UP007 (it is recursive)
"""What ``json.dumps`` writes: a tuple arrives as a list, a key as a string; NaN and infinities are refused."""

Status: TypeAlias = Literal["done", "error", "timeout", "stalled", "memory", "crashed"]
"""The closed set of ends that a task may come to; see `TaskOutcome`."""


class PoolError(RewardKitError, RuntimeError):
    """A pool that cannot work: it is closed, its function cannot be imported, or no worker stays alive."""


class TaskError(RewardKitError, ValueError):
    """A task that cannot be sent: it is no JSON value, or it is too large."""


class TaskOutcome(NamedTuple):
    """What became of one task. Exactly one of six ends, so that a caller can decide about each of them.

    Attributes:
        status: One of:

            - ``"done"``: the function returned; ``value`` holds what, as plain JSON.
            - ``"error"``: the function raised, or returned what is no JSON value.
            - ``"timeout"``: the task spent its CPU seconds. Its own doing, so it is not tried again.
            - ``"stalled"``: the wall clock ran out although the task had not spent its CPU seconds. The machine is
              overloaded, the worker was stopped, or the task slept: this says nothing about the task.
            - ``"memory"``: the task wanted more than its memory, in a worker that had run nothing else before.
            - ``"crashed"``: the task killed its workers and is quarantined.
        value: What the function returned; None unless done.
        reason: The same in words; empty when done. It may quote the function's own message, so treat it as text that
            the task may have written.
    """

    status: Status
    value: Any = None
    reason: str = ""
