"""Fig. 7: the gradient noise scale along training, one curve per objective.

The curve is the geometric mean over seeds with its interval as a band; beside it stands what was
measured of each seed, with the error of that one estimate.
"""

import json
from collections.abc import Iterator

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from studies.analyses.gradient_noise.paper import FIG_7, FIG_7_ERROR
from studies.drawing import captions, style
from studies.tables.groupings import arm_columns, over_seeds
from studies.tables.labels import OBJECTIVES, labelled
from studies.tables.tables import Tables

TITLE = "Gradient noise scale along training"
ERRORS = 2
"""Half the length of a seed's bar, in jackknife standard errors."""
COLOURS = {"simple": style.PALETTE[7], "hybrid": style.PALETTE[2], "vlb": style.PALETTE[4]}
ARM = ["rank", "arm", "objective", "training_steps"]


def table(tables: Tables) -> pd.DataFrame:
    """Noise scale in images for each arm and training step: over seeds, and of each seed.

    `seed` is empty where the row is over seeds: then `scale` is their geometric mean, `low` and
    `high` its interval, n their number. A seed's row has n = 1 and an interval of `ERRORS`
    standard errors; its scale is empty where the norm of the gradient cannot be told from zero.
    """
    found = _measured(tables)
    whole = over_seeds(found, ARM).assign(seed=None)
    single = pd.DataFrame(
        {
            **{name: found[name] for name in (*ARM, "seed")},
            "mean": found["value"],
            "low": found["value"] - ERRORS * found["standard_error"],
            "high": found["value"] + ERRORS * found["standard_error"],
            "n": 1,
        }
    )
    both = pd.concat([whole, single], ignore_index=True).rename(columns={"mean": "scale"})
    for column in ("scale", "low", "high"):
        both[column] = np.exp(both[column].astype(float))
    columns = [*ARM, "seed", "scale", "low", "high", "n"]
    return both[columns].sort_values(["rank", "training_steps", "seed"], ignore_index=True)


def _measured(tables: Tables) -> pd.DataFrame:
    """The rows of finished cells, labelled; a value is missing where none is determined."""
    results = tables.results
    found = results[(results["metric"] == "log_noise_scale") & (results["state"] == "done")]
    return labelled(found, arm_columns(found, without=("train.steps",)))


@style.styled
def draw(table: pd.DataFrame) -> Figure:
    """Curves with bands over seeds; thin bars show each seed's own error."""
    figure, axes = style.new(3.4)
    axes.set(yscale="log", xlabel="training step", ylabel="gradient noise scale (images)")
    for (_, arm, objective), rows in table.groupby(["rank", "arm", "objective"], sort=False):
        colour = COLOURS.get(str(objective), style.PALETTE[5])
        seeds = rows[rows["seed"].notna()].dropna(subset="scale")
        curve = rows[rows["seed"].isna()]
        axes.errorbar(
            seeds["training_steps"],
            seeds["scale"],
            yerr=[seeds["scale"] - seeds["low"], seeds["high"] - seeds["scale"]],
            fmt=".",
            markersize=3,
            elinewidth=0.7,
            color=colour,
            alpha=0.6,
        )
        axes.plot(
            curve["training_steps"],
            curve["scale"],
            color=colour,
            linestyle=style.PATTERNS.get(str(objective), "solid"),
            marker="o",
            label=style.mathematical(arm),
        )
        style.band(axes, curve, "training_steps", colour)
    style.legend(axes)
    return figure


def caption(table: pd.DataFrame, tables: Tables) -> str:
    """What is drawn, the spread, what could not be determined, and what the paper's shows."""
    recipe = json.loads(_measured(tables)["recipe"].iloc[0])
    return " ".join(
        [
            "tr Σ / |G|² of the gradient of the loss that each network is trained with, at the "
            f"weights of that training step, steps t drawn uniformly; log scale. From "
            f"{recipe['draws']:,} batches of {recipe['big batch']:,} images and the "
            f"{recipe['small batch']:,}-image blocks that they are made of; both parts are "
            "averaged before they are divided.",
            _spread(table[table["seed"].isna()]),
            "Dots are single seeds; their bars are two jackknife standard errors over the batches "
            "either way.",
            *_undetermined(table),
            f"{_paper()} It is not overlaid: the paper states neither T and schedule of its "
            "networks nor the batches of its estimate.",
        ]
    )


def _spread(curves: pd.DataFrame) -> str:
    if curves.empty:
        return "No scale is determined, so no curve is drawn."
    return captions.spread(curves, means="geometric means")


def _undetermined(table: pd.DataFrame) -> Iterator[str]:
    unknown = table[table["scale"].isna()]
    if len(unknown):
        cells = [
            f"{arm} at step {step:,} (seed{'s' if len(seeds) > 1 else ''} "
            f"{', '.join(str(seed) for seed in seeds['seed'])})"
            for (arm, step), seeds in unknown.groupby(["arm", "training_steps"], sort=False)
        ]
        yield (
            "Not determined, since |G|² is within two standard errors of zero, and not drawn: "
            f"{'; '.join(cells)}."
        )


def _paper() -> str:
    (last,) = {max(values) for values in FIG_7.values()}
    said = [f"{values[last]:,.2g} for {OBJECTIVES[name]}" for name, values in FIG_7.items()]
    return (
        f"The paper's Fig. 7 (ImageNet 64) stands at about {said[0]} and {said[1]} at step "
        f"{last:,} (digitised, ±{FIG_7_ERROR:.0%})."
    )
