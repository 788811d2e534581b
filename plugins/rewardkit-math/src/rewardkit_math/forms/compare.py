"""Settle whether two normal forms are equal: equal, different, or undecided, each with the reason."""

from __future__ import annotations

from fractions import Fraction
from typing import Any, TypeAlias

from rewardkit_math.forms.normal import Expression, Form, Group, Letter, Named, Words, normal_form, unnamed
from rewardkit_math.forms.number import Number
from rewardkit_math.policy import Policy, Settlement

__all__ = ["UNDECIDED", "equal", "relative_error", "settle"]

UNDECIDED = Settlement(None, "not settled: needs symbolic comparison")
_DEFAULT = Policy()
_UNORDERED = ("", "{}")


def equal(a: str, b: str, policy: Policy = _DEFAULT) -> bool | None:
    r"""Compare two answers.

    Symmetric, and true of any text and itself.

    Returns:
        True or False where the normal forms settle it, None where that needs symbolic computation.

    Example:
        >>> equal("0.75", r"\frac34"), equal("(1, 2)", "(2, 1)"), equal("(x+1)^2", "x^2+2x+1")
        (True, False, None)
    """
    return settle(normal_form(a), normal_form(b), policy).equal


def settle(a: Form, b: Form, policy: Policy = _DEFAULT) -> Settlement:
    """Compare two normal forms; ``equal`` is the same in either order."""
    if isinstance(a, Named) or isinstance(b, Named):
        return _named(a, b, policy)
    if isinstance(a, Number) and isinstance(b, Number):
        return _numbers(a, b, policy)
    if a == b:
        return Settlement(True, "the forms are equal")
    if isinstance(a, Expression) or isinstance(b, Expression):
        return _expressions(a, b, policy)
    if isinstance(a, Group) or isinstance(b, Group):
        return _groups(_as_group(a), _as_group(b), policy)
    if isinstance(a, Letter) and isinstance(b, Letter):
        return _letters(a, b)
    if isinstance(a, Words) and isinstance(b, Words):
        return Settlement(False, "the words differ")
    return Settlement(False, f"{_kind(a)} against {_kind(b)}")


def relative_error(answer: Number, reference: Number, policy: Policy = _DEFAULT) -> Fraction | None:
    """Return ``|answer - reference| / |reference|``, or None where the reference is 0 or the units differ.

    Where the percent policy allows several readings, the nearest counts.
    """
    if not reference.value or _units_differ(answer, reference, policy):
        return None
    pairs = _readings(answer, reference, policy)
    return min(abs(x - y) / abs(y) for x, y in pairs)


def _named(a: Form, b: Form, policy: Policy) -> Settlement:
    inner = settle(unnamed(a), unnamed(b), policy)
    if isinstance(a, Named) and isinstance(b, Named) and a.name != b.name and inner.equal:
        return Settlement(None, f"not settled: different names, {' and '.join(sorted([a.name, b.name]))}")
    return inner


def _numbers(a: Number, b: Number, policy: Policy) -> Settlement:
    if not any(x == y for x, y in _readings(a, b, policy)):
        return Settlement(False, "the numbers differ")
    if _units_differ(a, b, policy):
        return _different_units(a, b)
    return Settlement(True, "the numbers are equal")


def _readings(a: Number, b: Number, policy: Policy) -> list[tuple[Fraction, Fraction]]:
    if a.percent == b.percent:
        return [(a.value, b.value)]
    part = [] if policy.percent == "sign" else [(_fraction(a), _fraction(b))]
    return part if policy.percent == "value" else [(a.value, b.value), *part]


def _fraction(number: Number) -> Fraction:
    return number.value / 100 if number.percent else number.value


_Quantity: TypeAlias = Number | Expression


def _units_differ(a: _Quantity, b: _Quantity, policy: Policy) -> bool:
    if policy.units == "required":
        return a.unit != b.unit
    return bool(_unit(a) and _unit(b)) and _unit(a) != _unit(b)


def _different_units(a: _Quantity, b: _Quantity) -> Settlement:
    return Settlement(
        None, f"not settled: the units differ, {' and '.join(sorted(_unit(x) or 'none' for x in (a, b)))}"
    )


