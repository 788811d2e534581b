"""Configs: what each key means, and every mistake with its path, what would be valid, and the nearest."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, ClassVar, Literal

import numpy as np
import pytest
from pydantic import BaseModel, ConfigDict, Field, field_validator

import rewardkit as rk
from rewardkit.errors import ConfigError, PluginError
from rewardkit.registry import components


class Part(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    begin: int = Field(alias="from")
    word: str = ""


class Full(rk.Component):
    """A component with settings of every kind."""

    name: ClassVar[str] = "full_score"
    version: ClassVar[str] = "7"
    n: int = Field(default=4, ge=1)
    scale: float = 1.0
    mode: Literal["words", "tokens"] = "words"
    names: list[str] = Field(default_factory=list)
    bounds: tuple[float, float] = (0.0, 1.0)
    table: dict[int, float] = Field(default_factory=dict)
    parts: list[Part] = Field(default_factory=list)
    either: int | list[int] | None = None
    limit: float | None = None

    class Inputs(rk.Columns):
        completion: list[str]
        answer: list[str] | None = None

    def score(self, inputs: Inputs) -> list[float]:
        return [self.scale] * len(inputs)


class Penalty(rk.Component):
    name: ClassVar[str] = "full_penalty"
    most: float = Field(default=-1.0, le=0)

    class Inputs(rk.Columns):
        completion: list[str]

    def score(self, inputs: Inputs) -> list[float]:
        return [self.most] * len(inputs)

    def score_range(self) -> tuple[float, float]:
        return (self.most, 0.0)


class Fragile(rk.Component):
    """A component whose own check is broken, or refuses with a reason."""

    name: ClassVar[str] = "fragile"
    file: str

    class Inputs(rk.Columns):
        completion: list[str]

    @field_validator("file")
    @classmethod
    def _read(cls, file: str) -> str:
        if file == "bug":
            raise RuntimeError("no such table")
        raise ValueError(f"{file} has no rules")

    def score(self, inputs: Inputs) -> list[float]:
        return [0.0] * len(inputs)


@pytest.fixture(autouse=True)
def _components() -> Iterator[None]:
    for cls in (Full, Penalty, Fragile):
        components.add(cls.name, cls, origin="this test")
    components.add("one_function", rk.reward(name="one_function")(lambda response: 1.0), origin="this test")
    yield
    for name in ("full_score", "full_penalty", "fragile", "one_function"):
        components.remove(name)


def problems(config: Any) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        rk.load(config)
    return [str(problem) for problem in caught.value.problems]


def of_term(**term: Any) -> list[str]:
    """Problems of one term that is right but for what is given."""
    return problems({"rewards": {"a": {"use": "full_score", **term}}})


TERM_KEYS = (
    "clip, collapse, inputs, normalize, note, on_error, on_truncated, partial, required, requires, settings, use, "
    "weight, when"
)
SETTINGS = "bounds, either, limit, mode, n, names, parts, scale, table"

TERMS: list[tuple[dict[str, Any], list[str]]] = [
    ({"wieght": 1}, [f"rewards.a.wieght: unknown key 'wieght'; did you mean 'weight'? Valid: {TERM_KEYS}"]),
    ({"weight": "x"}, ["rewards.a.weight: expected a number or {use: schedule, ...}, got 'x'"]),
    ({"weight": True}, ["rewards.a.weight: expected a number or {use: schedule, ...}, got True"]),
    ({"weight": None}, ["rewards.a.weight: expected a number or {use: schedule, ...}, got None"]),
    ({"weight": math.inf}, ["rewards.a.weight: a number must be finite, got inf"]),
    ({"weight": {"start": 1}}, ["rewards.a.weight.use: is required"]),
    ({"weight": {"use": "constant"}}, ["rewards.a.weight.value: is required"]),
    (
        {"weight": {"use": "constant", "value": 1, "vale": 2}},
        ["rewards.a.weight.vale: unknown key 'vale'; did you mean 'value'? Valid: use, value"],
    ),
    (
        {"weight": {"use": "linear", "start": "a", "end": 0, "steps": 0}},
        [
            "rewards.a.weight.start: expected a number, got 'a'",
            "rewards.a.weight.steps: must be greater than or equal to 1, got 0",
        ],
    ),
    (
        {"weight": {"use": "staged", "stages": [{"from": 0, "weight": 1, "form": 2}]}},
        ["rewards.a.weight.stages.0.form: unknown key 'form'; did you mean 'from'? Valid: from, weight"],
    ),
    (
        {"weight": {"use": "staged", "stages": [{"from": 5, "weight": 1}]}},
        ["rewards.a.weight.stages: the first stage must be from step 0, got 5"],
    ),
    (
        {"weight": {"use": "competence", "watch": "b", "stages": [{"weight": 0, "until": 0.5}, {"weight": 1}]}},
        ["rewards.a.weight.watch: unknown term 'b'. Valid: a"],
    ),
    ({"on_error": "rais"}, ["rewards.a.on_error: expected 'raise', 'abstain' or a number, got 'rais'"]),
    ({"on_truncated": []}, ["rewards.a.on_truncated: expected 'score', 'abstain' or a number, got []"]),
    ({"normalize": 5}, ["rewards.a.normalize: expected text or {mean: ..., std: ...}, got 5"]),
    ({"normalize": {"mean": 1}}, ["rewards.a.normalize.std: is required"]),
    (
        {"normalize": {"mean": "a", "std": 0, "sdt": 1}},
        [
            "rewards.a.normalize.mean: expected a number, got 'a'",
            "rewards.a.normalize.std: must be greater than 0, got 0",
            "rewards.a.normalize.sdt: unknown key 'sdt'; did you mean 'std'? "
            "Valid: clip, component, mean, model, n, quantiles, std, temperature, version",
        ],
    ),
    (
        {"normalize": {"mean": 0, "std": 1, "component": "other", "version": "1"}},
        ["rewards.a.normalize: calibrated for 'other' version 1, not 'full_score' version 7"],
    ),
    (
        {"normalize": {"mean": 0, "std": 1, "version": "6"}},
        ["rewards.a.normalize: calibrated for 'full_score' version 6, not 'full_score' version 7"],
    ),
    ({"clip": 3}, ["rewards.a.clip: expected a list, got 3"]),
    ({"clip": [1]}, ["rewards.a.clip.1: is required"]),
    ({"clip": [3, -3]}, ["rewards.a.clip: the lower bound must be below the upper one, got [3.0, -3.0]"]),
    ({"collapse": "avg"}, ["rewards.a.collapse: expected 'last', 'min', 'mean', 'product' or 'sum', got 'avg'"]),
    ({"required": 1}, ["rewards.a.required: expected true or false, got 1"]),
    ({"when": {"source": "gsm8k"}}, ["rewards.a.when.source: expected a list, got 'gsm8k'"]),
    ({"when": {"source": []}}, ["rewards.a.when.source: List should have at least 1 item after validation, not 0"]),
    ({"requires": {"a": "high"}}, ["rewards.a.requires.a: expected a number, got 'high'"]),
    ({"requires": {"fromat": 1}}, ["rewards.a.requires.fromat: unknown term 'fromat'. Valid: a"]),
    ({"requires": ["a"]}, ["rewards.a.requires: expected a mapping, got ['a']"]),
    ({"requires": {"a": 1}}, ["rewards: terms wait for each other: a -> a"]),
    ({"inputs": {"answer": 3}}, ["rewards.a.inputs.answer: expected text, got 3"]),
    (
        {"inputs": {"anwser": "solution"}},
        ["rewards.a.inputs.anwser: unknown input 'anwser'; did you mean 'answer'? Valid: answer, completion"],
    ),
    ({"inputs": {"answer": "$b"}}, ["rewards.a.inputs.answer: unknown term 'b'. Valid: a"]),
    ({"settings": [1]}, ["rewards.a.settings: expected a mapping, got [1]"]),
    ({"settings": {"m": 1}}, [f"rewards.a.settings.m: unknown key 'm'. Valid: {SETTINGS}"]),
    ({"settings": {"n": "4"}}, ["rewards.a.settings.n: expected a whole number, got '4'"]),
    ({"settings": {"n": 0}}, ["rewards.a.settings.n: must be greater than or equal to 1, got 0"]),
    ({"settings": {"n": 10**30}}, [f"rewards.a.settings.n: a whole number must fit 64 bits, got {10**30}"]),
    ({"settings": {"limit": math.inf}}, ["rewards.a.settings.limit: a number must be finite, got inf"]),
    ({"settings": {"names": ["a", 1, None]}}, ["names.1: expected text, got 1", "names.2: expected text, got None"]),
    ({"settings": {"either": "x"}}, ["rewards.a.settings.either: expected a whole number or a list, got 'x'"]),
    ({"settings": {"either": [1, "x"]}}, ["rewards.a.settings.either.1: expected a whole number, got 'x'"]),
    (
        {"settings": {"parts": [{"from": 1}, {"word": 2, "to": 3}]}},
        [
            "rewards.a.settings.parts.1.from: is required",
            "rewards.a.settings.parts.1.word: expected text, got 2",
            "rewards.a.settings.parts.1.to: unknown key 'to'. Valid: from, word",
        ],
    ),
    (
        {"settings": {"names": {1, 2}}},
        [
            "rewards.a.settings.names: expected plain values (text, numbers, true, false, null, lists, mappings), "
            "got set"
        ],
    ),
    ({"settings": {"scale": np.float32(1)}}, ["expected plain values .*got float32"]),
    ({"settings": {"names": ["\ud800"]}}, [r"rewards.a.settings.names.0: '\ud800' is no valid Unicode text"]),
    ({"use": "fragile", "settings": {"file": "x"}}, ["rewards.a.settings.file: x has no rules"]),
    ({"use": "fragile", "settings": {"file": "bug"}}, ["rewards.a.settings: RuntimeError: no such table"]),
    (
        {"use": "one_function", "settings": {"n": 1}},
        ["rewards.a.settings: 'one_function' is a function or an instance and takes none"],
    ),
    (
        {"use": "full_penalty", "weight": -0.5},
        [
            "rewards.a.weight: 'full_penalty' is a penalty (scores -1 to 0): a negative weight would reward what it "
            "punishes; use 0.5"
        ],
    ),
    (
        {"use": "full_penalty", "weight": {"use": "linear", "start": 1, "end": -1, "steps": 9}},
        ["rewards.a.weight: 'full_penalty' is a penalty (scores -1 to 0): a negative weight"],
    ),
]


@pytest.mark.parametrize(("term", "expected"), TERMS, ids=[str(term)[1:60] for term, _ in TERMS])
def test_a_mistake_in_a_term_is_told_once_and_with_its_path(term: dict[str, Any], expected: list[str]) -> None:
    found = of_term(**term)
    assert len(found) == len(expected), found
    for text, part in zip(found, expected, strict=True):
        assert all(piece in text for piece in part.split(".*")), text


A = {"use": "full_score"}
CONFIGS: list[tuple[Any, list[str]]] = [
    ({}, ["rewards: is required"]),
    ({"rewards": None}, ["rewards: expected a mapping, got None"]),
    ({"rewards": [A]}, ["rewards: expected a mapping, got [{'use': 'full_score'}]"]),
    ({"rewards": {}}, ["rewards: at least one term is needed"]),
    ({"rewards": {"a": None}}, ["rewards.a: expected {use: component, ...}, got None"]),
    ({"rewards": {"a": "full_score"}}, ["rewards.a: expected {use: component, ...}, got 'full_score'"]),
    ({"rewards": {"a": {}}}, ["rewards.a.use: is required"]),
    ({"rewards": {"a b": A}}, ["rewards.a b: a label is letters, digits, '_', '-' and '.', and starts with a letter"]),
    ({"rewards": {1: A}}, ["rewards.1: a label is letters, digits, '_', '-' and '.', and starts with a letter"]),
    (
        {"rewards": {1: A, "1": A, "b": A}},
        ["rewards.1: this key is given twice, as text and as a number"],
    ),
    ({"rewards": {"a": A, True: A}}, ["rewards: a key must be a word, got True"]),
    (
        {"rewards": {"a": A}, "sucess": "a"},
        ["sucess: unknown key 'sucess'; did you mean 'success'? Valid: clip, granularity, rewards, success"],
    ),
    (
        {"rewards": {"right": A}, "success": "rihgt"},
        ["success: unknown term 'rihgt'; did you mean 'right'? Valid: right"],
    ),
    ({"rewards": {"a": A}, "clip": [1, 1]}, ["clip: the lower bound must be below the upper one, got [1.0, 1.0]"]),
    ({"rewards": {"a": A}, "granularity": "step"}, ["granularity: expected {level: ..., why: ...}, got 'step'"]),
    (
        {"rewards": {"a": A}, "granularity": {"level": "word", "wy": ""}},
        [
            "granularity.level: expected 'response', 'step' or 'token', got 'word'",
            "granularity.wy: unknown key 'wy'; did you mean 'why'? Valid: level, why",
        ],
    ),
    (
        {
            "rewards": {
                "a": {**A, "requires": {"b": 1}},
                "b": {**A, "inputs": {"answer": "$c"}},
                "c": A | {"requires": {"a": 1}},
            }
        },
        ["rewards: terms wait for each other: a -> b -> c -> a"],
    ),
]


@pytest.mark.parametrize(("config", "expected"), CONFIGS, ids=[str(config)[:60] for config, _ in CONFIGS])
def test_a_mistake_in_a_config_is_told_with_its_path(config: Any, expected: list[str]) -> None:
    found = problems(config)
    assert len(found) == len(expected), found
    for text, part in zip(found, expected, strict=True):
        assert part in text


def test_all_mistakes_come_at_once() -> None:
    """Structure, names, settings, references, schedules and files, in broken terms and beside them."""
    config = {
        "succes": "a",
        "success": "zz",
        "rewards": {
            "a": {"use": "fullscore", "weight": "x", "requires": {"none": 1}, "inputs": {"anything": "$nothing"}},
            "b": {**A, "settings": {"n": 0, "m": 1}, "weight": {"use": "linaer"}, "requires": {"a": 1, "nope": 1}},
            "c": {"weight": 1},
            "d": {**A, "normalize": "missing.json", "clip": [2, 1], "requires": {"c": 1}},
            "e": {"use": "full_penalty", "weight": -1, "nt": ""},
        },
    }
    assert [problem.partition(":")[0] for problem in problems(config)] == [
        "succes",
        "rewards.a.weight",
        "rewards.a.use",
        "rewards.b.settings.n",
        "rewards.b.settings.m",
        "rewards.b.weight.use",
        "rewards.c.use",
        "rewards.d.clip",
        "rewards.d.normalize",
        "rewards.e.nt",
        "rewards.a.inputs.anything",
        "rewards.a.requires.none",
        "rewards.b.requires.nope",
        "rewards.e.weight",
        "success",
    ]


def test_an_unknown_component_lists_the_valid_ones_and_the_nearest() -> None:
    (problem,) = problems({"rewards": {"a": {"use": "full_scoer"}}})
    assert problem.startswith("rewards.a.use: unknown component 'full_scoer'; did you mean 'full_score'? Valid: ")
    assert "full_penalty, full_score" in problem


def test_an_unknown_schedule_lists_the_valid_ones_and_the_nearest() -> None:
    (problem,) = problems({"rewards": {"a": {**A, "weight": {"use": "konstant", "value": 1}}}})
    assert problem.startswith("rewards.a.weight.use: unknown schedule 'konstant'; did you mean 'constant'? Valid: ")


def test_a_name_that_two_provide_names_both() -> None:
    with pytest.raises(PluginError):
        components.add("full_score", Penalty, origin="somebody else")
    (problem,) = problems({"rewards": {"a": A}})
    assert problem == ("rewards.a.use: component 'full_score' is provided twice: by this test and by somebody else")


def test_the_message_says_where_the_config_came_from() -> None:
    with pytest.raises(ConfigError) as caught:
        rk.load({"rewards": {"a": {**A, "note": 1, "required": 2}}})
    assert str(caught.value).splitlines()[0] == "config: 2 problems"
    with pytest.raises(ConfigError, match=r"^line 'nope \+ nope': 2 problems\n  - rewards\.nope\.use: unknown"):
        rk.load("nope + nope")


def test_a_very_deep_mapping_is_refused() -> None:
    deep: Any = 1
    for _ in range(5000):
        deep = [deep]
    assert of_term(settings={"names": deep})[0] == "rewards.a.settings: nested too deeply, at most 50 levels"


class TestWhatAConfigMeans:
    def test_every_key_reaches_its_term(self) -> None:
        keys: dict[str, Any] = {
            "weight": 2,
            "settings": {"n": 2, "bounds": [0, 2], "table": {1: 0.5}, "parts": [{"from": 3}], "either": [1]},
            "inputs": {"answer": "solution"},
            "when": {"source": ["gsm8k", 3, None, True]},
            "requires": {"b": 1},
            "required": True,
            "on_error": "abstain",
            "partial": True,
            "on_truncated": -1,
            "normalize": "group",
            "clip": [-1, 1],
            "collapse": "min",
            "note": "why",
        }
        config = {"rewards": {"a": A | keys, "b": A}, "success": "b", "clip": [-2, 2]}
        combiner = rk.load(config | {"granularity": {"level": "step", "why": "process"}})
        term = combiner.terms[0]
        settings = Full(n=2, bounds=(0.0, 2.0), table={1: 0.5}, parts=[Part.model_validate({"from": 3})], either=[1])
        expected = {key: value for key, value in keys.items() if key != "settings"} | {"clip": (-1.0, 1.0)}
        assert term == rk.Term(label="a", component=settings, **expected)
        assert (combiner.success, combiner.clip) == ("b", (-2.0, 2.0))
        assert combiner.granularity == rk.Granularity("step", "process")

    def test_everything_has_a_default(self) -> None:
        assert rk.load({"rewards": {"a": A}}).terms == (rk.Term(label="a", component=Full()),)

    def test_a_schedule_stands_beside_its_settings(self) -> None:
        weight = {"use": "constant", "value": 0.5}
        schedule = rk.load({"rewards": {"a": A | {"weight": weight}}}).terms[0].weight
        assert schedule == rk.load({"rewards": {"a": A | {"weight": 0.5}}}).terms[0].schedule

    def test_a_combiner_is_returned_as_it_is_and_a_component_stands_for_itself(self) -> None:
        combiner = rk.load(Full(n=2))
        assert combiner.terms == (rk.Term(label="full_score", component=Full(n=2)),)
        assert rk.load(combiner) is combiner

    def test_observers_see_every_result(self) -> None:
        seen: list[rk.Rewards] = []
        for ref in ("full_score", {"rewards": {"a": A}}, Full()):
            rewards = rk.load(ref, observers=[seen.append]).score(rk.Batch.from_columns(completion=["x"]))
            assert seen.pop() is rewards
        with pytest.raises(ConfigError, match="a Combiner has its own observers"):
            rk.load(rk.load("full_score"), observers=[seen.append])
