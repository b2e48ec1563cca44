"""Metrics along training: one curve per arm, over the number of training steps or their compute.

Every milestone of a trajectory is an arm of its own in a study's tables; here those that differ in
nothing but their length make one curve. The columns `hue` and `dash` of a table of curves say which
settings colour and pattern stand for, so that several panels look alike.
"""

import json
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import pandas as pd
from matplotlib.axes import Axes

from studies.drawing import style
from studies.tables.groupings import arm_columns, over_seeds
from studies.tables.labels import apart, distance_name, setting
from studies.tables.rows import asked, with_own_variance
from studies.tables.tables import Tables

FOLLOWED = ("frechet_distance", "bits_per_dim")
"""Metrics that are drawn along a training, in this order: the quality of samples and the bound."""
MARKERS = ("o", "s", "^", "D", "v", "P")
DASHES = ("solid", style.DASHED, (0, (1, 1.2)))
BITS_PER_DIM = "bits/dim"


def measured(tables: Tables, metric: str) -> pd.DataFrame:
    """The rows of a metric that have a value; a network that learned its Σ is read with that."""
    rows = with_own_variance(asked(tables, metric))
    return rows[rows["value"].notna()]


def curves(
    rows: pd.DataFrame,
    *,
    x: str = "training_steps",
    hue: str,
    dash: str | None = None,
    without: Sequence[str] = (),
) -> pd.DataFrame:
    """Mean over seeds, interval and n of each arm at each length of training.

    Args:
        rows: Of one metric, each with a value.
        x: The column that runs along a curve.
        hue: The column that tells the colours apart.
        dash: The one that tells the patterns apart; None: all are solid.
        without: Columns in which the arms of one curve may differ.

    Returns:
        Columns quantity, rank, arm, hue, dash, x, mean, low, high and n.
    """
    columns = arm_columns(rows, without=("train.steps", *without))
    rows = apart(rows, columns)
    rows = rows.assign(
        quantity=[quantity(metric, recipe) for metric, recipe in _metric_and_recipe(rows)],
        hue=_words(rows, hue),
        dash=_words(rows, dash),
    )
    found = over_seeds(rows, ["quantity", "rank", "arm", "hue", "dash", x])
    return found.sort_values(["quantity", "rank", x], ignore_index=True)


def _metric_and_recipe(rows: pd.DataFrame) -> Iterator[tuple[str, str]]:
    return zip(rows["metric"], rows["recipe"], strict=True)


def quantity(metric: str, recipe: str) -> str:
    """What a metric is called in a figure, by what it is over."""
    return BITS_PER_DIM if metric == "bits_per_dim" else distance_name(json.loads(recipe))


def _words(rows: pd.DataFrame, column: str | None) -> list[str]:
    """The setting of a column in words; nothing where the study does not vary it."""
    if column is None or column not in rows:
        return [""] * len(rows)
    return ["" if pd.isna(v) else setting(column, v) for v in rows[column].astype(object)]


def joined(tables: Iterable[pd.DataFrame]) -> pd.DataFrame:
    """Tables of curves below one another; an empty one where there are none."""
    found = list(tables)
    return pd.concat(found, ignore_index=True) if found else pd.DataFrame(columns=["quantity"])


def looks(table: pd.DataFrame) -> dict[str, dict[str, Any]]:
    """Colour, marker and pattern of each arm, by its name."""
    hues = list(dict.fromkeys(table["hue"]))
    dashes = [dash for dash in dict.fromkeys(table["dash"]) if dash] or [""]
    return {
        arm["arm"]: {
            "color": style.PALETTE[hues.index(arm["hue"]) % len(style.PALETTE)],
            "marker": MARKERS[hues.index(arm["hue"]) % len(MARKERS)],
            "linestyle": DASHES[dashes.index(arm["dash"] or dashes[0]) % len(DASHES)],
            "markeredgecolor": "white",
            "markeredgewidth": 0.6,
        }
        for _, arm in table.drop_duplicates("arm").iterrows()
    }


def draw_curves(
    axes: Axes, table: pd.DataFrame, looks: dict[str, dict[str, Any]], *, x: str = "training_steps"
) -> None:
    """The curves of one quantity with their bands; both axes are the caller's to scale."""
    for (_, arm), curve in table.groupby(["rank", "arm"]):
        look = looks[str(arm)]
        axes.plot(curve[x], curve["mean"], label=style.mathematical(arm), **look)
        style.band(axes, curve, x, look["color"], floor=style.below(curve))


def draw_along_steps(axes: Axes, table: pd.DataFrame, looks: dict[str, dict[str, Any]]) -> None:
    """The same over training steps, with the quantity's name at the side."""
    axes.set(xlabel="training steps", ylabel=" / ".join(table["quantity"].unique()))
    draw_curves(axes, table, looks)
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
