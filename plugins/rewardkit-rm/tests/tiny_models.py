"""Tiny models and tokenizers with random weights, made in code: what tests of reward models run on.

tiny_tokenizer(kind="chat" | "plain" | "pair", **changes) -> PreTrainedTokenizerFast
tiny_config(kind="llama" | "qwen3" | "gpt2" | "bert" | ..., **changes) -> PreTrainedConfig
save_base(folder, kind="llama", tokenizer=None, **changes) -> str        a language model without a head
save_classifier(folder, kind="llama", tokenizer=None, **changes) -> str  a sequence classifier with one label
tiny_scorer(folder, kind="llama", **settings) -> Scorer                  a new head on a tiny base
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from rewardkit_rm.models.loading import build
from rewardkit_rm.models.pretrained import quietly
from rewardkit_rm.models.scorer import Scorer
from rewardkit_rm.models.settings import ModelSettings
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from tokenizers.processors import TemplateProcessing
from transformers import (
    AutoConfig,
    AutoModel,
    AutoModelForSequenceClassification,
    PreTrainedConfig,
    PreTrainedTokenizerFast,
)

torch.set_num_threads(1)  # tiny operations only wait for a second thread

__all__ = ["CHATML", "save_base", "save_classifier", "tiny_config", "tiny_scorer", "tiny_tokenizer"]

CHATML = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n{{ message['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
_SPECIAL = ["<pad>", "<s>", "</s>", "<|im_start|>", "<|im_end|>", "[CLS]", "[SEP]"]
_LINES = [
    "What is two plus two? Two plus two is four.",
    "The capital of France is Paris, and the river is the Seine.",
    "Please explain briefly why the sky is blue.",
    "system user assistant helpful answer 0 1 2 3 4 5 6 7 8 9",
]
_SIZES: dict[str, Any] = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32}
_SIZES |= {"max_position_embeddings": 128, "initializer_range": 0.5}
_GROUPED = {"num_key_value_heads": 1}
_HEADS = {"num_key_value_heads": 1, "head_dim": 8}
_SIZES_OF: dict[str, dict[str, Any]] = {
    "distilbert": {"dim": 16, "n_layers": 2, "n_heads": 2, "hidden_dim": 32, "max_position_embeddings": 128},
    "electra": _SIZES | {"embedding_size": 16},
    "albert": _SIZES | {"embedding_size": 16},
    "gpt2": {"n_embd": 16, "n_layer": 2, "n_head": 2, "n_positions": 128, "initializer_range": 0.5},
    "roberta": _SIZES | {"pad_token_id": 0, "type_vocab_size": 1},
    **dict.fromkeys(("llama", "mistral", "mixtral", "olmo2", "phi3", "qwen2", "smollm3"), _SIZES | _GROUPED),
    **dict.fromkeys(("gemma", "gemma2", "qwen3", "qwen3_moe"), _SIZES | _HEADS),
}


def tiny_tokenizer(kind: str = "chat", **changes: Any) -> PreTrainedTokenizerFast:
    """A byte-level BPE of about 300 tokens.

    Args:
        kind: ``chat``: ChatML, end-of-text is ``<|im_end|>`` and is the padding token too. ``plain``: no template,
            ``<s>`` opens every text, ``</s>`` is end-of-text, there is no padding token. ``pair``: ``[CLS]`` and
            ``[SEP]`` around segments, as BERT.
        changes: Arguments of `PreTrainedTokenizerFast`, and ``chat_template``.
    """
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=320, special_tokens=_SPECIAL, initial_alphabet=alphabet, show_progress=False
    )
    tokenizer.train_from_iterator(_LINES, trainer)
    names: dict[str, Any] = {"chat": {"eos_token": "<|im_end|>", "pad_token": "<|im_end|>"}}.get(kind, {})
    if kind == "plain":
        names = {"bos_token": "<s>", "eos_token": "</s>"}
        _surround(tokenizer, "<s> $A", "<s> $A <s> $B", "<s>")
    if kind == "pair":
        names = {"cls_token": "[CLS]", "sep_token": "[SEP]", "pad_token": "<pad>"}
        _surround(tokenizer, "[CLS] $A [SEP]", "[CLS] $A [SEP] $B:1 [SEP]:1", "[CLS]", "[SEP]")
    template = changes.pop("chat_template", CHATML if kind == "chat" else None)
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, **{**names, **changes})  # type: ignore[no-untyped-call]
    fast.add_special_tokens({"extra_special_tokens": ["<|im_start|>", "<|im_end|>"]})
    fast.chat_template = template
    return fast


def _surround(tokenizer: Tokenizer, single: str, pair: str, *tokens: str) -> None:
    numbers = [(token, tokenizer.token_to_id(token)) for token in tokens]
    tokenizer.post_processor = TemplateProcessing(single=single, pair=pair, special_tokens=numbers)


def tiny_config(kind: str = "llama", **changes: Any) -> PreTrainedConfig:
    """The configuration of a model with two layers of width 16 and 128 positions."""
    tokens = {"vocab_size": 320, "pad_token_id": None, "bos_token_id": None, "eos_token_id": None}
    if kind in ("albert", "bert", "distilbert", "electra"):
        tokens = {"vocab_size": 320, "pad_token_id": 0}
    return AutoConfig.for_model(kind, **{**tokens, **_SIZES_OF.get(kind, _SIZES), **changes})


def save_base(
    folder: Path, kind: str = "llama", tokenizer: PreTrainedTokenizerFast | None = None, **changes: Any
) -> str:
    """Save a transformer without a head, and its tokenizer; return the folder."""
    torch.manual_seed(0)
    model = AutoModel.from_config(tiny_config(kind, **changes))  # type: ignore[no-untyped-call]
    return _save(model, folder, kind, tokenizer)


def save_classifier(
    folder: Path, kind: str = "llama", tokenizer: PreTrainedTokenizerFast | None = None, **changes: Any
) -> str:
    """Save a sequence classifier with one label, and its tokenizer; return the folder."""
    torch.manual_seed(0)
    config = tiny_config(kind, **{"num_labels": 1, **changes})
    model = AutoModelForSequenceClassification.from_config(config)  # type: ignore[no-untyped-call]
    return _save(model, folder, kind, tokenizer)


def _save(model: Any, folder: Path, kind: str, tokenizer: PreTrainedTokenizerFast | None) -> str:
    with quietly():
        model.save_pretrained(folder)
    default = {"bert": "pair", "distilbert": "pair", "roberta": "pair", "gpt2": "plain"}.get(kind, "chat")
    (tokenizer or tiny_tokenizer(default)).save_pretrained(folder)
    return str(folder)


def tiny_scorer(folder: Path, kind: str = "llama", seed: int = 0, **settings: Any) -> Scorer:
    """A reward model with a new head on a tiny base, on the CPU."""
    base = save_base(folder, kind)
    return build(ModelSettings(base=base, **settings), seed, device="cpu")
