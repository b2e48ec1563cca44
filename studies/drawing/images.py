"""Images in a figure: how a table holds their pixels, and how they are drawn.

The table of a figure that shows images has a row for each of them with the columns of `described`,
so the figure is drawn from its CSV alone.
"""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from iddpm.arrays import UInt8Array
from iddpm.bounds import ConfigError
from studies.drawing import style

LINE_IN = 0.16
"""Height of a line of a name."""
GAP = 1
"""Pixels between two images of a strip."""
ENLARGED_TO = 32
"""Pixels a side of an enlarged image, at least; every pixel becomes a square of whole pixels."""


def described(image: UInt8Array, levels: int) -> dict[str, object]:
    """An image (H, W, C) of level indices as the columns that `pixels` reads."""
    shape = "x".join(str(side) for side in image.shape)
    return {"shape": shape, "levels": levels, "pixels": image.tobytes().hex()}


def pixels(row: pd.Series) -> UInt8Array:
    """One image of a table as brightness 0..255, shape (H, W, C)."""
    shape = [int(side) for side in row["shape"].split("x")]
    levels = np.frombuffer(bytes.fromhex(row["pixels"]), dtype=np.uint8).reshape(shape)
    brightness: UInt8Array = np.round(levels * (255 / (row["levels"] - 1))).astype(np.uint8)
    return brightness


def strip(images: pd.DataFrame) -> UInt8Array:
    """Images side by side in the order of their `column`, enlarged pixel by pixel, shape (H, W, 3).

    Raises:
        ConfigError: If they are neither grey nor of three colours.
    """
    pictures = [pixels(row) for _, row in images.sort_values("column").iterrows()]
    if (channels := pictures[0].shape[2]) not in (1, 3):
        raise ConfigError(
            "samples",
            "images of 1 or 3 channels",
            f"{channels}, which have no colours to be drawn in",
            "leave this figure out of the sweep",
        )
    framed = [np.pad(p, ((0, 0), (0, GAP), (0, 0)), constant_values=255) for p in pictures]
    whole = np.concatenate(framed, axis=1)[:, :-GAP]
    factor = -(-ENLARGED_TO // pictures[0].shape[0])
    enlarged = whole.repeat(factor, axis=0).repeat(factor, axis=1)
    return (
        np.broadcast_to(enlarged, (*enlarged.shape[:2], 3)) if enlarged.shape[2] == 1 else enlarged
    )


def width(picture: UInt8Array, height: float = 1.0) -> float:
    """The width of a strip that is drawn at this height."""
    return float(picture.shape[1] / picture.shape[0] * height)


def canvas(height_in: float) -> tuple[Figure, Axes]:
    """A figure of the page's width that is nothing but a plane to draw on."""
    figure = Figure(figsize=(style.WIDTH_IN, height_in))
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_axis_off()
    return figure, axes


def place(
    axes: Axes, picture: UInt8Array, *, left: float = 0.0, top: float, height: float = 1.0
) -> None:
    """Draw a strip with this corner and height, pixel by pixel; `top` grows downwards."""
    extent = (left, left + width(picture, height), top + height, top)
    axes.imshow(picture, extent=extent, interpolation="none", aspect="auto")
