"""Fig. 17: quality along training, by dropout and schedule, and by the average of the weights."""

import pandas as pd
from matplotlib.figure import Figure

from studies.drawing import along, captions, distance_axis, style
from studies.tables.groupings import arm_columns
from studies.tables.rows import DROPOUT, of_first_average
from studies.tables.tables import Tables

TITLE = "Quality along training, by dropout and by average of the weights"
SCHEDULE, AVERAGE = "schedule", "ema_decay"
BY_DROPOUT, BY_AVERAGE = "dropout and schedule", "average of the weights"


def table(tables: Tables) -> pd.DataFrame:
    """By panel, arm and training steps: mean, interval and n over seeds."""
    rows = along.measured(tables, "frechet_distance")
    parts = []
    if DROPOUT in rows:
        found = along.curves(of_first_average(rows, tables), hue=DROPOUT, dash=SCHEDULE)
        parts.append(found.assign(panel=BY_DROPOUT))
    several = _with_several(rows, AVERAGE)
    if len(several):
        several = several.sort_values(AVERAGE, kind="stable")
        parts.append(along.curves(several, hue=AVERAGE, dash=DROPOUT).assign(panel=BY_AVERAGE))
    return along.joined(parts)


def _with_several(rows: pd.DataFrame, column: str) -> pd.DataFrame:
    """The rows of networks that are looked at with several settings of a column."""
    same = [*arm_columns(rows, without=(column,)), "seed"]
    return rows[rows.groupby(same, dropna=False)[column].transform("nunique") > 1]


@style.styled
def draw(table: pd.DataFrame) -> Figure:
    """One panel for dropout, one for averages."""
    names = list(dict.fromkeys(table["panel"]))
    figure, panels = style.panels(len(names), 3.4)
    for axes, name in zip(panels, names, strict=True):
        shown = table[table["panel"] == name]
        along.draw_along_steps(axes, shown, along.looks(shown))
        distance_axis.scale_y(axes, list(shown["quantity"].unique()), shown["mean"])
        axes.set_title(f"by {name}", fontsize=9)
    style.legends(panels)
    return figure


def caption(table: pd.DataFrame, tables: Tables) -> str:
    """What is drawn, the spread, and what the paper says of its figure."""
    names = list(table["quantity"].unique())
    scale = "linear" if distance_axis.is_linear(names) else "log"
    above = [
        distance_axis.above_note(names, panel["mean"], axis=f"axis by {name}")
        for name, panel in table.groupby("panel", sort=False)
    ]
    return (
        f"Fréchet distance of samples at milestones of the same trainings, on a {scale} axis. "
        f"{''.join(above)}{captions.spread(table)} The paper's Fig. 17 sweeps dropout and the "
        "average of the weights on class-conditional ImageNet 64; its values were not at hand, so "
        "none are overlaid. It says that some dropout improves the best FID, which is reached "
        "later, and that decays of 0.9999 and 0.99995 were best."
    )
