"""Arguments that several commands share: the config, the samples, and how samples lie in the files."""

from __future__ import annotations

import functools
import inspect
import os
import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from rewardkit.combiner import Combiner
    from rewardkit.files import Layout

__all__ = [
    "allow_import_option",
    "allow_imports",
    "config_argument",
    "layout_options",
    "load_reward",
    "samples_arguments",
    "step_option",
]

F = TypeVar("F", bound=Callable[..., Any])

NESTED = """
\b
Samples inside samples: say a line of the file holds
  {"question": …, "gold": …, "tries": [{"text": …}, {"text": …}]}
then --explode tries makes a sample of each try, and
  --map prompt=question --map answer=gold --map completion=tries.text
names the columns. A path leads into mappings by dots (extra_info.answer), and into lists by
number (choices.0.text).
"""


def config_argument(name: str = "config") -> Callable[[F], F]:
    """Add an argument that is a reward: a file, a name, or a line."""
    return click.argument(name, metavar=name.upper())


allow_import_option = click.option(
    "--allow-import",
    metavar="PREFIX",
    multiple=True,
    help="Let the config import code below this dotted prefix, from the working directory too. Repeatable.",
)

step_option = click.option(
    "--step",
    type=click.IntRange(min=0),
    help="Training step, for weights that follow a schedule. Without it: final weights, as in evaluation.",
)


def allow_imports(prefixes: Sequence[str]) -> None:
    """Let code be imported from the working directory, where any import is allowed."""
    if prefixes and os.getcwd() not in sys.path:
        sys.path.insert(0, os.getcwd())


def load_reward(ref: str, allow_import: Sequence[str]) -> Combiner:
    """Make a combiner of a reference; code may be imported below the given prefixes.

    Raises:
        ConfigError: If anything is wrong with it.
    """
    from rewardkit.config import load

    allow_imports(allow_import)
    return load(ref, allow_import=allow_import)


def _pairs(ctx: click.Context, param: click.Parameter, values: Sequence[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for value in values:
        name, sign, path = value.partition("=")
        if not (name and sign and path):
            raise click.BadParameter(f"expected NAME=PATH, as in completion=choices.0.text, got {value!r}")
        if name in found:
            raise click.BadParameter(f"{name!r} is given twice")
        found[name] = path
    return found


def layout_options(function: F) -> F:
    """Add --explode and --map; the command receives ``layout``, how samples lie in the rows of its files."""

    @functools.wraps(function)
    def command(*args: Any, explode: tuple[str, ...], columns: dict[str, str], **named: Any) -> Any:
        from rewardkit.files import Layout

        return function(*args, layout=Layout(explode, columns), **named)

    command.__doc__ = f"{inspect.cleandoc(function.__doc__ or '')}\n{NESTED}"
    for decorate in (
        click.option(
            "--map",
            "columns",
            metavar="NAME=PATH",
            multiple=True,
            callback=_pairs,
            help="Read column NAME from PATH. Repeatable.",
        ),
        click.option(
            "--explode", metavar="PATH", multiple=True, help="Make a sample of each entry of this list. Repeatable."
        ),
    ):
        command = decorate(command)
    return command  # type: ignore[return-value]


def samples_arguments(function: F) -> F:
    """Add DATA, --explode and --map; the command receives ``files``, its `SampleFiles`."""

    @functools.wraps(function)
    def command(*args: Any, data: tuple[str, ...], layout: Layout, **named: Any) -> Any:
        from rewardkit.files import SampleFiles

        return function(*args, files=SampleFiles(data, layout), **named)

    argument = click.argument("data", nargs=-1, required=True, metavar="DATA...")
    return argument(layout_options(command))  # type: ignore[return-value]
