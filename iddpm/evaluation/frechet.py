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
import torch
from numpy.typing import NDArray
from torch import Tensor

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


def moments(features: NDArray[Any], *, device: str = "cpu") -> Moments:
    """Mean and covariance of features (N, D), accumulated in float64 in a fixed order.

    Products are taken on the device, a block of vectors at a time.
    """
    starts = range(0, len(features), BLOCK)
    return reduce(merged, (_block_moments(features[i : i + BLOCK], device) for i in starts))


def _block_moments(features: NDArray[Any], device: str) -> Moments:
    mean, root = _centred(features, device)
    return Moments(mean, (root.T @ root).cpu().numpy(), len(features))


def merged(a: Moments, b: Moments) -> Moments:
    """The moments of both sets together. Chan, Golub & LeVeque (1983)."""
    count = a.count + b.count
    shift = b.mean - a.mean
    scatter = (a.count - 1) * a.covariance + (b.count - 1) * b.covariance
    between = np.outer(shift, shift) * (a.count * b.count / count)
    return Moments(a.mean + shift * (b.count / count), (scatter + between) / (count - 1), count)


def frechet_distance(a: NDArray[Any], b: NDArray[Any], *, device: str = "cpu") -> Distance:
    """The distance between two sets of features, (N, D) and (M, D), by the cheaper exact road.

    With fewer vectors than dimensions the covariances are never formed.

    Raises:
        ValueError: If the sets cannot be compared, or one has fewer than 2 vectors.
    """
    check_comparable(a, b, at_least=2)
    if min(len(a), len(b)) >= a.shape[1]:
        first, second = (moments(features, device=device) for features in (a, b))
        return distance_of_moments(first, second, device=device)
    return _distance_by_singular_values(a, b, device)


def distance_to_moments(features: NDArray[Any], known: Moments, *, device: str = "cpu") -> Distance:
    """The distance of features (N, D) to a set of which only the moments are at hand.

    With fewer vectors than dimensions the trace comes from a matrix of N x N.

    Raises:
        ValueError: If they differ in dimensions, or there are fewer than 2 finite vectors.
    """
    check_comparable(features, known.mean[None].repeat(2, 0), at_least=2)
    if len(features) >= features.shape[1]:
        return distance_of_moments(moments(features, device=device), known, device=device)
    mean, root = _centred(features, device)
    covariance = torch.tensor(known.covariance, device=device)
    eigenvalues = torch.linalg.eigvalsh(root @ covariance @ root.T)
    traces = float((root**2).sum() + covariance.trace())
    return _distance(mean - known.mean, traces, eigenvalues)


def distance_of_moments(a: Moments, b: Moments, *, device: str = "cpu") -> Distance:
    """The distance between two sets of which only the moments are at hand.

    Raises:
        ValueError: If they differ in dimensions.
    """
    return Rooted(a, device=device).distance(b)


class Rooted:
    """Moments whose covariance's root is taken once, for the distances to many others."""

    def __init__(self, moments: Moments, *, device: str = "cpu") -> None:
        self._mean, self._device = moments.mean, device
        covariance = torch.tensor(moments.covariance, device=device)
        values, vectors = torch.linalg.eigh(covariance)
        self._root = (vectors * values.clamp(min=0).sqrt()) @ vectors.T
        self._trace, self._clipped_mass = covariance.trace(), _negative_share(values)

    def distance(self, other: Moments) -> Distance:
        """The distance to another set.

        Raises:
            ValueError: If they differ in dimensions.
        """
        if self._mean.shape != other.mean.shape:
            raise ValueError(
                "moments: expected two of the same dimensions, "
                f"found {len(self._mean)} and {len(other.mean)}"
            )
        covariance = torch.tensor(other.covariance, device=self._device)
        product = self._root @ covariance @ self._root
        eigenvalues = torch.linalg.eigvalsh((product + product.T) / 2)
        traces = float(self._trace + covariance.trace())
        return _distance(self._mean - other.mean, traces, eigenvalues, self._clipped_mass)


def _distance_by_singular_values(a: NDArray[Any], b: NDArray[Any], device: str) -> Distance:
    """With S1 = A^T A and S2 = B^T B, the root's trace is the nuclear norm of A B^T."""
    (mean_a, root_a), (mean_b, root_b) = _centred(a, device), _centred(b, device)
    traces = float((root_a**2).sum() + (root_b**2).sum())
    return _distance(mean_a - mean_b, traces, torch.linalg.svdvals(root_a @ root_b.T) ** 2)


def _centred(features: NDArray[Any], device: str) -> tuple[FloatArray, Tensor]:
    """Mean, and the matrix A of shape (N, D) for which A^T A is the covariance."""
    values = torch.from_numpy(features.astype(np.float64)).to(device)
    mean = values.mean(dim=0)
    values -= mean  # in place: a set may be most of what memory holds
    values /= max(1, len(values) - 1) ** 0.5
    return mean.cpu().numpy(), values


def _distance(
    shift: FloatArray, traces: float, eigenvalues: Tensor, clipped_mass: float = 0.0
) -> Distance:
    """Never below 0, where rounding may put the distance of a set to itself.

    Args:
        shift: Between the means.
        traces: Of both covariances together.
        eigenvalues: Of their product.
        clipped_mass: What was clipped before.
    """
    root_trace = float(eigenvalues.clamp(min=0).sqrt().sum())
    return Distance(
        max(0.0, float(shift @ shift) + traces - 2 * root_trace),
        max(clipped_mass, _negative_share(eigenvalues)),
    )


def _negative_share(eigenvalues: Tensor) -> float:
    total = float(eigenvalues.abs().sum())
    return float(eigenvalues.clamp(max=0).abs().sum()) / total if total else 0.0
