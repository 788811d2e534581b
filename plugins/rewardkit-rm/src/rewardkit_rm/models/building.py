"""New reward models: a pretrained backbone and a head that has learned nothing yet."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from transformers import AutoModel, AutoModelForSequenceClassification, PreTrainedModel, PreTrainedTokenizerBase

from rewardkit_rm.models.adapters import add_lora
from rewardkit_rm.models.backbone import is_encoder, last_layers, length_limit, without_quantization
from rewardkit_rm.models.classifier import take_head
from rewardkit_rm.models.encoding import ResponseEncoder
from rewardkit_rm.models.errors import ModelError
from rewardkit_rm.models.pretrained import Source, choose_device, choose_dtype, some_of
from rewardkit_rm.models.reward_model import RewardModel, feature_size, new_head, start
from rewardkit_rm.models.scorer import Scorer
from rewardkit_rm.models.settings import ModelSettings

__all__ = ["build", "check_vocabulary"]


def build(settings: ModelSettings, seed: int = 0, *, device: str = "auto") -> Scorer:
    """Return a reward model with a new head; what does not learn has ``requires_grad`` off.

    Args:
        settings: What it is made of.
        seed: Decides the weights of the head and of adapters; the random state of the process is left alone.
        device: ``auto``, ``cpu``, ``cuda``, ``cuda:1``, ...

    Raises:
        ModelError: If the base cannot be read, or does not fit the settings.
    """
    place = choose_device(device)
    source = Source(settings.base, settings.revision, settings.gguf_file, settings.trust_remote_code)
    tokenizer = source.tokenizer()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        dtype = choose_dtype(settings.dtype, place, learns=settings.train in ("last_layers", "full"))
        model = _with_head(source, settings, dtype)
        _set_learning(model, settings)
    check_vocabulary(tokenizer, model.body, settings.base)
    if settings.encoding.windows and model.pooling != "mean":
        raise ModelError(f"windows need 'pooling: mean', and {settings.base} pools the {model.pooling!r} token")
    encoder = ResponseEncoder(tokenizer, settings.encoding, length_limit(model.body.config))
    return Scorer(model.to(place).eval(), encoder, settings.base)


def _with_head(source: Source, settings: ModelSettings, dtype: torch.dtype) -> RewardModel:
    encoder = is_encoder(source.config())
    if settings.architecture == "classifier":
        body, new = _body(source, AutoModelForSequenceClassification, num_labels=1, dtype=dtype)
        body.config.problem_type = "regression"  # or serving engines put a softmax on the one label: always 1
        head = take_head(body, settings.base)
        start(head.output)
        untrained = [name for name in new if not name.startswith(f"{head.place}.")]
        if settings.train == "head" and untrained:
            raise ModelError(
                f"{settings.base}: its classifier has new layers before the last one ({some_of(untrained)}); "
                "they must learn too: use 'architecture: head', or train more than the head"
            )
        return RewardModel(body, head, "classifier", "own" if encoder else "last")
    body, _ = _body(source, AutoModel, dtype=dtype)
    head = new_head(settings.head, feature_size(body, settings.layers))
    return RewardModel(body, head, "head", settings.pooling or ("mean" if encoder else "last"), settings.layers)


def _body(source: Source, auto: Any, **arguments: Any) -> tuple[PreTrainedModel, list[str]]:
    body, missing = source.weights(auto, **arguments)
    body = without_quantization(body)
    inside = "" if body.base_model is body else f"{body.base_model_prefix}."
    absent = [name for name in missing if name.startswith(inside) and "pooler" not in name]
    if absent:
        raise ModelError(f"{source.base}: its files hold no weights for {some_of(absent)}")
    return body, missing


def _set_learning(model: RewardModel, settings: ModelSettings) -> None:
    if settings.train == "full":
        if model.pooling != "own" and isinstance(getattr(model.body, "pooler", None), nn.Module):
            model.body.pooler.requires_grad_(False)  # nothing reads it, and parallel training waits for all gradients
        return
    model.body.requires_grad_(False)
    if settings.train == "lora":
        add_lora(model.body, settings.lora)
    elif settings.last_layers is not None:
        for part in last_layers(model.body, settings.last_layers):
            part.requires_grad_(True)


def check_vocabulary(tokenizer: PreTrainedTokenizerBase, body: PreTrainedModel, name: str) -> None:
    """Refuse a tokenizer that knows tokens for which the model has no embedding.

    Raises:
        ModelError: If there is such a token.
    """
    embedding: Any = body.get_input_embeddings()
    rows = embedding.num_embeddings if isinstance(embedding, nn.Embedding) else len(embedding.weight)
    last = max(tokenizer.get_vocab().values(), default=-1)
    if last >= rows:
        raise ModelError(
            f"{name}: the tokenizer has token {last} ({tokenizer.convert_ids_to_tokens(last)!r}) and the model embeds "
            f"{rows:,} tokens only; the tokenizer of another model, or one grown without resize_token_embeddings"
        )
