"""Tasks on their way, and the batches that wait for them."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future
from typing import Any

from rewardkit.errors import shown
from rewardkit.isolation.forkserver import encoded
from rewardkit.isolation.outcome import JSON, TaskError, TaskOutcome

__all__ = ["Batch", "Task", "payloads"]


class Batch:
    """The tasks that one caller waits for.

    Attributes:
        tasks: In order.
        future: Gets the outcomes in order or, of a single task, its outcome. A caller that cancels it is not waiting
            any more, so what has not begun is dropped.
    """

    def __init__(self, payloads: Sequence[bytes], single: bool = False) -> None:
        self.tasks = [Task(payload, self, index) for index, payload in enumerate(payloads)]
        self.future: Future[Any] = Future()
        self._single = single
        self._outcomes: list[TaskOutcome | None] = [None] * len(payloads)
        self._open = len(payloads)

    @property
    def settled(self) -> bool:
        """Whether every task has come to an end."""
        return not self._open

    def settle(self, index: int, outcome: TaskOutcome) -> None:
        """Take the outcome of one task; the last one ends the wait."""
        self._outcomes[index] = outcome
        self._open -= 1
        if not self._open and self.future.set_running_or_notify_cancel():
            self.future.set_result(self._outcomes[0] if self._single else self._outcomes)

    def fail(self, error: Exception) -> None:
        """End the wait with an error."""
        if self.future.set_running_or_notify_cancel():
            self.future.set_exception(error)


class Task:
    """One task, and what it has done to workers.

    Attributes:
        deaths: How many workers died while it ran.
        crashes: How many of these deaths nobody else can have caused.
    """

    __slots__ = ("batch", "crashes", "deaths", "index", "payload")

    def __init__(self, payload: bytes, batch: Batch, index: int) -> None:
        self.payload = payload
        self.batch = batch
        self.index = index
        self.deaths = 0
        self.crashes = 0

    def settle(self, outcome: TaskOutcome) -> None:
        """Hand the outcome to the batch."""
        self.batch.settle(self.index, outcome)


def payloads(tasks: Sequence[JSON], frame_bytes: int) -> list[bytes]:
    """Return each task as JSON.

    Raises:
        TaskError: If a task is no JSON value, or longer than ``frame_bytes``; names its place.
    """
    return [_payload(task, place, frame_bytes) for place, task in enumerate(tasks)]


def _payload(task: JSON, place: int, frame_bytes: int) -> bytes:
    try:
        payload = encoded(task).encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise TaskError(f"task {place} is no JSON value: {error}: {shown(task)}") from error
    if len(payload) > frame_bytes:
        raise TaskError(
            f"task {place} has {len(payload):,} bytes of JSON, at most {frame_bytes:,} may be sent (frame_bytes)"
        )
    return payload
