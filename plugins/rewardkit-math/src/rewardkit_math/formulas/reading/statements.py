r"""Statements: relations, congruences, set operations, and lists of all of them.

A list is flat, ``1, 2 and 3``, except that ``;`` separates lists that have commas, "or" separates what "and" joins,
and a word separates lists of equations of one length: ``x=1, y=2 or x=3, y=4`` is two lists of two.
"""

from __future__ import annotations

from typing import Literal as OneOf
from typing import TypeAlias

from rewardkit_math.formulas.reading.cursor import Grammar
from rewardkit_math.formulas.reading.phrases import DOMAINS, member_end, phrase_end
from rewardkit_math.formulas.tree import Apply, Congruence, Group, NumberSet, Relation, SetOperation, Symbol, Tree
from rewardkit_math.formulas.walk import free_symbols

__all__ = ["Statements", "as_one", "without_domain"]

_RELATIONS = {
    "=": "=", "!=": "!=", "<": "<", "<=": "<=", ">": ">", ">=": ">=", "~": "~", "\\in": "in", "\\equiv": "=",
}  # fmt: skip
_SetOperator: TypeAlias = OneOf["union", "intersection", "difference"]
_SET_OPERATORS: dict[str, _SetOperator] = {"\\cup": "union", "\\cap": "intersection", "\\setminus": "difference"}
_PHRASE_STARTS = frozenset({",", "(", "\\forall"})
_NO_NAME = frozenset({"not", "never", "no", "nor", "neither", "if", "unless"})
_SEPARATORS = frozenset({",", ";", "\\\\"})


class Statements(Grammar):
    """Relations and lists."""

    def statement(self) -> Tree:
        """Read a chain of relations, or a single expression or set."""
        sides, is_congruence = [self._side()], False
        operators: list[str] = []
        while self.kind == "mark" and (self.text in _RELATIONS or self.text == "\\not"):
            if operators and self._is_next_equation():
                self.refuse("two equations side by side")
            is_congruence |= self.text == "\\equiv"
            operators.append(self._relation())
            sides.append(self._side())
        modulus = self._modulus()
        if modulus is not None:
            if len(sides) != 2 or operators != ["="]:
                self.refuse("a modulus without a congruence")
            return Congruence(sides[0], sides[1], modulus)
        last = sides[-1]
        if is_congruence and len(sides) == 2 and isinstance(last, Apply) and last.function == "mod":
            return Congruence(sides[0], *last.arguments)
        return Relation(tuple(sides), tuple(operators)) if operators else sides[0]

    def _is_next_equation(self) -> bool:
        """Tell whether the side before this sign may be two, as in ``x=1 y=2``."""
        name, before = self.tokens[self.at - 1], self.tokens[self.at - 2]
        return name[0] == "name" and name[3] > 0 and (before[0] != "mark" or before[1] in (")", "}", "]"))

    def _relation(self) -> str:
        if not self.accept("\\not"):
            return _RELATIONS[self.step()]
        if self.text != "=":
            self.refuse("a negated relation")
        self.step()
        return "!="

    def _modulus(self) -> Tree | None:
        r"""Read ``\pmod{n}``, ``\pmod n``, ``(mod n)`` or ``mod n``."""
        if self.accept("\\pmod"):
            return self.nested(self.operand)
        is_bracketed = self.text == "(" and self.peek()[1] in ("mod", "\\bmod")
        if is_bracketed:
            self.step()
        elif self.text != "mod":
            return None
        self.step()
        modulus = self.nested(self.sum)
        if is_bracketed:
            self.expect(")")
        return modulus

    def _side(self) -> Tree:
        if self.kind in ("text", "prose"):
            named = self._words_before_equation()
            if named is not None:
                return named
        parts, operator = [self.sum()], ""
        while self.kind == "mark" and self.text in _SET_OPERATORS:
            if operator not in ("", self.text) or operator == "\\setminus":
                parts = [SetOperation(_operation(operator), tuple(parts))]
            operator = self.step()
            parts.append(self.sum())
        return SetOperation(_operation(operator), tuple(parts)) if operator else parts[0]

    def _words_before_equation(self) -> Tree | None:
        """Read ``Area = 12``; None where no ``=`` follows the words."""
        start, words = self.at, []
        while self.kind in ("text", "prose"):
            words.append(self.step())
        if self.text == "=" and not _NO_NAME.intersection(" ".join(words).casefold().split()):
            return Symbol(" ".join(words).casefold())
        self.return_to(start)
        return None

    def statements(self) -> tuple[list[Tree], str]:
        """Read statements with commas or words between them, as far as they go."""
        items = [self.statement()]
        separators: list[str] = []
        while True:
            if self.text in _PHRASE_STARTS or self.kind in ("text", "prose"):
                self.skip_phrase()
            is_new_line = self.on_new_line() and isinstance(items[-1], Relation) and self.kind in ("name", "function")
            separator = "," if is_new_line else self._separator()
            if separator is None:
                return _structured(items, separators) if separators else (items, "")
            separators.append(separator)
            items.append(Symbol("...") if self.accept("...") else self.statement())

    def skip_phrase(self) -> None:
        """Drop a phrase that says only which numbers a letter stands for."""
        at = self.at + (self.text == ",")
        end = member_end(self.tokens, at) if self.tokens[at][1] == "(" else phrase_end(self.tokens, at)
        if end == at:
            return
        words = " ".join(text for kind, text, *_ in self.tokens[at:end] if kind in ("text", "prose"))
        if self.dropped not in ("", words):
            self.refuse("different conditions")
        self.dropped = words
        self.return_to(end)

    def _separator(self) -> str | None:
        found = None
        if self.kind == "mark" and self.text in _SEPARATORS and not (self.text == "\\\\" and self.rows):
            found = self.step()
            if self.rows and (self.text == "\\\\" or self.kind == "end"):
                return None
        if self.kind == "join":
            found = self.step()
        return found


