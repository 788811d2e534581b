"""Stress cases: what they are, which simple rewards fail them, and how outcomes are counted."""

from __future__ import annotations

import math
import re
from collections import Counter
from typing import Any

import numpy as np
import pytest
import rewardkit_audit
from rewardkit_audit.errors import StressError
from rewardkit_audit.report import Page, Sample, Samples
from rewardkit_audit.stress import (
    FAMILIES,
    StressOutcome,
    cases,
    outcome,
    score_cases,
    stress_section,
)
from rewardkit_audit.stress.prompts import prompts
from rewardkit_audit.stress.texts import LONG, MASTER_KEYS, MIDDLE, rambling

from rewardkit.errors import RewardKitError
from rewardkit.plugins import plugins, probes

NAMED = [
    "empty", "long_rambling", "repeated_template", "confidently_wrong", "brief_correct", "pleasantries",
    "markdown_bloat", "jargon", "refusal",
]  # fmt: skip


def holds(text: str, answer: str) -> bool:
    """Tell whether a text holds the words of an answer, not as part of longer words."""
    return bool(re.search(rf"(?<!\w){re.escape(answer.casefold())}(?!\w)", text.casefold()))


ANSWERS = {prompt.prompt: prompt.answer for prompt in prompts()}


def right(asked: list[str], completions: list[str]) -> list[float]:
    """Score by the words that only a right reply holds; nan where there are none."""
    return [
        float(holds(text, ANSWERS[prompt])) if ANSWERS[prompt] else math.nan
        for prompt, text in zip(asked, completions, strict=True)
    ]


def longer(_: list[str], completions: list[str]) -> list[float]:
    return [float(len(text)) for text in completions]


def shorter(_: list[str], completions: list[str]) -> list[float]:
    return [-float(len(text)) for text in completions]


def confident(_: list[str], completions: list[str]) -> list[float]:
    words = ("exactly", "doubt", "certified", "only", "never", "experts", "agree", "proven", "correct")
    return [float(sum(word in text.casefold() for word in words)) for text in completions]


def outcome_of(score: Any, families: list[str] | None = None) -> StressOutcome:
    chosen = cases(families)
    return outcome(chosen, score_cases(chosen, score))


def shares(found: StressOutcome) -> dict[str, float | None]:
    return {family.family: family.share for family in found.families}


def test_the_named_families_are_there_and_the_attacks_too() -> None:
    assert list(FAMILIES)[: len(NAMED)] == NAMED
    assert len(FAMILIES) >= len(NAMED) + 8


def test_there_are_many_prompts_of_many_kinds() -> None:
    kinds = Counter(prompt.kind for prompt in prompts())
    assert sum(kinds.values()) >= 24
    needed = {"arithmetic", "facts", "coding", "advice", "translation", "summarising", "chat", "safety"}
    assert {kind for kind, number in kinds.items() if number >= 2} >= needed
    assert len({prompt.id for prompt in prompts()}) == len({prompt.prompt for prompt in prompts()}) == len(prompts())


def test_every_family_holds_every_prompt_and_refusing_is_right_only_for_safety() -> None:
    found = Counter(case.family for case in cases())
    safety = sum(prompt.kind == "safety" for prompt in prompts())
    assert set(found) == set(FAMILIES)
    assert {found[family] for family in FAMILIES if family != "refusal"} == {len(prompts())}
    assert found["refusal"] == len(prompts()) - safety
    assert not any(case.kind == "safety" for case in cases(["refusal"]))


@pytest.mark.parametrize("family", FAMILIES)
def test_only_the_better_reply_holds_the_answer(family: str) -> None:
    for case in cases([family]):
        assert case.better.strip(), case.id
        assert case.why == FAMILIES[family]
        assert case.better != case.worse, case.id
        if case.answer:
            assert holds(case.better, case.answer), case.id
            assert not holds(case.worse, case.answer), case.id


def test_ids_are_unique_and_the_cases_are_the_same_each_time() -> None:
    first, again = cases(), cases()
    assert first == again
    assert len({case.id for case in first}) == len(first)


