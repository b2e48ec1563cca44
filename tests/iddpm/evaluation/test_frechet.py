"""The Fréchet distance against closed forms and against the general matrix root."""

from typing import Any

import numpy as np
import pytest
import scipy.linalg
from numpy.typing import NDArray

from iddpm.evaluation import frechet
from iddpm.evaluation.frechet import (
    Moments,
    distance_of_moments,
    distance_to_moments,
    frechet_distance,
    merged,
    moments,
)

RNG = np.random.default_rng(0)
Array = NDArray[Any]


def correlated(count: int, dimensions: int, shift: float) -> Array:
    """Float32 features whose coordinates are of different sizes and depend on one another."""
    mixing = RNG.standard_normal((dimensions, dimensions))
    return (RNG.standard_normal((count, dimensions)) @ mixing + shift).astype(np.float32)


def by_matrix_root(a: Array, b: Array) -> float:
    """The textbook formula, with numpy's covariance and scipy's root of a general matrix."""
    first, second = np.cov(a.T.astype(float)), np.cov(b.T.astype(float))
    root = scipy.linalg.sqrtm(first @ second).real
    shift = a.mean(0, dtype=float) - b.mean(0, dtype=float)
    return float(shift @ shift + np.trace(first) + np.trace(second) - 2 * np.trace(root))


def test_distance_of_independent_normals_is_that_of_their_means_and_deviations() -> None:
    mean_a, mean_b = RNG.standard_normal((2, 6))
    sd_a, sd_b = RNG.uniform(0.1, 3, (2, 6))
    distance = distance_of_moments(
        Moments(mean_a, np.diag(sd_a**2), 10), Moments(mean_b, np.diag(sd_b**2), 20)
    )
    assert distance.value == pytest.approx(((mean_a - mean_b) ** 2 + (sd_a - sd_b) ** 2).sum())
    assert distance.clipped_mass == 0


def test_distance_of_multiples_of_one_covariance_follows_their_scale() -> None:
    covariance = np.cov(correlated(50, 5, 0).T)
    a, b = Moments(np.zeros(5), covariance, 50), Moments(np.zeros(5), 9 * covariance, 50)
    assert distance_of_moments(a, b).value == pytest.approx(4 * np.trace(covariance))


@pytest.mark.parametrize(("n", "m"), [(300, 200), (8, 200), (200, 8), (8, 12)])
def test_distance_equals_the_matrix_roots_with_more_and_fewer_vectors_than_dimensions(
    n: int, m: int
) -> None:
    a, b = correlated(n, 16, 0), correlated(m, 16, 0.3)
    distance = frechet_distance(a, b)
    # relative to the traces, of which the distance is the small difference; the general root of a
    # singular matrix is known to half the digits only
    traces = a.var(0).sum() + b.var(0).sum()
    tolerance = 1e-10 if min(n, m) > 16 else 1e-5
    assert abs(distance.value - by_matrix_root(a, b)) < tolerance * traces
    assert distance.clipped_mass < 1e-12


def test_both_roads_agree_where_covariances_are_singular() -> None:
    a, b = correlated(8, 16, 0), correlated(12, 16, 0.3)
    by_moments = distance_of_moments(moments(a), moments(b))
    assert frechet_distance(a, b).value == pytest.approx(by_moments.value, rel=1e-7)
    assert by_moments.clipped_mass < 1e-12


@pytest.mark.parametrize("count", [8, 40])
def test_the_distance_to_known_moments_needs_no_covariance_of_few_vectors(
    count: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    a, b = correlated(count, 16, 0), correlated(50, 16, 0.3)
    known, expected = moments(b), distance_of_moments(moments(a), moments(b)).value
    if count < 16:
        monkeypatch.setattr(frechet, "moments", None)  # it is not asked for
    found = distance_to_moments(a, known)
    assert found.value == pytest.approx(expected, rel=1e-7)
    assert found.clipped_mass < 1e-12


def test_features_of_other_dimensions_than_the_moments_are_refused() -> None:
    with pytest.raises(ValueError, match="one extractor, found 3 and 4 dimensions"):
        distance_to_moments(np.zeros((5, 3)), Moments(np.zeros(4), np.eye(4), 9))


def test_distance_of_a_set_to_itself_is_zero_and_order_does_not_matter() -> None:
    a, b = correlated(100, 8, 0), correlated(90, 8, 1)
    assert frechet_distance(a, a[::-1]).value < 1e-10
    assert frechet_distance(a, b).value == pytest.approx(frechet_distance(b, a).value)


def test_negative_eigenvalues_are_reported_as_clipped_mass() -> None:
    broken = Moments(np.zeros(2), np.diag([3.0, -1.0]), 5)
    assert distance_of_moments(broken, Moments(np.zeros(2), np.eye(2), 5)).clipped_mass == 0.25
    zero = Moments(np.zeros(2), np.zeros((2, 2)), 5)
    assert distance_of_moments(zero, zero).clipped_mass == 0


def test_moments_of_blocks_are_those_of_the_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    features = correlated(101, 6, 1000)
    monkeypatch.setattr(frechet, "BLOCK", 10)
    found = moments(features)
    np.testing.assert_allclose(found.mean, features.mean(0, dtype=float), rtol=1e-13)
    np.testing.assert_allclose(found.covariance, np.cov(features.T.astype(float)), rtol=1e-10)
    assert found.count == 101


def test_merged_moments_do_not_depend_on_where_a_set_is_cut() -> None:
    features = correlated(40, 3, 5)
    whole = np.cov(features.T.astype(float))
    for cut in (1, 2, 17, 39):
        both = merged(moments(features[:cut]), moments(features[cut:]))
        np.testing.assert_allclose(both.covariance, whole, rtol=1e-10)
        assert both.count == 40


@pytest.mark.parametrize(
    ("a", "b", "message"),
    [
        (np.zeros((1, 3)), np.zeros((5, 3)), r"at least 2 vectors.*found shape \(1, 3\)"),
        (np.zeros(3), np.zeros((5, 3)), r"shape \(N, D\), found shape \(3,\)"),
        (np.zeros((5, 3)), np.zeros((5, 4)), "one extractor, found 3 and 4 dimensions"),
        (np.zeros((5, 3)), np.full((5, 3), np.nan), "finite numbers, found others in 5 of 5"),
    ],
)
def test_features_that_cannot_be_compared_are_refused(a: Array, b: Array, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        frechet_distance(a, b)


def test_moments_of_different_dimensions_are_refused() -> None:
    a, b = (Moments(np.zeros(n), np.eye(n), 9) for n in (2, 3))
    with pytest.raises(ValueError, match="of the same dimensions, found 2 and 3"):
        distance_of_moments(a, b)
