"""What every format keeps: range, determinism, batches, round trips, linear cost, and verdicts on real rollouts."""

from __future__ import annotations

import copy
import gzip
import json
import math
import os
import pickle
import re
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rewardkit_text.structured import CodeBlockFormat, JsonFormat
from rewardkit_text.tags import Tags, ThinkAnswerFormat, ThinkFormat
from rewardkit_text.templates import AnswerTemplate, BoxedFormat, RegexFormat

from rewardkit import Component, Scores
from rewardkit.scores import read_scores
from rewardkit.testing import check_component

DATA = Path(os.environ.get("REWARDKIT_DATA", Path(__file__).parents[4] / "shared" / "data"))
GOOD = "<think>1 + 1</think>\n<answer>2</answer>"
FORMATS: dict[str, Component] = {
    "tags": Tags(tags=["think", "answer", "answer/unit"]),
    "tags unordered": Tags(tags=["think", "answer"], ordered=False, between="anything"),
    "tags graded": Tags(tags=["think", "answer"], graded=True, before="nothing", inside="whitespace"),
    "think_format": ThinkFormat(),
    "think_format graded": ThinkFormat(graded=True, prefilled=True),
    "think_answer_format": ThinkAnswerFormat(),
    "think_answer_format graded": ThinkAnswerFormat(graded=True),
    "boxed_format": BoxedFormat(graded=True, exactly_one=True),
    "answer_template": AnswerTemplate(template="The answer is [NUM].", graded=True),
    "answer_template text": AnswerTemplate(template="a [TEXT] b", position="anywhere", after_thinking=False),
    "regex_format": RegexFormat(pattern="(?s)<think>[^<]*+</think>.*", mode="match"),
    "json_format": JsonFormat(source="last_value", json_schema={"type": "array", "uniqueItems": True}, graded=True),
    "code_block_format": CodeBlockFormat(languages=["python", ""], exactly_one=True, graded=True),
}


def run(component: Component, completions: Sequence[str], **columns: Any) -> Scores:
    inputs = component.Inputs(**{"completion": list(completions), **columns})
    return read_scores(component.score(inputs), len(completions))


def score(component: Component, completion: str, **columns: Any) -> float:
    values = run(component, [completion], **columns).values
    assert values is not None
    return float(values[0])


# TRL's think_format_reward: r"^<think>(?!.*<think>)(.*?)</think>.*$" under re.match with DOTALL and MULTILINE.
TRL = re.compile(r"^<think>(?!.*<think>)(.*?)</think>.*$", re.DOTALL | re.MULTILINE)
PIECES = st.sampled_from(["<think>", "</think>", "<answer>", "</answer>", "x", " ", "\n", "<", "\u200b"])
TEXTS = st.lists(PIECES, max_size=12).map("".join)


@pytest.mark.parametrize("component", FORMATS.values(), ids=FORMATS)
@given(texts=st.lists(st.one_of(TEXTS, st.text(max_size=60), st.text('[]{}"\\`~\n a1.<>/', max_size=60)), max_size=5))
def test_every_format_is_finite_in_range_deterministic_and_scores_a_batch_as_single_texts(
    component: Component, texts: list[str]
) -> None:
    scores = run(component, texts)
    assert scores.values is not None
    assert not scores.failures
    values = scores.values.tolist()
    assert all(math.isfinite(value) and 0.0 <= value <= 1.0 for value in values)
    assert component.score_range() == (0.0, 1.0)
    assert values == [score(component, text) for text in texts]
    assert callable(scores.details)
    assert all(isinstance(scores.details(row), dict) for row in range(len(texts)))


@pytest.mark.parametrize("component", FORMATS.values(), ids=FORMATS)
def test_every_format_keeps_the_promises_of_a_component(component: Component) -> None:
    texts = [GOOD, "The answer is 5.", '["a"]', "```\nx\n```", "\\boxed{1}"]
    check_component(component, {"completion": texts, "prompt": ["Q", "Q<think>\n", "Q", "Q", ""]})


@pytest.mark.parametrize("component", FORMATS.values(), ids=FORMATS)
def test_every_format_survives_a_round_trip_after_scoring(component: Component) -> None:
    texts = [GOOD, "The answer is 5.", "", '["a"]', "```\nx\n```", "\\boxed{1}"]
    before = run(component, texts).values
    assert before is not None
    for twin in (
        pickle.loads(pickle.dumps(component)),
        copy.deepcopy(component),
        type(component).from_settings(component.settings),
    ):
        after = run(twin, texts).values
        assert twin == component
        assert after is not None
        assert after.tolist() == before.tolist()


