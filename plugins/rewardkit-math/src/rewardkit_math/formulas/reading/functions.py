r"""Functions and operators with their arguments.

Without brackets a function takes the factors that follow by juxtaposition, up to a sign, a ``\cdot``, a bracket,
another function, or a power of e: ``\sin 2x`` and ``\sin x \cos x``, but ``\sin x (y+1)`` is a product; only
``\sin 2(x+1)`` takes the bracket with the number. With brackets it takes only these: ``\sin(x)y`` is a product.
``\sin^2 x`` is the square of the sine, ``\sin^{-1} x`` the arcsine. ``\sin \pi/4`` is the sine of the quotient,
``\ln 2 / 2`` with a space before the slash half of the logarithm; any other slash after such an argument is refused.

``f(x)`` is a call where the letter is one of f, g, h, F, G, H, P, Q, zeta, phi, psi and never stands without a bracket,
where several arguments follow an upper-case letter, and where ``y(t) =`` starts a definition; else a bracket after a
letter is a factor. ``C(n, k)`` is a binomial coefficient.

``\sum``, ``\prod`` and ``\lim`` reach to the end of the term, an integral to its differential.
"""

from __future__ import annotations

import re
from fractions import Fraction

from rewardkit_math.formulas.reading.cursor import Grammar
from rewardkit_math.formulas.reading.vocabulary import INVERTIBLE, SEVERAL_ARGUMENTS
from rewardkit_math.formulas.tree import (
    Apply,
    Big,
    Call,
    Constant,
    Divide,
    Literal,
    Multiply,
    Negate,
    Power,
    Quantity,
    Root,
    Tree,
)

__all__ = ["Functions"]

_OPENING = frozenset({"(", "[", "{", "\\{", "|", "|("})
_OPEN, _CLOSE = frozenset({"(", "[", "{", "\\{"}), frozenset({")", "]", "}", "\\}"})
_TRIGONOMETRIC = frozenset({"sin", "cos", "tan", "cot", "sec", "csc"})
_CALLED = frozenset("fghFGHPQ") | {"\\Gamma", "\\zeta", "\\phi", "\\Phi", "\\psi", "\\Psi"}
_DEFINITION = re.compile(r"\( (?:\\?[A-Za-z]+|[0-9])(?: , \\?[A-Za-z]+)* \) =")
_INVERSE = re.compile(r"\^ (?:\{ - 1 \}|- 1) \(")
_POWER_BEFORE_BRACKET = re.compile(r"\^ (?:\{ \S+ \}|[^\s{]+) \(")
_ANGLES = {"degree": "°", "degrees": "°", "radians": "rad", "rad": "rad"}
_OPERATORS = {"\\sum": "sum", "\\prod": "product", "\\int": "integral", "\\lim": "limit"}


