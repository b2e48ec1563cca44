"""Power laws: recovered from synthetic points, and held against those of the paper."""

import math
from itertools import pairwise

import numpy as np
import pytest
from scipy import stats
from scipy.optimize import curve_fit

from iddpm.arrays import FloatArray
from studies.analyses.model_size.paper import FIG_10, FIG_10_LAWS
from studies.analyses.model_size.power_law import PowerLaw, fit, frontier, trend
from tests.studies.analyses.test_model_size import AXIS, transcribed

COMPUTE = list(np.geomspace(1e17, 1e20, 9))


def points(constant: float, scale: float, exponent: float, noise: float = 0.0) -> list[float]:
    draws = np.random.default_rng(3).standard_normal(len(COMPUTE))
    law = constant + (scale * np.array(COMPUTE)) ** -exponent
    return list(law * np.exp(noise * draws))


@pytest.mark.parametrize(("constant", "scale", "exponent"), [(4.0, 2.5e-25, 0.22), (0, 3e-15, 0.4)])
def test_a_known_law_is_recovered_from_its_points(
    constant: float, scale: float, exponent: float
) -> None:
    found = fit(COMPUTE, points(constant, scale, exponent), constant=constant)
    assert found is not None
    assert not found.constant_is_fitted
    assert found.constant == constant
    assert found.scale == pytest.approx(scale, rel=1e-6)
    assert found.exponent == pytest.approx(exponent, rel=1e-6)
    np.testing.assert_allclose(found(np.array(COMPUTE)), points(constant, scale, exponent))


def test_the_constant_is_freed_where_the_points_identify_it() -> None:
    found = fit(COMPUTE, points(2.0, 1e-17, 0.4, noise=0.001), constant=0.0)
    assert found is not None
    assert found.constant_is_fitted
    assert found.constant == pytest.approx(2.0, abs=0.03)
    assert found.exponent == pytest.approx(0.4, abs=0.02)
    held = fit(COMPUTE, points(2.0, 1e-17, 0.4), constant=0.0, free=False)
    assert held is not None
    assert held.constant == 0.0


def test_the_constant_stays_where_the_points_do_not_tell() -> None:
    found = fit(COMPUTE, points(0.0, 1e-17, 0.3, noise=0.1), constant=0.0)
    assert found is not None
    assert (found.constant, found.constant_is_fitted) == (0.0, False)
    slope, _ = np.polyfit(np.log(COMPUTE), np.log(points(0.0, 1e-17, 0.3, noise=0.1)), 1)
    assert found.exponent == pytest.approx(-slope, rel=1e-6)


def test_a_rising_quantity_has_an_exponent_below_zero() -> None:
    found = fit([1.0, 10.0, 100.0], [1.0, 2.0, 4.0], constant=0.0)
    assert found is not None
    assert found.exponent == pytest.approx(-math.log10(2))


@pytest.mark.parametrize(
    ("compute", "values", "constant"),
    [([1.0, 2.0], [3.0, 2.0], 0.0), ([1.0, 1.0, 2.0], [3.0, 2.5, 2.0], 0.0),
     ([1.0, 2.0, 3.0], [3.0, 2.0, 1.0], 1.0)],
)  # fmt: skip
def test_too_few_points_or_points_below_the_constant_give_no_law(
    compute: list[float], values: list[float], constant: float
) -> None:
    assert fit(compute, values, constant=constant) is None


@pytest.mark.parametrize("bad", [0.0, -1.0, math.nan, math.inf])
def test_points_that_have_no_logarithm_are_refused(bad: float) -> None:
    for compute, values in (([1.0, 2.0, bad], [3.0, 2.0, 1.0]), ([1.0, 2.0, 3.0], [3.0, 2.0, bad])):
        with pytest.raises(ValueError, match="expected points that are finite and above zero"):
            fit(compute, values, constant=0.0)


def test_the_frontier_holds_what_no_cheaper_point_undercuts() -> None:
    assert frontier([4.0, 1.0, 2.0, 3.0, 3.0], [1.0, 5.0, 5.0, 3.0, 2.0]) == [1, 4, 0]


def test_the_lines_of_the_paper_follow_the_frontier_of_its_points() -> None:
    exponents = {}
    for metric, law in FIG_10_LAWS.items():
        compute, values = [], []
        for (name, channels), numbers in FIG_10.items():
            if name == metric:
                pairs = zip(transcribed(AXIS)[channels], numbers, strict=False)
                known = [(C, y) for C, y in pairs if C is not None and math.isfinite(y)]
                compute += [C for C, _ in known]
                values += [y for _, y in known]
        places = frontier(compute, values)
        found = fit(
            [compute[i] for i in places],
            [values[i] for i in places],
            constant=law.constant,
            free=False,
        )
        assert found is not None
        exponents[metric] = found.exponent
    assert exponents["bits_per_dim"] == pytest.approx(0.17, abs=0.02)
    assert exponents["frechet_distance"] == pytest.approx(0.22, abs=0.04)


