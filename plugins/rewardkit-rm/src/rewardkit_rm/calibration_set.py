"""The set that a model is calibrated on: preference pairs, or single responses; scored in one pass."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from rewardkit import Batch
from rewardkit.errors import numbered
from rewardkit.inputs import read_columns
from rewardkit_rm.calibrating import Margins, margins_of
from rewardkit_rm.component import RewardModelScorer, as_read
from rewardkit_rm.evaluation.stream import batches

if TYPE_CHECKING:
    from rewardkit_rm.models.scorer import Scorer
    from rewardkit_rm.pairs.pair import Pair
    from rewardkit_rm.pairs.reading import PairFiles

__all__ = ["ScoredSet", "counted", "score_files", "score_pair_set", "score_responses"]

T = TypeVar("T")

_OF_PAIRS = ("chosen", "rejected", "response_a", "response_b", "responses")
_OF_RESPONSES = ("completion", "response", "messages")
_ROWS = 1024


class ScoredSet(NamedTuple):
    """What a model gave to a set.

    Attributes:
        scores: One per response, shape ``(N,)``; of pairs those of both sides. nan where there is none.
        margins: The pairs; None of single responses.
        problem: Why the first response without a score has none.
    """

    scores: NDArray[np.float64]
    margins: Margins | None
    problem: str = ""


def score_files(
    scorer: Scorer, files: PairFiles, *, batch_tokens: int = 16384, update: Callable[[int], object] = int
) -> ScoredSet:
    """Score files of pairs, or of single responses (columns ``prompt`` and ``completion``, or ``messages``).

    Args:
        scorer: The model.
        files: The files.
        batch_tokens: Tokens that go through the model at a time.
        update: Called with the number of rows done.

    Raises:
        BatchError: If the files hold neither.
    """
    first = next((row for _, row in files.located()), {})
    if any(name in first for name in _OF_RESPONSES) and not any(name in first for name in _OF_PAIRS):
        rows = (row for _, row in files.located())
        return score_responses(scorer, counted(rows, update), batch_tokens=batch_tokens)
    return score_pair_set(scorer, counted(files, update), batch_tokens=batch_tokens)


def score_pair_set(scorer: Scorer, pairs: Iterable[Pair], *, batch_tokens: int = 16384) -> ScoredSet:
    """Score both sides of preference pairs."""
    from rewardkit_rm.evaluation.scoring import score_pairs

    scored = [
        replace(pair, prompt_text="", chosen="", rejected="")
        for pair in score_pairs(scorer, pairs, batch_tokens=batch_tokens)
    ]
    sides = np.array([(pair.chosen_score, pair.rejected_score) for pair in scored], dtype=np.float64)
    problem = next((pair.problem for pair in scored if pair.problem), "")
    return ScoredSet(sides.ravel(), margins_of(scored), problem)


def score_responses(scorer: Scorer, rows: Iterable[Mapping[str, Any]], *, batch_tokens: int = 16384) -> ScoredSet:
    """Score single responses, as the component ``reward_model`` does: chat turns kept, thinking cut off.

    Raises:
        BatchError: If a row has no completion or no prompt.
    """
    values, problems = [np.zeros(0)], []
    for at, batch in enumerate(batches(rows, _ROWS)):
        with numbered(lambda row, first=at * _ROWS: first + row):  # type: ignore[misc]
            inputs = read_columns(RewardModelScorer.Inputs, Batch.from_rows(batch), {}, {}, "calibration")
        prompts, completions, failures = as_read(inputs)
        scored = scorer.score(prompts, completions, batch_tokens=batch_tokens)
        scored.values[list(failures)] = np.nan
        values.append(scored.values)
        problems += [*failures.values(), *scored.problems.values()][:1]
    return ScoredSet(np.concatenate(values), None, next(iter(problems), ""))


def counted(rows: Iterable[T], update: Callable[[int], object]) -> Iterator[T]:
    """Pass rows on, and say now and then how many."""
    for number, row in enumerate(rows, 1):
        yield row
        if number % _ROWS == 0:
            update(number)
