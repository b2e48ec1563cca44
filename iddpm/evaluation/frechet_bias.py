"""The Fréchet distance without the bias of a small sample.

The covariance of n features scatters around the true one, and every scatter adds to the distance:
over n samples it is too large by about b / n (Chong & Forsyth, 2020, arXiv:1911.07023, Section 3).
The delete-a-group jackknife finds b by the distances of the samples without one group after the
other. These share most of the samples, so that it spreads no more than the distance itself, where
a line through few and small subsets spreads half as much again.
"""

import math
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from iddpm.arrays import FloatArray

GROUPS = 8
"""Into which the samples are cut, in their order."""
LEAST_PER_DIMENSION = 1.5
"""Vectors for each dimension from which on b / n describes the bias: what is left of it then is a
fiftieth (measured over digits)."""


def unbiased_distance(generated: NDArray[Any], mean: FloatArray, covariance: FloatArray) -> float:
    """The squared Fréchet distance of generated features from real ones, its bias taken off.

    It may lie below zero. The real moments are taken as the truth: their own scatter stays.

    Args:
        generated: Shape (N, D).
        mean: Of the real features, shape (D,).
        covariance: Of the real features, shape (D, D).

    Raises:
        ValueError: If the dimensions differ, or N is below `least_vectors(D)`.
    """
    count, dimensions = generated.shape
    if dimensions != len(mean):
        raise ValueError(
            f"features: expected {len(mean)} dimensions as the real ones, found {dimensions}"
        )
    if count < (least := least_vectors(dimensions)):
        raise ValueError(
            f"features: expected at least {least} of {dimensions} dimensions, found {count}"
        )
    values = generated.astype(np.float64)
    centre = values.mean(axis=0)
    groups = np.array_split(values - centre, GROUPS)
    kept = np.array([count, *(count - len(group) for group in groups)], dtype=np.float64)
    sums = np.stack([np.zeros(dimensions), *(group.sum(axis=0) for group in groups)])
    squares = np.stack([np.zeros((dimensions, dimensions)), *(group.T @ group for group in groups)])
    shifts = -sums / kept[:, None]  # of the mean without a group, from that of all
    scatter = squares.sum(axis=0) - squares - kept[:, None, None] * _outer(shifts)
    covariances = scatter / (kept - 1)[:, None, None]
    whole, *parts = _distances(centre + shifts - mean, covariances, covariance)
    slope = np.mean((np.array(parts) - whole) / (1 / kept[1:] - 1 / count))
    return float(whole - slope / count)


def least_vectors(dimensions: int) -> int:
    """How many feature vectors the estimate takes."""
    return max(2 * GROUPS, math.ceil(LEAST_PER_DIMENSION * dimensions))


def _outer(vectors: FloatArray) -> FloatArray:
    return vectors[:, :, None] * vectors[:, None, :]


def _distances(apart: FloatArray, covariances: FloatArray, real: FloatArray) -> FloatArray:
    """As `frechet.distance_of_moments`, of a stack of means' differences and covariances at once.

    In NumPy: who draws a page imports no torch.
    """
    root = _root(np.asarray(real, dtype=np.float64).tobytes(), len(real))
    roots = np.sqrt(np.linalg.eigvalsh(root @ covariances @ root).clip(min=0)).sum(axis=1)
    traces = np.trace(covariances, axis1=1, axis2=2) + np.trace(real)
    distances: FloatArray = (apart**2).sum(axis=1) + traces - 2 * roots
    return distances


@lru_cache(maxsize=8)
def _root(covariance: bytes, dimensions: int) -> FloatArray:
    """The symmetric root of a covariance in float64, which all scores of a study share."""
    matrix = np.frombuffer(covariance, dtype=np.float64).reshape(dimensions, dimensions)
    values, vectors = np.linalg.eigh(matrix)
    root: FloatArray = (vectors * np.sqrt(values.clip(min=0))) @ vectors.T
    return root
