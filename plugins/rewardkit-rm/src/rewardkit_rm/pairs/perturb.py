"""Changes of a text that leave its meaning alone, made on both sides of a pair."""

from __future__ import annotations

import hashlib
import random
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType

from rewardkit.errors import RewardKitError, unknown
from rewardkit_rm.pairs.pair import Pair

__all__ = ["PERTURBATIONS", "augment", "list_order", "markup", "white_space"]

_FENCE = re.compile(r"[ \t]*(`{3,}|~{3,})")
# A word must follow: "- 5" is arithmetic, "* * *" a rule.
_BULLET = re.compile(r"^( {0,12})([-*•]) +(?=[*_\"'“(]{0,4}[^\W\d_]{2})")
_HEADING = re.compile(r" {0,3}(#{1,6}) +(\S.*)")
_STRONG = re.compile(r"\*\*([^*\n]{1,200})\*\*")
_VERBATIM = re.compile(r"[`$]|\\[(\[]|^ {4}|^\t|\|", re.MULTILINE)
_ORDER_WORDS = re.compile(
    r"\W*(?:first|firstly|second|secondly|third|thirdly|fourth|fifth|1st|2nd|3rd|next|then|after|afterwards|before|"
    r"finally|last|lastly|later|initially|begin|start|end|step|phase|stage|part|day|week|month|year|"
    r"monday|tuesday|wednesday|thursday|friday|saturday|sunday|morning|noon|afternoon|evening|night|"
    r"also|and|but|or|so|thus|therefore|hence|however|additionally|furthermore|moreover|another|"
    r"this|these|that|those|it|they|he|she|[0-9]+)\b",
    re.IGNORECASE,
)

_PROCEDURE = re.compile(
    r"\b(?:steps?|methods?|procedures?|instructions?|directions|recipes?|guides?|how to|process(?:es)?|workflow|"
    r"sequence|order|ordered|ranked|ranking|timeline|chronolog\w{1,9}|routine|itinerary|schedule|agenda)\b",
    re.IGNORECASE,
)

Perturbation = Callable[[str, random.Random], str]


def white_space(text: str, rng: random.Random) -> str:
    r"""Return a text with other white space between its paragraphs and at its ends.

    Blank lines between paragraphs become one, two or three; blanks at the ends of lines go; blanks or line ends are
    put before and behind the text. Indentation, line ends inside a paragraph, and fenced code stay.

    >>> white_space("One.  \n\nTwo.", random.Random(1)).split()
    ['One.', 'Two.']
    """
    if not text.strip():
        return text
    gap = "\n" * rng.choice([2, 3, 4])
    parts: list[str] = []
    for is_code, block in _blocks(text.strip("\n")):
        if is_code:
            parts.append(block)
        else:
            tidy = "\n".join(line.rstrip() for line in block.split("\n"))
            parts.append(re.sub(r"\n{2,}", gap, tidy))
    return rng.choice(["", "\n", " "]) + "\n".join(parts) + rng.choice(["", "\n", " \n", "\n\n"])


def markup(text: str, rng: random.Random) -> str:
    """Return a text whose Markdown is written in another way, or as plain text.

    One of: other bullets; headings as bold lines; bold words as plain ones; no headings, bold words or bullets any
    more. Fenced code stays, and so do lines with code, formulas or tables, and those indented by four blanks.

    >>> markup("# Title", random.Random(0))
    'Title'
    """
    style = rng.choice(["bullets", "headings", "bold", "plain"])
    bullet = rng.choice("-*•")
    found = []
    for is_code, block in _blocks(text):
        lines = block.split("\n")
        found.append(block if is_code else "\n".join(_restyled(line, style, bullet) for line in lines))
    return "\n".join(found)


def list_order(text: str, rng: random.Random) -> str:
    r"""Return a text whose unnumbered lists have their items in another order.

    A list is a run of at least two lines with the same bullet at the same depth, each with the deeper lines right
    below it, and then a blank line or the end. Numbered lists stay, and so do lists with an item that starts with a
    number or a word of order or reference ("First", "Then", "Monday", "This"), texts that speak of steps ("method",
    "process", "how to", "recipe"), and texts with fenced code.

    >>> list_order("Buy:\n- milk\n- bread", random.Random(1))
    'Buy:\n- bread\n- milk'
    """
    lines = text.split("\n")
    if "\r" in text or _PROCEDURE.search(text) or any(map(_FENCE.match, lines)):
        return text
    found: list[str] = []
    at = 0
    while at < len(lines):
        items, end = _list_at(lines, at)
        if len(items) > 1 and _ends(lines, end) and not any(map(_tells_order, items)):
            rng.shuffle(items)
        found += [line for item in items for line in item] or [lines[at]]
        at = max(end, at + 1)
    return "\n".join(found)


