"""Sentences and phrases that captions of several figures share, made from what is drawn."""

import pandas as pd

from studies.tables.groupings import records
from studies.tables.intervals import CONFIDENCE
from studies.tables.labels import TIMESTEPS, is_resampled, objective_name
from studies.tables.resampling import share_resampled, warm_up_draws
from studies.tables.tables import OF_DRAWS, Tables

ONE_SEED = "One seed only: there is no spread to show"
"""How a sentence begins where a study has no intervals."""


def spread(
    table: pd.DataFrame, *, marks: str = "Lines", bar: str = "band", means: str = "means"
) -> str:
    """What is drawn of means and intervals, and over how many seeds; or that one seed has none.

    Args:
        table: Rows of the study's own, each with the number of its seeds in the column n.
        marks: What stands for the means, as a sentence begins.
        bar: What stands for one interval.
        means: What the means are called.
    """
    n = seeds(table)
    if n == "1":
        return f"{ONE_SEED}, and so no {bar}."
    said = intervals(f"{n} seeds", marks=marks, bars=f"{bar}s", means=means)
    return said + (f" Curves of one seed have no {bar}." if table["n"].min() == 1 else "")


def seeds(table: pd.DataFrame) -> str:
    """The fewest and the most seeds of any row: `2 to 3`, or `3` where all have as many."""
    return " to ".join(dict.fromkeys(f"{n:.0f}" for n in (table["n"].min(), table["n"].max())))


def intervals(n: str, *, marks: str, bars: str, means: str = "means") -> str:
    """Whose intervals the bars are, over this number of seeds."""
    return f"{marks} are {means} over seeds, {bars} their {CONFIDENCE:.0%} t intervals (n = {n})."


def counts(numbers: pd.Series, between: str = " or ") -> str:
    """The different whole numbers of a column from the lowest on: `192 or 1,000`."""
    return between.join(f"{int(number):,}" for number in sorted(numbers.unique()))


def span(steps: pd.Series) -> str:
    """The first and the last of some steps: `steps 197 to 199`, or `step 0`."""
    low, high = int(steps.min()), int(steps.max())
    return f"step {low}" if low == high else f"steps {low} to {high}"


def bound_steps(rows: pd.DataFrame) -> str:
    """The numbers of steps that bounds were taken over: `all T steps`, or `25 or 50 steps`."""
    return "all T steps" if rows["steps"].eq(rows["T"]).all() else f"{counts(rows['steps'])} steps"


def estimate_note(results: pd.DataFrame) -> str:
    """That bits/dim are estimated, and how good these estimates are; empty where none is."""
    bounds = results[results["metric"] == "bits_per_dim"]
    errors = bounds[OF_DRAWS].dropna() if OF_DRAWS in bounds else bounds["value"].iloc[:0]
    if errors.empty:
        return ""
    exact = int(bounds["value"].notna().sum()) - len(errors)
    which = "Bits/dim" if exact == 0 else "Some bits/dim, never compared with the exact ones,"
    return (
        f"{which} are estimated from draws of t; their standard error due to the draws is at most "
        f"{errors.max():.2g} bits/dim."
    )


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
