"""What the paper says of the noise schedule alone; exact, and without seeds."""

import math
from itertools import pairwise

from iddpm.config import Schedule
from iddpm.schedules import betas, variance_ratio
from studies.judging.verdicts import Claim, Measured, Measurement
from studies.tables.intervals import exact
from studies.tables.tables import Tables

RATIO_FROM_INDEX = 18
RATIO_AT_LEAST = 0.9
RATIO_LENGTHS = (100, 1000, 4000, 10_000)


def _close_to_beta(tables: Tables) -> Measured:
    shares = {T: _share_below("linear", T) for T in RATIO_LENGTHS}
    measurements = [_lowest_ratio("linear", T, decides=True) for T in RATIO_LENGTHS]
    measurements += [
        Measurement(
            what=f"share of steps below {RATIO_AT_LEAST}, T = {longer:,} minus T = {shorter:,}, "
            "linear",
            interval=exact(shares[longer] - shares[shorter]),
            unit="percentage points",
            high=0.0,
            detail=f"{shares[shorter]:.2%} of the steps falls to {shares[longer]:.2%}",
        )
        for shorter, longer in pairwise(RATIO_LENGTHS)
    ]
    if "cosine" in set(tables.results["schedule"]):
        measurements += [_lowest_ratio("cosine", T, decides=False) for T in RATIO_LENGTHS]
    return Measured(measurements, [])


def _lowest_ratio(schedule: Schedule, T: int, *, decides: bool) -> Measurement:
    ratio = variance_ratio(betas(schedule, T))[RATIO_FROM_INDEX:]
    return Measurement(
        what=f"lowest β̃/β from index {RATIO_FROM_INDEX} on, T = {T:,}, {schedule}",
        interval=exact(float(ratio.min())),
        unit="ratio",
        low=math.nextafter(RATIO_AT_LEAST, 0),
        decides=decides,
    )


def _share_below(schedule: Schedule, T: int) -> float:
    return float((variance_ratio(betas(schedule, T)) < RATIO_AT_LEAST).mean())


CLAIMS: dict[str, Claim] = {
    "beta_tilde_close_to_beta": Claim(
        says="Apart from the first steps, β̃ is almost β, and more nearly so the longer the "
        "process: the choice of Σ between the two should matter little to samples.",
        source="Section 3.1 and Fig. 1",
        method="Computed from the linear schedule, which Fig. 1 shows: from index "
        f"{RATIO_FROM_INDEX} on (counting from 0) β̃/β is at least {RATIO_AT_LEAST} for T = "
        f"{', '.join(f'{T:,}' for T in RATIO_LENGTHS)}, and the share of steps below "
        f"{RATIO_AT_LEAST} shrinks as T grows. A claim about a schedule is exact and has no "
        "interval. Where the study uses the cosine schedule, its ratios are given too, and decide "
        "nothing.",
        measure=_close_to_beta,
    ),
}
