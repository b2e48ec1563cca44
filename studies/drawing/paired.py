"""Arms against a baseline, paired by seed: the figure that a page begins with."""

import math

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from studies.drawing import style
from studies.tables.answer import Answer
from studies.tables.paired import is_told

LABEL_IN = 2.6
"""Longest line of the label beside the axis."""
ROW_IN = 0.44
"""Height of a row where arms stand below each other."""
APART = 0.7
"""Share of the room between two places that the arms at one of them take."""
SEEDS_APART = 0.045
"""How far the dots of the seeds stand from their mean, in places of an axis."""
AXES = {
    "steps": "steps",
    "skip": "share of the reverse process that is skipped",
    "train.steps": "training steps",
}
METRICS = {
    "frechet_distance": "Fréchet distance",
    "bits_per_dim": "bits/dim",
    "log_noise_scale": "gradient noise scale",
}
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")


def draw(table: pd.DataFrame, answer: Answer) -> Figure:
    """Every arm's ratio to its baseline, or difference: mean, interval, and a dot for each seed.

    Args:
        table: As `studies.tables.paired.paired` gives it, not empty.
        answer: What is compared.
    """

    @style.styled
    def drawn(table: pd.DataFrame) -> Figure:
        return _along(table, answer) if table["at"].nunique() > 1 else _side_by_side(table, answer)

    return drawn(table)


def _along(table: pd.DataFrame, answer: Answer) -> Figure:
    figure, axes = style.new(3.6)
    places = {at: place for place, at in enumerate(sorted(table["at"].unique()))}
    arms = list(dict.fromkeys(table["arm"]))
    for number, arm in enumerate(arms):
        rows = table[table["arm"] == arm]
        shift = APART * ((number + 0.5) / len(arms) - 0.5)
        at = np.array([places[one] + shift for one in rows["at"]])
        _points(axes, rows, at, number, label=style.mathematical(arm))
    axes.set_xticks(list(places.values()), [_place(at, answer) for at in places])
    axes.set_xlabel(AXES.get(answer.along, answer.along))
    axes.set_xlim(-0.6, len(places) - 0.4)
    axes.grid(visible=False, axis="x")
    axes.set_ylabel(f"{_quantity(table, answer, most_in=LABEL_IN)}\n(lower is better)")
    _axis(axes, table, answer, "y")
    style.legend(axes)
    return figure


def _side_by_side(table: pd.DataFrame, answer: Answer) -> Figure:
    figure, axes = style.new(1.1 + ROW_IN * len(table))
    for number, (_, row) in enumerate(table.iterrows()):
        _points(axes, row.to_frame().T, np.array([number]), number, flat=True)
    labels = [style.in_lines(arm, most_in=2.3) for arm in table["arm"]]
    axes.set_yticks(range(len(table)), labels)
    axes.set_ylim(len(table) - 0.4, -0.6)
    axes.grid(visible=False, axis="y")
    axes.set_xlabel(f"{_quantity(table, answer, most_in=math.inf)} (lower is better)")
    _axis(axes, table, answer, "x")
    return figure


def _points(
    axes: Axes,
    rows: pd.DataFrame,
    at: "np.ndarray[tuple[int], np.dtype[np.float64]]",
    number: int,
    *,
    label: str = "",
    flat: bool = False,
) -> None:
    """The arm of this number, at these places: a filled marker where the interval tells."""
    colour, marker = style.PALETTE[number % 8], MARKERS[number % len(MARKERS)]
    for place, (_, row) in zip(at, rows.iterrows(), strict=True):
        seeds = list(row["seeds"].values())
        beside = [place - SEEDS_APART] * len(seeds)
        xy = (seeds, beside) if flat else (beside, seeds)
        axes.plot(*xy, color=colour, marker=".", linestyle="none", markersize=4.5, alpha=0.6)
        ends = [[row["estimate"] - row["low"]], [row["high"] - row["estimate"]]]
        bar = ends if math.isfinite(row["high"]) else None
        axes.errorbar(
            row["estimate"] if flat else place,
            place if flat else row["estimate"],
            xerr=bar if flat else None,
            yerr=None if flat else bar,
            color=colour,
            marker=marker,
            markersize=5.5,
            markerfacecolor=colour if is_told(row) else "white",
            linestyle="none",
            linewidth=1.3,
            capsize=2.5,
            label=label,
        )
        label = ""


def _axis(axes: Axes, table: pd.DataFrame, answer: Answer, name: str) -> None:
    """A line where the baseline is, and room for every interval that is not far off."""
    line = axes.axhline if name == "y" else axes.axvline
    line(1 if answer.is_ratio else 0, color=style.GREY, linewidth=1.0)
    axis = axes.yaxis if name == "y" else axes.xaxis
    low, high = ends(table, answer)
    if answer.is_ratio:
        axes.set(**{f"{name}scale": "log"})
        style.plain_log_ticks(axis)
    axes.set(**{f"{name}lim": (low, high)})


def ends(table: pd.DataFrame, answer: Answer) -> tuple[float, float]:
    """Where the axis ends: behind every seed, and behind intervals up to thrice as far as those."""
    seeds = [value for values in table["seeds"] for value in values.values()]
    middle = 1.0 if answer.is_ratio else 0.0
    back = (lambda x: math.log(x)) if answer.is_ratio else (lambda x: x)
    reach = max((abs(back(value)) for value in [*seeds, middle]), default=0.0) or 0.05
    bounds = [back(v) for v in (*table["low"], *table["high"]) if 0 < abs(v) < math.inf]
    low = max(min([*bounds, -reach]), -3 * reach)
    high = min(max([*bounds, reach]), 3 * reach)
    room = 0.08 * (high - low)
    ends = low - room, high + room
    return (math.exp(ends[0]), math.exp(ends[1])) if answer.is_ratio else ends


def _quantity(table: pd.DataFrame, answer: Answer, *, most_in: float) -> str:
    """What is drawn, in lines of at most so many inches."""
    metric = METRICS.get(answer.metric, answer.metric.replace("_", " "))
    how = "over that of" if answer.is_ratio else "minus that of"
    return style.in_lines(f"{metric} {how} {table['baseline'].iloc[0]}", most_in=most_in)


def _place(at: float, answer: Answer) -> str:
    return f"{at:.0%}" if answer.along == "skip" else f"{at:,g}"


def caption(table: pd.DataFrame) -> str:
    """How the figure is read."""
    counts = sorted(set(table["n"].astype(int)))
    seeds = "one seed, which has no interval" if counts == [1] else f"{counts[-1]} seeds"
    if len(counts) > 1:
        seeds = f"{counts[0]} to {counts[-1]} seeds"
    lost = int(table["left_out"].sum())
    left_out = f" {lost} pairs with a distance of zero have no ratio and are left out." * (lost > 0)
    return (
        f"Paired by seed ({seeds}): small dots are seeds, markers their mean, bars its 95% "
        "interval; a filled marker has an interval that leaves the line. The "
        f"{len(table)} intervals are pointwise, not corrected for their number.{left_out}"
    )
