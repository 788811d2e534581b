"""The component ``math``, and the pure functions behind it."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, NamedTuple, Self, TypeAlias

from pydantic import Field, model_validator

from rewardkit import Columns, Component, Scores
from rewardkit.thinking import closes_thinking, opens_thinking
from rewardkit_math.extraction.locate import locate
from rewardkit_math.forms.compare import relative_error, settle
from rewardkit_math.forms.normal import Expression, Form, normal_form, unnamed
from rewardkit_math.forms.number import MAX_DIGITS, Number
from rewardkit_math.outcome import Extraction, Missing, Outcome, Rule, Verdict
from rewardkit_math.policy import Percent, Policy, Units

__all__ = ["Grading", "MathVerifier", "Reference", "partial_score", "read_reference", "verify"]

Reference: TypeAlias = str | int | float | None
_TOO_LARGE = 10**MAX_DIGITS
_SOLUTION_MARKS = ("\\boxed", "\\fbox", "####", "nswer", "NSWER", "\nA:")


class Grading(NamedTuple):
    """How a comparison becomes a score.

    Attributes:
        policy: What counts as equal.
        partial_credit: Relative error up to which a wrong number earns something; None: nothing.
        partial_max: What a wrong number earns at most.
    """

    policy: Policy = Policy()
    partial_credit: float | None = None
    partial_max: float = 0.5


_DEFAULT = Grading()


class _Grade(NamedTuple):
    outcome: Outcome
    score: float | None
    reason: str


def verify(
    response: str,
    answer: Reference,
    *,
    grading: Grading = _DEFAULT,
    strict_box: bool = False,
    last_number: bool = False,
    prompt: str = "",
) -> Verdict:
    r"""Judge one response.

    Args:
        response: What the model wrote.
        answer: The reference: an answer, or a worked solution that holds it; see `read_reference`.
        grading: Policies and partial credit.
        strict_box: Only a box is an answer.
        last_number: Without any other answer, the last number is one.
        prompt: Where it ends with ``<think>``, the response starts inside the thinking.

    Returns:
        The verdict. Any text is judged; nothing raises.

    Example:
        >>> verdict = verify(r"So it is \boxed{\frac{3}{4}}.", "0.75")
        >>> str(verdict.outcome), verdict.score, str(verdict.extraction.rule)
        ('correct', 1.0, 'box')
        >>> verify("The answer is 41 or 42.", "42").reason
        'a list of 2 against one number'
    """
    reference = read_reference(answer)
    inside = opens_thinking([prompt])[0] and not closes_thinking(response)
    found = Missing.THINKING if inside else locate(response, strict_box, last_number)
    form = normal_form(found.answer) if isinstance(found, Extraction) else None
    extraction = found if isinstance(found, Extraction) else None
    return Verdict(*_grade(found, form, reference, grading), extraction, _shown(form), _shown(reference))


def read_reference(answer: Reference) -> Form | None:
    r"""Return the normal form of a reference, or None where it says nothing.

    It says nothing where it is null, blank, nan, infinite, or an integer of more than `MAX_DIGITS` digits. Of a worked
    solution the final answer is read, by the rules for responses: a box, ``####``, ``<answer>``, "the answer is".

    >>> str(read_reference("16 - 3 = <<16-3=13>>13\n#### 13")), read_reference(" ")
    ('13', None)
    """
    if answer is None or (isinstance(answer, float) and not math.isfinite(answer)):
        return None
    if isinstance(answer, int) and abs(answer) >= _TOO_LARGE:
        return None
    text = str(answer)
    form = normal_form(_solution_answer(text) if any(mark in text for mark in _SOLUTION_MARKS) else text)
    return None if form == Expression("") else form


def _solution_answer(text: str) -> str:
    found = locate(text)
    # A reference such as "A:B = 1" is no line that gives an answer.
    if isinstance(found, Extraction) and not (found.rule is Rule.LINE and found.start == 0):
        return found.answer
    return text.rpartition("####")[2]


def partial_score(error: float, tolerance: float, most: float) -> float:
    """Return ``most · (1 - error / tolerance)`` for a relative error below the tolerance, else 0.

    >>> partial_score(0.05, 0.1, 0.5)
    0.25
    """
    return max(0.0, most * (1 - error / tolerance))


def _grade(found: Extraction | Missing, form: Form | None, reference: Form | None, grading: Grading) -> _Grade:
    if reference is None:
        return _Grade(Outcome.UNPARSED_REFERENCE, None, "the reference says nothing")
    if form is None:
        return _Grade(Outcome.NO_ANSWER, 0.0, str(found))
    settled = settle(form, reference, grading.policy)
    if settled.equal:
        return _Grade(Outcome.CORRECT, 1.0, settled.reason)
    answer, gold = unnamed(form), unnamed(reference)
    if grading.partial_credit and isinstance(answer, Number) and isinstance(gold, Number):
        return _grade_partly(answer, gold, grading, settled.reason)
    return _Grade(Outcome.WRONG, 0.0, settled.reason)


def _grade_partly(answer: Number, reference: Number, grading: Grading, reason: str) -> _Grade:
    error = relative_error(answer, reference, grading.policy)
    tolerance = grading.partial_credit
    # Compared as fractions: an error may be too large for a float.
    if tolerance is None or error is None or error >= tolerance:
        return _Grade(Outcome.WRONG, 0.0, reason)
    score = partial_score(float(error), tolerance, grading.partial_max)
    return _Grade(Outcome.WRONG, score, f"{reason}: off by {float(error):.2%}")


def _shown(form: Form | None) -> str:
    return "" if form is None else str(form)


def _locate_all(completions: list[str], strict_box: bool, last_number: bool) -> list[Extraction | Missing]:
    return [locate(text, strict_box, last_number) for text in completions]


class MathVerifier(Component):
    r"""1.0 if the final answer equals the reference, else 0.0; abstains where the reference is null or blank.

    The answer is the last ``\boxed{}`` (or ``\fbox{}``) outside of the thinking, or what the response states without a
    box ("the answer is x", ``#### x``, a line ``A: x``, ``<answer>x</answer>``). It is compared exactly: numbers as
    fractions whatever their spelling, lists in any order, tuples and intervals in order, choices, words, and formulas
    as text. What only symbolic computation could settle counts as wrong, with that reason. A response that hedges
    (several answers for one), retracts its answer, leaves the box or the thinking open, or chains unequal sides
    (``41 = 42``) scores 0.

    With ``partial_credit`` set, a wrong number within that relative error of a reference other than 0 scores
    ``partial_max · (1 - error / partial_credit)``.

    The range is [0, 1]. Details of each sample say the outcome, the answer, the rule that found it, both normal
    forms, and the reason.

    Example:
        >>> math = MathVerifier()
        >>> scores = math.score(math.Inputs(completion=[r"\boxed{1,200}", "A: 3"], answer=["1200", None]))
        >>> scores.values.tolist(), scores.abstained.tolist()
        ([1.0, nan], [False, True])
    """

    name: ClassVar[str] = "math"
    version: ClassVar[str] = "1"

    strict_box: bool = Field(default=False, description="Only a box is an answer.")
    last_number: bool = Field(default=False, description="Without any other answer, the last number is one.")
    percent: Percent = Field(
        default="either", description="What 50% equals: 50 and 0.5 (either), only 50 (sign), only 0.5 (value)."
    )
    units: Units = Field(
        default="optional", description="A unit on one side only: ignored (optional), or different (required)."
    )
    partial_credit: float | None = Field(
        default=None, gt=0, lt=1, description="Relative error up to which a wrong number earns something."
    )
    partial_max: float = Field(default=0.5, gt=0, le=1, description="What a wrong number earns at most.")

    class Inputs(Columns):
        """``answer``: strings or numbers, null abstains. ``prompt`` only tells whether it opens the thinking."""

        completion: list[str]
        answer: list[str | int | float | None]
        prompt: list[str] | None = None

    @model_validator(mode="after")
    def _one_rule(self) -> Self:
        if self.strict_box and self.last_number:
            raise ValueError("strict_box and last_number exclude each other")
        return self

    def score(self, inputs: Inputs) -> Scores:
        """Score every sample; see the class."""
        found = self._found(inputs)
        grade = _grader(Grading(Policy(self.percent, self.units), self.partial_credit, self.partial_max))
        answers = inputs.answer

        def explain(row: int) -> Mapping[str, Any]:
            return _explain(found[row], answers[row], grade(found[row], answers[row]))

        return Scores([grade(*pair).score for pair in zip(found, answers, strict=True)], details=explain)

    def score_range(self) -> tuple[float, float]:
        """Return (0, 1)."""
        return (0.0, 1.0)

    def _found(self, inputs: Inputs) -> list[Extraction | Missing]:
        found = inputs.derive(_locate_all, "completion", self.strict_box, self.last_number)
        if inputs.prompt is None:
            return found
        opened = inputs.derive(opens_thinking, "prompt")
        if not any(opened):
            return found
        return [
            Missing.THINKING if inside and not closes_thinking(text) else item
            for item, inside, text in zip(found, opened, inputs.completion, strict=True)
        ]


def _grader(grading: Grading) -> Callable[[Extraction | Missing, Reference], _Grade]:
    """Return a function that grades each distinct pair once and reads each distinct text once."""
    forms: dict[str, Form] = {}
    references: dict[Reference, Form | None] = {}
    grades: dict[tuple[str | None, Missing | None, Reference], _Grade] = {}

    def form_of(found: Extraction | Missing) -> Form | None:
        if isinstance(found, Missing):
            return None
        if found.answer not in forms:
            forms[found.answer] = normal_form(found.answer)
        return forms[found.answer]

    def grade(found: Extraction | Missing, answer: Reference) -> _Grade:
        # Kept apart: an answer may read like the name of what is missing.
        key = (found.answer, None, answer) if isinstance(found, Extraction) else (None, found, answer)
        if key not in grades:
            if answer not in references:
                references[answer] = read_reference(answer)
            grades[key] = _grade(found, form_of(found), references[answer], grading)
        return grades[key]

    return grade


def _explain(found: Extraction | Missing, answer: Reference, grade: _Grade) -> Mapping[str, Any]:
    extraction = found if isinstance(found, Extraction) else None
    return {
        "outcome": str(grade.outcome),
        "reason": grade.reason,
        "answer": extraction.answer if extraction else None,
        "rule": str(extraction.rule) if extraction else None,
        "answer_form": _shown(normal_form(extraction.answer)) if extraction else "",
        "reference_form": _shown(read_reference(answer)),
    }
