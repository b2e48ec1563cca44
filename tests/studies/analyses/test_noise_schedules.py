"""The claims about schedules against numbers computed by the official modules, and turned round."""

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from iddpm.arrays import FloatArray
from iddpm.config import Schedule
from studies.analyses.drawings import FIGURES
from studies.analyses.judge import judge
from studies.analyses.noise_schedules import claims
from studies.analyses.sentences import SENTENCES
from studies.judging.verdicts import Finding
from tests.witness.made_up_rows import tables_of

NOTHING = tables_of([])
"""A claim about a schedule needs no results."""

OFFICIAL = {
    ("linear", 4000): (0.5238, 0.0789, 0.00342, 4.25e-5),
    ("cosine", 4000): (0.8470, 0.4938, 0.1443, 1.5e-10),
}
"""ᾱ at T/4, T/2, 3T/4 and T, by running the official code."""


def values(finding: Finding) -> dict[str, float]:
    return {m.what: m.interval.mean for m in finding.measurements}


@pytest.mark.parametrize(("schedule", "T"), OFFICIAL)
def test_alpha_bar_is_that_of_the_official_code(schedule: Schedule, T: int) -> None:
    found = claims.left(schedule, T)[[T // 4, T // 2, 3 * T // 4, T]]
    np.testing.assert_allclose(found, OFFICIAL[schedule, T], rtol=0.02)  # two digits are given
    np.testing.assert_allclose(found[:3], OFFICIAL[schedule, T][:3], rtol=2e-3)


def test_the_answer_says_what_is_left_halfway_and_how_long_almost_nothing_is() -> None:
    rows = pd.DataFrame({"schedule": ["cosine", "linear", "linear"], "T": [4000, 4000, 1000]})
    assert SENTENCES["noise_schedules"](replace(NOTHING, results=rows)) == (
        "Halfway through 4,000 steps the cosine schedule leaves 49% and the linear schedule leaves "
        "8% of the image's variance; less than 1% is left in 6% of the cosine steps and 33% of the "
        "linear steps."
    )


def cosine(place: float) -> float:
    """ᾱ of Eq. 17 without its clip."""
    f = [math.cos((x + 0.008) / 1.008 * math.pi / 2) ** 2 for x in (place, 0)]
    return f[0] / f[1]


def test_the_linear_schedule_is_almost_noise_in_its_last_quarter() -> None:
    finding = judge("linear_destroys_information_early", NOTHING)
    found = values(finding)
    assert finding.verdict == "supported"
    assert found["ᾱ at T/2, linear over cosine, T = 4,000"] == pytest.approx(
        0.0789 / 0.4938, rel=2e-3
    )
    # ᾱ of many small linear steps is exp(-(0.1 x + 19.9 x²/2)); the root of 0.01, and Eq. 17's
    root = (-0.1 + math.sqrt(0.01 + 2 * 19.9 * math.log(100))) / 19.9
    assert found["share of the steps with ᾱ below 0.01, linear, T = 4,000"] == pytest.approx(
        1 - root, abs=2e-3
    )
    angle = math.acos(0.1 * math.cos(0.008 / 1.008 * math.pi / 2))
    last = 1 - (angle / (math.pi / 2) * 1.008 - 0.008)
    assert found["share of the steps with ᾱ below 0.01, cosine, T = 1,000"] == pytest.approx(
        last, abs=1e-3
    )


def test_the_cosine_schedule_falls_along_a_line() -> None:
    finding = judge("cosine_falls_evenly_between_its_ends", NOTHING)
    found = values(finding)
    assert finding.verdict == "supported"
    assert found["ᾱ lost over the first 5% of the steps, cosine, T = 1,000"] == pytest.approx(
        1 - cosine(0.05), rel=1e-9
    )
    assert found["ᾱ lost over the last 5% of the steps, cosine, T = 4,000"] == pytest.approx(
        cosine(0.95), rel=1e-6
    )
    x = np.linspace(0.25, 0.75, 10_001)
    strays = [
        abs(cosine(p) - cosine(0.25) - (cosine(0.75) - cosine(0.25)) * (p - 0.25) / 0.5) for p in x
    ]
    assert found[
        "farthest that ᾱ strays from a straight line between T/4 and 3T/4, cosine, T = 1,000"
    ] == pytest.approx(max(strays), rel=1e-4)
    linear = [m for m in finding.measurements if "linear" in m.what]
    assert len(linear) == 6
    assert not any(m.decides for m in linear)


def test_the_first_cosine_noise_is_a_little_smaller_than_a_bin_at_a_thousand_steps() -> None:
    finding = judge("first_cosine_noise_is_below_a_pixel_bin", NOTHING)
    deciding, other = finding.measurements
    assert finding.verdict == "supported"
    assert deciding.interval.mean == pytest.approx(0.00643 * 127.5, abs=1e-3)
    assert other.interval.mean == pytest.approx(0.00314 * 127.5, abs=1e-3)
    assert (deciding.decides, other.decides) == (True, False)
    assert deciding.detail == "√β = 0.00643, bin 0.00784"


@pytest.mark.parametrize(
    "claim", ["linear_destroys_information_early", "cosine_falls_evenly_between_its_ends"]
)
def test_were_the_schedules_exchanged_the_claims_would_be_contradicted(
    claim: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    exchanged: dict[Schedule, Schedule] = {"linear": "cosine", "cosine": "linear"}
    right = claims.left

    def wrong(schedule: Schedule, T: int) -> FloatArray:
        return right(exchanged[schedule], T)

    monkeypatch.setattr(claims, "left", wrong)
    finding = judge(claim, NOTHING)
    assert finding.verdict == "contradicted"
    assert finding.reason.startswith("Wholly outside what the claim says: ")


def test_a_first_noise_above_a_bin_or_far_below_it_would_contradict(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for first in (1.1 / 127.5, 0.4 / 127.5):
        monkeypatch.setattr(claims, "betas", lambda s, T, b=first: np.array([b**2]))
        finding = judge("first_cosine_noise_is_below_a_pixel_bin", NOTHING)
        assert finding.verdict == "contradicted"


# ---------------------------------------------------------------- edges that were fixed beforehand


def judged_on(
    claim: str, curves: Callable[[Schedule, int], FloatArray], monkeypatch: pytest.MonkeyPatch
) -> str:
    """The verdict, had the schedules these ᾱ."""
    monkeypatch.setattr(claims, "left", curves)
    return judge(claim, NOTHING).verdict


@pytest.mark.parametrize(
    ("halfway", "linear", "cosine", "level", "verdict"),
    [
        (0.499, 0.252, 0.248, 0.0099, "supported"),
        (0.501, 0.252, 0.248, 0.0099, "contradicted"),
        (0.499, 0.248, 0.248, 0.0099, "contradicted"),
        (0.499, 0.252, 0.252, 0.0099, "contradicted"),
        (0.499, 0.252, 0.248, 0.0101, "contradicted"),
    ],
)
def test_early_is_half_at_the_middle_and_a_hundredth_over_a_quarter(
    halfway: float,
    linear: float,
    cosine: float,
    level: float,
    verdict: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def curves(schedule: Schedule, T: int) -> FloatArray:
        share = linear if schedule == "linear" else cosine
        curve = np.where(np.arange(T + 1) > T - share * T, level, 1.0)
        curve[T // 2] = halfway if schedule == "linear" else 1.0
        return curve

    assert judged_on("linear_destroys_information_early", curves, monkeypatch) == verdict


@pytest.mark.parametrize(
    ("first", "bend", "last", "verdict"),
    [
        (0.0099, 0.0499, 0.0099, "supported"),
        (0.0099, -0.0499, 0.0099, "supported"),
        (0.0101, 0.0499, 0.0099, "contradicted"),
        (0.0099, 0.0501, 0.0099, "contradicted"),
        (0.0099, -0.0501, 0.0099, "contradicted"),
        (0.0099, 0.0499, 0.0101, "contradicted"),
    ],
)
def test_evenly_is_a_hundredth_at_each_end_and_a_twentieth_from_a_line_between(
    first: float, bend: float, last: float, verdict: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A curve of straight pieces: flat over a twentieth at each end, bent in the middle."""
    places = [0, 0.05, 0.25, 0.5, 0.75, 0.95, 1]
    heights = [1, 1 - first, 0.8, 0.5 + bend, 0.2, last, 0]

    def curves(schedule: Schedule, T: int) -> FloatArray:
        return np.interp(np.arange(T + 1) / T, places, heights)

    assert judged_on("cosine_falls_evenly_between_its_ends", curves, monkeypatch) == verdict


@pytest.mark.parametrize(
    ("share", "verdict"),
    [
        (0.499, "contradicted"),
        (0.501, "supported"),
        (0.999, "supported"),
        (1.001, "contradicted"),
    ],
)
def test_slightly_smaller_is_from_half_a_bin_to_one(
    share: float, verdict: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(claims, "betas", lambda s, T: np.array([(share / 127.5) ** 2]))
    assert judge("first_cosine_noise_is_below_a_pixel_bin", NOTHING).verdict == verdict


def test_the_drawn_share_of_the_image_is_that_of_each_schedule_along_the_process() -> None:
    """Eq. 17, and the linear schedule of Ho et al. (2020) scaled to T = 4000."""
    table = FIGURES["alpha_bar"].table(tables_of([]))
    steps = np.arange(0, 4001, 10)
    linear = np.cumprod([1.0, *(1 - np.linspace(0.1 / 4000, 20 / 4000, 4000))])[steps]
    cosine = np.cos((steps / 4000 + 0.008) / 1.008 * np.pi / 2) ** 2
    for name, expected in (("linear", linear), ("cosine", cosine / cosine[0])):
        curve = table[table["schedule"] == name]
        assert curve["step"].tolist() == steps.tolist()
        assert curve["place"].to_numpy() == pytest.approx(steps / 4000)
        assert curve["alpha_bar"].to_numpy() == pytest.approx(expected, abs=1e-6)
        quarters = ", ".join(f"{value:.3g}" for value in expected[100:400:100])
        assert f"{name} {quarters}" in FIGURES["alpha_bar"].caption(table, tables_of([]))
