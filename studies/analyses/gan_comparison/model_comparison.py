"""Table 4 as dots: precision against recall, and the Fréchet distance, of every model of a study.

A dot is the mean over seeds, its bars the 95% intervals. The paper's diffusion models stand beside
ours where one of ours is the same, and its GAN where one of them does.
"""

import json
import math
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from studies.analyses.gan_comparison.paper import (
    SOURCE,
    TABLE_4,
    inferred_of,
    table_4_numbers,
)
from studies.drawing import captions, overlay, style
from studies.published.published import SAMPLE_METRICS, closest_reasons, comparable
from studies.tables.groupings import arm_columns, over_seeds, records
from studies.tables.labels import distance_name, labelled
from studies.tables.tables import Tables

TITLE = "Diffusion beside a GAN"
MARKERS = {"diffusion": "o", "GAN": "s", "elsewhere": "D"}
NAMES_IN = 1.8
"""Width of the names between the panels."""
LINE_IN = 0.17
"""Height of a line of a name."""


def table(tables: Tables) -> pd.DataFrame:
    """Mean, interval and n of each metric for each model, by source.

    Every arm is shown at its most sampling steps. `kind` is diffusion, GAN or elsewhere.
    """
    scores = _scores(tables)
    by = ["rank", "arm", "kind", "metric", "distance"]
    if scores.empty:
        return pd.DataFrame(columns=[*by, "mean", "low", "high", "n", "source"])
    keys = arm_columns(scores, without=("steps", "kind"))
    scores = labelled(scores, keys)
    scores = scores[scores["steps"] == scores.groupby("arm")["steps"].transform("max")]
    scores["distance"] = [distance_name(json.loads(recipe)) for recipe in scores["recipe"]]
    ours = over_seeds(scores, by).assign(source=overlay.HERE)
    whole = overlay.joined(ours, _published(scores), by)
    return whole.sort_values(["rank", "metric"], kind="stable", ignore_index=True)


def _scores(tables: Tables) -> pd.DataFrame:
    results = tables.results
    scores = results[results["metric"].isin(SAMPLE_METRICS) & results["value"].notna()]
    rival = scores.get("rival", pd.Series(None, scores.index, dtype=object))
    trained = scores["training_steps"] > 0  # whatever the images from elsewhere are called
    kind = np.where(rival.isna(), "diffusion", np.where(trained, "GAN", "elsewhere"))
    return scores.assign(kind=pd.Series(kind, scores.index, dtype=object))


def _published(scores: pd.DataFrame) -> Iterator[dict[str, Any]]:
    """The paper's numbers: of its models that are ours and, of the same metrics, of its GAN."""
    places = list(records(scores.drop_duplicates(["arm", "metric"])))
    ours = [n for n in table_4_numbers() if any(comparable(n, row) for row in places)]
    for_gan = {n.metric: replace(n, inferred=inferred_of(n.metric)) for n in ours}
    for place, model in enumerate(TABLE_4):
        own = {n.metric: n for n in ours if n.channels == model.channels}
        for metric, number in (for_gan if model.channels is None else own).items():
            yield {
                **overlay.columns_of(replace(number, value=getattr(model, metric))),
                "rank": int(scores["rank"].max()) + 1 + place,
                "arm": f"paper, {SOURCE}, {model.name}",
                "kind": "paper",
                "metric": metric,
                "distance": "FID",
            }


@style.styled
def draw(table: pd.DataFrame) -> Figure:
    """Two panels: precision over recall, and the distances one model per row."""
    models = list(table.groupby(["rank", "arm"], sort=False))
    names = [style.in_lines(arm, most_in=NAMES_IN) for (_, arm), _ in models]
    row_in = LINE_IN * max(1 + name.count("\n") for name in names)
    figure, (shares, distances) = style.panels(2, max(2.6, 1.1 + row_in * len(models)))
    for place, ((_, arm), metrics) in enumerate(models):
        rows = {row["metric"]: row for _, row in metrics.iterrows()}
        if {"precision", "recall"} <= set(rows):
            x, y = rows["recall"], rows["precision"]
            look = _look(x, place)
            shares.errorbar(x["mean"], y["mean"], xerr=_bars(x), yerr=_bars(y), label=arm, **look)
        if "frechet_distance" in rows:
            fd = rows["frechet_distance"]
            look = _look(fd, place)
            distances.errorbar(fd["mean"], place, xerr=_bars(fd), label=arm, **look)
    shares.set(xlabel="recall", ylabel="precision")
    distances.set_yticks(range(len(models)), names)
    distances.set_ylim(len(models) - 0.5, -0.5)
    named = " / ".join(table["distance"].unique())
    distances.set(xlabel=f"{named}\n(lower is better)", xlim=(0, None))
    return figure


