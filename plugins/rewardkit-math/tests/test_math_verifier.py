"""The component: scores, abstentions, details, settings, partial credit, and what every component promises."""

from __future__ import annotations

import math
import subprocess
import sys
from importlib.metadata import entry_points
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from rewardkit_math.grading import Grading, partial_score
from rewardkit_math.math_verify import MathVerify
from rewardkit_math.outcome import Outcome, Rule
from rewardkit_math.policy import Policy
from rewardkit_math.reference import Reference, read_reference
from rewardkit_math.verifier import MathVerifier, verify

from rewardkit import Batch, Scores
from rewardkit.errors import BatchError
from rewardkit.inputs import read_columns
from rewardkit.testing import check_component


def score(verifier: MathVerifier, **columns: Any) -> Scores:
    batch = Batch.from_columns(columns)
    return verifier.score(read_columns(MathVerifier.Inputs, batch, {}, {}, "component 'math'"))


def values(scores: Scores) -> list[float | None]:
    assert scores.values is not None
    return [None if np.isnan(value) else float(value) for value in scores.values]


def details(scores: Scores, row: int) -> dict[str, Any]:
    assert callable(scores.details)
    return dict(scores.details(row))


WRONG = {
    "several boxes": (r"\boxed{406} \boxed{407} \boxed{408}", "408"),
    "a hedge in the box": (r"\boxed{408 \text{ or } 412}", "408"),
    "a hedge beside the box": (r"\boxed{408} or 412", "408"),
    "a hedge before the box": (r"412 or \boxed{408}", "408"),
    "a set of guesses": (r"\boxed{\{407, 408, 409\}}", "408"),
    "a range": (r"\boxed{[0, 1000]}", "408"),
    "all choices": (r"\boxed{ABCD}", "B"),
    "choices side by side": (r"\boxed{(A)(B)}", "B"),
    "an equation chain": (r"\boxed{41 = 42}", "42"),
    "a rounding that is none": (r"\boxed{41 \approx 42}", "42"),
    "plus or minus": (r"\boxed{\pm 42}", "42"),
    "the question": (r"\boxed{17 \times 24}", "408"),
    "a near miss": (r"\boxed{407.9999}", "408"),
    "a negation": (r"The answer is not $\boxed{42}$.", "42"),
    "a negated statement": ("The answer is not 42.", "42"),
    "an inequality": (r"\boxed{\neq 42}", "42"),
    "a placeholder": (r"\boxed{\text{the correct answer}}", "42"),
    "a variable": (r"\boxed{n}", "42"),
    "hidden characters": ("\\boxed{4\u200b2}", "42"),
    "reversed digits": ("\\boxed{\u202e24}", "42"),
    "digits of another script": (r"\boxed{٤٢}", "42"),
    "a power": (r"\boxed{5^{2}}", "5"),
    "injected code": (r"\boxed{__import__('os').getcwd()}", "42"),
    "a tower": (r"\boxed{9^{9^{9^{9}}}}", "42"),
    "an answer that was retracted": (r"\boxed{42}. But the answer is not 42.", "42"),
}
CORRECT = {
    "boxed": (r"\boxed{408}", "408"),
    "one value said twice": (r"$\boxed{0.5}$ or \frac{1}{2}", "1/2"),
    "a restated box": (r"\boxed{15\frac{39}{40}}$ or $\boxed{\frac{639}{40}}", r"\frac{639}{40}"),
    "corrected": (r"\boxed{41}. Wait, that is wrong: \boxed{42}", "42"),
    "not that but this": (r"The answer is not 41 but $\boxed{42}$.", "42"),
    "a list in two boxes": (r"\boxed{7} and \boxed{-5}", "-5, 7"),
    "choice": ("The answer is (B) 12.", "B"),
    "with a unit": ("It takes him a while. The answer is 5 hours.", "5"),
    "with a name": ("Answer: x = 5", "5"),
    "a true chain": (r"\boxed{\frac{1}{2} = 0.5}", "0.5"),
    "a rounding": (r"\boxed{\frac{2}{3} \approx 0.667}", "2/3"),
    "an identical formula": (r"\boxed{\dfrac{x+1}{2}}", r"\frac{x+1}{2}"),
    "words": ("The answer is Monday.", r"\text{Monday}"),
}


