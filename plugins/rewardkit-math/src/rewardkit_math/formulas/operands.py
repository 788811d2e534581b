r"""Operands: numbers, names, fractions, roots, accents, and the dispatch to all others.

A whole number right before a proper fraction of numbers is a mixed number, ``1\frac12`` and ``1 1/2``, read as the
sum it is. Names keep their subscripts and primes: ``x_1``, ``a_{n+1}``, ``y'``. Two or more upper-case letters, ``AB``,
are one name, two or more lower-case letters are a product, ``dx`` is a name outside of integrals. ``e``, ``i`` and
``\pi`` are constants unless a sum binds them; ``I`` is one only beside a ``*``.
"""

from __future__ import annotations

import re
from fractions import Fraction

from rewardkit_math.forms.number import MAX_DIGITS, MAX_EXPONENT
from rewardkit_math.formulas.cursor import Grammar
from rewardkit_math.formulas.tree import (
    Add,
    Apply,
    Constant,
    Divide,
    Literal,
    Multiply,
    Negate,
    NumberSet,
    Numeral,
    Power,
    Quantity,
    Root,
    Symbol,
    Tree,
)
from rewardkit_math.formulas.vocabulary import ACCENTS, CURRENCY_SIGNS

__all__ = ["Operands", "literal"]

_STARTS = frozenset({"number", "name", "constant", "function", "set", "begin"})
_OPENING = frozenset({"(", "[", "{", "\\{", "|(", "\\lfloor", "\\lceil", "\\langle"})
_STARTING_MARKS = (
    _OPENING
    | ACCENTS
    | {"\\frac", "\\binom", "\\sqrt", "\\emptyset", "\\sum", "\\prod", "\\int", "\\lim", "\\angle", "\\triangle"}
)
_DECIMAL = re.compile(r"([0-9,]*)(?:\.([0-9]*))?(?:[eE]([+-]?[0-9]+))?\Z")
_REPEATING = re.compile(r"([0-9]+)\.([0-9]*?)(?:\\(overline|bar|dot)|\()\s*(.*)\Z")
_MAX_SUBSCRIPT = 20  # tokens
_BASE_WORDS = {"two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8, "nine": 9, "ten": 10}


def literal(text: str) -> Literal | str:
    r"""Return the number that digits say, exactly; where a budget is broken, say which.

    >>> literal("0.1\\overline{6}").value, literal("1,250.5").value
    (Fraction(1, 6), Fraction(2501, 2))
    """
    if sum(map(str.isdigit, text)) > MAX_DIGITS:
        return f"a number of more than {MAX_DIGITS} digits"
    if match := _REPEATING.match(text):
        return Literal(_repeating(match[1], match[2], match[3], match[4]), text)
    whole, decimals, exponent = _DECIMAL.match(text).groups()  # type: ignore[union-attr]
    if len(exponent or "") > 6 or abs(int(exponent or 0)) > MAX_EXPONENT:
        return f"a power of ten beyond {MAX_EXPONENT}"
    digits = whole.replace(",", "") + (decimals or "")
    return Literal(Fraction(int(digits)) * Fraction(10) ** (int(exponent or 0) - len(decimals or "")), text)
