r"""Environments: matrices, ``cases``, and lines set below each other.

Rows without a condition, in ``cases`` or after one open brace, are a system: a list joined by "and".
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from rewardkit_math.formulas.reading.cursor import Grammar
from rewardkit_math.formulas.reading.vocabulary import ALIGNED, MATRICES
from rewardkit_math.formulas.tree import Apply, Cases, Group, Matrix, Tree

__all__ = ["Environments"]

_T = TypeVar("_T")
_CONDITION_WORDS = frozenset({"if", "when", "for", "where"})
_OTHERWISE = frozenset({"otherwise", "else", "if otherwise"})


class Environments(Grammar):
    """Matrices, piecewise values and systems."""

    def environment(self) -> Tree:
        r"""Read from ``\begin`` to ``\end``."""
        name = self.text
        if name in MATRICES:
            rows = self._rows(self._row)
            if len({len(row) for row in rows}) > 1:
                self.refuse("a matrix with rows of different lengths")
            matrix = Matrix(tuple(rows))
            return Apply("det", (matrix,)) if name == "vmatrix" else matrix
        if name in ("cases", "dcases", "rcases"):
            return self.branches()
        if name in ALIGNED:
            lines = self._rows(self.statement)
            return lines[0] if len(lines) == 1 else Group("", tuple(lines))
        return self.refuse(f"unknown environment {name}")

    def _rows(self, read: Callable[[], _T]) -> list[_T]:
        name = self.step()
        if name == "array":
            self._column_layout()
        rows: list[_T] = []
        self.rows += 1
        while self.kind != "end":
            rows.append(read())
            if not self.accept("\\\\") and self.kind != "end":
                self.refuse(f"expected the end of a row before {self.shown()}")
        self.step()
        self.rows -= 1
        return rows or self.refuse(f"an empty {name}")

    def _column_layout(self) -> None:
        self.expect("{")
        while self.text != "}" and self.kind != "stop":
            self.step()
        self.expect("}")

    def _row(self) -> tuple[Tree, ...]:
        cells = [self.statement()]
        while self.accept("&"):
            cells.append(self.statement())
        return tuple(cells)

    def branches(self) -> Tree:
        """Read rows of a value and its condition, or of a system."""
        rows = self._rows(self._branch)
        if any(is_conditional for _, _, is_conditional in rows):
            return Cases(tuple((value, condition) for value, condition, _ in rows))
        return Group("", tuple(value for value, _, _ in rows), "and")

    def _branch(self) -> tuple[Tree, Tree | None, bool]:
        value = self.statement()
        self.accept(",")
        is_conditional = self.accept("&") or self.kind in ("text", "prose")
        return value, self._condition() if is_conditional else None, is_conditional

    def _condition(self) -> Tree | None:
        words = ""
        while self.kind in ("text", "prose"):
            words = f"{words} {self.step()}".strip().casefold()
        if words in _OTHERWISE:
            return None
        if words and words not in _CONDITION_WORDS:
            self.refuse(f"unread words {words!r}")
        items, word = self.statements()
        return items[0] if len(items) == 1 else Group("", tuple(items), word or "and")
