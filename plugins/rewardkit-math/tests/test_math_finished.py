"""What is equal to the reference and still no answer, and what only looks like it."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rewardkit_math.finished import unfinished
from rewardkit_math.policy import Policy

DEFAULT = Policy()
REDUCED = Policy(fractions="reduced")
ARITHMETIC = "arithmetic is left to compute"
ECHO = "the answer repeats the question"
UNREDUCED = "a fraction is not in lowest terms"


@pytest.mark.parametrize(
    ("answer", "reference"),
    [
        (r"17 \times 24", "408"), ("17*24", "408"), ("17 × 24", "408"), ("(17)(24)", "408"),
        ("17(24)", "408"), ("9+1", "10"), (r"|17 \times 24|", "408"), (r"(17 \cdot 24)^1", "408"),
        (r"\frac{1+2}{3}", "1"), (r"\sqrt{(9+1)^2}", "10"),
        (r"\gcd(12, 18)", "6"), (r"\max(3, 8)", "8"), (r"\lfloor 7/2 \rfloor", "3"),
        (r"\sum_{k=1}^{4} k", "10"), (r"\int_0^1 2x\,dx", "1"), ("1 + 1, 2", "2, 2"), ("(17*24, 2)", "(408, 2)"),
        ("$(9+1)$", "10"), ("400 + 8", "408"), ("410 - 2", "408"),
        (r"x = 17 \cdot 24", "408"), (r"17 \cdot 24 \text{ cm}", "408 cm"), ("400 + 8 dollars", "$408"),
        ("1.5 + 1", "5/2"), ("2 - (-3)", "5"), ("(1+1)*(2+2)", "8"), (r"1{,}000 + 1", "1001"), ("1+1", "x = 2"),
    ],
)  # fmt: skip
def test_arithmetic_with_plain_numbers_is_left_to_compute(answer: str, reference: str) -> None:
    assert unfinished(answer, reference, DEFAULT) == ARITHMETIC
    assert unfinished(answer, reference, Policy(arithmetic="any")) is None


@pytest.mark.parametrize(
    ("answer", "reference"),
    [
        ("408", "408"), ("-5", "-5"), ("(-5)", "-5"), ("1,234", "1234"), ("$12.50$", "12.5"), (r"\$5", "5"), ("", ""),
        ("2^{10}", "1024"), (r"2^3 \cdot 3^5", "1944"), (r"3 \times 10^5", "300000"), ("1.2e3", "1200"),
        ("10!", "3628800"), (r"\frac{7}{2}", "3.5"), ("7/2", "3.5"), ("1 1/2", "1.5"), (r"\sqrt{4}", "2"),
        (r"7.2 \cdot \frac{1}{100}", r"7.2\%"), (r"2 \cdot 50", r"10^2"), ("x - x", "0"), ("2 + 3i", "3i + 2"),
        ("17 * 24 = 408", "408"), (r"5 \cdot 20", r"100\%"), (r"2 \cdot 3", r"3 \cdot 2"),
        (r"18 + 2\pi", r"2\pi + 18"), ("2020-01-02", "2020-01-02"), ("3x + 2", "2 + 3x"),
    ],
)  # fmt: skip
def test_finished_forms_pay(answer: str, reference: str) -> None:
    assert unfinished(answer, reference, DEFAULT) is None


@pytest.mark.parametrize(
    ("answer", "reference", "prompt"),
    [
        ("(x+1)^2", "x^2+2x+1", "Expand (x+1)^2"),
        (r"\left(x + 1\right)^{2}", "x^2+2x+1", r"Expand $(x+1)^2$, please."),
        ("(x+1)^2", "x^2+2x+1", r"Expand \( \left(x+1\right)^{2} \)."),
        ("f(x) = (x+1)^2", "x^2+2x+1", "Expand f(x) = (x+1)^2."),
        (r"\sqrt{117}", r"3\sqrt{13}", r"Simplify $\sqrt{117}$."),
        (r"\sqrt{16}", "4", r"What is $\sqrt{16}$? (A) 4 (B) 5"),
        ("2^{10}", "1024", "What is 2^10?"),
        ("2^{10}", "1024", "What is 2**10?"),
        ("10!", "3628800", "Compute 10!."),
        (r"\sin x \cos x", r"\frac{1}{2} \sin 2x", r"Write $\sin x\cos x$ with one function."),
        (r"\binom{10}{3}", "120", r"Find $\dbinom{10}{3}$."),
        ("2x + 4 = 12", "x = 4", "Solve $2x+4=12$ for $x$."),
        ("x^2 + 1", "1 + x^2", "Is it 2x^2+1 or x^2+1?"),
    ],
)
def test_an_operation_of_the_question_is_no_answer(answer: str, reference: str, prompt: str) -> None:
    assert unfinished(answer, reference, DEFAULT, prompt) == ECHO


@pytest.mark.parametrize(
    ("answer", "reference", "prompt"),
    [
        ("(x+1)^2", "(x+1)^2", "Is it (x+1)^2 or x^2?"),
        (r"(x+1)^{2}", r"\left(x+1\right)^2", "Complete the square: (x+1)^2 = ?"),
        ("(x+1)^2", "x^2+2x+1", "Which one is it? (A) $(x+1)^2$ (B) $x^2+2x+1$"),
        ("x+1", "1+x", "Divide 2x+1 by 3."),
        ("x^2", "x^{2} + 0", "Take x^2+1."),
        (r"\frac{1}{2}", "0.5", r"It falls with probability \frac{1}{2}."),
        ("5", "5.0", "Is 5 prime?"),
        ("x", "x", "Solve for x."),
        ("x + 2", "2 + x", "Simplify 2x + 4 over 2."),
        ("-5", "-5.0", "x = -5?"),
        (r"\text{no} + 1", "1", "no + 1"),
    ],
)
def test_what_the_question_holds_otherwise_is_no_echo(answer: str, reference: str, prompt: str) -> None:
    assert unfinished(answer, reference, Policy(arithmetic="any"), prompt) is None


@pytest.mark.parametrize(
    ("answer", "reference"),
    [
        ("4/8", "1/2"), (r"\frac{4}{8}", "0.5"), (r"\dfrac48", "1/2"), (r"-\frac{2}{4}", "-1/2"), ("8/4", "2"),
        ("2/1", "2"), ("(1/2, 2/4)", "(1/2, 1/2)"), (r"x = \frac{10}{4}", "5/2"), (r"2\frac{2}{4}", "2.5"),
    ],
)  # fmt: skip
def test_only_the_reduced_policy_refuses_a_fraction_that_is_not_in_lowest_terms(answer: str, reference: str) -> None:
    assert unfinished(answer, reference, REDUCED) == UNREDUCED
    assert unfinished(answer, reference, DEFAULT) is None


@pytest.mark.parametrize(
    ("answer", "reference"),
    [
        ("1/2", "0.5"), (r"\frac{7}{2}", "3.5"), ("4/8", "4/8"), ("0.5", "1/2"), ("1.5/3", "0.5"), ("4/0", "4/0"),
        (r"\frac{2x}{4}", "x/2"), ("0.5", "2/4"), ("2/3 + x", "x + 2/3"), ("1/" + "2" * 700, "2/4"),
    ],
)  # fmt: skip
def test_lowest_terms_pay_under_the_reduced_policy(answer: str, reference: str) -> None:
    assert unfinished(answer, reference, REDUCED) is None


PIECES = r"""
x 1 42 + - * / ^ ( ) { } = $ \frac \cdot \times \sqrt \left \text{cm} ! % , . ² × word
"""
TEXTS = st.lists(st.sampled_from([*PIECES.split(), " "]), max_size=12).map("".join) | st.text(max_size=20)


@settings(max_examples=1000, deadline=None)
@given(TEXTS, TEXTS, TEXTS)
def test_any_text_is_judged_without_raising(answer: str, reference: str, prompt: str) -> None:
    assert unfinished(answer, reference, REDUCED, prompt) in {None, ARITHMETIC, ECHO, UNREDUCED}


@settings(max_examples=1000, deadline=None)
@given(TEXTS, TEXTS)
def test_the_spelling_of_the_reference_is_never_an_echo(answer: str, prompt: str) -> None:
    assert unfinished(answer, answer, Policy(arithmetic="any"), prompt + answer) is None


def _seconds(unit: str, size: int) -> float:
    taken = []
    for repeat in range(3):
        prompt = f"{repeat}" + unit * (size // len(unit))
        start = time.perf_counter()
        unfinished(r"\sqrt{x+x+x+x+x+x+1}", "y", DEFAULT, prompt)
        taken.append(time.perf_counter() - start)
    return min(taken)


@pytest.mark.parametrize("unit", ["x+", r"\sqrt{x+x+x+x+x+x+2} ", "a word ", "$x$ ", "{", "\\", r"\sqrt{"])
def test_the_work_is_linear_in_the_question(unit: str) -> None:
    short, long = _seconds(unit, 20_000), _seconds(unit, 160_000)
    # Eight times the text: a quadratic step would take 64 times as long. Below a millisecond nothing grows.
    assert long < 24 * max(short, 0.001)
