"""`python -m studies.data prepare NAME PATH...`: the files that one has as the .npz of a preset.

`list` says which families of files are known by which NAME, `prepare` reads them as they lie, from
archives too, and goes on where it was stopped; `check NAME` reads what is prepared and draws some
of it. Without a word for what to do, as in
`python -m studies.data FOLDER FILE --size N`, the image files below FOLDER/train and FOLDER/test
are packed. What is left out, turned or converted is counted and named. The arrays of an .npz stay
on disk when it is used, so a data set may be larger than the memory.
"""

import argparse
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import get_args, get_type_hints

from iddpm.bounds import ConfigError, visible
from iddpm.config import SPLITS, Folder, Npz
from iddpm.data import describe, load
from iddpm.images.archives import ArchiveError, header, names
from iddpm.images.checking import Checked, check
from iddpm.images.contact_sheet import write_sheet
from iddpm.images.decoding import Resize
from iddpm.images.downloads import MIRRORS, download
from iddpm.images.families import FAMILIES, ORDER, file_name, source
from iddpm.images.folders import LabelsFrom
from iddpm.images.packing import blocks_beside, pack, write
from iddpm.images.sources import Request
from studies.door import counted, door, path

SAID_EVERY = 10_000
SAID_EVERY_BYTES = 20_000_000
SHOWN, MOST_CLASSES_SHOWN = 3, 20

UNKNOWN_CONTENT, INTERRUPTED = 1, 130
"""Exit codes: of a check that finds another content than the known one, and of work stopped."""

LABELS = (
    "names of subfolders (folders), what stands before the first _ of a file's name (prefix), or "
    "none; auto takes the subfolders, or else names that are all label_number"
)

PREPARED = Path("data")
"""Where presets look for their data."""
DOWNLOADS = PREPARED / "downloads"
"""Where published files are put, in a folder for each family."""


@door(ConfigError)
def main(arguments: Sequence[str] | None = None) -> int:
    """Do what the first word says; the exit code: 0 fine, 2 bad input or no room, 130 stopped."""
    words = sys.argv[1:] if arguments is None else list(arguments)
    try:
        return DOORS[words[0]](words[1:]) if words and words[0] in DOORS else _pack(words)
    except KeyboardInterrupt:
        print("stopped", file=sys.stderr)
        return INTERRUPTED


# ---------------------------------------------------------------------------------------- prepare


def _prepare(words: Sequence[str]) -> int:
    options = _parser_of_prepare().parse_args(words)
    file = options.out or PREPARED / file_name(options.name)
    if options.out is None:
        PREPARED.mkdir(exist_ok=True)
    asked = {name: value for name, value in vars(options).items() if value is not None}
    asked["paths"] = _paths(options)
    doors_own = ("name", "out", "download")
    request = Request(**{name: asked[name] for name in asked if name not in doors_own})
    with _going_on(file):
        told = write(source(options.name, request), file, progress=counted("images", SAID_EVERY))
    _say_what_is(file, told)
    return 0


def _paths(options: argparse.Namespace) -> tuple[Path, ...]:
    """What is read: the paths that were given, or what is fetched.

    Raises:
        ConfigError: If there are neither, or both, or nobody can fetch it.
    """
    if bool(options.paths) == options.download:
        found = "both" if options.download else "neither"
        raise ConfigError("prepare", "files as PATH, or --download to fetch them", found)
    if not options.download:
        return tuple(options.paths)
    folder = DOWNLOADS / options.name
    return download(options.name, folder, progress=counted("bytes", SAID_EVERY_BYTES))


def _parser_of_prepare() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m studies.data prepare", description=__doc__)
    parser.add_argument("name", metavar="NAME", help=", ".join(FAMILIES))
    parser.add_argument("paths", type=path, nargs="*", metavar="PATH", help="folders, archives")
    parser.add_argument(
        "--download",
        action="store_true",
        help=f"fetch the published files into {DOWNLOADS} first ({', '.join(MIRRORS)})",
    )
    parser.add_argument("--out", type=path, metavar="FILE", help="usually what presets read")
    parser.add_argument("--size", type=int, help="pixels a side")
    parser.add_argument(
        "--resize",
        choices=get_args(Resize),
        help="the central square at once by area (the usual one), or as the official loader does",
    )
    parser.add_argument("--labels", choices=get_args(LabelsFrom), help=LABELS)
    parser.add_argument("--test-share", type=float, help="of images that nobody has divided")
    parser.add_argument(
        "--test-labels", type=path, metavar="FILE", help="of test images that lie without any"
    )
    parser.add_argument("--first-label", type=int, help="of the first class; usually 0")
    return parser


# ---------------------------------------------------------------------------------- list and check


