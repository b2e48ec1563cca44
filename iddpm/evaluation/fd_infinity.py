"""The Fréchet distance of endlessly many images (Chong & Forsyth, 2020, arXiv:1911.07023).

A distance over n images lies above the one of endlessly many by about c / n. Distances of several n
therefore lie on a line against 1 / n, and its intercept is free of that bias.
"""

from functools import reduce
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from iddpm.arrays import Int64Array
from iddpm.data import fixed_permutation
from iddpm.evaluation.config import FD_INFINITY_IMAGES
from iddpm.evaluation.feature_sets import check_comparable
from iddpm.evaluation.frechet import Moments, Rooted, merged, moments
from iddpm.running.interruption import Progress

SIZES = 15
"""Points of the line, as in the paper."""

FEWEST = FD_INFINITY_IMAGES // 2
"""Images of the first point, or a tenth of all if that is more. All are at least twice as many."""

GROUPS = 10
"""Of the jackknife."""

T_QUANTILE = 2.2621571628540993
"""97.5% of Student's t with GROUPS - 1 degrees of freedom."""


class FdInfinity(NamedTuple):
    """The intercept and its 95% interval over the images that were drawn."""

    value: float
    low: float
    high: float


def fd_infinity(
    features: NDArray[Any],
    reference: Moments,
    *,
    fewest: int = FEWEST,
    device: str = "cpu",
    progress: Progress = lambda done, total: None,
) -> FdInfinity:
    """The distance to a reference that endlessly many images like these would have.

    The images of a point are the first so many of one fixed permutation. The interval is the
    delete-a-group jackknife's: the line is drawn again without each tenth of the images. A
    bootstrap would hold images twice, which moves every distance upward.

    Args:
        features: Of generated images, shape (N, D).
        reference: Moments of the real ones, as many as there are.
        fewest: Images of the first point at least.
        device: Where products and eigenvalues are taken.
        progress: Told the lines drawn, of how many.

    Raises:
        ValueError: If there are fewer than twice `fewest` images, or the sets cannot be compared.
    """
    check_comparable(features, reference.mean[None], at_least=1)
    count = len(features)
    if count < 2 * fewest:
        raise ValueError(f"fd_infinity: expected at least {2 * fewest:,} images, found {count:,}")
    order, rooted = fixed_permutation(count), Rooted(reference, device=device)
    share = max(fewest, count // 10) / count
    group = np.arange(count) % GROUPS
    found = []
    for left_out in range(-1, GROUPS):
        found.append(_intercept(features, order[group != left_out], share, rooted, device))
        progress(len(found), GROUPS + 1)
    value, *without = found
    error = np.sqrt((GROUPS - 1) * np.var(without))
    return FdInfinity(value, value - T_QUANTILE * error, value + T_QUANTILE * error)


def _intercept(
    features: NDArray[Any], rows: Int64Array, share: float, rooted: Rooted, device: str
) -> float:
    """Of the line through the distances of the first `share` of the rows to all of them."""
    sizes = np.linspace(share * len(rows), len(rows), SIZES).astype(int)
    distances, so_far = [], list[Moments]()
    for start, stop in zip([0, *sizes[:-1]], sizes, strict=True):
        so_far = [reduce(merged, [*so_far, moments(features[rows[start:stop]], device=device)])]
        distances.append(rooted.distance(so_far[0]).value)
    return float(np.polyfit(1 / sizes, distances, 1)[1])
