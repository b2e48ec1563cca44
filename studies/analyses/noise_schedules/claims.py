"""What the paper says of the noise schedules alone; exact, and without seeds."""

import math
from itertools import pairwise

import numpy as np

from iddpm.arrays import FloatArray
from iddpm.config import Schedule
from iddpm.schedules import alpha_bar, betas, variance_ratio
from studies.analyses.noise_schedules.paper import (
    ALMOST_NOTHING,
    BEND,
    BIN_SHARE,
    EDGE,
    EDGE_LOSS,
    HALFWAY_AT_MOST,
    LAST_PART,
    LENGTHS,
    PIXEL_BIN,
    RATIO_AT_LEAST,
    RATIO_FROM_INDEX,
    RATIO_LENGTHS,
)
from studies.judging.verdicts import Claim, Measured, Measurement
from studies.tables.intervals import Formula, exact
from studies.tables.tables import Tables


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
            formula=("difference", _made_share_below(longer), _made_share_below(shorter)),
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
        formula=("least", ("cut", _made_ratios(schedule, T), RATIO_FROM_INDEX, T)),
        low=math.nextafter(RATIO_AT_LEAST, 0),
        decides=decides,
    )


def _share_below(schedule: Schedule, T: int) -> float:
    return float((variance_ratio(betas(schedule, T)) < RATIO_AT_LEAST).mean())


def _made_share_below(T: int) -> Formula:
    return ("share_below", _made_ratios("linear", T), RATIO_AT_LEAST)


def _made_ratios(schedule: Schedule, T: int) -> Formula:
    return ("variance_ratios", ("left", schedule, T))


def left(schedule: Schedule, T: int) -> FloatArray:
    """ᾱ_t for t from 0, where all is left, to T; shape (T + 1,)."""
    return np.concatenate([[1.0], alpha_bar(betas(schedule, T))])


# ---------------------------------------------------------------------- the linear schedule's haste


def _destroys_early(tables: Tables) -> Measured:
    measurements = []
    for T in LENGTHS:
        linear, cosine = left("linear", T), left("cosine", T)
        middle = T // 2
        measurements += [
            Measurement(
                what=f"ᾱ at T/2, linear over cosine, T = {T:,}",
                interval=exact(float(linear[middle] / cosine[middle])),
                unit="ratio",
                high=HALFWAY_AT_MOST,
                formula=(
                    "ratio",
                    *(("item", ("left", s, T), middle) for s in ("linear", "cosine")),
                ),
                detail=f"{linear[middle]:.4f} against {cosine[middle]:.4f}",
            ),
            _share_of_noise("linear", T, low=LAST_PART),
            _share_of_noise("cosine", T, high=LAST_PART),
        ]
    return Measured(measurements, [])


def _share_of_noise(
    schedule: Schedule, T: int, *, low: float = -math.inf, high: float = math.inf
) -> Measurement:
    return Measurement(
        what=f"share of the steps with ᾱ below {ALMOST_NOTHING:g}, {schedule}, T = {T:,}",
        interval=exact(float((left(schedule, T)[1:] < ALMOST_NOTHING).mean())),
        unit="%",
        low=low,
        high=high,
        formula=("share_below", ("cut", ("left", schedule, T), 1, T + 1), ALMOST_NOTHING),
    )


# ---------------------------------------------------------------------- the cosine schedule's shape


def _falls_evenly(tables: Tables) -> Measured:
    measurements = []
    for schedule in ("cosine", "linear"):
        for T in LENGTHS:
            measurements += _shape(schedule, T, decides=schedule == "cosine")
    return Measured(measurements, [])


