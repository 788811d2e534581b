"""What people see: tables on stdout, messages and progress on stderr, figures in a few characters."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Protocol

from rewardkit.explain import printable

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

__all__ = ["Reading", "console", "count", "figure", "percent", "progress", "table", "tell"]


class Reading(Protocol):
    """Files that are being read, as `SampleFiles`."""

    @property
    def size(self) -> int:
        """Bytes of all files."""

    @property
    def position(self) -> int:
        """Bytes read so far."""


def console(stderr: bool = False, pipe_width: int = 120) -> Console:
    """Return a console that prints text as it is: no markup, no highlighting, no emoji codes.

    Args:
        stderr: Whether it prints to stderr.
        pipe_width: Characters of a line where it is no terminal and COLUMNS is not set.
    """
    from rich.console import Console

    made = Console(stderr=stderr, markup=False, highlight=False, emoji=False)
    if not made.is_terminal and "COLUMNS" not in os.environ:
        made.width = pipe_width
    return made


def tell(message: str) -> None:
    """Say something on stderr."""
    console(stderr=True).print(printable(message), soft_wrap=True)


def table(*columns: str, numbers: Sequence[str] = (), title: str | None = None, fold: Sequence[str] = ()) -> Table:
    """Return an empty table; what stands in its cells cannot disturb the screen.

    Args:
        *columns: The headings.
        numbers: Those whose cells stand right and are never broken.
        title: A line above.
        fold: Those whose cells may take several lines.
    """
    from rich import box
    from rich.table import Table as RichTable

    class Table(RichTable):
        def add_row(self, *cells: Any, **options: Any) -> None:
            super().add_row(*(printable(cell) for cell in cells), **options)

    made = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0))
    made.title, made.title_justify, made.title_style = title, "left", "bold"
    for name in columns:
        if name in numbers:
            made.add_column(name, justify="right", no_wrap=True)
        elif name in fold:
            made.add_column(name, overflow="fold")
        else:
            made.add_column(name, no_wrap=True)
    return made


def figure(value: float | None) -> str:
    """Return a number in at most eight characters.

    >>> [figure(value) for value in (None, 0.0, 0.25, -12.5, 0.00001, 123456.0, float("-inf"))]
    ['–', '0', '0.25', '-12.5', '1e-05', '1.23e+05', '-∞']
    """
    if value is None:
        return "–"
    if value in (float("inf"), float("-inf")):
        return "∞" if value > 0 else "-∞"
    if value == 0:
        return "0"
    if 0.0005 <= abs(value) < 10_000:
        return f"{value:.3f}".rstrip("0").rstrip(".")
    return f"{value:.3g}"


def percent(share: float | None) -> str:
    """Return a share in percent; what is not quite none or all is not shown as that.

    >>> [percent(share) for share in (None, 0.0, 0.00001, 0.12, 0.99999, 1.0)]
    ['–', '0 %', '<1 %', '12 %', '>99 %', '100 %']
    """
    if share is None:
        return "–"
    if 0 < share < 0.005:
        return "<1 %"
    return ">99 %" if 0.995 < share < 1 else f"{100 * share:.0f} %"


def count(number: int, noun: str) -> str:
    """Return a number and its noun.

    >>> count(1, "row"), count(12345, "row")
    ('1 row', '12,345 rows')
    """
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


@contextmanager
def progress(files: Reading, quiet: bool, done: int = 0) -> Iterator[Callable[[int], None]]:
    """Show a bar on stderr while files are read, if that is a terminal.

    Args:
        files: What is read; the bar shows how much of it.
        quiet: Show nothing.
        done: Rows that need no work any more: they do not count for the speed.

    Yields:
        A function to call with the number of rows done.
    """
    screen = console(stderr=True)
    if quiet or not screen.is_terminal:
        yield lambda rows: None
        return
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

    parts: list[Any] = [BarColumn(bar_width=None), TaskProgressColumn(), TextColumn("{task.fields[rows]}")]
    with Progress(*parts, TimeRemainingColumn(), TextColumn("left"), console=screen, transient=True) as bar:
        task = bar.add_task("", total=files.size, rows="")
        start = time.monotonic()

        def update(rows: int) -> None:
            speed = (rows - done) / max(time.monotonic() - start, 1e-3)
            shown = f"{count(rows, 'row')}, {max(speed, 0):,.0f}/s,"
            bar.update(task, completed=files.position, rows=shown)

        yield update
