"""Settle whether two normal forms are equal: equal, different, or undecided, each with the reason."""

from __future__ import annotations

import re
from collections.abc import Iterable
from fractions import Fraction
from typing import Any, TypeAlias

from rewardkit_math.forms.normal import Clock, Expression, Form, Group, Letter, Named, Words, normal_form, unnamed
from rewardkit_math.forms.number import Number
from rewardkit_math.forms.rounding import may_round, rounds
from rewardkit_math.policy import Policy, Settlement

__all__ = ["UNDECIDED", "equal", "relative_error", "settle"]

UNDECIDED = Settlement(None, "not settled: needs symbolic comparison")
_DEFAULT = Policy()
_SIGNS = ("$", "€", "£", "¥", "°")
_NAME_TUPLE = re.compile(r"\( (.+) \)\Z")


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
    if isinstance(a, Number) and isinstance(b, Number):
        return _numbers(a, b, policy)
    if isinstance(a, Named) or isinstance(b, Named):
        return _named(a, b, policy)
    if a == b:
        return Settlement(True, "the forms are equal")
    if isinstance(a, Letter) or isinstance(b, Letter):
        return _letters(a, b, policy)
    if isinstance(a, Expression) or isinstance(b, Expression):
        return _expressions(a, b, policy)
    if isinstance(a, Clock) or isinstance(b, Clock):
        return _clocks(a, b, policy)
    if isinstance(a, Group) or isinstance(b, Group):
        return _groups(_as_group(a), _as_group(b), policy)
    if isinstance(a, Words) and isinstance(b, Words):
        return _words(a, b)
    return _different_kinds(a, b)


def relative_error(answer: Number, reference: Number, policy: Policy = _DEFAULT) -> Fraction | None:
    """Return ``|answer - reference| / |reference|``, or None where the reference is 0 or the units differ.

    Where the percent policy allows several readings, the nearest counts.
    """
    if not reference.value or _units_differ(answer, reference, policy):
        return None
    pairs = _readings(answer, reference, policy)
    return min(abs(x - y) / abs(y) for x, y in pairs)


def _named(a: Form, b: Form, policy: Policy) -> Settlement:
    if not (isinstance(a, Named) and isinstance(b, Named)) or a.name == b.name:
        return settle(unnamed(a), unnamed(b), policy)
    if (permuted := _in_order_of(a, b)) is not None:
        return settle(a.form, permuted, policy)
    inner = settle(a.form, b.form, policy)
    # Names may be swapped too: a = b and b = a.
    if inner.equal or (inner.equal is False and Letter in (type(a.form), type(b.form))):
        return Settlement(None, f"not settled: different names, {' and '.join(sorted([a.name, b.name]))}")
    return inner


def _in_order_of(a: Named, b: Named) -> Form | None:
    """Return what ``b`` equals in the order of the names of ``a``: (n, m) = (2, 4) says (m, n) = (4, 2)."""
    tuples = [_NAME_TUPLE.match(named.name) for named in (a, b)]
    if tuples[0] is None or tuples[1] is None or not isinstance(b.form, Group):
        return None
    wanted, given = (match[1].split(" , ") for match in tuples if match)
    if sorted(wanted) != sorted(given) or len(set(given)) < len(given) or len(given) != len(b.form.items):
        return None
    return Group(b.form.brackets, tuple(b.form.items[given.index(name)] for name in wanted))


def _numbers(a: Number, b: Number, policy: Policy) -> Settlement:
    readings = _readings(a, b, policy)
    if any(x == y for x, y in readings):
        reason = "the numbers are equal"
    elif policy.rounding is not None and any(rounds(a, x, b, y, policy.rounding) for x, y in readings):
        reason = "one number is the other, rounded"
    elif a.unit and b.unit and _units_differ(a, b, policy):
        # 12 cm and 0.12 m: one may be converted to the other.
        return _different_units(a, b)
    else:
        return Settlement(False, "the numbers differ")
    return _different_units(a, b) if _units_differ(a, b, policy) else Settlement(True, reason)


