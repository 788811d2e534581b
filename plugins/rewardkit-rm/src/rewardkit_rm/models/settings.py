"""Settings of a reward model: what it is made of, and how a prompt and a completion become its tokens.

Public names, all frozen and strict pydantic models that refuse unknown keys::

    EncodingSettings(format="auto", max_length=None, chat_template=None, template_date=None)
    HeadSettings(kind="linear", hidden=256, dropout=0.1)
    LoraSettings(rank=16, alpha=32.0, dropout=0.05, target_modules=None)
    ModelSettings(base, gguf_file=None, revision=None, architecture="head", pooling=None, layers=None,
                  head=HeadSettings(), train="head", last_layers=None, lora=None, encoding=EncodingSettings(),
                  dtype="auto", trust_remote_code=False)
"""

from __future__ import annotations

from datetime import date
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

__all__ = ["EncodingSettings", "HeadSettings", "LoraSettings", "ModelSettings"]


class _Settings(BaseModel):
    model_config = ConfigDict(frozen=True, strict=True, extra="forbid", defer_build=True)


class EncodingSettings(_Settings):
    """How a prompt and a completion become tokens; training and scoring share it.

    Attributes:
        format: ``chat`` applies the chat template to the prompt's turns and the completion; ``pair`` gives an encoder
            two segments (``[CLS] prompt [SEP] completion [SEP]``); ``plain`` joins both by a blank line and closes
            with the end-of-text token. ``auto`` takes the first of these that the tokenizer can do.
        max_length: Most tokens of one sequence; the model's own limit bounds it. None takes that limit.
        chat_template: A file with a Jinja template to use in place of the tokenizer's own.
        windows: A completion that does not fit is read in several windows, each behind the end of the prompt, whose
            features are averaged by their tokens. Without it, such a completion has no score. Only for format
            ``pair`` with a frozen backbone and pooling ``mean``.
        template_date: The date, as in ``2024-07-26``, for a template that would write today's.
    """

    format: Literal["auto", "chat", "pair", "plain"] = "auto"
    max_length: int | None = Field(default=None, ge=8)
    chat_template: str | None = None
    windows: bool = False
    template_date: str | None = None

    @field_validator("template_date")
    @classmethod
    def _is_a_date(cls, value: str | None) -> str | None:
        if value is not None:
            try:
                date.fromisoformat(value)
            except ValueError:
                raise ValueError(f"must be a date such as 2024-07-26, got {value!r}") from None
        return value


class HeadSettings(_Settings):
    """The head, which maps pooled features to one score.

    Attributes:
        kind: ``linear``: dropout and one linear layer. ``mlp``: a hidden layer with GELU and dropout before it.
        hidden: Width of the hidden layer of an ``mlp``.
        dropout: Probability of dropping a feature in training.
    """

    kind: Literal["linear", "mlp"] = "linear"
    hidden: int = Field(default=256, ge=1)
    dropout: float = Field(default=0.1, ge=0, lt=1)


class LoraSettings(_Settings):
    """Low-rank adapters (https://arxiv.org/abs/2106.09685).

    Attributes:
        rank: Rank of the update of each weight matrix.
        alpha: The update is scaled by ``alpha / rank``.
        dropout: Dropout before the adapters.
        target_modules: Names of the layers to adapt; None adapts every linear layer of the backbone.
    """

    rank: int = Field(default=16, ge=1)
    alpha: float = Field(default=32.0, gt=0)
    dropout: float = Field(default=0.05, ge=0, lt=1)
    target_modules: list[str] | None = Field(default=None, min_length=1)


class ModelSettings(_Settings):
    """What a new reward model is made of, and which part of it learns.

    Attributes:
        base: A folder, a model of the hub (``org/name``), or ``package:NAME/sub/path``: a folder inside an installed
            Python package, which is not imported.
        gguf_file: Name of a GGUF file in that folder to take the weights from.
        revision: Branch, tag or commit of a model of the hub.
        architecture: ``head`` puts a head of ours on the language model; ``classifier`` is the model's own
            sequence-classification form with one label, which every tool of the ecosystem loads.
        pooling: Which representation the head reads: the ``last`` real token, or the ``mean`` of all. None takes
            ``last`` for decoders and ``mean`` for encoders. A ``classifier`` pools as its architecture does.
        layers: Layers that are pooled, their representations side by side: 0 is the embeddings, 1 the first layer, -1
            the last. None takes the last. A frozen encoder often shows more of quality in its middle layers, because
            its last one was trained for another task.
        head: The head of architecture ``head``.
        train: What learns beside the head: nothing (``head``), the ``last_layers``, adapters (``lora``), or all
            of it (``full``).
        last_layers: How many layers learn with ``train: last_layers``.
        lora: Settings of ``train: lora``.
        encoding: How text becomes tokens.
        dtype: Precision of the backbone. ``auto`` is float32 on a CPU and where the backbone itself learns, and else
            bfloat16. Pooling and head are float32 always.
        trust_remote_code: Run Python code that comes with the model.
    """

    base: str = Field(min_length=1)
    gguf_file: str | None = None
    revision: str | None = None
    architecture: Literal["classifier", "head"] = "head"
    pooling: Literal["last", "mean"] | None = None
    layers: list[int] | None = Field(default=None, min_length=1)
    head: HeadSettings = HeadSettings()
    train: Literal["head", "last_layers", "lora", "full"] = "head"
    last_layers: int | None = Field(default=None, ge=1)
    lora: LoraSettings | None = None
    encoding: EncodingSettings = EncodingSettings()
    dtype: Literal["auto", "float32", "bfloat16", "float16"] = "auto"
    trust_remote_code: bool = False

    @model_validator(mode="after")
    def _belong_together(self) -> Self:
        if (self.train == "last_layers") != (self.last_layers is not None):
            raise ValueError("'last_layers' and 'train: last_layers' need each other")
        if self.lora is not None and self.train != "lora":
            raise ValueError("'lora' needs 'train: lora'")
        if self.encoding.windows and (self.train != "head" or self.architecture != "head" or self.pooling == "last"):
            raise ValueError("'encoding.windows' needs 'architecture: head', 'train: head' and 'pooling: mean'")
        if self.architecture == "classifier":
            for name in ("pooling", "layers", "head"):
                if name in self.model_fields_set and getattr(self, name) is not None:
                    raise ValueError(f"{name!r} belongs to 'architecture: head'; a classifier brings its own")
        return self
