"""Answers stated without a box: "the answer is x", ``#### x``, a line ``A: x``, ``<answer>x</answer>``."""

from __future__ import annotations

import re

from rewardkit_math.forms.number import read_number
from rewardkit_math.forms.surface import tidy
from rewardkit_math.outcome import Extraction, Rule

__all__ = ["find_last_number", "find_stated", "find_whole", "looks_like_value"]

_MAX_CLAUSE = 300  # characters
_TRIES = 32

_STATEMENT = re.compile(
    r"answers?[*_\s]*(?:(?:to|for)\s[^.:\n]{1,80}?\s)?"
    r"(?::|=|['’]s\b|(?:is|are|was|equals|(?:should|must|would|will) be)\b|(?=\$|\\[(\[]))[*_\s:=]*",
    re.IGNORECASE,
)
_DOUBT = re.compile(
    r"(?:(?:n['’]t|\b(?:not|never|cannot|unlikely|whether|check|verify|test))\b[^.,;:\n]*"
    r"|\b(?:if|unless|suppose|assum(?:e|ing))\s+(?:(?:that|the|my|your|final|correct)\s+)*)\Z",
    re.IGNORECASE,
)
_CLAUSE_END = re.compile(
    r"\n|[.。](?=\s|\Z)|<[|｜/]|,?\s(?:because|since)\b|,\s(?:so|where|meaning|which(?!\s+is\s+(?:wrong|incorrect|not)))\b"
)
_REMARK = re.compile(
    r"(?:indeed |also |probably )?(?:correct|right|wrong|incorrect|as follows|below|above|consistent)\W*\Z"
)
_BOLD = "*_` \t\n"
_DISPLAY = (("\\[", "\\]"), ("$$", "$$"))
_COPULA = re.compile(r"([^0-9]*)\b(?:is|are|equals)\b")
_VALUE = re.compile(r"[\s$*(\[{+\-−]*(?:[.0-9]|\\|[A-Z](?:[).]|[}$*\s]*\Z)|not\b)")
_HEADING = re.compile(r"[0-9]+[.)]\s+[A-Za-z]|[A-Za-z]{2,}\s+\S")
_OPTION_LIST = re.compile(r"[^\n]*\n\s*B:")
_CHOICE = re.compile(r"(?P<bold>\**)\(?[A-J][).]?(?P=bold)\Z")
_LAST_DIGIT = re.compile(r"[0-9][^0-9]*\Z")
_NUMBER = re.compile(
    r"(?:(?<![0-9A-Za-z)])[+-])?[$]?(?:(?:[0-9]{1,3}(?:,[0-9]{3})+(?![0-9])|[0-9]+)(?:\.[0-9]+)?|\.[0-9]+)"
    r"(?:/[0-9]+)?(?:\\?%)?"
)


def looks_like_value(answer: str) -> bool:
    """Tell whether a statement begins as a value does: "correct to two places" after "the answer is" does not."""
    return _VALUE.match(answer) is not None


def find_stated(text: str, start: int, end: int) -> Extraction | None:
    """Return the last statement of ``text[start:end]`` that looks like a value, else the last of all."""
    found = [e for e in (_hash(text, start, end), _line(text, start, end), _tag(text, start, end)) if e]
    found += _phrases(text, start, end)
    found.sort(key=lambda extraction: extraction.start)
    values = [extraction for extraction in found if looks_like_value(extraction.answer)]
    return next(reversed(values or found), None)


def find_whole(text: str, start: int, end: int) -> Extraction | None:
    """Return the text itself where it is nothing but a number or the letter of a choice."""
    answer = text[start:end].strip() if end - start <= _MAX_CLAUSE else ""
    if read_number(tidy(answer)) is None and not _CHOICE.match(answer):
        return None
    return Extraction(answer, Rule.WHOLE, start, end)


def find_last_number(text: str, start: int, end: int) -> Extraction | None:
    """Return the last number of the text."""
    digit = _LAST_DIGIT.search(text, start, end)
    if digit is None:
        return None
    *_, last = _NUMBER.finditer(text, max(start, digit.start() - 60), min(end, digit.start() + 4))
    return Extraction(last[0], Rule.LAST_NUMBER, last.start(), last.end())


def _hash(text: str, start: int, end: int) -> Extraction | None:
    at = end
    for _ in range(_TRIES):
        at = text.rfind("####", start, at)
        if at < 0:
            return None
        answer, stop = _rest_of_line(text, at + 4, end)
        is_rule = text[at - 1 : at] == "#" or answer.startswith("#")
        if answer and not is_rule and not _HEADING.match(answer):
            return Extraction(answer, Rule.HASH, at, stop)
    return None


def _rest_of_line(text: str, start: int, end: int) -> tuple[str, int]:
    """Return the rest of the line without white space around it, and where it ends."""
    limit = min(end, start + _MAX_CLAUSE)
    stop = text.find("\n", start, limit)
    rest = text[start : stop if stop >= 0 else limit].rstrip()
    return rest.lstrip(), start + len(rest)


def _line(text: str, start: int, end: int) -> Extraction | None:
    at = text.rfind("\nA:", start, end) + 1
    if not at:
        if not text.startswith("A:", start):
            return None
        at = start
    answer, stop = _rest_of_line(text, at + 2, end)
    if not answer or _OPTION_LIST.match(text, at + 2, min(end, at + _MAX_CLAUSE)):
        return None
    return Extraction(answer, Rule.LINE, at, stop)


def _tag(text: str, start: int, end: int) -> Extraction | None:
    close = text.rfind("</answer>", start, end)
    opening = text.rfind("<answer>", start, close) if close >= 0 else -1
    if opening < 0:
        return None
    answer = text[opening + len("<answer>") : close].strip()
    return Extraction(answer, Rule.TAG, opening, close + len("</answer>")) if answer else None


def _phrases(text: str, start: int, end: int) -> list[Extraction]:
    """Return what "the answer is …" says, back to the last time that it looks like a value."""
    found: list[Extraction] = []
    at = end
    for _ in range(_TRIES):
        # What "answer" and "Answer" share; lower() may move positions.
        at = max(text.rfind("nswer", start, at), text.rfind("NSWER", start, at))
        if at <= start:
            break
        said = _phrase_at(text, at - 1, start, end)
        if said is not None:
            found.append(said)
            if looks_like_value(said.answer):
                break
    return found


def _phrase_at(text: str, at: int, start: int, end: int) -> Extraction | None:
    head = _STATEMENT.match(text, at, end)
    if head is None or (at > start and text[at - 1].isalpha()) or _DOUBT.search(text[max(start, at - 60) : at]):
        return None
    stop = _statement_end(text, head.end(), end)
    answer = text[head.end() : stop].strip(_BOLD)
    if ":" in head[0] and (subject := _COPULA.match(answer)):
        answer = answer[subject.end() :].strip()
    return Extraction(answer, Rule.PHRASE, at, stop) if answer and not _REMARK.match(answer) else None


def _statement_end(text: str, begin: int, end: int) -> int:
    limit = min(end, begin + _MAX_CLAUSE)
    for opening, closing in _DISPLAY:
        if text.startswith(opening, begin):
            close = text.find(closing, begin + 2, limit)
            return close + 2 if close >= 0 else limit
    match = _CLAUSE_END.search(text, begin, limit)
    return match.start() if match else limit
