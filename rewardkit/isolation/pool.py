"""`WorkerPool`: run a function on hostile or heavy input in processes that can be killed."""

from __future__ import annotations

import os
import sys
import threading
import weakref
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from types import TracebackType
from typing import Any, Self, TypedDict, Unpack, cast

from rewardkit.errors import shown
from rewardkit.isolation.outcome import JSON, PoolError, TaskOutcome
from rewardkit.isolation.server import Settings
from rewardkit.isolation.supervisor import Supervisor
from rewardkit.isolation.task import Batch, payloads

__all__ = ["WorkerPool", "shared_pool"]

MOST_WORKERS = 8


class WorkerPool:
    """Worker processes that run one function on one JSON value at a time, and that are killed where that must be.

    A task always comes to an end, and the end is always one of six: see `TaskOutcome`. No task can hang its caller,
    take another task with it, or be lost because a worker died.

    **Deadline.** A task may spend ``cpu_seconds`` of CPU time, so that a loaded machine changes no verdict: then its
    worker gets SIGKILL and the outcome is ``timeout``. If ``wall_factor`` times as many seconds pass on the wall
    clock first, the outcome is ``stalled``. On Linux the pool reads the CPU clock of the worker; elsewhere the kernel
    ends the task by ``RLIMIT_CPU``, up to two seconds late. Processes that a task starts die with its worker unless
    they leave its process group, but their CPU time does not count.

    **Memory.** A task may have ``memory_bytes`` of address space above what the worker has after importing the
    function. More is a MemoryError in the function, and the outcome ``memory``, if nothing had run in that worker
    before; otherwise the task is tried once more in a fresh one, so that the outcome does not depend on its
    neighbours. (A C library may abort instead; then the outcome is ``crashed``. macOS does not enforce the limit.)

    **Death.** When a worker dies, the task that ran is tried again, alone in a fresh worker. Two workers that died by
    themselves (a fault, ``os._exit``, a broken protocol) are enough: the task is ``crashed`` and quarantined, and
    equal tasks are refused without a try (the pool remembers 1,024). A worker that was killed from outside (SIGKILL,
    SIGTERM, a forkserver that died) says little about its task, so that is tried up to ``retries`` more times, the
    last time with nothing beside it, and then is ``crashed`` too, but not remembered. A task may thus run more than
    once: its function should have no effect but its return value. Timeouts are never tried again.

    **Processes.** The pool starts one forkserver, ``python forkserver.py``, which imports the function's module once
    and forks workers, in milliseconds; a spare worker waits, so that a death costs no time. A forkserver
    of our own, because that of `multiprocessing` is one per process for all its users, imports ``__main__`` again, is
    refused to daemonic processes, and hands its children the parent's pickles. Ours works from any thread, in a
    running event loop (`arun`, or `run` in a thread), in a daemonic process, in a Ray actor, and in a forked child,
    which gets processes of its own. Nothing outlives the parent, not even when it gets SIGKILL (on Linux the kernel
    sees to that, elsewhere the closed channel). The workers' input and output, stderr included, is ``/dev/null``. The
    module must not start threads when it is imported, as a fork would not copy them.

    **Trust.** Only JSON is read from a worker, with a limit on length; anything else is the death of that worker. A
    worker is no sandbox, though: it has the rights of its user, and one that a task has taken over can answer the
    tasks that it gets later. ``max_tasks=1`` gives every task a process of its own.

    **Why not another pool.** Measured (``benchmarks/bench_isolation.py``) with 100 tasks, four workers and one bad
    task: in `concurrent.futures` 3.11 and loky 3.7, one dead worker breaks the pool, about half of the good results
    come back and none after that, and a hanging task keeps its worker for ever. pebble 5.2 ends hanging tasks, and
    keeps the 99 good ones; but it never tries again a task whose worker was killed (4 of 3,000 lost with a kill every
    half second), and as its workers share one channel and its lock, frequent kills stop it (with one every 0.03
    seconds 1,257 and 2,316 of 3,000 had not come back after a minute). All three exchange pickles. Here each worker
    has a channel of its own, the parent knows which task ran, and the same kills lost none.

    Args:
        function: Maps a JSON value to a JSON value: ``"package.module:function"``, or the function itself if it can
            be found under its name in its module. The module is imported in the forkserver, not here.
        workers: How many tasks run at the same time. By default one for each core that this process may use, divided
            by ``LOCAL_WORLD_SIZE`` (set by launchers such as torchrun), at least one and at most eight.
        cpu_seconds: CPU time that one task may spend.
        wall_factor: How many times ``cpu_seconds`` a task may take on the wall clock.
        memory_bytes: Address space that a task may add.
        spares: Idle workers beyond ``workers`` that are kept ready.
        retries: How often a task is tried again when its worker died; once at most if it died by itself.
        max_tasks: After how many tasks a worker is replaced.
        frame_bytes: Length of the JSON of one task, and of one value returned, at most.

    Raises:
        PoolError: If ``function`` is no import path, or not found under its name, or if ``LOCAL_WORLD_SIZE`` is no
            whole number above 0.
        ValueError: If a number is out of range.

    Attributes:
        closed: Whether `close` was called.

    Example:
        >>> with WorkerPool("math:factorial", workers=1, cpu_seconds=0.2) as pool:
        ...     for outcome in pool.run([5, -1, 10**8]):
        ...         print(outcome.status, outcome.value, outcome.reason)
        done 120
        error None ValueError: factorial() not defined for negative values
        timeout None spent its 0.2 CPU seconds
    """

    def __init__(
        self,
        function: str | Callable[[Any], Any],
        *,
        workers: int | None = None,
        cpu_seconds: float = 5.0,
        wall_factor: float = 5.0,
        memory_bytes: int = 1 << 30,
        spares: int = 1,
        retries: int = 3,
        max_tasks: int = 1_000,
        frame_bytes: int = 16 << 20,
    ) -> None:
        self._settings = _checked(
            Settings(
                import_path(function),
                default_workers() if workers is None else workers,
                cpu_seconds,
                wall_factor,
                memory_bytes,
                spares,
                retries,
                max_tasks,
                frame_bytes,
            )
        )
        self._lock = threading.Lock()
        self._supervisor: Supervisor | None = None
        self._stop: Callable[[], object] | None = None
        self.closed = False
        _pools.add(self)

    def run(self, tasks: Sequence[JSON]) -> list[TaskOutcome]:
        """Run tasks and return their outcomes in order. Blocks the calling thread, and no other.

        Several threads may call it at once; tasks of all callers are taken first come, first served.

        Raises:
            TaskError: If a task is no JSON value or is too large; nothing runs then.
            PoolError: If the pool is closed, the function cannot be imported, or no worker stays alive.
        """
        future = self._submitted(tasks)
        try:
            return future.result()
        except BaseException:
            future.cancel()  # an interrupted caller is not waiting any more
            raise

    async def arun(self, tasks: Sequence[JSON]) -> list[TaskOutcome]:
        """Run tasks and return their outcomes in order, while the event loop goes on; see `run`.

        Cancelling it drops the tasks that have not begun.
        """
        import asyncio

        return await asyncio.wrap_future(self._submitted(tasks))

    def submit(self, task: JSON) -> Future[TaskOutcome]:
        """Run one task; the future gets its outcome. Callbacks run on the pool's thread, so must be short.

        Raises:
            TaskError: If the task is no JSON value or is too large.
            PoolError: If the pool is closed; a later failure of the pool is the future's exception.
        """
        batch = Batch(payloads([task], self._settings.frame_bytes), single=True)
        self._running().submit(batch)
        return cast("Future[TaskOutcome]", batch.future)

    def close(self) -> None:
        """Kill every worker at once and wait for its end; tasks that have not come to an end raise PoolError."""
        with self._lock:
            self.closed = True
            stop, self._stop = self._stop, None
        if stop is not None:
            stop()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        settings = self._settings
        return f"WorkerPool({settings.function!r}, workers={settings.workers}, cpu_seconds={settings.cpu_seconds:g})"

    def _submitted(self, tasks: Sequence[JSON]) -> Future[list[TaskOutcome]]:
        batch = Batch(payloads(tasks, self._settings.frame_bytes))
        supervisor = self._running()
        if supervisor.is_this_thread:
            raise PoolError(f"{self!r}: a callback of one of its futures cannot wait for it; it would wait for itself")
        if batch.tasks:
            supervisor.submit(batch)
        else:
            batch.future.set_result([])
        return cast("Future[list[TaskOutcome]]", batch.future)

    def _running(self) -> Supervisor:
        """Return the supervisor of this process, started on first use, after a fork, and after a failure."""
        with self._lock:
            if self.closed:
                raise PoolError(f"{self!r} is closed")
            if self._supervisor is None or self._supervisor.ended:
                self._supervisor = Supervisor(self._settings)
                self._stop = weakref.finalize(self, self._supervisor.stop)  # at exit, too
            return self._supervisor

    def _after_fork(self) -> None:
        self._lock = threading.Lock()  # whoever held it is not in this process
        supervisor, self._supervisor, self._stop = self._supervisor, None, None
        if supervisor is not None:
            supervisor.forget()


