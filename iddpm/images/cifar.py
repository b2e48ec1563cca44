"""CIFAR-10 as it is published: the python version or the binary one, packed or unpacked.

Both hold images as 3072 numbers, red, then green, then blue, each row after row. The python
version has them in pickles of Python 2, the binary one behind a byte for the label.
"""

from functools import partial

import numpy as np

from iddpm.bounds import ConfigError, require
from iddpm.images.batches import CHANNELS, pickled, piece
from iddpm.images.checksums import provenance
from iddpm.images.folders import Account
from iddpm.images.sources import Batch, Batches, Piece, Request, Source
from iddpm.images.trees import File, files_at

WHERE = "cifar10"
SIZE = 32
CLASSES = (
    *("airplane", "automobile", "bird", "cat", "deer"),
    *("dog", "frog", "horse", "ship", "truck"),
)
"""In the order of their labels, as `batches.meta` has them."""
LABELS = range(len(CLASSES))

TRAIN = tuple(f"data_batch_{number}" for number in range(1, 6))
TEST = ("test_batch",)


def cifar10(request: Request) -> Source:
    """The images of the five training batches, one after the other, and of the test batch.

    Raises:
        ConfigError: If a batch is missing, broken, or asks for code to be run.
    """
    account = Account()
    trees, every = files_at(request.paths, account, where=WHERE)
    files = {file.basename: file for file in every}
    suffix = "" if set(TRAIN + TEST) <= set(files) else ".bin"
    wanted = [f"{name}{suffix}" for name in TRAIN + TEST]
    if absent := [name for name in wanted if name not in files]:
        names = f"{TRAIN[0]} to {TRAIN[-1][-1]} and {TEST[0]} (binary: {TEST[0]}.bin)"
        raise ConfigError(
            WHERE,
            f"the python or the binary version of CIFAR-10, with {names}",
            f"no {absent[0].removesuffix('.bin')} in {', '.join(map(str, request.paths))}",
        )
    used = [files[name] for name in wanted]
    batches = [_batch(file) for file in used]
    if len({batch.count for batch in batches}) > 1:
        counts = ", ".join(f"{batch.count:,}" for batch in batches)
        raise ConfigError(WHERE, "as many images in each batch", counts, "get the files again")
    origin, hints = provenance("cifar10", trees, used, where=WHERE)
    return Source(
        where=WHERE,
        size=SIZE,
        channels=CHANNELS,
        parts={"train": Batches(batches[:-1], "image"), "test": Batches(batches[-1:], "image")},
        is_labelled=True,
        about={"source": "cifar10", **origin, "size": SIZE, "labels": "given", "classes": CLASSES},
        account=account,
        hints=hints,
    )


def _batch(file: File) -> Batch:
    load = partial(_binary if file.basename.endswith(".bin") else _python, file)
    return Batch(count=len(load().images), mark=file.mark, load=load)


def _python(file: File) -> Piece:
    found = pickled(file, where=WHERE)
    return piece(found.get("data"), found.get("labels"), file, SIZE, LABELS, where=WHERE)


def _binary(file: File) -> Piece:
    with file.open(WHERE) as content:
        numbers = np.frombuffer(content.read(), np.uint8)
    record = 1 + CHANNELS * SIZE * SIZE
    whole = f"a whole number of records of {record} bytes in {file.path}"
    require(len(numbers) > 0 and len(numbers) % record == 0, WHERE, whole, len(numbers))
    records = numbers.reshape(-1, record)
    return piece(records[:, 1:], records[:, 0], file, SIZE, LABELS, where=WHERE)
