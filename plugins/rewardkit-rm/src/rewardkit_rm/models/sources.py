"""Where a model lies: a folder, a folder inside an installed package, or the hub; and what is wrong with its files."""

from __future__ import annotations

import hashlib
import importlib.util
import json
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from torch import Tensor

from rewardkit.errors import shown
from rewardkit_rm.models.errors import ModelError

__all__ = ["check_weights", "decisive_files", "digest_of", "locate", "read_json", "read_tensors"]

_PACKAGE = "package:"
_INDEX = "model.safetensors.index.json"
_PICKLED = (".bin", ".pt", ".pth", ".ckpt", ".pkl")
_NOT_WEIGHTS = ("training_args.bin", "optimizer.pt", "scheduler.pt")
_DIGESTED = (
    "*.safetensors", "*.safetensors.index.json", "*.model", "*.py", "added_tokens.json", "chat_template*",
    "config.json", "merges.txt", "reward_model.json", "special_tokens_map.json", "tokenizer*", "vocab*",
)  # fmt: skip


def locate(base: str) -> str | Path:
    """Return the folder that ``base`` names, or the text itself if it is the name of a model of the hub.

    Raises:
        ModelError: If it looks like a folder and there is none.
    """
    if base.startswith(_PACKAGE):
        return _in_package(base.removeprefix(_PACKAGE), base)
    path = Path(base).expanduser()
    if path.is_dir():
        return path
    if path.exists():
        raise ModelError(
            f"{base!r} is a file; a model is a folder (a GGUF file is named as gguf_file, its folder as base)"
        )
    if _looks_like_a_path(base):
        raise ModelError(f"there is no folder {base!r}")
    return base


def _looks_like_a_path(base: str) -> bool:
    first, *rest = base.split("/")
    return base.startswith(("/", ".", "~")) or "\\" in base or len(rest) != 1 or not rest[0] or Path(first).is_dir()


def _in_package(place: str, base: str) -> Path:
    name, _, inside = place.partition("/")
    try:
        spec = importlib.util.find_spec(name) if name.isidentifier() else None
    except (ImportError, ValueError):
        spec = None
    if spec is None or not spec.submodule_search_locations:
        raise ModelError(f"{base!r}: there is no installed package {shown(name)}")
    root = Path(spec.submodule_search_locations[0]).resolve()
    folder = (root / inside).resolve()
    if not folder.is_relative_to(root) or not folder.is_dir():
        raise ModelError(f"{base!r}: the package has no folder {shown(inside)}")
    return folder


def check_weights(folder: Path) -> None:
    """Refuse pickled, missing and cut-short weights, naming the file.

    Raises:
        ModelError: If the folder has no whole weights in safetensors.
    """
    files = _weight_files(folder)
    for file in files:
        if not file.is_file():
            raise ModelError(f"{file}: this file of weights is missing; {file.parent / _INDEX} names it")
        try:
            with safe_open(file, framework="numpy"):
                pass
        except (SafetensorError, OSError) as error:
            raise ModelError(f"{file}: broken or cut short, its weights cannot be read ({error})") from None


def _weight_files(folder: Path) -> list[Path]:
    if (folder / "model.safetensors").is_file():  # transformers looks for it first, too
        return [folder / "model.safetensors"]
    if (folder / _INDEX).is_file():
        shards = read_json(folder / _INDEX).get("weight_map")
        if not isinstance(shards, dict) or not all(_is_plain_name(name) for name in shards.values()):
            raise ModelError(f"{folder / _INDEX}: 'weight_map' should say in which file of the folder each tensor is")
        return [folder / name for name in sorted(set(shards.values()))]
    pickled = [path.name for path in sorted(folder.iterdir()) if _is_pickled(path)]
    if pickled:
        raise ModelError(
            f"{folder}: its weights are pickled ({', '.join(pickled)}), and loading a pickle runs code; "
            "save them with safetensors first (save_pretrained does)"
        )
    raise ModelError(f"{folder}: there is no model.safetensors")


def _is_plain_name(name: Any) -> bool:
    return isinstance(name, str) and Path(name).name == name and name.endswith(".safetensors")


def _is_pickled(path: Path) -> bool:
    return path.suffix in _PICKLED and path.name not in _NOT_WEIGHTS


def read_json(path: Path) -> dict[str, Any]:
    """Read a JSON file that holds an object.

    Raises:
        ModelError: If it cannot be read or holds something else.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise ModelError(f"{path}: cannot be read ({getattr(error, 'strerror', None) or error})") from None
    if not isinstance(content, dict):
        raise ModelError(f"{path}: expected a JSON object")
    return content


def read_tensors(folder: Path, prefix: str) -> dict[str, Tensor]:
    """Read the tensors whose names begin with ``prefix``, as precise as they were saved; the prefix is cut off."""
    found: dict[str, Tensor] = {}
    for file in _weight_files(folder):
        with safe_open(file, framework="pt") as tensors:
            names = [name for name in tensors.keys() if name.startswith(prefix)]  # noqa: SIM118
            found |= {name.removeprefix(prefix): tensors.get_tensor(name) for name in names}
    return found


def decisive_files(folder: Path) -> list[Path]:
    """Return the files that scores depend on: weights, settings, tokenizer; of ``folder`` and its ``backbone``."""
    places = (folder, folder / "backbone")
    return sorted({file for place in places for pattern in _DIGESTED for file in place.glob(pattern) if file.is_file()})


def digest_of(folder: Path) -> str:
    """Return the SHA-256 of all files that scores depend on: weights, settings, tokenizer; 64 hex digits."""
    total = hashlib.sha256()
    for file in decisive_files(folder):
        with file.open("rb") as content:
            each = hashlib.file_digest(content, "sha256").hexdigest()
        total.update(f"{file.relative_to(folder).as_posix()} {each}\n".encode())
    return total.hexdigest()
