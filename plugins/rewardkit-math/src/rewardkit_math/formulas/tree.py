r"""The expression tree: what a formula says, before anything is computed.

Nodes are frozen and hashable, hold only what was written, and never evaluate on construction: ``9^{9^9}`` is three
literals and two powers. `parse` builds them; evaluation and comparison read them.

What the parser makes of a text, beyond what each class says:

* Sums and products are flat as far as the brackets of the text are: ``a-b+c`` is ``Add((a, Negate(b), c))``, ``2xy``
  is ``Multiply((2, x, y))``, ``a/b*c`` is ``Multiply((Divide(a, b), c))``, ``-2x`` is ``Negate(Multiply((2, x)))``.
  Brackets around one tree leave no trace. A mixed number is a sum: ``1\frac12`` is ``Add((1, Divide(1, 2)))``.
* ``1,234`` is one `Literal`; its ``text`` keeps the commas, so that a list can still be tried.
* `Apply` names: sin, cos, tan, cot, sec, csc, sinh, cosh, tanh, coth, sech, csch, "arc" and each of these, ln, exp, log
  (one argument: base not written; two: the base is the second), abs, floor, ceil, sign, re, im, arg, conjugate, gcd,
  lcm, max, min, mod, factorial, double_factorial, binomial, gamma, det (of a `Matrix`). A power of a function is a
  power of its value; ``\sin^{-1}`` is arcsin; ``\lg`` is log with base 10; ``\sqrt`` is `Root`.
* `Quantity` units: "%", "°", "° C", "$" and what `rewardkit_math.forms.units.read_unit` returns.
* `Symbol` names: a letter, a Greek command ``\alpha``, capitals ``AB``, subscripts as ``x_1`` and ``a_{n+1}``, primes,
  accents as ``\vec{v}``, ``\angle ABC`` without its space, case-folded words before "=" (``area``), and ``...`` for an
  ellipsis that stands as an item of a list.
* `Call` names may end in primes, a subscript, or ``^{-1}``.
* A bare list whose parts are lists themselves is nested: ``x=1, y=2 or x=3, y=4``.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction
from typing import Literal as OneOf
from typing import TypeAlias

__all__ = [
    "Add",
    "Apply",
    "Big",
    "Call",
    "Cases",
    "Congruence",
    "Constant",
    "Divide",
    "Group",
    "Literal",
    "Matrix",
    "Multiply",
    "Negate",
    "NumberSet",
    "Numeral",
    "PlusMinus",
    "Power",
    "Quantity",
    "Relation",
    "Root",
    "SetBuilder",
    "SetOperation",
    "Symbol",
    "Tree",
    "Words",
]


@dataclass(frozen=True, slots=True)
class Literal:
    r"""A number as written: ``3``, ``2.50``, ``0.\overline{3}``; never negative. ``text`` keeps its digits."""

    value: Fraction
    text: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class Numeral:
    """Digits in a written base: ``506_7`` is ``Numeral("506", 7)``."""

    digits: str
    base: int


@dataclass(frozen=True, slots=True)
class Constant:
    """One of ``pi``, ``e``, ``i``, ``infinity``."""

    name: str


@dataclass(frozen=True, slots=True)
class Symbol:
    r"""A variable or any other name: ``x``, ``x_1``, ``\alpha``, ``AB``."""

    name: str


@dataclass(frozen=True, slots=True)
class Add:
    """A sum; a difference is a sum with a `Negate` in it."""

    terms: tuple[Tree, ...]


@dataclass(frozen=True, slots=True)
class Multiply:
    """A product, with or without a sign between the factors."""

    factors: tuple[Tree, ...]


@dataclass(frozen=True, slots=True)
class Negate:
    """The negative of a tree."""

    term: Tree


@dataclass(frozen=True, slots=True)
class Divide:
    r"""``\frac{top}{bottom}``, ``top / bottom``."""

    top: Tree
    bottom: Tree


@dataclass(frozen=True, slots=True)
class Power:
    """``base^{exponent}``."""

    base: Tree
    exponent: Tree


@dataclass(frozen=True, slots=True)
class Root:
    r"""``\sqrt[degree]{radicand}``; an odd root of a negative real number is real."""

    radicand: Tree
    degree: Tree


@dataclass(frozen=True, slots=True)
class PlusMinus:
    r"""``left \pm right`` (``left`` is None where the sign leads); ``\mp`` has ``minus_first``."""

    left: Tree | None
    right: Tree
    minus_first: bool = False


@dataclass(frozen=True, slots=True)
class Apply:
    r"""A known function: ``sin``, ``log`` (a base is its second argument), ``abs``, ``binomial``, and others."""

    function: str
    arguments: tuple[Tree, ...]


@dataclass(frozen=True, slots=True)
class Call:
    """A function that the text only names: ``f(x)``, ``P(n, k)``."""

    name: str
    arguments: tuple[Tree, ...]


@dataclass(frozen=True, slots=True)
class Big:
    r"""A sum, product, integral or limit over a variable.

    ``upper`` is None for a limit, both bounds for an indefinite integral; ``side`` is "+", "-" or "" for limits.
    """

    operator: OneOf["sum", "product", "integral", "limit"]
    body: Tree
    variable: str
    lower: Tree | None
    upper: Tree | None
    side: str = ""


@dataclass(frozen=True, slots=True)
class Quantity:
    """A value and its unit in the shortest spelling, or "%"."""

    value: Tree
    unit: str


@dataclass(frozen=True, slots=True)
class Words:
    """Words without mathematics, case-folded: ``yes``, ``no solution``."""

    text: str


@dataclass(frozen=True, slots=True)
class Group:
    """Several trees: ``brackets`` is "" for a bare list, "{}" for a set, else as written: "()", "[]", "[)", "(]".

    ``word`` is "and" or "or" where that joins the items, else "". The empty set is ``Group("{}", ())``.
    """

    brackets: str
    items: tuple[Tree, ...]
    word: str = ""


@dataclass(frozen=True, slots=True)
class Matrix:
    """Rows of equal length; a column vector has rows of one."""

    rows: tuple[tuple[Tree, ...], ...]


@dataclass(frozen=True, slots=True)
class NumberSet:
    """One of "R", "Q", "Z", "N", "C", with "+" or "-" for its positive or negative part: "R+"."""

    name: str


@dataclass(frozen=True, slots=True)
class SetOperation:
    """A union, intersection or difference of sets."""

    operator: OneOf["union", "intersection", "difference"]
    parts: tuple[Tree, ...]


@dataclass(frozen=True, slots=True)
class SetBuilder:
    r"""``\{element \mid condition\}``."""

    element: Tree
    condition: Tree


@dataclass(frozen=True, slots=True)
class Relation:
    r"""A chain ``sides[0] operators[0] sides[1] …``: operators are "=", "!=", "<", "<=", ">", ">=", "~", "in"."""

    sides: tuple[Tree, ...]
    operators: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Congruence:
    r"""``left \equiv right \pmod{modulus}``."""

    left: Tree
    right: Tree
    modulus: Tree


@dataclass(frozen=True, slots=True)
class Cases:
    """A piecewise value: pairs of a value and its condition (None: otherwise)."""

    branches: tuple[tuple[Tree, Tree | None], ...]


Tree: TypeAlias = (
    Literal
    | Numeral
    | Constant
    | Symbol
    | Add
    | Multiply
    | Negate
    | Divide
    | Power
    | Root
    | PlusMinus
    | Apply
    | Call
    | Big
    | Quantity
    | Words
    | Group
    | Matrix
    | NumberSet
    | SetOperation
    | SetBuilder
    | Relation
    | Congruence
    | Cases
)