def _readings(a: Number, b: Number, policy: Policy) -> list[tuple[Fraction, Fraction]]:
    if a.percent == b.percent:
        return [(a.value, b.value)]
    part = [] if policy.percent == "sign" else [(_fraction(a), _fraction(b))]
    return part if policy.percent == "value" else [(a.value, b.value), *part]


def _fraction(number: Number) -> Fraction:
    return number.value / 100 if number.percent else number.value


_Quantity: TypeAlias = Number | Expression


def _units_differ(a: _Quantity, b: _Quantity, policy: Policy) -> bool:
    if a.unit == b.unit and _unit(a) == _unit(b):
        return False
    if policy.units == "required":
        return a.unit != b.unit
    one, other = sorted((_unit(a), _unit(b)), key=len)
    # A currency or degree sign alone belongs to the number: $5 leaves open what 5 dollars per hour adds.
    return bool(one) and one != other and not (one in _SIGNS and other.startswith(one))


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


def _letters(a: Form, b: Form, policy: Policy) -> Settlement:
    if isinstance(a, Letter) and isinstance(b, Letter):
        if a.letter.casefold() == b.letter.casefold() and (a.marked or b.marked):
            return Settlement(True, "the letters are equal")
        return Settlement(False, "the letters differ")
    letter, other = (a, b) if isinstance(a, Letter) else (b, a)
    if isinstance(letter, Letter) and letter.content is not None:
        return settle(letter.content, other, policy)
    if isinstance(other, Expression | Clock) or _holds_expression(other):
        return UNDECIDED  # a formula may be no more than a letter
    if isinstance(other, Number) and may_round(other, policy.rounding):
        return UNDECIDED  # e is a number
    return _different_kinds(a, b)


def _words(a: Words, b: Words) -> Settlement:
    if not (a.verdict and b.verdict):
        return Settlement(False, "the words differ")
    if a.verdict != b.verdict:
        return Settlement(False, "one says yes, one says no")
    if a.alone or b.alone:
        return Settlement(True, f"both say {a.verdict}")
    return Settlement(None, f"not settled: both say {a.verdict}, in other words")


def _clocks(a: Form, b: Form, policy: Policy) -> Settlement:
    if not (isinstance(a, Clock) and isinstance(b, Clock)):
        return _clock_and_number(a, b, policy)
    if a.seconds == b.seconds:
        return Settlement(True, "the times are equal")
    one, other = sorted((a, b), key=lambda clock: clock.half)
    if one.half and other.half:
        return Settlement(False, "the times differ")
    if other.half and one.hour <= 12 and (other.seconds - one.seconds) % (12 * 3600) == 0:
        return _time_without_half(policy)
    # Without a.m. or p.m., 1:12 and 2:24 may be ratios.
    may_be_ratios = not other.half and one.hour * other.minute == other.hour * one.minute
    return UNDECIDED if may_be_ratios else Settlement(False, "the times differ")


def _clock_and_number(a: Form, b: Form, policy: Policy) -> Settlement:
    clock, other = (a, b) if isinstance(a, Clock) else (b, a)
    if not (isinstance(clock, Clock) and isinstance(other, Number) and clock.half):
        return UNDECIDED
    is_full_hour = other == Number(Fraction(clock.hour)) and clock.seconds % 3600 == 0
    return _time_without_half(policy) if is_full_hour else UNDECIDED


def _time_without_half(policy: Policy) -> Settlement:
    if policy.units == "required":
        return Settlement(None, "not settled: only one of the times says a.m. or p.m.")
    return Settlement(True, "the times are equal, a.m. and p.m. left out")


def _as_group(form: Form) -> Form:
    if isinstance(form, Number) and form.items:
        return Group("", tuple(Number(value, text=str(value)) for value in form.items))
    return form


