"""What a prepared .npz holds, read to its end: classes, images that are there twice, known content.

Images are compared by all of their pixels. A set of images that stands in both splits makes a
bound of the test split too good, and nothing else would show it.
"""

import hashlib
import json
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from iddpm.arrays import Int64Array, UInt8Array
from iddpm.config import SPLITS, Npz, Split
from iddpm.data import Images, load
from iddpm.images.packing import ACCOUNT
from iddpm.running.interruption import Progress

UInt64Array = NDArray[np.uint64]

AT_ONCE = 2**26
"""Bytes of images that are read together."""

KNOWN: dict[tuple[str, int], dict[str, str]] = {
    ("fashion", 32): {
        "train": "4491af5de6e3e02f5f85af753966bf02",
        "train_labels": "60e0c291d47939fa233623d7491d82fa",
        "test": "c53b748f969325a75a4548a5fcb48db6",
        "test_labels": "7c101795daafb69cb604f98c8ac57ffa",
    },
}
"""md5 sums of arrays, by source and size of a prepared file: of pixels, and of labels as
little-endian int64, in the order of the file. Computed from files whose own md5 sums are published;
no others are known for sure."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """What an .npz of images holds."""

    account: Mapping[str, Any]
    """How it was made; empty: nothing says."""
    counts: dict[Split, Int64Array] | None
    """Images of each class; None: there are no labels."""
    in_both: list[tuple[int, int]]
    """Test images that are training images too: the rows of both."""
    twice: dict[Split, int]
    """Images that stand in a split before."""
    md5: dict[str, str]
    """Of each array."""

    @property
    def classes(self) -> list[str]:
        """Names of the classes, or their numbers."""
        count = 0 if self.counts is None else len(self.counts["train"])
        named = list(self.account.get("classes", ()))
        return named if len(named) == count else [str(label) for label in range(count)]

    @property
    def is_known(self) -> bool | None:
        """Whether it is the content that everybody has; None: no sums are known for it."""
        known = KNOWN.get((str(self.account.get("source")), self.account.get("size", 0)))
        return None if known is None else known == self.md5


def check(path: Path, *, progress: Progress = lambda done, total: None) -> Checked:
    """Read all images and labels of an .npz.

    Args:
        path: Of the .npz.
        progress: Told the images read, of how many.

    Raises:
        ConfigError: If it is no .npz of images.
    """
    data = Npz(path=str(path))
    images = {split: load(data, split) for split in SPLITS}
    total = sum(len(images[split].images) for split in SPLITS)
    hashes: dict[Split, UInt64Array] = {}
    md5: dict[str, str] = {}
    before = 0
    for split in SPLITS:
        hashes[split], md5[split] = _hashed(images[split].images, progress, before, total)
        before += len(hashes[split])
        if (labels := images[split].labels) is not None:
            md5[f"{split}_labels"] = hashlib.md5(labels.astype("<i8").tobytes()).hexdigest()
    return Checked(
        account=account(path),
        counts=_counts(images),
        in_both=_in_both(images, hashes),
        twice={split: len(found) - len(np.unique(found)) for split, found in hashes.items()},
        md5=md5,
    )


def account(path: Path) -> dict[str, Any]:
    """How a prepared .npz was made; empty: it does not say."""
    with zipfile.ZipFile(path) as archive:
        if ACCOUNT not in archive.namelist():
            return {}
        found = json.loads(archive.read(ACCOUNT))
        return found if isinstance(found, dict) else {}


def _hashed(
    images: UInt8Array, progress: Progress, before: int, total: int
) -> tuple[UInt64Array, str]:
    """A number for each image, which hardly two that differ have alike, and the md5 of them all."""
    at_once = max(1, AT_ONCE // images[0].size)
    whole, numbers = hashlib.md5(), np.empty(len(images), np.uint64)
    for start in range(0, len(images), at_once):
        block = np.ascontiguousarray(images[start : start + at_once])
        whole.update(block.data)
        for row, image in enumerate(block, start=start):
            short = hashlib.blake2b(image.data, digest_size=8).digest()
            numbers[row] = int.from_bytes(short, "little")
        progress(before + start + len(block), total)
    return numbers, whole.hexdigest()


def _counts(images: Mapping[Split, Images]) -> dict[Split, Int64Array] | None:
    train, test = (images[split].labels for split in SPLITS)
    if train is None or test is None:
        return None
    classes = int(train.max()) + 1
    return {
        "train": np.bincount(train, minlength=classes),
        "test": np.bincount(test, minlength=classes),
    }


def _in_both(
    images: Mapping[Split, Images], hashes: Mapping[Split, UInt64Array]
) -> list[tuple[int, int]]:
    rising = np.argsort(hashes["train"], kind="stable")
    places = np.searchsorted(hashes["train"], hashes["test"], sorter=rising)
    train_rows = rising[np.minimum(places, len(rising) - 1)]
    alike = hashes["train"][train_rows] == hashes["test"]
    return [
        (int(test), int(train))
        for test, train in zip(np.flatnonzero(alike), train_rows[alike], strict=True)
        if np.array_equal(images["test"].images[test], images["train"].images[train])
    ]
