"""Formulas that are equal, different, or undecided, by family; every pair in both orders."""

from __future__ import annotations

import inspect
import sys
import time
from collections.abc import Callable
from fractions import Fraction
from itertools import chain

import pytest
from rewardkit_math.formulas.reading.parser import parse
from rewardkit_math.formulas.reading.tokens import Unparsed
from rewardkit_math.formulas.rules.sets import settle_real_sets
from rewardkit_math.formulas.session import Session
from rewardkit_math.formulas.settle import settle_formulas, value_of
from rewardkit_math.formulas.tree import (
    Add,
    Apply,
    Constant,
    Group,
    Literal,
    Multiply,
    Negate,
    PlusMinus,
    Power,
    Relation,
    Root,
    SetOperation,
    Symbol,
    Tree,
)
from rewardkit_math.policy import Policy, Settlement

DEFAULT = Policy()

EQUAL = {
    "numbers": [
        (r"\frac{2}{4}", "0.5"), (r"2^{10}", "1024"), ("2^{2025}", r"2^{2024}\cdot 2"), ("4^{2006}", "2^{4012}"),
        (r"24! \times 24!", "(24!)^2"), (r"\binom{10}{3}", "120"), (r"10 \cdot 2^{2009}", r"5 \cdot 2^{2010}"),
        (r"2013(1 - (\frac{2012}{2013})^{2013})", r"\frac{2013^{2013}-2012^{2013}}{2013^{2012}}"),
        ("9^{9^9}", "3^{2 \\cdot 9^9}"), ("2016!/2015!", "2016"),
        (r"\gcd(12, 18)", "6"), (r"\lfloor 7/2 \rfloor", "3"), (r"17 \bmod 5", "2"), (r"\sum_{k=1}^{100} k", "5050"),
        (r"\prod_{k=1}^{5} k", "120"), (r"\sqrt[3]{-8}", "-2"), ("0.\\overline{3}", r"\frac13"), ("|-3|", "3"),
    ],
    "irrational": [
        (r"\sqrt{117}", r"3\sqrt{13}"), (r"\frac{1}{\sqrt3}", r"\frac{\sqrt3}{3}"), ("8^{1/3}", "2"),
        (r"\frac{\sqrt{2005}}{5}", r"\sqrt{\frac{401}{5}}"), (r"\sqrt{3+2\sqrt2}", r"1+\sqrt2"),
        (r"\ln(\frac{e}{e-1})", r"1-\ln(e-1)"), (r"2\sqrt{e}-3", "2e^{1/2}-3"), (r"\log_2 8", "3"),
        (r"\sin \frac{\pi}{6}", r"\frac12"), (r"\sin 30^\circ", r"\frac12"), (r"\cos 36^\circ", r"\frac{1+\sqrt5}{4}"),
        (r"\tan 15^\circ", r"2-\sqrt3"), (r"\arctan 1", r"\frac{\pi}{4}"),
        (r"\frac{\pi}{4}-\frac12", r"\frac{\pi-2}{4}"),
        (r"\sqrt[3]{2+\sqrt5}+\sqrt[3]{2-\sqrt5}", "1"), (r"e^{2\ln 3}", "9"), (r"\cosh(\ln 2)", r"\frac54"),
    ],
    "complex": [
        ("8i - 15", "-15+8i"), ("(1+i)^2", "2i"), ("e^{i\\pi}", "-1"), (r"\frac{3i+1}{5}", r"\frac15+\frac35 i"),
        ("i^i", r"e^{-\pi/2}"), ("|3+4i|", "5"), (r"\frac{1}{i}", "-i"), (r"\sqrt{-4}", "2i"),
        (r"4(\cos 120^\circ + i\sin 120^\circ)", r"-2+2\sqrt3 i"),
    ],
    "logarithm without a base": [(r"-\pi\ln 2", r"-\pi\log 2"), (r"\log 100", "2"), (r"\lg 1000", "3")],
    "symbols": [
        ("(x+1)^2", "x^2+2x+1"), (r"\frac{1}{2-x}", r"-\frac{1}{x-2}"), (r"\frac{x^2}{x}", "x"),
        ("(x^3+19)(x^6-19x^3+361)", "x^9+6859"), ("x^{100000}y", "y x^{99999} x"), (r"\sqrt{x^2}", "|x|"),
        (r"\sec x", r"\frac1{\cos x}"), (r"\sec^2 y", r"\tan^2 y+1"), (r"\sin 2x", r"2\sin x\cos x"),
        (r"\cos x", r"\sin(90^\circ - x)"), ("2^{n+1}", r"2 \cdot 2^n"), (r"\sqrt{x}\sqrt{y}", r"\sqrt{xy}"),
        (r"\ln x^3", r"3\ln x"), ("3-2f(x)", "-2f(x)+3"), ("f((x+1)^2)", "f(x^2+2x+1)"), ("x_1+x_2", "x_2+x_{1}"),
        ("-3a^2-3b^2-3c^2+32r^2", "32R^2-3(a^2+b^2+c^2)"), (r"\frac{x}{7}+\frac27", r"\frac{x+2}{7}"),
        (r"\arcsin x", r"\arctan\frac{x}{\sqrt{1-x^2}}"), ("x^{1/3}", r"\sqrt[3]{x}"), (r"|x|^2", "x^2"),
    ],
    "integers": [
        (r"\binom{m+n-1}{n-1}^2", r"\binom{n+m-1}{m}^2"), (r"\binom{2k+1}{3}-k(2k+1)", r"\frac{2k(2k+1)(k-2)}{3}"),
        ("n!", "n(n-1)!"), (r"\cos(n\pi)", "(-1)^n"), (r"\sin(n\pi)", "0"), ("(-1)^{2n}", "1"),
        (r"\frac25(9^n-(-1)^n)", r"\frac25 \cdot 9^n-\frac25 \cdot (-1)^n"), (r"\sum_{k=1}^n k", r"\frac{n(n+1)}{2}"),
        ("n!/(n-2)!", "n^2-n"),
        (r"\frac\pi4+k\pi", r"\frac\pi4+n\pi"), (r"x = \pm\frac\pi3+2k\pi, k\in\mathbb{Z}", r"\pm\frac\pi3+2\pi n"),
        (r"\lfloor x+1 \rfloor", r"\lfloor x \rfloor+1"), (r"\frac{10!}{3!7!}", "120"),
    ],
    "names": [
        ("x = 5", "5"), ("5 = x", "x = 5"), (r"y = \frac12 x+2", r"\frac{x}{2}+2"), ("f(x) = 2x", "f(y) = 2y"),
        ("f(x) = 2x", "2x"), ("f(n) = n^2", "f(x) = x^2"), ("f(x) = x+1", "y = 1+x"), ("a = 1/2 = 0.5", "1/2"),
        (r"x = 1/3 \approx 0.333", r"\frac13"), (r"\sqrt2 \approx 1.41", r"\sqrt2"), ("m+n = 7", "7"),
        ("(a, b) = (1, 2)", "(1,2)"), (r"x = \sqrt{4} = 2", "x = 2"), ("x = 3, x = 4", "4, 3"), ("|AB| = 5", "5"),
    ],
    "equations": [
        ("2x+4y-3=0", r"y=-\frac{x}{2}+\frac34"), ("-50 = 4x-5y", "4x-5y=-50"), ("x - 5 = 0", "2x = 10"),
        (r"\frac{x^2}{16}-\frac{y^2}{9}=1", "9x^2-16y^2=144"), (r"\sqrt2 x = y", r"2x = \sqrt2 y"),
        (r"x+y=3 \text{ and } x-y=1", r"x-y-1=0 \text{ and } x+y-3=0"),
    ],
    "inequalities": [
        ("-4 \\le x < 0", "[-4,0)"), ("-x > -1", "x < 1"), (r"5 \ge x", r"x \le 5"),
        (r"x \ne 5", r"(-\infty,5) \cup (5,\infty)"),
        (r"x \ne 5", r"\mathbb{R} \setminus \{5\}"), (r"x < 2 \text{ or } x > 5", r"(-\infty,2)\cup(5,\infty)"),
        (r"m \ge \sqrt2", r"m \in [\sqrt2, \infty)"), (r"x \in [-2,7]", r"-2 \le x \le 7"), ("0<f(x)<1", "(0,1)"),
        (r"\{x \mid x > 3\}", r"(3, \infty)"), ("|x| < 2", "(-2,2)"), ("|2x-1| \\ge 3", r"(-\infty,-1]\cup[2,\infty)"),
        ("2x+1 < 5", "x < 2"), (r"[0,7) \cup \{-1\}", r"\{-1\} \cup [0,7)"), (r"[0,1] \cup [1,2]", "[0,2]"),
        (r"(12,102) \cup (2,12)", r"(2,12)\cup(12,102)"),
        (r"3<x<\sqrt{39} \text{ or } \sqrt{89}<x<13", r"(3,\sqrt{39})\cup(\sqrt{89},13)"),
        (r"(-\infty, 3]", r"[-\infty, 3]"), (r"x > 0, x \ne 1", r"(0,1)\cup(1,\infty)"), ("x^2 < y", "2y > 2x^2"),
        (r"[0,3] \cap (1,5)", "(1,3]"), ("a < x < a+1", "(a, 1+a)"), (r"x\in\mathbb{R}", r"(-\infty,\infty)"),
    ],
    "groups": [
        (r"1, \sqrt4", "2, 1"), (r"\{1, 2\}", r"\{\sqrt4, 1, 1\}"), ("(1, x+x)", "(1, 2x)"), (r"\pm 2", "-2, 2"),
        (r"\frac{-1\pm\sqrt{13}}{4}", r"\frac{-1-\sqrt{13}}{4}, \frac{-1+\sqrt{13}}{4}"), ("x = \\pm 3", "3, -3"),
        (r"\frac{2a}{5}+1 \text{ or } \frac{2a+5}{5}", r"\frac{2a+5}{5}"), ("(2,2)(1,1)", "(1,1),(2,2)"),
        ("a = 1, b = \\sqrt4", "b = 2, a = 1"),
        (r"(1 \pm \sqrt2, 1 \mp \sqrt2)", r"(1-\sqrt2,1+\sqrt2),(1+\sqrt2,1-\sqrt2)"),
        (r"\{1, \frac{1\pm\sqrt3 i}{2}\}", r"1, \frac{1-\sqrt3 i}{2}, \frac{1+\sqrt3 i}{2}"), ("[x, 1+x]", "[x, x+1]"),
        ("0.5 or 50%", "1/2"), ("x<1 or x>2", r"(-\infty,1)\cup(2,\infty)"),
    ],
    "matrices": [
        (r"\begin{pmatrix} 1 & 0.5 \\ 1/3 & 4 \end{pmatrix}", r"\begin{bmatrix} 1 & 1/2 \\ 1/3 & 4 \end{bmatrix}"),
        (r"\begin{pmatrix} 1 \\ \sqrt{4} \end{pmatrix}", "(1, 2)"),
        (r"\frac15\begin{pmatrix} 1 & 2 \\ 3 & 4 \end{pmatrix}", r"\begin{pmatrix} .2 & .4 \\ .6 & .8 \end{pmatrix}"),
        (r"-\begin{pmatrix} 1 \\ 2 \end{pmatrix}", "(-1, -2)"),
    ],
    "units": [
        (r"2\sqrt3 \text{ cm}", r"\sqrt{12}"), (r"\sqrt{4}\text{ cm}", r"2\text{ centimeters}"), (r"60^\circ", "60"),
        (r"180^\circ - 2x", "180-2x"), (r"\sqrt{25}\%", "5"), (r"7.2 \cdot \frac{1}{100}", r"7.2\%"), ("506", "506_7"),
        (r"180^\circ", r"\pi \text{ radians}"),
    ],
}  # fmt: skip

