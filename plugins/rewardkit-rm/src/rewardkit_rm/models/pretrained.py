"""Calls into transformers, quiet, offline where a folder is named, and with errors that say what to do."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import torch
from huggingface_hub import snapshot_download
from transformers import AutoConfig, AutoTokenizer, PreTrainedConfig, PreTrainedModel, PreTrainedTokenizerBase
from transformers.utils import logging

from rewardkit_rm.models.errors import ModelError
from rewardkit_rm.models.sources import check_weights, locate

__all__ = ["Source", "choose_device", "choose_dtype", "first_line", "quietly", "some_of"]

_WANTED = ["*.json", "*.jinja", "*.model", "*.py", "*.txt"]
_UNWANTED = ["consolidated*", "onnx/*", "openvino/*", "original/*"]

T = TypeVar("T")


class Source:
    """A model's files: a folder or a name of the hub, and how to read them.

    Args:
        base: A folder, ``package:NAME/sub/path``, or the name of a model of the hub.
        revision: Branch, tag or commit.
        gguf_file: Name of a GGUF file in the folder.
        trust_remote_code: Run code that comes with the model.

    Raises:
        ModelError: If there is no such folder, or its weights are pickled, missing or broken.
    """

    def __init__(
        self, base: str, revision: str | None = None, gguf_file: str | None = None, trust_remote_code: bool = False
    ) -> None:
        self.base = base
        found = locate(base)
        self.folder = found if isinstance(found, Path) else _downloaded(found, revision, gguf_file)
        self.trust_remote_code = trust_remote_code
        self._arguments: dict[str, Any] = {"trust_remote_code": trust_remote_code}
        if gguf_file is not None:
            self._arguments["gguf_file"] = gguf_file
            self._check_gguf(gguf_file)
        else:
            self._check_folder()

    def config(self) -> PreTrainedConfig:
        """Read the configuration of the model."""
        config: PreTrainedConfig = self._call("config.json", AutoConfig.from_pretrained)
        if config.is_encoder_decoder:
            raise ModelError(
                f"{self.base}: {config.model_type} is an encoder-decoder; a decoder or an encoder is needed"
            )
        return config

    def tokenizer(self) -> PreTrainedTokenizerBase:
        """Read the tokenizer."""
        tokenizer: PreTrainedTokenizerBase = self._call("tokenizer", AutoTokenizer.from_pretrained)
        return tokenizer

    def weights(self, auto: Any, **arguments: Any) -> tuple[PreTrainedModel, list[str]]:
        """Read a model with the auto class ``auto``; return it, and the weights that no file holds."""
        safe = {} if "gguf_file" in self._arguments else {"use_safetensors": True}
        model, found = self._call("weights", auto.from_pretrained, output_loading_info=True, **safe, **arguments)
        return model, sorted(found["missing_keys"])

    def _call(self, what: str, function: Callable[..., T], **arguments: Any) -> T:
        try:
            with quietly():
                return function(str(self.folder), **self._arguments, **arguments)
        except Exception as error:  # files of strangers: what they make transformers raise has no common class
            raise ModelError(self._explained(what, error)) from error

    def _explained(self, what: str, error: Exception) -> str:
        text = str(error)
        if not self.trust_remote_code and "trust_remote_code" in text:
            return self.needs_trust()
        if "ignore_mismatched_sizes" in text:
            return f"{self.base}: its weights have other shapes than its config.json says"
        return f"{self.base}: its {what} cannot be read: {first_line(error)}"

    def needs_trust(self) -> str:
        """Say that the model needs code of its own, which is not run unless somebody says so."""
        return (
            f"{self.base}: this model needs Python code of its own (auto_map in its config.json), which is not run by "
            "default; read that code, then say trust_remote_code"
        )

    def _check_folder(self) -> None:
        if (self.folder / "reward_model.json").is_file() and not (self.folder / "config.json").is_file():
            return  # one of ours: backbone and head lie apart, and are checked when they are read
        if (self.folder / "adapter_config.json").is_file():
            raise ModelError(
                f"{self.folder}: holds an adapter (adapter_config.json); merge it into the model it was trained on "
                "first, as merge_and_unload of peft does"
            )
        if not (self.folder / "config.json").is_file():
            raise ModelError(f"{self.folder}: there is no config.json, so this is no model")
        check_weights(self.folder)

    def _check_gguf(self, gguf_file: str) -> None:
        if not (self.folder / gguf_file).is_file():
            raise ModelError(f"{self.folder}: there is no file {gguf_file!r}")
        if importlib.util.find_spec("gguf") is None:
            raise ModelError("a GGUF file needs the package gguf: pip install 'rewardkit-rm[gguf]'")


def _downloaded(name: str, revision: str | None, gguf_file: str | None) -> Path:
    wanted = [*_WANTED, gguf_file] if gguf_file else [*_WANTED, "*.safetensors"]
    try:
        return Path(snapshot_download(name, revision=revision, allow_patterns=wanted, ignore_patterns=_UNWANTED))
    except (OSError, ValueError) as error:
        raise ModelError(
            f"{name!r} is no folder here, and the hub does not give such a model: {first_line(error)}"
        ) from error


def first_line(error: Exception) -> str:
    r"""Return the first line of what an error says, with the next one if it ends in a colon.

    >>> first_line(ValueError("Error in field 'a':\n    expected int, got str\n  more"))
    "Error in field 'a': expected int, got str"
    """
    lines = [line.strip() for line in str(error).splitlines() if line.strip()] or [""]
    text = " ".join(lines[: 2 if lines[0].endswith(":") else 1])
    return f"{type(error).__name__} {text}".strip() if isinstance(error, LookupError) or not text else text


def some_of(names: Sequence[str]) -> str:
    """Name up to three and count the rest.

    >>> some_of(["a", "b", "c", "d", "e"])
    'a, b, c and 2 more'
    """
    rest = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return f"{', '.join(names[:3])}{rest}"


@contextmanager
def quietly() -> Iterator[None]:
    """Keep transformers' progress bars and remarks about weights away; errors are ours to word."""
    level, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()  # type: ignore[no-untyped-call]
    logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    try:
        yield
    finally:
        logging.set_verbosity(level)
        if bars:
            logging.enable_progress_bar()  # type: ignore[no-untyped-call]


def choose_device(device: str = "auto") -> torch.device:
    """Return the device: ``auto`` is the GPU of this process (``LOCAL_RANK``), or the CPU where there is none.

    Raises:
        ModelError: If it is no device, or is not here.
    """
    if device == "auto":
        device = f"cuda:{int(os.environ.get('LOCAL_RANK', 0))}" if torch.cuda.is_available() else "cpu"
    try:
        torch.zeros(1, device=device).item()
        return torch.device(device)
    except (RuntimeError, AssertionError, ValueError, NotImplementedError) as error:
        raise ModelError(f"device {device!r} cannot be used: {first_line(error)}") from None


def choose_dtype(dtype: str, device: torch.device, learns: bool = False) -> torch.dtype:
    """Return the precision: ``auto`` is float32 on a CPU or where the backbone learns, else bfloat16."""
    if dtype != "auto":
        chosen: torch.dtype = getattr(torch, dtype)
        return chosen
    return torch.float32 if learns or device.type == "cpu" else torch.bfloat16
