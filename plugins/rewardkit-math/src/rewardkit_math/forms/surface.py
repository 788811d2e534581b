"""The many spellings of one answer made one: Unicode, LaTeX commands, spacing, delimiters.

Nothing here decides what an answer means. `tidy` respells a text, `canonical` turns a formula into a string
that two spellings of the same formula share.
"""

from __future__ import annotations

import re
import unicodedata

__all__ = ["MAX_CHARS", "canonical", "has_bare_letters", "tidy", "unwrap"]

MAX_CHARS = 1000
"""Longest answer, in characters, whose meaning is read; a longer one is compared as text."""

# NFKC would turn 4² and 4₂ into 42, and 3½ into 31⁄2.
_RAISED = "⁰¹²³⁴⁵⁶⁷⁸⁹⁻⁺ⁿⁱ"
_LOWERED = "₀₁₂₃₄₅₆₇₈₉₋₊ₙᵢ"
_LEVEL = str.maketrans(_RAISED + _LOWERED, "0123456789-+ni" * 2)
_RAISED_RUN, _LOWERED_RUN = re.compile(f"[{_RAISED}]+"), re.compile(f"[{_LOWERED}]+")
_MIXED_GLYPH = re.compile("(?<=[0-9０-９])(?=[¼½¾⅐⅑⅒⅓⅔⅕⅖⅗⅘⅙⅚⅛⅜⅝⅞⅟↉])")
_SYMBOLS = str.maketrans(
    {
        "−": "-", "⁄": "/", "×": r"\cdot ", "·": r"\cdot ", "⋅": r"\cdot ", "÷": "/", "π": r"\pi ", "∞": r"\infty ",
        "≤": r"\le ", "≥": r"\ge ", "≠": r"\ne ", "≈": r"\approx ", "±": r"\pm ", "√": r"\sqrt ", "º": "°",
        "∪": r"\cup ", "∩": r"\cap ", "∈": r"\in ", "∅": r"\emptyset ", "’": "'", "。": ".", "、": ",",
    }
)  # fmt: skip

_RESPELLED = {
    " ": r"\, \; \: \> \quad \qquad \enspace \thinspace \medspace \thickspace \space",
    "": r"\! \left \right \big \Big \bigg \Bigg \bigl \bigr \Bigl \Bigr \biggl \biggr \displaystyle \textstyle \limits"
    r" \mathbf \boldsymbol \bm \bf \mathsf \rm \boxed \fbox \( \) \[ \]",
    r"\frac": r"\dfrac \tfrac \cfrac",
    r"\binom": r"\dbinom \tbinom",
    r"\text": r"\textbf \textit \textrm \textnormal \textsf \texttt \mathrm \mathit \mbox \hbox \operatorname",
    r"\cdot": r"\times \ast",
    r"\le": r"\leq \leqslant",
    r"\ge": r"\geq \geqslant",
    r"\ne": r"\neq",
    r"\approx": r"\simeq \approxeq",
    r"\emptyset": r"\varnothing",
    r"\infty": r"\infin",
    "<": r"\lt",
    ">": r"\gt",
    "{": r"\bgroup",
    r"\{": r"\lbrace",
    r"\}": r"\rbrace",
    "[": r"\lbrack",
    "]": r"\rbrack",
    "$": r"\$",
    "%": r"\%",
    "°": r"\degree",
}
_COMMANDS = {spelling: name for name, spellings in _RESPELLED.items() for spelling in spellings.split()}
_COMMANDS |= {"\\ ": " ", "\\\n": " ", '\\"': '"'}
_COMMAND = re.compile(r"\\(?:[A-Za-z]+|.)", re.DOTALL)

_DELIMITER = re.compile(r"(?<!\\)\$")
# Bold marks touch a word on one side only; the ** of 2**3 is a power.
_MARKDOWN = re.compile(r"(?<![0-9A-Za-z)}])\*\*|\*\*(?![0-9A-Za-z(])")
_CALCULATOR = re.compile(r"<<[^<>]*>>")
_GROUP_MARK = re.compile(r"\{,\}|,[ ]?\\![ ]?(?=[0-9]{3})")
_RELATIONS = {"<=": r"\le ", ">=": r"\ge ", "!=": r"\ne ", "==": "="}
_RELATION = re.compile("|".join(_RELATIONS))
_DEGREE = re.compile(r"\^ ?(?:\\circ(?![A-Za-z])|\{ ?\\circ ?\})")
_FRAC_TIGHT = re.compile(r"\\frac ?([0-9A-Za-z]) ?([0-9A-Za-z])")
_FRAC_FIRST = re.compile(r"\\frac ?([0-9A-Za-z]) ?(?=[{\\])")
_FRAC_SECOND = re.compile(r"(\\frac ?\{[^{}]*\}) ?([0-9A-Za-z])")
_CONJUNCTION = re.compile(r"\\text ?\{[ ,]*(and|or)[ ,]*\}")
_TEXT = re.compile(r"\\text ?\{([^{}]*)\}")
_LETTER = re.compile("[A-Za-z]")
_SPACE = re.compile(r"[\s~]+")
_BEFORE, _AFTER = ' :=*`"', ' .,;:*`"\\'

