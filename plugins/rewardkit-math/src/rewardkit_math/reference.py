"""Read what a reference column holds: an answer, a number, or a worked solution that ends in one."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import TypeAlias

from rewardkit_math.extraction.locate import locate
from rewardkit_math.forms.normal import Expression, Form, normal_form
from rewardkit_math.forms.number import MAX_DIGITS
from rewardkit_math.outcome import Extraction, Rule

__all__ = ["Reference", "read_reference", "reference_form", "reference_text"]

Reference: TypeAlias = str | int | float | None
_NOTHING = Expression("")
_TOO_LARGE = 10**MAX_DIGITS
_SOLUTION_MARKS = ("\\boxed", "\\fbox", "####", "nswer", "NSWER", "\nA:")


def reference_text(answer: Reference) -> str | None:
    r"""Return the final answer that a reference states, or None where it says nothing.

    It says nothing where it is null, blank, nan, infinite, or an integer of more than `MAX_DIGITS` digits. Of a worked
    solution the final answer is read, by the rules for responses: a box, ``####``, ``<answer>``, "the answer is".

    >>> reference_text("16 - 3 = <<16-3=13>>13\n#### 13"), reference_text(0.5), reference_text(" ")
    ('13', '0.5', None)
    """
    if answer is None or (isinstance(answer, float) and not math.isfinite(answer)):
        return None
    if isinstance(answer, int) and abs(answer) >= _TOO_LARGE:
        return None
    text = str(answer)
    if any(mark in text for mark in _SOLUTION_MARKS):
        text = _solution_answer(text)
    return None if reference_form(text) == _NOTHING else text


def read_reference(answer: Reference) -> Form | None:
    """Return the normal form of a reference, or None where it says nothing.

    >>> str(read_reference("x = 3/4")), read_reference("$$")
    ('x = 3/4', None)
    """
    text = reference_text(answer)
    return None if text is None else reference_form(text)


@lru_cache(maxsize=4096)
def reference_form(text: str) -> Form:
    """Return the normal form of a reference; remembered, as one reference serves a group, and every epoch."""
    return normal_form(text)


def _solution_answer(text: str) -> str:
    found = locate(text)
    # A reference such as "A:B = 1" is no line that gives an answer.
    if isinstance(found, Extraction) and not (found.rule is Rule.LINE and found.start == 0):
        return found.answer
    return text.rpartition("####")[2]
