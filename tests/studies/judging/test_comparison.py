"""One comparison of a claim: what it measures of numbers by seed, and what it lacks without."""

import math
from dataclasses import replace

import pandas as pd
import pytest

from studies.judging.comparison import (
    ABOVE_ZERO,
    BELOW_ZERO,
    QUANTITIES,
    Comparison,
    Region,
    compared,
    trainings_behind,
    within,
)
from studies.judging.families import p_values
from studies.judging.verdicts import Unit, Untold, decide
from studies.tables.intervals import Made

LOWER = Comparison(
    what="x", values={0: -1.0, 1: -1.2, 2: -1.1}, unit="bits/dim", region=BELOW_ZERO, detail="d"
)
UNMEASURED = replace(LOWER, what="y", values={})


def test_a_comparison_is_the_interval_over_seeds_in_its_region() -> None:
    (found,) = compared([LOWER]).measurements
    assert (found.what, found.unit, found.detail) == ("x", "bits/dim", "d")
    assert found.interval.mean == pytest.approx(-1.1)
    assert found.interval.half_width == pytest.approx(4.302653 * 0.1 / math.sqrt(3), rel=1e-6)
    assert (found.interval.n, found.decides, found.verdict) == (3, True, "supported")


@pytest.mark.parametrize(
    ("region", "verdict"),
    [
        (BELOW_ZERO, "supported"),
        (ABOVE_ZERO, "contradicted"),
        (Region(low=-2.0, high=0.5), "supported"),
        (Region(high=-1.1), "inconclusive"),
    ],
)
def test_the_region_is_the_claim(region: Region, verdict: str) -> None:
    (found,) = compared([replace(LOWER, region=region)]).measurements
    assert found.verdict == verdict


@pytest.mark.parametrize(
    ("values", "verdict"),
    [
        ((0.001, -0.001, 0.0), "contradicted"),
        ((-0.004, -0.003, -0.0035), "contradicted"),
        ((-0.007, -0.0065, -0.006), "supported"),
        ((-0.004, -0.003, 0.002), "inconclusive"),
        ((0.010, 0.011, 0.012), "contradicted"),
    ],
)
def test_an_interval_nearer_to_none_than_what_matters_contradicts_a_difference(
    values: tuple[float, ...], verdict: str
) -> None:
    measured = compared([replace(LOWER, values=dict(enumerate(values)))])
    (found,) = measured.measurements
    assert found.verdict == verdict
    none = abs(values[0]) < 0.005 and verdict == "contradicted"
    reason = "No difference that matters here: x."
    assert (decide(measured, done=True) == ("contradicted", reason)) is none
    outside = p_values(found)[1]
    assert (outside < 0.05) is (verdict == "contradicted")


def test_what_matters_is_of_claims_of_a_difference_alone_and_may_be_anything() -> None:
    alike = {0: 0.001, 1: -0.001, 2: 0.0}
    for changes in ({"region": Region(high=0.5)}, {"matters": 0.0}):
        (found,) = compared([replace(LOWER, values=alike, **changes)]).measurements
        assert not found.is_no_difference


@pytest.mark.parametrize("region", [BELOW_ZERO, ABOVE_ZERO])
@pytest.mark.parametrize(
    ("unit", "least"),
    [
        ("log ratio", math.log(1.1)),
        ("bits/dim", 0.01 / 2),
        ("log odds ratio", 0.01 / (0.5 * (1 - 0.5))),  # d log(p / (1 - p)) = dp / (p (1 - p))
        ("ratio", 0.0),
    ],
)
def test_the_smallest_difference_that_matters_is_fixed_beforehand(
    unit: Unit, least: float, region: Region
) -> None:
    (found,) = compared([replace(LOWER, unit=unit, region=region)]).measurements
    assert found.matters == pytest.approx(least, rel=1e-12)


def test_within_a_share_neither_of_two_exceeds_the_other_by_it() -> None:
    region = within(0.25)
    assert (math.exp(region.low), math.exp(region.high)) == pytest.approx((1 / 1.25, 1.25))


def test_a_measurement_has_the_formula_that_it_is_given_or_that_its_values_know() -> None:
    known = Made(LOWER.values).by("rows", ((0, 7),))
    for own, formula in ((None, ("rows", ((0, 7),))), (("odds",), ("odds",))):
        (found,) = compared([replace(LOWER, values=known, formula=own)]).measurements
        assert found.formula == formula


def test_behind_rows_are_their_trainings_whatever_is_evaluated_and_none_behind_a_rival() -> None:
    settings = ['{"train": {"b": 1, "a": 2}, "samples": {}}', '{"train": {"a": 2, "b": 1}}', "{}"]
    arms = [pd.DataFrame({"settings": [one]}) for one in settings]
    assert trainings_behind(arms) == {'{"train": {"a": 2, "b": 1}}'}


def test_without_values_a_comparison_is_missing_by_its_name_or_another() -> None:
    measured = compared([LOWER, UNMEASURED, replace(UNMEASURED, missing="z")])
    assert ([m.what for m in measured.measurements], measured.missing) == (["x"], ["y", "z"])


def test_what_decides_nothing_is_not_missed() -> None:
    aside = [replace(one, decides=False) for one in (LOWER, UNMEASURED)]
    measured = compared(aside, "nothing")
    assert [m.decides for m in measured.measurements] == [False]
    assert measured.missing == []


def test_what_does_not_tell_is_given_decides_nothing_and_says_why() -> None:
    measured = compared([replace(LOWER, untold="why"), replace(UNMEASURED, untold="why")])
    assert [m.decides for m in measured.measurements] == [False]
    assert measured.missing == ["why", "y"]
    assert [isinstance(one, Untold) for one in measured.missing] == [True, False]


def test_names_of_what_a_study_lacks_stand_in_their_order() -> None:
    assert compared(["a", UNMEASURED, Untold("b"), "a"]).missing == ["a", "y", "b"]


def test_a_study_that_asks_for_no_comparison_lacks_it() -> None:
    assert compared([], "nothing").missing == ["nothing"]
    assert compared([LOWER], "nothing").missing == []
    assert compared([]).missing == []


def test_distances_without_a_ratio_do_not_tell() -> None:
    measured = compared([replace(LOWER, values={0: math.nan, 1: 0.5})])
    assert measured.measurements == []
    (said,) = measured.missing
    assert isinstance(said, Untold)
    assert said == "x (the mean of a distance without its bias is not above zero)"
    aside = replace(LOWER, values={0: math.nan}, decides=False)
    assert compared([aside]).missing == []


def test_distances_are_compared_by_logs_and_bits_by_differences_of_the_same_seeds() -> None:
    first, second = {0: 2.0, 1: 9.0, 2: 4.0}, {2: 1.0, 0: 8.0, 5: 3.0}
    by_metric = {name: one.compared_by(first, second) for name, one in QUANTITIES.items()}
    logs = by_metric["frechet_distance"]
    assert logs.keys() == {0, 2}
    assert sum(logs.values()) / 2 == pytest.approx(math.log(6 / 9))
    assert by_metric["bits_per_dim"] == pytest.approx({0: -6.0, 2: 3.0})
    assert {one.unit for one in QUANTITIES.values()} == {"log ratio", "bits/dim"}