_TOKEN = re.compile(r"\\[A-Za-z]+|\\.|[0-9]+(?:\.[0-9]+)?|\S", re.DOTALL)


def tidy(text: str) -> str:
    r"""Respell a text without changing what it says.

    Full-width digits and signs become ASCII, spacing and font commands go, ``\dfrac12`` becomes
    ``\frac{1}{2}``, thousands marks such as ``{,}`` become a space, dollar signs that only mark mathematics go
    (an odd one is currency), and so does a full stop at the end. Control and zero-width characters stay, so that an
    answer that hides some is no number.

    Args:
        text: At most `MAX_CHARS` characters; the work is linear in them.

    Example:
        >>> tidy(r"$\left(\dfrac12,\; ３\right)$.")
        '(\\frac{1}{2}, 3)'
    """
    if not text.isascii():
        text = _ascii(text)
    text = _CALCULATOR.sub("", text)
    if "$" in text:
        text = _undelimited(text)
    if "\\\\" in text and "\\begin" not in text:
        text = text.replace("\\\\", "\\")  # LaTeX that was escaped twice
    if "\\" in text or "{,}" in text:
        text = _GROUP_MARK.sub(" ", text)
        text = _COMMAND.sub(_respell, text)
        text = _fractions(text) if "\\frac" in text else text
        text = _CONJUNCTION.sub(r" \1 ", _DEGREE.sub("°", text))
    if "**" in text:
        text = _MARKDOWN.sub("", text)
    if "=" in text:
        text = _RELATION.sub(lambda m: _RELATIONS[m[0]], text)
    text = _SPACE.sub(" ", text).lstrip(_BEFORE)
    stripped = text.rstrip(_AFTER)
    return f"{stripped}..." if "..." in text[len(stripped) :] else stripped


def _ascii(text: str) -> str:
    text = _RAISED_RUN.sub(lambda m: f"^{{{m[0].translate(_LEVEL)}}}", text)
    text = _LOWERED_RUN.sub(lambda m: f"_{{{m[0].translate(_LEVEL)}}}", text)
    text = _MIXED_GLYPH.sub(" ", text).translate(_SYMBOLS)
    text = unicodedata.normalize("NFKC", text).translate(_SYMBOLS)
    return f"-{text[1:]}" if text.startswith("–") else text


def _undelimited(text: str) -> str:
    return _DELIMITER.sub("", text) if len(_DELIMITER.findall(text)) % 2 == 0 else text


def _respell(match: re.Match[str]) -> str:
    return _COMMANDS.get(match[0], match[0])


def _fractions(text: str) -> str:
    text = _FRAC_TIGHT.sub(r"\\frac{\1}{\2}", text)
    text = _FRAC_FIRST.sub(r"\\frac{\1}", text)
    return _FRAC_SECOND.sub(r"\1{\2}", text)


def unwrap(text: str) -> str:
    r"""Return ``text`` with the content of every ``\text{…}`` in its place.

    >>> unwrap(r"5 \text{ cm}")
    '5 cm'
    """
    return _SPACE.sub(" ", _TEXT.sub(r" \1 ", text).replace("\\text", "")).strip() if "\\text" in text else text


def has_bare_letters(text: str) -> bool:
    r"""Tell whether a tidy text has letters outside of ``\text{…}``.

    >>> has_bare_letters(r"\text{ cm}"), has_bare_letters(r"m \text{ for all } m")
    (False, True)
    """
    return _LETTER.search(_TEXT.sub("", text)) is not None


def canonical(formula: str) -> str:
    r"""Return the tokens of a tidy formula, separated by spaces.

    Braces around a single token go, and multiplication signs unless they keep two numbers apart, so that spellings
    of one formula agree; nothing is rearranged or computed.

    >>> canonical(r"3 \cdot x^{2}") == canonical("3x^2")
    True
    """
    kept: list[str] = []
    opened: list[int] = []
    for token in _TOKEN.findall(unwrap(formula).replace("{bmatrix}", "{pmatrix}")):
        if token == "{":
            opened.append(len(kept))
        elif token == "}" and opened:
            start = opened.pop()
            if len(kept) - start <= 2:
                del kept[start]
                continue
        kept.append(r"\cdot" if token == "*" else token)
    return " ".join(_without_products(kept))


def _without_products(tokens: list[str]) -> list[str]:
    kept: list[str] = []
    for before, token, after in zip(["", *tokens], tokens, [*tokens[1:], ""], strict=False):
        # Two numbers need the sign between them, unless the first is an exponent: 2^6 3^5.
        joins_numbers = before[:1].isdigit() and after[:1].isdigit() and kept[-2:-1] != ["^"]
        if token != r"\cdot" or joins_numbers:
            kept.append(token)
    return kept
