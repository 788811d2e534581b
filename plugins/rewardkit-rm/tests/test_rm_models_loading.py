"""Made, saved and loaded again, a model gives the same scores; folders that hold no reward model say what is wrong."""

from __future__ import annotations

import json
import resource
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from rewardkit_rm.models.errors import ModelError
from rewardkit_rm.models.loading import build, load, read_card, save
from rewardkit_rm.models.scorer import Scorer
from rewardkit_rm.models.settings import LoraSettings, ModelSettings
from rewardkit_rm.models.sources import digest_of
from safetensors.torch import load_file, save_file
from tiny_models import save_base, save_classifier, tiny_config, tiny_scorer, tiny_tokenizer
from transformers import AutoModelForSequenceClassification

from rewardkit.errors import ConfigError

KINDS = ["llama", "qwen3", "gpt2", "bert"]
PROMPTS = ["What is two plus two?", "", "The capital of France?"]
COMPLETIONS = ["four", "Paris is the capital of France, and more", "x"]


def scores(scorer: Scorer) -> np.ndarray[Any, Any]:
    scored = scorer.score(PROMPTS, COMPLETIONS)
    assert not scored.problems
    return scored.values


def moved(scorer: Scorer) -> Scorer:
    """Change every weight that learns, as training would."""
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in scorer.model.parameters():
            if parameter.requires_grad:
                parameter.add_(torch.randn(parameter.shape, generator=generator) * 0.1)
    return scorer


