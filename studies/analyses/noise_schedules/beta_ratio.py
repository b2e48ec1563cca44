"""Fig. 1: β̃_t/β_t by diffusion step, for processes of different lengths.

The two are the ends between which Σ may reasonably lie (Section 3.1). Nothing here is measured: the
schedule alone decides.
"""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from iddpm.schedules import linear_betas, variance_ratio
from studies.drawing import style
from studies.tables.tables import Tables

LENGTHS = (100, 1000, 10_000)
TITLE = "β̃/β along the diffusion process"
SHADES = (style.PALETTE[3], style.PALETTE[0], style.PALETTE[2])
PATTERNS = ("solid", (0, (4, 1.6)), (0, (1, 1.2)))


def table(tables: Tables) -> pd.DataFrame:
    """T, step (from 1, as on paper), its place t/T, and the ratio, under the linear schedule."""
    frames = [
        pd.DataFrame(
            {
                "T": T,
                "step": np.arange(1, T + 1),
                "place": np.arange(1, T + 1) / T,
                "ratio": variance_ratio(linear_betas(T)),
            }
        )
        for T in LENGTHS
    ]
    return pd.concat(frames, ignore_index=True)


@style.styled
def draw(table: pd.DataFrame) -> Figure:
    """One curve per T; the first step's ratio is zero and has no place on a log axis."""
    figure, axes = style.new(2.9)
    shown = table[table["ratio"] > 0]
    for (T, curve), colour, pattern in zip(
        shown.groupby("T", sort=False), SHADES, PATTERNS, strict=False
    ):
        axes.plot(
            curve["place"], curve["ratio"], color=colour, linestyle=pattern, label=f"T = {T:,}"
        )
    axes.set(yscale="log", xlim=(0, 1), xlabel="diffusion step $t/T$")
    axes.set_ylabel(r"$\tilde{\beta}_t\,/\,\beta_t$", fontsize=10)
    axes.set_yticks([0.2, 0.3, 0.5, 0.7, 1.0], ["0.2", "0.3", "0.5", "0.7", "1"])
    axes.set_yticks([], minor=True)
    axes.legend(loc="lower right")
    return figure


def caption(table: pd.DataFrame, tables: Tables) -> str:
    """What is drawn, and what the paper's figure shows."""
    return (
        "The ratio of the two fixed choices of Σ along a linear schedule of T steps; log scale. "
        "At the first step it is exactly zero, which a log axis cannot show. The paper's Fig. 1 "
        "shows the same three curves: they are a property of the schedule, so no seed and no data "
        "enter."
    )
