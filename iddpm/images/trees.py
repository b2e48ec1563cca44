"""Files by their names, whether they lie in a folder, in a tar or in a zip: nothing is unpacked.

What a tree holds is listed once, in the order in which it is best read. A tar that is compressed
can only be read forwards, so whoever reads in that order reads it once.
"""

import gzip
import io
import lzma
import stat
import struct
import tarfile
import zipfile
import zlib
from array import array
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import IO, Protocol

from iddpm.bounds import ConfigError, require
from iddpm.images.folders import LINKS, SPECIAL, Account, file_names


class Tree(Protocol):
    """Files by their numbers, in the order in which they are best read."""

    path: Path
    names: list[str]
    """Of the files, with `/`."""

    def open(self, number: int) -> IO[bytes]:
        """The content of a file."""

    def size(self, number: int) -> int:
        """Bytes of a file, known without reading it."""

    def mark(self, number: int) -> str:
        """What tells a file from another of the same name, known without reading it."""


MOST_BYTES = 2**31
"""Of a file; a batch of ImageNet 64 has three quarters of them."""

MOST_IMAGE_BYTES = 2**28
"""Of an image file."""


@dataclass(frozen=True, slots=True)
class File:
    """One file of a tree."""

    tree: Tree
    number: int

    @property
    def name(self) -> str:
        return self.tree.names[self.number]

    @property
    def basename(self) -> str:
        return self.name.rpartition("/")[2]

    @property
    def path(self) -> Path:
        """For a person: where it lies, as if the archive were a folder."""
        return self.tree.path / self.name

    @contextmanager
    def open(self, where: str, *, at_most: int = MOST_BYTES) -> Iterator[IO[bytes]]:
        """Its content, of so many bytes at most.

        Raises:
            ConfigError: If it is larger, or cannot be read.
        """
        with told(self.path, where):
            size = self.tree.size(self.number)
            require(size <= at_most, where, f"at most {at_most:,} bytes in {self.path}", size)
            with self.tree.open(self.number) as file:
                yield file

    @property
    def mark(self) -> str:
        return f"{self.name} {self.tree.mark(self.number)}"


LMDB = "data.mdb"
"""What a folder holds that is a database of LMDB, as LSUN is published."""

BROKEN = (
    *(tarfile.TarError, zipfile.BadZipFile, zlib.error, gzip.BadGzipFile, lzma.LZMAError),
    *(EOFError, struct.error, OverflowError),
    *(OSError, NotImplementedError, RuntimeError, ValueError, MemoryError),
)
"""What the readers of archives raise for one that is cut short, damaged or of a kind of its own: so
zipfile a NotImplementedError for a compression that it does not know."""


@contextmanager
def told(path: Path, where: str) -> Iterator[None]:
    """What a reader meets becomes one sentence.

    Raises:
        ConfigError: If anything cannot be read.
    """
    try:
        yield
    except ConfigError:
        raise
    except BROKEN as error:
        reason = (str(error) or type(error).__name__).splitlines()[0].rstrip(":")
        raise ConfigError(
            where, "a whole file", f"{path} that cannot be read ({reason})", "get it again"
        ) from error


def files_at(
    paths: Sequence[Path], account: Account, *, where: str
) -> tuple[list[Tree], list[File]]:
    """What lies at the paths, and every file of it: as `tree_at`."""
    trees = [tree_at(path, account, where=where) for path in paths]
    return trees, [File(tree, i) for tree in trees for i in range(len(tree.names))]


def tree_at(path: Path, account: Account, *, where: str) -> Tree:
    """The files at a path: of a folder, of an archive, or the one file itself.

    Raises:
        ConfigError: If there is nothing, or an archive is broken.
    """
    if (path / LMDB).is_file():
        with told(path, where):
            return _Lmdb(path, where)
    if path.is_dir():
        return _Folder(path, list(file_names(path, "", account, where)))
    if not path.is_file():
        raise ConfigError(where, "a file or a folder", f"nothing at {path}")
    with told(path, where):
        if path.suffix == ".npz":
            return _Folder(path.parent, [path.name])
        if zipfile.is_zipfile(path):
            return _Zip(path, account, where)
        if _looks_like_tar(path):
            return _Tar(path, account, where)
    return _Folder(path.parent, [path.name])


def _looks_like_tar(path: Path) -> bool:
    named = any(suffix in (".tar", ".tgz", ".tbz2", ".txz") for suffix in path.suffixes)
    return named or tarfile.is_tarfile(path)


def _of(path: Path) -> str:
    status = path.stat()
    return f"{status.st_size} {status.st_mtime_ns}"


class _Folder:
    def __init__(self, path: Path, names: list[str]) -> None:
        self.path, self.names = path, names

    def open(self, number: int) -> IO[bytes]:
        return (self.path / self.names[number]).open("rb")

    def size(self, number: int) -> int:
        return (self.path / self.names[number]).stat().st_size

    def mark(self, number: int) -> str:
        return _of(self.path / self.names[number])


