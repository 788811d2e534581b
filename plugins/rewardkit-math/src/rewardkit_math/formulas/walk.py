"""Walk through trees, measure them, rebuild them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from fractions import Fraction
from hashlib import blake2b
from operator import attrgetter
from typing import Any, get_args

from rewardkit_math.formulas.tree import (
    Add,
    Apply,
    Call,
    Constant,
    Divide,
    Literal,
    Multiply,
    Negate,
    Power,
    Root,
    Symbol,
    Tree,
)

__all__ = [
    "MAX_DEPTH",
    "MAX_SIZE",
    "children",
    "fingerprint",
    "free_symbols",
    "rebuilt",
    "substituted",
    "too_large",
    "walk",
]

MAX_DEPTH = 60
"""Deepest tree that is compared: recursion over a tree never goes deeper."""
MAX_SIZE = 2_000
"""Most nodes of a tree that is compared."""

_TREES = get_args(Tree)
_READERS: dict[type, Callable[[Any], tuple[Tree, ...]]] = {
    Literal: lambda tree: (),
    Symbol: lambda tree: (),
    Constant: lambda tree: (),
    Negate: lambda tree: (tree.term,),
    Add: attrgetter("terms"),
    Multiply: attrgetter("factors"),
    Divide: attrgetter("top", "bottom"),
    Power: attrgetter("base", "exponent"),
    Root: attrgetter("radicand", "degree"),
    Apply: attrgetter("arguments"),
    Call: attrgetter("arguments"),
}
_PLAIN = frozenset({Add, Multiply, Negate, Divide, Power, Root})


def children(tree: Tree) -> tuple[Tree, ...]:
    """Return the trees directly below, in the order of the fields."""
    reader = _READERS.get(type(tree))
    if reader:
        return reader(tree)
    return tuple(child for name in tree.__slots__ for child in _held(getattr(tree, name)))


def _held(value: Any) -> Iterator[Tree]:
    if isinstance(value, tuple):
        for item in value:
            yield from _held(item)
    elif isinstance(value, _TREES):
        yield value


def walk(tree: Tree) -> Iterator[Tree]:
    """Yield the tree and all below it, without recursion.

    >>> from rewardkit_math.formulas.tree import Negate
    >>> [type(node).__name__ for node in walk(Negate(Symbol("x")))]
    ['Negate', 'Symbol']
    """
    pending = [tree]
    while pending:
        node = pending.pop()
        yield node
        pending.extend(children(node))


def too_large(tree: Tree) -> bool:
    """Tell whether a tree is deeper than `MAX_DEPTH` or has more than `MAX_SIZE` nodes."""
    level, size = [tree], 0
    for _ in range(MAX_DEPTH):
        size += len(level)
        if not level or size > MAX_SIZE:
            break
        level = [child for node in level for child in children(node)]
    return bool(level) or size > MAX_SIZE


def free_symbols(tree: Tree) -> set[str]:
    """Return the names of all symbols, those that a sum or integral binds included.

    >>> from rewardkit_math.formulas.tree import Add
    >>> sorted(free_symbols(Add((Symbol("x"), Symbol("y"), Symbol("x")))))
    ['x', 'y']
    """
    return {node.name for node in walk(tree) if isinstance(node, Symbol)}


def rebuilt(tree: Tree, change: Callable[[Tree], Tree]) -> Tree:
    """Return the tree with every tree directly below replaced by ``change`` of it."""
    return type(tree)(*(_changed(getattr(tree, name), change) for name in tree.__slots__))


def _changed(value: Any, change: Callable[[Tree], Tree]) -> Any:
    if isinstance(value, tuple):
        return tuple(_changed(item, change) for item in value)
    return change(value) if isinstance(value, _TREES) else value


def substituted(tree: Tree, values: dict[str, Tree]) -> Tree:
    """Return the tree with symbols replaced.

    >>> substituted(Symbol("x"), {"x": Symbol("y")})
    Symbol(name='y')
    """
    if isinstance(tree, Symbol):
        return values.get(tree.name, tree)
    return rebuilt(tree, lambda child: substituted(child, values))


def fingerprint(tree: Tree) -> bytes:
    """Return a digest of what the tree says, the same on every machine."""
    text = "".join(map(_label, walk(tree)))
    return blake2b(text.encode(errors="surrogatepass"), digest_size=16).digest()


def _label(node: Tree) -> str:
    """Return what a node says without what is below it; with the number of those, the labels in order say all."""
    if isinstance(node, Literal):
        return _scalar(node.value)
    kind = f"{type(node).__name__}{len(children(node))}("
    return kind if type(node) in _PLAIN else kind + _scalar(tuple(getattr(node, name) for name in node.__slots__))


def _scalar(value: Any) -> str:
    if isinstance(value, Fraction):
        return f"{value.numerator:x}/{value.denominator:x};"
    if isinstance(value, tuple):
        return "".join(map(_scalar, value)) + ","
    return "" if isinstance(value, _TREES) else f"{value};"
