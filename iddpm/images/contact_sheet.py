"""Some images of each class beside its name, as one picture to look at.

A mistake that no number shows is seen here: colours in another order, images that lie on their
side, names that belong to other classes.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from iddpm.arrays import UInt8Array
from iddpm.data import Images
from iddpm.running.files import written_whole

ACROSS, MOST_ROWS = 12, 24
"""Images of a row, and classes, or rows of images without any, at most."""

LEAST_SIDE, GAP, NAME_WIDTH = 48, 4, 160
"""Pixels: an image is enlarged to be no smaller, lies so far from the next, beside a name."""

PAPER, INK = 255, 0


def write_sheet(path: Path, images: Images, classes: Sequence[str]) -> None:
    """Write a PNG of the first images of each class, or of all where there are none.

    Args:
        path: Of the PNG.
        images: Of a split.
        classes: Names of the classes, in the order of their labels.

    Raises:
        StorageError: If it cannot be written.
    """
    from PIL import Image, ImageDraw

    rows = _rows(images, len(classes))
    side = images.images.shape[1] * max(1, -(-LEAST_SIDE // images.images.shape[1]))
    left, step = (NAME_WIDTH if classes else GAP), side + GAP
    size = (left + ACROSS * step, GAP + len(rows) * step)
    sheet = Image.new("RGB", size, (PAPER,) * 3)
    draw = ImageDraw.Draw(sheet)
    for row, (label, places) in enumerate(rows):
        top = GAP + row * step
        if classes:
            draw.text((GAP, top + side // 3), _fitting(classes[label]), fill=(INK,) * 3)
        for column, place in enumerate(places):
            sheet.paste(_shown(images.images[place], side), (left + column * step, top))
    with written_whole(path) as file:
        sheet.save(file, "png")


def _rows(images: Images, classes: int) -> list[tuple[int, NDArray[np.int64]]]:
    """The label of each row and the images that stand in it; classes are spread over all."""
    if images.labels is None or not classes:
        count = min(len(images.images), ACROSS * MOST_ROWS)
        return [(0, np.arange(i, min(i + ACROSS, count))) for i in range(0, count, ACROSS)]
    chosen = np.unique(np.linspace(0, classes - 1, min(classes, MOST_ROWS)).round().astype(int))
    return [(int(k), np.flatnonzero(images.labels == k)[:ACROSS]) for k in chosen]


def _shown(image: UInt8Array, side: int) -> Any:
    from PIL import Image

    pixels = image[..., 0] if image.shape[2] == 1 else image
    return Image.fromarray(pixels).resize((side, side), Image.Resampling.NEAREST)


def _fitting(name: str) -> str:
    """As much of a name as there is room for, in letters that Pillow's own font has."""
    shown = name.encode("latin-1", "replace").decode("latin-1")
    return shown if len(shown) <= 24 else f"{shown[:23]}…"
