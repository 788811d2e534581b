r"""Numbers read exactly: integers, decimals, fractions, mixed numbers, powers of ten, percentages, units.

A number is a literal, never the outcome of a computation: ``17 \cdot 24`` or ``2^{10}`` is none. Every budget is
checked on the text, before anything is built.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from fractions import Fraction

from rewardkit_math.forms.surface import has_bare_letters, unwrap
from rewardkit_math.forms.units import CURRENCY, read_unit, short_unit

__all__ = ["MAX_DIGITS", "MAX_EXPONENT", "Number", "read_number"]

MAX_DIGITS = 600
"""Most digits a number may be written with; Python itself refuses to read more than it is set to (640 at least)."""
MAX_EXPONENT = 1000
"""Largest power of ten that is built."""

# A comma or a space between groups of three digits separates thousands.
_PLAIN = r"(?:[0-9]{1,3}(?:,[0-9]{3})+(?![0-9])|[0-9]{1,3}(?: [0-9]{3})+(?![0-9])|[0-9]+)(?:\.[0-9]*)?|\.[0-9]+"
_SIGNED = r"[+-]? ?[0-9]+(?:\.[0-9]+)?"
_POWER = r"\^ ?(?:\{ ?(?P<braced>[+-]? ?[0-9]+) ?\}|(?P<bare>[+-]?[0-9]+))"
_LITERAL = re.compile(
    rf"(?P<sign>[+-]?) ?(?P<currency>[{CURRENCY}]?) ?(?P<sign2>[+-]?) ?"
    r"(?:"
    rf"(?:(?P<whole>[0-9]+) ?)?\\frac ?\{{ ?(?P<top>{_SIGNED}) ?\}} ?\{{ ?(?P<bottom>{_SIGNED}) ?\}}"
    r"|(?P<mixed>[0-9]+) (?P<over>[0-9]+) ?/ ?(?P<under>[0-9]+)"
    rf"|(?P<repeating>[0-9]*\.[0-9]*)\\overline ?\{{ ?(?P<period>[0-9]+) ?\}}"
    rf"|10 ?{_POWER}"
    rf"|(?P<plain>{_PLAIN})"
    rf"(?: ?/ ?(?P<divisor>{_SIGNED})"
    rf"| ?(?:\\cdot|\*|x) ?10 ?{_POWER.replace('braced', 'braced2').replace('bare', 'bare2')}"
    r"|[eE](?P<e>[+-]?[0-9]+))?"
    r")"
)
_INTEGER = re.compile(r"[+-]?[0-9]{1,600}\Z")
_SCALES = {"hundred": 10**2, "thousand": 10**3, "million": 10**6, "billion": 10**9, "trillion": 10**12}
_ORDINAL = re.compile(r"\^? ?\{? ?(?:st|nd|rd|th) ?\}?\Z")
_PERCENT = re.compile(r"(?:%|percent(?:age)?|pct)\Z")


@dataclass(frozen=True, slots=True)
class Number:
    """An exact number as it was written.

    Attributes:
        value: What the digits say; a percent sign does not divide it by 100.
        percent: Whether a percent sign or word follows.
        unit: The unit in its shortest spelling, or "".
        items: The other reading of ``70,110``: the numbers between the commas.
        text: The tidy text.
    """

    value: Fraction
    percent: bool = False
    unit: str = ""
    items: tuple[Fraction, ...] = field(default=(), compare=False)
    text: str = field(default="", compare=False)

    def __str__(self) -> str:
        return self.text


def read_number(text: str) -> Number | None:
    r"""Read a tidy text that is one number, with an optional currency sign, percent sign or unit.

    Thousands separators are a comma, a space or a thin space; the decimal mark is a point. A fraction is read
    unreduced; ``3\frac{1}{2}`` and ``3 1/2`` are mixed numbers while the fraction is below 1.

    Returns:
        The number; None if the text is something else, or is over `MAX_DIGITS` or `MAX_EXPONENT`.

    Example:
        >>> read_number("1,250.5").value, read_number(r"2\frac{1}{2}\text{ cm}").unit
        (Fraction(2501, 2), 'cm')
        >>> read_number("2^{10}") is None
        True
    """
    if _INTEGER.match(text):
        return Number(Fraction(int(text)), text=text)
    match = _LITERAL.match(text)
    if match is None or sum(map(str.isdigit, match[0])) > MAX_DIGITS or (match["sign"] and match["sign2"]):
        return None
    value = _magnitude(match)
    tail = text[match.end() :].strip()
    if value is None:
        return None
    value = -value if "-" in (match["sign"], match["sign2"]) else value
    if not tail:
        return Number(value, unit=short_unit(match["currency"]), items=_listed(match), text=text)
    return _with_tail(value, match["currency"], tail, text)


def _magnitude(match: re.Match[str]) -> Fraction | None:
    part = match.groupdict()
    if part["top"]:
        whole = int(part["whole"] or 0)
        return _mixed(whole, _decimal(part["top"]), _decimal(part["bottom"]), bool(part["whole"]))
    if part["mixed"]:
        return _mixed(int(part["mixed"]), Fraction(int(part["over"])), Fraction(int(part["under"])), True)
    if part["repeating"]:
        return _repeating(part["repeating"], part["period"])
    if part["plain"] is None:
        return _scaled(Fraction(1), part["braced"] or part["bare"])
    value = _decimal(part["plain"].replace(",", "").replace(" ", ""))
    if part["divisor"]:
        divisor = _decimal(part["divisor"])
        return value / divisor if divisor else None
    return _scaled(value, part["braced2"] or part["bare2"] or part["e"] or "0")


def _decimal(text: str) -> Fraction:
    return Fraction(text.replace(" ", "").rstrip("."))


def _mixed(whole: int, top: Fraction, bottom: Fraction, is_mixed: bool) -> Fraction | None:
    if not bottom:
        return None
    # 2\frac{3}{2} may be a product: only a proper fraction makes a mixed number.
    if is_mixed and not 0 < top < bottom:
        return None
    return whole + top / bottom


def _repeating(head: str, period: str) -> Fraction:
    before, _, after = head.partition(".")
    scale = 10 ** len(after)
    start = Fraction(int((before + after) or 0), scale)
    return start + Fraction(int(period), (10 ** len(period) - 1) * scale)


def _scaled(value: Fraction, exponent: str) -> Fraction | None:
    exponent = exponent.replace(" ", "")
    if len(exponent) > 5 or abs(int(exponent)) > MAX_EXPONENT:
        return None
    return value * Fraction(10) ** int(exponent)


def _listed(match: re.Match[str]) -> tuple[Fraction, ...]:
    plain = match["plain"]
    if plain is None or "," not in plain or "." in plain or match[0] != (match["sign"] + plain):
        return ()
    return tuple(Fraction(int(part)) for part in match[0].split(","))


def _with_tail(value: Fraction, currency: str, tail: str, text: str) -> Number | None:
    words = unwrap(tail)
    if _PERCENT.match(words):
        return Number(value, percent=True, text=text)
    if _ORDINAL.match(words):
        return Number(value, text=text)
    scale, _, rest = words.partition(" ")
    if scale in _SCALES:
        value *= _SCALES[scale]
        words = rest
    unit = read_unit(words, bare=has_bare_letters(tail), spaced=text[-len(tail) - 1] == " ") if words else ""
    if unit is None:
        return None
    money = short_unit(currency)
    return Number(value, unit=unit if unit == money else f"{money} {unit}".strip(), text=text)
