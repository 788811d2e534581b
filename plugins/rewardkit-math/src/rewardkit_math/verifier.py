"""The component ``math``, and the function ``verify`` for one response."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Self

from pydantic import Field, model_validator

from rewardkit import Columns, Component, Scores
from rewardkit.thinking import closes_thinking, opens_thinking
from rewardkit_math.compared import Compared
from rewardkit_math.comparison import compare_all
from rewardkit_math.extraction.locate import locate
from rewardkit_math.grading import Grade, Grading, Unsettled, grade
from rewardkit_math.outcome import Extraction, Missing, Verdict, shown_form
from rewardkit_math.policy import Arithmetic, Bases, Fractions, Order, Percent, Policy, Units
from rewardkit_math.reference import Reference, reference_text

__all__ = ["MathVerifier", "verify"]

_DEFAULT = Grading()


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
        answer: The reference: an answer, or a worked solution that holds it; see `reference_text`.
        grading: Policies and partial credit.
        strict_box: Only a box is an answer.
        last_number: Without any other answer, the last number is one.
        prompt: The question. Where it ends with ``<think>``, the response starts inside the thinking; an answer that
            only repeats a formula of it is wrong.

    Returns:
        The verdict. Any text is judged.

    Raises:
        TimeoutError: If the machine was too busy to settle a comparison; see ``rewardkit.isolation``.

    Example:
        >>> verdict = verify(r"So it is \boxed{\frac{3}{4}}.", "0.75")
        >>> str(verdict.outcome), verdict.score, str(verdict.extraction.rule)
        ('correct', 1.0, 'box')
        >>> verify("The answer is 41 or 42.", "42").reason
        'a list of 2 against one number'
    """
    inside = opens_thinking([prompt])[0] and not closes_thinking(response)
    found = Missing.THINKING if inside else locate(response, strict_box, last_number)
    reference = reference_text(answer)
    compared = _compare([found], [reference], grading)[0]
    graded = grade(found, reference, compared, grading, prompt)
    if graded.failed:
        raise TimeoutError(graded.reason)
    extraction = found if isinstance(found, Extraction) else None
    stage = compared.stage if compared else None
    return Verdict(graded.outcome, graded.score, graded.reason, extraction, reference, stage)


def _compare(
    found: list[Extraction | Missing], references: list[str | None], grading: Grading
) -> list[Compared | None]:
    """Compare row by row; None where the answer or the reference is missing."""
    pairs = [
        (one.answer, reference) if isinstance(one, Extraction) and reference is not None else None
        for one, reference in zip(found, references, strict=True)
    ]
    compared = compare_all((pair for pair in pairs if pair), grading.policy, grading.cpu_seconds)
    return [compared[pair] if pair else None for pair in pairs]


def _locate_all(completions: list[str], strict_box: bool, last_number: bool) -> list[Extraction | Missing]:
    return [locate(text, strict_box, last_number) for text in completions]


def _reference_texts(answers: list[Reference]) -> list[str | None]:
    texts = {answer: reference_text(answer) for answer in set(answers)}
    return [texts[answer] for answer in answers]


