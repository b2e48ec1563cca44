"""Fig. 5: ᾱ_t, the share of the image's variance left, along every schedule there is.

Nothing here is measured: the schedule alone decides (Eq. 17 for the cosine).
"""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from iddpm.schedules import SCHEDULES, alpha_bar, betas
from studies.drawing import style
from studies.tables.tables import Tables

TITLE = "ᾱ along the diffusion process"
T = 4000
EVERY = 10
"""Steps between points: the curves are smooth."""


def table(tables: Tables) -> pd.DataFrame:
    """Schedule, step t as on paper (0 is the image), its place t/T, and ᾱ_t."""
    steps = np.arange(0, T + 1, EVERY)
    frames = [
        pd.DataFrame(
            {
                "schedule": schedule,
                "step": steps,
                "place": steps / T,
                "alpha_bar": np.array([1.0, *alpha_bar(betas(schedule, T))])[steps],
            }
        )
        for schedule in SCHEDULES
    ]
    return pd.concat(frames, ignore_index=True)


@style.styled
def draw(table: pd.DataFrame) -> Figure:
    """One curve per schedule, both axes linear."""
    figure, axes = style.new(2.9)
    for schedule, curve in table.groupby("schedule", sort=False):
        look = {**style.schedule_style(str(schedule)), "marker": ""}
        axes.plot(curve["place"], curve["alpha_bar"], label=schedule, **look)
    axes.set(xlim=(0, 1), ylim=(0, 1.02), xlabel="diffusion step $t/T$")
    axes.set_ylabel(r"$\bar{\alpha}_t$", fontsize=10)
    axes.legend(loc="upper right")
    return figure


def caption(table: pd.DataFrame, tables: Tables) -> str:
    """What is drawn, with a few of its values, and what the paper's figure shows."""
    quarters = table[(4 * table["place"]).isin([1, 2, 3])]
    said = [
        f"{schedule} {', '.join(f'{value:.3g}' for value in curve['alpha_bar'])}"
        for schedule, curve in quarters.groupby("schedule", sort=False)
    ]
    return (
        f"ᾱ under each schedule of T = {T:,} steps, both axes linear; another "
        "T of some hundreds gives curves that the eye cannot tell from these. At a quarter, a half "
        f"and three quarters of the process it is: {'; '.join(said)}. The paper's Fig. 5 shows the "
        "same curves for linear and cosine: they are a property of the schedule, so no seed and no "
        "data enter."
    )
