"""Power laws y = c + (a C)^-b fitted to a few points, as the trend lines of the paper's Fig. 10.

The paper fixes c beforehand and does not say how a and b were found. Here they are those of least
squares in log y, over the points on the frontier: those that no cheaper point undercuts, since the
lines of the paper run along the lower edge of its points. c is freed only where they identify it.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import fdtri

from iddpm.arrays import FloatArray
from studies.tables.intervals import CONFIDENCE

LEAST_POINTS = 3
"""Two numbers go through any two points; with fewer than three there is nothing to fit."""


@dataclass(frozen=True, slots=True)
class PowerLaw:
    """y = constant + (scale * C)^-exponent = constant + exp(level - exponent * log C).

    The level stays finite where points hardly fall and no scale could be written down.
    """

    constant: float
    level: float
    exponent: float
    constant_is_fitted: bool = False

    @classmethod
    def of(cls, constant: float, scale: float, exponent: float) -> "PowerLaw":
        """The law as the paper writes it."""
        return cls(constant, -exponent * math.log(scale), exponent)

    @property
    def scale(self) -> float:
        """Held to what a number can hold, where the exponent is as good as zero."""
        if not self.exponent:
            return math.nan
        return math.exp(min(max(-self.level / self.exponent, -700.0), 700.0))

    def __call__(self, compute: FloatArray) -> FloatArray:
        """y at each C."""
        falling: FloatArray = np.exp(self.level - self.exponent * np.log(compute))
        return self.constant + falling


def frontier(compute: Sequence[float], values: Sequence[float]) -> list[int]:
    """Places of the points below every point that costs as little or less, cheapest first."""
    order = sorted(range(len(compute)), key=lambda place: (compute[place], values[place]))
    found: list[int] = []
    for place in order:
        if not found or values[place] < values[found[-1]]:
            found.append(place)
    return found


@dataclass(frozen=True, slots=True)
class Trend:
    """How a quantity falls with compute, over several seeds."""

    law: PowerLaw
    """Through the means over seeds."""
    exponents: Mapping[int, float]
    """By seed: of the law through its own points, its constant its own where the means free it."""
    points: int
    """On the frontier of the means."""


def trend(
    compute: Mapping[str, float],
    values: Mapping[int, Mapping[str, float]],
    *,
    constant: float,
) -> Trend | None:
    """The power law through the frontier, or None: there are too few points for one.

    Args:
        compute: C of each arm, by its name.
        values: y of each arm, by seed. Arms that some seed lacks are left out.
        constant: c, unless the means over seeds identify it.
    """
    arms = [arm for arm in compute if all(arm in of_seed for of_seed in values.values())]
    means = {arm: math.fsum(v[arm] for v in values.values()) / len(values) for arm in arms}
    law, points = _through_frontier(compute, means, constant)
    if law is None:
        return None
    exponents = {}
    for seed, of_seed in values.items():
        own, _ = _through_frontier(
            compute, {arm: of_seed[arm] for arm in arms}, constant, free=law.constant_is_fitted
        )
        if own is not None:
            exponents[seed] = own.exponent
    return Trend(law, exponents, points)


def _through_frontier(
    compute: Mapping[str, float],
    values: Mapping[str, float],
    constant: float,
    *,
    free: bool | None = None,
) -> tuple[PowerLaw | None, int]:
    C, y = [compute[arm] for arm in values], list(values.values())
    places = frontier(C, y)
    law = fit([C[i] for i in places], [y[i] for i in places], constant=constant, free=free)
    return law, len(places)


def fit(
    compute: Sequence[float],
    values: Sequence[float],
    *,
    constant: float,
    free: bool | None = None,
) -> PowerLaw | None:
    """The power law closest to points in log y, or None: there are too few to fit one.

    Args:
        compute: C of each point, above zero.
        values: y of each point, above zero.
        constant: c, unless it is freed.
        free: Whether it is, which takes a point more; None: where the points say so with 95%
            confidence. Freeing it must then lower the sum of squares by more than chance would (an
            F test), and put it above zero.

    Raises:
        ValueError: If a number is not finite and above zero.
    """
    C, y = np.asarray(compute, dtype=np.float64), np.asarray(values, dtype=np.float64)
    if not all(np.isfinite(numbers).all() and (numbers > 0).all() for numbers in (C, y)):
        raise ValueError("power law: expected points that are finite and above zero")
    if len(set(compute)) < LEAST_POINTS + bool(free) or not (y > constant).all():
        return None
    if free:
        return _least_squares(C, y, constant, free=True)[0]
    fixed, left = _least_squares(C, y, constant, free=False)
    if len(y) <= LEAST_POINTS or free is False:
        return fixed
    freed, left_freed = _least_squares(C, y, constant, free=True)
    ratio = (left - left_freed) * (len(y) - 3) / max(left_freed, _rounding(y))
    return freed if freed.constant > 0 and ratio > fdtri(1, len(y) - 3, CONFIDENCE) else fixed


def _rounding(y: FloatArray) -> float:
    """A sum of squares that is nothing but rounding."""
    return len(y) * 1e-20


def _least_squares(
    C: FloatArray, y: FloatArray, constant: float, *, free: bool
) -> tuple[PowerLaw, float]:
    """The law and its sum of squares. C is taken in units of its mean, where all is near one."""
    from scipy.optimize import least_squares  # planning reads this file, and it takes a while

    unit = float(np.exp(np.log(C).mean()))
    x, lowest = np.log(C / unit), float(y.min())
    starts = [constant, *(lowest * share for share in (0.0, 0.5, 0.9, 0.99))]
    found: tuple[float, FloatArray] | None = None
    for start in starts if free else [constant]:
        slope, level = np.polyfit(x, np.log(y - start), 1)
        first = [level, slope] + ([start] if free else [])
        bounds = (
            [-np.inf, -np.inf] + ([0.0] if free else []),
            [np.inf, np.inf] + ([lowest * (1 - 1e-9)] if free else []),
        )

        def residuals(p: FloatArray) -> FloatArray:
            c = p[2] if free else constant
            return np.asarray(np.log(c + np.exp(p[0] + p[1] * x)) - np.log(y))

        solved = least_squares(residuals, first, bounds=bounds, xtol=1e-14, ftol=1e-14, gtol=1e-14)
        if found is None or 2 * solved.cost < found[0]:
            found = 2 * float(solved.cost), solved.x
    assert found is not None
    left, p = found
    exponent = -float(p[1])
    level = float(p[0]) + exponent * math.log(unit)
    return PowerLaw(float(p[2]) if free else constant, level, exponent, free), left
