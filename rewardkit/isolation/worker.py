"""The pool's side of one worker: what was sent, what came back, what it has spent."""

from __future__ import annotations

import math
import os
import socket
import sys
import time
from collections import deque
from collections.abc import Iterator
from io import FileIO
from typing import TYPE_CHECKING

from rewardkit.isolation.forkserver import CHUNK, DONE, ERROR, MEMORY, decoded, frame, token
from rewardkit.isolation.frames import FrameReader, Malformed
from rewardkit.isolation.outcome import TaskOutcome

if TYPE_CHECKING:
    from rewardkit.isolation.server import Settings
    from rewardkit.isolation.task import Task

__all__ = ["Worker", "cpu_clock"]

MAX_CHUNK = 64
CHUNK_CPU_SECONDS = 0.002
TAKE_BACK_SECONDS = 0.01


def cpu_clock(pid: int) -> float | None:
    """Return the CPU seconds that a process has spent so far, all its threads together, or None if nobody knows.

    Linux keeps such a clock for every process; reading it costs half a microsecond. Elsewhere a pool has the deadline
    that the kernel keeps for a worker (``RLIMIT_CPU``, up to two seconds late) and the wall clock.
    """
    if sys.platform != "linux":
        return None
    try:
        return time.clock_gettime((~pid << 3) | 2)  # MAKE_PROCESS_CPUCLOCK(pid, CPUCLOCK_SCHED)
    except OSError:
        return None


