"""What a task may come to, and what the pool refuses."""

from __future__ import annotations

import asyncio
import importlib
import math
import os
import signal
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rewardkit.isolation import PoolError, TaskError, TaskOutcome, WorkerPool, shared_pool
from rewardkit.isolation.pool import default_workers
from rewardkit.isolation.queue import TaskQueue
from rewardkit.isolation.server import Settings
from rewardkit.isolation.supervisor import Supervisor
from rewardkit.isolation.task import Batch

ACT = "isolation_tasks:act"


@pytest.fixture(autouse=True)
def importable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(Path(__file__).parent))


@pytest.fixture(scope="module")
def pool() -> Iterator[WorkerPool]:
    patch = pytest.MonkeyPatch()
    patch.syspath_prepend(str(Path(__file__).parent))
    with WorkerPool(ACT, workers=2, cpu_seconds=0.3, wall_factor=3, memory_bytes=64 << 20, frame_bytes=100_000) as pool:
        yield pool
    patch.undo()


def outcome(pool: WorkerPool, *task: Any) -> TaskOutcome:
    (only,) = pool.run([list(task)])
    return only


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(), inner, max_size=5),
    max_leaves=20,
)


class TestOutcomes:
    def test_values_come_back_in_order(self, pool: WorkerPool) -> None:
        tasks = [["echo", number] for number in range(1_000)]
        assert pool.run(tasks) == [TaskOutcome("done", number) for number in range(1_000)]

    @settings(max_examples=200)
    @given(st.lists(JSON_VALUES, max_size=10))
    def test_every_json_value_arrives_and_returns_unchanged(self, pool: WorkerPool, values: list[Any]) -> None:
        assert [done.value for done in pool.run([["echo", value] for value in values])] == values

    @pytest.mark.parametrize("text", ["", "\ud83d", "\x00", "é∀😀", '"\\'], ids=ascii)
    def test_text_that_no_encoding_holds_travels_too(self, pool: WorkerPool, text: str) -> None:
        assert outcome(pool, "echo", text).value == text

    @pytest.mark.parametrize(
        ("task", "status", "reason"),
        [
            (["complain", "no digits"], "error", "ValueError: no digits"),
            (["complain", "\ud83d"], "error", "ValueError: \ud83d"),
            (["complain", "x" * 5_000], "error", "ValueError: " + "x" * 988),
            (["complain_without_words"], "error", "BrokenError"),
            (["recurse"], "error", "RecursionError: maximum recursion depth exceeded"),
            (["exit_politely", 3], "error", "SystemExit: 3"),
            (["nan"], "error", "returned no JSON value: Out of range float values are not JSON compliant"),
            (["an_object"], "error", "returned no JSON value: Object of type object is not JSON serializable"),
            (["nested", 100_000], "error", "returned no JSON value: maximum recursion depth exceeded"),
            (["text", 99_999], "error", "returned 100,001 bytes of JSON; at most 100,000 may return"),
            (["spin", 60], "timeout", "spent its 0.3 CPU seconds"),
            (["spin_in_c"], "timeout", "spent its 0.3 CPU seconds"),
            (["sleep", 60], "stalled", "took "),
            (["signal_itself", signal.SIGSTOP], "stalled", "took "),
            (["allocate", 1 << 30], "memory", "wanted more memory than it may have"),
            (["segfault"], "crashed", "2 workers died in it; the last was killed by SIGSEGV"),
            (["signal_itself", signal.SIGABRT], "crashed", "2 workers died in it; the last was killed by SIGABRT"),
            (["signal_itself", 40], "crashed", "2 workers died in it; the last was killed by signal 40"),
            (["signal_itself", signal.SIGKILL], "crashed", "4 workers died in it; the last was killed by SIGKILL"),
            (["signal_itself", signal.SIGTERM], "crashed", "4 workers died in it; the last was killed by SIGTERM"),
            (["signal_itself", signal.SIGXCPU], "timeout", "spent its 0.3 CPU seconds, and the kernel ended it"),
            (["exit_at_once", 0], "crashed", "2 workers died in it; the last exited with status 0"),
            (["exit_at_once", 3], "crashed", "2 workers died in it; the last exited with status 3"),
            (["hang_up"], "crashed", "2 workers died in it; the last closed its channel"),
        ],
        ids=lambda value: " ".join(map(str, value))[:40] if isinstance(value, list) else "",
    )
    def test_every_end_has_a_status_and_a_reason(
        self, pool: WorkerPool, task: list[Any], status: str, reason: str
    ) -> None:
        found = outcome(pool, *task)
        assert (found.status, found.value) == (status, None)
        assert found.reason.startswith(reason)
        assert outcome(pool, "echo", 1).value == 1, "the pool goes on"

    def test_a_value_of_just_the_allowed_length_returns(self, pool: WorkerPool) -> None:
        assert outcome(pool, "text", 99_998).value == "x" * 99_998

    def test_bad_tasks_among_good_ones_harm_nobody(self, pool: WorkerPool) -> None:
        bad = {
            7: ["spin", 60],
            30: ["segfault"],
            31: ["exit_at_once", 5],
            32: ["allocate", 1 << 30],
            60: ["complain", "x"],
            99: ["signal_itself", signal.SIGKILL],
        }
        found = pool.run([bad.get(place, ["echo", place]) for place in range(100)])
        assert [found[place].status for place in bad] == ["timeout", "crashed", "crashed", "memory", "error", "crashed"]
        assert [done.value for place, done in enumerate(found) if place not in bad] == [
            place for place in range(100) if place not in bad
        ]

    def test_the_longest_reason_fits_into_the_smallest_frame(self) -> None:
        with WorkerPool(ACT, workers=1, frame_bytes=1 << 14) as pool:
            found = outcome(pool, "complain", "\U0001f600" * 1_000)
        assert found == TaskOutcome("error", None, "ValueError: " + "\U0001f600" * 988)

    def test_a_value_that_does_not_fit_into_memory_as_json(self) -> None:
        with WorkerPool(ACT, workers=1, memory_bytes=24 << 20, frame_bytes=1 << 30) as pool:
            assert outcome(pool, "text", 20 << 20).status == "memory"

    def test_a_thread_that_gets_no_time_blames_no_task(self) -> None:
        """What the worker spent on later tasks of a chunk, while its answers wait unread, is not held against it."""
        with ThreadPoolExecutor(1) as caller, WorkerPool(ACT, workers=1, cpu_seconds=0.1) as pool:
            for _ in range(3):
                pool.run([["echo", 0]] * 2_000)  # so that chunks are long
                future = caller.submit(pool.run, [["spin", 0.02]] * 64)
                time.sleep(0.004)
                _ = 7**2_500_000  # holds the interpreter's lock
                assert {found.status for found in future.result()} == {"done"}

    def test_tasks_behind_a_long_one_are_given_to_others(self) -> None:
        """Chunks grow while tasks are short; a long task must not keep what was sent along with it."""
        done: list[int] = []
        with WorkerPool(ACT, workers=2) as pool:
            pool.run([["echo", 0]] * 2_000)
            futures = [pool.submit(["sleep", 2] if place == 100 else ["echo", place]) for place in range(300)]
            for place, future in enumerate(futures):
                future.add_done_callback(lambda _, place=place: done.append(place))
            assert all(future.result().status == "done" for future in futures)
        assert done[-1] == 100

    def test_a_task_begins_once(self, pool: WorkerPool, tmp_path: Path) -> None:
        """What is taken back from a busy worker runs in another one only."""
        place = str(tmp_path / "ran")
        pool.run([["echo", 0]] * 1_000)
        tasks = [["sleep", 0.03] if number % 50 == 0 else ["record", place, number] for number in range(1_000)]
        assert {found.status for found in pool.run(tasks)} == {"done"}
        ran = Path(place).read_text().split()
        assert sorted(ran, key=int) == [str(number) for number in range(1_000) if number % 50]

    def test_large_tasks_and_values_pass(self) -> None:
        with WorkerPool("isolation_tasks:echo", workers=2) as pool:
            texts = ["x" * (1 << 20) + str(place) for place in range(10)]
            assert [found.value for found in pool.run(texts)] == texts

    def test_a_large_task_to_a_stopped_worker_stalls_alone(self) -> None:
        with WorkerPool(ACT, workers=1, spares=0, cpu_seconds=0.2, wall_factor=2) as pool:
            worker, _ = outcome(pool, "pids").value
            os.kill(worker, signal.SIGSTOP)
            assert outcome(pool, "echo", "x" * (1 << 22)).status == "stalled"
            assert outcome(pool, "echo", 1).value == 1


