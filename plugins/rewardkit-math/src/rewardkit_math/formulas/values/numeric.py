r"""Graphs evaluated at a point with error bounds, and two values compared.

Two values differ where their balls do not meet. They count as equal where the difference vanishes against their size,
twice: at `START` bits, and at more than twice as many, which grow with every number written and every magnitude met.
No tolerance is absolute, so neither ``\pi`` against ``\pi + 10^{-60}`` nor ``1/2^{98}`` against ``1/2^{99}`` passes.
"""

from __future__ import annotations

import os
import threading
from enum import Enum
from fractions import Fraction
from random import Random
from typing import NamedTuple, TypeAlias

from mpmath.ctx_mp import MPContext

from rewardkit_math.formulas.session import Session
from rewardkit_math.formulas.values import exact
from rewardkit_math.formulas.values.balls import Ball, Balls
from rewardkit_math.formulas.values.graph import FOREIGN, Graph, Node

__all__ = ["MAX_PRECISION", "START", "Found", "Meeting", "Point", "approximation", "compare_at", "sign_of"]

START = 192
"""Bits of the first evaluation, 57 digits."""
MAX_PRECISION = 8_192
_TOLERANCE = 170  # bits by which a difference is smaller than what it is the difference of
_CALL_STEPS = 1 << 24
_STEEP = frozenset({"tanh", "coth", "erf", "exp", "sinh", "cosh"})

Point: TypeAlias = dict[str, Fraction]


class Found(Enum):
    """What a comparison at a point found."""

    EQUAL = "equal"
    DIFFERENT = "different"
    UNDEFINED = "undefined"
    UNCERTAIN = "uncertain"


class Meeting(NamedTuple):
    """What a comparison at a point found, and whether all values on the way there were real."""

    found: Found
    real: bool = True


class _Workshop:
    """The one context of mpmath that is used, and the lock that keeps threads apart.

    Caches of constants in mpmath are shared by all contexts and not safe in threads.
    """

    def __init__(self) -> None:
        self.context = MPContext()
        self.renew()

    def renew(self) -> None:
        self.lock = threading.Lock()


_WORKSHOP = _Workshop()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_WORKSHOP.renew)


def compare_at(graph: Graph, a: int, b: int, point: Point, session: Session) -> Meeting:
    """Compare two nodes with the symbols at a point."""
    order = graph.reachable([a, b])
    with _WORKSHOP.lock:
        first = _Evaluation(graph, order, point, START, session)
        if first.apart(a, b):
            return Meeting(Found.DIFFERENT, first.real)
        precision = first.next_precision()
        while precision <= MAX_PRECISION:
            second = _Evaluation(graph, order, point, precision, session)
            found = second.found(a, b)
            if found is not Found.UNCERTAIN:
                return Meeting(found, second.real)
            precision = max(2 * precision, second.next_precision())
    found = Found.UNDEFINED if first.found(a, b) is Found.UNDEFINED else Found.UNCERTAIN
    return Meeting(found, first.real)


def sign_of(graph: Graph, node: int, session: Session) -> int | None:
    """Return the sign of a real constant that is not 0; None where it is not known."""
    order = graph.reachable([node])
    with _WORKSHOP.lock:
        for precision in (START, 4 * START):
            if (sign := _Evaluation(graph, order, {}, precision, session).sign(node)) is not None:
                return sign
    return None


def approximation(graph: Graph, node: int, session: Session) -> Fraction | None:
    """Return a real constant to more than 50 digits, or None where it is not known so well."""
    order = graph.reachable([node])
    with _WORKSHOP.lock:
        return _Evaluation(graph, order, {}, 2 * START, session).fraction(node)


