"""What counts as the final answer of a response, what does not, and that finding it takes linear time."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rewardkit_math.extraction.locate import extract_answer, locate
from rewardkit_math.outcome import Extraction, Missing, Rule

from rewardkit.thinking import closes_thinking, opens_thinking

FOUND = {
    "last box": (r"So $\boxed{42}$.", "42", Rule.BOX),
    "frame box": (r"\fbox{7}", "7", Rule.BOX),
    "space before the brace": (r"\boxed {7}", "7", Rule.BOX),
    "nested braces": (r"\boxed{\frac{1}{\sqrt{2}}}", r"\frac{1}{\sqrt{2}}", Rule.BOX),
    "escaped braces": (r"\boxed{\{1, 2\}}", r"\{1, 2\}", Rule.BOX),
    "braces after the box": (r"\boxed{42}}}}}", "42", Rule.BOX),
    "box in a box": (r"\boxed{\boxed{42}}", r"\boxed{42}", Rule.BOX),
    "empty boxes are ignored": (r"Put it in \boxed{}. \boxed{7} \boxed{ }", "7", Rule.BOX),
    "placeholders are ignored": (r"\boxed{\phantom{2}} + 1, so \boxed{4}", "4", Rule.BOX),
    "the same box twice": (r"\boxed{7} and again $\boxed{ 7 }$", "7", Rule.BOX),
    "a corrected box": (r"\boxed{5}. Wait, that is wrong. \boxed{7}", "7", Rule.BOX),
    "a corrected box, far away": (r"\boxed{5}. Wait." + " x" * 5000 + r" \boxed{7}", "7", Rule.BOX),
    "a final answer after another box": (r"\boxed{5} apples. Final answer: \boxed{7}", "7", Rule.BOX),
    "not this but that": (r"The answer is not 41 but \boxed{42}.", "42", Rule.BOX),
    "different boxes are a list": (r"\boxed{406} \boxed{407} \boxed{408}", "406; 407; 408", Rule.BOX),
    "different boxes in a sentence": (r"\boxed{4} cats and \boxed{7} dogs", "4; 7", Rule.BOX),
    "alternative after the box": (r"It is $\boxed{41}$ or 42.", "41 or 42", Rule.BOX),
    "alternative in a new sentence": (r"\boxed{41}? Or maybe 42.", "41 or 42", Rule.BOX),
    "alternative before the box": (r"It is 42 or $\boxed{41}$.", "42 or 41", Rule.BOX),
    "alternative letter": (r"\boxed{A} or B", "A or B", Rule.BOX),
    "words after the box are no alternative": (r"\boxed{5} or so", "5", Rule.BOX),
    "after the thinking": (r"<think>\boxed{5}</think> \boxed{7}", "7", Rule.BOX),
    "after a prefilled thinking": (r"hm, \boxed{5}</think> \boxed{7}", "7", Rule.BOX),
    "before an unclosed thinking": (r"\boxed{7} <think> or \boxed{5}", "7", Rule.BOX),
    "a doubt under a condition": (r"\boxed{7}. If you think this is wrong, ask.", "7", Rule.BOX),
    "a box overruled by a statement": (r"\boxed{42}. Wait, the answer is 41.", "41", Rule.PHRASE),
    "a remark overrules no box": (r"\boxed{42}. The answer is rounded to 2 places.", "42", Rule.BOX),
    "a check overrules no box": (r"\boxed{42}. We check our answer: $6 \cdot 7 = 42$", "42", Rule.BOX),
    "hashes": ("18 - 5 = 13\n#### 13", "13", Rule.HASH),
    "the last hashes": ("#### 41\n#### 42", "42", Rule.HASH),
    "hashes that are a heading": ("The answer is 42.\n#### Step 3: check", "42", Rule.PHRASE),
    "hashes that number a heading": ("The answer is 42.\n#### 2. Check it", "42", Rule.PHRASE),
    "five hashes": ("##### 41\nA: 42", "42", Rule.LINE),
    "line": ("5 + 5 = <<5+5=10>>10\nA: 10", "10", Rule.LINE),
    "line at the start": ("A: 10", "10", Rule.LINE),
    "the last line": ("A: 41\nA: 42", "42", Rule.LINE),
    "phrase": ("The answer is 42.", "42", Rule.PHRASE),
    "phrase with a colon": ("Final Answer: 42", "42", Rule.PHRASE),
    "phrase in bold": ("**Final Answer:** **73**", "73", Rule.PHRASE),
    "phrase with mathematics after it": ("Answer $ 9 $", "$ 9 $", Rule.PHRASE),
    "phrase with a display": ("The final answer is:\n\\[\n 42\n\\]\nDone. 43", "\\[\n 42\n\\]", Rule.PHRASE),
    "phrase with a subject": ("Final Answer: The largest $n$ is 34.", "34", Rule.PHRASE),
    "phrase to the question": ("The answer to the question is 42.", "42", Rule.PHRASE),
    "phrase with should be": ("So the answer should be 7.", "7", Rule.PHRASE),
    "phrase before a reason": ("The answer is 42 because 6 times 7 is 42.", "42", Rule.PHRASE),
    "phrase before a consequence": ("The answer is 42, which means we are done.", "42", Rule.PHRASE),
    "phrase before a special token": ("The answer is 42<|im_end|>", "42", Rule.PHRASE),
    "phrase with a decimal point": ("The answer is 3.5. It fits.", "3.5", Rule.PHRASE),
    "the last phrase": ("The answer is 41. No, the answer is 42.", "42", Rule.PHRASE),
    "a phrase that says no value": ("The answer is 42. I hope the answer is helpful.", "42", Rule.PHRASE),
    "a remark is no answer": ("The answer is 42. This answer is correct.", "42", Rule.PHRASE),
    "words": ("The answer is Monday.", "Monday", Rule.PHRASE),
    "a negated phrase": ("The answer is not 42.", "not 42", Rule.PHRASE),
    "a hedged phrase": ("The answer is 41 or 42.", "41 or 42", Rule.PHRASE),
    "a negation in another clause": ("As 7 is not even, the answer is 3.", "3", Rule.PHRASE),
    "tag": ("<think>5</think><answer> 42 </answer>", "42", Rule.TAG),
    "box in a tag": (r"<answer>So \boxed{42}</answer>", "42", Rule.BOX),
    "phrase in a tag": ("<answer>The answer is 42</answer>", "42", Rule.PHRASE),
    "conclusion": ("Therefore, the area is $42$.", "$42$", Rule.PHRASE),
    "conclusion with a number": ("It is 41. So the area is 42.", "42", Rule.PHRASE),
    "conclusion with a unit": ("Thus the length is 42 centimeters.", "42 centimeters", Rule.PHRASE),
    "conclusion in bold": ("Therefore, m + n = 13 + 22 = **35**.", "35", Rule.PHRASE),
    "conclusion with a percentage": ("Hence it increases by 100%.", "100%", Rule.PHRASE),
    "conclusion with a display": ("Thus the area is\n\\[\n42\n\\]", "\\[\n42\n\\]", Rule.PHRASE),
    "conclusion with an equation": ("a $b$. So $x = 5$.", "$x = 5$", Rule.PHRASE),
    "conclusion before a token": ("$y = 6$ So the pair is $(7, 6)$. <|im_start|>user", "$(7, 6)$", Rule.PHRASE),
    "the solution": ("The solution is $x != 5$", "$x != 5$", Rule.PHRASE),
    "a formula that is the solution": (r"Therefore $x \geq 5$ is the solution.", r"$x \geq 5$", Rule.PHRASE),
    "the option": ("Thus, the correct option is (B).", "(B)", Rule.PHRASE),
    "nothing but a formula": (r"\(x > 5\)", r"\(x > 5\)", Rule.WHOLE),
    "a label and a formula": ("Special matrix: $A$", "$A$", Rule.WHOLE),
    "nothing but a number": (" 1,234 ", "1,234", Rule.WHOLE),
    "nothing but a choice": ("(B)", "(B)", Rule.WHOLE),
    "nothing but a bold choice": ("**B**", "**B**", Rule.WHOLE),
    "a number under a heading": ("So $a$ it is.\n\n### Final Answer\n\n5", "5", Rule.WHOLE),
    "a number under a bold heading": ("It follows.\n\n**Final Answer**\n\n-5", "-5", Rule.WHOLE),
    "a short form": ("So the answer's 5.", "5", Rule.PHRASE),
    "alternatives in brackets": (r"\boxed{5} (or 6)", "5 or 6", Rule.BOX),
    "a possible alternative": (r"\boxed{5} or possibly 6", "5 or 6", Rule.BOX),
    "another alternative": (r"The answer: \boxed{5}, alternatively 6", "5 or 6", Rule.BOX),
    "no alternative": (r"\boxed{5} or a number above it", "5", Rule.BOX),
}  # fmt: skip


@pytest.mark.parametrize(("response", "answer", "rule"), FOUND.values(), ids=FOUND.keys())
def test_the_answer_is_found_by_its_rule(response: str, answer: str, rule: Rule) -> None:
    found = extract_answer(response)
    assert found is not None
    assert (found.answer, found.rule) == (answer, rule)
    assert 0 <= found.start < found.end <= len(response)


MISSING = {
    "empty": ("", Missing.NOTHING),
    "blank": (" \n\t", Missing.NOTHING),
    "numbers in prose": ("There are 17, 24 and 408 of them.", Missing.NOTHING),
    "an empty box": (r"The result: \boxed{}", Missing.NOTHING),
    "a command without braces": (r"\boxed", Missing.NOTHING),
    "an option list": ("Options:\nA: 42\nB: 41", Missing.NOTHING),
    "a heading": ("#### Step 42", Missing.NOTHING),
    "an unclosed box": (r"\boxed{42", Missing.UNCLOSED),
    "an escaped closing brace": (r"\boxed{42\}", Missing.UNCLOSED),
    "an unclosed box after a closed one": (r"\boxed{41}, so \boxed{4", Missing.UNCLOSED),
    "an unclosed box after a statement": (r"The answer is 42. So \boxed{4", Missing.UNCLOSED),
    "an unclosed box in a statement": (r"The answer is \boxed{42", Missing.UNCLOSED),
    "a box longer than the limit": (r"\boxed{" + "1" * 5000 + "}", Missing.UNCLOSED),
    "only in the thinking": (r"<think>\boxed{42}</think>", Missing.NOTHING),
    "an unclosed thinking": (r"<think>\boxed{42}", Missing.THINKING),
    "another thinking after the first": (r"<think>a</think><think>\boxed{42}", Missing.THINKING),
    "thought tokens": (r"<|begin_of_thought|>\boxed{42}", Missing.THINKING),
    "a negated box": (r"The answer is not $\boxed{42}$.", Missing.RETRACTED),
    "a contracted negation": (r"It isn't \boxed{42}.", Missing.RETRACTED),
    "a box called wrong": (r"\boxed{42} is wrong.", Missing.RETRACTED),
    "a box called not right": (r"$\boxed{42}$ is not the right answer", Missing.RETRACTED),
    "a box taken back": (r"\boxed{42}. Checking again, that is wrong.", Missing.RETRACTED),
    "a statement taken back": ("The answer is 42. Wait, that is wrong.", Missing.RETRACTED),
    "a doubted statement": ("I don't think the answer is 42.", Missing.NOTHING),
    "a doubted conclusion": ("So the area might be $42$.", Missing.NOTHING),
    "a negated conclusion": ("Thus the area is not $42$.", Missing.NOTHING),
    "a supposed conclusion": ("So if $x = 5$.", Missing.NOTHING),
    "a conclusion with alternatives": ("So the area is $41$ or $42$.", Missing.NOTHING),
    "a conclusion with two equations": ("So $x = 5$ and $y = 6$.", Missing.NOTHING),
    "a conclusion with two values": ("So $x$ can be $5$, $6$.", Missing.NOTHING),
    "a conclusion cut off": ("So the area is 4", Missing.NOTHING),
    "a conclusion cut off in a formula": ("So the area is $4", Missing.NOTHING),
    "a conclusion with an odd dollar": (r"So it costs $5 and the rest is $7$.", Missing.NOTHING),
    "currency is no formula": (r"So the price is \$5$", Missing.NOTHING),
    "an empty formula": ("So the price is $$", Missing.NOTHING),
    "a conclusion about something else": ("So there are 42 ways to do it.", Missing.NOTHING),
    "a sentence that concludes nothing": ("The triangle has area $42$.", Missing.NOTHING),
    "a sentence after the conclusion": ("So the area is $42$. Now let us check.", Missing.NOTHING),
    "a label that doubts": ("Check: $42$", Missing.NOTHING),
    "a supposed statement": ("If the answer is 42, we are done.", Missing.NOTHING),
    "a supposition": ("Suppose that the answer is 42", Missing.NOTHING),
    "two equations in words": ("So x = 4 and y = 5.", Missing.NOTHING),
    "steps under a heading": ("**Answer**\n1. First, we add.\n2. Then we divide by 5", Missing.NOTHING),
    "two numbers under a heading": ("## Answer\n5\n6", Missing.NOTHING),
    "a heading before another": ("## Answer\n5\n## Check\nall is well", Missing.NOTHING),
    "called wrong in brackets": (r"\boxed{5} (wrong)", Missing.RETRACTED),
    "a contracted statement": ("The answer isn't 42.", Missing.NOTHING),
}


@pytest.mark.parametrize(("response", "reason"), MISSING.values(), ids=MISSING.keys())
def test_what_is_no_answer_is_not_found_and_says_why(response: str, reason: Missing) -> None:
    assert locate(response) is reason
    assert extract_answer(response) is None


def test_the_span_holds_the_answer_with_its_command() -> None:
    response = r"So \boxed{\frac{1}{2}} it is."
    found = extract_answer(response)
    assert found is not None
    assert response[found.start : found.end] == r"\boxed{\frac{1}{2}}"


@pytest.mark.parametrize("response", ["The answer is 42.", "#### 42", "A: 42", "<answer>42</answer>", "42"])
def test_a_strict_box_leaves_nothing_else(response: str) -> None:
    assert locate(response, strict_box=True) is Missing.NOTHING


def test_a_strict_box_is_not_overruled_by_a_statement() -> None:
    found = extract_answer(r"\boxed{42}. The answer is 41.", strict_box=True)
    assert found is not None
    assert found.answer == "42"


@pytest.mark.parametrize(
    ("response", "answer"),
    [
        ("He has 7 apples, so 7 - 3 = 4 are left.", "4"),
        ("It costs $1,234.50 in all", "$1,234.50"),
        ("16-3 is -13?", "-13"),
        ("16-3", "3"),
        (r"rises by 12\%.", r"12\%"),
        ("odds are 3/4 then", "3/4"),
        ("about .5 of it", ".5"),
        ("in 1, 2, 3", "3"),
    ],
)
def test_the_last_number_counts_only_by_option(response: str, answer: str) -> None:
    assert extract_answer(response) is None
    found = extract_answer(response, last_number=True)
    assert found is not None
    assert (found.answer, found.rule) == (answer, Rule.LAST_NUMBER)
    assert response[found.start : found.end] == answer


@pytest.mark.parametrize("response", ["No number here.", "٤٢", r"\boxed{4", "<think>42"])
def test_the_last_number_replaces_no_open_box_and_no_thinking(response: str) -> None:
    assert extract_answer(response, last_number=True) is None


def test_a_prompt_may_open_the_thinking() -> None:
    prompts = ["2+2?<think>\n", "2+2?", "<think>x</think>", "<|begin_of_thought|>"]
    assert opens_thinking(prompts) == [True, False, False, True]
    assert closes_thinking("so</think> 4")
    assert not closes_thinking("so 4")


PIECES = r"""
\boxed{ \fbox{ } { \{ \} #### A: </think> <think> <answer> </answer> 42 -1,000 or not wait . $ \[ \] \phantom{2}
answer Answer is : wrong İ So Therefore, solution option (B) $42$ <|im_end|>
"""
WORDS = [*PIECES.split(), " ", "\n", "\x00", "\u202e"]
RESPONSES = st.lists(st.sampled_from(WORDS), max_size=30).map("".join) | st.text(max_size=60)


@settings(max_examples=10_000, deadline=None)
@given(RESPONSES, st.booleans())
def test_any_text_is_read_without_raising_and_the_span_lies_inside(response: str, last_number: bool) -> None:
    found = locate(response, last_number=last_number)
    assert isinstance(found, Extraction | Missing)
    if isinstance(found, Extraction):
        assert found.answer
        assert 0 <= found.start <= found.end <= len(response)


@settings(max_examples=200, deadline=None)
@given(RESPONSES, st.integers(-999, 999))
def test_a_box_after_a_final_answer_mark_is_the_answer_whatever_stood_before(before: str, value: int) -> None:
    response = f"{before}</think> So the final answer: \\boxed{{{value}}}"
    found = extract_answer(response)
    assert found is not None
    assert found.answer == str(value)


HOSTILE = {
    "open boxes": r"\boxed{",
    "boxes": r"\boxed{5} ",
    "different boxes": r"\boxed{5}\boxed{6}",
    "braces": "{",
    "empty boxes": r"\boxed{}",
    "commands": r"\boxed ",
    "statements": "the answer is ",
    "answers": "answer ",
    "hashes": "#",
    "hash lines": "#### \n",
    "lines": "\nA:",
    "tags": "<answer>",
    "closing tags": "</answer>",
    "thinking": "<think>",
    "closed thinking": "<think></think>",
    "negations": "not ",
    "alternatives": "5 or ",
    "spaces": " ",
    "digits": "1",
    "numbers": "1 ",
    "equals": "=",
    "backslashes": "\\",
    "corrections": r"\boxed{5} wait ",
    "no corrections": r"\boxed{5} x wai",
    "both boxes": r"\boxed \fbox ",
    "sentences": "So. ",
    "conclusions": "So it is 5. ",
    "formulas": "$x$ ",
    "paragraphs": "\n\nA",
    "tokens": "<|",
}


def _seconds(text: str) -> float:
    taken = []
    for _ in range(3):
        start = time.perf_counter()
        locate(text, last_number=True)
        taken.append(time.perf_counter() - start)
    return min(taken)


@pytest.mark.parametrize("unit", HOSTILE.values(), ids=HOSTILE.keys())
def test_extraction_takes_linear_time(unit: str) -> None:
    short, long = (_seconds(unit * (size // len(unit))) for size in (60_000, 480_000))
    # Eight times the text: a quadratic step would take 64 times as long. Below a millisecond nothing grows.
    assert long < 24 * max(short, 0.001)


@pytest.mark.parametrize(
    "text",
    [
        "A:  3/6 \nso",
        "so\nA: 3",
        "####   7\n",
        "The answer is 3. So",
        "<answer> 4 </answer>.",
        r"so \boxed{ 5 } ok",
        "12",
    ],
)
def test_the_place_of_an_answer_holds_the_answer(text: str) -> None:
    found = extract_answer(text)
    assert found is not None
    assert found.answer in text[found.start : found.end]
    assert found.end <= len(text)