def _unit(form: _Quantity) -> str:
    return "%" if isinstance(form, Number) and form.percent else form.unit


def _expressions(a: Form, b: Form, policy: Policy) -> Settlement:
    if isinstance(a, Expression) and isinstance(b, Expression) and a.text == b.text:
        if _units_differ(a, b, policy):
            return _different_units(a, b)
        return Settlement(True, "the formulas are equal")
    notes = sorted({form.note for form in (a, b) if isinstance(form, Expression) and form.note})
    return Settlement(None, f"not settled: {notes[0]}") if notes else UNDECIDED


def _letters(a: Letter, b: Letter) -> Settlement:
    if a.letter.casefold() == b.letter.casefold() and (a.marked or b.marked):
        return Settlement(True, "the letters are equal")
    return Settlement(False, "the letters differ")


def _as_group(form: Form) -> Form:
    if isinstance(form, Number) and form.items:
        return Group("", tuple(Number(value, text=str(value)) for value in form.items))
    return form


def _groups(a: Form, b: Form, policy: Policy) -> Settlement:
    if not (isinstance(a, Group) and isinstance(b, Group)):
        return Settlement(False, f"{_kind(a)} against {_kind(b)}")
    if (
        a.brackets != b.brackets
        and not {a.brackets, b.brackets} <= {"", "{}"}
        and {a.brackets, b.brackets} != {"", "()"}
    ):
        undecided = len(a.items) != 2 and "{}" not in (a.brackets, b.brackets)
        return Settlement(None if undecided else False, f"the brackets differ: {_kind(a)} against {_kind(b)}")
    if len(a.items) != len(b.items):
        a, b = _spread(a), _spread(b)
    if len(a.items) != len(b.items):
        return Settlement(None if _holds_expression(a, b) else False, f"{_kind(a)} against {_kind(b)}")
    ordered = not (a.brackets in _UNORDERED and b.brackets in _UNORDERED and _has_names(a) == _has_names(b))
    if ordered:
        return _pairwise(a.items, b.items, policy)
    settled = _pairwise(sorted(a.items, key=_sort_key), sorted(b.items, key=_sort_key), policy)
    # An expression may equal a number that sorts elsewhere.
    return UNDECIDED if settled.equal is False and _holds_expression(a, b) else settled


def _spread(group: Group) -> Group:
    """Return a bare list in which ``54,108`` is two numbers."""
    if group.brackets:
        return group
    spread = [_as_group(item) for item in group.items]
    return Group("", tuple(x for item in spread for x in (item.items if isinstance(item, Group) else [item])))


def _pairwise(a: Any, b: Any, policy: Policy) -> Settlement:
    settled = [settle(x, y, policy) for x, y in zip(a, b, strict=True)]
    for verdict in (False, None):
        for item in settled:
            if item.equal is verdict:
                return item
    return Settlement(True, "all items are equal")


def _has_names(group: Group) -> bool:
    return any(isinstance(item, Named) for item in group.items)


def _holds_expression(*groups: Group) -> bool:
    items = [unnamed(item) for group in groups for item in group.items]
    return any(isinstance(item, Expression) or (isinstance(item, Group) and _holds_expression(item)) for item in items)


def _sort_key(form: Form) -> tuple[int, Any, Any]:
    if isinstance(form, Number):
        return (0, form.value, "")
    if isinstance(form, Group):
        return (1, len(form.items), tuple(_sort_key(item) for item in form.items))
    if isinstance(form, Named):
        return (2, form.name, _sort_key(form.form))
    return (3, type(form).__name__, str(form).casefold())


def _kind(form: Form) -> str:
    if isinstance(form, Group):
        what = {"": "a list", "{}": "a set"}.get(
            form.brackets, f"{form.brackets[0]}…{form.brackets[1]}" if form.brackets else ""
        )
        return f"{what} of {len(form.items)}"
    names = {Number: "one number", Letter: "one letter", Words: "words", Expression: "an expression", Named: "a name"}
    return names[type(form)]
