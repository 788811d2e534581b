r"""Sets of real numbers: intervals, inequalities, unions, differences, and finite sets, in one normal form.

A set is the numbers where its membership changes, in order, and which of the cells between and at them belong to it.
So ``x \ne 5``, ``R \setminus \{5\}`` and ``(-\infty, 5) \cup (5, \infty)`` are the same three cells. Infinite ends are
always open. Where "and" or a comma joins inequalities that no number satisfies together, "or" is meant.
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import NamedTuple

from rewardkit_math.formulas.session import Session, different, equal, unsettled
from rewardkit_math.formulas.tree import (
    Add,
    Apply,
    Call,
    Constant,
    Divide,
    Group,
    Literal,
    Matrix,
    Multiply,
    Negate,
    NumberSet,
    Quantity,
    Relation,
    SetBuilder,
    SetOperation,
    Symbol,
    Tree,
    Words,
)
from rewardkit_math.formulas.values.equality import order, settle_values
from rewardkit_math.formulas.walk import walk
from rewardkit_math.policy import Settlement

__all__ = ["is_set", "settle_real_sets"]

_ZERO, _ONE = Literal(Fraction(0), "0"), Literal(Fraction(1), "1")
_ALL_WORDS = frozenset({"all real numbers", "all reals", "real numbers", "the real numbers", "any real number"})
_NO_WORDS = frozenset({"no solution", "no solutions", "no real solution", "no real solutions", "empty set"})
_TURNED = {"<": ">", "<=": ">=", ">": "<", ">=": "<=", "=": "=", "!=": "!="}


class _NotRealError(Exception):
    """A tree is no set of real numbers that can be put in order."""


class RealSet(NamedTuple):
    """``ends`` in rising order; ``cells``: whether each gap and each end, from the left, belongs to the set."""

    ends: tuple[Tree, ...]
    cells: tuple[bool, ...]


class _Solutions(NamedTuple):
    """A set, and the variable that it is the solutions for, where one is named."""

    numbers: RealSet
    variable: Tree | None = None


_EMPTY, _ALL = RealSet((), (False,)), RealSet((), (True,))
_NUMBER_SETS = {"R": _ALL, "R+": RealSet((_ZERO,), (False, False, True)), "R-": RealSet((_ZERO,), (True, False, False))}


def is_set(tree: Tree) -> bool:
    """Tell whether a tree can only be a set: an inequality, a union, a half-open interval, an infinite end."""
    if isinstance(tree, Relation):
        return any(operator in ("<", "<=", ">", ">=", "!=") for operator in tree.operators) or (
            tree.operators == ("in",) and (is_set(tree.sides[1]) or _is_interval(tree.sides[1]))
        )
    if isinstance(tree, Group):
        if tree.brackets in ("", "{}"):
            return bool(tree.items) and any(isinstance(item, Relation) and is_set(item) for item in tree.items)
        return tree.brackets in ("[)", "(]") or any(_infinite(item) for item in tree.items)
    return isinstance(tree, SetOperation | SetBuilder | NumberSet)


def settle_real_sets(a: Tree, b: Tree, session: Session) -> Settlement:
    """Compare two trees, of which at least one is a set."""
    try:
        x, y = _read(a, session), _read(b, session)
    except _NotRealError as error:
        return unsettled(str(error))
    settled = _same(x.numbers, y.numbers, session)
    if settled.equal and x.variable and y.variable and x.variable != y.variable:
        return unsettled("the same numbers for different names")
    return settled


def _same(a: RealSet, b: RealSet, session: Session) -> Settlement:
    if a.cells != b.cells:
        return different("the sets differ")
    settled = [settle_values(x, y, session) for x, y in zip(a.ends, b.ends, strict=True)]
    if any(end.equal is False for end in settled):
        return different("the ends of the sets differ")
    return next((end for end in settled if end.equal is None), equal("the sets are equal"))


def _read(tree: Tree, session: Session) -> _Solutions:
    session.spend(1)
    if isinstance(tree, NumberSet) and tree.name in _NUMBER_SETS:
        return _Solutions(_NUMBER_SETS[tree.name])
    if isinstance(tree, Words) and tree.text in _ALL_WORDS | _NO_WORDS:
        return _Solutions(_ALL if tree.text in _ALL_WORDS else _EMPTY)
    if isinstance(tree, Group):
        return _read_group(tree, session)
    if isinstance(tree, SetOperation):
        return _operate(tree, session)
    if isinstance(tree, SetBuilder):
        return _Solutions(_read_builder(tree, session))
    if isinstance(tree, Relation):
        return _read_relation(tree, session)
    return _Solutions(_point(tree))


def _point(tree: Tree) -> RealSet:
    unordered = (Words, Matrix, NumberSet, Group, Relation)
    if any(isinstance(node, unordered) or node in (Constant("i"), Constant("infinity")) for node in walk(tree)):
        raise _NotRealError("a part is no real number")
    return RealSet((tree,), (False, True, False))


def _is_interval(tree: Tree) -> bool:
    return isinstance(tree, Group) and tree.brackets not in ("", "{}") and len(tree.items) == 2


def _read_group(group: Group, session: Session) -> _Solutions:
    if _is_interval(group):
        return _Solutions(_interval(group.brackets, group.items[0], group.items[1], session))
    if group.brackets not in ("", "{}"):
        raise _NotRealError("brackets around what is no interval")
    parts = [_read(item, session) for item in group.items]
    if not any(isinstance(item, Relation) for item in group.items):
        return _merged(parts, any, session) if parts else _Solutions(_EMPTY)
    if group.word != "or":
        both = _merged(parts, all, session)
        if any(both.numbers.cells):
            return both
    return _merged(parts, any, session)


def _interval(brackets: str, low: Tree, high: Tree, session: Session) -> RealSet:
    closed_low, closed_high = brackets[0] == "[", brackets[1] == "]"
    below, above = _infinite(low), _infinite(high)
    if below == 1 or above == -1:
        raise _NotRealError("an interval that ends at the wrong infinity")
    if below and above:
        return _ALL
    if below:
        return RealSet((high,), (True, closed_high, False))
    if above:
        return RealSet((low,), (False, closed_low, True))
    # With symbols at the ends nothing says which is larger: what is written counts.
    rising = order(low, high, session)
    if rising == 0:
        return RealSet((low,), (False, True, False)) if closed_low and closed_high else _EMPTY
    return _EMPTY if rising == 1 else RealSet((low, high), (False, closed_low, True, closed_high, False))


def _infinite(tree: Tree) -> int:
    """Return 1 or -1 for an infinity, 0 for anything else."""
    if isinstance(tree, Negate):
        return -_infinite(tree.term)
    return int(tree == Constant("infinity"))


def _operate(tree: SetOperation, session: Session) -> _Solutions:
    parts = [_read(part, session) for part in tree.parts]
    if tree.operator == "difference":
        return _merged(parts, lambda inside: inside[0] and not any(inside[1:]), session)
    return _merged(parts, any if tree.operator == "union" else all, session)


def _read_builder(tree: SetBuilder, session: Session) -> RealSet:
    inner = tree.element
    if isinstance(inner, Relation) and inner.operators == ("in",):
        both = [_read(inner, session), _read(tree.condition, session)]
        return _merged(both, all, session).numbers
    solutions = _read(tree.condition, session)
    if not isinstance(inner, Symbol) or solutions.variable not in (inner, None):
        raise _NotRealError("a set given by a formula for its elements")
    return solutions.numbers


def _merged(parts: list[_Solutions], belongs: Callable[[list[bool]], bool], session: Session) -> _Solutions:
    """Return the numbers for which ``belongs`` is true of their membership in each part."""
    names = {part.variable for part in parts if part.variable}
    if len(names) > 1:
        raise _NotRealError("inequalities for different names")
    ends: list[Tree] = []
    for part in parts:
        for end in part.numbers.ends:
            _insert(ends, end, session)
    cells = [_membership(part.numbers, ends, session) for part in parts]
    merged = [belongs(list(inside)) for inside in zip(*cells, strict=True)]
    return _Solutions(_simplified(ends, merged), next(iter(names), None))


def _insert(ends: list[Tree], end: Tree, session: Session) -> None:
    for index, other in enumerate(ends):
        where = _ordered(end, other, session)
        if where <= 0:
            if where:
                ends.insert(index, end)
            return
    ends.append(end)


def _ordered(a: Tree, b: Tree, session: Session) -> int:
    where = order(a, b, session)
    if where is None:
        raise _NotRealError("ends whose order is not known")
    return where


def _membership(numbers: RealSet, ends: list[Tree], session: Session) -> list[bool]:
    """Return the cells of a set, cut at more ends than its own."""
    cells, at = [numbers.cells[0]], 0
    for end in ends:
        own = at < len(numbers.ends) and _ordered(numbers.ends[at], end, session) == 0
        cells.append(numbers.cells[2 * at + own])
        at += own
        cells.append(numbers.cells[2 * at])
    return cells


def _simplified(ends: list[Tree], cells: list[bool]) -> RealSet:
    kept: list[Tree] = []
    left = [cells[0]]
    for index, end in enumerate(ends):
        here, after = cells[2 * index + 1], cells[2 * index + 2]
        if not left[-1] == here == after:
            kept.append(end)
            left += [here, after]
    return RealSet(tuple(kept), tuple(left))


def _read_relation(tree: Relation, session: Session) -> _Solutions:
    variable = _variable(tree)
    if tree.operators == ("in",):
        return _Solutions(_read(tree.sides[1], session).numbers, variable)
    if _is_double(tree, variable):
        low, _, high = tree.sides if tree.operators[0].startswith("<") else tree.sides[::-1]
        first, last = tree.operators if tree.operators[0].startswith("<") else tree.operators[::-1]
        brackets = f"{'[' if first.endswith('=') else '('}{']' if last.endswith('=') else ')'}"
        return _Solutions(_interval(brackets, low, high, session), variable)
    pairs = zip(tree.sides, tree.operators, tree.sides[1:], strict=False)
    parts = [_Solutions(_constraint(a, operator, b, variable, session), variable) for a, operator, b in pairs]
    return _merged(parts, all, session) if len(parts) > 1 else parts[0]


def _is_double(tree: Relation, variable: Tree) -> bool:
    """Tell whether a relation says ``low < x < high``, or the same with other signs in one direction."""
    if len(tree.sides) != 3 or tree.sides[1] != variable or len({operator[0] for operator in tree.operators}) > 1:
        return False
    return tree.operators[0][0] in "<>" and not any(variable in walk(side) for side in (tree.sides[0], tree.sides[2]))


def _variable(tree: Relation) -> Tree:
    """Return what a relation is about: its only name, else the side that is one, the middle first."""
    nodes = list(walk(tree))
    found: set[Tree] = {node for node in nodes if isinstance(node, Call)}
    found = found or {node for node in nodes if isinstance(node, Symbol)}
    if len(found) == 1:
        return found.pop()
    middle = tree.sides[1:2] if len(tree.sides) == 3 else ()
    for side in (*middle, *tree.sides):
        if isinstance(side, Symbol | Call):
            return side
    raise _NotRealError("an inequality in several symbols")


def _constraint(a: Tree, operator: str, b: Tree, variable: Tree, session: Session) -> RealSet:
    for left, sign, right in ((a, operator, b), (b, _TURNED.get(operator, ""), a)):
        if isinstance(left, Apply) and left.function == "abs" and variable not in walk(right):
            return _distance(left.arguments[0], sign, right, variable, session)
    line = _linear(Add((a, Negate(b))), variable)
    slope = order(line[0], _ZERO, session) if line else None
    if line is None or not slope or operator not in _TURNED:
        raise _NotRealError("an inequality that is not linear in one variable")
    end = Negate(Divide(line[1], line[0])) if line[1] != _ZERO else _ZERO
    sign = operator if slope > 0 else _TURNED[operator]
    closed = sign in ("<=", ">=", "=")
    return RealSet((end,), (sign in ("<", "<=", "!="), closed, sign in (">", ">=", "!=")))


def _distance(inner: Tree, operator: str, bound: Tree, variable: Tree, session: Session) -> RealSet:
    """Return where ``|inner|`` is below, or above, a bound."""
    if operator not in ("<", "<=", ">", ">="):
        raise _NotRealError("an absolute value in an equation")
    above = _Solutions(_constraint(inner, operator, bound, variable, session))
    below = _Solutions(_constraint(inner, _TURNED[operator], Negate(bound), variable, session))
    return _merged([below, above], all if operator.startswith("<") else any, session).numbers


def _linear(tree: Tree, variable: Tree) -> tuple[Tree, Tree] | None:
    """Return slope and intercept of a tree that is linear in a variable."""
    if tree == variable:
        return _ONE, _ZERO
    if variable not in walk(tree):
        return _ZERO, tree
    if isinstance(tree, Quantity):
        return _linear(tree.value, variable)
    if isinstance(tree, Negate):
        line = _linear(tree.term, variable)
        return line and (Negate(line[0]), Negate(line[1]))
    if isinstance(tree, Add):
        lines = [line for term in tree.terms if (line := _linear(term, variable))]
        whole = len(lines) == len(tree.terms)
        return (Add(tuple(line[0] for line in lines)), Add(tuple(line[1] for line in lines))) if whole else None
    return _scaled(tree, variable)


def _scaled(tree: Tree, variable: Tree) -> tuple[Tree, Tree] | None:
    if isinstance(tree, Divide) and variable not in walk(tree.bottom):
        line = _linear(tree.top, variable)
        return line and (Divide(line[0], tree.bottom), Divide(line[1], tree.bottom))
    if isinstance(tree, Multiply):
        varying = [factor for factor in tree.factors if variable in walk(factor)]
        others = tuple(factor for factor in tree.factors if variable not in walk(factor))
        line = _linear(varying[0], variable) if len(varying) == 1 else None
        return line and (Multiply((line[0], *others)), Multiply((line[1], *others)))
    return None
