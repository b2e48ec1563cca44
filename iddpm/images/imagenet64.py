"""The two downsampled ImageNets of 64 pixels a side: van den Oord's PNGs and Chrabaszcz's batches.

The first (`train_64x64`, `valid_64x64`; arXiv:1601.06759) has no labels and is what unconditional
models are compared on. The second (arXiv:1707.08819) comes as `train_data_batch_1` to `_10` and
`val_data`, pickles or .npz, with labels from 1 in the order of its `map_clsloc.txt`, which is not
that of the sorted synsets: its class 130 need not be everybody's.
"""

import re
from collections.abc import Sequence
from functools import partial

from iddpm.bounds import ConfigError
from iddpm.config import Split
from iddpm.images.batches import arrays, pickled, piece
from iddpm.images.folders import Account
from iddpm.images.pictures import Kind, pictures
from iddpm.images.sources import Batch, Batches, Part, Piece, Request, Source
from iddpm.images.trees import File, files_at

SIZE = 64

VDO, NPZ = "imagenet64_vdo", "imagenet64_npz"
"""How the two are asked for."""

LABELS = range(1, 1001)
BATCH = re.compile(r"(?:train_data_batch_(\d+)|(val_data))(?:\.npz)?")
CLASSES = "map_clsloc.txt"
CLASS_LINE = re.compile(r"n\d+ (\d+) (\S+)")


def imagenet64_vdo(request: Request) -> Source:
    """The PNGs of a training and a validation archive or folder, none resized: as `pictures`."""
    kind = Kind(name=VDO, size=SIZE, is_promised=True, channels=3, labels="none")
    return pictures(request, kind)


def imagenet64_npz(request: Request) -> Source:
    """The images of the training batches in the order of their numbers, and of `val_data`.

    Raises:
        ConfigError: If a batch is missing, there twice, broken, or asks for code to be run.
    """
    account = Account()
    _, files = files_at(request.paths, account, where=NPZ)
    size = request.size or SIZE
    train, test = _batch_files(files)
    if not train or test is None:
        absent = "val_data" if train else "train_data_batch_1"
        raise ConfigError(
            NPZ,
            "train_data_batch_1 and so on, and val_data, as pickles or .npz",
            f"no {absent} in {', '.join(map(str, request.paths))}",
        )
    parts: dict[Split, Part] = {
        "train": Batches([_batch(file, size) for file in train], "train image"),
        "test": Batches([_batch(test, size)], "test image"),
    }
    return Source(
        where=NPZ,
        size=size,
        channels=3,
        parts=parts,
        is_labelled=True,
        about={
            "source": NPZ,
            "size": size,
            "resize": "none",
            "labels": "given, from 1",
            "order of classes": "map_clsloc",
            "classes": _classes(files),
        },
        account=account,
        hints=(f"labels are those of the files less 1, in the order of {CLASSES}, not of synsets",),
    )


def _batch_files(files: Sequence[File]) -> tuple[list[File], File | None]:
    """The training batches in their order, and the validation batch."""
    found: dict[int, File] = {}
    for file in files:
        if match := BATCH.fullmatch(file.basename):
            number = 0 if match[2] else int(match[1])
            if (other := found.setdefault(number, file)) is not file:
                raise ConfigError(
                    NPZ,
                    "each batch once",
                    f"{other.path} and {file.path}",
                    "name the one that is meant",
                )
    test = found.pop(0, None)
    if absent := sorted(set(range(1, max(found, default=0))) - set(found)):
        raise ConfigError(
            NPZ,
            "batches without a hole",
            f"none of number {absent[0]} among train_data_batch_1 to _{max(found)}",
        )
    return [found[number] for number in sorted(found)], test


def _batch(file: File, size: int) -> Batch:
    load = partial(_loaded, file, size)
    return Batch(count=len(load().images), mark=file.mark, load=load)


def _loaded(file: File, size: int) -> Piece:
    if file.basename.endswith(".npz"):
        found = arrays(file, ("data", "labels"), where=NPZ)
    else:
        found = pickled(file, where=NPZ)
    return piece(found.get("data"), found.get("labels"), file, size, LABELS, where=NPZ)


def _classes(files: Sequence[File]) -> list[str]:
    """Names of the classes from `map_clsloc.txt`, where it lies beside; else none."""
    for file in files:
        if file.basename == CLASSES:
            with file.open(NPZ) as content:
                found = CLASS_LINE.findall(content.read().decode("utf-8", "replace"))
            return [name for _, name in sorted(found, key=lambda line: int(line[0]))]
    return []
