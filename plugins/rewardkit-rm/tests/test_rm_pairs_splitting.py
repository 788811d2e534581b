"""Splitting: by prompt, in these shares in every domain, and never moved by other rows."""

from __future__ import annotations

import math
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rewardkit_rm.pairs.pair import Pair, prompt_key
from rewardkit_rm.pairs.splitting import split_by_prompt, split_of

from rewardkit.errors import RewardKitError

THREE = {"train": 0.7, "dev": 0.2, "test": 0.1}
prompts = st.lists(st.text(max_size=6), max_size=30)


def pairs_of(names: list[str]) -> list[Pair]:
    return [Pair(name, "c", "r", domain=str(place % 3)) for place, name in enumerate(names)]


def where_of(pairs: list[Pair], seed: int) -> dict[str, str]:
    parts = split_by_prompt(pairs, THREE, seed)
    return {prompt_key(pair.prompt): name for name, part in parts.items() for pair in part}


@settings(deadline=None)
@given(prompts, prompts, st.integers(0, 5), st.randoms())
def test_added_rows_in_any_order_never_move_a_prompt(old: list[str], new: list[str], seed: int, rng: object) -> None:
    before = where_of(pairs_of(old), seed)
    mixed = pairs_of([*new, *old])
    rng.shuffle(mixed)  # type: ignore[attr-defined]
    after = where_of(mixed, seed)
    assert {key: after[key] for key in before} == before


@settings(deadline=None)
@given(prompts, st.integers(0, 5))
def test_every_pair_is_in_one_split_and_no_prompt_in_two(names: list[str], seed: int) -> None:
    parts = split_by_prompt(pairs_of([*names, *names]), THREE, seed)
    assert list(parts) == list(THREE)
    assert sum(map(len, parts.values())) == 2 * len(names)
    keys = [{prompt_key(pair.prompt) for pair in part} for part in parts.values()]
    assert sum(map(len, keys)) == len(set().union(*keys))


def test_white_space_case_and_messages_do_not_make_another_prompt() -> None:
    forms = ["What is 2+2?", " what  IS 2+2?\n", ({"role": "user", "content": "What is 2+2?"},)]
    for seed in range(20):
        parts = split_by_prompt([Pair(form, "c", "r") for form in forms], THREE, seed)
        assert sorted(map(len, parts.values())) == [0, 0, 3]


def test_every_domain_is_split_in_these_shares() -> None:
    sizes = {"big": 20_000, "small": 1000}
    pairs = [Pair(f"{domain} {number}", "c", "r", domain=domain) for domain, n in sizes.items() for number in range(n)]
    parts = split_by_prompt(pairs, THREE, seed=3)
    for name, share in THREE.items():
        counts = Counter(pair.domain for pair in parts[name])
        for domain, size in sizes.items():
            # Binomial: 4 standard deviations are passed once in 16,000 times; the seed is fixed.
            assert abs(counts[domain] - share * size) < 4 * math.sqrt(size * share * (1 - share))


def test_another_seed_is_another_split() -> None:
    keys = [prompt_key(str(number)) for number in range(2000)]
    same = sum(split_of(key, THREE, 0) == split_of(key, THREE, 1) for key in keys)
    assert same / 2000 == pytest.approx(0.7**2 + 0.2**2 + 0.1**2, abs=0.05)


def test_the_split_of_a_prompt_is_the_same_in_every_version() -> None:
    assert [split_of(prompt_key(f"prompt {number}"), THREE) for number in range(8)] == PINNED


PINNED = ["train", "train", "dev", "train", "test", "train", "train", "train"]


@pytest.mark.parametrize(
    ("shares", "message"),
    [
        ({}, "must be positive numbers, got none"),
        ({"a": 0.0, "b": 1.0}, "must be positive numbers, got a 0, b 1"),
        ({"a": math.nan}, "must be positive numbers, got a nan"),
        ({"a": 0.5, "b": 0.4}, r"must add up to 1, got a 0\.5, b 0\.4 = 0\.9"),
    ],
    ids=["none", "zero", "nan", "sum"],
)
def test_shares_that_are_none_are_refused(shares: dict[str, float], message: str) -> None:
    with pytest.raises(RewardKitError, match=message):
        split_by_prompt([], shares)
    with pytest.raises(RewardKitError, match=message):
        split_of("key", shares)


def test_shares_that_add_up_but_for_rounding_leave_no_prompt_out() -> None:
    thirds = {"a": 1 / 3, "b": 1 / 3, "c": 1 / 3}
    parts = split_by_prompt([Pair(str(number), "c", "r") for number in range(3000)], thirds)
    assert sum(map(len, parts.values())) == 3000
