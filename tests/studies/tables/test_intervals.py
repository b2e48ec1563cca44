"""Intervals against SciPy's t distribution, and against how often they hold the truth."""

import math
from collections.abc import Callable

import numpy as np
import pytest
from scipy import stats

from studies.tables.intervals import (
    Interval,
    half_width_per_deviation,
    log_odds,
    log_ratios_of_means,
    mean,
    paired_differences,
    paired_log_ratios,
    t_interval,
)


@pytest.mark.parametrize("n", [2, 3, 5, 30])
@pytest.mark.parametrize("confidence", [0.9, 0.95])
def test_the_interval_is_scipys_student_t(n: int, confidence: float) -> None:
    values = np.random.default_rng(n).normal(3, 2, n)
    found = t_interval(list(values), confidence=confidence)
    low, high = stats.t.interval(confidence, n - 1, loc=values.mean(), scale=stats.sem(values))
    assert (found.low, found.high) == pytest.approx((low, high), rel=1e-12)
    assert found.mean == pytest.approx(values.mean(), rel=1e-14)
    assert found.n == n
    assert found.half_width == pytest.approx((high - low) / 2, rel=1e-12)


def test_95_of_100_intervals_of_three_seeds_hold_the_true_mean() -> None:
    draws = np.random.default_rng(0).normal(1.0, 0.3, (4000, 3))
    held = np.mean([(i := t_interval(list(row))).low < 1.0 < i.high for row in draws])
    assert abs(held - 0.95) < 4 * math.sqrt(0.95 * 0.05 / 4000)  # four standard errors


@pytest.mark.parametrize(
    ("draw", "mean", "share"),
    [
        (lambda rng, size: rng.normal(size=size), 0.0, 0.95),
        (lambda rng, size: rng.exponential(size=size), 1.0, 0.88),
        (lambda rng, size: rng.lognormal(size=size), math.exp(0.5), 0.84),
    ],
)
def test_intervals_of_three_seeds_cover_what_the_page_says(
    draw: Callable[[np.random.Generator, tuple[int, int]], np.ndarray], mean: float, share: float
) -> None:
    draws = draw(np.random.default_rng(3), (100_000, 3))
    half = half_width_per_deviation(3) * draws.std(axis=1, ddof=1)
    held = np.mean(np.abs(draws.mean(axis=1) - mean) < half)
    assert held == pytest.approx(share, abs=0.005)  # as rounded there


def test_one_seed_says_nothing_about_the_spread() -> None:
    alone = t_interval([2.5])
    assert alone == Interval(2.5, -math.inf, math.inf, 1)
    assert not alone.within(0, 100)
    assert not alone.outside(0, 1)


def test_equal_seeds_give_an_interval_of_no_width() -> None:
    assert t_interval([0.5, 0.5, 0.5]) == Interval(0.5, 0.5, 0.5, 3)


@pytest.mark.parametrize("values", [[], [1.0, math.nan], [math.inf, 1.0]])
def test_an_interval_of_nothing_or_of_what_is_not_finite_is_refused(values: list[float]) -> None:
    with pytest.raises(ValueError, match="expected at least one finite value, found"):
        t_interval(values)


def test_pairs_are_the_seeds_that_both_arms_have() -> None:
    found = paired_differences({2: 5.0, 0: 1.0, 7: 9.0}, {0: 0.5, 2: 1.0, 3: 8.0})
    assert list(found.items()) == [(0, 0.5), (2, 4.0)]


def test_pairing_takes_out_what_the_seed_moves_in_both() -> None:
    seeds = {seed: 10.0 * seed for seed in range(3)}
    shifted = {seed: value - 1 for seed, value in seeds.items()}
    assert t_interval(list(paired_differences(shifted, seeds).values())).within(-1.01, -0.99)


def test_a_whole_column_of_counts_is_widened_at_once() -> None:
    widths = half_width_per_deviation([1, 2, 3])
    assert math.isnan(widths[0])
    assert widths[2] == pytest.approx(stats.t.ppf(0.975, 2) / math.sqrt(3), rel=1e-12)


def test_an_end_on_the_border_is_neither_inside_nor_outside() -> None:
    touching = Interval(0.5, 0.0, 1.0, 3)
    assert not touching.within(0, 2)
    assert not touching.outside(1, 2)
    assert touching.within(-0.1, 1.1)
    assert touching.outside(1.1, 2)


A, B = {2: 6.0, 0: 3.0, 7: 9.0}, {0: 4.0, 2: 2.0, 3: 8.0}


def test_ratios_are_paired_by_seed_too() -> None:
    found = paired_log_ratios(A, B)
    assert list(found) == [0, 2]
    assert found == pytest.approx({0: -math.log(4 / 3), 2: math.log(3)})


def test_the_log_of_a_ratio_of_means_is_over_the_seeds_of_both() -> None:
    found = log_ratios_of_means(A, B)
    assert list(found) == [0, 2]
    assert mean(found) == pytest.approx(math.log(4.5 / 3))
    assert found[2] - found[0] == pytest.approx((6 - 3) / 4.5 - (2 - 4) / 3)


@pytest.mark.parametrize("low", [-9.0, -4.0])
def test_means_that_are_not_above_zero_have_no_ratio(low: float) -> None:
    below = {0: 4.0, 2: low}
    assert all(map(math.isnan, log_ratios_of_means(A, below).values()))
    assert all(map(math.isnan, log_ratios_of_means(below, A).values()))
    assert log_ratios_of_means(A, {3: 1.0}) == {}


@pytest.mark.parametrize("spread", [0.1, 0.3])
def test_the_interval_of_a_ratio_of_means_covers_it(spread: float) -> None:
    draws = np.random.default_rng(0).normal(size=(2000, 2, 3))
    shared = draws.mean(axis=1, keepdims=True)  # what the seed moves in both arms
    arms = np.array([[[20.0], [10.0]]]) * (1 + spread * (draws + shared) / 2)
    held = 0
    for above, below in arms:
        pair = (dict(enumerate(arm)) for arm in (above, below))
        found = t_interval(list(log_ratios_of_means(*pair).values()))
        held += found.low < math.log(2) < found.high
    assert 0.935 < held / len(arms) < 0.97


def test_log_odds_are_those_of_a_share_and_end_where_a_share_is_too_small() -> None:
    assert log_odds(0.8) == pytest.approx(math.log(4))
    assert log_odds(0.2) == pytest.approx(-math.log(4))
    assert log_odds(0.0) == log_odds(1e-7) == pytest.approx(-math.log(1e6 - 1))
    assert log_odds(1.0, smallest=0.1) == pytest.approx(math.log(9))


def test_the_mean_over_no_seeds_is_not_a_number() -> None:
    assert mean({0: 1.0, 5: 4.0}) == 2.5
    assert math.isnan(mean({}))
