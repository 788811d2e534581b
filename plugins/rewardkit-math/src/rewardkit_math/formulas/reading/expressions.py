r"""Sums, products, powers and units: the grammar with operator precedence.

From loose to tight: ``+ - \pm``; ``* / \cdot`` and juxtaposition, from the left; signs; ``^`` from the right; ``!``,
``%``, degrees. A slash between two numbers is a fraction, so ``1/2x`` and ``1/2(x+1)`` have the factor one half;
``a/bc`` and ``x/2y``, which people read both ways, are refused, while ``a/(b)c`` is a fraction times c.
"""

from __future__ import annotations

from fractions import Fraction

from rewardkit_math.forms.units import CURRENCY, read_unit, short_unit
from rewardkit_math.formulas.reading.cursor import Grammar
from rewardkit_math.formulas.reading.phrases import OPENERS, member_end
from rewardkit_math.formulas.reading.vocabulary import SCALES
from rewardkit_math.formulas.tree import (
    Add,
    Apply,
    Divide,
    Group,
    Literal,
    Multiply,
    Negate,
    PlusMinus,
    Power,
    Quantity,
    SetOperation,
    Tree,
)

__all__ = ["Expressions"]

_SIGNS = frozenset("+-±∓")
_PERCENT = frozenset({"percent", "percentage", "pct"})
_DEGREES = frozenset({"°", "\\circ"})
_FACTORIALS = frozenset({"factorial", "double_factorial"})
_POSTFIX_UNITS = frozenset({"%", "°"})


