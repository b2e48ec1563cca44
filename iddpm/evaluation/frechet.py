"""Fréchet distance between two sets of features, each summed up as one Gaussian.

d^2 = |m1 - m2|^2 + tr S1 + tr S2 - 2 tr (S1 S2)^(1/2) (Dowson & Landau, 1982; the use on images:
Heusel et al., 2017, arXiv:1706.08500, Eq. 6). The trace of the root comes from a symmetric
eigenproblem or from singular values, never from the root of a general matrix. Only over the
2015-12-05 Inception features is the number an FID.
"""

from dataclasses import dataclass
from functools import reduce
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from iddpm.arrays import FloatArray
from iddpm.evaluation.feature_sets import check_comparable

BLOCK = 4096
"""Feature vectors that are turned to float64 at a time."""


@dataclass(frozen=True, slots=True, eq=False)
class Moments:
    """Mean and covariance of a set of feature vectors."""

    mean: FloatArray
    """Shape (D,)."""
    covariance: FloatArray
    """Shape (D, D), with n - 1 in the denominator; zero where n is 1."""
    count: int
    """The number n of feature vectors."""


class Distance(NamedTuple):
    """A squared Fréchet distance, as it is usually reported."""

    value: float
    clipped_mass: float
    """Share of the eigenvalues' absolute sum that was negative and taken as 0; tiny: rounding."""


def moments(features: NDArray[Any]) -> Moments:
    """Mean and covariance of features (N, D), accumulated in float64 in a fixed order."""
    starts = range(0, len(features), BLOCK)
    return reduce(merged, (_block_moments(features[i : i + BLOCK]) for i in starts))


def _block_moments(features: NDArray[Any]) -> Moments:
    values = features.astype(np.float64)
    mean = values.mean(axis=0)
    centred = values - mean
    return Moments(mean, centred.T @ centred / max(1, len(values) - 1), len(values))


def merged(a: Moments, b: Moments) -> Moments:
    """The moments of both sets together. Chan, Golub & LeVeque (1983)."""
    count = a.count + b.count
    shift = b.mean - a.mean
    scatter = (a.count - 1) * a.covariance + (b.count - 1) * b.covariance
    between = np.outer(shift, shift) * (a.count * b.count / count)
    return Moments(a.mean + shift * (b.count / count), (scatter + between) / (count - 1), count)


def frechet_distance(a: NDArray[Any], b: NDArray[Any]) -> Distance:
    """The distance between two sets of features, (N, D) and (M, D), by the cheaper exact road.

    With fewer vectors than dimensions the covariances are never formed.

    Raises:
        ValueError: If the sets cannot be compared, or one has fewer than 2 vectors.
    """
    check_comparable(a, b, at_least=2)
    if min(len(a), len(b)) >= a.shape[1]:
        return distance_of_moments(moments(a), moments(b))
    return _distance_by_singular_values(a, b)


def distance_of_moments(a: Moments, b: Moments) -> Distance:
    """The distance between two sets of which only the moments are at hand.

    Raises:
        ValueError: If they differ in dimensions.
    """
    if a.mean.shape != b.mean.shape:
        raise ValueError(
            f"moments: expected two of the same dimensions, found {len(a.mean)} and {len(b.mean)}"
        )
    values, vectors = np.linalg.eigh(a.covariance)
    root = (vectors * np.sqrt(values.clip(min=0))) @ vectors.T
    product = root @ b.covariance @ root
    eigenvalues = np.linalg.eigvalsh((product + product.T) / 2)
    traces = float(np.trace(a.covariance) + np.trace(b.covariance))
    return Distance(
        _squared_distance(a.mean - b.mean, traces, float(np.sqrt(eigenvalues.clip(min=0)).sum())),
        max(_negative_share(values), _negative_share(eigenvalues)),
    )


def _distance_by_singular_values(a: NDArray[Any], b: NDArray[Any]) -> Distance:
    """With S1 = A^T A and S2 = B^T B, the root's trace is the nuclear norm of A B^T."""
    (mean_a, root_a), (mean_b, root_b) = _centred(a), _centred(b)
    traces = float((root_a**2).sum() + (root_b**2).sum())
    nuclear_norm = float(np.linalg.svd(root_a @ root_b.T, compute_uv=False).sum())
    return Distance(_squared_distance(mean_a - mean_b, traces, nuclear_norm), 0.0)


def _centred(features: NDArray[Any]) -> tuple[FloatArray, FloatArray]:
    """Mean, and the matrix A of shape (N, D) for which A^T A is the covariance."""
    values = features.astype(np.float64)
    mean = values.mean(axis=0)
    values -= mean  # in place: a set may be most of what memory holds
    values /= np.sqrt(len(values) - 1)
    return mean, values


def _squared_distance(shift: FloatArray, traces: float, root_trace: float) -> float:
    """Never below 0, where rounding may put the distance of a set to itself."""
    return max(0.0, float(shift @ shift) + traces - 2 * root_trace)


def _negative_share(eigenvalues: FloatArray) -> float:
    total = float(np.abs(eigenvalues).sum())
    return float(abs(eigenvalues.clip(max=0).sum())) / total if total else 0.0
