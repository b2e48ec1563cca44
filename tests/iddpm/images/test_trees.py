"""Archives that anybody may have written: each is read, or refused in one sentence."""

import io
import lzma
import stat
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


# ---------------------------------------------------------------------------- what is left out


def test_links_in_a_tar_and_what_is_no_file_are_told(tmp_path: Path) -> None:
    path = tmp_path / "x.tar"
    others = [
        member("b", type=tarfile.SYMTYPE, linkname="a", size=0),
        member("c", type=tarfile.LNKTYPE, linkname="a", size=0),
        member("d", type=tarfile.FIFOTYPE, size=0),
        member("e", type=tarfile.DIRTYPE, size=0),
    ]
    path.write_bytes(tar(member("a"), *others))
    found, account = read(path)
    assert found == {"a": CONTENT}
    assert account.lines() == (
        "left out, links within an archive: 2 (b, c)",
        "left out, neither files nor folders: 1 (d)",
    )


def test_links_in_a_zip_are_told(tmp_path: Path) -> None:
    link = zipfile.ZipInfo("b")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as archive:
        archive.writestr("a", CONTENT)
        archive.writestr(link, "a")
    found, account = read(tmp_path / "x.zip")
    assert found == {"a": CONTENT}
    assert account.lines() == ("left out, links within an archive: 1 (b)",)


# ------------------------------------------------------------------------------ what is refused


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_name_that_a_zip_holds_twice_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for content in (b"1", b"2"):
            archive.writestr("a", content)
    assert refusal(path) == f"x: expected each file once, found {path}/a twice; zip them anew"


def test_a_sparse_file_in_a_tar_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.tar"
    holes = {"GNU.sparse.major": "1", "GNU.sparse.minor": "0", "GNU.sparse.realsize": str(2**40)}
    path.write_bytes(tar(member("a", pax_headers=holes)).replace(CONTENT[:4], b"0\n0\n", 1))
    assert refusal(path) == (
        f"x: expected files as they are, found {path}/a packed by --sparse; pack it anew"
    )


def test_a_file_of_a_negative_size_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.tar"
    path.write_bytes(member("a", size=-512).tobuf(tarfile.GNU_FORMAT) + bytes(10240))
    assert f"{path} that cannot be read (a has -512 bytes); get" in refusal(path)


@pytest.mark.parametrize("kind", ["tar", "zip", "folder"])
def test_a_file_that_is_too_large_is_refused_before_it_is_read(tmp_path: Path, kind: str) -> None:
    path = tmp_path / f"x.{kind}"
    if kind == "tar":
        path.write_bytes(tar(member("a")))
    elif kind == "zip":
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("a", CONTENT)
    else:
        path.mkdir()
        (path / "a").write_bytes(CONTENT)
    _, (file,) = files_at([path], Account(), where="x")
    with file.open("x", at_most=5120) as opened:
        assert opened.read() == CONTENT
    with (
        pytest.raises(ConfigError) as refused,
        file.open("x", at_most=5119),
    ):
        pass
    assert str(refused.value) == f"x: expected at most 5,119 bytes in {path}/a, found 5120"


# --------------------------------------------------------------------------------- how it is told

ODD = "a\n\x1b[31m\x9b\u202eb.png"
SHOWN = r"a\n\x1b[31m\x9b\u202eb.png"


def test_odd_characters_of_a_members_name_do_not_reach_the_terminal(tmp_path: Path) -> None:
    path = tmp_path / "x.tar"
    link = member(ODD, type=tarfile.SYMTYPE, linkname="a", size=0)
    path.write_bytes(tar(member(ODD), link))
    (line,) = read(path)[1].lines()
    assert line == f"left out, links within an archive: 1 ('{SHOWN}')"
    _, (file,) = files_at([path], Account(), where="x")
    with pytest.raises(ConfigError) as refused, file.open("x", at_most=1):
        pass
    assert str(refused.value) == f"x: expected at most 1 bytes in {path}/{SHOWN}, found 5120"