class Expressions(Grammar):
    """Sums, products and powers."""

    def sum(self) -> Tree:
        """Read terms with + and - between them."""
        terms: list[Tree] = []
        if self.text not in _SIGNS or self.kind != "mark":
            terms.append(self.term())
        while self.text in _SIGNS and self.kind == "mark":
            sign = self.step()
            is_negative = self.text == "-" and sign == "+" and self.accept("-")
            if self.text in _SIGNS:
                self.refuse("signs in a row")
            term = self.term()
            if sign in "±∓":
                terms = [PlusMinus(_added(terms) if terms else None, term, sign == "∓")]
            elif sign == "-" and terms and isinstance(term, Group) and term.brackets == "{}":
                terms = [SetOperation("difference", (_added(terms), term))]
            else:
                terms.append(Negate(term) if sign == "-" or is_negative else term)
        return terms[0] if len(terms) == 1 else _with_common_unit(terms)

    def term(self) -> Tree:
        """Read factors with * and / or nothing between them, and units."""
        factors = [self.power()]
        while True:
            if self.kind == "mark" and self.text in ("*", "/"):
                self._operate(factors)
            elif self.kind == "mark" and self.text == "\\bmod":
                self.step()
                factors = [Apply("mod", (_multiplied(factors), self.power()))]
            elif self.kind in ("text", "prose") and self._measure(factors):
                continue
            elif self.starts_operand() and not (self.text == "(" and self._is_remark()):
                self._juxtapose(factors)
            else:
                return _multiplied(factors)

    def _is_remark(self) -> bool:
        r"""Tell whether a bracket holds ``k \in \mathbb{Z}`` or ``mod n`` rather than a factor."""
        return self.peek()[1] in ("mod", "\\bmod") or member_end(self.tokens, self.at) != self.at

    def _operate(self, factors: list[Tree]) -> None:
        operator, start = self.step(), self.at
        last = factors[-1]
        if operator == "/" and self.kind == "text" and isinstance(last, Quantity) and len(factors) == 1:
            factors[:] = [Quantity(last.value, f"{last.unit} / {short_unit(self.step())}")]
            return
        factor = Negate(self.power()) if self.accept("-") else self.power()
        if operator == "*":
            factors.append(factor)
            return
        is_clear = (isinstance(factors[-1], Literal) and isinstance(factor, Literal)) or (
            self.tokens[start][1] == "(" and self.tokens[self.at - 1][1] == ")"
        )
        if not is_clear and self.starts_operand():
            self.refuse("unclear what the slash divides")
        factors[:] = [Divide(_multiplied(factors), factor)]

    def _juxtapose(self, factors: list[Tree]) -> None:
        before = factors[-1]
        is_base = self.peek()[1] == "^" and not isinstance(before, Literal)
        is_closed = isinstance(before, Power) or (isinstance(before, Apply) and before.function in _FACTORIALS)
        if self.kind == "number" and not is_closed and not is_base:
            self.refuse("two numbers side by side")
        if isinstance(before, Quantity) and before.unit not in _POSTFIX_UNITS:
            self.refuse("something after a unit")
        factors.append(self.power())

    def power(self) -> Tree:
        """Read an operand with its exponent, factorial, percent or degree sign."""
        base = self.operand()
        while self.kind == "mark":
            if self.text == "^" and not self._is_one_sided():
                base = self._raised(base)
            elif self.text == "!":
                self.step()
                is_double = not self.spaced() and self.accept("!")
                base = Apply("double_factorial" if is_double else "factorial", (base,))
            elif self.text in _POSTFIX_UNITS or self.text in CURRENCY:
                base = Quantity(base, self._postfix_unit())
            else:
                break
        return base

    def _postfix_unit(self) -> str:
        sign = self.step()
        if sign not in _DEGREES:
            return short_unit(sign)
        return f"° {self.step()}" if self.text in ("C", "F") else "°"

    def _is_one_sided(self) -> bool:
        """Tell whether a limit is approached from one side, as 0^+ or 0^{-} says."""
        first, second, third = (self.peek(ahead)[1] for ahead in (1, 2, 3))
        return (first in ("+", "-") and second == "}") or (first == "{" and second in ("+", "-") and third == "}")

    def _raised(self, base: Tree) -> Tree:
        self.step()
        if self.text in _DEGREES:
            return Quantity(base, self._postfix_unit())
        if self.text == "{" and self.peek()[1] in _DEGREES and self.peek(2)[1] == "}":
            self.step()
            self.step()
            self.step()
            return Quantity(base, f"° {self.step()}" if self.text in ("C", "F") else "°")
        braced = self.text == "{"
        exponent = self.nested(self.exponent)
        if self.text == "!" and not braced:
            self.refuse("unclear whether the exponent is a factorial")
        return Power(base, exponent)

    def exponent(self) -> Tree:
        """Read what follows ``^``: a group, a number or one operand, with a sign, and a further exponent."""
        if self.accept("-"):
            return Negate(self.nested(self.exponent))
        self.accept("+")
        base = self.braces() if self.text == "{" else self.operand()
        return Power(base, self.nested(self.exponent)) if self.accept("^") else base

    def _measure(self, factors: list[Tree]) -> bool:
        """Read a unit; tell whether the words are one."""
        if self.text.partition(" ")[0] in OPENERS:
            return False
        start, is_bare = self.at, self.kind == "prose"
        words = self._unit_words()
        if words in _PERCENT:
            factors[:] = [Quantity(_multiplied(factors), "%")]
            return True
        scale, _, rest = words.partition(" ")
        unit = read_unit(rest if scale in SCALES else words, bare=is_bare) if rest or scale not in SCALES else ""
        if unit is None:
            self.return_to(start)
            return False
        value = _multiplied(factors)
        money = value.unit if isinstance(value, Quantity) else ""
        value = value.value if isinstance(value, Quantity) else value
        value = _multiplied([value, Literal(Fraction(SCALES[scale]), scale)]) if scale in SCALES else value
        unit = unit if money in ("", unit) else f"{money} {unit}".strip()
        factors[:] = [Quantity(value, unit) if unit else value]
        return True

    def _unit_words(self) -> str:
        """Take words, powers of words, and slashes between words."""
        words = ""
        while True:
            if self.kind in ("text", "prose"):
                words += f" {self.step()}"
            elif self.text == "/" and self.peek()[0] in ("text", "prose", "name"):
                words += f" {self.step()} {self.step()}"
            elif self.text == "^" and self.peek()[0] == "number":
                words += self.step() + self.step()
            elif self.text == "^" and self.peek()[1] == "{" and self.peek(2)[0] == "number" and self.peek(3)[1] == "}":
                words += self.step() + self.step() + self.step() + self.step()
            else:
                return words.strip()


def _multiplied(factors: list[Tree]) -> Tree:
    return factors[0] if len(factors) == 1 else Multiply(tuple(factors))


def _added(terms: list[Tree]) -> Tree:
    return terms[0] if len(terms) == 1 else Add(tuple(terms))


def _with_common_unit(terms: list[Tree]) -> Tree:
    r"""Add terms; a unit that only the last one has belongs to the sum: ``1+\sqrt{2}\text{ cm}``."""
    last = terms[-1].term if isinstance(terms[-1], Negate) else terms[-1]
    if not isinstance(last, Quantity) or last.unit in _POSTFIX_UNITS or any(_unit(term) for term in terms[:-1]):
        return _added(terms)
    value = Negate(last.value) if isinstance(terms[-1], Negate) else last.value
    return Quantity(_added([*terms[:-1], value]), last.unit)


def _unit(term: Tree) -> str:
    inner = term.term if isinstance(term, Negate) else term
    return inner.unit if isinstance(inner, Quantity) else ""
