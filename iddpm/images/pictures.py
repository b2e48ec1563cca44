"""Image files as people have them, below folders or in archives: which are train, which are test.

Where names say `train` and `test` (or `val`), within what is given or at its top, they decide. Else
a share of the images is set apart by a hash of their names, so that an image that is added moves
no other. Images are read in the order of their archive and numbered in the order of their names.
"""

import hashlib
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from iddpm.arrays import Int64Array, UInt8Array
from iddpm.bounds import ConfigError
from iddpm.config import SPLITS, Split
from iddpm.images.decoding import MODES, Resize, decoded_from, looked_at
from iddpm.images.folders import (
    HIDDEN,
    IMAGES_BESIDE,
    Account,
    LabelsFrom,
    is_hidden,
    is_image,
    listing,
    one_form,
)
from iddpm.images.sources import Piece, Request, Source, digest
from iddpm.images.trees import MOST_IMAGE_BYTES, File, Tree, told, tree_at

WORD = re.compile(r"(train|training|val|valid|validation|test)(_\d+x\d+)?", re.IGNORECASE)
"""A folder of one split."""
WITHIN = re.compile(rf"(?:.*[^a-z])?{WORD.pattern}(?:[^a-z].*)?", re.IGNORECASE)
"""What is given for one split, as it is usually called: `ILSVRC2012_img_val.tar`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """What is known of the images of a family before they are looked at."""

    name: str
    """Of the family."""
    size: int | None = None
    """Pixels a side, unless another is asked for."""
    is_promised: bool = False
    """Whether they have this size already; else they are resized."""
    channels: int | None = None
    """None: those of the images."""
    labels: LabelsFrom | None = None
    """Where labels stand, whatever is asked for."""
    usual_test: str = "test"
    """Which folder is the test split where there is a `test` and a `val`."""


def pictures(request: Request, kind: Kind) -> Source:
    """The images of all that is given.

    Raises:
        ConfigError: If there are none, it is not known which are for testing, or labels or a size
            are missing.
    """
    size = request.size or kind.size
    if size is None:
        raise ConfigError(kind.name, "--size, the pixels a side", "none", "add it")
    account, where = Account(), kind.name
    trees = [tree_at(path, account, where=where) for path in request.paths]
    found = _divided(trees, request, kind, account)
    root = request.paths[0]
    if request.test_labels is not None:
        found["test"] = _labelled(found, request.test_labels, where)
    for split in SPLITS:
        found[split].sort(key=lambda image: (one_form(image.name), image.name))
    names = {split: [image.name for image in found[split]] for split in SPLITS}
    labels = listing(names, kind.labels or request.labels, root, account, where=where)
    channels = kind.channels or _channels(trees, found, where)
    shown = Shown(size, channels, None if kind.is_promised else request.resize, where)
    return Source(
        where=where,
        size=size,
        channels=channels,
        parts={split: _Pictures(trees, found[split], labels.of(split), shown) for split in SPLITS},
        is_labelled=labels.labels is not None,
        about={
            "source": kind.name,
            "size": size,
            "resize": shown.resize or "none",
            "test": "given" if request.test_share is None else f"share {request.test_share:g}",
            "labels": labels.taken,
            "classes": list(labels.classes),
        },
        account=account,
        hints=labels.hints,
    )


# ------------------------------------------------------------------------- which are for testing


class Image(NamedTuple):
    """An image file."""

    name: str
    """Begins with its split, as in `train/cat/1.png`."""
    tree: int
    number: int


def _divided(
    trees: Sequence[Tree], request: Request, kind: Kind, account: Account
) -> dict[Split, list[Image]]:
    """Every image of the trees, by its split."""
    found: dict[Split | None, list[Image]] = {"train": [], "test": [], None: []}
    for i, (tree, path) in enumerate(zip(trees, request.paths, strict=True)):
        names = {
            number: name
            for number, name in enumerate(tree.names)
            if not _left_out(name, account) and is_image(name, account)
        }
        for split, name, number in _splits_within(names, path, request, kind, account):
            found[split].append(Image(f"{split}/{name}" if split else name, i, number))
    undivided = found.pop(None)
    if undivided and request.test_share is not None:
        _set_apart(undivided, request.test_share, found)
    elif undivided or request.test_share is not None:
        raise ConfigError(
            kind.name,
            "train and test images apart, in folders or archives called so, or --test-share",
            ("images that are not divided" if undivided else "a test split and --test-share too")
            + f" in {request.paths[0]}",
            "say which is meant",
        )
    for split in SPLITS:
        if not found[split]:
            left_out = "".join(f"; {line}" for line in account.lines())
            places = ", ".join(map(str, request.paths))
            raise ConfigError(
                kind.name,
                f"{split} images",
                f"none in {places}{left_out}",
                "folders and archives are known by names such as train and test",
            )
    return {split: found[split] for split in SPLITS}


def _left_out(name: str, account: Account) -> bool:
    if any(map(is_hidden, name.split("/"))):
        account.note(HIDDEN, name)
        return True
    return False


def _splits_within(
    names: Mapping[int, str], path: Path, request: Request, kind: Kind, account: Account
) -> Iterator[tuple[Split | None, str, int]]:
    """Each image's split, its name from there on, and its number; None: nothing says which."""
    if (root := _root(names.values())) is not None:
        words = {part for name in names.values() if (part := _below(name, root))}
        tests = sorted(word for word in words if _split(word) == "test")
        usual = [word for word in tests if word.casefold().startswith(kind.usual_test)]
        chosen = (usual or tests)[0]
        for number, name in names.items():
            word = _below(name, root)
            split = _split(word) if word else None
            if split == "train" or word == chosen:
                yield split, name[len(root) + len(word) + 1 :], number
            else:
                account.note(IMAGES_BESIDE, name)
        return
    top = _top(names.values(), path)
    named = split_of_path(path) or split_of_path(Path(top))
    split = named if request.test_share is None else None
    for number, name in names.items():
        yield split, name[len(top) :], number


