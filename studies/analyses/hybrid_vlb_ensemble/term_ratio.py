"""Fig. 13: how the terms of the bound of L_hybrid's network compare with those of L_vlb's.

Both meet the same images and the same noise at every step. The curve is the geometric mean over
seeds of the ratio, with its interval as a band; below 1 the L_hybrid network is the better one.
"""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from iddpm.evaluation.config import Ends
from studies.drawing import captions, style
from studies.tables.groupings import over_seeds
from studies.tables.rows import term_log_ratios
from studies.tables.tables import Tables

TITLE = "Terms of the bound, L_hybrid over L_vlb"
SHARE = Ends().share
"""Of the steps at each end, where the paper's ensemble asks the L_vlb network."""
COLOUR = style.PALETTE[0]
SHOWN = 0.01, 0.99
"""Quantiles of the curves and of their bands that the vertical axis has to hold."""
MARGIN = 1.2
"""By which factor it reaches beyond them."""


def table(tables: Tables) -> pd.DataFrame:
    """Ratio of the two networks' terms by step, over seeds: `ratio`, `low`, `high` and n.

    `compared` is what tells a pair of networks from others of the study; empty where there is one.
    """
    logs = term_log_ratios(tables)
    whole = over_seeds(logs, ["compared", "T", "step"], value="log_ratio")
    whole = whole.rename(columns={"mean": "ratio"})
    for column in ("ratio", "low", "high"):
        whole[column] = np.exp(whole[column].astype(float))
    return whole.sort_values(["compared", "step"], ignore_index=True)


@style.styled
def draw(table: pd.DataFrame) -> Figure:
    """Curves on a log scale around 1; strips mark both ends of the chain."""
    figure, axes = style.new(3.2)
    longest = int(table["T"].max())
    axes.set(yscale="log", xlabel="diffusion step", xlim=(0, longest - 1))
    axes.set_ylabel(style.mathematical("ratio of terms, L_hybrid / L_vlb"))
    for start in (0, (1 - SHARE) * longest):
        axes.axvspan(start, start + SHARE * longest, color="#f1efe8", zorder=0, linewidth=0)
    axes.axhline(1, color=style.GREY, linewidth=0.8)
    for place, (name, whole) in enumerate(table.groupby("compared", sort=False)):
        curve = style.thinned(whole)
        colour = style.lighter(COLOUR, place)
        axes.plot(
            curve["step"],
            curve["ratio"],
            color=colour,
            linewidth=1.0,
            label=style.mathematical(str(name).removeprefix(", ") or "mean over seeds"),
        )
        style.band(axes, curve, "step", colour)
    axes.set_ylim(*ends_of(table))
    style.plain_log_ticks(axes.yaxis)
    style.legend(axes)
    return figure


def ends_of(table: pd.DataFrame) -> tuple[float, float]:
    """Where the vertical axis ends: a few steps may lie far outside it."""
    values = table[["ratio", "low", "high"]].to_numpy(float)
    low, high = np.quantile(values[np.isfinite(values) & (values > 0)], SHOWN)
    return float(min(low, 1)) / MARGIN, float(max(high, 1)) * MARGIN


def caption(table: pd.DataFrame, tables: Tables) -> str:
    """What is drawn, the spread, and what the paper's figure shows."""
    below = (table["ratio"] < 1).mean()
    spread = captions.spread(table, means="geometric means")
    return (
        "Term of the bound of the L_hybrid network over that of the L_vlb network, step by step, "
        "both with their learned Σ on the same images and noise; log scale. Below 1 the L_hybrid "
        f"network is better: at {below:.0%} of the steps drawn. {spread} "
        f"{_outside(table)}"
        f"The strips mark the first and the last {SHARE:.1%} of the steps, at which the paper's "
        "ensemble asks the L_vlb network. The paper's Fig. 13 shows this ratio on ImageNet 64: "
        "above 1 at the start and the end, below it between."
    )


def _outside(table: pd.DataFrame) -> str:
    """Which points of the curves the axis leaves out."""
    out = table[~table["ratio"].between(*ends_of(table))]
    if out.empty:
        return ""
    values = dict.fromkeys(f"{value:.2g}" for value in (out["ratio"].min(), out["ratio"].max()))
    return (
        f"Outside the axis: {len(out):,} of {len(table):,} points "
        f"({' to '.join(values)}, {captions.span(out['step'])}). "
    )
