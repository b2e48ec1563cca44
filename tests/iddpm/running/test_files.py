"""Files appear whole or not at all, and a full or read-only disk is said in one sentence."""

import errno
import os
from pathlib import Path

import pytest

from iddpm.running.files import StorageError, read_json, remove_unfinished, write_json, write_whole
from tests.witness.limits import largest_file


def failing_with(number: int) -> OSError:
    return OSError(number, os.strerror(number))


def test_what_is_written_is_read_back_and_replaces_what_was_there(tmp_path: Path) -> None:
    path = tmp_path / "file"
    write_whole(path, b"old")
    write_whole(path, memoryview(b"new"))
    assert path.read_bytes() == b"new"
    assert os.listdir(tmp_path) == ["file"]


def test_a_file_has_the_permissions_that_any_new_file_has(tmp_path: Path) -> None:
    write_whole(tmp_path / "ours", b"")
    (tmp_path / "plain").touch()
    assert (tmp_path / "ours").stat().st_mode == (tmp_path / "plain").stat().st_mode


def test_a_write_that_meets_a_limit_halfway_leaves_the_old_file_and_nothing_else(
    tmp_path: Path,
) -> None:
    path = tmp_path / "file"
    write_whole(path, b"old")
    with largest_file(1000), pytest.raises(StorageError) as caught:
        write_whole(path, bytes(5000))
    assert str(caught.value) == (
        f"{path}: cannot write: File too large; "
        "the file is larger than this process may write; raise its limit (ulimit -f)"
    )
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["file"]


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (errno.ENOSPC, "No space left on device; the disk is full; free some space and run "),
        (errno.EDQUOT, "Disk quota exceeded; the disk quota is used up; free some space and run "),
        (errno.EROFS, "Read-only file system; the disk is read-only; choose another folder"),
        (errno.EACCES, "Permission denied; this user may not write there; choose another folder"),
        (errno.EIO, "Input/output error; the disk, or the way to it, fails; choose another"),
    ],
)
def test_a_disk_that_cannot_be_written_is_named_with_what_to_try(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, words: str
) -> None:
    path = tmp_path / "file"
    write_whole(path, b"old")

    def fsync(handle: int) -> None:
        raise failing_with(number)

    monkeypatch.setattr(os, "fsync", fsync)
    with pytest.raises(StorageError) as caught:
        write_whole(path, b"new")
    assert str(caught.value).startswith(f"{path}: cannot write: {words}")
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["file"]


def test_a_folder_that_is_missing_is_a_storage_error(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="cannot write: No such file or directory; look at"):
        write_whole(tmp_path / "gone" / "file", b"")


def test_an_interrupted_write_leaves_the_old_file_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "file"
    write_whole(path, b"old")

    def replace(*names: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "replace", replace)
    with pytest.raises(KeyboardInterrupt):
        write_whole(path, b"new")
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["file"]


def test_what_a_killed_write_left_behind_can_be_removed(tmp_path: Path) -> None:
    if (child := os.fork()) == 0:
        os.fsync = lambda handle: os._exit(9)  # type: ignore[assignment]
        write_whole(tmp_path / "file", b"new")
    os.waitpid(child, 0)
    write_whole(tmp_path / "other", b"")
    assert len(os.listdir(tmp_path)) == 2
    remove_unfinished(tmp_path / "file")
    assert os.listdir(tmp_path) == ["other"]


def test_equal_values_are_equal_bytes(tmp_path: Path) -> None:
    write_json(tmp_path / "a", {"x": 0.1, "é": [1, None]})
    write_json(tmp_path / "b", {"é": [1, None], "x": 0.1})
    expected = '{\n "x": 0.1,\n "é": [\n  1,\n  null\n ]\n}\n'
    assert (tmp_path / "a").read_text("utf-8") == expected
    assert (tmp_path / "b").read_text("utf-8") == expected
    assert read_json(tmp_path / "a") == {"x": 0.1, "é": [1, None]}


@pytest.mark.parametrize("number", [float("nan"), float("inf")])
def test_a_number_that_is_not_finite_is_refused_and_the_old_file_stays(
    tmp_path: Path, number: float
) -> None:
    path = tmp_path / "file"
    write_json(path, {"x": 1})
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_json(path, {"x": number})
    assert read_json(path) == {"x": 1}


@pytest.mark.parametrize("length", [0, 1, 5, 9])
def test_json_cut_short_is_refused_by_name(tmp_path: Path, length: int) -> None:
    path = tmp_path / "result.json"
    write_json(path, {"x": "é"})
    path.write_bytes(path.read_bytes()[:length])
    with pytest.raises(ValueError, match=r"result\.json: expected whole JSON, found a file cut"):
        read_json(path)


def test_a_missing_file_is_not_a_broken_one(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        read_json(tmp_path / "gone")
