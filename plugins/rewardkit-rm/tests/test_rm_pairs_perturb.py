"""Perturbations change the form and not the meaning, on both sides or on none, whatever the label is."""

from __future__ import annotations

import os
import random
import re
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rewardkit_rm.pairs.pair import Pair
from rewardkit_rm.pairs.perturb import PERTURBATIONS, augment, list_order, markup, white_space
from rewardkit_rm.pairs.reading import read_pairs

from rewardkit.errors import RewardKitError

DATA = Path(os.environ.get("REWARDKIT_DATA") or Path(__file__).parents[4] / "shared" / "data") / "rm"
SEEDS = range(30)
lines = st.sampled_from(
    [
        "# A title",
        "- milk and **honey**",
        "- bread",
        "  - rye",
        "* First wash",
        "1. Wake up",
        "```",
        "```python",
        "x = 1",
        "    indented",
        "",
        "",
        "Plain text  ",
        "a | b",
        "$x - y$",
        "- 5",
        "**Bold** start",
        "~~~~",
        "• butter",
    ]
)
documents = st.lists(lines, max_size=14).map("\n".join)


def letters(text: str) -> str:
    return re.sub(r"[\W_]+", "", text)


@settings(deadline=None)
@given(documents, st.integers(0, 20))
def test_white_space_changes_nothing_else_and_leaves_code_alone(text: str, seed: int) -> None:
    changed = white_space(text, random.Random(seed))
    assert changed.split() == text.split()
    assert code_of(changed) == code_of(text)


def code_of(text: str) -> list[str]:
    """Lines inside complete fences, found in another way: by the state of a reader."""
    found: list[str] = []
    waiting: list[str] = []
    fence = ""
    for line in text.split("\n"):
        mark = line.strip()
        if not fence and mark[:3] in ("```", "~~~"):
            fence, waiting = mark.rstrip("python"), []
        elif fence and mark and set(mark) == {fence[0]} and len(mark) >= len(fence):
            found, fence = [*found, *waiting], ""
        elif fence:
            waiting.append(line)
    return found


@settings(deadline=None)
@given(documents, st.integers(0, 20))
def test_markup_changes_no_letter_and_no_digit(text: str, seed: int) -> None:
    changed = markup(text, random.Random(seed))
    assert letters(changed) == letters(text)
    assert code_of(changed) == code_of(text)
    assert len(changed.split("\n")) == len(text.split("\n"))


@settings(deadline=None)
@given(documents, st.integers(0, 20))
def test_list_order_keeps_every_line(text: str, seed: int) -> None:
    changed = list_order(text, random.Random(seed))
    assert Counter(changed.split("\n")) == Counter(text.split("\n"))


@settings(deadline=None)
@given(documents)
@pytest.mark.parametrize("kind", PERTURBATIONS)
def test_the_same_seed_gives_the_same_text(kind: str, text: str) -> None:
    assert PERTURBATIONS[kind](text, random.Random(3)) == PERTURBATIONS[kind](text, random.Random(3))


MARKUP = {
    "bullets": (
        "- one item\n- two items",
        {"* one item\n* two items", "• one item\n• two items", "one item\ntwo items"},
    ),
    "headings": ("# Title\nText", {"**Title**\nText", "Title\nText"}),
    "bold": ("some **bold** word", {"some bold word"}),
    "a rule is no bullet": ("* * *", set()),
    "arithmetic is no bullet": ("- 5 = 3\n- x = 3", set()),
    "formulas": ("- costs $5 - $3", set()),
    "inline code": ("**not** `**this**`", set()),
    "tables": ("| **a** | b |", set()),
    "fenced code": ("```\n# comment\n- item one\n```", set()),
    "a fence inside a fence": ("```\n~~~\n# comment\n```", set()),
    "a fence that never ends": ("```\n# comment", set()),
}


@pytest.mark.parametrize("case", MARKUP)
def test_markup_is_written_in_another_way(case: str) -> None:
    text, expected = MARKUP[case]
    assert {markup(text, random.Random(seed)) for seed in SEEDS} == {text, *expected}


LISTS = {
    "two items": ("- milk\n- bread", {"- bread\n- milk"}),
    "text around": ("Buy:\n* milk\n* bread\n\nThanks!", {"Buy:\n* bread\n* milk\n\nThanks!"}),
    "what is below an item moves with it": (
        "- milk\n  - whole\n- bread\n  soft",
        {"- bread\n  soft\n- milk\n  - whole"},
    ),
    "numbered": ("1. milk\n2. bread", set()),
    "words of order": ("- First milk\n- Then bread", set()),
    "bold words of order": ("- **Finally**: milk\n- Bread", set()),
    "words of reference": ("- Milk\n- This needs bread", set()),
    "days": ("- Monday: milk\n- Tuesday: bread", set()),
    "steps": ("The method:\n- Turn it off\n- Unplug it", set()),
    "how to": ("How to cook rice\n- Boil water\n- Add rice", set()),
    "other bullets": ("- milk\n* bread", set()),
    "other depth": ("- milk\n  - bread", set()),
    "text that goes on without a blank line": ("- milk\n- bread\nof yesterday", set()),
    "a paragraph of the last item": ("- milk\n- bread\n\n  of yesterday", set()),
    "code": ("- milk\n- bread\n```\nx\n```", set()),
    "arithmetic": ("- 5\n- 3", set()),
    "line ends of Windows": ("- milk\r\n- bread", set()),
}


