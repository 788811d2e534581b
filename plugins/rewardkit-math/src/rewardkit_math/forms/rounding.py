"""When a decimal counts as another number, rounded."""

from __future__ import annotations

import re
from fractions import Fraction

from rewardkit_math.forms.number import MAX_EXPONENT, Number

__all__ = ["may_round", "rounds"]

_DECIMAL = re.compile(
    r"[+-]? ?[$€£¥]? ?[+-]? ?(?P<whole>[0-9, ]*)(?:\.(?P<part>[0-9]*))?"
    r"(?: ?(?:\\cdot|\*|x) ?10 ?\^ ?\{? ?(?P<power>[+-]? ?[0-9]+) ?\}?|[eE](?P<e>[+-]?[0-9]+))?"
    r"(?! ?(?:[0-9/^]|\\(?!text)))"
)


def rounds(a: Number, x: Fraction, b: Number, y: Fraction, digits: int) -> bool:
    """Tell whether one number is the other, rounded to at least ``digits`` significant digits.

    Args:
        a: One number; only its text counts.
        x: What it is read as: of a percentage, that may be the hundredth part.
        b: The other number.
        y: What that is read as.
        digits: Least number of significant digits, with a decimal point or a power of ten.

    Returns:
        Whether ``|x - y|`` is at most half a unit in the last place of either text; halves round up or to even.
    """
    return _rounds(a, x, y, digits) or _rounds(b, y, x, digits)


def may_round(number: Number, digits: int | None) -> bool:
    """Tell whether a number is a decimal of at least ``digits`` significant digits; none is where that is None."""
    return digits is not None and _last_place(number, digits) is not None


def _rounds(rounded: Number, x: Fraction, y: Fraction, digits: int) -> bool:
    step = _last_place(rounded, digits)
    if step is None:
        return False
    # A reading as a hundredth part scales the last place too.
    scale = x / rounded.value if rounded.value else Fraction(1)
    return 2 * abs(x - y) <= step * scale


def _last_place(number: Number, digits: int) -> Fraction | None:
    """Return the unit in the last place of a decimal; None of any other number, or one with fewer digits."""
    match = _DECIMAL.match(number.text)
    if match is None or (match["part"] is None and match["power"] is None and match["e"] is None):
        return None
    part, power = match["part"] or "", int((match["power"] or match["e"] or "0").replace(" ", ""))
    written = (match["whole"] + part).replace(",", "").replace(" ", "").lstrip("0")
    if len(written) < digits or abs(power) > MAX_EXPONENT:
        return None
    return Fraction(10) ** (power - len(part))
