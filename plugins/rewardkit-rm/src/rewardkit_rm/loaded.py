"""Reward models that this process has loaded, one for all who ask for the same."""

from __future__ import annotations

import functools
import os
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from rewardkit_rm.models.scorer import Scorer

__all__ = ["LoadedModel", "loaded", "stored_digest"]

_Stamp = tuple[tuple[str, int, int], ...]


class LoadedModel(NamedTuple):
    """A model, and the lock under which it scores: tokenizers are not safe for threads."""

    scorer: Scorer
    lock: threading.Lock
    stamp: _Stamp


_models: dict[tuple[str, str, str, bool], LoadedModel] = {}
_loading = threading.Lock()


def loaded(path: str, device: str = "auto", dtype: str = "auto", trust_remote_code: bool = False) -> LoadedModel:
    """Return the model of a folder, loaded when it is first asked for and when its files have changed since."""
    key = (str(Path(path).resolve()), device, dtype, trust_remote_code)
    stamp = _stamp(Path(path))
    with _loading:
        known = _models.get(key)
        if known is None or known.stamp != stamp:
            from rewardkit_rm.models.loading import load

            scorer = load(path, device=device, dtype=dtype, trust_remote_code=trust_remote_code)
            known = _models[key] = LoadedModel(scorer, threading.Lock(), stamp)
        return known


def stored_digest(path: str) -> str:
    """Return the digest of the model in a folder, without loading it; computed again when its files change.

    Raises:
        OSError: If a file cannot be read.
    """
    return _digest(str(Path(path).resolve()), _stamp(Path(path)))


def _after_fork() -> None:
    """Make models usable in a forked process: no thread that held a lock, and none of torch's, came along."""
    global _loading
    _loading = threading.Lock()
    for key, known in _models.items():
        _models[key] = known._replace(lock=threading.Lock())
    if _models:
        sys.modules["torch"].set_num_threads(1)  # or the first parallel operation waits for ever


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


@functools.lru_cache(maxsize=32)
def _digest(path: str, stamp: _Stamp) -> str:
    from rewardkit_rm.models.sources import digest_of

    return digest_of(Path(path))


def _stamp(folder: Path) -> _Stamp:
    """Return name, time and size of the files that decide what the model scores."""
    from rewardkit_rm.models.sources import decisive_files

    return tuple((str(file), file.stat().st_mtime_ns, file.stat().st_size) for file in decisive_files(folder))