def as_one(items: list[Tree], word: str) -> Tree:
    """Return a list as one tree."""
    return items[0] if len(items) == 1 else Group("", tuple(items), word)


def without_domain(items: list[Tree]) -> list[Tree]:
    r"""Return a list without ``x \in \mathbb{R}`` at its end where an item before it has the name x."""
    last = items[-1]
    if len(items) == 1 or not isinstance(last, Relation) or last.operators != ("in",):
        return items
    name, domain = last.sides
    has_name = isinstance(name, Symbol) and any(name.name in free_symbols(item) for item in items[:-1])
    return items[:-1] if isinstance(domain, NumberSet) and domain.name in DOMAINS and has_name else items


def _operation(operator: str) -> _SetOperator:
    return _SET_OPERATORS[operator]


def _structured(items: list[Tree], separators: list[str]) -> tuple[list[Tree], str]:
    kinds = set(separators)
    if {"and", "or"} <= kinds:
        return _split(items, separators, "or")
    if ";" in kinds and len(kinds) > 1:
        return _split(items, separators, ";")
    word = "or" if "or" in kinds else "and" if "and" in kinds else ""
    if word and "," in kinds and all(isinstance(item, Relation) for item in items):
        parts, _ = _split(items, separators, word)
        lengths = {len(part.items) if isinstance(part, Group) and not part.brackets else 1 for part in parts}
        if len(lengths) == 1 and lengths != {1}:
            return parts, word
    return items, word


def _split(items: list[Tree], separators: list[str], at: str) -> tuple[list[Tree], str]:
    """Make lists of the items between the separators ``at``."""
    parts: list[tuple[list[Tree], list[str]]] = [([items[0]], [])]
    for separator, item in zip(separators, items[1:], strict=True):
        if separator == at:
            parts.append(([item], []))
        else:
            parts[-1][0].append(item)
            parts[-1][1].append(separator)
    return [as_one(*_structured(*part)) for part in parts], at if at in ("and", "or") else ""
