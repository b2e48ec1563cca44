"""Fig. 3: one image on its way to noise, the linear schedule above the cosine one, others below.

The noise is the same in every picture, so that only the schedule differs within a column.
"""

import json
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import pandas as pd
from matplotlib.figure import Figure

from iddpm.arrays import UInt8Array
from iddpm.schedules import SCHEDULES
from studies.drawing import images, style
from studies.store.npy import read_array
from studies.tables.groupings import arm_columns
from studies.tables.labels import labelled
from studies.tables.tables import Tables

TITLE = "One image on its way to noise"
LEVELS = 256
ORDER = tuple(SCHEDULES)
NAMES = 2.6
"""Width of the names beside the rows, in row heights."""
GAP = 0.12
HEADING = 0.55


def table(tables: Tables) -> pd.DataFrame:
    """One row per picture: arm, schedule, step, place t/T, ᾱ, column, shape, levels and pixels."""
    found = tables.latents
    found = labelled(found, arm_columns(found))
    found = found[found["seed"] == found["seed"].min()]
    order = found["schedule"].map(ORDER.index)
    rows = [
        row
        for _, arm in found.assign(order=order).groupby(["order", "rank"])
        for row in _pictures(arm)
    ]
    columns = [
        *("arm", "schedule", "step", "t_over_T", "alpha_bar", "seed"),
        *("column", "shape", "levels", "pixels"),
    ]
    return pd.DataFrame(rows, columns=columns)


def _pictures(arm: pd.DataFrame) -> Iterator[dict[str, object]]:
    pictures = brightness(read_array(arm["path"].iloc[0]))
    for _, latent in arm.sort_values("place").iterrows():
        picture = pictures[latent["place"]]
        yield {
            "arm": latent["arm"],
            "schedule": latent["schedule"],
            "step": latent["step"],
            "t_over_T": latent["step"] / latent["T"],
            "alpha_bar": latent["alpha_bar"],
            "seed": latent["seed"],
            "column": latent["place"],
            **images.described(picture, LEVELS),
        }


def brightness(latents: npt.NDArray[np.float32]) -> UInt8Array:
    """[-1, 1] as 0..255; what noise carries beyond is black or white."""
    scaled = np.clip((latents + 1) * ((LEVELS - 1) / 2), 0, LEVELS - 1)
    shown: UInt8Array = np.round(scaled).astype(np.uint8)
    return shown


@style.styled
def draw(table: pd.DataFrame) -> Figure:
    """A row of pictures for each arm, t/T above the first."""
    arms = list(table.groupby("arm", sort=False))
    strips = [(str(arm), images.strip(pictures)) for arm, pictures in arms]
    width = max(images.width(picture) for _, picture in strips)
    height = HEADING + len(strips) * (1 + GAP)
    figure, axes = images.canvas(style.WIDTH_IN * height / (NAMES + width))
    first = arms[0][1].sort_values("column")
    for column, place in enumerate(first["t_over_T"]):
        said = f"$t/T$ = {place:g}" if column == 0 else f"{place:.2g}"
        axes.text((column + 0.5) * width / len(first), HEADING - 0.12, said, ha="center")
    for row, (arm, picture) in enumerate(strips):
        top = HEADING + row * (1 + GAP)
        axes.text(-0.15, top + 0.5, style.mathematical(arm), ha="right", va="center")
        images.place(axes, picture, top=top)
    axes.set(xlim=(-NAMES, width), ylim=(height, 0))
    return figure


def caption(table: pd.DataFrame, tables: Tables) -> str:
    """Which image and which noise, and what the paper's figure shows."""
    count = table["column"].nunique()
    results = tables.results[tables.results["evaluation"] == "latents"]
    recipe = json.loads(results["recipe"].dropna().iloc[0])
    return (
        f"{count} latents of one image of {recipe['image'].split()[0]} at evenly spaced t from 0 "
        "to T, all with the same draw "
        f"of the noise (seed {int(table['seed'].iloc[0])}); brightness is cut off at black and "
        "white. The paper's Fig. 3 shows eleven latents of one ImageNet image in the same way, "
        "linear above cosine: the last quarter of the linear row is almost pure noise."
    )
