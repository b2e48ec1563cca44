"""Metrics by name: the kernel distance against plain loops and closed cases."""

from typing import get_args

import numpy as np
import pytest

from iddpm.config import Metric
from iddpm.evaluation import metrics
from iddpm.evaluation.fd_infinity import fd_infinity as extrapolated
from iddpm.evaluation.frechet import frechet_distance, moments
from iddpm.evaluation.metrics import METRICS, SUBSET_SIZE, fd_infinity, kid


def features(count: int, seed: int, shift: float = 0.0, dimensions: int = 5) -> np.ndarray:
    return np.random.default_rng(seed).normal(shift, 1, (count, dimensions)).astype(np.float32)


def by_plain_loops(x: np.ndarray, y: np.ndarray) -> float:
    def kernel(a: np.ndarray, b: np.ndarray) -> float:
        return float((sum(p * q for p, q in zip(a, b, strict=True)) / len(a) + 1) ** 3)

    def within(v: np.ndarray) -> float:
        pairs = [kernel(v[i], v[j]) for i in range(len(v)) for j in range(len(v)) if i != j]
        return sum(pairs) / len(pairs)

    across = [kernel(a, b) for a in x for b in y]
    return within(x) + within(y) - 2 * sum(across) / len(across)


def test_every_metric_that_a_sweep_may_name_is_there() -> None:
    assert set(METRICS) == set(get_args(Metric))


def test_the_kernel_distance_is_the_one_of_plain_loops() -> None:
    real, generated = features(12, 0).astype(np.float64), features(9, 1, 0.5).astype(np.float64)
    assert kid(real, generated) == pytest.approx(by_plain_loops(real, generated), rel=1e-10)


def test_fd_infinity_is_over_all_real_images_where_features_of_a_part_are_kept() -> None:
    real, generated = features(300, 0), features(10_000, 1, 0.5)
    whole = moments(real)
    found = fd_infinity(real[:9], generated, whole)
    assert found == fd_infinity(real, generated) == extrapolated(generated, whole).value
    assert found == pytest.approx(frechet_distance(generated, real).value, rel=0.05)


def test_two_samples_of_one_distribution_scatter_around_zero() -> None:
    found = [kid(features(60, 2 * i), features(60, 2 * i + 1)) for i in range(60)]
    assert abs(np.mean(found)) < 4 * np.std(found) / np.sqrt(60)
    assert min(found) < 0


def test_a_shift_of_the_mean_is_seen() -> None:
    assert kid(features(400, 0), features(400, 1, 1.0)) > 1


@pytest.mark.slow
def test_large_sets_are_compared_by_the_same_subsets_at_every_call() -> None:
    real, generated = features(SUBSET_SIZE + 300, 0, 0.1), features(500, 1)
    assert kid(real, generated) == kid(real, generated)
    whole = kid(real[:SUBSET_SIZE], generated)
    assert kid(real, generated) == pytest.approx(whole, abs=0.05)


def test_the_subsets_are_a_hundred_of_a_thousand_and_their_mean_is_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    met: list[tuple[np.ndarray, np.ndarray]] = []

    def noted(x: np.ndarray, y: np.ndarray) -> float:
        met.append((x, y))
        return float(len(met) ** 2)

    monkeypatch.setattr(metrics, "_unbiased_mmd", noted)
    counted = np.arange(2600, dtype=np.float32).reshape(1300, 2)
    found = kid(counted, counted[:40])
    assert found == pytest.approx(sum(n**2 for n in range(1, 101)) / 100)
    assert {(len(x), len(y)) for x, y in met} == {(1000, 40)}
    drawn = [frozenset(x[:, 0].tolist()) for x, _ in met]
    assert {len(one) for one in drawn} == {1000}  # none twice in a subset
    assert len(set(drawn)) == 100
    assert frozenset.union(*drawn) == set(counted[:, 0].tolist())
    fewer = kid(counted[:1000], counted[:40])
    assert fewer == 101.0**2  # one pair, the whole of both


def test_one_vector_is_too_few() -> None:
    with pytest.raises(ValueError, match="at least 2"):
        kid(features(1, 0), features(5, 1))
