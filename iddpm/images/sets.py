"""Images as a score takes them: those of an .npz, of a folder or of a split of data.

They are read when they are asked for, so that a set may be larger than the memory. Nothing is
resized and nothing is converted: what two sets must have in common is compared before anything is
computed.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from iddpm.arrays import Int64Array, UInt8Array
from iddpm.bounds import ConfigError
from iddpm.config import SPLITS, Data, Npz, Split, data_name
from iddpm.data import BYTE_LEVELS, CHANNELS, Rows, describe, load
from iddpm.images.archives import header, names
from iddpm.images.decoding import MODES, decoded
from iddpm.images.external import array_of, check_bytes, digest_of, image_files, shape_of_file

ARRAYS = ("arr_0", "images")
"""What images are called in an .npz: by the official scripts, or by others."""


@dataclass(frozen=True, kw_only=True)
class ImageSet:
    """Some images and what is known of them without reading them."""

    name: str
    """What a recipe calls them: `digits/train`, or the name of a file or folder."""
    images: Rows
    """Level indices, shape (N, H, W, C)."""
    shape: tuple[int, int, int]
    """Height, width and channels."""
    digest: str
    """sha256, as hex, of their content."""
    levels: int | None = None
    """Values that a pixel can take; None: a file of bytes, which does not say."""
    data: Data | None = None
    """What they are a split of; None: they are no data of ours."""

    def __len__(self) -> int:
        return len(self.images)

    @cached_property
    def size(self) -> str:
        """Height, width and channels for a person."""
        return "x".join(map(str, self.shape))


class _Files:
    """The images of files, decoded when they are asked for."""

    def __init__(self, files: Sequence[Path], mode: str, where: str) -> None:
        self._files, self._mode, self._where = files, mode, where

    def __len__(self) -> int:
        return len(self._files)

    def __getitem__(self, rows: Int64Array) -> UInt8Array:
        chosen = (self._files[row] for row in rows)
        return np.stack([decoded(file, self._mode, where=self._where)[0] for file in chosen])


def of_data(data: Data, split: Split) -> ImageSet:
    """The images of a split.

    Raises:
        ConfigError: If the data are missing or broken.
    """
    found = describe(data)
    return ImageSet(
        name=f"{data_name(data)}/{split}",
        images=load(data, split).images,
        shape=(found.size, found.size, found.channels),
        digest=found.digest,
        levels=found.levels,
        data=data,
    )


def of_path(path: Path, split: Split, *, where: str) -> ImageSet | None:
    """The images of a folder, of an .npz of samples, or of a split of a prepared .npz.

    Args:
        path: Of the folder or file.
        split: Of prepared data.
        where: The setting that names the path, for an error.

    Returns:
        None if it is an .npz that holds no images.

    Raises:
        ConfigError: If its images cannot be read, are of several sizes, or are neither grey nor RGB
            bytes.
        ArchiveError: If it is no archive.
    """
    if path.is_dir():
        return _of_folder(path, where)
    found = names(path)
    if set(SPLITS) <= set(found):
        return of_data(Npz(path=str(path), name=path.stem), split)
    for array in ARRAYS:
        if array in found:
            return _of_npz(path, array, where)
    return None


def _of_folder(path: Path, where: str) -> ImageSet:
    files = image_files(path, where=where)
    shape = shape_of_file(files[0], where=where)
    for file in files:
        if (other := shape_of_file(file, where=where)) != shape:
            expected, found = ("x".join(map(str, sides)) for sides in (shape, other))
            raise ConfigError(
                where,
                f"images of one size, {expected} as {files[0]}",
                f"{found} in {file}",
                "nothing is resized here",
            )
    images = _Files(files, MODES[shape[2]], where)
    digest = digest_of(files, root=path)
    return ImageSet(name=path.name, images=images, shape=shape, digest=digest)


def _of_npz(path: Path, array: str, where: str) -> ImageSet:
    found = header(path, array)
    check_bytes(found, array, path, where=where)
    if len(found.shape) != 4 or 0 in found.shape or found.shape[3] not in CHANNELS:
        raise ConfigError(
            where,
            f"{array!r} to be images (N, H, W, C) of 1 channel (grey) or 3 (RGB)",
            f"shape {found.shape} in {path}",
        )
    height, width, channels = found.shape[1:]
    return ImageSet(
        name=path.name,
        images=array_of(path, array, where=where),
        shape=(height, width, channels),
        digest=digest_of([path], root=path.parent),
    )


def check_alike(samples: ImageSet, reference: ImageSet) -> None:
    """Refuses two sets of images that are not of one size and kind.

    Raises:
        ConfigError: If they differ in size, or one is grey and the other is in colour.
    """
    if samples.shape != reference.shape:
        kinds = {1: "grey", 3: "colour"}
        told, found = (
            f"{images.size} ({kinds[images.shape[2]]})" for images in (reference, samples)
        )
        raise ConfigError(
            samples.name,
            f"images of {told} as in {reference.name}",
            found,
            "nothing is resized or converted here: prepare both alike",
        )


def levels_of(*sets: ImageSet) -> int:
    """Values of a pixel that all sets are read by.

    Raises:
        ConfigError: If they are data of different levels.
    """
    known = {one.levels: one.name for one in sets if one.levels is not None}
    if len(known) > 1:
        (levels, name), (others, other) = known.items()
        raise ConfigError(name, f"pixels of {others} levels as in {other}", f"{levels}")
    return next(iter(known), BYTE_LEVELS)
