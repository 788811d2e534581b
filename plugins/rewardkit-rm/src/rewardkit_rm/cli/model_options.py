"""What every command that loads a reward model shares: its options, and what it may write."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from rewardkit_rm.models.scorer import Scorer

__all__ = ["check_outputs", "model_arguments"]

F = TypeVar("F", bound=Callable[..., Any])

_DTYPES = ("auto", "float32", "bfloat16", "float16")


def model_arguments(function: F) -> F:
    """Add MODEL and how to load it; the command receives ``load``, a function that returns its `Scorer`."""

    @functools.wraps(function)
    def command(*args: Any, model: str, device: str, dtype: str, trust_remote_code: bool, **named: Any) -> Any:
        def load() -> Scorer:
            from rewardkit_rm.models.loading import load

            return load(model, device=device, dtype=dtype, trust_remote_code=trust_remote_code)

        return function(*args, model=model, load=load, **named)

    for decorate in (
        click.option(
            "--trust-remote-code", is_flag=True, help="Run Python code that comes with the model; read it first."
        ),
        click.option("--dtype", type=click.Choice(_DTYPES), default="auto", help="Number format of the weights."),
        click.option("--device", default="auto", metavar="NAME", help="auto, cpu, cuda, cuda:1, mps."),
        click.option(
            "--batch-tokens",
            type=click.IntRange(min=1),
            default=16384,
            show_default=True,
            help="Tokens that go through the model at a time.",
        ),
        click.argument("model", metavar="MODEL"),
    ):
        command = decorate(command)
    return command  # type: ignore[return-value]


def check_outputs(outputs: Iterable[str | Path | None], inputs: Iterable[str | Path]) -> None:
    """Refuse, before anything is scored, what cannot be written at the end.

    Raises:
        RewardKitError: If an output is an input or a folder, or lies in no folder.
    """
    from rewardkit.errors import RewardKitError

    known = {Path(path).resolve() for path in inputs}
    for path in (Path(output) for output in outputs if output is not None):
        if not path.parent.is_dir():
            raise RewardKitError(f"{path}: cannot be written: there is no folder {path.parent}")
        if path.is_dir():
            raise RewardKitError(f"{path}: cannot be written: it is a folder")
        if path.resolve() in known:
            raise RewardKitError(f"{path}: cannot be written: it is an input")