class Worker:
    """One worker process: its channel, its tokens, and the tasks that it was given and has not answered.

    Attributes:
        channel: The pool's end.
        tasks: In the order in which they were sent. The first is the one that runs.
        served: How many tasks it has answered.
        pid: None until the forkserver has said it.
        answer_by: When the forkserver must have reported the start or the death that is due.
        killed: Whether its death was asked for.
        gone: Whether it can take no more tasks: it was killed, or has closed its channel.
        fate: What the first task comes to when the death is reported; None if the death itself decides.
        lied: How it broke the protocol.
        blameless: Whether its death is no fault of its first task.
        reach: The length of its next chunk.
        unsent: What the channel has not yet taken.
    """

    def __init__(self, number: int, settings: Settings, answer_by: float) -> None:
        self.number = number
        self.channel, self._far_channel = socket.socketpair()
        reading, writing = os.pipe()
        self._tokens_out, self._tokens_in = FileIO(reading, "rb"), FileIO(writing, "wb")
        self.channel.setblocking(False)
        for end in (reading, writing):  # the reading end, hence the worker's too; a worker may fill the pipe itself
            os.set_blocking(end, False)
        self.tasks: deque[Task] = deque()
        self.served = 0
        self.pid: int | None = None
        self.answer_by = answer_by
        self.killed = self.gone = self.blameless = False
        self.fate: TaskOutcome | None = None
        self.lied: str | None = None
        self.reach = 1
        self.unsent = b""
        self._settings = settings
        self._reader = FrameReader(self.channel, settings.frame_bytes + len(DONE))
        self._chunk = 0
        self._chunk_cpu = self._cpu = self._wall = self._check_at = 0.0

    @property
    def idle(self) -> bool:
        """Whether it can take tasks now."""
        return self.pid is not None and not self.gone and not self.tasks

    @property
    def far_ends(self) -> tuple[int, int]:
        """The descriptors that the worker itself gets."""
        return self._far_channel.fileno(), self._tokens_out.fileno()

    def hand_over(self) -> None:
        """Close what the worker has by now, so that its death closes the channel."""
        self._far_channel.close()

    def close(self) -> None:
        """Close every descriptor."""
        self.channel.close()
        self._far_channel.close()
        self._tokens_out.close()
        self._tokens_in.close()

    def assign(self, tasks: list[Task], now: float) -> None:
        """Send a chunk of tasks; `flush` sends what the channel does not take at once."""
        self._chunk = (self._chunk + 1) & 0xFFFF
        self.tasks.extend(tasks)
        self._start_of_task(now)
        self._chunk_cpu = self._cpu
        self._tokens_in.write(token(self._chunk) * len(tasks))
        self.unsent += CHUNK.pack(self._chunk, len(tasks)) + b"".join([frame(task.payload) for task in tasks])
        self.flush()

    def flush(self) -> None:
        """Send as much as the channel takes; a worker that has gone is found out by its death."""
        try:
            self.unsent = self.unsent[self.channel.send(self.unsent) :]
        except BlockingIOError:
            pass
        except OSError:
            self.unsent = b""

    def answers(self) -> Iterator[TaskOutcome]:
        """Yield the answers that have arrived. Ends with EOFError when the worker has closed its channel.

        Raises:
            Malformed: If a frame is longer than allowed, or no answer.
        """
        for answer in self._reader.payloads():
            yield _outcome(answer)

    def take_back(self) -> list[Task]:
        """Return the tasks of the chunk that the worker has not begun, and now never will."""
        left = len(self._tokens_out.read(MAX_CHUNK) or b"")  # None when there is none
        self.reach = 1
        # a worker that others have taken over can add tokens
        return [self.tasks.pop() for _ in range(min(left, len(self.tasks)))][::-1]

    def progressed(self, now: float) -> None:
        """Start the clocks of the next task; after a chunk, reach further if tasks are short."""
        self._start_of_task(now)
        if not self.tasks:
            spent = self._cpu - self._chunk_cpu
            self.reach = min(2 * self.reach, MAX_CHUNK) if spent < CHUNK_CPU_SECONDS else max(self.reach // 4, 1)

    def _start_of_task(self, now: float) -> None:
        self._wall = now
        self._check_at = now + self._settings.cpu_seconds
        self._cpu += self._cpu_spent()

    def _cpu_spent(self) -> float:
        """Return the CPU seconds since the first task began, 0 if nobody knows."""
        clock = cpu_clock(self.pid) if self.pid is not None else None
        return 0.0 if clock is None else clock - self._cpu

    def look_at(self) -> float:
        """Return when this worker must be looked at next."""
        if self.gone or self.pid is None:
            return self.answer_by
        if not self.tasks:
            return math.inf
        return min(self._take_back_at, self._check_at)

    @property
    def _take_back_at(self) -> float:
        waiting = len(self.tasks) > 1 and self.reach > 1  # it is 1 once they were taken back
        return self._wall + TAKE_BACK_SECONDS if waiting else math.inf

    def keeps_waiting(self, now: float) -> bool:
        """Tell whether tasks wait for one that is not short."""
        return now >= self._take_back_at

    def overdue(self, now: float) -> TaskOutcome | None:
        """Return what the first task comes to if one of its clocks has run out."""
        if now < self._check_at:
            return None
        limit, wall = self._settings.cpu_seconds, now - self._wall
        spent = self._cpu_spent()
        if spent >= limit:
            return TaskOutcome("timeout", reason=f"spent its {limit:g} CPU seconds")
        if wall >= limit * self._settings.wall_factor:
            reason = f"took {wall:.3g} seconds on the wall clock, but spent only {spent:.3g} of {limit:g} CPU seconds"
            return TaskOutcome("stalled", reason=reason)
        self._check_at = now + min(max(limit - spent, 0.005), 0.1)
        return None


def _outcome(answer: bytes) -> TaskOutcome:
    """Read an answer, which whoever has taken over a worker may have written."""
    kind = answer[:1]
    if kind == MEMORY:
        return TaskOutcome("memory", reason="wanted more memory than it may have")
    try:
        value = decoded(answer[1:].decode())
    except (ValueError, RecursionError) as error:
        raise Malformed(f"an answer that is no JSON: {type(error).__name__}") from None
    if kind == DONE:
        return TaskOutcome("done", value)
    if kind == ERROR and isinstance(value, str):
        return TaskOutcome("error", reason=value)
    raise Malformed(f"an answer of kind {kind!r}")
