"""What runs in the worker: sympy on what evaluation leaves undecided.

Only workers import this module. sympy's parser, which evaluates text, is never used: its objects are built from our
tree.
"""

from __future__ import annotations

from typing import Any

import sympy as s

from rewardkit_math.formulas import tree as t
from rewardkit_math.formulas.reading.parser import parse
from rewardkit_math.symbolic import FUNCTIONS

__all__ = ["prove"]

_DIGITS = 60
_AGREE = 40  # digits


def prove(task: Any) -> list[Any]:
    """Compare two expressions; the task of a worker.

    Args:
        task: Two texts that parse; or one, to find out whether sympy can handle that one at all.

    Returns:
        Whether they are equal (None: undecided), and the reason.
    """
    built = [_build(parse(text)) for text in task]
    difference = s.simplify((built[0] - sum(built[1:])).doit())
    if difference == 0:
        return [True, "sympy simplifies the difference to 0"]
    if difference.free_symbols or not difference.is_number:
        return [None, "not settled: sympy finds no way to compare them"]
    return _by_value(*(side.doit() for side in built))


def _by_value(*sides: s.Expr) -> list[Any]:
    values = [side.evalf(_DIGITS) for side in sides]
    if not all(value.is_number and value.is_finite and value.is_comparable for value in values):
        return [None, "not settled: sympy finds no value"]
    scale = max(abs(value) for value in values)
    if abs(values[0] - values[-1]) > scale / 10**_AGREE:
        return [False, "the values that sympy finds differ"]
    return [None, f"not settled: the values agree to {_AGREE} digits, and sympy finds no proof"]


def _build(tree: Any) -> s.Expr:
    """Return the sympy object of an expression; named variables are real."""
    match tree:
        case t.Literal(value=value):
            return s.Rational(value.numerator, value.denominator)
        case t.Numeral(digits=digits, base=base):
            return s.Integer(int(digits, base))
        case t.Constant(name=name):
            return {"pi": s.pi, "e": s.E, "i": s.I, "infinity": s.oo}[name]
        case t.Symbol(name=name):
            return s.Symbol(name, real=True)
        case t.Add(terms=terms):
            return s.Add(*map(_build, terms))
        case t.Multiply(factors=factors):
            return s.Mul(*map(_build, factors))
        case t.Negate(term=term):
            return -_build(term)
        case t.Divide(top=top, bottom=bottom):
            return _build(top) / _build(bottom)
        case t.Power(base=base, exponent=exponent):
            return _build(base) ** _build(exponent)
        case t.Root(radicand=radicand, degree=degree):
            return _root(_build(radicand), _build(degree))
        case t.Apply(function=function, arguments=arguments):
            return getattr(s, FUNCTIONS[function])(*map(_build, arguments))
        case t.Call(name=name, arguments=arguments):
            return s.Function(name)(*map(_build, arguments))
        case t.Big():
            return _big(tree)
    raise TypeError(f"{type(tree).__name__} is no expression that sympy is asked about")


def _root(radicand: s.Expr, degree: s.Expr) -> s.Expr:
    return s.real_root(radicand, degree) if degree.is_odd and radicand.is_negative else s.root(radicand, degree)


def _big(tree: t.Big) -> s.Expr:
    body, variable = _build(tree.body), s.Symbol(tree.variable, real=True)
    if tree.operator == "limit":
        return s.Limit(body, variable, _build(tree.lower), tree.side or "+-")
    kind = {"sum": s.Sum, "product": s.Product, "integral": s.Integral}[tree.operator]
    if tree.lower is None or tree.upper is None:
        raise TypeError(f"the {tree.operator} has no bounds")
    return kind(body, (variable, _build(tree.lower), _build(tree.upper)))


# Workers are forked once this is imported: what sympy loads and caches on first use is then theirs from the start.
prove([r"\sum_{n=1}^{\infty} \frac{1}{n^2}", r"\frac{\pi^2}{6}"])
prove([r"\int_0^1 \frac{x}{x^2+1} dx", r"x \ln 2"])
