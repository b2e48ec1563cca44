"""Numbers of the released networks, each beside what was published of it.

A row is one network read in one way, and has a dot of this study and a mark for each published
number: the paper's where every setting agrees, and the bits/dim of Bao et al. (2022), who read one
of these networks over an even stride.
"""

import json
from collections.abc import Iterator
from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from studies.analyses.index import numbers
from studies.analyses.nll_stride.paper import SHORT_BOUND_STEPS, SHORT_BOUNDS
from studies.analyses.released_checkpoints.paper import OF_OTHERS, OTHERS
from studies.drawing import captions, overlay, style
from studies.published.published import ENSEMBLE
from studies.tables.groupings import arm_columns, records
from studies.tables.labels import distance_name, labelled
from studies.tables.tables import Tables

TITLE = "Released networks measured again"
PANELS = {
    "frechet_distance": "{distance}  (lower is better)",
    "bits_per_dim": "bits/dim  (lower is better)",
    "precision": "precision",
    "recall": "recall",
}
"""The metrics that are drawn, with the names of their axes."""
BY = ["metric", "rank", "arm", "steps", "stride"]
ROW_IN = 0.2


def table(tables: Tables) -> pd.DataFrame:
    """Mean, interval and n of each number here that was published, and below the published ones."""
    rows = _measured(tables)
    theirs = [*overlay.beside(rows, numbers()), *_by_others(rows)]
    found = overlay.compared(rows, BY, ())
    places = {tuple(row[name] for name in BY) for row in theirs}
    has_one = [tuple(row) in places for row in found[BY].itertuples(index=False)]
    whole = overlay.joined(found[has_one], theirs, BY)
    names = rows.groupby("metric")["distance"].first()
    return whole.assign(distance=whole["metric"].map(names)).sort_values(
        ["metric", "rank", "stride", "steps"], ignore_index=True
    )


def _measured(tables: Tables) -> pd.DataFrame:
    """What was measured of networks that are read from files."""
    results = tables.results[tables.results["metric"].isin(list(PANELS))]
    results = results[results["value"].notna()]
    imported = [_file(row) is not None for row in records(results)]
    results = results[pd.Series(imported, results.index, dtype=bool)]
    whole = results["steps"] == results["T"]  # by any stride the same
    results = results.assign(stride=results["stride"].mask(whole, "even"))
    named = labelled(results, arm_columns(results, without=("steps", "stride", "skip")))
    named = named.drop_duplicates([*BY, "seed"])
    of_samples = named["evaluation"].eq("samples")
    return named.assign(
        distance=[
            distance_name(json.loads(recipe)) if is_score else ""
            for recipe, is_score in zip(named["recipe"], of_samples, strict=True)
        ]
    )


def _file(row: dict[str, Any]) -> str | None:
    """The name of the released file of a row; empty: another file, None: none at all."""
    source = json.loads(row["settings"]).get("train", {}).get("source")
    return None if source is None else source.get("name", "")


def _by_others(rows: pd.DataFrame) -> Iterator[dict[str, Any]]:
    """The bits/dim of Bao et al. (2022) where ours are of the same network, Σ and steps."""
    for row in records(rows.drop_duplicates(BY)):
        is_alone = not any(isinstance(row.get(name), str) for name in ENSEMBLE)
        if (
            row["metric"] == "bits_per_dim"
            and _file(row) == OF_OTHERS
            and row["stride"] == "even"
            and is_alone
            and row["variance"] in SHORT_BOUNDS
            and row["steps"] in SHORT_BOUND_STEPS
        ):
            value = SHORT_BOUNDS[row["variance"]][SHORT_BOUND_STEPS.index(row["steps"])]
            said = {"mean": value, "source": OTHERS, "n": 1, "tag": "exact"}
            yield {**row, **said, "error": None, "inferred": "", "reading": ""}


@style.styled
def draw(table: pd.DataFrame) -> Figure:
    """A panel for each metric, its rows from the first network's down."""
    metrics = [metric for metric in PANELS if (table["metric"] == metric).any()]
    counts = [len(table[table["metric"] == metric].drop_duplicates(BY)) for metric in metrics]
    height = sum(0.8 + ROW_IN * count for count in counts)
    figure, panels = style.panels(len(metrics), height, stacked=True)
    for axes, metric in zip(panels, metrics, strict=True):
        rows = table[table["metric"] == metric]
        place = rows.groupby(BY, sort=False, dropna=False).ngroup()
        rows = rows.assign(place=place)
        ours, theirs = overlay.ours(rows), overlay.theirs(rows)
        is_others = theirs["source"] == OTHERS
        overlay.draw(axes, theirs[~is_others], "mean", "place")
        others = theirs[is_others]
        if len(others):
            label = style.mathematical(OTHERS)
            axes.plot(others["mean"], others["place"], "s", color="0.5", label=label)
        axes.plot(ours["mean"], ours["place"], "o", color=style.PALETTE[0], label=overlay.HERE)
        once = rows.drop_duplicates("place")
        names = [
            f"{row.arm}, {row.steps:,} steps{_stride(row.stride)}" for row in once.itertuples()
        ]
        axes.set_yticks(once["place"], [style.mathematical(name) for name in names])
        axes.set_ylim(len(once) - 0.5, -0.5)
        axes.set(xlabel=PANELS[metric].format(distance=once["distance"].iloc[0]))
        if metric in ("frechet_distance", "bits_per_dim"):
            axes.set_xscale("log")
            style.plain_log_ticks(axes.xaxis)
    style.legend(*panels)
    return figure


def _stride(stride: object) -> str:
    return " and every t up to T/K" if stride == "even_plus_first" else ""


def caption(table: pd.DataFrame, tables: Tables) -> str:
    """What is drawn, how far apart it is, and whose numbers stand there."""
    theirs = overlay.theirs(table)
    papers = theirs[theirs["source"] != OTHERS]
    said = [
        "Dots: the released networks as measured here; nothing was trained.",
        captions.spread(overlay.ours(table)),
        overlay.note(papers) if len(papers) else "",
        f"Squares: {OTHERS}, on one of these networks, over an even stride and images whose number "
        "is not stated."
        if len(papers) < len(theirs)
        else "",
    ]
    return " ".join(filter(None, said))
