"""Folders of image files as people have them: what is taken or left out, and which label is whose.

Links are followed. Names that are hidden or belong to a helper, and files of other suffixes, are
left out, and an account says how many and which. What cannot be right is refused.
"""

import os
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from iddpm.bounds import MOST_CLASSES, ConfigError, require
from iddpm.config import SPLITS, Folder, Split
from iddpm.images.decoding import suffixes

PATH = "data.folder.path"
"""The setting that names the folder, for an error."""

HELPERS = frozenset(
    {
        "__macosx",
        "@eadir",
        "#recycle",
        "@recycle",
        "$recycle.bin",
        "system volume information",
        "lost+found",
        "__pycache__",
        "thumbs.db",
        "desktop.ini",
    }
)
"""Names, in small letters, that file managers and archives leave in other people's folders."""

HIDDEN = "left out, hidden or a file manager's"
LOOP = "left out, links to a folder that they lie in"
LINKS = "left out, links within an archive"
SPECIAL = "left out, neither files nor folders"
BESIDE = "left out, folders beside train/ and test/"
IMAGES_BESIDE = "left out, images beside train/ and test/"
WITHOUT_IMAGES = "left out, folders of a label without an image"
UNICODE = "labels brought to one Unicode form"

NAMED = 3
"""Names that an account gives beside a count."""


@dataclass(slots=True)
class Account:
    """What was left out, turned or converted: how many of each, and the first of them."""

    found: dict[str, tuple[int, tuple[str, ...]]] = field(default_factory=dict)

    def note(self, what: str, name: str) -> None:
        count, names = self.found.get(what, (0, ()))
        self.found[what] = count + 1, names if len(names) == NAMED else (*names, name)

    def as_json(self) -> dict[str, Any]:
        """Plain values, by what was done."""
        return {
            what: {"count": count, "first": list(names)}
            for what, (count, names) in sorted(self.found.items())
        }

    def lines(self) -> tuple[str, ...]:
        """A line for each thing."""
        return tuple(
            f"{what}: {count:,} ({', '.join(map(printable, names))}{', …' * (count > len(names))})"
            for what, (count, names) in sorted(self.found.items())
        )


def printable(name: str) -> str:
    """A file's name for a person: its odd characters are told by their numbers."""
    return name if name.isprintable() else ascii(name)


# ------------------------------------------------------------------------------------- the walk


def image_names(root: Path, folder: str, account: Account, *, where: str) -> list[str]:
    """Names of the image files in a folder, from `root` on, with `/` and in their order.

    Args:
        root: The folder that names begin at.
        folder: The folder in it that is looked through; empty: itself.
        account: Takes what is left out.
        where: The setting that names the root, for an error.

    Raises:
        ConfigError: If the folder, or a link in it, leads nowhere.
    """
    names = file_names(root, folder, account, where)
    return in_order(name for name in names if is_image(name, account))


def some_image_names(root: Path, folder: str, account: Account, *, where: str) -> list[str]:
    """The same, which are at least one.

    Raises:
        ConfigError: As `image_names`, and if there are none.
    """
    if found := image_names(root, folder, account, where=where):
        return found
    left_out = "".join(f"; {line}" for line in account.lines())
    raise ConfigError(
        where,
        f"image files (.png, .jpg and whatever else Pillow reads) below {root / folder}",
        f"none{left_out}",
    )


def in_order(names: Iterable[str]) -> list[str]:
    """Names in the order that is theirs by their text."""
    return sorted(names, key=lambda name: (one_form(name), name))


def is_image(name: str, account: Account) -> bool:
    """Whether a file is taken for an image, by its suffix."""
    if (suffix := os.path.splitext(name)[1].lower()) in suffixes():
        return True
    account.note(f"left out, no image files ({suffix or 'no suffix'})", name)
    return False


def file_names(root: Path, folder: str, account: Account, where: str) -> Iterator[str]:
    """Names of all files in a folder, from `root` on, but for those that are hidden.

    Raises:
        ConfigError: As `image_names`.
    """
    waiting = [(folder, _identities_from_the_top(root / folder))]
    while waiting:
        name, above = waiting.pop()
        folders = []
        for entry in _entries(root / name, where):
            inner = f"{name}/{entry.name}" if name else entry.name
            if is_hidden(entry.name):
                account.note(HIDDEN, inner)
            elif _is(entry.is_file, where, root / inner):
                yield inner
            elif not _is(entry.is_dir, where, root / inner):
                account.note(SPECIAL, inner)
            elif (identity := _identity(root / inner)) in above:
                account.note(LOOP, inner)
            else:
                folders.append((inner, above | {identity}))
        waiting += reversed(folders)


