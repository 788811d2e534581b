"""Turn a comparison into an outcome and a score."""

from __future__ import annotations

from fractions import Fraction
from typing import Literal, NamedTuple, TypeAlias

from rewardkit_math.compared import Cause, Compared
from rewardkit_math.finished import unfinished
from rewardkit_math.forms.compare import relative_error
from rewardkit_math.forms.normal import Expression, normal_form, unnamed
from rewardkit_math.forms.number import Number
from rewardkit_math.outcome import Extraction, Missing, Outcome
from rewardkit_math.policy import Policy

__all__ = ["Grade", "Grading", "Unsettled", "grade", "partial_score"]

Unsettled: TypeAlias = Literal["wrong", "abstain"]


class Grading(NamedTuple):
    """How a comparison becomes a score.

    Attributes:
        policy: What counts as equal.
        partial_credit: Relative error up to which a wrong number earns something; None: nothing.
        partial_max: What a wrong number earns at most.
        unsettled: What becomes of an answer that no stage could settle.
        cpu_seconds: CPU time that sympy may take for one comparison; 0: it is never asked.
    """

    policy: Policy = Policy()
    partial_credit: float | None = None
    partial_max: float = 0.5
    unsettled: Unsettled = "wrong"
    cpu_seconds: float = 2.0


class Grade(NamedTuple):
    """``score`` is None where the sample abstains; ``failed`` where the machine, not the answer, is at fault."""

    outcome: Outcome
    score: float | None
    reason: str
    failed: bool = False


def partial_score(error: float, tolerance: float, most: float) -> float:
    """Return ``most · (1 - error / tolerance)`` for a relative error below the tolerance, else 0.

    >>> partial_score(0.05, 0.1, 0.5)
    0.25
    """
    return max(0.0, most * (1 - error / tolerance))


def grade(
    found: Extraction | Missing, reference: str | None, compared: Compared | None, grading: Grading, prompt: str = ""
) -> Grade:
    """Grade one response.

    Args:
        found: Its answer, or why there is none.
        reference: The text of the reference, None where it says nothing.
        compared: The comparison of both; None where one of them is missing.
        grading: Policies.
        prompt: The question: an answer that only repeats it is wrong.
    """
    if reference is None:
        return Grade(Outcome.UNPARSED_REFERENCE, None, "the reference says nothing")
    if isinstance(found, Missing) or compared is None:
        return Grade(Outcome.NO_ANSWER, 0.0, str(found))
    if compared.equal:
        left = unfinished(found.answer, reference, grading.policy, prompt)
        return Grade(Outcome.WRONG, 0.0, left) if left else Grade(Outcome.CORRECT, 1.0, compared.reason)
    if compared.equal is None:
        undecided = _undecided(compared, grading)
        # What is merely wrong may still be a number close enough for partial credit.
        if undecided.outcome is not Outcome.WRONG or undecided.score is None:
            return undecided
    return _wrong(found.answer, reference, compared.reason, grading)


def _undecided(compared: Compared, grading: Grading) -> Grade:
    if compared.cause is Cause.MACHINE:
        return Grade(Outcome.TIMEOUT, None, compared.reason, failed=True)
    if compared.cause is Cause.REFERENCE_UNREAD:
        return Grade(Outcome.UNPARSED_REFERENCE, None, compared.reason)
    timeout = compared.cause in (Cause.ANSWER_TIMEOUT, Cause.REFERENCE_TIMEOUT)
    outcome = Outcome.TIMEOUT if timeout else Outcome.WRONG
    abstains = compared.cause is Cause.REFERENCE_TIMEOUT or grading.unsettled == "abstain"
    return Grade(outcome, None if abstains else 0.0, compared.reason)


def _wrong(answer: str, reference: str, reason: str, grading: Grading) -> Grade:
    error = _error(answer, reference, grading.policy) if grading.partial_credit else None
    tolerance = grading.partial_credit
    # Compared as fractions: an error may be too large for a float.
    if tolerance is None or error is None or error >= tolerance:
        return Grade(Outcome.WRONG, 0.0, reason)
    score = partial_score(float(error), tolerance, grading.partial_max)
    return Grade(Outcome.WRONG, score, f"{reason}: off by {float(error):.2%}")


def _error(answer: str, reference: str, policy: Policy) -> Fraction | None:
    """Return the relative error of a number against a reference that is one, or a formula that has a value."""
    number, wanted = unnamed(normal_form(answer)), unnamed(normal_form(reference))
    if not isinstance(number, Number):
        return None
    if isinstance(wanted, Number):
        return relative_error(number, wanted, policy)
    value = _value(reference) if isinstance(wanted, Expression) and not (number.unit or number.percent) else None
    return abs(number.value - value) / abs(value) if value else None


def _value(reference: str) -> Fraction | None:
    from rewardkit_math.formulas.reading.parser import Unparsed, parse
    from rewardkit_math.formulas.settle import value_of

    tree = parse(reference)
    return None if isinstance(tree, Unparsed) else value_of(tree)
