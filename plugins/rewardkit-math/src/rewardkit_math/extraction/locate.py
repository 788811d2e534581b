r"""Find the final answer in a response, in time linear in its length.

Only text outside of the thinking counts. The last box wins; what a response states without a box counts where there is
no box or where it comes after the last one. Nothing here knows the reference, so several answers are never a choice
among which one may be right.
"""

from __future__ import annotations

from rewardkit.thinking import visible_span
from rewardkit_math.extraction.boxes import find_boxed, last_box_command, retracted
from rewardkit_math.extraction.conclusions import find_concluded, find_formula, under_heading
from rewardkit_math.extraction.statements import find_last_number, find_stated, find_whole, looks_like_value
from rewardkit_math.outcome import Extraction, Missing

__all__ = ["extract_answer", "locate"]


def extract_answer(response: str, *, strict_box: bool = False, last_number: bool = False) -> Extraction | None:
    r"""Return the final answer of a response, or None.

    Rules, in this order: the last balanced ``\boxed{}`` or ``\fbox{}``; the last of "the (final) answer is x",
    ``#### x``, a line ``A: x`` and ``<answer>x</answer>``, which also overrules a box before it; a response that is
    nothing but a number, the letter of a choice or one formula; a last sentence that concludes ("Therefore, the area
    is $x$.", "The solution is $x$", "So she has 4 + 1 = 5."). The last formula of any other text is no answer.

    Boxes with different contents and no word of correction between them ("wait", "wrong", "final answer") are one
    list, and so are alternatives beside a box ("``\boxed{41}`` or 42"). A box that is negated, taken back or left open
    is no answer, nor is one before it.

    Args:
        response: What the model wrote. Text before the last ``</think>`` and after an unclosed ``<think>`` is
            ignored, and so are empty boxes.
        strict_box: Only boxes count.
        last_number: Where no other rule finds anything, the last number of the text is the answer.

    Example:
        >>> extract_answer(r"First \boxed{5}. Wait, no: \boxed{7}").answer
        '7'
        >>> extract_answer(r"\boxed{6} \boxed{7}").answer
        '6; 7'
    """
    found = locate(response, strict_box, last_number)
    return found if isinstance(found, Extraction) else None


def locate(response: str, strict_box: bool = False, last_number: bool = False) -> Extraction | Missing:
    """Like `extract_answer`, but say why there is no answer."""
    start, end = visible_span(response)
    if start == end or response[start:end].isspace():
        return Missing.NOTHING if end == len(response) else Missing.THINKING
    box = find_boxed(response, start, end)
    if strict_box:
        return box
    if isinstance(box, Extraction):
        stated = find_stated(response, box.end, end)
        return stated if stated is not None and looks_like_value(stated.answer) else box
    if box is not Missing.NOTHING:
        return find_stated(response, last_box_command(response, start, end), end) or box
    return _unboxed(response, start, end, last_number)


def _unboxed(text: str, start: int, end: int, last_number: bool) -> Extraction | Missing:
    stated = find_stated(text, start, end)
    if stated is not None:
        return Missing.RETRACTED if retracted(text, stated.end, end) else stated
    begin = under_heading(text, start, end)
    found = find_whole(text, begin, end) or find_formula(text, begin, end) or find_concluded(text, start, end)
    if found is None and last_number:
        found = find_last_number(text, start, end)
    return found or Missing.NOTHING
