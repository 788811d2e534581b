"""What a comparison of two texts came to."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple, TypeAlias

from rewardkit_math.outcome import Stage

__all__ = ["Cause", "Compared", "Pair"]

Pair: TypeAlias = tuple[str, str]
"""An answer and a reference, as text."""


class Cause(StrEnum):
    """Why a comparison is undecided, where that is not for want of a method."""

    ANSWER_UNREAD = "answer_unread"
    REFERENCE_UNREAD = "reference_unread"
    ANSWER_TIMEOUT = "answer_timeout"
    REFERENCE_TIMEOUT = "reference_timeout"
    MACHINE = "machine"


class Compared(NamedTuple):
    """Whether answer and reference are equal (None: undecided), the reason, and the stage that said so."""

    equal: bool | None
    reason: str
    stage: Stage
    cause: Cause | None = None
