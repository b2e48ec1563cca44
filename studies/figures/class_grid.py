"""Fig. 9: samples of class-conditional arms, one class per row.

The label of an image is its place in the stream modulo the number of classes, so a row's
images follow one another at that distance: none is picked. As in `sample_grid`, the table holds the
pixels.
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
from matplotlib.figure import Figure

from studies.arrays import read_array
from studies.figures import style
from studies.figures.sample_grid import described, strip
from studies.labels import labelled
from studies.tables import Tables, arm_columns

TITLE = "Samples by class"
CLASSES = 8
COLUMNS = 8
"""Of each class, as in the paper's figure."""
ABREAST = 3
"""At most so many arms stand side by side."""
NUMBERS = 0.9
"""Width of the class numbers beside the rows, in row heights."""
HEADING = 1.7
"""Height of an arm's name above its rows, in row heights."""
GAP = 0.06
"""Between two rows, in row heights."""
MOST_IN = 0.52
"""Height of a row, where there is room."""


def table(tables: Tables) -> pd.DataFrame:
    """One row per image: arm, steps, seed, label, column, shape, levels, pixels (hexadecimal)."""
    samples = tables.samples
    arms = labelled(samples, arm_columns(samples, without=("steps",)))
    drawn = arms[arms["path"].notna() & arms["classes"].notna()]
    drawn = drawn[drawn["seed"] == drawn["seed"].min()]
    drawn = drawn[drawn["steps"] == drawn.groupby("arm")["steps"].transform("max")]
    rows = [row for _, arm in drawn.sort_values("rank").iterrows() for row in _images(arm)]
    columns = ["arm", "steps", "seed", "label", "column", "shape", "levels", "pixels"]
    return pd.DataFrame(rows, columns=columns)


def _images(arm: pd.Series) -> Iterator[dict[str, object]]:
    classes = int(arm["classes"])
    images = _first_images(arm["shards"], classes * COLUMNS)
    for place, image in enumerate(images):
        column, label = divmod(place, classes)
        if label < CLASSES:
            yield {
                "arm": arm["arm"],
                "steps": arm["steps"],
                "seed": arm["seed"],
                "label": label,
                "column": column,
                **described(image, arm["levels"]),
            }


def _first_images(shards: tuple[Path, ...], count: int) -> Iterator[npt.NDArray[np.uint8]]:
    """The first so many images, read from no more files than hold them."""
    for path in shards:
        images = read_array(path, mapped=True)[:count]
        yield from images
        count -= len(images)
        if not count:
            return


@style.styled
def draw(table: pd.DataFrame) -> Figure:
    """One panel per arm: its classes from top to bottom, their numbers beside them."""
    arms = list(dict.fromkeys(table["arm"]))
    across = min(len(arms), ABREAST)
    down = -(-len(arms) // across)
    rows = [
        (arm, int(str(label)), strip(same))
        for (arm, label), same in table.groupby(["arm", "label"], sort=False)
    ]
    width = NUMBERS + max(_width(picture) for _, _, picture in rows)
    height = HEADING + table["label"].nunique()
    row_in = min(style.WIDTH_IN / (across * width), MOST_IN)
    figure = Figure(figsize=(style.WIDTH_IN, row_in * height * down))
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_axis_off()
    corners = {
        arm: (i % across * width + NUMBERS, i // across * height) for i, arm in enumerate(arms)
    }
    for arm, (left, top) in corners.items():
        axes.text(left, top + HEADING - 0.2, style.in_lines(arm), va="bottom")
    for arm, label, picture in rows:
        left, top = corners[arm]
        top += HEADING + label
        axes.text(left - 0.25, top + 0.5, str(label), ha="right", va="center")
        extent = (left, left + _width(picture), top + 1 - GAP, top)
        axes.imshow(picture, extent=extent, interpolation="none", aspect="auto")
    axes.set(xlim=(0, style.WIDTH_IN / row_in), ylim=(height * down, 0))
    return figure


def _width(picture: npt.NDArray[np.uint8]) -> float:
    """Of a strip of images, in row heights."""
    return float(picture.shape[1] / picture.shape[0] * (1 - GAP))


def caption(table: pd.DataFrame, tables: Tables) -> str:
    """Whose samples these are, and which of them; none is picked."""
    seed, columns = int(table["seed"].iloc[0]), int(table["column"].max()) + 1
    shown, classes = table["label"].nunique(), int(tables.samples["classes"].max())
    which = "every class" if shown == classes else f"the first {shown} of {classes:,} classes"
    steps = " and ".join(f"{count:,}" for count in sorted(set(table["steps"])) if count)
    return (
        f"The first {columns} samples of {which}, one class per row, from the networks of seed "
        f"{seed}{steps and f', {steps} sampling steps'}. None is picked: image i of the stream was "
        f"asked for class i modulo {classes:,}. The paper's Fig. 9 shows 8 classes of ImageNet 64 "
        "that it chose, 8 samples each, from its 270M network with 250 steps (FID 2.92)."
    )
