"""The gate on little data: one prompt, one pair, few shorter sides, no domains show nothing either way."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import pytest
from planted_models import save_letter_model
from rewardkit_rm.gate.check import check_model
from rewardkit_rm.models.loading import load
from rewardkit_rm.models.scorer import Scorer
from rewardkit_rm.pairs.pair import Pair
from test_rm_gate import case, letter_pairs, rows_of, sound


@pytest.fixture(scope="module")
def letters(tmp_path_factory: pytest.TempPathFactory) -> Scorer:
    """A model that likes the letter y and not z."""
    return load(save_letter_model(tmp_path_factory.mktemp("letters")), device="cpu")


@pytest.mark.parametrize(
    ("prompts", "of_pairs", "advice"),
    [
        (1, "unclear", "1 prompt shows nothing: measure on at least 30."),
        (29, "unclear", "29 prompts show nothing: measure on at least 30."),
        (30, "pass", ""),
    ],
)
def test_few_prompts_show_nothing_however_many_pairs(letters: Scorer, prompts: int, of_pairs: str, advice: str) -> None:
    pairs = [replace(pair, prompt=f"Say it {at % prompts}") for at, pair in enumerate(letter_pairs(120))]
    checked = check_model(letters, pairs, cases=[], prompts=1)
    rows = {row.id: row for row in checked.report.rows}
    for name in ("margin", "accuracy", "domains", "shorter", "length"):
        assert (name, rows[name].outcome, rows[name].advice) == (name, of_pairs, advice)
    assert rows["unscored"].outcome == "pass"


def test_one_pair_does_not_fail_for_its_lengths(letters: Scorer) -> None:
    rows = {row.id: row for row in check_model(letters, [Pair("q", "y" * 9, "z")], cases=[]).report.rows}
    assert rows["length"].value == pytest.approx(1.0)
    assert rows["length"].outcome == "unclear"


@pytest.mark.parametrize(("shorter", "outcome"), [(0, "unclear"), (19, "unclear"), (20, "pass")])
def test_a_better_side_that_is_rarely_shorter_leaves_the_bias_open(shorter: int, outcome: str) -> None:
    pairs = [pair | {"chosen_length": 9 if at < shorter else 99, "rejected_length": 50} for at, pair in pairs_right()]
    assert rows_of(pairs)["shorter"].outcome == outcome


def pairs_right() -> Iterable[tuple[int, dict[str, Any]]]:
    return enumerate([pair for pair in sound() if pair["chosen_score"] > 0][:100])


def test_pairs_without_domains_have_no_weak_one() -> None:
    row = rows_of(pair | {"domain": ""} for pair in sound())["domains"]
    assert (row.outcome, row.measured) == ("not measured", "no pair names a domain")


def test_progress_counts_everything_that_is_scored_behind_the_pairs(letters: Scorer) -> None:
    seen: list[tuple[int, int]] = []
    chosen = [case("rambling", "yes", "zero"), case("empty", "yes", "")]
    check_model(letters, letter_pairs(8), cases=chosen, prompts=2, progress=lambda *at: seen.append(at))
    assert seen[-1] == (9, 9)  # 2 prompts with 3 completions each, and 3 replies: "yes" is scored once
    assert seen == sorted(seen)