DIFFERENT = {
    "numbers": [
        (r"\frac{1}{2^{98}}", r"\frac{1}{2^{99}}"), (r"\frac{1}{2004!}", r"\frac{1}{2006!}"), ("2^{2012}", "2^{2013}"),
        (r"\frac{2^{1009}}{2^{1009}+1009}", r"\frac{2^{1009}}{2^{1009}+2018}"), ("1", r"1+\frac{1}{2^{2020}}"),
        ("1", "1-10^{-18}"), ("2^{10000000000}", "42"), ("9^{9^9}", "9^{9^9}+1"), ("3^{8068}", "3^{8064}"),
        ("22/7", r"\pi"),
        (r"\frac{2016!}{1953!}", r"\frac{2016!}{1953!}-63! \cdot 2016"), ("2^{2017}", r"1009! \cdot 1010!"),
        ("100000!", "1/2"),
        ("99999999!", r"\frac12"), ("1.0000001^{10^{15}}", "42"), (r"\binom{10^9}{5\cdot 10^8}", r"\frac12"),
        (r"\frac{1}{2017}\binom{4032}{2016}", r"\binom{4030}{2015}"), ("1.4", r"\sqrt2"),
    ],
    "irrational": [
        (r"\pi", r"\pi+10^{-60}"), (r"\pi", r"\pi+10^{-1000}"), (r"\sqrt2", r"\sqrt2+10^{-50}\sqrt3"),
        (r"\sqrt2", "1.41421356238"),
        (r"\sqrt{10^{60}+1}", "10^{30}"), (r"\cos(10^{-30})", "1"), (r"e^{\pi\sqrt{163}}", "262537412640768744"),
        (r"\tanh 200", "1"), (r"\frac{\ln(640320^3+744)}{\sqrt{163}}", r"\pi"), (r"\sqrt[3]{2}", r"\sqrt{2}"),
        (r"\sin 1", r"\sin 1^\circ"), (r"\sqrt{2}+\sqrt{3}", r"\sqrt{5}"), (r"\frac{355}{113}", r"\pi"),
        (r"e^{-200}", "0"),
        (r"\ln(1+10^{-40})", "10^{-40}"), (r"10^{-70}\pi", r"10^{-71}\pi"), (r"\log_2 8", r"\log_3 8"),
    ],
    "complex": [("2i", "-2i"), ("e^{i}", "e^{-i}"), (r"\sqrt{-4}", "2"), ("1+i", "1-i"), ("z^2", "|z|^2")],
    "symbols": [
        (r"\sqrt{x^2}", "x"), ("|x-100|", "100-x"), ("(x+1)^2", "x^2+1"), ("x+2n+1", "x+1"), ("2x", "2y"),
        ("f(x)", "f(y)"),
        ("x^2+6x-3", "x^2+6x-4"), (r"\sin x", r"\cos x"), ("x^{100000}", "x^{100001}"), ("rR", "r^2"), ("x", "X"),
        (r"\sin\sin x + \cos^{37} x", r"\sin\sin(x+0.000001) + \cos^{37} x"), ("a", "-a"), ("3-2f(x)", "2f(x)-3"),
        (r"\arctan(\tan x)", "x"), (r"f(x)+\sqrt x", r"\frac{4x}{7}+\sqrt x"), (r"\lfloor x \rfloor", "x"),
        ("18+2\\pi", "x^5-1"),
    ],
    "integers": [
        ("(-1)^n", "1"), ("n!", "n^n"), (r"\binom{n}{2}", r"\frac{n^2}{2}"), (r"\lfloor n/30 \rfloor", "0"),
        ("9^n", "3^n"),
        (r"\lfloor x \rfloor + 1", r"\lceil x \rceil"), (r"\lceil n/2 \rceil", r"\lfloor n/2 \rfloor + 1"),
        (r"\frac\pi4+k\pi", r"\frac\pi4+2n\pi"), (r"k\pi", r"n\pi"), (r"\pi+k\pi+n", r"\pi+n\pi+k"),
    ],
    "names": [
        ("41 = 42", "42"), ("x = 57 = 58", "58"), (r"57 \approx 58", "57"), ("x = 5", "6"), ("f(x) = 2x", "f(x) = 3x"),
        (r"x = 1/3 \approx 1.3", "1/3"), ("y = x+3", "-x-3"), ("a^2+b = 0", "0"), ("f(n) = n", "B"),
        ("f(x) = 2x", "2b"),
        ("2x+3 = 7", "7"), ("x - 5 = 0", "x = 5"), ("2x = 10", "x = 5"), ("x = 41 = 42", "x = 42"),
        (r"\sqrt2 \approx 5", r"\sqrt2"),
    ],
    "equations": [("x^2 = 25", "x = 5"), ("x = 5", "y = 5x"), ("x+2y=1", "x+2z=1")],
    "inequalities": [
        ("x > -1", "x < 1"), ("x < 5", r"x \le 5"), (r"[0,1) \cup (1,2]", "[0,2]"), ("(2,12)", r"(2,12)\cup(12,102)"),
        ("(-5,\\sqrt{26}+1]", r"(-5,\sqrt{26}]"), (r"(-\infty,-3]\cup[2,\infty)", "[-3,2]"), ("x^2 < y", "x^2 > y"),
        (r"x\ne 5", "5"),
        ("[0,1)", "[0,1]"), (r"\{1,2\}", "[1,2]"), (r"x>2 \text{ or } x<5", "(2,5)"), ("-2<x<3", "-3<x<2"),
        ("x<3", "x=3"), ("x>1", "y>1"),
    ],
    "groups": [
        (r"1, \sqrt4", "1, 2, 2"), (r"(1, \sqrt4)", "(2, 1)"), (r"\sqrt{67}", r"\sqrt{67}, -\sqrt{85}"),
        ("5 \\text{ or } 6", "5"),
        (r"\pm\sqrt2", r"\sqrt2"), (r"a = 1, b = \sqrt4", "a = 2, b = 1"), (r"[1, \sqrt4]", "(1, 2)"),
        (r"\{1, \sqrt4\}", r"\{1, 2, 3\}"), (r"(1\pm\sqrt2, 1\pm\sqrt2)", r"(1-\sqrt2,1+\sqrt2),(1+\sqrt2,1-\sqrt2)"),
        ("0.5 or 60%", "1/2"), ("x>1 and x<2", "x>1 or x<2"),
    ],
    "matrices": [
        (r"\begin{pmatrix} 1 & 2 \end{pmatrix}", r"\begin{pmatrix} 1 \\ 2 \end{pmatrix}"),
        (r"\begin{pmatrix} 1 \\ 2 \end{pmatrix}", "(2,1)"),
        (r"\begin{pmatrix} 1 & 2 \\ 3 & 4 \end{pmatrix}", r"\begin{pmatrix} 1 & 2 \\ 3 & 5 \end{pmatrix}"),
        (r"\begin{pmatrix} 1 \\ 2 \end{pmatrix}", "3"),
        (r"2\begin{pmatrix} 1 \\ 2 \end{pmatrix}", "(2, 5)"),
    ],
    "units": [
        (r"\sqrt3\text{ cm}", r"\sqrt2\text{ cm}"), ("10_2", "10_3"), ("506_7", "251"), ("506_7", "505_7"),
        (r"\infty", "5"), (r"\infty", r"-\infty"),
    ],
}  # fmt: skip

