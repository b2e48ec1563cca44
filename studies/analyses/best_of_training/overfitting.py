"""Fig. 16: quality, and bits/dim of training and validation images, along training."""

import pandas as pd
from matplotlib.figure import Figure

from studies.drawing import along, captions, style
from studies.tables.tables import Tables

TITLE = "Quality and bits/dim along training, on training and validation images"
SCHEDULE, SPLIT = "schedule", "likelihood.split"


def table(tables: Tables) -> pd.DataFrame:
    """By quantity, arm and training steps: mean, interval and n over seeds."""
    rows = [along.measured(tables, metric) for metric in along.FOLLOWED]
    return along.joined(
        along.curves(some, hue=SCHEDULE, dash=SPLIT, without=["images"])
        for some in rows
        if len(some)
    )


@style.styled
def draw(table: pd.DataFrame) -> Figure:
    """The distance above, bits/dim below, over the same training steps."""
    quantities = list(dict.fromkeys(table["quantity"]))
    figure, panels = style.panels(len(quantities), 2.5 * len(quantities), stacked=True)
    looks = along.looks(table)
    for axes, quantity in zip(panels, quantities, strict=True):
        along.draw_along_steps(axes, table[table["quantity"] == quantity], looks)
    style.legend(*panels)
    return figure


def caption(table: pd.DataFrame, tables: Tables) -> str:
    """What is drawn, the spread, and what the paper says of its figure."""
    return (
        "Fréchet distance of samples, and bits/dim of test images (the validation set) and of "
        "training images with the learned Σ, at milestones of the same trainings, with dropout. "
        f"{captions.spread(table)} Bits/dim are of the same images and noise at every milestone. "
        "Of the paper's Fig. 16 (two CIFAR-10 networks, dropout 0.1, T = 4000) the values were not "
        "at hand, so none are overlaid; it says that both overfit, the cosine schedule's sooner."
    )
