"""The component reward_model: what the model reads, failures, sharing, paths, calibration."""

from __future__ import annotations

import json
import os
import pickle
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from planted_models import save_length_model
from rewardkit_rm.component import RewardModelScorer, as_read
from rewardkit_rm.loaded import loaded, stored_digest
from rewardkit_rm.models.loading import load
from tiny_models import save_classifier

import rewardkit as rk
from rewardkit.errors import ComponentError, ConfigError
from rewardkit.inputs import read_columns
from rewardkit.testing import check_component


@pytest.fixture(scope="session")
def chat(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A classifier with a chat template that reads 4,096 tokens."""
    return save_classifier(tmp_path_factory.mktemp("chat"), "llama", max_position_embeddings=4096)


@pytest.fixture(scope="session")
def pair(tmp_path_factory: pytest.TempPathFactory) -> str:
    """An encoder that reads 128 tokens."""
    return save_classifier(tmp_path_factory.mktemp("pair"), "bert")


def scored(component: RewardModelScorer, **columns: Any) -> rk.Rewards:
    return rk.load(component).score(rk.Batch.from_columns(columns))


NOT_PROMISED = ["robust", "linear_time"]
"""A text that is no Unicode, or longer than the model reads, fails; and attention is not linear."""


@pytest.mark.parametrize(("dtype", "tolerance"), [("auto", 1e-4), ("bfloat16", 0.1)])
def test_it_keeps_the_promises_of_every_component(chat: str, dtype: Any, tolerance: float) -> None:
    check_component(RewardModelScorer(model=chat, dtype=dtype), tolerance=tolerance, skip=NOT_PROMISED)


@pytest.mark.slow
def test_another_process_gives_the_same_scores(chat: str) -> None:
    check_component(RewardModelScorer(model=chat), tolerance=1e-4, skip=NOT_PROMISED, other_interpreter=True)


@pytest.mark.parametrize("batch_tokens", [1, 40, 100_000])
def test_a_score_is_the_same_in_every_batch_order_and_padding(chat: str, batch_tokens: int) -> None:
    completions = ["4", "four", "It is four, because two and two make four.", "", "4", "no " * 200]
    alone = [load(chat).score(["2+2?"], [text]).values[0] for text in completions]
    component = RewardModelScorer(model=chat, batch_tokens=batch_tokens)
    for order in (slice(None), slice(None, None, -1)):
        found = scored(component, prompt=["2+2?"] * 6, completion=completions[order])
        np.testing.assert_allclose(found.scores["reward_model"], alone[order], atol=1e-4)
    assert len({round(value, 3) for value in alone}) == 5, "only equal texts score the same"


# What the model reads

TURNS = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "2+2?"}]
ANSWER = {"role": "assistant", "content": "4"}


def read(**columns: Any) -> Any:
    batch = rk.Batch.from_columns({name: [value] for name, value in columns.items()})
    found = as_read(read_columns(RewardModelScorer.Inputs, batch, {}, {}, "test"))
    return found.prompts[0], found.completions[0], found.failures.get(0, "")


@pytest.mark.parametrize(
    ("columns", "prompt"),
    [
        ({"prompt": "2+2?", "completion": "4"}, "2+2?"),
        ({"prompt": TURNS, "completion": "4"}, tuple(TURNS)),
        ({"prompt": TURNS, "completion": [ANSWER]}, tuple(TURNS)),
        ({"prompt": "2+2?", "completion": [ANSWER]}, ({"role": "user", "content": "2+2?"},)),
        ({"messages": [*TURNS, ANSWER]}, tuple(TURNS)),
        ({"prompt": "2+2?", "completion": "4", "messages": [*TURNS, {"role": "assistant", "content": "5"}]}, (*TURNS,)),
        ({"prompt": "2+2?", "completion": "4", "messages": TURNS}, tuple(TURNS)),
        ({"prompt": "2+2?", "completion": "4", "messages": [*TURNS, ANSWER, TURNS[1]]}, tuple(TURNS)),
        ({"prompt": "x", "completion": "5", "messages": [*TURNS, ANSWER, TURNS[1]]}, (*TURNS, ANSWER, TURNS[1])),
        ({"prompt": "2+2?", "completion": "4", "messages": [ANSWER]}, "2+2?"),
        ({"prompt": "2+2?", "completion": "4", "messages": None}, "2+2?"),
    ],
    ids=[
        "text",
        "chat prompt",
        "chat both",
        "chat completion",
        "transcript",
        "another answer in the transcript",
        "messages that are the prompt",
        "turns behind the completion",
        "an earlier answer of the conversation",
        "no turn before",
        "no messages",
    ],
)
def test_the_turns_before_the_completion_are_the_prompt(columns: dict[str, Any], prompt: Any) -> None:
    assert read(**columns) == (
        prompt,
        columns.get("completion", "4") if columns.get("completion") != [ANSWER] else "4",
        "",
    )


def test_a_chat_template_sees_the_turns(chat: str) -> None:
    component = RewardModelScorer(model=chat)
    system = scored(component, prompt=[TURNS], completion=["4"]).totals
    flat = scored(component, prompt=["Be brief.\n\n2+2?"], completion=["4"]).totals
    assert system == pytest.approx(load(chat).score([tuple(TURNS)], ["4"]).values, abs=1e-5)
    assert abs(system - flat).item() > 1e-3


@pytest.mark.parametrize(
    ("prompt", "completion", "shown"),
    [
        ("q", "4", "4"),
        ("q", " 4\n", " 4\n"),
        ("q", "<think>hm</think>\n\n4", "4"),
        ("q", "<think>a</think>b<think>c</think> 4 ", "4 "),
        ("q", "<think>never ends", ""),
        ("q", "4 <think>unsure", "4"),
        ("q<think>\n", "so it is</think>\n4", "4"),
        ("q<think>\n", "so it is four", ""),
        ("q", "<|begin_of_thought|>hm<|end_of_thought|>4", "4"),
    ],
)
def test_thinking_is_not_read(prompt: str, completion: str, shown: str) -> None:
    assert read(prompt=prompt, completion=completion)[1] == shown


def test_thinking_can_be_kept(chat: str) -> None:
    text = "<think>hm</think>4"
    strip, keep = (
        scored(RewardModelScorer(model=chat, thinking=thinking), prompt=["q"] * 2, completion=[text, "4"])
        for thinking in ("strip", "keep")
    )
    assert strip.totals == pytest.approx([keep.totals[1]] * 2, abs=1e-4)
    assert abs(keep.totals[0] - keep.totals[1]) > 1e-3
    assert strip.details("reward_model", 0)["read"] == "4"
    assert "read" not in keep.details("reward_model", 0)


def test_details_count_tokens_and_what_was_cut_of_the_prompt(pair: str) -> None:
    found = scored(RewardModelScorer(model=pair), prompt=["word " * 200, "q"], completion=["4", "4"])
    long, short = (found.details("reward_model", row) for row in range(2))
    assert long["tokens"] == 128
    assert long["cut_prompt_tokens"] > 0 == short["cut_prompt_tokens"]


# Failures


@pytest.mark.parametrize(
    ("prompt", "completion", "messages", "reason"),
    [
        ("q", "word " * 300, None, "the completion alone has .* tokens, more than the 128 that fit"),
        ("q", "half \ud83d", None, "half of a surrogate pair"),
        ("q", "4", 7, "messages: expected chat messages, got int"),
        ("q", "4", [{"role": "user", "content": 7}], "content must be a string or a list of parts, got int"),
    ],
    ids=["too long", "no Unicode", "no messages", "broken turn"],
)
def test_what_cannot_be_scored_is_a_failure_with_its_reason(
    pair: str, prompt: str, completion: str, messages: Any, reason: str
) -> None:
    component = RewardModelScorer(model=pair)
    columns = {"prompt": ["q", prompt], "completion": ["4", completion], "messages": [None, messages]}
    with pytest.raises(ComponentError, match=f"component 'reward_model': row 1: failure: .*{reason}"):
        scored(component, **columns)
    lenient = rk.Combiner([rk.Term(label="taste", component=component, on_error="abstain")])
    found = lenient.score(rk.Batch.from_columns(columns))
    assert np.isnan(found.totals).tolist() == [False, True]
    assert [failure.row for failure in found.failures] == [1]


# Loading and sharing


def test_equal_components_share_a_model_that_is_loaded_when_it_is_first_needed(chat: str, tmp_path: Path) -> None:
    folder = shutil.copytree(chat, tmp_path / "rm")
    component = RewardModelScorer(model=str(folder))
    copy = pickle.loads(pickle.dumps(component))
    assert copy == component
    first = scored(component, prompt=["q"], completion=["a"]).totals
    model = loaded(str(folder))
    assert scored(copy, prompt=["q"], completion=["a"]).totals == first
    assert loaded(str(folder)) is model
    (folder / "calibration.json").write_text("{}")
    assert loaded(str(folder)) is model, "a calibration is no part of the model"
    before = stored_digest(str(folder))
    save_classifier(folder, "llama", num_hidden_layers=1, max_position_embeddings=4096)
    assert loaded(str(folder)) is not model
    assert stored_digest(str(folder)) != before
    assert scored(component, prompt=["q"], completion=["a"]).totals != first


def test_threads_may_score_at_once(chat: str) -> None:
    component = RewardModelScorer(model=chat)
    texts = [f"answer {number}" for number in range(8)]
    expected = scored(component, prompt=["q"] * 8, completion=texts).totals
    with ThreadPoolExecutor(4) as pool:
        rows = list(pool.map(lambda text: scored(component, prompt=["q"], completion=[text]).totals[0], texts * 4))
    np.testing.assert_allclose(rows, np.tile(expected, 4), atol=1e-4)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda folder: None, "rewards.taste.settings.model: there is no folder '.*rm'"),
        (lambda folder: folder.mkdir(), "holds no model: neither reward_model.json nor config.json"),
        (lambda folder: folder.write_text("x"), "there is no folder"),
    ],
    ids=["missing", "empty", "a file"],
)
def test_a_folder_without_a_model_is_said_when_the_config_is_read(tmp_path: Path, make: Any, message: str) -> None:
    make(tmp_path / "rm")
    (tmp_path / "reward.yaml").write_text("rewards: {taste: {use: reward_model, settings: {model: ./rm}}}")
    with pytest.raises(ConfigError, match=message):
        rk.load(tmp_path / "reward.yaml")


# Calibration


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """A reward config beside a model and its calibration."""
    save_length_model(tmp_path / "rm")
    digest = stored_digest(str(tmp_path / "rm"))
    calibration = rk.Calibration(mean=1.0, std=2.0, component="reward_model", version="1", model=digest)
    calibration.save(tmp_path / "rm" / "calibration.json")
    term = {"use": "reward_model", "settings": {"model": "./rm"}, "normalize": "./rm/calibration.json"}
    (tmp_path / "reward.json").write_text(json.dumps({"rewards": {"taste": term}}))
    return tmp_path / "reward.json"


def test_a_calibration_beside_the_model_normalises_its_scores(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir("/")
    combiner = rk.load(config)
    found = combiner.score(rk.Batch.from_columns(prompt=["q"], completion=["a b c"]))
    raw = load(config.parent / "rm").score(["q"], ["a b c"]).values
    assert found.scores["taste"] == pytest.approx(raw)
    assert found.totals == pytest.approx((raw - 1.0) / 2.0)


def test_a_calibration_of_another_model_is_refused(config: Path) -> None:
    save_length_model(config.parent / "rm", sign=-1)
    with pytest.raises(
        ConfigError, match="rewards.taste.normalize: calibrated for the weights .*, but 'reward_model' has"
    ):
        rk.load(config)


@pytest.mark.parametrize("name", ["chat_template.jinja", "tokenizer_config.json", "special_tokens_map.json"])
def test_a_changed_template_or_token_is_another_model(chat: str, tmp_path: Path, name: str) -> None:
    folder = shutil.copytree(chat, tmp_path / "rm")
    before, model = stored_digest(str(folder)), loaded(str(folder))
    assert loaded(str(folder)) is model
    old = (folder / name).read_text() if (folder / name).is_file() else "{}"
    (folder / name).write_text(f"{old} ")
    assert stored_digest(str(folder)) != before
    assert loaded(str(folder)).scorer.digest == stored_digest(str(folder))


def test_files_of_other_folders_inside_do_not_change_the_digest(chat: str, tmp_path: Path) -> None:
    folder = shutil.copytree(chat, tmp_path / "rm")
    before = stored_digest(str(folder))
    shutil.copytree(chat, folder / "checkpoints" / "step-1")
    shutil.copytree(chat, folder / "older")
    assert stored_digest(str(folder)) == before


FORKED = """
import os, sys, torch
from rewardkit_rm.component import RewardModelScorer
import rewardkit as rk
torch.set_num_threads(2)
reward = rk.load(RewardModelScorer(model=sys.argv[1], device="cpu"))
batch = rk.Batch.from_columns({"prompt": ["q " * 400] * 8, "completion": ["a " * at for at in range(8)]})
torch.rand(1000, 1000) @ torch.rand(1000, 1000)  # starts the threads that a child does not have
before = reward.score(batch).totals.tolist()
from rewardkit_rm.loaded import _models
next(iter(_models.values())).lock.acquire()  # another thread is scoring at that moment
if not (child := os.fork()):
    after = reward.score(batch).totals.tolist()
    torch.rand(1000, 1000) @ torch.rand(1000, 1000)
    os._exit(0 if max(abs(a - b) for a, b in zip(before, after)) < 1e-4 else 3)
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_forked_process_scores_and_does_not_hang(chat: str) -> None:
    found = subprocess.run([sys.executable, "-c", FORKED, chat], capture_output=True, text=True, timeout=120)
    assert (found.stdout, found.returncode) == ("0\n", 0), found.stderr
