"""Trees merged into one graph of shared operations.

What is written the same way, up to the order of terms and factors, nesting of sums and products, and exact
arithmetic within `exact.MAX_BITS`, is one node. Arguments stand before what uses them, so evaluation is a loop.
"""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction
from typing import NamedTuple, TypeAlias

from rewardkit_math.formulas.session import OutOfWorkError
from rewardkit_math.formulas.tree import (
    Add,
    Apply,
    Big,
    Call,
    Constant,
    Divide,
    Group,
    Literal,
    Multiply,
    Negate,
    Numeral,
    Power,
    Quantity,
    Relation,
    Root,
    SetBuilder,
    SetOperation,
    Symbol,
    Tree,
)
from rewardkit_math.formulas.values import exact
from rewardkit_math.formulas.walk import children

__all__ = ["FOREIGN", "MAX_NODES", "MAX_TERMS", "Graph", "Node"]

MAX_NODES = 10_000
_MAX_STEPS = 20_000  # terms and factors, counted again on every level, and more for large numbers
MAX_TERMS = 1_000
"""Most terms of a finite sum or product that are written out."""
FOREIGN = "foreign"
"""Kind of a node that is not evaluated: only the same node is known to be equal."""

_TRIGONOMETRIC = frozenset({"sin", "cos", "tan", "cot", "sec", "csc"})
_QUOTIENTS = {
    "tan": ("sin", "cos"), "cot": ("cos", "sin"), "sec": ("", "cos"), "csc": ("", "sin"),
    "tanh": ("sinh", "cosh"), "coth": ("cosh", "sinh"), "sech": ("", "cosh"), "csch": ("", "sinh"),
}  # fmt: skip
_INVERSES = {"arcsec": "arccos", "arccsc": "arcsin"}
_ZERO, _ONE = Fraction(0), Fraction(1)
_Scope: TypeAlias = dict[str, int]


class Node(NamedTuple):
    """One operation: its kind, what tells it from others of that kind, and the nodes it works on."""

    kind: str
    label: Fraction | str
    arguments: tuple[int, ...] = ()