def _entries(folder: Path, where: str) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return sorted(entries, key=lambda entry: entry.name)
    except OSError as error:
        raise ConfigError(
            where, "a folder that can be read", f"{folder} ({error.strerror})"
        ) from error


def _is(asked: Callable[[], bool], where: str, path: Path) -> bool:
    """What an entry, or what it links to, is asked; a link must lead somewhere."""
    try:
        if (found := asked()) or path.exists():
            return found
        reason = "what it links to is not there"
    except OSError as error:
        reason = str(error.strerror)
    raise ConfigError(
        where,
        "files, folders and links that lead to one",
        f"{path} ({reason})",
        "mend or remove it",
    )


def is_hidden(name: str) -> bool:
    """Whether a file or folder is hidden, or a file manager's."""
    return name.startswith(".") or name.casefold() in HELPERS


def _identities_from_the_top(folder: Path) -> frozenset[tuple[int, int]]:
    """Of a folder and of all that it lies in, by its name and by where links have led to it."""
    ways = folder.absolute(), folder.resolve()
    return frozenset(_identity(above) for way in ways for above in (way, *way.parents))


def _identity(folder: Path) -> tuple[int, int]:
    status = folder.stat()
    return status.st_dev, status.st_ino


# -------------------------------------------------------------------------------------- labels


Labels = Literal["folders", "prefix", "none"]
LabelsFrom = Literal["auto", Labels]
"""`auto`: from what the names look like."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """The image files of a folder's splits, and their labels."""

    names: dict[Split, list[str]]
    """From the folder on, with `/`, in their order."""
    classes: tuple[str, ...]
    """Names of the labels in their order; none: the images have no labels."""
    labels: dict[Split, NDArray[np.int64]] | None
    """By split, the class of each image."""
    taken: Labels
    """Where the labels come from."""
    hints: tuple[str, ...]
    """What a person may not expect of the labels."""
    account: Account

    def of(self, split: Split) -> NDArray[np.int64] | None:
        """The labels of a split."""
        return None if self.labels is None else self.labels[split]

    def lines(self) -> tuple[str, ...]:
        """A line for each thing that a person is to know."""
        return *self.hints, *self.account.lines()


def listed(data: Folder) -> Listing:
    """What lies in the folder.

    Raises:
        ConfigError: If a split has no images, a link leads nowhere, or labels cannot be right.
    """
    root, account = Path(data.path), Account()
    names = {split: _names_of_split(root, split, account) for split in SPLITS}
    if (root / "train").samefile(root / "test"):
        raise ConfigError(
            PATH, "other images in test/ than in train/", f"one folder for both in {root}"
        )
    _note_what_lies_beside(root, names, account)
    return listing(names, data.labels, root, account, where=PATH)


def listing(
    names: dict[Split, list[str]], asked: LabelsFrom, root: Path, account: Account, *, where: str
) -> Listing:
    """The labels of image files by their names.

    Args:
        names: `train/...` and `test/...`, of each split in their order.
        asked: Where the labels stand.
        root: What the names begin at, for an error.
        account: Takes the labels that are spelt anew.
        where: The setting that names the files, for an error.

    Raises:
        ConfigError: If labels cannot be right.
    """
    taken, hints = _source_of_labels(asked, names)
    if taken == "none":
        return Listing(
            names=names, classes=(), labels=None, taken=taken, hints=hints, account=account
        )
    texts = {split: [_label(name, taken) for name in names[split]] for split in SPLITS}
    _check_labels(root, taken, names, texts, where)
    for split in SPLITS:
        for text in sorted({text for text in texts[split] if one_form(text) != text}):
            account.note(UNICODE, f"{split}/{text}")
        texts[split] = [one_form(text) for text in texts[split]]
    classes = sorted(set(texts["train"]))
    if unknown := set(texts["test"]) - set(classes):
        raise ConfigError(
            where,
            "the labels of test/ among those of train/",
            f"{sorted(unknown)[0]!r} only below {root / 'test'}",
        )
    require(len(classes) <= MOST_CLASSES, where, f"at most {MOST_CLASSES} labels", len(classes))
    number = {name: i for i, name in enumerate(classes)}
    return Listing(
        names=names,
        classes=tuple(classes),
        labels={s: np.array([number[text] for text in texts[s]], np.int64) for s in SPLITS},
        taken=taken,
        hints=(*hints, *_hint_of_numbers(classes)),
        account=account,
    )


