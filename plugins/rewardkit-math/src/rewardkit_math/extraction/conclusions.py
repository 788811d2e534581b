"""Answers in the last sentence: "Therefore, the area is $42$.", "The solution is $x > 5$", "Thus $7$ is the answer"."""

from __future__ import annotations

import re

from rewardkit_math.outcome import Extraction, Rule

__all__ = ["find_concluded", "find_formula", "under_heading"]

_MAX_SENTENCE = 400  # characters
_MAX_TOKEN = 60  # characters after the answer that a special token may take
_DELIMITERS = (("$$", "$$"), ("$", "$"), ("\\[", "\\]"), ("\\(", "\\)"))
_END = " \n\t.!*_\"'"

_SENTENCE_START = re.compile(
    r"(?:[.!?:][)$*_]{0,3}\s+|\n\s*\n\s*)(?=[*_\"'(]{0,3}[A-Z])|\s(?=(?:Therefore|Thus|Hence|So|Consequently)\b)"
)
_SUBJECT = (
    r"(?:(?:the|our|its|final|only|required|complete|full) ){0,3}"
    r"(?:(?:solutions?|results?)(?: set)?|correct (?:option|choice))\b"
)
_CONCLUSIVE = re.compile(
    r"[\s*_]*(?:therefore|thus|hence|so|consequently|accordingly|in conclusion|we conclude that|finally"
    rf"|{_SUBJECT})\b",
    re.IGNORECASE,
)
_DOUBT = re.compile(
    r"\b(?:if|unless|whether|not|no|never|cannot|might|may|could|would|maybe|perhaps|possibly|probably|suppose|assum\w*"
    r"|check|verify|example|either|neither|nor|or|let|try|trying|guess|wrong|incorrect|mistake|otherwise|except|step)\b"
    r"|n['’]t\b|\?",
    re.IGNORECASE,
)
_SAYS = re.compile(
    r"(?:\b(?:is|are|was|were|be|equals?|gives?|yields?|obtain|get|by)|[=:])"
    r"(?: (?:exactly|simply|just|now|then|indeed|given by|equal to|to))?[\s*_:]*\Z",
    re.IGNORECASE,
)
_IS_THE_ANSWER = re.compile(
    r",?\s+(?:is|are)\s+(?:the|our)\s+(?:(?:only|final|required|desired)\s+)?(?:solutions?|answers?|results?)[\s.!*]*\Z"
)
_NUMBER = re.compile(
    r"(?<![0-9.,/^_A-Za-z\\)}-])\*{0,2}"
    r"(?P<number>[$€£]?-?[0-9]+(?:,[0-9]{3})*(?:\.[0-9]+)?(?:/[0-9]+)?(?: ?\\?%)?(?: [a-z]{2,}){0,2})"
    r"(?:\*\*(?: [a-z]{2,}){0,2})?[.!]\*{0,2}\s*\Z"
)
_TWO_EQUATIONS = re.compile(r"= ?[0-9.,/]+ and \S{1,9} = ?\Z")
_CHOICE = re.compile(r"\b(?:option|choice)(?:\s+is)?[\s:*]*(?P<letter>\(?[A-J]\)?)[\s.*]*\Z", re.IGNORECASE)
_FORMULA_MARK = re.compile(r"[=$\\]")
_HEADING = re.compile(
    r"(?:\A|\n)[ \t]*(?:#{1,6}[ \t]*\**|\*\*)(?:(?:the|my|final|Final)[ \t]+){0,2}[Aa]nswer[ \t]*:?\**[ \t]*:?[ \t]*\n"
)
_LABEL = re.compile(r"\s*[A-Z][A-Za-z]+(?: [A-Za-z]+){0,4}\s*:\s*\Z")


def find_concluded(text: str, start: int, end: int) -> Extraction | None:
    """Return the value with which the last sentence of ``text[start:end]`` ends, if it draws a conclusion.

    The sentence begins with a word such as "therefore", or with "the solution" or "the result"; it doubts nothing;
    and it ends with "is", "are", "by", "=" or the like and then one formula between delimiters, or one
    number and a full stop, so that nothing cut off counts. "… is the answer" may stand after the formula instead, and
    an equation that is the only formula needs neither.
    """
    end = _before_token(text, max(start, end - _MAX_TOKEN), end)
    begin = _last_sentence(text, max(start, end - _MAX_SENTENCE), end)
    if not _CONCLUSIVE.match(text, begin, end):
        return None
    after = _IS_THE_ANSWER.search(text, begin, end)
    choice = _CHOICE.search(text, begin, end)
    if choice:
        span: tuple[int, int] | None = choice.span("letter")
    else:
        span = _last_formula(text, begin, after.start() if after else end) or _last_number(text, begin, end)
    if span is None or _DOUBT.search(text, begin, span[0]):
        return None
    said = after or choice or _SAYS.search(text, begin, span[0]) or _is_equation(text, begin, *span)
    return Extraction(text[span[0] : span[1]], Rule.PHRASE, *span) if said else None


def _is_equation(text: str, begin: int, opening: int, close: int) -> bool:
    """Tell whether the only formula of a sentence says what something equals, as "Thus $x = 5$." does."""
    return "=" in text[opening:close] and not _FORMULA_MARK.search(text, begin, opening)


def find_formula(text: str, start: int, end: int) -> Extraction | None:
    """Return the formula of a text that is nothing but one formula between delimiters, or a label and one."""
    if end - start > _MAX_SENTENCE or (span := _last_formula(text, start, end)) is None:
        return None
    label = text[start : span[0]]
    if label.strip(_END) and (not _LABEL.match(label) or _DOUBT.search(label)):
        return None
    return Extraction(text[span[0] : span[1]], Rule.WHOLE, *span)


def under_heading(text: str, start: int, end: int) -> int:
    """Return where the text begins that stands under a heading such as "### Final Answer"; ``start`` if there is none.

    Only the last 400 characters are searched: what stands there is an answer if it is nothing but a value.
    """
    begin = start
    for match in _HEADING.finditer(text, max(start, end - _MAX_SENTENCE), end):
        begin = match.end()
    return begin


def _before_token(text: str, start: int, end: int) -> int:
    """Return where a special token at the end of a text, such as ``<|im_end|>``, begins."""
    at = text.find("<|", start, end)
    return at if at >= 0 else end


def _last_sentence(text: str, start: int, end: int) -> int:
    begin = start
    for match in _SENTENCE_START.finditer(text, start, end):
        begin = match.end()
    return begin


def _last_formula(text: str, begin: int, end: int) -> tuple[int, int] | None:
    """Return the span of a formula between delimiters that ends ``text[begin:end]``."""
    close = begin + len(text[begin:end].rstrip(_END))
    for opening_mark, closing_mark in _DELIMITERS:
        inner_end = close - len(closing_mark)
        if not text.endswith(closing_mark, begin, close):
            continue
        opening = text.rfind(opening_mark, begin, inner_end)
        is_currency = text[opening - 1 : opening] == "\\" or text.count("$", begin, close) % 2
        if opening < 0 or is_currency or not text[opening + len(opening_mark) : inner_end].strip():
            return None
        return opening, close
    return None


def _last_number(text: str, begin: int, end: int) -> tuple[int, int] | None:
    match = _NUMBER.search(text, begin, end)
    if match is None or _TWO_EQUATIONS.search(text, begin, match.start()):
        return None
    return match.span("number")