@pytest.mark.parametrize(("response", "answer"), WRONG.values(), ids=WRONG.keys())
def test_a_wrong_or_evasive_answer_scores_0_whatever_is_optional(response: str, answer: str) -> None:
    for grading in (Grading(), Grading(Policy("sign", "required")), Grading(Policy("value"))):
        assert verify(response, answer, grading=grading).score == 0.0


@pytest.mark.parametrize(("response", "answer"), CORRECT.values(), ids=CORRECT.keys())
def test_an_honest_answer_scores_1(response: str, answer: str) -> None:
    assert verify(response, answer).score == 1.0


@pytest.mark.parametrize(
    ("response", "answer", "outcome", "points"),
    [
        (r"\boxed{4}", "4", Outcome.CORRECT, 1.0),
        (r"\boxed{5}", "4", Outcome.WRONG, 0.0),
        ("four", "4", Outcome.NO_ANSWER, 0.0),
        (r"\boxed{4}", None, Outcome.UNPARSED_REFERENCE, None),
        ("four", " \n", Outcome.UNPARSED_REFERENCE, None),
        (r"\boxed{}", r"\boxed{}", Outcome.UNPARSED_REFERENCE, None),
    ],
)
def test_a_verdict_has_outcome_and_score(
    response: str, answer: Reference, outcome: Outcome, points: float | None
) -> None:
    verdict = verify(response, answer)
    assert (verdict.outcome, verdict.score) == (outcome, points)
    assert verdict.reason


def test_a_verdict_shows_what_was_found_and_compared() -> None:
    verdict = verify(r"So \boxed{x = 7.50}.", "15/2")
    assert verdict.extraction is not None
    assert (verdict.extraction.answer, verdict.extraction.rule) == ("x = 7.50", Rule.BOX)
    assert (verdict.answer_form, verdict.reference_form) == ("x = 7.50", "15/2")
    assert verdict.reason == "the numbers are equal"


@pytest.mark.parametrize(
    ("answer", "shown"),
    [
        (5, "5"), (5.0, "5.0"), (-0.25, "-0.25"), (1e22, "1e+22"), (0, "0"), ("0", "0"),
        (r"\boxed{7} and so on", "7"), ("6 - 1 = 5\n#### 5", "5"), ("It is so.\nA: 5", "5"),
        ("Thus. The answer is: 5", "5"), ("<answer> 5 </answer>", "5"), ("A: B = 1", "A : B = 1"),
        (r"\boxed{1} and \boxed{-2}", "1, -2"),
    ],
)  # fmt: skip
def test_a_reference_is_a_number_an_answer_or_a_worked_solution(answer: Reference, shown: str) -> None:
    assert str(read_reference(answer)) == shown


@pytest.mark.parametrize("answer", [None, "", " \t\n", "$$", float("nan"), float("inf"), 10**700, -(10**700)])
def test_a_reference_that_says_nothing_abstains(answer: Reference) -> None:
    assert read_reference(answer) is None
    assert verify(r"\boxed{5}", answer).score is None


def test_an_integer_that_python_would_not_print_abstains() -> None:
    assert read_reference(-(10**5000)) is None


def test_a_batch_scores_row_by_row_and_abstains_without_a_reference() -> None:
    scores = score(
        MathVerifier(),
        completion=[r"\boxed{1,200}", "A: 3", "The answer is 0.5", "?", r"\boxed{7}"],
        answer=["1200", None, 0.5, "4", 8],
    )
    assert values(scores) == [1.0, None, 1.0, 0.0, 0.0]
    assert scores.abstained is not None
    assert scores.abstained.tolist() == [False, True, False, False, False]


def test_a_column_of_numbers_is_a_reference() -> None:
    assert values(score(MathVerifier(), completion=["A: 3", "A: 4"], answer=np.array([3, 5]))) == [1.0, 0.0]


def test_an_answer_that_reads_like_the_name_of_nothing_is_no_missing_answer() -> None:
    scores = score(
        MathVerifier(), completion=["The answer is no answer was found", "?"], answer=["no answer was found"] * 2
    )
    assert values(scores) == [1.0, 0.0]


def test_details_say_what_was_found_and_why() -> None:
    scores = score(MathVerifier(), completion=[r"\boxed{\dfrac12}", "?", "A: 1"], answer=["0.5", "1", None])
    assert details(scores, 0) == {
        "outcome": "correct",
        "reason": "the numbers are equal",
        "answer": r"\dfrac12",
        "rule": "box",
        "stage": "form",
        "answer_form": r"\frac{1}{2}",
        "reference_form": "0.5",
    }
    assert details(scores, 1)["outcome"] == "no_answer"
    assert details(scores, 1)["rule"] is None
    assert details(scores, 2)["outcome"] == "unparsed_reference"


