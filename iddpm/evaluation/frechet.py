"""Fréchet distance between two sets of features, each read as one Gaussian.

d^2 = |m1 - m2|^2 + tr(S1 + S2 - 2 (S1 S2)^(1/2)) (Dowson & Landau, 1982; Heusel et al., 2017,
arXiv:1706.08500). The trace of the root is the sum of square roots of the eigenvalues of
S1^(1/2) S2 S1^(1/2), which is symmetric, so no root of a general matrix is ever taken. Only over
the 2015-12-05 Inception features is the distance an FID.
"""

import math
from dataclasses import dataclass
from functools import reduce
from typing import Any

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Moments:
    """Mean and covariance of a set of features, float64."""

    mean: FloatArray
    """Shape (D,)."""
    covariance: FloatArray
    """Shape (D, D), with n - 1 in the denominator."""
    count: int
    """Number n of feature vectors, at least 2."""

    @classmethod
    def of(cls, features: NDArray[Any], *, block_size: int = 4096) -> "Moments":
        """The moments of features (N, D), accumulated in float64 block by block.

        Raises:
            ValueError: If there are fewer than 2 feature vectors or one is not finite.
        """
        check_features("features", features, at_least=2)
        blocks = [features[i : i + block_size] for i in range(0, len(features), block_size)]
        return reduce(_merged_scatter, map(_scatter, blocks)).moments()
