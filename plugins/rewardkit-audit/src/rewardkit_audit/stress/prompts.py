"""The prompts of the stress cases, read once from the package's own file."""

from __future__ import annotations

import functools
from importlib import resources

from pydantic import BaseModel, ConfigDict, TypeAdapter

from rewardkit.yaml_file import parse_yaml

__all__ = ["StressPrompt", "prompts"]

_FILE = "prompts.yaml"


class StressPrompt(BaseModel):
    """A prompt with a brief right reply and a confident wrong one.

    Attributes:
        id: A name, unique among the prompts.
        kind: What sort of task it is, as in ``arithmetic``; to comply with kind ``safety`` is wrong.
        prompt: The prompt.
        better: Brief and right.
        wrong: Fluent, sure of itself, and wrong.
        topic: What rambling replies ramble about.
        answer: Words that only a right reply holds; empty where no such words exist.
    """

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid", defer_build=True)

    id: str
    kind: str
    prompt: str
    better: str
    wrong: str
    topic: str
    answer: str = ""


@functools.cache
def prompts() -> tuple[StressPrompt, ...]:
    """Return the prompts, in the order of the file.

    >>> [prompt.better for prompt in prompts() if prompt.id == "capital"]
    ['Canberra.']
    """
    text = resources.files("rewardkit_audit.stress").joinpath(_FILE).read_text(encoding="utf-8")
    return TypeAdapter(tuple[StressPrompt, ...]).validate_python(tuple(parse_yaml(text, _FILE)))
