"""MNIST and its family, as idx files: Fashion-MNIST, KMNIST, EMNIST's parts and whatever is alike.

An idx file is a number whose last byte says how many dimensions there are, their sizes as
big-endian integers, then the bytes. Images of 28 pixels a side get a black border of 2, so that
they can be halved three times and more.
"""

import gzip
import math
import re
from collections.abc import Sequence
from functools import partial
from typing import IO

import numpy as np
from numpy.typing import NDArray

from iddpm.bounds import ConfigError, require
from iddpm.config import SPLITS, Split
from iddpm.images.checksums import provenance
from iddpm.images.folders import Account
from iddpm.images.sources import Batch, Batches, Part, Piece, Request, Source
from iddpm.images.trees import File, files_at, told

NAME = re.compile(r"(?:.*-)?(train|t10k|test)-(images|labels)[-.]idx[13]-ubyte(?:\.gz)?")
GZIP = b"\x1f\x8b"
BYTES = b"\0\0\x08"
"""How an idx file of unsigned bytes begins."""
MOST_BYTES = 2**30
"""Of the numbers of a file; EMNIST's largest has half of them."""
USUAL = 32

DIGITS = tuple("0123456789")
FASHION = (
    *("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat"),
    *("Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"),
)
"""Of Fashion-MNIST, in the order of their labels."""


def mnist(request: Request) -> Source:
    """MNIST, or another set of its layout: as `_family`."""
    return _family("mnist", DIGITS, request)


def fashion(request: Request) -> Source:
    """Fashion-MNIST: as `_family`."""
    return _family("fashion", FASHION, request)


def _family(name: str, classes: Sequence[str], request: Request) -> Source:
    """The images of four idx files, packed by gzip or not.

    Args:
        name: Of the member of the family, whose published sums are known.
        classes: Their names, if there are as many.
        request: `size` is 32 unless it says another; `first_label` is that of the first class.

    Raises:
        ConfigError: If a file is missing, there twice, or not what its header says.
    """
    account = Account()
    trees, every = files_at(request.paths, account, where=name)
    files = _files(name, request, every)
    size = request.size or USUAL
    parts: dict[Split, Part] = {}
    sides, highest = [], 0
    for split in SPLITS:
        images, labels = files[split, "images"], files[split, "labels"]
        load = partial(_piece, name, images, labels, size, request.first_label)
        mark = f"{images.mark} {labels.mark}"
        batch = Batch(count=len(load().images), mark=mark, load=load)
        parts[split] = Batches([batch], f"{split} image")
        sides.append(_idx(name, images).shape[1])
        highest = max(highest, int(_idx(name, labels).max()) - request.first_label)
    origin, hints = provenance(name, trees, files.values(), where=name)
    border = (size - min(sides)) // 2
    named = list(classes) if highest + 1 == len(classes) else []
    return Source(
        where=name,
        size=size,
        channels=1,
        parts=parts,
        is_labelled=True,
        about={
            "source": name,
            **origin,
            "size": size,
            "border": border,
            "labels": "given",
            "classes": named,
        },
        account=account,
        hints=(*hints, *[f"images have a black border of {border} pixels"] * (border > 0)),
    )


def _files(name: str, request: Request, found: Sequence[File]) -> dict[tuple[Split, str], File]:
    """The four files, by split and by what they hold."""
    files: dict[tuple[Split, str], File] = {}
    for file in found:
        if match := NAME.fullmatch(file.basename):
            split: Split = "train" if match[1] == "train" else "test"
            if (other := files.setdefault((split, match[2]), file)) is not file:
                raise ConfigError(
                    name,
                    f"one file of the {split} {match[2]}",
                    f"{other.path} and {file.path}",
                    "name the four files that are meant",
                )
    for split in SPLITS:
        for what, dimensions in (("images", 3), ("labels", 1)):
            if (split, what) not in files:
                usual = f"{'train' if split == 'train' else 't10k'}-{what}-idx{dimensions}-ubyte"
                raise ConfigError(
                    name,
                    f"a file {usual}, packed by gzip or not",
                    f"none in {', '.join(map(str, request.paths))}",
                )
    return files


def _piece(name: str, images: File, labels: File, size: int, first_label: int) -> Piece:
    pixels, numbers = _idx(name, images), _idx(name, labels).astype(np.int64) - first_label
    if pixels.ndim != 3 or numbers.ndim != 1 or len(pixels) != len(numbers) or len(pixels) == 0:
        raise ConfigError(
            name,
            "images (N, S, S) and as many labels",
            f"{pixels.shape} in {images.path} and {numbers.shape} in {labels.path}",
        )
    height, width = pixels.shape[1:]
    if height != width or height > size or (size - height) % 2:
        raise ConfigError(
            name,
            f"images of at most {size}x{size} that a border of one width brings there",
            f"{height}x{width} in {images.path}",
            "ask for another --size",
        )
    if numbers.min() < 0:
        raise ConfigError(
            name, f"labels from {first_label} on", f"{numbers.min() + first_label} in {labels.path}"
        )
    border = (size - height) // 2
    padded = np.pad(pixels, ((0, 0), (border, border), (border, border)))
    return Piece(padded[..., None], numbers)


def _idx(name: str, file: File) -> NDArray[np.uint8]:
    """The array of an idx file of bytes."""
    with file.open(name) as opened, told(file.path, name):
        is_packed = opened.read(len(GZIP)) == GZIP
        opened.seek(0)
        content = gzip.GzipFile(fileobj=opened) if is_packed else opened
        shape = _shape(name, file, content)
        wanted = math.prod(shape)
        require(wanted <= MOST_BYTES, name, f"at most {MOST_BYTES:,} bytes in {file.path}", wanted)
        numbers = content.read(wanted + 1)
    if len(numbers) != wanted:
        found = f"{len(numbers):,}" if len(numbers) < wanted else "more"
        raise ConfigError(
            name,
            f"{wanted:,} bytes by the header {shape}",
            f"{found} in {file.path}",
            "get it again",
        )
    return np.frombuffer(numbers, np.uint8).reshape(shape)


def _shape(name: str, file: File, content: IO[bytes] | gzip.GzipFile) -> tuple[int, ...]:
    """What the header says; what follows are the numbers."""
    start = content.read(4)
    sizes = content.read(4 * start[3]) if len(start) == 4 else b""
    if not start.startswith(BYTES) or len(sizes) != 4 * start[3]:
        raise ConfigError(name, "an idx file of unsigned bytes", f"something else in {file.path}")
    return tuple(int(size) for size in np.frombuffer(sizes, ">u4"))