UNDECIDED = [
    (r"\int_0^1 x\,dx", r"\frac12"), (r"\lim_{x\to 0}\frac{\sin x}{x}", "1"),
    (r"\sum_{k=1}^{\infty}\frac{1}{k^2}", r"\frac{\pi^2}{6}"),
    (r"\sum_{k=1}^{10^9}\frac{1}{k^2}", r"\frac12"), ("9^{9^{9^9}}", "42"), ("1/0", r"\infty"), ("0/0", "0"),
    (r"\infty-\infty", "0"),
    (r"\sqrt3\text{ cm}", r"\sqrt3\text{ m}"), ("x = 5", "y = 5"), ("xy = 1", r"y = \frac1x"),
    (r"\frac{x}{x-x}", "1"), (r"\ln 0", "5"),
    (r"99999999!+1", "99999999!"), (r"\sin(10^{10^6})", "0"), ("e^{e^{e^9}}", "5"), ("[1, x, 3]", "(1, x, 3)"),
    (r"\frac{99999999!}{99999998!}", "99999999"), ("x+y=1", "x+z=1"),
    (r"0 \cdot \ln 0", "0"), (r"\sin(2^{100000})", "0"), (r"\pi+10^{-100000}\sqrt2", r"\pi"),
]  # fmt: skip

