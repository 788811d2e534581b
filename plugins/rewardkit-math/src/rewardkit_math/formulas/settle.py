r"""The entry: whether two formulas are equal, different, or undecided, each with the reason."""

from __future__ import annotations

from fractions import Fraction

from rewardkit_math.formulas.rules.elements import as_group, settle_cases, settle_groups, settle_matrices, unwrapped
from rewardkit_math.formulas.rules.equations import settle_equations, settle_inequalities
from rewardkit_math.formulas.rules.named import Stated, is_equation, renamed, same_name, stated
from rewardkit_math.formulas.rules.quantities import settle_quantities, split_unit
from rewardkit_math.formulas.rules.sets import is_set, settle_real_sets
from rewardkit_math.formulas.session import OutOfWorkError, Session, different, equal, unsettled
from rewardkit_math.formulas.tree import (
    Add,
    Call,
    Cases,
    Constant,
    Group,
    Matrix,
    Multiply,
    Relation,
    Symbol,
    Tree,
    Words,
)
from rewardkit_math.formulas.values.equality import INTEGER_NAMES, nearest_fraction
from rewardkit_math.formulas.walk import fingerprint, free_symbols, substituted, too_large, walk
from rewardkit_math.policy import Policy, Settlement

__all__ = ["settle_formulas", "value_of"]

_DEFAULT = Policy()
_PI = Constant("pi")


def settle_formulas(a: Tree, b: Tree, policy: Policy = _DEFAULT) -> Settlement:
    r"""Compare two formulas.

    Symmetric, true of any formula and itself, the same on every machine. Nothing is built before its size is known, and
    work is counted: a comparison ends within about a tenth of a second, and is undecided where that is not enough.

    Args:
        a: A formula; see `parse`.
        b: Another.
        policy: What counts as equal where the field disagrees.

    Returns:
        Equal, different or undecided, with a reason for people.

    Example:
        >>> from rewardkit_math.formulas.tree import Add, Literal, Power
        >>> x, one, two = Symbol("x"), Literal(Fraction(1)), Literal(Fraction(2))
        >>> square = Power(Add((x, one)), two)
        >>> settle_formulas(square, Add((Power(x, two), Multiply((two, x)), one))).reason
        'equal as rational functions'
    """
    if too_large(a) or too_large(b):
        return unsettled("too large a formula")
    (_, a), (_, b) = sorted(((fingerprint(side), side) for side in (a, b)), key=lambda pair: pair[0])
    session = Session(policy, fingerprint(Group("", (a, b))), _settle)
    try:
        return _settle(a, _with_the_turns_of(a, _in_the_case_of(a, b)), session)
    except OutOfWorkError:
        return unsettled("more work than one comparison may take")


def value_of(tree: Tree) -> Fraction | None:
    """Return the value of a real constant, exactly or to more than 50 digits, without its unit; None where it has none.

    >>> from rewardkit_math.formulas.tree import Divide, Literal
    >>> value_of(Divide(Literal(Fraction(3)), Literal(Fraction(6))))
    Fraction(1, 2)
    """
    if too_large(tree):
        return None
    session = Session(_DEFAULT, fingerprint(tree), _settle)
    try:
        said = stated(unwrapped(tree), session)
        return nearest_fraction(split_unit(said.body)[0], session) if isinstance(said, Stated) else None
    except OutOfWorkError:
        return None


def _in_the_case_of(a: Tree, b: Tree) -> Tree:
    """Return ``b`` with symbols that differ from those of ``a`` only by case renamed, where neither uses both.

    A single letter stays as it is: it may be the letter of a choice.
    """
    if isinstance(a, Symbol) or isinstance(b, Symbol):
        return b
    ours, theirs = free_symbols(a), free_symbols(b)
    new: dict[str, Tree] = {
        name: Symbol(name.swapcase())
        for name in theirs - ours
        if name.swapcase() in ours - theirs and len(name) == 1 and name.isascii()
    }
    return substituted(b, new) if new else b


def _with_the_turns_of(a: Tree, b: Tree) -> Tree:
    r"""Return ``b`` with the one integer that counts turns, as k in ``\pi/4 + 2k\pi``, named as in ``a``."""
    ours, theirs = ((free_symbols(x) - free_symbols(y)) & INTEGER_NAMES for x, y in ((a, b), (b, a)))
    if len(ours) != 1 or len(theirs) != 1 or not (_counts_turns(a, *ours) and _counts_turns(b, *theirs)):
        return b
    return substituted(b, {name: Symbol(new) for name, new in zip(theirs, ours, strict=True)})


