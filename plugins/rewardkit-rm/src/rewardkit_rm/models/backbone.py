"""What is to be known about a transformer before a head goes on it."""

from __future__ import annotations

import copy
from typing import Any

from torch import nn
from transformers import PreTrainedConfig, PreTrainedModel
from transformers.models.auto.modeling_auto import MODEL_FOR_MASKED_LM_MAPPING_NAMES

from rewardkit_rm.models.errors import ModelError

__all__ = ["is_encoder", "last_layers", "length_limit", "without_quantization"]

_LIMITS = ("max_position_embeddings", "n_positions", "max_seq_len")
_OFFSET = ("camembert", "data2vec-text", "mpnet", "roberta", "xlm-roberta", "xlm-roberta-xl")


def is_encoder(config: PreTrainedConfig) -> bool:
    """Tell a bidirectional encoder, as BERT, from a decoder, in which a token sees only what comes before it."""
    if getattr(config, "is_causal", None) is False or getattr(config, "use_bidirectional_attention", False):
        return True
    return config.model_type in MODEL_FOR_MASKED_LM_MAPPING_NAMES and not getattr(config, "is_decoder", False)


def length_limit(config: PreTrainedConfig) -> int | None:
    """Return the most tokens that the model has positions for; None where it has no limit."""
    limits: list[Any] = [getattr(config, name, None) for name in _LIMITS]
    limit = next((limit for limit in limits if isinstance(limit, int) and limit > 0), None)
    if limit is not None and config.model_type in _OFFSET:
        return limit - (config.pad_token_id or 0) - 1  # their positions begin behind the padding token's number
    return limit


def last_layers(body: PreTrainedModel, count: int) -> list[nn.Module]:
    """Return the last layers of a transformer, and all that comes after them: a norm, a pooler.

    Raises:
        ModelError: If it has fewer layers, or none that can be counted.
    """
    base = body.base_model
    place, stack = _stack(base)
    if count > len(stack):
        raise ModelError(f"last_layers is {count}, and {type(body).__name__} has {len(stack)} layers")
    children = dict(base.named_children())
    names = list(children)
    behind = [children[name] for name in names[names.index(place.partition(".")[0]) + 1 :]]
    outside = [] if body is base else [child for child in body.children() if child is not base]
    return [*list(stack)[-count:], *behind, *outside]


def _stack(base: nn.Module) -> tuple[str, nn.ModuleList]:
    lists = [(name, module) for name, module in base.named_modules() if isinstance(module, nn.ModuleList)]
    layers: Any = getattr(base.config, "num_hidden_layers", None)
    for name, module in lists:
        if len(module) == layers:
            return name, module
    raise ModelError(f"{type(base).__name__} has no plain stack of layers; use 'train: full', 'lora' or 'head'")


def without_quantization(body: PreTrainedModel) -> PreTrainedModel:
    """Return a model that came from a GGUF file as a plain one: its weights are not quantized any more.

    transformers leaves the quantization in the configuration, and then refuses to save the model.
    """
    if getattr(body.config, "quantization_config", None) is None:
        return body
    config = copy.deepcopy(body.config)
    del config.quantization_config
    plain = type(body)(config)
    plain.load_state_dict(body.state_dict(), assign=True)
    return plain
