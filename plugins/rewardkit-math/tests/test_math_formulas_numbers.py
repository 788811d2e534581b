"""The arithmetic below the comparison of formulas, against independent references."""

from __future__ import annotations

import math
from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction
from random import Random

import mpmath
import pytest
import sympy
from hypothesis import given, settings
from hypothesis import strategies as st
from mpmath.ctx_mp import MPContext
from rewardkit_math.formulas.reading.parser import parse
from rewardkit_math.formulas.reading.tokens import Unparsed
from rewardkit_math.formulas.session import MAX_WORK, OutOfWorkError, Session
from rewardkit_math.formulas.settle import settle_formulas
from rewardkit_math.formulas.tree import Add, Apply, Literal, Multiply, Symbol, Tree
from rewardkit_math.formulas.values import exact
from rewardkit_math.formulas.values.balls import Balls
from rewardkit_math.formulas.values.equality import order, settle_values
from rewardkit_math.formulas.values.graph import MAX_NODES, Graph
from rewardkit_math.formulas.values.points import MAX_POINTS, integer_point, rational_point
from rewardkit_math.formulas.values.residue import _prime
from rewardkit_math.formulas.walk import fingerprint
from rewardkit_math.policy import Policy

FRACTIONS = st.fractions(min_value=-20, max_value=20, max_denominator=30)


def tree(text: str) -> Tree:
    parsed = parse(text)
    assert not isinstance(parsed, Unparsed), parsed
    return parsed


def session() -> Session:
    return Session(Policy(), b"seed", lambda a, b, session: settle_values(a, b, session))


@given(base=FRACTIONS, exponent=st.integers(-12, 12))
def test_whole_powers_are_exact(base: Fraction, exponent: int) -> None:
    expected = None if base == 0 and exponent <= 0 else base**exponent
    assert exact.power(base, Fraction(exponent)) == expected


@given(base=FRACTIONS, degree=st.integers(1, 9))
def test_the_root_of_a_power_is_its_base(base: Fraction, degree: int) -> None:
    expected = abs(base) if degree % 2 == 0 else base
    assert exact.root(base**degree, degree) == expected


@given(x=st.fractions(min_value=0, max_value=10**6), degree=st.integers(2, 7))
def test_a_root_is_exact_or_none(x: Fraction, degree: int) -> None:
    root = exact.root(x, degree)
    assert (root is None) != (root is not None and root**degree == x)
    assert (root is not None) == sympy.root(sympy.Rational(x.numerator, x.denominator), degree).is_Rational


@given(n=st.integers(0, 40), k=st.integers(-3, 45))
def test_binomials_are_exact(n: int, k: int) -> None:
    assert exact.binomial(Fraction(n), Fraction(k)) == (math.comb(n, k) if k >= 0 else 0)


@given(n=st.fractions(min_value=-9, max_value=9, max_denominator=6), k=st.integers(0, 8))
def test_binomials_of_any_number_are_falling_factorials(n: Fraction, k: int) -> None:
    expected = sympy.ff(sympy.Rational(n.numerator, n.denominator), k) / sympy.factorial(k)
    if n.denominator > 1 or n < 0:
        assert exact.binomial(n, Fraction(k)) == Fraction(int(expected.p), int(expected.q))


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("factorial", [10**9]), ("factorial", [-1]), ("binomial", [10**9, 5 * 10**8]), ("mod", [5, 0]), ("abs", [1, 2]),
        ("gcd", [Fraction(1, 2), 3]), ("unknown", [1]), ("abs", []), ("abs", [1 << 5_000]),
    ],
)  # fmt: skip
def test_what_has_no_exact_value_within_the_budget_is_none(name: str, arguments: list[Fraction]) -> None:
    assert exact.function(name, [Fraction(x) for x in arguments]) is None


def test_powers_beyond_the_budget_are_not_built() -> None:
    assert exact.power(Fraction(9), Fraction(9**9)) is None
    assert exact.power(Fraction(1), Fraction(9**99)) == 1
    assert exact.power(Fraction(-1), Fraction(9**99)) == -1
    assert exact.root(Fraction(1 << 10_000), 2) is None
    assert exact.root(Fraction(4), 10**9) is None


