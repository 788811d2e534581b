"""Score completions with a reward model: batches by length, one score a row, in the caller's order.

Public names::

    Scored(values: float64 (N,), problems: dict[int, str], cut: list[int])
    Scorer(model: RewardModel, encoder: ResponseEncoder, name: str = "", digest: str = "")
        .score(prompts, completions, *, batch_tokens=16384, progress=None) -> Scored
        .embed(prompts, completions, *, batch_tokens=16384, progress=None) -> float32 (N, H)

``progress`` is called with the number of rows done since the last call.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from rewardkit_rm.models.encoding import Encoded, ResponseEncoder
from rewardkit_rm.models.errors import ModelError
from rewardkit_rm.models.reward_model import RewardModel
from rewardkit_rm.pairs.pair import Prompt

__all__ = ["Scored", "Scorer"]

Progress = Callable[[int], None]


@dataclass(frozen=True, slots=True)
class Scored:
    """Scores of a batch.

    Attributes:
        values: Shape ``(N,)``; nan exactly where there is a problem.
        problems: Why a row has no score.
        cut: Rows whose prompt lost its beginning to fit.
    """

    values: NDArray[np.float64]
    problems: dict[int, str]
    cut: list[int]


class Scorer:
    """A reward model with its tokenizer.

    Args:
        model: The network.
        encoder: How text becomes tokens.
        name: What messages call it.
        digest: SHA-256 of its weights, settings and tokenizer; empty for a model that was never saved.
    """

    def __init__(self, model: RewardModel, encoder: ResponseEncoder, name: str = "", digest: str = "") -> None:
        self.model = model
        self.encoder = encoder
        self.name = name
        self.digest = digest

    def score(
        self,
        prompts: Sequence[Prompt],
        completions: Sequence[str],
        *,
        batch_tokens: int = 16384,
        progress: Progress | None = None,
    ) -> Scored:
        """Score every completion.

        Rows of equal tokens are computed once. A score does not depend on the other rows, but for the rounding of
        the precision the model runs in.

        Args:
            prompts: N prompts: text, or turns of a conversation.
            completions: Their N completions.
            batch_tokens: Most tokens in a forward pass, padding counted; a longer sequence goes alone. A batch that
                does not fit into memory is halved.
            progress: Called with the number of rows done since the last call.

        Raises:
            ModelError: If not even one sequence fits into memory, or the chat template writes today's date.
        """
        encoded = self.encoder.encode_batch(prompts, completions)
        values = np.full(len(encoded), np.nan)
        problems = {row: item.problem for row, item in enumerate(encoded) if item.problem}
        for rows, scores in self._batches(encoded, self.model, batch_tokens, progress):
            values[rows] = scores
        for row, features in self._windowed(encoded, batch_tokens, progress):
            values[row] = self._from_features(features)
        for row in np.flatnonzero(~np.isfinite(values)).tolist():
            problems.setdefault(row, f"the model's score is {values[row]}")
            values[row] = np.nan
        return Scored(values, dict(sorted(problems.items())), [row for row, item in enumerate(encoded) if item.cut])

    def embed(
        self,
        prompts: Sequence[Prompt],
        completions: Sequence[str],
        *,
        batch_tokens: int = 16384,
        progress: Progress | None = None,
    ) -> NDArray[np.float32]:
        """Return the features that the head reads, shape ``(N, H)``; nan where a row cannot be encoded.

        ``model.head`` of them is the score: a frozen body is run once, and the head is trained on what it said.
        """
        encoded = self.encoder.encode_batch(prompts, completions)
        features = np.full((len(encoded), self.model.feature_size), np.nan, dtype=np.float32)
        for rows, vectors in self._batches(encoded, self.model.pooled, batch_tokens, progress):
            features[rows] = vectors
        for row, vector in self._windowed(encoded, batch_tokens, progress):
            features[row] = vector
        return features

    def _windowed(
        self, encoded: Sequence[Encoded], batch_tokens: int, progress: Progress | None
    ) -> Iterator[tuple[int, NDArray[np.float32]]]:
        """Yield rows that are read in windows, and the mean of their windows' features, weighted by tokens."""
        rows = [row for row, item in enumerate(encoded) if item.windows]
        parts = [part for row in rows for part in encoded[row].windows]
        features = np.empty((len(parts), self.model.feature_size), dtype=np.float32)
        for places, vectors in self._batches(parts, self.model.pooled, batch_tokens, None):
            features[places] = vectors
        start = 0
        for row in rows:
            lengths = [len(part.input_ids) for part in encoded[row].windows]
            yield row, np.average(features[start : start + len(lengths)], axis=0, weights=lengths).astype(np.float32)
            start += len(lengths)
            if progress is not None:
                progress(1)

    @torch.inference_mode()
    def _from_features(self, features: NDArray[np.float32]) -> float:
        was = self.model.head.training
        self.model.head.eval()
        score = float(self.model.head(torch.from_numpy(features)[None].to(self.model.device)))
        self.model.head.train(was)
        return score

    def _batches(
        self,
        encoded: Sequence[Encoded],
        run: Callable[..., Tensor],
        batch_tokens: int,
        progress: Progress | None,
    ) -> Iterator[tuple[list[int], NDArray[np.float32]]]:
        """Run batches of similar length, the longest first; yield rows and what was computed for them."""
        groups = _alike(encoded)
        if progress is not None:
            progress(sum(bool(item.problem) for item in encoded))
        groups.sort(key=lambda rows: -len(encoded[rows[0]].input_ids))
        training = self.model.training
        self.model.eval()
        try:
            for batch in _within(groups, encoded, batch_tokens):
                computed = self._run_or_halve([encoded[rows[0]] for rows in batch], run)
                rows = [row for group in batch for row in group]
                yield rows, np.repeat(computed, [len(group) for group in batch], axis=0)
                if progress is not None:
                    progress(len(rows))
        finally:
            self.model.train(training)

    def _run_or_halve(self, encoded: list[Encoded], run: Callable[..., Tensor]) -> NDArray[np.float32]:
        try:
            return self._run(encoded, run)
        except torch.OutOfMemoryError as error:
            if len(encoded) == 1:
                tokens = len(encoded[0].input_ids)
                raise ModelError(f"{self.name}: the memory does not hold one sequence of {tokens:,} tokens") from error
        half = len(encoded) // 2
        return np.concatenate([self._run_or_halve(part, run) for part in (encoded[:half], encoded[half:])])

    @torch.inference_mode()
    def _run(self, encoded: list[Encoded], run: Callable[..., Tensor]) -> NDArray[np.float32]:
        inputs = {name: column.to(self.model.device) for name, column in self.encoder.pad(encoded).items()}
        computed: NDArray[np.float32] = run(**inputs).float().cpu().numpy()
        return computed


def _alike(encoded: Sequence[Encoded]) -> list[list[int]]:
    """Return the rows that have tokens and are read at once, those of equal tokens together."""
    groups: dict[tuple[tuple[int, ...], tuple[int, ...]], list[int]] = {}
    for row, item in enumerate(encoded):
        if item.input_ids and not item.windows:
            groups.setdefault((tuple(item.input_ids), tuple(item.token_type_ids or ())), []).append(row)
    return list(groups.values())


def _within(groups: list[list[int]], encoded: Sequence[Encoded], batch_tokens: int) -> Iterator[list[list[int]]]:
    """Cut groups, which are sorted by falling length, into batches of at most so many tokens, padding counted."""
    start = 0
    while start < len(groups):
        size = max(batch_tokens // len(encoded[groups[start][0]].input_ids), 1)
        yield groups[start : start + size]
        start += size
