"""Rankings of several responses to one prompt, as preference pairs."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

from rewardkit.errors import BatchError
from rewardkit_rm.pairs.pair import Pair, Prompt

__all__ = ["MOST_RESPONSES", "Weighting", "ranking_pairs", "ranks_of_scores"]

MOST_RESPONSES = 64
"""A ranking of 64 responses makes 2,016 pairs; people rank four to nine."""

Weighting = Literal["ranking", "response", "pair"]
"""What weighs 1 in the sum of the losses: a whole ranking, each response of it, or each pair."""


def ranking_pairs(
    prompt: Prompt,
    responses: Sequence[str],
    ranks: Sequence[float] | None = None,
    *,
    weighting: Weighting = "ranking",
    like: Pair | None = None,
    where: str = "ranking",
) -> list[Pair]:
    """Return all ``k * (k - 1) / 2`` pairs of a ranking of ``k`` responses, the better one of each as chosen.

    The pairs of one ranking are far from independent: every response stands in ``k - 1`` of them, so that nine
    responses would count 36 times as much as one plain pair. Their weight makes up for it:

    - ``ranking``: ``2 / (k * (k - 1))`` each, together 1. The loss of InstructGPT (Ouyang et al. 2022, equation 1),
      which averages over all pairs of a prompt.
    - ``response``: ``1 / (k - 1)`` each, together ``k / 2``: every response counts once, as in a plain pair.
    - ``pair``: 1 each.

    All three agree for two responses. Equal ranks make ties. What makes InstructGPT's way also quick (each
    response goes through the model once) is up to the training loop: all pairs of a ranking share their prompt.

    Args:
        prompt: The prompt of all responses.
        responses: From 2 to 64 texts; without ``ranks``, the best first.
        ranks: One number a response, 1 is the best; equal numbers are a tie.
        weighting: What weighs 1, times the weight of ``like``.
        like: A pair whose domain, annotator, id, weight and place the pairs take over.
        where: The place of the ranking, for messages.

    Raises:
        BatchError: If there are fewer than 2 or more than 64 responses, or ranks that are not one finite number
            for each.

    Example:
        >>> pairs = ranking_pairs("2+2?", ["four", "4", "5"], [1, 1, 2])
        >>> [(pair.chosen, pair.rejected, pair.tie, round(pair.weight, 3)) for pair in pairs]
        [('four', '4', True, 0.333), ('four', '5', False, 0.333), ('4', '5', False, 0.333)]
    """
    order = list(range(1, len(responses) + 1)) if ranks is None else list(ranks)
    _check(responses, order, where)
    template = like or Pair(prompt, "", "", where=where)
    weight = template.weight * _weight(len(responses), weighting)
    found = []
    for first, second in itertools.combinations(range(len(responses)), 2):
        better, worse = (first, second) if order[first] <= order[second] else (second, first)
        tie = order[first] == order[second]
        found.append(
            replace(
                template,
                prompt=prompt,
                chosen=responses[better],
                rejected=responses[worse],
                tie=tie,
                probability=0.5 if tie else 1.0,
                weight=weight,
                id=f"{template.id}/{better + 1}-{worse + 1}" if template.id else "",
            )
        )
    return found


def ranks_of_scores(scores: Sequence[float]) -> list[float]:
    """Return ranks of scores, of which the greatest is the best; equal scores share a rank.

    >>> ranks_of_scores([7.5, 9.0, 7.5])
    [2.0, 1.0, 2.0]
    """
    place = {score: float(rank) for rank, score in enumerate(sorted(set(scores), reverse=True), 1)}
    return [place[score] for score in scores]


def _weight(count: int, weighting: Weighting) -> float:
    return {"ranking": 2 / (count * (count - 1)), "response": 1 / (count - 1), "pair": 1.0}[weighting]


def _check(responses: Sequence[str], ranks: Sequence[float], where: str) -> None:
    if not 2 <= len(responses) <= MOST_RESPONSES:
        raise BatchError(f"{where}: a ranking has 2 to {MOST_RESPONSES} responses, got {len(responses)}")
    if len(ranks) != len(responses):
        raise BatchError(f"{where}: {len(responses)} responses, but {len(ranks)} ranks")
    if not all(math.isfinite(rank) for rank in ranks):
        raise BatchError(f"{where}: ranks must be finite numbers, got {list(ranks)}")
