"""Fig. 11: quality against sampling steps of networks trained with other batches.

The networks of a pair saw the same number of images, in smaller batches at a lower learning rate
or in larger ones at a higher. Only arms that were trained both ways are drawn.
"""

import pandas as pd

from studies.analyses.sampling_stride import quality_vs_steps
from studies.analyses.sampling_stride.quality_vs_steps import BATCH, quality
from studies.drawing import captions, distance_axis
from studies.tables.groupings import arm_columns
from studies.tables.rows import sampled_distances
from studies.tables.tables import Tables

TITLE = "Sample quality against sampling steps, by batch size and learning rate"


def table(tables: Tables) -> pd.DataFrame:
    """Mean, interval and n of the distance for each arm and number of steps."""
    found = sampled_distances(tables)
    if not set(BATCH) & set(found.columns):
        return quality(tables, found.head(0))
    lengths = ("training_steps", "train.steps", "steps")
    columns = arm_columns(found, without=(*BATCH, *lengths))
    ways = found.groupby(columns, dropna=False)[BATCH[0]].transform("nunique")
    return quality(tables, found[ways > 1])


draw = quality_vs_steps.draw


def caption(table: pd.DataFrame, tables: Tables) -> str:
    """What is drawn, and what the paper's figure shows."""
    names = list(table["distance"].unique())
    return (
        f"Fréchet distance against sampling steps, {distance_axis.scale_note(names)}, of networks "
        "that saw the same number of images in batches of different size. "
        f"{distance_axis.above_note(names, table['mean'])}{captions.spread(table)} The paper's "
        "Fig. 11 shows L_hybrid and L_simple (DDIM) on LSUN bedroom at 256x256, each trained with "
        "batches of 64 at a learning rate of 2e-5 and with batches of 128 at 1e-4; its values were "
        "not at hand to be drawn."
    )
