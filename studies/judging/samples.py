"""Whether the few values of an interval look like what Student's t takes them for."""

import math
from collections.abc import Mapping

from scipy.special import stdtr

from studies.judging.verdicts import Measurement

UNUSUAL = 0.05
"""Share of normal samples in which a value stands apart by this test."""
ROUNDING = 1e-12
"""A deviation of no more than this share of the values is that of their arithmetic."""


def outlying(measurement: Measurement) -> int | None:
    """The seed whose value stands apart from the others, so that the interval rests on it.

    Grubbs's test (1969) at 5% on two sides. Of three values one stands apart if it lies more than
    some twenty times as far from the middle one as the third; of fewer nothing can be told.
    """
    values = dict(measurement.values)
    n = len(values)
    if n < 3:
        return None
    mean = math.fsum(values.values()) / n
    deviation = math.sqrt(math.fsum((value - mean) ** 2 for value in values.values()) / (n - 1))
    if deviation <= ROUNDING * max(map(abs, values.values())):
        return None
    seed = max(values, key=lambda one: abs(values[one] - mean))
    return seed if _grubbs(abs(values[seed] - mean) / deviation, n) < UNUSUAL else None


def _grubbs(largest: float, n: int) -> float:
    """Probability that the largest of n normal values' deviations from their mean is larger.

    Args:
        largest: In standard deviations of the sample.
        n: Number of values.
    """
    room = (n - 1) ** 2 - n * largest**2  # 0 where all the others are equal
    t = math.sqrt(n * (n - 2) * largest**2 / room) if room > 0 else math.inf
    return min(1.0, 2 * n * float(stdtr(n - 2, -t)))


def without(values: Mapping[int, float], seed: int) -> float:
    """The mean of the values of all other seeds."""
    rest = [value for one, value in values.items() if one != seed]
    return math.fsum(rest) / len(rest)
