"""The parser reads every spelling back, breaks on nothing, and reads real answers."""

from __future__ import annotations

import gzip
import json
import os
import re
import string
import time
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rewardkit_math.formulas.reading.cursor import MAX_DEPTH
from rewardkit_math.formulas.reading.parser import MAX_CHARS, Unparsed, parse
from rewardkit_math.formulas.tree import (
    Add,
    Apply,
    Constant,
    Divide,
    Literal,
    Multiply,
    Negate,
    Power,
    Root,
    Symbol,
    Tree,
)

DATA = Path(os.environ.get("REWARDKIT_DATA") or Path(__file__).parents[4] / "shared" / "data")

NAMES = [
    *map(Symbol, ["x", "y", "a", "n", r"\alpha", "x_1", "a_{n+1}"]),
    *map(Constant, ["pi", "e", "i"]),
]


def n(value: int) -> Literal:
    return Literal(Fraction(value))


# Trees and their spellings -------------------------------------------------------------------------------------------

_ATOMS = st.one_of(
    st.integers(0, 10**6).map(n),
    st.integers(0, 10**4).map(lambda hundredths: Literal(Fraction(hundredths, 100))),
    st.sampled_from(NAMES),
)
_FUNCTIONS = st.sampled_from(["sin", "cos", "arctan", "ln", "exp", "abs", "floor"])


