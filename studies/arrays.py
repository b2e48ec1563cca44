"""Arrays that finished tasks left in the store, read so that a damaged file is named."""

import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from studies.store import StoreError

BROKEN = (ValueError, EOFError, KeyError, zipfile.BadZipFile, zlib.error, FileNotFoundError)
"""What numpy raises for a file that is cut short, foreign or gone."""


def read_array(path: Path, name: str | None = None, *, mapped: bool = False) -> NDArray[Any]:
    """The array of an .npy file, or the one of this name in an .npz file.

    Args:
        path: The file, in the folder of the task that made it.
        name: None: the file holds a single array.
        mapped: Read only what is looked at.

    Raises:
        StoreError: If the file was cut short, is gone or holds something else.
    """
    try:
        if name is None:
            whole: NDArray[Any] = np.load(path, "r" if mapped else None, allow_pickle=False)
            return whole
        with np.load(path, allow_pickle=False) as arrays:
            found: NDArray[Any] = arrays[name]
            return found
    except BROKEN as error:
        raise damaged(path, "whole arrays") from error


def damaged(path: Path, expected: str) -> StoreError:
    """The one sentence about a file that a finished task left, to be raised by the caller."""
    return StoreError(
        f"{path}: expected {expected}, found a file cut short, foreign or gone; delete it and "
        "the result.json beside it, and run the sweep again with --retry failed"
    )
