"""Data sets as plain arrays: images of level indices (N, H, W, C), their labels, their levels.

A pixel holds 0..levels-1, so that the discretised likelihood counts what the data really holds:
digits have 17 grey levels, photographs 256. `describe` tells everything a plan needs to know
without loading an image; `load` reads a split; `batch_indices` says which images batch n holds.
Scikit-learn's two data sets are read from its files: it is installed, never imported.
"""

import hashlib
import importlib.util
import json
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import IO, Any, assert_never

import numpy as np
from numpy.typing import NDArray

from iddpm.config import ConfigError, Data, Declared, Digits, Folder, Npz, Photos, Split
from iddpm.draws import numpy_generator
from iddpm.files import StorageError, write_whole, written_whole
from iddpm.interruption import Progress

UInt8Array = NDArray[np.uint8]
Int64Array = NDArray[np.int64]
FloatArray = NDArray[np.float32]

SPLITTING_VERSION = 1
"""Part of every digest: moves when the same files would give other images or another split."""

SPLITS: tuple[Split, Split] = ("train", "test")

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


@dataclass(frozen=True, slots=True)
class Images:
    """One split of a data set."""

    images: UInt8Array
    """Level indices 0..levels-1, shape (N, H, W, C)."""
    labels: Int64Array | None
    """Class indices, shape (N,)."""
    levels: int


@dataclass(frozen=True, slots=True)
class Selection:
    """Some images of a split in an order of their own, read when they are asked for."""

    images: UInt8Array
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
        ConfigError: If the files are missing or are not what the kind of data asks for.
    """
    match data:
        case Digits():
            return _describe_digits()
        case Photos():
            return _describe_photos(data)
        case Folder():
            return _describe_folder(data)
        case Npz():
            return _describe_npz(data)
        case _:
            assert_never(data)


def missing(data: Data) -> str | None:
    """What to put where, if the data are not on disk and their config declares what they are."""
    if not isinstance(data, Npz) or data.declared is None or Path(data.path).exists():
        return None
    declared = data.declared
    arrays = [f"{split} {_declared_shape(declared, split)}" for split in SPLITS]
    text = f"put there the arrays {' and '.join(arrays)} of uint8"
    if declared.classes is not None:
        text += f", train_labels and test_labels of integers below {declared.classes}"
    return (
        f"data.npz.path: expected an .npz file, found no file at {data.path}; {text}. "
        f"Source: {declared.source}"
    )


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
        levels=256,
        classes=declared.classes,
        train_images=declared.train_images,
        test_images=declared.test_images,
        digest=UNKNOWN,
    )


def load(data: Data, split: Split) -> Images:
    """The images of one split, always in the same order.

    Raises:
        ConfigError: If a file is missing, broken, or not what the kind of data asks for.
    """
    match data:
        case Digits():
            return _load_digits(split)
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


def to_unit(images: UInt8Array, levels: int) -> FloatArray:
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


def _describe_digits() -> Description:
    return Description(
        channels=1,
        size=8,
        levels=17,
        classes=10,
        train_images=DIGITS_TRAIN_IMAGES,
        test_images=DIGITS_IMAGES - DIGITS_TRAIN_IMAGES,
        digest=_digest({"kind": "digits"}, [_sklearn_file(DIGITS_FILE, "digits")]),
    )


def _load_digits(split: Split) -> Images:
    """A fixed shuffle of the file's rows: the first 1500 train, the last 297 test."""
    table = np.loadtxt(_sklearn_file(DIGITS_FILE, "digits"), delimiter=",", dtype=np.uint8)
    order = fixed_permutation(len(table))
    rows = order[:DIGITS_TRAIN_IMAGES] if split == "train" else order[DIGITS_TRAIN_IMAGES:]
    pixels, labels = table[rows, :-1], table[rows, -1]
    return Images(pixels.reshape(-1, 8, 8, 1), labels.astype(np.int64), levels=17)


# -------------------------------------------------------------------------------------- photos

