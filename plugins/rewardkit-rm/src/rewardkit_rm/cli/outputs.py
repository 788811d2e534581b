"""What a command may write."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

__all__ = ["check_outputs", "make_folder"]


def check_outputs(outputs: Iterable[str | Path | None], inputs: Iterable[str | Path]) -> None:
    """Refuse, before any work is done, what cannot be written at the end.

    Raises:
        RewardKitError: If an output is an input or a folder, or lies in no folder.
    """
    from rewardkit.errors import RewardKitError

    known = {Path(path).resolve() for path in inputs}
    for path in (Path(output) for output in outputs if output is not None):
        if not path.parent.is_dir():
            raise RewardKitError(f"{path}: cannot be written: there is no folder {path.parent}")
        if path.is_dir():
            raise RewardKitError(f"{path}: cannot be written: it is a folder")
        if path.resolve() in known:
            raise RewardKitError(f"{path}: cannot be written: it is an input")


def make_folder(path: Path) -> None:
    """Make a folder for outputs, and those that it lies in; it may exist.

    Raises:
        RewardKitError: If it cannot be made.
    """
    from rewardkit.errors import RewardKitError

    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RewardKitError(f"{path}: the folder cannot be made: {error.strerror}") from None
