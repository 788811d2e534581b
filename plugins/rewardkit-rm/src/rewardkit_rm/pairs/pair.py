"""A preference pair: one prompt, two completions, and what an annotator thought of them."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import Any

from rewardkit.messages import Message, prompt_text

__all__ = ["Pair", "Prompt", "prompt_key", "text_of"]

Prompt = str | tuple[Message, ...]
"""A prompt: text, or the turns of a conversation up to the completion."""


@dataclass(frozen=True, slots=True)
class Pair:
    """Two completions of one prompt, the preferred one first.

    Attributes:
        prompt: Text, or chat messages.
        chosen: Text of the preferred completion.
        rejected: Text of the other one.
        probability: How probable it is that ``chosen`` is better: 1 is sure, 0.5 is a tie; a soft label between.
        tie: Whether annotators found both equally good; ``chosen`` and ``rejected`` are then only the two sides.
        margin: How much better ``chosen`` is, in the units of the reward; None where nobody said.
        weight: Factor of its loss.
        domain: Where it comes from, as in ``math``; empty where unknown.
        annotator: Who judged; empty where unknown.
        id: Name of the pair; empty where it has none.
        where: File and line, for messages.
    """

    prompt: Prompt
    chosen: str
    rejected: str
    probability: float = 1.0
    tie: bool = False
    margin: float | None = None
    weight: float = 1.0
    domain: str = ""
    annotator: str = ""
    id: str = ""
    where: str = ""

    @property
    def undecided(self) -> bool:
        """Whether neither side is preferred: a tie, or a probability of 0.5."""
        return self.tie or self.probability == 0.5


def text_of(prompt: Prompt) -> str:
    """Return a prompt as text; turns are joined by a blank line.

    >>> text_of("2+2?"), text_of(({"role": "user", "content": "2+2?"},))
    ('2+2?', '2+2?')
    """
    return prompt if isinstance(prompt, str) else prompt_text(prompt, "prompt")


def prompt_key(prompt: Prompt) -> str:
    """Return what two pairs share exactly if their prompts are the same but for white space and case.

    A prompt as text and as one turn of the user are the same.

    >>> prompt_key("What is  2+2?") == prompt_key(({"role": "user", "content": "what is 2+2?"},))
    True
    """
    turns: Any = prompt if isinstance(prompt, str) else [[turn["role"], text_of((turn,))] for turn in prompt]
    if not isinstance(turns, str) and len(turns) == 1 and turns[0][0] == "user":
        turns = turns[0][1]
    text = turns if isinstance(turns, str) else json.dumps(turns, ensure_ascii=False)
    return hashlib.sha256(" ".join(text.casefold().split()).encode(errors="surrogatepass")).hexdigest()[:32]
