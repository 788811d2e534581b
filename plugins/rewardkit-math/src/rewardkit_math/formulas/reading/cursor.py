"""A place in the tokens of a text, the budgets of the parser, and the rules that call each other."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import NoReturn, TypeVar

from rewardkit_math.formulas.reading.tokens import Refusal, Token
from rewardkit_math.formulas.tree import Literal, Matrix, Tree

__all__ = ["MAX_DEPTH", "Grammar"]

MAX_DEPTH = 50
"""Deepest nesting of brackets, fractions, exponents and arguments; one level takes ten Python frames or fewer."""

_AFTER_CALLED = frozenset({"(", "'", "_", "^"})
_AFTER = frozenset({",", ";", ")", "]", "}", "\\}", "&", "\\\\", "\\cup", "\\cap"})
_BEFORE = frozenset({"", ",", ";", "and", "or", "(", "[", "{", "\\{", "&", "\\\\", "\\cup", "\\cap", "=", "\\in"})
_T = TypeVar("_T")


class Grammar(ABC):
    """The tokens with the place reached, and the rules that the parts of the grammar share.

    Attributes:
        at: Index of the current token; ``kind`` and ``text`` are its own.
        depth: How many brackets, fractions and exponents are open.
        bar: What a ``|`` after an operand does: "open" an absolute value, or "stop" as its end or as "such that".
        french: Whether ``[`` may close an interval here.
        integrals: Open integrals, which a differential ends.
        rows: Open environments, whose rows a double backslash ends.
        alone: Letters that stand somewhere without a bracket after them, and so are no functions.
        dropped: The words of a phrase that was left out.
        bound: Letters that a sum, product or limit binds, so that ``i`` and ``e`` are names there.
    """

    def __init__(self, tokens: list[Token]) -> None:
        self.tokens = tokens
        self.at = 0
        self.kind, self.text = tokens[0][:2]
        self.depth = 0
        self.bar = "open"
        self.french = False
        self.integrals = 0
        self.bound: list[str] = []
        self.dropped = ""
        self.rows = 0
        self.alone = _letters_alone(tokens)
        self.python_style = any(
            token[1] == "I" and "*" in (tokens[at - 1][1], tokens[at + 1][1]) for at, token in enumerate(tokens[:-1])
        )

    def step(self) -> str:
        """Go to the next token; return the text of the one left."""
        left = self.text
        self.at += 1
        self.kind, self.text = self.tokens[self.at][:2]
        return left

    def return_to(self, at: int) -> None:
        """Go back to an earlier token."""
        self.at = at
        self.kind, self.text = self.tokens[at][:2]

    def peek(self, ahead: int = 1) -> Token:
        """Return a later token; the last one where there is none."""
        return self.tokens[min(self.at + ahead, len(self.tokens) - 1)]

    def spaced(self) -> bool:
        """Tell whether space stands before the current token."""
        return self.tokens[self.at][3] > 0

    def on_new_line(self) -> bool:
        r"""Tell whether a line break or ``\quad`` stands before the current token."""
        return self.tokens[self.at][3] == 2

    def accept(self, text: str) -> bool:
        """Step over a mark if it is next."""
        if self.text == text and self.kind == "mark":
            self.step()
            return True
        return False

    def expect(self, text: str) -> None:
        """Step over a mark that must be next."""
        if not self.accept(text):
            self.refuse(f"expected {text} before {self.shown()}")

    def shown(self) -> str:
        """Return the current token for a message."""
        return repr(self.text) if self.kind != "stop" else "the end"

    def stands_alone(self, start: int) -> bool:
        """Tell whether what was read from a token on is no part of a calculation."""
        before = self.tokens[start - 1][1] if start else ""
        return before in _BEFORE and (self.kind in ("stop", "join", "end") or self.text in _AFTER)

    def refuse(self, reason: str) -> NoReturn:
        """Give up at the current token."""
        raise Refusal(reason, self.tokens[self.at][2])

    def enter(self, bar: str = "open", french: bool = False) -> tuple[str, bool]:
        """Go one level deeper; return what `leave` needs."""
        if self.depth >= MAX_DEPTH:
            self.refuse(f"nested deeper than {MAX_DEPTH}")
        saved = self.bar, self.french
        self.depth += 1
        self.bar, self.french = bar, french
        return saved

    def leave(self, saved: tuple[str, bool]) -> None:
        """Come back from one level deeper."""
        self.bar, self.french = saved
        self.depth -= 1

    def nested(self, read: Callable[[], _T]) -> _T:
        """Read something one level deeper."""
        saved = self.enter()
        tree = read()
        self.leave(saved)
        return tree

    @abstractmethod
    def sum(self) -> Tree:
        """Read terms with + and - between them."""

    @abstractmethod
    def term(self) -> Tree:
        """Read factors with * and / or nothing between them."""

    @abstractmethod
    def power(self) -> Tree:
        """Read an operand with its exponent, factorial, percent or degree sign."""

    @abstractmethod
    def starts_operand(self) -> bool:
        """Tell whether the current token begins an operand."""

    @abstractmethod
    def operand(self) -> Tree:
        """Read a number, a name, a fraction, a root, a function, or something in brackets."""

    @abstractmethod
    def argument(self) -> Tree:
        r"""Read what follows ``\frac``: a group in braces, one digit, or one operand."""

    @abstractmethod
    def braces(self) -> Tree:
        """Read a group in braces."""

    @abstractmethod
    def arguments(self) -> tuple[Tree, ...]:
        """Read arguments in round brackets, commas between them."""

    @abstractmethod
    def digits(self) -> Literal:
        """Read one number token."""

    @abstractmethod
    def is_differential(self) -> bool:
        r"""Tell whether ``dx``, ``d x`` or ``\mathrm{d}x`` is next."""

    @abstractmethod
    def exponent(self) -> Tree:
        """Read what follows ``^``."""

    @abstractmethod
    def subscript(self) -> str:
        """Read what follows ``_``, as text."""

    @abstractmethod
    def function(self) -> Tree:
        """Read a known function with its arguments."""

    @abstractmethod
    def big(self) -> Tree:
        """Read a sum, product, integral or limit over a variable."""

    @abstractmethod
    def bracket(self) -> Tree:
        """Read something in brackets or bars."""

    @abstractmethod
    def round_or_square(self) -> Tree:
        """Read what stands in round or square brackets."""

    @abstractmethod
    def skip_phrase(self) -> None:
        """Drop a phrase that says only which numbers a letter stands for."""

    @abstractmethod
    def environment(self) -> Tree:
        r"""Read from ``\begin`` to ``\end``."""

    @abstractmethod
    def statement(self) -> Tree:
        """Read a chain of relations, or a single expression or set."""

    @abstractmethod
    def statements(self) -> tuple[list[Tree], str]:
        """Read statements with commas or words between them, as far as they go; return them and the word."""

    @abstractmethod
    def branches(self) -> Tree:
        """Read rows of a value and its condition, or of a system."""

    @abstractmethod
    def in_base(self, digits: str) -> Tree:
        """Read the base of digits."""

    @abstractmethod
    def call(self, letter: str, name: str, start: int) -> Tree | None:
        """Read the arguments of a function that the text only names; None if it names none."""

    @abstractmethod
    def as_matrix(self, tree: Tree) -> Matrix | None:
        """Return bracketed rows as a matrix."""


def _letters_alone(tokens: list[Token]) -> frozenset[str]:
    """Return the names that stand without a bracket, prime, subscript or power after them."""
    alone = set()
    for (kind, text, *_), (_, after, *_), (_, second, *_) in zip(
        tokens, tokens[1:], [*tokens[2:], tokens[-1]], strict=False
    ):
        if kind == "name" and after not in _AFTER_CALLED and (after, second) != ("{", "("):
            alone.add(text)
    return frozenset(alone)
