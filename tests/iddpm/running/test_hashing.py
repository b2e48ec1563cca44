"""The hash of a large file is taken once, wherever it can be kept."""

import hashlib
import json
from pathlib import Path

import pytest

from iddpm.running import files, hashing
from iddpm.running.files import StorageError
from iddpm.running.hashing import sha256_of

CONTENT = b"pixels"
SHA256 = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file on a disk where nothing can be written."""
    folder = tmp_path / "read_only"
    folder.mkdir()
    usual = files.write_whole

    def write_whole(target: Path, content: bytes) -> None:
        if target.parent == folder:
            raise StorageError(f"{target}: cannot write: Read-only file system")
        usual(target, content)

    monkeypatch.setattr(hashing, "write_whole", write_whole)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    (folder / "data.npz").write_bytes(CONTENT)
    return folder / "data.npz"


def test_the_hash_of_a_file_on_a_read_only_disk_is_kept_among_the_users(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert sha256_of(path, kept_from=1) == SHA256
    (kept,) = (tmp_path / "cache").rglob("*.json")
    assert json.loads(kept.read_text())["sha256"] == SHA256
    assert [file.name for file in path.parent.iterdir()] == ["data.npz"]
    monkeypatch.setattr(hashing, "_hashed", lambda path: pytest.fail("it is hashed again"))
    assert sha256_of(path, kept_from=1) == SHA256


def test_it_is_taken_again_once_the_file_is_another(path: Path) -> None:
    sha256_of(path, kept_from=1)
    path.write_bytes(b"others")
    assert sha256_of(path, kept_from=1) == hashlib.sha256(b"others").hexdigest()


def test_files_of_one_name_in_two_folders_are_two(path: Path, tmp_path: Path) -> None:
    other = tmp_path / "other" / path.name
    other.parent.mkdir()
    other.write_bytes(b"others")
    for _ in range(2):
        assert sha256_of(path, kept_from=1) == SHA256
        assert sha256_of(other, kept_from=1) == hashlib.sha256(b"others").hexdigest()


def test_where_it_can_be_kept_nowhere_it_is_given_all_the_same(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "cache").write_text("a file")
    assert sha256_of(path, kept_from=1) == SHA256
    assert sha256_of(path, kept_from=1) == SHA256


def test_the_hash_of_a_small_file_is_kept_nowhere(path: Path, tmp_path: Path) -> None:
    assert sha256_of(path, kept_from=len(CONTENT) + 1) == SHA256
    assert not (tmp_path / "cache").exists()
