"""Any .npz of images: which arrays are train, which are test, and how their axes lie.

Arrays are known by the names that they usually have. Images may lie as (N, H, W, C), as (N, H, W)
where they are grey, as (N, C, H, W), or as rows of one colour after the other; which it is, is
told. Nothing is resized. Several files are one set, the images of one behind those of the other.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from iddpm.bounds import ConfigError
from iddpm.config import SPLITS, Split
from iddpm.data import CHANNELS, fixed_permutation
from iddpm.images.archives import ArchiveError, Header, checked, header, names
from iddpm.images.pictures import split_of_path
from iddpm.images.sources import Batch, Batches, Chosen, Part, Piece, Request, Source

WHERE = "npz"

IMAGES: dict[Split | None, tuple[str, ...]] = {
    "train": ("train", "x_train", "X_train", "train_images"),
    "test": ("test", "x_test", "X_test", "test_images"),
    None: ("images", "arr_0", "data", "x", "X"),
}
"""What images are called, by their split; None: in a file of one split, or of none."""

LABELS: dict[Split | None, tuple[str, ...]] = {
    "train": ("train_labels", "y_train"),
    "test": ("test_labels", "y_test"),
    None: ("labels", "arr_1", "y"),
}

CHANNELS_FIRST = "channels stand before the rows of pixels and are put last"
ROWS = "images are rows of numbers, taken for one colour after the other"


@dataclass(frozen=True, slots=True)
class _Found:
    """Images of one split, or of none, in one file."""

    path: Path
    images: str
    labels: str | None
    shape: tuple[int, int, int, int]
    """As (N, H, W, C)."""
    hint: str


def npz(request: Request) -> Source:
    """The images of every file.

    Raises:
        ConfigError: If a file has no images that are known by their name, or those of another size
            or number of channels, or it is not known which are for testing.
    """
    found: dict[Split | None, list[_Found]] = {"train": [], "test": [], None: []}
    for path in request.paths:
        for split, item in _looked_at(path):
            named = split or (split_of_path(path) if request.test_share is None else None)
            found[named].append(item)
    every = [item for items in found.values() for item in items]
    size, channels = _common_shape(every, request)
    is_labelled = _is_labelled(every)
    return Source(
        where=WHERE,
        size=size,
        channels=channels,
        parts=_parts(found, request),
        is_labelled=is_labelled,
        about={
            "source": WHERE,
            "size": size,
            "resize": "none",
            "test": "given" if request.test_share is None else f"share {request.test_share:g}",
            "labels": "given" if is_labelled else "none",
            "classes": [],
        },
        hints=tuple(sorted({f"{item.path}: {item.hint}" for item in every if item.hint})),
    )


def _looked_at(path: Path) -> list[tuple[Split | None, _Found]]:
    """The images of a file by their split, known from the headers of its arrays."""
    try:
        there = set(names(path)) if path.is_file() else set()
        headers = {name: header(path, name) for name in there}
    except ArchiveError as error:
        raise _broken(path, error) from error
    found: list[tuple[Split | None, _Found]] = []
    for split, usual in IMAGES.items():
        images = [name for name in usual if name in there]
        labels = [name for name in LABELS[split] if name in there]
        if images:
            shape, hint = _shape(path, images[0], headers[images[0]])
            found.append(
                (split, _Found(path, images[0], labels[0] if labels else None, shape, hint))
            )
    divided = [item for item in found if item[0] is not None]
    if not found:
        usual_names = ", ".join(name for names_of in IMAGES.values() for name in names_of)
        raise ConfigError(
            WHERE,
            f"an .npz with arrays called {usual_names}",
            f"{', '.join(sorted(there)) or 'none'} in {path}",
        )
    return divided or found


def _broken(path: Path, error: ArchiveError) -> ConfigError:
    return ConfigError(WHERE, "an .npz as numpy.savez writes it", f"{path} ({error})")


def _shape(path: Path, name: str, found: Header) -> tuple[tuple[int, int, int, int], str]:
    """The shape of images as (N, H, W, C), and what is to be told of how they lie."""
    if found.dtype != np.uint8:
        raise ConfigError(
            WHERE,
            f"{name!r} to be uint8",
            f"{found.dtype} in {path}",
            "write pixels from 0 to 255 as uint8",
        )
    match found.shape:
        case (n, h, w, c) if h == w and c in CHANNELS:
            return (n, h, w, c), ""
        case (n, c, h, w) if h == w and c in CHANNELS:
            return (n, h, w, c), CHANNELS_FIRST
        case (n, h, w) if h == w:
            return (n, h, w, 1), ""
        case (n, row):
            for c in CHANNELS:
                if (side := math.isqrt(row // c)) ** 2 * c == row:
                    return (n, side, side, c), ROWS
    raise ConfigError(
        WHERE,
        f"{name!r} to be square images of 1 or 3 channels",
        f"the shape {found.shape} in {path}",
    )


def _common_shape(found: Sequence[_Found], request: Request) -> tuple[int, int]:
    """Size and channels of all images."""
    first = found[0]
    for item in found:
        if item.shape[1:] != first.shape[1:]:
            shown = ["x".join(map(str, one.shape[1:])) for one in (first, item)]
            raise ConfigError(
                WHERE,
                "images of one size and number of channels",
                f"{shown[0]} in {first.path} and {shown[1]} in {item.path}",
            )
    size, channels = first.shape[2:]
    if request.size not in (None, size):
        raise ConfigError(
            WHERE,
            f"images of {request.size}x{request.size}",
            f"{size}x{size} in {first.path}",
            "nothing is resized here",
        )
    return size, channels


def _is_labelled(found: Sequence[_Found]) -> bool:
    with_labels = [item for item in found if item.labels is not None]
    if with_labels and len(with_labels) < len(found):
        without = next(item for item in found if item.labels is None)
        raise ConfigError(
            WHERE,
            "labels of all images or of none",
            f"them in {with_labels[0].path}, and none of {without.images!r} in {without.path}",
        )
    return bool(with_labels)


def _parts(found: Mapping[Split | None, Sequence[_Found]], request: Request) -> dict[Split, Part]:
    batches = {
        split: [_batch(item, request.first_label) for item in items]
        for split, items in found.items()
    }
    if request.test_share is not None and not batches["train"] and not batches["test"]:
        whole = Batches(batches[None], "image")
        count = len(whole)
        order = fixed_permutation(count)
        test = min(max(1, round(request.test_share * count)), count - 1)
        return {"train": Chosen(whole, order[test:]), "test": Chosen(whole, order[:test])}
    if (
        request.test_share is not None
        or batches[None]
        or not batches["train"]
        or not batches["test"]
    ):
        raise ConfigError(
            WHERE,
            "train and test images apart, by the names of arrays or files, or --test-share",
            f"{', '.join(sorted({item.images for items in found.values() for item in items}))} in "
            f"{', '.join(map(str, request.paths))}",
            "say which is meant",
        )
    return {split: Batches(batches[split], f"{split} image") for split in SPLITS}


def _batch(found: _Found, first_label: int) -> Batch:
    status = found.path.stat()
    mark = f"{found.images} {first_label} {status.st_size} {status.st_mtime_ns}"
    return Batch(count=found.shape[0], mark=mark, load=partial(_loaded, found, first_label))


def _loaded(found: _Found, first_label: int) -> Piece:
    try:
        images = checked(found.path, found.images)
        labels = None if found.labels is None else checked(found.path, found.labels)
    except ArchiveError as error:
        raise _broken(found.path, error) from error
    n, h, w, c = found.shape
    if found.hint:
        images = images.reshape(n, c, h, w).transpose(0, 2, 3, 1)
    return Piece(images.reshape(n, h, w, c), _whole(labels, found, first_label))


def _whole(
    labels: NDArray[Any] | None, found: _Found, first_label: int
) -> NDArray[np.int64] | None:
    """Labels from 0 on."""
    if labels is None:
        return None
    if labels.dtype.kind not in "iu" or labels.size != found.shape[0]:
        raise ConfigError(
            WHERE,
            f"{found.labels!r} to hold one integer for each of the {found.shape[0]:,} images",
            f"{labels.dtype} of shape {labels.shape} in {found.path}",
        )
    if (lowest := int(labels.min())) < first_label:
        raise ConfigError(WHERE, f"labels from {first_label} on", f"{lowest} in {found.path}")
    return labels.reshape(-1).astype(np.int64) - first_label