def test_brief_replies_are_brief_and_rambling_ones_long() -> None:
    found = cases(["long_rambling"])
    assert max(len(case.better) for case in found) < 200
    lengths = [len(case.worse) for case in found]
    assert min(lengths) > MIDDLE
    assert sum(length > LONG for length in lengths) >= 4
    assert max(lengths) < LONG + 500


def test_sixty_four_sentences_of_rambling_differ() -> None:
    sentences = re.split(r"(?<=\.) ", rambling("tea", LONG))[::2]  # every other one is a stock phrase
    assert len(sentences) > 64
    assert len(set(sentences[:64])) == 64


def test_every_master_key_is_used() -> None:
    assert {case.worse for case in cases(["master_keys"])} == set(MASTER_KEYS)


def test_the_constant_attack_is_one_text_for_every_prompt() -> None:
    assert len({case.worse for case in cases(["constant_attack"])}) == 1


def test_only_rambling_is_fatal() -> None:
    assert {case.family for case in cases() if case.fatal} == {"long_rambling"}


def test_families_can_be_chosen_and_come_in_that_order_once() -> None:
    assert list(dict.fromkeys(case.family for case in cases(["jargon", "empty", "jargon"]))) == ["jargon", "empty"]
    assert cases([]) == []


def test_an_unknown_family_is_named_with_the_nearest() -> None:
    with pytest.raises(StressError, match="unknown family of stress cases 'jargn'; did you mean 'jargon'") as caught:
        cases(["jargn"])
    assert isinstance(caught.value, RewardKitError)


def test_longer_is_better_fails_fatally_and_passes_what_is_short() -> None:
    found = outcome_of(longer)
    assert found.fatal
    assert shares(found)["long_rambling"] == shares(found)["brief_correct"] == shares(found)["markdown_bloat"] == 0.0
    assert shares(found)["empty"] == 1.0
    assert all(case.fatal for case in found.failed[: len(prompts())])


def test_shorter_is_better_passes_rambling_and_fails_what_is_short() -> None:
    found = outcome_of(shorter)
    assert not found.fatal
    assert shares(found)["long_rambling"] == 1.0
    assert shares(found)["empty"] == 0.0
    assert (shares(found)["master_keys"] or 0.0) < 0.5


def test_a_checker_of_answers_passes_every_family() -> None:
    found = outcome_of(right)
    assert set(shares(found).values()) == {1.0}
    assert found.failed == []
    assert len(found.unscored) == sum(not case.answer for case in cases())


def test_a_reward_for_sure_words_fails_where_a_sure_tone_is_wrong() -> None:
    found = shares(outcome_of(confident))
    assert (found["confidently_wrong"] or 0.0) < 0.2
    assert (found["rate_highly"] or 0.0) < 0.2
    assert found["repeated_correct"] == 0.0


def test_a_constant_reward_passes_nothing_because_a_tie_fails() -> None:
    found = outcome_of(lambda asked, _: [1.0] * len(asked))
    assert (found.passed, found.scored, len(found.failed)) == (0, len(cases()), len(cases()))


def test_each_prompt_and_reply_is_scored_once() -> None:
    asked: list[tuple[str, str]] = []

    def remember(asked_for: list[str], completions: list[str]) -> list[float]:
        asked.extend(zip(asked_for, completions, strict=True))
        return [float(len(text)) for text in completions]

    chosen = cases()
    found = score_cases(chosen, remember)
    assert len(asked) == len(set(asked)) < 1.1 * len(chosen)
    assert found.tolist() == [[len(case.better), len(case.worse)] for case in chosen]


@pytest.mark.parametrize("count", [0, 1, 3])
def test_a_scorer_must_return_a_score_for_each_reply(count: int) -> None:
    with pytest.raises(StressError, match=re.escape(f"expected scores of shape (2,), got ({count},)")):
        score_cases(cases(["jargon"])[:1], lambda *_: [1.0] * count)


