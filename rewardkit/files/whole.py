"""Files that are there as a whole or not at all."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from rewardkit.errors import RewardKitError

__all__ = ["whole_file"]


@contextmanager
def whole_file(path: str | Path) -> Iterator[BinaryIO]:
    """Open a file to write that appears at once and complete; where writing fails, what was there stays.

    It grows in a hidden folder beside its place and is moved there at the end. A link keeps pointing where it does; a
    device or pipe, which cannot be replaced, is written straight to.

    Args:
        path: The file; it may exist.

    Raises:
        RewardKitError: If it cannot be written.

    Example:
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     with whole_file(Path(folder, "a.txt")) as file:
        ...         _ = file.write(b"all")
        ...     Path(folder, "a.txt").read_bytes()
        b'all'
    """
    try:
        with _opened(Path(path)) as file:
            yield file
    except OSError as error:
        raise RewardKitError(f"{path}: cannot be written: {error.strerror or error}") from None


@contextmanager
def _opened(path: Path) -> Iterator[BinaryIO]:
    if _is_special(path):
        with path.open("wb") as file:
            yield file
        return
    target = path.resolve()
    with tempfile.TemporaryDirectory(prefix=f".{target.name[:40]}-", dir=target.parent) as folder:
        part = Path(folder, "part")  # a plain file in a private folder: it gets the usual permissions
        with part.open("wb") as file:
            yield file
        os.replace(part, target)


def _is_special(path: Path) -> bool:
    """Tell whether something is there that is no plain file."""
    try:
        return os.access(path, os.F_OK) and not path.is_file()
    except ValueError as error:  # no path: it holds a null, or half of a surrogate pair
        raise OSError(str(error)) from None
