"""FD-infinity against straight lines drawn by SciPy, and its interval against what it promises."""

from typing import Any

import numpy as np
import pytest
import scipy.linalg
import scipy.stats
from numpy.typing import NDArray

from iddpm.data import fixed_permutation
from iddpm.evaluation import fd_infinity as room
from iddpm.evaluation.fd_infinity import FEWEST, GROUPS, SIZES, T_QUANTILE, fd_infinity
from iddpm.evaluation.frechet import Moments

D = 3
REAL = Moments(np.zeros(D), np.diag([1.0, 2.0, 0.5]), 10**6)
MEAN, DEVIATION = 0.3, 1.2
TRUE = D * MEAN**2 + sum((DEVIATION - np.sqrt(np.diag(REAL.covariance))) ** 2)


def drawn(count: int, seed: int) -> NDArray[Any]:
    draws = np.random.default_rng(seed)
    return (MEAN + DEVIATION * draws.standard_normal((count, D))).astype(np.float32)


def intercept_by_scipy(vectors: NDArray[Any], fewest: float) -> float:
    distances, shares = [], []
    for i in range(15):
        count = int(fewest + i * (len(vectors) - fewest) / 14)
        part = vectors[:count].astype(float)
        covariance = np.cov(part.T)
        root = scipy.linalg.sqrtm(covariance @ REAL.covariance).real
        shift = part.mean(0) - REAL.mean
        traces = np.trace(covariance) + np.trace(REAL.covariance)
        distances.append(shift @ shift + traces - 2 * np.trace(root))
        shares.append(1 / count)
    return float(scipy.stats.linregress(shares, distances).intercept)


def test_value_and_interval_are_those_of_lines_through_fifteen_sizes() -> None:
    assert (SIZES, FEWEST, GROUPS) == (15, 5000, 10)
    vectors = drawn(600, 0)
    order = fixed_permutation(600)
    whole = intercept_by_scipy(vectors[order], 100)
    without = [
        intercept_by_scipy(vectors[[row for i, row in enumerate(order) if i % 10 != g]], 90)
        for g in range(10)
    ]
    mean = sum(without) / 10
    error = np.sqrt(9 / 10 * sum((one - mean) ** 2 for one in without))
    reach = scipy.stats.t(9).ppf(0.975) * error
    found = fd_infinity(vectors, REAL, fewest=100)
    assert found == pytest.approx((whole, whole - reach, whole + reach), rel=1e-6)


def test_the_quantile_is_students() -> None:
    assert pytest.approx(scipy.stats.t(GROUPS - 1).ppf(0.975)) == T_QUANTILE


def test_many_images_begin_with_a_tenth_of_them(monkeypatch: pytest.MonkeyPatch) -> None:
    shares: list[float] = []

    def noted(features: Any, rows: Any, share: float, *rest: Any) -> float:
        shares.append(share)
        return 0.0

    monkeypatch.setattr(room, "_intercept", noted)
    for count in (400, 2000):
        fd_infinity(drawn(count, 0), REAL, fewest=100)
    assert set(shares) == {0.25, 0.1}


@pytest.mark.slow
def test_the_interval_holds_the_true_distance_as_often_as_it_says() -> None:
    trials, held, values = 200, 0, []
    for seed in range(trials):
        value, low, high = fd_infinity(drawn(400, seed), REAL, fewest=40)
        held += low <= TRUE <= high
        values.append(value)
    assert abs(np.mean(values) - TRUE) < 4 * np.std(values) / np.sqrt(trials)
    assert 0.95 - 4 * np.sqrt(0.95 * 0.05 / trials) < held / trials


def test_progress_is_told_by_lines() -> None:
    told: list[tuple[int, int]] = []
    fd_infinity(drawn(60, 0), REAL, fewest=30, progress=lambda *done: told.append(done))
    assert told == [(n, 11) for n in range(1, 12)]


def test_too_few_images_are_refused() -> None:
    with pytest.raises(ValueError, match="at least 10,000 images, found 400"):
        fd_infinity(drawn(400, 0), REAL)