class MathVerifier(Component):
    r"""1.0 if the final answer equals the reference, else 0.0; abstains where the reference says nothing.

    The answer is the last ``\boxed{}`` (or ``\fbox{}``) outside of the thinking, or what the response states without a
    box ("the answer is x", ``#### x``, a line ``A: x``, ``<answer>x</answer>``). It is compared in three stages: by
    normal forms (numbers as exact fractions whatever their spelling, lists, tuples, choices, words); as formulas,
    parsed to a tree and evaluated exactly, or with high precision at random points; and by sympy, in a worker process
    that is killed after ``cpu_seconds``. A response that hedges (several answers for one), retracts its answer, leaves
    the box or the thinking open, chains unequal sides (``41 = 42``), repeats the question or leaves a sum or product
    to compute scores 0, and so does what no stage settles.

    With ``partial_credit`` set, a wrong number within that relative error of a reference other than 0 scores
    ``partial_max · (1 - error / partial_credit)``.

    The range is [0, 1]. Details of each sample say the outcome, the answer, the rule that found it, both normal
    forms, the stage that settled it, and the reason.

    Example:
        >>> math = MathVerifier()
        >>> scores = math.score(math.Inputs(completion=[r"\boxed{1,200}", "A: 3"], answer=["1200", None]))
        >>> scores.values.tolist(), scores.abstained.tolist()
        ([1.0, nan], [False, True])
    """

    name: ClassVar[str] = "math"
    version: ClassVar[str] = "2"
    slow: ClassVar[bool] = True  # it may wait for a worker, and an event loop must not wait with it

    strict_box: bool = Field(default=False, description="Only a box is an answer.")
    last_number: bool = Field(default=False, description="Without any other answer, the last number is one.")
    percent: Percent = Field(
        default="either", description="What 50% equals: 50 and 0.5 (either), only 50 (sign), only 0.5 (value)."
    )
    units: Units = Field(
        default="optional", description="A unit on one side only: ignored (optional), or different (required)."
    )
    bases: Bases = Field(
        default="optional", description="A base, as in 506_7, on one side only: ignored (optional), or different."
    )
    order: Order = Field(
        default="brackets",
        description="Tuples in order, lists not (brackets); nothing but intervals in order (any); lists too (all).",
    )
    fractions: Fractions = Field(
        default="any", description="Whether 4/8 is 1/2 (any), or an answer is wrong until it is reduced (reduced)."
    )
    rounding: int | None = Field(
        default=10,
        ge=1,
        le=50,
        description="Significant digits from which a decimal equals the exact value that it rounds; null: never.",
    )
    arithmetic: Arithmetic = Field(
        default="computed", description="Whether an answer may leave sums and products to compute (any) or not."
    )
    partial_credit: float | None = Field(
        default=None, gt=0, lt=1, description="Relative error up to which a wrong number earns something."
    )
    partial_max: float = Field(default=0.5, gt=0, le=1, description="What a wrong number earns at most.")
    unsettled: Unsettled = Field(
        default="wrong", description="What becomes of an answer that no stage settles: 0 (wrong), or it abstains."
    )
    cpu_seconds: float = Field(
        default=2.0, ge=0, le=60, description="CPU time that sympy may take for one comparison; 0: it is never asked."
    )

    class Inputs(Columns):
        """``answer``: strings or numbers, null abstains. ``prompt`` tells what only repeats the question."""

        completion: list[str]
        answer: list[str | int | float | None]
        prompt: list[str] | None = None

    @model_validator(mode="after")
    def _one_rule(self) -> Self:
        if self.strict_box and self.last_number:
            raise ValueError("strict_box and last_number exclude each other")
        return self

    def grading(self) -> Grading:
        """Return the settings that say how a comparison becomes a score."""
        policy = Policy(
            self.percent, self.units, self.bases, self.order, self.fractions, self.rounding, self.arithmetic
        )
        return Grading(policy, self.partial_credit, self.partial_max, self.unsettled, self.cpu_seconds)

    def score(self, inputs: Inputs) -> Scores:
        """Score every sample; see the class. A comparison that the machine left unfinished fails its rows."""
        grading, found = self.grading(), self._found(inputs)
        references = _reference_texts(inputs.answer)
        compared = _compare(found, references, grading)
        prompts = inputs.prompt or [""] * len(found)
        rows = zip(found, references, compared, prompts, strict=True)
        grades = [grade(one, reference, how, grading, prompt) for one, reference, how, prompt in rows]
        failures = {row: TimeoutError(one.reason) for row, one in enumerate(grades) if one.failed}

        def explain(row: int) -> Mapping[str, Any]:
            return _explain(found[row], references[row], compared[row], grades[row])

        return Scores([one.score for one in grades], failures=failures, details=explain)

    def judge(self, response: str, answer: Reference, prompt: str = "") -> Verdict:
        """Judge one response with these settings; see `verify`."""
        options = {"strict_box": self.strict_box, "last_number": self.last_number}
        return verify(response, answer, grading=self.grading(), prompt=prompt, **options)

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


def _explain(
    found: Extraction | Missing, reference: str | None, compared: Compared | None, graded: Grade
) -> Mapping[str, Any]:
    extraction = found if isinstance(found, Extraction) else None
    return {
        "outcome": str(graded.outcome),
        "reason": graded.reason,
        "answer": extraction.answer if extraction else None,
        "rule": str(extraction.rule) if extraction else None,
        "stage": str(compared.stage) if compared else None,
        "answer_form": shown_form(extraction.answer) if extraction else "",
        "reference_form": shown_form(reference) if reference is not None else "",
    }
