"""What bench_isolation.py runs, each case in a process of its own: ``python isolation_cases.py CASE ARGUMENT...``."""

from __future__ import annotations

import ctypes
import json
import os
import random
import signal
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from contextlib import contextmanager, suppress
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

from rewardkit.isolation import TaskOutcome, WorkerPool

__all__ = ["DEADLINE"]

DEADLINE = 2.0
Submit = Callable[[Any], Future[Any]]


def spin() -> None:
    while True:
        pass


DEEDS: dict[str, Callable[[], object]] = {
    "SIGKILL": lambda: os.kill(os.getpid(), signal.SIGKILL),
    "segfault": partial(ctypes.string_at, 0),
    "_exit": partial(os._exit, 0),
    "sys.exit": sys.exit,
    "hang": spin,
    "memory": lambda: bytes(1 << 40),
    "sleep": partial(time.sleep, 0.003),
    "nothing": lambda: None,
}


def deed(task: list[Any]) -> Any:
    """Do what a task ``[kind, value, file]`` says; with a file, do it the first time only."""
    kind, value, file = task
    if not file or not os.path.exists(file):
        if file:
            Path(file).touch()
        DEEDS[kind]()
    return value


def same(task: Any) -> Any:
    """Do nothing."""
    return task


def began(pause: float) -> list[float]:
    """Return when the task began, and who ran it."""
    now = time.monotonic()
    time.sleep(pause)
    return [now, os.getpid()]


@contextmanager
def pool(name: str, function: Callable[[Any], Any], workers: int) -> Iterator[Submit]:
    """Yield the ``submit`` of a pool by its name."""
    if name == "rewardkit":
        with WorkerPool(f"isolation_cases:{function.__name__}", workers=workers, cpu_seconds=DEADLINE) as ours:
            yield ours.submit
    elif name == "pebble":
        theirs = import_module("pebble").ProcessPool(max_workers=workers)
        yield lambda task: theirs.schedule(function, args=(task,), timeout=DEADLINE)
    else:
        kind: Any = ProcessPoolExecutor
        if name == "loky":
            kind = import_module("loky").ProcessPoolExecutor
        executor = kind(max_workers=workers)
        yield lambda task: executor.submit(function, task)


def value_of(future: Future[Any]) -> Any:
    """Return what a task returned, None if it did not."""
    if future.cancelled() or future.exception():
        return None
    found = future.result()
    return found.value if isinstance(found, TaskOutcome) else found


def values(submit: Submit, tasks: list[Any], seconds: float) -> list[Any]:
    """Return the values that come back within some seconds."""
    futures: list[Future[Any]] = []
    with suppress(Exception):  # a broken pool takes no more
        futures.extend(submit(task) for task in tasks)
    with suppress(TimeoutError):
        for _ in as_completed(futures, timeout=seconds):
            pass
    return [value for value in (value_of(future) for future in futures if future.done()) if value is not None]


def workers_of(name: str) -> list[int]:
    """Return the worker processes of a pool of this process, as /proc shows them."""
    parents: dict[int, list[int]] = {}
    for path in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            parent = int((path / "stat").read_text().rpartition(")")[2].split()[1])
            if b"resource_tracker" not in (path / "cmdline").read_bytes():
                parents.setdefault(parent, []).append(int(path.name))
    children = parents.get(os.getpid(), [])
    return [pid for child in children for pid in parents.get(child, [])] if name == "rewardkit" else children


@contextmanager
def killing(name: str, pause: float) -> Iterator[list[float]]:
    """Kill a random worker every ``pause`` seconds; yields the times."""
    times: list[float] = []
    stop = threading.Event()

    def kill() -> None:
        rng = random.Random(0)
        while not stop.wait(pause):
            with suppress(IndexError, ProcessLookupError):
                os.kill(rng.choice(workers_of(name)), signal.SIGKILL)
                times.append(time.monotonic())

    thread = threading.Thread(target=kill, daemon=True)
    thread.start()
    try:
        yield times
    finally:
        stop.set()
        thread.join()


# ------------------------------------------------------------------------------------------------------------ cases


def one_bad_task(name: str, kind: str) -> dict[str, Any]:
    """100 tasks on four workers, the one in the middle bad."""
    tasks = [[kind if place == 50 else "sleep", place, ""] for place in range(100)]
    with pool(name, deed, 4) as submit:
        values(submit, [["nothing", -1, ""]] * 8, 10)
        start = time.perf_counter()
        found = values(submit, tasks, 6)
        took = time.perf_counter() - start
        after = values(submit, [["nothing", place, ""] for place in range(100)], 6)
    return {"kept": len(set(found) - {50}), "seconds": took, "after": len(after)}