TABLE = [
    *((family, a, b, True) for family, pairs in EQUAL.items() for a, b in pairs),
    *((family, a, b, False) for family, pairs in DIFFERENT.items() for a, b in pairs),
    *(("undecided", a, b, None) for a, b in UNDECIDED),
]


def read(text: str) -> Tree:
    tree = parse(text)
    assert not isinstance(tree, Unparsed), tree
    return tree


def settle(a: str, b: str, policy: Policy = DEFAULT) -> Settlement:
    return settle_formulas(read(a), read(b), policy)


@pytest.mark.parametrize(
    ("family", "a", "b", "expected"), TABLE, ids=[f"{family}: {a} | {b}" for family, a, b, _ in TABLE]
)
def test_two_formulas_are_settled_the_same_in_either_order(family: str, a: str, b: str, expected: bool | None) -> None:
    assert settle(a, b).equal is expected
    assert settle(b, a).equal is expected


@pytest.mark.parametrize("text", sorted(set(chain.from_iterable((a, b) for _, a, b, _ in TABLE))))
def test_a_formula_equals_itself(text: str) -> None:
    assert settle(text, text).equal is True


@pytest.mark.parametrize(
    ("a", "b", "reason"),
    [
        ("1/3", "2/6", "the formulas are the same"),
        (r"\frac{1}{3}+0", r"\frac{2}{6}", "equal as exact fractions"),
        ("2^{5000}", "2^{5001}", "differ as rational functions"),
        ("x+1", "1+x", "equal after sorting and exact arithmetic"),
        ("(x+1)^2", "x^2+2x+1", "equal as rational functions"),
        (r"\sqrt{8}", r"2\sqrt2", "equal to more than 50 digits at two precisions"),
        (r"\sqrt2", r"\sqrt3", "differ numerically"),
        (r"\int_0^1 x\,dx", "1", "not settled: holds what is not evaluated: integral"),
        ("41=42", "42", "the sides of the equation differ"),
        (r"\sqrt3\text{ cm}", r"\sqrt3\text{ m}", "not settled: the units differ, cm and m"),
        ("x = 5", "y = 5", "not settled: equal values of different names"),
        ("1, 2", "1, 2, 3", "a list of 2 against a list of 3"),
        (r"17\times 24", "408", "equal only once computed: one side leaves arithmetic to do"),
        ("[0,1)", "[0,2)", "the ends of the sets differ"),
    ],
)  # fmt: skip
def test_the_reason_says_what_was_found(a: str, b: str, reason: str) -> None:
    assert settle(a, b).reason in (reason, "equal as exact fractions")


