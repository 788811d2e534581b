r"""Groups compared: lists and sets in any order, tuples and matrices in order, ``\pm`` as two values."""

from __future__ import annotations

from collections.abc import Sequence

from rewardkit_math.formulas.rules.named import named_value
from rewardkit_math.formulas.session import Session, different, equal, unsettled
from rewardkit_math.formulas.tree import (
    Add,
    Cases,
    Group,
    Matrix,
    Multiply,
    Negate,
    PlusMinus,
    Relation,
    SetOperation,
    Tree,
)
from rewardkit_math.formulas.values.equality import nearest_fraction
from rewardkit_math.formulas.walk import rebuilt, walk
from rewardkit_math.policy import Settlement

__all__ = ["as_group", "settle_cases", "settle_groups", "settle_matrices", "unwrapped"]

_UNORDERED = ("", "{}")
_MANY = 4


def unwrapped(tree: Tree) -> Tree:
    r"""Return what brackets around one thing hold, ``(2,2)(3,3)`` as a list, ``\pm`` as two values, scaled matrices."""
    while isinstance(tree, Group) and len(tree.items) == 1 and tree.brackets in ("", "()", "{}"):
        tree = tree.items[0]
    if isinstance(tree, Multiply) and all(isinstance(part, Group) and part.brackets == "()" for part in tree.factors):
        return Group("", tree.factors)
    if isinstance(tree, Multiply | Negate):
        tree = _scaled(tree)
    if isinstance(tree, Group) and tree.brackets in _UNORDERED:
        items = [one for item in tree.items for one in _flat(unwrapped(item))]
        return Group(tree.brackets, tuple(items), tree.word)
    return _both_signs(tree) if _has_signs(tree) else tree


def _flat(tree: Tree) -> tuple[Tree, ...]:
    """Return the items of a list within a list; anything else is one item."""
    return tree.items if isinstance(tree, Group) and tree.brackets == "" else (tree,)


def _scaled(tree: Multiply | Negate) -> Tree:
    """Return a matrix times numbers as one matrix; anything else as it is."""
    parts = tree.factors if isinstance(tree, Multiply) else (tree.term,)
    matrices = [part for part in parts if isinstance(part, Matrix)]
    if len(matrices) != 1 or any(isinstance(part, Group) for part in parts):
        return tree
    at = parts.index(matrices[0])

    def entry(value: Tree) -> Tree:
        return Negate(value) if isinstance(tree, Negate) else Multiply((*parts[:at], value, *parts[at + 1 :]))

    return Matrix(tuple(tuple(map(entry, row)) for row in matrices[0].rows))


def _has_signs(tree: Tree) -> bool:
    r"""Tell whether ``\pm`` stands in a tuple or an expression: elsewhere it belongs to a part."""
    if isinstance(tree, Relation | SetOperation | Matrix | Cases):
        return False
    return any(isinstance(node, PlusMinus) for node in walk(tree))


def _both_signs(tree: Tree) -> Tree:
    return Group("", (_signed(tree, minus=False), _signed(tree, minus=True)))


def _signed(tree: Tree, minus: bool) -> Tree:
    r"""Return a tree with the upper, or the lower, of all its signs: ``\pm`` and ``\mp`` go together."""
    inner = rebuilt(tree, lambda child: _signed(child, minus))
    if not isinstance(inner, PlusMinus):
        return inner
    right = Negate(inner.right) if minus != inner.minus_first else inner.right
    return right if inner.left is None else Add((inner.left, right))


def as_group(tree: Tree) -> Group | None:
    """Return a group as it is, and a column or row as a tuple; None for anything else."""
    if isinstance(tree, Group):
        return tree
    if isinstance(tree, Matrix) and (len(tree.rows) == 1 or all(len(row) == 1 for row in tree.rows)):
        return Group("()", tuple(entry for row in tree.rows for entry in row))
    return None


def settle_groups(a: Group, b: Group, session: Session) -> Settlement:
    """Compare two groups: what brackets may stand for what, then the items."""
    if not _comparable(a.brackets, b.brackets):
        open_question = len(a.items) != 2 and "{}" not in (a.brackets, b.brackets) and len(a.items) == len(b.items)
        reason = f"the brackets differ: {_kinds(a, b)}"
        return unsettled(reason) if open_question else different(reason)
    if a.brackets == b.brackets == "{}":
        a, b = _without_repeats(a), _without_repeats(b)
    if len(a.items) != len(b.items):
        return different(_kinds(a, b))
    if _is_ordered(a, b, session):
        return _in_order(a.items, b.items, session)
    return _by_names(a, b, session) or _in_any_order(a.items, b.items, session)


