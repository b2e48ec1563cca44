"""How far each part of the randomness moves a result, and which gap between arms means something.

A distance is taken by its logarithm, so that its deviations are shares; bits/dim as they are.
"""

import math
from collections.abc import Iterator

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from scipy.special import ndtri

from studies.analyses.lottery.paper import PARTS, SAMPLING
from studies.drawing import along, style
from studies.tables import components
from studies.tables.components import Design
from studies.tables.intervals import CONFIDENCE
from studies.tables.rows import alike
from studies.tables.tables import Tables

TITLE = "How far the seed moves a result"

RETRAINING, RESAMPLING, ALL = "training, all of it", "sampling, all of it", "all of it"
NAMES = {
    **PARTS,
    components.REST: "how these go together",
    components.SAMPLING: "sampling, alike for all networks",
    components.BOTH: "sampling, of one network",
}
SHARES = {"frechet_distance": 100.0, "bits_per_dim": 1.0}
"""By metric, the scale on which its deviations are shown: percent of a distance, bits/dim."""
UNITS = {"frechet_distance": ", %", "bits_per_dim": ""}
SEEDS = (1, 3, 5)
"""Numbers of seeds for which a caption says which gap means something."""


COLUMNS = ("quantity", "metric", "part", "is_sum", "deviation", "low", "high")
RATIO = ("ratio", "ratio_low", "ratio_high")


def table(tables: Tables) -> pd.DataFrame:
    """A row for each quantity and part: its standard deviation between seeds, with its interval.

    Sums of parts are rows too. On the last of them, `ratio` is the deviation between trainings over
    that between samplings of one training; NaN where nothing is sampled.
    """
    rows = [
        {"quantity": quantity, "metric": metric, **row}
        for metric in SHARES
        for quantity, design in _designs(tables, metric)
        for row in _rows(design, SHARES[metric])
    ]
    return pd.DataFrame(rows, columns=[*COLUMNS, *RATIO, "trainings", "samplings"])


def _designs(tables: Tables, metric: str) -> Iterator[tuple[str, Design]]:
    """The balanced designs in which the study measured a metric, each with the quantity's name."""
    rows = along.measured(tables, metric)
    sampling = SAMPLING if metric == "frechet_distance" else None
    columns = [*PARTS, *([sampling] if sampling else [])]
    if rows.empty or not {*columns} <= {*rows.columns}:
        return
    if metric == "frechet_distance":
        rows = rows.assign(value=np.log(rows["value"]))
    arms = list(alike(rows, *columns))
    for name, arm in arms:
        design = components.design(arm, list(PARTS), sampling)
        if design is not None:
            quantity = along.quantity(metric, str(arm["recipe"].iloc[0]))
            yield f"{quantity}, {name}" if len(arms) > 1 else quantity, design


def _rows(design: Design, scale: float) -> Iterator[dict[str, object]]:
    shared = {"trainings": design.trainings, "samplings": design.samplings}
    groups = {RETRAINING: design.of_training, RESAMPLING: design.of_sampling}
    for whole, names in groups.items():
        for name in names:
            yield {**shared, **_row(design, scale, NAMES[name], name)}
        if design.of_sampling:
            yield {**shared, **_row(design, scale, whole, *names), "is_sum": True}
    every = [name for names in groups.values() for name in names]
    row = {**shared, **_row(design, scale, ALL, *every), "is_sum": True}
    if design.of_sampling:
        ratio = design.deviation_ratio(design.of_training, design.of_sampling)
        row |= dict(zip(RATIO, ratio, strict=True))
    yield row


def _row(design: Design, scale: float, part: str, *names: str) -> dict[str, object]:
    """The standard deviation of some components together; 0 where the estimate is below."""
    deviations = [scale * math.sqrt(max(0.0, end)) for end in design.component(*names)]
    ends = dict(zip(("deviation", "low", "high"), deviations, strict=True))
    return {"part": part, "is_sum": False, **ends}


@style.styled
def draw(table: pd.DataFrame) -> Figure:
    """One panel per quantity: a dot for each part's deviation, a line for its interval."""
    quantities = list(dict.fromkeys(table["quantity"]))
    parts = list(dict.fromkeys(table["part"]))
    figure, panels = style.panels(len(quantities), 0.8 + 0.28 * len(parts))
    for axes, quantity in zip(panels, quantities, strict=True):
        shown = table[table["quantity"] == quantity]
        places = np.array([parts.index(part) for part in shown["part"]])
        for is_sum, colour in ((False, style.PALETTE[0]), (True, style.PALETTE[1])):
            of_it = (shown["is_sum"] == is_sum).to_numpy()
            rows = shown[of_it]
            axes.hlines(places[of_it], rows["low"], rows["high"], color=colour)
            axes.plot(rows["deviation"], places[of_it], "o", color=colour)
        unit = UNITS[shown["metric"].iloc[0]]
        axes.set(ylim=(len(parts) - 0.5, -0.5), xlim=(0, None))
        axes.set_xlabel(style.in_lines(f"deviation of {quantity}{unit}"))
        axes.set_yticks(range(len(parts)), parts if axes is panels[0] else [""] * len(parts))
    return figure


def caption(table: pd.DataFrame, tables: Tables) -> str:
    """What was measured, how far it spreads, and which gap between two arms means something."""
    whole = table[table["part"] == ALL]
    first = whole.iloc[0]
    several = f" and {first['samplings']:.0f} seeds of sampling" if first["samplings"] > 1 else ""
    return " ".join(
        (
            f"Standard deviations between seeds: {first['trainings']:.0f} trainings over seeds of "
            f"their initial weights, of the order of the images and of the noise{several}.",
            *meanings(table),
            f"Lines are {CONFIDENCE:.0%} generalized intervals of the balanced analysis of "
            "variance; a part that was not seen stands at 0. The paper trains each network once.",
        )
    )


def meanings(table: pd.DataFrame) -> list[str]:
    """For each quantity, a sentence on the gap between two arms that means something."""
    return [_meaning(row) for _, row in table[table["part"] == ALL].iterrows()]


def _meaning(whole: pd.Series) -> str:
    """What one quantity's spread means for the comparison of two arms."""
    gaps = [f"{_gap(whole, seeds)} with {_seeds(seeds)}" for seeds in SEEDS]
    quantity = whole["quantity"]
    said = f"By luck alone, one pair of arms in twenty lies apart in {quantity} by"
    ratio = ""
    if np.isfinite(whole["ratio"]):
        low, high = whole["ratio_low"], whole["ratio_high"]
        ratio = (
            f"; training again moves it {whole['ratio']:.2g} times as far as sampling again "
            f"({low:.2g} to {high:.2g})"
        )
    return f"{said} more than {', '.join(gaps)} each{ratio}."


def _gap(whole: pd.Series, seeds: int) -> str:
    """How far the means of two arms lie apart by luck alone, at most in 95% of cases."""
    gap = float(ndtri((1 + CONFIDENCE) / 2)) * whole["deviation"] * math.sqrt(2 / seeds)
    if whole["metric"] == "frechet_distance":
        return f"{100 * math.expm1(gap / 100):.2g}%"
    return f"{gap:.2g} bits/dim"


def _seeds(number: int) -> str:
    return "one seed" if number == 1 else f"{number} seeds"
