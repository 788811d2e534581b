"""Pairs with two scores: what every evaluation starts from, whoever gave the scores."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rewardkit.errors import BatchError, shown
from rewardkit.files import Layout, SampleFiles
from rewardkit.messages import completion_text, read_messages
from rewardkit_rm.pairs.pair import prompt_key, text_of
from rewardkit_rm.pairs.rows import read_prompt

__all__ = ["LARGEST_SCORE", "ScoreFiles", "ScoredPair", "completion_of", "finite_score", "scored_pair"]

LARGEST_SCORE = 1e100
"""Scores beyond this are refused: sums of their squares would overflow."""

_LABELS = {"A>B": 1, "A>>B": 1, "A": 1, "B>A": -1, "B>>A": -1, "B": -1, "A=B": 0, "TIE": 0}
_FORMS = (
    "'chosen_score' and 'rejected_score'; or 'scores' with 'chosen' and 'rejected'; or 'score_A', 'score_B' and a "
    "'label' such as 'A>B'"
)


@dataclass(frozen=True, slots=True)
class ScoredPair:
    """A preference pair and the score of each side.

    Attributes:
        chosen_score: Score of the preferred side; nan where there is a ``problem``.
        rejected_score: Score of the other side.
        prompt: What `prompt_key` gives for the prompt; empty where unknown: the pair is then independent of others.
        domain: Where the pair comes from; empty where unknown.
        chosen_length: Characters of the preferred side; None where unknown.
        rejected_length: Characters of the other side.
        tie: Whether annotators found both equally good.
        probability: How probable it is that the chosen side is better; 0.5 is a tie, below it the sides are swapped.
        problem: Why it has no scores; empty where it has.
        prompt_text: The prompt as text, to show it.
        chosen: Text of the preferred side, to show it.
        rejected: Text of the other side.
        id: Name of the pair; empty where it has none.
        where: File and position, for messages.
    """

    chosen_score: float
    rejected_score: float
    prompt: str = ""
    domain: str = ""
    chosen_length: int | None = None
    rejected_length: int | None = None
    tie: bool = False
    probability: float = 1.0
    problem: str = ""
    prompt_text: str = ""
    chosen: str = ""
    rejected: str = ""
    id: str = ""
    where: str = ""

    @property
    def undecided(self) -> bool:
        """Whether annotators prefer neither side: a tie, or a probability of 0.5."""
        return self.tie or self.probability == 0.5


class ScoreFiles:
    """Stored scores of pairs, read one at a time from JSON lines (plain or gzip) or Parquet.

    Each row holds two scores, as ``chosen_score`` and ``rejected_score``, as ``scores: {chosen, rejected}``, or as
    ``score_A``, ``score_B`` and a ``label`` (``A>B``, ``B>A`` or ``A=B``); a score of null says that the pair could
    not be scored. What else may stand there:

    - ``prompt`` (text or messages), or ``prompt_key`` (what pairs of one prompt share);
    - ``chosen`` and ``rejected``, or ``response_A`` and ``response_B`` (text or messages);
    - ``chosen_length`` and ``rejected_length``, or ``length_A`` and ``length_B`` (characters, without texts);
    - ``domain``, ``tie``, ``probability``, ``id``, and ``problem`` (why a score is null).

    Other names are read through ``layout``.

    Args:
        paths: Files, read in this order as if they were one.
        layout: Where the columns lie in the rows.

    Raises:
        BatchError: If a file does not exist, cannot be opened, or is empty.
    """

    def __init__(self, paths: Sequence[str | Path], layout: Layout | None = None) -> None:
        self.files = SampleFiles(paths, layout)

    def __iter__(self) -> Iterator[ScoredPair]:
        """Return the pairs.

        Raises:
            BatchError: If a row cannot be read, naming file and line.
        """
        for where, row in self.files.located():
            yield scored_pair(row, where)


def scored_pair(row: Mapping[str, Any], where: str) -> ScoredPair:
    """Read the columns of one stored pair; see `ScoreFiles` for what they may be.

    Args:
        row: The columns.
        where: File and position, for messages.

    Raises:
        BatchError: If there are no two scores, or a column holds what it cannot.

    Example:
        >>> pair = scored_pair({"label": "B>A", "score_A": 0.5, "score_B": 2.0, "domain": "math"}, "row 1")
        >>> pair.chosen_score, pair.rejected_score, pair.domain
        (2.0, 0.5, 'math')
    """
    sides, tie = _sides(row, where)
    (chosen_score, chosen, chosen_length), (rejected_score, rejected, rejected_length) = (
        _read(row, side, where) for side in sides
    )
    known = not (math.isnan(chosen_score) or math.isnan(rejected_score))
    prompt = None if row.get("prompt") is None else read_prompt(row["prompt"], where)
    return ScoredPair(
        chosen_score=chosen_score,
        rejected_score=rejected_score,
        prompt=_name(row, "prompt_key", where) if prompt is None else prompt_key(prompt),
        domain=_name(row, "domain", where),
        chosen_length=chosen_length,
        rejected_length=rejected_length,
        tie=tie or _flag(row, "tie", where),
        probability=_probability(row, where),
        problem="" if known else _name(row, "problem", where) or "the score is null",
        prompt_text="" if prompt is None else text_of(prompt),
        chosen=chosen or "",
        rejected=rejected or "",
        id=_name(row, "id", where),
        where=where,
    )


@dataclass(frozen=True, slots=True)
class _Side:
    """Where one side of a pair stands in a row."""

    score: str
    value: Any
    text: str
    length: str


def _sides(row: Mapping[str, Any], where: str) -> tuple[tuple[_Side, _Side], bool]:
    """Return the preferred side and the other one, and whether the label calls it a tie."""
    if "chosen_score" in row and "rejected_score" in row:
        return _named(row["chosen_score"], row["rejected_score"]), False
    scores = row.get("scores")
    if isinstance(scores, Mapping) and "chosen" in scores and "rejected" in scores:
        return _named(scores["chosen"], scores["rejected"]), False
    if "score_A" in row and "score_B" in row and "label" in row:
        a = _Side("score_A", row["score_A"], "response_A", "length_A")
        b = _Side("score_B", row["score_B"], "response_B", "length_B")
        preferred = _label(row["label"], where)
        return ((b, a) if preferred < 0 else (a, b)), preferred == 0
    found = ", ".join(sorted(map(str, row))[:12]) or "(nothing)"
    raise BatchError(f"{where}: no two scores: needs {_FORMS}; found {shown(found)} (--map gives columns other names)")


def _read(row: Mapping[str, Any], side: _Side, where: str) -> tuple[float, str | None, int | None]:
    """Return score, text and length of a side."""
    text = completion_of(row.get(side.text), f"{where}: {side.text!r}")
    return _score(side, where), text, _length(row, side, where) if text is None else len(text)


def _named(chosen: Any, rejected: Any) -> tuple[_Side, _Side]:
    return (
        _Side("chosen_score", chosen, "chosen", "chosen_length"),
        _Side("rejected_score", rejected, "rejected", "rejected_length"),
    )


def _label(value: Any, where: str) -> int:
    found = _LABELS.get("".join(value.split()).upper()) if isinstance(value, str) else None
    if found is None:
        raise BatchError(f"{where}: 'label' must be 'A>B', 'B>A' or 'A=B', got {shown(value)}")
    return found


def _score(side: _Side, where: str) -> float:
    return math.nan if side.value is None else finite_score(side.value, side.score, where)


def finite_score(value: Any, name: str, where: str) -> float:
    """Return a score as a float.

    Raises:
        BatchError: If it is no number, not finite, or beyond `LARGEST_SCORE`.
    """
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise BatchError(f"{where}: {name!r} must be a number, got {shown(value)}")
    if not -LARGEST_SCORE <= value <= LARGEST_SCORE:  # nan is neither
        raise BatchError(f"{where}: {name!r} must be a finite number of usual size, got {shown(value)}")
    return float(value)


def completion_of(value: Any, where: str) -> str | None:
    """Return a completion, text or messages, as text; None where there is none.

    Raises:
        BatchError: If it is neither.
    """
    if value is None or isinstance(value, str):
        return value
    return completion_text(read_messages(value, where), where)


def _length(row: Mapping[str, Any], side: _Side, where: str) -> int | None:
    value = row.get(side.length)
    if value is not None and (isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 2**53):
        raise BatchError(f"{where}: {side.length!r} must be a number of characters, got {shown(value)}")
    return value


def _name(row: Mapping[str, Any], name: str, where: str) -> str:
    value = row.get(name)
    if value is None or isinstance(value, str):
        return value or ""
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    raise BatchError(f"{where}: {name!r} must be text, got {shown(value)}")


def _flag(row: Mapping[str, Any], name: str, where: str) -> bool:
    value = row.get(name)
    if value is None or isinstance(value, bool):
        return bool(value)
    raise BatchError(f"{where}: {name!r} must be true or false, got {shown(value)}")


def _probability(row: Mapping[str, Any], where: str) -> float:
    value = row.get("probability")
    if value is None:
        return 1.0
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
        raise BatchError(f"{where}: 'probability' must be a number from 0 to 1, got {shown(value)}")
    return float(value)
