"""Power against simulated studies, and numbers of seeds against textbook ones."""

import math
import warnings
from dataclasses import replace

import numpy as np
import pytest

from studies.judging.power import (
    MOST_SEEDS,
    POWER,
    chances,
    largest_inside,
    planned,
    seeds_to_decide,
    smallest_effect,
)
from studies.judging.verdicts import Finding, Measurement
from studies.tables.intervals import Interval, exact, t_interval
from tests.witness.made_up_findings import finding

TRIALS = 20_000
T_975 = {3: 4.302653, 5: 2.776445, 8: 2.364624, 10: 2.262157, 11: 2.228139, 20: 2.093024}
"""Quantiles of Student's t with n - 1 degrees of freedom, from tables."""


def of(mean: float, deviation: float, n: int) -> Interval:
    """The interval of n values with this mean and deviation."""
    half = T_975[n] * deviation / math.sqrt(n)
    return Interval(mean, mean - half, mean + half, n)


def simulated(
    mean: float, deviation: float, low: float, high: float, n: int, matters: float = 0.0
) -> tuple[float, float]:
    """How often the t interval of n normal values lies wholly inside a region, and outside.

    One that holds no difference that matters lies outside.
    """
    values = np.random.default_rng(n).normal(mean, deviation, (TRIALS, n))
    half = T_975[n] * values.std(axis=1, ddof=1) / math.sqrt(n)
    lows, highs = values.mean(axis=1) - half, values.mean(axis=1) + half
    none = (lows > -matters) & (highs < matters)
    inside = (lows > low) & (highs < high) & ~none
    outside = (highs < low) | (lows > high) | none
    return float(inside.mean()), float(outside.mean())


@pytest.mark.parametrize("n", [3, 8, 20])
@pytest.mark.parametrize(
    ("mean", "low", "high"),
    [
        (-1.0, -math.inf, 0.0),
        (0.6, -math.inf, 0.0),
        (1.5, 1.0, math.inf),
        (0.0, -2.0, 2.0),
        (0.7, -2.0, 2.0),
        (1.9, -1.0, 1.0),
        (0.0, -40.0, 40.0),
    ],
)
def test_chances_are_those_of_simulated_seeds(mean: float, low: float, high: float, n: int) -> None:
    found = chances(of(mean, 0.9, 5), low, high, n)
    expected = simulated(mean, 0.9, low, high, n)
    assert found == pytest.approx(expected, abs=4 * math.sqrt(0.25 / TRIALS))


@pytest.mark.parametrize("n", [3, 8, 20])
@pytest.mark.parametrize("mean", [-2.0, -1.0, -0.6, 0.0, 0.8])
@pytest.mark.parametrize(
    ("low", "high"),
    [(-math.inf, 0.0), (0.0, math.inf), (-math.inf, 0.5), (-3.0, 3.0), (-0.4, 2.0)],
)
def test_chances_where_a_difference_must_matter_are_those_of_simulated_seeds(
    mean: float, low: float, high: float, n: int
) -> None:
    found = chances(of(mean, 0.6, 5), low, high, n, matters=1.1)
    expected = simulated(mean, 0.6, low, high, n, matters=1.1)
    assert found == pytest.approx(expected, abs=4 * math.sqrt(0.25 / TRIALS))


@pytest.mark.parametrize("mean", [0.1, -0.1])
def test_seeds_tell_that_there_is_no_difference_that_matters(mean: float) -> None:
    none = Measurement(what="", interval=of(mean, 1.0, 5), unit="ratio", high=0.0, matters=1.1)
    assert planned([replace(none, matters=0.0)]) == math.inf
    assert planned([none]) == 11
    before, then = (simulated(mean, 1.0, -math.inf, 0.0, n, 1.1)[1] for n in (10, 11))
    assert before < POWER < then


@pytest.mark.parametrize("matters", [0.5, 0.8, 5.0])
def test_a_difference_that_is_told_is_not_told_to_be_none(matters: float) -> None:
    measured = Measurement(
        what="", interval=of(0.1, 0.4, 5), unit="ratio", high=0.0, matters=matters
    )
    effect = smallest_effect(measured)
    told = simulated(-effect, 0.4, -math.inf, 0.0, 5, matters)[0]
    assert told == pytest.approx(POWER, abs=0.012)
    none = largest_inside(replace(measured, matters=5.0))
    told = simulated(none, 0.4, -5.0, 5.0, 5)[0]
    assert told == pytest.approx(POWER, abs=0.012)


def test_a_region_that_no_interval_of_these_seeds_fits_into() -> None:
    inside, _ = chances(of(0.0, 5.0, 3), -0.1, 0.1, 3)
    assert 0 <= inside < 1e-3


