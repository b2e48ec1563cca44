"""Files of mean and covariance as the community has them: read, written, refused."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from iddpm.bounds import ConfigError
from iddpm.evaluation.frechet import Moments
from iddpm.evaluation.statistics_file import (
    Statistics,
    holds_statistics,
    read_statistics,
    write_statistics,
)

MU, SIGMA = np.arange(3.0), np.diag([1.0, 2.0, 3.0])


def npz(folder: Path, **arrays: Any) -> Path:
    np.savez(folder / "x.npz", **arrays)
    return folder / "x.npz"


def test_a_file_of_other_people_says_no_more_than_its_numbers(tmp_path: Path) -> None:
    path = npz(tmp_path, mu=MU.astype(np.float32), sigma=SIGMA, mu_s=MU[:2], sigma_s=SIGMA[:2, :2])
    assert holds_statistics(path)
    found = read_statistics(path, where="REFERENCE")
    np.testing.assert_array_equal(found.moments.mean, MU)
    np.testing.assert_array_equal(found.moments.covariance, SIGMA)
    assert found.moments.mean.dtype == np.float64
    assert found.spatial is not None
    np.testing.assert_array_equal(found.spatial.covariance, SIGMA[:2, :2])
    assert (found.moments.count, found.extractor, found.source) == (0, None, None)


def test_what_is_written_is_read_and_says_how_it_was_made(tmp_path: Path) -> None:
    path = tmp_path / "x.npz"
    made = Statistics(moments=Moments(MU, SIGMA, 7), extractor="inception:ab", source="digits")
    write_statistics(path, made)
    with np.load(path) as arrays:  # as everybody reads it
        np.testing.assert_array_equal(arrays["mu"], MU)
        np.testing.assert_array_equal(arrays["sigma"], SIGMA)
    found = read_statistics(path, where="REFERENCE")
    assert (found.extractor, found.source, found.moments.count) == ("inception:ab", "digits", 7)
    assert found.spatial is None


@pytest.mark.parametrize("count", [0, 1, 20, 1000])
def test_a_covariance_in_half_precision_is_one(tmp_path: Path, count: int) -> None:
    features = np.random.default_rng(0).standard_normal((max(count, 2), 100))
    sigma = np.cov(features.T).astype(np.float16) if count > 1 else np.zeros((100, 100))
    path = npz(tmp_path, mu=np.zeros(100), sigma=sigma, count=count)
    assert read_statistics(path, where="REFERENCE").moments.count == count


def test_images_alone_are_no_statistics(tmp_path: Path) -> None:
    assert not holds_statistics(npz(tmp_path, arr_0=MU, mu=MU))


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"mu": MU * np.nan, "sigma": SIGMA}, "REFERENCE: expected 'mu' of finite numbers, found"),
        (
            {"mu": MU, "sigma": SIGMA + np.inf},
            "expected 'sigma' of finite numbers, found others in",
        ),
        ({"mu": np.array(["a"]), "sigma": SIGMA}, "expected 'mu' of finite numbers"),
        (
            {"mu": MU, "sigma": SIGMA[:2]},
            r"of shape \(D, D\), D at least 1, found \(3,\) and \(2, 3\) in",
        ),
        ({"mu": MU, "sigma": SIGMA + np.eye(3, k=1)}, "expected 'sigma' to be symmetric"),
        ({"mu": MU, "sigma": SIGMA, "count": np.array("many")}, "statistics as numpy.savez writes"),
        ({"mu": MU, "sigma": SIGMA, "count": np.inf}, "statistics as numpy.savez writes"),
        (
            {"mu": MU, "sigma": SIGMA, "count": -3},
            "expected 'count' in .* to be a number of images, found -3",
        ),
        ({"mu": MU[:0], "sigma": SIGMA[:0, :0]}, r"D at least 1, found \(0,\) and \(0, 0\) in"),
        (
            {"mu": MU, "sigma": np.diag([4.0, 2.0, -0.005])},
            "REFERENCE: expected no eigenvalue of 'sigma' below -0.001 of the largest, 4, "
            "found -0.005 in .*; it is no covariance",
        ),
        ({"mu": MU, "sigma": -SIGMA}, "of 'sigma' below -0.001 of the largest, 3, found -3 in"),
        (
            {"mu": MU, "sigma": SIGMA, "mu_s": MU, "sigma_s": -SIGMA},
            "expected no eigenvalue of 'sigma_s' below",
        ),
    ],
)
def test_broken_statistics_are_refused(tmp_path: Path, arrays: Any, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        read_statistics(npz(tmp_path, **arrays), where="REFERENCE")
