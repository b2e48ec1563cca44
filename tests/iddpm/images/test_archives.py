"""What the headers of an .npz claim is held against what it holds, before it is believed."""

import io
import struct
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from iddpm.images import archives
from iddpm.images.archives import ArchiveError, header, names, read

ARRAY = np.random.default_rng(0).integers(0, 256, (6, 4, 4, 3), dtype=np.uint8)


def npy(array: NDArray[Any] = ARRAY) -> bytes:
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


def npy_claiming(shape: str, held: int = ARRAY.size, descr: str = "'|u1'") -> bytes:
    """An .npy of so many bytes whose header says something else."""
    text = f"{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}, }}".encode()
    text += b" " * (-(len(text) + 11) % 64) + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text + bytes(held)


def zipped(path: Path, *contents: bytes, method: int = zipfile.ZIP_STORED) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for content in contents:
            archive.writestr("a.npy", content, compress_type=method)
    return path


def patched(path: Path, *, local: int, central: int, value: bytes) -> Path:
    """The archive with a field of its one member changed in both of its headers."""
    content = bytearray(path.read_bytes())
    for signature, place in ((b"PK\x03\x04", local), (b"PK\x01\x02", central)):
        start = content.index(signature) + place
        content[start : start + len(value)] = value
    path.write_bytes(content)
    return path


def refused(path: Path, message: str) -> None:
    for look in (lambda: header(path, "a"), lambda: read(path, "a", mapped_from=2**60)):
        with pytest.raises(ArchiveError, match=message):
            look()


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
@pytest.mark.parametrize("mapped_from", [0, 2**60])
@pytest.mark.parametrize("order", ["C", "F"])
def test_an_array_comes_back(tmp_path: Path, method: int, mapped_from: int, order: Any) -> None:
    path = zipped(tmp_path / "x.npz", npy(np.asarray(ARRAY, order=order)), method=method)
    found = header(path, "a")
    assert (found.shape, found.dtype, found.size) == (ARRAY.shape, ARRAY.dtype, ARRAY.size)
    assert names(path) == ["a"]
    array = read(path, "a", mapped_from=mapped_from)
    np.testing.assert_array_equal(array, ARRAY)
    lies_as_it_is = method == zipfile.ZIP_STORED and order == "C" and mapped_from == 0
    assert isinstance(array, np.memmap) == lies_as_it_is


@pytest.mark.parametrize("array", [np.zeros((0, 4, 4, 3), np.uint8), np.array(3), np.ones(1)])
def test_an_empty_array_and_a_number_come_back(tmp_path: Path, array: NDArray[Any]) -> None:
    np.savez(tmp_path / "x.npz", a=array)
    np.testing.assert_array_equal(read(tmp_path / "x.npz", "a", mapped_from=2**60), array)


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ("(1000000, 64, 64, 3)", r"'a' claims 12,288,000,000 bytes, by its shape .*holds 288"),
        ("(6, 4, 4)", "'a' claims 96 bytes, by its shape .* and holds 288"),
        ("(6, 4, 4, 4)", "'a' claims 384 bytes, by its shape .* and holds 288"),
        ("(6000000000000000000000, 4)", "claims 24,000,000,000,000,000,000,000 bytes"),
        ("(6, 4, 4, True)", r"has the shape \(6, 4, 4, True\), whose entries are no counts"),
        ("(-6, 4, -4, 3)", r"has the shape \(-6, 4, -4, 3\), whose entries are no counts"),
        ("(6.0, 4)", "shape is not valid"),
        ("6", "shape is not valid"),
        ("(" * 300, "."),
    ],
)
def test_a_shape_that_cannot_be_is_refused(
    tmp_path: Path, shape: str, message: str, method: int
) -> None:
    refused(zipped(tmp_path / "x.npz", npy_claiming(shape), method=method), message)


@pytest.mark.parametrize("descr", ["'nonsense'", "[('a',)]", "None", "'V0'", "7"])
def test_a_type_that_cannot_be_is_refused(tmp_path: Path, descr: str) -> None:
    refused(zipped(tmp_path / "x.npz", npy_claiming("(288,)", descr=descr)), ".")


@pytest.mark.parametrize(
    ("method", "message"),
    [
        (zipfile.ZIP_LZMA, "compressed by the method 14 of zip; save it with numpy.savez"),
        (zipfile.ZIP_BZIP2, "compressed by the method 12 of zip; save it with numpy.savez"),
    ],
)
def test_a_method_that_numpy_never_writes_is_refused(
    tmp_path: Path, method: int, message: str
) -> None:
    refused(zipped(tmp_path / "x.npz", npy(), method=method), message)


