"""Features of a frozen backbone: computed once, kept on disk, so that a resumed run does not compute them again."""

from __future__ import annotations

import hashlib
import json
import os
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from rewardkit_rm.models.scorer import Scorer
from rewardkit_rm.pairs.pair import Prompt

__all__ = ["embed_texts", "fingerprint"]

_PART = 1024
_KEY_BYTES = 16

Text = tuple[Prompt, str]


def embed_texts(
    scorer: Scorer, texts: Sequence[Text], folder: Path, advance: Callable[[int], None] = lambda by: None
) -> Tensor:
    """Return the features of texts, from the disk where they have been computed before.

    What is computed goes to the disk in parts of a fixed size, each text under a hash of itself and of the backbone: it
    is found again whatever set it is in, what is there is right, and a run that was killed goes on with the part it
    was at.

    Args:
        scorer: The model; its head plays no role.
        texts: Prompts with a completion.
        folder: Where the files are.
        advance: Called with the number of texts done since the last call.

    Returns:
        Shape ``(N, H)``, float32; nan where a text cannot be encoded.
    """
    folder.mkdir(parents=True, exist_ok=True)
    keys = _keys(texts, fingerprint(scorer))
    features = np.empty((len(texts), scorer.model.feature_size), dtype=np.float32)
    missing = _read(folder, keys, features)
    advance(len(texts) - len(missing))
    for start in range(0, len(missing), _PART):
        part = missing[start : start + _PART]
        prompts, completions = zip(*(texts[place] for place in part), strict=True)
        features[part] = scorer.embed(prompts, completions, progress=advance)
        _write(folder, keys[part], features[part])
    return torch.from_numpy(features)


def fingerprint(scorer: Scorer) -> str:
    """Return a hash of all that decides the features: weights of the backbone, tokenizer, encoding, pooling, layers."""
    digest = hashlib.sha256()
    for name, weight in sorted(scorer.model.body.state_dict().items()):
        digest.update(f"{name} {weight.dtype} {tuple(weight.shape)}".encode())
        digest.update(weight.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().data)
    encoder = scorer.encoder
    tokenizer = json.loads(encoder.tokenizer.backend_tokenizer.to_str())
    tokenizer |= {"padding": None, "truncation": None}  # what the last call left behind
    for part in (json.dumps(tokenizer), str(encoder.tokenizer.chat_template), encoder.settings.model_dump_json()):
        digest.update(hashlib.sha256(part.encode(errors="surrogatepass")).digest())
    digest.update(f"{scorer.model.pooling} {scorer.model.layers}".encode())
    return digest.hexdigest()


def _keys(texts: Sequence[Text], backbone: str) -> NDArray[np.uint8]:
    """Return 16 bytes for each text, shape ``(N, 16)``."""
    keys = np.empty((len(texts), _KEY_BYTES), dtype=np.uint8)
    for place, (prompt, completion) in enumerate(texts):
        content = prompt if isinstance(prompt, str) else [dict(turn) for turn in prompt]
        text = json.dumps([backbone, content, completion]).encode()
        keys[place] = np.frombuffer(hashlib.sha256(text).digest()[:_KEY_BYTES], dtype=np.uint8)
    return keys


def _read(folder: Path, keys: NDArray[np.uint8], features: NDArray[np.float32]) -> list[int]:
    """Fill in the features that are on disk; return the places of those that are not."""
    places = {key.tobytes(): place for place, key in enumerate(keys)}
    missing = set(range(len(keys)))
    for path in sorted(folder.glob("*.npz")):
        missing.difference_update(_read_part(path, places, features))
    return sorted(missing)


def _read_part(path: Path, places: dict[bytes, int], features: NDArray[np.float32]) -> list[int]:
    """Fill in what one file holds; nothing of one that was cut short or is none of ours: it is computed again."""
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as part:
            found = {row: places.get(key.tobytes()) for row, key in enumerate(part["keys"])}
            rows = [row for row, place in found.items() if place is not None]
            targets = [place for place in found.values() if place is not None]
            if rows:
                features[targets] = part["features"][rows]
            return targets
    except (OSError, ValueError, EOFError, KeyError, IndexError, zipfile.BadZipFile):
        return []


def _write(folder: Path, keys: NDArray[np.uint8], features: NDArray[np.float32]) -> None:
    path = folder / f"{hashlib.sha256(keys.tobytes()).hexdigest()[:32]}.npz"
    partial = path.with_suffix(f".{os.getpid()}.partial")
    try:
        with partial.open("wb") as file:
            np.savez(file, keys=keys, features=features)
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
