"""Two sets of feature vectors that can be compared: the check that stands before every distance."""

from typing import Any

import numpy as np
from numpy.typing import NDArray


def check_comparable(a: NDArray[Any], b: NDArray[Any], *, at_least: int) -> None:
    """Refuses feature sets that no distance can be computed from.

    Raises:
        ValueError: If one is not of shape (N, D), has fewer than `at_least` vectors or a number
            that is not finite, or if their D differ.
    """
    for features in (a, b):
        if features.ndim != 2 or len(features) < at_least:
            raise ValueError(
                f"features: expected at least {at_least} vectors, shape (N, D), "
                f"found shape {features.shape}"
            )
        if bad := int((~np.isfinite(features)).any(axis=1).sum()):
            raise ValueError(
                f"features: expected finite numbers, found others in {bad} of {len(features)} "
                "vectors; the extractor or its images are broken"
            )
    if a.shape[1] != b.shape[1]:
        raise ValueError(
            f"features: expected two sets from one extractor, found {a.shape[1]} and "
            f"{b.shape[1]} dimensions"
        )