def _counts_turns(tree: Tree, name: str) -> bool:
    nodes = list(walk(tree))
    products = (node.factors for node in nodes if isinstance(node, Multiply))
    is_turn = any(_PI in factors and Symbol(name) in factors for factors in products)
    return is_turn and any(isinstance(node, Add) for node in nodes)


def _settle(a: Tree, b: Tree, session: Session) -> Settlement:
    a, b = unwrapped(a), unwrapped(b)
    if a == b:
        return equal("the formulas are the same")
    if isinstance(a, Words) or isinstance(b, Words):
        return _words(a, b, session)
    if is_set(a) or is_set(b):
        return _sets(a, b, session)
    x, y = stated(a, session), stated(b, session)
    if isinstance(x, Settlement):
        return x
    if isinstance(y, Settlement):
        return y
    if is_equation(x.body) or is_equation(y.body) or (x.name and y.name):
        return _equations((a, x), (b, y), session)
    if x.name or y.name:
        return session.settle(x.body, y.body)
    return _values(x.body, y.body, session)


def _words(a: Tree, b: Tree, session: Session) -> Settlement:
    if isinstance(a, Words) and isinstance(b, Words):
        return different("the words differ")
    if is_set(a) or is_set(b):
        return settle_real_sets(a, b, session)
    letters = all(isinstance(side, Words | Symbol | Multiply) for side in (a, b))
    return unsettled("words against letters") if letters else different("words against a formula")


def _sets(a: Tree, b: Tree, session: Session) -> Settlement:
    settled = settle_real_sets(a, b, session)
    if settled.equal is not None:
        return settled
    if isinstance(a, Relation) and isinstance(b, Relation) and "in" not in a.operators + b.operators:
        if is_equation(a) or is_equation(b):
            return different("an inequality against an equation")
        return settle_inequalities(a, b, session)
    groups = as_group(a), as_group(b)
    if groups[0] is not None and groups[1] is not None:
        return settle_groups(groups[0], groups[1], session)
    same = settle_quantities(a, b, session)
    return same if same.equal else settled


def _equations(first: tuple[Tree, Stated], second: tuple[Tree, Stated], session: Session) -> Settlement:
    """Compare two statements: by value where both have the same name, else rearranged."""
    (a, x), (b, y) = first, second
    if x.name and y.name and same_name(x.name, y.name):
        return _by_argument(x, y, session)
    same_value = bool(x.name and y.name and session.settle(x.body, y.body).equal)
    if not (isinstance(a, Relation) and isinstance(b, Relation) and is_equation(a) and is_equation(b)):
        return different("an equation against a value")
    rearranged = settle_equations(a, b, session)
    if same_value and not rearranged.equal:
        return unsettled("equal values of different names")
    solved = any(isinstance(side.name, Symbol | Call) and not free_symbols(side.body) for side in (x, y))
    return different("a solution against another equation") if solved and rearranged.equal is None else rearranged


def _by_argument(x: Stated, y: Stated, session: Session) -> Settlement:
    """Compare the values of two names that are the same; functions with the same argument."""
    wanted = [str(getattr(argument, "name", "")) for argument in x.name.arguments] if isinstance(x.name, Call) else []
    body = renamed(y.name, y.body, wanted) if wanted and "" not in wanted else None
    return session.settle(x.body, y.body if body is None else body)


def _values(a: Tree, b: Tree, session: Session) -> Settlement:
    if isinstance(a, Cases) and isinstance(b, Cases):
        return settle_cases(a, b, session)
    if isinstance(a, Matrix) and isinstance(b, Matrix):
        return settle_matrices(a, b, session)
    groups = as_group(a), as_group(b)
    if groups[0] is not None and groups[1] is not None:
        return settle_groups(groups[0], groups[1], session)
    if groups[0] is not None or groups[1] is not None or isinstance(a, Matrix) or isinstance(b, Matrix):
        return _group_against_value(a, b, session)
    return settle_quantities(a, b, session)


def _group_against_value(a: Tree, b: Tree, session: Session) -> Settlement:
    """Compare several values with one: ``0.5 or 1/2`` restates one value, ``5 or 6`` does not."""
    group, value = (a, b) if isinstance(a, Group) else (b, a)
    restates = isinstance(group, Group) and group.brackets == "" and group.word == "or"
    if restates and isinstance(group, Group) and all(session.settle(item, value).equal for item in group.items):
        return equal("the same value more than once")
    return different("several values against one")
