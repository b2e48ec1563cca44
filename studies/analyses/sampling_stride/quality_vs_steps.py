"""Fig. 8: quality of the samples against the number of sampling steps.

One curve per objective, Σ and sampler, of the mean over seeds with a 95% interval as a band;
networks that were looked at before their training ended are dashed. The paper's curves are laid
over ours only where every setting behind them is the same. Arms that were trained with another
batch size or learning rate than the rest are the business of `quality_by_batch`.
"""

import json
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from studies.analyses.sampling_stride.paper import fig_8_numbers
from studies.drawing import captions, distance_axis, overlay, style
from studies.tables.groupings import arm_columns, is_longest
from studies.tables.labels import distance_name, labelled
from studies.tables.rows import sampled_distances
from studies.tables.tables import Tables

TITLE = "Sample quality against sampling steps"
BATCH = ("train.batch_size", "train.optimizer.learning_rate")
ARMS = [
    *("rank", "arm", "objective", "variance", "sampler"),
    *("training_steps", "finished", "distance"),
]


def table(tables: Tables) -> pd.DataFrame:
    """Mean, interval and n of the distance for each arm and number of steps, by source.

    Rows of the source `Fig. 8` are the paper's, and stand only beside comparable results.
    """
    return quality(tables, usual_batch(sampled_distances(tables)))


def quality(tables: Tables, scores: pd.DataFrame) -> pd.DataFrame:
    """The same table of a choice of the study's scores."""
    scores = labelled(scores, arm_columns(scores, without=("steps",)))
    scores["finished"] = is_longest(scores)
    scores["distance"] = [distance_name(json.loads(recipe)) for recipe in scores["recipe"]]
    return overlay.compared(scores, [*ARMS, "steps"], fig_8_numbers()).sort_values(
        ["rank", "source", "steps"], ascending=[True, False, True], ignore_index=True
    )


def usual_batch(scores: pd.DataFrame) -> pd.DataFrame:
    """The scores of the batch size and learning rate that most of them have."""
    for column in BATCH:
        if column in scores and len(scores):
            scores = scores[scores[column] == scores[column].mode()[0]]
    return scores


@style.styled
def draw(table: pd.DataFrame) -> Figure:
    """Curves over log-spaced steps; the paper's in black, where there are any."""
    figure, axes = style.new(3.9)
    distances = list(table["distance"].unique())
    axes.set(
        xscale="log", xlabel="sampling steps", ylabel=f"{' / '.join(distances)}\n(lower is better)"
    )
    looks = style.looks(overlay.ours(table))
    for (_, arm, source), curve in table.groupby(["rank", "arm", "source"], sort=False):
        if source == overlay.HERE:
            _draw_ours(axes, arm, curve, looks[str(arm)])
        else:
            look = looks[str(arm)]
            overlay.draw(axes, curve, "steps", marker=look["marker"], linestyle=look["linestyle"])
    counts = sorted(table["steps"].unique())
    axes.set_xticks(counts, [f"{count:g}" for count in counts])
    axes.set_xticks([], minor=True)
    distance_axis.scale_y(axes, distances, table["mean"])
    style.legend(axes)
    return figure


def _draw_ours(axes: Axes, arm: object, curve: pd.DataFrame, look: dict[str, Any]) -> None:
    axes.plot(curve["steps"], curve["mean"], label=style.mathematical(arm), **look)
    style.band(axes, curve, "steps", look["color"], floor=style.below(curve))


def caption(table: pd.DataFrame, tables: Tables) -> str:
    """What is drawn, the spread, what the paper's figure shows and why it is overlaid or not."""
    ours, scores = overlay.ours(table), sampled_distances(tables)
    beside = overlay.note_or_reasons(
        overlay.theirs(table),
        scores,
        fig_8_numbers(),
        lacking="curves are not overlaid",
        more="Markers and dashes are those of our curves.",
    )
    images = captions.counts(scores["images"])
    names = list(table["distance"].unique())
    return (
        f"Fréchet distance of {images} samples per point to the "
        f"reference images, {distance_axis.scale_note(names)}. "
        f"{distance_axis.above_note(names, table['mean'])}{captions.spread(ours)} "
        f"{training_note(ours)}{beside} "
        "The paper's Fig. 8 has linear FID axes: Σ = β is far off the axis below some hundred "
        "steps, and learned Σ stays nearly flat down to 50."
    )


def training_note(table: pd.DataFrame) -> str:
    """What dashes mean, where there are any."""
    if table["finished"].all():
        return ""
    lengths = sorted(set(table[~table["finished"]]["training_steps"].astype(int)))
    return f"Dashed: the same trainings after {' or '.join(f'{n:,}' for n in lengths)} steps. "
