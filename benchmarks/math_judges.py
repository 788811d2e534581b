"""Math verifiers, ours and peers, each in a child process that can be killed: a verdict may hang or crash it."""

from __future__ import annotations

import logging
import os
import resource
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from multiprocessing import get_context
from multiprocessing.connection import Connection
from typing import NamedTuple, TypeAlias

__all__ = ["JUDGES", "Judge", "Judged", "Pair", "arithmetic", "available"]

Pair: TypeAlias = tuple[str, str]
"""A response and its reference."""
Verdict: TypeAlias = bool | None
"""None where the judge abstains."""

WALL_SECONDS = 12.0
_START_SECONDS = 120.0
_GIGABYTES = 8


class Judged(NamedTuple):
    """One verdict and its wall seconds, or how the judge ended without one: ``hang`` or ``crash``."""

    correct: Verdict
    seconds: float
    end: str = ""


def rewardkit_judge() -> Callable[[str, str], Verdict]:
    from rewardkit_math.verifier import verify

    def judge(response: str, gold: str) -> Verdict:
        score = verify(response, gold).score
        return None if score is None else score == 1.0

    return judge


def math_verify_judge() -> Callable[[str, str], Verdict]:
    """The package's defaults, time limits included; the reference in a box, as verl passes it."""
    from math_verify import parse, verify

    def judge(response: str, gold: str) -> Verdict:
        reference = parse(rf"\boxed{{{gold}}}")
        return verify(reference, parse(response)) if reference else None

    return judge


def trl_judge() -> Callable[[str, str], Verdict]:
    from trl.rewards import accuracy_reward

    def judge(response: str, gold: str) -> Verdict:
        reward = accuracy_reward([[{"role": "assistant", "content": response}]], [rf"\boxed{{{gold}}}"])[0]
        return None if reward is None else reward == 1.0

    return judge


JUDGES: dict[str, Callable[[], Callable[[str, str], Verdict]]] = {
    "rewardkit": rewardkit_judge,
    "math-verify": math_verify_judge,
    "TRL": trl_judge,
}
_PACKAGES = {"rewardkit": "rewardkit_math", "math-verify": "math_verify", "TRL": "trl"}


def available() -> list[str]:
    """Return the names of the judges whose package is installed; ours comes first."""
    return [name for name in JUDGES if find_spec(_PACKAGES[name])]


@contextmanager
def arithmetic(gmpy2: bool) -> Iterator[None]:
    """Let sympy and mpmath in children started inside use gmpy2, or Python's integers."""
    chosen = {"SYMPY_GROUND_TYPES": "gmpy" if gmpy2 else "python"} | ({} if gmpy2 else {"MPMATH_NOGMPY": "1"})
    before = {name: os.environ.pop(name, None) for name in ("SYMPY_GROUND_TYPES", "MPMATH_NOGMPY")}
    os.environ.update(chosen)
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name, None)
            if value is not None:
                os.environ[name] = value


def _serve(name: str, pipe: Connection) -> None:
    logging.disable(logging.CRITICAL)
    judge = JUDGES[name]()
    judge(r"\boxed{\frac{1}{2}}", "0.5")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)  # tracebacks of crashes
    resource.setrlimit(resource.RLIMIT_AS, (_GIGABYTES << 30, _GIGABYTES << 30))
    pipe.send(None)
    while (pair := pipe.recv()) is not None:
        start = time.perf_counter()
        correct = judge(*pair)
        pipe.send((correct, time.perf_counter() - start))


class Judge:
    """One verifier in a child process, started anew after it hung or crashed.

    Args:
        name: One of `JUDGES`.
        limit: Wall seconds after which a verdict counts as a hang.
    """

    def __init__(self, name: str, limit: float = WALL_SECONDS) -> None:
        self.name, self.limit = name, limit
        self._start()

    def __enter__(self) -> Judge:
        return self

    def __exit__(self, *_: object) -> None:
        self._child.kill()

    def _start(self) -> None:
        context = get_context("spawn")
        self._pipe, far = context.Pipe()
        self._child = context.Process(target=_serve, args=(self.name, far))
        self._child.start()
        far.close()
        try:
            ready = self._pipe.poll(_START_SECONDS) and self._pipe.recv() is None
        except EOFError:
            ready = False
        if not ready:
            self._child.kill()
            raise RuntimeError(f"{self.name} does not start")

    def ask(self, pair: Pair) -> Judged:
        """Return the verdict on one pair."""
        start = time.perf_counter()
        self._pipe.send(pair)
        try:
            if self._pipe.poll(self.limit):
                return Judged(*self._pipe.recv())
            end = "hang"
        except EOFError:
            end = "crash"
        taken = time.perf_counter() - start
        self._child.kill()
        self._start()
        return Judged(None, taken, end)

    def ask_all(self, pairs: Iterable[Pair]) -> list[Judged]:
        """Return the verdicts on all pairs, in order."""
        return [self.ask(pair) for pair in pairs]