class _Zip:
    def __init__(self, path: Path, account: Account, where: str) -> None:
        self.path = path
        self._archive = zipfile.ZipFile(path)
        self._members: list[zipfile.ZipInfo] = []
        for item in self._archive.infolist():
            if stat.S_ISLNK(item.external_attr >> 16):
                account.note(LINKS, item.filename)
            elif not item.is_dir():
                self._members.append(item)
        self.names = [item.filename for item in self._members]
        if twice := [name for name, count in Counter(self.names).items() if count > 1]:
            raise ConfigError(where, "each file once", f"{path / twice[0]} twice", "zip them anew")

    def open(self, number: int) -> IO[bytes]:
        return self._archive.open(self._members[number])

    def size(self, number: int) -> int:
        return self._members[number].file_size

    def mark(self, number: int) -> str:
        member = self._members[number]
        return f"{member.file_size} {member.CRC} {member.header_offset}"


class _Tar:
    """A tar, compressed or not, by where its files lie in what is unpacked.

    A tar within it, as ImageNet has one for each class, is taken for the folder of its name.
    """

    def __init__(self, path: Path, account: Account, where: str) -> None:
        self.path, self._account, self._where = path, account, where
        self._file = self._unpacked()
        self.names: list[str] = []
        self._starts, self._sizes = array("q"), array("q")
        self._list()

    def open(self, number: int) -> IO[bytes]:
        self._file.seek(self._starts[number])
        content = self._file.read(self._sizes[number])
        if len(content) < self._sizes[number]:
            raise EOFError(f"it ends within {self.names[number]}")
        return io.BytesIO(content)

    def size(self, number: int) -> int:
        return self._sizes[number]

    def mark(self, number: int) -> str:
        return f"{self._whole} {self._starts[number]}"

    @cached_property
    def _whole(self) -> str:
        return _of(self.path)

    def _unpacked(self) -> IO[bytes]:
        """The tar itself, which seeks as a file does; forwards is cheap, backwards may not be."""
        tar = tarfile.open(self.path, "r:*")  # noqa: SIM115 it is read until the process ends
        assert tar.fileobj is not None
        return tar.fileobj  # type: ignore[return-value]

    def _list(self) -> None:
        self._file.seek(0)
        with tarfile.open(fileobj=self._file, mode="r:") as tar:
            self._note(tar, "", 0)
            end = tar.offset
        self._file.seek(end)
        if self._file.read(tarfile.BLOCKSIZE) != tarfile.NUL * tarfile.BLOCKSIZE:
            raise EOFError("it ends without the mark that every tar ends with")
        while self._file.read(2**20):
            pass  # where it is compressed, its checksum stands at its end

    def _note(self, tar: tarfile.TarFile, above: str, start: int) -> None:
        while (member := tar.next()) is not None:
            tar.members.clear()  # type: ignore[attr-defined]  # which would hold a kilobyte for each
            name = f"{above}{member.name.removeprefix('./')}"
            if not self._is_file(member, name):
                continue
            if name.endswith(".tar") and not above:
                with tarfile.open(fileobj=tar.extractfile(member), mode="r:") as inner:
                    self._note(inner, f"{name.removesuffix('.tar')}/", member.offset_data)
                continue
            self.names.append(name)
            self._starts.append(start + member.offset_data)
            self._sizes.append(member.size)

    def _is_file(self, member: tarfile.TarInfo, name: str) -> bool:
        """Whether a member is a file that lies in the tar as it is; what is left out is told."""
        if member.size < 0:
            raise EOFError(f"{name} has {member.size} bytes")
        if member.issparse():
            raise ConfigError(
                self._where,
                "files as they are",
                f"{self.path / name} packed by --sparse",
                "pack it anew",
            )
        if not member.isreg() and not member.isdir():
            is_link = member.issym() or member.islnk()
            self._account.note(LINKS if is_link else SPECIAL, name)
        return member.isreg()


class _Lmdb:
    """The values of a database, as image files called by their keys."""

    def __init__(self, path: Path, where: str) -> None:
        try:
            import lmdb
        except ImportError as error:
            raise ConfigError(
                where, f"the package lmdb, to read {path}", "none", "pip install lmdb"
            ) from error
        self.path = path
        try:
            environment = lmdb.open(str(path), readonly=True, lock=False, readahead=False)
        except lmdb.Error as error:
            raise OSError(str(error)) from error
        whole = (environment.info()["last_pgno"] + 1) * environment.stat()["psize"]
        if (size := (path / LMDB).stat().st_size) < whole:  # a page beyond it would end the process
            raise EOFError(f"it has {size:,} of {whole:,} bytes")
        self._values = environment.begin()
        self._keys = list(self._values.cursor().iternext(values=False))
        self.names = [f"{key.decode('ascii', 'backslashreplace')}.webp" for key in self._keys]

    def open(self, number: int) -> IO[bytes]:
        return io.BytesIO(self._values.get(self._keys[number]) or b"")

    def size(self, number: int) -> int:
        return len(self._values.get(self._keys[number]) or b"")

    def mark(self, number: int) -> str:
        return _of(self.path / LMDB)
