r"""The last ``\boxed{}``: balanced, not negated, and one answer or a list of them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import islice
from typing import NamedTuple

from rewardkit_math.outcome import Extraction, Missing, Rule

__all__ = ["find_boxed", "last_box_command", "retracted"]

_MAX_BOXES = 32  # the last ones: a longer run is no single answer whatever comes before
_MAX_CONTENT = 4000  # characters
_NEAR = 1000  # characters at either end of the text between two boxes that are searched for a correction

_OPENING = re.compile(r"\\(?:boxed|fbox)\s*\{")
_BRACE = re.compile(r"\\.|[{}]", re.DOTALL)
_BLANK = re.compile(r"\\[hv]?phantom\s*\{[^{}]*\}")
_COMMANDS = ("\\boxed", "\\fbox")
_CORRECTION = re.compile(
    r"\b(?:wait|actually|wrong|incorrect|mistakes?|mistaken|errors?|correct(?:ed|ing|ion)|instead|rather|sorry"
    r"|oops|revis(?:e|ed|ing)|re-?check(?:ed|ing)?|checking again|reconsider(?:ed|ing)?|re-?comput(?:e|ed|ing)"
    r"|re-?calculat(?:e|ed|ing)|final answer|on second thought|scratch that)\b"
)
# Plain searches are many times faster than the alternatives; one of these is part of each of them.
_CORRECTION_STEMS = (
    "wait", "actual", "wrong", "correct", "mistake", "error", "instead", "rather", "sorry", "oops", "revis", "check",
    "consider", "comput", "calculat", "final answer", "second thought", "scratch",
)  # fmt: skip
_NO = re.compile(r"no(?<!\wno)(?!\w)")
_MARKS = r"[\s$*()\[\]\\,:]*"
_NEGATION = re.compile(
    rf"(?:\b(?:not|never|cannot be)|n['’]t)\s+(?:(?:equal to|be|exactly|simply)\s+)?{_MARKS}\Z", re.IGNORECASE
)
_NEGATION_MARKS = ("not", "never", "n't", "n’t")
_IS_WRONG = (
    r"(?:is|was)(?:\s+(?:wrong|incorrect|false)|(?:\s+not|n['’]t)\s+(?:(?:the|a)\s+)?(?:correct|right|answer|final))"
)
_THAT_IS_WRONG = r"\b(?:that|this|it)(?:['’]s|\s+is|\s+was)\s+(?:wrong|incorrect|not (?:correct|right))"
_RETRACTION = re.compile(
    rf"{_MARKS}\.?\s*(?:{_IS_WRONG}|(?<=\()(?:wrong|incorrect)(?=\))|[^\n]{{0,60}}?{_THAT_IS_WRONG})\b", re.IGNORECASE
)
_CONDITION = re.compile(r"\b(?:if|unless|whether)\b", re.IGNORECASE)
_VALUE = (
    r"(?:-?[$\\(]*-?[0-9](?:[0-9.,/]*[0-9])?(?:\\?%)?|\\[dt]?frac\s*\{[^{}]*\}\s*\{[^{}]*\}|\\sqrt\s*\{[^{}]*\}"
    r"|[A-J](?![A-Za-z]))"
)
_OR_AFTER = re.compile(
    rf"[\s$(\[)\]\\,.;?]*\b(?:[Oo]r|[Aa]lternatively)\b,?\s+(?:(?:maybe|perhaps|possibly|even|else)\s+)?\$?({_VALUE})"
)
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
    return max(text.rfind(command, start, end) for command in _COMMANDS)


def retracted(text: str, at: int, end: int) -> bool:
    """Tell whether what stands before ``at`` is called wrong right after it."""
    match = _RETRACTION.match(text, at, min(end, at + 120))
    return match is not None and not _CONDITION.search(match[0])


def _boxes_backwards(text: str, start: int, end: int) -> Iterator[_Box]:
    """Yield the last boxes, the last first; an unclosed one ends at -1, blank ones are left out."""
    for at in islice(_commands_backwards(text, start, end), _MAX_BOXES):
        opening = _OPENING.match(text, at, end)
        if opening is None:
            continue
        close = _closing_brace(text, opening.end(), end)
        if close < 0:
            yield _Box(at, -1, "")
        elif content := _BLANK.sub("", text[opening.end() : close]).strip():
            yield _Box(at, close + 1, content)


def _commands_backwards(text: str, start: int, end: int) -> Iterator[int]:
    last = [text.rfind(command, start, end) for command in _COMMANDS]
    while (at := max(last)) >= 0:
        yield at
        which = last.index(at)
        last[which] = text.rfind(_COMMANDS[which], start, at)


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
    before = text[max(start, box.start - 40) : box.start]
    lowered = before.lower()
    if any(mark in lowered for mark in _NEGATION_MARKS) and _NEGATION.search(before):
        return True
    return retracted(text, box.end, end)


def _corrected(text: str, start: int, end: int) -> bool:
    if end - start <= 2 * _NEAR:
        return _holds_correction(text[start:end].lower())
    return _holds_correction(text[start : start + _NEAR].lower()) or _holds_correction(text[end - _NEAR : end].lower())


def _holds_correction(words: str) -> bool:
    if _NO.search(words):
        return True
    return any(stem in words for stem in _CORRECTION_STEMS) and _CORRECTION.search(words) is not None


def _joined(text: str, boxes: list[_Box], start: int, end: int) -> Extraction:
    first, last = boxes[0], boxes[-1]
    contents = [box.content for box in boxes]
    if len({"".join(content.split()) for content in contents}) == 1:
        contents = contents[:1]
    answer = "; ".join(contents)
    before = text[max(start, first.start - 60) : first.start]
    if "or" in before and (option := _OR_BEFORE.search(before)):
        answer = f"{option[1]} or {answer}"
    if option := _OR_AFTER.match(text, last.end, min(end, last.end + 60)):
        answer = f"{answer} or {option[1]}"
    return Extraction(answer, Rule.BOX, first.start, last.end)
