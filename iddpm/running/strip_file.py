"""The strip of a training's early samples as a file: rows of pixels, and the step of each row.

It is a PNG that any viewer opens. The steps stand in it as a text, so that it is whole by itself.
"""

from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, PngImagePlugin

from iddpm.arrays import UInt8Array
from iddpm.running.files import Held, written_whole

STRIP_FILE = "strip.png"
"""In the folder of a training: a row of images for each look, the first look on top."""
LOOKS = "looks"
"""Under this name the file lists the steps of its rows."""


def steps_of(path: Path) -> list[int]:
    """The steps of the rows of a strip, from top to bottom; none if the file is no strip."""
    try:
        with Image.open(path) as picture:
            return [int(step) for step in picture.info[LOOKS].split(",")]
    except (OSError, KeyError, ValueError):
        return []


def add_row(path: Path, step: int, row: UInt8Array, *, held: Held) -> None:
    """Write the strip with one more row at its foot, unless it is as far already.

    Args:
        path: Of the file; one that is no whole strip of such rows is written anew.
        step: Of the row.
        row: Brightness 0..255, shape (H, W, 1 or 3), as every row before.
        held: Keeps the folder, or raises.

    Raises:
        StorageError: If it cannot be written.
    """
    steps, before = _read(path, row)
    if steps and steps[-1] >= step:
        return
    rows = np.concatenate([before, row])
    told: Any = PngImagePlugin.PngInfo()
    told.add_text(LOOKS, ",".join(map(str, [*steps, step])))
    with written_whole(path, held=held) as file:
        whole = Image.fromarray(rows[..., 0] if rows.shape[2] == 1 else rows)
        whole.save(file, format="PNG", pnginfo=told)


def _read(path: Path, row: UInt8Array) -> tuple[list[int], UInt8Array]:
    """The steps of a strip and its rows; none of either if it is damaged or not of such rows."""
    steps = steps_of(path)
    shape = (len(steps) * row.shape[0], *row.shape[1:])
    try:
        with Image.open(path) as picture:
            return steps, np.asarray(picture).reshape(shape)
    except (OSError, SyntaxError, ValueError):  # PIL calls a broken PNG an error of syntax
        return [], row[:0]
