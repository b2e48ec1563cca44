"""A grid of samples: one row per arm, the columns started from the same noise.

Rows come in groups of equal step counts: all of them, or where that were too many rows the fewest,
one between, and the most.
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from studies.drawing import images, style
from studies.store.npy import read_array
from studies.tables.groupings import arm_columns
from studies.tables.labels import labelled
from studies.tables.tables import Tables

TITLE = "Samples of each arm from the same noise"
COLUMNS = 12
MOST_STRIPS = 12
"""A study with more arms and step counts than this shows three step counts."""
SCALE = 0.94
"""Height of the images in a strip; the rest is the gap to the next strip."""
HEADING = 0.75
"""Height of the line that says the number of steps, in strip heights."""
MARGIN_IN = 0.1
"""On both sides of the names beside the strips."""
MOST_FOR_NAMES = 0.45
"""Share of the figure's width; longer names take more lines."""


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
            **images.described(image, arm["levels"]),
        }


@style.styled
def draw(table: pd.DataFrame) -> Figure:
    """One strip of images per arm and step count, its name beside it in words."""
    groups = table.groupby(["steps", "arm"], sort=False)
    strips = [(steps, arm, images.strip(same)) for (steps, arm), same in groups]
    most_in = MOST_FOR_NAMES * style.WIDTH_IN - 2 * MARGIN_IN
    names = {arm: style.in_lines(arm, most_in=most_in) for arm in table["arm"].unique()}
    width = max(images.width(picture, SCALE) for _, _, picture in strips)
    names_in = max(map(style.width_in, names.values())) + 2 * MARGIN_IN
    strip_in = (style.WIDTH_IN - names_in) / width
    lines = {arm: 1 + name.count("\n") for arm, name in names.items()}
    heights = [max(1.0, images.LINE_IN * lines[arm] / strip_in) for _, arm, _ in strips]
    height = sum(heights) + HEADING * table["steps"].nunique()
    figure, axes = images.canvas(strip_in * height)
    place, previous = 0.0, None
    for (steps, arm, picture), tall in zip(strips, heights, strict=True):
        if steps != previous:
            axes.text(0, place + HEADING - 0.1, f"{steps:,} steps", fontweight="bold")
            place, previous = place + HEADING, steps
        middle = place + tall / 2
        axes.text(-MARGIN_IN / strip_in, middle, names[arm], ha="right", va="center")
        images.place(axes, picture, top=middle - SCALE / 2, height=SCALE)
        place += tall
    axes.set(xlim=(-names_in / strip_in, width), ylim=(height, 0))
    return figure


def caption(table: pd.DataFrame, tables: Tables) -> str:
    """Whose samples these are; none is picked."""
    seed = int(table["seed"].iloc[0])
    return (
        f"The first {table['column'].max() + 1} samples of each arm, none picked, from the "
        f"networks of seed {seed}. All images of a column start from the same noise. Rows that "
        "took no samples yet are absent. The paper's Figs. 18 to 31 show such grids on ImageNet "
        "64 and CIFAR-10."
    )
