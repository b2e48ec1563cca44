"""Power of a verdict: which means its seeds could have told, and how many seeds would decide it.

An interval lies wholly beyond a border by a one-sided t test at half of what 95% leaves; its power
is a noncentral t. It lies wholly between two borders by two such tests at once, the test of
equivalence (Schuirmann 1987); its power is taken given the deviation found and then averaged over
it (Phillips 1990). That there is no difference that matters is told by the same test. The deviation
of the seeds at hand stands for the true one.
"""

import math
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import chdtr, chdtri, nctdtr, nctdtrinc, ndtr

from studies.judging.verdicts import Finding, Measurement
from studies.tables.intervals import Interval, half_width_per_deviation

POWER = 0.8
"""The power that is asked for: the probability that a difference that is there is told."""
MOST_SEEDS = 100
"""More seeds than these are counted as too many."""
FAR = 100.0
"""Standard errors from a border beyond which an interval as good as never reaches it."""
NODES = 64
"""Of the average over deviations."""
NEGLIGIBLE = 1e-6
"""Of a power: less than its own error."""


def chances(
    interval: Interval, low: float, high: float, n: ArrayLike, *, matters: float = 0.0
) -> tuple[Any, Any]:
    """Probabilities that the interval of n new seeds lies wholly inside a region, or outside.

    One that holds no difference that matters counts as outside, wherever the region is.

    Args:
        interval: Its mean is taken for the true one, and its deviation too; of two values or more.
        low: Lower border of the region; -inf: none.
        high: Upper border; inf: none.
        n: Numbers of seeds, each at least 2.
        matters: The smallest difference from zero that matters; 0: any.
    """
    n = np.asarray(n, dtype=np.float64)
    mean, deviation = interval.mean, max(_deviation(interval), 1e-150)

    def within(low: float, high: float) -> Any:
        return _within(low, high, mean, deviation, n)

    outside = _above(high, mean, deviation, n) + _above(-low, -mean, deviation, n)
    if not matters:
        return within(low, high), outside
    none = within(-matters, matters)
    both = within(max(low, -matters), min(high, matters))
    beyond = within(max(high, -matters), matters) + within(-matters, min(low, matters))
    return within(low, high) - both, outside + none - beyond


def _deviation(interval: Interval) -> float:
    return interval.half_width / float(half_width_per_deviation(interval.n))


def _critical(n: Any) -> Any:
    """Student's t at which n values decide."""
    return half_width_per_deviation(n) * np.sqrt(n)


def _above(border: float, mean: float, deviation: float, n: Any) -> Any:
    """Probability that the whole interval lies above a border."""
    noncentrality = np.clip((mean - border) / deviation * np.sqrt(n), -FAR, FAR)
    return 1 - nctdtr(n - 1, noncentrality, _critical(n))


def _within(low: float, high: float, mean: float, deviation: float, n: Any) -> Any:
    """Probability that the whole interval lies in a region of two borders, of one or of none."""
    if low >= high:
        return np.zeros_like(n)
    if math.isinf(low) or math.isinf(high):
        return _above(low, mean, deviation, n) * _above(-high, -mean, deviation, n)
    return _between(low, high, mean, deviation, n)


def _between(low: float, high: float, mean: float, deviation: float, n: Any) -> Any:
    """Probability that the whole interval lies between two borders."""
    n = n[..., None]
    critical, widest = _critical(n), (high - low) / 2 / deviation * np.sqrt(n)
    narrow = chdtr(n - 1, (n - 1) * (widest / critical) ** 2)  # else it fits nowhere between
    nodes, weights = _gauss_legendre()
    shares = narrow * (nodes + 1) / 2
    reach = critical * np.sqrt(chdtri(n - 1, 1 - shares) / (n - 1))
    place = (mean - (low + high) / 2) / deviation * np.sqrt(n)
    fits = ndtr(widest - reach - place) - ndtr(reach - widest - place)
    return (fits * weights).sum(axis=-1) * narrow[..., 0] / 2


