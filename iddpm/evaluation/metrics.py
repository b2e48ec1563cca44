"""What a score may be asked for beside Fréchet distance, precision and recall.

Each metric is a function of two sets of features, under the name by which a sweep asks for it:
`samples: {metrics: [kid]}`.
"""

from collections.abc import Callable
from typing import Any, get_args

import numpy as np
from numpy.typing import NDArray

from iddpm.arrays import FloatArray
from iddpm.config import Metric
from iddpm.evaluation import fd_infinity as extrapolation
from iddpm.evaluation.feature_sets import check_comparable
from iddpm.evaluation.frechet import Moments, moments
from iddpm.registry import named

SUBSETS, SUBSET_SIZE = 100, 1000


def fd_infinity(
    real: NDArray[Any],
    generated: NDArray[Any],
    reference: Moments | None = None,
    *,
    device: str = "cpu",
) -> float:
    """The Fréchet distance that endlessly many images like the generated ones (M, D) would have.

    Chong & Forsyth (2020, arXiv:1911.07023), as `iddpm.evaluation.fd_infinity` says.

    Args:
        real: Features of real images (N, D).
        generated: Features of generated images.
        reference: Moments of all real images, where `real` are a part of them; None: of `real`.
        device: Where products and eigenvalues are taken.

    Raises:
        ValueError: If there are fewer than 10,000 generated images, or the sets cannot be compared.
    """
    of_real = moments(real, device=device) if reference is None else reference
    return extrapolation.fd_infinity(generated, of_real, device=device).value


def kid(real: NDArray[Any], generated: NDArray[Any]) -> float:
    """Kernel distance of generated features (M, D) to real ones (N, D); may lie below zero.

    Bińkowski et al. (2018, arXiv:1801.01401), Section 3 and Eq. 4: the unbiased squared maximum
    mean discrepancy under the kernel (x . y / D + 1)^3, averaged over 100 pairs of subsets of 1000.
    Where a set is smaller than that, its subsets are the whole of it. The subsets are the same at
    every call.

    Args:
        real: Features of real images.
        generated: Features of generated images.

    Raises:
        ValueError: If the sets cannot be compared, or one has fewer than 2 vectors.
    """
    check_comparable(real, generated, at_least=2)
    draw = np.random.default_rng(0)
    distances = []
    for _ in range(1 if max(len(real), len(generated)) <= SUBSET_SIZE else SUBSETS):
        parts = [
            vectors[draw.permutation(len(vectors))[:SUBSET_SIZE]].astype(np.float64)
            for vectors in (real, generated)
        ]
        distances.append(_unbiased_mmd(*parts))
    return float(np.mean(distances))


def _unbiased_mmd(x: FloatArray, y: FloatArray) -> float:
    """Squared maximum mean discrepancy of two samples, pairs of a vector with itself left out."""
    within = [(kernel.sum() - kernel.trace()) / _pairs(kernel) for kernel in map(_kernel, (x, y))]
    return float(sum(within) - 2 * _kernel(x, y).mean())


def _pairs(kernel: FloatArray) -> int:
    return len(kernel) * (len(kernel) - 1)


def _kernel(x: FloatArray, y: FloatArray | None = None) -> FloatArray:
    products: FloatArray = (x @ (x if y is None else y).T / x.shape[1] + 1) ** 3
    return products


METRICS: dict[Metric, Callable[[NDArray[Any], NDArray[Any]], float]] = named(
    get_args(Metric), globals()
)
"""From real and generated features to metric `x`: the function `x`."""
