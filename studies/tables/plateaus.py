"""How much the loss of a training still fell at its end.

A learning curve flattens against the logarithm of the steps, so what the last doubling of a
training gained is about the most that another would. The curves are means over windows of steps
(`iddpm.training.LossCurve`).
"""

import math
from collections.abc import Mapping, Sequence

import numpy as np


def fall(curve: Mapping[str, Sequence[float | None]], name: str = "loss") -> tuple[float, float]:
    """Means of a curve before the last doubling of a training and over it.

    Those of the windows that end in the second quarter of its steps, and in the second half: of
    a curve against the logarithm of the steps the one is the other, shifted by a factor of two.

    Args:
        curve: `step`, the last step of each window, and the series.
        name: Of the series.

    Returns:
        Both means; NaN where a window has no value, or there is none.
    """
    steps, values = np.array(curve["step"]), np.array(curve[name], dtype=np.float64)
    last = steps.max(initial=0)
    after = steps > last / 2
    before = (steps > last / 4) & ~after
    return _mean(values[before]), _mean(values[after])


def _mean(values: np.ndarray[tuple[int, ...], np.dtype[np.float64]]) -> float:
    return float(values.mean()) if len(values) else math.nan


def log_fall(before: float, after: float) -> float:
    """The natural log of the earlier mean over the later one; NaN where one is not above zero."""
    return math.log(before / after) if before > 0 and after > 0 else math.nan