def test_a_difference_names_the_point_where_it_shows() -> None:
    assert settle(r"\sqrt{x^2}", "x").reason.startswith("differ at x = -")


@pytest.mark.parametrize(
    ("percent", "fifty", "half"), [("either", True, True), ("sign", True, False), ("value", False, True)]
)
def test_the_percent_policy_says_what_a_percentage_equals(percent: str, fifty: bool, half: bool) -> None:
    policy = Policy(percent=percent)  # type: ignore[arg-type]
    assert settle(r"\sqrt{2500}\%", "50", policy).equal is fifty
    assert settle(r"\sqrt{2500}\%", "0.5", policy).equal is half
    assert settle(r"\sqrt{2500}\%", r"50\%", policy).equal is True


def test_policies_decide_where_the_field_disagrees() -> None:
    assert settle(r"\sqrt3\text{ cm}", r"\sqrt3", Policy(units="required")).equal is None
    assert settle("506", "506_7", Policy(bases="required")).equal is False
    assert settle(r"(1,\sqrt4)", "(2,1)", Policy(order="any")).equal is True
    assert settle(r"1,\sqrt4", "2,1", Policy(order="all")).equal is False


@pytest.mark.parametrize(
    ("a", "b", "rounding", "expected"),
    [
        ("1.414", r"\sqrt2", 4, True), ("1.41", r"\sqrt2", 4, False), ("1.415", r"\sqrt2", 4, False),
        ("1.414", r"\sqrt2", None, False), ("0.3333", r"\frac13", 4, True), ("0.333", "0.3333", 3, False),
        ("-1.414", r"-\sqrt2", 4, True), ("-1.414", r"\sqrt2", 4, False), ("0.0033", r"\frac{1}{300}", 3, False),
        ("14.14", r"10\sqrt2", 4, True), (r"2.315 \times 10^{-3}", r"\frac{1}{432}", 4, True),
        (r"2.316 \times 10^{-3}", r"\frac{1}{432}", 4, False),
        (r"2.315 \times 10^{-3}", r"2.3148 \times 10^{-3}", 4, False),
    ],
)  # fmt: skip
def test_a_rounded_decimal_needs_digits_enough(a: str, b: str, rounding: int | None, expected: bool) -> None:
    assert settle(a, b, Policy(rounding=rounding)).equal is expected


