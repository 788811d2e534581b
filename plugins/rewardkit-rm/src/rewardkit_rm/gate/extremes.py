"""Completions at the edge: nothing at all, and far too much."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np

from rewardkit.cli.screen import count, percent
from rewardkit_rm.gate.report import GateRow
from rewardkit_rm.pairs.pair import Pair, prompt_key

if TYPE_CHECKING:
    from rewardkit_rm.models.scorer import Scored
    from rewardkit_rm.pairs.pair import Prompt

__all__ = ["FEWEST_PROMPTS", "PromptSample", "edge_rows"]

FEWEST_PROMPTS = 30
"""With fewer, an interval over prompts means nothing: it is narrowest where there is only one."""

_LONG = 8_000
_MOST_ON_TOP = 0.2
_ADVICE = {
    "empty": "A policy learns to say nothing: add pairs whose rejected side is empty, and punish it by a format or "
    "length reward of its own.",
    "long": "A policy learns to repeat itself: add pairs whose rejected side is padded or repeated, and put a length "
    "and a repetition penalty beside the model.",
}


class PromptSample:
    """Passes pairs on, and keeps one pair of some of their prompts: those with the smallest hash, in bounded memory.

    Example:
        >>> sample = PromptSample([Pair("1+1?", "2", "3"), Pair("1+1?", "2", "4"), Pair("2+2?", "4", "5")], 5)
        >>> len(list(sample)), sorted(pair.rejected for pair in sample.kept)
        (3, ['3', '5'])
    """

    def __init__(self, pairs: Iterable[Pair], size: int) -> None:
        self.pairs, self.size = pairs, size
        self._kept: dict[str, Pair] = {}
        self._first: set[str] = set()

    def __iter__(self) -> Iterator[Pair]:
        for pair in self.pairs:
            if len(self._first) < FEWEST_PROMPTS:
                self._first.add(prompt_key(pair.prompt))
            if not pair.tie and pair.chosen.strip() and pair.rejected.strip():
                self._kept.setdefault(prompt_key(pair.prompt), pair)
                if len(self._kept) > 8 * self.size:
                    self._shrink()
            yield pair

    def _shrink(self) -> None:
        self._kept = {key: self._kept[key] for key in heapq.nsmallest(self.size, self._kept)}

    @property
    def prompts(self) -> int:
        """How many prompts went by; beyond `FEWEST_PROMPTS` they are not counted."""
        return len(self._first)

    @property
    def kept(self) -> list[Pair]:
        """What was kept, in the order of the hashes."""
        self._shrink()
        return list(self._kept.values())


def edge_rows(score: Callable[[list[Prompt], list[str]], Scored], pairs: Sequence[Pair]) -> Iterator[GateRow]:
    """Return whether empty and very long completions get a usual score, below that of the better side.

    The long one is the rejected side over and over, to 8,000 characters.

    Args:
        score: Scores completions of prompts, as `Scorer.score` does.
        pairs: One pair of each prompt to try it on.
    """
    forms = {
        "chosen": [pair.chosen for pair in pairs],
        "empty": ["" for _ in pairs],
        "long": [_repeated(pair.rejected) for pair in pairs],
    }
    prompts = [pair.prompt for pair in pairs]
    scored = {name: score(prompts, texts) for name, texts in forms.items()}
    yield _edge_row("empty", "Empty completions", scored["empty"], scored["chosen"])
    yield _edge_row("long", f"Completions of {_LONG:,} characters", scored["long"], scored["chosen"])


def _repeated(text: str) -> str:
    return (f"{text}\n\n" * (_LONG // len(text) + 1))[:_LONG]


def _edge_row(name: str, title: str, scored: Scored, chosen: Scored) -> GateRow:
    known = ~np.isnan(scored.values) & ~np.isnan(chosen.values)
    on_top = float((scored.values >= chosen.values)[known].mean()) if known.any() else None
    problem = next(iter(scored.problems.values()), "")
    passed = not problem and on_top is not None and on_top <= _MOST_ON_TOP
    told = (
        "" if on_top is None else f"as good as the better side for {percent(on_top)} of {count(known.sum(), 'prompt')}"
    )
    refused = f"{len(scored.problems)} not scored: {problem}" if problem else ""
    advice = _ADVICE[name] if on_top is not None and on_top > _MOST_ON_TOP else ""
    if problem:
        advice = (
            f"{advice} A completion without a score needs a policy: on_error or on_truncated in the config.".strip()
        )
    return GateRow(
        id=name,
        title=title,
        outcome="not measured" if on_top is None and not problem else "pass" if passed else "fail",
        measured="; ".join(filter(None, (refused, told))) or "no prompt to try it on",
        bound=f"all scored, at most {percent(_MOST_ON_TOP)} as good as the better side",
        value=on_top,
        advice=advice,
    )
