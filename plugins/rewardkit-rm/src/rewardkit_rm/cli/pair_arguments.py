"""Arguments of every command that reads preference pairs."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

import click

from rewardkit.cli.options import layout_options

if TYPE_CHECKING:
    from rewardkit.files import Layout
    from rewardkit_rm.pairs.pair import Pair
    from rewardkit_rm.pairs.reading import PairFiles

__all__ = ["Watched", "pair_arguments", "watched"]

F = TypeVar("F", bound=Callable[..., Any])

_STEP = 256


def pair_arguments(function: F) -> F:
    """Add DATA, --explode and --map; the command receives ``files``, its `PairFiles`."""

    @functools.wraps(function)
    def command(*args: Any, data: tuple[str, ...], layout: Layout, **named: Any) -> Any:
        from rewardkit_rm.pairs.reading import PairFiles

        return function(*args, files=PairFiles(data, layout), **named)

    decorated: Any = click.argument("data", nargs=-1, required=True, metavar="DATA...")(layout_options(command))
    return decorated  # type: ignore[no-any-return]


class Watched:
    """Pairs of files that tell a progress bar how many went by; each pass starts from 0."""

    def __init__(self, files: PairFiles, update: Callable[[int], None]) -> None:
        self.files, self.update = files, update
        self.count = 0

    def __iter__(self) -> Iterator[Pair]:
        """Return the pairs."""
        self.count = 0
        for pair in self.files:
            self.count += 1
            if self.count % _STEP == 0:
                self.update(self.count)
            yield pair


@contextmanager
def watched(files: PairFiles, quiet: bool) -> Iterator[Watched]:
    """Return the pairs of files with a progress bar on stderr, if that is a terminal."""
    from rewardkit.cli.screen import progress

    with progress(files, quiet) as update:
        yield Watched(files, update)