class _Evaluation:
    """The values of nodes at a point, and how large and small they get on the way."""

    def __init__(self, graph: Graph, order: list[int], point: Point, precision: int, session: Session) -> None:
        self.values: dict[int, Ball | None] = {}
        self.real = True
        self._graph = graph
        self._point = point
        self._precision = precision
        self._balls = Balls(_WORKSHOP.context, precision)
        self._session = session
        self._random = Random(session.seed + b"calls")
        self._written = 0
        self._spread = 0.0
        self._calls: list[tuple[str | Fraction, list[Ball], Ball]] = []
        for node in order:
            self._visit(node, graph.nodes[node])

    def apart(self, a: int, b: int) -> bool:
        """Tell whether two values are certainly different."""
        difference = self._difference(a, b)
        return difference is not None and not self._balls.may_be_zero(difference)

    def found(self, a: int, b: int) -> Found:
        x, y, difference = self.values[a], self.values[b], self._difference(a, b)
        if x is None or y is None or difference is None:
            return Found.UNDEFINED
        if not self._balls.may_be_zero(difference):
            return Found.DIFFERENT
        sizes = [self._balls.magnitude(ball[0]) for ball in (x, y) if not self._balls.may_be_zero(ball)]
        # Where both vanish, there is no size to compare with but the smallest number met.
        scale = max(sizes) if sizes else -self._spread
        return Found.EQUAL if difference[1] <= scale - _TOLERANCE else Found.UNCERTAIN

    def sign(self, node: int) -> int | None:
        """Return the sign of a real value that is certainly not 0."""
        ball = self.values[node]
        if ball is None or not self._balls.is_real(ball) or self._balls.may_be_zero(ball):
            return None
        return 1 if ball[0] > 0 else -1

    def fraction(self, node: int) -> Fraction | None:
        ball = self.values[node]
        if ball is None or not self._balls.is_real(ball):
            return None
        size = self._balls.magnitude(ball[0])
        if abs(size) > exact.MAX_BITS or ball[1] > size - _TOLERANCE:
            return None
        mantissa, exponent = ball[0].man_exp
        return Fraction(-mantissa if ball[0] < 0 else mantissa) * Fraction(2) ** int(exponent)

    def next_precision(self) -> int:
        """Return bits enough for what was written and met."""
        return int(2 * START + 2 * self._spread + self._written)

    def _difference(self, a: int, b: int) -> Ball | None:
        x, y = self.values[a], self.values[b]
        return None if x is None or y is None else self._balls.add([x, (-y[0], y[1])])

    def _visit(self, node: int, operation: Node) -> None:
        parts = [self.values[argument] for argument in operation.arguments]
        known = [part for part in parts if part is not None]
        ball = self._ball(operation, known) if len(known) == len(parts) else None
        self.values[node] = ball
        if ball is not None:
            self.real = self.real and self._balls.is_real(ball)
            if not self._balls.may_be_zero(ball):
                self._spread = max(self._spread, abs(self._balls.magnitude(ball[0])))

    def _ball(self, node: Node, parts: list[Ball]) -> Ball | None:
        self._session.spend(self._cost(node, parts))
        if isinstance(node.label, Fraction):
            self._written += exact.bits(node.label)
            return self._balls.exact(node.label)
        if node.kind == "add":
            return self._balls.add(parts)
        if node.kind == "multiply":
            return self._balls.multiply(parts)
        if node.kind == "symbol":
            return self._balls.exact(self._point[node.label]) if node.label in self._point else None
        if node.kind == "constant":
            return self._balls.constant(node.label)
        if node.kind == "call":
            return self._call(node.label, parts)
        if node.kind == FOREIGN:
            return None
        return self._function(node, parts)

    def _function(self, node: Node, parts: list[Ball]) -> Ball | None:
        if node.kind == "apply" and isinstance(node.label, str):
            if node.label in _STEEP and parts[0][0]:
                self._spread = max(self._spread, 3.0 * 2 ** min(self._balls.magnitude(parts[0][0]), START))
            return self._balls.function(node.label, parts)
        exponent = self._graph.value(node.arguments[1])
        if node.kind == "root":
            return self._balls.root(parts[0], exponent.numerator) if exponent else None
        if exponent is not None:
            return self._balls.power(parts[0], exponent)
        if self._graph.nodes[node.arguments[0]] == Node("constant", "e"):
            return self._balls.exponential(parts[1])
        return self._balls.any_power(*parts)

    def _call(self, name: str | Fraction, parts: list[Ball]) -> Ball:
        """Return the value of a function that is only named: any, but the same for the same arguments."""
        for known, arguments, value in self._calls:
            if known == name and len(arguments) == len(parts) and all(map(self._same, arguments, parts)):
                return value
        value = self._balls.exact(Fraction(self._random.randrange(-_CALL_STEPS, _CALL_STEPS), _CALL_STEPS // 4))
        self._calls.append((name, parts, value))
        return value

    def _same(self, a: Ball, b: Ball) -> bool:
        difference = self._balls.add([a, (-b[0], b[1])])
        return difference is None or self._balls.may_be_zero(difference)

    def _cost(self, node: Node, parts: list[Ball]) -> float:
        precision = self._precision
        if node.kind == "apply":
            if node.label in ("factorial", "gamma", "binomial"):
                return 8.0 * (1 + (precision / 400) ** 3)
            largest = max((self._balls.magnitude(part[0]) for part in parts), default=0.0)
            return 3 * (1 + ((precision + max(largest, 0.0)) / 450) ** 2)
        if node.kind in ("power", "root"):
            return 3 * (1 + (precision / 450) ** 2)
        return max(len(parts), 1) * (0.7 + float((precision / 1000) ** 1.6))