def _list(words: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m studies.data list", description=__doc__)
    parser.parse_args(words)
    width = max(map(len, FAMILIES))
    for name, family in FAMILIES.items():
        print(f"{name:{width}}  {family.about}")
    for file in sorted(PREPARED.glob("*.npz")):
        print(f"{file}: {' and '.join(_shapes(file))}")
    return 0


def _shapes(file: Path) -> list[str]:
    """What stands in the headers of an .npz, which takes no time."""
    try:
        shapes = {split: header(file, split).shape for split in SPLITS if split in names(file)}
    except ArchiveError as error:
        return [f"cannot be read ({error})"]
    return [f"{split} {shape}" for split, shape in shapes.items()] or ["no images"]


def _check(words: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m studies.data check", description=__doc__)
    parser.add_argument("name", metavar="NAME", help="of a family that is prepared, or of an .npz")
    options = parser.parse_args(words)
    file = path(options.name)
    if file.suffix != ".npz":
        file = PREPARED / file_name(options.name)
    found = check(file, progress=counted("images", SAID_EVERY))
    _say_what_is(file, ())
    for line in _findings(found):
        print(f"  {visible(line)}")
    sheet = file.with_suffix(".png")
    write_sheet(sheet, load(Npz(path=str(file)), "train"), found.classes)
    print(f"  to look at: {sheet}")
    return UNKNOWN_CONTENT if found.is_known is False else 0


def _findings(found: Checked) -> Iterator[str]:
    source = found.account.get("source")
    if found.is_known is not None:
        yield f"content: {'the' if found.is_known else 'not the'} known one of {source}"
    elif "content" in found.account:
        said = {"published": "of the published files, by their md5"}
        yield f"content: {said.get(str(found.account['content']), 'of files that are not known')}"
    if ORDER in found.account:
        yield f"{ORDER}: {found.account[ORDER]}"
    if found.counts is not None:
        yield from _classes(found)
    pairs = [f"test {test} is train {train}" for test, train in found.in_both[:SHOWN]]
    more = ", …" * (len(found.in_both) > SHOWN)
    yield f"test images that are training images too: {len(found.in_both):,}" + (
        f" ({', '.join(pairs)}{more})" if pairs else ""
    )
    for split, count in found.twice.items():
        yield f"images that stand in {split} before: {count:,}"
    for name, md5 in found.md5.items():
        yield f"md5 of {name}: {md5}"


def _classes(found: Checked) -> Iterator[str]:
    """A line for each class, or for the smallest and the largest where there are many."""
    assert found.counts is not None
    train, test = found.counts["train"], found.counts["test"]
    chosen = list(range(len(train)))
    if len(chosen) > MOST_CLASSES_SHOWN:
        chosen = [int(train.argmin()), int(train.argmax())]
        yield f"{len(train):,} classes, of which the smallest and the largest are"
    for label in chosen:
        yield f"{found.classes[label]}: {train[label]:,} training and {test[label]:,} test images"


# ------------------------------------------------------------------------------------------- pack


def _pack(words: Sequence[str]) -> int:
    options = _parser_of_pack().parse_args(words)
    data = Folder(path=str(options.folder), size=options.size, labels=options.labels)
    with _going_on(options.file):
        told = pack(data, options.file, progress=counted("images", SAID_EVERY))
    _say_what_is(options.file, told)
    return 0


def _parser_of_pack() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m studies.data", description=__doc__)
    parser.add_argument("folder", type=path, metavar="FOLDER", help="holds train/ and test/")
    parser.add_argument("file", type=path, metavar="FILE", help="such as data/imagenet64.npz")
    parser.add_argument("--size", type=int, required=True, help="pixels a side")
    parser.add_argument(
        "--labels",
        choices=get_args(get_type_hints(Folder)["labels"]),
        default="auto",
        help=LABELS,
    )
    return parser


# ------------------------------------------------------------------------------------------ shared


@contextmanager
def _going_on(file: Path) -> Iterator[None]:
    """Says what is left of work that does not end, and where another attempt goes on."""
    try:
        yield
    finally:
        if os.path.isdir(blocks := blocks_beside(file)):
            print(f"what is read is kept for another attempt in {blocks}")


def _say_what_is(file: Path, told: Sequence[str]) -> None:
    found = describe(Npz(path=str(file)))
    labels = "no labels" if found.classes is None else f"{found.classes} classes"
    print(
        f"{file}: {found.train_images:,} training and {found.test_images:,} test images of "
        f"{found.size}x{found.size}x{found.channels}, {labels}"
    )
    for line in told:
        print(f"  {line}")


DOORS: dict[str, Callable[[Sequence[str]], int]] = {
    "prepare": _prepare,
    "list": _list,
    "check": _check,
}

if __name__ == "__main__":
    sys.exit(main())
