r"""Words around a formula: phrases that say only which numbers a letter stands for, and answers made of words.

A phrase is "for", "where", "with" or ``\forall`` and then nothing but names, ``\in``, number sets and the words of
`QUANTIFIERS`: "for all real x", "for some constant c", "where n is an integer". It is dropped after a statement; two
of different words in one answer are conditions, and refused. Dropped is also ``, x \in \mathbb{R}`` or
``(x \in \mathbb{R})``, or with the integers, at the end of something that has an x.
"""

from __future__ import annotations

import re

from rewardkit_math.formulas.reading.tokens import Token
from rewardkit_math.formulas.reading.vocabulary import is_prose
from rewardkit_math.formulas.tree import Words

__all__ = ["DOMAINS", "OPENERS", "QUANTIFIERS", "as_words", "core", "member_end", "phrase_end"]

OPENERS = frozenset({"for", "where", "with", "\\forall"})
_QUANTIFIERS = """
all any every each some real reals complex rational natural positive negative nonnegative non nonzero zero
arbitrary integer integers number numbers constant constants value values is are a an and the of in
"""
QUANTIFIERS = frozenset(_QUANTIFIERS.split())
"""Words of a phrase that may be dropped."""

DOMAINS = frozenset("RZ")
"""Number sets that go without saying: a list may end with a letter that lies in one."""

_LEADING = re.compile(
    r"(?>[\s:=*`\"~]|\$(?=\s*\\approx)|\\(?:approx|quad)(?![A-Za-z])|(?:approximately|about|exactly)\s)*+"
)
_PADDING = ' \t\r\n.,;:*`"~\\'
_PUNCTUATION = frozenset(",.'-!?:;\"")


def core(text: str) -> tuple[int, int]:
    r"""Return where the answer proper starts and ends, without the signs and words around it.

    >>> text = r"\approx 2x\,."
    >>> text[slice(*core(text))]
    '2x'
    """
    leading = _LEADING.match(text)
    start = leading.end() if leading else 0
    end = len(text.rstrip(_PADDING))
    return start, max(start, len(text) if "..." in text[end:] else end)


def phrase_end(tokens: list[Token], at: int) -> int:
    """Return the index behind a phrase that starts at a token; the same index if none starts there."""
    if tokens[at][1].partition(" ")[0] not in OPENERS:
        return at
    end = at
    while _is_in_phrase(tokens, end, is_first=end == at):
        end += 1
    return end


def _is_in_phrase(tokens: list[Token], at: int, is_first: bool) -> bool:
    kind, text = tokens[at][:2]
    if kind in ("prose", "text"):
        words = text.lower().replace("-", " ").split()
        return set(words[1:] if is_first else words) <= QUANTIFIERS
    if kind == "mark" and text == ",":
        return tokens[at + 1][0] == "name" and tokens[at + 2][:1] != ("mark",) and tokens[at + 2][0] != "stop"
    return kind in ("name", "set") or text in ("\\in", "\\forall", "and")


def member_end(tokens: list[Token], at: int) -> int:
    r"""Return the index behind ``(x \in \mathbb{R})`` at a token; the same index if it is something else."""
    pattern = [token[0] if token[0] in ("name", "set") else token[1] for token in tokens[at : at + 6]]
    matches = pattern[:5] == ["(", "name", "\\in", "set", ")"] and tokens[at + 3][1] in DOMAINS
    return at + 5 if matches and any(token[1] == tokens[at + 1][1] for token in tokens[:at]) else at


def as_words(tokens: list[Token]) -> Words | None:
    """Return an answer that is only words; None for anything else."""
    words, has_word = "", False
    for kind, text, _, spaced in tokens[:-1]:
        is_punctuation = kind == "mark" and text in _PUNCTUATION
        if kind not in ("prose", "text", "name", "join") and not is_punctuation:
            return None
        has_word |= kind == "prose" or (kind == "text" and (len(text) > 2 or is_prose(text)) and not text.isupper())
        words += " " if is_punctuation else f" {text}" if spaced or kind != "name" else text
    return Words(" ".join(words.casefold().split())) if has_word else None
