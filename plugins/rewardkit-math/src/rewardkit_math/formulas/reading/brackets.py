r"""What stands in brackets or bars: groups, tuples, intervals, sets, absolute values.

``(x+1)`` is what it holds. ``(1,2)`` and ``[1,2]`` are groups with the brackets as written: point or interval is for
the comparison to say. ``]a,b[`` and ``[a,b[`` are written ``(a,b)`` and ``[a,b)``, and so is ``\langle a,b\rangle``.
``[5]`` keeps its brackets only where it stands alone or in a list.
"""

from __future__ import annotations

from rewardkit_math.formulas.reading.cursor import Grammar
from rewardkit_math.formulas.reading.tokens import Refusal
from rewardkit_math.formulas.tree import Apply, Congruence, Group, Literal, Matrix, Relation, SetBuilder, Tree

__all__ = ["Brackets"]

_CLOSING = {
    "|": "|", "|(": ")|", "\\lfloor": "\\rfloor", "\\lceil": "\\rceil", "\\langle": "\\rangle", "\\{": "\\}", "(": ")",
}  # fmt: skip
_FUNCTIONS = {"|": "abs", "|(": "abs", "\\lfloor": "floor", "\\lceil": "ceil"}
_SUCH_THAT = frozenset({"|", "\\mid", ":"})


class Brackets(Grammar):
    """Groups, tuples, intervals, sets, absolute values."""

    def bracket(self) -> Tree:
        """Read something in brackets or bars."""
        if self.text in _FUNCTIONS:
            return self._function_bars()
        if self.text == "\\langle":
            return Group("()", self.arguments())
        return self._set()

    def arguments(self) -> tuple[Tree, ...]:
        """Read what stands in brackets, commas between it."""
        closing, opened = _CLOSING[self.text], self.tokens[self.at][2]
        self.step()
        saved = self.enter()
        items, word = self.statements()
        self.leave(saved)
        self._close(closing, opened)
        if word:
            self.refuse(f"{word!r} in brackets")
        return tuple(items)

    def _close(self, closing: str, opened: int) -> None:
        if not self.accept(closing):
            raise Refusal(f"unbalanced bracket, or unread {self.shown()}", opened)

    def _function_bars(self) -> Tree:
        opening, opened = self.text, self.tokens[self.at][2]
        self.step()
        saved = self.enter(bar="stop" if opening == "|" else "open")
        inner = self.sum()
        self.leave(saved)
        self._close(_CLOSING[opening], opened)
        is_determinant = isinstance(inner, Matrix) and opening in ("|", "|(")
        return Apply("det" if is_determinant else _FUNCTIONS[opening], (inner,))

    def round_or_square(self) -> Tree:
        """Read what stands in round or square brackets: a group, a tuple, or an interval."""
        start, opening = self.at, self.step()
        saved = self.enter(french=opening != "(")
        items, word = self.statements()
        self.leave(saved)
        closing = self.text
        if self.kind != "mark" or closing not in ((")", "]") if opening == "(" else (")", "]", "[")):
            raise Refusal(f"unbalanced bracket, or unread {self.shown()}", self.tokens[start][2])
        self.step()
        brackets = ("[" if opening == "[" else "(") + ("]" if closing == "]" else ")")
        if len(items) == 1:
            return self._single(items[0], brackets, start)
        if brackets in ("[)", "(]") and len(items) != 2:
            self.refuse("an interval with more than two ends")
        if word and not self.stands_alone(start):
            self.refuse(f"{word!r} in brackets")
        return Group("", tuple(items), word) if word else Group(brackets, tuple(items))

    def _single(self, item: Tree, brackets: str, start: int) -> Tree:
        if brackets in ("[)", "(]"):
            self.refuse("brackets that do not match")
        is_alone = self.stands_alone(start)
        if isinstance(item, Relation | Congruence) and not is_alone:
            self.refuse("a relation inside a calculation")
        if brackets == "()":
            is_numeral = self.text == "_" and isinstance(item, Literal)
            return self.in_base(item.text) if is_numeral and isinstance(item, Literal) else item
        return Group("[]", (item,)) if is_alone and not isinstance(item, Matrix) else item

    def _set(self) -> Tree:
        opened = self.tokens[self.at][2]
        self.step()
        if self.kind == "begin":
            return self._open_brace_environment()
        if self.accept("\\}"):
            return Group("{}", ())
        saved = self.enter(bar="stop")
        items, _ = self.statements()
        self.leave(saved)
        if self.text in _SUCH_THAT and self.kind == "mark":
            self.step()
            conditions, word = self.nested(self.statements)
            self._close("\\}", opened)
            element = items[0] if len(items) == 1 else Group("", tuple(items))
            return SetBuilder(
                element, conditions[0] if len(conditions) == 1 else Group("", tuple(conditions), word or "and")
            )
        self._close("\\}", opened)
        return Group("{}", tuple(items))

    def _open_brace_environment(self) -> Tree:
        r"""Read ``\left\{\begin{array}…\end{array}\right.``, which is a system or a piecewise value."""
        tree = self.nested(self.branches)
        self.accept("\\}")
        return tree

    def as_matrix(self, tree: Tree) -> Matrix | None:
        """Return bracketed rows, or one bracketed column, as a matrix."""
        if not isinstance(tree, Group) or tree.brackets != "[]":
            return None
        rows = [item.items if isinstance(item, Group) and item.brackets == "[]" else (item,) for item in tree.items]
        return Matrix(tuple(rows)) if len({len(row) for row in rows}) == 1 else None