def _root(names: Iterable[str]) -> str | None:
    """The folder that holds one of training and one of test images, with its `/`; the highest."""
    splits: dict[str, set[Split]] = defaultdict(set)
    for name in names:
        parts = name.split("/")[:-1]
        for depth, part in enumerate(parts):
            if WORD.fullmatch(part):
                splits["".join(f"{above}/" for above in parts[:depth])].add(_split(part))
    both = [root for root, found in splits.items() if len(found) == len(SPLITS)]
    return min(both, key=lambda root: (root.count("/"), root), default=None)


def _below(name: str, root: str) -> str:
    """The word for a split below the root; empty: another folder."""
    part, slash, _ = name.removeprefix(root).partition("/")
    return part if name.startswith(root) and slash and WORD.fullmatch(part) else ""


def split_of_path(path: Path) -> Split | None:
    """The split that a file or folder is called after; None: neither."""
    match = WITHIN.fullmatch(_stem(path))
    return _split(match[1]) if match else None


def _split(word: str) -> Split:
    return "train" if word.casefold().startswith("train") else "test"


def _stem(path: Path) -> str:
    name = path.absolute().name
    return name.partition(".tar")[0] if ".tar" in name else path.absolute().stem


def _top(names: Iterable[str], path: Path) -> str:
    """The folders that all lie in and that are named after the archive or its split."""
    top = ""
    while True:
        first = {name[len(top) :].partition("/")[0::2] for name in names}
        folders = {folder for folder, rest in first if rest} | {"" for _, rest in first if not rest}
        if len(folders) != 1:
            return top
        (folder,) = folders
        if not folder or not (folder == _stem(path) or WITHIN.fullmatch(folder)):
            return top
        top += f"{folder}/"


def _set_apart(
    images: Sequence[Image], share: float, found: Mapping[Split | None, list[Image]]
) -> None:
    """Gives a share of the images to the test split, by a hash of their names."""
    count = min(max(1, round(share * len(images))), len(images) - 1)
    hashed = sorted(images, key=lambda image: hashlib.sha256(image.name.encode()).digest())
    for place, image in enumerate(hashed):
        split: Split = "test" if place < count else "train"
        found[split].append(image._replace(name=f"{split}/{image.name}"))


# -------------------------------------------------------------------------------- a list of labels


