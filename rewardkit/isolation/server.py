"""The pool's side of the forkserver: start it, command it, hear from it."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any, NamedTuple

from rewardkit.isolation import forkserver
from rewardkit.isolation.forkserver import COMMAND, frame
from rewardkit.isolation.frames import FrameReader
from rewardkit.isolation.outcome import PoolError

__all__ = ["Forkserver", "Settings", "death"]

_CLOSING_SECONDS = 2.0
_ANY_LENGTH = (1 << 32) - 1


class Settings(NamedTuple):
    """The settings of a pool, resolved; see `WorkerPool`."""

    function: str
    workers: int
    cpu_seconds: float
    wall_factor: float
    memory_bytes: int
    spares: int
    retries: int
    max_tasks: int
    frame_bytes: int


class Forkserver:
    """A forkserver process of one pool.

    The thread that creates it must live as long as it does: the kernel ties the two together.

    Attributes:
        ready: Whether it has imported the function.
        started: When it was created.
    """

    def __init__(self, settings: Settings) -> None:
        if not sys.executable or not hasattr(os, "fork"):
            raise PoolError("workers need a POSIX system, and a Python interpreter in sys.executable")
        self.ready = False
        self.started = time.monotonic()
        self.control, far = socket.socketpair()
        try:
            self._process = _started(far)
        except OSError:
            self.control.close()
            raise
        finally:
            far.close()
        limits = {name: getattr(settings, name) for name in forkserver.Limits._fields}
        config = {"path": [str(entry) for entry in sys.path], "function": settings.function, "limits": limits}
        self._send(frame(json.dumps(config).encode()))
        self.control.setblocking(False)
        self._reader = FrameReader(self.control, _ANY_LENGTH)

    def fork(self, number: int, descriptors: tuple[int, int]) -> None:
        """Ask for a worker that gets these descriptors."""
        with contextlib.suppress(OSError):  # a forkserver that has gone is found out by its closed channel
            socket.send_fds(self.control, [COMMAND.pack(b"F", number)], descriptors)

    def kill(self, number: int) -> None:
        """Ask for the death of a worker."""
        self._send(COMMAND.pack(b"K", number))

    def _send(self, message: bytes) -> None:
        with contextlib.suppress(OSError):
            self.control.sendall(message)

    def notes(self) -> Iterator[list[Any]]:
        """Yield what it has said. Ends with EOFError when it has gone."""
        for note in self._reader.payloads():
            yield json.loads(note)

    def close(self) -> int:
        """End it and every worker; return its exit code, which is 0 if it has ended its workers itself."""
        self.control.close()  # which it hears, and kills its workers
        try:
            return self._process.wait(_CLOSING_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            return self._process.wait()

    def kill_now(self) -> int:
        """End it at once; the kernel ends its workers."""
        self._process.kill()
        return self.close()

    def forget(self) -> None:
        """Let go of it in a forked child, to whom it does not belong."""
        self.control.close()
        self._process.returncode = 0  # or its destructor would warn of a process still running


def _started(channel: socket.socket) -> subprocess.Popen[bytes]:
    # -P: with this folder in sys.path, its queue.py would hide the standard one
    return subprocess.Popen(
        [sys.executable, "-P", forkserver.__file__, str(channel.fileno()), str(os.getpid())],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        pass_fds=[channel.fileno()],
        start_new_session=True,  # a Ctrl-C in the terminal is for the parent
    )


def death(exit_code: int) -> str:
    """Say in words how a process ended.

    >>> death(-9), death(3)
    ('was killed by SIGKILL', 'exited with status 3')
    """
    if exit_code >= 0:
        return f"exited with status {exit_code}"
    with contextlib.suppress(ValueError):
        return f"was killed by {signal.Signals(-exit_code).name}"
    return f"was killed by signal {-exit_code}"
