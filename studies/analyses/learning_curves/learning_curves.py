"""Fig. 6: the bound while training, in bits/dim.

One curve per network of the mean over seeds, and a thin one of each seed: how a single curve jumps
is what the paper's figure shows. Both are an estimate from the images and steps of the training
itself (`tables.losses_table`).
"""

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from studies.analyses.learning_curves.paper import FIG_6_NOISY, FIG_6_RESAMPLED, fig_6_numbers
from studies.drawing import captions, overlay, style
from studies.published.published import closest_reasons, differences, settings_of
from studies.tables.groupings import is_longest, network_columns, over_seeds, records
from studies.tables.labels import TIMESTEPS, labelled
from studies.tables.tables import Tables

TITLE = "The bound while training"
POINTS = 40
"""At most so many points make up a drawn curve, each the mean over several of the training's."""
MARGIN = 1.05
"""By which factor the vertical axis reaches beyond all points."""
PAPERS_AXIS = (3.0, 5.0)
"""Bits/dim from end to end of the paper's figure."""
LOOKS: dict[tuple[str, bool], dict[str, Any]] = {
    ("vlb", False): {"color": style.PALETTE[0], "linestyle": (0, (1, 1.2))},
    ("hybrid", False): {"color": style.PALETTE[1], "linestyle": style.DASHED},
    ("vlb", True): {"color": style.PALETTE[2], "linestyle": "solid"},
    ("hybrid", True): {"color": style.PALETTE[4], "linestyle": (0, (6, 1.5, 1, 1.5))},
}
"""By objective, and whether t was drawn by importance."""
OTHER: dict[str, Any] = {"color": style.PALETTE[5], "linestyle": "solid"}


def table(tables: Tables) -> pd.DataFrame:
    """Bits/dim for each network and window of its training: over seeds, and of each seed.

    `seed` is empty where the row is over seeds: then `mean` is over n of them, with its interval.
    Rows with a source are the paper's, beside a network that was trained as theirs.
    """
    losses = tables.losses
    if losses.empty or losses["bits_per_dim"].isna().all():
        return pd.DataFrame(columns=["rank", "arm", "seed", "step", "mean", "low", "high", "n"])
    losses = losses[is_longest(losses) & (losses["objective"] != "simple")]
    columns = network_columns(losses)
    named = labelled(losses, columns).assign(
        resampled=losses[TIMESTEPS].eq("loss_second_moment") if TIMESTEPS in losses else False
    )
    arms = ["rank", "arm", "objective", "resampled"]
    windows = pd.concat(
        [_in_windows(curve) for _, curve in named.groupby(["rank", "seed"])], ignore_index=True
    )
    whole = over_seeds(windows, [*arms, "step"], value="bits_per_dim").assign(seed=None)
    single = windows[[*arms, "seed", "step"]].assign(mean=windows["bits_per_dim"], n=1)
    both = pd.concat([whole, single.dropna(subset="mean")], ignore_index=True)
    columns = [*arms, "seed", "step", "mean", "low", "high", "n"]
    ours = both[columns].sort_values(["rank", "seed", "step"], ignore_index=True)
    return overlay.joined(ours, _published(named), [*arms, "step"])


def _published(named: pd.DataFrame) -> Iterator[dict[str, Any]]:
    """The paper's curve at the steps that a network trained as its own has reached."""
    lasts = named.sort_values("step").drop_duplicates("arm", keep="last")
    for row in records(lasts):
        for number in fig_6_numbers():
            if number.training_steps <= row["step"] and not differences(number, settings_of(row)):
                yield {**row, **overlay.columns_of(number), "step": number.training_steps}


def _theirs(table: pd.DataFrame) -> pd.DataFrame:
    return table[table["source"].notna()] if "source" in table else table.head(0)


def _in_windows(curve: pd.DataFrame) -> pd.DataFrame:
    """The curve in at most `POINTS` points: means over its windows by their number of images."""
    curve = curve.sort_values("step")
    images = curve["images_seen"].diff().fillna(curve["images_seen"])
    images = images.where(curve["bits_per_dim"].notna())
    group = np.arange(len(curve)) // math.ceil(len(curve) / POINTS)
    sums = (curve["bits_per_dim"] * images).groupby(group).sum(min_count=1)
    lasts = curve.groupby(group).last()
    return lasts.assign(bits_per_dim=sums / images.groupby(group).sum())


