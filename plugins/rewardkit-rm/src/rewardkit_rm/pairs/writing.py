"""Writing pairs as JSON lines, all of them or nothing."""

from __future__ import annotations

import gzip
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, cast

from rewardkit.errors import RewardKitError, unknown
from rewardkit.files.formats import json_lines
from rewardkit.files.whole import whole_file
from rewardkit_rm.pairs.pair import Pair
from rewardkit_rm.pairs.rows import pair_row

__all__ = ["row_file", "write_pairs"]


def write_pairs(path: str | Path, pairs: Iterable[Pair], overwrite: bool = False) -> int:
    """Write pairs as JSON lines and return how many; see `row_file`."""
    count = 0
    with row_file(path, overwrite) as write:
        for pair in pairs:
            write(pair_row(pair))
            count += 1
    return count


@contextmanager
def row_file(path: str | Path, overwrite: bool = False) -> Iterator[Callable[[Mapping[str, Any]], None]]:
    """Open a file of JSON lines that appears at once and complete, or not at all.

    Args:
        path: The file, ending in .jsonl or .jsonl.gz.
        overwrite: Whether a file of that name may be replaced.

    Yields:
        A function that writes one row.

    Raises:
        RewardKitError: If its ending is another one, it exists already, or it cannot be written.
    """
    out = Path(path)
    _check(out, overwrite)
    with whole_file(out) as raw:
        if not out.name.endswith(".gz"):
            yield _writer(raw)
            return
        with gzip.GzipFile(filename="", fileobj=raw, mode="wb", compresslevel=6, mtime=0) as zipped:
            yield _writer(cast(BinaryIO, zipped))


def _writer(file: BinaryIO) -> Callable[[Mapping[str, Any]], None]:
    def write(row: Mapping[str, Any]) -> None:
        file.write(json_lines({name: [value] for name, value in row.items()}))

    return write


def _check(out: Path, overwrite: bool) -> None:
    if not out.name.endswith((".jsonl", ".jsonl.gz")):
        ending = "".join(out.suffixes[-2:]) or out.name
        raise RewardKitError(f"{out}: {unknown('ending', ending, ['.jsonl', '.jsonl.gz'])}")
    if out.exists() and not overwrite:
        raise RewardKitError(f"{out}: exists already; --overwrite (overwrite=True) replaces it")
