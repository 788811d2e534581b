"""The parser: what every spelling becomes, what is refused and why, and that nothing breaks it."""

from __future__ import annotations

import gzip
import json
import os
import re
import string
import time
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rewardkit_math.formulas.cursor import MAX_DEPTH
from rewardkit_math.formulas.parser import MAX_CHARS, Unparsed, parse
from rewardkit_math.formulas.tree import (
    Add,
    Apply,
    Big,
    Call,
    Cases,
    Congruence,
    Constant,
    Divide,
    Group,
    Literal,
    Matrix,
    Multiply,
    Negate,
    NumberSet,
    Numeral,
    PlusMinus,
    Power,
    Quantity,
    Relation,
    Root,
    SetBuilder,
    SetOperation,
    Symbol,
    Tree,
    Words,
)

DATA = Path(os.environ.get("REWARDKIT_DATA") or Path(__file__).parents[4] / "shared" / "data")

A, B, C, F, G, K, N, T, X, Y, Z = map(Symbol, "abcfgkntxyz")
PI, E, IMAGINARY, INFINITY = map(Constant, ("pi", "e", "i", "infinity"))
REALS = NumberSet("R")


def n(value: int | str) -> Literal:
    return Literal(Fraction(value))


def add(*terms: Tree) -> Add:
    return Add(terms)


def times(*factors: Tree) -> Multiply:
    return Multiply(factors)


def apply(function: str, *arguments: Tree) -> Apply:
    return Apply(function, arguments)


def equal(left: Tree, right: Tree) -> Relation:
    return Relation((left, right), ("=",))


def items(*trees: Tree, brackets: str = "", word: str = "") -> Group:
    return Group(brackets, trees, word)


HALF = Divide(n(1), n(2))
TWO_X = times(n(2), X)
F_OF_X = Call("f", (X,))
X_PLUS_1 = add(X, n(1))

NUMBERS = {
    "42": n(42),
    "007": n(7),
    "2.50": n("2.5"),
    ".5": n("0.5"),
    "1,234": n(1234),
    "1{,}234": n(1234),
    r"1\,234": n(1234),
    r"50,\!625": n(50625),
    "1 234 567.5": n("1234567.5"),
    "(1,234)": items(n(1), n(234), brackets="()"),
    "1, 234": items(n(1), n(234)),
    "2,1000": items(n(2), n(1000)),
    r"0.\overline{3}": n("1/3"),
    r"0.1\overline{6}": n("1/6"),
    r"0.\dot 3": n("1/3"),
    r"0.1\dot{2}4\dot{3}": n("1242/9990"),
    "0.(3)": n("1/3"),
    "1.2e5": n(120000),
    "1e-3": n("0.001"),
    "1.5 x 10^3": times(n("1.5"), Power(n(10), n(3))),
    r"1.5 \times 10^{-3}": times(n("1.5"), Power(n(10), Negate(n(3)))),
    r"1\frac12": add(n(1), HALF),
    r"1 \tfrac{1}{2}": add(n(1), HALF),
    "1 1/2": add(n(1), HALF),
    "1½": add(n(1), HALF),
    "-1½": Negate(add(n(1), HALF)),
    r"2\frac{3}{2}": times(n(2), Divide(n(3), n(2))),
    r"3\frac{x}{2}": times(n(3), Divide(X, n(2))),
    "½": HALF,
    "３.５": n("3.5"),
    "506_7": Numeral("506", 7),
    "1010_{2}": Numeral("1010", 2),
    "(1010)_2": Numeral("1010", 2),
    r"123_{\text{five}}": Numeral("123", 5),
    r"\text{1A}_{16}": Numeral("1A", 16),
    "3A_{10}": times(n(3), Symbol("A_10")),
    r"\overline{123}": n(123),
    r"\$5": Quantity(n(5), "$"),
    "$5": Quantity(n(5), "$"),
    "$5$": n(5),
    "-$5": Negate(Quantity(n(5), "$")),
    "5€": Quantity(n(5), "€"),
    r"\$3.5 \text{ million}": Quantity(times(n("3.5"), n(1000000)), "$"),
    r"50\%": Quantity(n(50), "%"),
    "50 percent": Quantity(n(50), "%"),
    r"30^\circ": Quantity(n(30), "°"),
    "30°": Quantity(n(30), "°"),
    r"30^{\circ}": Quantity(n(30), "°"),
    r"30 \text{ degrees}": Quantity(n(30), "°"),
    r"20^\circ\text{C}": Quantity(n(20), "° C"),
    r"1.8^{\circ} \mathrm{C} / \mathrm{h}": Quantity(n("1.8"), "° C / h"),
    r"5\text{ cm}": Quantity(n(5), "cm"),
    r"3 \mathrm{m/s}": Quantity(n(3), "m / s"),
    r"15 \mathrm{~km} / \mathrm{h}": Quantity(n(15), "km / h"),
    "5 km per hour": Quantity(n(5), "km / h"),
    "22.1cm^{2}": Quantity(n("22.1"), "cm ^2"),
    "10 weeks": Quantity(n(10), "week"),
    r"100\text{ units}": n(100),
    r"1+\sqrt2 \text{ cm}": Quantity(add(n(1), Root(n(2), n(2))), "cm"),
    r"3 \text{ cm}+4 \text{ cm}": add(Quantity(n(3), "cm"), Quantity(n(4), "cm")),
    "5m": times(n(5), Symbol("m")),
}

