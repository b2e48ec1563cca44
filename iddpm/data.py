"""Data sets as plain arrays: images of level indices (N, H, W, C), their labels, their levels.

A pixel holds 0..levels-1, so that the discretised likelihood counts what the data really holds:
digits have 17 grey levels, photographs 256. `describe` tells everything a plan needs to know
without loading an image; `load` reads a split; `batch_indices` says which images batch n holds.
Scikit-learn's two data sets are read from its files: it is installed, never imported.
"""

import hashlib
import importlib.util
import json
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Protocol, assert_never

import numpy as np
from numpy.typing import NDArray

from iddpm.arrays import Float32Array, Int64Array, UInt8Array
from iddpm.bounds import MOST_CLASSES, ConfigError, require, require_type
from iddpm.config import SPLITS, Data, Declared, Digits, Folder, Npz, Photos, Split
from iddpm.config_fields import canonical
from iddpm.images.archives import ArchiveError, Header, header, names, read
from iddpm.images.decoding import LAID_OVER, TURNED, decoded, looked_at, opened
from iddpm.images.folders import PATH, UNICODE, Account, listed
from iddpm.running.draws import numpy_generator
from iddpm.running.hashing import sha256_of

SPLITTING_VERSION = 1
"""Part of every digest: moves when the same files would give other images or another split."""

ARRAYS = (*SPLITS, *(f"{split}_labels" for split in SPLITS))
"""Of an .npz: what is used of it."""

CHANNELS = (1, 3)
"""Of an image: grey, or RGB."""

DIGITS_LEVELS, BYTE_LEVELS = 17, 256
"""Values of a pixel of scikit-learn's digits, and of all other images."""

MOVED = (TURNED, LAID_OVER, UNICODE)
"""What stands in the digest of a folder beside its files. All else that is done to an image follows
from its file; these are counted, so that images read by an older rule have another digest."""

UNKNOWN = "unknown"
"""Digest of data that are planned with and not on disk."""

LARGE = 2**28
"""Bytes from which on an array stays on disk, and a file's hash is kept in a file beside it."""

# ------------------------------------------------------------------------------- public things


@dataclass(frozen=True, slots=True, kw_only=True)
class Description:
    """What a data set is, known without loading its images."""

    channels: int
    size: int
    """Pixels a side; images are square."""
    levels: int
    """Values that a pixel can take: 0..levels-1."""
    classes: int | None
    """None: the images have no labels."""
    train_images: int
    test_images: int
    digest: str
    """sha256, as hex, of the files read, the settings that select images, the splitting version."""
    told: tuple[str, ...] = ()
    """What a person is to know of files that were left out, turned or converted."""


@dataclass(frozen=True, slots=True)
class Images:
    """One split of a data set."""

    images: UInt8Array
    """Level indices 0..levels-1, shape (N, H, W, C)."""
    labels: Int64Array | None
    """Class indices, shape (N,)."""
    levels: int


class Rows(Protocol):
    """Images by their rows: an array of them, or what reads them when they are asked for."""

    def __len__(self) -> int: ...

    def __getitem__(self, rows: Int64Array, /) -> UInt8Array: ...


@dataclass(frozen=True, slots=True)
class Selection:
    """Some images of a split in an order of their own, read when they are asked for."""

    images: Rows
    """Of the whole split, shape (N, H, W, C); they may lie on disk."""
    rows: Int64Array
    """Which of them, shape (M,)."""

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, where: slice) -> UInt8Array:
        return self.images[self.rows[where]]


@lru_cache(maxsize=64)
def describe(data: Data) -> Description:
    """Everything that planning and building a network need to know of `data`.

    Reads and hashes the bytes of its files, and headers, but decodes no image. The answer is kept
    for the life of the process.

    Raises:
        ConfigError: If `data` is none, or the files are missing or not what its kind asks for.
    """
    require_type("describe.data", Data, data)
    match data:
        case Digits():
            return _describe_digits(data)
        case Photos():
            return _describe_photos(data)
        case Folder():
            return _describe_folder(data)
        case Npz():
            return _describe_npz(data)
        case _:
            assert_never(data)


