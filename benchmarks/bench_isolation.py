"""The worker pool beside concurrent.futures, loky and pebble: what is lost when workers die, and what a task costs.

Targets: 10,000 tasks with at least 500 deaths of five kinds, none lost, doubled or swapped; from a death to the next
accepted task at most 100 ms (p95); at most 100 µs a task in batches; the worst task at most its deadline plus 0.2 s.
Workers are found in /proc, so this needs Linux.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from side_by_side import heading, table

POOLS = [name for name in ("concurrent.futures", "loky", "pebble", "rewardkit") if find_spec(name.partition(".")[0])]
CASES = Path(__file__).with_name("isolation_cases.py")


def case(*arguments: str, limit: float = 90) -> Any:
    """Return what a case returns, None if it does not end in time; nothing of it stays."""
    command = [sys.executable, str(CASES), *arguments]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, start_new_session=True
    ) as process:
        assert process.stdout is not None
        try:
            process.wait(limit)
            return json.loads(process.stdout.readline() or "null")
        except subprocess.TimeoutExpired:
            return None
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)


def one_bad_task() -> None:
    kinds = ["SIGKILL", "segfault", "_exit", "sys.exit", "hang"]
    rows = []
    for name in POOLS:
        found = [case("one_bad_task", name, kind) for kind in kinds]
        rows.append([name, *(f"{one['kept']} in {one['seconds']:.1f} s, then {one['after']}" for one in found)])
    print(
        "100 tasks of 3 ms, four workers, one bad task: good results kept of 99 within 6 s, then of 100 more tasks.\n"
    )
    table(["pool", *kinds], rows)


def random_kills() -> None:
    rows = []
    for pause in ("0.5", "0.03"):
        for name in POOLS:
            found = case("random_kills", name, pause)
            if found is None:
                rows.append([pause, name, "", "did not end in 90 s", "", ""])
                continue
            lost = f"{3_000 - found['back']:,}"
            rows.append([pause, name, str(found["kills"]), lost, str(found["doubled"]), f"{found['seconds']:.1f}"])
    print("\n3,000 tasks of 3 ms, four workers, a random one killed from outside again and again.\n")
    table(["seconds between kills", "pool", "kills", "lost", "doubled", "seconds"], rows)


def five_kinds() -> None:
    found = case("five_kinds", limit=300)
    deaths = found["deaths"]
    kinds = ", ".join(f"{count} {kind}" for kind, count in deaths.items())
    print(f"\n10,000 tasks of 3 ms, {sum(deaths.values())} deaths in {found['seconds']:.1f} s: {kinds}.\n")
    table(["lost", "doubled", "swapped"], [[str(found[name]) for name in ("lost", "doubled", "swapped")]])


def delays() -> None:
    rows = []
    for name, found in (
        ("death of the only worker to the next accepted task (200 kills; target p95 ≤ 100)", case("next_accepted")),
        ("deadline to the outcome of a hanging task (20; target ≤ 200)", case("overrun")),
    ):
        found.sort()
        p50, p95 = (found[int(len(found) * share)] for share in (0.5, 0.95))
        rows.append([name, *(f"{value * 1e3:.1f}" for value in (p50, p95, found[-1]))])
    print()
    table(["ms", "p50", "p95", "max"], rows)


def costs() -> None:
    rows = [["rewardkit `run`", f"{case('cost_of_run'):.0f}", "", ""]]
    for name in reversed(POOLS):
        found = case("cost", name)
        rows.append([name, *(f"{found[way]:,.0f}" for way in ("batch", "alone", "busy"))])
    print("\nTasks that do nothing, two workers.\n")
    table(["µs a task", "10,000 at once (target 100)", "one after another", "at once, beside a busy thread"], rows)


if __name__ == "__main__":
    heading("Isolation", "loky", "pebble")
    one_bad_task()
    random_kills()
    five_kinds()
    delays()
    costs()
