"""Fig. 8: quality of the samples against the number of sampling steps.

One curve per objective, Σ and sampler, of the mean over seeds with a 95% interval as a band. The
paper's curves are laid over ours only where every setting behind them is the same.
"""

import json
from collections.abc import Iterator

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from studies.figures import style
from studies.figures.vlb_terms import spread
from studies.labels import distance_name, labelled, mode
from studies.paper import Published, fig_8_numbers, reasons_against, same_cell, settings_of
from studies.tables import Tables, arm_columns, over_seeds, records

TITLE = "Sample quality against sampling steps"
HERE = "this study"


def table(tables: Tables) -> pd.DataFrame:
    """Mean, interval and n of the distance for each arm and number of steps, by source.

    Rows of the source `Fig. 8` are the paper's, and stand only beside comparable results.
    """
    scores = _scores(tables)
    columns = arm_columns(scores, without=("steps",))
    scores = labelled(scores, columns)
    arms = ["rank", "arm", "objective", "variance", "sampler", "distance"]
    scores["distance"] = [distance_name(json.loads(recipe)) for recipe in scores["recipe"]]
    ours = over_seeds(scores, [*arms, "steps"]).assign(source=HERE)
    theirs = pd.DataFrame(_overlay(scores), columns=[*arms, "steps", "mean", "n", "source"])
    whole = pd.concat([ours, theirs], ignore_index=True) if len(theirs) else ours
    return whole.sort_values(
        ["rank", "source", "steps"], ascending=[True, False, True], ignore_index=True
    )


def _scores(tables: Tables) -> pd.DataFrame:
    results = tables.results
    return results[(results["metric"] == "frechet_distance") & results["value"].notna()]


def _overlay(scores: pd.DataFrame) -> Iterator[dict[str, object]]:
    """The paper's numbers that share every setting with one of ours, each once."""
    for row in records(scores.drop_duplicates(["arm", "steps"])):
        for published in fig_8_numbers():
            if same_cell(published, row) and not reasons_against(published, settings_of(row)):
                yield {**row, "mean": published.value, "n": 1, "source": published.source}


@style.styled
def draw(table: pd.DataFrame) -> Figure:
    """Curves over log-spaced steps; the paper's in black, where there are any."""
    figure, axes = style.new(3.9)
    distances = " / ".join(table["distance"].unique())
    axes.set(
        xscale="log",
        yscale="log",
        xlabel="sampling steps",
        ylabel=f"{distances}  (lower is better)",
    )
    for (_, arm, source), curve in table.groupby(["rank", "arm", "source"], sort=False):
        if source == HERE:
            _draw_ours(axes, arm, curve)
        else:
            axes.plot(
                curve["steps"],
                curve["mean"],
                color="black",
                linewidth=0.8,
                marker="x",
                label=style.mathematical(f"paper, {source}: {arm}"),
            )
    counts = sorted(table["steps"].unique())
    axes.set_xticks(counts, [f"{count:g}" for count in counts])
    axes.set_xticks([], minor=True)
    style.plain_log_ticks(axes.yaxis)
    axes.legend(loc="upper right")
    return figure


def _draw_ours(axes: Axes, arm: object, curve: pd.DataFrame) -> None:
    first = curve.iloc[0].reindex([*curve.columns, "eta"])
    look = style.arm_style(first["objective"], mode(first), marked=True)
    axes.plot(curve["steps"], curve["mean"], label=style.mathematical(arm), **look)
    several = curve[np.isfinite(curve["low"])]
    axes.fill_between(
        several["steps"],
        several["low"].clip(lower=curve["mean"].min() / 10),
        several["high"],
        color=look["color"],
        alpha=style.BAND_ALPHA,
        linewidth=0,
    )


def caption(table: pd.DataFrame, tables: Tables) -> str:
    """What is drawn, the spread, what the paper's figure shows and why it is overlaid or not."""
    ours = table[table["source"] == HERE]
    images = sorted({int(images) for images in _scores(tables)["images"]})
    return (
        f"Fréchet distance of {' or '.join(f'{n:,}' for n in images)} samples per point to the "
        f"reference images, both axes logarithmic. {spread(ours)} {_overlay_note(table, tables)} "
        "The paper's Fig. 8 has linear FID axes: Σ = β is far off the axis below some hundred "
        "steps, and learned Σ stays nearly flat down to 50."
    )


def _overlay_note(table: pd.DataFrame, tables: Tables) -> str:
    if (table["source"] != HERE).any():
        return (
            "Crosses: the paper's numbers, digitised from its Fig. 8, where every setting agrees."
        )
    reasons = closest_reasons(_scores(tables), tuple(fig_8_numbers()))
    return f"The paper's curves are not overlaid; what differs: {', '.join(reasons)}."


def closest_reasons(rows: pd.DataFrame, published: tuple[Published, ...]) -> list[str]:
    """What differs from the published number that differs least from any of these results."""
    arms = rows.drop_duplicates(["objective", "schedule", "T", "training_steps", "recipe"])
    found = [reasons_against(p, settings_of(row)) for row in records(arms) for p in published]
    return min(found, key=lambda reasons: len(reasons))