class TestRoundTrip:
    @pytest.mark.parametrize("train", ["head", "last_layers", "lora", "full"])
    @pytest.mark.parametrize("architecture", ["head", "classifier"])
    @pytest.mark.parametrize("kind", KINDS)
    def test_a_saved_model_gives_the_same_scores(
        self, tmp_path: Path, kind: str, architecture: Any, train: Any
    ) -> None:
        last_layers = 1 if train == "last_layers" else None
        settings = {"architecture": architecture, "train": train, "last_layers": last_layers}
        scorer = tiny_scorer(tmp_path / "base", kind, **settings)
        before = scores(scorer)
        after = scores(moved(scorer))
        assert np.abs(after - before).min() > 1e-4
        digest = save(scorer, tmp_path / "model")
        np.testing.assert_allclose(scores(scorer), after, atol=1e-6, err_msg="saving changed the model")
        loaded = load(tmp_path / "model", device="cpu")
        np.testing.assert_allclose(scores(loaded), after, atol=1e-5)
        assert loaded.digest == digest == digest_of(tmp_path / "model")
        assert not any(parameter.requires_grad for parameter in loaded.model.parameters())

    @pytest.mark.parametrize("kind", ["llama", "gpt2", "bert"])
    def test_adapters_are_merged_so_that_loading_needs_no_peft(self, tmp_path: Path, kind: str) -> None:
        scorer = moved(tiny_scorer(tmp_path / "base", kind, train="lora", lora=LoraSettings(rank=2, alpha=8.0)))
        save(scorer, tmp_path / "model")
        names = set(load_file(tmp_path / "model" / "backbone" / "model.safetensors"))
        assert names == set(load_file(tmp_path / "base" / "model.safetensors"))
        assert not list((tmp_path / "model").rglob("adapter*"))

    @pytest.mark.parametrize("kind", KINDS)
    def test_a_saved_classifier_is_one_for_transformers_alone(self, tmp_path: Path, kind: str) -> None:
        scorer = moved(tiny_scorer(tmp_path / "base", kind, architecture="classifier", train="full"))
        save(scorer, tmp_path / "model")
        theirs = AutoModelForSequenceClassification.from_pretrained(tmp_path / "model").eval()
        ids = torch.tensor([scorer.encoder.encode("2+2?", "4").input_ids])
        types = scorer.encoder.encode("2+2?", "4").token_type_ids
        segments = {} if types is None else {"token_type_ids": torch.tensor([types])}
        with torch.no_grad():
            logits = theirs.score(theirs.base_model(ids).last_hidden_state)[:, -1] if kind != "bert" else None
            logits = theirs(ids, **segments).logits if logits is None else logits
        assert logits.item() == pytest.approx(scorer.score(["2+2?"], ["4"]).values[0], abs=1e-5)
        assert (theirs.config.num_labels, theirs.config.problem_type) == (1, "regression")

    @pytest.mark.parametrize("kind", KINDS)
    def test_any_classifier_with_one_label_is_a_reward_model(self, tmp_path: Path, kind: str) -> None:
        loaded = load(save_classifier(tmp_path, kind), device="cpu")
        assert loaded.model.architecture == "classifier"
        assert loaded.model.pooling == ("own" if kind == "bert" else "last")
        assert scores(loaded).std() > 0.01

    def test_the_head_keeps_its_precision_over_a_bfloat16_backbone(self, tmp_path: Path) -> None:
        for architecture in ("head", "classifier"):
            scorer = tiny_scorer(tmp_path / "base", architecture=architecture, dtype="bfloat16")
            save(scorer, tmp_path / architecture)
            loaded = load(tmp_path / architecture, device="cpu", dtype="bfloat16")
            assert torch.equal(loaded.model.head.output.weight, scorer.model.head.output.weight)
            np.testing.assert_array_equal(scores(loaded), scores(scorer))

    def test_saving_again_replaces_the_model_and_keeps_other_files(self, tmp_path: Path) -> None:
        first = save(tiny_scorer(tmp_path / "base", seed=1), tmp_path / "model")
        (tmp_path / "model" / "calibration.json").write_text("{}")
        second = tiny_scorer(tmp_path / "base", seed=2)
        assert save(second, tmp_path / "model") != first
        np.testing.assert_array_equal(scores(load(tmp_path / "model", device="cpu")), scores(second))
        assert (tmp_path / "model" / "calibration.json").exists()
        assert not [path for path in (tmp_path / "model").iterdir() if path.name.startswith(".")]

    def test_the_digest_follows_weights_settings_and_tokenizer_and_nothing_else(self, tmp_path: Path) -> None:
        folder = tmp_path / "model"
        digests = [save(tiny_scorer(tmp_path / "base", seed=1), folder)]
        (folder / "calibration.json").write_text("{}")
        assert digest_of(folder) == digests[0]
        for name in ("head.safetensors", "backbone/model.safetensors", "tokenizer.json", "reward_model.json"):
            content = (folder / name).read_bytes()
            (folder / name).write_bytes(content[:-2] + b"7}")
            digests.append(digest_of(folder))
            (folder / name).write_bytes(content)
        assert len(set(digests)) == len(digests)
        assert digest_of(folder) == digests[0]

    def test_what_is_read_is_saved_with_the_model(self, tmp_path: Path) -> None:
        (tmp_path / "t.jinja").write_text("{% for m in messages %}({{ m.content }}){% endfor %}")
        encoding = {"max_length": 64, "chat_template": str(tmp_path / "t.jinja"), "template_date": "2024-07-26"}
        scorer = tiny_scorer(tmp_path / "base", encoding=encoding)
        save(scorer, tmp_path / "model")
        (tmp_path / "t.jinja").unlink()
        loaded = load(tmp_path / "model", device="cpu")
        assert loaded.encoder.settings == scorer.encoder.settings
        assert loaded.encoder.encode("2+2?", "4") == scorer.encoder.encode("2+2?", "4")
        card = read_card(tmp_path / "model")
        assert (card.encoding.format, card.encoding.max_length, card.encoding.template_date) == (
            "chat", 64, "2024-07-26",
        )  # fmt: skip
        assert set(card.versions) == {"rewardkit-rm", "torch", "transformers"}


