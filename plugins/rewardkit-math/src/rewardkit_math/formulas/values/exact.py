"""Exact arithmetic on fractions; every size is checked before anything is built."""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction

__all__ = ["MAX_BITS", "binomial", "bits", "factorial", "function", "power", "root"]

MAX_BITS = 4_096
"""Most bits, numerator and denominator together, of a fraction that is computed; larger ones stay as written."""
_MAX_ROOT = 64


def bits(x: Fraction) -> int:
    """Return the bits of numerator and denominator together.

    >>> bits(Fraction(3, 8))
    6
    """
    return x.numerator.bit_length() + x.denominator.bit_length()


def power(base: Fraction, exponent: Fraction) -> Fraction | None:
    """Return ``base`` to the ``exponent`` where that is a fraction within `MAX_BITS`, else None.

    An odd root of a negative number is negative. ``0 ** 0`` and a negative power of 0 are None.

    >>> power(Fraction(4, 9), Fraction(-3, 2)), power(Fraction(2), Fraction(1, 2)), power(Fraction(9), Fraction(9**9))
    (Fraction(27, 8), None, None)
    """
    if exponent.denominator > 1:
        inner = root(base, exponent.denominator)
        return None if inner is None else power(inner, Fraction(exponent.numerator))
    n = exponent.numerator
    if base == 0:
        return base if n > 0 else None
    if abs(base) == 1:
        return base if n % 2 else Fraction(1)
    return base**n if abs(n) <= MAX_BITS and bits(base) * abs(n) <= MAX_BITS else None


def root(x: Fraction, degree: int) -> Fraction | None:
    """Return the real root of that degree where it is a fraction, else None.

    >>> root(Fraction(-8, 27), 3), root(Fraction(2), 2)
    (Fraction(-2, 3), None)
    """
    if not 1 <= degree <= _MAX_ROOT or (x < 0 and degree % 2 == 0):
        return None
    top, bottom = _whole_root(abs(x.numerator), degree), _whole_root(x.denominator, degree)
    if top is None or bottom is None:
        return None
    return Fraction(-top if x < 0 else top, bottom)


def _whole_root(n: int, degree: int) -> int | None:
    if n.bit_length() > MAX_BITS:
        return None
    guess = math.isqrt(n) if degree == 2 else _floor_root(n, degree)
    return guess if guess**degree == n else None


def _floor_root(n: int, degree: int) -> int:
    low, high = 0, 1 << (n.bit_length() // degree + 1)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if middle**degree <= n else (low, middle)
    return low if n else 0


def factorial(x: Fraction) -> Fraction | None:
    """Return ``x!`` for a whole number from 0 on within `MAX_BITS`, else None.

    >>> factorial(Fraction(5)), factorial(Fraction(1, 2)), factorial(Fraction(10**9))
    (Fraction(120, 1), None, None)
    """
    n = x.numerator
    if x.denominator > 1 or n < 0 or n * n.bit_length() > MAX_BITS:
        return None
    return Fraction(math.factorial(n))


def binomial(n: Fraction, k: Fraction) -> Fraction | None:
    """Return ``n`` choose ``k`` for whole ``k``; 0 where ``k`` is outside of 0 to a whole ``n``.

    >>> binomial(Fraction(5), Fraction(2)), binomial(Fraction(10**9), Fraction(5 * 10**8))
    (Fraction(10, 1), None)
    """
    if k.denominator > 1:
        return None
    if n.denominator > 1 or n < 0:
        return _falling(n, k.numerator)
    if not 0 <= k <= n:
        return Fraction(0)
    least = min(k.numerator, n.numerator - k.numerator)
    if least * n.numerator.bit_length() > MAX_BITS:
        return None
    return Fraction(math.comb(n.numerator, least))


def _falling(n: Fraction, k: int) -> Fraction | None:
    if k < 0 or k * (bits(n) + k.bit_length()) > MAX_BITS:
        return None
    product = Fraction(1)
    for j in range(k):
        product *= (n - j) / (j + 1)
    return product


def _modulo(x: Fraction, y: Fraction) -> Fraction | None:
    return x % y if y else None


def _whole(compute: Callable[..., int]) -> Callable[..., Fraction | None]:
    def of_integers(*numbers: Fraction) -> Fraction | None:
        if any(x.denominator > 1 for x in numbers):
            return None
        return Fraction(compute(*(x.numerator for x in numbers)))

    return of_integers


_FUNCTIONS: dict[str, tuple[int | None, Callable[..., Fraction | None]]] = {
    "abs": (1, abs),
    "floor": (1, lambda x: Fraction(math.floor(x))),
    "ceil": (1, lambda x: Fraction(math.ceil(x))),
    "sign": (1, lambda x: Fraction((x > 0) - (x < 0))),
    "conjugate": (1, lambda x: x),
    "re": (1, lambda x: x),
    "im": (1, lambda x: Fraction(0)),
    "factorial": (1, factorial),
    "binomial": (2, binomial),
    "mod": (2, _modulo),
    "max": (None, lambda *numbers: max(numbers)),
    "min": (None, lambda *numbers: min(numbers)),
    "gcd": (None, _whole(math.gcd)),
    "lcm": (None, _whole(math.lcm)),
}


def function(name: str, arguments: list[Fraction]) -> Fraction | None:
    """Return the exact value of a function of fractions, or None where it has none or is unknown.

    >>> function("floor", [Fraction(7, 2)]), function("sin", [Fraction(1)])
    (Fraction(3, 1), None)
    """
    arity, compute = _FUNCTIONS.get(name, (0, None))
    if compute is None or not arguments or arity not in (None, len(arguments)):
        return None
    return compute(*arguments) if sum(map(bits, arguments)) <= MAX_BITS else None