_pools: weakref.WeakSet[WorkerPool] = weakref.WeakSet()
_shared: dict[tuple[object, ...], WorkerPool] = {}
_shared_lock = threading.Lock()


def _after_fork() -> None:
    global _shared_lock
    _shared_lock = threading.Lock()
    for pool in list(_pools):
        pool._after_fork()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


class PoolSettings(TypedDict, total=False):
    """The settings of `WorkerPool`, all optional."""

    workers: int | None
    cpu_seconds: float
    wall_factor: float
    memory_bytes: int
    spares: int
    retries: int
    max_tasks: int
    frame_bytes: int


def shared_pool(function: str | Callable[[Any], Any], **settings: Unpack[PoolSettings]) -> WorkerPool:
    """Return this process's one pool for a function with these settings; it starts on first use and ends at exit.

    For components, which are frozen and pickled, and so hold no pool: they call this wherever they score.

    Example:
        >>> shared_pool("math:sqrt", workers=1) is shared_pool("math:sqrt", workers=1)
        True
    """
    key = (import_path(function), *sorted(settings.items()))
    with _shared_lock:
        pool = _shared.get(key)
        if pool is None or pool.closed:
            pool = _shared[key] = WorkerPool(function, **settings)
        return pool


def import_path(function: str | Callable[[Any], Any]) -> str:
    """Return ``module:name`` of a function.

    Raises:
        PoolError: If a text is no such path, or if the function cannot be found under its name.
    """
    if isinstance(function, str):
        module, _, name = function.partition(":")
        if not all(part.isidentifier() for part in (*module.split("."), *name.split("."))):
            raise PoolError(f"{shown(function)} is no import path; expected 'package.module:function'")
        return function
    home, path = getattr(function, "__module__", ""), getattr(function, "__qualname__", "")
    found: Any = sys.modules.get(home)
    for part in path.split("."):
        found = getattr(found, part, None)
    if found is not function or home == "__main__":
        raise PoolError(
            f"{shown(function)} cannot be imported by workers; "
            "it must be a function at the top of a module that is not the script being run"
        )
    return f"{home}:{path}"


