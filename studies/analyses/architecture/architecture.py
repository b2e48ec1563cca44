"""Appendix A: quality and bits/dim of networks that differ in one choice of their architecture."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from studies.drawing import along, captions, style
from studies.tables.tables import Tables

TITLE = "Quality and bits/dim by architecture"


def table(tables: Tables) -> pd.DataFrame:
    """By quantity and arm: mean, interval and n over seeds, after the most training steps."""
    parts = []
    for metric in along.FOLLOWED:
        rows = along.measured(tables, metric)
        if len(rows):
            last = rows[rows["training_steps"] == rows["training_steps"].max()]
            parts.append(along.curves(last, hue=""))
    return along.joined(parts)


@style.styled
def draw(table: pd.DataFrame) -> Figure:
    """One panel per quantity: a dot for each arm's mean, a line for its interval."""
    quantities = list(dict.fromkeys(table["quantity"]))
    arms = list(dict.fromkeys(table.sort_values("rank")["arm"]))
    figure, panels = style.panels(len(quantities), 1.0 + 0.3 * len(arms))
    for axes, quantity in zip(panels, quantities, strict=True):
        shown = table[table["quantity"] == quantity]
        places = [arms.index(arm) for arm in shown["arm"]]
        several = np.isfinite(shown["low"])
        axes.hlines(
            np.array(places)[several],
            shown["low"][several],
            shown["high"][several],
            color=style.PALETTE[0],
        )
        axes.plot(shown["mean"], places, "o", color=style.PALETTE[0])
        axes.set(xlabel=quantity, ylim=(len(arms) - 0.5, -0.5))
        is_first = axes is panels[0]
        axes.set_yticks(range(len(arms)), arms if is_first else [""] * len(arms))
    return figure


def caption(table: pd.DataFrame, tables: Tables) -> str:
    """What is drawn, the spread, and what the paper says."""
    spread = captions.spread(table, marks="Dots", bar="line")
    return (
        "Fréchet distance of samples and bits/dim of test images with the learned Σ, of networks "
        f"that differ from the first in what their names say. {spread} The middle block always "
        "attends. The paper's Appendix A gives no numbers: it says that four heads instead of one, "
        "attention at the lower resolution too, and scale-shift conditioning slightly improved FID."
    )
