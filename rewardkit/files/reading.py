"""Reading samples from files of any size: JSON lines, gzip of these, Parquet."""

from __future__ import annotations

import gzip
import io
import stat
import zlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, BinaryIO

from rewardkit.batch import parse_line
from rewardkit.errors import BatchError, RewardKitError
from rewardkit.files.layout import Layout

__all__ = ["SampleFiles", "import_pyarrow"]

_BOM = b"\xef\xbb\xbf"
_GZIP, _PARQUET, _ZSTD = b"\x1f\x8b", b"PAR1", b"\x28\xb5\x2f\xfd"
_PARQUET_ROWS = 1024

_Rows = Iterator[tuple[int, dict[str, Any]]]


class SampleFiles:
    """The samples of one or more files, read one at a time; what a file is, its first bytes say.

    Args:
        paths: JSON lines, gzip of JSON lines, or Parquet; read in this order, as if they were one.
        layout: How samples lie in the rows.

    Raises:
        BatchError: If a file does not exist, cannot be opened, or is empty.
    """

    def __init__(self, paths: Sequence[str | Path], layout: Layout | None = None) -> None:
        self.paths = [Path(path) for path in paths]
        self.layout = layout or Layout()
        self.sizes = [_size(path) for path in self.paths]
        self._before = 0
        self._tell: Callable[[], int] = int

    def __iter__(self) -> Iterator[dict[str, Any]]:
        """Return the samples as mappings of columns.

        Raises:
            BatchError: If a file is broken or cut off, naming file and line.
        """
        return (sample for _, sample in self.located())

    def located(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """Return the samples, each behind its place: the file and the line (of Parquet: the row), from 1 on.

        Raises:
            BatchError: If a file is broken or cut off, naming file and line.
        """
        self._before, count = 0, 0
        for path, size in zip(self.paths, self.sizes, strict=True):
            for located in self._samples(path, size):
                count += 1
                yield located
            self._before, self._tell = self._before + size, int
        if not count:
            raise BatchError(f"{', '.join(map(str, self.paths))}: no samples")

    def _samples(self, path: Path, size: int) -> Iterator[tuple[str, dict[str, Any]]]:
        if not (self.layout.explode or self.layout.columns):
            yield from ((f"{path}:{number}", row) for number, row in self._rows(path, size))
            return
        strict = True
        for number, row in self._rows(path, size):
            where = f"{path}:{number}"
            for sample in self.layout.samples(row, where, strict):
                strict = False
                yield where, sample

    def _rows(self, path: Path, size: int) -> _Rows:
        """Return line (of Parquet: row) numbers, from 1 on, and rows."""
        try:
            with path.open("rb") as file:
                head = file.read(4)
                file.seek(0)
                self._tell = file.tell
                yield from self._parquet(path, size) if head == _PARQUET else _lines(path, file, head)
        except OSError as error:
            raise BatchError(f"{path}: cannot be read: {error.strerror or error}") from None

    def _parquet(self, path: Path, size: int) -> _Rows:
        pyarrow = import_pyarrow(path)
        from pyarrow import parquet

        number = 0
        try:
            with parquet.ParquetFile(path) as file:
                total = file.metadata.num_rows
                self._tell = lambda: size * number // total
                for batch in file.iter_batches(batch_size=_PARQUET_ROWS):
                    for row in batch.to_pylist():
                        number += 1
                        yield number, row
        except pyarrow.ArrowException as error:
            raise BatchError(f"{path}: broken Parquet: {_first_line(error)}") from None
        if not number:
            raise BatchError(f"{path}: empty file, no samples")

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(self.sizes)

    @property
    def position(self) -> int:
        """Bytes read so far, of compressed files compressed ones; for a progress bar."""
        return self._before + self._tell()


def import_pyarrow(path: Path) -> Any:
    """Return the module pyarrow.

    Raises:
        RewardKitError: If it is not installed; says what installs it.
    """
    try:
        import pyarrow
    except ImportError:
        raise RewardKitError(f"{path}: Parquet needs pyarrow: pip install 'rewardkit[parquet]'") from None
    return pyarrow


def _size(path: Path) -> int:
    try:
        with path.open("rb"):
            found = path.stat()
    except OSError as error:
        raise BatchError(f"{path}: cannot be read: {error.strerror or error}") from None
    if not stat.S_ISREG(found.st_mode):
        raise BatchError(f"{path}: not a regular file; write pipes to a file first")
    if not found.st_size:
        raise BatchError(f"{path}: empty file, no samples")
    return found.st_size


def _lines(path: Path, file: BinaryIO, head: bytes) -> _Rows:
    if head == _ZSTD:
        raise BatchError(f"{path}: zstandard is not read; JSON lines may be plain or gzip")
    number, found = 0, False
    try:
        for number, line in enumerate(_unzipped(file, head), 1):
            text = line.removeprefix(_BOM) if number == 1 else line
            if text.isspace():
                continue
            if not found and text.lstrip()[:1] == b"[":
                raise BatchError(f"{path}: a JSON array; give JSON lines, one object a line (jq -c '.[]' converts)")
            found = True
            yield number, _parse(path, text, number)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        cut_off = isinstance(error, EOFError)
        what = "gzip data ends in the middle; the file is cut off" if cut_off else f"broken gzip data: {error}"
        raise BatchError(f"{path}: after line {number}: {what}") from None
    if not found:
        raise BatchError(f"{path}: nothing but blank lines, no samples")


def _unzipped(file: BinaryIO, head: bytes) -> Iterator[bytes]:
    return iter(io.BufferedReader(gzip.GzipFile(fileobj=file)) if head.startswith(_GZIP) else file)


def _parse(path: Path, line: bytes, number: int) -> dict[str, Any]:
    try:
        return parse_line(line, number, f"{path}:")
    except BatchError as error:
        hint = "" if line.endswith(b"\n") else " (this is the last line; the file may be cut off)"
        raise BatchError(f"{error}{hint}") from None


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0][:300] or type(error).__name__
