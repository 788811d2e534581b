"""Rank correlation of scores with human ratings of responses."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from rewardkit.errors import BatchError, shown
from rewardkit.files import Layout, SampleFiles
from rewardkit_rm.evaluation.bands import RANK_CORRELATION, band_of
from rewardkit_rm.evaluation.bootstrap import PoissonBootstrap, cluster_of
from rewardkit_rm.evaluation.correlation import spearman_estimate
from rewardkit_rm.evaluation.evaluation import Figure, Rating
from rewardkit_rm.evaluation.reservoir import Reservoir
from rewardkit_rm.evaluation.scored import completion_of, finite_score
from rewardkit_rm.evaluation.stream import batches
from rewardkit_rm.pairs.pair import Prompt, prompt_key
from rewardkit_rm.pairs.rows import read_prompt

if TYPE_CHECKING:
    from rewardkit_rm.models.scorer import Scorer

__all__ = ["RatedResponse", "RatingFiles", "correlate_ratings", "rated_response", "score_responses"]

_ONE = "rating"
_RESPONSES = 512
_MOST_NAMES = 50


@dataclass(frozen=True, slots=True)
class RatedResponse:
    """A response with ratings of people, and the scores to compare with them.

    Attributes:
        ratings: Rating by what was rated, as in ``{"coherence": 2.5}``; a single rating is called ``rating``.
        scores: Score by the same names; a score for all of them stands under ``""``. Empty where not scored.
        prompt: The prompt; None where unknown: the response is then independent of the others.
        completion: The text; None where unknown.
        where: File and line, for messages.
    """

    ratings: Mapping[str, float]
    scores: Mapping[str, float]
    prompt: Prompt | None = None
    completion: str | None = None
    where: str = ""


class RatingFiles:
    """Rated responses, read one at a time from JSON lines (plain or gzip) or Parquet.

    Each row holds ``rating`` (a number, or a mapping of names to numbers), ``prompt`` and ``completion`` (or
    ``response``) to be scored; or ``score`` (a number, or a mapping of the same names) where scores are stored.

    Args:
        paths: Files, read in this order as if they were one.
        layout: Where the columns lie in the rows.

    Raises:
        BatchError: If a file does not exist, cannot be opened, or is empty.
    """

    def __init__(self, paths: Sequence[str | Path], layout: Layout | None = None) -> None:
        self.files = SampleFiles(paths, layout)

    def __iter__(self) -> Iterator[RatedResponse]:
        """Return the responses.

        Raises:
            BatchError: If a row cannot be read, naming file and line.
        """
        for where, row in self.files.located():
            yield rated_response(row, where)


def rated_response(row: Mapping[str, Any], where: str) -> RatedResponse:
    """Read the columns of one rated response; see `RatingFiles` for what they may be.

    Raises:
        BatchError: If there is no rating, or a column holds what it cannot.

    Example:
        >>> rated_response({"rating": 4, "score": 0.5}, "line 1").ratings
        {'rating': 4.0}
    """
    if row.get("rating") is None:
        raise BatchError(
            f"{where}: needs 'rating', a number or a mapping of names to numbers (--map rating=NAME reads another)"
        )
    prompt, completion = row.get("prompt"), row.get("completion")
    if completion is None:
        completion = row.get("response")
    return RatedResponse(
        ratings=_numbers(row["rating"], "rating", where, _ONE),
        scores={} if row.get("score") is None else _numbers(row["score"], "score", where, ""),
        prompt=None if prompt is None else read_prompt(prompt, where),
        completion=completion_of(completion, f"{where}: 'completion'"),
        where=where,
    )


def _numbers(value: Any, name: str, where: str, single: str) -> dict[str, float]:
    if not isinstance(value, Mapping):
        return {single: finite_score(value, name, where)}
    if not value or len(value) > _MOST_NAMES:
        raise BatchError(f"{where}: {name!r} must hold 1 to {_MOST_NAMES} names, got {len(value)}")
    named = {str(key): number for key, number in value.items() if number is not None}
    return {key: finite_score(number, f"{name}.{key}", where) for key, number in named.items()}


def score_responses(
    scorer: Scorer, responses: Iterable[RatedResponse], *, batch_tokens: int = 16384
) -> Iterator[RatedResponse]:
    """Score rated responses with a model; stored scores are replaced, one that cannot be scored has none.

    Raises:
        BatchError: If a response has no prompt or no text.
    """
    for batch in batches(responses, _RESPONSES):
        prompts, completions = zip(*map(_prompt_and_completion, batch), strict=True)
        scored = scorer.score(prompts, completions, batch_tokens=batch_tokens)
        for row, (response, value) in enumerate(zip(batch, scored.values.tolist(), strict=True)):
            scores = {} if row in scored.problems else {"": value}
            yield RatedResponse(response.ratings, scores, response.prompt, response.completion, response.where)


def _prompt_and_completion(response: RatedResponse) -> tuple[Prompt, str]:
    if response.prompt is None or response.completion is None:
        raise BatchError(f"{response.where}: needs 'prompt' and 'completion' to be scored")
    return response.prompt, response.completion


def correlate_ratings(
    responses: Iterable[RatedResponse], *, replicates: int = 1000, seed: int = 0, sample: int = 100_000
) -> list[Rating]:
    """Return Spearman's rank correlation of scores and ratings, for each name that was rated.

    Over all responses, whatever their prompt; ties share their mean rank. Intervals are clustered by prompt. A
    response without a score is counted, not ranked.

    Args:
        responses: Rated responses, read once.
        replicates: Replicates of the bootstrap.
        seed: Seed of bootstrap and sample.
        sample: Responses to keep for each name at most; a uniform sample beyond.

    Raises:
        BatchError: If there are more than 50 names.

    Example:
        >>> rated = [RatedResponse({"rating": float(at)}, {"": at**2}) for at in range(40)]
        >>> [(found.name, found.responses, found.spearman.value) for found in correlate_ratings(rated)]
        [('rating', 40, 1.0)]
    """
    kept: dict[str, _Series] = {}
    for number, response in enumerate(responses):
        key = prompt_key(response.prompt) if response.prompt is not None else f"\0{number}"
        for name, rating in response.ratings.items():
            if name not in kept and len(kept) == _MOST_NAMES:
                raise BatchError(f"{response.where}: more than {_MOST_NAMES} names were rated, the last {shown(name)}")
            series = kept.setdefault(name, _Series(Reservoir(sample, seed)))
            series.add(response.scores.get(name, response.scores.get("")), rating, cluster_of(key))
    bootstrap = PoissonBootstrap(replicates, seed)
    return [series.correlation(name, bootstrap) for name, series in kept.items()]


class _Series:
    """Scores and ratings of one name."""

    def __init__(self, sample: Reservoir) -> None:
        self.sample = sample
        self.unscored = 0
        self._waiting: list[tuple[float, float, int]] = []

    def add(self, score: float | None, rating: float, cluster: int) -> None:
        if score is None:
            self.unscored += 1
            return
        self._waiting.append((score, rating, cluster))
        if len(self._waiting) >= _RESPONSES:
            self._flush()

    def _flush(self) -> None:
        scores, ratings, clusters = zip(*self._waiting, strict=True)
        columns = {"score": np.array(scores, dtype=np.float64), "rating": np.array(ratings, dtype=np.float64)}
        self.sample.add(columns, np.array(clusters, dtype=np.uint64))
        self._waiting = []

    def correlation(self, name: str, bootstrap: PoissonBootstrap) -> Rating:
        if self._waiting:
            self._flush()
        found = Figure(value=None)
        if self.sample.seen:
            pairs = self.sample["score"], self.sample["rating"]
            found = Figure.of(spearman_estimate(*pairs, self.sample.clusters, bootstrap))
        return Rating(
            name=name,
            responses=self.sample.seen,
            spearman=found,
            band=band_of(found.value, RANK_CORRELATION),
            unscored=self.unscored,
        )
