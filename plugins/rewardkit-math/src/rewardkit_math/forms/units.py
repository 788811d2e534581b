"""Units and currencies: which words after a number are one, and the shortest spelling of each."""

from __future__ import annotations

import re

__all__ = ["CURRENCY", "read_unit", "short_unit"]

CURRENCY = "$€£¥"
"""Signs that may stand before a number."""

_UNIT_NAMES = {
    "$": "dollar dollars usd bucks", "¢": "cent cents", "€": "euro euros", "£": "", "¥": "yen",
    "°": "degree degrees deg", "mm": "millimeter millimeters millimetre millimetres",
    "cm": "centimeter centimeters centimetre centimetres", "m": "meter meters metre metres",
    "km": "kilometer kilometers kilometre kilometres", "in": "inch inches", "ft": "foot feet",
    "yd": "yard yards", "mi": "mile miles", "mg": "milligram milligrams", "g": "gram grams",
    "kg": "kilogram kilograms", "lb": "lbs pound pounds", "oz": "ounce ounces",
    "mL": "ml milliliter milliliters millilitre millilitres", "L": "l liter liters litre litres",
    "ms": "millisecond milliseconds", "s": "sec secs second seconds", "min": "mins minute minutes",
    "h": "hr hrs hour hours", "mi / h": "mph", "km / h": "kph kmh kmph",
    "rad": "radian radians", "N": "newton newtons", "J": "joule joules",
    "W": "watt watts", "V": "volt volts", "A": "ampere amperes", "K": "kelvin", "Hz": "hertz", "C": "", "F": "",
    "cup": "cups", "day": "days", "week": "weeks", "month": "months", "year": "years", "/": "per", "": "unit units",
}  # fmt: skip
_POWERS = {"square": "^2", "sq": "^2", "cubic": "^3"}
_UNITS = {word: unit for unit, words in _UNIT_NAMES.items() for word in [unit, *words.split()]}
# After one of these words a number is not what the text says: "5 or 6", "5 less than 10", "3 quarters".
_NO_UNIT_WORDS = """
or and not nor but if than more less fewer greater at times plus minus over under of to through from by into divided
multiplied half halves third thirds quarters fourths fifth fifths sixth sixths eighths tenths hundredths thousandths
dozen dozens wrong incorrect false maybe perhaps possibly either is are was were be mod modulo choose squared cubed
factorial root sqrt pi infinity e i base except instead unless however remainder below above before after until ago
negative for when where fails failed rejected excluded invalid impossible isn doesn wasn cannot never unlikely
am pm
"""
_NO_UNIT = frozenset(_NO_UNIT_WORDS.split())
_TOKEN = re.compile(rf"(?P<word>[A-Za-z]+|[°¢{CURRENCY}])|\^ ?(?:\{{ ?[0-9] ?\}}|[0-9])|/")
_REST = re.compile(r"[-'.() ]*\Z")
_MAX_UNIT = 60  # characters


def short_unit(word: str) -> str:
    """Return the shortest spelling of a unit; a word that is none is returned in lower case.

    >>> short_unit("inches"), short_unit("Dollars"), short_unit("units")
    ('in', '$', '')
    """
    return _UNITS.get(word, _UNITS.get(word.lower(), word.lower()))


def read_unit(words: str, bare: bool = False, spaced: bool = True) -> str | None:
    r"""Return the unit in its shortest spelling; None if the words are no unit.

    ``5ab`` and ``5 x`` are products, so a ``bare`` word, outside of ``\text``, must be a known unit, or have four
    letters and a space before it.

    >>> read_unit("km per hour"), read_unit("square feet"), read_unit("or 6"), read_unit("x", bare=True)
    ('km / h', 'ft ^2', None, None)
    """
    first = _TOKEN.match(words.lstrip("( "))
    if len(words) > _MAX_UNIT or not _REST.match(_TOKEN.sub("", words)) or not (first and first["word"]):
        return None
    names: list[str] = []
    power = ""
    for match in _TOKEN.finditer(words):
        word = match["word"]
        if word is None:
            names.append(match[0].replace(" ", "").replace("{", "").replace("}", ""))
        elif word in _POWERS:
            power = _POWERS[word]
        elif _is_unit(word, power or (names[-1] if names else ""), bare, spaced):
            names += [short_unit(word), power] if power else [short_unit(word)]
            power = ""
        else:
            return None
    return " ".join(filter(None, [*names, power]))


def _is_unit(word: str, before: str, bare: bool, spaced: bool) -> bool:
    if word.lower() in _NO_UNIT:
        return False
    known = word in _UNITS or word.lower() in _UNITS
    if len(word) == 1 and word.isalpha():
        return (word == "a" and before != "") or (known and (not bare or before in ("/", "°")))
    return known or not bare or before != "" or (spaced and len(word) >= 4)
