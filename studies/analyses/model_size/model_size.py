"""Fig. 10: quality and bits/dim against the compute of the training, for networks of several sizes.

Both axes are logarithmic; the dashed line is the power law through the points that no cheaper one
undercuts. The paper's points and lines are drawn only where every setting behind them is ours.
"""

import re
from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from iddpm.arrays import FloatArray
from studies.analyses.model_size.claims import sizes, trend_of
from studies.analyses.model_size.paper import FIG_10_LAWS, FOLLOWS, fig_10_numbers
from studies.analyses.model_size.power_law import LEAST_POINTS, PowerLaw
from studies.analyses.needs import WIDTH
from studies.drawing import along, captions, overlay, style
from studies.tables.intervals import t_interval
from studies.tables.labels import setting
from studies.tables.tables import Tables

TITLE = "Quality and bits/dim against training compute"
POINTS_OF_LINE = 50
LAW = "Fig. 10, its trend line"


def table(tables: Tables) -> pd.DataFrame:
    """By quantity, arm and compute: mean, interval and n; trend lines and the paper's by source.

    Rows of the source `trend` are the dashed line; those of `Fig. 10` and `LAW` are the paper's.
    """
    return along.joined(
        _of_metric(rows) for metric in along.FOLLOWED if len(rows := _rows(tables, metric))
    )


def _rows(tables: Tables, metric: str) -> pd.DataFrame:
    """The rows of a metric that are shown: networks that differ in nothing but their size."""
    found = along.measured(tables, metric)
    groups = [arms for _, arms in sizes(found[found["compute"].notna()])]
    return groups[0] if groups else found.head(0)


def _of_metric(rows: pd.DataFrame) -> pd.DataFrame:
    ours = along.curves(rows, x="compute", hue=WIDTH, without=list(FOLLOWS))
    parts = [ours.assign(source=overlay.HERE), _trend(ours, rows), _overlay(rows)]
    whole = along.joined(part for part in parts if len(part))
    return whole.assign(quantity=ours["quantity"].iloc[0])


def _trend(ours: pd.DataFrame, rows: pd.DataFrame) -> pd.DataFrame:
    """The law through the means, along the points; no rows where they are too few."""
    found = trend_of(rows)
    if found is None:
        return pd.DataFrame()
    places = _along(list(ours["compute"]))
    name = _written(found.law)
    line = {"source": "trend", "arm": name, "compute": places, "mean": found.law(places)}
    return pd.DataFrame(line).assign(rank=len(ours), hue="", dash="")


def _along(compute: Sequence[float]) -> FloatArray:
    return np.geomspace(float(min(compute)), float(max(compute)), POINTS_OF_LINE)


def _written(law: PowerLaw) -> str:
    return f"{law.constant:.2f} + ({law.scale:.3e} C)^−{law.exponent:.2f}"


def _in_symbols(arm: str) -> str:
    """A law as the paper sets it; any other name as it is."""
    law = r"\((\S+)e\+?(-?)0*(\d+) C\)\^−(\S+)"
    return re.sub(law, r"$(\1 \\times 10^{\2\3}\\,C)^{-\4}$", arm)


def _overlay(rows: pd.DataFrame) -> pd.DataFrame:
    """The paper's values for networks like ours, and its trend lines along them."""
    places = rows.drop_duplicates([WIDTH, "training_steps"])
    beside = overlay.beside(places, fig_10_numbers())
    found = pd.DataFrame(beside, columns=[WIDTH, "compute", *overlay.COLUMNS])
    if found.empty:
        return found
    law = FIG_10_LAWS[rows["metric"].iloc[0]]
    along_it = _along(list(found["compute"]))
    line = {"arm": _written(law), "compute": along_it, "mean": law(along_it), "source": LAW}
    found = found.assign(arm=[setting(WIDTH, width) for width in found.pop(WIDTH)])
    whole = pd.concat([found, pd.DataFrame(line)], ignore_index=True)
    return whole.assign(rank=-1, hue="", dash="", n=1)