def default_workers() -> int:
    """Return the cores that this process may use, divided by ``LOCAL_WORLD_SIZE``: at least 1, at most 8.

    Raises:
        PoolError: If ``LOCAL_WORLD_SIZE`` is set to something else than a whole number above 0.
    """
    cores = len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1
    ranks = os.environ.get("LOCAL_WORLD_SIZE", "1")
    if not ranks.isdecimal() or int(ranks) < 1:
        raise PoolError(f"the environment variable LOCAL_WORLD_SIZE is {shown(ranks)}, expected a whole number above 0")
    return min(max(cores // int(ranks), 1), MOST_WORKERS)


_RANGES: dict[str, tuple[float, float]] = {
    "workers": (1, 1_024),
    "cpu_seconds": (0.001, 1e6),
    "wall_factor": (1, 1e6),
    "memory_bytes": (1 << 20, 1 << 50),
    "spares": (0, 1_024),
    "retries": (0, 100),
    "max_tasks": (1, 1 << 40),
    "frame_bytes": (1 << 14, 1 << 31),  # the reason of an error must fit
}


def _checked(settings: Settings) -> Settings:
    for name, (low, high) in _RANGES.items():
        value = getattr(settings, name)
        if not low <= value <= high:
            raise ValueError(f"{name} is {value!r}, expected {low:,g} to {high:,g}")
    return settings