def test_a_completion_that_never_leaves_a_prefilled_thinking_has_no_answer() -> None:
    scores = score(
        MathVerifier(),
        prompt=["2+2?<think>\n", "2+2?<think>\n", "2+2?"],
        completion=[r"I guess \boxed{4}", r"hm</think>\boxed{4}", r"\boxed{4}"],
        answer=["4"] * 3,
    )
    assert values(scores) == [0.0, 1.0, 1.0]
    assert details(scores, 0)["reason"] == "the thinking is never closed"
    assert verify(r"\boxed{4}", "4", prompt="2+2?<think>").outcome is Outcome.NO_ANSWER


def test_the_options_reach_the_extraction() -> None:
    columns = {"completion": ["so 4 are left", "The answer is 4.", r"\boxed{4}"], "answer": ["4"] * 3}
    assert values(score(MathVerifier(last_number=True), **columns)) == [1.0, 1.0, 1.0]
    assert values(score(MathVerifier(strict_box=True), **columns)) == [0.0, 0.0, 1.0]
    assert values(score(MathVerifier(percent="sign"), completion=[r"\boxed{50\%}"], answer=["0.5"])) == [0.0]
    assert values(score(MathVerifier(units="required"), completion=[r"\boxed{50 cm}"], answer=["50"])) == [0.0]


@pytest.mark.parametrize(
    ("response", "answer", "points"),
    [
        (r"\boxed{100}", "100", 1.0), (r"\boxed{105}", "100", 0.25), (r"\boxed{95}", "100", 0.25),
        (r"\boxed{101}", "100", 0.45), (r"\boxed{-95}", "-100", 0.25), (r"\boxed{x = 105}", "100", 0.25),
        (r"\boxed{105}", "x = 100", 0.25), (r"\boxed{52.5\%}", "0.5", 0.25), (r"\boxed{110}", "100", 0.0),
        (r"\boxed{111}", "100", 0.0), (r"\boxed{-100}", "100", 0.0), (r"\boxed{0.001}", "0", 0.0),
        (r"\boxed{1e1000}", "1", 0.0), (r"\boxed{105 cm}", "100 m", 0.0),
        (r"\boxed{100 \text{ or } 105}", "100", 0.0), (r"\boxed{100, 105}", "100", 0.0),
        (r"\boxed{100 = 105}", "100", 0.0), (r"\boxed{(100, 105)}", "(100, 104)", 0.0),
        (r"\boxed{\sqrt{9999}}", "100", 0.0), ("?", "100", 0.0), (r"\boxed{3.0}", r"\pi", 0.5 * (10 * 3 / math.pi - 9)),
        (r"\boxed{\frac{9}{2}}", r"2\sqrt{5}", 0.5 * (11 - 10 * 4.5 / math.sqrt(20))), (r"\boxed{3}", "x", 0.0),
        (r"\boxed{3 cm}", r"\pi", 0.0), (r"\boxed{3}", r"\pi, 4", 0.0), (r"\boxed{3}", r"\pi - \pi", 0.0),
    ],
)  # fmt: skip
def test_partial_credit_falls_linearly_and_only_for_one_close_number(response: str, answer: str, points: float) -> None:
    verifier = MathVerifier(partial_credit=0.1)
    assert values(score(verifier, completion=[response], answer=[answer])) == [pytest.approx(points, abs=1e-12)]


def test_partial_credit_counts_as_wrong_and_says_how_far_off() -> None:
    verdict = verify(r"\boxed{105}", "100", grading=Grading(partial_credit=0.1))
    assert (verdict.outcome, verdict.reason) == (Outcome.WRONG, "the numbers differ: off by 5.00%")


def test_partial_max_is_the_most_a_wrong_number_earns() -> None:
    assert partial_score(0.0, 0.1, 0.8) == 0.8
    verifier = MathVerifier(partial_credit=0.1, partial_max=1.0)
    assert values(score(verifier, completion=[r"\boxed{105}"], answer=["100"])) == [pytest.approx(0.5)]