def test_a_trend_has_an_exponent_of_every_seed_and_leaves_out_what_a_seed_lacks() -> None:
    compute = {f"arm {i}": C for i, C in enumerate((1.0, 10.0, 100.0, 1000.0))}
    laws = {0: PowerLaw.of(0.0, 1.0, 0.5), 1: PowerLaw.of(0.0, 1.0, 0.7)}
    values = {
        seed: {arm: float(law(np.array(C))) for arm, C in compute.items()}
        for seed, law in laws.items()
    }
    del values[1]["arm 3"]
    found = trend(compute, values, constant=0.0)
    assert found is not None
    assert found.points == 3
    assert found.exponents == {0: pytest.approx(0.5), 1: pytest.approx(0.7)}
    assert 0.5 < found.law.exponent < 0.7
    assert trend({"one": 1.0}, {0: {"one": 1.0}}, constant=0.0) is None


def test_where_the_means_free_the_constant_each_seed_has_its_own() -> None:
    compute = {f"arm {i}": C for i, C in enumerate(np.geomspace(1.0, 1e4, 6))}
    laws = {s: PowerLaw.of(c, 1.0, b) for s, c, b in ((0, 5.0, 0.6), (1, 4.0, 0.7), (2, 6.0, 0.8))}
    values = {
        seed: {arm: float(law(np.array(C))) for arm, C in compute.items()}
        for seed, law in laws.items()
    }
    found = trend(compute, values, constant=0.0)
    assert found is not None
    assert found.law.constant > min(values[1].values())  # no law with it goes below that
    assert found.exponents == {s: pytest.approx(law.exponent, rel=1e-4) for s, law in laws.items()}


def test_a_seed_of_three_points_has_no_constant_of_its_own() -> None:
    compute = [1.0, 10.0, 100.0]
    assert fit(compute, [6.0, 5.5, 5.3], constant=0.0) is not None
    assert fit(compute, [6.0, 5.5, 5.3], constant=0.0, free=True) is None


@pytest.mark.parametrize("level", [0.01, 1.0, 100.0])
def test_points_that_hardly_fall_have_a_law_that_goes_through_them(level: float) -> None:
    compute = [1e15, 1e16, 1e17, 1e18]
    values = [level * (1 - 1e-9 * place) for place in range(4)]
    found = fit(compute, values, constant=0.0, free=False)
    assert found is not None
    assert 0 < found.exponent < 1e-8
    np.testing.assert_allclose(found(np.array(compute)), values, rtol=1e-9)
    assert math.isfinite(found.scale)


def test_the_constant_is_freed_where_an_f_test_says_so_with_95_percent_confidence() -> None:
    """By SciPy's curve fit, over constants that lead from no evidence to a clear one."""
    compute = np.geomspace(1e3, 1e8, 7)
    wobble = 0.02 * np.array([1.0, -1.2, 0.4, 0.9, -0.8, -0.6, 0.3])
    ratios = []
    for constant in np.linspace(0.0, 0.002, 25):
        y = (constant + compute**-0.3 * 3) * np.exp(wobble)
        fixed = np.polynomial.Polynomial.fit(np.log(compute), np.log(y), 1)
        left = float(((fixed(np.log(compute)) - np.log(y)) ** 2).sum())

        def law(x: FloatArray, c: float, level: float, exponent: float) -> FloatArray:
            return np.asarray(np.log(c + np.exp(level - exponent * x)))

        start = (0.9 * constant + 1e-4, math.log(3), 0.3)
        highest = (float(y.min()), np.inf, np.inf)
        found, _ = curve_fit(
            law, np.log(compute), np.log(y), start, bounds=((0, -np.inf, -np.inf), highest)
        )
        free = float(((law(np.log(compute), *found) - np.log(y)) ** 2).sum())
        ratio = (left - free) * (7 - 3) / free
        ratios.append(ratio)
        ours = fit(list(compute), list(y), constant=0.0)
        assert ours is not None
        assert ours.constant_is_fitted == (ratio > stats.f.ppf(0.95, 1, 4)), (constant, ratio)
    edges = [stats.f.ppf(confidence, 1, 4) for confidence in (0.9, 0.95, 0.99)]
    assert [sum(a < r < b for r in ratios) > 0 for a, b in pairwise(edges)] == [True, True]
    assert any(0.8 * edges[1] < r < edges[1] for r in ratios), ratios