PERTURBATIONS: Mapping[str, Perturbation] = MappingProxyType(
    {"white_space": white_space, "markup": markup, "list_order": list_order}
)
"""All perturbations by name; each gives the same text for the same text and random numbers."""


def augment(pairs: Iterable[Pair], kinds: Sequence[str] = tuple(PERTURBATIONS), seed: int = 0) -> Iterator[Pair]:
    r"""Add to pairs a copy whose sides are both perturbed, with the same label.

    Each pair gets at most one copy, of a kind drawn at random among those that change *both* its sides. If one side
    alone were changed, the style of the change would tell the label (list shuffled: chosen), and that is just what
    augmentation is to unlearn. For the same reason each side draws for itself (how many blank lines, which bullets),
    from its text and the seed and never from the label. Pair and copy share the weight of the pair, half and half,
    so that pairs with lists do not count twice. The prompt stays, so that a split by prompt keeps both together; the
    id of the copy ends in ``~`` and the kind.

    Args:
        pairs: The pairs.
        kinds: Names of perturbations.
        seed: For what is drawn; the same pair and seed give the same copy, whatever other pairs there are.

    Returns:
        Each pair, followed by its copy.

    Raises:
        RewardKitError: If a kind is not known.

    Example:
        >>> pair = Pair("Write.", "# Good\n\nText.", "# Bad\n\nText.", id="a")
        >>> [copy.id for copy in augment([pair], ["white_space"])]
        ['a', 'a~white_space']
    """
    for kind in kinds:
        if kind not in PERTURBATIONS:
            raise RewardKitError(unknown("perturbation", kind, PERTURBATIONS))
    for pair in pairs:
        copy = _copy(pair, kinds, seed)
        if copy is not None:
            pair = replace(pair, weight=pair.weight / 2)
            yield from (pair, copy)
        else:
            yield pair


def _copy(pair: Pair, kinds: Sequence[str], seed: int) -> Pair | None:
    order = sorted(kinds)
    _rng(seed, "kind", *sorted((pair.chosen, pair.rejected))).shuffle(order)
    for kind in order:
        sides = [PERTURBATIONS[kind](text, _rng(seed, kind, text)) for text in (pair.chosen, pair.rejected)]
        if sides[0] != pair.chosen and sides[1] != pair.rejected:
            id_ = f"{pair.id}~{kind}" if pair.id else ""
            return replace(pair, chosen=sides[0], rejected=sides[1], weight=pair.weight / 2, id=id_)
    return None


def _rng(seed: int, *parts: str) -> random.Random:
    return random.Random(hashlib.sha256("\0".join([str(seed), *parts]).encode(errors="surrogatepass")).digest())


def _blocks(text: str) -> Iterator[tuple[bool, str]]:
    """Cut a text into blocks of code, with their fences, and what is between; joined by line ends they are the text."""
    lines: list[str] = []
    fence = ""
    for line in text.split("\n"):
        mark = _FENCE.match(line)
        if mark and not fence:
            if lines:
                yield False, "\n".join(lines)
            lines, fence = [line], mark[1]
        elif fence and mark and mark[1].startswith(fence) and line.strip() == mark[1]:
            yield True, "\n".join([*lines, line])
            lines, fence = [], ""
        else:
            lines.append(line)
    if lines:
        yield bool(fence), "\n".join(lines)


def _restyled(line: str, style: str, bullet: str) -> str:
    if _VERBATIM.search(line):
        return line
    if style == "bullets":
        return _BULLET.sub(lambda match: f"{match[1]}{bullet} ", line)
    heading = _HEADING.fullmatch(line)
    if heading and style in ("headings", "plain"):
        return heading[2] if style == "plain" else f"**{heading[2].replace('**', '')}**"
    if style in ("bold", "plain"):
        line = _STRONG.sub(r"\1", line)
    return _BULLET.sub(r"\1", line) if style == "plain" else line


def _list_at(lines: Sequence[str], at: int) -> tuple[list[list[str]], int]:
    """Return the items of a list that starts at a line, each as its lines, and where it ends."""
    first = _BULLET.match(lines[at])
    items: list[list[str]] = []
    while first and at < len(lines):
        bullet = _BULLET.match(lines[at])
        if bullet and bullet.groups() == first.groups():
            items.append([lines[at]])
        elif lines[at].strip() and _indent(lines[at]) > len(first[1]):
            items[-1].append(lines[at])
        else:
            break
        at += 1
    return items, at


def _ends(lines: Sequence[str], at: int) -> bool:
    """Tell whether a list ends here: not in a paragraph of its last item, which goes on behind the blank line."""
    if at < len(lines) and lines[at].strip():
        return False
    following = next((line for line in lines[at:] if line.strip()), "")
    return not _indent(following)


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip())


def _tells_order(item: Sequence[str]) -> bool:
    return _ORDER_WORDS.match(_BULLET.sub("", item[0])) is not None