class TestDeathsAndRetries:
    def test_only_the_latest_quarantined_tasks_are_remembered(self) -> None:
        queue = TaskQueue(retries=3)
        batch = Batch([b"%d" % place for place in range(1_025)])
        for task in batch.tasks:
            for _ in range(2):
                queue.charge(task, True, "was killed by SIGSEGV")
        again = Batch([b"0", b"1", b"1024"])
        queue.add(again)
        assert [task.payload for task in queue.chunk(64)] == [b"0"]

    def test_a_task_killed_from_outside_too_often_is_not_held_against_its_equals(self) -> None:
        queue = TaskQueue(retries=0)
        queue.charge(Batch([b"1"]).tasks[0], False, "was killed by SIGKILL")
        queue.add(Batch([b"1"]))
        assert len(queue.chunk(64)) == 1

    def test_a_suspect_that_never_began_stays_a_suspect(self) -> None:
        queue = TaskQueue(retries=3)
        fresh, suspect = Batch([b"1", b"2"]).tasks
        queue.charge(suspect, False, "was killed by SIGKILL")
        queue.take_suspect()
        queue.give_back([suspect, fresh])
        assert (queue.suspect(), queue.chunk(64)) == (suspect, [fresh])

    def test_a_task_that_no_worker_can_even_read_comes_to_an_end(self) -> None:
        with WorkerPool("isolation_tasks:echo", workers=2, memory_bytes=1 << 20) as pool:
            long = pool.submit("x" * (15 << 20))
            assert {found.value for found in pool.run([1] * 500)} == {1}
            assert long.result().status == "crashed"

    @pytest.mark.parametrize(
        "deed",
        [["segfault"], ["exit_at_once", 0], ["signal_itself", signal.SIGKILL], ["kill_forkserver"], ["hang_up"]],
        ids=lambda deed: deed[0],
    )
    def test_a_task_whose_worker_died_is_tried_again(self, pool: WorkerPool, tmp_path: Path, deed: list[Any]) -> None:
        assert outcome(pool, "first_time", str(tmp_path / "once"), *deed).value == "survived"

    def test_a_timeout_is_not_tried_again(self, pool: WorkerPool, tmp_path: Path) -> None:
        assert outcome(pool, "first_time", str(tmp_path / "once"), "spin", 60).status == "timeout"

    def test_what_ran_before_does_not_decide_about_memory(self) -> None:
        """The worker that kept 40 of 64 MB cannot give 40 more; a fresh one can."""
        with WorkerPool(ACT, workers=1, memory_bytes=64 << 20) as pool:
            keep = ["allocate", 40 << 20, True]
            assert [found.status for found in pool.run([keep, keep, keep])] == ["done"] * 3

    def test_an_equal_task_is_refused_after_quarantine(self, tmp_path: Path) -> None:
        with WorkerPool(ACT, workers=2) as pool:
            assert outcome(pool, "exit_at_once", 3).status == "crashed"
            later = outcome(pool, "exit_at_once", 3)
            assert later.status == "crashed"
            assert later.reason == ("an equal task is quarantined: 2 workers died in it; the last exited with status 3")
            assert outcome(pool, "exit_at_once", 4).reason.startswith("2 workers died in it")

    @pytest.mark.parametrize(("retries", "workers"), [(0, "1 worker"), (1, "2 workers"), (5, "6 workers")])
    def test_kills_from_outside_are_retried_as_often_as_said(self, retries: int, workers: str) -> None:
        with WorkerPool(ACT, workers=2, retries=retries) as pool:
            found = outcome(pool, "signal_itself", signal.SIGKILL)
        assert found.reason == f"{workers} died in it; the last was killed by SIGKILL"

    def test_a_task_that_kills_the_forkserver_takes_nobody_along(self) -> None:
        """Every worker dies with the forkserver; the last try runs alone, which tells the culprit from its victims."""
        with WorkerPool(ACT, workers=2, cpu_seconds=2) as pool:
            found = pool.run([["kill_forkserver"], *[["sleep", 0.02, place] for place in range(40)]])
        assert found[0].status == "crashed"
        assert found[0].reason == "4 workers died in it; the last lost its forkserver, which was killed by SIGKILL"
        assert [done.value for done in found[1:]] == list(range(40))

    def test_a_worker_is_replaced_after_its_share_of_tasks(self) -> None:
        with WorkerPool("isolation_tasks:act", workers=2, max_tasks=3) as pool:
            workers = [found.value[0] for found in pool.run([["pids"]] * 30)]
        assert max(map(workers.count, workers)) <= 3

    @pytest.mark.parametrize(
        ("message", "how"),
        [
            ("00000000", "a frame of 0 bytes"),
            ("7fffffff", "a frame of 2,147,483,647 bytes"),
            ("00000002647b", "an answer that is no JSON: JSONDecodeError"),
            ("0000000264ff", "an answer that is no JSON: UnicodeDecodeError"),
            ("00000004644e614e", "an answer that is no JSON: ValueError"),
            ("00004e20" + "64" + "5b" * 19_999, "an answer that is no JSON: RecursionError"),
            ("000000027a31", "an answer of kind b'z'"),
            ("000000026531", "an answer of kind b'e'"),
        ],
    )
    def test_a_worker_that_breaks_the_protocol_dies(self, pool: WorkerPool, message: str, how: str) -> None:
        found = outcome(pool, "say", message)
        assert found.status == "crashed"
        assert found.reason == f"2 workers died in it; the last broke the protocol: {how}"

    @pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="tokens are forged through /proc")
    @pytest.mark.parametrize("count", [100, 1 << 20], ids=["more than tasks", "more than the pipe holds"])
    def test_a_worker_that_forges_tokens_harms_nobody_else(self, count: int) -> None:
        with WorkerPool(ACT, workers=1, spares=0, cpu_seconds=0.2, wall_factor=2) as pool:
            pool.run([["echo", 0]] * 2_000)  # so that chunks are long
            found = pool.run([["forge_tokens", count], *[["sleep", 0.03, 1]] * 64])
            assert {done.status for done in found} <= {"done", "stalled"}
            assert outcome(pool, "echo", 5).value == 5

    def test_more_answers_than_tasks_break_the_protocol(self, tmp_path: Path) -> None:
        with WorkerPool(ACT, workers=1, spares=0) as pool:
            twice = "0000000264310000000264320000"
            assert outcome(pool, "say", twice).value == 1, "the first answer counts"
            assert outcome(pool, "echo", 5).value == 5, "the second one is the end of the worker"