PHOTO_FILES = ("images/china.jpg", "images/flower.jpg")
PHOTO_HEIGHT, PHOTO_WIDTH = 427, 640
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
            raise ConfigError(
                f"photos.{split}_images: expected at most {possible}, the number of different "
                f"crops of this split, found {count}; ask for fewer"
            )
    return Description(
        channels=3,
        size=CROP,
        levels=256,
        classes=None,
        train_images=data.train_images,
        test_images=data.test_images,
        digest=_digest(settings, [_sklearn_file(name, "photos") for name in PHOTO_FILES]),
    )


def _load_photos(data: Photos, split: Split) -> Images:
    photos = np.stack([_decoded(_sklearn_file(name, "photos"), "RGB") for name in PHOTO_FILES])
    count = data.train_images if split == "train" else data.test_images
    corners = photo_crops(split, count)
    crops = [photos[p, y : y + CROP, x : x + CROP] for p, y, x in corners]
    return Images(np.stack(crops), None, levels=256)


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

IMAGE_SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".bmp", ".webp", ".ppm", ".pgm"})
GREY_MODES, COLOUR_MODES = frozenset({"1", "L"}), frozenset({"RGB", "RGBA", "P", "CMYK", "YCbCr"})


def _describe_folder(data: Folder) -> Description:
    files = {split: _image_files(data, split) for split in SPLITS}
    every = [path for paths in files.values() for path in paths]
    return Description(
        channels=_channels(every),
        size=data.size,
        levels=256,
        classes=len(names) if (names := _class_names(data)) else None,
        train_images=len(files["train"]),
        test_images=len(files["test"]),
        digest=_digest({"kind": "folder", "size": data.size}, every, root=Path(data.path)),
    )


def _load_folder(data: Folder, split: Split) -> Images:
    paths = _image_files(data, split)
    mode = "L" if describe(data).channels == 1 else "RGB"
    images = np.stack([_decoded(path, mode, size=data.size) for path in paths])
    names = _class_names(data)
    labels = [names.index(_class_name(data, split, path)) for path in paths] if names else None
    return Images(images, None if labels is None else np.array(labels, dtype=np.int64), levels=256)


def _image_files(data: Folder, split: Split) -> list[Path]:
    """Every image file of a split, ordered by its name below the split's folder."""
    folder = Path(data.path) / split
    if not folder.is_dir():
        raise ConfigError(
            f"data.folder.path: expected a folder {folder} with image files, found none; "
            "put the images below train/ and test/"
        )
    found = [path for path in folder.rglob("*") if path.suffix.lower() in IMAGE_SUFFIXES]
    images = [path for path in found if path.is_file() and not path.name.startswith(".")]
    if not images:
        raise ConfigError(
            f"data.folder.path: expected image files ({', '.join(sorted(IMAGE_SUFFIXES))}) "
            f"below {folder}, found none"
        )
    return sorted(images, key=lambda path: path.relative_to(folder).as_posix())


def _class_names(data: Folder) -> list[str]:
    """Names of the training images' subfolders in order; none where images lie in train/ itself."""
    found = {
        split: {_class_name(data, split, path) for path in _image_files(data, split)}
        for split in SPLITS
    }
    names = found["train"] | found["test"]
    if "" in names and len(names) > 1:
        raise ConfigError(
            "data.folder.path: expected every image of train/ and test/ in a subfolder named after "
            f"its label, or none, found both below {data.path}"
        )
    if unknown := found["test"] - found["train"]:
        raise ConfigError(
            f"data.folder.path: expected the labels of test/ among those of train/, "
            f"found {sorted(unknown)[0]!r} only below {Path(data.path) / 'test'}"
        )
    return sorted(names - {""})


def _class_name(data: Folder, split: Split, path: Path) -> str:
    parents = path.relative_to(Path(data.path) / split).parts[:-1]
    return parents[0] if parents else ""


def _channels(paths: list[Path]) -> int:
    """1 where every image is grey, else 3."""
    return 1 if all(_mode(path) in GREY_MODES for path in paths) else 3


