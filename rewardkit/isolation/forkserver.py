"""The other side of a pool: one process that imports the function once and forks workers, and what workers do.

This file runs as a script of its own and imports nothing but the standard library, so that a worker holds only what its
function needs. The forkserver never reads a task; it stays single-threaded, so that forking is safe.

What is said, all integers big-endian:

- pool to forkserver: a frame with the config as JSON, then commands of five bytes: ``F`` or ``K``, and the worker's
  number. ``F`` (fork) carries the worker's two descriptors.
- forkserver to pool: frames with one JSON list each: ``["ready"]``, ``["failed", why]``, ``["started", number, pid]``,
  ``["unforked", number, why]``, ``["died", number, exit code]``.
- pool to worker: chunks of tasks, each a number of two bytes, a count of two bytes, and a frame of JSON per task; and
  one byte per task, a token, on a pipe whose reading end pool and worker share. A worker takes a token before each
  task. The pool takes back what a worker has not begun by reading the tokens that are left: the kernel gives each
  byte to one reader, so a task is either begun or taken back, never both.
- worker to pool: one frame per task, in order: a byte for the kind, then JSON.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import json
import math
import os
import selectors
import signal
import socket
import struct
import sys
import time
from collections.abc import Callable
from typing import Any, NamedTuple, NoReturn

__all__ = ["CHUNK", "COMMAND", "DONE", "ERROR", "LENGTH", "MEMORY", "decoded", "encoded", "frame", "token"]

LENGTH = struct.Struct("!I")
COMMAND = struct.Struct("!cI")
CHUNK = struct.Struct("!HH")
DONE, ERROR, MEMORY = b"d", b"e", b"m"
REASON_CHARACTERS = 1_000

encoded: Callable[[object], str] = json.JSONEncoder(allow_nan=False, separators=(",", ":")).encode


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON value")


decoded: Callable[[str], Any] = json.JSONDecoder(parse_constant=_no_constant).decode


def frame(payload: bytes) -> bytes:
    """Put the length, four bytes, before a payload."""
    return LENGTH.pack(len(payload)) + payload


def token(number: int) -> bytes:
    """Return the byte that allows one task of the chunk with this number."""
    return bytes((number & 0xFF,))


def _read(channel: socket.socket, size: int) -> bytes:
    """Read exactly ``size`` bytes; EOFError when the other side has gone."""
    pieces = []
    while size:
        piece = channel.recv(min(size, 1 << 20))
        if not piece:
            raise EOFError
        pieces.append(piece)
        size -= len(piece)
    return b"".join(pieces)


def _read_frame(channel: socket.socket) -> bytes:
    return _read(channel, *LENGTH.unpack(_read(channel, LENGTH.size)))


# ---------------------------------------------------------------------------------------------------------- worker


class Limits(NamedTuple):
    """What the kernel enforces on a worker, and how large a frame may be."""

    cpu_seconds: float
    memory_bytes: int
    frame_bytes: int


def _work(function: Callable[[Any], Any], channel: socket.socket, tokens: int, limits: Limits) -> None:
    """Serve chunks until the pool closes the channel."""
    held = b""
    while True:
        number, count = CHUNK.unpack(_read(channel, CHUNK.size))
        for task in [_read_frame(channel) for _ in range(count)]:
            held = held or _take(tokens)
            if held != token(number):
                break  # the rest was taken back; a token in hand belongs to a later chunk
            held = b""
            _limit_cpu(limits.cpu_seconds)
            try:
                answer = frame(_answer(function, task, limits.frame_bytes))
            except MemoryError:
                answer = frame(MEMORY)
            channel.sendall(answer)


def _take(tokens: int) -> bytes:
    try:
        return os.read(tokens, 1)
    except BlockingIOError:
        return b""


def _answer(function: Callable[[Any], Any], task: bytes, frame_bytes: int) -> bytes:
    try:
        value = function(decoded(task.decode()))
    except MemoryError:
        raise
    except BaseException as error:  # SystemExit too: sys.exit in a task ends the task, not the worker
        return _failure(error)
    try:
        answer = encoded(value).encode()
    except (TypeError, ValueError, RecursionError) as error:
        return ERROR + encoded(f"returned no JSON value: {error}"[:REASON_CHARACTERS]).encode()
    if len(answer) > frame_bytes:
        return ERROR + encoded(f"returned {len(answer):,} bytes of JSON; at most {frame_bytes:,} may return").encode()
    return DONE + answer


def _failure(error: BaseException) -> bytes:
    return ERROR + encoded(_in_words(error)).encode()


def _in_words(error: BaseException) -> str:
    try:
        return f"{type(error).__name__}: {error}"[:REASON_CHARACTERS]
    except Exception:  # a broken __str__
        return type(error).__name__


def _limit_cpu(seconds: float) -> None:
    """Have the kernel end this process a second after the task's deadline, should the pool itself be stuck."""
    import resource

    soft = math.ceil(time.process_time() + seconds) + 1
    hard = resource.getrlimit(resource.RLIMIT_CPU)[1]
    if hard == resource.RLIM_INFINITY or soft < hard:
        resource.setrlimit(resource.RLIMIT_CPU, (soft, hard))


def _limit_memory(more: int) -> None:
    """Allow ``more`` bytes of address space than this process has now: a large module costs the task nothing."""
    import resource

    with contextlib.suppress(OSError, ValueError):  # no /proc, or a system that does not enforce it
        with open("/proc/self/statm") as statm:
            now = int(statm.read().split()[0]) * resource.getpagesize()
        hard = resource.getrlimit(resource.RLIMIT_AS)[1]
        soft = now + more if hard == resource.RLIM_INFINITY else min(now + more, hard)
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


