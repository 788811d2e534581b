"""Which representations the head reads: layers side by side, and long completions in windows."""

from __future__ import annotations

import functools
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from rewardkit_rm.models.encoding import Encoded, ResponseEncoder
from rewardkit_rm.models.errors import ModelError
from rewardkit_rm.models.loading import build, load, save
from rewardkit_rm.models.settings import EncodingSettings, ModelSettings
from tiny_models import save_base, tiny_scorer, tiny_tokenizer

PROMPTS = ["What is two plus two?", "The capital of France?", ""]
COMPLETIONS = ["four", "Paris, on the river Seine", "blue " * 8]
LIMIT = 32
TEXTS = st.text(st.characters(codec="utf-8"), max_size=60)


class TestLayers:
    @pytest.mark.parametrize("kind", ["llama", "bert"])
    def test_features_are_the_pooled_hidden_states_side_by_side(self, tmp_path: Path, kind: str) -> None:
        scorer = tiny_scorer(tmp_path, kind, layers=[0, -1, 1], pooling="mean")
        features = scorer.embed(PROMPTS, COMPLETIONS)
        for row, (prompt, completion) in enumerate(zip(PROMPTS, COMPLETIONS, strict=True)):
            encoded = scorer.encoder.encode(prompt, completion)
            inputs = scorer.encoder.pad([encoded])
            with torch.inference_mode():
                states = scorer.model.body(**inputs, output_hidden_states=True).hidden_states
            expected = torch.cat([states[layer][0].mean(0) for layer in (0, 2, 1)])
            np.testing.assert_allclose(features[row], expected.numpy(), atol=1e-5)

    def test_without_layers_it_is_the_last_one(self, tmp_path: Path) -> None:
        last = tiny_scorer(tmp_path / "a", "llama").embed(PROMPTS, COMPLETIONS)
        named = tiny_scorer(tmp_path / "b", "llama", layers=[-1]).embed(PROMPTS, COMPLETIONS)
        np.testing.assert_allclose(last, named, atol=1e-6)

    def test_a_saved_model_reads_the_same_layers(self, tmp_path: Path) -> None:
        scorer = tiny_scorer(tmp_path / "base", "bert", layers=[0, 2])
        save(scorer, tmp_path / "model")
        loaded = load(tmp_path / "model", device="cpu")
        assert loaded.model.layers == (0, 2)
        np.testing.assert_array_equal(
            loaded.score(PROMPTS, COMPLETIONS).values, scorer.score(PROMPTS, COMPLETIONS).values
        )

    @pytest.mark.parametrize("layer", [3, -4])
    def test_a_layer_that_is_not_there_is_refused(self, tmp_path: Path, layer: int) -> None:
        with pytest.raises(ModelError, match=rf"LlamaModel has layers 0 \(the embeddings\) to 2, and no {layer}"):
            tiny_scorer(tmp_path, "llama", layers=[0, layer])

    def test_a_saved_model_that_names_a_layer_too_many_is_refused(self, tmp_path: Path) -> None:
        save(tiny_scorer(tmp_path / "base", "llama"), tmp_path / "model")
        card = tmp_path / "model" / "reward_model.json"
        card.write_text(json.dumps(json.loads(card.read_text()) | {"layers": [9]}))
        with pytest.raises(ModelError, match="and no 9"):
            load(tmp_path / "model", device="cpu")

    def test_a_classifier_has_layers_of_its_own(self) -> None:
        with pytest.raises(ValidationError, match="'layers' belongs to 'architecture: head'"):
            ModelSettings(base="x", architecture="classifier", layers=[0])


@functools.cache
def windowed() -> ResponseEncoder:
    return ResponseEncoder(tiny_tokenizer("pair"), EncodingSettings(windows=True, max_length=LIMIT))


@functools.cache
def free() -> ResponseEncoder:
    return ResponseEncoder(tiny_tokenizer("pair"), EncodingSettings())


def completion_of(part: Encoded) -> list[int]:
    """Return the tokens of the completion in a part, without the separator behind it."""
    kinds = part.token_type_ids or []
    return [token for token, kind in zip(part.input_ids, kinds, strict=True) if kind == 1][:-1]


