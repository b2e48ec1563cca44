"""Images of any source as one .npz, whose arrays stay on disk when it is used.

The images of a split are written in the order of a fixed permutation, so that those of one class
do not lie together. They are read once, in the order that the source is best read in, into blocks
beside the .npz (`iddpm.running.blocks`), so that another attempt goes on behind the blocks that
are there; then they are put in their order. The memory holds a block, names and labels.
"""

import json
import math
import shutil
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from iddpm.arrays import Int64Array, UInt8Array
from iddpm.config import SPLITS, Folder, Split
from iddpm.data import fixed_permutation, number_of_classes
from iddpm.images.archives import read
from iddpm.images.decoding import CHANGES, MODES, decoded, looked_at, opened
from iddpm.images.folders import PATH, Listing, listed
from iddpm.images.sources import Part, Piece, Source, digest
from iddpm.running.blocks import Arrays, Blocks
from iddpm.running.files import remove_unfinished, written_whole
from iddpm.running.interruption import Progress

ACCOUNT = "packing.json"
"""The member that says how the images were made: their labels, and what was done to them."""

BLOCK_BYTES, MOST_BLOCKS = 2**26, 400
"""Of a block at least, and blocks of a data set at most: each is a file that is held open."""

FROM_1 = "if the labels begin at 1, say --first-label 1"

IMAGES, LABELS, CHANGED = "images", "labels", "changed"
"""Arrays of a block; the last has a bit for each of `CHANGES`."""


def pack(
    data: Folder, path: Path, *, progress: Progress = lambda done, total: None
) -> tuple[str, ...]:
    """Write the images of a folder as an .npz: as `write`.

    Args:
        data: The folder, and the size that its images are brought to.
        path: Of the .npz.
        progress: Told the images done, of how many.

    Returns:
        A line for each thing that a person is to know.

    Raises:
        ConfigError: As `load`, of the folder.
        StorageError: If the file cannot be written.
    """
    return write(_source(data), path, progress=progress)


def write(
    source: Source, path: Path, *, progress: Progress = lambda done, total: None
) -> tuple[str, ...]:
    """Write the images of a source as an .npz.

    Equal images make equal files. What was left out, turned or converted stands in a member
    `packing.json`, and so in the digest of the file.

    Args:
        source: The images.
        path: Of the .npz.
        progress: Told the images read, of how many.

    Returns:
        A line for each thing that a person is to know.

    Raises:
        ConfigError: If an image cannot be read, or labels are none.
        StorageError: If the file cannot be written.
    """
    remove_unfinished(path)
    with written_whole(path) as raw:
        kept = _read_all(source, blocks_beside(path), progress)
        if source.is_labelled:
            train, test = (kept[split].labels for split in SPLITS)
            number_of_classes(train, test, where=source.where, from_1=FROM_1)
        with zipfile.ZipFile(raw, "w") as archive:
            for split in SPLITS:
                _write_split(archive, source, split, kept[split])
            account = json.dumps(source.about | {"changes": source.account.as_json()}, indent=1)
            archive.writestr(zipfile.ZipInfo(ACCOUNT), account)
    shutil.rmtree(blocks_beside(path), ignore_errors=True)
    return *source.hints, *source.account.lines()


def blocks_beside(path: Path) -> Path:
    """Where the blocks of an unfinished .npz are kept."""
    return path.with_name(f".{path.name}.blocks")


# ----------------------------------------------------------------------------------------- reading


@dataclass(frozen=True, slots=True)
class _Kept:
    """The blocks of one split, and what is known of all its images."""

    files: list[Path]
    in_block: int
    """Images of each but the last."""
    labels: Int64Array
    """Of each place; empty: there are none."""
    changed: NDArray[np.uint16]
    """Of each place."""