def _look(row: pd.Series, place: int) -> dict[str, Any]:
    """Marker by kind of model, colour by model; the paper's in black."""
    shared = {"linestyle": "none", "markersize": 6, "elinewidth": 1.2, "capsize": 2.5}
    if row["source"] != overlay.HERE:
        return shared | overlay.look(row["inferred"])
    colour = style.PALETTE[place % len(style.PALETTE)]
    return shared | {"marker": MARKERS[row["kind"]], "color": colour}


def _bars(row: pd.Series) -> np.ndarray[tuple[int, int], np.dtype[np.float64]] | None:
    """From the mean to the ends of what is drawn of its interval; None: there is no spread."""
    if not (math.isfinite(row["low"]) and math.isfinite(row["high"])):
        return None
    low, high = np.clip([row["low"], row["high"]], *_bounds(row))
    return np.array([[row["mean"] - low], [high - row["mean"]]])


def _bounds(row: pd.Series) -> tuple[float, float]:
    """Between what a metric may lie: a distance above 0, a share between 0 and 1."""
    return 0, math.inf if row["metric"] == "frechet_distance" else 1


def caption(table: pd.DataFrame, tables: Tables) -> str:
    """What is drawn, the spread, and what the paper's table holds."""
    scores = _scores(tables)
    recipes = [json.loads(recipe) for recipe in scores["recipe"].unique()]
    neighbours = " or ".join(map(str, sorted({recipe["neighbours"] for recipe in recipes})))
    ours = overlay.ours(table)
    return (
        f"Left: precision (share of drawn images that look real) against recall (share of real "
        f"images that are covered), k = {neighbours} neighbours. Right: Fréchet distance; its rows "
        f"name the colours of both panels. {captions.counts(scores['images'])} drawn images per "
        f"model and seed. {_spread(ours)} Samples take every class equally often, those of the "
        f"paper's code one drawn at random. {_overlay(table, scores)} In the paper's Table 4 "
        "BigGAN-deep has FID 4.06, precision 0.86 and recall 0.59; diffusion has 6.92, 0.77 and "
        "0.72 (small) and 2.92, 0.82 and 0.71 (large)."
    )


def _spread(ours: pd.DataFrame) -> str:
    least, most = int(ours["n"].min()), int(ours["n"].max())
    if most == 1:
        return "There is one draw of each model: no spread is known, and so there are no bars."
    said = captions.intervals(str(most), marks="Dots", bars="bars")
    ends = [(row["low"], row["high"], *_bounds(row)) for _, row in ours[ours["n"] > 1].iterrows()]
    if any(low < floor or high > ceiling for low, high, floor, ceiling in ends):
        said += " They end at 0 and, of shares, at 1, though an interval may reach beyond."
    return said + (" A model without bars has been drawn once." if least == 1 else "")


def _overlay(table: pd.DataFrame, scores: pd.DataFrame) -> str:
    theirs = overlay.theirs(table)
    lacking = [metric for metric in SAMPLE_METRICS if metric not in set(theirs["metric"])]
    drawn = (
        f"{overlay.note(theirs)} The paper's BigGAN-deep stands beside its other models, whatever "
        "the GAN here."
        if len(theirs)
        else ""
    )
    if not lacking:
        return drawn
    rows = scores[scores["metric"].eq(lacking[-1]) & scores["kind"].eq("diffusion")]
    reasons = ", ".join(closest_reasons(records(rows), table_4_numbers()))
    which = f"The paper's {' and '.join(m.replace('_', ' ') for m in lacking)}"
    names = which if len(theirs) else "The paper's numbers"
    return f"{drawn} {names} are not drawn; what differs: {reasons}.".strip()
