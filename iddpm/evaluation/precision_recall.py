"""Improved precision and recall (Kynkäänniemi et al., 2019, arXiv:1904.06991, Eqs. 1-2).

A set of features is read as the union of balls around its vectors, each reaching to its vector's
k-th nearest neighbour. Precision is the share of generated vectors inside the real union, recall
the share of real vectors inside the generated one. Values compare only at equal extractor, k and
numbers of images. Distances are taken tile by tile, in float64, and no tile outlives its use, so
that memory grows with the vectors alone. The radii of real vectors can be computed once for many
scores.
"""

from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from iddpm.arrays import FloatArray
from iddpm.evaluation.feature_sets import check_comparable
from iddpm.running.interruption import Interrupted, Progress, StopCheck

BLOCK = 1024
"""Vectors along each side of a tile: 8 MiB of distances."""

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
    device: str = "cpu",
) -> PrecisionRecall:
    """Precision and recall of generated features (M, D) against real ones (N, D).

    Args:
        real: Features of real images.
        generated: Features of generated images.
        k: Which neighbour's distance is a ball's radius; a vector is no neighbour of itself, but
            an equal one is. Nichol & Dhariwal (2021) take 5, later public evaluators 3.
        real_radii: What `squared_radii` gives for the real features and this k; None: it is asked.
        device: Where distances are taken.

    Raises:
        ValueError: If the sets cannot be compared, k is below 1, a set has fewer than k + 1
            vectors, or the radii are not one for each real vector.
    """
    _check_neighbours(k)
    check_comparable(real, generated, at_least=k + 1)
    if real_radii is None:
        real_radii = squared_radii(real, k, device=device)
    if real_radii.shape != (len(real),):
        raise ValueError(
            f"precision_recall.real_radii: expected one for each of {len(real)} real vectors, "
            f"found shape {real_radii.shape}"
        )
    centre = _centre(real)
    first, second = _Vectors(real, centre, device), _Vectors(generated, centre, device)
    return _shares(
        first, second, torch.tensor(real_radii, device=device), _squared_radii(second, k)
    )


def squared_radii(
    real: NDArray[Any],
    k: int,
    *,
    device: str = "cpu",
    progress: Progress = lambda done, total: None,
    should_stop: StopCheck = lambda: False,
) -> FloatArray:
    """Squared distance of each real vector to its k-th nearest neighbour, shape (N,), float64.

    Args:
        real: Features of real images, shape (N, D).
        k: As in `precision_recall`.
        device: Where distances are taken.
        progress: Told the tiles done, of how many.
        should_stop: Asked before each tile of distances.

    Raises:
        ValueError: If k is below 1, or the features are no k + 1 finite vectors.
        Interrupted: If `should_stop` said so. Nothing is kept.
    """
    _check_neighbours(k)
    check_comparable(real, real, at_least=k + 1)
    vectors = _Vectors(real, _centre(real), device)
    return _squared_radii(vectors, k, progress, should_stop).cpu().numpy()


def _check_neighbours(k: int) -> None:
    if k < 1:
        raise ValueError(f"precision_recall.k: expected at least 1, found {k}")


def _centre(real: NDArray[Any]) -> FloatArray:
    """From which all vectors are measured: short ones lose fewer digits in a product."""
    centre: FloatArray = real.mean(axis=0, dtype=np.float64)
    return centre


class _Vectors:
    """A set of vectors in its own type, which lends blocks in float64, measured from a centre."""

    def __init__(self, features: NDArray[Any], centre: FloatArray, device: str) -> None:
        self._centre = torch.tensor(centre, device=device)
        self._features = torch.as_tensor(np.require(features, requirements="W"), device=device)
        self.blocks = [slice(at, at + BLOCK) for at in range(0, len(features), BLOCK)]

    def __len__(self) -> int:
        return len(self._features)

    def __getitem__(self, rows: slice) -> Tensor:
        return self._features[rows].double() - self._centre

    def filled(self, value: Any, *columns: int) -> Tensor:
        """A row of the same value for each vector, beside them on their device."""
        dtype = torch.bool if isinstance(value, bool) else torch.float64
        return torch.full((len(self), *columns), value, dtype=dtype, device=self._features.device)


def _squared_radii(
    vectors: _Vectors,
    k: int,
    progress: Progress = lambda done, total: None,
    should_stop: StopCheck = lambda: False,
) -> Tensor:
    """Each tile serves its rows and, being those of the columns too, its columns."""
    nearest = vectors.filled(torch.inf, k)
    tiles = [(a, b) for i, a in enumerate(vectors.blocks) for b in vectors.blocks[i:]]
    for done, (rows, columns) in enumerate(tiles, start=1):
        if should_stop():
            raise Interrupted("radii: asked to stop; they begin anew")
        distances = _squared_distances(vectors[rows], vectors[columns])
        if rows == columns:
            distances.fill_diagonal_(torch.inf)
        else:
            nearest[columns] = _least(nearest[columns], distances.T)
        nearest[rows] = _least(nearest[rows], distances)
        progress(done, len(tiles))
    return nearest[:, -1]


def _least(nearest: Tensor, distances: Tensor) -> Tensor:
    """Of each row the k least numbers of both, in their order."""
    both = torch.cat([nearest, distances], dim=1)
    return both.topk(nearest.shape[1], dim=1, largest=False).values


def _shares(
    real: _Vectors, generated: _Vectors, real_radii: Tensor, generated_radii: Tensor
) -> PrecisionRecall:
    """How many of each set lie in a ball of the other; a ball's surface belongs to it."""
    precise, recalled = generated.filled(False), real.filled(False)
    for rows in generated.blocks:
        for columns in real.blocks:
            distances = _squared_distances(generated[rows], real[columns])
            precise[rows] |= (distances <= real_radii[columns]).any(dim=1)
            recalled[columns] |= (distances <= generated_radii[rows, None]).any(dim=0)
    return PrecisionRecall(*(float(inside.double().mean()) for inside in (precise, recalled)))


def _squared_distances(a: Tensor, b: Tensor) -> Tensor:
    """Between all rows, shape (len(a), len(b)); exactly 0 between equal rows."""
    lengths = (a**2).sum(1)[:, None] + (b**2).sum(1)
    distances = torch.addmm(lengths, a, b.T, alpha=-2)
    return distances.masked_fill_(distances < lengths.mul_(ZERO), 0)
