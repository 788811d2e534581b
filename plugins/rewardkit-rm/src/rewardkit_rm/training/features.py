"""Features of a frozen backbone: computed once, kept on disk, so that a resumed run does not compute them again."""

from __future__ import annotations

import hashlib
import json
import os
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

Text = tuple[Prompt, str]


def embed_texts(
    scorer: Scorer, texts: Sequence[Text], folder: Path, advance: Callable[[int], None] = lambda by: None
) -> Tensor:
    """Return the features of texts, from the disk where they have been computed before.

    Texts go in parts of a fixed size, each a file named by a hash of the backbone and the part's texts: what is on
    disk is right or not found, and a run that was killed goes on with the part it was at.

    Args:
        scorer: The model; its head plays no role.
        texts: Prompts with a completion.
        folder: Where the files are.
        advance: Called with the number of texts done since the last call.

    Returns:
        Shape ``(N, H)``, float32; nan where a text cannot be encoded.
    """
    folder.mkdir(parents=True, exist_ok=True)
    backbone = fingerprint(scorer)
    parts = [texts[start : start + _PART] for start in range(0, len(texts), _PART)]
    features = np.empty((len(texts), scorer.model.feature_size), dtype=np.float32)
    for number, part in enumerate(parts):
        features[number * _PART : number * _PART + len(part)] = _part(scorer, part, folder, backbone, advance)
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


def _part(
    scorer: Scorer, texts: Sequence[Text], folder: Path, backbone: str, advance: Callable[[int], None]
) -> NDArray[np.float32]:
    path = folder / f"{_name(texts, backbone)}.npy"
    shape = (len(texts), scorer.model.feature_size)
    stored = _stored(path, shape)
    if stored is not None:
        advance(len(texts))
        return stored
    prompts, completions = zip(*texts, strict=True)
    features = scorer.embed(prompts, completions, progress=advance)
    partial = path.with_suffix(f".{os.getpid()}.partial")
    try:
        with partial.open("wb") as file:
            np.save(file, features, allow_pickle=False)
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
    return features


def _name(texts: Sequence[Text], backbone: str) -> str:
    digest = hashlib.sha256(backbone.encode())
    for prompt, completion in texts:
        content = prompt if isinstance(prompt, str) else [dict(turn) for turn in prompt]
        digest.update(json.dumps([content, completion]).encode() + b"\n")
    return digest.hexdigest()[:32]


def _stored(path: Path, shape: tuple[int, ...]) -> NDArray[np.float32] | None:
    """Return what is on disk, unless there is nothing or it was cut short."""
    try:
        found: NDArray[np.float32] = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError):
        return None
    return found if found.shape == shape and found.dtype == np.float32 else None