def missing(data: Data) -> ConfigError | None:
    """What to put where, if the data are not on disk and their config declares what they are."""
    if not isinstance(data, Npz) or data.declared is None or Path(data.path).exists():
        return None
    declared = data.declared
    arrays = [f"{split} {_declared_shape(declared, split)}" for split in SPLITS]
    text = f"put there the arrays {' and '.join(arrays)} of uint8"
    if declared.classes is not None:
        text += f", train_labels and test_labels of integers below {declared.classes}"
    hint = f"{text}. Source: {declared.source}"
    return ConfigError("data.npz.path", "an .npz file", f"no file at {data.path}", hint)


def outline(data: Data) -> Description:
    """The description, or what the config declares of data that are not on disk.

    Raises:
        ConfigError: As `describe`, where nothing is declared.
    """
    if missing(data) is None:
        return describe(data)
    assert isinstance(data, Npz)
    assert data.declared is not None
    declared = data.declared
    return Description(
        channels=declared.channels,
        size=declared.size,
        levels=BYTE_LEVELS,
        classes=declared.classes,
        train_images=declared.train_images,
        test_images=declared.test_images,
        digest=UNKNOWN,
    )


def levels(data: Data) -> int:
    """Values that a pixel of the data can take, be their files there or not."""
    return data.levels if isinstance(data, Digits) else BYTE_LEVELS


def load(data: Data, split: Split) -> Images:
    """The images of one split, always in the same order.

    Raises:
        ConfigError: If `data` or `split` is none, or a file is missing, broken, or not what the
            kind of data asks for.
    """
    require_type("load.data", Data, data)
    require_type("load.split", Split, split)
    match data:
        case Digits():
            return _load_digits(data, split)
        case Photos():
            return _load_photos(data, split)
        case Folder():
            return _load_folder(data, split)
        case Npz():
            return _load_npz(data, split)
        case _:
            assert_never(data)


def may_be_sorted(data: Data) -> bool:
    """Whether a split may lie class by class; digits and photos are shuffled already."""
    return isinstance(data, Folder | Npz)


def first_rows(count: int, wanted: int | None, *, permuted: bool) -> Int64Array:
    """Which of the `count` images of a split are its first `wanted`; None: all of them.

    The first images of a split that is sorted by class are of a few classes alone. Its part is
    therefore the beginning of one permutation, fixed for ever: of all classes alike, and the first
    10 are among the first 20. A whole split keeps the order of its files.

    Args:
        count: Images in the split.
        wanted: At most `count`.
        permuted: Whether a part is of the permutation; else it is of the order of the files.
    """
    if not permuted or wanted is None or wanted == count:
        return np.arange(count if wanted is None else wanted)
    return fixed_permutation(count)[:wanted]


def to_unit(images: UInt8Array, levels: int) -> Float32Array:
    """Level indices (N, H, W, C) as float32 images (N, C, H, W) spread evenly over [-1, 1]."""
    unit = 2 * images.astype(np.float32) / np.float32(levels - 1) - 1
    return np.ascontiguousarray(unit.transpose(0, 3, 1, 2))