EXPRESSIONS = {
    "2x": TWO_X,
    "xy": times(X, Y),
    "x(y+1)": times(X, add(Y, n(1))),
    "(x+1)(x+2)": times(X_PLUS_1, add(X, n(2))),
    "5(5)": times(n(5), n(5)),
    "[x+1](2)": times(X_PLUS_1, n(2)),
    r"2\pi r": times(n(2), PI, Symbol("r")),
    "2π": times(n(2), PI),
    "(n-2)2^n": times(add(N, Negate(n(2))), Power(n(2), N)),
    "2^6 3^5": times(Power(n(2), n(6)), Power(n(3), n(5))),
    r"2 \cdot -3": times(n(2), Negate(n(3))),
    "a*b/c": Divide(times(A, B), C),
    "a/b*c": times(Divide(A, B), C),
    r"6 \div 2": Divide(n(6), n(2)),
    "a-b+c": add(A, Negate(B), C),
    "x + -3": add(X, Negate(n(3))),
    "-2x": Negate(TWO_X),
    "+3": n(3),
    "−3": Negate(n(3)),
    "-x^2": Negate(Power(X, n(2))),
    "1/2x": times(HALF, X),
    "1/2(x+1)": times(HALF, X_PLUS_1),
    "(a)/(b)c": times(Divide(A, B), C),
    r"\pi/3": Divide(PI, n(3)),
    r"\frac12": HALF,
    r"\dfrac{1}{2}x": times(HALF, X),
    r"\frac1{2}": HALF,
    r"\frac\pi2": Divide(PI, n(2)),
    r"{a \over b}": Divide(A, B),
    r"a+b \over c": Divide(add(A, B), C),
    r"{n \choose k}": apply("binomial", N, K),
    r"\binom52": apply("binomial", n(5), n(2)),
    "C(n, k)": apply("binomial", N, K),
    "x^2": Power(X, n(2)),
    "x²": Power(X, n(2)),
    "x**2": Power(X, n(2)),
    "2^-1": Power(n(2), Negate(n(1))),
    "2^3^2": Power(n(2), Power(n(3), n(2))),
    "x^{2}y": times(Power(X, n(2)), Y),
    "xy^2": times(X, Power(Y, n(2))),
    "9^{9^9}": Power(n(9), Power(n(9), n(9))),
    "n!": apply("factorial", N),
    "n!!": apply("double_factorial", N),
    "(n!)!": apply("factorial", apply("factorial", N)),
    r"\sqrt2": Root(n(2), n(2)),
    r"\sqrt{x}y": times(Root(X, n(2)), Y),
    r"\sqrt[3]{x}": Root(X, n(3)),
    r"\sqrt(2)(3)": times(Root(n(2), n(2)), n(3)),
    "sqrt(2)": Root(n(2), n(2)),
    "√15": Root(n(15), n(2)),
    "∛8": Root(n(8), n(3)),
    "cbrt(8)": Root(n(8), n(3)),
    "|x|": apply("abs", X),
    "2|x||y|": times(n(2), apply("abs", X), apply("abs", Y)),
    r"\left|2\left|x\right|\right|": apply("abs", times(n(2), apply("abs", X))),
    r"\lvert x \rvert": apply("abs", X),
    r"\lfloor x \rfloor": apply("floor", X),
    "⌈x⌉": apply("ceil", X),
    r"5 \bmod 3": apply("mod", n(5), n(3)),
    r"\overline{z}": apply("conjugate", Z),
    r"\overline{z+1}": apply("conjugate", add(Z, n(1))),
    r"\bar z": apply("conjugate", Z),
    r"\bar{x}": Symbol(r"\bar{x}"),
    r"\vec{v}": Symbol(r"\vec{v}"),
    r"\mathbf{v}": Symbol("v"),
    r"\underline{x}": X,
    r"\overline{AB}": Symbol("AB"),
    r"\overline{abc}": Symbol(r"\overline{abc}"),
    r"\boxed{5}": n(5),
    r"\left(x+1\right)": X_PLUS_1,
    r"\approx 5": n(5),
    "= 5.": n(5),
    "about 5": n(5),
    r"\\frac{1}{2}": HALF,
    "**73**": n(73),
}

