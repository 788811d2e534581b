"""Preference pairs from files, folders and tables, one at a time."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from rewardkit.errors import BatchError, RewardKitError
from rewardkit.files import Layout, SampleFiles
from rewardkit_rm.pairs.pair import Pair
from rewardkit_rm.pairs.rankings import Weighting
from rewardkit_rm.pairs.rows import pairs_of_row

__all__ = ["PairFiles", "pairs_hash", "read_pairs"]

_HASH_BITS = 256


class PairFiles:
    """The pairs of one or more files, read one at a time, as often as you like.

    Args:
        paths: JSON lines, gzip of JSON lines, Parquet, or a folder that ``Dataset.save_to_disk`` of Hugging Face
            ``datasets`` wrote; read in this order, as if they were one.
        layout: How rows lie in the files.
        weighting: How pairs of a ranking are weighted, see `ranking_pairs`.

    Raises:
        BatchError: If a file does not exist, cannot be opened, or is empty.
        RewardKitError: If a folder is given and ``datasets`` is not installed.
    """

    def __init__(
        self, paths: Sequence[str | Path], layout: Layout | None = None, weighting: Weighting = "ranking"
    ) -> None:
        self.paths = [Path(path) for path in paths]
        self.layout = layout or Layout()
        self.weighting: Weighting = weighting
        self._parts = [_part(path, self.layout) for path in self.paths]
        self._at = 0

    def __iter__(self) -> Iterator[Pair]:
        """Return the pairs.

        Raises:
            BatchError: If a file is broken, or a row is no pair, naming file and line.
        """
        for where, row in self.located():
            yield from pairs_of_row(row, where, self.weighting)

    def located(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """Return the rows as they are in the files, each behind its place: the file and the line.

        Raises:
            BatchError: If a file is broken, naming file and line.
        """
        self._at = 0
        for part in self._parts:
            yield from part.located()
            self._at += 1

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(part.size for part in self._parts)

    @property
    def position(self) -> int:
        """Bytes read so far, of compressed files compressed ones; for a progress bar."""
        before = sum(part.size for part in self._parts[: self._at])
        return before + (self._parts[self._at].position if self._at < len(self._parts) else 0)


class _Folder:
    """A folder written by ``Dataset.save_to_disk``."""

    def __init__(self, path: Path, layout: Layout) -> None:
        self.path, self.layout = path, layout
        self.rows = _load_folder(path)
        self.size = max(1, sum(file.stat().st_size for file in path.glob("*.arrow")))
        self._read = 0

    def located(self) -> Iterator[tuple[str, dict[str, Any]]]:
        for number, row in enumerate(self.rows, 1):
            self._read = number
            where = f"{self.path}:{number}"
            for sample in self.layout.samples(row, where, strict=number == 1):
                yield where, sample

    @property
    def position(self) -> int:
        return self.size * self._read // max(1, len(self.rows))


def _part(path: Path, layout: Layout) -> SampleFiles | _Folder:
    return _Folder(path, layout) if path.is_dir() else SampleFiles([path], layout)


def _load_folder(path: Path) -> Any:
    if (path / "dataset_dict.json").exists():
        splits = ", ".join(sorted(str(part) for part in path.iterdir() if part.is_dir()))
        raise BatchError(f"{path}: a dataset of several splits; name the one you mean: {splits}")
    if not (path / "state.json").exists():
        raise BatchError(f"{path}: a folder that Dataset.save_to_disk did not write; give its files instead")
    try:
        import datasets
    except ImportError:
        raise RewardKitError(f"{path}: a folder of datasets needs them: pip install 'rewardkit-rm[datasets]'") from None
    try:
        return datasets.load_from_disk(str(path))
    except Exception as error:  # whatever the library meets in a broken folder: OSError, KeyError, ArrowInvalid
        told = f"{type(error).__name__}: {str(error)[:200]}"
        raise BatchError(f"{path}: a dataset folder that is broken or empty: {told}") from None


class _Rows:
    """Pairs of rows in memory, as often as the rows can be gone through."""

    def __init__(self, rows: Iterable[Any]) -> None:
        self.rows = rows

    def __iter__(self) -> Iterator[Pair]:
        for number, row in enumerate(self.rows):
            if isinstance(row, Pair):
                yield row
            elif isinstance(row, Mapping):
                yield from pairs_of_row(row, f"row {number}")
            else:
                raise BatchError(f"row {number}: expected a mapping or a Pair, got {type(row).__name__}")


def read_pairs(source: str | Path | Iterable[Any]) -> Iterable[Pair]:
    """Return the pairs of files, or of rows in memory.

    Args:
        source: A path, a sequence of paths (see `PairFiles`), or any iterable of mappings (such as a ``Dataset`` of
            Hugging Face ``datasets``; see `pairs_of_row` for their columns) or of `Pair`.

    Returns:
        The pairs; can be gone through as often as the source.

    Raises:
        BatchError: If a file cannot be read; while going through it, if a row is no pair.

    Example:
        >>> [pair.chosen for pair in read_pairs([{"prompt": "2+2?", "chosen": "4", "rejected": "5"}])]
        ['4']
    """
    if isinstance(source, str | Path):
        return PairFiles([source])
    if isinstance(source, Mapping):
        raise BatchError(
            f"expected rows, got a {type(source).__name__} of {', '.join(map(str, source))}; give one of it"
        )
    if isinstance(source, Sequence) and source and all(isinstance(one, str | Path) for one in source):
        return PairFiles(source)
    return source if isinstance(source, PairFiles) else _Rows(source)


def pairs_hash(pairs: Iterable[Pair]) -> str:
    """Return a hash of what is learned from: the same for the same pairs in any order.

    The sum of the SHA-256 of all pairs modulo 2**256, so that a pair that stands there twice counts twice. Prompt,
    sides, probability, tie, margin, weight and domain count; annotator, id and place do not.

    >>> one, other = Pair("2+2?", "4", "5"), Pair("1+1?", "2", "3", id="b")
    >>> pairs_hash([one, other]) == pairs_hash([other, one]) != pairs_hash([one])
    True
    """
    total = 0
    for pair in pairs:
        prompt: Any = pair.prompt if isinstance(pair.prompt, str) else [dict(turn) for turn in pair.prompt]
        content = [
            prompt,
            pair.chosen,
            pair.rejected,
            pair.probability,
            pair.tie,
            pair.margin,
            pair.weight,
            pair.domain,
        ]
        text = json.dumps(content, sort_keys=True, default=str)
        total += int.from_bytes(hashlib.sha256(text.encode()).digest())
    return f"{total % 2**_HASH_BITS:064x}"