def batch_indices(count: int, batch_size: int, seed: int, n: int) -> Int64Array:
    """Which images batch n holds, shape (batch_size,): a function of (seed, n) alone.

    The batches follow one another along an endless row of epochs, each its own permutation of the
    images; a batch may straddle epochs, so that no image is dropped.
    """
    first, last = n * batch_size, (n + 1) * batch_size
    epochs = range(first // count, (last - 1) // count + 1)
    row = np.concatenate([_epoch(count, seed, epoch) for epoch in epochs])
    start = first - epochs.start * count
    return row[start : start + batch_size]


@lru_cache(maxsize=4)
def _epoch(count: int, seed: int, epoch: int) -> Int64Array:
    order = numpy_generator(seed, "batches", epoch).permutation(count)
    return np.asarray(order, dtype=np.int64)


# -------------------------------------------------------------------------------------- digits

DIGITS_FILE = "data/digits.csv.gz"
DIGITS_TRAIN_IMAGES = 1500
DIGITS_IMAGES = 1797


def _describe_digits(data: Digits) -> Description:
    return Description(
        channels=1,
        size=8,
        levels=data.levels,
        classes=10,
        train_images=data.train_images,
        test_images=DIGITS_IMAGES - DIGITS_TRAIN_IMAGES,
        digest=_digest(canonical(data), _unnamed(_sklearn_file(DIGITS_FILE, "digits"))),
    )


def _load_digits(data: Digits, split: Split) -> Images:
    """A fixed shuffle of the file's rows: the first 1500 or fewer train, the last 297 test."""
    table = np.loadtxt(_sklearn_file(DIGITS_FILE, "digits"), delimiter=",", dtype=np.uint8)
    order = fixed_permutation(len(table))
    rows = order[: data.train_images] if split == "train" else order[DIGITS_TRAIN_IMAGES:]
    pixels, labels = table[:, :-1], table[rows, -1]
    if data.levels != DIGITS_LEVELS:
        inside = np.random.RandomState(1).random_sample(pixels.shape)  # one draw for ever (NEP 19)
        pixels = ((pixels + inside) * (data.levels / DIGITS_LEVELS)).astype(np.uint8)
    return Images(pixels[rows].reshape(-1, 8, 8, 1), labels.astype(np.int64), levels=data.levels)


# -------------------------------------------------------------------------------------- photos

PHOTO_FILES = ("images/china.jpg", "images/flower.jpg")
PHOTO_HEIGHT = 427
PHOTO_BANDS: dict[Split, tuple[range, ...]] = {
    "train": (range(128), range(192, 448), range(512, 640)),
    "test": (range(128, 192), range(448, 512)),
}
"""Columns of each photograph that a split's crops lie in; a crop never leaves its band."""
CROP = 16


def _describe_photos(data: Photos) -> Description:
    settings = {"kind": "photos", "train": data.train_images, "test": data.test_images}
    for split in SPLITS:
        count = data.train_images if split == "train" else data.test_images
        possible = len(PHOTO_FILES) * (PHOTO_HEIGHT - CROP + 1) * len(_crop_columns(split))
        if count > possible:
            expected = f"at most {possible}, the number of different crops of this split"
            raise ConfigError(f"photos.{split}_images", expected, f"{count}", "ask for fewer")
    return Description(
        channels=3,
        size=CROP,
        levels=BYTE_LEVELS,
        classes=None,
        train_images=data.train_images,
        test_images=data.test_images,
        digest=_digest(settings, _unnamed(*_photo_files())),
    )


def _load_photos(data: Photos, split: Split) -> Images:
    photos = np.stack([decoded(file, "RGB", where="data.photos")[0] for file in _photo_files()])
    count = data.train_images if split == "train" else data.test_images
    corners = photo_crops(split, count)
    crops = [photos[p, y : y + CROP, x : x + CROP] for p, y, x in corners]
    return Images(np.stack(crops), None, levels=BYTE_LEVELS)


def _photo_files() -> list[Path]:
    return [_sklearn_file(name, "photos") for name in PHOTO_FILES]


def photo_crops(split: Split, count: int) -> Int64Array:
    """A split's crops as (photograph, top, left), shape (count, 3): all different, order fixed."""
    columns = _crop_columns(split)
    shape = (len(PHOTO_FILES), PHOTO_HEIGHT - CROP + 1, len(columns))
    chosen = fixed_permutation(int(np.prod(shape)))[:count]
    photo, top, column = np.unravel_index(chosen, shape)
    return np.stack([photo, top, columns[column]], axis=1)


def _crop_columns(split: Split) -> Int64Array:
    """Left edges of all crops that stay inside one band of the split."""
    edges = [np.arange(band.start, band.stop - CROP + 1) for band in PHOTO_BANDS[split]]
    return np.concatenate(edges)


# -------------------------------------------------------------------------------------- folder


def _describe_folder(data: Folder) -> Description:
    found = listed(data)
    every = [name for split in SPLITS for name in found.names[split]]
    hashes, channels = [], 1
    for name in every:
        path = Path(data.path) / name
        with opened(path, where=PATH) as file:
            hashes.append((name, hashlib.file_digest(file, "sha256").hexdigest()))
            file.seek(0)
            look = looked_at(path, file, where=PATH)
        channels = max(channels, look.channels)
        for change in look.changes:
            found.account.note(change, name)
    moved = {what: found.account.found[what] for what in MOVED if what in found.account.found}
    settings = {"kind": "folder", "size": data.size, **({"moved": moved} if moved else {})}
    return Description(
        channels=channels,
        size=data.size,
        levels=BYTE_LEVELS,
        classes=len(found.classes) or None,
        train_images=len(found.names["train"]),
        test_images=len(found.names["test"]),
        digest=_digest(settings, hashes),
        told=found.lines(),
    )


def _load_folder(data: Folder, split: Split) -> Images:
    found = listed(data)
    mode = "L" if describe(data).channels == 1 else "RGB"
    images = [
        decoded(Path(data.path) / name, mode, where=PATH, size=data.size)[0]
        for name in found.names[split]
    ]
    return Images(
        np.stack(images), found.labels[split] if found.labels else None, levels=BYTE_LEVELS
    )


# ----------------------------------------------------------------------------------------- npz


def _describe_npz(data: Npz) -> Description:
    if (absent := missing(data)) is not None:
        raise absent
    headers = _npz_headers(Path(data.path))
    shapes = {split: _checked_shape(data, split, headers) for split in SPLITS}
    if shapes["train"][1:] != shapes["test"][1:]:
        raise ConfigError(
            "data.npz.path",
            "train and test images of one shape",
            f"{shapes['train'][1:]} and {shapes['test'][1:]} in {data.path}",
        )
    _, size, _, channels = shapes["train"]
    classes = _npz_classes(data, headers)
    _check_declared(data, shapes, classes)
    return Description(
        channels=channels,
        size=size,
        levels=BYTE_LEVELS,
        classes=classes,
        train_images=shapes["train"][0],
        test_images=shapes["test"][0],
        digest=_digest({"kind": "npz"}, _unnamed(Path(data.path))),
        told=_unused(Path(data.path)),
    )


def _unused(path: Path) -> tuple[str, ...]:
    """A line for the arrays that are not looked at: labels may stand there by another name."""
    found = [name for name in names(path) if name not in ARRAYS]
    account = Account()
    for name in found:
        account.note(f"left out of {path}, arrays that are none of {', '.join(ARRAYS)}", name)
    return account.lines()


def _check_declared(data: Npz, shapes: dict[Split, tuple[int, ...]], classes: int | None) -> None:
    declared = data.declared
    if declared is None:
        return
    for split in SPLITS:
        if shapes[split] != (expected := _declared_shape(declared, split)):
            raise ConfigError(
                "data.npz.declared",
                f"{split!r} of the shape {expected} that is declared",
                f"{shapes[split]} in {data.path}",
                "mend the one that is wrong",
            )
    if declared.classes != classes:
        raise ConfigError(
            "data.npz.declared",
            f"{declared.classes or 'no'} classes as is declared",
            f"{classes or 'none'} in {data.path}",
            "mend the one that is wrong",
        )


def _declared_shape(declared: Declared, split: Split) -> tuple[int, ...]:
    count = declared.train_images if split == "train" else declared.test_images
    return count, declared.size, declared.size, declared.channels


def _load_npz(data: Npz, split: Split) -> Images:
    classes = describe(data).classes
    labels = None if classes is None else _npz_array(data, f"{split}_labels").astype(np.int64)
    return Images(_npz_array(data, split), labels, levels=BYTE_LEVELS)


def _npz_headers(path: Path) -> dict[str, Header]:
    """Headers of the arrays in use; their numbers are not read."""
    if not path.is_file():
        raise ConfigError("data.npz.path", "an .npz file", f"no file at {path}")
    try:
        found = names(path)
        headers = {name: header(path, name) for name in ARRAYS if name in found}
    except ArchiveError as error:
        raise ConfigError(
            "data.npz.path", "an .npz file as numpy.savez writes it", f"{path} ({error})"
        ) from error
    if not set(SPLITS) <= set(headers):
        raise ConfigError(
            "data.npz.path", "arrays 'train' and 'test'", f"{sorted(found) or 'none'} in {path}"
        )
    return headers


def _checked_shape(data: Npz, split: Split, headers: dict[str, Header]) -> tuple[int, ...]:
    shape, dtype = headers[split].shape, headers[split].dtype
    square = len(shape) == 4 and shape[1] == shape[2]
    if dtype != np.uint8 or not square or 0 in shape:
        raise ConfigError(
            "data.npz.path",
            f"{split!r} to be uint8 of shape (N, S, S, C)",
            f"{dtype} of shape {shape} in {data.path}",
        )
    if shape[3] not in CHANNELS:
        raise ConfigError(
            "data.npz.path",
            f"{split!r} to have 1 channel (grey) or 3 (RGB)",
            f"{shape[3]} in {data.path}",
            "leave out what is no colour, such as alpha",
        )
    return shape


def _npz_classes(data: Npz, headers: dict[str, Header]) -> int | None:
    present = [split for split in SPLITS if f"{split}_labels" in headers]
    if not present:
        return None
    if len(present) == 1:
        raise ConfigError(
            "data.npz.path",
            "labels of both splits or of neither",
            f"only '{present[0]}_labels' in {data.path}",
        )
    for split in SPLITS:
        found = headers[f"{split}_labels"]
        if found.shape != headers[split].shape[:1] or found.dtype.kind not in "iu":
            images = headers[split].shape[0]
            raise ConfigError(
                "data.npz.path",
                f"'{split}_labels' to hold one integer for each of the {images} images",
                f"{found.dtype} of shape {found.shape} in {data.path}",
            )
    train, test = (_npz_array(data, f"{split}_labels") for split in SPLITS)
    return number_of_classes(
        train,
        test,
        where="data.npz.path",
        found_in=f" in {data.path}",
        from_1="subtract 1 from the labels of both splits",
    )


def number_of_classes(
    train: NDArray[Any], test: NDArray[Any], *, where: str, found_in: str = "", from_1: str
) -> int:
    """How many classes there are, if labels are 0, 1, 2, ... without a hole.

    Args:
        train: Labels of the training images, integers (N,).
        test: Of the test images.
        where: The setting that names them, for an error.
        found_in: What an error says of where they stand.
        from_1: What to try where they begin at 1.

    Raises:
        ConfigError: If a class has no training image, or labels are none or too many.
    """
    classes = int(train.max()) + 1
    lowest, highest = int(min(train.min(), test.min())), int(test.max())
    if lowest >= 0:
        _check_every_class(train, classes, where, found_in, from_1)
    if lowest < 0 or highest >= classes:
        raise ConfigError(
            where,
            f"labels in [0, {classes}), the classes of train_labels",
            f"{lowest if lowest < 0 else highest}{found_in}",
        )
    require(classes <= MOST_CLASSES, where, f"labels below {MOST_CLASSES}", classes - 1)
    return classes


def _check_every_class(
    labels: NDArray[Any], classes: int, where: str, found_in: str, from_1: str
) -> None:
    """Refuse labels that leave a class without a training image."""
    present = np.unique(labels)
    without = classes - len(present)
    if without == 0:
        return
    first = np.arange(min(classes, len(present) + 3), dtype=np.uint64)
    named = ", ".join(map(str, np.setdiff1d(first, present.astype(np.uint64))[:3]))
    more = f" and {without - 3:,} more" if without > 3 else ""
    begins_at_1 = without == 1 and present[0] == 1
    raise ConfigError(
        where,
        f"an image of every class from 0 to {classes - 1} among train_labels",
        f"none of {named}{more}{found_in}",
        from_1 if begins_at_1 else "number the classes without holes",
    )


def _npz_array(data: Npz, name: str) -> NDArray[Any]:
    try:
        return read(Path(data.path), name, mapped_from=LARGE)
    except ArchiveError as error:
        raise ConfigError(
            "data.npz.path", f"to read array {name!r}", f"it broken in {data.path} ({error})"
        ) from error


# ------------------------------------------------------------------------------------- shared


def _sklearn_file(name: str, where: str) -> Path:
    """A data file of the installed scikit-learn, found without importing it."""
    spec = importlib.util.find_spec("sklearn")
    path = Path(spec.origin).parent / "datasets" / name if spec and spec.origin else None
    if path is None or not path.is_file():
        raise ConfigError(
            f"data.{where}",
            f"scikit-learn with its data file datasets/{name}",
            "none",
            "pip install scikit-learn",
        )
    return path


def fixed_permutation(count: int) -> Int64Array:
    """One permutation for ever: NumPy promises never to change RandomState's stream (NEP 19)."""
    return np.random.RandomState(0).permutation(count).astype(np.int64)


def _digest(settings: dict[str, Any], files: Iterable[tuple[str, str]]) -> str:
    """Hash of the settings and of every file (name and content)."""
    digest = hashlib.sha256(json.dumps({"splitting": SPLITTING_VERSION} | settings).encode())
    for file in files:
        digest.update(json.dumps(file).encode())
    return digest.hexdigest()


def _unnamed(*paths: Path) -> list[tuple[str, str]]:
    return [("", sha256_of(path, kept_from=LARGE)) for path in paths]