@style.styled
def draw(table: pd.DataFrame) -> Figure:
    """One panel with the paper's axes where its curve stands beside ours.

    Elsewhere a panel for each way to draw t, on one log scale: L_vlb begins far above L_hybrid.
    """
    theirs = _theirs(table)
    ours = table.drop(theirs.index)
    parts = {"": ours} if len(theirs) else _by_way(ours)
    figure, panels = style.panels(len(parts), 3.6)
    for axes, (title, part) in zip(panels, parts.items(), strict=True):
        _draw_curves(axes, part)
        axes.set(xlabel="training step", xlim=(0, ours["step"].max()))
        axes.set_title(title, fontsize=9)
        axes.xaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
        axes.xaxis.set_major_locator(MaxNLocator(5))
        if len(theirs):
            overlay.draw(axes, theirs, "step")
            axes.set_ylim(*PAPERS_AXIS)
        else:
            axes.set(yscale="log", ylim=_ends(ours))
            style.plain_log_ticks(axes.yaxis)
    panels[0].set_ylabel("bound while training (bits/dim)")
    style.legend(*panels)
    return figure


def _by_way(table: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """The curves by how t was drawn, under the names of their panels; of one way without a name."""
    found = {
        "t drawn by importance" if resampled else "t drawn uniformly": rows
        for resampled, rows in table.groupby("resampled")
    }
    return found if len(found) > 1 else {"": table}


def _draw_curves(axes: Axes, table: pd.DataFrame) -> None:
    for (_, arm), curves in table.groupby(["rank", "arm"]):
        first = curves.iloc[0]
        look = LOOKS.get((first["objective"], bool(first["resampled"])), OTHER)
        for _, curve in curves.groupby("seed"):
            axes.plot(curve["step"], curve["mean"], color=look["color"], linewidth=0.7, alpha=0.5)
        mean = curves[curves["seed"].isna()]
        axes.plot(mean["step"], mean["mean"], label=style.mathematical(arm), **look)


def _ends(table: pd.DataFrame) -> tuple[float, float]:
    """Of the vertical axis, a little beyond all points."""
    above = table["mean"][table["mean"] > 0]
    return float(above.min()) / MARGIN, float(above.max()) * MARGIN


def caption(table: pd.DataFrame, tables: Tables) -> str:
    """What is drawn and how it was estimated, its spread, and what the paper's figure shows."""
    theirs = _theirs(table)
    begins, ends = (FIG_6_RESAMPLED[f(FIG_6_RESAMPLED)] for f in (min, max))
    low, high = FIG_6_NOISY["vlb"]
    return " ".join(
        filter(
            None,
            [
                f"The bound less its constant prior term, in bits/dim on {_axis(theirs)}, as the "
                f"training itself meets it: each of at most {POINTS} points per curve is the mean "
                "of T times the term at the drawn step over the images of a window of training "
                "steps, weighted by 1 / (T p_t) (Eq. 18; 1 for uniform draws), which estimates "
                "the bound without bias either way.",
                _spread(table.drop(theirs.index)),
                _outside(table) if len(theirs) else "",
                captions.resampling_note(tables),
                "In the paper's Fig. 6 (ImageNet 64; linear axes that end at 5 bits/dim) "
                f"L_vlb (resampled) falls smoothly from about {begins:g} at step "
                f"{min(FIG_6_RESAMPLED):,} to {ends:g} at {max(FIG_6_RESAMPLED):,}, and L_vlb "
                f"jumps between about {low:g} and {high:g} in the end (digitised).",
                overlay.note(theirs) if len(theirs) else _reasons(tables),
            ],
        )
    )


def _axis(theirs: pd.DataFrame) -> str:
    return "axes as in the paper's figure" if len(theirs) else "a log axis"


def _outside(table: pd.DataFrame) -> str:
    low, high = PAPERS_AXIS
    count = int((~table["mean"].between(low, high)).sum())
    return f"{count} of {len(table)} points lie outside the axis." if count else ""


def _reasons(tables: Tables) -> str:
    networks = tables.losses.drop_duplicates("settings").assign(metric="bound_in_training")
    reasons = closest_reasons(records(networks), fig_6_numbers())
    return f"It is not overlaid; what differs: {', '.join(reasons) or 'length of the training'}."


def _spread(table: pd.DataFrame) -> str:
    n = captions.seeds(table[table["seed"].isna()])
    if n == "1":
        return f"{captions.ONE_SEED}."
    return f"Bold lines are means over seeds (n = {n}), thin lines the single seeds."