@pytest.mark.parametrize("case", LISTS)
def test_only_lists_without_an_order_are_shuffled(case: str) -> None:
    text, expected = LISTS[case]
    assert {list_order(text, random.Random(seed)) for seed in SEEDS} == {text, *expected}


def test_white_space_has_many_forms() -> None:
    forms = {white_space("One.  \n\nTwo.\nThree.", random.Random(seed)) for seed in range(200)}
    assert {form.strip() for form in forms} == {f"One.{gap}Two.\nThree." for gap in ("\n\n", "\n\n\n", "\n\n\n\n")}
    assert len(forms) == 36
    assert white_space(" \n", random.Random(0)) == " \n"


RICH = Pair("List.", "# Good\n\n- milk\n- bread", "# Bad\n\n- beer\n- wine", weight=3.0, id="a", domain="d")


@pytest.mark.parametrize("kind", PERTURBATIONS)
def test_a_copy_changes_both_sides_and_shares_the_weight(kind: str) -> None:
    for seed in SEEDS:
        original, *copies = augment([RICH], [kind], seed)
        if not copies:
            assert original == RICH
            continue
        [copy] = copies
        assert original == replace(RICH, weight=1.5)
        assert copy == replace(RICH, weight=1.5, id=f"a~{kind}", chosen=copy.chosen, rejected=copy.rejected)
        assert copy.chosen != RICH.chosen
        assert copy.rejected != RICH.rejected


def test_a_change_that_only_one_side_allows_is_not_made() -> None:
    one_sided = [replace(RICH, rejected="beer"), replace(RICH, chosen="milk")]
    for pair in one_sided:
        for kind in ("markup", "list_order"):
            assert all(list(augment([pair], [kind], seed)) == [pair] for seed in SEEDS)


@settings(deadline=None)
@given(documents, documents, st.integers(0, 5))
def test_the_label_does_not_decide_how_a_text_is_changed(one: str, other: str, seed: int) -> None:
    given_, turned = (list(augment([Pair("p", *sides)], seed=seed)) for sides in ((one, other), (other, one)))
    assert [(pair.chosen, pair.rejected) for pair in given_] == [(pair.rejected, pair.chosen) for pair in turned]


def test_other_pairs_do_not_decide_it_either() -> None:
    other = Pair("q", "One.\n\nTwo.", "Three.\n\nFour.")
    assert [*augment([other]), *augment([RICH])] == list(augment([other, RICH]))


def test_an_unknown_kind_is_refused() -> None:
    with pytest.raises(RewardKitError, match="unknown perturbation 'markdown'.*Valid: list_order, markup, white_space"):
        list(augment([RICH], ["markdown"]))


HOSTILE = {
    "blanks": " " * 200_000 + "x",
    "line ends": "\n" * 200_000,
    "stars": "*" * 200_000,
    "bullets": "- it\n" * 40_000,
    "fences": "```\n" * 50_000,
    "deeper and deeper": "".join(" " * (depth % 400) + "- it is\n" for depth in range(3000)),
    "marks": "- " + "!" * 200_000,
}


@pytest.mark.parametrize("kind", PERTURBATIONS)
@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_hostile_text_takes_linear_time(kind: str, text: str) -> None:
    def seconds(part: str) -> float:
        start = time.process_time()
        PERTURBATIONS[kind](part, random.Random(0))
        return time.process_time() - start

    quarter, whole = (min(seconds(part) for _ in range(3)) for part in (text[: len(text) // 4], text))
    assert whole < 12 * max(quarter, 0.01)  # four times as long; a square would be sixteen


@pytest.mark.data
def test_real_answers_keep_their_words() -> None:
    path: Any = DATA / "preferences" / "dev.jsonl.gz"
    if not path.exists():
        pytest.skip(f"no evaluation data: {path} does not exist (set REWARDKIT_DATA)")
    pairs = list(read_pairs(path))
    copies = [pair for pair in augment(pairs) if "~" in pair.id]
    assert len(copies) > 0.8 * len(pairs)
    originals = {pair.id: pair for pair in pairs}
    for copy in copies:
        original = originals[copy.id.partition("~")[0]]
        assert Counter(letters(copy.chosen)) == Counter(letters(original.chosen))
        assert copy.prompt == original.prompt