@style.styled
def draw(table: pd.DataFrame) -> Figure:
    """One panel per quantity, curves by width."""
    table = table.astype({"compute": float})  # at the paper's scale beyond the largest int64
    quantities = list(dict.fromkeys(table["quantity"]))
    figure, panels = style.panels(len(quantities), 3.4)
    looks = along.looks(overlay.ours(table))
    for axes, quantity in zip(panels, quantities, strict=True):
        axes.set(
            xscale="log",
            yscale="log",
            xlabel="training compute (multiply-adds)",
            ylabel=quantity,
        )
        whole = table[table["quantity"] == quantity]
        along.draw_curves(axes, overlay.ours(whole), looks, x="compute")
        _draw_line(axes, whole[whole["source"] == "trend"])
        if len(theirs := whole[whole["source"] == "Fig. 10"]):
            overlay.draw(axes, theirs, "compute")
        _draw_line(axes, whole[whole["source"] == LAW], "black", "paper, Fig. 10: ")
        style.plain_log_ticks(axes.yaxis)
    style.legends(panels)
    return figure


def _draw_line(axes: Axes, line: pd.DataFrame, colour: str = style.GREY, whose: str = "") -> None:
    for arm, curve in line.groupby("arm"):
        look = {"color": colour, "linestyle": style.DASHED, "linewidth": 1.0}
        label = f"{whose}{_in_symbols(str(arm))}"
        axes.plot(curve["compute"], curve["mean"], label=label, **look)


def caption(table: pd.DataFrame, tables: Tables) -> str:
    """What is drawn, the spread, the trend with its interval, and what the paper's figure shows."""
    ours = overlay.ours(table)
    trends = " ".join(_trend_note(rows) for m in along.FOLLOWED if len(rows := _rows(tables, m)))
    return (
        "Each curve is one size of network along its training; compute is 3 × forward "
        "multiply-adds × batch × steps, which the paper calls FLOPs. Both axes are logarithmic. "
        f"{captions.spread(ours)} {trends} {_overlay_note(table, tables)} The paper's Fig. 10 (64 "
        "to 192 channels on ImageNet 64, 1e17 to 1e20) gives "
        f"{_written(FIG_10_LAWS['frechet_distance'])} for FID and "
        f"{_written(FIG_10_LAWS['bits_per_dim'])} for bits/dim."
    )


def _trend_note(rows: pd.DataFrame) -> str:
    found = trend_of(rows)
    quantity = "bits/dim" if rows["metric"].iloc[0] == "bits_per_dim" else "the Fréchet distance"
    if found is None:
        return (
            f"No power law is drawn for {quantity}: there are too few points for one (fewer than "
            f"{LEAST_POINTS} that no cheaper network undercuts), so only the points are drawn."
        )
    interval = t_interval(list(found.exponents.values()))
    chosen = "as the points identify it" if found.law.constant_is_fitted else "fixed beforehand"
    spread_of = (
        f"95% t interval over the exponents of {interval.n} seeds {interval.low:.2g} to "
        f"{interval.high:.2g}"
        if interval.n > 1
        else "of one seed, so without an interval"
    )
    return (
        f"Dashed, for {quantity}: the power law through the means of the {found.points} networks "
        f"that no cheaper one undercuts, by least squares of the logarithm; its constant is "
        f"{found.law.constant:.3g}, {chosen}, its exponent {found.law.exponent:.2g} ({spread_of})."
    )


def _overlay_note(table: pd.DataFrame, tables: Tables) -> str:
    return overlay.note_or_reasons(
        table[table["source"] == "Fig. 10"],
        next(rows for metric in along.FOLLOWED if len(rows := _rows(tables, metric))),
        fig_10_numbers(),
        lacking="values are not overlaid",
        more="The black line is the trend that it prints.",
    )
