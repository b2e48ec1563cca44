"""Fig. 4: quality of the samples against the fraction of the reverse process that is skipped.

A skipped chain starts from pure noise, but as if it were already at t = (1 - f) T. One curve per
schedule, of the mean over seeds with a 95% interval as a band, both axes linear.
"""

import json

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from studies.analyses.skip_prefix.paper import fig_4_numbers
from studies.drawing import captions, overlay, style
from studies.tables.groupings import arm_columns
from studies.tables.labels import distance_name, labelled
from studies.tables.rows import sampled_distances
from studies.tables.tables import Tables

TITLE = "Sample quality against the part of the reverse process skipped"
ARMS = ["rank", "arm", "schedule", "distance"]


def table(tables: Tables) -> pd.DataFrame:
    """Mean, interval and n of the distance for each arm, schedule and fraction, by source.

    Rows of the source `Fig. 4` are the paper's, and stand only beside comparable results.
    """
    scores = sampled_distances(tables)
    scores = labelled(scores, arm_columns(scores, without=("skip", "schedule")))
    scores["distance"] = [distance_name(json.loads(recipe)) for recipe in scores["recipe"]]
    return overlay.compared(scores, [*ARMS, "skip"], fig_4_numbers()).sort_values(
        ["rank", "schedule", "source", "skip"],
        ascending=[True, False, False, True],
        ignore_index=True,
    )


@style.styled
def draw(table: pd.DataFrame) -> Figure:
    """Curves named by their schedule; the paper's in black, where there are any."""
    figure, axes = style.new(3.4)
    distances = " / ".join(table["distance"].unique())
    axes.set(
        xlabel="fraction of the reverse process skipped",
        ylabel=f"{distances}\n(lower is better)",
    )
    arms = list(table["arm"].unique())
    for (_, arm, schedule, source), curve in table.groupby(
        ["rank", "arm", "schedule", "source"], sort=False
    ):
        name = style.mathematical(schedule if len(arms) == 1 else f"{schedule}: {arm}")
        if source == overlay.HERE:
            _draw_ours(axes, name, curve, arms.index(arm))
        else:
            pattern = style.schedule_style(str(schedule))["linestyle"]
            overlay.draw(axes, curve, "skip", linestyle=pattern)
    axes.set_ylim(bottom=0)
    style.legend(axes)
    return figure


def _draw_ours(axes: Axes, name: str, curve: pd.DataFrame, place: int) -> None:
    look = style.schedule_style(curve["schedule"].iloc[0])
    colour = style.lighter(look["color"], place)
    axes.plot(curve["skip"], curve["mean"], label=name, **{**look, "color": colour})
    style.band(axes, curve, "skip", colour, floor=0.0)


def caption(table: pd.DataFrame, tables: Tables) -> str:
    """What is drawn, the spread, what the paper's figure shows and why it is overlaid or not."""
    scores = sampled_distances(tables)
    beside = overlay.note_or_reasons(
        overlay.theirs(table),
        scores,
        fig_4_numbers(),
        lacking="curves are not overlaid",
        more="Dashes are those of our curves.",
    )
    return (
        f"Fréchet distance of {captions.counts(scores['images'])} samples per point to the "
        "reference images, both axes linear; the chain that is cut has "
        f"{captions.counts(scores['steps'])} steps, and begins with pure noise wherever it "
        f"begins. {captions.spread(overlay.ours(table))} {beside} In the paper's Fig. 4, on "
        "ImageNet 64, the linear curve stays level up to a fifth and the cosine one rises at once."
    )