def test_a_mixed_number_and_a_number_in_words_are_no_arithmetic_left_to_do() -> None:
    assert settle(r"(2\frac58, 1)", "(2.625, 1)").equal is True
    assert settle(r"x = 3 \text{ million}", "3000000").equal is True


@pytest.mark.parametrize(
    ("text", "value"),
    [("3/6", Fraction(1, 2)), (r"x = 5\text{ cm}", Fraction(5)), ("x+1", None), ("1, 2", None), ("41 = 42", None),
    ("1/0", None), ("2i", None)],
)  # fmt: skip
def test_the_value_of_a_constant_is_exact(text: str, value: Fraction | None) -> None:
    assert value_of(read(text)) == value


def test_the_value_of_an_irrational_constant_has_fifty_digits() -> None:
    value = value_of(read(r"\sqrt2"))
    assert value is not None
    assert abs(value**2 - 2) < Fraction(1, 10**50)


def nested(depth: int) -> Tree:
    tree: Tree = Symbol("x")
    for _ in range(depth):
        tree = Negate(tree)
    return tree


def test_trees_that_are_too_deep_or_too_large_are_undecided() -> None:
    assert settle_formulas(nested(59), nested(57)).equal is True
    assert settle_formulas(nested(5_000), Symbol("x")) == Settlement(None, "not settled: too large a formula")
    wide = Add(tuple(Symbol(f"x{i}") for i in range(5_000)))
    assert settle_formulas(wide, Symbol("x")).reason == "not settled: too large a formula"
    assert value_of(wide) is None
    groups: Tree = Constant("pi")
    for _ in range(40):
        groups = Group("()", (groups, Literal(Fraction(1))))
    assert settle_formulas(groups, Group("()", (groups, Literal(Fraction(1))))).equal in (None, False)