def _shape(schedule: Schedule, T: int, *, decides: bool) -> list[Measurement]:
    curve, edge, quarter = left(schedule, T), round(EDGE * T), T // 4
    middle = curve[quarter : T - quarter + 1]
    chord = np.linspace(middle[0], middle[-1], len(middle))
    made: Formula = ("left", schedule, T)

    def loss(i: int, j: int) -> tuple[float, float, Formula]:
        return curve[i] - curve[j], EDGE_LOSS, ("difference", ("item", made, i), ("item", made, j))

    found = {
        f"ᾱ lost over the first {EDGE:.0%} of the steps": loss(0, edge),
        f"ᾱ lost over the last {EDGE:.0%} of the steps": loss(T - edge, T),
        "farthest that ᾱ strays from a straight line between T/4 and 3T/4": (
            np.abs(middle - chord).max(),
            BEND,
            ("bend", ("cut", made, quarter, T - quarter + 1)),
        ),
    }
    return [
        Measurement(
            what=f"{what}, {schedule}, T = {T:,}",
            interval=exact(float(value)),
            unit="ratio",
            high=high,
            decides=decides,
            formula=formula,
        )
        for what, (value, high, formula) in found.items()
    ]


# -------------------------------------------------------------------------- the cosine's offset s


def _below_a_bin(tables: Tables) -> Measured:
    deciding, other = LENGTHS
    return Measured([_first_noise(deciding, decides=True), _first_noise(other, decides=False)], [])


def _first_noise(T: int, *, decides: bool) -> Measurement:
    deviation, chain = math.sqrt(float(betas("cosine", T)[0])), ("left", "cosine", T)
    return Measurement(
        what=f"√β of the first step over the pixel bin 1/127.5, T = {T:,}",
        interval=exact(deviation / PIXEL_BIN),
        unit="ratio",
        low=BIN_SHARE,
        high=1.0,
        decides=decides,
        detail=f"√β = {deviation:.5f}, bin {PIXEL_BIN:.5f}",
        formula=("times", 1 / PIXEL_BIN, ("root", ("difference", 1, ("item", chain, 1)))),
    )


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
    "linear_destroys_information_early": Claim(
        says="The linear schedule destroys the image earlier than it need: halfway little is left "
        "of it, and the last quarter of the process is almost pure noise.",
        source="Section 3.2, Figs. 3 and 5",
        method=f"Computed for T = {LENGTHS[0]:,} and {LENGTHS[1]:,}. Supported if at T/2 the "
        f"linear ᾱ is at most {HALFWAY_AT_MOST:g} of the cosine one, and ᾱ lies below "
        f"{ALMOST_NOTHING:g} in more than {LAST_PART:.0%} of the linear steps and in less than "
        f"that of the cosine ones. The thresholds were fixed beforehand; a claim about a schedule "
        "is exact and has no interval.",
        measure=_destroys_early,
    ),
    "cosine_falls_evenly_between_its_ends": Claim(
        says="Under the cosine schedule ᾱ changes little near t = 0 and t = T, and falls almost "
        "along a straight line between.",
        source="Section 3.2 and Fig. 5",
        method=f"Computed for T = {LENGTHS[0]:,} and {LENGTHS[1]:,}. Supported if the first and "
        f"the last {EDGE:.0%} of the steps each lose less than {EDGE_LOSS:g} of ᾱ (an even fall "
        f"would lose {EDGE:g}), and if between T/4 and 3T/4 ᾱ stays within {BEND:g} of the "
        "straight line through its ends. Fixed beforehand, exact. The linear schedule's values are "
        "given too, and decide nothing.",
        measure=_falls_evenly,
    ),
    "first_cosine_noise_is_below_a_pixel_bin": Claim(
        says="With s = 0.008 the first step of the cosine schedule adds noise slightly smaller "
        "than the bin of a pixel: √β is below 1/127.5.",
        source="Section 3.2, Eq. 17",
        method=f"Computed. Supported if at T = {LENGTHS[0]:,} √β of the first step is between "
        f"{BIN_SHARE:g} and 1 of the bin: slightly smaller, fixed beforehand. At T = "
        f"{LENGTHS[1]:,}, which most of the paper's networks have, the same s gives less than half "
        "a bin; that is given and decides nothing.",
        measure=_below_a_bin,
    ),
}
