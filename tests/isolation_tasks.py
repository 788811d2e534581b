"""What tests of `rewardkit.isolation` run in workers: functions that behave, and functions that do not."""

from __future__ import annotations

import ctypes
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

NOT_CALLABLE = 3
kept: list[Any] = []


def echo(value: Any) -> Any:
    return value


def double(value: int) -> int:
    return 2 * value


def act(task: list[Any]) -> Any:
    """Do what the task says: ``[name of a function here, its arguments ...]``."""
    name, *arguments = task
    return globals()[name](*arguments)


def spin(seconds: float) -> str:
    end = time.process_time() + seconds
    while time.process_time() < end:
        pass
    return "spun"


def spin_in_c() -> int:
    return len(str(7 ** (10**8)))


def sleep(seconds: float, value: Any = "slept") -> Any:
    time.sleep(seconds)
    return value


def exit_at_once(status: int) -> None:
    os._exit(status)


def exit_politely(status: int) -> None:
    sys.exit(status)


def segfault() -> None:
    ctypes.string_at(0)


def signal_itself(signum: int) -> None:
    os.kill(os.getpid(), signum)
    time.sleep(60)


def kill_forkserver() -> None:
    os.kill(os.getppid(), signal.SIGKILL)
    time.sleep(60)


def allocate(size: int, keep: bool = False) -> int:
    block = bytes(size)
    if keep:
        kept.append(block)
    return len(block)


def nan() -> float:
    return float("nan")


def an_object() -> object:
    return object()


def text(length: int) -> str:
    return "x" * length


def nested(depth: int) -> list[Any]:
    value: list[Any] = []
    for _ in range(depth):
        value = [value]
    return value


def complain(message: str) -> None:
    raise ValueError(message)


def recurse() -> None:
    recurse()


class BrokenError(Exception):
    def __str__(self) -> str:
        raise RuntimeError


def complain_without_words() -> None:
    raise BrokenError


def chatter() -> str:
    for stream in (1, 2):
        os.write(stream, b"x" * 100_000)
    return sys.stdin.read()


def channel() -> socket.socket:
    """Return the worker's own channel, as code that has taken over a worker would find it."""
    for descriptor in range(3, 64):
        try:
            return socket.socket(fileno=os.dup(descriptor))
        except OSError:
            continue
    raise LookupError


def say(message: str) -> str:
    channel().sendall(bytes.fromhex(message))
    time.sleep(0.2)
    return "said"


def forge_tokens(count: int) -> int:
    """Write into the pipe from which a worker takes its tokens, as code that has taken it over could."""
    for name in os.listdir("/proc/self/fd"):
        path = f"/proc/self/fd/{name}"
        if os.path.lexists(path) and os.readlink(path).startswith("pipe:"):
            return os.write(os.open(path, os.O_WRONLY | os.O_NONBLOCK), b"x" * count)
    raise LookupError


def hang_up() -> None:
    os.closerange(3, 64)
    time.sleep(60)


def descriptors() -> list[str]:
    """Return the kinds of all open descriptors but the one that lists them."""
    names = os.listdir("/proc/self/fd")
    paths = [Path("/proc/self/fd", name) for name in names]
    return sorted(os.readlink(path).split(":")[0] for path in paths if os.path.lexists(path))


def pids() -> list[int]:
    return [os.getpid(), os.getppid()]


def environment(name: str) -> str | None:
    return os.environ.get(name)


def start_sleeper() -> int:
    return subprocess.Popen(["sleep", "300"]).pid


def start_sleeper_and_die() -> None:
    Path("sleeper").write_text(str(start_sleeper()))
    os._exit(1)


def first_time(place: str, *deed: Any) -> str:
    """Do the deed, unless it was done before: the place is a file that remembers."""
    try:
        os.close(os.open(place, os.O_CREAT | os.O_EXCL))
    except FileExistsError:
        return "survived"
    return str(act(list(deed)))


def record(place: str, value: Any) -> Any:
    """Note in a file that this ran."""
    with open(place, "a") as file:
        file.write(f"{value}\n")
    return value


def started_at() -> list[float]:
    return [time.monotonic(), os.getpid()]
