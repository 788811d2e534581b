"""The network: a transformer, a pooled representation, a head that maps it to one score.

Public names::

    ScalarHead(layers: nn.Sequential, settings=None, place="") (B, H) float32 -> (B,) float32
    new_head(settings: HeadSettings, size: int) -> ScalarHead
    RewardModel(body, head, architecture="head" | "classifier", pooling="last" | "mean" | "own", layers=None)
        .forward(input_ids, attention_mask, token_type_ids=None) -> (B,) float32; packed rows: one per sequence
        .pooled(input_ids, attention_mask, token_type_ids=None) -> (B, H) float32
        .head: ScalarHead        .body: transformers.PreTrainedModel        .feature_size: int = H
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, Self

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from rewardkit_rm.models.errors import ModelError
from rewardkit_rm.models.packing import block_mask, pool_packed, pool_rows, positions_of, refusal, right_padded
from rewardkit_rm.models.settings import HeadSettings

__all__ = ["RewardModel", "ScalarHead", "feature_size", "new_head", "start"]

Pooling = Literal["last", "mean", "own"]


class ScalarHead(nn.Module):
    """Map features, shape ``(B, H)``, to scores, shape ``(B,)``, in float32 whatever autocast says.

    Args:
        layers: What it is made of; the last is linear and has one output.
        settings: What it was made from; None for the last layer of a sequence classifier.
        place: Where that layer was in the classifier.
    """

    def __init__(self, layers: nn.Sequential, settings: HeadSettings | None = None, place: str = "") -> None:
        super().__init__()
        self.layers = layers.float()
        self.settings = settings
        self.place = place

    def forward(self, features: Tensor) -> Tensor:
        """Return one score a row."""
        with torch.autocast(features.device.type, enabled=False):
            scores: Tensor = self.layers(features.float()).squeeze(-1)
        return scores

    @property
    def output(self) -> nn.Linear:
        """The last layer, of one output."""
        layer = self.layers[-1]
        assert isinstance(layer, nn.Linear)
        return layer


def feature_size(body: PreTrainedModel, layers: Sequence[int] | None) -> int:
    """Return the length of the features of some layers, side by side.

    Raises:
        ModelError: If the transformer does not have one of the layers.
    """
    config = body.config.get_text_config()
    depth: int = config.num_hidden_layers
    wrong = [layer for layer in layers or () if not -depth - 1 <= layer <= depth]
    if wrong:
        raise ModelError(f"layers: {type(body).__name__} has layers 0 (the embeddings) to {depth}, and no {wrong[0]}")
    size: int = config.hidden_size
    return size if layers is None else size * len(layers)


def new_head(settings: HeadSettings, size: int) -> ScalarHead:
    """Return a head that has learned nothing, for features of length ``size``.

    ``linear``: dropout, linear. ``mlp``: linear, GELU, dropout, linear.
    """
    if settings.kind == "linear":
        layers = nn.Sequential(nn.Dropout(settings.dropout), nn.Linear(size, 1))
    else:
        hidden = nn.Linear(size, settings.hidden)
        layers = nn.Sequential(hidden, nn.GELU(), nn.Dropout(settings.dropout), nn.Linear(settings.hidden, 1))
    head = ScalarHead(layers, settings)
    start(head.output)
    return head


def start(output: nn.Linear) -> None:
    """Draw the weights of the last layer from N(0, 1/(h+1)), so that first scores have a variance near 1.

    Source: Stiennon et al., Learning to summarize from human feedback (https://arxiv.org/abs/2009.01325).
    """
    nn.init.normal_(output.weight, std=(output.in_features + 1) ** -0.5)
    if output.bias is not None:
        nn.init.zeros_(output.bias)


class RewardModel(nn.Module):
    """One score for each sequence of tokens.

    Rows are brought to right padding by their attention mask before anything else: sequences on the left, on the right
    and with gaps read alike, absolute positions begin at 0, and the last real token is found by the mask alone, also
    where padding and end-of-text are the same token. Pooling and head run in float32.

    Args:
        body: The transformer: an ``AutoModel``, or a sequence classifier whose last linear layer has been taken out.
        head: Maps pooled features to a score.
        architecture: Which of the two it is.
        pooling: ``last`` real token, ``mean`` of the real tokens, or the body's ``own`` way.
        layers: Layers whose pooled representations the head reads side by side, 0 for the embeddings; None for the
            output of the body.
    """

    def __init__(
        self,
        body: PreTrainedModel,
        head: ScalarHead,
        architecture: Literal["classifier", "head"] = "head",
        pooling: Pooling = "last",
        layers: Sequence[int] | None = None,
    ) -> None:
        super().__init__()
        self.body = body
        self.head = head
        self.architecture = architecture
        self.pooling = pooling
        self.layers = None if layers is None else tuple(layers)
        self._no_split_modules = body._no_split_modules  # what FSDP keeps together

    def forward(self, input_ids: Tensor, attention_mask: Tensor, token_type_ids: Tensor | None = None) -> Tensor:
        """Return the scores, float32.

        Args:
            input_ids: Tokens, shape ``(B, L)``.
            attention_mask: 1 for real tokens, of which every row has one, and 0 for padding, on either side. In packed
                rows the number of the sequence, from 1: every sequence gets a score of its own, row by row.
            token_type_ids: Segments, for encoders that tell them apart.

        Returns:
            Shape ``(B,)``, or the number of packed sequences.

        Raises:
            ModelError: If rows are packed and the model cannot tell packed sequences apart.
        """
        scores: Tensor = self.head(self.pooled(input_ids, attention_mask, token_type_ids))
        return scores

    def pooled(self, input_ids: Tensor, attention_mask: Tensor, token_type_ids: Tensor | None = None) -> Tensor:
        """Return what the head reads, float32, shape ``(B, H)``; see `forward`."""
        packed = bool(attention_mask.max() > 1)
        if packed and (reason := refusal(self.body, self.pooling)):
            raise ModelError(reason)
        if not packed:
            input_ids, attention_mask, token_type_ids = right_padded(input_ids, attention_mask, token_type_ids)
        segments = self._segments(token_type_ids)
        if self.pooling == "own":
            logits: Tensor = self.body(input_ids=input_ids, attention_mask=attention_mask, **segments).logits
            return logits.float()
        hidden = self._hidden(input_ids, attention_mask, segments, packed)
        pool = pool_packed if packed else pool_rows
        return torch.cat([pool(layer, attention_mask, self.pooling) for layer in hidden], dim=-1)

    def _hidden(self, input_ids: Tensor, mask: Tensor, segments: dict[str, Tensor], packed: bool) -> list[Tensor]:
        arguments: dict[str, Any] = {"attention_mask": mask, **segments}
        if packed:
            arguments["attention_mask"] = block_mask(mask, self.body)
            arguments["position_ids"] = positions_of(mask)
        if hasattr(self.body.config, "use_cache"):
            arguments["use_cache"] = False
        arguments["output_hidden_states"] = self.layers is not None
        output: Any = self.body.base_model(input_ids=input_ids, **arguments)
        return [output.last_hidden_state] if self.layers is None else [output.hidden_states[n] for n in self.layers]

    def _segments(self, token_type_ids: Tensor | None) -> dict[str, Tensor]:
        tells_apart = (getattr(self.body.config, "type_vocab_size", None) or 0) > 1
        return {"token_type_ids": token_type_ids} if tells_apart and token_type_ids is not None else {}

    @property
    def feature_size(self) -> int:
        """The length H of the features that the head reads."""
        first = next(layer for layer in self.head.layers if isinstance(layer, nn.Linear))
        return first.in_features

    @property
    def device(self) -> torch.device:
        """Where the model is."""
        return self.head.output.weight.device

    def train(self, mode: bool = True) -> Self:
        """Set training mode; a frozen body stays in evaluation mode, so that its features do not change."""
        super().train(mode)
        if not any(parameter.requires_grad for parameter in self.body.parameters()):
            self.body.eval()  # type: ignore[no-untyped-call]
        return self