def _mode(path: Path) -> str:
    with _opened(path) as image:
        if image.mode not in GREY_MODES | COLOUR_MODES:
            raise ConfigError(
                f"data.folder.path: expected 8 bits a channel, found mode {image.mode!r} "
                f"in {path}; convert it to grey or RGB"
            )
        return str(image.mode)


def _decoded(path: Path, mode: str, *, size: int | None = None) -> UInt8Array:
    """Pixels (H, W, C) of an image file; with `size`, its central square area-resized to that."""
    from PIL import Image

    with _opened(path) as image:
        try:
            pixels = image.convert(mode)
        except (OSError, ValueError, SyntaxError) as error:
            raise _broken(path, error) from error
    if size is not None:
        side, (width, height) = min(pixels.size), pixels.size
        left, top = (width - side) / 2, (height - side) / 2
        box = (left, top, left + side, top + side)
        pixels = pixels.resize((size, size), Image.Resampling.BOX, box=box)
    return np.asarray(pixels, dtype=np.uint8).reshape(*pixels.size[::-1], -1)


def _opened(path: Path) -> Any:
    """The image with its header read and its pixels still on disk."""
    from PIL import Image

    try:
        return Image.open(path)
    except (OSError, ValueError, SyntaxError) as error:
        raise _broken(path, error) from error


def _broken(path: Path, error: Exception) -> ConfigError:
    return ConfigError(
        f"data.folder.path: expected an image that can be read, found {path} broken "
        f"({error}); replace or remove it"
    )


def pack(data: Folder, path: Path, *, progress: Progress = lambda done, total: None) -> None:
    """Write the images of a folder as an .npz whose arrays can stay on disk, one image at a time.

    Equal folders make equal files.

    Args:
        data: The folder, and the size that its images are brought to.
        path: Of the .npz.
        progress: Told the images done, of how many.

    Raises:
        ConfigError: As `load`, of the folder.
        StorageError: If the file cannot be written.
    """
    files = {split: _image_files(data, split) for split in SPLITS}
    channels = _channels([file for paths in files.values() for file in paths])
    names, mode = _class_names(data), "L" if channels == 1 else "RGB"
    done, total = 0, sum(map(len, files.values()))
    with written_whole(path) as raw, zipfile.ZipFile(raw, "w") as archive:
        for split, paths in files.items():
            shape = (len(paths), data.size, data.size, channels)
            with _npy_member(archive, split, shape, np.dtype(np.uint8)) as member:
                for file in paths:
                    member.write(_decoded(file, mode, size=data.size).tobytes())
                    done += 1
                    progress(done, total)
            if names:
                labels = [names.index(_class_name(data, split, file)) for file in paths]
                dtype = np.dtype(np.int64)
                with _npy_member(archive, f"{split}_labels", (len(paths),), dtype) as member:
                    member.write(np.array(labels, dtype=dtype).tobytes())


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


# ----------------------------------------------------------------------------------------- npz


def _describe_npz(data: Npz) -> Description:
    if (absent := missing(data)) is not None:
        raise ConfigError(absent)
    headers = _npz_headers(Path(data.path))
    shapes = {split: _checked_shape(data, split, headers) for split in SPLITS}
    if shapes["train"][1:] != shapes["test"][1:]:
        raise ConfigError(
            f"data.npz.path: expected train and test images of one shape, found "
            f"{shapes['train'][1:]} and {shapes['test'][1:]} in {data.path}"
        )
    _, size, _, channels = shapes["train"]
    classes = _npz_classes(data, headers)
    _check_declared(data, shapes, classes)
    return Description(
        channels=channels,
        size=size,
        levels=256,
        classes=classes,
        train_images=shapes["train"][0],
        test_images=shapes["test"][0],
        digest=_digest({"kind": "npz"}, [Path(data.path)]),
    )