def _above(below: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    several = st.lists(below, min_size=2, max_size=4).map(tuple)
    return st.one_of(
        several.map(Add),
        several.map(Multiply),
        below.map(Negate),
        st.builds(Divide, below, below),
        st.builds(Power, below, below),
        st.builds(Root, below, st.sampled_from([n(2), n(3), Symbol("n")])),
        st.builds(Apply, _FUNCTIONS, st.tuples(below)),
    )


TREES = st.recursive(_ATOMS, _above, max_leaves=12)


class Speller:
    """Writes a tree in one of the ways that people write it, as drawn."""

    def __init__(self, draw: Any) -> None:
        self.draw = draw

    def one_of(self, *ways: str) -> str:
        return str(self.draw(st.sampled_from(ways)))

    def bracketed(self, text: str) -> str:
        return self.one_of(f"({text})", rf"\left({text}\right)", rf"\big( {text} \big)", f"{{({text})}}", f"{{{text}}}")

    def inner(self, tree: Tree) -> str:
        text = self.spell(tree)
        is_whole = isinstance(tree, Literal | Symbol | Constant | Root)
        return text if is_whole and self.draw(st.booleans()) else self.bracketed(text)

    def spell(self, tree: Any) -> str:
        return str(getattr(self, f"spell_{type(tree).__name__.lower()}")(tree))

    def spell_literal(self, tree: Literal) -> str:
        whole, hundredths = divmod(int(tree.value * 100), 100)
        decimals = f".{hundredths:02d}" if hundredths else ""
        return self.one_of(f"{whole}{decimals}", f"{whole:,}".replace(",", "{,}") + decimals)

    def spell_symbol(self, tree: Symbol) -> str:
        return f"{tree.name} " if tree.name[0] == "\\" else tree.name

    def spell_constant(self, tree: Constant) -> str:
        return {"pi": self.one_of(r"\pi ", "π", "pi "), "e": self.one_of("e", r"\mathrm{e}"), "i": "i"}[tree.name]

    def spell_add(self, tree: Add) -> str:
        text = self.inner(tree.terms[0])
        for term in tree.terms[1:]:
            if isinstance(term, Negate) and self.draw(st.booleans()):
                text += self.one_of("-", " - ", "−") + self.inner(term.term)
            else:
                text += self.one_of("+", " + ") + self.inner(term)
        return text

    def spell_multiply(self, tree: Multiply) -> str:
        sign = self.one_of(r"\cdot ", "*", r" \times ", "·", "")
        return sign.join(self.inner(factor) if sign else f"({self.spell(factor)})" for factor in tree.factors)

    def spell_negate(self, tree: Negate) -> str:
        return self.one_of("-", "- ", "−") + self.bracketed(self.spell(tree.term))

    def spell_divide(self, tree: Divide) -> str:
        top, bottom = self.spell(tree.top), self.spell(tree.bottom)
        latex = self.one_of(
            rf"\frac{{{top}}}{{{bottom}}}", rf"\dfrac {{{top}}} {{{bottom}}}", rf"{{{top} \over {bottom}}}"
        )
        return self.one_of(latex, f"({top})/({bottom})")

    def spell_power(self, tree: Power) -> str:
        base, exponent = self.bracketed(self.spell(tree.base)), self.spell(tree.exponent)
        return base + self.one_of(f"^{{{exponent}}}", f" ^ ({exponent})", f"**({exponent})")

    def spell_root(self, tree: Root) -> str:
        radicand, degree = self.spell(tree.radicand), self.spell(tree.degree)
        if tree.degree == n(2):
            return self.one_of(rf"\sqrt{{{radicand}}}", f"sqrt({radicand})", f"√({radicand})")
        return rf"\sqrt[{degree}]{{{radicand}}}"

    def spell_apply(self, tree: Apply) -> str:
        argument = self.spell(tree.arguments[0])
        if tree.function == "abs":
            return self.one_of(rf"\left|{argument}\right|", rf"\lvert {argument}\rvert ")
        if tree.function == "floor":
            return rf"\lfloor {argument}\rfloor "
        name = self.one_of(rf"\{tree.function}", rf"\operatorname{{{tree.function}}}", tree.function)
        return name + self.one_of(f"({argument})", rf"\left({argument}\right)", f" {{{argument}}}")


@settings(deadline=None, max_examples=1_000)
@given(tree=TREES, choices=st.data())
def test_a_tree_is_read_back_from_any_of_its_spellings(tree: Tree, choices: st.DataObject) -> None:
    text = Speller(choices.draw).spell(tree)
    if len(text) <= MAX_CHARS:
        assert parse(text) == tree


# Hostile texts -------------------------------------------------------------------------------------------------------

_PIECE_NAMES = r"""
\frac \sqrt \sin \log \left( \right) \left| \right| \left[ \right. { } ( ) [ ] \{ \} | ^ _ , ; : . ... + - \pm * / = <
\le \in \cup ! ' % ^\circ \text{ \text{and} \text{cm} \begin{pmatrix} \end{pmatrix} \begin{cases} \end{cases} & \\
\sum_{k=1}^ \int_ \lim_{x\to \overline{ \binom \mathbb{R} \pi \infty \alpha x y f( e i 1 23 1,234 0.5 1e9 7_3 and or yes
for where all dx \, $ \$ \foo \over ½ √ ² \pmod \bmod \setminus \lfloor \rfloor \langle \not \angle \max( d h 100% U
"""
_PIECES = _PIECE_NAMES.split()


@settings(deadline=None, max_examples=10_000)
@given(text=st.one_of(st.lists(st.sampled_from([*_PIECES, " "]), max_size=60).map("".join), st.text(max_size=60)))
def test_any_text_has_a_tree_or_a_reason(text: str) -> None:
    tree = parse(text)
    assert parse(text) == tree
    assert tree.reason if isinstance(tree, Unparsed) else hash(tree) is not None


OPENED = {
    "(": ")", "{": "}", "[": "]", "|": "|", r"\{": r"\}", r"\left|": r"\right|", r"\frac{1}{": "}", r"\sqrt{": "}",
    r"\sqrt[": "]2", "x^{": "}", "x^": "", "2^-": "", r"\sin ": "", r"\ln(": ")", "f(": ")", "A(1,": ")", r"\max(": ")",
    r"\log_{": "}2", r"\overline{": "}", r"x \in (": ")", "-(": ")", r"{1 \over ": "}", r"\lim_{x \to ": "}",
    r"\sum_{k=1}^{n} ": "", r"\sum_{k=": "}", r"\int ": "", r"\begin{pmatrix}": r"\end{pmatrix}",
    r"\begin{cases}1&": r"\end{cases}", r"\binom1": "", r"\lfloor ": r"\rfloor", r"\{x\mid": r"\}", "1^{1_": "}",
}  # fmt: skip


@pytest.mark.parametrize(("opening", "closing"), OPENED.items(), ids=OPENED)
def test_nesting_never_exhausts_the_stack(opening: str, closing: str) -> None:
    def parse_under(frames: int, text: str) -> Tree | Unparsed:
        return parse_under(frames - 1, text) if frames else parse(text)

    for depth in (10, MAX_DEPTH - 2, MAX_DEPTH + 10, 400):
        text = opening * depth + "x" + closing * depth
        tree = parse_under(150, text[:MAX_CHARS])
        assert isinstance(tree, Unparsed) or hash(tree) is not None


REPEATED = [
    "x", "1", "1 ", "1,", "1+", "-", "x^2+", r"\frac{1}{2}+", r"\frac", r"\text{", r"\text{a }", "f(x)", "A(1)", "|x|",
    "a, ", " ", "$", "$ ", "x_1", "x_1 ", "'", "!", "((", "))", "{", r"\,", "for all x ", r"x \in \mathbb{R}, ", "1/",
    "é", "sin x ", "\n", "...", "a or ", "a;", "x=1, ", "1.", "²", "f", "C(1", "word ", r"\left", "1 000", "a\n",
    r"\begin{cases}", "$\n$",
]  # fmt: skip


@pytest.mark.parametrize("piece", REPEATED)
def test_time_grows_no_faster_than_the_text(piece: str) -> None:
    def timed(text: str) -> float:
        start = time.perf_counter()
        parse(text)
        return time.perf_counter() - start

    short, long = ((piece * length)[:length] for length in (MAX_CHARS // 4, MAX_CHARS))
    assert min(timed(long) for _ in range(5)) < 10 * min(timed(short) for _ in range(5)) + 0.002


# Real answers --------------------------------------------------------------------------------------------------------

_PROSE = re.compile(r"(?:[A-Za-z]{2,}[,.']? ){3,}")


def _golds() -> list[str]:
    paths = [DATA / "math" / "cases.jsonl.gz", *sorted((DATA / "math_competition").glob("*.jsonl.gz"))]
    rows = [json.loads(line) for path in paths for line in gzip.decompress(path.read_bytes()).splitlines()]
    return sorted({str(row.get("gold", row.get("gold_answer"))) for row in rows if not row.get("freetext")})


@pytest.fixture(scope="module")
def golds() -> list[str]:
    if not (DATA / "math" / "cases.jsonl.gz").exists():
        pytest.skip(f"no evaluation data: {DATA} does not exist (set REWARDKIT_DATA)")
    return _golds()


@pytest.mark.data
def test_nearly_all_real_answers_that_are_no_prose_have_a_tree(golds: list[str]) -> None:
    formulas = [gold for gold in golds if len(gold) <= MAX_CHARS and not _PROSE.search(gold)]
    unparsed = [gold for gold in formulas if isinstance(parse(gold), Unparsed)]
    assert len(formulas) > 1000
    assert len(unparsed) < 0.02 * len(formulas), unparsed


@pytest.mark.data
@settings(deadline=None)
@given(choices=st.data())
def test_a_damaged_real_answer_has_a_tree_or_a_reason(golds: list[str], choices: st.DataObject) -> None:
    text = list(choices.draw(st.sampled_from(golds))[:MAX_CHARS])
    for _ in range(choices.draw(st.integers(1, 4))):
        at = choices.draw(st.integers(0, len(text)))
        text[at : at + choices.draw(st.integers(0, 3))] = choices.draw(st.sampled_from([*string.printable, *_PIECES]))
    tree = parse("".join(text))
    assert tree.reason if isinstance(tree, Unparsed) else hash(tree) is not None
