"""Fig. 2: which steps of the chain the bound is made of.

One curve per arm of the mean over seeds, with a 95% interval as a band; the strip marks the
first 5% of the steps. Each forward process, a schedule and its T, has a panel of its own.
"""

import math

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from studies.analyses.bound_terms.paper import FIG_2
from studies.drawing import captions, style
from studies.tables.groupings import arm_columns, over_seeds
from studies.tables.labels import labelled
from studies.tables.tables import Tables

PROCESS = ["schedule", "T"]
TITLE = "Terms of the bound by diffusion step"
FIRST_SHARE = 0.05
FLOOR = 1e-7
"""Where the paper's axis ends (bits/dim); ours goes on down while more than `BELOW` lies under."""
BELOW = 0.01
MARKERS = 8
"""On each curve, none at the place of another's: curves that coincide are told apart by them."""


def table(tables: Tables) -> pd.DataFrame:
    """Mean, interval and n in bits/dim for each arm and step; the prior's term is left out."""
    terms = tables.steps[tables.steps["part"] != "prior"]
    if terms.empty:
        return terms
    columns = arm_columns(terms)
    processes = terms.groupby(PROCESS, sort=False)
    terms = pd.concat([labelled(process, columns) for _, process in processes])
    arms = ["rank", "arm", "objective", "variance", "schedule", "T"]
    summary = over_seeds(terms, [*arms, "step"], value="mean")
    return summary.sort_values([*PROCESS, "rank", "step"], ignore_index=True)


@style.styled
def draw(table: pd.DataFrame) -> Figure:
    """Curves on a log scale; terms that are not above zero have no place on it."""
    processes = list(table.groupby(PROCESS, sort=False))
    figure, panels = style.panels(len(processes), 3.6)
    for axes, ((schedule, _), terms) in zip(panels, processes, strict=True):
        T = int(terms["T"].iloc[0])
        _draw_process(axes, terms, longest=T)
        axes.set_ylim(floor_of(table), 2 * float(table["mean"].max()))
        if len(processes) > 1:
            axes.set_title(f"{schedule} schedule, T = {T:,}", fontsize=9)
    panels[0].set_ylabel("term of the bound (bits/dim)")
    style.legend(*panels)
    return figure


def _draw_process(axes: Axes, table: pd.DataFrame, *, longest: int) -> None:
    axes.set(yscale="log", xlabel="diffusion step")
    axes.set_xlim(-0.01 * longest, longest)
    axes.axvspan(0, FIRST_SHARE * longest, color="#f1efe8", zorder=0, linewidth=0)
    curves = list(table[table["mean"] > 0].groupby(["rank", "arm"]))
    for place, ((_, arm), whole) in enumerate(curves):
        curve = style.thinned(whole)
        first, every = curve.iloc[0], -(-len(curve) // MARKERS)
        look = style.arm_style(first)
        axes.plot(
            curve["step"],
            curve["mean"],
            label=style.mathematical(arm),
            markevery=(place * every // len(curves), every),
            linewidth=1.0,
            **look,
        )
        style.band(axes, curve, "step", look["color"], floor=style.below(curve))


def floor_of(table: pd.DataFrame) -> float:
    """Where the vertical axis begins: a power of ten."""
    low = float(np.quantile(table["mean"][table["mean"] > 0], BELOW))
    return min(FLOOR, 10.0 ** math.floor(math.log10(low)))


def caption(table: pd.DataFrame, tables: Tables) -> str:
    """What is drawn, the spread, the terms that are zero, and what the paper's figure shows."""
    first, last = FIG_2[0], FIG_2[max(FIG_2)]
    return " ".join(
        [
            "The mean over the test images of each term of the bound, in bits/dim, on a log scale; "
            "the shaded strip holds the first 5% of the steps. Markers of no two curves share a "
            "step, so that those that coincide are seen.",
            captions.spread(table),
            _unseen(table),
            f"The paper's Fig. 2 (T = {max(FIG_2)}) falls from about {first:g} at the first step "
            f"to about {last:.0e} at the last (digitised). It is not overlaid: the paper does not "
            "say which network and data it shows.",
        ]
    )


def _unseen(table: pd.DataFrame) -> str:
    floor = floor_of(table)
    low = table[table["mean"] < floor]
    if low.empty:
        return f"No term is below the axis, which begins at {floor:.0e}."
    said = [
        f"{len(steps)} of {arm} ({captions.span(steps['step'])}; {_values(steps['mean'])})"
        for arm, steps in low.groupby("arm", sort=False)
    ]
    return f"Below the axis, which begins at {floor:.0e}, are the terms: {'; '.join(said)}."


def _values(terms: pd.Series) -> str:
    ends = (f"{value:.0e}" if value else "zero" for value in (terms.min(), terms.max()))
    return " to ".join(dict.fromkeys(ends))