def test_no_cases_have_no_outcome_to_fail() -> None:
    found = outcome([], score_cases([], lambda *_: []))
    assert (found.fatal, found.passed, found.scored, found.families) == (False, 0, 0, [])


def test_outcomes_count_passed_failed_and_unscored_by_family() -> None:
    chosen = [*cases(["jargon"])[:4], *cases(["empty"])[:1]]
    nan = math.nan
    found = outcome(chosen, np.array([[2, 1], [1, 1], [0, 5], [nan, 1], [nan, nan]]))
    jargon, empty = found.families
    assert (jargon.passed, jargon.scored, jargon.unscored, jargon.share) == (1, 3, 1, 1 / 3)
    assert (empty.passed, empty.scored, empty.unscored) == (0, 0, 1)
    assert (empty.share, empty.low, empty.high) == (None, None, None)
    assert [case.id for case in found.failed] == [chosen[2].id, chosen[1].id]
    assert found.unscored == [chosen[3].id, chosen[4].id]
    assert not found.fatal


def test_outcomes_go_through_json_without_loss() -> None:
    found = outcome_of(longer)
    assert StressOutcome.model_validate_json(found.model_dump_json()) == found


@pytest.mark.parametrize(
    ("scores", "message"),
    [
        ([1.0, 2.0], "expected scores of shape (1, 2), the better reply first, got (2,)"),
        ([[1.0, 2.0], [1.0, 2.0]], "expected scores of shape (1, 2), the better reply first, got (2, 2)"),
        ([[math.inf, 2.0]], "case jargon/product: a score must be finite, got [inf, 2.0]"),
    ],
)
def test_scores_that_do_not_fit_are_refused(scores: Any, message: str) -> None:
    with pytest.raises(StressError, match=re.escape(message)):
        outcome(cases(["jargon"])[:1], scores)


def test_every_case_is_a_probe_of_the_plugin() -> None:
    given_by_hook = rewardkit_audit.rewardkit_probes()
    assert [probe["name"] for probe in given_by_hook] == [f"stress/{case.id}" for case in cases()]
    (plugin,) = [plugin for plugin in plugins() if plugin.name == "audit"]
    assert plugin.problems == []
    by_name = {probe["name"]: probe for probe in probes()}
    probe = by_name["stress/jargon/capital"]
    assert (probe["family"], probe["better"], probe["answer"]) == ("jargon", "Canberra.", "Canberra")
    assert probe["completion"].startswith("Leveraging")
    assert by_name["stress/jargon/account"]["answer"] is None


def test_the_section_shows_the_worst_failure_of_each_family() -> None:
    chosen = cases()
    found = outcome(chosen, score_cases(chosen, longer))
    section = stress_section(chosen, found)
    html = Page("t").add(section).html()
    assert f"Do not train on this: in {len(prompts())} cases, long rambling beats the brief right answer." in html
    samples = section.parts[-1]
    assert isinstance(samples, Samples)
    assert len(samples.samples) == len({case.family for case in found.failed})
    first: Sample = samples.samples[0]
    assert first.name.startswith("long_rambling/")


def test_the_section_of_a_sound_reward_warns_of_nothing_but_names_what_had_no_score() -> None:
    chosen = cases()
    html = Page("t").add(stress_section(chosen, outcome(chosen, score_cases(chosen, right)))).html()
    unscored = sum(not case.answer for case in chosen)
    assert "Warning:" not in html
    assert f"Passed: 100 %. {unscored} cases had no score for one of the replies." in html


def test_the_section_of_cases_without_any_score_is_a_page_too() -> None:
    chosen = cases(["empty"])
    html = Page("t").add(stress_section(chosen, outcome(chosen, np.full((len(chosen), 2), np.nan)))).html()
    assert "Passed: –." in html
    assert "There is nothing to show." in html


def test_the_section_needs_the_cases_of_the_outcome() -> None:
    chosen = cases(["long_rambling"])
    found = outcome(chosen, score_cases(chosen, longer))
    with pytest.raises(StressError, match="the outcome holds case long_rambling/.*, which is none of the cases given"):
        stress_section(cases(["empty"]), found)
