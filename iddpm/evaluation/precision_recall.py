"""Improved precision and recall (Kynkäänniemi et al., 2019, arXiv:1904.06991, Eqs. 1-2).

A set of features is read as the union of balls around its vectors, each reaching to its vector's
k-th nearest neighbour. Precision is the share of generated vectors inside the real union, recall
the share of real vectors inside the generated one. Values compare only at equal extractor, k and
numbers of images. Distances are taken block by block and no block outlives its use, so that memory
grows with the vectors alone. The radii of real vectors can be computed once for many scores.
"""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from iddpm.arrays import FloatArray
from iddpm.evaluation.feature_sets import check_comparable
from iddpm.running.interruption import Interrupted, Progress, StopCheck

BLOCK_NUMBERS = 2**23
"""Distances held at a time: 64 MiB of float64."""

ZERO = 1e-13
"""A squared distance below this share of the vectors' squared lengths is rounding, taken as 0."""


class PrecisionRecall(NamedTuple):
    """Two shares in [0, 1]."""

    precision: float
    recall: float


def precision_recall(
    real: NDArray[Any],
    generated: NDArray[Any],
    *,
    k: int = 3,
    real_radii: FloatArray | None = None,
) -> PrecisionRecall:
    """Precision and recall of generated features (M, D) against real ones (N, D).

    Args:
        real: Features of real images.
        generated: Features of generated images.
        k: Which neighbour's distance is a ball's radius; a vector is no neighbour of itself, but
            an equal one is. Nichol & Dhariwal (2021) take 5, later public evaluators 3.
        real_radii: What `squared_radii` gives for the real features and this k; None: it is asked.

    Raises:
        ValueError: If the sets cannot be compared, k is below 1, a set has fewer than k + 1
            vectors, or the radii are not one for each real vector.
    """
    _check_neighbours(k)
    check_comparable(real, generated, at_least=k + 1)
    if real_radii is None:
        real_radii = squared_radii(real, k)
    if real_radii.shape != (len(real),):
        raise ValueError(
            f"precision_recall.real_radii: expected one for each of {len(real)} real vectors, "
            f"found shape {real_radii.shape}"
        )
    centre = _centre(real)
    real, generated = real - centre, generated - centre
    return PrecisionRecall(
        precision=_share_inside(generated, real, real_radii),
        recall=_share_inside(real, generated, _squared_radii(generated, k)),
    )


def squared_radii(
    real: NDArray[Any],
    k: int,
    *,
    progress: Progress = lambda done, total: None,
    should_stop: StopCheck = lambda: False,
) -> FloatArray:
    """Squared distance of each real vector to its k-th nearest neighbour, shape (N,), float64.

    Args:
        real: Features of real images, shape (N, D).
        k: As in `precision_recall`.
        progress: Told the vectors done, of how many.
        should_stop: Asked before each block of distances.

    Raises:
        ValueError: If k is below 1, or the features are no k + 1 finite vectors.
        Interrupted: If `should_stop` said so. Nothing is kept.
    """
    _check_neighbours(k)
    check_comparable(real, real, at_least=k + 1)
    return _squared_radii(real - _centre(real), k, progress, should_stop)


def _check_neighbours(k: int) -> None:
    if k < 1:
        raise ValueError(f"precision_recall.k: expected at least 1, found {k}")


def _centre(real: NDArray[Any]) -> FloatArray:
    """From which all vectors are measured: short ones lose fewer digits in a product."""
    centre: FloatArray = real.mean(axis=0, dtype=np.float64)
    return centre


def _squared_radii(
    vectors: FloatArray,
    k: int,
    progress: Progress = lambda done, total: None,
    should_stop: StopCheck = lambda: False,
) -> FloatArray:
    """The radii of vectors that are centred already."""
    radii, lengths = np.empty(len(vectors)), _squared_lengths(vectors)
    for rows in _blocks(vectors, vectors):
        if should_stop():
            raise Interrupted("radii: asked to stop; they begin anew")
        distances = _squared_distances(vectors[rows], vectors, lengths[rows], lengths)
        distances[np.arange(len(distances)), np.arange(len(vectors))[rows]] = np.inf
        distances.partition(k - 1, axis=1)
        radii[rows] = distances[:, k - 1]
        progress(rows.start + len(distances), len(vectors))
    return radii


def _share_inside(points: FloatArray, centres: FloatArray, radii: FloatArray) -> float:
    """Share of points that lie in at least one ball; a ball's surface belongs to it."""
    inside, lengths = 0, _squared_lengths(centres)
    for rows in _blocks(points, centres):
        own = _squared_lengths(points[rows])
        distances = _squared_distances(points[rows], centres, own, lengths)
        inside += int((distances <= radii).any(axis=1).sum())
    return inside / len(points)


def _blocks(rows: FloatArray, columns: FloatArray) -> list[slice]:
    size = max(1, BLOCK_NUMBERS // len(columns))
    return [slice(start, start + size) for start in range(0, len(rows), size)]


def _squared_lengths(vectors: FloatArray) -> FloatArray:
    """Of each row, shape (N,); the squares of a block of rows are held at a time."""
    lengths, size = np.empty(len(vectors)), max(1, BLOCK_NUMBERS // vectors.shape[1])
    for start in range(0, len(vectors), size):
        lengths[start : start + size] = (vectors[start : start + size] ** 2).sum(axis=1)
    return lengths


def _squared_distances(
    a: FloatArray, b: FloatArray, lengths_a: FloatArray, lengths_b: FloatArray
) -> FloatArray:
    """Between all rows, shape (len(a), len(b)), given their `_squared_lengths`.

    Exactly 0 between equal rows.
    """
    lengths = lengths_a[:, None] + lengths_b
    distances: FloatArray = a @ b.T
    distances *= 2
    np.subtract(lengths, distances, out=distances)
    lengths *= ZERO
    distances[distances < lengths] = 0
    return distances
