"""A Fréchet distance whose bias is taken off: on Gaussians whose distance is known."""

from typing import Any

import numpy as np
import pytest

from iddpm.arrays import FloatArray
from iddpm.evaluation.frechet import frechet_distance
from iddpm.evaluation.frechet_bias import GROUPS, unbiased_distance

D, N = 8, 48
SCALES = np.linspace(0.5, 2.0, D)
SHIFT = 0.3
REAL = np.zeros(D), np.eye(D)
TRUE = D * SHIFT**2 + float(((SCALES - 1) ** 2).sum())
"""Between diagonal Gaussians: the means' and the deviations' squared differences."""


def _drawn(seed: int, count: int = N) -> FloatArray:
    drawn: FloatArray = np.random.default_rng(seed).normal(size=(count, D)) * SCALES + SHIFT
    return drawn


def test_the_mean_over_many_samples_is_the_true_distance() -> None:
    real = _exact_moments()
    values = np.array([unbiased_distance(_drawn(seed), *REAL) for seed in range(400)])
    biased = np.array([frechet_distance(_drawn(seed), real).value for seed in range(400)])
    error = values.std() / np.sqrt(len(values))
    assert abs(values.mean() - TRUE) < 4 * error
    assert biased.mean() - TRUE > 10 * error
    assert values.std() < 1.1 * biased.std()


def _exact_moments(mean: FloatArray = REAL[0], covariance: FloatArray = REAL[1]) -> FloatArray:
    """Features whose moments are these, to rounding."""
    points = np.linalg.cholesky(covariance).T * np.sqrt((2 * D - 1) / 2)
    features: FloatArray = mean + np.concatenate([points, -points])
    return features


OBLIQUE = np.linspace(-1, 1, D), 0.8 ** np.abs(np.subtract.outer(np.arange(D), np.arange(D)))
"""A mean and a covariance whose features lie in no one's axes."""


@pytest.mark.parametrize("moments", [REAL, OBLIQUE])
@pytest.mark.parametrize("count", [N, N + 5])
def test_it_is_the_jackknife_by_groups(count: int, moments: tuple[FloatArray, FloatArray]) -> None:
    features, real = _drawn(3, count), _exact_moments(*moments)
    whole = frechet_distance(features, real).value
    slopes = []
    for group in np.array_split(np.arange(count), GROUPS):
        left = np.delete(features, group, axis=0)
        part = frechet_distance(left, real).value
        slopes.append((part - whole) / (1 / len(left) - 1 / count))
    expected = whole - np.mean(slopes) / count
    assert unbiased_distance(features, *moments) == pytest.approx(expected, rel=1e-9)
    coarse: list[Any] = [of.astype(np.float32) for of in moments]
    assert unbiased_distance(features, *coarse) == pytest.approx(expected, rel=1e-5)


def test_directions_in_which_nothing_varies_add_nothing() -> None:
    """Eigenvalues of zero, which rounding puts on either side of it."""
    features = _drawn(5)
    turn, _ = np.linalg.qr(np.random.default_rng(0).normal(size=(D + 6, D + 6)))
    wide = np.pad(features, ((0, 0), (0, 6))) @ turn
    mean, covariance = (np.pad(of, (0, 6)) for of in OBLIQUE)
    found = unbiased_distance(wide, mean @ turn, turn.T @ covariance @ turn)
    assert found == pytest.approx(unbiased_distance(features, *OBLIQUE), abs=1e-6)


def test_too_few_features_and_other_dimensions_are_refused() -> None:
    with pytest.raises(ValueError, match=r"expected at least 16 of 8 dimensions, found 15"):
        unbiased_distance(_drawn(0, 15), *REAL)
    wide = np.zeros(40), np.eye(40)
    with pytest.raises(ValueError, match=r"expected at least 60 of 40 dimensions, found 59"):
        unbiased_distance(np.zeros((59, 40)), *wide)
    with pytest.raises(ValueError, match=r"expected 40 dimensions as the real ones, found 8"):
        unbiased_distance(_drawn(0), *wide)