def _groups(a: Form, b: Form, policy: Policy) -> Settlement:
    if not (isinstance(a, Group) and isinstance(b, Group)):
        return _different_kinds(a, b)
    if (
        a.brackets != b.brackets
        and not {a.brackets, b.brackets} <= {"", "{}"}
        and {a.brackets, b.brackets} != {"", "()"}
    ):
        undecided = {len(a.items), len(b.items)} != {2} and "{}" not in (a.brackets, b.brackets)
        return Settlement(None if undecided else False, f"the brackets differ: {_kind(a)} against {_kind(b)}")
    if len(a.items) != len(b.items):
        a, b = _spread(a), _spread(b)
    if len(a.items) != len(b.items):
        return _different_kinds(a, b)
    if _is_ordered(a, b, policy):
        return _pairwise(a.items, b.items, policy)
    settled = _pairwise(sorted(a.items, key=_sort_key), sorted(b.items, key=_sort_key), policy)
    # What is no plain number may equal an item that sorts elsewhere.
    return UNDECIDED if settled.equal is False and _sorts_loosely(a, b, policy) else settled


def _is_ordered(a: Group, b: Group, policy: Policy) -> bool:
    if _has_names(a) != _has_names(b):
        return True
    brackets = {a.brackets, b.brackets}
    if policy.order == "all":
        return "{}" not in brackets
    unordered = {"", "{}", "()"} if policy.order == "any" else {"", "{}"}
    return not brackets <= unordered


def _spread(group: Group) -> Group:
    """Return a bare list in which ``54,108`` is two numbers."""
    if group.brackets:
        return group
    spread = [_as_group(item) for item in group.items]
    return Group("", tuple(x for item in spread for x in (item.items if isinstance(item, Group) else [item])))


def _pairwise(a: Iterable[Form], b: Iterable[Form], policy: Policy) -> Settlement:
    settled = [settle(x, y, policy) for x, y in zip(a, b, strict=True)]
    for verdict in (False, None):
        for item in settled:
            if item.equal is verdict:
                return item
    return Settlement(True, "all items are equal")


def _has_names(group: Group) -> bool:
    return any(isinstance(item, Named) for item in group.items)


def _leaves(form: Form) -> list[Form]:
    form = unnamed(form)
    return [leaf for item in form.items for leaf in _leaves(item)] if isinstance(form, Group) else [form]


def _holds_expression(*forms: Form) -> bool:
    return any(isinstance(leaf, Expression) for form in forms for leaf in _leaves(form))


def _sorts_loosely(a: Group, b: Group, policy: Policy) -> bool:
    leaves = _leaves(a) + _leaves(b)
    if any(isinstance(leaf, Expression | Clock) for leaf in leaves):
        return True
    if any(isinstance(leaf, Number) and may_round(leaf, policy.rounding) for leaf in leaves):
        return True
    if any(isinstance(leaf, Letter) and leaf.content is not None for leaf in leaves):
        return True
    return len({leaf.percent for leaf in leaves if isinstance(leaf, Number)}) > 1


def _sort_key(form: Form) -> tuple[int, Any, Any]:
    if isinstance(form, Number):
        return (0, form.value, "")
    if isinstance(form, Group):
        return (1, len(form.items), tuple(_sort_key(item) for item in form.items))
    if isinstance(form, Named):
        return (2, form.name, _sort_key(form.form))
    return (3, type(form).__name__, str(form).casefold())


def _different_kinds(a: Form, b: Form) -> Settlement:
    reason = f"{_kind(a)} against {_kind(b)}"
    return Settlement(None, f"not settled: {reason}") if _holds_expression(a, b) else Settlement(False, reason)


def _kind(form: Form) -> str:
    if isinstance(form, Group):
        what = {"": "a list", "{}": "a set"}.get(
            form.brackets, f"{form.brackets[0]}…{form.brackets[1]}" if form.brackets else ""
        )
        return f"{what} of {len(form.items)}"
    names = {
        Number: "one number", Letter: "one letter", Words: "words", Expression: "an expression", Named: "a name",
        Clock: "a time",
    }  # fmt: skip
    return names[type(form)]
