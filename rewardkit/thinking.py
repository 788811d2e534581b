"""Thinking: which part of a completion the model thinks in, and which part it shows."""

from __future__ import annotations

__all__ = ["MARKERS", "closes_thinking", "opens_thinking", "visible_span", "visible_spans"]

MARKERS = (("<think>", "</think>"), ("<thinking>", "</thinking>"), ("<|begin_of_thought|>", "<|end_of_thought|>"))
"""What opens and what closes the thinking, in the dialects that models use."""


def visible_span(text: str) -> tuple[int, int]:
    """Return start and end of what a completion shows: after the last closing marker, up to an opening one after it.

    >>> visible_span("<think>a</think>b"), visible_span("b"), visible_span("<think>a")
    ((16, 17), (0, 1), (0, 0))
    """
    if ">" not in text:  # every marker ends with it
        return 0, len(text)
    start = 0
    for _, closing in MARKERS:
        at = text.rfind(closing, start)
        start = at + len(closing) if at >= 0 else start
    opened = [at for opening, _ in MARKERS if (at := text.find(opening, start)) >= 0]
    return start, min(opened, default=len(text))


def visible_spans(completions: list[str]) -> list[tuple[int, int]]:
    """Return the `visible_span` of each completion; made for ``inputs.derive(visible_spans, "completion")``."""
    return [visible_span(text) for text in completions]


def opens_thinking(prompts: list[str]) -> list[bool]:
    r"""Tell for each prompt whether it ends with an opening marker, so that the completion starts inside the thinking.

    >>> opens_thinking(["2 + 2?<think>\n", "2 + 2?"])
    [True, False]
    """
    openings = tuple(opening for opening, _ in MARKERS)
    return [prompt.rstrip().endswith(openings) for prompt in prompts]


def closes_thinking(completion: str) -> bool:
    """Tell whether a completion closes a thinking that its prompt opened.

    >>> closes_thinking("so it is 4</think>4"), closes_thinking("so it is")
    (True, False)
    """
    return any(closing in completion for _, closing in MARKERS)
