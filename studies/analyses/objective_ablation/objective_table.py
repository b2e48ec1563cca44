"""Tables 1 and 2: bits/dim and Fréchet distance by schedule, T and objective.

One row per network, in the tables' order, each with the mean over seeds and its 95% interval; the
paper's number beside it where every setting behind the two is the same.
"""

import json

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from studies.analyses.objective_ablation.paper import table_numbers
from studies.drawing import distance_axis, overlay, style
from studies.published.published import closest_reasons
from studies.tables.groupings import over_seeds, records
from studies.tables.intervals import CONFIDENCE
from studies.tables.labels import TIMESTEPS, distance_name, is_resampled, mode, objective_name
from studies.tables.resampling import share_resampled, warm_up_draws
from studies.tables.table_rows import bounds, distances
from studies.tables.tables import Tables

TITLE = "Bits/dim and sample quality by schedule, T and objective"
HERE = "this study"
COLUMNS = ["row", "metric", "title", "variance", "T", "steps", "images"]


def table(tables: Tables) -> pd.DataFrame:
    """Mean, interval and n of both metrics for each row of the table, by source."""
    rows = _measured(tables)
    if rows.empty:
        return pd.DataFrame(columns=[*COLUMNS, "mean", "low", "high", "n", "source"])
    places = {row: place for place, row in enumerate(_in_order(rows))}
    ours = over_seeds(rows, COLUMNS).assign(source=HERE)
    beside = overlay.beside(rows.drop_duplicates(["row", "metric"]), table_numbers())
    theirs = pd.DataFrame(beside, columns=[*COLUMNS, *overlay.COLUMNS])
    whole = pd.concat([ours, theirs], ignore_index=True) if len(theirs) else ours
    return whole.assign(rank=whole["row"].map(places)).sort_values(
        ["metric", "rank", "source"], ascending=[True, True, False], ignore_index=True
    )


def _measured(tables: Tables) -> pd.DataFrame:
    both = [found for found in (bounds(tables), distances(tables)) if len(found)]
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
    ours, theirs = rows[rows["source"] == HERE], rows[rows["source"] != HERE]
    for _, row in ours.iterrows():
        style.dot(axes, row, mode(row))
    if len(theirs):
        overlay.draw(axes, theirs, "mean", "rank")
    axes.grid(visible=False, axis="y")


def caption(table: pd.DataFrame, tables: Tables) -> str:
    """What each row is, the spread, what the resampling did, and why the paper's stand or not."""
    ours = table[table["source"] == HERE]
    return " ".join(
        filter(
            None,
            [
                "The rows of the paper's Tables 1 and 2, one network each; lower is better. "
                "Networks that learned no Σ are read with Σ = β (circles), which the paper states "
                "for its first row alone; the others with theirs (triangles).",
                _counts(ours),
                _spread(ours),
                resampling_note(tables),
                _overlay_note(table, tables),
            ],
        )
    )


def _counts(ours: pd.DataFrame) -> str:
    said = []
    for metric, rows in ours.groupby("metric"):
        images = " or ".join(f"{int(count):,}" for count in sorted(rows["images"].unique()))
        if metric == "bits_per_dim":
            said.append(f"Bits/dim are over {images} images and {bound_steps(rows)}.")
        else:
            steps = " or ".join(f"{int(count):,}" for count in sorted(rows["steps"].unique()))
            scale = "linear" if distance_axis.is_linear(rows["title"]) else "log"
            said.append(
                f"Fréchet distances are over {images} samples at {steps} sampling steps, on a "
                f"{scale} axis."
            )
    return " ".join(said)


def bound_steps(rows: pd.DataFrame) -> str:
    """Over how many steps bounds were taken, in words."""
    if rows["steps"].eq(rows["T"]).all():
        return "all T steps"
    counts = sorted(int(count) for count in rows["steps"].unique())
    return f"{' or '.join(f'{count:,}' for count in counts)} steps"


def _spread(ours: pd.DataFrame) -> str:
    counts = sorted(set(ours["n"].astype(int)))
    if counts == [1]:
        return "One seed only: there is no spread to show, and so no bar."
    shown = " to ".join(str(count) for count in sorted({counts[0], counts[-1]}))
    return f"Points are means over seeds, bars their {CONFIDENCE:.0%} t intervals (n = {shown})."


def resampling_note(tables: Tables) -> str:
    """From which training step on t was drawn by importance, for each resampled network."""
    losses = tables.losses
    if TIMESTEPS not in losses:
        return ""
    drawn = losses[[is_resampled(row) for row in records(losses)]]
    lasts = drawn.groupby(["T", "objective"])[["step", "images_seen"]].max().reset_index()
    return " ".join(
        _when_resampled(list(alike["objective"]), *alike.iloc[0][["T", "step", "images_seen"]])
        for _, alike in lasts.groupby(["T", "step", "images_seen"])
    )


def _when_resampled(objectives: list[str], T: int, steps: int, images: int) -> str:
    plain = [objective_name({"objective": name}) for name in objectives]
    names = [f"{name} (resampled)" for name in plain]
    begins = round(warm_up_draws(T) * steps / images)
    wait = (
        f"With T = {T:,}, {' and '.join(names)} draws t uniformly until each has ten losses, which "
        f"takes about {begins:,} training steps of {images // steps} images"
    )
    if share_resampled(T, images):
        return f"{wait}, of {steps:,}."
    return (
        f"{wait}: more than the {steps:,} trained here, so that it is {' and '.join(plain)} with "
        "uniform draws and shows nothing of importance sampling."
    )


def _overlay_note(table: pd.DataFrame, tables: Tables) -> str:
    if (table["source"] != HERE).any():
        return overlay.note(table[table["source"] != HERE])
    reasons = closest_reasons(records(_measured(tables)), table_numbers())
    return f"The paper's numbers are not drawn; what differs: {', '.join(reasons)}."