def _names_of_split(root: Path, split: Split, account: Account) -> list[str]:
    if not (root / split).is_dir():
        raise ConfigError(
            PATH,
            f"a folder {root / split} with image files",
            "none",
            "put the images below train/ and test/",
        )
    return some_image_names(root, split, account, where=PATH)


def _note_what_lies_beside(root: Path, names: dict[Split, list[str]], account: Account) -> None:
    for entry in _entries(root, PATH):
        if entry.name in SPLITS:
            continue
        if is_hidden(entry.name):
            account.note(HIDDEN, entry.name)
        elif _is(entry.is_dir, PATH, root / entry.name):
            account.note(BESIDE, entry.name)
        elif os.path.splitext(entry.name)[1].lower() in suffixes():
            account.note(IMAGES_BESIDE, entry.name)
    for split in SPLITS:
        with_images = {name.split("/")[1] for name in names[split]}
        for entry in _entries(root / split, PATH):
            left_out = is_hidden(entry.name) or entry.name in with_images
            if entry.is_dir() and not left_out:
                account.note(WITHOUT_IMAGES, f"{split}/{entry.name}")


def _source_of_labels(
    asked: LabelsFrom, names: dict[Split, list[str]]
) -> tuple[Labels, tuple[str, ...]]:
    """Where the labels stand, by the setting or by what the names look like, and what to tell."""
    if asked != "auto":
        return asked, ()
    every = [name for split in SPLITS for name in names[split]]
    if any(name.count("/") > 1 for name in every):
        return "folders", ()
    without = [name for name in every if not _label(name, "prefix")]
    if without:
        some = (
            f"no labels are taken from the file names: {len(without):,} of {len(every):,} have none"
        )
        return "none", (f"{some} before a _ ({_first(without)})",) * (len(without) < len(every))
    train, test = ({one_form(_label(name, "prefix")) for name in names[split]} for split in SPLITS)
    numbered = all(_stem(name).partition("_")[2].isdecimal() for name in every)
    if numbered and 2 <= len(train) <= len(names["train"]) / 2 and test <= train:
        shown = _first(sorted(train))
        return "prefix", (f"labels are what stands before the first _ of each name: {shown}",)
    return "none", (
        "no labels are taken from the file names, though each has a _; with the labels 'prefix', "
        "what stands before the first one is the label",
    )


def _hint_of_numbers(classes: Sequence[str]) -> tuple[str, ...]:
    """Names that are numbers are labels by their order as text, which may be another number."""
    numbers = [int(name) if name.isdecimal() else -1 for name in classes]
    if min(numbers) < 0 or numbers == list(range(len(numbers))):
        return ()
    places = _first([str(place) for place in range(len(classes))])
    return (f"labels are places in the order of the names: {_first(classes)} are {places}",)


def _first(texts: Sequence[str]) -> str:
    return ", ".join(map(printable, texts[:NAMED])) + ", …" * (len(texts) > NAMED)


def _label(name: str, taken: Labels) -> str:
    """The label of an image, as it is written; empty: it has none."""
    if taken == "folders":
        parts = name.split("/")
        return parts[1] if len(parts) > 2 else ""
    before, line, _ = _stem(name).partition("_")
    return before if line else ""


def _stem(name: str) -> str:
    return os.path.splitext(name.rpartition("/")[2])[0]


def one_form(text: str) -> str:
    """The same text by one spelling: é is one character or two, and looks alike."""
    return unicodedata.normalize("NFC", text)


def _check_labels(
    root: Path,
    taken: Labels,
    names: dict[Split, list[str]],
    texts: dict[Split, list[str]],
    where: str,
) -> None:
    without = [
        name
        for split in SPLITS
        for name, text in zip(names[split], texts[split], strict=True)
        if not text
    ]
    if not without:
        return
    if taken == "prefix":
        raise ConfigError(
            where,
            "names such as label_1.png, as the labels 'prefix' ask for",
            f"{root / without[0]}",
        )
    if len(without) == sum(map(len, names.values())):
        raise ConfigError(
            where,
            "every image in a subfolder named after its label, as the labels 'folders' ask for",
            f"none below {root}",
        )
    raise ConfigError(
        where,
        "every image of train/ and test/ in a subfolder named after its label, or none",
        f"both below {root}",
    )
