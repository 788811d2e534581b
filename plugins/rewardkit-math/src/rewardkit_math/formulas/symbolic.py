r"""The last stage: sympy on what evaluation leaves undecided. To be run in a killable worker only.

sympy may take for ever on a short text, so none of this is called in the process that trains. Its parser, which
evaluates text, is never used: its objects are built from our tree. It settles sums, products, integrals and limits
that have a closed form, and expressions whose difference it simplifies to zero.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rewardkit_math.formulas import tree as t
from rewardkit_math.formulas.walk import walk

if TYPE_CHECKING:
    import sympy

__all__ = ["can_settle", "prove"]

_SCALARS = (
    t.Literal, t.Numeral, t.Constant, t.Symbol, t.Add, t.Multiply, t.Negate, t.Divide, t.Power, t.Root, t.Apply,
    t.Call, t.Big,
)  # fmt: skip
_NAMES = {
    "abs": "Abs", "arccos": "acos", "arccosh": "acosh", "arccot": "acot", "arccsc": "acsc", "arcsec": "asec",
    "arcsin": "asin", "arcsinh": "asinh", "arctan": "atan", "arctanh": "atanh", "arg": "arg", "binomial": "binomial",
    "cbrt": "cbrt", "ceil": "ceiling", "conjugate": "conjugate", "cos": "cos", "cosh": "cosh", "cot": "cot",
    "coth": "coth", "csc": "csc", "csch": "csch", "exp": "exp", "factorial": "factorial", "floor": "floor",
    "gcd": "gcd", "im": "im", "lcm": "lcm", "ln": "log", "log": "log", "max": "Max", "min": "Min", "re": "re",
    "sec": "sec", "sech": "sech", "sign": "sign", "sin": "sin", "sinh": "sinh", "tan": "tan", "tanh": "tanh",
}  # fmt: skip
_DIGITS = 60
_AGREE = 40  # digits


def can_settle(a: t.Tree, b: t.Tree) -> bool:
    """Tell whether sympy is worth asking: both sides are expressions that it knows, not sets, relations or words."""
    return all(_known(node) for side in (a, b) for node in walk(side))


def _known(node: t.Tree) -> bool:
    return isinstance(node, _SCALARS) and (not isinstance(node, t.Apply) or node.function in _NAMES)


def prove(task: Any) -> list[Any]:
    """Compare two expressions; the task of a worker.

    Args:
        task: Two texts that parse; or one, to find out whether sympy can handle that one at all.

    Returns:
        Whether they are equal (None: undecided), and the reason.
    """
    import sympy

    from rewardkit_math.formulas.parser import parse

    built = [_build(parse(text)) for text in task]
    difference = sympy.simplify((built[0] - sum(built[1:])).doit())
    if difference == 0:
        return [True, "sympy simplifies the difference to 0"]
    if difference.free_symbols or not difference.is_number:
        return [None, "not settled: sympy finds no way to compare them"]
    return _by_value(*(side.doit() for side in built))


def _by_value(*sides: sympy.Expr) -> list[Any]:
    values = [side.evalf(_DIGITS) for side in sides]
    if not all(value.is_number and value.is_finite and value.is_comparable for value in values):
        return [None, "not settled: sympy finds no value"]
    scale = max(abs(value) for value in values)
    if abs(values[0] - values[-1]) > scale / 10**_AGREE:
        return [False, "the values that sympy finds differ"]
    return [None, f"not settled: the values agree to {_AGREE} digits, and sympy finds no proof"]


def _build(tree: Any) -> sympy.Expr:
    """Return the sympy object of an expression; named variables are real."""
    import sympy as s

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
            return getattr(s, _NAMES[function])(*map(_build, arguments))
        case t.Call(name=name, arguments=arguments):
            return s.Function(name)(*map(_build, arguments))
        case t.Big():
            return _big(tree)
    raise TypeError(f"{type(tree).__name__} is no expression that sympy is asked about")


def _root(radicand: sympy.Expr, degree: sympy.Expr) -> sympy.Expr:
    import sympy as s

    return s.real_root(radicand, degree) if degree.is_odd and radicand.is_negative else s.root(radicand, degree)


def _big(tree: t.Big) -> sympy.Expr:
    import sympy as s

    body, variable = _build(tree.body), s.Symbol(tree.variable, real=True)
    if tree.operator == "limit":
        return s.Limit(body, variable, _build(tree.lower), tree.side or "+-")
    kind = {"sum": s.Sum, "product": s.Product, "integral": s.Integral}[tree.operator]
    if tree.lower is None or tree.upper is None:
        raise TypeError(f"the {tree.operator} has no bounds")
    return kind(body, (variable, _build(tree.lower), _build(tree.upper)))