def lists(length: int) -> tuple[Tree, Tree]:
    """The same roots twice, written differently and in opposite order."""
    two, three = Literal(Fraction(2), "2"), Literal(Fraction(3), "3")
    numbers = [Literal(Fraction(k), str(k)) for k in range(1, length + 1)]
    roots = [Root(Multiply((number, number, three)), two) for number in numbers]
    return Group("", tuple(roots)), Group("", tuple(Multiply((number, Root(three, two))) for number in numbers[::-1]))


def test_a_long_list_ends_undecided_rather_than_late() -> None:
    assert settle_formulas(*lists(60)).equal is True
    assert settle_formulas(*lists(300)) == Settlement(None, "not settled: more work than one comparison may take")
    # The work is capped: a longer list costs no more than what was allowed for a short one.
    assert _seconds(*lists(300)) < 20 * _seconds(*lists(60))


def _seconds(a: Tree, b: Tree) -> float:
    start = time.process_time()
    settle_formulas(a, b)
    return time.process_time() - start


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (r"\{1, i\} \cup (0,1)", "a part is no real number"),
        (r"(1,2,3) \cup (0,1)", "brackets around what is no interval"),
        (r"(\infty, 3)", "an interval that ends at the wrong infinity"),
        (r"\{x^2 \mid x > 1\}", "a set given by a formula for its elements"),
        ("x > 1, y > 2", "inequalities for different names"),
        (r"(0,a) \cup (b,c)", "ends whose order is not known"),
        ("xy < 2z + xw", "an inequality in several symbols"),
        ("x^2 < 4", "an inequality that is not linear in one variable"),
        (r"|x| \ne 4", "an absolute value in an equation"),
    ],
)
def test_what_is_no_set_of_real_numbers_in_order_says_why(text: str, reason: str) -> None:
    session = Session(DEFAULT, b"seed", lambda a, b, session: settle_formulas(a, b))
    assert settle_real_sets(read(text), read("(0, 7)"), session) == Settlement(None, f"not settled: {reason}")


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [
        (r"x + 0^{10^{-400}}", "x", True), (r"\sqrt[10^{400}]{x+1}", "x", None), ("x^{10^{400}/3}", "x", None),
        (r"(\tan(\sin(10^{400})))!", "4", None), (r"\max(x)", "x", True), (r"\sqrt{x}^{10^{400}}", "1", None),
        (r"e^{-e^{7}}+\pi", r"\pi", False), (r"\pi+e^{-e^{20}}", r"\pi", None), (r"(1+\sqrt2)^{10^9}", "1", False),
    ],
)  # fmt: skip
def test_extreme_sizes_are_refused_rather_than_computed(a: str, b: str, expected: bool | None) -> None:
    assert settle(a, b).equal is expected


WRAPPED: list[Callable[[Tree], Tree]] = [
    lambda tree: Power(tree, tree if isinstance(tree, Symbol) else Symbol("x")), lambda tree: Apply("cos", (tree,)),
    lambda tree: Group("()", (tree, Symbol("x"))), lambda tree: PlusMinus(Symbol("x"), tree),
    lambda tree: Relation((Symbol("x"), tree), ("<",)), lambda tree: SetOperation("union", (tree, Symbol("x"))),
]  # fmt: skip


def deeper(frames: int, call: Callable[[], Settlement]) -> Settlement:
    return call() if frames == 0 else deeper(frames - 1, call)


@pytest.mark.parametrize("wrap", WRAPPED)
def test_the_deepest_tree_leaves_half_of_the_stack_free(wrap: Callable[[Tree], Tree]) -> None:
    tree: Tree = Symbol("x")
    for _ in range(58):
        tree = wrap(tree)
    other = Negate(Negate(tree))
    frames = sys.getrecursionlimit() // 2 - len(inspect.stack(0))
    assert deeper(frames, lambda: settle_formulas(tree, other)).reason
