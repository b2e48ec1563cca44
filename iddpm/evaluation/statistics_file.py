"""Files of a mean and a covariance, as the community hands references around.

An .npz with `mu` (D,) and `sigma` (D, D) of features, and of spatial ones perhaps `mu_s` and
`sigma_s`, as the evaluator of guided-diffusion has them. Ours also say by which extractor they were
made, of what, and of how many images; other people's do not.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from iddpm.arrays import FloatArray
from iddpm.bounds import ConfigError, require
from iddpm.evaluation.frechet import Moments
from iddpm.images.archives import ArchiveError, names, read
from iddpm.running.files import written_whole

MEANS, COVARIANCES = ("mu", "mu_s"), ("sigma", "sigma_s")
"""Of features, and of spatial ones."""

SAID = ("extractor", "source")
NEGATIVE = 1e-3
"""How far below zero an eigenvalue of a covariance may lie, as a share of the largest.

Of 2,048 features in half precision, rounding alone stays below it; what is no covariance does not.
"""

LARGE = 2**40
"""No array is left on disk."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Statistics:
    """Moments of features and what is known of where they come from."""

    moments: Moments
    """Their count is 0 where it is not known."""
    spatial: Moments | None = None
    extractor: str | None = None
    """Its name and the beginning of its hash, `name:hash`; None: the file does not say."""
    source: str | None = None
    """What the images were, and how many of them."""


def holds_statistics(path: Path) -> bool:
    """Whether an .npz holds a mean and a covariance.

    Raises:
        ArchiveError: If it is no archive.
    """
    return {"mu", "sigma"} <= set(names(path))


def read_statistics(path: Path, *, where: str) -> Statistics:
    """The statistics in a file; `where` is the setting that names it.

    Raises:
        ConfigError: If they are broken, not finite, or no mean and covariance of one dimension, or
            the count is none.
    """
    try:
        found = names(path)
        pairs = [
            _moments(path, mean, covariance, where)
            for mean, covariance in zip(MEANS, COVARIANCES, strict=True)
            if {mean, covariance} <= set(found)
        ]
        said = {name: str(read(path, name, mapped_from=LARGE)) for name in SAID if name in found}
        count = int(read(path, "count", mapped_from=LARGE)) if "count" in found else 0
        require(count >= 0, where, f"'count' in {path} to be a number of images", count)
    except (ArchiveError, TypeError, ValueError, OverflowError) as error:
        if isinstance(error, ConfigError):
            raise
        raise ConfigError(
            where, "statistics as numpy.savez writes them", f"{path} ({error})"
        ) from error
    features, *spatial = (Moments(*pair, count) for pair in pairs)
    return Statistics(moments=features, spatial=spatial[0] if spatial else None, **said)


def _moments(path: Path, mean: str, covariance: str, where: str) -> tuple[FloatArray, FloatArray]:
    mu, sigma = (read(path, name, mapped_from=LARGE) for name in (mean, covariance))
    for name, array in ((mean, mu), (covariance, sigma)):
        if array.dtype.kind != "f" or not np.isfinite(array).all():
            raise ConfigError(where, f"{name!r} of finite numbers", f"others in {path}")
    if mu.ndim != 1 or not len(mu) or sigma.shape != (len(mu), len(mu)):
        shapes = f"{mu.shape} and {sigma.shape} in {path}"
        expected = f"{mean!r} of shape (D,) and {covariance!r} of shape (D, D), D at least 1"
        raise ConfigError(where, expected, shapes)
    if not np.allclose(sigma, sigma.T, rtol=1e-4, atol=1e-6 * float(np.trace(np.abs(sigma)))):
        raise ConfigError(where, f"{covariance!r} to be symmetric", f"another matrix in {path}")
    _check_spectrum(sigma.astype(np.float64), covariance, path, where)
    return mu.astype(np.float64), sigma.astype(np.float64)


def _check_spectrum(sigma: FloatArray, name: str, path: Path, where: str) -> None:
    """No covariance has a negative eigenvalue, except by rounding."""
    values = np.linalg.eigvalsh(sigma)
    if values[0] < -NEGATIVE * (largest := float(np.abs(values).max())):
        expected = f"no eigenvalue of {name!r} below -{NEGATIVE:g} of the largest, {largest:.3g}"
        raise ConfigError(where, expected, f"{values[0]:.3g} in {path}", "it is no covariance")


def write_statistics(path: Path, statistics: Statistics) -> None:
    """Write them as an .npz that every evaluator of the community reads.

    Raises:
        StorageError: If the file cannot be written.
    """
    arrays: dict[str, Any] = {"mu": statistics.moments.mean, "sigma": statistics.moments.covariance}
    if statistics.spatial is not None:
        arrays |= {"mu_s": statistics.spatial.mean, "sigma_s": statistics.spatial.covariance}
    said = {name: value for name in SAID if (value := getattr(statistics, name)) is not None}
    with written_whole(path) as file:
        np.savez(file, **arrays, **said, count=statistics.moments.count)