class Graph:
    """Nodes without repetition.

    Args:
        decimal_log: Read ``log`` without a base as base 10 instead of natural.

    Example:
        >>> x, graph = Symbol("x"), Graph()
        >>> graph.add(Add((x, Literal(Fraction(2)), Literal(Fraction(3))))) == graph.add(Add((Literal(Fraction(5)), x)))
        True
    """

    def __init__(self, decimal_log: bool = False) -> None:
        self.nodes: list[Node] = []
        self.steps = 0
        self._decimal_log = decimal_log
        self._index: dict[Node, int] = {}

    def add(self, tree: Tree, scope: _Scope | None = None) -> int:
        """Return the node of a tree; ``scope`` gives symbols that stand for other nodes.

        Raises:
            OutOfWorkError: The graph would have more than `MAX_NODES` nodes, or too many terms in nested sums.
        """
        scope = scope or {}
        if isinstance(tree, Literal):
            return self.number(tree.value)
        if isinstance(tree, Numeral):
            return self.number(Fraction(int(tree.digits, tree.base)))
        if isinstance(tree, Symbol):
            return scope[tree.name] if tree.name in scope else self._node("symbol", tree.name)
        if isinstance(tree, Constant):
            return self._node("constant", tree.name)
        if isinstance(tree, Apply):
            return self._apply(tree, scope)
        if isinstance(tree, Big):
            return self._big(tree, scope)
        if isinstance(tree, SetBuilder) and isinstance(tree.element, Symbol):
            scope = {**scope, tree.element.name: self._bound(scope)}
        return self._combine(tree, [self.add(child, scope) for child in children(tree)])

    def number(self, value: Fraction) -> int:
        """Return the node of an exact number."""
        return self._node("number", value)

    def value(self, node: int) -> Fraction | None:
        """Return the exact number that a node is, if it is one."""
        kind, label, _ = self.nodes[node]
        return label if kind == "number" and isinstance(label, Fraction) else None

    def reachable(self, roots: Iterable[int]) -> list[int]:
        """Return the nodes that the roots depend on, arguments before what uses them."""
        seen: set[int] = set()
        pending = list(roots)
        while pending:
            node = pending.pop()
            if node not in seen:
                seen.add(node)
                pending.extend(self.nodes[node].arguments)
        return sorted(seen)

    def _node(self, kind: str, label: Fraction | str, arguments: tuple[int, ...] = ()) -> int:
        node = Node(kind, label, arguments)
        found = self._index.get(node)
        if found is None:
            if len(self.nodes) >= MAX_NODES:
                raise OutOfWorkError
            found = self._index[node] = len(self.nodes)
            self.nodes.append(node)
        return found

    def _combine(self, tree: Tree, parts: list[int]) -> int:
        if isinstance(tree, Add):
            return self.sum(parts)
        if isinstance(tree, Multiply):
            return self.product(parts)
        if isinstance(tree, Negate):
            return self.product([self.number(-_ONE), *parts])
        if isinstance(tree, Divide):
            return self.product([parts[0], self.power(parts[1], self.number(-_ONE))])
        if isinstance(tree, Power):
            return self.power(parts[0], parts[1])
        if isinstance(tree, Root):
            return self.root(parts[0], parts[1])
        if isinstance(tree, Call):
            return self._node("call", tree.name, tuple(parts))
        if isinstance(tree, Quantity) and tree.unit == "%":
            return self.product([self.number(Fraction(1, 100)), *parts])
        return self._foreign(tree, parts)

    def sum(self, parts: list[int]) -> int:
        """Return the node of a sum; exact numbers in it are added."""
        total, others = self._folded("add", parts, _ZERO)
        if total or not others:
            others.append(self.number(total))
        return others[0] if len(others) == 1 else self._node("add", "", tuple(sorted(others)))

    def product(self, parts: list[int]) -> int:
        """Return the node of a product; exact numbers in it are multiplied."""
        total, others = self._folded("multiply", parts, _ONE)
        if total != 1 or not others:
            others.append(self.number(total))
        return others[0] if len(others) == 1 else self._node("multiply", "", tuple(sorted(others)))

    def _folded(self, kind: str, parts: list[int], start: Fraction) -> tuple[Fraction, list[int]]:
        """Flatten nested sums or products, and fold the exact numbers that fit."""
        flat = [x for part in parts for x in (self.nodes[part].arguments if self.nodes[part].kind == kind else (part,))]
        others: list[int] = []
        self.steps += len(flat)
        if self.steps > _MAX_STEPS:
            raise OutOfWorkError
        for part in flat:
            self.steps += (exact.bits(start) // 800) ** 2
            value = self.value(part)
            if value is None or exact.bits(value) + exact.bits(start) > exact.MAX_BITS:
                others.append(part)
            else:
                start = start + value if kind == "add" else start * value
        return start, others

    def power(self, base: int, exponent: int) -> int:
        """Return the node of a power, computed where it is an exact number."""
        b, e = self.value(base), self.value(exponent)
        if e is None:
            return self._node("power", "", (base, exponent))
        if e == 1:
            return base
        if b is not None and (folded := exact.power(b, e)) is not None:
            return self.number(folded)
        inner = self.nodes[base]
        if inner.kind == "power" and e.denominator == 1:
            first = self.value(inner.arguments[1])
            if first is not None and first.denominator == 1 and exact.bits(first) + exact.bits(e) < exact.MAX_BITS:
                return self.power(inner.arguments[0], self.number(first * e))
        return self._node("power", "", (base, exponent))

    def root(self, radicand: int, degree: int) -> int:
        """Return the node of a root, computed where it is an exact number."""
        x, n = self.value(radicand), self.value(degree)
        if n is None or n.denominator > 1 or n < 1:
            return self.power(radicand, self.power(degree, self.number(-_ONE)))
        folded = exact.root(x, n.numerator) if x is not None else None
        return self._node("root", "", (radicand, degree)) if folded is None else self.number(folded)

    def _apply(self, tree: Apply, scope: _Scope) -> int:
        name, arguments = tree.function, tree.arguments
        if name in _TRIGONOMETRIC:
            arguments = tuple(_in_radians(argument) for argument in arguments)
        return self.function(name, [self.add(argument, scope) for argument in arguments])

    def function(self, name: str, parts: list[int]) -> int:
        """Return the node of a known function, in terms of as few functions as possible."""
        values = [value for part in parts if (value := self.value(part)) is not None]
        folded = exact.function(name, values) if len(values) == len(parts) else None
        if folded is not None:
            return self.number(folded)
        if len(parts) == 1:
            return self._of_one(name, parts[0])
        if name == "log" and len(parts) == 2:
            return self._quotient(self.function("ln", parts[:1]), self.function("ln", parts[1:]))
        return self._node("apply", name, tuple(sorted(parts) if name in ("max", "min", "gcd", "lcm") else parts))

    def _of_one(self, name: str, part: int) -> int:
        if name in _QUOTIENTS:
            top, bottom = _QUOTIENTS[name]
            above = self.function(top, [part]) if top else self.number(_ONE)
            return self._quotient(above, self.function(bottom, [part]))
        if name in _INVERSES:
            return self.function(_INVERSES[name], [self.power(part, self.number(-_ONE))])
        if name == "exp":
            return self.power(self._node("constant", "e"), part)
        if name in ("sqrt", "cbrt"):
            return self.root(part, self.number(Fraction(2 if name == "sqrt" else 3)))
        if name in ("log", "lg", "ln"):
            return self._logarithm(name, part)
        return self._node("apply", name, (part,))

    def _logarithm(self, name: str, part: int) -> int:
        if name == "lg" or (name == "log" and self._decimal_log):
            return self._quotient(self.function("ln", [part]), self.function("ln", [self.number(Fraction(10))]))
        if self.nodes[part] == Node("constant", "e"):
            return self.number(_ONE)
        return self.number(_ZERO) if self.value(part) == 1 else self._node("apply", "ln", (part,))

    def _quotient(self, top: int, bottom: int) -> int:
        return self.product([top, self.power(bottom, self.number(-_ONE))])

    def _bound(self, scope: _Scope) -> int:
        """Return the node of a bound variable: its name says nothing, only how deep it is bound."""
        return self._node("symbol", f" {len(scope)}")

    def _big(self, tree: Big, scope: _Scope) -> int:
        bounds = [self.add(bound, scope) for bound in (tree.lower, tree.upper) if bound is not None]
        ends = [self.value(bound) for bound in bounds]
        if tree.operator in ("sum", "product") and len(ends) == 2 and None not in ends:
            first, last = (end for end in ends if end is not None)
            if first.denominator == last.denominator == 1 and last - first < MAX_TERMS:
                terms = [
                    self.add(tree.body, {**scope, tree.variable: self.number(Fraction(k))})
                    for k in range(first.numerator, last.numerator + 1)
                ]
                return self.sum(terms) if tree.operator == "sum" else self.product(terms)
        body = self.add(tree.body, {**scope, tree.variable: self._bound(scope)})
        return self._node(FOREIGN, f"{tree.operator} {tree.side} {tree.lower is None}", (body, *bounds))

    def _foreign(self, tree: Tree, parts: list[int]) -> int:
        """Return the node of what is not evaluated; order counts only where it says something."""
        unordered = (
            (isinstance(tree, Group) and tree.brackets in ("", "{}"))
            or (isinstance(tree, SetOperation) and tree.operator != "difference")
            or (isinstance(tree, Relation) and set(tree.operators) <= {"=", "!="} and len(tree.sides) == 2)
        )
        words = [name for field in tree.__slots__ for name in _words(getattr(tree, field))]
        label = " ".join([type(tree).__name__, *words])
        return self._node(FOREIGN, label, tuple(sorted(parts) if unordered else parts))


def _words(value: object) -> list[str]:
    """Return the text in a field; where a tree may be missing, that it is."""
    if isinstance(value, tuple):
        shape = [f"[{len(value)}"] if value and isinstance(value[0], tuple) else []
        return shape + [word for item in value for word in _words(item)]
    return [str(value)] if value is None or isinstance(value, str | bool) else []


def _in_radians(tree: Tree) -> Tree:
    r"""Return the argument of a trigonometric function with degrees written out: 90° is ``90 · \pi / 180``."""
    if isinstance(tree, Quantity) and tree.unit in ("°", "rad"):
        if tree.unit == "rad":
            return tree.value
        return Multiply((tree.value, Constant("pi"), Literal(Fraction(1, 180))))
    if isinstance(tree, Add | Negate | Multiply | Divide):
        parts = tuple(_in_radians(part) for part in children(tree))
        return type(tree)(parts) if isinstance(tree, Add | Multiply) else type(tree)(*parts)
    return tree
