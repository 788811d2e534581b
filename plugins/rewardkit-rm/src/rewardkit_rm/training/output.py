"""The folder of a run: whose it is, what may be done with it, what is written into it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from rewardkit_rm.training.checkpoints import Checkpoints, read_json, write_atomically
from rewardkit_rm.training.errors import TrainingError

__all__ = ["Output"]

_RUN = "run.json"
_KEPT = "embeddings"
_FREE = ("data.train", "data.validation", "data.other_domains", "training.report_to")
"""Settings that may change when a run is resumed: names of files, whose pairs are compared instead, and trackers."""


class Output:
    """The folder of a run.

    ``run.json`` says which run it is, ``checkpoints/`` and ``embeddings/`` are for going on with it, ``history.jsonl``
    has its figures; the model comes at the end, with ``training.yaml``, and last of all ``training_card.json``.

    Args:
        folder: The folder.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.checkpoints = Checkpoints(folder / "checkpoints")
        self.embeddings = folder / _KEPT
        self.history = folder / "history.jsonl"
        self.card = folder / "training_card.json"
        self.settings = folder / "training.yaml"

    def refuse_taken(self, resume: bool, overwrite: bool) -> None:
        """Refuse a folder that holds something, unless it is a run's and said what to do with it.

        Raises:
            TrainingError: If it holds something else, or a run without ``resume`` or ``overwrite``.
        """
        if resume and overwrite:
            raise TrainingError("resume goes on with a run, overwrite throws it away: choose one")
        if self.folder.exists() and not self.folder.is_dir():
            raise TrainingError(f"{self.folder} is a file; the output is a folder")
        if not self._entries():
            return
        if not (self.folder / _RUN).exists():
            raise TrainingError(f"{self.folder} holds files that are not of a training run; choose another folder")
        if not (resume or overwrite):
            raise TrainingError(f"{self.folder} holds a run: --resume goes on with it, --overwrite starts anew")

    def claim(self, settings: Mapping[str, Any], data: Mapping[str, str], overwrite: bool) -> None:
        """Make the folder this run's, or see that it is.

        Args:
            settings: The settings of the run, nested.
            data: Hash of the pairs by set.
            overwrite: Remove what is there; embeddings stay, they are named by their content.

        Raises:
            TrainingError: If it holds a run of other settings or pairs; names what differs.
        """
        run = {"settings": _comparable(settings), "data": dict(data)}
        path = self.folder / _RUN
        if overwrite:
            for entry in self._entries():
                if entry.name not in (_KEPT, _RUN):  # last comes what says that the folder is ours
                    _remove(entry)
        if path.exists() and not overwrite:
            self._refuse_other(read_json(path), run)
        else:
            self.folder.mkdir(parents=True, exist_ok=True)
            write_atomically(path, json.dumps(run, indent=1, ensure_ascii=False))
        for stale in [*self.folder.glob("*.partial"), *self.embeddings.glob("*.partial")]:
            stale.unlink(missing_ok=True)

    def _refuse_other(self, before: Mapping[str, Any], now: Mapping[str, Any]) -> None:
        differing = []
        for part, noun in (("settings", "{}"), ("data", "the pairs of {}")):
            old, new = before.get(part, {}), now[part]
            keys = [key for key in {**old, **new} if old.get(key) != new.get(key)]
            values = "" if part == "data" else " ({} then, {} now)"
            differing += [noun.format(key) + values.format(old.get(key), new.get(key)) for key in keys]
        if differing:
            raise TrainingError(
                f"{self.folder} holds another run; resuming needs the same, and these differ: {', '.join(differing)}"
            )

    def _entries(self) -> list[Path]:
        """Return what is in the folder, but for what a kill may leave of a file half written."""
        if not self.folder.is_dir():
            return []
        return sorted(entry for entry in self.folder.iterdir() if entry.suffix != ".partial")


def _comparable(settings: Mapping[str, Any]) -> dict[str, Any]:
    flat = _flat(settings, "")
    return {key: value for key, value in flat if ".".join(key.split(".")[:2]) not in _FREE}


def _flat(settings: Mapping[str, Any], prefix: str) -> Iterator[tuple[str, Any]]:
    for key, value in settings.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def _remove(entry: Path) -> None:
    if entry.is_dir() and not entry.is_symlink():
        shutil.rmtree(entry)
    else:
        entry.unlink()
