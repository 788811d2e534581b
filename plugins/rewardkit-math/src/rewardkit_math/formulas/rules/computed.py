"""Whether a value is computed, or leaves arithmetic to do."""

from __future__ import annotations

from rewardkit_math.formulas.tree import (
    Add,
    Apply,
    Big,
    Call,
    Divide,
    Group,
    Literal,
    Multiply,
    Negate,
    Quantity,
    Relation,
    Symbol,
    Tree,
    Words,
)
from rewardkit_math.formulas.walk import children, walk

__all__ = ["is_plain", "is_uncomputed"]

_PLAIN = (Literal, Negate, Divide, Group, Relation, Symbol, Call, Words)
_NAMES = (Symbol, Call, Words)
_ARITHMETIC = (Add, Multiply, Negate, Divide)
_TASKS = frozenset({"ceil", "floor", "gcd", "lcm", "max", "min", "mod"})


def is_plain(tree: Tree) -> bool:
    """Tell whether a tree holds nothing but numbers, with or without a unit, and names for them.

    >>> is_plain(Literal(5)), is_plain(Add((Literal(4), Literal(1)))), is_plain(Quantity(Literal(5), "%"))
    (True, False, False)
    """
    return all(isinstance(node, _PLAIN) or (isinstance(node, Quantity) and node.unit != "%") for node in walk(tree))


def is_uncomputed(tree: Tree) -> bool:
    """Tell whether a tree leaves something to compute.

    That is a sum or product of plain numbers, wherever it stands; a greatest or least of them, a rest, or a rounding;
    and a sum, product, integral or limit over a variable. Powers, roots, factorials, binomials, fractions and mixed
    numbers are finished. Of a chain of equal sides one computed side is enough.

    >>> is_uncomputed(Multiply((Literal(17), Literal(24)))), is_uncomputed(Divide(Literal(7), Literal(2)))
    (True, False)
    """
    if isinstance(tree, Relation):
        sides = [side for side in tree.sides if not isinstance(side, _NAMES)]
        return bool(sides) and all(_scan(side)[1] for side in sides)
    return _scan(tree)[1]


def _scan(tree: Tree) -> tuple[bool, bool]:
    """Return whether there are only plain numbers and arithmetic, and whether something is left to compute."""
    parts = [_scan(child) for child in children(tree)]
    plain = all(part[0] for part in parts) and (isinstance(tree, _ARITHMETIC) or _is_digits(tree))
    left = isinstance(tree, Big) or (isinstance(tree, Apply) and tree.function in _TASKS)
    left = left or (plain and isinstance(tree, Add | Multiply) and not _is_mixed(tree))
    return plain, left or any(part[1] for part in parts)


def _is_digits(tree: Tree) -> bool:
    # "3 million" is a product whose second factor is a word.
    return isinstance(tree, Literal) and not tree.text.isalpha()


def _is_mixed(tree: Tree) -> bool:
    if not (isinstance(tree, Add) and len(tree.terms) == 2 and isinstance(tree.terms[1], Divide)):
        return False
    fraction = tree.terms[1]
    return all(isinstance(part, Literal) for part in (tree.terms[0], fraction.top, fraction.bottom))
