r"""Tokens of an answer: one pass of one pattern over LaTeX, plain text, sympy style and Unicode.

A token is a plain tuple ``(kind, text, at, space)``: what it is, its one spelling, where it starts (in characters), and
whether space (1), or a line break or ``\quad`` (2), stands before it. Kinds: "number" (digits), "name" (one letter, a
Greek letter, or capitals such as ``AB``), "constant" (``pi``, ``infinity``), "function", "set", "begin" and "end" (of
an environment), "text" (words of a ``\text``), "prose" (bare words), "join" ("and", "or"), "mark" (everything else,
spelled as in the tables of `rewardkit_math.formulas.reading.vocabulary`), and "stop" at the end.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from typing import NamedTuple, TypeAlias

from rewardkit_math.formulas.reading.vocabulary import (
    ALIGNED,
    COMMANDS,
    DIFFERENTIALS,
    IGNORED,
    TEXT_FUNCTIONS,
    UNICODE,
    WORDS,
    is_prose,
    known_unit,
)

__all__ = ["MAX_CHARS", "Refusal", "Token", "Unparsed", "plain", "tokenize"]

MAX_CHARS = 1000
"""Longest text that is read, in characters."""

Token: TypeAlias = tuple[str, str, int, int]


class Unparsed(NamedTuple):
    """Why a text has no tree, and the character at which that showed."""

    reason: str
    at: int


class Refusal(Exception):
    """Raised inside the parser; `parse` returns it as `Unparsed`."""

    def __init__(self, reason: str, at: int) -> None:
        super().__init__(reason)
        self.reason, self.at = reason, at


# NFKC would turn 4² and 4₂ into 42, and 3½ into 31⁄2.
_RAISED, _LOWERED = "⁰¹²³⁴⁵⁶⁷⁸⁹⁻⁺ⁿⁱ", "₀₁₂₃₄₅₆₇₈₉₋₊ₙᵢ"
_LEVEL = str.maketrans(_RAISED + _LOWERED, "0123456789-+ni" * 2)
_RAISED_RUN, _LOWERED_RUN = re.compile(f"[{_RAISED}]+"), re.compile(f"[{_LOWERED}]+")
_MIXED_GLYPH = re.compile("(?<=[0-9])(?=[¼½¾⅐⅑⅒⅓⅔⅕⅖⅗⅘⅙⅚⅛⅜⅝⅞⅟↉])")
_GLYPH = re.compile("[¼½¾⅐⅑⅒⅓⅔⅕⅖⅗⅘⅙⅚⅛⅜⅝⅞↉]")
_UNICODE = str.maketrans(UNICODE)

_FONTS = "text|textbf|textit|textrm|textnormal|textsf|texttt|mathrm|mathit|mathsf|mbox|hbox|operatorname|rm"
_TOKEN = re.compile(
    rf"""
    (?P<space>(?:[\s~]|\\[,;:>!\s]|\\(?:quad|qquad|enspace|thinspace|medspace|thickspace|space)(?![A-Za-z]))+)
  | (?P<number>
        [0-9]+\.[0-9]*\\(?:overline|bar|dot)\s*(?:\{{\s*[0-9]+\s*\}}|[0-9])(?:[0-9]*\\dot\s*(?:\{{\s*[0-9]\s*\}}|[0-9]))?
      | [0-9]+\.\([0-9]+\)
      | (?<![_^0-9])[1-9][0-9]{{0,2}}(?:(?:\{{,\}}|,\ ?\\!\ ?|\\,|\\?\ |~)[0-9]{{3}})+(?![0-9])(?:\.[0-9]+)?
      | [1-9][0-9]{{0,2}}(?:,[0-9]{{3}})+(?!,?[0-9])(?:\.[0-9]+)?
      | (?:[0-9]+(?:\.[0-9]+)?|\.[0-9]+)(?:[eE][+-]?[0-9]+(?![0-9A-Za-z^_]))?
    )
  | (?P<word>[A-Za-z]+)
  | \\(?P<font>{_FONTS})(?:\*\s*|\s*)(?:\{{(?P<words>[^{{}}]*)\}}|(?<=\s)(?P<bare>[A-Za-z])(?![A-Za-z]))
  | \\(?:mathbb|Bbb|mathbf)\s*(?:\{{\s*(?P<set>[RQZNC])\s*\}}|(?<=[\sb])(?P<bareset>[RQZNC])(?![A-Za-z]))
  | \\(?P<edge>begin|end)\s*\{{\s*(?P<environment>[A-Za-z]+)\*?\s*\}}
  | \\(?P<side>left|right|middle)\s*(?P<bar>\||\\vert(?![A-Za-z])|\.)
  | (?P<mark>\\[A-Za-z]+|\$\s+\$|\\\\(?:\s*\[\s*-?[0-9.]+\s*[a-z]{{2}}\s*\])?|\\.|\*\*|[<>!=:]=|=<|<>|\+/?-|\.\.\.|.)
    """,
    re.VERBOSE | re.DOTALL,
)
_ESCAPED_TWICE = re.compile(r"(?<!\\)\\\\[A-Za-z]")
_DOLLAR = re.compile(r"(?<!\\)\$")
_POWER_OF_TEN = re.compile(r"[\s~]*10[\s~]*\^")
_NUMBER_NEXT = re.compile(r"[\s~]*(?:-|\.?[0-9])")
_OPENING_NEXT = re.compile(r"[\s~]*(?:\\left\s*)?(?:[(\[]|\\\{)")
_OPENING, _CLOSING = frozenset({"(", "[", "\\{"}), frozenset({")", "]", "\\}"})
_PLAIN_TEXT = re.compile(r"[A-Za-z][A-Za-z~ .,;'/-]*\Z")
_GROUP_MARK = re.compile(r"\{,\}|,? ?\\! ?|\\[, ]|[ ~]")
_PADDING = " ~\\,;.:!"
_BARS = {"left": "|(", "right": ")|", "middle": "\\mid"}
_SCIENTIFIC = re.compile(r"(?!1e)[0-9]+e[+-]")


def tokenize(text: str, start: int = 0, end: int | None = None) -> list[Token]:
    r"""Cut a text into tokens.

    Args:
        text: At most `MAX_CHARS` characters.
        start: Where to begin, in characters.
        end: Where to stop; by default the end of the text.

    Raises:
        Refusal: The text has a character or a number that is not read.

    Example:
        >>> [token[:2] for token in tokenize(r"\dfrac{1{,}234}{xy}")]
        ... # doctest: +NORMALIZE_WHITESPACE
        [('mark', '\\frac'), ('mark', '{'), ('number', '1234'), ('mark', '}'), ('mark', '{'), ('name', 'x'),
         ('name', 'y'), ('mark', '}'), ('stop', '')]
    """
    end = len(text) if end is None else end
    scanner = _Scanner(text)
    scanner.scan(start, end)
    scanner.tokens.append(("stop", "", end, 1))
    return scanner.tokens


def plain(text: str) -> str:
    """Return the text in ASCII, its backslashes written once."""
    if not text.isascii():
        text = _ascii(text)
    is_escaped_twice = "\\\\" in text and ("\\\\begin" in text or "\\begin" not in text) and _ESCAPED_TWICE.search(text)
    return text.replace("\\\\", "\\") if is_escaped_twice else text


def _ascii(text: str) -> str:
    text = _RAISED_RUN.sub(lambda m: f"^{{{m[0].translate(_LEVEL)}}}", text)
    text = _LOWERED_RUN.sub(lambda m: f"_{{{m[0].translate(_LEVEL)}}}", text)
    text = _GLYPH.sub(_spelled_fraction, _MIXED_GLYPH.sub(" ", text)).translate(_UNICODE)
    return unicodedata.normalize("NFKC", text).translate(_UNICODE)


def _spelled_fraction(match: re.Match[str]) -> str:
    top, _, bottom = unicodedata.normalize("NFKC", match[0]).partition("⁄")
    return f"\\frac{{{top}}}{{{bottom}}}"


class _Scanner:
    def __init__(self, text: str) -> None:
        self.text = text
        self.tokens: list[Token] = []
        self.space = 1
        self.brackets = 0
        self.environments: list[str] = []
        self.is_delimited = len(_DOLLAR.findall(text)) % 2 == 0

    def scan(self, start: int, end: int) -> None:
        for match in _TOKEN.finditer(self.text, start, end):
            if match.lastgroup == "space":
                self.space = max(self.space, 2 if "\n" in match[0] or "quad" in match[0] else 1)
            else:
                _READERS[match.lastgroup or ""](self, match)

    def add(self, kind: str, text: str, at: int) -> None:
        self.tokens.append((kind, text, at, self.space))
        self.space = 0

    def number(self, match: re.Match[str]) -> None:
        digits, at = match[0], match.start()
        if digits.isdigit():
            self.add("number", digits, at)
        elif self.brackets and "," in digits and "{" not in digits and "\\" not in digits:
            # Inside brackets a comma always separates: (100,200) is a pair.
            for piece in re.finditer(r"[0-9.]+|,", digits):
                self.add("mark" if piece[0] == "," else "number", piece[0], at + piece.start())
        elif _SCIENTIFIC.match(digits):
            raise Refusal(f"{digits} is a power of ten or a product", at)
        else:
            repeats = "\\" in digits and digits.rstrip("0123456789})").endswith(("{", "overline", "bar", "dot"))
            self.add("number", digits if repeats or "(" in digits else _GROUP_MARK.sub("", digits), at)

    def word(self, match: re.Match[str]) -> None:
        word, at = match[0], match.start()
        before = self.tokens[-1] if self.tokens else ("stop", "", 0, 1)
        if word in WORDS:
            self.add(*WORDS[word], at)
        elif word == "U" and before[1] in (")", "]") and _OPENING_NEXT.match(self.text, match.end()):
            self.add("mark", "\\cup", at)
        elif word == "x" and before[0] == "number" and _POWER_OF_TEN.match(self.text, match.end()):
            self.add("mark", "*", at)
        elif before[0] == "number" and known_unit(word, self.space > 0):
            self.add("text", word, at)
        elif word[-1] in "xyz" and WORDS.get(word[:-1], ("",))[0] == "function":
            self.add(*WORDS[word[:-1]], at)
            self.add("name", word[-1], at + len(word) - 1)
        elif is_prose(word):
            self.add("prose", word, at)
        elif word in DIFFERENTIALS or (len(word) > 1 and word.isupper()):
            self.add("name", word, at)
        else:
            for shift, letter in enumerate(word):
                self.add("name", letter, at + shift)

    def font(self, match: re.Match[str]) -> None:
        words = match["words"] if match["bare"] is None else match["bare"]
        plain_words = words.strip(_PADDING)
        if plain_words.lower() in ("and", "or"):
            self.add("join", plain_words.lower(), match.start())
        elif plain_words in TEXT_FUNCTIONS:
            self.add("function", TEXT_FUNCTIONS[plain_words], match.start())
        elif _PLAIN_TEXT.match(plain_words) and not ("," in plain_words and plain_words.isupper()):
            self.add("text", " ".join(plain_words.replace("~", " ").split()), match.start())
        else:
            self.space = 1
            self.scan(*match.span("words"))
            self.space = 1

    def set(self, match: re.Match[str]) -> None:
        self.add("set", match["set"] or match["bareset"], match.start())

    def environment(self, match: re.Match[str]) -> None:
        name = match["environment"]
        if match["edge"] == "begin":
            self.environments.append(name)
        elif not self.environments or self.environments.pop() != name:
            raise Refusal(f"\\end{{{name}}} without its \\begin", match.start())
        self.add(match["edge"], name, match.start())

    def bar(self, match: re.Match[str]) -> None:
        if match["bar"] != ".":
            self.add("mark", _BARS[match["side"]], match.start())

    def is_money(self, end: int) -> bool:
        """Tell whether a dollar sign stands beside a number and has no second one that makes both delimiters."""
        is_after_number = bool(self.tokens) and self.tokens[-1][0] == "number"
        return not self.is_delimited and (is_after_number or _NUMBER_NEXT.match(self.text, end) is not None)

    def mark(self, match: re.Match[str]) -> None:
        text, at = match[0], match.start()
        is_layout = text == "&" and bool(self.environments) and self.environments[-1] in ALIGNED
        if text.startswith("$") and "\n" in text:
            self.add("mark", ",", at)
        elif is_layout or text in IGNORED or len(text.split()) == 2 or (text == "$" and not self.is_money(match.end())):
            self.space = 1
        elif text in COMMANDS:
            self.add(*COMMANDS[text], at)
        else:
            self.add("mark", "\\\\" if text.startswith("\\\\") else text, at)
        self.brackets += (text in _OPENING) - (text in _CLOSING)


_READERS: dict[str, Callable[[_Scanner, re.Match[str]], None]] = {
    "number": _Scanner.number,
    "word": _Scanner.word,
    "words": _Scanner.font,
    "bare": _Scanner.font,
    "set": _Scanner.set,
    "bareset": _Scanner.set,
    "environment": _Scanner.environment,
    "bar": _Scanner.bar,
    "mark": _Scanner.mark,
}
