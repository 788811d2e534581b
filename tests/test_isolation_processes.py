"""Where pools work, and what they leave behind: nothing."""

from __future__ import annotations

import gc
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from rewardkit.isolation import PoolError, TaskOutcome, WorkerPool, shared_pool, supervisor

TESTS = Path(__file__).parent
ACT = "isolation_tasks:act"
sys.path.insert(0, str(TESTS))
processes = import_module("isolation_processes")
children, eventually, is_alive = processes.children, processes.eventually, processes.is_alive
sys.path.remove(str(TESTS))

pytestmark = pytest.mark.skipif(not processes.HAS_PROC, reason="looks into /proc")


@pytest.fixture(autouse=True)
def importable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(TESTS))


def outcome(pool: WorkerPool, *task: Any) -> TaskOutcome:
    (only,) = pool.run([list(task)])
    return only


def open_descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


def python(script: str, **kwargs: Any) -> subprocess.Popen[str]:
    source = f"import sys; sys.path.insert(0, {str(TESTS)!r})\nfrom rewardkit.isolation import *\n{script}"
    return subprocess.Popen([sys.executable, "-c", source], stdout=subprocess.PIPE, text=True, **kwargs)


class TestWhatWorkersGet:
    def test_a_worker_has_its_channel_its_tokens_and_nothing_else(self, tmp_path: Path) -> None:
        with open(tmp_path / "secret", "w") as secret, WorkerPool(ACT, workers=3) as pool:
            os.set_inheritable(secret.fileno(), True)
            found = pool.run([["sleep", 0.05]] * 3 + [["descriptors"]] * 9)
        assert {tuple(done.value) for done in found[3:]} == {("/dev/null",) * 3 + ("pipe", "socket")}

    def test_what_a_worker_prints_goes_nowhere(self, capfd: pytest.CaptureFixture[str]) -> None:
        with WorkerPool(ACT, workers=1) as pool:
            assert outcome(pool, "chatter").value == ""
        assert capfd.readouterr() == ("", "")

    def test_a_worker_inherits_the_environment(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3")
        with WorkerPool(ACT, workers=1) as pool:
            assert outcome(pool, "environment", "CUDA_VISIBLE_DEVICES").value == "3"

    def test_signals_that_the_parent_blocks_or_ignores_hide_nothing(self) -> None:
        script = """
import signal
signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGCHLD, signal.SIGTERM, signal.SIGXCPU})
for each in (signal.SIGXCPU, signal.SIGTERM):
    signal.signal(each, signal.SIG_IGN)
with WorkerPool("isolation_tasks:act", workers=1) as pool:
    deeds = [["exit_at_once", 3], ["signal_itself", signal.SIGTERM], ["signal_itself", signal.SIGXCPU]]
    print(*[found.status for found in pool.run(deeds)])
"""
        with python(script) as done:
            assert done.communicate(timeout=60)[0].split() == ["crashed", "crashed", "timeout"]

    def test_the_kernel_ends_a_task_if_the_pool_cannot(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Where no CPU clock can be read, or the pool itself is stuck."""
        monkeypatch.setattr("rewardkit.isolation.worker.cpu_clock", lambda pid: None)
        with WorkerPool(ACT, workers=1, cpu_seconds=0.1, wall_factor=100) as pool:
            found = outcome(pool, "spin", 60)
        assert found == TaskOutcome("timeout", None, "spent its 0.1 CPU seconds, and the kernel ended it")

    def test_what_a_task_starts_dies_with_its_worker(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir(tmp_path)
        with WorkerPool(ACT, workers=1) as pool:
            sleeper = outcome(pool, "start_sleeper").value
            assert is_alive(sleeper)
            assert outcome(pool, "start_sleeper_and_die").status == "crashed"
            assert eventually(lambda: not is_alive(int(Path("sleeper").read_text())))
        assert eventually(lambda: not is_alive(sleeper))


class TestNothingStays:
    def test_descriptors_threads_and_processes_stay_as_many(self) -> None:
        def use() -> None:
            with WorkerPool(ACT, workers=2, cpu_seconds=0.05, max_tasks=5) as pool:
                deeds = [["segfault"], ["spin", 9], ["exit_at_once", 1], ["allocate", 1 << 40], ["echo", 1]]
                pool.run(deeds * 2 + [["echo", place] for place in range(50)])

        def count() -> tuple[int, int, int]:
            return open_descriptors(), threading.active_count(), len(children(os.getpid()))

        use()
        before = count()
        for _ in range(3):
            use()
        assert count() == before

    def test_deaths_leave_no_descriptor_and_no_zombie_in_a_living_pool(self) -> None:
        with WorkerPool(ACT, workers=2) as pool:
            deaths = [["exit_at_once", status] for status in range(20)]
            warm = [["sleep", 0.05]] * 2
            pool.run(deaths[:5])
            pool.run(warm)
            _, forkserver = outcome(pool, "pids").value
            assert eventually(lambda: len(children(forkserver)) == 3)
            before = open_descriptors()
            pool.run(deaths[5:])
            pool.run(warm)
            assert eventually(lambda: len(children(forkserver)) == 3 and all(map(is_alive, children(forkserver))))
            assert open_descriptors() == before

    @pytest.mark.parametrize("deed", ["['spin', 600]", "['spin_in_c']", "['sleep', 600]", "['echo', 1]"])
    def test_nothing_outlives_a_parent_that_is_killed(self, deed: str) -> None:
        script = f"""
pool = WorkerPool("isolation_tasks:act", workers=2, cpu_seconds=600)
found = pool.run([["pids"]] * 50)
print(*{{pid for done in found for pid in done.value}}, flush=True)
pool.submit({deed}); pool.submit({deed})
sys.stdin.read()
"""
        with python(script, stdin=subprocess.PIPE) as parent:
            pids = [int(pid) for pid in parent.stdout.readline().split()]  # type: ignore[union-attr]
            time.sleep(0.2)
            assert all(is_alive(pid) for pid in pids)
            parent.kill()
        assert eventually(lambda: not any(is_alive(pid) for pid in pids))

    @pytest.mark.parametrize("end", ["", "raise SystemExit(0)", "del pool"])
    def test_a_program_with_an_open_pool_ends(self, end: str) -> None:
        script = f"""
pool = WorkerPool("isolation_tasks:act", workers=2, cpu_seconds=600)
print(*pool.run([["pids"]])[0].value, flush=True)
future = pool.submit(["spin_in_c"])
{end}
"""
        with python(script, stderr=subprocess.PIPE) as parent:
            out, errors = parent.communicate(timeout=60)
        assert errors == ""
        assert parent.returncode == 0
        assert not any(is_alive(int(pid)) for pid in out.split())

    def test_a_program_that_was_interrupted_ends(self) -> None:
        script = 'shared_pool("isolation_tasks:act", cpu_seconds=600).run([["first_time", sys.argv[1], "spin", 600]])'
        source = f"import sys; sys.path.insert(0, {str(TESTS)!r})\nfrom rewardkit.isolation import *\n{script}"
        place = Path(os.environ.get("TMPDIR", "/tmp")) / f"rewardkit-{os.getpid()}"
        command = [sys.executable, "-c", source, str(place)]
        with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, start_new_session=True) as parent:
            try:
                assert eventually(place.exists)
                os.killpg(parent.pid, signal.SIGINT)  # as a terminal does
                assert "KeyboardInterrupt" in parent.communicate(timeout=60)[1]
            finally:
                place.unlink(missing_ok=True)


class TestTheForkserver:
    def test_nothing_is_lost_when_it_is_killed_at_work(self) -> None:
        others = set(children(os.getpid()))
        with WorkerPool(ACT, workers=2) as pool:
            futures = [pool.submit(["sleep", 0.01, place]) for place in range(200)]
            for _ in range(3):
                time.sleep(0.15)
                for forkserver in set(children(os.getpid())) - others:
                    os.kill(forkserver, signal.SIGKILL)
            assert [future.result() for future in futures] == [TaskOutcome("done", place) for place in range(200)]

    def test_it_is_started_again_after_it_was_killed_idle(self) -> None:
        with WorkerPool(ACT, workers=1) as pool:
            _, forkserver = outcome(pool, "pids").value
            os.kill(forkserver, signal.SIGKILL)
            assert eventually(lambda: not is_alive(forkserver))
            assert outcome(pool, "pids").value[1] != forkserver

    def test_one_that_answers_no_more_is_replaced(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(supervisor, "ANSWER_SECONDS", 0.3)
        with WorkerPool(ACT, workers=1, cpu_seconds=0.2) as pool:
            worker, forkserver = outcome(pool, "pids").value
            os.kill(forkserver, signal.SIGSTOP)
            assert outcome(pool, "spin", 60).status == "timeout"
            assert outcome(pool, "echo", 1).value == 1
            assert not is_alive(forkserver)
            assert not is_alive(worker)

    def test_an_import_that_does_not_end(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        (tmp_path / "endless.py").write_text("import time\ntime.sleep(600)")
        monkeypatch.syspath_prepend(str(tmp_path))
        monkeypatch.setattr(supervisor, "START_SECONDS", 0.3)
        with (
            WorkerPool("endless:f") as pool,
            pytest.raises(PoolError, match="in a worker: importing it took more than 0.3 seconds"),
        ):
            pool.run([1])

    def test_a_system_that_forks_no_more(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        text = "import os\ndef fail(): raise OSError('no more processes')\nos.fork = fail\ndef f(x): return x"
        (tmp_path / "forkless.py").write_text(text)
        monkeypatch.syspath_prepend(str(tmp_path))
        with (
            WorkerPool("forkless:f") as pool,
            pytest.raises(PoolError, match="no worker of forkless:f stays alive: fork: no more processes"),
        ):
            pool.run([1])

    def test_an_interpreter_that_is_not_there(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("sys.executable", "/nowhere/python")
        with WorkerPool(ACT) as pool:
            with pytest.raises(PoolError, match="the pool failed: FileNotFoundError: .*/nowhere/python"):
                pool.run([["echo", 1]])
            monkeypatch.undo()
            monkeypatch.syspath_prepend(str(TESTS))
            assert outcome(pool, "echo", 1).value == 1, "a pool that failed starts again"


def call_in_daemon(answer: Any) -> None:
    with WorkerPool("math:factorial", workers=1) as pool:
        answer.put(pool.run([5])[0].value)


def in_forked_child(call: Callable[[], Any]) -> Any:
    """Return what a call returns in a forked child of this process, as JSON."""
    read, write = os.pipe()
    pid = os.fork()
    if not pid:
        try:
            os.write(write, json.dumps(call()).encode())
        finally:
            os._exit(0)
    os.close(write)
    with os.fdopen(read) as file:
        text = file.read()
    os.waitpid(pid, 0)
    return json.loads(text)


class TestParents:
    @pytest.mark.parametrize("method", ["fork", "spawn"])
    @pytest.mark.filterwarnings("default::DeprecationWarning")
    def test_a_daemonic_process_may_have_a_pool(self, method: str) -> None:
        script = f"""
import multiprocessing
sys.path.insert(0, {str(TESTS)!r})
from test_isolation_processes import call_in_daemon
if __name__ == "__main__":
    context = multiprocessing.get_context({method!r})
    queue = context.Queue()
    process = context.Process(target=call_in_daemon, args=(queue,), daemon=True)
    process.start()
    print(queue.get(timeout=60))
    process.join()
"""
        with python(script) as done:
            assert done.communicate(timeout=90)[0] == "120\n"

    @pytest.mark.filterwarnings("default::DeprecationWarning")
    def test_a_forked_child_gets_workers_of_its_own(self) -> None:
        with WorkerPool(ACT, workers=1) as pool:
            ours = outcome(pool, "pids").value
            theirs = in_forked_child(lambda: (outcome(pool, "pids").value, open_descriptors()))
            assert set(theirs[0]).isdisjoint(ours)
            assert outcome(pool, "pids").value == ours, "the child left the parent's worker alone"
            assert eventually(lambda: not any(is_alive(pid) for pid in theirs[0]))

    @pytest.mark.filterwarnings("default::DeprecationWarning")
    def test_a_child_forked_while_the_pool_is_at_work(self) -> None:
        with WorkerPool(ACT, workers=2) as pool:
            futures = [pool.submit(["sleep", 0.005, place]) for place in range(100)]
            found = [in_forked_child(lambda: outcome(pool, "echo", "child").value) for _ in range(5)]
            assert found == ["child"] * 5
            assert [future.result().value for future in futures] == list(range(100))

    @pytest.mark.filterwarnings("default::DeprecationWarning")
    def test_a_forked_child_shares_no_pool_with_its_parent(self) -> None:
        ours = outcome(shared_pool(ACT, workers=1), "pids").value
        theirs = in_forked_child(lambda: outcome(shared_pool(ACT, workers=1), "pids").value)
        assert set(theirs).isdisjoint(ours)
        shared_pool(ACT, workers=1).close()

    def test_a_pool_works_off_the_main_thread_and_after_it_ended(self) -> None:
        """The kernel ties a forkserver to the thread that made it, which must not be the caller's."""
        found: list[TaskOutcome] = []
        with WorkerPool(ACT, workers=1) as pool:
            thread = threading.Thread(target=lambda: found.append(outcome(pool, "pids")))
            thread.start()
            thread.join()
            gc.collect()
            assert outcome(pool, "pids") == found[0]


def test_the_core_does_not_import_the_pool() -> None:
    script = "import rewardkit, sys; print([name for name in sys.modules if 'isolation' in name])"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_the_pool_imports_no_multiprocessing() -> None:
    with python("print('multiprocessing' in sys.modules)") as done:
        assert done.communicate()[0] == "False\n"