NAMES = {
    "i": IMAGINARY,
    "3+4i": add(n(3), times(n(4), IMAGINARY)),
    "2*I+3": add(times(n(2), IMAGINARY), n(3)),
    "I": Symbol("I"),
    r"\mathrm{e}^{x}": Power(E, X),
    "xe^x": times(X, Power(E, X)),
    r"-\infty": Negate(INFINITY),
    "oo": INFINITY,
    r"\alpha": Symbol(r"\alpha"),
    "θ": Symbol(r"\theta"),
    "theta": Symbol(r"\theta"),
    r"\varphi": Symbol(r"\phi"),
    "x_1": Symbol("x_1"),
    "x_{1}": Symbol("x_1"),
    "x₁": Symbol("x_1"),
    "a_{n+1}": Symbol("a_{n+1}"),
    r"v_{\text{max}}": Symbol("v_max"),
    "x_1^2": Power(Symbol("x_1"), n(2)),
    "y''": Symbol("y''"),
    r"y^{\prime}": Symbol("y'"),
    "AB": Symbol("AB"),
    "2AB": times(n(2), Symbol("AB")),
    "abc": times(A, B, C),
    "Cx": times(Symbol("C"), X),
    r"\angle ABC": Symbol(r"\angleABC"),
    r"\frac{dy}{dx}": Divide(Symbol("dy"), Symbol("dx")),
    "(B)": Symbol("B"),
    r"\text{B}": Symbol("B"),
    r"\text{A, B}": items(Symbol("A"), Symbol("B")),
    "yes": Words("yes"),
    r"\text{No}": Words("no"),
    "No Solution.": Words("no solution"),
    "even": Words("even"),
    "neither x nor y": Words("neither x nor y"),
}

FUNCTIONS = {
    r"\sin x": apply("sin", X),
    "sin(x)": apply("sin", X),
    "sinx": apply("sin", X),
    "sin 2x": apply("sin", TWO_X),
    r"\sin -x": apply("sin", Negate(X)),
    r"\sin^2 x": Power(apply("sin", X), n(2)),
    r"\sin(x)^2": Power(apply("sin", X), n(2)),
    r"\sin x^2": apply("sin", Power(X, n(2))),
    r"\sin^{-1} x": apply("arcsin", X),
    r"\log^{-1} x": Power(apply("log", X), Negate(n(1))),
    r"\tan^{-1}(2)": apply("arctan", n(2)),
    r"\sin x \cos x": times(apply("sin", X), apply("cos", X)),
    r"\sin x (y+1)": times(apply("sin", X), add(Y, n(1))),
    r"\sin(x)y": times(apply("sin", X), Y),
    r"\sin 2(x+1)": apply("sin", times(n(2), X_PLUS_1)),
    r"\sin x \cdot y": times(apply("sin", X), Y),
    r"\sin x \, e^{x}": times(apply("sin", X), Power(E, X)),
    r"\sin \pi/4": apply("sin", Divide(PI, n(4))),
    r"\sin 30^\circ": apply("sin", Quantity(n(30), "°")),
    r"\sin 30 \text{ degrees}": apply("sin", Quantity(n(30), "°")),
    r"\ln 2 / 2": Divide(apply("ln", n(2)), n(2)),
    r"\ln \ln x": apply("ln", apply("ln", X)),
    r"\ln|x|": apply("ln", apply("abs", X)),
    r"\ln{x}": apply("ln", X),
    r"\log_2 8": apply("log", n(8), n(2)),
    r"\log_28": apply("log", n(8), n(2)),
    r"\log_2 128": apply("log", n(128), n(2)),
    r"\log_{10}x": apply("log", X, n(10)),
    r"\log_2^3 x": Power(apply("log", X, n(2)), n(3)),
    "log(8, 2)": apply("log", n(8), n(2)),
    "log10(x)": apply("log", X, n(10)),
    r"\lg x": apply("log", X, n(10)),
    r"\operatorname{arctan} x": apply("arctan", X),
    "asin(x)": apply("arcsin", X),
    r"\gcd(a, b)": apply("gcd", A, B),
    r"\operatorname{lcm}(a,b)": apply("lcm", A, B),
    r"\max\{a, b\}": apply("max", A, B),
    r"\Re z": apply("re", Z),
    r"\Gamma(n)": apply("gamma", N),
    "f(x)": F_OF_X,
    "f(f(x))": Call("f", (F_OF_X,)),
    "f(2)": Call("f", (n(2),)),
    "f'(x)": Call("f'", (X,)),
    "f^{-1}(x)": Call("f^{-1}", (X,)),
    "P(n, k)": Call("P", (N, K)),
    "T(n, k)": Call("T", (N, K)),
    "y(t) = 3t": equal(Call("y", (T,)), times(n(3), T)),
    "x(y)": times(X, Y),
    "h(3r-h)": times(Symbol("h"), add(times(n(3), Symbol("r")), Negate(Symbol("h")))),
    "t(1,2)": times(T, items(n(1), n(2), brackets="()")),
    r"\sum_{k=1}^{n} k^2 + 1": add(Big("sum", Power(K, n(2)), "k", n(1), N), n(1)),
    r"\sum_{i=1}^n i": Big("sum", Symbol("i"), "i", n(1), N),
    r"\prod_{k=1}^{10} (k+1)": Big("product", add(K, n(1)), "k", n(1), n(10)),
    r"\int_0^1 x^2 dx": Big("integral", Power(X, n(2)), "x", n(0), n(1)),
    r"\int_{-\infty}^\infty e^{-x^2} d x": Big(
        "integral", Power(E, Negate(Power(X, n(2)))), "x", Negate(INFINITY), INFINITY
    ),
    r"\int_0^{\pi} \sin\theta \, d\theta": Big("integral", apply("sin", Symbol(r"\theta")), r"\theta", n(0), PI),
    r"\int x\,\mathrm{d}x": Big("integral", X, "x", None, None),
    r"\int_0^1 dx": Big("integral", n(1), "x", n(0), n(1)),
    r"\int_0^1 \int_0^1 xy\,dx\,dy": Big("integral", Big("integral", times(X, Y), "x", n(0), n(1)), "y", n(0), n(1)),
    r"\lim_{x \to 0} \frac{\sin x}{x}": Big("limit", Divide(apply("sin", X), X), "x", n(0), None),
    r"\lim_{x \to 0^+} \ln x": Big("limit", apply("ln", X), "x", n(0), None, "+"),
    r"\lim_{x \to 0^{-}} x": Big("limit", X, "x", n(0), None, "-"),
}