@cache
def _gauss_legendre() -> tuple[Any, Any]:
    """Nodes in −1 to 1 and their weights, which take as long to find as thousands of averages."""
    return np.polynomial.legendre.leggauss(NODES)


def smallest_effect(measurement: Measurement) -> float:
    """How far beyond a border of its region a mean had to lie to be told with 80% power.

    Where a difference must matter, so far that it is not told to be none either. NaN where there is
    no spread to tell by: of one seed, or of an exact quantity.
    """
    n = measurement.interval.n
    if n < 2:
        return math.nan
    noncentrality = float(nctdtrinc(n - 1, 1 - POWER, float(_critical(n))))
    effect = noncentrality * _deviation(measurement.interval) / math.sqrt(n)
    matters = measurement.matters

    def lacking(distance: float) -> float:
        moved = _moved(measurement.interval, -distance)
        return POWER - float(chances(moved, -math.inf, 0.0, n, matters=matters)[0])

    most = effect + matters  # told to be none in hardly any study
    crosses = matters and lacking(effect) > NEGLIGIBLE and lacking(most) < 0
    return _root(lacking, effect, most) if crosses else effect


def largest_inside(measurement: Measurement) -> float:
    """How far from the middle of its two borders a mean could lie and be told to be between.

    Where a difference must matter, those borders are the smallest that does, on either side of
    zero. With 80% power; NaN where the seeds could have told of no mean that it lies between them.
    """
    interval, matters = measurement.interval, measurement.matters
    low, high = (-matters, matters) if matters else (measurement.low, measurement.high)
    middle, half = (low + high) / 2, (high - low) / 2

    def lacking(distance: float) -> float:
        moved = _moved(interval, middle + distance)
        return POWER - float(chances(moved, low, high, interval.n)[0])

    return _root(lacking, 0.0, half) if lacking(0.0) < 0 else math.nan


def _root(function: Callable[[float], float], low: float, high: float) -> float:
    """Where a function is zero between two places at which its signs differ."""
    from scipy.optimize import brentq  # few claims need it, and it takes a while to import

    return float(brentq(function, low, high))


def _moved(interval: Interval, mean: float) -> Interval:
    """An interval of the same width around another mean."""
    return Interval(mean, mean - interval.half_width, mean + interval.half_width, interval.n)


def seeds_to_decide(finding: Finding) -> float:
    """With how many seeds a claim that is open would be decided with 80% power.

    The means at hand are taken for the true ones: if all lie where the claim puts them, all must be
    told to; otherwise, and where one is no difference that matters, one must be told not to.
    Quantities count as independent: those that share an arm are told together somewhat more often.

    Returns:
        At most `MOST_SEEDS`, or inf; NaN for a claim that is decided, that more seeds of the same
        study do not tell, or whose spread is not known.
    """
    crossing = [m for m in finding.measurements if m.decides and m.interval.n]
    if finding.verdict != "inconclusive" or finding.is_untold or not crossing:
        return math.nan
    if any(m.interval.n < 2 for m in crossing):
        return math.nan
    return planned(crossing)


def planned(measurements: Sequence[Measurement]) -> float:
    """The seeds of `seeds_to_decide`, of quantities that decide together, each of two or more."""
    now = max(m.interval.n for m in measurements)
    n = np.arange(now + 1, MOST_SEEDS + 1)
    found = [chances(m.interval, m.low, m.high, n, matters=m.matters) for m in measurements]
    are_inside = [m.low < m.interval.mean < m.high for m in measurements]
    power = np.zeros(len(n))
    if all(are_inside):
        power += np.prod([inside for inside, _ in found], axis=0)
    if not all(are_inside) or any(abs(m.interval.mean) < m.matters for m in measurements):
        power += 1 - np.prod([1 - outside for _, outside in found], axis=0)
    enough = n[power >= POWER]
    return float(enough[0]) if len(enough) else math.inf
