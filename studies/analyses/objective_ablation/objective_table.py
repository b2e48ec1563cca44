"""Tables 1 and 2: bits/dim and Fréchet distance by schedule, T and objective.

One row per network, in the tables' order, each with the mean over seeds and its 95% interval; the
paper's number beside it where every setting behind the two is the same.
"""

import json

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from studies.analyses.objective_ablation.paper import table_numbers
from studies.drawing import captions, distance_axis, overlay, style
from studies.tables.labels import distance_name
from studies.tables.rows import asked
from studies.tables.table_rows import bounds, distances
from studies.tables.tables import Tables

TITLE = "Bits/dim and sample quality by schedule, T and objective"
COLUMNS = ["row", "metric", "title", "variance", "T", "steps", "images"]


def table(tables: Tables) -> pd.DataFrame:
    """Mean, interval and n of both metrics for each row of the table, by source."""
    rows = _measured(tables)
    if rows.empty:
        return pd.DataFrame(columns=[*COLUMNS, "mean", "low", "high", "n", "source"])
    places = {row: place for place, row in enumerate(_in_order(rows))}
    whole = overlay.compared(rows, COLUMNS, table_numbers())
    return whole.assign(rank=whole["row"].map(places)).sort_values(
        ["metric", "rank", "source"], ascending=[True, True, False], ignore_index=True
    )


def _measured(tables: Tables) -> pd.DataFrame:
    scores = asked(tables, "frechet_distance")
    both = [found for found in (bounds(tables), distances(scores)) if len(found)]
    if not both:
        return pd.DataFrame()
    rows = pd.concat(both, ignore_index=True)
    rows = rows[rows["value"].notna()]
    titles = [
        "bits/dim" if metric == "bits_per_dim" else distance_name(json.loads(recipe))
        for metric, recipe in zip(rows["metric"], rows["recipe"], strict=True)
    ]
    return rows.assign(title=pd.Series(titles, rows.index, dtype=object))


def _in_order(rows: pd.DataFrame) -> list[str]:
    places = dict(zip(rows["row"], rows["order"], strict=True))
    return sorted(places, key=lambda row: places[row])


@style.styled
def draw(table: pd.DataFrame) -> Figure:
    """A panel for each metric, side by side; the rows from top to bottom."""
    names = table.drop_duplicates("row").set_index("rank")["row"].sort_index()
    metrics = list(table.groupby("metric", sort=True))
    figure, panels = style.panels(len(metrics), 1.0 + 0.36 * len(names))
    for axes, (metric, rows) in zip(panels, metrics, strict=True):
        _draw_rows(axes, rows)
        axes.set_xlabel(" / ".join(rows["title"].unique()))
        axes.set_ylim(max(names.index) + 0.6, -0.6)
        axes.set_yticks(names.index, [""] * len(names))
        if metric == "frechet_distance" and not distance_axis.is_linear(rows["title"]):
            axes.set_xscale("log")
            style.plain_log_ticks(axes.xaxis)
    panels[0].set_yticks(names.index, [style.mathematical(name) for name in names])
    overlay.legend(figure)
    return figure


def _draw_rows(axes: Axes, rows: pd.DataFrame) -> None:
    theirs = overlay.theirs(rows)
    for _, row in overlay.ours(rows).iterrows():
        style.dot(axes, row)
    if len(theirs):
        overlay.draw(axes, theirs, "mean", "rank")
    axes.grid(visible=False, axis="y")


def caption(table: pd.DataFrame, tables: Tables) -> str:
    """What each row is, the spread, what the resampling did, and why the paper's stand or not."""
    ours = overlay.ours(table)
    return " ".join(
        filter(
            None,
            [
                "The rows of the paper's Tables 1 and 2, one network each; lower is better. "
                "Networks that learned no Σ are read with Σ = β (circles), which the paper states "
                "for its first row alone; the others with theirs (triangles).",
                _counts(ours),
                _spread(ours),
                captions.resampling_note(tables),
                overlay.note_or_reasons(
                    overlay.theirs(table),
                    _measured(tables),
                    table_numbers(),
                    lacking="numbers are not drawn",
                ),
            ],
        )
    )


def _counts(ours: pd.DataFrame) -> str:
    said = []
    for metric, rows in ours.groupby("metric"):
        images = captions.counts(rows["images"])
        if metric == "bits_per_dim":
            said.append(f"Bits/dim are over {images} images and {captions.bound_steps(rows)}.")
        else:
            steps = captions.counts(rows["steps"])
            scale = "linear" if distance_axis.is_linear(rows["title"]) else "log"
            said.append(
                f"Fréchet distances are over {images} samples at {steps} sampling steps, on a "
                f"{scale} axis."
            )
    return " ".join(said)


def _spread(ours: pd.DataFrame) -> str:
    n = captions.seeds(ours)
    if n == "1":
        return f"{captions.ONE_SEED}, and so no bar."
    return captions.intervals(n, marks="Points", bars="bars")