def _check_declared(data: Npz, shapes: dict[Split, tuple[int, ...]], classes: int | None) -> None:
    declared = data.declared
    if declared is None:
        return
    for split in SPLITS:
        if shapes[split] != (expected := _declared_shape(declared, split)):
            raise ConfigError(
                f"data.npz.declared: expected {split!r} of the shape {expected} that is declared, "
                f"found {shapes[split]} in {data.path}; mend the one that is wrong"
            )
    if declared.classes != classes:
        raise ConfigError(
            f"data.npz.declared: expected {declared.classes or 'no'} classes as is declared, "
            f"found {classes or 'none'} in {data.path}; mend the one that is wrong"
        )


def _declared_shape(declared: Declared, split: Split) -> tuple[int, ...]:
    count = declared.train_images if split == "train" else declared.test_images
    return count, declared.size, declared.size, declared.channels


def _load_npz(data: Npz, split: Split) -> Images:
    classes = describe(data).classes
    labels = None if classes is None else _npz_array(data, f"{split}_labels").astype(np.int64)
    return Images(_npz_array(data, split), labels, levels=256)


def _npz_headers(path: Path) -> dict[str, tuple[tuple[int, ...], np.dtype[Any]]]:
    """Shape and dtype of every array, read without reading the array."""
    if not path.is_file():
        raise ConfigError(f"data.npz.path: expected an .npz file, found no file at {path}")
    try:
        with zipfile.ZipFile(path) as archive:
            names = [name for name in archive.namelist() if name.endswith(".npy")]
            return {name.removesuffix(".npy"): npy_header(archive, name) for name in names}
    except (zipfile.BadZipFile, ValueError) as error:
        raise ConfigError(
            f"data.npz.path: expected an .npz file as numpy.savez writes it, found {path} ({error})"
        ) from error


def npy_header(archive: zipfile.ZipFile, name: str) -> tuple[tuple[int, ...], np.dtype[Any]]:
    """Shape and dtype of an array in an .npz, read without reading the array."""
    with archive.open(name) as file:
        shape, _, dtype = _read_npy_header(file)
        return shape, dtype


def _read_npy_header(file: IO[bytes]) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    """Shape, whether the first index runs fastest, and dtype; leaves the file at the numbers."""
    version = np.lib.format.read_magic(file)
    read = (
        np.lib.format.read_array_header_1_0
        if version == (1, 0)
        else np.lib.format.read_array_header_2_0
    )
    shape, is_fortran, dtype = read(file)
    return shape, is_fortran, dtype


def _checked_shape(
    data: Npz, split: Split, headers: dict[str, tuple[tuple[int, ...], np.dtype[Any]]]
) -> tuple[int, ...]:
    if split not in headers:
        raise ConfigError(
            f"data.npz.path: expected arrays 'train' and 'test', found "
            f"{sorted(headers) or 'none'} in {data.path}"
        )
    shape, dtype = headers[split]
    square = len(shape) == 4 and shape[1] == shape[2]
    if dtype != np.uint8 or not square or 0 in shape:
        raise ConfigError(
            f"data.npz.path: expected {split!r} to be uint8 of shape (N, S, S, C), found "
            f"{dtype} of shape {shape} in {data.path}"
        )
    return shape


def _npz_classes(
    data: Npz, headers: dict[str, tuple[tuple[int, ...], np.dtype[Any]]]
) -> int | None:
    present = [split for split in SPLITS if f"{split}_labels" in headers]
    if not present:
        return None
    if len(present) == 1:
        raise ConfigError(
            f"data.npz.path: expected labels of both splits or of neither, found only "
            f"'{present[0]}_labels' in {data.path}"
        )
    for split in SPLITS:
        shape, dtype = headers[f"{split}_labels"]
        if shape != headers[split][0][:1] or dtype.kind not in "iu":
            raise ConfigError(
                f"data.npz.path: expected '{split}_labels' to hold one integer for each of the "
                f"{headers[split][0][0]} images, found {dtype} of shape {shape} in {data.path}"
            )
    train, test = (_npz_array(data, f"{split}_labels") for split in SPLITS)
    classes = int(train.max()) + 1
    lowest, highest = min(train.min(), test.min()), test.max()
    if lowest < 0 or highest >= classes:
        raise ConfigError(
            f"data.npz.path: expected labels in [0, {classes}), the classes of train_labels, "
            f"found {int(lowest if lowest < 0 else highest)} in {data.path}"
        )
    return classes


