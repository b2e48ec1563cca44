"""What the paper says of larger networks and more compute."""

from collections.abc import Iterator
from itertools import chain

import numpy as np
import pandas as pd

from studies.analyses.model_size.paper import FIG_10_LAWS, TRAINED_APART
from studies.analyses.model_size.power_law import Trend, trend
from studies.analyses.needs import WIDTH
from studies.judging.comparison import (
    ABOVE_ZERO,
    BELOW_ZERO,
    QUANTITIES,
    Comparison,
    compared,
)
from studies.judging.verdicts import Claim, Measured, Untold
from studies.published.published import INCEPTION, settings_of
from studies.tables.groupings import by_seed, records
from studies.tables.intervals import Made, mean
from studies.tables.labels import setting
from studies.tables.rows import alike, judged, parted, with_own_variance
from studies.tables.tables import Tables

NO_LOG = "a distance without its bias is not above zero"


def sizes(rows: pd.DataFrame) -> Iterator[tuple[str, pd.DataFrame]]:
    """Rows of one metric and recipe that differ in their networks' size and training's length.

    Each with what tells it from the others; only of networks of several sizes, read with the Σ
    that they learned.
    """
    if WIDTH not in rows:
        return
    for name, arms in alike(with_own_variance(rows), WIDTH, *TRAINED_APART):
        if arms[WIDTH].nunique() > 1:
            yield name, arms


def trend_of(arms: pd.DataFrame) -> Trend | None:
    """How the metric of these rows falls with compute; None: too few points."""
    done = arms.dropna(subset=["value", "compute"])
    compute: dict[str, float] = {}
    values: dict[int, dict[str, float]] = {}
    for row in records(done):
        arm = f"{row[WIDTH]} channels, {row['training_steps']} steps"
        compute[arm] = float(row["compute"])
        values.setdefault(int(row["seed"]), {})[arm] = float(row["value"])
    return trend(compute, values, constant=usual_constant(done)) if values else None


def usual_constant(rows: pd.DataFrame) -> float:
    """That of the paper where the quantity is the paper's; else 0, below which neither falls."""
    row = next(records(rows))
    metric, settings = row["metric"], settings_of(row)
    same_features = metric == "bits_per_dim" or settings["features"] == INCEPTION
    comparable = settings["training set"] == "imagenet64" and same_features
    return FIG_10_LAWS[metric].constant if comparable else 0.0


# ---------------------------------------------------------------------------------- more compute


def _falls(tables: Tables) -> Measured:
    found = Measured([], [])
    for metric, quantity in QUANTITIES.items():
        comparisons = [
            one
            for name, arms in sizes(judged(tables, metric))
            for one in _slopes(quantity.name, name, arms)
        ]
        nothing = f"exponent of {quantity.name} over networks of several sizes"
        found += compared(comparisons, nothing)
    return found


def _slopes(quantity: str, name: str, arms: pd.DataFrame) -> Iterator[Comparison | str]:
    """The line through all networks, which decides, and the power law of the cheapest."""
    is_whole = arms["value"].notna().all()
    if (arms["value"] <= 0).any():
        yield Untold(f"{quantity} over networks of several sizes, {name} ({NO_LOG})")
        return
    what = f"slope of log {quantity} over all networks, {name}"
    yield _straight(what, arms) if is_whole else what
    seeds = set(arms.dropna(subset=["value"])["seed"])
    if (found := trend_of(arms)) and seeds <= found.exponents.keys():
        yield _exponent(f"exponent of {quantity}, {name}", found)


def _straight(what: str, arms: pd.DataFrame) -> Comparison:
    """By seed, of log y on log C: the frontier falls by construction, all networks need not."""
    slopes = {
        int(str(seed)): float(np.polyfit(np.log(rows["compute"]), np.log(rows["value"]), 1)[0])
        for seed, rows in arms.astype({"compute": float, "value": float}).groupby("seed")
    }
    points = [(float(str(C)), by_seed(rows)) for C, rows in arms.groupby("compute")]
    values = Made(slopes).by("slope", *chain.from_iterable(points))
    return Comparison(what=what, values=values, unit="exponent", region=BELOW_ZERO)


def _exponent(what: str, found: Trend) -> Comparison:
    law = found.law
    return Comparison(
        what=what,
        values=found.exponents,
        unit="exponent",
        region=ABOVE_ZERO,
        decides=False,
        detail=f"{law.constant:.3g} + ({law.scale:.3g} C)^−{law.exponent:.3g} through the means of "
        f"{found.points} networks, the constant "
        + ("as they identify it" if law.constant_is_fitted else "fixed beforehand"),
    )


# -------------------------------------------------------------------------------- larger networks


def _larger_is_better(tables: Tables) -> Measured:
    found = Measured([], [])
    for metric, quantity in QUANTITIES.items():
        comparisons = [_larger(metric, *group) for group in sizes(judged(tables, metric))]
        found += compared(comparisons, f"{quantity.name} of networks of several sizes")
    return found


def _larger(metric: str, name: str, arms: pd.DataFrame) -> Comparison:
    """The widest network against the narrowest, after the most steps that all sizes have."""
    quantity, steps = QUANTITIES[metric], _longest_of_all(arms)
    small, large = int(arms[WIDTH].min()), int(arms[WIDTH].max())
    last = arms[arms["training_steps"] == steps]
    more, less = map(by_seed, parted(last, WIDTH, large, small))
    return Comparison(
        what=f"{quantity.name} of {setting(WIDTH, large)} against {small}, {name}",
        values=quantity.compared_by(more, less),
        unit=quantity.unit,
        region=BELOW_ZERO,
        detail=f"{mean(more):.4g} against {mean(less):.4g} after {steps:,} steps",
    )


def _longest_of_all(arms: pd.DataFrame) -> int:
    """The most training steps after which every size is looked at."""
    of_sizes = [set(rows["training_steps"].astype(int)) for _, rows in arms.groupby(WIDTH)]
    return max(set.intersection(*of_sizes), default=0)


CLAIMS: dict[str, Claim] = {
    "quality_follows_a_power_law_of_compute": Claim(
        says="FID and bits/dim fall with training compute, over networks of several sizes (in the "
        "paper about as power laws).",
        source="Section 6 and Fig. 10",
        method="The slope of the straight line through log y against log C of all networks (of any "
        "size, after any number of steps), per seed; C is 3 × forward multiply-adds × batch × "
        "steps. Supported if its interval lies below zero for the Fréchet distance and for "
        "bits/dim. Whether they fall as power laws is not decided: the exponent of y = c + (a "
        "C)^−b through the networks that no cheaper one undercuts, by least squares of log y, is "
        "given and decides nothing, since these fall by construction and their exponent depends on "
        "c, which is fixed at 0 (on ImageNet 64 at the paper's 4.00 and 3.40) unless the means "
        "over seeds identify it.",
        measure=_falls,
    ),
    "larger_networks_are_better": Claim(
        says="After the same number of training steps, a larger network has a lower FID and fewer "
        "bits/dim.",
        source="Section 6 and Fig. 10",
        method="At the most training steps that all sizes have: the widest network minus the "
        "narrowest, paired by seed; the log of the mean Fréchet distance, and bits/dim. Supported "
        "if both intervals lie below zero.",
        measure=_larger_is_better,
    ),
}
