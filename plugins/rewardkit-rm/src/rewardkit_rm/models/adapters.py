"""Low-rank adapters: put into the backbone to learn, merged into its weights to be saved."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel
from transformers.pytorch_utils import Conv1D

from rewardkit_rm.models.errors import ModelError
from rewardkit_rm.models.settings import LoraSettings

__all__ = ["add_lora", "merged_state"]


def add_lora(body: PreTrainedModel, settings: LoraSettings | None = None) -> None:
    """Put adapters into a backbone, in place; only they require a gradient then.

    Raises:
        ModelError: If peft is not installed, or no layer has one of the names to adapt.
    """
    try:
        from peft import LoraConfig, inject_adapter_in_model
    except ImportError:
        raise ModelError("train: lora needs the package peft: pip install 'rewardkit-rm[lora]'") from None
    settings = settings or LoraSettings()
    config = LoraConfig(
        r=settings.rank,
        lora_alpha=settings.alpha,  # type: ignore[arg-type]  # peft divides it, and takes any number
        lora_dropout=settings.dropout,
        target_modules=settings.target_modules or "all-linear",
        fan_in_fan_out=any(isinstance(module, Conv1D) for module in body.modules()),
    )
    try:
        inject_adapter_in_model(config, body)
    except ValueError as error:
        raise ModelError(f"lora: {error}") from None


def merged_state(body: PreTrainedModel) -> dict[str, Tensor]:
    """Return the weights of a backbone with its adapters added in, under the names of the plain backbone.

    The adapted weight is ``W + alpha / rank * B A``; the backbone itself is left as it is.
    """
    layers = {name: module for name, module in body.named_modules() if hasattr(module, "base_layer")}
    state: dict[str, Tensor] = {}
    for name, tensor in body.state_dict().items():
        owner, _, inside = _split(name, layers)
        if owner is None:
            state[name] = tensor
        elif inside.startswith("base_layer."):
            place = inside.removeprefix("base_layer.")
            state[f"{owner}.{place}"] = _merged(layers[owner], tensor) if place == "weight" else tensor
    return state


def _split(name: str, layers: dict[str, nn.Module]) -> tuple[str | None, str, str]:
    parts = name.split(".")
    for depth in range(len(parts) - 1, 0, -1):
        owner = ".".join(parts[:depth])
        if owner in layers:
            return owner, ".", ".".join(parts[depth:])
    return None, "", name


@torch.no_grad()
def _merged(layer: Any, weight: Tensor) -> Tensor:
    delta = sum(layer.get_delta_weight(adapter).float() for adapter in layer.active_adapters)
    merged: Tensor = (weight.float() + delta).to(weight.dtype)
    return merged
