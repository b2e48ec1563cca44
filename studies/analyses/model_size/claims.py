"""What the paper says of larger networks and more compute."""

import math
from collections.abc import Iterator, Mapping

import numpy as np
import pandas as pd

from studies.analyses.model_size.paper import FIG_10_LAWS
from studies.analyses.model_size.power_law import Trend, trend
from studies.judging.verdicts import Claim, Measured, Measurement, Untold
from studies.published.published import INCEPTION, settings_of
from studies.tables.groupings import arm_columns, by_seed, records
from studies.tables.intervals import paired_differences, t_interval
from studies.tables.labels import setting
from studies.tables.rows import asked, mean, named, with_own_variance
from studies.tables.tables import Tables

WIDTH = "train.network.model_channels"
FOLLOWS = (WIDTH, "train.optimizer.learning_rate", "train.network.groups")
"""Settings that change with the width of a network."""
QUANTITIES = {"frechet_distance": "Fréchet distance", "bits_per_dim": "bits/dim"}


def sizes(rows: pd.DataFrame) -> Iterator[tuple[str, pd.DataFrame]]:
    """Rows of one metric and recipe that differ in their networks' size and training's length.

    Each with what tells it from the others; only of networks of several sizes, read with the Σ
    that they learned.
    """
    if WIDTH not in rows:
        return
    rows = with_own_variance(rows)
    for name, arms in named(rows, arm_columns(rows, without=(*FOLLOWS, "train.steps"))):
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
    measurements, missing = [], []
    for metric, quantity in QUANTITIES.items():
        groups = list(sizes(asked(tables, metric)))
        if not groups:
            missing.append(f"exponent of {quantity} over networks of several sizes")
        for name, arms in groups:
            if arms["value"].notna().all():
                measurements.append(
                    _slope(f"slope of log {quantity} over all networks, {name}", arms)
                )
            found = trend_of(arms)
            what = f"exponent of {quantity}, {name}"
            if found is None or set(arms.dropna(subset=["value"])["seed"]) > found.exponents.keys():
                lack = f"{what} (a seed has too few networks that no cheaper one undercuts)"
                missing.append(Untold(lack) if arms["value"].notna().all() else lack)
            else:
                measurements.append(_exponent(what, found))
    return Measured(measurements, missing)


def _slope(what: str, arms: pd.DataFrame) -> Measurement:
    """By seed, of log y on log C: the frontier falls by construction, all networks need not."""
    slopes = [
        float(np.polyfit(np.log(of_seed["compute"]), np.log(of_seed["value"]), 1)[0])
        for _, of_seed in arms.astype({"compute": float, "value": float}).groupby("seed")
    ]
    return Measurement(what=what, interval=t_interval(slopes), unit="exponent", high=0.0)


def _exponent(what: str, found: Trend) -> Measurement:
    law = found.law
    return Measurement(
        what=what,
        interval=t_interval(list(found.exponents.values())),
        unit="exponent",
        low=0.0,
        detail=f"{law.constant:.3g} + ({law.scale:.3g} C)^−{law.exponent:.3g} through the means of "
        f"{found.points} networks, the constant "
        + ("as they identify it" if law.constant_is_fitted else "fixed beforehand"),
    )


# -------------------------------------------------------------------------------- larger networks


def _larger_is_better(tables: Tables) -> Measured:
    measurements, missing = [], []
    for metric, quantity in QUANTITIES.items():
        groups = list(sizes(asked(tables, metric)))
        if not groups:
            missing.append(f"{quantity} of networks of several sizes")
        for name, arms in groups:
            last = arms[arms["training_steps"] == _longest_of_all(arms)]
            small, large = last[WIDTH].min(), last[WIDTH].max()
            what = f"{quantity} of {setting(WIDTH, int(large))} against {int(small)}, {name}"
            found = _difference(what, metric, last, small, large)
            measurements += [found] if found else []
            missing += [] if found else [what]
    return Measured(measurements, missing)


def _longest_of_all(arms: pd.DataFrame) -> int:
    """The most training steps after which every size is looked at."""
    of_sizes = [set(rows["training_steps"].astype(int)) for _, rows in arms.groupby(WIDTH)]
    return max(set.intersection(*of_sizes), default=0)


def _difference(
    what: str, metric: str, arms: pd.DataFrame, small: object, large: object
) -> Measurement | None:
    less, more = (by_seed(arms[arms[WIDTH] == width]) for width in (small, large))
    if metric == "frechet_distance":
        less, more = _logs(less), _logs(more)
    differences = paired_differences(more, less)
    if not differences:
        return None
    shown = math.exp if metric == "frechet_distance" else float
    return Measurement(
        what=what,
        interval=t_interval(list(differences.values())),
        unit="log ratio" if metric == "frechet_distance" else "bits/dim",
        high=0.0,
        detail=f"{shown(mean(more)):.4g} against {shown(mean(less)):.4g} after "
        f"{int(arms['training_steps'].iloc[0]):,} steps",
    )


def _logs(values: Mapping[int, float]) -> dict[int, float]:
    return {seed: math.log(value) for seed, value in values.items()}


CLAIMS: dict[str, Claim] = {
    "quality_follows_a_power_law_of_compute": Claim(
        says="FID and bits/dim fall with training compute about as power laws, over networks of "
        "several sizes.",
        source="Section 6 and Fig. 10",
        method="y = c + (a C)^−b by least squares of log y, over the networks (of any size, after "
        "any number of steps) that no cheaper one undercuts; C is 3 × forward multiply-adds × "
        "batch × steps. c is fixed at 0 (on ImageNet 64 at the paper's 4.00 and 3.40) unless the "
        "means over seeds identify it. Supported if the interval of the exponent b lies above "
        "zero for the Fréchet distance and for bits/dim. The interval is Student's t over the "
        "exponents fitted to each seed's own points; where the means identify the constant, that "
        "of each seed is its own, since one held at another's value moves the exponent. Networks "
        "that no cheaper one undercuts fall by construction: so the straight line through log y "
        "against log C of all networks must fall too, per seed; if it rises, the claim is "
        "contradicted.",
        measure=_falls,
    ),
    "larger_networks_are_better": Claim(
        says="After the same number of training steps, a larger network has a lower FID and fewer "
        "bits/dim.",
        source="Section 6 and Fig. 10",
        method="At the most training steps that all sizes have: the widest network minus the "
        "narrowest, per seed; the log of the Fréchet distance, and bits/dim. Supported if both "
        "intervals lie below zero.",
        measure=_larger_is_better,
    ),
}
