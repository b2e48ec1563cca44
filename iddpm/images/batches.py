"""Batches as CIFAR-10 has them and ImageNet 64 after it: rows of colours one after the other.

An image of S pixels a side is a row of 3 S² numbers, red, then green, then blue, each row of pixels
after row. `data` holds such rows and `labels` a number for each, in a pickle or in an .npz.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from iddpm.arrays import Int64Array
from iddpm.bounds import ConfigError
from iddpm.images.archives import ArchiveError, checked
from iddpm.images.sources import Piece
from iddpm.images.trees import File
from iddpm.images.unpickling import RefusedError, unpickled

CHANNELS = 3


def pickled(file: File, *, where: str) -> dict[str, Any]:
    """What a pickle holds.

    Raises:
        ConfigError: If it holds anything but numbers and plain containers.
    """
    with file.open(where) as content:
        try:
            return unpickled(content)
        except RefusedError as error:
            raise ConfigError(
                where,
                "a pickle of arrays, lists and dictionaries alone",
                f"{file.path} with something else ({error})",
                "nothing of it was run",
            ) from error


def arrays(file: File, names: Sequence[str], *, where: str) -> dict[str, NDArray[Any]]:
    """Arrays of an .npz that is no part of an archive; those that are not compressed stay on disk.

    Raises:
        ConfigError: If one is missing or cannot be read.
    """
    if not file.path.is_file():
        raise ConfigError(
            where, "an .npz that lies in a folder", f"{file.path} within an archive", "unpack it"
        )
    try:
        return {name: checked(file.path, name) for name in names}
    except ArchiveError as error:
        raise ConfigError(
            where, f"an .npz with the arrays {' and '.join(names)}", f"{file.path} ({error})"
        ) from error


def piece(data: Any, labels: Any, file: File, size: int, classes: range, *, where: str) -> Piece:
    """The images (N, S, S, 3) of such rows, and their labels from 0 on.

    Args:
        data: Expected: uint8 of shape (N, 3 S²).
        labels: Expected: N integers, in a list or an array.
        file: Where they stand, for an error.
        size: S.
        classes: What labels may be; the first becomes 0.
        where: As of `pickled`.

    Raises:
        ConfigError: If they are anything else.
    """
    if not isinstance(data, np.ndarray) or data.dtype != np.uint8 or data.ndim != 2:
        raise ConfigError(where, "an array 'data' of uint8", f"none in {file.path}")
    if data.shape[1] != (numbers := CHANNELS * size * size):
        raise ConfigError(
            where,
            f"images of {size}x{size}x{CHANNELS}, {numbers} numbers each",
            f"{data.shape[1]} in {file.path}",
        )
    found = np.asarray(labels) if isinstance(labels, list) else labels
    if not isinstance(found, np.ndarray) or found.dtype.kind not in "iu" or found.ndim != 1:
        raise ConfigError(where, "integers 'labels'", f"others in {file.path}")
    if len(found) != len(data) or len(data) == 0:
        raise ConfigError(
            where,
            "a label for each image",
            f"{len(found):,} labels and {len(data):,} images in {file.path}",
        )
    return Piece(_channels_last(data, size), from_0(found, classes, file, where=where))


def from_0(labels: NDArray[Any], classes: range, file: File, *, where: str) -> Int64Array:
    """Labels as places in the range.

    Raises:
        ConfigError: If one is not in it.
    """
    for found in (int(labels.min()), int(labels.max())):
        if found not in classes:
            raise ConfigError(
                where, f"labels from {classes[0]} to {classes[-1]}", f"{found} in {file.path}"
            )
    return labels.astype(np.int64) - classes[0]


def _channels_last(data: NDArray[np.uint8], size: int) -> NDArray[np.uint8]:
    return data.reshape(-1, CHANNELS, size, size).transpose(0, 2, 3, 1)
