r"""Normal forms: what an answer says, read without computing anything.

A text becomes a number, a letter, words, a name with what it equals, a group (list, set, tuple, interval) of such
forms, or, where none of these fits, an expression that is only compared as text.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from fractions import Fraction
from typing import TypeAlias

from rewardkit_math.forms.number import Number, read_number
from rewardkit_math.forms.spoken import NUMBER_NAMES, Clock, Words, read_clock, read_verdict, read_words
from rewardkit_math.forms.surface import MAX_CHARS, canonical, has_bare_letters, tidy, unwrap
from rewardkit_math.forms.units import read_unit

__all__ = [
    "MAX_DEPTH",
    "Clock",
    "Expression",
    "Form",
    "Group",
    "Letter",
    "Named",
    "Words",
    "normal_form",
    "unnamed",
]

MAX_DEPTH = 20
"""Deepest nesting of brackets whose content is read."""


@dataclass(frozen=True, slots=True)
class Expression:
    """Anything else: canonical text, the unit at its end, and why it is not read further where that is special."""

    text: str
    unit: str = ""
    note: str = field(default="", compare=False)

    def __str__(self) -> str:
        return f"{self.text} {self.unit}".strip()


@dataclass(frozen=True, slots=True)
class Letter:
    """One letter: a choice or a variable.

    ``marked`` where it is written as a choice, as in ``(B)``; ``content`` is what stands beside it, as in ``B. 12``.
    """

    letter: str
    marked: bool = field(default=False, compare=False)
    content: Form | None = field(default=None, compare=False)

    def __str__(self) -> str:
        return self.letter


@dataclass(frozen=True, slots=True)
class Named:
    r"""A name and what it equals, or the set it lies in: ``x = 5``, ``n \in \{1, 3\}``."""

    name: str
    form: Form

    def __str__(self) -> str:
        return f"{self.name} = {self.form}"


@dataclass(frozen=True, slots=True)
class Group:
    """Several forms. ``brackets`` is "" for a bare list, "{}" for a set, else as written: "()", "[)"."""

    brackets: str
    items: tuple[Form, ...]

    def __str__(self) -> str:
        return f"{self.brackets[:1]}{', '.join(map(str, self.items))}{self.brackets[1:]}"


Form: TypeAlias = Number | Expression | Words | Clock | Letter | Named | Group

_BRACKETS = r"\\[{}]|[(){}\[\]]"
_THOUSANDS = r"(?<![0-9.,])[0-9]{1,3}(?:,[0-9]{3})+(?!,?[0-9])"
_WORD_BREAK = r"(?<![A-Za-z\\])(?:and|or)(?![A-Za-z])"
_LIST = re.compile(rf"{_BRACKETS}|{_THOUSANDS}|[,;]|{_WORD_BREAK}")
# Inside brackets a comma always separates: (100,200) is a pair.
_ELEMENTS = re.compile(rf"{_BRACKETS}|[,;]|{_WORD_BREAK}")
_SIDES = re.compile(rf"{_BRACKETS}|=")
_MEMBER = re.compile(rf"{_BRACKETS}|\\in(?![A-Za-z])")
_LEAD = (
    r"(?:the )?(?:(?:only|final|correct|possible|required|integer|real|positive) ){0,3}"
    r"(?:answers?|solutions?|values?|results?|roots?)(?: (?:is|are)(?: ?:)?|:)"
)
_ABOUT = re.compile(
    rf"(?:approximately|about|exactly|only|just) +|\\approx(?![A-Za-z]) ?|{_LEAD} +|\\text ?\{{ ?{_LEAD} ?\}} ?",
    re.IGNORECASE,
)
_OUTER = re.compile(_BRACKETS)
_PAIRS = frozenset({"()", "(]", "[)", "[]", "{}"})

_LETTER = re.compile(r"(?:\( ?)?([A-Za-z]) ?\)\Z|([A-Za-z])\Z")
_OPTION = r"(?:(?:[Oo]ption|[Cc]hoice|OPTION|CHOICE) ?)"
_CHOSEN = re.compile(rf"{_OPTION}(?:\(([A-J])\)|([A-J]))\Z")
_LABELLED = re.compile(rf"{_OPTION}?(?:\(([A-J])\)|([A-J])[.)]) +(?!.*(?:[A-J][).:]|\bor\b|\band\b))(?=\S)")
_INEQUALITY = re.compile(r"[<>|]|\\(?:le|ge|ne|not|neg|subset)(?![A-Za-z])")
_SUBSCRIPT = re.compile(r"_ ?(?:\{[^{}]*\}|[0-9A-Za-z])")
_NAME = re.compile(r"[^0-9+\-*/^=<>;!?]{1,60}\Z")
_NO_NAME = re.compile(
    r"\\(?:sqrt|log|ln|exp|sin|cos|tan|sec|csc|cot|arc[a-z]+|int|sum|prod|lim|cdot|approx|pm)(?![a-z])|\b(?:not|never|no|and|or|nor|if|unless)\b"
)
_DECIMALS = re.compile(r"[+-]?[0-9,]*\.?([0-9]*)\Z")
_WITH_UNIT = re.compile(r"(.*[0-9A-Za-z})]) ?\\text ?\{([^{}]*)\}((?: ?\^ ?\{?[0-9]\}?)?)\Z")
_WHOLLY_TEXT = re.compile(r"\\text ?\{([^{}]*)\}\Z")
_UNEQUAL_SIDES = "the sides of the equation differ"


def normal_form(text: str) -> Form:
    r"""Read an answer.

    Args:
        text: An answer or a reference: LaTeX, a number, words. Over `MAX_CHARS` characters it is only text.

    Returns:
        Its normal form; every text has one.

    Example:
        >>> str(normal_form(r"x = \dfrac{3}{4}")), str(normal_form("3, 1 and 2"))
        ('x = \\frac{3}{4}', '3, 1, 2')
    """
    if len(text) > MAX_CHARS:
        return Expression(" ".join(text.split()), note=f"longer than {MAX_CHARS:,} characters: compared as text")
    text = tidy(text)
    if len(text) > 2 * MAX_CHARS:
        return Expression(text, note="too long once respelled: compared as text")
    return read_number(text) or _read_whole(text)


def _read_whole(text: str) -> Form:
    """Read what only a whole answer can be, then anything."""
    wholly_text = _WHOLLY_TEXT.match(text)
    text = wholly_text[1].strip() if wholly_text else text
    if about := _ABOUT.match(text):
        text = text[about.end() :]
    if (number := NUMBER_NAMES.get(text.casefold())) is not None:
        return Number(Fraction(number), text=text)
    form = read_verdict(text) or _read(text, 0)
    # TeX does not print braces without a backslash: {1, 3} is the list 1, 3.
    return Group("", form.items) if isinstance(form, Group) and text[:1] == "{" else form


def unnamed(form: Form) -> Form:
    """Return what a name equals; any other form as it is."""
    return form.form if isinstance(form, Named) else form


def _read(text: str, depth: int) -> Form:
    number = read_number(text)
    if number is not None:
        return number
    if depth > MAX_DEPTH:
        return Expression(canonical(text), note=f"nested deeper than {MAX_DEPTH}: compared as text")
    pieces, breaks = _cut(text, _LIST)
    if breaks:
        # "x < 1 or x > 2" is another set than with "and", and "0.5 or 50%" may be one value.
        is_open = "or" in breaks and ("%" in text or _INEQUALITY.search(text) is not None)
        items = None if is_open else _items(pieces, breaks, depth)
        return Expression(canonical(text)) if items is None else _grouped("", items, breaks)
    return _read_one(text, depth)


def _read_one(text: str, depth: int) -> Form:
    return (
        _letter(text, depth)
        or read_clock(text)
        or _named(text, depth)
        or _plus_minus(text)
        or _approximate(text, depth)
        or _bracketed(text, depth)
        or read_words(text, is_mixed="\\text" in text and has_bare_letters(text))
        or _expression(text)
    )


def _expression(text: str) -> Expression:
    match = _WITH_UNIT.match(text)
    unit = read_unit(match[2].strip() + match[3]) if match else None
    return Expression(canonical(match[1]), unit) if match and unit else Expression(canonical(text))


def _cut(text: str, pattern: re.Pattern[str]) -> tuple[list[str], list[str]]:
    """Cut ``text`` at the matches outside of brackets; return the pieces and what stood between them."""
    pieces: list[str] = []
    breaks: list[str] = []
    depth = start = 0
    for match in pattern.finditer(text):
        mark = match[0]
        if mark in ("(", "[", "{", "\\{"):
            depth += 1
        elif mark in (")", "]", "}", "\\}"):
            depth -= 1
        elif depth == 0 and not mark[0].isdigit():
            pieces.append(text[start : match.start()].strip())
            breaks.append(mark)
            start = match.end()
    return [*pieces, text[start:].strip()], breaks


def _items(pieces: list[str], breaks: list[str], depth: int) -> list[Form] | None:
    """Read the pieces of a list; None if one is empty and no "and" or "or" stands beside it."""
    items: list[Form] = []
    for piece, before, after in zip(pieces, ["", *breaks], [*breaks, ""], strict=True):
        if not piece:
            if {before, after} & {"and", "or"} and before and after:
                continue
            return None
        form = _read(piece, depth + 1)
        items.extend(form.items if isinstance(form, Group) and not form.brackets else [form])
    return items


def _grouped(brackets: str, items: list[Form], breaks: list[str]) -> Form:
    """Make a group; ``x = 1, x = 2`` and ``x = 1, 2`` become one name with two values."""
    names = {item.name for item in items if isinstance(item, Named)}
    if len(names) == 1:
        return Named(names.pop(), _grouped(brackets, [unnamed(item) for item in items], breaks))
    # "0.5 or 1/2" restates one value; "5 or 6" hedges and stays a list.
    if not brackets and set(breaks) <= {"or", ";"} and all(item == items[0] for item in items):
        return items[0]
    return Group(brackets, tuple(items))


def _letter(text: str, depth: int) -> Form | None:
    plain = unwrap(text)
    match = _LETTER.match(plain) or _CHOSEN.match(plain)
    if match:
        return Letter(match[1] or match[2], marked=text != match[2])
    match = _LABELLED.match(plain)
    return Letter(match[1] or match[2], True, _read(plain[match.end() :], depth + 1)) if match else None


def _named(text: str, depth: int) -> Form | None:
    if _INEQUALITY.search(text):
        return None
    if "\\equiv" in text and "mod" not in text:
        text = text.replace("\\equiv", "=")
    if "=" in text:
        sides, _ = _cut(text, _SIDES)
        if len(sides) > 1:
            return _equation(sides, depth)
    if "\\in" in text:
        sides, _ = _cut(text, _MEMBER)
        if len(sides) == 2 and _is_name(sides[0]):
            return Named(canonical(sides[0]), _read(sides[1], depth + 1))
    return None


def _equation(sides: list[str], depth: int) -> Form:
    if _is_name(sides[0]):
        return Named(canonical(sides[0]), _chain(sides[1:], depth))
    if len(sides) == 2 and _is_name(sides[1]) and (number := read_number(sides[0])):
        return Named(canonical(sides[1]), number)
    return _chain(sides, depth)


def _chain(sides: list[str], depth: int) -> Form:
    if len(sides) == 1:
        return _read(sides[0], depth + 1)
    forms = [_read(side, depth + 1) for side in sides]
    if all(isinstance(form, Number) for form in forms):
        if all(form == forms[0] for form in forms):
            return forms[0]
        return Expression(canonical(" = ".join(sides)), note=_UNEQUAL_SIDES)
    return Expression(canonical(" = ".join(sides)))


def _is_name(text: str) -> bool:
    """Tell whether the left side of an equation only names the answer, as x, f(x), (a, b), AB or "Area" do."""
    return bool(_NAME.match(_SUBSCRIPT.sub("", text))) and not _NO_NAME.search(text)


def _plus_minus(text: str) -> Form | None:
    if not text.startswith("\\pm"):
        return None
    number = read_number(text[3:].strip())
    if number is None:
        return None
    minus = Number(-number.value, number.percent, number.unit, text=f"-{number.text}")
    return Group("", (number, minus))


def _approximate(text: str, depth: int) -> Form | None:
    r"""Read ``exact \approx rounded`` as its exact side; None where the rounding is none."""
    left, found, right = text.partition("\\approx")
    if not found or not left:
        return None
    if _is_name(left):
        return Named(canonical(left), _read(right.strip(), depth + 1))
    exact, rounded = _read(left.strip(), depth + 1), _read(right.strip(), depth + 1)
    if not isinstance(rounded, Number) or (isinstance(exact, Number) and not _rounds_to(exact, rounded)):
        return Expression(canonical(text), note=_UNEQUAL_SIDES)
    # Whether a formula rounds to that takes its value.
    return exact if isinstance(exact, Number) else Expression(canonical(text))


def _rounds_to(exact: Number, rounded: Number) -> bool:
    match = _DECIMALS.match(rounded.text)
    return abs(exact.value - rounded.value) < (Fraction(1, 10 ** len(match[1])) if match else Fraction(0))


def _bracketed(text: str, depth: int) -> Form | None:
    outer = _outer(text)
    if outer is None:
        return None
    brackets, inner = outer
    pieces, breaks = _cut(inner, _ELEMENTS)
    if not breaks:
        return _read(inner, depth + 1) if inner and brackets in ("()", "{}") else None
    items = _items(pieces, breaks, depth)
    # (0, \pm 2) is two pairs, not a triple.
    if items is None or (brackets != "{}" and len(items) > len(breaks) + 1):
        return None
    return _grouped(brackets, items, breaks)


def _outer(text: str) -> tuple[str, str] | None:
    """Return the brackets around the whole text, and what they hold."""
    opening = next((mark for mark in ("(", "[", "{", "\\{") if text.startswith(mark)), None)
    if opening is None:
        return None
    depth = 0
    for match in _OUTER.finditer(text):
        depth += 1 if match[0][-1] in "([{" else -1
        if depth == 0:
            break
    else:
        return None
    if match.end() != len(text):
        return None
    brackets = opening[-1] + match[0][-1]
    return (brackets, text[len(opening) : match.start()].strip()) if brackets in _PAIRS else None
