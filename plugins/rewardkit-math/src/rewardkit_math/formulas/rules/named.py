r"""What an answer states: a name and its value, a chain of equal sides, an equation.

``x = 5``, ``5 = x``, ``f(x) = 2x`` and ``n \in \{1, 3\}`` name their value; so does ``a + b = 5``, whose left side
holds no number. The sides of a chain such as ``x = 1/2 = 0.5`` must all be equal, and what follows ``\approx`` must
round what stands before it; then the last exact side is the value. Sides that differ state nothing: ``41 = 42`` equals
only itself.
"""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise
from typing import NamedTuple

from rewardkit_math.formulas.session import Session, different
from rewardkit_math.formulas.tree import Call, Group, Literal, Negate, Quantity, Relation, Symbol, Tree, Words
from rewardkit_math.formulas.values.equality import nearest_fraction
from rewardkit_math.formulas.walk import substituted, walk
from rewardkit_math.policy import Settlement

__all__ = ["Stated", "decimals", "is_equation", "named_value", "renamed", "same_name", "stated"]


class Stated(NamedTuple):
    """A value, and the name that it is given."""

    name: Tree | None
    body: Tree


def is_equation(tree: Tree) -> bool:
    """Tell whether a tree is a chain of equal or nearly equal sides."""
    return isinstance(tree, Relation) and set(tree.operators) <= {"=", "~"}


def stated(tree: Tree, session: Session) -> Stated | Settlement:
    """Return what a tree states; a settlement where its sides differ, or are not known to be equal."""
    if isinstance(tree, Relation) and is_equation(tree):
        return _chain(tree, session)
    if isinstance(tree, Relation) and tree.operators == ("in",) and _is_name(tree.sides[0]):
        return Stated(tree.sides[0], tree.sides[1])
    if isinstance(tree, Group) and tree.brackets == "":
        return _common_name(tree)
    return Stated(None, tree)


def named_value(tree: Tree) -> Stated:
    """Return name and value of ``x = 5`` without a look at whether its sides are equal; else the tree itself."""
    if isinstance(tree, Relation) and is_equation(tree):
        sides = _oriented(tree)
        if len(sides) == 2 and _is_name(sides[0]):
            return Stated(sides[0], sides[1])
    return Stated(None, tree)


def same_name(a: Tree, b: Tree) -> bool:
    """Tell whether two names are the same; ``y`` and ``f(x)`` both name a function."""
    if isinstance(a, Call) and isinstance(b, Call):
        return a.name == b.name and len(a.arguments) == len(b.arguments)
    if isinstance(a, Symbol) and isinstance(b, Symbol):
        return a.name.casefold() == b.name.casefold()
    return a == b or ({type(a), type(b)} == {Call, Symbol} and Symbol("y") in (a, b))


def renamed(name: Tree | None, body: Tree, wanted: list[str]) -> Tree | None:
    """Return the body of ``f(y) = 2y`` with its arguments renamed; None where there is nothing to rename."""
    if not isinstance(name, Call) or len(name.arguments) != len(wanted):
        return None
    bound = [argument.name for argument in name.arguments if isinstance(argument, Symbol)]
    if len(set(bound)) < len(wanted) or bound == wanted:
        return None
    return substituted(body, {old: Symbol(new) for old, new in zip(bound, wanted, strict=True)})


def decimals(tree: Tree) -> int | None:
    """Return the number of digits after the point of a decimal or whole number, else None."""
    inner = tree.value if isinstance(tree, Quantity) else tree
    inner = inner.term if isinstance(inner, Negate) else inner
    if not isinstance(inner, Literal) or not inner.text.replace(",", "").replace(".", "").isdigit():
        return None
    return len(inner.text.partition(".")[2])


def _is_name(tree: Tree) -> bool:
    if isinstance(tree, Group):
        return len(tree.items) > 1 and all(isinstance(item, Symbol) for item in tree.items)
    return isinstance(tree, Symbol | Call | Words)


def _oriented(tree: Relation) -> tuple[Tree, ...]:
    """Return the sides with a name first, where one stands at the end."""
    sides = tree.sides
    turned = len(sides) == 2 and tree.operators == ("=",) and _is_name(sides[1]) and not _is_name(sides[0])
    return sides[::-1] if turned else sides


def _chain(tree: Relation, session: Session) -> Stated | Settlement:
    sides, operators = _oriented(tree), tree.operators
    if _is_name(sides[0]) or (_without_numbers(sides[0]) and _is_constant(sides[-1])):
        body = _common_value(sides[1:], operators[1:], session)
        return body if isinstance(body, Settlement) else Stated(sides[0], body)
    body = _common_value(sides, operators, session)
    if isinstance(body, Settlement):
        return body if all(map(_is_constant, sides)) else Stated(None, tree)
    return Stated(None, body)


def _without_numbers(tree: Tree) -> bool:
    r"""Tell whether a side only names a value by names: ``a + b``, ``\sin A``, ``|AB|``."""
    kinds = {type(node) for node in walk(tree)}
    return Symbol in kinds and not kinds & {Literal, Group}


def _is_constant(tree: Tree) -> bool:
    return not any(isinstance(node, Symbol | Call | Group | Words) for node in walk(tree))


def _common_value(sides: tuple[Tree, ...], operators: tuple[str, ...], session: Session) -> Tree | Settlement:
    """Return the last exact side where all sides agree."""
    start = operators.index("~") + 1 if "~" in operators else len(sides)
    exact, rounded = sides[:start], sides[start:]
    if rounded and decimals(exact[-1]) is not None and decimals(rounded[0]) is None:
        exact, rounded = rounded[:1], exact
    for one, other in pairwise(exact):
        settled = session.settle(one, other)
        if not settled.equal:
            return different("the sides of the equation differ") if settled.equal is False else settled
    if not all(_rounds(side, exact[-1], session) for side in rounded):
        return different("the rounded side is not the exact side rounded")
    return exact[-1]


def _rounds(rounded: Tree, exact: Tree, session: Session) -> bool:
    digits = decimals(rounded)
    value, other = nearest_fraction(_bare(exact), session), nearest_fraction(_bare(rounded), session)
    if digits is None or value is None or other is None:
        return False
    return abs(value - other) < Fraction(1, 10**digits)


def _bare(tree: Tree) -> Tree:
    return tree.value if isinstance(tree, Quantity) else tree


def _common_name(group: Group) -> Stated:
    """Return ``x = 1, x = 2`` and ``x = 1, 2`` as one name with two values."""
    parts = [named_value(item) for item in group.items]
    names = [part.name for part in parts if part.name is not None]
    if not names or any(name != names[0] for name in names):
        return Stated(None, group)
    return Stated(names[0], Group("", tuple(part.body for part in parts), group.word))
