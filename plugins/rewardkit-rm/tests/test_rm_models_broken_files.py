"""Folders of strangers, and folders that change: errors are ours, and weights stay what they were."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from rewardkit_rm.models.errors import ModelError
from rewardkit_rm.models.loading import load, save
from tiny_models import save_classifier, tiny_scorer

from rewardkit.errors import ConfigError


def change_json(path: Path, **changes: Any) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


class TestBrokenFiles:
    """Whatever lies in the folder, the error is ours, and says which part cannot be read."""

    @pytest.mark.parametrize("content", ["", "{", "[]", "1", "[" * 100_000])
    @pytest.mark.parametrize(
        "name", ["config.json", "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json"]
    )
    def test_any_json(self, tmp_path: Path, name: str, content: str) -> None:
        folder = Path(save_classifier(tmp_path))
        (folder / name).write_text(content)
        with pytest.raises(ModelError, match="its (config.json|tokenizer) cannot be read: "):
            load(folder, device="cpu")

    @pytest.mark.parametrize(
        ("changes", "error"),
        [
            ({"hidden_size": "x"}, "config.json cannot be read: .*'hidden_size': TypeError: .* expected int, got str"),
            ({"num_attention_heads": 0}, "config.json cannot be read: .*zero"),
            ({"dtype": "float99"}, "config.json cannot be read: .*float99"),
            ({"hidden_act": "zzz"}, "weights cannot be read: KeyError 'zzz'"),
            ({"vocab_size": 5}, "its weights have other shapes than its config.json says"),
            ({"architectures": [1]}, "no reward model but 1; "),
            ({"architectures": "LlamaForSequenceClassification"}, "no reward model but llama; "),
        ],
        ids=str,
    )
    def test_a_config_with_a_wrong_value(self, tmp_path: Path, changes: dict[str, Any], error: str) -> None:
        folder = Path(save_classifier(tmp_path))
        change_json(folder / "config.json", **changes)
        with pytest.raises(ModelError, match=error):
            load(folder, device="cpu")

    def test_a_chat_template_that_is_no_text(self, tmp_path: Path) -> None:
        folder = Path(save_classifier(tmp_path))
        (folder / "chat_template.jinja").unlink()
        change_json(folder / "tokenizer_config.json", chat_template=5)
        with pytest.raises(ModelError, match="the chat template is broken"):
            load(folder, device="cpu")

    @pytest.mark.parametrize("with_config", [True, False])
    def test_an_adapter(self, tmp_path: Path, with_config: bool) -> None:
        folder = Path(save_classifier(tmp_path))
        (folder / "adapter_config.json").write_text('{"peft_type": "LORA", "base_model_name_or_path": "/elsewhere"}')
        if not with_config:
            (folder / "config.json").unlink()
        with pytest.raises(ModelError, match="holds an adapter .* merge it into the model it was trained on first"):
            load(folder, device="cpu")

    def test_a_card_that_names_a_template_outside_of_the_folder(self, tmp_path: Path) -> None:
        save(tiny_scorer(tmp_path / "base"), tmp_path / "rm")
        card = json.loads((tmp_path / "rm" / "reward_model.json").read_text())
        change_json(tmp_path / "rm" / "reward_model.json", encoding=card["encoding"] | {"chat_template": "/etc/passwd"})
        with pytest.raises(ConfigError, match="encoding.chat_template must be empty"):
            load(tmp_path / "rm", device="cpu")

    def test_a_card_of_a_classifier_without_its_config(self, tmp_path: Path) -> None:
        save(tiny_scorer(tmp_path / "base"), tmp_path / "rm")
        change_json(tmp_path / "rm" / "reward_model.json", architecture="classifier")
        with pytest.raises(ModelError, match="tells of a classifier, and there is no config.json"):
            load(tmp_path / "rm", device="cpu")


def test_the_meta_device_holds_no_numbers(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="device 'meta' cannot be used"):
        load(save_classifier(tmp_path), device="meta")


@pytest.mark.parametrize("kind", ["classifier", "head"])
def test_weights_overwritten_in_place_do_not_reach_a_loaded_model(tmp_path: Path, kind: str) -> None:
    save(tiny_scorer(tmp_path / "base", architecture=kind), tmp_path / "rm")
    scorer = load(tmp_path / "rm", device="cpu")
    before = scorer.score(["q"], ["a"]).values
    for file in (tmp_path / "rm").rglob("*.safetensors"):
        with file.open("r+b") as opened:
            opened.write(bytes(file.stat().st_size))
    assert scorer.score(["q"], ["a"]).values == before


def test_weights_of_one_file_go_before_those_of_an_index(tmp_path: Path) -> None:
    folder = Path(save_classifier(tmp_path / "model"))
    before = load(folder, device="cpu").score(["q"], ["a"]).values
    torch.save({}, folder / "pytorch_model.bin")
    (folder / "model.safetensors.index.json").write_text('{"weight_map": {"score.weight": "gone.safetensors"}}')
    assert load(folder, device="cpu").score(["q"], ["a"]).values == before


class TestSavingOverAnotherModel:
    def test_leaves_nothing_of_another_architecture(self, tmp_path: Path) -> None:
        whole, headed = (tiny_scorer(tmp_path / kind, architecture=kind) for kind in ("classifier", "head"))
        (tmp_path / "rm").mkdir()
        (tmp_path / "rm" / "calibration.json").write_text("{}")
        for scorer in (whole, headed, whole):
            save(scorer, tmp_path / "rm")
            digest = save(scorer, tmp_path / "fresh" / scorer.model.architecture)
            names = {path.name for path in (tmp_path / "rm").iterdir()} - {"calibration.json"}
            assert names == {path.name for path in (tmp_path / "fresh" / scorer.model.architecture).iterdir()}
            assert load(tmp_path / "rm", device="cpu").digest == digest
        assert (tmp_path / "rm" / "calibration.json").is_file()

    def test_keeps_a_base_that_lies_there(self, tmp_path: Path) -> None:
        scorer = tiny_scorer(tmp_path / "base")
        weights = (tmp_path / "base" / "model.safetensors").read_bytes()
        for _ in range(2):
            save(scorer, tmp_path / "base")
        assert (tmp_path / "base" / "model.safetensors").read_bytes() == weights
        assert (tmp_path / "base" / "config.json").is_file()