class TestWhatIsRefused:
    @pytest.mark.parametrize(
        ("task", "message"),
        [
            (math.nan, "task 1 is no JSON value: Out of range float values are not JSON compliant.*: nan"),
            ({1, 2}, "task 1 is no JSON value: Object of type set is not JSON serializable: {1, 2}"),
            (b"x", "task 1 is no JSON value: Object of type bytes"),
            ("x" * 99_999, "task 1 has 100,001 bytes of JSON, at most 100,000 may be sent"),
        ],
        ids=["nan", "set", "bytes", "long"],
    )
    def test_tasks_that_cannot_be_sent(self, pool: WorkerPool, task: Any, message: str) -> None:
        with pytest.raises(TaskError, match=message):
            pool.run([["echo", 1], task])

    def test_a_task_that_is_nested_too_deeply(self, pool: WorkerPool) -> None:
        deep: list[Any] = []
        for _ in range(100_000):
            deep = [deep]
        with pytest.raises(TaskError, match="task 0 is no JSON value: maximum recursion depth exceeded"):
            pool.submit(deep)

    @pytest.mark.parametrize(
        ("function", "message"),
        [
            ("no_such_module:f", "cannot use no_such_module:f in a worker: ModuleNotFoundError: No module named"),
            ("math:no_such_name", "cannot use math:no_such_name in a worker: AttributeError: module 'math' has no"),
            ("isolation_tasks:NOT_CALLABLE", "cannot use .* in a worker: TypeError: .* is a int, not a function"),
        ],
    )
    def test_functions_that_workers_cannot_import(self, function: str, message: str) -> None:
        with WorkerPool(function) as pool:
            for _ in range(2):
                with pytest.raises(PoolError, match=message):
                    pool.run([1])
            with pytest.raises(PoolError, match=message):
                pool.submit(1).result()

    def test_a_module_that_kills_the_forkserver(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        (tmp_path / "deadly.py").write_text("import os; os._exit(7)")
        monkeypatch.syspath_prepend(str(tmp_path))
        with (
            WorkerPool("deadly:f") as pool,
            pytest.raises(PoolError, match="no worker of deadly:f stays alive: .*status 7"),
        ):
            pool.run([1])

    @pytest.mark.parametrize("path", ["math", "math.sqrt", "math:", ":sqrt", "a b:c", "math:sqrt()", ""])
    def test_texts_that_are_no_import_path(self, path: str) -> None:
        with pytest.raises(PoolError, match="is no import path; expected 'package.module:function'"):
            WorkerPool(path)

    def test_functions_that_cannot_be_found_under_their_name(self) -> None:
        def local(value: int) -> int:
            return value

        for function in (local, lambda value: value, print.__call__):
            with pytest.raises(PoolError, match="cannot be imported by workers"):
                WorkerPool(function)

    @pytest.mark.parametrize(
        ("name", "value", "message"),
        [
            ("workers", 0, "workers is 0, expected 1 to 1,024"),
            ("cpu_seconds", math.nan, "cpu_seconds is nan, expected 0.001 to 1e"),
            ("cpu_seconds", 0, "cpu_seconds is 0,"),
            ("wall_factor", 0.5, "wall_factor is 0.5, expected 1 to"),
            ("memory_bytes", 1, "memory_bytes is 1,"),
            ("spares", -1, "spares is -1,"),
            ("retries", -1, "retries is -1,"),
            ("max_tasks", 0, "max_tasks is 0,"),
            ("frame_bytes", 64, "frame_bytes is 64, expected 16,384 to"),
            ("frame_bytes", 1 << 32, "frame_bytes is 4294967296,"),
        ],
    )
    def test_settings_out_of_range(self, name: str, value: float, message: str) -> None:
        with pytest.raises(ValueError, match=message):
            WorkerPool("math:sqrt", **{name: value})  # type: ignore[arg-type]

    def test_an_interpreter_that_does_not_know_itself(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("sys.executable", "")
        with WorkerPool("math:sqrt") as pool, pytest.raises(PoolError, match="a Python interpreter in sys.executable"):
            pool.run([1])

    def test_a_closed_pool(self) -> None:
        pool = WorkerPool("math:sqrt", workers=1)
        assert pool.run([4])[0].value == 2.0
        pool.close()
        pool.close()
        for use in (lambda: pool.run([4]), lambda: pool.submit(4), lambda: asyncio.run(pool.arun([4]))):
            with pytest.raises(PoolError, match=r"WorkerPool\('math:sqrt', workers=1, cpu_seconds=5\) is closed"):
                use()

    def test_a_batch_that_comes_as_the_pool_closes(self) -> None:
        supervisor = Supervisor(Settings("math:sqrt", 1, 1, 1, 1 << 30, 0, 0, 1, 1 << 14))
        supervisor.stop()
        with pytest.raises(PoolError, match="the pool was closed before every task had come to an end"):
            supervisor.submit(Batch([b"1"]))

    def test_closing_fails_what_has_not_come_to_an_end(self) -> None:
        pool = WorkerPool(ACT, workers=1)
        futures = [pool.submit(["sleep", 60]), pool.submit(["echo", 1])]
        pool.close()
        for future in futures:
            with pytest.raises(PoolError, match="the pool was closed before every task had come to an end"):
                future.result()

    def test_a_callback_that_raises_what_ends_threads(self) -> None:
        def end(_: object) -> None:
            raise SystemExit(3)

        with WorkerPool(ACT, workers=1) as pool:
            pool.submit(["sleep", 0.1]).add_done_callback(end)
            with pytest.raises(PoolError, match="the pool failed: SystemExit: 3"):
                pool.run([["sleep", 0.2]] * 2)
            assert outcome(pool, "echo", 1).value == 1

    def test_a_callback_that_waits_for_its_own_pool(self, pool: WorkerPool) -> None:
        errors: list[BaseException] = []
        called = threading.Event()

        def wait(_: object) -> None:
            try:
                pool.run([["echo", 1]])
            except PoolError as error:
                errors.append(error)
            called.set()

        pool.submit(["sleep", 0.05]).add_done_callback(wait)
        assert called.wait(10)
        assert "it would wait for itself" in str(errors[0])


class TestCallers:
    def test_no_tasks_need_no_worker(self, pool: WorkerPool) -> None:
        assert pool.run([]) == []
        assert asyncio.run(pool.arun([])) == []

    def test_a_function_may_be_given_itself(self) -> None:
        double = importlib.import_module("isolation_tasks").double
        with WorkerPool(double, workers=1) as pool:
            assert pool.submit(4).result() == TaskOutcome("done", 8)

    def test_many_threads_at_once_get_their_own_outcomes(self, pool: WorkerPool) -> None:
        found: dict[int, list[Any]] = {}

        def call(number: int) -> None:
            found[number] = [done.value for done in pool.run([["echo", [number, place]] for place in range(200)])]

        threads = [threading.Thread(target=call, args=(number,)) for number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert found == {number: [[number, place] for place in range(200)] for number in range(8)}

    def test_a_running_event_loop_goes_on(self, pool: WorkerPool) -> None:
        async def main() -> tuple[list[TaskOutcome], int]:
            call = asyncio.create_task(pool.arun([["sleep", 0.3]]))
            turns = 0
            while not call.done():
                turns += 1
                await asyncio.sleep(0.01)
            return await call, turns

        found, turns = asyncio.run(main())
        assert found == [TaskOutcome("done", "slept")]
        assert turns > 5

    def test_run_works_inside_a_running_event_loop(self, pool: WorkerPool) -> None:
        async def main() -> list[TaskOutcome]:
            return pool.run([["echo", 1]])

        assert asyncio.run(main()) == [TaskOutcome("done", 1)]

    def test_cancelled_batches_are_dropped(self, pool: WorkerPool, tmp_path: Path) -> None:
        place = str(tmp_path / "ran")

        async def main() -> None:
            tasks = [["sleep", 0.2]] * 4 + [["record", place, 1]]
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(pool.arun(tasks), timeout=0.05)

        asyncio.run(main())
        assert outcome(pool, "echo", 1).value == 1
        time.sleep(0.5)
        assert not Path(place).exists()

    def test_a_pool_that_is_let_go_ends_its_processes(self) -> None:
        pool = WorkerPool(ACT, workers=1)
        worker, forkserver = outcome(pool, "pids").value
        del pool
        for pid in (worker, forkserver):
            with pytest.raises(ProcessLookupError):
                os.kill(pid, 0)

    def test_one_pool_is_shared_for_a_function_and_its_settings(self) -> None:
        first = shared_pool(ACT, workers=1)
        assert shared_pool(ACT, workers=1) is first
        assert shared_pool(ACT, workers=1, cpu_seconds=1) is not first
        assert outcome(first, "echo", 1).value == 1
        first.close()
        assert shared_pool(ACT, workers=1) is not first

    @pytest.mark.parametrize(("ranks", "share"), [(1, 1), (2, 2), (1_000, 1_000)])
    def test_ranks_on_one_machine_share_its_cores(
        self, monkeypatch: pytest.MonkeyPatch, ranks: int, share: int
    ) -> None:
        monkeypatch.setenv("LOCAL_WORLD_SIZE", str(ranks))
        assert default_workers() == min(max(len(os.sched_getaffinity(0)) // share, 1), 8)

    @pytest.mark.parametrize("ranks", ["0", "two", ""])
    def test_a_world_size_that_is_no_number(self, monkeypatch: pytest.MonkeyPatch, ranks: str) -> None:
        monkeypatch.setenv("LOCAL_WORLD_SIZE", ranks)
        with pytest.raises(PoolError, match="LOCAL_WORLD_SIZE is .*, expected a whole number above 0"):
            WorkerPool("math:sqrt")
