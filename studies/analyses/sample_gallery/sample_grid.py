"""A grid of samples: one row per arm, the columns started from the same noise.

Rows come in groups of equal step counts: all of them, or where that were too many rows the fewest,
one between, and the most. The table holds the pixels themselves, as hexadecimal level indices, so
the figure is drawn from its CSV alone.
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
from matplotlib.figure import Figure

from iddpm.config import ConfigError
from studies.drawing import style
from studies.store.arrays import read_array
from studies.tables.groupings import arm_columns
from studies.tables.labels import labelled
from studies.tables.tables import Tables

TITLE = "Samples of each arm from the same noise"
COLUMNS = 12
MOST_STRIPS = 12
"""A study with more arms and step counts than this shows three step counts."""
GAP = 1
SCALE = 0.94
"""Height of the images in a strip; the rest is the gap to the next strip."""
HEADING = 0.75
"""Height of the line that says the number of steps, in strip heights."""
ENLARGED_TO = 32
"""Pixels a side of an enlarged image, at least; every pixel becomes a square of whole pixels."""
MARGIN_IN = 0.1
"""On both sides of the names beside the strips."""
MOST_FOR_NAMES = 0.45
"""Share of the figure's width; longer names take more lines."""
LINE_IN = 0.16
"""Height of a line of a name."""


def table(tables: Tables) -> pd.DataFrame:
    """One row per drawn image: arm, steps, seed, column, shape, levels and pixels (hexadecimal)."""
    chains = tables.samples[tables.samples["sampler"].notna()]  # a rival has noise of its own
    arms = labelled(chains, arm_columns(chains, without=("steps",)))
    drawn = arms[arms["path"].notna()]
    drawn = drawn[drawn["seed"] == drawn["seed"].min()]
    if len(drawn) > MOST_STRIPS:
        drawn = drawn[drawn["steps"].isin(step_counts(drawn["steps"]))]
    rows = [
        row for _, arm in drawn.sort_values(["steps", "rank"]).iterrows() for row in _images(arm)
    ]
    columns = ["arm", "steps", "seed", "column", "shape", "levels", "pixels"]
    return pd.DataFrame(rows, columns=columns)


def step_counts(steps: pd.Series) -> list[int]:
    """The fewest, the most and the one nearest their geometric mean."""
    counts = sorted(set(steps))
    if len(counts) < 3:
        return counts
    middle = min(counts[1:-1], key=lambda count: abs(np.log(count**2 / (counts[0] * counts[-1]))))
    return [counts[0], middle, counts[-1]]


def _images(arm: pd.Series) -> Iterator[dict[str, object]]:
    for column, image in enumerate(read_array(Path(arm["path"]), mapped=True)[:COLUMNS]):
        yield {
            "arm": arm["arm"],
            "steps": arm["steps"],
            "seed": arm["seed"],
            "column": column,
            **described(image, arm["levels"]),
        }


def described(image: npt.NDArray[np.uint8], levels: int) -> dict[str, object]:
    """An image (H, W, C) of level indices as the columns that `pixels` reads."""
    shape = "x".join(str(side) for side in image.shape)
    return {"shape": shape, "levels": levels, "pixels": image.tobytes().hex()}


def pixels(row: pd.Series) -> npt.NDArray[np.uint8]:
    """One image of the table as brightness 0..255, shape (H, W, C)."""
    shape = [int(side) for side in row["shape"].split("x")]
    levels = np.frombuffer(bytes.fromhex(row["pixels"]), dtype=np.uint8).reshape(shape)
    brightness: npt.NDArray[np.uint8] = np.round(levels * (255 / (row["levels"] - 1))).astype(
        np.uint8
    )
    return brightness


@style.styled
def draw(table: pd.DataFrame) -> Figure:
    """One strip of images per arm and step count, its name beside it in words."""
    groups = table.groupby(["steps", "arm"], sort=False)
    strips = [(steps, arm, strip(images)) for (steps, arm), images in groups]
    most_in = MOST_FOR_NAMES * style.WIDTH_IN - 2 * MARGIN_IN
    names = {arm: style.in_lines(arm, most_in=most_in) for arm in table["arm"].unique()}
    width = SCALE * max(picture.shape[1] / picture.shape[0] for _, _, picture in strips)
    names_in = max(map(style.width_in, names.values())) + 2 * MARGIN_IN
    strip_in = (style.WIDTH_IN - names_in) / width
    lines = {arm: 1 + name.count("\n") for arm, name in names.items()}
    heights = [max(1.0, LINE_IN * lines[arm] / strip_in) for _, arm, _ in strips]
    height = sum(heights) + HEADING * table["steps"].nunique()
    figure = Figure(figsize=(style.WIDTH_IN, strip_in * height))
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_axis_off()
    place, previous = 0.0, None
    for (steps, arm, picture), tall in zip(strips, heights, strict=True):
        if steps != previous:
            axes.text(0, place + HEADING - 0.1, f"{steps:,} steps", fontweight="bold")
            place, previous = place + HEADING, steps
        middle = place + tall / 2
        axes.text(-MARGIN_IN / strip_in, middle, names[arm], ha="right", va="center")
        top = middle - SCALE / 2
        extent = (0, SCALE * picture.shape[1] / picture.shape[0], top + SCALE, top)
        axes.imshow(picture, extent=extent, interpolation="none", aspect="auto")
        place += tall
    axes.set(xlim=(-names_in / strip_in, width), ylim=(height, 0))
    return figure


def strip(images: pd.DataFrame) -> npt.NDArray[np.uint8]:
    """The images of one arm side by side, enlarged pixel by pixel, shape (H, W, 3).

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


def caption(table: pd.DataFrame, tables: Tables) -> str:
    """Whose samples these are; none is picked."""
    seed = int(table["seed"].iloc[0])
    return (
        f"The first {table['column'].max() + 1} samples of each arm, none picked, from the "
        f"networks of seed {seed}. All images of a column start from the same noise. Rows that "
        "took no samples yet are absent. The paper's Figs. 18 to 31 show such grids on ImageNet "
        "64 and CIFAR-10."
    )