SEVERAL = {
    "a, b and c": items(A, B, C, word="and"),
    "a or b": items(A, B, word="or"),
    r"5 \text{ or } 6": items(n(5), n(6), word="or"),
    r"1, 2, \text{ and } 3": items(n(1), n(2), n(3), word="and"),
    "$a$ and $b$": items(A, B, word="and"),
    "$a=1$\n$b=2$": items(equal(A, n(1)), equal(B, n(2))),
    r"a \lor b": items(A, B, word="or"),
    "1,2;3,4": items(items(n(1), n(2)), items(n(3), n(4))),
    "a=1, b=2 or a=3, b=4": items(
        items(equal(A, n(1)), equal(B, n(2))), items(equal(A, n(3)), equal(B, n(4))), word="or"
    ),
    "a=1 and b=2 or a=3 and b=4": items(
        items(equal(A, n(1)), equal(B, n(2)), word="and"), items(equal(A, n(3)), equal(B, n(4)), word="and"), word="or"
    ),
    r"1, 2, \ldots, n": items(n(1), n(2), Symbol("..."), N),
    r"\{1, 2\}": items(n(1), n(2), brackets="{}"),
    r"\{5\}": items(n(5), brackets="{}"),
    "{1, 2}": items(n(1), n(2), brackets="{}"),
    "{5}": n(5),
    r"{a \text{ or } b}": items(A, B, word="or"),
    r"\{\}": items(brackets="{}"),
    r"\varnothing": items(brackets="{}"),
    r"\langle 1, 2\rangle": items(n(1), n(2), brackets="()"),
    "(a, b), (c, n)": items(items(A, B, brackets="()"), items(C, N, brackets="()")),
    "(11,7)or(7,11)": items(items(n(11), n(7), brackets="()"), items(n(7), n(11), brackets="()"), word="or"),
    "(a or b)": items(A, B, word="or"),
    "[1, 2]": items(n(1), n(2), brackets="[]"),
    "[5]": items(n(5), brackets="[]"),
    "[[5]]": items(items(n(5), brackets="[]"), brackets="[]"),
    "[1, 2)": items(n(1), n(2), brackets="[)"),
    "(1, 2]": items(n(1), n(2), brackets="(]"),
    "]1, 2[": items(n(1), n(2), brackets="()"),
    "[1, 2[": items(n(1), n(2), brackets="[)"),
    r"(1,2)\cup(3,4)": SetOperation("union", (items(n(1), n(2), brackets="()"), items(n(3), n(4), brackets="()"))),
    "(1,2) U [3,4]": SetOperation("union", (items(n(1), n(2), brackets="()"), items(n(3), n(4), brackets="[]"))),
    r"A \cap B \cap C": SetOperation("intersection", (Symbol("A"), Symbol("B"), Symbol("C"))),
    r"A \cup B \cap C": SetOperation("intersection", (SetOperation("union", (Symbol("A"), Symbol("B"))), Symbol("C"))),
    r"\mathbb{R}": REALS,
    "ℝ": REALS,
    r"\mathbb R\setminus\{0\}": SetOperation("difference", (REALS, items(n(0), brackets="{}"))),
    r"\mathbb{R} - \{0\}": SetOperation("difference", (REALS, items(n(0), brackets="{}"))),
    r"\mathbb{Z}^+": NumberSet("Z+"),
    r"\mathbb{R}_{>0}": NumberSet("R+"),
    r"\mathbb{R}^{-}": NumberSet("R-"),
    r"\{x \mid x>3\}": SetBuilder(X, Relation((X, n(3)), (">",))),
    r"\{x : x>3, x<5\}": SetBuilder(X, items(Relation((X, n(3)), (">",)), Relation((X, n(5)), ("<",)), word="and")),
    r"\{x | |x|<3\}": SetBuilder(X, Relation((apply("abs", X), n(3)), ("<",))),
    r"1 \pm \sqrt2": PlusMinus(n(1), Root(n(2), n(2))),
    r"\pm 2": PlusMinus(None, n(2)),
    r"1 \mp 2": PlusMinus(n(1), n(2), True),
    "1 +- 2": PlusMinus(n(1), n(2)),
    r"\frac{1\pm x}{2}": Divide(PlusMinus(n(1), X), n(2)),
    "x = 5": equal(X, n(5)),
    "x == 5": equal(X, n(5)),
    r"x \ne 5": Relation((X, n(5)), ("!=",)),
    r"x \not= 5": Relation((X, n(5)), ("!=",)),
    r"-4 \le x < 0": Relation((Negate(n(4)), X, n(0)), ("<=", "<")),
    "x>=3": Relation((X, n(3)), (">=",)),
    r"x \approx 3": Relation((X, n(3)), ("~",)),
    r"x \in [1,2)": Relation((X, items(n(1), n(2), brackets="[)")), ("in",)),
    r"x \equiv 3 \pmod{7}": Congruence(X, n(3), n(7)),
    "x ≡ 3 (mod 7)": Congruence(X, n(3), n(7)),
    r"x \equiv 3 \bmod 7": Congruence(X, n(3), n(7)),
    "x = 3 mod 7": Congruence(X, n(3), n(7)),
    r"a \equiv b": equal(A, B),
    "(x,y)=(1,2)": equal(items(X, Y, brackets="()"), items(n(1), n(2), brackets="()")),
    "Area = 12": equal(Symbol("area"), n(12)),
    "(x=1)": equal(X, n(1)),
    r"\begin{pmatrix}1&2\\3&4\end{pmatrix}": Matrix(((n(1), n(2)), (n(3), n(4)))),
    r"\begin{bmatrix}1\\2\\\end{bmatrix}": Matrix(((n(1),), (n(2),))),
    r"\begin{matrix}1\\[2pt]2\end{matrix}": Matrix(((n(1),), (n(2),))),
    r"\left[\begin{array}{c|c}1&2\end{array}\right]": Matrix(((n(1), n(2)),)),
    r"\begin{vmatrix}1&2\\3&4\end{vmatrix}": apply("det", Matrix(((n(1), n(2)), (n(3), n(4))))),
    r"\left|\begin{array}{c}1\end{array}\right|": apply("det", Matrix(((n(1),),))),
    r"\\begin{pmatrix}1\\\\2\\end{pmatrix}": Matrix(((n(1),), (n(2),))),
    "Matrix([[1,2],[3,4]])": Matrix(((n(1), n(2)), (n(3), n(4)))),
    r"\begin{cases} x & x>0 \\ 0 & \text{otherwise}\end{cases}": Cases(
        ((X, Relation((X, n(0)), (">",))), (n(0), None))
    ),
    r"\begin{cases} 1, & \text{if } x>0, \\ 0, & x=0\end{cases}": Cases(
        ((n(1), Relation((X, n(0)), (">",))), (n(0), equal(X, n(0))))
    ),
    r"\left\{\begin{array}{l} 1 \text{ if } x=0 \\ 2\end{array}\right.": Cases(((n(1), equal(X, n(0))), (n(2), None))),
    r"\begin{cases} x=1 \\ y=2\end{cases}": items(equal(X, n(1)), equal(Y, n(2)), word="and"),
    r"\begin{aligned} x&=1\\y&=2\end{aligned}": items(equal(X, n(1)), equal(Y, n(2))),
    r"\begin{align*} x&=1\end{align*}": equal(X, n(1)),
}

