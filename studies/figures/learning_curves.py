"""Fig. 6: the bound while training, in bits/dim.

One curve per network of the mean over seeds, with a 95% interval as a band. What is drawn is an
estimate from the images and steps of the training itself (`tables.losses_table`).
"""

import math
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from studies.figures import style
from studies.figures.objective_table import resampling_note
from studies.figures.vlb_terms import spread
from studies.labels import TIMESTEPS, labelled
from studies.paper import FIG_6_NOISY, FIG_6_RESAMPLED
from studies.tables import Tables, is_longest, network_columns, over_seeds

TITLE = "The bound while training"
POINTS = 40
"""At most so many points make up a drawn curve, each the mean over several of the training's."""
HEADROOM = 2.0
"""The axis ends at so many times the upper quartile of all points of the second half."""
LOOKS: dict[tuple[str, bool], dict[str, Any]] = {
    ("vlb", False): {"color": style.PALETTE[0], "linestyle": (0, (1, 1.2))},
    ("hybrid", False): {"color": style.PALETTE[1], "linestyle": style.DASHED},
    ("vlb", True): {"color": style.PALETTE[2], "linestyle": "solid"},
    ("hybrid", True): {"color": style.PALETTE[4], "linestyle": (0, (6, 1.5, 1, 1.5))},
}
"""By objective, and whether t was drawn by importance."""
OTHER: dict[str, Any] = {"color": style.PALETTE[5], "linestyle": "solid"}


def table(tables: Tables) -> pd.DataFrame:
    """Mean, interval and n in bits/dim for each network and window of its training."""
    losses = tables.losses
    if losses.empty or losses["bits_per_dim"].isna().all():
        return pd.DataFrame(columns=["rank", "arm", "step", "mean", "low", "high", "n"])
    losses = losses[is_longest(losses) & (losses["objective"] != "simple")]
    columns = network_columns(losses)
    named = labelled(losses, columns).assign(
        resampled=losses[TIMESTEPS].eq("loss_second_moment") if TIMESTEPS in losses else False
    )
    arms = ["rank", "arm", "objective", "resampled"]
    windows = pd.concat(
        [_in_windows(curve) for _, curve in named.groupby(["rank", "seed"])], ignore_index=True
    )
    return over_seeds(windows, [*arms, "step"], value="bits_per_dim")


def _in_windows(curve: pd.DataFrame) -> pd.DataFrame:
    """The curve in at most `POINTS` points: means over its windows by their number of images."""
    curve = curve.sort_values("step")
    images = curve["images_seen"].diff().fillna(curve["images_seen"])
    images = images.where(curve["bits_per_dim"].notna())
    group = np.arange(len(curve)) // math.ceil(len(curve) / POINTS)
    sums = (curve["bits_per_dim"] * images).groupby(group).sum(min_count=1)
    lasts = curve.groupby(group).last()
    return lasts.assign(bits_per_dim=sums / images.groupby(group).sum())


@style.styled
def draw(table: pd.DataFrame) -> Figure:
    """Curves on linear axes; the vertical one leaves out how high the first steps begin."""
    figure, axes = style.new(3.9)
    axes.set(xlabel="training step", ylabel="bound while training (bits/dim)")
    for (_, arm), curve in table.groupby(["rank", "arm"]):
        first = curve.iloc[0]
        look = LOOKS.get((first["objective"], bool(first["resampled"])), OTHER)
        axes.plot(curve["step"], curve["mean"], label=style.mathematical(arm), **look)
        style.band(axes, curve, "step", str(look["color"]))
    axes.set_xlim(0, table["step"].max())
    axes.set_ylim(0, top_of(table))
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
    axes.legend(loc="upper right", frameon=True, edgecolor="none", framealpha=0.9)
    return figure


def top_of(table: pd.DataFrame) -> float:
    """Where the vertical axis ends."""
    second_half = table[table["step"] > table["step"].max() / 2]
    return HEADROOM * float(second_half["mean"].quantile(0.75))


def caption(table: pd.DataFrame, tables: Tables) -> str:
    """What is drawn and how it was estimated, its spread, and what the paper's figure shows."""
    above = table[table["mean"] > top_of(table)]
    begins, ends = (FIG_6_RESAMPLED[f(FIG_6_RESAMPLED)] for f in (min, max))
    low, high = FIG_6_NOISY["vlb"]
    return " ".join(
        filter(
            None,
            [
                "The bound less its constant prior term, in bits/dim on linear axes, as the "
                f"training itself meets it: each of at most {POINTS} points per curve is the mean "
                "of T times the term at the drawn step over the images of a window of training "
                "steps, weighted by 1 / (T p_t) (Eq. 18; 1 for uniform draws), which estimates "
                "the bound without bias either way.",
                f"{len(above)} of {len(table)} points lie above the axis." if len(above) else "",
                spread(table),
                resampling_note(tables),
                f"In the paper's Fig. 6 (ImageNet 64) L_vlb (resampled) falls smoothly from about "
                f"{begins:g} at step {min(FIG_6_RESAMPLED):,} to {ends:g} at "
                f"{max(FIG_6_RESAMPLED):,}, and L_vlb jumps between about {low:g} and {high:g} in "
                "the end (digitised). It is not overlaid: the paper does not say which schedule "
                "it shows.",
            ],
        )
    )
