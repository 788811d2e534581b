"""Answers that are said rather than calculated: times of day, yes and no, the names of small numbers."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from rewardkit_math.forms.surface import unwrap

__all__ = ["NUMBER_NAMES", "Clock", "Words", "read_clock", "read_verdict", "read_words"]

_NAMES = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen"
    " eighteen nineteen"
)
_TENS = "twenty thirty forty fifty sixty seventy eighty ninety"
NUMBER_NAMES = {name: number for number, name in enumerate(_NAMES.split())}
for _value, _name in zip(range(20, 100, 10), _TENS.split(), strict=True):
    NUMBER_NAMES[_name] = _value
    for _one in _NAMES.split()[1:10]:
        NUMBER_NAMES[f"{_name}-{_one}"] = NUMBER_NAMES[f"{_name} {_one}"] = _value + NUMBER_NAMES[_one]
"""Names of numbers below a hundred, which count where the whole answer is one."""

_CLOCK = re.compile(
    r"([0-9]{1,2})(?: ?: ?([0-5][0-9])(?: ?: ?([0-5][0-9]))?)?[ ,.]*\(?(?:([ap])\.? ?m\b\.?)?\)?\Z", re.IGNORECASE
)
_MAX_CLOCK = 40  # characters

_THREE_LETTERS = re.compile(r"[^\W\d_]{3}")
_SHORT_WORDS = frozenset({"no"})
_ARTICLES = frozenset({"a", "an", "the"})
_PLURAL = re.compile(r"(?<=\w{3}[^\Wsui])s\Z")
_PUNCTUATION = " '-.,!?\""
_VERDICTS = {"yes": "yes", "true": "yes", "no": "no", "false": "no"}
_VERDICT = re.compile(r"(yes|no|true|false)(?:$|[,.;:!-]+ (?P<rest>[^0-9\\=<>+*/^_{}]*)$)")
_NOTHING_SUCH = re.compile(r"(?:there (?:is|are|exists?) )?no such [a-z ]{1,60}$")
_HEDGE = re.compile(
    r"\b(?:or|but|if|unless|except|maybe|perhaps|possibly|probably|however|depends?|sometimes|wait|actually|when|only"
    r"|otherwise)\b|\?"
)
_OPPOSITE = {"yes": re.compile(r"^no\b|\bno[,.]|\bfalse\b"), "no": re.compile(r"\b(?:yes|true)\b")}


@dataclass(frozen=True, slots=True)
class Clock:
    """A time of day; ``half`` is "am", "pm", or "" where the text says neither."""

    hour: int
    minute: int
    second: int
    half: str

    def __str__(self) -> str:
        seconds = f":{self.second:02}" if self.second else ""
        return f"{self.hour}:{self.minute:02}{seconds} {self.half}".strip()

    @property
    def seconds(self) -> int:
        """Seconds since midnight."""
        hour = self.hour % 12 + 12 * (self.half == "pm") if self.half else self.hour
        return 3600 * hour + 60 * self.minute + self.second


@dataclass(frozen=True, slots=True)
class Words:
    """Words without digits, case-folded.

    ``verdict`` is "yes" or "no" where they say that, first of all ("Yes, it is possible"), and nothing that doubts it;
    ``alone`` where they say nothing else.
    """

    text: str
    verdict: str = field(default="", compare=False)
    alone: bool = field(default=False, compare=False)

    def __str__(self) -> str:
        return self.text


def read_clock(text: str) -> Clock | None:
    r"""Read a tidy text that is a time of day, with minutes or with a.m. or p.m.

    >>> str(read_clock(r"3:05 \text{P.M.}")), str(read_clock("3 pm")), read_clock("15")
    ('3:05 pm', '3:00 pm', None)
    """
    if len(text) > _MAX_CLOCK or not (":" in text or "m" in text[-3:].lower() or text.endswith("}")):
        return None
    match = _CLOCK.match(unwrap(text))
    if match is None or not (match[2] or match[4]):
        return None
    hour, half = int(match[1]), f"{match[4].lower()}m" if match[4] else ""
    if hour > 23 or (half and not 1 <= hour <= 12):
        return None
    return Clock(hour, int(match[2] or 0), int(match[3] or 0), half)


def read_verdict(text: str) -> Words | None:
    """Read a tidy text that begins with yes or no and goes on in words only, or says that there is no such thing.

    >>> read_verdict("Yes, it is possible").verdict, read_verdict("Yes, or no")
    ('yes', None)
    """
    plain = unwrap(text).casefold().rstrip(" .!")
    match = _VERDICT.match(plain)
    if match is None:
        is_nothing = _NOTHING_SUCH.match(plain) and not _HEDGE.search(plain)
        return Words(_bare(plain), "no") if is_nothing else None
    verdict, rest = _VERDICTS[match[1]], match["rest"] or ""
    if _HEDGE.search(rest) or _OPPOSITE[verdict].search(rest):
        return None
    return Words(_bare(plain), verdict, alone=not rest)


def read_words(text: str, is_mixed: bool) -> Words | None:
    r"""Read a tidy text of words only; ``is_mixed`` where it has words both inside and outside of ``\text{…}``.

    >>> str(read_words("Not Prime", False)), read_words("ab", False)
    ('not prime', None)
    """
    if is_mixed:
        return None
    plain = unwrap(text)
    if not all(char.isalpha() or char in _PUNCTUATION for char in plain):
        return None
    if not (_THREE_LETTERS.search(plain) or plain.lower() in _SHORT_WORDS):
        return None
    words = _bare(plain.casefold())
    return Words(words) if words else None


def _bare(plain: str) -> str:
    """Return the words without punctuation, articles and the s of a plural."""
    words = "".join(" " if char in _PUNCTUATION else char for char in plain).split()
    return " ".join(_PLURAL.sub("", word) for word in words if word not in _ARTICLES)
