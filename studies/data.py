"""`python -m studies.data FOLDER FILE --size N`: pack image files into the .npz of a preset.

The files lie below FOLDER/train and FOLDER/test, of any kind that Pillow reads. What is left out,
turned or converted is counted and named. The arrays of the .npz stay on disk when it is used, so a
data set may be larger than the memory.
"""

import argparse
import sys
from collections.abc import Sequence
from typing import get_args, get_type_hints

from iddpm.config import ConfigError, Folder, Npz
from iddpm.data import describe
from iddpm.images.packing import pack
from studies.door import door, path

SAID_EVERY = 10_000


@door(ConfigError)
def main(arguments: Sequence[str] | None = None) -> int:
    """Pack a folder; the exit code: 0 fine, 2 bad input or no room."""
    options = _parser().parse_args(arguments)
    data = Folder(path=str(options.folder), size=options.size, labels=options.labels)
    told = pack(data, options.file, progress=_say)
    found = describe(Npz(path=str(options.file)))
    labels = "no labels" if found.classes is None else f"{found.classes} classes"
    print(
        f"{options.file}: {found.train_images:,} training and {found.test_images:,} test images of "
        f"{found.size}x{found.size}x{found.channels}, {labels}"
    )
    for line in told:
        print(f"  {line}")
    return 0


def _say(done: int, total: int) -> None:
    if done % SAID_EVERY == 0:
        print(f"{done:,} of {total:,} images", flush=True)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m studies.data", description=__doc__)
    parser.add_argument("folder", type=path, metavar="FOLDER", help="holds train/ and test/")
    parser.add_argument("file", type=path, metavar="FILE", help="such as data/imagenet64.npz")
    parser.add_argument("--size", type=int, required=True, help="pixels a side")
    parser.add_argument(
        "--labels",
        choices=get_args(get_type_hints(Folder)["labels"]),
        default="auto",
        help="names of subfolders (folders), what stands before the first _ of a file's name "
        "(prefix), or none; auto takes the subfolders, or else names that are all label_number",
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
