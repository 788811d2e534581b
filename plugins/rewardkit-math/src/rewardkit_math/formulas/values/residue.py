"""Rational functions compared modulo a random prime: a proof up to a chance of about 1 in 10^18.

Sums, products and whole powers are computed at a random point modulo a random prime of 89 bits; everything else
(a root, a sine, ``x^n``) is one more variable. Equal formulas always agree there; different rational functions of
degree ``d`` agree with a chance of about ``d / 2^88`` (Schwartz, Zippel). Numbers of any size cost the same:
``2^{2025}`` is never built. Prime and point come from a digest of both trees, so no text can aim at them.
"""

from __future__ import annotations

from fractions import Fraction
from random import Random
from typing import NamedTuple

from rewardkit_math.formulas.session import Session
from rewardkit_math.formulas.values.graph import FOREIGN, Graph, Node

__all__ = ["Agreement", "agreement"]

_BITS = 89
_SMALL_PRIMES = (3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47)
_WITNESSES = (2, 3, 5, 7, 11, 13)
_MAX_FACTORIAL = 20_000


class Agreement(NamedTuple):
    """What the comparison modulo a prime found.

    Attributes:
        equal: The residues agree; None: one side is undefined.
        rational: Both sides are rational functions, so that disagreement is a proof.
        foreign: One side holds a part that nothing can evaluate.
    """

    equal: bool | None
    rational: bool
    foreign: bool


def agreement(graph: Graph, a: int, b: int, session: Session) -> Agreement:
    """Compare two nodes modulo a prime."""
    order = graph.reachable([a, b])
    session.spend(len(order) / 4 + 40)
    field = _Field(graph, session)
    for node in order:
        field.evaluate(node)
    x, y = field.values[a], field.values[b]
    foreign = any(graph.nodes[node].kind == FOREIGN for node in order)
    return Agreement(None if x is None or y is None else x == y, not field.free, foreign)


class _Field:
    """Residues of the nodes of a graph; None is undefined."""

    def __init__(self, graph: Graph, session: Session) -> None:
        self.values: dict[int, int | None] = {}
        self.free = False
        self._graph = graph
        self._session = session
        self._random = Random(session.seed)
        self._prime = _prime(self._random)
        self._calls: dict[tuple[object, ...], int] = {}

    def evaluate(self, node: int) -> None:
        kind, label, arguments = self._graph.nodes[node]
        parts = [self.values[argument] for argument in arguments]
        known = [part for part in parts if part is not None]
        undefined = len(known) < len(parts)
        self.values[node] = None if undefined else self._computed(Node(kind, label, arguments), known)

    def _computed(self, node: Node, parts: list[int]) -> int | None:
        if isinstance(node.label, Fraction):
            return self._fraction(node.label)
        if node.kind == "add":
            return sum(parts) % self._prime
        if node.kind == "multiply":
            product = 1
            for part in parts:
                product = product * part % self._prime
            return product
        if node.kind == "power":
            return self._power(node, parts)
        if node.label == "i" and node.kind == "constant":
            return self._imaginary()
        if node.kind == "call":
            return self._calls.setdefault((node.label, *parts), self._any())
        if node.label in ("factorial", "binomial") and (value := self._count(node)) is not None:
            return value
        if node.label == "infinity" or (node.label == "ln" and parts == [0]):
            return None
        # pi and e satisfy no equation with rational coefficients: for rational functions they are variables.
        self.free |= node.kind not in ("symbol", "constant")
        return self._any()

    def _any(self) -> int:
        return self._random.randrange(1, self._prime)

    def _fraction(self, x: Fraction) -> int | None:
        bottom = x.denominator % self._prime
        return x.numerator * pow(bottom, -1, self._prime) % self._prime if bottom else None

    def _power(self, node: Node, parts: list[int]) -> int | None:
        exponent = self._graph.value(node.arguments[1])
        if exponent is None or exponent.denominator > 1:
            self.free = True
            return self._any()
        if parts[0] == 0 and exponent <= 0:
            return None
        self._session.spend(exponent.numerator.bit_length() / 30)
        return pow(parts[0], exponent.numerator, self._prime)

    def _imaginary(self) -> int:
        while True:
            root = pow(self._any(), (self._prime - 1) // 4, self._prime)
            if root * root % self._prime == self._prime - 1:
                return root

    def _count(self, node: Node) -> int | None:
        numbers = [self._graph.value(argument) for argument in node.arguments]
        if any(x is None or x.denominator > 1 or x < 0 for x in numbers):
            return None
        n, *chosen = (x.numerator for x in numbers if x is not None)
        if not chosen:
            return self._falling(n, n) if n <= _MAX_FACTORIAL else None
        k = min(chosen[0], n - chosen[0])
        if not 0 <= k <= _MAX_FACTORIAL:
            return None
        return self._falling(n, k) * pow(self._falling(k, k), -1, self._prime) % self._prime

    def _falling(self, n: int, k: int) -> int:
        self._session.spend(k / 30)
        product = 1
        for j in range(n - k + 1, n + 1):
            product = product * j % self._prime
        return product


def _prime(random: Random) -> int:
    """Return a random prime of 89 bits that leaves 1 when divided by 4, so that it has a root of -1."""
    while True:
        n = (1 << (_BITS - 1)) | (random.getrandbits(_BITS - 1) & ~3) | 1
        if all(n % prime for prime in _SMALL_PRIMES) and all(_passes(n, witness) for witness in _WITNESSES):
            return n


def _passes(n: int, witness: int) -> bool:
    """Tell whether ``n`` passes the test of Miller and Rabin with this witness."""
    odd, twos = n - 1, 0
    while odd % 2 == 0:
        odd, twos = odd // 2, twos + 1
    x = pow(witness, odd, n)
    if x in (1, n - 1):
        return True
    for _ in range(twos - 1):
        x = x * x % n
        if x == n - 1:
            return True
    return False
