"""What is packed: the images of two splits, read by their places, whatever they lie in.

A place is a number in the order in which a split is best read. The room of a family of files
makes a `Source` of them; `packing` reads it in pieces and writes the .npz.
"""

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from iddpm.arrays import Int64Array, UInt8Array
from iddpm.bounds import MOST_PIXELS, require
from iddpm.config import Split
from iddpm.images.decoding import Resize
from iddpm.images.folders import Account, LabelsFrom


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What a person asks of the files of a family; None: what is usual there."""

    paths: tuple[Path, ...]
    size: int | None = None
    """Pixels a side."""
    resize: Resize = "area"
    labels: LabelsFrom = "auto"
    test_share: float | None = None
    """Of images that no one has divided: how many of them are test images."""
    first_label: int = 0
    """The label of the first class."""
    test_labels: Path | None = None
    """A text file with the labels of test images that lie without any."""

    def __post_init__(self) -> None:
        """Refuses numbers that cannot be.

        Raises:
            ConfigError: If one is out of its bounds.
        """
        is_size = self.size is None or 1 <= self.size <= MOST_PIXELS
        require(is_size, "--size", f"1 to {MOST_PIXELS:,} pixels", self.size)
        is_share = self.test_share is None or 0 < self.test_share < 1
        require(is_share, "--test-share", "a share between 0 and 1", self.test_share)
        require(self.first_label >= 0, "--first-label", "0 or more", self.first_label)


@dataclass(frozen=True, slots=True)
class Piece:
    """Some images of a split that follow one another."""

    images: UInt8Array
    """Level indices of 256 levels, shape (N, S, S, C)."""
    labels: Int64Array | None = None
    """Class indices, shape (N,)."""
    changes: tuple[tuple[str, ...], ...] = ()
    """What was done to each image; empty: nothing to any."""


class Part(Protocol):
    """The images of one split."""

    def __len__(self) -> int: ...

    def read(self, start: int, stop: int) -> Iterator[Piece]:
        """The images at places `start` to `stop - 1`, in pieces of any length."""

    def mark(self, start: int, stop: int) -> str:
        """What tells these images from others at these places, known without reading them."""

    def name(self, place: int) -> str:
        """What a person calls the image at a place."""

    def order(self) -> Int64Array | None:
        """Places of the images in the order that names give them; None: the places' own.

        The same images give the same .npz, whatever order an archive has them in.
        """


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Images of two splits, of one size and number of channels."""

    where: str
    """What an error names it by."""
    size: int
    channels: int
    parts: Mapping[Split, Part]
    is_labelled: bool
    about: dict[str, Any]
    """How the images come about, for the account of the .npz: no paths and no dates."""
    account: Account = field(default_factory=Account)
    """Takes what is left out, turned or converted."""
    hints: tuple[str, ...] = ()
    """What a person is to know beside the account."""

    @property
    def shape(self) -> tuple[int, int, int]:
        """Of an image."""
        return self.size, self.size, self.channels


# ---------------------------------------------------------------------------- arrays of images


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """Images that are read together: how many, from where, and how."""

    count: int
    mark: str
    """What tells its file from another."""
    load: Callable[[], Piece]


class Batches:
    """A split that lies in batches, one after the other; one is held at a time.

    Args:
        batches: In their order; none is empty.
        where: What a person calls them.
    """

    def __init__(self, batches: Sequence[Batch], where: str) -> None:
        self._batches = list(batches)
        self._where = where
        self._ends = np.cumsum([batch.count for batch in batches])
        self._held: tuple[int, Piece] | None = None

    def __len__(self) -> int:
        return int(self._ends[-1])

    def read(self, start: int, stop: int) -> Iterator[Piece]:
        """Cuts of the batches that hold these places."""
        for i, first in self._touched(start, stop):
            piece = self._loaded(i)
            rows = slice(max(start - first, 0), stop - first)
            labels = None if piece.labels is None else piece.labels[rows]
            yield Piece(piece.images[rows], labels)

    def mark(self, start: int, stop: int) -> str:
        """The batches and where they begin."""
        return digest([[self._batches[i].mark, first] for i, first in self._touched(start, stop)])

    def name(self, place: int) -> str:
        """Its number."""
        return f"{self._where} {place}"

    def order(self) -> None:
        """As they lie."""

    def _touched(self, start: int, stop: int) -> Iterator[tuple[int, int]]:
        """Numbers of the batches and the places at which they begin."""
        for i in range(int(np.searchsorted(self._ends, start, side="right")), len(self._batches)):
            first = int(self._ends[i]) - self._batches[i].count
            if first >= stop:
                return
            yield i, first

    def _loaded(self, i: int) -> Piece:
        if self._held is None or self._held[0] != i:
            self._held = None  # before the next is read
            self._held = i, self._batches[i].load()
        return self._held[1]


class Chosen:
    """Some images of a part.

    Args:
        part: All of them.
        places: Which of them; they are read as they lie and keep this order.
    """

    def __init__(self, part: Part, places: Int64Array) -> None:
        self._part = part
        self._places = np.sort(places)
        self._order = np.searchsorted(self._places, places)

    def __len__(self) -> int:
        return len(self._places)

    def read(self, start: int, stop: int) -> Iterator[Piece]:
        """What lies between the first and the last of them is read too."""
        wanted = self._places[start:stop]
        first, end = int(wanted[0]), int(wanted[-1]) + 1
        for piece in self._part.read(first, end):
            last = first + len(piece.images)
            rows = wanted[(wanted >= first) & (wanted < last)] - first
            labels = None if piece.labels is None else piece.labels[rows]
            yield Piece(piece.images[rows], labels)
            first = last

    def mark(self, start: int, stop: int) -> str:
        """The places and what lies between them."""
        places = self._places[start:stop].tolist()
        return digest([self._part.mark(places[0], places[-1] + 1), places])

    def name(self, place: int) -> str:
        """As of all images."""
        return self._part.name(int(self._places[place]))

    def order(self) -> Int64Array:
        """As they were asked for."""
        return self._order


def digest(value: Any) -> str:
    """sha256, as hex, of what JSON can hold."""
    return hashlib.sha256(json.dumps(value).encode()).hexdigest()
