"""Workers die at random, in every way; no task is lost, doubled or swapped."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import threading
import time
from collections import Counter
from concurrent.futures import Future
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from rewardkit.isolation import TaskOutcome, WorkerPool

HANG, MEMORY = ["spin", 600], ["allocate", 1 << 40]
PLACES = ["segfault", "exit", "hang", "memory"]


@pytest.fixture
def children(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(str(Path(__file__).parent))
    processes = import_module("isolation_processes")
    if not processes.HAS_PROC:
        pytest.skip("looks into /proc")
    return processes.children


def kill_at_random(children: Any, forkserver: int, times: int, rng: random.Random) -> None:
    """Kill a random worker with SIGKILL, so many times."""
    while times:
        time.sleep(0.02)
        for victim in rng.sample(alive := children(forkserver), min(1, len(alive))):
            with contextlib.suppress(ProcessLookupError):
                os.kill(victim, signal.SIGKILL)
                times -= 1


def deeds(count: int, each: int, folder: Path, rng: random.Random) -> dict[int, tuple[list[Any], TaskOutcome]]:
    """Return tasks that are deadly once or always, by their place, and what they must come to."""
    places = rng.sample(range(count), 4 * each)
    found: dict[int, tuple[list[Any], TaskOutcome]] = {}
    for number, place in enumerate(places):
        file, kind = str(folder / str(place)), PLACES[number % 4]
        if kind == "segfault":
            found[place] = ["first_time", file, "segfault"], TaskOutcome("done", "survived")
        elif kind == "exit":
            found[place] = ["first_time", file, "exit_at_once", place % 3], TaskOutcome("done", "survived")
        elif kind == "hang":
            found[place] = HANG, TaskOutcome("timeout", None, "spent its 0.05 CPU seconds")
        else:
            found[place] = MEMORY, TaskOutcome("memory", None, "wanted more memory than it may have")
    return found


@pytest.mark.parametrize(
    ("count", "each", "outside"),
    [(2_000, 15, 60), pytest.param(10_000, 60, 300, marks=pytest.mark.slow)],
    ids=["2,000 tasks", "10,000 tasks"],
)
def test_deaths_of_five_kinds_lose_double_and_swap_nothing(
    children: Any, tmp_path: Path, count: int, each: int, outside: int
) -> None:
    rng = random.Random(7)
    special = deeds(count, each, tmp_path, rng)
    settled: Counter[int] = Counter()
    tasks: list[list[Any]] = []
    futures: list[Future[TaskOutcome]] = []
    # a task that spends its 50 ms is itself often killed from outside, so that three retries are too few
    with WorkerPool("isolation_tasks:act", workers=4, cpu_seconds=0.05, wall_factor=200, retries=30) as pool:
        forkserver = pool.submit(["pids"]).result().value[1]
        killer = threading.Thread(target=kill_at_random, args=(children, forkserver, outside, rng), daemon=True)
        killer.start()
        while len(tasks) < count or killer.is_alive():
            place = len(tasks)
            tasks.append(special[place][0] if place in special else ["sleep", 0.003, place])
            futures.append(pool.submit(tasks[-1]))
            futures[-1].add_done_callback(lambda _, place=place: settled.update([place]))
            if place >= count:
                futures[-1].result()
        found = [future.result() for future in futures]
    expected = [special[place][1] if place in special else TaskOutcome("done", place) for place in range(len(tasks))]
    assert {place: found[place] for place in range(len(tasks)) if found[place] != expected[place]} == {}
    assert settled == Counter(range(len(tasks))), "every task came to one end"
