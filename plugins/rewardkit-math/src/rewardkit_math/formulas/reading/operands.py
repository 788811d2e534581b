r"""Operands: numbers, names, fractions, roots, accents, and the dispatch to all others.

A whole number right before a proper fraction of numbers is a mixed number, ``1\frac12`` and ``1 1/2``, read as the
sum it is. Names keep their subscripts and primes: ``x_1``, ``a_{n+1}``, ``y'``. Two or more upper-case letters, ``AB``,
are one name, two or more lower-case letters are a product, ``dx`` is a name outside of integrals. ``e``, ``i`` and
``\pi`` are constants unless a sum binds them; ``I`` is one only beside a ``*``.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from fractions import Fraction

from rewardkit_math.forms.number import MAX_DIGITS, MAX_EXPONENT
from rewardkit_math.forms.units import CURRENCY, short_unit
from rewardkit_math.formulas.reading.cursor import Grammar
from rewardkit_math.formulas.reading.tokens import Refusal
from rewardkit_math.formulas.reading.vocabulary import ACCENTS, DIFFERENTIALS
from rewardkit_math.formulas.tree import (
    Add,
    Apply,
    Congruence,
    Constant,
    Divide,
    Group,
    Literal,
    NumberSet,
    Numeral,
    Quantity,
    Relation,
    Root,
    Symbol,
    Tree,
)

__all__ = ["Operands", "literal"]

_STARTS = frozenset({"number", "name", "constant", "function", "set", "begin"})
_ROUND_OR_SQUARE = frozenset({"(", "[", "]"})
_BRACKETS = frozenset({"\\{", "|", "|(", "\\lfloor", "\\lceil", "\\langle"})
_BIG = frozenset({"\\sum", "\\prod", "\\int", "\\lim"})
_FIGURES = frozenset({"\\angle", "\\triangle"})
_JOINABLE = (_BRACKETS - {"|", "\\{"}) | _BIG | _FIGURES | ACCENTS | {"(", "{", "\\frac", "\\binom", "\\sqrt"}
_DECIMAL = re.compile(r"([0-9,]*)(?:\.([0-9]*))?(?:[eE]([+-]?[0-9]+))?\Z")
_REPEATING = re.compile(r"([0-9]+)\.([0-9]*)(?:\\|\()(.*)\Z")
_DIGIT_FRACTION = re.compile(
    r"\\frac (?:([0-9])([0-9])(?![0-9])|(?:\{ ([0-9]{1,9}) \}|([0-9])) (?:\{ ([0-9]{1,9}) \}|([0-9])(?![0-9])))"
)
_DERIVATIVE = re.compile(r"\{? ?d .*\{ d \S+ \}|\{? ?\\partial")
_PART = re.compile(r"\^\{?[+-]|_\{?[+-]|_\{[<>]0(?=\})")
_SUBSCRIPT_KINDS = frozenset({"number", "name", "text", "constant", "prose", "function"})
_IN_SUBSCRIPTS = frozenset("+-*/,()=!'")
_NO_DIGIT = re.compile("[^0-9]+")
_MAX_SUBSCRIPT = 12
"""Most tokens in a subscript."""
_BASES = {"two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8, "nine": 9, "ten": 10}
_DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"


def literal(text: str) -> Literal | str:
    r"""Return the number that digits say, exactly; where a budget is broken, say which.

    >>> [literal(text).value for text in ("0.1\\overline{6}", "1,250.5")]
    [Fraction(1, 6), Fraction(2501, 2)]
    """
    if len(text) > MAX_DIGITS:
        return f"a number of more than {MAX_DIGITS} digits"
    if text.isdigit():
        return Literal(Fraction(int(text)), text)
    if match := _REPEATING.match(text):
        return Literal(_repeating(match[1], match[2], _NO_DIGIT.sub("", match[3])), text)
    match = _DECIMAL.match(text)
    whole, decimals, exponent = match.groups("") if match else ("", "", "")
    if len(exponent) > 6 or abs(int(exponent or 0)) > MAX_EXPONENT:
        return f"a power of ten beyond {MAX_EXPONENT}"
    digits = whole.replace(",", "") + decimals
    return Literal(Fraction(int(digits)) * Fraction(10) ** (int(exponent or 0) - len(decimals)), text)


def _repeating(whole: str, before: str, period: str) -> Fraction:
    scale = 10 ** len(before)
    return Fraction(int(whole + before), scale) + Fraction(int(period), (10 ** len(period) - 1) * scale)


class Operands(Grammar):
    """Numbers, names, fractions, roots and accents."""

    def starts_operand(self) -> bool:
        """Tell whether the current token may begin a factor right after another one."""
        kind, text = self.kind, self.text
        if self.on_new_line():
            return False
        if kind == "mark":
            return text in _JOINABLE or (text == "|" and self.bar == "open") or (text == "[" and not self.french)
        if kind == "text":
            return (len(text) == 1 or text.isupper()) and not (text == "d" and self.integrals)
        return kind in _STARTS and not (self.integrals and self.is_differential())

    def is_differential(self) -> bool:
        r"""Tell whether ``dx``, ``d x`` or ``\mathrm{d}x`` is next."""
        if self.text == "d":
            return self.kind in ("name", "text") and self.peek()[0] == "name"
        return self.kind == "name" and self.text in DIFFERENTIALS

    def operand(self) -> Tree:
        """Read a number, a name, a fraction, a root, a function, or something in brackets."""
        kind, text = self.kind, self.text
        if kind == "number":
            return self._number()
        if kind == "name" or (kind == "text" and (len(text) == 1 or text.isupper())):
            return self._name(self.step())
        if text in _ROUND_OR_SQUARE:
            return self.round_or_square()
        if kind == "mark":
            reader = _READERS.get(text)
            return reader(self) if reader else self._marked(text)
        if kind == "constant":
            return Constant(self.step())
        if kind == "function":
            return self.nested(self.function)
        if kind == "set":
            return self._number_set()
        if kind == "begin":
            return self.nested(self.environment)
        return self.refuse(f"expected a value before {self.shown()}")

    def _marked(self, text: str) -> Tree:
        if text in _BRACKETS:
            return self.bracket()
        if text in _BIG:
            return self.nested(self.big)
        if text in ACCENTS:
            return self._accented(self.step())
        if text.startswith("\\") and text[1:].isalpha():
            self.refuse(f"unknown command {text}")
        return self.refuse(f"expected a value before {self.shown()}")

    def _number(self) -> Tree:
        """Read a number, a mixed number, or digits in a base."""
        value = self.digits()
        if self.kind == "mark":
            if self.text == "\\frac" and value.text.isdigit():
                return self._mixed(value)
            if self.text == "_":
                return self.in_base(value.text)
        elif self.kind == "number" and value.text.isdigit() and self.peek()[1] == "/" and self.spaced():
            return self._mixed_with_slash(value)
        elif self.kind == "name" and not self.spaced() and self.peek()[1] == "_" and self.text.isupper():
            return self._letter_digits(value)
        return value

    def digits(self) -> Literal:
        """Read one number token."""
        value = literal(self.text)
        if isinstance(value, str):
            self.refuse(value)
        self.step()
        return value

    def _mixed(self, whole: Literal) -> Tree:
        r"""Read ``1\frac12`` as a sum; ``2\frac{3}{2}`` and ``2\frac{x}{3}`` stay products."""
        match = _DIGIT_FRACTION.match(" ".join(token[1] for token in self.tokens[self.at : self.at + 7]))
        top, bottom = [digits for digits in match.groups() if digits] if match else ("0", "0")
        if not 0 < int(top) < int(bottom):
            return whole
        return Add((whole, self._fraction()))

    def _mixed_with_slash(self, whole: Literal) -> Tree:
        top, bottom = self.text, self.peek(2)[1]
        if not (top.isdigit() and bottom.isdigit() and 0 < int(top[:9]) < int(bottom[:9]) and len(top) < 9):
            self.refuse("two numbers side by side")
        first = self.digits()
        self.step()
        return Add((whole, Divide(first, self.digits())))

    def in_base(self, digits: str) -> Tree:
        """Read the base of digits: ``506_7``, ``(1010)_2``, ``1AF_{16}``."""
        at = self.at
        self.step()
        base = self.subscript()
        value = _BASES.get(base.lower(), int(base) if base.isdigit() and len(base) < 3 else 0)
        if not 2 <= value <= 36 or not digits.isalnum() or any(_DIGITS.index(digit) >= value for digit in digits):
            self.return_to(at)
            self.refuse(f"{digits} are no digits in base {base}")
        return Numeral(digits, value)

    def _letter_digits(self, value: Literal) -> Tree:
        """Read ``1AF_{16}``; ``3A_{10}`` is three times a name."""
        base = self.peek(3)[1] if self.peek(2)[1] == "{" else self.peek(2)[1]
        if base not in ("12", "16") or not self.text.isalpha() or not value.text.isdigit():
            return value
        return self.in_base(value.text + self.step())

    def _name(self, letter: str) -> Tree:
        name, start = letter, self.at - 1
        while self.kind == "mark":
            if self.text == "_" and "_" not in name:
                self.step()
                name += f"_{self.subscript()}"
            elif self.text == "'" or (self.text == "^" and "'" in (self.peek()[1], self.peek(2)[1])):
                name += self._primes()
            else:
                break
        called = self.call(letter, name, start)
        if called is not None:
            return called
        is_constant = name in ("e", "i") or (name == "I" and self.python_style)
        return Constant(name.lower()) if is_constant and name not in self.bound else Symbol(name)

    def _primes(self) -> str:
        r"""Read ``'``, ``^\prime`` or ``^{\prime\prime}``."""
        is_raised = self.accept("^")
        is_braced = is_raised and self.accept("{")
        primes = ""
        while self.accept("'"):
            primes += "'"
        if is_braced:
            self.expect("}")
        return primes or self.refuse(f"unexpected {self.shown()} before a prime")

    def subscript(self) -> str:
        """Read what follows ``_``, as text."""
        if self.text != "{":
            if self.kind not in ("number", "name", "text"):
                self.refuse(f"no subscript: {self.shown()}")
            return self.step()
        self.step()
        parts = []
        while self.kind in _SUBSCRIPT_KINDS or self.text in _IN_SUBSCRIPTS:
            parts.append(self.step())
            if len(parts) > _MAX_SUBSCRIPT:
                self.refuse(f"a subscript of more than {_MAX_SUBSCRIPT} signs")
        self.expect("}")
        text = "".join(parts)
        return text if text.isalnum() else f"{{{text}}}"

    def braces(self) -> Tree:
        r"""Read a group in braces, ``{a \over b}`` and ``{n \choose k}``; with commas it is a set in plain text."""
        start = self.at
        self.step()
        saved = self.enter()
        tree = self.statement()
        self.skip_phrase()
        is_list = self.text == "," or self.kind == "join"
        if is_list:
            tree = self._listed(tree)
        elif self.text in ("\\over", "\\choose"):
            tree = self._over(tree)
        if not self.accept("}"):
            raise Refusal(f"unbalanced brace, or unread {self.shown()}", self.tokens[start][2])
        self.leave(saved)
        if (is_list or isinstance(tree, Relation | Congruence)) and not self.stands_alone(start):
            self.refuse("a list or a relation inside a calculation")
        return tree

    def _listed(self, first: Tree) -> Tree:
        """Read the rest of ``{1, 2}``, a set in plain text, or of a list that a word joins."""
        items, word = [first], ""
        while self.text == "," or self.kind == "join":
            word = self.text if self.kind == "join" else word
            self.step()
            items.append(self.statement())
        return Group("" if word else "{}", tuple(items), word)

    def _over(self, top: Tree) -> Tree:
        is_fraction = self.step() == "\\over"
        bottom = self.nested(self.sum)
        return Divide(top, bottom) if is_fraction else Apply("binomial", (top, bottom))

    def argument(self) -> Tree:
        r"""Read what follows ``\frac``: a group in braces, one digit, or one operand."""
        if self.text == "{":
            return self.braces()
        if self.kind == "number" and self.text.isdigit():
            return self._one_digit()
        return self.nested(self.operand)

    def _one_digit(self) -> Tree:
        kind, text, at, _ = self.tokens[self.at]
        if len(text) == 1:
            return self.digits()
        self.tokens[self.at] = (kind, text[1:], at + 1, 0)
        self.text = text[1:]
        return Literal(Fraction(int(text[0])), text[0])

    def _fraction(self) -> Tree:
        self.step()
        ahead = " ".join(token[1] for token in self.tokens[self.at : self.at + 12])
        if _DERIVATIVE.match(ahead):
            self.refuse("a derivative")
        return Divide(self.argument(), self.argument())

    def _binomial(self) -> Tree:
        self.step()
        return Apply("binomial", (self.argument(), self.argument()))

    def _root(self) -> Tree:
        self.step()
        degree: Tree = Literal(Fraction(2), "2")
        if self.accept("["):
            saved = self.enter(french=True)
            degree = self.sum()
            self.leave(saved)
            self.expect("]")
        if self.kind == "number":
            if len(self.text) > 1 and not self.spaced():
                self.refuse("unclear how far the root goes")
            return Root(self.digits(), degree)
        return Root(self.nested(self.operand), degree)

    def _number_set(self) -> Tree:
        r"""Read ``\mathbb{R}``, ``\mathbb{Z}^+``, ``\mathbb{R}_{>0}``."""
        name = self.step()
        ahead = "".join(token[1] for token in self.tokens[self.at : self.at + 5])
        match = _PART.match(ahead)
        if match is None:
            return NumberSet(name)
        while self.step() not in ("+", "-", "0"):
            pass
        self.accept("}")
        return NumberSet(name + ("-" if match[0][-1:] == "-" or "<" in match[0] else "+"))

    def _accented(self, accent: str) -> Tree:
        r"""Read ``\overline{z}`` as the conjugate; over digits or several letters it makes one number or name."""
        if accent == "\\underline":
            return self.argument()
        letters = self._letters()
        if letters is None or (accent == "\\overline" and len(letters) == 1):
            if accent not in ("\\overline", "\\bar"):
                self.refuse(f"{accent} over a formula")
            return Apply("conjugate", (self.argument(),))
        if accent == "\\bar" and letters in ("z", "w"):
            return Apply("conjugate", (self.argument(),))
        self.argument()
        if letters.isdigit():
            return self._checked(literal(letters))
        is_segment = letters.isupper() and len(letters) > 1
        name = letters if is_segment else f"{accent}{{{letters}}}"
        return Symbol(name)

    def _letters(self) -> str | None:
        """Return the letters and digits under an accent without reading them; None if it is a formula."""
        if self.text != "{":
            return self.text
        found, ahead = "", 1
        while self.peek(ahead)[0] in ("name", "number"):
            found += self.peek(ahead)[1]
            ahead += 1
        return found if self.peek(ahead)[1] == "}" and found else None

    def _checked(self, value: Literal | str) -> Literal:
        return self.refuse(value) if isinstance(value, str) else value

    def _figure(self) -> Tree:
        r"""Read ``\angle ABC`` as a name."""
        name = self.step()
        while self.kind == "name" and self.text.isupper():
            name += self.step()
        return Symbol(name)

    def _empty_set(self) -> Tree:
        self.step()
        return Group("{}", ())

    def _money(self) -> Tree:
        sign = short_unit(self.step())
        if self.kind != "number":
            self.refuse(f"{sign} without a number")
        return Quantity(self.digits(), sign)


_READERS: dict[str, Callable[[Operands], Tree]] = {
    "{": Operands.braces,
    "\\frac": Operands._fraction,
    "\\binom": Operands._binomial,
    "\\sqrt": Operands._root,
    "\\angle": Operands._figure,
    "\\triangle": Operands._figure,
    "\\emptyset": Operands._empty_set,
    **dict.fromkeys(CURRENCY, Operands._money),
}
