"""Tasks that wait for a worker, and what a worker's death means for the task that ran in it."""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Sequence
from hashlib import blake2b

from rewardkit.isolation.outcome import TaskOutcome
from rewardkit.isolation.task import Batch, Task

__all__ = ["TaskQueue"]

CRASHES = 2
REMEMBERED = 1_024
CHUNK_BYTES = 1 << 16


class TaskQueue:
    """First come, first served, but for suspects: tasks in which a worker died go first, alone, to a fresh worker.

    A task is quarantined when two workers died in it by themselves (a fault, an exit): equal tasks are refused from
    then on, of the latest 1,024 kinds. A task whose workers were killed from outside in each of ``1 + retries`` tries
    comes to the same end, but an equal one has its chance: it may have been bad luck.

    Args:
        retries: See `WorkerPool`.
    """

    def __init__(self, retries: int) -> None:
        self._retries = retries
        self._batches: set[Batch] = set()
        self._pending: deque[Task] = deque()
        self._suspects: deque[Task] = deque()
        self._quarantine: OrderedDict[bytes, str] = OrderedDict()

    def __len__(self) -> int:
        return len(self._pending) + len(self._suspects)

    def add(self, batch: Batch) -> None:
        """Take a batch."""
        self._batches.add(batch)
        self._pending.extend(batch.tasks)

    def settle(self, task: Task, outcome: TaskOutcome) -> None:
        """End a task."""
        task.settle(outcome)
        if task.batch.settled:
            self._batches.discard(task.batch)

    def fail(self, error: Exception) -> None:
        """End every batch that is not settled with an error."""
        batches, self._batches = self._batches, set()
        self._pending.clear()
        self._suspects.clear()
        for batch in batches:
            if not batch.settled:  # it is, if a callback has raised what ends threads
                batch.fail(error)

    def chunk(self, most: int) -> list[Task]:
        """Return up to ``most`` tasks, fewer where they are long."""
        tasks: list[Task] = []
        size = 0
        while self._pending and len(tasks) < most and size < CHUNK_BYTES:
            task = self._pending.popleft()
            if self._is_wanted(task):
                tasks.append(task)
                size += len(task.payload)
        return tasks

    def suspect(self) -> Task | None:
        """Return the next suspect without taking it."""
        while self._suspects:
            if self._is_wanted(self._suspects[0]):
                return self._suspects[0]
            self._suspects.popleft()
        return None

    def take_suspect(self) -> Task:
        """Take the suspect that `suspect` has returned."""
        return self._suspects.popleft()

    def is_last_try(self, task: Task) -> bool:
        """Tell whether nothing else may run beside the task: it may be what kills workers other than its own."""
        return 0 < self._retries <= task.deaths

    def give_back(self, tasks: Sequence[Task]) -> None:
        """Put tasks that never began where they came from."""
        for task in reversed(tasks):
            (self._suspects if task.deaths else self._pending).appendleft(task)

    def doubt(self, task: Task) -> None:
        """Try a task again in a fresh worker, so that nothing before it decides its fate."""
        self._suspects.append(task)

    def charge(self, task: Task, crashed: bool, how: str) -> None:
        """Count a death against the task that ran: ``crashed`` if nobody else can have caused it."""
        task.deaths += 1
        task.crashes += crashed
        if task.crashes < CRASHES and task.deaths <= self._retries:
            self.doubt(task)
            return
        reason = f"{task.deaths} worker{'s' if task.deaths > 1 else ''} died in it; the last {how}"
        if task.crashes >= CRASHES:
            self._remember(task, reason)
        self.settle(task, TaskOutcome("crashed", reason=reason))

    def _remember(self, task: Task, reason: str) -> None:
        self._quarantine[_digest(task)] = reason
        if len(self._quarantine) > REMEMBERED:
            self._quarantine.popitem(last=False)

    def _is_wanted(self, task: Task) -> bool:
        """Drop a task whose caller has gone, and settle one that is equal to a quarantined one."""
        if task.batch.future.cancelled():
            self._batches.discard(task.batch)
            return False
        known = self._quarantine.get(_digest(task)) if self._quarantine else None
        if known is not None:
            self.settle(task, TaskOutcome("crashed", reason=f"an equal task is quarantined: {known}"))
        return known is None


def _digest(task: Task) -> bytes:
    return blake2b(task.payload, digest_size=16).digest()