@pytest.mark.parametrize(
    ("name", "value"),
    [("floor", Fraction(-7, 2)), ("ceil", Fraction(-7, 2)), ("sign", Fraction(-7, 2)), ("abs", Fraction(-7, 2))],
)
def test_rounding_functions_are_those_of_sympy(name: str, value: Fraction) -> None:
    reference = {"floor": sympy.floor, "ceil": sympy.ceiling, "sign": sympy.sign, "abs": sympy.Abs}[name]
    expected = reference(sympy.Rational(value.numerator, value.denominator))
    assert exact.function(name, [value]) == Fraction(int(expected.p), int(expected.q))


def test_random_primes_are_prime_and_leave_one() -> None:
    primes = [_prime(Random(seed)) for seed in range(30)]
    assert all(sympy.isprime(p) and p % 4 == 1 and p.bit_length() == 89 for p in primes)
    assert len(set(primes)) == 30


FUNCTIONS = {
    "sin": mpmath.sin, "cos": mpmath.cos, "sinh": mpmath.sinh, "cosh": mpmath.cosh, "arcsin": mpmath.asin,
    "arccos": mpmath.acos, "arctan": mpmath.atan, "arcsinh": mpmath.asinh, "ln": mpmath.log, "gamma": mpmath.gamma,
    "factorial": mpmath.factorial, "floor": mpmath.floor, "ceil": mpmath.ceil, "sign": mpmath.sign, "arg": mpmath.arg,
    "abs": mpmath.fabs, "re": mpmath.re, "im": mpmath.im, "conjugate": mpmath.conj,
}  # fmt: skip
REAL_ONLY = {"gamma", "factorial", "floor", "ceil", "sign", "arcsinh"}


@settings(max_examples=600)
@given(
    name=st.sampled_from(sorted(FUNCTIONS)),
    real=st.fractions(min_value=-30, max_value=30, max_denominator=50),
    imaginary=st.one_of(st.just(Fraction(0)), st.fractions(min_value=-5, max_value=5, max_denominator=20)),
    slack=st.sampled_from([-120, -60, -12]),
)
def test_a_ball_holds_the_value_of_a_function_wherever_in_the_ball_the_argument_lies(
    name: str, real: Fraction, imaginary: Fraction, slack: int
) -> None:
    balls = Balls(MPContext(), 150)
    center = balls._context.mpf(real.numerator) / real.denominator
    if imaginary and name not in REAL_ONLY:
        center = balls._context.mpc(center, balls._context.mpf(imaginary.numerator) / imaginary.denominator)
    found = balls.function(name, [(center, float(slack))])
    if found is None or (name in ("floor", "ceil", "sign") and real.denominator == 1):
        return
    with mpmath.workprec(600):
        middle = mpmath.mpmathify(center)
        for part in (0, 0.5, -0.9):
            moved = middle + mpmath.mpf(part) * mpmath.mpf(2) ** slack
            assert abs(FUNCTIONS[name](moved) - found[0]) <= mpmath.mpf(2) ** mpmath.mpf(found[1])


@settings(max_examples=400)
@given(a=FRACTIONS, b=FRACTIONS, c=FRACTIONS, slack=st.sampled_from([-150, -40]))
def test_a_ball_holds_sums_products_and_powers(a: Fraction, b: Fraction, c: Fraction, slack: int) -> None:
    balls = Balls(MPContext(), 160)
    exactly = [balls.exact(x) for x in (a, b, c)]
    rough = [(value, max(error, float(slack))) for value, error in exactly]
    checks = [
        (balls.add(rough), a + b + c),
        (balls.multiply(rough), a * b * c),
        (balls.power(rough[0], Fraction(7)), a**7),
    ]
    checks += [(balls.power(rough[0], Fraction(-2)), a**-2)] if a else []
    for found, expected in checks:
        if found is not None:
            with mpmath.workprec(600):
                value = mpmath.mpf(expected.numerator) / expected.denominator
                assert abs(value - found[0]) <= mpmath.mpf(2) ** mpmath.mpf(found[1])


def test_a_ball_around_zero_has_no_reciprocal_and_no_logarithm() -> None:
    balls = Balls(MPContext(), 100)
    around = (balls._context.mpf(2) ** -80, -70.0)
    assert balls.power(around, Fraction(-1)) is None
    assert balls.logarithm(around) is None
    assert balls.power((balls._context.mpf(0), -math.inf), Fraction(0)) is None


