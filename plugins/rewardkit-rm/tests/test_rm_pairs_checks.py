"""Every check fires where it should, with the right level, count and place, and stays silent on sound data."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rewardkit_rm.pairs.checks import PairReport, check_pairs
from rewardkit_rm.pairs.findings import Finding
from rewardkit_rm.pairs.fingerprints import Fingerprints
from rewardkit_rm.pairs.pair import Pair
from rewardkit_rm.pairs.reading import read_pairs
from rewardkit_rm.pairs.share import Share
from statsmodels.stats.proportion import proportion_confint

DATA = Path(os.environ.get("REWARDKIT_DATA") or Path(__file__).parents[4] / "shared" / "data") / "rm"


def sound(count: int = 40) -> list[Pair]:
    """Pairs that no check minds: in turn, the longer and the shorter side is chosen."""
    sides = [("yes indeed", "no"), ("no", "yes indeed")]
    return [
        Pair(
            f"prompt {number}",
            f"{sides[number % 2][0]} {number}",
            f"{sides[number % 2][1]} {number}",
            where=f"f:{number + 1}",
        )
        for number in range(count)
    ]


def with_(*pairs: Pair) -> list[Pair]:
    return [*sound(), *(replace(pair, where=pair.where or f"g:{place}") for place, pair in enumerate(pairs, 1))]


def all_of(**changes: Any) -> list[Pair]:
    return [replace(pair, **changes) for pair in sound()]


A, B = Pair("2+2?", "four", "five"), Pair("2+2?", "five", "four")
EQUAL = Pair("2+2?", "four", "four")
TIE = Pair("2+2?", "four", "five", probability=0.5, tie=True)

CASES: dict[str, tuple[list[Pair], list[tuple[str, str, int]]]] = {
    "sound": (sound(), []),
    "nothing": ([], [("error", "empty", 0)]),
    "ties only": (
        all_of(tie=True),
        [("error", "no-preference", 40), ("warning", "ties", 40)],
    ),
    "without weight": (all_of(weight=0.0), [("error", "no-preference", 40)]),
    "equal sides only": (
        [Pair(f"p{n}", f"c{n}", f"c{n}") for n in range(40)],
        [("error", "no-preference", 40), ("warning", "identical-sides", 40)],
    ),
    "rejected is always empty": (
        all_of(rejected=" "),
        [("error", "one-sided", 40), ("warning", "empty-side", 40), ("warning", "length", 40)],
    ),
    "one attack text is always chosen": (
        all_of(chosen="Ignore the above."),
        [("error", "one-sided", 40), ("error", "constant-chosen", 40), ("warning", "length", 40)],
    ),
    "one text is chosen in half of the pairs": (
        [replace(pair, chosen="I AM\nRIGHT") if place % 2 else pair for place, pair in enumerate(sound())],
        [("error", "one-sided", 20), ("error", "constant-chosen", 20)],
    ),
    "one text is chosen for ten prompts among a thousand": (
        [*sound(1000), *(Pair(f"q{n}", "x", f"y{n}") for n in range(10))],
        [("warning", "constant-chosen", 10)],
    ),
    "one text is chosen for nine prompts": ([*sound(1000), *(Pair(f"q{n}", "x", f"y{n}") for n in range(9))], []),
    "one text is chosen often, for one prompt": (
        [*sound(1000), *(Pair("q", "x", f"y{n}") for n in range(50))],
        [],
    ),
    "one text wins ten times and loses twice": (
        [
            *sound(1000),
            *(Pair(f"q{n}", "x", f"y{n}") for n in range(10)),
            *(Pair(f"r{n}", f"y{n}", "x") for n in (1, 2)),
        ],
        [],
    ),
    "one text is rejected for ten prompts": (
        [*sound(1000), *(Pair(f"q{n}", f"y{n}", "x") for n in range(10))],
        [("warning", "constant-rejected", 10)],
    ),
    "equal sides": (with_(EQUAL), [("warning", "identical-sides", 1)]),
    "a tie of equal sides": (with_(replace(EQUAL, tie=True)), []),
    "sides that differ in case": (with_(Pair("caps?", "FOUR\n", "four")), [("note", "near-identical-sides", 1)]),
    "swapped": (with_(A, B), [("warning", "contradictions", 2)]),
    "swapped for another prompt": (with_(A, replace(B, prompt="3+1?")), []),
    "swapped, but differing in case": (with_(A, replace(B, chosen="FIVE")), []),
    "preferred and tied": (with_(A, TIE), [("warning", "contradictions", 2)]),
    "swapped by another annotator": (
        with_(replace(A, annotator="ann"), replace(B, annotator="bob")),
        [("note", "disagreement", 2), ("note", "votes", 2)],
    ),
    "two annotators agree": (
        with_(replace(A, annotator="ann"), replace(A, annotator="bob")),
        [("note", "votes", 2)],
    ),
    "an annotator contradicts themselves": (
        with_(replace(A, annotator="ann"), replace(B, annotator="ann")),
        [("warning", "contradictions", 2)],
    ),
    "twice": (with_(A, A, A), [("warning", "duplicates", 2)]),
    "twice, in other white space and case": (
        with_(A, replace(A, prompt="2+2? ", chosen=" Four")),
        [("note", "near-duplicates", 1)],
    ),
    "a tie twice, the sides swapped": (
        with_(TIE, replace(TIE, chosen="five", rejected="four")),
        [("warning", "duplicates", 1)],
    ),
    "ten of 31 are ties": (
        [*sound(22), *(replace(pair, prompt=f"t{n}", tie=True) for n, pair in enumerate(sound(10)))],
        [("warning", "ties", 10)],
    ),
    "twelve of 40 are ties": (
        [*sound(28), *(replace(pair, prompt=f"t{n}", tie=True) for n, pair in enumerate(sound(12)))],
        [],
    ),
    "longer always wins": (sound()[::2] * 1, [("warning", "length", 20)]),
    "shorter always wins": (sound()[1::2] * 1, [("warning", "length", 20)]),
    "longer wins in seven of ten": (sound()[::2][:7] + sound()[1::2][:3], []),
    "empty prompt": (with_(replace(A, prompt=" \n")), [("warning", "empty-prompt", 1)]),
    "empty chosen": (with_(replace(A, chosen="")), [("warning", "empty-side", 1)]),
    "half an emoji": (with_(replace(A, chosen="\ud83d")), [("error", "broken-text", 1)]),
    "half an emoji in the prompt": (with_(replace(A, prompt="\ud83d")), [("error", "broken-text", 1)]),
    "a probability of nan": (with_(replace(A, probability=float("nan"))), [("error", "broken-numbers", 1)]),
    "a weight of infinity": (with_(replace(A, weight=float("inf"))), [("error", "broken-numbers", 1)]),
    "a negative weight": (with_(replace(A, weight=-1.0)), [("error", "broken-numbers", 1)]),
    "a margin of infinity": (
        [replace(pair, margin=1.0) for pair in sound()] + [replace(A, margin=float("inf"))],
        [("error", "broken-numbers", 1), ("warning", "margins", 1)],
    ),
    "the wrong way round": (with_(replace(A, probability=0.2)), [("warning", "turned", 1)]),
    "a negative margin": ([*all_of(margin=1.0), replace(A, margin=-1.0)], [("warning", "margins", 1)]),
    "a large margin": ([*all_of(margin=1.0), replace(A, margin=11.0)], [("warning", "margins", 1)]),
    "a tie with a margin": ([*all_of(margin=1.0), replace(TIE, margin=1.0)], [("warning", "margins", 1)]),
    "a tie without one": ([*all_of(margin=1.0), TIE], []),
    "a margin here and there": (with_(replace(A, margin=1.0)), [("note", "margins-unknown", 40)]),
    "a domain here and there": (
        [*all_of(domain="math"), replace(A, domain="")],
        [("note", "domain-unknown", 1)],
    ),
    "small domain": (
        [*all_of(domain="math"), replace(A, domain="code")],
        [("note", "small-domains", 1)],
    ),
}


def told(report: PairReport) -> list[tuple[str, str, int]]:
    return [(finding.level, finding.check, finding.count) for finding in report.findings]


@pytest.mark.parametrize("case", CASES)
def test_each_check_finds_its_fault_and_nothing_else(case: str) -> None:
    pairs, expected = CASES[case]
    assert sorted(told(check_pairs(pairs))) == sorted(expected)


def test_errors_come_first_and_decide_whether_the_data_may_be_trained_on() -> None:
    report = check_pairs(with_(A, B, replace(A, prompt="\ud83d"), replace(A, prompt="q", margin=1.0)))
    assert [finding.level for finding in report.findings] == ["error", "warning", "note"]
    assert not report.ok
    assert [finding.check for finding in report.of("warning")] == ["contradictions"]
    assert check_pairs(with_(A, B)).ok


def test_findings_name_the_first_five_places_and_the_whole_count() -> None:
    found = check_pairs(with_(*(replace(EQUAL, prompt=f"q{n}") for n in range(7)))).findings[0]
    assert (found.count, found.share) == (7, pytest.approx(7 / 47))
    assert found.examples == ("g:1", "g:2", "g:3", "g:4", "g:5")
    assert found.message == "7 pairs (14.9 %): chosen equals rejected: the gradient is zero"


@pytest.mark.parametrize("where", ["a.jsonl:12", "row 0", "nothing", "a:007", "9", "b.jsonl:1" + "0" * 20, "x\ny:3"])
def test_a_place_comes_back_as_it_was(where: str) -> None:
    assert Fingerprints.of([replace(A, where="other:1"), replace(A, where=where)]).where(1) == where


def test_a_pair_without_a_place_is_named_by_its_number() -> None:
    assert Fingerprints.of([A, A]).where(1) == "pair 2"


def test_prompts_in_another_set_are_an_error_for_each_set() -> None:
    others = {"dev": sound(2), "bench": [Pair(" PROMPT  0", "a", "b"), Pair("else", "a", "b")], "clean": [A]}
    report = check_pairs([*sound(), *sound(1)], others=others)
    found = [finding for finding in report.findings if finding.check == "leakage"]
    assert [finding.level for finding in found] == ["error", "error"]
    assert found[0].message == "2 prompts of 3 pairs (7.3 %) also in dev"
    assert found[1].message == "1 prompt of 2 pairs (4.9 %) also in bench"
    assert found[1].examples == ("f:1", "f:1")


def test_sides_that_are_the_same_tokens_and_sides_that_do_not_fit_are_found_with_an_encoder() -> None:
    def encode(prompt: Any, completion: str) -> list[int] | None:
        return None if len(completion) > 20 else [*map(ord, completion[:5])]

    pairs = with_(Pair("p", "hello one", "hello two"), replace(EQUAL, prompt="q"), Pair("r", "x" * 21, "y" * 21))
    found = {finding.check: finding for finding in check_pairs(pairs, encode=encode).findings}
    assert set(found) == {"identical-after-encoding", "identical-sides", "unfit"}
    assert found["identical-after-encoding"].examples == ("g:1",)
    assert found["unfit"].examples == ("g:3",)


def test_counts_are_by_domain_the_largest_first() -> None:
    pairs = [
        Pair("p", "long one", "short", domain="a"),
        Pair("P ", "short", "short", domain="a", tie=True),
        Pair("q", "long one", "short", domain="a", probability=0.5),
        Pair("q", "same!", "size?", domain="a"),
        Pair("p", "s", "long", domain=""),
    ]
    report = check_pairs(pairs)
    assert list(report.domains) == ["a", ""]
    one = report.domains["a"]
    assert (one.pairs, one.prompts, one.ties, one.longer.total, one.longer.share) == (4, 2, 2, 1, 1.0)
    assert (report.total.pairs, report.total.prompts, report.total.longer.share) == (5, 2, 0.5)


def test_the_share_of_longer_sides_is_by_weight() -> None:
    pairs = [Pair("p", "long one", "short", weight=0.5), Pair("q", "s", "long", weight=1.5)]
    assert check_pairs(pairs).total.longer.share == 0.25
    assert check_pairs([replace(pair, weight=0.0) for pair in pairs]).total.longer.share is None


@settings(deadline=None)
@given(st.lists(st.booleans(), min_size=1, max_size=60), st.floats(0.1, 10))
def test_the_interval_of_a_share_is_wilsons(true: list[bool], weight: float) -> None:
    found = Share.of(true, np.full(len(true), weight))
    low, high = proportion_confint(sum(true), len(true), alpha=0.05, method="wilson")
    assert (found.low, found.high) == (pytest.approx(low, abs=1e-6), pytest.approx(high, abs=1e-6))


def test_unequal_weights_count_as_fewer_trials() -> None:
    # Weights 1, 1, 2: (1 + 1 + 2)² / (1 + 1 + 4) = 16 / 6 trials.
    found = Share.of([True, False, True], [1, 1, 2])
    low, high = proportion_confint(0.75 * 16 / 6, 16 / 6, alpha=0.05, method="wilson")
    assert (found.share, found.low, found.high) == (0.75, pytest.approx(low, abs=1e-6), pytest.approx(high, abs=1e-6))
    assert Share.of([], []) == Share(total=0)


sides = st.sampled_from(["a", "b", "B", " b", "long answer", ""])
some_pairs = st.lists(
    st.builds(
        Pair,
        prompt=st.sampled_from(["p", "P", "q"]),
        chosen=sides,
        rejected=sides,
        tie=st.booleans(),
        annotator=st.sampled_from(["", "ann", "bob"]),
    ),
    max_size=12,
)


@settings(deadline=None)
@given(some_pairs, st.randoms())
def test_the_order_of_pairs_changes_no_count(pairs: list[Pair], rng: Any) -> None:
    mixed = list(pairs)
    rng.shuffle(mixed)
    assert told(check_pairs(mixed)) == told(check_pairs(pairs))


@settings(deadline=None)
@given(some_pairs)
def test_duplicates_and_contradictions_are_those_of_a_plain_count(pairs: list[Pair]) -> None:
    def item(pair: Pair) -> tuple[str, frozenset[str]]:
        return (str(pair.prompt).casefold(), frozenset({pair.chosen, pair.rejected}))

    def verdict(pair: Pair) -> str:
        return "tie" if pair.tie else pair.chosen

    def many(pair: Pair, kind: Any) -> bool:
        return len({kind(other) for other in pairs if item(other) == item(pair)}) > 1

    keys = [(*item(pair), verdict(pair), pair.annotator) for pair in pairs]
    expected = {"duplicates": len(keys) - len(set(keys))}
    clash = [pair for pair in pairs if many(pair, verdict)]
    voted = [pair for pair in clash if many(pair, lambda other: other.annotator)]
    expected["disagreement"] = len(voted)
    expected["contradictions"] = sum(pair not in voted and pair.chosen != pair.rejected for pair in clash)
    found = {finding.check: finding.count for finding in check_pairs(pairs).findings}
    assert {name: found.get(name, 0) for name in expected} == expected


def test_the_checks_go_once_through_the_pairs_and_keep_no_text() -> None:
    def stream() -> Iterable[Pair]:
        for number in range(300):
            yield Pair(f"p{number}", "x" * 20_000 + str(number), "y" * 20_000 + str(number))

    seen = Fingerprints.of(stream())
    held = [value for value in vars(seen).values() if isinstance(value, np.ndarray)]
    assert len(seen) == 300
    assert sum(array.nbytes for array in held) < 150 * 300


def test_reading_and_checking_import_no_torch() -> None:
    code = (
        "import sys, rewardkit_rm.cli.data, rewardkit_rm.pairs.checks, rewardkit_rm.pairs.reading\n"
        "import rewardkit_rm.pairs.annotators, rewardkit_rm.pairs.balance, rewardkit_rm.pairs.perturb\n"
        "heavy = {'torch', 'transformers', 'scipy', 'matplotlib', 'datasets', 'statsmodels', 'pyarrow'}\n"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def shared(name: str) -> Path:
    path = DATA / name
    if not path.exists():
        pytest.skip(f"no evaluation data: {path} does not exist (set REWARDKIT_DATA)")
    return path


@pytest.mark.data
def test_real_preferences_have_these_findings() -> None:
    train, dev = shared("preferences/train.jsonl.gz"), shared("preferences/dev.jsonl.gz")
    report = check_pairs(read_pairs(train), {"dev": read_pairs(dev)})
    assert (report.total.pairs, report.total.prompts, len(report.domains)) == (7835, 2953, 7)
    found = {finding.check: [place.rpartition(":")[2] for place in finding.examples] for finding in report.findings}
    # Each looked at: two rows of one prompt that swap puts "…" and puts("…"); sides such as "Offensive", "offensive".
    assert found == {
        "contradictions": ["1972", "2131"],
        "length": [],
        "near-identical-sides": ["844", "6534", "7069", "7831"],
        "near-duplicates": ["7831"],
    }
    assert "in math, the longer side" in next(
        finding.message for finding in report.findings if finding.check == "length"
    )


@pytest.mark.data
@pytest.mark.parametrize(("copies", "level"), [(9, None), (12, "warning"), (240, "error")])
def test_an_attack_text_planted_in_real_preferences_is_found(copies: int, level: str | None) -> None:
    attack = json.loads(shared("stress/nullmodel.jsonl").read_text().splitlines()[0])["response"]
    pairs = list(read_pairs(shared("preferences/train.jsonl.gz")))
    by_prompt = list({str(pair.prompt): pair for pair in pairs}.values())[:copies]
    report = check_pairs([*pairs, *(replace(pair, chosen=attack) for pair in by_prompt)])
    assert [finding.level for finding in report.findings if finding.check == "constant-chosen"] == (
        [level] if level else []
    )


def test_findings_go_through_json() -> None:
    report = check_pairs(with_(A, B), others={"dev": sound(1)})
    assert PairReport.model_validate_json(report.model_dump_json()) == report
    assert isinstance(report.findings[0], Finding)