def _read_all(source: Source, folder: Path, progress: Progress) -> dict[Split, _Kept]:
    counts = {split: len(source.parts[split]) for split in SPLITS}
    total, done = sum(counts.values()), 0
    in_block = max(1, BLOCK_BYTES // math.prod(source.shape), -(-total // MOST_BLOCKS))
    about = digest(source.about)
    kept: dict[Split, _Kept] = {}
    number = 0
    for split in SPLITS:
        part, files, labels, changed = source.parts[split], [], [], []
        for start in range(0, counts[split], in_block):
            stop = min(start + in_block, counts[split])
            work = f"{about} {source.shape} {part.mark(start, stop)}"
            blocks = Blocks(folder=folder, work=work)
            arrays = blocks.kept(number, _like(source, stop - start))
            if arrays is None:
                arrays = _read_block(source, part, start, stop, progress, (done, total))
                blocks.keep(number, arrays)
            done += stop - start
            files.append(blocks.file(number))
            labels.append(arrays.get(LABELS, np.empty(0, np.int64)))
            changed.append(arrays[CHANGED])
            number += 1
        kept[split] = _Kept(files, in_block, np.concatenate(labels), np.concatenate(changed))
    return kept


def _like(source: Source, count: int) -> dict[str, tuple[tuple[int, ...], str]]:
    labels = {LABELS: ((count,), "int64")} if source.is_labelled else {}
    return {IMAGES: ((count, *source.shape), "uint8"), CHANGED: ((count,), "uint16"), **labels}


def _read_block(
    source: Source, part: Part, start: int, stop: int, progress: Progress, so_far: tuple[int, int]
) -> Arrays:
    like = _like(source, stop - start)
    arrays: Arrays = {name: np.zeros(*shape_and_dtype) for name, shape_and_dtype in like.items()}
    done, total = so_far
    filled = 0
    for piece in part.read(start, stop):
        assert piece.images.shape[1:] == source.shape
        rows = slice(filled, filled + len(piece.images))
        arrays[IMAGES][rows] = piece.images
        if piece.labels is not None:
            arrays[LABELS][rows] = piece.labels
        for row, changes in zip(range(*rows.indices(stop)), piece.changes, strict=False):
            arrays[CHANGED][row] = sum(1 << CHANGES.index(change) for change in changes)
        filled = rows.stop
        progress(done + filled, total)
    assert filled == stop - start
    return arrays


# ----------------------------------------------------------------------------------------- writing


def _write_split(archive: zipfile.ZipFile, source: Source, split: Split, kept: _Kept) -> None:
    part, count = source.parts[split], len(kept.changed)
    order = part.order()
    places = fixed_permutation(count) if order is None else order[fixed_permutation(count)]
    for place in places[kept.changed[places] > 0]:
        for bit, change in enumerate(CHANGES):
            if kept.changed[place] >> bit & 1:
                source.account.note(change, part.name(place))
    with _npy_member(archive, split, (count, *source.shape), np.dtype(np.uint8)) as member:
        for images in _in_order(kept, places, math.prod(source.shape)):
            member.write(images.data)
    if source.is_labelled:
        labels = kept.labels[places]
        with _npy_member(archive, f"{split}_labels", labels.shape, labels.dtype) as member:
            member.write(labels.tobytes())


def _in_order(kept: _Kept, places: Int64Array, image_bytes: int) -> Iterator[UInt8Array]:
    """The images at these places, some at a time: from each block those that are wanted of it."""
    blocks = [read(file, IMAGES, mapped_from=0) for file in kept.files]
    at_once = max(1, BLOCK_BYTES // image_bytes)
    for start in range(0, len(places), at_once):
        wanted = places[start : start + at_once]
        images = np.empty((len(wanted), *blocks[0].shape[1:]), np.uint8)
        rising = np.argsort(wanted)
        numbers = wanted[rising] // kept.in_block
        for number in np.unique(numbers):
            rows = rising[np.searchsorted(numbers, number) : np.searchsorted(numbers, number + 1)]
            images[rows] = blocks[number][wanted[rows] - number * kept.in_block]
        yield images


@contextmanager
def _npy_member(
    archive: zipfile.ZipFile, name: str, shape: tuple[int, ...], dtype: np.dtype[Any]
) -> Iterator[IO[bytes]]:
    """An array in an .npz that is written as it comes: its header stands already."""
    member = zipfile.ZipInfo(f"{name}.npy")  # of no date: equal arrays make equal bytes
    described = {"descr": dtype.str, "fortran_order": False, "shape": shape}
    with archive.open(member, "w", force_zip64=True) as file:
        np.lib.format.write_array_header_1_0(file, described)
        yield file


# -------------------------------------------------------------------------------- a folder's files


def _source(data: Folder) -> Source:
    found = listed(data)
    channels = _channels(Path(data.path), found)
    return Source(
        where=PATH,
        size=data.size,
        channels=channels,
        parts={split: _Listed(data, found, split, channels) for split in SPLITS},
        is_labelled=found.labels is not None,
        about={"size": data.size, "labels": found.taken, "classes": found.classes},
        account=found.account,
        hints=found.hints,
    )


@dataclass(frozen=True, slots=True)
class _Listed:
    """A split of a folder, in the order of its names."""

    data: Folder
    found: Listing
    split: Split
    channels: int

    def __len__(self) -> int:
        return len(self.found.names[self.split])

    def read(self, start: int, stop: int) -> Iterator[Piece]:
        """One image at a time."""
        mode, size = MODES[self.channels], self.data.size
        for place in range(start, stop):
            path = Path(self.data.path) / self.name(place)
            pixels, changes = decoded(path, mode, where=PATH, size=size)
            yield Piece(pixels[None], self._labels(place), (changes,))

    def mark(self, start: int, stop: int) -> str:
        """Names, labels, sizes and times of the files."""
        root, marks = Path(self.data.path), []
        for place in range(start, stop):
            status = (root / self.name(place)).stat()
            labels = self._labels(place)
            label = None if labels is None else int(labels[0])
            marks.append([self.name(place), label, status.st_size, status.st_mtime_ns])
        return digest(marks)

    def _labels(self, place: int) -> Int64Array | None:
        found = self.found.of(self.split)
        return None if found is None else found[place : place + 1]

    def name(self, place: int) -> str:
        """Of the file, from the folder on."""
        return self.found.names[self.split][place]

    def order(self) -> None:
        """As they are listed."""


def _channels(root: Path, found: Listing) -> int:
    """1 where every image is grey, else 3: the first that is not grey tells it."""
    for split in SPLITS:
        for row in fixed_permutation(len(found.names[split])):
            path = root / found.names[split][row]
            with opened(path, where=PATH) as file:
                if looked_at(path, file, where=PATH).channels == 3:
                    return 3
    return 1
