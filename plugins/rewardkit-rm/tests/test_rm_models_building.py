"""A new head on a base: what learns, what the seed decides, where the base lies, and settings that do not fit."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import huggingface_hub.constants
import numpy as np
import pytest
import torch
from pydantic import ValidationError
from rewardkit_rm.models.backbone import is_encoder, length_limit
from rewardkit_rm.models.errors import ModelError
from rewardkit_rm.models.loading import build, load
from rewardkit_rm.models.pretrained import choose_device, choose_dtype
from rewardkit_rm.models.scorer import Scorer
from rewardkit_rm.models.settings import LoraSettings, ModelSettings
from rewardkit_rm.models.sources import locate
from tiny_models import save_base, tiny_config, tiny_scorer

PROMPTS = ["What is two plus two?", "", "The capital of France?"]
COMPLETIONS = ["four", "Paris is the capital of France, and more", "x"]


def scores(scorer: Scorer) -> np.ndarray[Any, Any]:
    scored = scorer.score(PROMPTS, COMPLETIONS)
    assert not scored.problems
    return scored.values


class TestANewHead:
    @pytest.mark.parametrize("train", ["head", "lora"])
    @pytest.mark.parametrize("architecture", ["head", "classifier"])
    def test_is_decided_by_the_seed_alone(self, tmp_path: Path, architecture: Any, train: Any) -> None:
        settings = ModelSettings(base=save_base(tmp_path), architecture=architecture, train=train)

        def weights(seed: int) -> torch.Tensor:
            scorer = build(settings, seed, device="cpu")
            return torch.cat([part.flatten() for part in scorer.model.parameters() if part.requires_grad])

        state = torch.random.get_rng_state()
        first = weights(1)
        assert torch.equal(torch.random.get_rng_state(), state), "the caller's random numbers are left alone"
        torch.manual_seed(99)
        assert torch.equal(weights(1), first)
        assert not torch.equal(weights(2), first)

    @pytest.mark.parametrize("kind", ["linear", "mlp"])
    def test_gives_scores_of_variance_near_one_to_features_of_unit_variance(self, kind: Any) -> None:
        from rewardkit_rm.models.reward_model import new_head
        from rewardkit_rm.models.settings import HeadSettings

        torch.manual_seed(0)
        head = new_head(HeadSettings(kind=kind, hidden=1024), 1024)
        assert head.output.weight.std().item() == pytest.approx(1025**-0.5, rel=0.1)
        assert head.output.bias.tolist() == [0]
        assert head(torch.randn(64, 1024)).shape == (64,)

    @pytest.mark.parametrize(
        ("train", "learning"),
        [
            ("head", {"head"}),
            ("full", {"head", "embed_tokens", "layers.0", "layers.1", "norm"}),
            ("last_layers", {"head", "layers.1", "norm"}),
        ],
    )
    def test_what_learns(self, tmp_path: Path, train: Any, learning: set[str]) -> None:
        scorer = tiny_scorer(tmp_path, train=train, last_layers=1 if train == "last_layers" else None)
        found = {name for name, parameter in scorer.model.named_parameters() if parameter.requires_grad}
        parts = {
            ".".join(name.removeprefix("body.").split(".")[: 2 if "layers" in name and "head" not in name else 1])
            for name in found
        }
        assert parts == learning

    def test_the_last_layers_of_an_encoder_include_what_follows_them(self, tmp_path: Path) -> None:
        scorer = tiny_scorer(tmp_path, "bert", architecture="classifier", train="last_layers", last_layers=1)
        found = {name for name, parameter in scorer.model.body.named_parameters() if parameter.requires_grad}
        assert {name.split(".")[1] + name.split(".")[3] for name in found if "encoder" in name} == {"encoder1"}
        assert "bert.pooler.dense.weight" in found
        assert not any("embeddings" in name for name in found)

    def test_a_pooler_that_nothing_reads_does_not_learn(self, tmp_path: Path) -> None:
        scorer = tiny_scorer(tmp_path, "bert", train="full")
        scorer.model(**scorer.encoder.pad([scorer.encoder.encode("a", "b")])).sum().backward()
        without = [name for name, part in scorer.model.named_parameters() if part.requires_grad and part.grad is None]
        assert without == []

    def test_precision_by_default(self) -> None:
        gpu, cpu = torch.device("cuda:0"), torch.device("cpu")
        assert choose_dtype("auto", cpu) == torch.float32
        assert choose_dtype("auto", gpu) == torch.bfloat16
        assert choose_dtype("auto", gpu, learns=True) == torch.float32
        assert choose_dtype("float16", gpu, learns=True) == torch.float16


class TestSettings:
    @pytest.mark.parametrize(
        ("settings", "message"),
        [
            ({"train": "last_layers"}, "'last_layers' and 'train: last_layers' need each other"),
            ({"last_layers": 2}, "'last_layers' and 'train: last_layers' need each other"),
            ({"lora": {}, "train": "full"}, "'lora' needs 'train: lora'"),
            ({"architecture": "classifier", "pooling": "mean"}, "'pooling' belongs to 'architecture: head'"),
            ({"architecture": "classifier", "head": {"kind": "mlp"}}, "'head' belongs to 'architecture: head'"),
            ({"base": ""}, "at least 1 character"),
            ({"head": {"dropout": 1.0}}, "less than 1"),
            ({"encoding": {"max_length": 7}}, "greater than or equal to 8"),
            ({"heads": {}}, "Extra inputs are not permitted"),
        ],
        ids=lambda value: str(value)[:50],
    )
    def test_that_do_not_belong_together(self, settings: dict[str, Any], message: str) -> None:
        with pytest.raises(ValidationError, match=message):
            ModelSettings.model_validate({"base": "x", **settings})

    @pytest.mark.parametrize(
        ("kind", "settings", "message"),
        [
            ("llama", {"train": "last_layers", "last_layers": 3}, "last_layers is 3, and LlamaModel has 2 layers"),
            (
                "llama",
                {"train": "lora", "lora": LoraSettings(target_modules=["nothing"])},
                "lora: Target modules {'nothing'} not found in the base model",
            ),
            (
                "distilbert",
                {"architecture": "classifier"},
                r"its classifier has new layers before the last one \(pre_classifier.bias, pre_classifier.weight\)",
            ),
            ("llama", {"gguf_file": "x.gguf"}, "there is no file 'x.gguf'"),
        ],
    )
    def test_that_do_not_fit_the_base(self, tmp_path: Path, kind: str, settings: dict[str, Any], message: str) -> None:
        with pytest.raises(ModelError, match=message):
            tiny_scorer(tmp_path, kind, **settings)

    def test_extras_that_are_not_installed_are_named(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        base = save_base(tmp_path)
        (tmp_path / "x.gguf").write_bytes(b"GGUF")
        monkeypatch.setitem(sys.modules, "peft", None)
        with pytest.raises(ModelError, match=r"pip install 'rewardkit-rm\[lora\]'"):
            build(ModelSettings(base=base, train="lora"), device="cpu")
        monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
        with pytest.raises(ModelError, match=r"pip install 'rewardkit-rm\[gguf\]'"):
            build(ModelSettings(base=base, gguf_file="x.gguf"), device="cpu")

    def test_a_stack_of_layers_that_is_none(self, tmp_path: Path) -> None:
        with pytest.raises(ModelError, match="AlbertModel has no plain stack of layers; use 'train: full'"):
            tiny_scorer(tmp_path, "albert", train="last_layers", last_layers=1)


class TestWhereAModelLies:
    @pytest.mark.parametrize("base", ["./none", "/none", "~/none/at/all", "a/b/c", "models/", "c:\\models", "..", "."])
    def test_a_path_is_never_asked_of_the_hub(self, base: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir(tmp_path)
        with pytest.raises(ModelError, match=r"there is no folder|there is no config\.json"):
            load(base)

    def test_a_name_under_a_folder_that_is_here_is_a_path(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (tmp_path / "runs").mkdir()
        monkeypatch.chdir(tmp_path)
        with pytest.raises(ModelError, match="there is no folder 'runs/rm'"):
            load("runs/rm")

    def test_a_name_of_the_hub_that_cannot_be_reached(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
        with pytest.raises(ModelError, match="'some/model' is no folder here, and the hub does not give such a model"):
            load("some/model")

    def test_a_file_is_no_folder(self, tmp_path: Path) -> None:
        (tmp_path / "m.gguf").touch()
        with pytest.raises(ModelError, match=r"m\.gguf' is a file; a model is a folder \(a GGUF file is named as"):
            load(tmp_path / "m.gguf")

    @pytest.fixture
    def package(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
        root = tmp_path / "weights_in_a_package"
        save_base(root / "some" / "model")
        (root / "__init__.py").write_text("raise RuntimeError('was imported')")
        monkeypatch.syspath_prepend(str(tmp_path))
        return root.name

    def test_a_folder_of_an_installed_package_is_found_without_importing_it(self, package: str) -> None:
        scorer = build(ModelSettings(base=f"package:{package}/some/model"), device="cpu")
        assert scores(scorer).std() > 0
        assert package not in sys.modules

    @pytest.mark.parametrize(
        ("base", "message"),
        [
            ("package:no_such_package/x", "there is no installed package 'no_such_package'"),
            ("package:os.path", r"there is no installed package 'os\.path'"),
            ("package:json.tool/x", r"there is no installed package 'json\.tool'"),
            ("package:sys", "there is no installed package 'sys'"),
            ("package:", "there is no installed package ''"),
            ("package:{}/other", "the package has no folder 'other'"),
            ("package:{}/../..", r"the package has no folder '\.\./\.\.'"),
            ("package:{}//etc", "the package has no folder '/etc'"),
        ],
    )
    def test_a_folder_that_a_package_does_not_have(self, package: str, base: str, message: str) -> None:
        with pytest.raises(ModelError, match=message):
            locate(base.format(package))


@pytest.mark.parametrize("device", ["cuda:99", "no such", "meta:x"])
def test_a_device_that_is_not_here(device: str) -> None:
    with pytest.raises(ModelError, match=rf"device '{device}' cannot be used"):
        choose_device(device)


@pytest.mark.parametrize(
    ("kind", "encoder", "limit"),
    [
        ("bert", True, 512),
        ("roberta", True, 510),  # 512 positions, counted from behind the padding token, which is 1
        ("modernbert", True, 8192),
        ("gpt2", False, 1024),
        ("llama", False, 2048),
        ("bloom", False, None),
        ("mpt", False, 2048),
    ],
)
def test_what_is_known_of_architectures(kind: str, encoder: bool, limit: int | None) -> None:
    from transformers import AutoConfig

    config = AutoConfig.for_model(kind)
    assert (is_encoder(config), length_limit(config)) == (encoder, limit)


def test_a_decoder_made_bidirectional_is_an_encoder() -> None:
    assert is_encoder(tiny_config("llama", is_causal=False))
    assert not is_encoder(tiny_config("bert", is_decoder=True))
