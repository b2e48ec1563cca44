"""Arrays that finished tasks left in the store, held against what the tasks noted of them."""

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from iddpm.running.blocks import UNREADABLE
from studies.store.integrity import check_file, damaged, result_of, task_folder

HASHED = (None, "features")
"""Names of the arrays whose hash stands in the result of the task that left them."""


def read_array(path: Path, name: str | None = None, *, mapped: bool = False) -> NDArray[Any]:
    """The array of an .npy file, or the one of this name in an .npz file.

    Args:
        path: The file, in the folder of the task that made it.
        name: None: the file holds a single array.
        mapped: Keep in memory only what is looked at.

    Raises:
        StoreError: If the file was cut short or damaged, is gone or holds something else.
    """
    is_checked = check_file(path, "whole arrays")
    try:
        if name is None:
            array: NDArray[Any] = np.load(path, "r" if mapped else None, allow_pickle=False)
        else:
            with np.load(path, allow_pickle=False) as arrays:
                array = arrays[name]
    except UNREADABLE as error:
        raise damaged(path, "whole arrays") from error
    if not is_checked and name in HASHED:
        _check_hash(path, array)
    return array


def _check_hash(path: Path, array: NDArray[Any]) -> None:
    """Hold an array that an older version left against the hash in its task's result."""
    folder = task_folder(path)
    result = None if folder is None else result_of(folder)
    if result is not None and result.get("sha256") not in (None, sha256(array)):
        raise damaged(path, "the array whose hash stands in the result")


def sha256(array: NDArray[Any]) -> str:
    """The sha256 of an array's bytes in C order, as hex."""
    return hashlib.sha256(np.ascontiguousarray(array).data).hexdigest()