def _comparable(a: str, b: str) -> bool:
    return a == b or {a, b} <= {"", "{}"} or {a, b} == {"", "()"}


def _is_ordered(a: Group, b: Group, session: Session) -> bool:
    free = {"brackets": {"", "{}"}, "any": {"", "{}", "()"}, "all": {"{}"}}[session.policy.order]
    return not (a.brackets in free and b.brackets in free and bool(_names(a)) == bool(_names(b)))


def _names(group: Group) -> list[Tree]:
    return [name for item in group.items if (name := named_value(item).name) is not None]


def _kinds(*groups: Group) -> str:
    return " against ".join(sorted(map(_kind, groups)))


def _kind(group: Group) -> str:
    what = {"": "a list", "{}": "a set"}.get(group.brackets, f"{group.brackets[:1]}…{group.brackets[1:]}")
    return f"{what} of {len(group.items)}"


def _without_repeats(group: Group) -> Group:
    return Group(group.brackets, tuple(dict.fromkeys(group.items)), group.word)


def _in_order(a: Sequence[Tree], b: Sequence[Tree], session: Session) -> Settlement:
    undecided = None
    for x, y in zip(a, b, strict=True):
        settled = session.settle(x, y)
        if settled.equal is False:
            return settled
        undecided = undecided or (settled if settled.equal is None else None)
    return undecided or equal("all items are equal")


def _by_names(a: Group, b: Group, session: Session) -> Settlement | None:
    """Compare ``a = 1, b = 2`` by names, where all items have different names and both sides the same ones."""
    x = {name: item for item in a.items if (name := named_value(item).name) is not None}
    y = {name: item for item in b.items if (name := named_value(item).name) is not None}
    if len(x) < len(a.items) or len(y) < len(b.items) or x.keys() != y.keys():
        return None
    return _in_order(list(x.values()), [y[name] for name in x], session)


def _in_any_order(a: Sequence[Tree], b: Sequence[Tree], session: Session) -> Settlement:
    left = list(b)
    pending = []
    for item in a:
        if item in left:
            left.remove(item)
        else:
            pending.append(item)
    values = _sorted_values(pending, session), _sorted_values(left, session)
    if values[0] is not None and values[1] is not None:
        return _in_order(values[0], values[1], session)
    undecided = None
    for item in pending:
        found = _partner(item, left, session)
        if isinstance(found, Settlement):
            if found.equal is False:
                return found
            undecided = found
        else:
            del left[found]
    return undecided or equal("all items are equal")


def _sorted_values(items: list[Tree], session: Session) -> list[Tree] | None:
    """Return real constants in rising order; None for anything else, or for few, which are compared pair by pair."""
    if len(items) < _MANY or any(isinstance(item, Group | Relation) for item in items):
        return None
    values = [nearest_fraction(item, session) for item in items]
    known = [(value, index) for index, value in enumerate(values) if value is not None]
    return [items[index] for _, index in sorted(known)] if len(known) == len(items) else None


def _partner(item: Tree, others: list[Tree], session: Session) -> int | Settlement:
    """Return the index of an equal item, or why there is none."""
    undecided = None
    for index, other in enumerate(others):
        settled = session.settle(item, other)
        if settled.equal:
            return index
        undecided = undecided or (settled if settled.equal is None else None)
    return undecided or different("an item is missing on the other side")


def settle_matrices(a: Matrix, b: Matrix, session: Session) -> Settlement:
    """Compare two matrices entry by entry."""
    if [len(row) for row in a.rows] != [len(row) for row in b.rows]:
        return different("matrices of different shapes")
    first, second = ([entry for row in matrix.rows for entry in row] for matrix in (a, b))
    return _in_order(first, second, session)


def settle_cases(a: Cases, b: Cases, session: Session) -> Settlement:
    """Compare piecewise values branch by branch, in any order; "otherwise" only stands for itself."""
    if len(a.branches) != len(b.branches):
        return unsettled("piecewise values with different numbers of branches")
    (pairs_a, otherwise_a), (pairs_b, otherwise_b) = _branches(a), _branches(b)
    if len(otherwise_a) != len(otherwise_b):
        return unsettled("only one side says otherwise")
    settled = [_in_any_order(pairs_a, pairs_b, session), _in_any_order(otherwise_a, otherwise_b, session)]
    # Different conditions may still cut the line at the same places.
    return equal("all branches are equal") if all(part.equal for part in settled) else unsettled("the branches differ")


def _branches(tree: Cases) -> tuple[list[Tree], list[Tree]]:
    """Return the values with their conditions as pairs, and those without."""
    pairs: list[Tree] = [Group("()", (value, where)) for value, where in tree.branches if where is not None]
    return pairs, [value for value, where in tree.branches if where is None]
