"""Arrays of an .npz that anybody may have written: nothing that its headers claim is believed.

An .npz is a zip archive with a member `NAME.npy` for each array. A claim is held against what the
file holds before any memory is taken for it. An array that lies in the archive as it is, not
compressed, is a stretch of the file and can stay on disk.
"""

import io
import math
import os
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
"""How numpy.savez and numpy.savez_compressed write their members."""

DENSEST = 1032
"""Bytes that one byte of deflated data can stand for at most (zlib's technical notes)."""

ENCRYPTED = 0x1
"""Of a member's flags."""

LONGEST_HEADER = 2**16
"""Bytes of text that may say what an array is; NumPy writes about a hundred."""

LOCAL_HEADER, NAME_LENGTHS = 30, slice(26, 30)
"""Of a member: bytes of the fixed header before it, and where two lengths stand in that."""


class ArchiveError(ValueError):
    """An array of an .npz cannot be read: says which and why, but not from which file."""


@dataclass(frozen=True, slots=True)
class Header:
    """What an array is, known without reading it."""

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    is_fortran: bool
    """Whether its first index runs fastest."""
    start: int
    """Bytes of the member before the numbers."""

    @property
    def size(self) -> int:
        """Bytes of the numbers."""
        return math.prod(self.shape) * self.dtype.itemsize


def names(path: Path) -> list[str]:
    """Names of the arrays, in the order of the file.

    Raises:
        ArchiveError: If the file is no zip archive.
    """
    with _told(), zipfile.ZipFile(path) as archive:
        found = [name for name in archive.namelist() if name.endswith(".npy")]
        return [name.removesuffix(".npy") for name in found]


def header(path: Path, name: str) -> Header:
    """What an array is; the file holds as many bytes as its shape asks for.

    Raises:
        ArchiveError: If there is no such array, or it is none that NumPy writes.
    """
    with _told(), zipfile.ZipFile(path) as archive:
        return _header(archive, _member(archive, path, name), name)


def read(path: Path, name: str, *, mapped_from: int) -> NDArray[Any]:
    """An array, left on disk where it is large and lies there as it is.

    Args:
        path: Of the .npz.
        name: Of the array.
        mapped_from: Bytes from which on an array is large.

    Raises:
        ArchiveError: As `header`; or if its numbers are damaged, or do not fit into memory.
    """
    with _told(), zipfile.ZipFile(path) as archive:
        member = _member(archive, path, name)
        found = _header(archive, member, name)
        plain = not found.is_fortran and not found.dtype.hasobject
        as_it_is = member.compress_type == zipfile.ZIP_STORED and plain
        if as_it_is and found.size >= mapped_from:
            return _mapped(path, member, found)
        if found.size > (memory := _memory()):
            raise ArchiveError(
                f"{name!r} takes {found.size:,} bytes of memory and this machine has {memory:,}; "
                "save it with numpy.savez, which does not compress, and it stays on disk"
            )
        with archive.open(member) as file:
            array = np.lib.format.read_array(file, allow_pickle=False)
            file.read(1)  # at its end the checksum is compared
        return np.asarray(array)


def checked(path: Path, name: str) -> NDArray[Any]:
    """An array that is read once to its end, so that its checksum holds: as `read`."""
    with (
        _told(),
        zipfile.ZipFile(path) as archive,
        archive.open(_member(archive, path, name)) as file,
    ):
        while file.read(2**20):
            pass
    return read(path, name, mapped_from=0)


@contextmanager
def _told() -> Iterator[None]:
    try:
        yield
    except ArchiveError:
        raise
    except Exception as error:  # the readers of foreign bytes raise anything
        raise ArchiveError(str(error) or type(error).__name__) from error


def _member(archive: zipfile.ZipFile, path: Path, name: str) -> zipfile.ZipInfo:
    """The member of an array, if it can be what it claims to be."""
    found = [member for member in archive.infolist() if member.filename == f"{name}.npy"]
    if len(found) != 1:
        raise ArchiveError(f"{name!r} stands in it {len(found)} times; save it once")
    (member,) = found
    if member.flag_bits & ENCRYPTED:
        raise ArchiveError(f"{name!r} is encrypted; save it without a password")
    if member.compress_type not in METHODS:
        raise ArchiveError(
            f"{name!r} is compressed by the method {member.compress_type} of zip; save it with "
            "numpy.savez"
        )
    if member.header_offset + member.compress_size > (whole := path.stat().st_size):
        raise ArchiveError(
            f"{name!r} claims to take {member.compress_size:,} bytes of a file of {whole:,}"
        )
    densest = DENSEST if member.compress_type == zipfile.ZIP_DEFLATED else 1
    if member.file_size > densest * member.compress_size:
        raise ArchiveError(
            f"{name!r} claims {member.file_size:,} bytes, more than the {member.compress_size:,} "
            "bytes that stand for them can hold"
        )
    return member


def _header(archive: zipfile.ZipFile, member: zipfile.ZipInfo, name: str) -> Header:
    with archive.open(member) as file:
        shape, is_fortran, dtype = _read_npy_header(file, name)
        found = Header(shape, dtype, is_fortran, file.tell())
    if not all(type(count) is int and count >= 0 for count in shape):
        raise ArchiveError(f"{name!r} has the shape {shape}, whose entries are no counts")
    held = member.file_size - found.start
    if not dtype.hasobject and found.size != held:
        raise ArchiveError(
            f"{name!r} claims {found.size:,} bytes, by its shape {shape} of {dtype}, and holds "
            f"{held:,}"
        )
    return found


def _read_npy_header(file: IO[bytes], name: str) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    version = np.lib.format.read_magic(file)
    of_version_1 = version == (1, 0)
    count = file.read(2 if of_version_1 else 4)
    if (length := int.from_bytes(count, "little")) > LONGEST_HEADER:
        raise ArchiveError(
            f"{name!r} has a header of {length:,} bytes, and {LONGEST_HEADER:,} are enough"
        )
    text = io.BytesIO(count + file.read(length))
    formats = np.lib.format
    read = formats.read_array_header_1_0 if of_version_1 else formats.read_array_header_2_0
    shape, is_fortran, dtype = read(text)
    return shape, is_fortran, dtype


def _mapped(path: Path, member: zipfile.ZipInfo, found: Header) -> NDArray[Any]:
    with path.open("rb") as raw:
        raw.seek(member.header_offset)
        lengths = raw.read(LOCAL_HEADER)[NAME_LENGTHS]
    skipped = sum(int.from_bytes(lengths[i : i + 2], "little") for i in (0, 2))
    offset = member.header_offset + LOCAL_HEADER + skipped + found.start
    return np.memmap(path, dtype=found.dtype, mode="r", offset=offset, shape=found.shape)


def _memory() -> int:
    """Bytes of memory that this machine has."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