def random_kills(name: str, pause: str) -> dict[str, Any]:
    """3,000 tasks of 3 ms on four workers, and a worker killed every so often."""
    with pool(name, deed, 4) as submit:
        values(submit, [["nothing", -1, ""]] * 8, 10)
        start = time.perf_counter()
        with killing(name, float(pause)) as kills:
            found = values(submit, [["sleep", place, ""] for place in range(3_000)], 60)
        took = time.perf_counter() - start
    return {"kills": len(kills), "back": len(set(found)), "doubled": len(found) - len(set(found)), "seconds": took}


def five_kinds() -> dict[str, Any]:
    """10,000 tasks with at least 500 deaths: SIGKILL from outside, segfault, exit, hang, memory; ours only."""
    rng = random.Random(0)
    ways = ["segfault", "_exit", "hang", "memory"]
    special = {place: ways[number % 4] for number, place in enumerate(rng.sample(range(10_000), 240))}
    settled: Counter[int] = Counter()
    with tempfile.TemporaryDirectory() as folder:
        once = {"segfault": folder, "_exit": folder}
        tasks: list[Any] = [
            [way, place, f"{once[way]}/{place}" if way in once else ""]
            for place, way in ((place, special.get(place, "sleep")) for place in range(10_000))
        ]
        start = time.perf_counter()
        with (
            WorkerPool("isolation_cases:deed", workers=4, cpu_seconds=0.05, wall_factor=200, retries=10) as ours,
            killing("rewardkit", 0.02) as kills,
        ):
            futures = [ours.submit(task) for task in tasks]
            for place, future in enumerate(futures):
                future.add_done_callback(lambda _, place=place: settled.update([place]))  # type: ignore[misc]
            found = [future.result() for future in futures]
    ends = {"hang": "timeout", "memory": "memory"}
    expected = [(end, None) if (end := ends.get(special.get(p, ""))) else ("done", p) for p in range(10_000)]
    wrong = [(done, want) for done, want in zip(found, expected, strict=True) if done[:2] != want]
    return {
        "seconds": time.perf_counter() - start,
        "deaths": {"SIGKILL from outside": len(kills), **Counter(special.values())},
        "lost": sum(done.status != want[0] for done, want in wrong),
        "swapped": sum(done.status == want[0] for done, want in wrong),
        "doubled": sum(count > 1 for count in settled.values()),
    }


def next_accepted() -> list[float]:
    """Return, for 200 kills of the only worker, the seconds until a task began in another one."""
    with WorkerPool("isolation_cases:began", workers=1, cpu_seconds=DEADLINE) as ours:
        found = []
        ours.run([0])
        for _ in range(200):
            futures = [ours.submit(0.002 + place / 1e6) for place in range(20)]
            pid = int(futures[0].result().value[1])
            killed = time.monotonic()
            os.kill(pid, signal.SIGKILL)
            starts = [future.result().value for future in futures]
            found.append(min(start for start, who in starts if who != pid and start > killed) - killed)
    return found


def cost(name: str) -> dict[str, float]:
    """Return µs a task that does nothing: 10,000 at once, one after another, and beside a busy thread."""
    with pool(name, same, 2) as submit:
        values(submit, [0] * 2_000, 60)
        start = time.perf_counter()
        assert len(values(submit, [0] * 10_000, 60)) == 10_000
        batch = (time.perf_counter() - start) / 10_000
        start = time.perf_counter()
        for _ in range(300):
            submit(0).result()
        alone = (time.perf_counter() - start) / 300
        threading.Thread(target=spin, daemon=True).start()
        start = time.perf_counter()
        values(submit, [0] * 2_000, 60)
        busy = (time.perf_counter() - start) / 2_000
    return {"batch": batch * 1e6, "alone": alone * 1e6, "busy": busy * 1e6}


def cost_of_run() -> float:
    """Return µs a task in `WorkerPool.run` with 10,000 tasks."""
    with WorkerPool("isolation_cases:same", workers=2) as ours:
        ours.run([0] * 2_000)
        start = time.perf_counter()
        ours.run([0] * 10_000)
        return (time.perf_counter() - start) / 10_000 * 1e6


def overrun() -> list[float]:
    """Return how many seconds after its deadline each of 20 hanging tasks was reported."""
    found = []
    with WorkerPool("isolation_cases:deed", workers=1, cpu_seconds=0.3) as ours:
        ours.run([["nothing", 0, ""]])
        for place in range(20):
            start = time.perf_counter()
            assert ours.run([["hang", place, ""]])[0].status == "timeout"
            found.append(time.perf_counter() - start - 0.3)
    return found


if __name__ == "__main__":
    print(json.dumps(globals()[sys.argv[1]](*sys.argv[2:])), flush=True)
    os._exit(0)  # some pools never let go
