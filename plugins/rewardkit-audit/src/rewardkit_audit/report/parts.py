"""What stands on a page: notes, verdicts, figures, tables, charts and samples, and sections of them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from numbers import Integral, Real
from typing import ClassVar, Literal

from rewardkit.cli.screen import figure
from rewardkit.errors import shown
from rewardkit_audit.errors import ReportError

__all__ = ["Cell", "Chart", "Fact", "Facts", "Note", "Part", "Sample", "Samples", "Section", "Table", "Verdict"]

Cell = str | float | int | None
"""What a table holds; numbers are shown in a few characters, None as a dash, true and false as yes and no."""

_ROWS = 1_000


@dataclass(frozen=True)
class Note:
    """A sentence or two for the reader.

    Attributes:
        text: What to say; a blank line starts a paragraph.
        level: ``warning`` for what the reader must not overlook.
    """

    kind: ClassVar[str] = "note"

    text: str
    level: Literal["note", "warning"] = "note"

    @property
    def paragraphs(self) -> list[str]:
        """The text, paragraph by paragraph."""
        return [paragraph for paragraph in self.text.split("\n\n") if paragraph.strip()]


@dataclass(frozen=True)
class Verdict:
    """Pass or fail, in a banner.

    Attributes:
        passed: True for PASS, False for FAIL.
        text: The verdict in one sentence, as in ``Do not train on this.``
        reasons: Why, one line each.
    """

    kind: ClassVar[str] = "verdict"

    passed: bool
    text: str
    reasons: Sequence[str] = ()


@dataclass(frozen=True)
class Fact:
    """One figure that a reader looks for first.

    Attributes:
        name: What it is, as in ``Accuracy``.
        value: The figure with its unit, as in ``63.5 %``.
        note: What it is to be compared with, as in ``95 % interval 61.1 to 65.8``.
    """

    name: str
    value: Cell
    note: str = ""

    @property
    def shown(self) -> str:
        """The value as the page shows it."""
        return _cell(self.value, f"fact {shown(self.name)}")


@dataclass(frozen=True)
class Facts:
    """The few figures that a reader looks for first, side by side in large type.

    Raises:
        ReportError: If a value is nan or infinite.
    """

    kind: ClassVar[str] = "facts"

    facts: Sequence[Fact]

    def __post_init__(self) -> None:
        for fact in self.facts:
            _ = fact.shown


@dataclass(frozen=True)
class Table:
    """A table; the first column names the rows.

    Attributes:
        columns: The headings.
        rows: One sequence of cells for each row, as many as there are columns. The first 1,000 are shown, with a
            line that says so.
        caption: What the table shows, in one sentence.
        numbers: Headings of the columns whose cells stand right; a column that holds only numbers does so anyway.

    Raises:
        ReportError: If a row has too few or too many cells, a number is nan or infinite (leave out what does not
            exist: None), or ``numbers`` names no column.

    Example:
        >>> table = Table(["domain", "accuracy", "pairs"], [["math", 0.6153, 1294], ["chat", None, 0]])
        >>> table.cells
        [['math', '0.615', '1,294'], ['chat', '–', '0']]
    """

    kind: ClassVar[str] = "table"

    columns: Sequence[str]
    rows: Sequence[Sequence[Cell]]
    caption: str = ""
    numbers: Sequence[str] = ()
    cells: list[list[str]] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        for name in self.numbers:
            if name not in self.columns:
                raise ReportError(f"table {shown(self.caption)} has no column {shown(name)} to hold numbers")
        object.__setattr__(self, "cells", [self._row(position) for position in range(min(len(self.rows), _ROWS))])

    def _row(self, position: int) -> list[str]:
        row, where = self.rows[position], f"table {shown(self.caption)}, row {position}"
        if isinstance(row, str) or len(row) != len(self.columns):
            raise ReportError(f"{where}: expected {len(self.columns)} cells, got {shown(row)}")
        return [_cell(value, f"{where}, column {shown(name)}") for name, value in zip(self.columns, row, strict=True)]

    @property
    def right(self) -> list[bool]:
        """Whether the cells of each column stand right."""
        return [
            name in self.numbers
            or (bool(self.cells) and all(_is_number(row[column]) for row in self.rows[: len(self.cells)]))
            for column, name in enumerate(self.columns)
        ]

    @property
    def left_out(self) -> int:
        """How many rows are not shown."""
        return len(self.rows) - len(self.cells)


@dataclass(frozen=True)
class Chart:
    """A picture; `rewardkit_audit.report.charts` draws them.

    Attributes:
        title: What is seen, in one sentence.
        svg: One ``<svg>`` element. It is put on the page as it is: never build it from text that you did not write.
        description: What the picture shows, in words, for those who do not see it.
        caption: What the reader must know to read it.
    """

    kind: ClassVar[str] = "chart"

    title: str
    svg: str = field(repr=False)
    description: str
    caption: str = ""


@dataclass(frozen=True)
class Sample:
    """One sample to look at, folded until the reader opens it.

    Attributes:
        name: The line that is always seen, as in ``margin −3.2, math``.
        texts: Pairs of a name and a text, as in ``("prompt", "2+2?")``; shown as written, cut when very long.
        note: Why it is worth looking at.
    """

    name: str
    texts: Sequence[tuple[str, str]]
    note: str = ""


@dataclass(frozen=True)
class Samples:
    """Samples for manual inspection.

    Attributes:
        title: What they have in common, as in ``Largest margins in the wrong direction``.
        samples: The samples, the most telling first.
    """

    kind: ClassVar[str] = "samples"

    title: str
    samples: Sequence[Sample]


Part = Note | Verdict | Facts | Table | Chart | Samples
"""What a page and a section hold."""


class Section:
    """A heading with parts below it.

    Example:
        >>> section = Section("Accuracy").add(Note("Ties count half."), Note("Pairs, not batches."))
        >>> len(section.parts)
        2
    """

    kind: ClassVar[str] = "section"

    def __init__(self, title: str, parts: Iterable[Part] = ()) -> None:
        self.title = title
        self.parts = list(parts)

    def add(self, *parts: Part) -> Section:
        """Add parts below the others.

        Charts that follow each other stand side by side where there is room, and so does a table behind a single chart.
        """
        self.parts += parts
        return self


def _is_number(value: Cell) -> bool:
    return value is None or (isinstance(value, Real) and not isinstance(value, bool))


def _cell(value: Cell, where: str) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Integral):
        return f"{int(value):,}"
    if isinstance(value, Real):
        if not math.isfinite(value):
            raise ReportError(f"{where}: a number must be finite, got {value}; None stands for what does not exist")
        return figure(float(value))
    if value is None:
        return "–"
    if isinstance(value, str):
        return value
    raise ReportError(f"{where}: expected text, a number or None, got {type(value).__name__}")