class Functions(Grammar):
    """Functions, calls, sums, products, integrals and limits."""

    def function(self) -> Tree:
        """Read a known function with its arguments."""
        name = self.step()
        base = self._log_base() if name == "log" else None
        power: Tree | None = None
        if self.accept("^"):
            power = self.nested(self.exponent)
            base = base or (self._log_base() if name == "log" else None)
        arguments = self._bracketed(name) if self.text in _OPENING else (self._juxtaposed(name),)
        if base is not None:
            arguments = (*arguments, base)
        return self._applied(name, arguments, power)

    def _log_base(self) -> Tree | None:
        r"""Read the base of ``\log_2 8``, ``\log_{10} x``, ``log10(x)``."""
        if self.kind == "number" and not self.spaced() and self.peek()[1] == "(":
            return self.operand()
        if not self.accept("_"):
            return None
        if self.kind == "number" and not self._starts_argument_at(1):
            return self.argument()
        return self.braces() if self.text == "{" else self.nested(self.operand)

    def _starts_argument_at(self, ahead: int) -> bool:
        kind, text = self.peek(ahead)[:2]
        return kind in ("number", "name", "constant", "function") or text in _OPENING | {"\\frac", "\\sqrt", "^"}

    def _bracketed(self, name: str) -> tuple[Tree, ...]:
        if self.text == "(" or (self.text == "\\{" and name in ("max", "min")):
            return self.arguments()
        return (self.nested(self.operand),)

    def _juxtaposed(self, name: str) -> Tree:
        """Read an argument without brackets."""
        if self.kind == "function":
            return self.nested(self.function)
        is_negative = self.accept("-")
        factors = [self.power()]
        while self.starts_operand() and self._continues(name, factors):
            factors.append(self.power())
        argument = factors[0] if len(factors) == 1 else Multiply(tuple(factors))
        if self.kind in ("text", "prose") and self.text in _ANGLES:
            argument = Quantity(argument, _ANGLES[self.step()])
        if self.text == "/" and self.kind == "mark":
            argument = self._divided(name, argument)
        return Negate(argument) if is_negative else argument

    def _continues(self, name: str, factors: list[Tree]) -> bool:
        if self.text in _OPENING - {"{"}:
            if len(factors) > 1 or not isinstance(factors[0], Literal):
                return False
            return name in _TRIGONOMETRIC or self.refuse(f"unclear how far {name} reaches")
        is_power_of_e = self.text == "e" and self.peek()[1] == "^"
        return self.kind not in ("function", "begin", "set", "number") and not is_power_of_e

    def _divided(self, name: str, argument: Tree) -> Tree:
        factors = argument.factors if isinstance(argument, Multiply) else (argument,)
        if name in _TRIGONOMETRIC and Constant("pi") in factors and self.peek()[0] == "number":
            self.step()
            return Divide(argument, self.digits())
        if len(factors) > 1 or not self.spaced():
            self.refuse("unclear what the slash divides")
        return argument

    def _applied(self, name: str, arguments: tuple[Tree, ...], power: Tree | None) -> Tree:
        if not 1 <= len(arguments) <= SEVERAL_ARGUMENTS.get(name, 1) or (name == "binomial" and len(arguments) < 2):
            self.refuse(f"{name} of {len(arguments)} arguments")
        if power == Negate(Literal(Fraction(1))) and name in INVERTIBLE:
            return Apply(f"arc{name}", arguments)
        tree = self._known(name, arguments)
        return tree if power is None else Power(tree, power)

    def _known(self, name: str, arguments: tuple[Tree, ...]) -> Tree:
        if name == "lg":
            return Apply("log", (*arguments, Literal(Fraction(10), "10")))
        if name == "cbrt":
            return Root(arguments[0], Literal(Fraction(3), "3"))
        if name == "Matrix":
            return self.as_matrix(arguments[0]) or self.refuse("Matrix without rows")
        return Apply(name, arguments)

    def call(self, letter: str, name: str, start: int) -> Tree | None:
        """Read the arguments of a function that the text only names; None if it names none."""
        if self.kind != "mark" or self.text not in ("(", "^", "{"):
            return None
        is_called = letter in _CALLED and letter not in self.alone
        if self.text == "{":
            return self._braced_call(name) if is_called and self.peek()[1] == "(" else None
        if self.text == "^":
            return self._power_of_call(name) if is_called else None
        if not is_called and not self._is_definition(start) and not (letter.isupper() and self._has_comma()):
            return None
        arguments = self.arguments()
        if name == "C" and len(arguments) == 2:
            return Apply("binomial", arguments)
        return Apply("gamma", arguments) if name == "\\Gamma" and len(arguments) == 1 else Call(name, arguments)

    def _braced_call(self, name: str) -> Tree:
        r"""Read ``f{\left(x \right)}``, as sympy prints it."""
        self.step()
        arguments = self.arguments()
        self.expect("}")
        return Call(name, arguments)

    def _power_of_call(self, name: str) -> Tree | None:
        ahead = " ".join(token[1] for token in self.tokens[self.at : self.at + 6])
        if _INVERSE.match(ahead):
            while self.text != "(":
                self.step()
            return Call(f"{name}^{{-1}}", self.arguments())
        if name[0] in "fgFG" and _POWER_BEFORE_BRACKET.match(ahead):
            self.refuse("unclear whether this is a power of a function")
        return None

    def _is_definition(self, start: int) -> bool:
        before = self.tokens[start - 1] if start else ("stop", "", 0, False)
        ahead = " ".join(token[1] for token in self.tokens[self.at : self.at + 10])
        return (before[0] in ("stop", "join") or before[1] in (",", ";", "\\\\")) and bool(_DEFINITION.match(ahead))

    def _has_comma(self) -> bool:
        """Tell whether a comma stands directly in the bracket that opens here."""
        depth = 0
        for kind, text, *_ in self.tokens[self.at :]:
            if kind == "mark":
                depth += (text in _OPEN) - (text in _CLOSE)
                if depth == 0 or (depth == 1 and text == ","):
                    return depth == 1
        return False

    def big(self) -> Tree:
        """Read a sum, product, integral or limit over a variable."""
        operator = _OPERATORS[self.step()]
        if operator == "integral":
            return self._integral()
        if operator == "limit":
            return self._limit()
        self.expect("_")
        self.expect("{")
        variable = self._variable()
        self.expect("=")
        lower = self.nested(self.sum)
        self.expect("}")
        self.expect("^")
        upper = self._bound()
        body = self._body(variable)
        return Big("sum" if operator == "sum" else "product", body, variable, lower, upper)

    def _variable(self) -> str:
        if self.kind != "name":
            self.refuse(f"expected a variable before {self.shown()}")
        return self.step()

    def _body(self, variable: str) -> Tree:
        self.bound.append(variable)
        body = self.nested(self.term)
        self.bound.pop()
        return body

    def _bound(self) -> Tree:
        if self.text == "{":
            return self.braces()
        if self.accept("-"):
            return Negate(self.nested(self.operand))
        return self.digits() if self.kind == "number" else self.nested(self.operand)

    def _limit(self) -> Tree:
        self.expect("_")
        self.expect("{")
        variable = self._variable()
        self.expect("\\to")
        target, side = self.nested(self.sum), ""
        if self.accept("^"):
            is_braced = self.accept("{")
            side = self.step()
            if is_braced:
                self.expect("}")
        self.expect("}")
        return Big("limit", self._body(variable), variable, target, None, side)

    def _integral(self) -> Tree:
        bounds: dict[str, Tree] = {}
        while self.text in ("_", "^") and self.text not in bounds:
            mark = self.step()
            bounds[mark] = self._bound()
        if len(bounds) == 1:
            self.refuse("an integral with one bound")
        self.integrals += 1
        body = Literal(Fraction(1), "1") if self.is_differential() else self.nested(self.sum)
        self.integrals -= 1
        if not self.is_differential():
            self.refuse("an integral without its differential")
        variable = self.step()
        variable = self.step() if variable == "d" else variable[1:]
        return Big("integral", body, variable, bounds.get("_"), bounds.get("^"))
