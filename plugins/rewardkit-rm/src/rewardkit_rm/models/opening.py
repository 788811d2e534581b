"""Reward models that exist: our own folders, and sequence classifiers with one label."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from transformers import AutoModel, AutoModelForSequenceClassification, PreTrainedConfig

from rewardkit_rm.models.backbone import is_encoder, length_limit
from rewardkit_rm.models.building import check_vocabulary
from rewardkit_rm.models.classifier import take_head
from rewardkit_rm.models.encoding import ResponseEncoder
from rewardkit_rm.models.errors import ModelError
from rewardkit_rm.models.pretrained import Source, choose_device, choose_dtype, first_line, some_of
from rewardkit_rm.models.reward_model import RewardModel, feature_size, new_head
from rewardkit_rm.models.saving import BACKBONE, CARD, HEAD, SavedModel, read_card
from rewardkit_rm.models.scorer import Scorer
from rewardkit_rm.models.settings import HeadSettings
from rewardkit_rm.models.sources import digest_of, read_tensors

__all__ = ["load"]


def load(path: str | Path, *, device: str = "auto", dtype: str = "auto", trust_remote_code: bool = False) -> Scorer:
    """Load a reward model to score with.

    Args:
        path: A folder that rewardkit saved; any sequence classifier of transformers with one label and weights in
            safetensors: a folder, ``package:NAME/sub/path``, or the name of a model of the hub.
        device: ``auto`` is the GPU of this process (``LOCAL_RANK``), or the CPU where there is none.
        dtype: Precision of the backbone: ``auto`` is float32 on a CPU and bfloat16 elsewhere. Pooling and head are
            float32 always.
        trust_remote_code: Run Python code that comes with the model.

    Raises:
        ModelError: If it cannot be read, is no reward model, or tokenizer and model do not belong together.
    """
    place = choose_device(device)
    precision = choose_dtype(dtype, place)
    source = Source(str(path), trust_remote_code=trust_remote_code)
    card = read_card(source.folder) if (source.folder / CARD).is_file() else None
    if card is not None and card.architecture == "head":
        model = _headed(source, card, precision)
    else:
        model = _classifier(source, precision)
    tokenizer = source.tokenizer()
    check_vocabulary(tokenizer, model.body, source.base)
    encoder = ResponseEncoder(tokenizer, card.encoding if card else None, length_limit(model.body.config))
    model = _unmapped(model).to(place).eval().requires_grad_(False)
    return Scorer(model, encoder, source.base, digest_of(source.folder))


def _unmapped(model: RewardModel) -> RewardModel:
    """Copy the weights, which safetensors maps from the file: whoever writes to it would change scores, or kill us."""
    for tensor in (*model.parameters(), *model.buffers()):
        tensor.data = tensor.data.clone()
    return model


def _headed(source: Source, card: SavedModel, dtype: torch.dtype) -> RewardModel:
    backbone = Source(str(source.folder / BACKBONE), trust_remote_code=source.trust_remote_code)
    body, missing = backbone.weights(AutoModel, dtype=dtype)
    if missing:
        raise ModelError(f"{backbone.base}: its files hold no weights for {some_of(missing)}")
    head = new_head(card.head or HeadSettings(), feature_size(body, card.layers))
    try:
        head.load_state_dict(load_file(source.folder / HEAD))
    except (OSError, SafetensorError, RuntimeError) as error:
        raise ModelError(f"{source.folder / HEAD}: no head that {CARD} describes: {first_line(error)}") from None
    return RewardModel(body, head, "head", card.pooling, card.layers)


def _classifier(source: Source, dtype: torch.dtype) -> RewardModel:
    if not (source.folder / "config.json").is_file():
        raise ModelError(f"{source.folder}: {CARD} tells of a classifier, and there is no config.json")
    config = source.config()
    _refuse_others(source, config)
    body, missing = source.weights(AutoModelForSequenceClassification, dtype=dtype)
    if missing:
        raise ModelError(f"{source.base}: its files hold no weights for {some_of(missing)}")
    head = take_head(body, source.base)
    saved = read_tensors(source.folder, f"{head.place}.")
    if saved.keys() == head.output.state_dict().keys():  # else older names, which transformers knows
        head.output.load_state_dict(saved)  # as exact as they were saved
    return RewardModel(body, head, "classifier", "own" if is_encoder(config) else "last")


def _refuse_others(source: Source, config: PreTrainedConfig) -> None:
    named: Any = config.architectures
    kinds = list(map(str, named)) if isinstance(named, list) else []
    own_code = "AutoModelForSequenceClassification" in (getattr(config, "auto_map", None) or {})
    if own_code and not source.trust_remote_code:
        raise ModelError(source.needs_trust())
    if not own_code and not any(kind.endswith("ForSequenceClassification") for kind in kinds):
        raise ModelError(
            f"{source.base}: no reward model but {', '.join(kinds) or config.model_type}; a reward model is a folder "
            "saved by rewardkit, or a sequence classifier with one label; train one with 'rewardkit rm train'"
        )
    if config.num_labels != 1:
        raise ModelError(
            f"{source.base}: has {config.num_labels} labels; a reward model has one (num_labels 1), its score"
        )
