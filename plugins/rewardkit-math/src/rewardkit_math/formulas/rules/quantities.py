r"""Single values with what the policies say: units, percent, bases, rounding.

A unit belongs to the whole where it is the only one: ``1+\sqrt2\text{ cm}``. Degrees are radians inside of a sine and
the like, and where the other side says radians; elsewhere a degree sign is a unit like any other. A numeral with a base
is compared by its digits where both have the same base, or only one has a base and the policy makes bases optional;
numerals in different bases differ.
"""

from __future__ import annotations

from fractions import Fraction

from rewardkit_math.formulas.rules.named import decimals
from rewardkit_math.formulas.session import Session, different, equal, unsettled
from rewardkit_math.formulas.tree import (
    Add,
    Constant,
    Divide,
    Literal,
    Multiply,
    Negate,
    Numeral,
    Power,
    Quantity,
    Tree,
)
from rewardkit_math.formulas.values.equality import nearest_fraction, settle_values
from rewardkit_math.formulas.walk import children
from rewardkit_math.policy import Settlement

__all__ = ["settle_quantities", "split_unit"]

_HUNDREDTH = Literal(Fraction(1, 100), "0.01")
_HALF_TURN = Literal(Fraction(180), "180")


def settle_quantities(a: Tree, b: Tree, session: Session) -> Settlement:
    """Compare two single values under the policy."""
    if isinstance(_positive(a), Numeral) or isinstance(_positive(b), Numeral):
        return _numerals(a, b, session)
    (x, unit_a), (y, unit_b) = split_unit(a), split_unit(b)
    if {unit_a, unit_b} == {"°", "rad"}:
        x, y = (_in_radians(x, unit_a), _in_radians(y, unit_b))
        unit_a = unit_b
    settled = _by_reading(x, unit_a, y, unit_b, session)
    if settled.equal and _units_differ(unit_a, unit_b, session):
        return unsettled(f"the units differ, {' and '.join(sorted(unit or 'none' for unit in (unit_a, unit_b)))}")
    return settled


def split_unit(tree: Tree) -> tuple[Tree, str]:
    """Return a value and its unit, taken out of a sum, product or fraction that has only this one."""
    if isinstance(tree, Quantity):
        return tree.value, tree.unit
    if isinstance(tree, Negate):
        value, unit = split_unit(tree.term)
        return (Negate(value), unit) if unit else (tree, "")
    if isinstance(tree, Add | Multiply | Divide):
        return _split_inside(tree)
    return tree, ""


def _split_inside(tree: Add | Multiply | Divide) -> tuple[Tree, str]:
    parts = [split_unit(part) for part in children(tree)]
    units = [unit for _, unit in parts if unit]
    # In a product or below a fraction bar a second unit is another power of it; a percent sign is a factor.
    several = isinstance(tree, Multiply) and len(units) > 1
    if not units or "%" in units or len(set(units)) > 1 or several or (isinstance(tree, Divide) and parts[1][1]):
        return tree, ""
    values = tuple(value for value, _ in parts)
    return (Divide(*values) if isinstance(tree, Divide) else type(tree)(values)), units[0]


def _units_differ(a: str, b: str, session: Session) -> bool:
    return a != b if session.policy.units == "required" else bool(a and b) and a != b


def _in_radians(value: Tree, unit: str) -> Tree:
    return Divide(Multiply((value, Constant("pi"))), _HALF_TURN) if unit == "°" else value


def _by_reading(a: Tree, unit_a: str, b: Tree, unit_b: str, session: Session) -> Settlement:
    """Compare as written, or with a percent sign on one side as hundredths, as the policy says."""
    if (unit_a == "%") == (unit_b == "%"):
        return _values(a, b, session)
    policy = session.policy.percent
    settled = different("the percent sign counts") if policy == "value" else _values(a, b, session)
    if settled.equal or policy == "sign":
        return settled
    x, y = (Multiply((side, _HUNDREDTH)) if unit == "%" else side for side, unit in ((a, unit_a), (b, unit_b)))
    hundredths = settle_values(x, y, session)
    return hundredths if hundredths.equal is not False else settled


def _values(a: Tree, b: Tree, session: Session) -> Settlement:
    if _infinite(a) or _infinite(b):
        return _infinities(a, b, session)
    settled = settle_values(a, b, session)
    if settled.equal:
        return settled
    return equal("equal when rounded") if _rounded(a, b, session) or _rounded(b, a, session) else settled


def _infinite(tree: Tree) -> int:
    if isinstance(tree, Negate):
        return -_infinite(tree.term)
    return int(tree == Constant("infinity"))


def _infinities(a: Tree, b: Tree, session: Session) -> Settlement:
    if _infinite(a) and _infinite(b):
        return equal("both infinite") if _infinite(a) == _infinite(b) else different("opposite infinities")
    finite = b if _infinite(a) else a
    if nearest_fraction(finite, session) is None:
        return unsettled("infinity against what may be undefined")
    return different("infinite against finite")


def _positive(tree: Tree) -> Tree:
    return tree.term if isinstance(tree, Negate) else tree


def _rounded(rounded: Tree, exact: Tree, session: Session) -> bool:
    """Tell whether a decimal, or a decimal times a power of ten, is the other side rounded to digits enough."""
    least, mantissa = session.policy.rounding, _mantissa(rounded)
    digits = decimals(mantissa) if mantissa else None
    if least is None or mantissa is None or not digits or not mantissa.value or decimals(_mantissa(exact) or exact):
        return False
    if len(mantissa.text.replace(".", "").replace(",", "").lstrip("0")) < least:
        return False
    value, written = nearest_fraction(exact, session), nearest_fraction(rounded, session)
    if value is None or written is None:
        return False
    return abs(value - written) <= abs(written / mantissa.value) * Fraction(1, 2 * 10**digits)


def _mantissa(tree: Tree) -> Literal | None:
    inner = _positive(tree)
    if isinstance(inner, Multiply) and len(inner.factors) == 2:
        first, scale = inner.factors
        return _mantissa(first) if isinstance(scale, Power) and scale.base == Literal(Fraction(10)) else None
    return inner if isinstance(inner, Literal) else None


def _numerals(a: Tree, b: Tree, session: Session) -> Settlement:
    x, y = _positive(a), _positive(b)
    if (x is a) != (y is b):
        return different("opposite signs")
    if isinstance(x, Numeral) and isinstance(y, Numeral):
        same = x.base == y.base and int(x.digits, x.base) == int(y.digits, y.base)
        return equal("the same digits in the same base") if same else different("the digits or the bases differ")
    numeral, other = (x, y) if isinstance(x, Numeral) else (y, x)
    if not isinstance(numeral, Numeral) or not isinstance(other, Literal):
        return unsettled("a numeral with a base against a formula")
    digits = other.text.replace(",", "").lstrip("0") or "0"
    if digits != (numeral.digits.lstrip("0") or "0"):
        return different("the digits differ")
    if session.policy.bases == "required":
        return different("only one side has a base")
    return equal("the same digits, with a base on one side")
