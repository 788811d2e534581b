"""Padding and packing: where sequences begin and end, who may look at whom, and what is pooled."""

from __future__ import annotations

import torch
from torch import Tensor
from transformers import PreTrainedModel

from rewardkit_rm.models.backbone import is_encoder

__all__ = ["block_mask", "ends_of", "pool_packed", "pool_rows", "positions_of", "refusal", "right_padded"]

# tested: they take a 4-D mask and positions that restart
_PACKED = (
    "albert", "bert", "cohere", "distilbert", "electra", "gemma", "gpt2", "gpt_neox", "granite", "llama", "mistral",
    "mixtral", "olmo", "olmo2", "phi", "phi3", "qwen2", "qwen3", "qwen3_moe", "smollm3",
)  # fmt: skip


def refusal(body: PreTrainedModel, pooling: str) -> str:
    """Say why packed rows would be scored wrongly by this model; empty where they are right."""
    config, kind = body.config, body.config.model_type
    if pooling == "own":
        return f"{type(body).__name__} pools by itself, one sequence a row; packed rows need 'architecture: head'"
    if kind not in _PACKED:
        return f"packing is not known to be right for model type {kind!r}; it is for {', '.join(_PACKED)}"
    layers = set(getattr(config, "layer_types", None) or ["full_attention"])
    if getattr(config, "sliding_window", None) is not None or layers != {"full_attention"}:
        return f"this {kind} model has layers that see a window only, for which packed rows would be wrong"
    if config._attn_implementation not in ("eager", "sdpa"):
        return f"packing needs attention 'sdpa' or 'eager', not {config._attn_implementation!r}"
    return ""


def right_padded(
    input_ids: Tensor, mask: Tensor, token_type_ids: Tensor | None
) -> tuple[Tensor, Tensor, Tensor | None]:
    """Move the real tokens of every row to its left, in order; all shapes ``(B, L)``."""
    order = torch.argsort((mask == 0).to(torch.uint8), dim=1, stable=True)
    moved = None if token_type_ids is None else token_type_ids.gather(1, order)
    return input_ids.gather(1, order), mask.gather(1, order), moved


def positions_of(numbers: Tensor) -> Tensor:
    """Return positions that restart with every sequence.

    >>> positions_of(torch.tensor([[1, 1, 1, 2, 2, 0]])).tolist()
    [[0, 1, 2, 0, 1, 0]]
    """
    places = torch.arange(numbers.shape[1], device=numbers.device).expand_as(numbers)
    begins = torch.ones_like(numbers, dtype=torch.bool)
    begins[:, 1:] = numbers[:, 1:] != numbers[:, :-1]
    return places - torch.where(begins, places, 0).cummax(1).values


def ends_of(numbers: Tensor) -> Tensor:
    """Tell the last token of every sequence, shape ``(B, L)``.

    >>> ends_of(torch.tensor([[1, 1, 2, 0]])).int().tolist()
    [[0, 1, 1, 0]]
    """
    ends = numbers > 0
    ends[:, :-1] &= numbers[:, :-1] != numbers[:, 1:]
    return ends


def block_mask(numbers: Tensor, body: PreTrainedModel) -> Tensor:
    """Return who may look at whom: tokens of the same sequence, and in a decoder none that comes later.

    Padding looks at padding, so that no row of the mask is empty.

    Returns:
        Shape ``(B, 1, L, L)``: true where it may, as `sdpa` reads it, or 0 and the lowest number, as `eager` adds it.
    """
    allowed = numbers[:, :, None] == numbers[:, None, :]
    if not is_encoder(body.config):
        allowed = allowed.tril()
    allowed = allowed[:, None]
    if body.config._attn_implementation == "sdpa":
        return allowed
    return torch.where(allowed, 0.0, torch.finfo(body.dtype).min).to(body.dtype)


def pool_rows(hidden: Tensor, mask: Tensor, pooling: str) -> Tensor:
    """Return one vector a row of right-padded sequences, in float32.

    Args:
        hidden: Shape ``(B, L, H)``.
        mask: 1 for real tokens, which come first, shape ``(B, L)``.
        pooling: ``last`` or ``mean``.

    Returns:
        Shape ``(B, H)``.
    """
    lengths = mask.sum(1)
    if pooling == "last":
        return hidden[torch.arange(len(hidden), device=hidden.device), lengths - 1].float()
    return hidden.float().masked_fill(mask[:, :, None] == 0, 0).sum(1) / lengths[:, None]


def pool_packed(hidden: Tensor, numbers: Tensor, pooling: str) -> Tensor:
    """Return one vector a sequence, row by row, in float32.

    Args:
        hidden: Shape ``(B, L, H)``.
        numbers: Number of the sequence of each token, 0 for padding, shape ``(B, L)``.
        pooling: ``last`` or ``mean``.

    Returns:
        Shape ``(S, H)`` of S sequences.
    """
    ends = ends_of(numbers)
    if pooling == "last":
        return hidden[ends].float()
    real = numbers > 0
    index = (ends.flatten().cumsum(0) - ends.flatten().long())[real.flatten()]
    count = int(ends.sum())
    sums = torch.zeros(count, hidden.shape[-1], device=hidden.device).index_add(0, index, hidden[real].float())
    return sums / torch.bincount(index, minlength=count)[:, None]