PHRASES = {
    "f(x)=2x for all x": equal(F_OF_X, TWO_X),
    r"f(x)=2x \text{ for all real } x": equal(F_OF_X, TWO_X),
    r"f(x)=2x, \forall x \in \mathbb{R}": equal(F_OF_X, TWO_X),
    r"f(x)=2x, x \in \mathbb{R}": equal(F_OF_X, TWO_X),
    r"{f(x)=2x \; \forall x \in \mathbb R}": equal(F_OF_X, TWO_X),
    r"f(x)=cx \text{ for some constant } c": equal(F_OF_X, times(C, X)),
    "f(x)=ax+b, where a and b are constants": equal(F_OF_X, add(times(A, X), B)),
    "f(x)=ax, where a, b are real": equal(F_OF_X, times(A, X)),
    r"2k\pi (k \in \mathbb{Z})": times(n(2), K, PI),
    r"2k\pi, k \in \mathbb{Z}": times(n(2), K, PI),
    r"f(x)=0 \text{ for all }x, f(x)=x \text{ for all }x": items(equal(F_OF_X, n(0)), equal(F_OF_X, X)),
    r"x=1, y \in \mathbb{R}": items(equal(X, n(1)), Relation((Y, REALS), ("in",))),
}

TABLES = {**NUMBERS, **EXPRESSIONS, **NAMES, **FUNCTIONS, **SEVERAL, **PHRASES}