class TestWindows:
    @settings(max_examples=200)
    @given(TEXTS, st.text(st.characters(codec="utf-8"), max_size=400))
    def test_no_token_of_a_completion_is_lost_or_read_twice(self, prompt: str, completion: str) -> None:
        found, whole = windowed().encode(prompt, completion), free().encode(prompt, completion)
        parts = found.windows or (found,)
        assert all(len(part.input_ids) <= LIMIT for part in parts)
        assert [token for part in parts for token in completion_of(part)] == completion_of(whole)

    def test_each_window_stands_behind_the_end_of_the_prompt(self) -> None:
        encoder = windowed()
        tokens = encoder.tokenizer("What is two plus two? " * 3, add_special_tokens=False)["input_ids"]
        found = encoder.encode("What is two plus two? " * 3, "four " * 40)
        kept = tokens[-(LIMIT // 4) :]
        assert len(found.windows) > 2
        for part in found.windows:
            assert part.input_ids[: len(kept) + 2] == [
                encoder.tokenizer.cls_token_id,
                *kept,
                encoder.tokenizer.sep_token_id,
            ]
        assert found.cut == len(tokens) - len(kept)

    def test_what_fits_is_read_at_once(self) -> None:
        assert windowed().encode("Q?", "four").windows == ()

    def test_features_are_the_mean_over_all_tokens_of_all_windows(self, tmp_path: Path) -> None:
        scorer = tiny_scorer(tmp_path, "bert", encoding=EncodingSettings(windows=True, max_length=LIMIT))
        found = scorer.encoder.encode("What is two plus two?", "four " * 60)
        states = []
        for part in found.windows:
            with torch.inference_mode():
                states.append(scorer.model.body(**scorer.encoder.pad([part])).last_hidden_state[0])
        expected = torch.cat(states).mean(0).numpy()
        np.testing.assert_allclose(scorer.embed(["What is two plus two?"], ["four " * 60])[0], expected, atol=1e-5)

    def test_scores_are_the_head_of_the_features_in_any_company(self, tmp_path: Path) -> None:
        scorer = tiny_scorer(tmp_path, "bert", encoding=EncodingSettings(windows=True, max_length=LIMIT))
        prompts, completions = ["Q?", "", "two?", "Q?"], ["four " * 60, "blue", "sky " * 99, "four " * 60]
        done: list[int] = []
        scored = scorer.score(prompts, completions, progress=done.append)
        assert not scored.problems
        assert sum(done) == 4
        features = torch.from_numpy(scorer.embed(prompts, completions))
        with torch.inference_mode():
            np.testing.assert_allclose(scored.values, scorer.model.head(features).numpy(), atol=1e-5)
        alone = [float(scorer.score([p], [c]).values[0]) for p, c in zip(prompts, completions, strict=True)]
        np.testing.assert_allclose(scored.values, alone, atol=1e-5)

    def test_a_saved_model_reads_windows_too(self, tmp_path: Path) -> None:
        scorer = tiny_scorer(tmp_path / "base", "bert", encoding=EncodingSettings(windows=True, max_length=LIMIT))
        save(scorer, tmp_path / "model")
        loaded = load(tmp_path / "model", device="cpu")
        long = ["four " * 60]
        np.testing.assert_array_equal(loaded.score(["Q?"], long).values, scorer.score(["Q?"], long).values)

    def test_without_them_a_completion_that_does_not_fit_has_no_score(self, tmp_path: Path) -> None:
        scorer = tiny_scorer(tmp_path, "bert", encoding=EncodingSettings(max_length=LIMIT))
        scored = scorer.score(["Q?"], ["four " * 60])
        assert "the completion alone has" in scored.problems[0]

    def test_a_format_without_segments_is_refused(self) -> None:
        with pytest.raises(ModelError, match="windows need the format 'pair', and the tokenizer's is 'chat'"):
            ResponseEncoder(tiny_tokenizer("chat"), EncodingSettings(windows=True))

    @pytest.mark.parametrize("changes", [{"train": "full"}, {"pooling": "last"}, {"architecture": "classifier"}])
    def test_settings_that_cannot_average_are_refused(self, changes: dict[str, str]) -> None:
        with pytest.raises(ValidationError, match=r"'encoding.windows' needs 'architecture: head', 'train: head' and"):
            ModelSettings(base="x", encoding=EncodingSettings(windows=True), **changes)  # type: ignore[arg-type]

    def test_a_decoder_pools_its_last_token_and_is_refused(self, tmp_path: Path) -> None:
        base = save_base(tmp_path, "llama", tiny_tokenizer("pair"))
        with pytest.raises(ModelError, match="windows need 'pooling: mean', and .* pools the 'last' token"):
            build(ModelSettings(base=base, encoding=EncodingSettings(windows=True)), device="cpu")
