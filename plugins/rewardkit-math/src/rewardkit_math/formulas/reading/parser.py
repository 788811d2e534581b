r"""From the text of an answer to a tree, or to the reason why there is none.

The parser reads LaTeX, plain text, sympy style and Unicode. It computes nothing, runs nothing, and refuses what it does
not understand in full: what is left over at the end is a refusal, never dropped. Its budgets are checked before
anything is built: `MAX_CHARS` characters, `MAX_DEPTH` levels, the digits of a number. Its time is linear in the text.

How it decides what people write in one way and mean in several stands in the modules that read it: precedence and the
slash in `expressions`, names and mixed numbers in `operands`, functions and calls in `functions`, brackets in
`brackets`, lists in `statements`, words in `phrases` and `vocabulary`.
"""

from __future__ import annotations

from rewardkit_math.formulas.reading.brackets import Brackets
from rewardkit_math.formulas.reading.cursor import MAX_DEPTH
from rewardkit_math.formulas.reading.environments import Environments
from rewardkit_math.formulas.reading.expressions import Expressions
from rewardkit_math.formulas.reading.functions import Functions
from rewardkit_math.formulas.reading.operands import Operands
from rewardkit_math.formulas.reading.phrases import as_words, core
from rewardkit_math.formulas.reading.statements import Statements, as_one, without_domain
from rewardkit_math.formulas.reading.tokens import MAX_CHARS, Refusal, Unparsed, plain, tokenize
from rewardkit_math.formulas.tree import Tree
from rewardkit_math.formulas.walk import too_large

__all__ = ["MAX_CHARS", "MAX_DEPTH", "Unparsed", "parse"]


def parse(text: str) -> Tree | Unparsed:
    r"""Read an answer or a reference.

    Args:
        text: The answer proper, such as the content of a ``\boxed``, at most `MAX_CHARS` characters.

    Returns:
        Its tree, or why it has none and at which character of the text (of its respelling in ASCII where it has other
        characters) that showed. Never raises.

    Example:
        >>> parse(r"\frac12x").factors
        (Divide(top=Literal(value=Fraction(1, 1), ...), bottom=...), Symbol(name='x'))
        >>> parse(r"2 \foo x")
        Unparsed(reason='unknown command \\foo', at=2)
    """
    if len(text) > MAX_CHARS:
        return Unparsed(f"longer than {MAX_CHARS:,} characters", MAX_CHARS)
    try:
        return _parsed(plain(text))
    except Refusal as refusal:
        return Unparsed(refusal.reason, refusal.at)


class _Parser(Expressions, Operands, Functions, Brackets, Environments, Statements):
    def document(self) -> Tree:
        items, word = self.statements()
        self.skip_phrase()
        tree = as_one(without_domain(items), word)
        if self.text == "\\over":
            tree = self._over(tree)
        if self.kind != "stop":
            is_command = self.kind == "mark" and len(self.text) > 2 and self.text[0] == "\\"
            self.refuse(f"unknown command {self.text}" if is_command else f"unread {self.shown()}")
        return tree


def _parsed(text: str) -> Tree:
    if len(text) > 2 * MAX_CHARS:
        raise Refusal("too long once respelled", 2 * MAX_CHARS)
    start, end = core(text)
    tokens = tokenize(text, start, end)
    if len(tokens) == 1:
        raise Refusal("nothing to read", start)
    words = as_words(tokens)
    if words is not None:
        return words
    tree = _Parser(tokens).document()
    if len(tokens) > MAX_DEPTH and too_large(tree):
        raise Refusal("a tree too tall or too large", 0)
    return tree
