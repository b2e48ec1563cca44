"""Means with their spread over seeds: 95% intervals of Student's t.

A seed is one training run, so the seeds are the sample. Two arms that share their seeds are
compared by the differences seed by seed, which takes out what the seed moves in both. One seed
alone says nothing about the spread: its interval is the whole line, and decides nothing.
"""

import math
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import stdtrit

CONFIDENCE = 0.95
SMALLEST_SHARE = 1e-6
"""Smaller shares have no log of their odds that would tell more."""


@dataclass(frozen=True, slots=True)
class Interval:
    """A mean over n seeds and where it may lie; with n = 1 the ends are infinite."""

    mean: float
    low: float
    high: float
    n: int

    @property
    def half_width(self) -> float:
        """Distance from the mean to either end."""
        return self.high - self.mean

    def within(self, low: float, high: float) -> bool:
        """True if the whole interval lies strictly between `low` and `high`."""
        return low < self.low and self.high < high

    def outside(self, low: float, high: float) -> bool:
        """True if the whole interval lies strictly below `low` or strictly above `high`."""
        return self.high < low or self.low > high


def exact(value: float) -> Interval:
    """A quantity that is computed, not measured: an interval of no width over no seeds."""
    return Interval(value, value, value, 0)


def t_interval(values: Sequence[float], *, confidence: float = CONFIDENCE) -> Interval:
    """The mean of independent values, and its two-sided interval by Student's t.

    Args:
        values: One finite number per seed.
        confidence: Share of such intervals that hold the true mean.

    Raises:
        ValueError: If there is no value, or one is not finite.
    """
    n = len(values)
    if n == 0 or not all(math.isfinite(value) for value in values):
        raise ValueError(f"interval: expected at least one finite value, found {list(values)}")
    mean = math.fsum(values) / n
    if n == 1:
        return Interval(mean, -math.inf, math.inf, 1)
    variance = math.fsum((value - mean) ** 2 for value in values) / (n - 1)
    half_width = math.sqrt(variance) * float(half_width_per_deviation(n, confidence=confidence))
    return Interval(mean, mean - half_width, mean + half_width, n)


def half_width_per_deviation(n: ArrayLike, *, confidence: float = CONFIDENCE) -> Any:
    """Half the interval's width over the sample's standard deviation, by the number of values.

    Args:
        n: One number or an array of them; NaN where it is below 2.
        confidence: As in `t_interval`.
    """
    n = np.asarray(n, dtype=np.float64)
    return stdtrit(np.where(n > 1, n - 1, np.nan), (1 + confidence) / 2) / np.sqrt(n)


# ------------------------------------------------------------------- two arms, seed by seed


Formula = tuple[Any, ...]
"""How a number for each seed is made: an operation of `studies/bundling/verifier.py`, and what it
is of. That is formulas, numbers, rows of the results as `("rows", ((seed, row), ...))`, each by the
columns `groupings.ROW`, results of tasks as `("results", ((seed, address, path), ...))`, or what a
schedule leaves of an image after each step as `("left", schedule, T)`."""


class Made(dict[int, float]):
    """Values by seed that know the raw rows which they are made of."""

    formula: Formula | None = None

    def by(self, *formula: Any) -> "Made":
        """These values, with how they are made: an operation, and values or formulas or numbers.

        Where one of them does not know it, neither do they.
        """
        parts = [formula_of(part) if isinstance(part, Mapping) else part for part in formula]
        self.formula = None if None in parts else tuple(parts)
        return self

    def only(self, seeds: Collection[int]) -> "Made":
        """Those of some seeds, in their order; of values that are rows themselves."""
        _, rows = self.formula or ("rows", ())
        some = tuple((seed, row) for seed, row in rows if seed in seeds)
        return Made((seed, self[seed]) for seed in seeds).by("rows", some or None)


def formula_of(values: Mapping[int, float]) -> Formula | None:
    """How values by seed are made of raw rows; None: they do not know it."""
    return values.formula if isinstance(values, Made) else None


def paired(
    a: Mapping[int, float],
    b: Mapping[int, float],
    how: Callable[[float, float], float],
    *formula: Any,
) -> Made:
    """`how` of a and b for every seed that both have, in the order of the seeds.

    `formula` says how, as `Made.by` takes it.
    """
    return Made((s, how(a[s], b[s])) for s in sorted(a.keys() & b.keys())).by(*formula)


def paired_differences(a: Mapping[int, float], b: Mapping[int, float]) -> Made:
    """By seed: a - b."""
    return paired(a, b, lambda x, y: x - y, "difference", a, b)


def paired_log_ratios(a: Mapping[int, float], b: Mapping[int, float]) -> Made:
    """By seed: the natural log of a over b, both above zero."""
    return paired(a, b, lambda x, y: math.log(x) - math.log(y), "log_ratio", a, b)


def log_ratios_of_means(a: Mapping[int, float], b: Mapping[int, float]) -> Made:
    """By seed: what it says of the natural log of the mean of a over the mean of b.

    Their mean is that log, and their spread is that of its error to first order (the delta method):
    log(mean a / mean b) + a / mean a - b / mean b. A single value may lie near or below zero,
    as distances without their bias do, where its own log would tell nothing. NaN where a mean is
    not above zero. Each value depends on all seeds by the means.
    """
    seeds = sorted(a.keys() & b.keys())
    above, below = (mean({seed: of[seed] for seed in seeds}) for of in (a, b))
    if not (above > 0 and below > 0):
        found = dict.fromkeys(seeds, math.nan)
    else:
        whole = math.log(above / below)
        found = {seed: whole + a[seed] / above - b[seed] / below for seed in seeds}
    return Made(found).by("log_ratio_of_means", a, b)


def log_odds(share: float, *, smallest: float = SMALLEST_SHARE) -> float:
    """The natural log of the odds of a share: a scale without ends, on which errors are even.

    Args:
        share: From 0 to 1.
        smallest: Shares nearer to 0 or to 1 than this count as so near.
    """
    held = min(max(share, smallest), 1 - smallest)
    return math.log(held) - math.log1p(-held)


def log_odds_of(shares: Mapping[int, float], smallest: float = SMALLEST_SHARE) -> Made:
    """By seed: the log of the odds of its share."""
    odds = {seed: log_odds(share, smallest=smallest) for seed, share in shares.items()}
    return Made(odds).by("log_odds", shares, smallest)


def mean(values: Mapping[int, float]) -> float:
    """The mean over seeds; NaN of none."""
    return sum(values.values()) / len(values) if values else math.nan
