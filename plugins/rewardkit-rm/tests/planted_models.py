"""Tiny models whose score is known: by length, or by the share of one letter. Made by setting weights, not trained.

save_length_model(folder, sign=1) -> str     the score grows (sign 1) or falls (sign -1) with the number of tokens
save_letter_model(folder) -> str             the score grows with the share of tokens with a "y", falls with that of "z"
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import torch
from tiny_models import tiny_config, tiny_tokenizer
from transformers import AutoModelForSequenceClassification

__all__ = ["save_length_model", "save_letter_model"]

_POSITIONS = 8192


def save_length_model(folder: Path, sign: int = 1) -> str:
    """One layer that does nothing; positions lie on a quarter of a circle, and the score is the height on it."""
    model = _blank()
    angle = torch.arange(_POSITIONS) / _POSITIONS * math.pi / 2
    positions = torch.stack([angle.cos(), angle.sin(), -angle.cos(), -angle.sin()], dim=1)
    with torch.no_grad():
        model.transformer.wpe.weight.copy_(positions)
        model.score.weight.copy_(torch.tensor([[0.0, 300.0 * sign, 0.0, 0.0]]))
    return _save(model, folder)


def save_letter_model(folder: Path) -> str:
    """One attention layer without keys, so that it averages: the score grows with the mean over all tokens."""
    model = _blank()
    vocabulary = tiny_tokenizer("plain").get_vocab()
    with torch.no_grad():
        for token, number in vocabulary.items():
            kind = 1.0 if "y" in token else -1.0 if "z" in token else 0.0
            row = [kind, -kind, 0.0, 0.0] if kind else [0.0, 0.0, 1.0, -1.0]
            model.transformer.wte.weight[number] = torch.tensor(row)
        attention = model.transformer.h[0].attn
        attention.c_attn.weight[:, 8:] = torch.eye(4)
        attention.c_proj.weight.copy_(torch.eye(4))
        model.score.weight.copy_(torch.tensor([[4.0, -4.0, 0.0, 0.0]]))
    return _save(model, folder)


def _blank() -> Any:
    config = tiny_config("gpt2", n_embd=4, n_layer=1, n_head=1, n_positions=_POSITIONS, num_labels=1)
    model: Any = AutoModelForSequenceClassification.from_config(config)  # type: ignore[no-untyped-call]
    block = model.transformer.h[0]
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.zero_()
        for norm in (block.ln_1, block.ln_2, model.transformer.ln_f):
            norm.weight.fill_(1.0)
    return model


def _save(model: Any, folder: Path) -> str:
    model.save_pretrained(folder)
    tiny_tokenizer("plain").save_pretrained(folder)
    return str(folder)
