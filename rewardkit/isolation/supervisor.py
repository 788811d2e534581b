"""The thread of a pool: it starts workers, hands out tasks, watches clocks, and hears of deaths."""

from __future__ import annotations

import contextlib
import math
import os
import selectors
import signal
import socket
import threading
import time
from collections.abc import Callable
from typing import Any

from rewardkit.isolation.frames import Malformed
from rewardkit.isolation.outcome import PoolError, TaskOutcome
from rewardkit.isolation.queue import TaskQueue
from rewardkit.isolation.server import Forkserver, Settings, death
from rewardkit.isolation.task import Batch, Task
from rewardkit.isolation.worker import Worker

__all__ = ["Supervisor"]

START_SECONDS = 300.0
ANSWER_SECONDS = 10.0
GOODBYE_SECONDS = 1.0
BARREN_STARTS = 20
BARREN_PAUSE_SECONDS = 0.005
_FROM_OUTSIDE = {signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT}
_CLOSED = "the pool was closed before every task had come to an end"


class Supervisor:
    """A pool's state in one process. All but `submit`, `stop` and `forget` runs in its own thread."""

    def __init__(self, settings: Settings) -> None:
        self._pid = os.getpid()
        self._settings = settings
        self._lock = threading.Lock()
        self._inbox: list[Batch] = []
        self._stopping = self.ended = False
        self._queue = TaskQueue(settings.retries)
        self._workers: dict[int, Worker] = {}
        self._number = 0
        self._forkserver: Forkserver | None = None
        self._barren, self._last_failure, self._start_after = 0, "", 0.0
        self._selector = selectors.DefaultSelector()
        self._wakeup, self._wake = socket.socketpair()
        self._wakeup.setblocking(False)
        self._wake.setblocking(False)
        self._watch(self._wakeup, self._read_inbox)
        self._thread = threading.Thread(target=self._run, name="rewardkit-isolation", daemon=True)
        self._thread.start()

    # -------------------------------------------------------------------------------------------- for other threads

    @property
    def is_this_thread(self) -> bool:
        """Whether the caller runs on this thread, where waiting for it would never end."""
        return threading.current_thread() is self._thread

    def submit(self, batch: Batch) -> None:
        """Take a batch, whose future tells the end."""
        with self._lock:
            if self.ended:
                raise PoolError(_CLOSED)
            self._inbox.append(batch)
        self._wake_up()

    def stop(self) -> None:
        """End every process and the thread; what is not settled fails. Does nothing in a forked child."""
        if self._pid != os.getpid():
            return
        self._stopping = True
        self._wake_up()
        if not self.is_this_thread:
            self._thread.join()

    def forget(self) -> None:
        """Close the descriptors in a forked child; the processes stay the parent's."""
        for own in (self._selector, self._wakeup, self._wake):
            own.close()
        for worker in self._workers.values():
            worker.close()
        if self._forkserver is not None:
            self._forkserver.forget()

    def _wake_up(self) -> None:
        with contextlib.suppress(OSError):  # full: it is about to wake up anyway; closed: it has ended
            self._wake.send(b"\0")

    # --------------------------------------------------------------------------------------------------- the thread

    def _run(self) -> None:
        error = PoolError(_CLOSED)
        try:
            while not self._stopping:
                self._turn()
        except BaseException as unexpected:  # a callback may raise SystemExit
            error = PoolError(f"the pool failed: {type(unexpected).__name__}: {unexpected}")
            error.__cause__ = unexpected
        finally:
            self._tear_down(error)

    def _turn(self) -> None:
        for key, events in self._selector.select(self._patience()):
            if self._selector.get_map().get(key.fd) is key:  # or an event before this one has closed it
                key.data(events)
        self._watch_clocks(time.monotonic())
        self._start_workers()
        self._dispatch(time.monotonic())

    def _tear_down(self, error: PoolError) -> None:
        if self._forkserver is not None:
            self._drop_forkserver(self._forkserver.close)
        self._let_all_go()
        with self._lock:
            self.ended = True
            for batch in self._inbox:
                self._queue.add(batch)
        self._queue.fail(error)
        for own in (self._selector, self._wakeup, self._wake):
            own.close()

    def _watch(self, source: socket.socket, react: Callable[[int], None]) -> None:
        self._selector.register(source, selectors.EVENT_READ, react)

    def _unwatch(self, source: socket.socket) -> None:
        with contextlib.suppress(KeyError, ValueError):
            self._selector.unregister(source)

    def _read_inbox(self, events: int) -> None:
        self._wakeup.recv(4096)
        with self._lock:
            batches, self._inbox = self._inbox, []
        for batch in batches:
            self._queue.add(batch)

    def _patience(self) -> float | None:
        """Return for how many seconds nothing has to be done unless somebody says something."""
        times = [worker.look_at() for worker in self._workers.values()]
        if self._forkserver is not None and not self._forkserver.ready:
            times.append(self._forkserver.started + START_SECONDS)
        now = time.monotonic()
        if len(self._queue) and self._start_after > now:
            times.append(self._start_after)
        until = min(times, default=math.inf)
        return None if until == math.inf else max(until - now, 0.0)

    # ---------------------------------------------------------------------------------------------- hand out tasks

    def _dispatch(self, now: float) -> None:
        idle = [worker for worker in self._workers.values() if worker.idle]
        free = self._settings.workers - sum(bool(worker.tasks) and not worker.gone for worker in self._workers.values())
        if not idle or not free or self._runs_alone():
            return
        idle.sort(key=lambda worker: not worker.served)  # a fresh one is kept for a suspect
        while free and idle and (task := self._queue.suspect()) is not None:
            alone = self._queue.is_last_try(task)
            if alone and self._busy():
                return
            if idle[-1].served:
                self._make_room(idle.pop())
                break
            self._send(idle.pop(), [self._queue.take_suspect()], now)
            if alone:
                return
            free -= 1
        for worker in idle[:free]:
            share = math.ceil(len(self._queue) / (2 * self._settings.workers))
            tasks = self._queue.chunk(min(worker.reach, share, self._settings.max_tasks - worker.served))
            if tasks:
                self._send(worker, tasks, now)

    def _send(self, worker: Worker, tasks: list[Task], now: float) -> None:
        worker.assign(tasks, now)
        if worker.unsent:
            self._selector.modify(worker.channel, selectors.EVENT_READ | selectors.EVENT_WRITE, self._listener(worker))

    def _make_room(self, worker: Worker) -> None:
        """Have a fresh worker instead of this one, unless one is on its way."""
        if all(worker.pid is not None or worker.gone for worker in self._workers.values()):
            self._kill(worker)

    def _busy(self) -> int:
        return sum(bool(worker.tasks) for worker in self._workers.values())

    def _runs_alone(self) -> bool:
        return any(worker.tasks and self._queue.is_last_try(worker.tasks[0]) for worker in self._workers.values())

    # ------------------------------------------------------------------------------------------- hear from workers

    def _listener(self, worker: Worker) -> Callable[[int], None]:
        return lambda events: self._hear(worker, events)

    def _hear(self, worker: Worker, events: int) -> None:
        if events & selectors.EVENT_WRITE:
            worker.flush()
            if not worker.unsent:
                self._selector.modify(worker.channel, selectors.EVENT_READ, self._listener(worker))
        if events & selectors.EVENT_READ:
            try:
                self._take_answers(worker)
            except EOFError:  # the forkserver is about to say how it died
                self._unwatch(worker.channel)
                worker.gone = True
                worker.answer_by = time.monotonic() + GOODBYE_SECONDS

    def _take_answers(self, worker: Worker) -> None:
        served = worker.served
        try:
            for outcome in worker.answers():
                self._take(worker, outcome)
                if worker.gone:
                    return
        except Malformed as error:
            worker.lied = f"broke the protocol: {error}"
            self._kill(worker)
        finally:
            if worker.served > served:
                self._barren = 0
                worker.progressed(time.monotonic())
        if worker.served >= self._settings.max_tasks and worker.idle:
            self._kill(worker)

    def _take(self, worker: Worker, outcome: TaskOutcome) -> None:
        if not worker.tasks:
            raise Malformed("an answer to no task")
        task = worker.tasks.popleft()
        worker.served += 1
        if outcome.status != "memory" or worker.served == 1:
            self._queue.settle(task, outcome)
        else:  # what ran before may have left too little
            self._queue.doubt(task)
        if outcome.status == "memory":
            worker.blameless = True
            self._kill(worker)

    def _watch_clocks(self, now: float) -> None:
        for worker in list(self._workers.values()):
            if now < worker.look_at():
                continue
            if worker.gone or worker.pid is None:
                self._is_late(worker, now)
                continue
            if worker.keeps_waiting(now):
                self._queue.give_back(worker.take_back())
            self._judge(worker, now)
        server = self._forkserver
        if server is not None and not server.ready and now - server.started >= START_SECONDS:
            self._cannot_use(f"importing it took more than {START_SECONDS:g} seconds")

    def _judge(self, worker: Worker, now: float) -> None:
        """Kill a worker whose task is overdue, unless it has answered while this thread was kept waiting."""
        fate, served = worker.overdue(now), worker.served
        if fate is not None:
            self._hear(worker, selectors.EVENT_READ)
            if worker.served == served and not worker.gone:
                worker.fate = fate
                self._kill(worker)

    # --------------------------------------------------------------------------------- workers come, workers go

    def _start_workers(self) -> None:
        if self._barren >= BARREN_STARTS:
            self._give_up(PoolError(f"no worker of {self._settings.function} stays alive: {self._last_failure}"))
        waiting = len(self._queue)
        if self._forkserver is None:
            if not waiting or time.monotonic() < self._start_after:
                return
            self._forkserver = Forkserver(self._settings)
            self._watch(self._forkserver.control, self._hear_forkserver)
        alive = sum(not worker.gone for worker in self._workers.values())
        want = min(self._settings.workers, self._busy() + waiting) + self._settings.spares
        if time.monotonic() >= self._start_after:
            for _ in range(want - alive):
                self._start_worker(self._forkserver)

    def _start_worker(self, server: Forkserver) -> None:
        self._number += 1
        answer_by = time.monotonic() + ANSWER_SECONDS if server.ready else math.inf
        worker = self._workers[self._number] = Worker(self._number, self._settings, answer_by)
        server.fork(worker.number, worker.far_ends)
        worker.hand_over()
        self._watch(worker.channel, self._listener(worker))

    def _kill(self, worker: Worker) -> None:
        """Have the forkserver kill a worker; its report of the death does the rest."""
        worker.killed = worker.gone = True
        worker.answer_by = time.monotonic() + ANSWER_SECONDS
        self._unwatch(worker.channel)
        if self._forkserver is not None:
            self._forkserver.kill(worker.number)

    def _let_go(self, worker: Worker) -> None:
        self._unwatch(worker.channel)
        worker.close()

    def _let_all_go(self) -> None:
        while self._workers:
            self._let_go(self._workers.popitem()[1])

    def _is_late(self, worker: Worker, now: float) -> None:
        if worker.gone and not worker.killed:
            worker.lied = "closed its channel"
            self._kill(worker)
        elif self._forkserver is not None:
            self._lose_forkserver(self._forkserver.kill_now, f"did not answer for {ANSWER_SECONDS:g} seconds")

    def _died(self, worker: Worker, how: str, exit_code: int | None = None) -> None:
        """Decide what the death of a worker means for its tasks; without an exit code the forkserver died first."""
        self._bury(worker)
        if worker.blameless or not worker.tasks:
            self._queue.give_back(worker.tasks)
            if exit_code is not None and not worker.served and not worker.killed:
                self._failed_start(f"it {how} before its first task")
            return
        task = worker.tasks.popleft()
        self._queue.give_back(worker.tasks)
        if exit_code == -signal.SIGXCPU and worker.fate is None:
            reason = f"spent its {self._settings.cpu_seconds:g} CPU seconds, and the kernel ended it"
            worker.fate = TaskOutcome("timeout", reason=reason)
        if worker.fate is not None:
            self._queue.settle(task, worker.fate)
        else:
            crashed = worker.lied is not None or (exit_code is not None and -exit_code not in _FROM_OUTSIDE)
            self._queue.charge(task, crashed, worker.lied or how)

    def _bury(self, worker: Worker) -> None:
        """Take what it had answered before it died, and let go of it."""
        del self._workers[worker.number]
        if not worker.killed:
            with contextlib.suppress(EOFError):
                self._take_answers(worker)
        self._let_go(worker)

    # --------------------------------------------------------------------------------------------- the forkserver

    def _hear_forkserver(self, events: int) -> None:
        server = self._forkserver
        assert server is not None
        try:
            for note in server.notes():
                self._hear_note(server, *note)
                if self._forkserver is not server:
                    return
        except EOFError:
            self._lose_forkserver(server.close)

    def _hear_note(self, server: Forkserver, kind: str, *details: Any) -> None:
        if kind == "failed":
            self._cannot_use(details[0])
        elif kind == "ready":
            server.ready = True
            for worker in self._workers.values():
                worker.answer_by = time.monotonic() + ANSWER_SECONDS
        elif kind == "started":
            self._workers[details[0]].pid = details[1]
        elif kind == "unforked":
            self._let_go(self._workers.pop(details[0]))
            self._failed_start(f"fork: {details[1]}")
        else:
            self._died(self._workers[details[0]], death(details[1]), details[1])

    def _cannot_use(self, why: str) -> None:
        self._give_up(PoolError(f"cannot use {self._settings.function} in a worker: {why}"))

    def _failed_start(self, reason: str) -> None:
        """Count starts that led to nothing, and pause before the next one."""
        self._start_after = time.monotonic() + BARREN_PAUSE_SECONDS * self._barren
        self._barren += 1
        self._last_failure = reason

    def _drop_forkserver(self, end: Callable[[], int]) -> int:
        assert self._forkserver is not None
        self._unwatch(self._forkserver.control)
        self._forkserver = None
        exit_code = end()
        for worker in self._workers.values() if exit_code else ():
            if worker.pid is not None:  # the kernel has seen to it on Linux, but not to what it has started
                with contextlib.suppress(OSError):
                    os.killpg(worker.pid, signal.SIGKILL)
        return exit_code

    def _lose_forkserver(self, end: Callable[[], int], why: str = "") -> None:
        """Go on after the forkserver and all workers with it have died: every task that ran is tried again."""
        exit_code = self._drop_forkserver(end)
        how = f"lost its forkserver, which {why or death(exit_code)}"
        self._failed_start(f"it {how}")
        for worker in list(self._workers.values()):
            self._died(worker, how)

    def _give_up(self, error: PoolError) -> None:
        """Fail what waits; the next batch starts anew."""
        self._queue.fail(error)
        self._barren = 0
        if self._forkserver is not None:
            self._drop_forkserver(self._forkserver.close)
        self._let_all_go()