def test_magnitudes_beyond_the_budget_are_not_evaluated() -> None:
    balls = Balls(MPContext(), 100)
    huge = (balls._context.mpf(2) ** 6_000, -math.inf)
    assert balls.exponential(huge) is None
    assert [balls.function(name, [huge]) for name in ("sin", "cosh", "gamma", "factorial")] == [None] * 4
    assert balls.power(huge, Fraction(10**12)) is None


@given(a=FRACTIONS, b=FRACTIONS)
def test_the_order_of_fractions_is_exact(a: Fraction, b: Fraction) -> None:
    assert order(Literal(a), Literal(b), session()) == (a > b) - (a < b)


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [
        (r"\sqrt2", "1.5", -1),
        (r"\pi", "3", 1),
        (r"\sqrt8", r"2\sqrt2", 0),
        ("x", "2x", None),
        ("x+x", "2x", 0),
        ("i", "1", None),
    ],
)
def test_the_order_of_constants_is_known_where_they_are_real(a: str, b: str, expected: int | None) -> None:
    assert order(tree(a), tree(b), session()) == expected


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ("x+y", "y+x"), ("2(xy)z", r"z y x \cdot 2"), ("x-y", "-y+x"), (r"\frac{x}{y}", "x y^{-1}"),
        (r"\sqrt{9/4}", "1.5"), ("1/2+1/3", "5/6"),
        (r"\sum_{k=1}^n f(k)", r"\sum_{j=1}^n f(j)"), (r"\int_0^1 x^2+1\,dx", r"\int_0^1 1+y^2\,dy"),
        ("(x^2)^3", "x^6"), ("e^x", r"\exp x"),
    ],
)  # fmt: skip
def test_what_is_written_the_same_up_to_order_is_one_node(a: str, b: str) -> None:
    graph = Graph()
    assert graph.add(tree(a)) == graph.add(tree(b))


def test_a_graph_has_a_limit() -> None:
    graph = Graph()
    for k in range(MAX_NODES):
        graph.number(Fraction(k))
    with pytest.raises(OutOfWorkError):
        graph.number(Fraction(-1))
    wide: Tree = Symbol("y")
    for k in range(40):
        wide = Add((wide, *(Symbol(f"x{k}_{i}") for i in range(100))))
    with pytest.raises(OutOfWorkError):
        Graph().add(wide)


def test_work_is_counted_before_it_is_done() -> None:
    one = session()
    one.spend(MAX_WORK)
    with pytest.raises(OutOfWorkError):
        one.spend(1)


def test_points_are_drawn_from_the_seed_and_cover_both_signs_and_beyond_the_numbers_written() -> None:
    points = [rational_point(Random(1), index, ["x"], [Fraction(100)])["x"] for index in range(MAX_POINTS)]
    assert points == [rational_point(Random(1), index, ["x"], [Fraction(100)])["x"] for index in range(MAX_POINTS)]
    assert min(points) < -100 < 0 < 100 < max(points)
    assert any(0 < x < 1 for x in points)
    integers = [integer_point(Random(1), index, ["n"], [Fraction(100)])["n"] for index in range(10)]
    assert all(n >= 1 and n.denominator == 1 for n in integers)


def test_fingerprints_tell_trees_apart() -> None:
    x, y = Symbol("x"), Symbol("y")
    trees: list[Tree] = [
        x, y, Add((x, y)), Add((y, x)), Multiply((x, y)), Add((x, Add((x, y)))), Add((Add((x, x)), y)), Add((x, x, y)),
        Apply("sin", (x,)), Apply("cos", (x,)), Literal(Fraction(1, 2)), Literal(Fraction(12)), Symbol("1/2;"),
    ]  # fmt: skip
    assert len({fingerprint(tree) for tree in trees}) == len(trees)


def test_threads_do_not_disturb_each_other() -> None:
    pairs = [
        (tree(rf"\sqrt{{{k}}}+\pi^{{{k}}}"), tree(rf"\pi^{{{k}}}+\frac{{{k}}}{{\sqrt{{{k}}}}}")) for k in range(2, 60)
    ]
    alone = [settle_formulas(a, b) for a, b in pairs]
    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(lambda pair: settle_formulas(*pair), pairs * 4))
    assert together == alone * 4
    assert all(settled.equal for settled in alone)
