"""Fig. 9: samples of class-conditional arms, one class per row.

The label of an image is its place in the stream modulo the number of classes, so a row's
images follow one another at that distance: none is picked.
"""

from collections.abc import Iterator
from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure

from iddpm.arrays import UInt8Array
from studies.drawing import images, style
from studies.store.npy import read_array
from studies.tables.groupings import arm_columns
from studies.tables.labels import labelled
from studies.tables.tables import Tables

TITLE = "Samples by class"
CLASSES = 8
IMAGENET_CLASSES = 1000
PAPERS = {
    9: "ostrich",
    11: "goldfinch",
    28: "spotted salamander",
    97: "drake",
    130: "flamingo",
    141: "redshank",
    154: "pekinese",
    157: "papillon",
}
"""The classes of the paper's figure, which are shown where there are as many as in ImageNet."""
COLUMNS = 8
"""Of each class, as in the paper's figure."""
ABREAST = 3
"""At most so many arms stand side by side."""
MARGIN_IN = 0.08
"""On both sides of the class numbers beside the rows, and above and below an arm's name."""
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
    labels = shown_of(classes)
    for place, image in enumerate(_first_images(arm["shards"], classes * COLUMNS)):
        column, label = divmod(place, classes)
        if label in labels:
            yield {
                "arm": arm["arm"],
                "steps": arm["steps"],
                "seed": arm["seed"],
                "label": label,
                "column": column,
                **images.described(image, arm["levels"]),
            }


def shown_of(classes: int) -> tuple[int, ...]:
    """The classes that are shown of so many: the paper's of ImageNet, else the first."""
    return tuple(PAPERS) if classes == IMAGENET_CLASSES else tuple(range(min(classes, CLASSES)))


def _first_images(shards: tuple[Path, ...], count: int) -> Iterator[UInt8Array]:
    """The first so many images, read from no more files than hold them."""
    for path in shards:
        found = read_array(path, mapped=True)[:count]
        yield from found
        count -= len(found)
        if not count:
            return


@style.styled
def draw(table: pd.DataFrame) -> Figure:
    """One panel per arm: its classes from top to bottom, their numbers beside them."""
    arms, labels = list(dict.fromkeys(table["arm"])), sorted(set(table["label"]))
    across = min(len(arms), ABREAST)
    down = -(-len(arms) // across)
    rows = [
        (arm, labels.index(label), images.strip(same))
        for (arm, label), same in table.groupby(["arm", "label"], sort=False)
    ]
    numbers_in = max(style.width_in(str(label)) for label in labels) + 2 * MARGIN_IN
    strip_in = style.WIDTH_IN / across - numbers_in
    names = [style.in_lines(arm, most_in=strip_in) for arm in arms]
    widest = max(images.width(picture, 1 - GAP) for _, _, picture in rows)
    row_in = min(strip_in / widest, MOST_IN)
    heading = (max(1 + n.count("\n") for n in names) * images.LINE_IN + 2 * MARGIN_IN) / row_in
    width, height = style.WIDTH_IN / across / row_in, heading + len(labels)
    figure, axes = images.canvas(row_in * height * down)
    corners = {
        arm: (i % across * width + numbers_in / row_in, i // across * height + heading)
        for i, arm in enumerate(arms)
    }
    for name, (left, top) in zip(names, corners.values(), strict=True):
        axes.text(left, top - MARGIN_IN / row_in, name, va="bottom")
    for arm, place, picture in rows:
        left, top = corners[arm][0], corners[arm][1] + place
        number = str(labels[place])
        axes.text(left - MARGIN_IN / row_in, top + 0.5, number, ha="right", va="center")
        images.place(axes, picture, left=left, top=top, height=1 - GAP)
    axes.set(xlim=(0, style.WIDTH_IN / row_in), ylim=(height * down, 0))
    return figure


def caption(table: pd.DataFrame, tables: Tables) -> str:
    """Whose samples these are, and which of them; none is picked."""
    seed, columns = int(table["seed"].iloc[0]), int(table["column"].max()) + 1
    classes = int(tables.samples["classes"].max())
    which = _which(table["label"].nunique(), classes)
    steps = " and ".join(f"{count:,}" for count in sorted(set(table["steps"])) if count)
    return (
        f"The first {columns} samples of {which}, one class per row, from the networks of seed "
        f"{seed}{steps and f', {steps} sampling steps'}. None is picked: image i of the stream was "
        f"asked for class i modulo {classes:,}. The paper's Fig. 9 shows 8 classes of ImageNet 64 "
        "that it chose, 8 samples each, from its 270M network with 250 steps (FID 2.92)."
    )


def _which(shown: int, classes: int) -> str:
    if shown == classes:
        return "every class"
    if classes == IMAGENET_CLASSES:
        named = ", ".join(f"{label} ({name})" for label, name in PAPERS.items())
        return f"the paper's classes of {classes:,}: {named}"
    return f"the first {shown} of {classes:,} classes"