HOSTILE: dict[str, Callable[[int], str]] = {
    "tag spam": lambda n: "ok\n</think>\n<answer>\n" * (n // 21),
    "opening tags": lambda n: "<think>" * (n // 7),
    "half tags": lambda n: "<think" * (n // 6),
    "boxes": lambda n: "\\boxed{" * (n // 7),
    "box and spaces": lambda n: "\\boxed" + " " * n,
    "templates": lambda n: "The answer is 5. " * (n // 17) + "x",
    "digits": lambda n: "1" * n,
    "spaces": lambda n: "The answer is" + " " * n + "x",
    "newlines": lambda n: "\n" * n + "x",
    "brackets": lambda n: "[" * n,
    "closed brackets": lambda n: "[" * (n // 2) + "]" * (n // 2),
    "quotes": lambda n: '["' + '\\"' * (n // 2),
    "objects": lambda n: "[" + ",".join(f'{{"a":{i}}}' for i in range(n // 12)) + "]",
    "fences": lambda n: "```\n" * (n // 4),
    "backticks": lambda n: "`" * n,
}


def seconds(component: Component, text: str) -> float:
    def once() -> float:
        start = time.process_time()
        run(component, [text])
        return time.process_time() - start

    return min(once() for _ in range(3))


@pytest.mark.parametrize("make", HOSTILE.values(), ids=HOSTILE)
@pytest.mark.parametrize("component", FORMATS.values(), ids=FORMATS)
def test_cost_grows_linearly_on_hostile_text(component: Component, make: Callable[[int], str]) -> None:
    # Eight times the text: 8 when linear, 64 when quadratic. The millisecond absorbs what is too small to time.
    small, large = seconds(component, make(10_000)), seconds(component, make(80_000))
    assert large <= 24 * small + 1e-3


def test_think_format_is_several_times_faster_than_the_pattern_of_trl() -> None:
    text = "<think>" + "so 12 < 13 and then we add it up again. " * 80 + "</think>\n\n" + "The sum is 12. " * 40
    texts = [text] * 300

    def trl() -> list[float]:
        return [1.0 if TRL.match(completion) else 0.0 for completion in texts]

    def seconds(call: Callable[[], Any]) -> float:
        start = time.process_time()
        call()
        return time.process_time() - start

    component = ThinkFormat()
    inputs = component.Inputs(completion=texts)
    assert component.score(inputs).values is not None
    # In turns, so that a busy machine slows both alike; the best of each is what the code costs.
    times = [(seconds(trl), seconds(lambda: component.score(inputs))) for _ in range(30)]
    theirs, ours = map(min, zip(*times, strict=True))
    assert theirs > 4 * ours


def needs(path: str) -> Path:
    if not (DATA / path).exists():
        pytest.skip(f"no {path} in {DATA}; set REWARDKIT_DATA")
    return DATA / path


@pytest.mark.data
def test_think_format_agrees_with_closed_think_on_every_real_rollout() -> None:
    with gzip.open(needs("think_rollouts/primerl_r1distill_grpo_groups.jsonl.gz"), "rt", encoding="utf-8") as lines:
        rows = [json.loads(line) for line in lines]
    prompts, completions = [row["prompt"] for row in rows], [row["completion"] for row in rows]
    closed = [float(row["closed_think"]) for row in rows]
    with_prompt = run(ThinkFormat(), completions, prompt=prompts).values
    by_setting = run(ThinkFormat(prefilled=True), completions).values
    without = run(ThinkFormat(), completions).values
    assert with_prompt is not None
    assert by_setting is not None
    assert without is not None
    assert len(closed) == 64
    assert 0 < sum(closed) < 64
    assert with_prompt.tolist() == by_setting.tolist() == closed
    assert without.max() == 0.0


@pytest.mark.data
def test_format_attacks_score_as_expected() -> None:
    rows = [json.loads(line) for line in needs("attacks.jsonl").read_text(encoding="utf-8").splitlines()]
    rows = [row for row in rows if row["component"] == "format"]
    assert len(rows) >= 7
    for row in rows:
        expected = float(row["expected"].startswith("score==1"))
        assert score(ThinkAnswerFormat(), row["response"]) == expected, row["id"]
        assert score(Tags(tags=["think", "answer"]), row["response"]) == expected, row["id"]