@pytest.mark.parametrize("number", [9, 93, 77])  # deflate64, zstandard, none at all
def test_a_method_that_python_does_not_know_is_refused(tmp_path: Path, number: int) -> None:
    path = zipped(tmp_path / "x.npz", npy())
    patched(path, local=8, central=10, value=struct.pack("<H", number))
    refused(path, f"'a' is compressed by the method {number} of zip")


def test_what_is_encrypted_is_refused(tmp_path: Path) -> None:
    path = zipped(tmp_path / "x.npz", npy())
    patched(path, local=6, central=8, value=struct.pack("<H", 1))
    refused(path, "'a' is encrypted; save it without a password")


def test_an_array_that_stands_twice_is_refused(tmp_path: Path) -> None:
    with pytest.warns(UserWarning, match="Duplicate name"):
        path = zipped(tmp_path / "x.npz", npy(), npy(ARRAY[:1]))
    refused(path, "'a' stands in it 2 times; save it once")


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_a_member_that_claims_more_than_its_bytes_can_hold_is_refused(
    tmp_path: Path, method: int
) -> None:
    content = npy_claiming("(4000000000,)")
    path = zipped(tmp_path / "x.npz", content, method=method)
    size = 4_000_000_000 + content.index(b"\n") + 1
    patched(path, local=22, central=24, value=struct.pack("<I", size))
    refused(path, rf"'a' claims {size:,} bytes, more than the \d+ bytes that stand for them")


def test_a_member_that_claims_to_end_behind_the_file_is_refused(tmp_path: Path) -> None:
    content = npy_claiming("(4000000000,)")
    path = zipped(tmp_path / "x.npz", content)
    size = struct.pack("<I", 4_000_000_000 + content.index(b"\n") + 1)
    patched(path, local=18, central=20, value=size + size)
    refused(path, r"'a' claims to take 4,000,000,\d\d\d bytes of a file of \d\d\d$")


def test_what_does_not_fit_into_memory_is_told_before_it_is_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = zipped(tmp_path / "x.npz", npy(), method=zipfile.ZIP_DEFLATED)
    monkeypatch.setattr(archives, "_memory", lambda: 287)
    expected = (
        "'a' takes 288 bytes of memory and this machine has 287; save it with numpy.savez, whi"
    )
    with pytest.raises(ArchiveError, match=expected):
        read(path, "a", mapped_from=2**60)
    assert header(path, "a").shape == ARRAY.shape


def test_an_array_of_objects_is_never_unpickled(tmp_path: Path) -> None:
    np.savez(tmp_path / "x.npz", a=np.array([None, {}]))
    assert header(tmp_path / "x.npz", "a").dtype.hasobject
    with pytest.raises(ArchiveError, match="Object arrays cannot be loaded"):
        read(tmp_path / "x.npz", "a", mapped_from=2**60)


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_damage_is_told_or_does_no_harm(tmp_path: Path, method: int) -> None:
    whole = zipped(tmp_path / "whole.npz", npy(), method=method).read_bytes()
    draws, path, told = np.random.default_rng(0), tmp_path / "x.npz", 0
    for trial in range(300):
        damaged = bytearray(whole)
        if trial % 3 == 0:
            del damaged[int(draws.integers(0, len(whole))) :]
        for place in draws.integers(0, max(1, len(damaged)), 2 if damaged else 0):
            damaged[place] = draws.integers(0, 256)
        path.write_bytes(damaged)
        try:
            np.testing.assert_array_equal(read(path, "a", mapped_from=2**60), ARRAY)
        except ArchiveError as error:
            assert str(error)  # noqa: PT017
            told += 1
    assert told > 200


@pytest.mark.parametrize("place", ["no.npz", "."])
def test_a_path_that_is_no_file_is_told(tmp_path: Path, place: str) -> None:
    for look in (lambda: names(tmp_path / place), lambda: header(tmp_path / place, "a")):
        with pytest.raises(ArchiveError):
            look()


def test_an_array_of_objects_is_never_mapped(tmp_path: Path) -> None:
    """What lies in the file would be taken for addresses in memory."""
    np.savez(tmp_path / "x.npz", a=np.array([print, None], object))
    with pytest.raises(archives.ArchiveError, match="Object arrays cannot be loaded"):
        archives.read(tmp_path / "x.npz", "a", mapped_from=0)


def test_a_header_that_claims_to_be_long_is_not_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(np.lib.format, "read_array_header_2_0", None)  # which would read it
    content = b"\x93NUMPY\x02\x00" + struct.pack("<I", 2**16 + 1) + b" " * 2**17
    path = zipped(tmp_path / "x.npz", content, method=zipfile.ZIP_DEFLATED)
    refused(path, "^'a' has a header of 65,537 bytes, and 65,536 are enough$")
