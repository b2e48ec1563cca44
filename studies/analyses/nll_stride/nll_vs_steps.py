"""Fig. 15 (App. E): bits/dim against the number of steps that the bound is taken over.

One colour per objective and Σ; dashed for an even stride, solid for the same steps and every t up
to T/K. The place on the axis is K, the number of steps asked for, as in the paper; how many network
calls that takes stands in the table and in the caption.
"""

import pandas as pd
from matplotlib.figure import Figure

from iddpm.strides import stride_timesteps
from studies.analyses.nll_stride.paper import SHORT_BOUND_STEPS, SHORT_BOUNDS
from studies.drawing import captions, style
from studies.tables.groupings import arm_columns, over_seeds
from studies.tables.labels import labelled
from studies.tables.rows import with_own_variance
from studies.tables.tables import Tables

TITLE = "Bits per dimension against evaluation steps"
STRIDES = {"even": "even stride", "even_plus_first": "even and every t up to T/K"}
"""The strides that are drawn, in words."""


def table(tables: Tables) -> pd.DataFrame:
    """Mean, interval and n in bits/dim for each arm, stride and K, and the network calls."""
    results = tables.results
    bounds = results[(results["metric"] == "bits_per_dim") & results["value"].notna()]
    bounds = with_own_variance(bounds[bounds["stride"].isin(list(STRIDES))])
    bounds = labelled(bounds, arm_columns(bounds, without=("steps", "stride")))
    arms = ["rank", "arm", "objective", "variance", "T", "stride"]
    found = over_seeds(bounds, [*arms, "steps"])
    calls = [
        len(stride_timesteps(stride, T, steps))
        for stride, T, steps in zip(found["stride"], found["T"], found["steps"], strict=True)
    ]
    found.insert(len(arms) + 1, "calls", calls)
    return found.sort_values(["rank", "stride", "steps"], ignore_index=True)


@style.styled
def draw(table: pd.DataFrame) -> Figure:
    """Two curves per arm, both axes logarithmic."""
    figure, axes = style.new(3.9)
    axes.set(
        xscale="log",
        yscale="log",
        xlabel="evaluation steps $K$",
        ylabel="bits/dim  (lower is better)",
    )
    looks = style.looks(table)
    for (_, arm, stride), curve in table.groupby(["rank", "arm", "stride"]):
        look = looks[str(arm)] | {"linestyle": "solid"}
        if stride == "even":
            look |= {"linestyle": style.DASHED, "markerfacecolor": "white"}
            look |= {"markeredgecolor": look["color"], "markeredgewidth": 1.0}
        label = style.mathematical(f"{arm}, {STRIDES[str(stride)]}")
        axes.plot(curve["steps"], curve["mean"], label=label, **look)
        style.band(axes, curve, "steps", look["color"], floor=style.below(curve))
    counts = sorted(table["steps"].unique())
    axes.set_xticks(counts, [f"{count:g}" for count in counts])
    axes.set_xticks([], minor=True)
    style.plain_log_ticks(axes.yaxis)
    style.legend(axes)
    return figure


def caption(table: pd.DataFrame, tables: Tables) -> str:
    """What is drawn, the network calls, the spread, and what is known of the paper's figure."""
    learned = SHORT_BOUNDS["range"]
    return " ".join(
        filter(
            None,
            (
                "The bound in bits/dim over K of the T trained steps, both axes logarithmic; of a "
                "network that learned its Σ, with that Σ.",
                _calls_note(table),
                captions.spread(table),
                "The values of the paper's Fig. 15 are not on record here, so none is drawn. Bao "
                "et al. (2022, Tables 1 and 8) measured the released L_hybrid network on ImageNet "
                "64 with an even stride (T = 4,000; not the paper's own numbers): with its learned "
                f"Σ {learned[0]:g} bits/dim at {SHORT_BOUND_STEPS[0]} steps and {learned[-1]:g} at "
                f"{SHORT_BOUND_STEPS[-1]:,}.",
            ),
        )
    )


def _calls_note(table: pd.DataFrame) -> str:
    more = table[table["calls"] > table["steps"]].drop_duplicates(["T", "steps"])
    if more.empty:
        return ""
    said = [
        f"{row.calls:,} for K = {row.steps:,}" for row in more.sort_values("steps").itertuples()
    ]
    return (
        "An even stride takes K network calls per image; with every t up to T/K it takes "
        f"{', '.join(said)}."
    )
