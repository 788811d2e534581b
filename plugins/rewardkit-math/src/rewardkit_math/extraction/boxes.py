r"""The last ``\boxed{}``: balanced, not negated, and one answer or a list of them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from rewardkit_math.outcome import Extraction, Missing, Rule

__all__ = ["find_boxed", "last_box_command", "retracted"]

_MAX_BOXES = 32  # the last ones: a longer run is no single answer whatever comes before
_MAX_CONTENT = 4000  # characters
_NEAR = 1000  # characters at either end of the text between two boxes that are searched for a correction

_OPENING = re.compile(r"\\(?:boxed|fbox)\s*\{")
_BRACE = re.compile(r"\\.|[{}]", re.DOTALL)
_BLANK = re.compile(r"\\[hv]?phantom\s*\{[^{}]*\}")
_CORRECTION = re.compile(
    r"\b(?:wait|actually|no|wrong|incorrect|mistakes?|mistaken|errors?|correct(?:ed|ing|ion)|instead|rather|sorry"
    r"|oops|revis(?:e|ed|ing)|re-?check(?:ed|ing)?|checking again|reconsider(?:ed|ing)?|re-?comput(?:e|ed|ing)"
    r"|re-?calculat(?:e|ed|ing)|final answer|on second thought|scratch that)\b",
    re.IGNORECASE,
)
_MARKS = r"[\s$*()\[\]\\,:]*"
_NEGATION = re.compile(
    rf"(?:\b(?:not|never|cannot be)|n['’]t)\s+(?:(?:equal to|be|exactly|simply)\s+)?{_MARKS}\Z", re.IGNORECASE
)
_IS_WRONG = (
    r"(?:is|was)(?:\s+(?:wrong|incorrect|false)|(?:\s+not|n['’]t)\s+(?:(?:the|a)\s+)?(?:correct|right|answer|final))"
)
_THAT_IS_WRONG = r"\b(?:that|this|it)(?:['’]s|\s+is|\s+was)\s+(?:wrong|incorrect|not (?:correct|right))"
_RETRACTION = re.compile(rf"{_MARKS}\.?\s*(?:{_IS_WRONG}|[^\n]{{0,60}}?{_THAT_IS_WRONG})\b", re.IGNORECASE)
_CONDITION = re.compile(r"\b(?:if|unless|whether)\b", re.IGNORECASE)
_VALUE = (
    r"(?:-?[$\\(]*-?[0-9](?:[0-9.,/]*[0-9])?|\\[dt]?frac\s*\{[^{}]*\}\s*\{[^{}]*\}|\\sqrt\s*\{[^{}]*\}"
    r"|[A-J](?![A-Za-z]))"
)
_OR_AFTER = re.compile(rf"[\s$)\]\\,.?]*\b[Oo]r\s+(?:maybe\s+|perhaps\s+|even\s+)?\$?({_VALUE})")
_OR_BEFORE = re.compile(rf"({_VALUE})[\s$)\]\\]*,?\s*\bor\s+[\s$(\[\\]*\Z")


class _Box(NamedTuple):
    start: int
    end: int
    content: str


def find_boxed(text: str, start: int, end: int) -> Extraction | Missing:
    """Return the answer in the last box of ``text[start:end]``.

    Earlier boxes belong to it, as one list, back to a word of correction. An answer beside the box, joined by
    "or", belongs to it too.
    """
    boxes: list[_Box] = []
    for box in _boxes_backwards(text, start, end):
        if box.end < 0:
            if boxes:
                break
            return Missing.UNCLOSED
        if boxes and boxes[-1].start < box.end:
            boxes[-1] = box  # it holds the one before
        elif _taken_back(text, box, start, end):
            if not boxes:
                return Missing.RETRACTED
        elif boxes and _corrected(text, box.end, boxes[-1].start):
            break
        else:
            boxes.append(box)
    return _joined(text, boxes[::-1], start, end) if boxes else Missing.NOTHING


def last_box_command(text: str, start: int, end: int) -> int:
    """Return where the last box begins, balanced or not; -1 if there is none."""
    return max(text.rfind("\\boxed", start, end), text.rfind("\\fbox", start, end))


def retracted(text: str, at: int, end: int) -> bool:
    """Tell whether what stands before ``at`` is called wrong right after it."""
    match = _RETRACTION.match(text, at, min(end, at + 120))
    return match is not None and not _CONDITION.search(match[0])


def _boxes_backwards(text: str, start: int, end: int) -> Iterator[_Box]:
    """Yield the last boxes, the last first; an unclosed one ends at -1, blank ones are left out."""
    at = end
    for _ in range(_MAX_BOXES):
        at = last_box_command(text, start, at)
        if at < 0:
            return
        opening = _OPENING.match(text, at, end)
        if opening is None:
            continue
        close = _closing_brace(text, opening.end(), end)
        if close < 0:
            yield _Box(at, -1, "")
        elif content := _BLANK.sub("", text[opening.end() : close]).strip():
            yield _Box(at, close + 1, content)


def _closing_brace(text: str, start: int, end: int) -> int:
    depth = 1
    for match in _BRACE.finditer(text, start, min(end, start + _MAX_CONTENT)):
        if match[0] == "{":
            depth += 1
        elif match[0] == "}":
            depth -= 1
            if not depth:
                return match.start()
    return -1


def _taken_back(text: str, box: _Box, start: int, end: int) -> bool:
    return bool(_NEGATION.search(text[max(start, box.start - 40) : box.start])) or retracted(text, box.end, end)


def _corrected(text: str, start: int, end: int) -> bool:
    if end - start <= 2 * _NEAR:
        return bool(_CORRECTION.search(text, start, end))
    return bool(_CORRECTION.search(text, start, start + _NEAR) or _CORRECTION.search(text, end - _NEAR, end))


def _joined(text: str, boxes: list[_Box], start: int, end: int) -> Extraction:
    first, last = boxes[0], boxes[-1]
    contents = [box.content for box in boxes]
    if len({"".join(content.split()) for content in contents}) == 1:
        contents = contents[:1]
    answer = "; ".join(contents)
    if option := _OR_BEFORE.search(text[max(start, first.start - 60) : first.start]):
        answer = f"{option[1]} or {answer}"
    if option := _OR_AFTER.match(text, last.end, min(end, last.end + 60)):
        answer = f"{answer} or {option[1]}"
    return Extraction(answer, Rule.BOX, first.start, last.end)