@pytest.mark.parametrize(("effect", "seeds"), [(0.5, 34), (0.8, 15), (1.0, 10)])
def test_seeds_to_decide_are_those_of_the_textbooks(effect: float, seeds: int) -> None:
    """One-sample t test, 5% on two sides, power 0.8: as G*Power and Cohen's tables have them."""
    below = Measurement(what="", interval=of(-effect, 1.0, 3), unit="ratio", high=0.0)
    assert planned([below]) == seeds
    above = Measurement(what="", interval=of(3 - effect, 1.0, 3), unit="ratio", low=3.0)
    assert planned([above]) == seeds


def test_an_effect_too_small_takes_too_many_seeds() -> None:
    tiny = Measurement(what="", interval=of(0.05, 1.0, 3), unit="ratio", high=0.0)
    assert planned([tiny]) == math.inf
    assert planned([replace(tiny, interval=of(-0.29, 1.0, 3))]) == 96 <= MOST_SEEDS
    assert planned([replace(tiny, interval=of(-0.2835, 1.0, 3))]) == MOST_SEEDS


def test_the_smallest_effect_is_told_with_80_percent_power() -> None:
    measured = Measurement(what="", interval=of(0.1, 0.4, 5), unit="ratio", high=2.0)
    effect = smallest_effect(measured)
    told = (
        simulated(2.0 + effect, 0.4, -math.inf, 2.0, 5)[1],
        simulated(2.0 - effect, 0.4, -math.inf, 2.0, 5)[0],
    )
    assert told == pytest.approx((POWER, POWER), abs=0.012)


def test_one_seed_and_exact_quantities_have_no_smallest_effect() -> None:
    for interval in (exact(0.5), t_interval([0.5])):
        assert math.isnan(smallest_effect(Measurement(what="", interval=interval, unit="ratio")))


def test_the_largest_mean_inside_is_told_with_80_percent_power() -> None:
    measured = Measurement(what="", interval=of(9.0, 0.2, 5), unit="ratio", low=1.0, high=3.0)
    farthest = largest_inside(measured)
    for mean in (2 - farthest, 2 + farthest):
        assert simulated(mean, 0.2, 1.0, 3.0, 5)[0] == pytest.approx(POWER, abs=0.012)
    assert simulated(2.0, 0.6, 1.0, 3.0, 5)[0] == pytest.approx(0.63, abs=0.02)
    for deviation in (0.6, 1.0):
        assert math.isnan(largest_inside(replace(measured, interval=of(2.0, deviation, 5))))


BELOW = Measurement(what="", interval=of(-0.9, 1.0, 3), unit="ratio", high=0.0)


def test_several_quantities_must_all_be_told_inside() -> None:
    both = seeds_to_decide(finding(BELOW, replace(BELOW, interval=of(-0.8, 1.0, 3))))
    power = {
        n: simulated(-0.9, 1.0, -math.inf, 0.0, n)[0] * simulated(-0.8, 1.0, -math.inf, 0.0, n)[0]
        for n in (8, 20)
    }
    assert power[8] < POWER < power[20]
    assert seeds_to_decide(finding(BELOW)) < both < 20


def test_one_quantity_outside_is_enough_to_contradict() -> None:
    outside = replace(BELOW, interval=of(1.0, 1.0, 3))
    assert seeds_to_decide(finding(BELOW, outside)) == 10
    assert seeds_to_decide(finding(outside, outside, outside)) < 10


def test_it_is_more_seeds_than_any_quantity_has_and_one_without_a_difference_may_decide() -> None:
    clear = replace(BELOW, interval=of(-5.0, 1.0, 10))
    assert planned([clear, replace(clear, interval=of(-5.0, 1.0, 3))]) == 11
    none = replace(BELOW, interval=of(-0.1, 1.0, 5), matters=1.1)
    assert planned([none, replace(clear, matters=1.1)]) == planned([none]) == 11


def test_what_decides_nothing_and_what_is_exact_takes_no_seeds() -> None:
    aside = replace(BELOW, interval=of(0.001, 1.0, 3), decides=False)
    known = replace(BELOW, interval=exact(-1.0))
    assert seeds_to_decide(finding(BELOW, aside, known)) == seeds_to_decide(finding(BELOW))


@pytest.mark.parametrize(
    "other",
    [
        finding(BELOW, verdict="supported"),
        finding(verdict="not run"),
        finding(replace(BELOW, interval=t_interval([-1.0]))),
        finding(BELOW, replace(BELOW, interval=t_interval([-1.0]))),
        replace(finding(BELOW), is_untold=True),
    ],
)
def test_no_number_of_seeds_is_named_where_none_would_help_or_none_is_known(other: Finding) -> None:
    assert math.isnan(seeds_to_decide(other))


def test_equal_values_are_decided_by_one_more_seed() -> None:
    same = Measurement(what="", interval=t_interval([0.5, 0.5]), unit="ratio", high=0.0)
    assert planned([same]) == 3
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert planned([replace(same, matters=1.0)]) == 3
    assert smallest_effect(same) == 0
