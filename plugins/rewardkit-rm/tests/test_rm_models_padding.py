"""A sequence has one score: alone, padded on either side, and packed with others."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from rewardkit_rm.models.encoding import Encoded, ResponseEncoder
from rewardkit_rm.models.errors import ModelError
from rewardkit_rm.models.loading import build
from rewardkit_rm.models.packing import block_mask, refusal
from rewardkit_rm.models.reward_model import RewardModel, new_head
from rewardkit_rm.models.scorer import Scorer
from rewardkit_rm.models.settings import EncodingSettings, HeadSettings, ModelSettings
from tiny_models import save_base, save_classifier, tiny_config, tiny_tokenizer
from torch import Tensor
from transformers import AutoModel, AutoModelForSequenceClassification

PACKED = [
    "albert", "bert", "cohere", "distilbert", "electra", "gemma", "gpt2", "gpt_neox", "granite", "llama", "mistral",
    "mixtral", "olmo", "olmo2", "phi", "phi3", "qwen2", "qwen3", "qwen3_moe", "smollm3",
]  # fmt: skip
LENGTHS = [1, 7, 40, 3, 1, 25, 100]


def sequences(seed: int = 0) -> list[Encoded]:
    generator = torch.Generator().manual_seed(seed)
    return [Encoded(torch.randint(10, 320, (length,), generator=generator).tolist()) for length in LENGTHS]


def encoder() -> ResponseEncoder:
    return ResponseEncoder(tiny_tokenizer("plain"), EncodingSettings(format="plain"))


def model_of(kind: str, attention: str, pooling: Any, **changes: Any) -> RewardModel:
    torch.manual_seed(0)
    if kind == "mistral":
        changes = {"sliding_window": None, **changes}
    config = tiny_config(kind, **changes)
    body = AutoModel.from_config(config, attn_implementation=attention)  # type: ignore[no-untyped-call]
    return RewardModel(body, new_head(HeadSettings(dropout=0), config.hidden_size), "head", pooling).eval()


@torch.no_grad()
def reference(model: RewardModel, item: Encoded) -> float:
    """One sequence without padding through transformers, and the head by hand."""
    hidden = model.body(torch.tensor([item.input_ids])).last_hidden_state[0]
    pooled = hidden[-1] if model.pooling == "last" else hidden.mean(0)
    return float(pooled @ model.head.output.weight[0] + model.head.output.bias[0])


@torch.no_grad()
def scores(model: RewardModel, inputs: dict[str, Tensor]) -> list[float]:
    found: list[float] = model(**inputs).tolist()
    return found


@pytest.mark.parametrize("pooling", ["last", "mean"])
@pytest.mark.parametrize("attention", ["sdpa", "eager"])
@pytest.mark.parametrize("kind", PACKED)
class TestEveryLayout:
    def test_padding_and_packing_leave_the_score_of_a_sequence_alone(
        self, kind: str, attention: str, pooling: str
    ) -> None:
        model, items = model_of(kind, attention, pooling), sequences()
        expected = pytest.approx([reference(model, item) for item in items], abs=1e-4)
        assert torch.tensor(expected.expected).std() > 0.1, "the test could not fail"
        assert scores(model, encoder().pad(items, "right")) == expected
        assert scores(model, encoder().pad(items, "left")) == expected
        assert scores(model, encoder().pack(items)) == expected
        assert scores(model, encoder().pack(items, 130)) == expected
        assert [scores(model, encoder().pack([item, items[0]]))[0] for item in items] == expected


@pytest.mark.parametrize("kind", ["roberta", "gemma2", "opt", "falcon", "gpt_neo", "phimoe", "modernbert"])
@pytest.mark.parametrize("pooling", ["last", "mean"])
def test_other_architectures_are_padded_rightly_too(kind: str, pooling: str) -> None:
    special: dict[str, dict[str, Any]] = {
        "opt": {"ffn_dim": 32, "word_embed_proj_dim": 16},
        "gpt_neo": {"num_layers": 2, "attention_types": [[["global", "local"], 1]], "num_heads": 2, "window_size": 8},
        "phimoe": {"num_key_value_heads": 1},
        "modernbert": dict.fromkeys(
            ("bos_token_id", "eos_token_id", "cls_token_id", "sep_token_id", "pad_token_id"), 0
        ),
    }
    tokenizer = tiny_tokenizer("plain", pad_token="<pad>")  # RoBERTa's own code counts positions by padding token
    model, items = model_of(kind, "eager", pooling, **special.get(kind, {})), sequences()
    if kind == "roberta":
        items = [item for item in items if len(item.input_ids) < 100]
    encode = ResponseEncoder(tokenizer, EncodingSettings(format="plain"))
    expected = pytest.approx([reference(model, item) for item in items], abs=1e-4)
    assert scores(model, encode.pad(items, "right")) == expected
    assert scores(model, encode.pad(items, "left")) == expected


@pytest.mark.parametrize("kind", ["llama", "gpt2", "bert"])
def test_gaps_inside_a_row_are_closed(kind: str) -> None:
    model, item = model_of(kind, "sdpa", "last"), sequences()[1]
    mask = torch.tensor([[0, 1, 1, 0, 0, 1, 1, 1, 0, 1, 1, 0]])
    ids = torch.full(mask.shape, 3)
    ids[mask.bool()] = torch.tensor(item.input_ids)
    assert scores(model, {"input_ids": ids, "attention_mask": mask}) == pytest.approx(
        [reference(model, item)], abs=1e-4
    )


class TestTheLastTokenIsFoundByTheMask:
    """With ``pad_token == eos_token`` transformers reads the token before a genuine end-of-text token."""

    @pytest.mark.parametrize("side", ["right", "left"])
    @pytest.mark.parametrize("kind", ["llama", "gpt2"])
    def test_also_where_padding_is_the_end_of_text_token(self, tmp_path: Path, kind: str, side: Any) -> None:
        end = tiny_tokenizer("chat").eos_token_id
        base = save_classifier(tmp_path, kind, tiny_tokenizer("chat"), pad_token_id=end)
        theirs = AutoModelForSequenceClassification.from_pretrained(base).eval()
        scorer = build(ModelSettings(base=base, architecture="classifier"), device="cpu")
        scorer.model.head.output.load_state_dict(theirs.score.state_dict())
        items = [Encoded([20, 21, 22, end]), Encoded([30, 31, 32, 33, 34, 35, end])]
        found = scores(scorer.model, scorer.encoder.pad(items, side))
        with torch.no_grad():
            hidden = [theirs.base_model(torch.tensor([item.input_ids])).last_hidden_state[0] for item in items]
            at_end, before = ([float(theirs.score(states[place])) for states in hidden] for place in (-1, -2))
            fooled = [float(theirs(torch.tensor([item.input_ids])).logits) for item in items]
        assert found == pytest.approx(at_end, abs=1e-5)
        assert fooled == pytest.approx(before, abs=1e-5), "the trap is gone from transformers"
        assert min(abs(a - b) for a, b in zip(at_end, before, strict=True)) > 0.05

    def test_the_chat_format_scores_the_token_after_the_answer(self, tmp_path: Path) -> None:
        scorer = build(ModelSettings(base=save_base(tmp_path)), device="cpu")
        encoded = scorer.encoder.encode("2+2?", "4")
        assert scorer.encoder.tokenizer.pad_token_id == scorer.encoder.tokenizer.eos_token_id
        assert str(scorer.encoder.tokenizer.decode(encoded.input_ids)).endswith("assistant\n4<|im_end|>\n")


class TestPrecision:
    @pytest.mark.parametrize("architecture", ["head", "classifier"])
    @pytest.mark.parametrize("kind", ["llama", "bert"])
    def test_pooling_and_head_are_float32_over_a_bfloat16_backbone(
        self, tmp_path: Path, kind: str, architecture: Any
    ) -> None:
        base = save_base(tmp_path, kind)
        settings = ModelSettings(base=base, architecture=architecture, dtype="bfloat16", train="full")
        scorer = build(settings, device="cpu")
        assert {parameter.dtype for parameter in scorer.model.body.parameters()} == {torch.bfloat16}
        assert scorer.model.head.output.weight.dtype == torch.float32
        with torch.autocast("cpu", dtype=torch.bfloat16):
            found = scorer.model(**scorer.encoder.pad(sequences()))
        assert found.dtype == torch.float32
        assert not torch.equal(found, found.bfloat16().float()), "scores lie on bfloat16's grid"

    def test_the_mean_is_taken_in_float32(self) -> None:
        """1 + 2^-8 has no bfloat16: a mean taken in it would be 1."""
        from rewardkit_rm.models.packing import pool_packed, pool_rows

        hidden = torch.ones(1, 256, 1, dtype=torch.bfloat16)
        hidden[0, 0] = 2.0
        expected = torch.tensor([[1 + 2**-8]])
        mask = torch.ones(1, 256, dtype=torch.long)
        assert torch.equal(pool_rows(hidden, mask, "mean"), expected)
        assert torch.equal(pool_packed(hidden, mask, "mean"), expected)


class TestPackingIsRefused:
    @pytest.mark.parametrize(
        ("kind", "changes", "message"),
        [
            ("roberta", {}, "packing is not known to be right for model type 'roberta'; it is for albert, bert"),
            ("gemma2", {}, "packing is not known to be right for model type 'gemma2'"),
            ("mistral", {"sliding_window": 8}, "this mistral model has layers that see a window only"),
            (
                "qwen2",
                {"use_sliding_window": True, "sliding_window": 8, "max_window_layers": 1},
                "this qwen2 model has layers that see a window only",
            ),
        ],
        ids=["positions that count padding", "not tried", "sliding window", "a window in some layers"],
    )
    def test_where_it_would_be_wrong(self, kind: str, changes: dict[str, Any], message: str) -> None:
        model = model_of(kind, "eager", "last", **changes)
        with pytest.raises(ModelError, match=message):
            model(**encoder().pack(sequences(), 130))

    def test_where_the_model_pools_by_itself(self, tmp_path: Path) -> None:
        scorer = build(ModelSettings(base=save_base(tmp_path, "bert"), architecture="classifier"), device="cpu")
        with pytest.raises(ModelError, match="BertForSequenceClassification pools by itself, one sequence a row"):
            scorer.model(**scorer.encoder.pack(sequences(), 130))

    def test_with_an_attention_that_takes_no_such_mask(self) -> None:
        model = model_of("llama", "sdpa", "last")
        model.body.config._attn_implementation = "flash_attention_2"
        assert refusal(model.body, "last") == "packing needs attention 'sdpa' or 'eager', not 'flash_attention_2'"


def test_a_block_mask_lets_a_decoder_see_back_and_an_encoder_see_all() -> None:
    numbers = torch.tensor([[1, 1, 2, 0]])
    causal = block_mask(numbers, model_of("llama", "sdpa", "last").body)[0, 0].int().tolist()
    both = block_mask(numbers, model_of("bert", "sdpa", "last").body)[0, 0].int().tolist()
    assert causal == [[1, 0, 0, 0], [1, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]]
    assert both == [[1, 1, 0, 0], [1, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]]


@pytest.mark.parametrize("kind", ["llama", "bert"])
def test_gradients_of_packed_and_padded_rows_are_the_same(kind: str) -> None:
    """Padding looks at padding, so that no row of the mask is empty and no gradient is nan."""

    def gradients(inputs: dict[str, Tensor]) -> Tensor:
        model = model_of(kind, "sdpa", "mean")
        model(**inputs).square().sum().backward()
        found = [parameter.grad.flatten() for parameter in model.parameters() if parameter.grad is not None]
        return torch.cat(found)

    padded, packed = gradients(encoder().pad(sequences(), "left")), gradients(encoder().pack(sequences(), 101))
    assert padded.isfinite().all()
    assert torch.allclose(padded, packed, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize(("train", "frozen"), [("head", True), ("last_layers", False), ("full", False)])
def test_a_frozen_body_drops_nothing_in_training(tmp_path: Path, train: Any, frozen: bool) -> None:
    last_layers = 1 if train == "last_layers" else None
    settings = ModelSettings(base=save_base(tmp_path, "bert"), train=train, last_layers=last_layers)
    scorer: Scorer = build(settings, device="cpu")
    scorer.model.train()
    assert scorer.model.body.training is not frozen
    assert scorer.model.head.training
