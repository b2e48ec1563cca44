"""A folder of image files as one .npz, whose arrays stay on disk when it is used.

The images of a split are written in the order of a fixed permutation, so that those of one class
do not lie together. Images are read one at a time: the memory holds their names alone.
"""

import json
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import numpy as np

from iddpm.config import SPLITS, Folder
from iddpm.data import fixed_permutation
from iddpm.images.decoding import MODES, decoded, looked_at, opened
from iddpm.images.folders import PATH, Listing, listed
from iddpm.running.files import written_whole
from iddpm.running.interruption import Progress

ACCOUNT = "packing.json"
"""The member that says how the images were made: their labels, and what was done to them."""


def pack(
    data: Folder, path: Path, *, progress: Progress = lambda done, total: None
) -> tuple[str, ...]:
    """Write the images of a folder as an .npz, one image at a time.

    Equal folders make equal files. What was left out, turned or converted stands in a member
    `packing.json`, and so in the digest of the file.

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
    root, found = Path(data.path), listed(data)
    channels = _channels(root, found)
    done, total = 0, sum(map(len, found.names.values()))
    with written_whole(path) as raw, zipfile.ZipFile(raw, "w") as archive:
        for split in SPLITS:
            names = found.names[split]
            order = fixed_permutation(len(names))
            shape = (len(names), data.size, data.size, channels)
            with _npy_member(archive, split, shape, np.dtype(np.uint8)) as member:
                for row in order:
                    pixels, changes = decoded(
                        root / names[row], MODES[channels], where=PATH, size=data.size
                    )
                    for change in changes:
                        found.account.note(change, names[row])
                    member.write(pixels.tobytes())
                    done += 1
                    progress(done, total)
            if found.labels is not None:
                labels = found.labels[split][order]
                with _npy_member(archive, f"{split}_labels", labels.shape, labels.dtype) as member:
                    member.write(labels.tobytes())
        archive.writestr(zipfile.ZipInfo(ACCOUNT), _account(data, found))
    return found.lines()


def _channels(root: Path, found: Listing) -> int:
    """1 where every image is grey, else 3: the first that is not grey tells it."""
    for split in SPLITS:
        for row in fixed_permutation(len(found.names[split])):
            path = root / found.names[split][row]
            with opened(path, where=PATH) as file:
                if looked_at(path, file, where=PATH).channels == 3:
                    return 3
    return 1


def _account(data: Folder, found: Listing) -> str:
    account = {
        "size": data.size,
        "labels": found.taken,
        "classes": found.classes,
        "changes": found.account.as_json(),
    }
    return json.dumps(account, indent=1)


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
