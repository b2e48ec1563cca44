"""Improved precision and recall (Kynkäänniemi et al., 2019, arXiv:1904.06991, Eqs. 1-2).

A set of features is read as the union of balls around its vectors, each reaching to its vector's
k-th nearest neighbour. Precision is the share of generated vectors inside the real union, recall
the share of real vectors inside the generated one. Values compare only at equal extractor, k and
numbers of images. Distances are taken block by block, so memory stays bounded.
"""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from iddpm.evaluation.feature_sets import check_comparable

FloatArray = NDArray[np.float64]

BLOCK_NUMBERS = 2**23
"""Distances held at a time: 64 MiB of float64."""

ZERO = 1e-13
"""A squared distance below this share of the vectors' squared lengths is rounding, taken as 0."""


class PrecisionRecall(NamedTuple):
    """Two shares in [0, 1]."""

    precision: float
    recall: float


def precision_recall(real: NDArray[Any], generated: NDArray[Any], *, k: int = 3) -> PrecisionRecall:
    """Precision and recall of generated features (M, D) against real ones (N, D).

    Args:
        real: Features of real images.
        generated: Features of generated images.
        k: Which neighbour's distance is a ball's radius; a vector is no neighbour of itself, but
            an equal one is. Nichol & Dhariwal (2021) take 5, later public evaluators 3.

    Raises:
        ValueError: If the sets cannot be compared, k is below 1, or a set has fewer than k + 1
            vectors.
    """
    if k < 1:
        raise ValueError(f"precision_recall.k: expected at least 1, found {k}")
    check_comparable(real, generated, at_least=k + 1)
    centre = real.mean(axis=0, dtype=np.float64)
    real, generated = real - centre, generated - centre
    return PrecisionRecall(
        precision=_share_inside(generated, real, _squared_radii(real, k)),
        recall=_share_inside(real, generated, _squared_radii(generated, k)),
    )


def _squared_radii(vectors: FloatArray, k: int) -> FloatArray:
    """Squared distance of each vector to its k-th nearest neighbour, shape (N,)."""
    radii = []
    for rows in _blocks(vectors, vectors):
        distances = _squared_distances(vectors[rows], vectors)
        distances[np.arange(len(distances)), np.arange(len(vectors))[rows]] = np.inf
        distances.partition(k - 1, axis=1)
        radii.append(distances[:, k - 1].copy())  # a view would keep the whole block
    return np.concatenate(radii)


def _share_inside(points: FloatArray, centres: FloatArray, squared_radii: FloatArray) -> float:
    """Share of points that lie in at least one ball; a ball's surface belongs to it."""
    inside = 0
    for rows in _blocks(points, centres):
        distances = _squared_distances(points[rows], centres)
        inside += int((distances <= squared_radii).any(axis=1).sum())
    return inside / len(points)


def _blocks(rows: FloatArray, columns: FloatArray) -> list[slice]:
    size = max(1, BLOCK_NUMBERS // len(columns))
    return [slice(start, start + size) for start in range(0, len(rows), size)]


def _squared_distances(a: FloatArray, b: FloatArray) -> FloatArray:
    """Between all rows, shape (len(a), len(b)); exactly 0 between equal ones."""
    lengths: FloatArray = (a**2).sum(axis=1)[:, None] + (b**2).sum(axis=1)
    distances: FloatArray = lengths - 2 * (a @ b.T)
    distances[distances < ZERO * lengths] = 0
    return distances