REFUSED = {
    "": "nothing to read",
    "...": "expected a value",
    "x" * (MAX_CHARS + 1): "longer than 1,000 characters",
    "ﷺ" * 200: "too long once respelled",
    "(" * 60 + "1" + ")" * 60: f"nested deeper than {MAX_DEPTH}",
    "1" + "/2" * 300: "a tree too tall or too large",
    "9" * 700: "a number of more than 600 digits",
    "1.0e1001": "a power of ten beyond 1000",
    "2e-1": "2e-1 is a power of ten or a product",
    r"\foo": r"unknown command \foo",
    r"2 \foo": r"unknown command \foo",
    "x + ": "expected a value before the end",
    "1,,2": "expected a value before ','",
    "5 6": "two numbers side by side",
    "2 3/2": "two numbers side by side",
    r"\sqrt{2}3": "two numbers side by side",
    r"\frac123": "two numbers side by side",
    "5--6": "signs in a row",
    "1-+2": "signs in a row",
    "a/bc": "unclear what the slash divides",
    "x/2y": "unclear what the slash divides",
    r"\ln 2/2": "unclear what the slash divides",
    r"\ln 2(x+1)": "unclear how far ln reaches",
    "2^n!": "unclear whether the exponent is a factorial",
    "f^2(x)": "unclear whether this is a power of a function",
    r"\sqrt23": "unclear how far the root goes",
    r"5 \text{ ft } 3": "two numbers side by side",
    r"5 \text{ ft } x": "something after a unit",
    r"\$x": "$ without a number",
    r"\frac{d f}{d x}": "a derivative",
    r"\hat{x+1}": r"\hat over a formula",
    r"\overline{" + "1" * 700 + "}": "a number of more than 600 digits",
    "9_7": "9 are no digits in base 7",
    "x_": "no subscript: the end",
    "x_{" + "a," * 10 + "}": "a subscript of more than 12 signs",
    r"y^{2\prime}": "unbalanced brace",
    "y^2'": "unexpected '2' before a prime",
    r"y^{'2}": "expected }",
    "{x": "unbalanced brace",
    r"\frac{x=1}{2}": "a list or a relation inside a calculation",
    "(x=1)+2": "a relation inside a calculation",
    "(x": "unbalanced bracket",
    "sin(x": "unbalanced bracket",
    "[1, 2, 3)": "an interval with more than two ends",
    "[1)": "brackets that do not match",
    "(a or b)c": "'or' in brackets",
    "max(a or b)": "'or' in brackets",
    "sin(x, y)": "sin of 2 arguments",
    r"\operatorname{binomial}(5)": "binomial of 1 arguments",
    "Matrix(5)": "Matrix without rows",
    r"\begin{pmatrix}1&2\\3\end{pmatrix}": "a matrix with rows of different lengths",
    r"\begin{pmatrix}1": "expected the end of a row",
    r"\begin{pmatrix}\end{pmatrix}": "an empty pmatrix",
    r"\begin{tikzpicture}1\end{tikzpicture}": "unknown environment tikzpicture",
    r"1\end{pmatrix}": r"\end{pmatrix} without its \begin",
    r"\begin{cases} 1 & \text{sometimes}\end{cases}": "unread words 'sometimes'",
    r"\sum_{=1}^n k": "expected a variable before '='",
    r"\sum_{k=1} k": "expected ^",
    r"\int_0 x dx": "an integral with one bound",
    r"\int_0^1 x": "an integral without its differential",
    r"5 \pmod{7}": "a modulus without a congruence",
    r"x \not< 5": "a negated relation",
    r"x \not\in A": "a negated relation",
    "0.333...": "unread '...'",
    "3:4": "unread ':'",
    "x = 1 for x > 0": "unread '>'",
    "5 because 2+3": "two numbers side by side",
    "either 1 or 2": "expected a value before 'either'",
    "\u202e24": "expected a value",
    "__import__('os')": "expected a value before '_'",
}


@pytest.mark.parametrize(("text", "tree"), TABLES.items(), ids=TABLES)
def test_a_text_becomes_its_tree(text: str, tree: Tree) -> None:
    assert parse(text) == tree


@pytest.mark.parametrize(("text", "reason"), REFUSED.items(), ids=[text[:20] for text in REFUSED])
def test_a_text_that_is_not_understood_is_refused_with_the_reason(text: str, reason: str) -> None:
    refused = parse(text)
    assert isinstance(refused, Unparsed)
    assert refused.reason.startswith(reason)
    assert 0 <= refused.at <= 2 * MAX_CHARS


def test_a_refusal_says_where() -> None:
    assert parse(r"2x + \foo") == Unparsed(r"unknown command \foo", 5)
    assert parse("1 + (2 + 3") == Unparsed("unbalanced bracket, or unread the end", 4)


def test_a_number_keeps_its_commas_in_its_text() -> None:
    tree = parse("100,200")
    assert isinstance(tree, Literal)
    assert (tree.value, tree.text) == (Fraction(100200), "100,200")


# Trees and their spellings -------------------------------------------------------------------------------------------

_ATOMS = st.one_of(
    st.integers(0, 10**6).map(n),
    st.integers(0, 10**4).map(lambda hundredths: Literal(Fraction(hundredths, 100))),
    st.sampled_from([X, Y, A, N, PI, E, IMAGINARY, Symbol(r"\alpha"), Symbol("x_1"), Symbol("a_{n+1}")]),
)
_FUNCTIONS = st.sampled_from(["sin", "cos", "arctan", "ln", "exp", "abs", "floor"])