# ------------------------------------------------------------------------------------------------------ forkserver


def _die_with_parent(signum: int) -> None:
    """Ask the kernel (Linux) for a signal when the parent dies; elsewhere the closed channel has to do."""
    import ctypes

    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signum, 0, 0, 0)  # PR_SET_PDEATHSIG


class _Forkserver:
    """The loop of the forkserver: commands come in, deaths go out."""

    def __init__(self, control: socket.socket, function: Callable[[Any], Any], limits: Limits) -> None:
        self._control = control
        self._function = function
        self._limits = limits
        self._pids: dict[int, int] = {}
        self._pid = os.getpid()
        self._wakeup, self._wake = socket.socketpair()
        for end in (self._wakeup, self._wake):
            end.setblocking(False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(self._wake.fileno(), warn_on_full_buffer=False)
        self._selector = selectors.DefaultSelector()
        self._selector.register(control, selectors.EVENT_READ)
        self._selector.register(self._wakeup, selectors.EVENT_READ)

    def serve(self) -> None:
        """Say that all is ready, then serve until the pool closes its end."""
        with contextlib.suppress(EOFError, ConnectionError):
            self._say("ready")
            while True:
                ready = {key.fileobj for key, _ in self._selector.select()}
                if self._wakeup in ready:
                    self._wakeup.recv(4096)
                    self._report_deaths()
                if self._control in ready:
                    self._obey()

    def kill_all(self) -> None:
        """Kill every worker, and wait for each: not every container has an init that would."""
        for pid in self._pids.values():
            _kill(pid)
        for pid in self._pids.values():
            with contextlib.suppress(ChildProcessError):
                os.waitpid(pid, 0)

    def _say(self, *note: object) -> None:
        self._control.sendall(frame(encoded(note).encode()))

    def _obey(self) -> None:
        received, descriptors, _, _ = socket.recv_fds(self._control, COMMAND.size, 2)
        if not received:
            raise EOFError
        received += _read(self._control, COMMAND.size - len(received))
        command, number = COMMAND.unpack(received)
        if command == b"F":
            self._fork(number, *descriptors)
        elif number in self._pids:
            _kill(self._pids[number])

    def _fork(self, number: int, channel: int, tokens: int) -> None:
        try:
            pid = os.fork()
        except OSError as error:
            self._say("unforked", number, str(error))
        else:
            if not pid:
                self._become_worker(channel, tokens)
            self._pids[number] = pid
            self._say("started", number, pid)
        finally:
            os.close(channel)
            os.close(tokens)

    def _become_worker(self, channel: int, tokens: int) -> NoReturn:
        try:
            os.setsid()  # its own group, so that what it starts dies with it
            _die_with_parent(signal.SIGKILL)
            if os.getppid() != self._pid:
                os._exit(1)
            signal.set_wakeup_fd(-1)
            for signum in (signal.SIGCHLD, signal.SIGTERM):
                signal.signal(signum, signal.SIG_DFL)
            self._selector.close()
            for own in (self._control, self._wakeup, self._wake):
                own.close()
            for descriptor in (channel, tokens):  # as received, they would outlive an exec
                os.set_inheritable(descriptor, False)
            _limit_memory(self._limits.memory_bytes)
            _work(self._function, socket.socket(fileno=channel), tokens, self._limits)
        except (EOFError, ConnectionError):
            os._exit(0)
        finally:
            os._exit(1)

    def _report_deaths(self) -> None:
        for number, pid in list(self._pids.items()):
            if os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
                continue
            _kill(pid)  # whom it left behind in its group; before the wait, while nobody else can have this pid
            _, status = os.waitpid(pid, 0)
            del self._pids[number]
            self._say("died", number, os.waitstatus_to_exitcode(status))


def _kill(pid: int) -> None:
    """Kill a worker and its group. The worker has not been waited for, so nobody else has its pid."""
    for kill in (os.kill, os.killpg):
        with contextlib.suppress(OSError):
            kill(pid, signal.SIGKILL)


def _found(path: str) -> Callable[[Any], Any]:
    module, _, names = path.partition(":")
    found: Any = importlib.import_module(module)
    for name in names.split("."):
        found = getattr(found, name)
    if not callable(found):
        raise TypeError(f"{path} is a {type(found).__name__}, not a function")
    return found  # type: ignore[no-any-return]


def _own_signals() -> None:
    """Undo what was inherited through exec: blocked or ignored signals would hide deaths and limits."""
    signal.pthread_sigmask(signal.SIG_SETMASK, [])
    for signum in (signal.SIGCHLD, signal.SIGTERM, signal.SIGXCPU):
        signal.signal(signum, signal.SIG_DFL)


def _no_core_files() -> None:
    import resource

    resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))


def main(descriptor: int, parent: int) -> None:
    """Import the function that the pool names, then fork workers until the pool goes away."""
    _own_signals()
    _no_core_files()
    _die_with_parent(signal.SIGTERM)
    if os.getppid() != parent:
        return
    os.set_inheritable(descriptor, False)
    control = socket.socket(fileno=descriptor)
    config = json.loads(_read_frame(control))
    sys.path[:] = config["path"]
    try:
        function = _found(config["function"])
    except BaseException as error:  # whatever an import raises is the answer
        control.sendall(frame(encoded(["failed", _in_words(error)]).encode()))
        return
    gc.collect()
    gc.freeze()  # forked workers share these pages for longer
    server = _Forkserver(control, function, Limits(**config["limits"]))
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())
    try:
        server.serve()
    finally:
        server.kill_all()


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