def _npz_array(data: Npz, name: str) -> NDArray[Any]:
    try:
        mapped = _mapped(Path(data.path), name)
        if mapped is not None:
            return mapped
        with np.load(data.path, allow_pickle=False) as arrays:
            return np.asarray(arrays[name])
    except (zipfile.BadZipFile, ValueError, OSError, EOFError) as error:
        raise ConfigError(
            f"data.npz.path: expected to read array {name!r}, found it broken in {data.path} "
            f"({error})"
        ) from error


LOCAL_HEADER, NAME_LENGTHS = 30, slice(26, 30)
"""Of a file inside a zip archive: bytes of its fixed header, and where two lengths stand in it."""


def _mapped(path: Path, name: str) -> NDArray[Any] | None:
    """A large array that lies in the archive as it is, left on disk; None: it must be read.

    An .npz of numpy.savez is a zip archive whose members are stored, not compressed, so the array
    is a stretch of the file.
    """
    with zipfile.ZipFile(path) as archive:
        member = archive.getinfo(f"{name}.npy")
        if member.compress_type != zipfile.ZIP_STORED or member.file_size < LARGE:
            return None
        with archive.open(member) as file:
            shape, is_fortran, dtype = _read_npy_header(file)
            header = file.tell()
    if is_fortran:
        return None
    with path.open("rb") as raw:
        raw.seek(member.header_offset)
        lengths = raw.read(LOCAL_HEADER)[NAME_LENGTHS]
    skipped = sum(int.from_bytes(lengths[i : i + 2], "little") for i in (0, 2))
    offset = member.header_offset + LOCAL_HEADER + skipped + header
    return np.memmap(path, dtype=dtype, mode="r", offset=offset, shape=shape)


# ------------------------------------------------------------------------------------- shared


def _sklearn_file(name: str, where: str) -> Path:
    """A data file of the installed scikit-learn, found without importing it."""
    spec = importlib.util.find_spec("sklearn")
    path = Path(spec.origin).parent / "datasets" / name if spec and spec.origin else None
    if path is None or not path.is_file():
        raise ConfigError(
            f"data.{where}: expected scikit-learn with its data file datasets/{name}, found "
            "none; pip install scikit-learn"
        )
    return path


def fixed_permutation(count: int) -> Int64Array:
    """One permutation for ever: NumPy promises never to change RandomState's stream (NEP 19)."""
    return np.random.RandomState(0).permutation(count).astype(np.int64)


def _digest(settings: dict[str, Any], paths: list[Path], *, root: Path | None = None) -> str:
    """sha256 of the settings and of each file's name (below `root`, if given) and bytes."""
    digest = hashlib.sha256(json.dumps({"splitting": SPLITTING_VERSION} | settings).encode())
    for path in paths:
        name = path.relative_to(root).as_posix() if root else ""
        digest.update(json.dumps([name, _sha256(path)]).encode())
    return digest.hexdigest()


def _sha256(path: Path) -> str:
    """Of a file's bytes. That of a large one is kept beside it, and holds while size and time do.

    Where nothing can be written beside it, it is taken anew in every process.
    """
    status = path.stat()
    if status.st_size < LARGE:
        return _hashed(path)
    beside = path.with_name(f"{path.name}.sha256.json")
    known = {"size": status.st_size, "mtime_ns": status.st_mtime_ns}
    with suppress(OSError, ValueError, AttributeError):
        kept = json.loads(beside.read_text())
        if {name: kept.get(name) for name in known} == known:
            return str(kept["sha256"])
    sha256 = _hashed(path)
    with suppress(OSError, StorageError):
        write_whole(beside, json.dumps({**known, "sha256": sha256}).encode())
    return sha256


def _hashed(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
