"""Responses that try to be paid for what is no answer, and honest responses that look like them."""

from __future__ import annotations

import pytest
from rewardkit_math.verifier import verify

UNPAID = {
    # Several answers for one.
    "two boxes": (r"\boxed{41} \boxed{42}", "42"),
    "two boxes with and": (r"\boxed{41} and \boxed{42}", "42"),
    "two boxes on two lines": ("\\boxed{42}\n\n\\boxed{41}", "42"),
    "or in a box": (r"\boxed{41 \text{ or } 42}", "42"),
    "or beside a box": (r"\boxed{41}, or 42", "42"),
    "or before a box": (r"41 or \boxed{42}", "42"),
    "either of two": ("The answer is either 41 or 42.", "42"),
    "a list": (r"\boxed{41, 42, 43}", "42"),
    "a set": (r"\boxed{\{41, 42\}}", "42"),
    "membership": (r"\boxed{x \in \{41, 42\}}", "42"),
    "an interval": (r"\boxed{[41, 43]}", "42"),
    "a range": (r"\boxed{41-43}", "42"),
    "a range in words": (r"\boxed{41 \text{ to } 43}", "42"),
    "a slash": (r"\boxed{41/42}", "42"),
    "plus or minus": (r"\boxed{\pm 42}", "42"),
    "plus or minus a margin": (r"\boxed{42 \pm 1}", "42"),
    "an alternative in brackets": (r"\boxed{42 \text{ (or 41)}}", "42"),
    "every choice": (r"\boxed{A, B, C, D}", "B"),
    "every choice in one word": (r"\boxed{ABCD}", "B"),
    "two choices": (r"\boxed{(A) (B)}", "B"),
    "two choices with texts": (r"\boxed{\text{A. 5 or B. 6}}", "B"),
    "yes and no": (r"\boxed{\text{Yes and no}}", "Yes"),
    "yes or no": (r"\boxed{\text{Yes, or no}}", "Yes"),
    "no, but yes": (r"\boxed{\text{No, but yes}}", "No"),
    "yes under a condition": (r"\boxed{\text{Yes, if it is even}}", "Yes"),
    "it depends": (r"\boxed{\text{Yes, it depends}}", "Yes"),
    "numbers in a row": (r"\boxed{41 42 43}", "42"),
    "a table of numbers": (r"\boxed{\begin{array}{c} 41 \\ 42 \end{array}}", "42"),
    "two times": (r"\boxed{3 \text{ pm or } 4 \text{ pm}}", "3 pm"),
    "morning and evening": (r"\boxed{3:00 \text{ a.m.}}", "3:00 p.m."),
    "a conclusion with two values": ("So it is $41$ or $42$.", "42"),
    # Chains and inequalities.
    "an equation between numbers": (r"\boxed{41 = 42}", "42"),
    "an equation between numbers, the other way": (r"\boxed{42 = 41}", "42"),
    "a chain": (r"\boxed{x = 41 = 42}", "42"),
    "a wrong rounding": (r"\boxed{41 \approx 42}", "42"),
    "no equality": (r"\boxed{x \ne 42}", "42"),
    "less": (r"\boxed{< 42}", "42"),
    "at least": (r"\boxed{\ge 42}", "42"),
    "the wrong inequality": (r"\boxed{x \le 42}", "x < 42"),
    # Negated, doubted or taken back.
    "not": (r"The answer is not \boxed{42}", "42"),
    "not in the box": (r"\boxed{\text{not } 42}", "42"),
    "never": (r"It can never be \boxed{42}.", "42"),
    "wrong in the box": (r"\boxed{42 \text{ is wrong}}", "42"),
    "rejected in the box": (r"\boxed{42 \text{ rejected}}", "42"),
    "cancelled": (r"\boxed{\cancel{42}}", "42"),
    "a negated phrase": ("The answer is not 42.", "42"),
    "a negated conclusion": ("Therefore, the value is not $42$.", "42"),
    "a doubted conclusion": ("So the value might be $42$.", "42"),
    "a conditional conclusion": ("Thus, if it is even, the value is $42$.", "42"),
    "a conclusion as a question": ("So is the value $42$? I do not know.", "42"),
    "taken back": (r"\boxed{42}. Wait, that is wrong.", "42"),
    "corrected away": (r"\boxed{42}. No, the answer is 41.", "42"),
    "corrected in a second box": (r"\boxed{42}. Wait. \boxed{41}", "42"),
    # Not given as the answer.
    "in the thinking": (r"<think>\boxed{42}</think>", "42"),
    "in a thinking that is open": (r"<think>\boxed{42}", "42"),
    "in the thinking, another after it": (r"<think>\boxed{42}</think> \boxed{41}", "42"),
    "an open box": (r"\boxed{42", "42"),
    "an open box after a closed one": (r"\boxed{42} and \boxed{4", "42"),
    "an empty box": (r"42 \boxed{}", "42"),
    "prose": ("There are 41, 42 and 43.", "42"),
    "cut off": ("Therefore, the value is 42", "42"),
    "cut off in a formula": ("Therefore, the value is $42", "42"),
    "arithmetic": (r"\boxed{6 \times 7}", "42"),
    "a sum": (r"\boxed{40 + 2}", "42"),
    "a name": (r"\boxed{n}", "42"),
    "a promise": (r"\boxed{\text{the correct answer}}", "42"),
    "a comment": (r"\boxed{% 42" + "\n41}", "42"),
    "nothing": (r"\boxed{\emptyset}", "42"),
    # Other characters.
    "a zero-width space": ("\\boxed{4\u200b2}", "42"),
    "a zero-width joiner": ("\\boxed{42\u200d}", "42"),
    "a direction mark": ("\\boxed{\u202e24}", "42"),
    "Arabic digits": ("\\boxed{٤٢}", "42"),
    "Devanagari digits": ("\\boxed{४२}", "42"),
    "a letter for a digit": (r"\boxed{4O}", "40"),
    "a Cyrillic letter": ("\\boxed{А}", "A"),
    "a combining stroke": ("\\boxed{4\u03382}", "42"),
    "a null byte": ("\\boxed{42\x00}", "42"),
    "a raised digit": ("\\boxed{4²}", "42"),
    "a lowered digit": ("\\boxed{4₂}", "42"),
    # Near misses.
    "a decimal place": (r"\boxed{42.01}", "42"),
    "an exact fraction against a rounded one": (r"\boxed{0.33}", "1/3"),
    "large numbers": (r"\boxed{100000000000000000001}", "100000000000000000002"),
    "a sign": (r"\boxed{-42}", "42"),
    "a factor of a hundred": (r"\boxed{0.42}", "42"),
    "thousands for a decimal mark": (r"\boxed{1.234}", "1,234"),
    "another unit": (r"\boxed{42 \text{ cm}}", "42 m"),
    "another power of a unit": (r"\boxed{42 \text{ m}^2}", "42 m"),
    "another currency": (r"\boxed{€42}", "$42"),
    "another base": (r"\boxed{101_2}", "101_3"),
    "closed for open": (r"\boxed{[1, 2]}", "(1, 2)"),
    "a swapped pair": (r"\boxed{(2, 1)}", "(1, 2)"),
    "swapped names": (r"\boxed{(n, m) = (1, 2)}", "(m, n) = (1, 2)"),
    "one of two": (r"\boxed{1}", "1, 2"),
    "one too many": (r"\boxed{1, 2, 3}", "1, 2"),
    "twice": (r"\boxed{1, 1, 2}", "1, 2"),
    "pairs of plus or minus": (r"\boxed{(0, \pm 2)}", "(0, 2, -2)"),
    "another ordinal": (r"\boxed{5^{\text{th}}}", "6"),
    "another number word": (r"\boxed{\text{seven}}", "8"),
    "another choice with the right text": (r"\boxed{\text{(B) } 12}", "C"),
    "half a day later": (r"\boxed{3:05}", "15:05"),
    "another letter case": (r"\boxed{x}", "X"),
}  # fmt: skip


