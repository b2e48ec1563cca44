"""Images that something else drew, to be scored like ours: an .npz, or a folder of image files.

The .npz is as the official scripts write it, uint8 images (N, S, S, C) under `arr_0`; labels under
`arr_1` are not looked at. Nothing is resized: images of another size are another thing to score.
"""

import hashlib
import json
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from iddpm.arrays import UInt8Array
from iddpm.bounds import ConfigError
from iddpm.config import ExternalConfig
from iddpm.data import LARGE, Description, describe
from iddpm.images.archives import ArchiveError, Header, header, names, read
from iddpm.images.decoding import MODES, decoded, looked_at, opened
from iddpm.images.folders import Account, some_image_names

ARRAY = "arr_0"

PATH = "external.path"
"""The setting that names the images, for an error."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExternalDescription:
    """What lies at the path. Data of all 256 levels take any image, so none is decoded for them."""

    images: int
    digest: str
    """sha256, as hex, of the names and bytes of the files."""


@lru_cache(maxsize=16)
def describe_external(config: ExternalConfig) -> ExternalDescription:
    """How many images there are and what they are; the answer is kept for the life of the process.

    Raises:
        ConfigError: If there is nothing at the path, or it holds images of another size or type
            than the data's, or a level that they do not have.
    """
    return _described(config)


def _described(config: ExternalConfig) -> ExternalDescription:
    path, expected = Path(config.path), describe(config.data)
    if path.is_dir():
        files = image_files(path, where=PATH)
        for file in files:
            _check_shape(shape_of_file(file, where=PATH), expected, file)
        _check_levels(path, expected)
        return ExternalDescription(images=len(files), digest=digest_of(files, root=path))
    if not path.is_file():
        raise ConfigError(PATH, "an .npz file or a folder of images", f"nothing at {path}")
    found = _header(path)
    check_bytes(found, ARRAY, path, where=PATH, highest=expected.levels - 1)
    _check_shape(found.shape[1:], expected, path)
    _check_levels(path, expected)
    return ExternalDescription(images=found.shape[0], digest=digest_of([path], root=path.parent))


def load_external(config: ExternalConfig, digest: str) -> UInt8Array:
    """All images as level indices of the data, shape (N, S, S, C).

    Args:
        config: Where they lie.
        digest: What they were when they were described.

    Raises:
        ConfigError: If they cannot be read, or are others than described.
    """
    path, expected = Path(config.path), describe(config.data)
    if _described(config).digest != digest:
        raise ConfigError(
            PATH,
            f"the images that lay at {path} when the sweep was planned",
            "others",
            "run the sweep again",
        )
    return _images(path, expected)


def _images(path: Path, expected: Description) -> UInt8Array:
    if path.is_dir():
        mode = MODES[expected.channels]
        files = image_files(path, where=PATH)
        return np.stack([decoded(file, mode, where=PATH)[0] for file in files])
    return array_of(path, ARRAY, where=PATH)


def _check_levels(path: Path, expected: Description) -> None:
    if expected.levels > np.iinfo(np.uint8).max:
        return
    highest = int(_images(path, expected).max(initial=0))
    if highest >= expected.levels:
        raise ConfigError(
            PATH,
            f"pixels of {expected.levels} levels, 0 to {expected.levels - 1} as the data have them",
            f"{highest} in {path}",
            "write the levels themselves, which are not stretched to 255",
        )


def _check_shape(shape: tuple[int, ...], expected: Description, path: Path) -> None:
    asked = (expected.size, expected.size, expected.channels)
    if shape != asked:
        wanted, found = ("x".join(map(str, sides)) for sides in (asked, shape))
        raise ConfigError(
            PATH,
            f"images of {wanted} as the data have them (height, width, channels)",
            f"{found or 'single numbers'} in {path}",
            "nothing is resized here",
        )


# ----------------------------------------------------------------------------------------- .npz


def _header(path: Path) -> Header:
    """What the images are, read without reading them."""
    try:
        found = names(path)
        if ARRAY in found:
            return header(path, ARRAY)
    except ArchiveError as error:
        raise ConfigError(
            PATH, "an .npz file as numpy.savez writes it", f"{path} ({error})"
        ) from error
    raise ConfigError(
        PATH,
        f"an array {ARRAY!r}, as the official scripts write samples",
        f"{', '.join(sorted(found)) or 'none'} in {path}",
    )


def check_bytes(found: Header, array: str, path: Path, *, where: str, highest: int = 255) -> None:
    """Refuses pixels that are no bytes.

    Args:
        found: What the array is.
        array: Its name.
        path: Of the .npz that holds it.
        where: The setting that names it, for an error.
        highest: The level that a pixel may have at most.

    Raises:
        ConfigError: If they are of another type.
    """
    if found.dtype != np.uint8:
        raise ConfigError(
            where,
            f"{array!r} to be uint8",
            f"{found.dtype} in {path}",
            f"write pixels from 0 to {highest}",
        )


def array_of(path: Path, array: str, *, where: str) -> NDArray[Any]:
    """An array of an .npz, left on disk where it is large.

    Raises:
        ConfigError: If it cannot be read.
    """
    try:
        return read(path, array, mapped_from=LARGE)
    except ArchiveError as error:
        raise ConfigError(where, f"to read {array!r}", f"it broken in {path} ({error})") from error


# --------------------------------------------------------------------------------------- a folder


def image_files(folder: Path, *, where: str) -> list[Path]:
    """Every image file below the folder, at least one, ordered by its name there.

    Raises:
        ConfigError: If there is none; `where` is the setting that names the folder.
    """
    return [folder / name for name in some_image_names(folder, "", Account(), where=where)]


def shape_of_file(path: Path, *, where: str) -> tuple[int, int, int]:
    """Height, width and channels of an image file that is scored as it is stored.

    Raises:
        ConfigError: If it is none, or would be turned or converted.
    """
    with opened(path, where=where) as file:
        look = looked_at(path, file, where=where)
    if look.mode not in MODES.values():
        raise ConfigError(
            where,
            "grey or RGB images of 8 bits a channel",
            f"mode {look.mode!r} in {path}",
            "convert it",
        )
    if look.changes:
        raise ConfigError(
            where,
            "images that are scored as they are stored",
            f"{path}, which would be {look.changes[0]}",
            "store it so",
        )
    return look.height, look.width, look.channels


def digest_of(files: list[Path], *, root: Path) -> str:
    """sha256, as hex, of names and bytes. An .npz goes by its bytes: its name is not what it is."""
    digest = hashlib.sha256()
    for path in files:
        name = "" if path.suffix == ".npz" else path.relative_to(root).as_posix()
        with path.open("rb") as file:
            content = hashlib.file_digest(file, "sha256").hexdigest()
        digest.update(json.dumps([name, content]).encode())
    return digest.hexdigest()
