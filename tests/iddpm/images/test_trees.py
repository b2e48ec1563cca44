"""Archives that anybody may have written: each is read, or refused in one sentence."""

import io
import lzma
import tarfile
import zipfile
from pathlib import Path

import pytest

from iddpm.bounds import ConfigError
from iddpm.images.folders import Account
from iddpm.images.trees import files_at

CONTENT = bytes(range(256)) * 20


def read(path: Path) -> tuple[dict[str, bytes], Account]:
    """Every file by its name, and what was left out."""
    account = Account()
    _, files = files_at([path], account, where="x")
    found = {}
    for file in files:
        with file.open("x") as opened:
            found[file.name] = opened.read()
    return found, account


def refusal(path: Path) -> str:
    with pytest.raises(ConfigError) as refused:
        read(path)
    said = str(refused.value)
    assert said.isprintable()
    return said


def tar(*members: tarfile.TarInfo) -> bytes:
    """A tar, not packed; each file has the beginning of `CONTENT`."""
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as archive:
        for member in members:
            archive.addfile(member, io.BytesIO(CONTENT))
    return file.getvalue()


def member(name: str, **fields: object) -> tarfile.TarInfo:
    found = tarfile.TarInfo(name)
    found.size = len(CONTENT)
    for field, value in fields.items():
        setattr(found, field, value)
    return found


def test_a_tar_packed_by_xz_is_read_and_refused_where_its_end_is_damaged(tmp_path: Path) -> None:
    content = bytearray(lzma.compress(tar(member("a"))))
    (tmp_path / "x.tar.xz").write_bytes(content)
    assert read(tmp_path / "x.tar.xz")[0] == {"a": CONTENT}
    content[-20] ^= 255
    (tmp_path / "x.tar.xz").write_bytes(content)
    assert "x.tar.xz that cannot be read (Corrupt input data); get it" in refusal(
        tmp_path / "x.tar.xz"
    )


def test_a_damaged_zip_packed_by_lzma_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_LZMA) as archive:
        archive.writestr("a", CONTENT)
    content = bytearray(path.read_bytes())
    content[60:100] = bytes(255 - byte for byte in content[60:100])
    path.write_bytes(content)
    assert f"{path}/a that cannot be read (Corrupt input data); get it" in refusal(path)
