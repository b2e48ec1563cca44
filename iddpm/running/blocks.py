"""Finished parts of a long piece of work, kept so that another attempt goes on behind them.

A block says what it is: whose work it is part of, which number it has, and a checksum over that and
over its arrays. One that is missing, cut short, damaged, of another work or of another shape counts
as not there: it is computed again, and no number comes from it.
"""

import hashlib
import io
import lzma
import struct
import zipfile
import zlib
from collections.abc import Mapping
from contextlib import nullcontext, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from iddpm.running.files import Held, write_whole

Arrays = dict[str, NDArray[Any]]

UNREADABLE = (
    *(OSError, EOFError, ValueError, KeyError, TypeError, RuntimeError, OverflowError, MemoryError),
    *(zipfile.BadZipFile, zlib.error, lzma.LZMAError, struct.error),
)
"""What numpy may raise for an archive of arrays that is gone, cut short, damaged or foreign."""

NAME, CHECKSUM = "block of", "checksum"
"""What stands in a block's file beside its arrays."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Blocks:
    """The blocks of one work, numbered, each in a file of its own."""

    folder: Path
    """Of these alone; made with the first block."""
    work: str
    """What tells this work from every other, such as a task's address."""
    held: Held = nullcontext
    """Keeps the folder for each moment in which a file appears there, or raises."""

    def file(self, number: int) -> Path:
        """Where a block is kept."""
        return self.folder / f"block-{number:06d}.npz"

    def kept(self, number: int, like: Mapping[str, tuple[tuple[int, ...], str]]) -> Arrays | None:
        """The arrays of a finished block; None: there is none that can be used.

        Args:
            number: Of the block.
            like: Shape and dtype that each array must have, by name.
        """
        with suppress(*UNREADABLE), np.load(self.file(number), allow_pickle=False) as file:
            arrays = {name: file[name] for name in like}
            found = {name: (array.shape, array.dtype.name) for name, array in arrays.items()}
            name, checksum = (str(file[key]) for key in (NAME, CHECKSUM))
            if found == dict(like) and name == self._name(number):
                return arrays if checksum == _checksum(name, arrays) else None
        return None

    def keep(self, number: int, arrays: Mapping[str, NDArray[Any]]) -> None:
        """Write a finished block, whole or not at all.

        Raises:
            StorageError: If it cannot be written, or what `held` raises.
        """
        if not self.folder.is_dir():
            with self.held():
                self.folder.mkdir(exist_ok=True)
        name, file = self._name(number), io.BytesIO()
        said = {NAME: np.array(name), CHECKSUM: np.array(_checksum(name, arrays))}
        parts: dict[str, Any] = {**arrays, **said}
        np.savez(file, **parts)
        write_whole(self.file(number), file.getbuffer(), held=self.held)

    def _name(self, number: int) -> str:
        return f"{self.work} {number}"


def _checksum(name: str, arrays: Mapping[str, NDArray[Any]]) -> str:
    """sha256, as hex, of a block's name and of its arrays: names, shapes, dtypes and content."""
    total = hashlib.sha256(f"{name}\n".encode())
    for key, array in sorted(arrays.items()):
        total.update(f"{key} {array.shape} {array.dtype}\n".encode())
        total.update(np.ascontiguousarray(array).data)
    return total.hexdigest()
