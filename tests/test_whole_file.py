"""Files that are there as a whole or not at all."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from rewardkit.errors import BatchError, RewardKitError
from rewardkit.files.whole import whole_file


def test_a_file_appears_at_the_end_and_nothing_stays_beside_it(tmp_path: Path) -> None:
    target = tmp_path / "a.txt"
    target.write_bytes(b"old")
    with whole_file(target) as file:
        file.write(b"new")
        assert target.read_bytes() == b"old"
    assert target.read_bytes() == b"new"
    assert [path.name for path in tmp_path.iterdir()] == ["a.txt"]


def test_files_with_long_names_that_start_alike_are_written_side_by_side(tmp_path: Path) -> None:
    names = ["x" * 200 + end for end in "ab"]
    with whole_file(tmp_path / names[0]) as one, whole_file(tmp_path / names[1]) as other:
        one.write(b"1")
        other.write(b"2")
    assert [(tmp_path / name).read_bytes() for name in names] == [b"1", b"2"]


def test_an_error_while_writing_passes_and_leaves_what_was_there(tmp_path: Path) -> None:
    target = tmp_path / "a.txt"
    target.write_bytes(b"old")
    with pytest.raises(BatchError, match="^row 3$"):
        _fail(target)
    assert target.read_bytes() == b"old"
    assert [path.name for path in tmp_path.iterdir()] == ["a.txt"]


def _fail(target: Path) -> None:
    with whole_file(target) as file:
        file.write(b"half")
        raise BatchError("row 3")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full")
def test_a_full_disk_is_told() -> None:
    reason = "^/dev/full: cannot be written: No space left on device$"
    with pytest.raises(RewardKitError, match=reason), whole_file("/dev/full") as file:
        file.write(b"x")


def test_a_pipe_is_written_to(tmp_path: Path) -> None:
    read, write = os.pipe()
    with whole_file(f"/dev/fd/{write}") as file:
        file.write(b"through")
    os.close(write)
    assert os.read(read, 100) == b"through"
    os.close(read)


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("missing/a.txt", "No such file or directory"),
        (".", "Is a directory"),
        ("x" * 300, "File name too long"),
        ("a\0b", "embedded null"),
        ("a\ud83d", "surrogates not allowed"),
    ],
    ids=["no folder", "a folder", "long name", "null", "surrogate"],
)
def test_a_path_that_cannot_be_written_says_why_and_leaves_nothing(tmp_path: Path, name: str, reason: str) -> None:
    message = f"cannot be written: .*{re.escape(reason)}"
    with pytest.raises(RewardKitError, match=message), whole_file(tmp_path / name):
        pass
    assert list(tmp_path.iterdir()) == []