@settings(max_examples=200, deadline=None)
@given(st.fractions(), st.fractions(), st.floats(0.001, 0.999))
def test_partial_credit_stays_between_0_and_its_maximum(answer: Any, gold: Any, tolerance: float) -> None:
    verdict = verify(rf"\boxed{{{answer}}}", str(gold), grading=Grading(partial_credit=tolerance))
    assert verdict.score is not None
    if answer == gold:
        assert verdict.score == 1.0
    else:
        assert 0.0 <= verdict.score <= 0.5
        within = gold != 0 and abs(answer - gold) < abs(gold) * tolerance
        assert (verdict.score > 0) <= within


@pytest.mark.parametrize(
    ("given_settings", "message"),
    [
        ({"strict_box": True, "last_number": True}, "strict_box and last_number exclude each other"),
        ({"percent": "maybe"}, "Input should be 'either', 'sign' or 'value'"),
        ({"units": "ignored"}, "Input should be 'optional' or 'required'"),
        ({"partial_credit": 0.0}, "greater than 0"),
        ({"partial_credit": 1.0}, "less than 1"),
        ({"partial_max": 1.5}, "less than or equal to 1"),
        ({"tolerance": 0.1}, "Extra inputs are not permitted"),
    ],
)
def test_bad_settings_are_refused(given_settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        MathVerifier.from_settings(given_settings)


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"completion": ["4"]}, "component 'math': column 'answer' is missing"),
        ({"answer": ["4"]}, "column 'completion' is missing"),
        ({"completion": ["4", "5"], "answer": ["4", True]}, r"column 'answer': row 1: .*got bool"),
        ({"completion": ["4", "5"], "answer": [["4"], "5"]}, r"column 'answer': row 0: .*got list"),
    ],
)
def test_bad_columns_are_refused_by_name_and_row(columns: dict[str, Any], message: str) -> None:
    with pytest.raises(BatchError, match=message):
        score(MathVerifier(), **columns)


def test_the_answer_of_a_response_is_found_once_per_batch() -> None:
    batch = Batch.from_columns(completion=[r"\boxed{4}"] * 3, answer=["4"] * 3)
    inputs = [read_columns(MathVerifier.Inputs, batch, {}, {}, "math") for _ in range(2)]
    found = [MathVerifier(percent=percent)._found(i) for percent, i in zip(("sign", "value"), inputs, strict=True)]  # type: ignore[arg-type]
    assert found[0] is found[1]


SAMPLES = {
    "prompt": ["2+2?", "Half of 3?", "Which?<think>"],
    "completion": [r"So \boxed{4}", "The answer is 3/2.", "hm</think>(B)"],
    "answer": ["4", "1.5", "B"],
}


@pytest.mark.parametrize(
    "verifier",
    [
        MathVerifier(),
        MathVerifier(strict_box=True, units="required", percent="value"),
        MathVerifier(last_number=True, partial_credit=0.1),
    ],
    ids=["default", "strict", "lenient"],
)
def test_it_keeps_what_every_component_promises(verifier: MathVerifier) -> None:
    check_component(verifier, SAMPLES)


def test_the_plugin_is_found_under_its_entry_point() -> None:
    (entry,) = (e for e in entry_points(group="rewardkit") if e.name == "math")
    assert entry.load().rewardkit_components() == [MathVerifier, MathVerify]


def test_importing_the_plugin_loads_no_verifier() -> None:
    code = "import sys, rewardkit_math; print([m for m in sys.modules if m.startswith(('rewardkit_math.', 'sympy'))])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@settings(max_examples=300, deadline=None)
@given(st.text(max_size=80), st.none() | st.text(max_size=30) | st.integers() | st.floats())
def test_any_response_and_reference_get_a_verdict(response: str, answer: Reference) -> None:
    verdict = verify(response, answer, last_number=True, grading=Grading(partial_credit=0.1))
    assert (verdict.score is None) == (verdict.outcome is Outcome.UNPARSED_REFERENCE)
    assert verdict.score is None or 0.0 <= verdict.score <= 1.0


@settings(max_examples=200, deadline=None)
@given(
    st.fractions(),
    st.sampled_from([r"\boxed{%s}", "The answer is %s.", "#### %s", "A: %s", "<answer>%s</answer>", "%s"]),
)
def test_a_value_stated_by_any_rule_is_correct_and_its_successor_is_wrong(value: Any, template: str) -> None:
    assert verify(template % value, str(value)).score == 1.0
    assert verify(template % (value + 1), str(value)).score == 0.0
