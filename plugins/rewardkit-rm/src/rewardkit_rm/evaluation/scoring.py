"""From a reward model and preference pairs to scored pairs, a few at a time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from rewardkit_rm.evaluation.scored import LARGEST_SCORE, ScoredPair
from rewardkit_rm.evaluation.stream import batches
from rewardkit_rm.pairs.pair import Pair, prompt_key, text_of

if TYPE_CHECKING:
    from rewardkit_rm.models.scorer import Scored, Scorer

__all__ = ["score_pairs"]

_PAIRS = 256


def score_pairs(
    scorer: Scorer, pairs: Iterable[Pair], *, batch_tokens: int = 16384, batch_pairs: int = _PAIRS
) -> Iterator[ScoredPair]:
    """Score both sides of preference pairs; memory does not grow with their number.

    Args:
        scorer: The model.
        pairs: The pairs.
        batch_tokens: Most tokens of a forward pass, padding counted.
        batch_pairs: Pairs to read at a time; they are sorted by length before they are scored.

    Yields:
        Every pair in order; one that the model could not score holds nan and says why in ``problem``.
    """
    for batch in batches(pairs, batch_pairs):
        prompts = [pair.prompt for pair in batch for _ in range(2)]
        completions = [text for pair in batch for text in (pair.chosen, pair.rejected)]
        scored = scorer.score(prompts, completions, batch_tokens=batch_tokens)
        for at, pair in enumerate(batch):
            yield _scored(pair, scored, 2 * at)


def _scored(pair: Pair, scored: Scored, row: int) -> ScoredPair:
    chosen, rejected = (float(value) for value in scored.values[row : row + 2])
    return ScoredPair(
        chosen_score=chosen,
        rejected_score=rejected,
        prompt=prompt_key(pair.prompt),
        domain=pair.domain,
        chosen_length=len(pair.chosen),
        rejected_length=len(pair.rejected),
        tie=pair.tie,
        probability=pair.probability,
        problem=_problem(scored, row, (chosen, rejected)),
        prompt_text=text_of(pair.prompt),
        chosen=pair.chosen,
        rejected=pair.rejected,
        id=pair.id,
        where=pair.where,
    )


def _problem(scored: Scored, row: int, values: Sequence[float]) -> str:
    for name, at, value in zip(("chosen", "rejected"), (row, row + 1), values, strict=True):
        if at in scored.problems:
            return f"{name}: {scored.problems[at]}"
        if not -LARGEST_SCORE <= value <= LARGEST_SCORE:
            return f"{name}: the model's score is {value}"
    return ""
