"""What is equal to the reference but not yet an answer: arithmetic left undone, the question repeated, 4/8."""

from __future__ import annotations

import math
import re
from functools import lru_cache

from rewardkit_math.forms.number import read_number
from rewardkit_math.forms.surface import MAX_CHARS, tidy
from rewardkit_math.formulas.rules.computed import is_plain, is_uncomputed
from rewardkit_math.policy import Policy

__all__ = ["unfinished"]

_MAX_ECHO = 200  # characters
_MAX_FRACTION_DIGITS = 600

_PLAIN_NUMBER = re.compile(r"[\s$]*[+-]?[0-9][0-9.,]*[\s$.]*\Z")
_OPERATION = re.compile(
    r"[-+*/^!√²³×·÷−]|[0-9)] ?(?:x ?[0-9(]|\()"
    r"|\\(?:[dt]?frac|sqrt|cdot|times|d?binom|log|ln|sin|cos|tan|sum|prod|int|lim|gcd|max|min|b?mod|l?floor|l?ceil)|\b(?:gcd|lcm|max|min)\b"
)
_FRACTION = re.compile(r"(?<![0-9.])([0-9]+) ?/ ?([0-9]+)(?![0-9.])|\\frac ?\{ ?-? ?([0-9]+) ?\} ?\{ ?([0-9]+) ?\}")

_SPELLED = re.compile(r"\\(?:[A-Za-z]+|.)|[A-Za-z]{2,}|\s+|[{}$−–×·⋅]|\*\*", re.DOTALL)
_SAME = {
    **dict.fromkeys([*"{}", r"\left", r"\right", r"\displaystyle", r"\,", r"\!", r"\;", r"\:", r"\ ", r"\quad"], ""),
    **dict.fromkeys([r"\dfrac", r"\tfrac"], r"\frac"),
    **dict.fromkeys([r"\times", r"\cdot", "×", "·", "⋅"], "*"),
    **dict.fromkeys(["$", r"\(", r"\)", r"\[", r"\]"], "|"),
    **{"−": "-", "–": "-", "**": "^", r"\dbinom": r"\binom"},
}  # fmt: skip
_JOINS_LEFT, _JOINS_RIGHT = frozenset("+-*/^_\\).!"), frozenset("+-*/^_(!")


def unfinished(answer: str, reference: str, policy: Policy, prompt: str = "") -> str | None:
    r"""Say why an answer that equals the reference still does not pay; None where it does.

    Three things do not: with ``arithmetic="computed"``, what is left to compute (``17 \times 24``, ``\gcd(12, 18)``,
    a sum or integral) where the reference holds nothing but numbers; with ``fractions="reduced"``, fractions of
    integers that are not in lowest terms, unless the reference has such a fraction too; and an operation that stands in
    the question just so (``(x+1)^2`` where ``x^2+2x+1`` is asked for). Powers, roots, factorials and fractions
    are finished. Nothing that the reference itself spells that way is an echo, nor where the question
    holds the reference, as a multiple choice does.

    Args:
        answer: The answer, as it was found.
        reference: The reference; the two were found equal before.
        policy: What counts as equal.
        prompt: The question. The work is linear in it, and is done once for the answers to one question.

    Example:
        >>> unfinished(r"17 \times 24", "408", Policy())
        'arithmetic is left to compute'
        >>> unfinished("(x+1)^2", "x^2+2x+1", Policy(), "Expand $(x + 1)^{2}$.")
        'the answer repeats the question'
        >>> unfinished("4/8", "1/2", Policy(fractions="reduced"))
        'a fraction is not in lowest terms'
    """
    if _PLAIN_NUMBER.match(answer) or len(answer) > MAX_CHARS or not _OPERATION.search(answer):
        return None
    said = tidy(answer)
    if policy.arithmetic == "computed" and _leaves_work(said, reference):
        return "arithmetic is left to compute"
    if policy.fractions == "reduced" and _is_unreduced(said) and not _is_unreduced(tidy(reference[:MAX_CHARS])):
        return "a fraction is not in lowest terms"
    if prompt and _echoes(said, reference, prompt):
        return "the answer repeats the question"
    return None


def _leaves_work(said: str, reference: str) -> bool:
    from rewardkit_math.formulas.reading.parser import Unparsed, parse

    answer, wanted = parse(said), parse(reference)
    if isinstance(answer, Unparsed) or isinstance(wanted, Unparsed):
        return False
    return is_plain(wanted) and is_uncomputed(answer)


def _is_unreduced(said: str) -> bool:
    if "/" not in said and "\\frac" not in said:
        return False
    for match in _FRACTION.finditer(said):
        top, bottom = match[1] or match[3], match[2] or match[4]
        if len(top) <= _MAX_FRACTION_DIGITS and len(bottom) <= _MAX_FRACTION_DIGITS:
            bottom_value = int(bottom)
            if bottom_value and (bottom_value == 1 or math.gcd(int(top), bottom_value) > 1):
                return True
    return False


def _echoes(said: str, reference: str, prompt: str) -> bool:
    wanted = tidy(reference[:MAX_CHARS])
    # The side that a name stands for, and the equation itself where the question asks to solve it.
    return any(
        _is_echo(text, wanted if "=" in text else _last_side(wanted), prompt) for text in {said, _last_side(said)}
    )


def _last_side(said: str) -> str:
    return said.rpartition("=")[2].strip()


def _is_echo(said: str, wanted: str, prompt: str) -> bool:
    if read_number(said) is not None:
        return False
    echo, asked = _squeeze(said), _squeeze(wanted)
    # A word in it may be any word once it is squeezed.
    if not 2 < len(echo) <= _MAX_ECHO or "|" in echo or not _OPERATION.search(echo):
        return False
    if echo == asked or not _stands_in(echo, _squeezed_prompt(prompt)):
        return False
    is_operation = read_number(wanted) is None and _OPERATION.search(asked) is not None
    return not (is_operation and asked in _squeezed_prompt(prompt))


@lru_cache(maxsize=32)
def _squeezed_prompt(prompt: str) -> str:
    return _squeeze(prompt)


def _squeeze(text: str) -> str:
    """Spell a text without spaces and braces; a "|" stands for every word and every dollar sign."""
    return _SPELLED.sub(_respell, text)


def _respell(match: re.Match[str]) -> str:
    token = match[0]
    same = _SAME.get(token)
    if same is not None:
        return same
    if token[0] == "\\":
        return token
    return "|" if token[0].isalpha() else ""


def _stands_in(echo: str, prompt: str) -> bool:
    """Tell whether ``echo`` stands in ``prompt``, other than inside of a longer formula."""
    at = prompt.find(echo)
    while at >= 0:
        end = at + len(echo)
        before, after = prompt[at - 1 : at] if at else "", prompt[end : end + 1]
        if not (before.isalnum() or before in _JOINS_LEFT or after.isalnum() or after in _JOINS_RIGHT):
            return True
        at = prompt.find(echo, at + 1)
    return False
