"""Equations and inequalities up to rearrangement: multiplied by a constant, or with sides moved."""

from __future__ import annotations

from fractions import Fraction
from random import Random

from rewardkit_math.formulas.session import Session, different, equal, unsettled
from rewardkit_math.formulas.tree import Add, Literal, Multiply, Negate, Relation, Symbol, Tree
from rewardkit_math.formulas.values.equality import order, settle_values
from rewardkit_math.formulas.values.points import rational_point
from rewardkit_math.formulas.walk import free_symbols, substituted
from rewardkit_math.policy import Settlement

__all__ = ["settle_equations", "settle_inequalities"]

_ZERO = Literal(Fraction(0), "0")
_ATTEMPTS = 4


def settle_equations(a: Relation, b: Relation, session: Session) -> Settlement:
    """Compare ``left - right`` of both equations up to a constant factor other than 0.

    Where they are not proportional, they may still have the same solutions: that is left open unless the symbols
    differ. An equation that leaves its only variable to be found is not equal to one that gives it.
    """
    if len(a.sides) != 2 or len(b.sides) != 2:
        return unsettled("a chain of equations")
    if free_symbols(a) != free_symbols(b):
        return different("the equations are about different symbols")
    if _gives_value(a) != _gives_value(b):
        return different("only one of the equations is solved")
    proportional, _ = _ratio(_difference(a), _difference(b), session)
    if proportional is None:
        return unsettled("the equations could not be compared")
    if proportional:
        return equal("the equations are the same up to a constant factor")
    return unsettled("the equations are not multiples of each other")


def settle_inequalities(a: Relation, b: Relation, session: Session) -> Settlement:
    """Compare inequalities of two sides up to a positive factor; a negative one turns the sign."""
    if len(a.sides) != 2 or len(b.sides) != 2:
        return unsettled("a chain of inequalities that is not linear in one variable")
    if free_symbols(a) != free_symbols(b) or _is_strict(a) != _is_strict(b):
        return different("the inequalities differ")
    proportional, sign = _ratio(_difference(a), _difference(b), session)
    if not proportional:
        return unsettled("the inequalities are not multiples of each other")
    turned = _points_up(a) != _points_up(b)
    same = a.operators[0] == "!=" or (sign is not None and (sign < 0) == turned)
    return equal("the inequalities are the same up to a factor") if same else different("the inequalities are opposite")


def _gives_value(tree: Relation) -> bool:
    """Tell whether a variable stands alone and the other side has none."""
    return any(isinstance(one, Symbol) and not free_symbols(other) for one, other in (tree.sides, tree.sides[::-1]))


def _difference(tree: Relation) -> Tree:
    return Add((tree.sides[0], Negate(tree.sides[1])))


def _is_strict(tree: Relation) -> str:
    return tree.operators[0].replace(">", "<")


def _points_up(tree: Relation) -> bool:
    return tree.operators[0].startswith(">")


def _ratio(a: Tree, b: Tree, session: Session) -> tuple[bool | None, int | None]:
    """Return whether ``a / b`` is constant, and its sign; (None, None) where no point shows it."""
    names = sorted(free_symbols(a) | free_symbols(b))
    random = Random(session.seed + b"ratio")
    for index in range(_ATTEMPTS):
        point = rational_point(random, index, names, [])
        values: dict[str, Tree] = {name: Literal(value) for name, value in point.items()}
        here, there = substituted(a, values), substituted(b, values)
        if all(settle_values(side, _ZERO, session).equal is False for side in (here, there)):
            same = settle_values(Multiply((a, there)), Multiply((b, here)), session).equal
            sign = order(Multiply((here, there)), _ZERO, session) if same else None
            return same, sign
    return None, None
