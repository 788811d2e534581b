"""Text of models and users as a page may hold it: visible, cut where it is long, never markup."""

from __future__ import annotations

import unicodedata

from rewardkit.cli.screen import count

__all__ = ["excerpt", "short", "visible"]

_LONGEST = 10_000
_LABEL = 200
_SAMPLE_START = 4_000
_SAMPLE_END = 1_000


def visible(text: str) -> str:
    r"""Escape what cannot be seen or turns the direction of text; line feeds, tabs and spaces of all widths stay.

    Half of a surrogate pair becomes its escape too, so that every encoding holds what is returned.

    >>> visible("a\x1b[31m \u202eb \ud83d")
    'a\\x1b[31m \\u202eb \\ud83d'
    """
    return "".join(map(_visible_sign, text))


def _visible_sign(sign: str) -> str:
    if sign.isprintable() or sign in "\n\t" or unicodedata.category(sign) == "Zs":
        return sign
    return sign.encode("unicode_escape").decode()


def short(text: str, longest: int = _LABEL) -> str:
    """Cut a text that stands in one line, a cell or a label, and say how long it was.

    >>> short("abcdef", 3)
    'abc… (6 characters)'
    """
    return text if len(text) <= longest else f"{text[:longest]}… ({len(text):,} characters)"


def excerpt(text: str, start: int = _SAMPLE_START, end: int = _SAMPLE_END) -> str:
    r"""Return the start and the end of a long text, with how much was left out between them.

    >>> excerpt("abcdefgh", 2, 3)
    'ab\n… 3 characters left out …\nfgh'
    """
    if len(text) <= start + end:
        return text
    return f"{text[:start]}\n… {count(len(text) - start - end, 'character')} left out …\n{text[-end:]}"


def shown(text: str) -> str:
    """Return any text as the page prints it: cut at 10,000 characters, then made `visible`."""
    return visible(short(text, _LONGEST))
