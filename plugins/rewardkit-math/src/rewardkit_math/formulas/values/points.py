"""Random points at which formulas are compared, drawn from a digest of both formulas."""

from __future__ import annotations

from fractions import Fraction
from random import Random

__all__ = ["MAX_POINTS", "integer_point", "rational_point"]

MAX_POINTS = 24
_STEPS = 1 << 20  # values are multiples of 1/2^20: exact at any precision


def rational_point(random: Random, index: int, names: list[str], numbers: list[Fraction]) -> dict[str, Fraction]:
    """Return values for the names.

    The first points are all positive, all negative, all small, all beyond the numbers written; then every name draws
    its own kind of value, which may also be close to a number written.

    Args:
        random: Source of the values.
        index: Which point of the series.
        names: Symbols, in order.
        numbers: The numbers that the formulas hold.
    """
    far = max((abs(number) for number in numbers), default=Fraction(0)) + 2
    return {name: _value(random, index if index < 5 else random.randrange(7), far, numbers) for name in names}


def _value(random: Random, kind: int, far: Fraction, numbers: list[Fraction]) -> Fraction:
    unit = Fraction(random.randrange(1, _STEPS), _STEPS)
    if kind == 0:
        return Fraction(1, 2) + 3 * unit
    if kind == 1:
        return Fraction(-1, 2) - 3 * unit
    if kind == 2:
        return unit / 2
    if kind in (3, 4):
        return (far * (1 + unit)).limit_denominator(_STEPS) * (1 if kind == 3 else -1)
    if kind == 5 or not numbers:
        return unit - Fraction(1, 2)
    return random.choice(numbers) + (unit - Fraction(1, 2)) / 4


def integer_point(random: Random, index: int, names: list[str], numbers: list[Fraction]) -> dict[str, Fraction]:
    """Return positive integers for the names: small ones first, then up to beyond the numbers written."""
    far = int(max((abs(number) for number in numbers), default=Fraction(0)))
    largest = (6, 12, 30, 60, 2 * far + 40)[min(index // 2, 4)]
    return {name: Fraction(random.randrange(1, largest + 1)) for name in names}