class TestFoldersThatAreNoRewardModel:
    def test_a_language_model(self, tmp_path: Path) -> None:
        with pytest.raises(ModelError, match="no reward model but LlamaModel; a reward model is a folder saved by"):
            load(save_base(tmp_path))

    @pytest.mark.parametrize("labels", [2, 5])
    def test_a_classifier_with_several_labels(self, tmp_path: Path, labels: int) -> None:
        with pytest.raises(
            ModelError, match=rf"has {labels} labels; a reward model has one \(num_labels 1\), its score"
        ):
            load(save_classifier(tmp_path, num_labels=labels))

    def test_an_encoder_decoder(self, tmp_path: Path) -> None:
        shutil.copytree(save_classifier(tmp_path / "a"), tmp_path / "b")
        (tmp_path / "b" / "config.json").write_text(json.dumps({"model_type": "t5", "is_encoder_decoder": True}))
        with pytest.raises(ModelError, match="t5 is an encoder-decoder; a decoder or an encoder is needed"):
            load(tmp_path / "b")

    def test_a_head_without_weights(self, tmp_path: Path) -> None:
        folder = Path(save_classifier(tmp_path))
        weights = load_file(folder / "model.safetensors")
        save_file(
            {name: part for name, part in weights.items() if name != "score.weight"},
            folder / "model.safetensors",
            {"format": "pt"},
        )
        with pytest.raises(ModelError, match=r"its files hold no weights for score\.weight"):
            load(folder)

    def test_a_backbone_without_some_of_its_weights(self, tmp_path: Path) -> None:
        folder = Path(save_base(tmp_path))
        weights = load_file(folder / "model.safetensors")
        kept = {name: part for name, part in weights.items() if "layers.1" not in name}
        save_file(kept, folder / "model.safetensors", {"format": "pt"})
        with pytest.raises(ModelError, match=r"hold no weights for layers\.1\..*, layers\.1\..* and \d+ more"):
            build(ModelSettings(base=str(folder)), device="cpu")

    def test_a_classifier_that_ends_in_more_than_one_layer_of_one_output(self, tmp_path: Path) -> None:
        from rewardkit_rm.models.classifier import take_head

        config = tiny_config(num_labels=2)
        body = AutoModelForSequenceClassification.from_config(config)  # type: ignore[no-untyped-call]
        with pytest.raises(
            ModelError, match="LlamaForSequenceClassification should end in one linear layer of one output, found 0"
        ):
            take_head(body, "x")

    @pytest.mark.parametrize("name", ["pytorch_model.bin", "model.pt", "consolidated.00.pth"])
    def test_pickled_weights_are_refused_unread(self, tmp_path: Path, name: str) -> None:
        folder = Path(save_classifier(tmp_path))
        (folder / "model.safetensors").unlink()
        (folder / name).write_bytes(b"cos\nsystem\n(S'exit 1'\ntR.")
        with pytest.raises(ModelError, match=rf"its weights are pickled \({name}\), and loading a pickle runs code"):
            load(folder)

    def test_no_weights_at_all(self, tmp_path: Path) -> None:
        folder = Path(save_classifier(tmp_path))
        (folder / "model.safetensors").unlink()
        (folder / "training_args.bin").touch()
        with pytest.raises(ModelError, match=r"there is no model\.safetensors"):
            load(folder)

    @pytest.mark.parametrize("kept", [0, 4, 100, -1], ids=["empty", "a stump", "half a header", "a byte too few"])
    @pytest.mark.parametrize("name", ["model.safetensors", "backbone/model.safetensors", "head.safetensors"])
    def test_weights_cut_short_name_the_file(self, tmp_path: Path, name: str, kept: int) -> None:
        folder = tmp_path / "model"
        if name == "model.safetensors":
            save_classifier(folder)
        else:
            save(tiny_scorer(tmp_path / "base"), folder)
        content = (folder / name).read_bytes()
        (folder / name).write_bytes(content[:kept])
        with pytest.raises(
            ModelError, match=rf"{name}: (broken or cut short|no head that reward_model\.json describes)"
        ):
            load(folder)

    def test_a_missing_part_of_the_weights_is_named(self, tmp_path: Path) -> None:
        folder = Path(save_classifier(tmp_path))
        weights = load_file(folder / "model.safetensors")
        (folder / "model.safetensors").unlink()
        half = dict(list(weights.items())[:9])
        save_file(half, folder / "model-1.safetensors", {"format": "pt"})
        where = {name: f"model-{1 if name in half else 2}.safetensors" for name in weights}
        index = folder / "model.safetensors.index.json"
        index.write_text(json.dumps({"weight_map": where, "metadata": {}}))
        with pytest.raises(
            ModelError, match=r"model-2\.safetensors: this file of weights is missing; .*index\.json names"
        ):
            load(folder)
        rest = {name: part for name, part in weights.items() if name not in half}
        save_file(rest, folder / "model-2.safetensors", {"format": "pt"})
        assert scores(load(folder, device="cpu")).std() > 0
        index.write_text(json.dumps({"weight_map": [1]}))
        with pytest.raises(ModelError, match="'weight_map' should say in which file of the folder each"):
            load(folder)

    @pytest.mark.parametrize("outside", ["../other.safetensors", "/etc/other.safetensors"])
    def test_an_index_that_leaves_the_folder_is_refused(self, tmp_path: Path, outside: str) -> None:
        folder = Path(save_classifier(tmp_path / "model"))
        (folder / "model.safetensors").rename(folder / "other.safetensors")
        (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": {"score.weight": outside}}))
        with pytest.raises(ModelError, match="'weight_map' should say in which file of the folder each"):
            load(folder)

    @pytest.mark.parametrize(
        ("content", "error", "message"),
        [
            ("{", ModelError, r"reward_model\.json: cannot be read \(Expecting property name"),
            ("[]", ModelError, r"reward_model\.json: expected a JSON object"),
            ("{}", ConfigError, "architecture: is required"),
            ('{"architecture": "x"}', ConfigError, "architecture: expected 'classifier' or 'head', got 'x'"),
            (
                '{"architecture": "head", "pooling": "own", "encoding": {}}',
                ConfigError,
                "architecture 'head' needs a 'head', and pooling 'last' or 'mean'",
            ),
        ],
    )
    def test_a_card_that_says_nothing_valid(
        self, tmp_path: Path, content: str, error: type[Exception], message: str
    ) -> None:
        folder = Path(save_classifier(tmp_path))
        (folder / "reward_model.json").write_text(content)
        with pytest.raises(error, match=message):
            load(folder)

    def test_code_that_comes_with_a_model_is_not_run(self, tmp_path: Path) -> None:
        folder = Path(save_classifier(tmp_path))
        (folder / "evil.py").write_text("raise RuntimeError('was run')")
        config = json.loads((folder / "config.json").read_text())
        for auto_map, kind in (
            ({"AutoModelForSequenceClassification": "evil.Model"}, "llama"),
            ({"AutoConfig": "evil.Config", "AutoModelForSequenceClassification": "evil.Model"}, "their_own"),
        ):
            changed = {**config, "auto_map": auto_map, "model_type": kind, "architectures": ["Model"]}
            (folder / "config.json").write_text(json.dumps(changed))
            with pytest.raises(
                ModelError, match="this model needs Python code of its own .* then say trust_remote_code"
            ):
                load(folder)

    def test_an_unknown_architecture(self, tmp_path: Path) -> None:
        folder = Path(save_classifier(tmp_path))
        (folder / "config.json").write_text('{"model_type": "no_such_type"}')
        with pytest.raises(ModelError, match="no_such_type"):
            load(folder)

    def test_a_tokenizer_that_is_not_there(self, tmp_path: Path) -> None:
        folder = Path(save_classifier(tmp_path))
        for path in folder.glob("token*"):
            path.unlink()
        with pytest.raises(ModelError, match=str(folder)):
            load(folder)

    @pytest.mark.parametrize("call", [load, lambda base: build(ModelSettings(base=str(base)), device="cpu")])
    def test_a_tokenizer_of_another_model(self, tmp_path: Path, call: Any) -> None:
        saved = save_classifier if call is load else save_base
        folder = saved(tmp_path, vocab_size=200)
        with pytest.raises(
            ModelError, match=r"the tokenizer has token \d+ \('.*'\) and the model embeds 200 tokens only"
        ):
            call(folder)

    def test_a_head_that_does_not_fit_its_card(self, tmp_path: Path) -> None:
        save(tiny_scorer(tmp_path / "base"), tmp_path / "model")
        save_file({"layers.1.weight": torch.zeros(1, 3)}, tmp_path / "model" / "head.safetensors")
        with pytest.raises(ModelError, match=r"head\.safetensors: no head that reward_model\.json describes"):
            load(tmp_path / "model")


class TestADiskThatIsFull:
    def test_is_said_and_leaves_the_model_that_was_there(self, tmp_path: Path) -> None:
        old = tiny_scorer(tmp_path / "base", seed=1)
        save(old, tmp_path / "model")
        new = tiny_scorer(tmp_path / "base2", seed=2)
        limits = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (5_000, limits[1]))
        try:
            with pytest.raises(ModelError, match="model: the model cannot be saved: .*File too large"):
                save(new, tmp_path / "model")
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        np.testing.assert_array_equal(scores(load(tmp_path / "model", device="cpu")), scores(old))

    def test_a_folder_that_cannot_be_made(self, tmp_path: Path) -> None:
        scorer = tiny_scorer(tmp_path / "base")
        (tmp_path / "file").touch()
        with pytest.raises(ModelError, match="the model cannot be saved: .*(File exists|Not a directory)"):
            save(scorer, tmp_path / "file")


def test_a_tokenizer_without_padding_and_a_model_without_one_load_and_score_batches(tmp_path: Path) -> None:
    loaded = load(save_classifier(tmp_path, "gpt2", tiny_tokenizer("plain")), device="cpu")
    assert loaded.encoder.tokenizer.pad_token_id is loaded.model.body.config.pad_token_id is None
    assert len(scores(loaded)) == 3
