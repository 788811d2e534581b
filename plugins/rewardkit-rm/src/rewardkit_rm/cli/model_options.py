"""Options of every command that loads a reward model."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from rewardkit_rm.models.scorer import Scorer

__all__ = ["model_arguments"]

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
