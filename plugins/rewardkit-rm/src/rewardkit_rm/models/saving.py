"""Reward models in a folder.

=====================  ==============================================================================================
file                   holds
=====================  ==============================================================================================
``reward_model.json``  how the model is put together, and how text becomes tokens; see `SavedModel`
``config.json``,       architecture ``classifier``: a sequence classifier with one label, which transformers and
``model.safetensors``  every serving engine load without rewardkit
``backbone/``          architecture ``head``: the transformer, as transformers saves it
``head.safetensors``   architecture ``head``: the head
``tokenizer.json`` …   the tokenizer, with the chat template that is applied
=====================  ==============================================================================================
"""

from __future__ import annotations

import shutil
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, ValidationError, model_validator
from safetensors import SafetensorError
from safetensors.torch import save_file

from rewardkit.errors import ConfigError, RewardKitError
from rewardkit.validation import problems_of
from rewardkit_rm.models.adapters import merged_state
from rewardkit_rm.models.classifier import with_head
from rewardkit_rm.models.errors import ModelError
from rewardkit_rm.models.pretrained import first_line, quietly
from rewardkit_rm.models.reward_model import RewardModel
from rewardkit_rm.models.scorer import Scorer
from rewardkit_rm.models.settings import EncodingSettings, HeadSettings
from rewardkit_rm.models.sources import digest_of, read_json

__all__ = ["BACKBONE", "CARD", "HEAD", "SavedModel", "read_card", "save"]

CARD = "reward_model.json"
BACKBONE = "backbone"
HEAD = "head.safetensors"
_WRITTEN = {
    "head": ("backbone", "head.safetensors", "chat_template.jinja"),
    "classifier": ("config.json", "model*.safetensors", "model.safetensors.index.json", "chat_template.jinja"),
}
_VERSIONS = ("rewardkit-rm", "torch", "transformers")


class SavedModel(BaseModel):
    """What ``reward_model.json`` says.

    Attributes:
        architecture: ``head`` or ``classifier``.
        pooling: What the head reads: ``last`` real token, ``mean``, or the architecture's ``own``.
        layers: Layers that are pooled; None for the output of the transformer.
        head: The head of architecture ``head``.
        encoding: How text becomes tokens; the format is never ``auto``, and the length is bounded.
        base: What the model was made from.
        versions: Of the packages that wrote it.
    """

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid", defer_build=True)

    architecture: Literal["classifier", "head"]
    pooling: Literal["last", "mean", "own"]
    layers: list[int] | None = None
    head: HeadSettings | None = None
    encoding: EncodingSettings
    base: str = ""
    versions: dict[str, str] = {}

    @model_validator(mode="after")
    def _belong_together(self) -> Self:
        if self.encoding.chat_template is not None:
            raise ValueError("encoding.chat_template must be empty; the template lies with the tokenizer in the folder")
        if self.architecture == "head" and (self.pooling == "own" or self.head is None):
            raise ValueError("architecture 'head' needs a 'head', and pooling 'last' or 'mean'")
        return self


def read_card(folder: str | Path) -> SavedModel:
    """Read ``reward_model.json``.

    Raises:
        ModelError: If it cannot be read.
        ConfigError: If it says something else than `SavedModel` allows.
    """
    path = Path(folder) / CARD
    content = read_json(path)
    try:
        return SavedModel.model_validate(content)
    except ValidationError as error:
        raise ConfigError(problems_of(error, content, "", SavedModel), str(path)) from None


def save(scorer: Scorer, folder: str | Path) -> str:
    """Save a reward model, adapters merged into its weights; return the digest of what was written.

    Everything is written beside what the folder holds and moved into place at the end, so that a full disk leaves a
    model that was there whole. Of a model that rewardkit saved there before, nothing is left; other files of the
    folder, as a calibration, stay.

    Raises:
        ModelError: If the folder cannot be written.
    """
    target = Path(folder)
    try:
        target.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(dir=target, prefix=".saving-") as unfinished:
            _write(scorer, Path(unfinished))
            _remove_former(target, Path(unfinished))
            for entry in sorted(Path(unfinished).iterdir(), key=lambda entry: entry.name == CARD):
                _replace(entry, target / entry.name)
    except (OSError, SafetensorError) as error:
        raise ModelError(f"{folder}: the model cannot be saved: {first_line(error)}") from error
    return digest_of(target)


def _write(scorer: Scorer, folder: Path) -> None:
    with quietly():
        _write_weights(scorer.model, folder)
        scorer.encoder.tokenizer.save_pretrained(folder)
    (folder / CARD).write_text(_card(scorer).model_dump_json(indent=2, exclude_none=True) + "\n")


def _write_weights(model: RewardModel, folder: Path) -> None:
    state = merged_state(model.body)
    if model.architecture == "head":
        model.body.save_pretrained(folder / BACKBONE, state_dict=state)
        save_file({name: tensor.contiguous() for name, tensor in model.head.state_dict().items()}, folder / HEAD)
        return
    state |= {f"{model.head.place}.{name}": tensor for name, tensor in model.head.output.state_dict().items()}
    with with_head(model.body, model.head) as whole:
        whole.save_pretrained(folder, state_dict=state)


def _remove_former(target: Path, unfinished: Path) -> None:
    """Remove the files of a model that we saved and that the new one does not replace, as of another architecture."""
    try:
        former = read_card(target).architecture
    except RewardKitError:
        return
    (target / CARD).unlink()  # half of one model and half of another must not look like either
    for entry in {entry for pattern in _WRITTEN[former] for entry in target.glob(pattern)}:
        if not (unfinished / entry.name).exists():
            shutil.rmtree(entry) if entry.is_dir() else entry.unlink()


def _replace(new: Path, old: Path) -> None:
    if old.is_dir():
        shutil.rmtree(old)
    new.replace(old)


def _card(scorer: Scorer) -> SavedModel:
    model = scorer.model
    return SavedModel(
        architecture=model.architecture,
        pooling=model.pooling,
        layers=None if model.layers is None else list(model.layers),
        head=model.head.settings if model.architecture == "head" else None,
        encoding=scorer.encoder.settings,
        base=scorer.name,
        versions={name: version(name) for name in _VERSIONS},
    )