def _above(below: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    several = st.lists(below, min_size=2, max_size=4).map(tuple)
    return st.one_of(
        several.map(Add),
        several.map(Multiply),
        below.map(Negate),
        st.builds(Divide, below, below),
        st.builds(Power, below, below),
        st.builds(Root, below, st.sampled_from([n(2), n(3), N])),
        st.builds(apply, _FUNCTIONS, below),
    )


TREES = st.recursive(_ATOMS, _above, max_leaves=12)


class Speller:
    """Writes a tree in one of the ways that people write it, as drawn."""

    def __init__(self, draw: Any) -> None:
        self.draw = draw

    def one_of(self, *ways: str) -> str:
        return str(self.draw(st.sampled_from(ways)))

    def bracketed(self, text: str) -> str:
        return self.one_of(f"({text})", rf"\left({text}\right)", rf"\big( {text} \big)", f"{{({text})}}", f"{{{text}}}")

    def inner(self, tree: Tree) -> str:
        text = self.spell(tree)
        is_whole = isinstance(tree, Literal | Symbol | Constant | Root)
        return text if is_whole and self.draw(st.booleans()) else self.bracketed(text)

    def spell(self, tree: Any) -> str:
        return str(getattr(self, f"spell_{type(tree).__name__.lower()}")(tree))

    def spell_literal(self, tree: Literal) -> str:
        whole, hundredths = divmod(int(tree.value * 100), 100)
        decimals = f".{hundredths:02d}" if hundredths else ""
        return self.one_of(f"{whole}{decimals}", f"{whole:,}".replace(",", "{,}") + decimals)

    def spell_symbol(self, tree: Symbol) -> str:
        return f"{tree.name} " if tree.name[0] == "\\" else tree.name

    def spell_constant(self, tree: Constant) -> str:
        return {"pi": self.one_of(r"\pi ", "π", "pi "), "e": self.one_of("e", r"\mathrm{e}"), "i": "i"}[tree.name]

    def spell_add(self, tree: Add) -> str:
        text = self.inner(tree.terms[0])
        for term in tree.terms[1:]:
            if isinstance(term, Negate) and self.draw(st.booleans()):
                text += self.one_of("-", " - ", "−") + self.inner(term.term)
            else:
                text += self.one_of("+", " + ") + self.inner(term)
        return text

    def spell_multiply(self, tree: Multiply) -> str:
        sign = self.one_of(r"\cdot ", "*", r" \times ", "·", "")
        return sign.join(self.inner(factor) if sign else f"({self.spell(factor)})" for factor in tree.factors)

    def spell_negate(self, tree: Negate) -> str:
        return self.one_of("-", "- ", "−") + self.bracketed(self.spell(tree.term))

    def spell_divide(self, tree: Divide) -> str:
        top, bottom = self.spell(tree.top), self.spell(tree.bottom)
        latex = self.one_of(
            rf"\frac{{{top}}}{{{bottom}}}", rf"\dfrac {{{top}}} {{{bottom}}}", rf"{{{top} \over {bottom}}}"
        )
        return self.one_of(latex, f"({top})/({bottom})")

    def spell_power(self, tree: Power) -> str:
        base, exponent = self.bracketed(self.spell(tree.base)), self.spell(tree.exponent)
        return base + self.one_of(f"^{{{exponent}}}", f" ^ ({exponent})", f"**({exponent})")

    def spell_root(self, tree: Root) -> str:
        radicand, degree = self.spell(tree.radicand), self.spell(tree.degree)
        if tree.degree == n(2):
            return self.one_of(rf"\sqrt{{{radicand}}}", f"sqrt({radicand})", f"√({radicand})")
        return rf"\sqrt[{degree}]{{{radicand}}}"

    def spell_apply(self, tree: Apply) -> str:
        argument = self.spell(tree.arguments[0])
        if tree.function == "abs":
            return self.one_of(rf"\left|{argument}\right|", rf"\lvert {argument}\rvert ")
        if tree.function == "floor":
            return rf"\lfloor {argument}\rfloor "
        name = self.one_of(rf"\{tree.function}", rf"\operatorname{{{tree.function}}}", tree.function)
        return name + self.one_of(f"({argument})", rf"\left({argument}\right)", f" {{{argument}}}")


@settings(deadline=None)
@given(tree=TREES, choices=st.data())
def test_a_tree_is_read_back_from_any_of_its_spellings(tree: Tree, choices: st.DataObject) -> None:
    text = Speller(choices.draw).spell(tree)
    if len(text) <= MAX_CHARS:
        assert parse(text) == tree


# Hostile texts -------------------------------------------------------------------------------------------------------

_PIECE_NAMES = r"""
\frac \sqrt \sin \log \left( \right) \left| \right| \left[ \right. { } ( ) [ ] \{ \} | ^ _ , ; : . ... + - \pm * / = <
\le \in \cup ! ' % ^\circ \text{ \text{and} \text{cm} \begin{pmatrix} \end{pmatrix} \begin{cases} \end{cases} & \\
\sum_{k=1}^ \int_ \lim_{x\to \overline{ \binom \mathbb{R} \pi \infty \alpha x y f( e i 1 23 1,234 0.5 1e9 7_3 and or yes
for where all dx \, $ \$ \foo \over ½ √ ² \pmod \bmod \setminus \lfloor \rfloor \langle \not \angle \max( d h 100% U
"""
_PIECES = _PIECE_NAMES.split()


@settings(deadline=None)
@given(text=st.one_of(st.lists(st.sampled_from([*_PIECES, " "]), max_size=60).map("".join), st.text(max_size=60)))
def test_any_text_has_a_tree_or_a_reason(text: str) -> None:
    tree = parse(text)
    assert parse(text) == tree
    assert tree.reason if isinstance(tree, Unparsed) else hash(tree) is not None


OPENED = {
    "(": ")", "{": "}", "[": "]", "|": "|", r"\{": r"\}", r"\left|": r"\right|", r"\frac{1}{": "}", r"\sqrt{": "}",
    r"\sqrt[": "]2", "x^{": "}", "x^": "", "2^-": "", r"\sin ": "", r"\ln(": ")", "f(": ")", "A(1,": ")", r"\max(": ")",
    r"\log_{": "}2", r"\overline{": "}", r"x \in (": ")", "-(": ")", r"{1 \over ": "}", r"\lim_{x \to ": "}",
    r"\sum_{k=1}^{n} ": "", r"\sum_{k=": "}", r"\int ": "", r"\begin{pmatrix}": r"\end{pmatrix}",
    r"\begin{cases}1&": r"\end{cases}", r"\binom1": "", r"\lfloor ": r"\rfloor", r"\{x\mid": r"\}", "1^{1_": "}",
}  # fmt: skip


@pytest.mark.parametrize(("opening", "closing"), OPENED.items(), ids=OPENED)
def test_nesting_never_exhausts_the_stack(opening: str, closing: str) -> None:
    def parse_under(frames: int, text: str) -> Tree | Unparsed:
        return parse_under(frames - 1, text) if frames else parse(text)

    for depth in (10, MAX_DEPTH - 2, MAX_DEPTH + 10, 400):
        text = opening * depth + "x" + closing * depth
        tree = parse_under(150, text[:MAX_CHARS])
        assert isinstance(tree, Unparsed) or hash(tree) is not None


REPEATED = [
    "x", "1", "1 ", "1,", "1+", "-", "x^2+", r"\frac{1}{2}+", r"\frac", r"\text{", r"\text{a }", "f(x)", "A(1)", "|x|",
    "a, ", " ", "$", "$ ", "x_1", "x_1 ", "'", "!", "((", "))", "{", r"\,", "for all x ", r"x \in \mathbb{R}, ", "1/", "é",
    "sin x ", "\n", "...", "a or ", "a;", "x=1, ", "1.", "²", "f", "C(1", "word ", r"\left", r"\begin{cases}", "1 000",
]  # fmt: skip


@pytest.mark.parametrize("piece", REPEATED)
def test_time_grows_no_faster_than_the_text(piece: str) -> None:
    def timed(text: str) -> float:
        start = time.perf_counter()
        parse(text)
        return time.perf_counter() - start

    short, long = ((piece * length)[:length] for length in (MAX_CHARS // 4, MAX_CHARS))
    assert min(timed(long) for _ in range(5)) < 10 * min(timed(short) for _ in range(5)) + 0.002


# Real answers --------------------------------------------------------------------------------------------------------

_PROSE = re.compile(r"(?:[A-Za-z]{2,}[,.']? ){3,}")


def _golds() -> list[str]:
    paths = [DATA / "math" / "cases.jsonl.gz", *sorted((DATA / "math_competition").glob("*.jsonl.gz"))]
    rows = [json.loads(line) for path in paths for line in gzip.decompress(path.read_bytes()).splitlines()]
    return sorted({str(row.get("gold", row.get("gold_answer"))) for row in rows if not row.get("freetext")})


@pytest.fixture(scope="module")
def golds() -> list[str]:
    if not (DATA / "math" / "cases.jsonl.gz").exists():
        pytest.skip(f"no evaluation data: {DATA} does not exist (set REWARDKIT_DATA)")
    return _golds()


@pytest.mark.data
def test_nearly_all_real_answers_that_are_no_prose_have_a_tree(golds: list[str]) -> None:
    formulas = [gold for gold in golds if len(gold) <= MAX_CHARS and not _PROSE.search(gold)]
    unparsed = [gold for gold in formulas if isinstance(parse(gold), Unparsed)]
    assert len(formulas) > 1000
    assert len(unparsed) < 0.02 * len(formulas), unparsed


@pytest.mark.data
@settings(deadline=None)
@given(choices=st.data())
def test_a_damaged_real_answer_has_a_tree_or_a_reason(golds: list[str], choices: st.DataObject) -> None:
    text = list(choices.draw(st.sampled_from(golds))[:MAX_CHARS])
    for _ in range(choices.draw(st.integers(1, 4))):
        at = choices.draw(st.integers(0, len(text)))
        text[at : at + choices.draw(st.integers(0, 3))] = choices.draw(st.sampled_from([*string.printable, *_PIECES]))
    tree = parse("".join(text))
    assert tree.reason if isinstance(tree, Unparsed) else hash(tree) is not None
