"""Files appear whole, and what keeps one from being written is said in one sentence."""

import errno
import os
from pathlib import Path

import pytest

from iddpm.files import StorageError, read_json, write_json, write_whole


def test_a_written_file_holds_the_data_and_leaves_nothing_beside_it(tmp_path: Path) -> None:
    write_whole(tmp_path / "a", b"one")
    write_whole(tmp_path / "a", b"two")
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {"a": b"two"}


@pytest.mark.parametrize(
    ("number", "words"),
    [(errno.ENOSPC, "the disk is full"), (errno.EROFS, "the disk is read-only")],
)
def test_a_write_cut_short_leaves_the_old_file_and_says_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, words: str
) -> None:
    write_whole(tmp_path / "a", b"old")

    def refuse(handle: int) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "fsync", refuse)
    with pytest.raises(StorageError, match=words):
        write_whole(tmp_path / "a", b"new")
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {"a": b"old"}


def test_a_really_full_disk_is_named(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match=r"/dev/full.*cannot write"):
        write_whole(Path("/dev/full/x"), b"data")


def test_equal_values_are_equal_bytes_of_json(tmp_path: Path) -> None:
    write_json(tmp_path / "a", {"b": 1, "a": [0.1, None]})
    write_json(tmp_path / "b", {"a": [0.1, None], "b": 1})
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    assert read_json(tmp_path / "a") == {"a": [0.1, None], "b": 1}


def test_a_number_that_is_not_finite_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_json(tmp_path / "a", float("nan"))


def test_json_cut_short_is_named(tmp_path: Path) -> None:
    (tmp_path / "a").write_text('{"a": 1')
    with pytest.raises(ValueError, match="a: expected whole JSON, found a file cut short"):
        read_json(tmp_path / "a")