def _labelled(found: Mapping[Split, Sequence[Image]], path: Path, where: str) -> list[Image]:
    """The test images below folders of their labels, as a file of labels has them.

    A line holds the name of an image and its label, or in the order of the names a label alone.
    A label is the name of a folder of training images, or the place of that among them all.
    """
    classes = sorted({one_form(image.name.split("/")[1]) for image in found["train"]})
    images = sorted(found["test"], key=lambda image: image.name)
    with told(path, where):
        lines = [re.split(r"[,\s]+", line.strip()) for line in path.read_text().splitlines()]
    lines = [line for line in lines if line != [""] and line[0] != "ImageId"]
    stated = _by_order(lines, images, path, where) or {_stem_of(a): b for a, b, *_ in lines}
    labelled = []
    for image in images:
        stem = _stem_of(image.name)
        if (word := stated.get(stem)) is None:
            raise ConfigError(where, f"a label for {stem} in {path}", "none")
        if word.isdecimal() and word not in classes and int(word) < len(classes):
            word = classes[int(word)]
        if word not in classes:
            last = len(classes) - 1
            raise ConfigError(
                where,
                f"the name of a folder of training images, or its place from 0 to {last}",
                f"{word} for {stem} in {path}",
            )
        labelled.append(image._replace(name=f"test/{word}/{image.name.rpartition('/')[2]}"))
    return labelled


def _by_order(
    lines: Sequence[Sequence[str]], images: Sequence[Image], path: Path, where: str
) -> dict[str, str]:
    """The labels of lines that hold nothing else; empty: the lines name images."""
    if not all(len(line) == 1 for line in lines):
        return {}
    words = [line[0] for line in lines]
    if len(words) != len(images) or all(word.isdecimal() for word in words):
        each = f"the name of a training folder for each of the {len(images):,} test images"
        raise ConfigError(
            where,
            f"in {path} the name and label of an image a line, or {each}",
            f"{len(words):,} lines such as {words[0] if words else 'none'}",
        )
    return {_stem_of(image.name): word for image, word in zip(images, words, strict=True)}


def _stem_of(name: str) -> str:
    return name.rpartition("/")[2].partition(".")[0]


# ------------------------------------------------------------------------------------------ pixels


class Shown(NamedTuple):
    """How images are brought to one size; `resize` None: they have it already."""

    size: int
    channels: int
    resize: Resize | None
    where: str


class _Pictures:
    """The images of a split, read in the order in which their trees have them."""

    def __init__(
        self,
        trees: Sequence[Tree],
        images: Sequence[Image],
        labels: Int64Array | None,
        shown: Shown,
    ) -> None:
        at = np.array([(image.tree, image.number) for image in images], np.int64)
        reading = np.lexsort((at[:, 1], at[:, 0]))
        self._trees, self._at, self._shown = trees, at[reading], shown
        self._labels = None if labels is None else labels[reading]
        self._order = np.argsort(reading)

    def __len__(self) -> int:
        return len(self._at)

    def read(self, start: int, stop: int) -> Iterator[Piece]:
        """One image at a time."""
        for place in range(start, stop):
            labels = None if self._labels is None else self._labels[place : place + 1]
            pixels, changes = self._pixels(self._file(place))
            yield Piece(pixels[None], labels, (changes,))

    def mark(self, start: int, stop: int) -> str:
        """The files and their labels."""
        labels = [] if self._labels is None else self._labels[start:stop].tolist()
        return digest([[self._file(place).mark for place in range(start, stop)], labels])

    def name(self, place: int) -> str:
        """Of the file in its tree."""
        return self._file(place).name

    def order(self) -> Int64Array:
        """By their names."""
        return self._order

    def _file(self, place: int) -> File:
        tree, number = self._at[place].tolist()
        return File(self._trees[tree], number)

    def _pixels(self, file: File) -> tuple[UInt8Array, tuple[str, ...]]:
        size, channels, resize, where = self._shown
        with file.open(where, at_most=MOST_IMAGE_BYTES) as content:
            if resize is not None:
                mode = MODES[channels]
                return decoded_from(content, file.path, mode, where=where, size=size, resize=resize)
            pixels, changes = decoded_from(content, file.path, MODES[channels], where=where)
        if pixels.shape[:2] != (size, size):
            found = "x".join(map(str, pixels.shape[:2]))
            raise ConfigError(
                where,
                f"images of {size}x{size}",
                f"{found} in {file.path}",
                "nothing is resized here",
            )
        return pixels, changes


def _channels(trees: Sequence[Tree], found: Mapping[Split, Sequence[Image]], where: str) -> int:
    """1 where every image is grey, else 3: the first that is not grey tells it."""
    for split in SPLITS:
        for image in found[split]:
            file = File(trees[image.tree], image.number)
            with file.open(where, at_most=MOST_IMAGE_BYTES) as content:
                if looked_at(file.path, content, where=where).channels == 3:
                    return 3
    return 1