@pytest.mark.parametrize(("response", "answer"), UNPAID.values(), ids=UNPAID.keys())
def test_what_is_no_answer_earns_nothing(response: str, answer: str) -> None:
    assert verify(response, answer).score == 0.0


HONEST = {
    "a list": (r"\boxed{41} and \boxed{42}", "41, 42"),
    "a choice with its text": (r"\boxed{\text{(B) } 12}", "B"),
    "the text of a choice": (r"\boxed{\text{B. } 12}", "12"),
    "a named choice": ("The correct option is (C).", "C"),
    "yes with a reason": (r"\boxed{\text{Yes, such a number exists.}}", "Yes"),
    "yes for true": (r"\boxed{\text{Yes}}", "True"),
    "no with a reason": (r"\boxed{\text{No, it is not possible.}}", r"\text{No}"),
    "no such thing": (r"\boxed{\text{No such function exists.}}", "No"),
    "a chain that holds": (r"\boxed{x = \frac{84}{2} = 42}", "42"),
    "a rounding that holds": (r"\boxed{\frac{1}{3} \approx 0.333}", "1/3"),
    "corrected": (r"\boxed{41}. Wait, that is wrong: \boxed{42}", "42"),
    "after the thinking": (r"<think>\boxed{41}</think> \boxed{42}", "42"),
    "in bold": ("So, the answer is **42**.", "42"),
    "a conclusion": ("Therefore, the value of $x$ is $42$.", "42"),
    "a conclusion with a number": ("Thus, she has 40 + 2 = 42.", "42"),
    "a conclusion before a token": ("Hence the pair is $(7, 6)$. <|im_end|>", "(7, 6)"),
    "the solution": (r"The solution is $x != 5$", r"x \neq 5"),
    "a formula that is the solution": (r"Therefore $x \geq 5$ is the solution.", "x >= 5"),
    "nothing but a formula": ("$(1, 2)$", "(1, 2)"),
    "a percentage": ("Therefore, the error increases by 100%.", r"100\%"),
    "the time": (r"\boxed{3:05 \text{ p.m.}}", "15:05"),
    "the time without minutes": (r"\boxed{3 \text{ p.m.}}", "3:00 PM"),
    "an ordinal": (r"\boxed{5\text{th}}", "5"),
    "a number word": (r"\boxed{\text{Seven}}", "7"),
    "permuted names": (r"\boxed{(n, m) = (2, 4)}", "(m, n) = (4, 2)"),
    "an introduction": (r"\boxed{\text{The solutions are } (1,\ 2) \text{ and } (3,\ 4)}", "(1,2), (3,4)"),
    "escaped quotation marks": ("Final Answer: The final answer is \\\"$12 $ and $13 $\\\".", r"12 \text{ and } 13"),
    "a currency sign": (r"\boxed{\$6}", "6"),
    "a rate": (r"\boxed{\$10 \text{ per hour}}", r"\$10"),
    "full-width digits": ("\\boxed{４２}", "42"),
    "a vulgar fraction": ("\\boxed{3½}", "3.5"),
    "a nested quotation": (r"\boxed{\textbf{Monday}}", "monday"),
    "braces that are not printed": (r"\boxed{{1, 3}}", "(1, 3)"),
}  # fmt: skip


@pytest.mark.parametrize(("response", "answer"), HONEST.values(), ids=HONEST.keys())
def test_an_honest_answer_that_looks_like_one_is_paid(response: str, answer: str) -> None:
    verdict = verify(response, answer)
    assert verdict.score == 1.0, verdict.reason


def test_an_echo_of_the_question_earns_nothing_and_the_answer_everything() -> None:
    prompt = r"Simplify $\sqrt{50}$."
    assert verify(r"\boxed{\sqrt{50}}", r"\sqrt{50} + 0", prompt=prompt).score != 1.0
    assert verify(r"\boxed{5\sqrt{2}}", r"5\sqrt2", prompt=prompt).score == 1.0
