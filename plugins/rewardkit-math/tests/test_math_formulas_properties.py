"""What holds of all formulas: sound rewriting keeps them equal, a change never does, cost is bounded."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from random import Random

import sympy
from hypothesis import given, settings
from hypothesis import strategies as st
from rewardkit_math.formulas.session import MAX_WORK, Session
from rewardkit_math.formulas.settle import _settle, settle_formulas
from rewardkit_math.formulas.tree import (
    Add,
    Apply,
    Call,
    Constant,
    Divide,
    Group,
    Literal,
    Multiply,
    Negate,
    Power,
    Quantity,
    Relation,
    Root,
    SetOperation,
    Symbol,
    Tree,
    Words,
)
from rewardkit_math.formulas.walk import fingerprint
from rewardkit_math.policy import Policy

# A seed makes a tree in microseconds; drawing it node by node would take most of the time.
SEEDS = st.integers(0, 2**48)
ANY_ARITHMETIC = Policy(arithmetic="any")
ONE, TWO = Literal(Fraction(1), "1"), Literal(Fraction(2), "2")
NAMES = ("x", "y", "a")
FUNCTIONS = ("sin", "log", "factorial", "abs", "floor", "max", "tan", "arcsin", "det", "cbrt")


def number(random: Random) -> Tree:
    value = Fraction(random.randint(1, 12), random.choice((1, 1, 1, 2, 3, 7)))
    return Negate(Literal(value)) if random.random() < 0.25 else Literal(value)


def leaf(random: Random) -> Tree:
    return Symbol(random.choice(NAMES)) if random.random() < 0.55 else number(random)


def polynomial(random: Random, depth: int) -> Tree:
    if depth == 0 or random.random() < 0.15:
        return leaf(random)
    kind = random.randrange(5)
    parts = tuple(polynomial(random, depth - 1) for _ in range(random.randint(2, 3)))
    if kind < 2:
        return Add(parts)
    if kind == 2:
        return Multiply(parts)
    return Negate(parts[0]) if kind == 3 else Power(parts[0], Literal(Fraction(random.randint(2, 4))))


def expression(random: Random, depth: int) -> Tree:
    """A polynomial with quotients, roots, and functions that are real everywhere in it."""
    if depth == 0 or random.random() < 0.15:
        return leaf(random)
    kind = random.randrange(7)
    first, second = expression(random, depth - 1), expression(random, depth - 1)
    if kind < 2:
        return Add((first, second))
    if kind == 2:
        return Multiply((first, second))
    if kind == 3:
        return Divide(first, Add((Power(second, TWO), ONE)))
    if kind == 4:
        return Root(Add((Power(first, TWO), ONE)), TWO)
    return Apply(random.choice(("sin", "cos", "arctan", "abs")), (first,))


def shuffled(random: Random, tree: Tree) -> Tree:
    parts = list(tree.terms if isinstance(tree, Add) else tree.factors if isinstance(tree, Multiply) else ())
    random.shuffle(parts)
    return type(tree)(tuple(parts)) if isinstance(tree, Add | Multiply) else tree


def nested(random: Random, tree: Tree) -> Tree:
    if isinstance(tree, Add) and len(tree.terms) > 2:
        return Add((Add(tree.terms[:2]), *tree.terms[2:]))
    return Multiply((tree, ONE))


def distributed(random: Random, tree: Tree) -> Tree:
    if isinstance(tree, Multiply) and isinstance(tree.factors[-1], Add):
        return Add(tuple(Multiply((*tree.factors[:-1], term)) for term in tree.factors[-1].terms))
    return tree


def expanded(random: Random, tree: Tree) -> Tree:
    if isinstance(tree, Power) and isinstance(tree.exponent, Literal) and tree.exponent.value <= 4:
        return Multiply((tree.base,) * int(tree.exponent.value))
    return tree


def factored(random: Random, tree: Tree) -> Tree:
    scale = Literal(Fraction(random.randint(2, 9)))
    return Multiply((scale, Divide(tree, scale)))


def shifted(random: Random, tree: Tree) -> Tree:
    other = polynomial(random, 1)
    return Add((other, tree, Negate(other)))


def cancelled(random: Random, tree: Tree) -> Tree:
    other = Add((Power(leaf(random), TWO), ONE))
    return Divide(Multiply((tree, other)), other)


def squared(random: Random, tree: Tree) -> Tree:
    return Multiply((Negate(tree), Negate(ONE)))


REWRITINGS: tuple[Callable[[Random, Tree], Tree], ...] = (
    shuffled, nested, distributed, expanded, factored, shifted, cancelled, squared,
)  # fmt: skip


def rewritten(random: Random, tree: Tree) -> Tree:
    """Rewrite a tree, from its parts upwards, by rules that keep its value."""
    if isinstance(tree, Add):
        tree = Add(tuple(rewritten(random, term) for term in tree.terms))
    elif isinstance(tree, Multiply):
        tree = Multiply(tuple(rewritten(random, factor) for factor in tree.factors))
    elif isinstance(tree, Apply):
        tree = Apply(tree.function, tuple(rewritten(random, part) for part in tree.arguments))
    return random.choice(REWRITINGS)(random, tree) if random.random() < 0.4 else tree


@settings(max_examples=10_000)
@given(SEEDS)
def test_a_polynomial_rewritten_soundly_stays_equal(seed: int) -> None:
    random = Random(seed)
    tree = polynomial(random, 3)
    assert settle_formulas(tree, rewritten(random, tree), ANY_ARITHMETIC).equal is True


@settings(max_examples=10_000)
@given(SEEDS)
def test_a_polynomial_with_something_added_is_never_equal(seed: int) -> None:
    random = Random(seed)
    tree = polynomial(random, 3)
    change = random.choice((number(random), Literal(Fraction(1, 10**30)), Multiply((number(random), Symbol("x")))))
    settled = settle_formulas(tree, Add((rewritten(random, tree), change)), ANY_ARITHMETIC)
    assert settled.equal is False


@settings(max_examples=10_000)
@given(SEEDS)
def test_an_expression_rewritten_soundly_is_never_different(seed: int) -> None:
    random = Random(seed)
    tree = expression(random, 3)
    assert settle_formulas(tree, rewritten(random, tree), ANY_ARITHMETIC).equal is not False


@settings(max_examples=10_000)
@given(SEEDS)
def test_an_expression_with_something_added_is_never_equal(seed: int) -> None:
    random = Random(seed)
    tree = expression(random, 3)
    change = random.choice((number(random), Literal(Fraction(1, 10**40)), Apply("sin", (Literal(Fraction(1, 10**9)),))))
    assert settle_formulas(tree, Add((rewritten(random, tree), change)), ANY_ARITHMETIC).equal is not True


def test_most_rewritten_expressions_are_settled() -> None:
    settled = []
    for seed in range(400):
        random = Random(seed)
        tree = expression(random, 3)
        settled.append(settle_formulas(tree, rewritten(random, tree), ANY_ARITHMETIC).equal)
    assert settled.count(True) >= 0.99 * len(settled)


def in_sympy(tree: Tree) -> sympy.Expr:
    match tree:
        case Literal(value=value):
            return sympy.Rational(value.numerator, value.denominator)
        case Symbol(name=name):
            return sympy.Symbol(name, real=True)
        case Add(terms=terms):
            return sympy.Add(*map(in_sympy, terms))
        case Multiply(factors=factors):
            return sympy.Mul(*map(in_sympy, factors))
        case Negate(term=term):
            return -in_sympy(term)
        case Power(base=base, exponent=exponent):
            return in_sympy(base) ** in_sympy(exponent)
    raise AssertionError(tree)


def test_polynomials_that_differ_in_one_place_are_judged_as_by_sympy() -> None:
    judged = {True: 0, False: 0}
    for seed in range(300):
        random = Random(seed)
        tree = polynomial(random, 2)
        other = changed(random, tree)
        expected = bool(sympy.expand(in_sympy(tree) - in_sympy(other)) == 0)
        assert settle_formulas(tree, other, ANY_ARITHMETIC).equal is expected
        judged[expected] += 1
    assert min(judged.values()) >= 20


def changed(random: Random, tree: Tree) -> Tree:
    """Change one sign, operator, exponent or leaf; now and then that changes nothing."""
    if isinstance(tree, Add | Multiply) and random.random() < 0.7:
        parts = list(tree.terms if isinstance(tree, Add) else tree.factors)
        place = random.randrange(len(parts))
        parts[place] = changed(random, parts[place])
        return type(tree)(tuple(parts))
    if isinstance(tree, Add):
        return Multiply(tree.terms)
    if isinstance(tree, Multiply):
        return Add(tree.factors)
    if isinstance(tree, Power):
        return Power(Negate(tree.base), tree.exponent)
    return tree.term if isinstance(tree, Negate) else Negate(tree) if random.random() < 0.7 else Add((tree, tree))


def anything(random: Random, depth: int) -> Tree:
    """Any tree, sensible or not."""
    if depth == 0 or random.random() < 0.1:
        extreme = Literal(Fraction(random.choice((0, 10**400, Fraction(1, 10**400), Fraction(10**200, 3), 2**64))))
        constant = Constant(random.choice(("pi", "e", "i", "infinity")))
        return random.choice((leaf(random), leaf(random), constant, Words("yes"), extreme))
    parts = tuple(anything(random, depth - 1) for _ in range(random.randint(1, 3)))
    first, last = parts[0], parts[-1]
    operators = tuple(random.choice(("=", "<", "<=", ">", "!=", "~", "in")) for _ in parts)
    return random.choice(
        (
            lambda: Add(parts), lambda: Multiply(parts), lambda: Negate(first), lambda: Divide(first, last),
            lambda: Power(first, last), lambda: Root(first, last), lambda: Call("f", parts),
            lambda: Apply(random.choice(FUNCTIONS), parts[:1]),
            lambda: Group(random.choice(("", "()", "{}", "[)", "[]")), parts, random.choice(("", "and", "or"))),
            lambda: Relation((first, *parts), operators), lambda: Quantity(first, random.choice(("%", "cm", "°"))),
            lambda: SetOperation(random.choice(("union", "difference", "intersection")), parts),
        )
    )()  # fmt: skip


@settings(max_examples=10_000)
@given(SEEDS)
def test_any_two_trees_are_settled_the_same_in_either_order_within_the_budget(seed: int) -> None:
    random = Random(seed)
    a, b = anything(random, 3), anything(random, 3)
    assert settle_formulas(a, b).equal == settle_formulas(b, a).equal
    assert settle_formulas(a, a).equal is True


def waves(count: int) -> Tree:
    return Add(tuple(Apply("sin", (Multiply((Literal(Fraction(k)), Symbol("x"))),)) for k in range(1, count + 1)))


def work(a: Tree, b: Tree) -> float:
    session = Session(ANY_ARITHMETIC, fingerprint(a), _settle)
    assert _settle(a, b, session).equal is True
    return MAX_WORK - session.work_left


def test_the_work_of_a_comparison_grows_with_the_size_of_the_formulas_and_no_faster() -> None:
    def of_size(count: int) -> float:
        return work(Power(waves(count), TWO), Multiply((Divide(waves(count), TWO), waves(count), TWO, Power(ONE, TWO))))

    def of_roots(count: int) -> float:
        return work(Root(Power(waves(count), TWO), TWO), Apply("abs", (waves(count),)))

    assert of_size(80) <= 10 * of_size(10)
    assert of_roots(15) <= 6 * of_roots(5)
