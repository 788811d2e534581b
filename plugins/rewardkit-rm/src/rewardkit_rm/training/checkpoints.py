"""Checkpoints that are complete or not there: a marker, written last, names every file and its size."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from rewardkit.errors import RewardKitError

__all__ = ["Checkpoints", "read_json", "write_atomically"]

_MARKER = "complete.json"
_PREFIX = "checkpoint-"


class Checkpoints:
    """The checkpoints of a run, one folder a step.

    A checkpoint counts from the moment its marker is there, which comes by a rename after all its files are on disk.
    One without a marker, or with a file that is missing or has another size than the marker says, is as good as none.

    Args:
        folder: Where they are, as ``checkpoint-12`` and so on.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def path(self, step: int) -> Path:
        """Return the folder of the checkpoint of a step."""
        return self.folder / f"{_PREFIX}{step}"

    def complete(self, step: int) -> None:
        """Declare that the checkpoint of a step has all its files.

        Raises:
            OSError: If the disk does not hold them.
        """
        path = self.path(step)
        sizes = {str(file.relative_to(path)): file.stat().st_size for file in _files(path)}
        for file in _files(path):
            _sync(file)
        write_atomically(path / _MARKER, json.dumps({"step": step, "files": sizes}, indent=1, sort_keys=True))
        _sync(self.folder)

    def problem(self, step: int) -> str:
        """Say why the checkpoint of a step cannot be used; nothing if it can."""
        path = self.path(step)
        try:
            sizes: dict[str, int] = json.loads((path / _MARKER).read_bytes())["files"]
        except (OSError, ValueError, KeyError, TypeError):
            return "it was not finished"
        for name, size in sizes.items():
            file = path / name
            if not file.is_file():
                return f"{name} is missing"
            if file.stat().st_size != size:
                return f"{name} has {file.stat().st_size:,} bytes instead of {size:,}"
        return ""

    def steps(self) -> list[int]:
        """Return the steps that have a folder, the first one first."""
        names = (entry.name.removeprefix(_PREFIX) for entry in self.folder.glob(f"{_PREFIX}*"))
        return sorted(int(name) for name in names if name.isdecimal())

    def latest(self) -> tuple[int | None, dict[int, str]]:
        """Return the last step that can be used, and what is wrong with the later ones."""
        skipped: dict[int, str] = {}
        for step in reversed(self.steps()):
            problem = self.problem(step)
            if not problem:
                return step, skipped
            skipped[step] = problem
        return None, skipped

    def discard(self, step: int) -> None:
        """Remove the checkpoint of a step, its marker first: half of it never counts as a checkpoint."""
        (self.path(step) / _MARKER).unlink(missing_ok=True)
        shutil.rmtree(self.path(step), ignore_errors=True)

    def keep(self, *kept: int | None) -> None:
        """Remove all but some."""
        for step in self.steps():
            if step not in kept:
                self.discard(step)


def write_atomically(path: Path, text: str) -> None:
    """Write a file so that it has its old content or all of the new one, whatever happens.

    Raises:
        OSError: If the disk does not hold it.
    """
    partial = path.with_name(f"{path.name}.{os.getpid()}.partial")
    try:
        partial.write_text(text, encoding="utf-8")
        _sync(partial)
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
    _sync(path.parent)


def read_json(path: Path) -> dict[str, Any]:
    """Return what `write_atomically` wrote.

    Raises:
        RewardKitError: If it is not there or broken.
    """
    try:
        content = json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        raise RewardKitError(f"{path} cannot be read: {error}") from None
    if not isinstance(content, dict):
        raise RewardKitError(f"{path} cannot be read: expected a mapping")
    return content


def _files(folder: Path) -> Iterator[Path]:
    yield from sorted(file for file in folder.rglob("*") if file.is_file() and file.name != _MARKER)


def _sync(path: Path) -> None:
    """Have the system write a file or a folder to the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
