"""What the verifier says about one response: the answer found, and the verdict on it."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple

__all__ = ["Extraction", "Missing", "Outcome", "Rule", "Stage", "Verdict", "shown_form"]


class Rule(StrEnum):
    """What found the answer; new members may be added."""

    BOX = "box"
    HASH = "hash"
    LINE = "a_line"
    PHRASE = "phrase"
    TAG = "answer_tag"
    WHOLE = "whole"
    LAST_NUMBER = "last_number"


class Missing(StrEnum):
    """Why a response has no answer."""

    NOTHING = "no answer was found"
    THINKING = "the thinking is never closed"
    UNCLOSED = "the last box is not closed within 4,000 characters"
    RETRACTED = "the last answer is negated or taken back"


class Extraction(NamedTuple):
    """An answer, the rule that found it, and where: ``response[start:end]`` holds it, command and braces included.

    Several boxes are joined by "; ".
    """

    answer: str
    rule: Rule
    start: int
    end: int


class Stage(StrEnum):
    """What settled a comparison, or was the last to try."""

    FORM = "form"
    FORMULA = "formula"
    SYMPY = "sympy"


class Outcome(StrEnum):
    """What became of one response; new members may be added."""

    CORRECT = "correct"
    WRONG = "wrong"
    NO_ANSWER = "no_answer"
    UNPARSED_REFERENCE = "unparsed_reference"
    TIMEOUT = "timeout"


class Verdict(NamedTuple):
    """One response judged against its reference.

    Attributes:
        outcome: What became of it; a number that earns partial credit is ``wrong`` with a score above 0.
        score: From 0 to 1, or None where the reference cannot be read (the sample abstains).
        reason: One clause for people.
        extraction: What was found, by which rule and where; None if nothing was.
        reference: The final answer that the reference states; None if it says nothing.
        stage: What settled the comparison; None where nothing was compared.
    """

    outcome: Outcome
    score: float | None
    reason: str
    extraction: Extraction | None = None
    reference: str | None = None
    stage: Stage | None = None

    @property
    def answer_form(self) -> str:
        """Normal form of the answer, or "" where there is none."""
        return "" if self.extraction is None else shown_form(self.extraction.answer)

    @property
    def reference_form(self) -> str:
        """Normal form of the reference, or "" where it says nothing."""
        return "" if self.reference is None else shown_form(self.reference)


def shown_form(text: str) -> str:
    """Return the normal form of a text as text."""
    from rewardkit_math.forms.normal import normal_form

    return str(normal_form(text))
