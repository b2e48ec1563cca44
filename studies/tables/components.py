"""How much of the spread of a metric each part of the randomness makes: components of variance.

Trainings are drawn over levels of several seeds such that each level of one stands with each level
of another equally often, and all are sampled with the same seeds. Then the sums of squares of the
analysis of variance are independent, and with the number of levels q, of trainings N and of
sampling seeds R their means are expected to be

    of a factor           sigma_s|t^2 + R sigma_rest^2 + (R N / q) sigma_factor^2
    of the trainings left sigma_s|t^2 + R sigma_rest^2
    of sampling seeds     sigma_s|t^2 + N sigma_sampling^2
    left                  sigma_s|t^2

(Searle, Casella & McCulloch 1992, Variance Components, section 4.) Each component is a linear
combination of these means; its interval is a generalized confidence interval (Weerahandi 1993,
J. Am. Stat. Assoc. 88): the combination over draws of (degrees of freedom x mean square / chi^2).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy.special import gammaincinv

from iddpm.arrays import FloatArray
from studies.tables.intervals import CONFIDENCE

DRAWS = 20_000
"""Of the generalized intervals: their ends move by some 1% of their width from more."""

REST, SAMPLING, BOTH = "rest", "sampling", "sampling of a training"
"""Names of the components that are no factor's."""


class Component(NamedTuple):
    """A variance in the metric's unit squared, or a ratio of deviations, with its interval."""

    value: float
    """Of a variance unbiased, so that parts add up to their sum; below zero where it is tiny."""
    low: float
    high: float


class Square(NamedTuple):
    """A mean square."""

    value: float
    freedom: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Design:
    """What was measured in a balanced design: its mean squares, and what they are made of."""

    squares: Mapping[str, Square]
    trainings: int
    samplings: int
    levels: Mapping[str, int]
    """By factor, how many of its levels there are."""

    def combination(self, name: str) -> dict[str, float]:
        """The component of this name as a combination of mean squares, by their names."""
        per_rest = float(self.samplings)
        if name in self.levels:
            scale = self.levels[name] / (self.samplings * self.trainings)
            return {name: scale, REST: -scale}
        if name == REST:
            left = {BOTH: -1 / per_rest} if BOTH in self.squares else {}
            return {REST: 1 / per_rest, **left}
        if name == SAMPLING:
            return {SAMPLING: 1 / self.trainings, BOTH: -1 / self.trainings}
        return {BOTH: 1.0}

    @property
    def of_training(self) -> tuple[str, ...]:
        """The components that another training draws anew."""
        return (*self.levels, REST)

    @property
    def of_sampling(self) -> tuple[str, ...]:
        """The components that other samples of one network draw anew; none: it is not sampled."""
        return (SAMPLING, BOTH) if BOTH in self.squares else ()

    def component(self, *names: str) -> Component:
        """The sum of some components, with its interval.

        Args:
            names: Of factors, or of the other components.
        """
        weights = self._summed(names)
        low, high = _quantiles(self._drawn(weights)).clip(min=0)
        return Component(self._value(weights), float(low), float(high))

    def deviation_ratio(self, above: Sequence[str], below: Sequence[str]) -> Component:
        """The standard deviation of some components together over that of others."""
        one, other = (self._summed(names) for names in (above, below))
        low, high = _quantiles(_ratio(self._drawn(one), self._drawn(other)))
        ratio = _ratio(np.array(self._value(one)), np.array(self._value(other)))
        return Component(float(ratio), float(low), float(high))

    def _value(self, weights: Mapping[str, float]) -> float:
        return sum(weight * self.squares[name].value for name, weight in weights.items())

    def _summed(self, names: Sequence[str]) -> dict[str, float]:
        weights: dict[str, float] = {}
        for name in names:
            for square, weight in self.combination(name).items():
                weights[square] = weights.get(square, 0.0) + weight
        return weights

    def _drawn(self, weights: Mapping[str, float]) -> FloatArray:
        """The combination under each draw of what its mean squares vary by, shape (DRAWS,)."""
        total = np.zeros(DRAWS)
        for place, (name, square) in enumerate(self.squares.items()):
            if name in weights:
                total += weights[name] * square.value / _scaled(square.freedom, place)
        return total


def _ratio(above: FloatArray, below: FloatArray) -> FloatArray:
    """Of standard deviations, from variances; infinite where the lower one is none."""
    with np.errstate(divide="ignore", invalid="ignore"):
        found: FloatArray = np.sqrt(above.clip(min=0) / below.clip(min=0))
    return np.where(np.isnan(found), np.inf, found)


def _quantiles(drawn: FloatArray) -> FloatArray:
    """Between which so many of the draws lie as the confidence says; draws may be infinite."""
    ends = (1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2
    return np.asarray(np.quantile(drawn, ends, method="inverted_cdf"))


@cache
def _scaled(freedom: int, place: int) -> FloatArray:
    """Draws of chi^2 over its degrees of freedom, by the place of a mean square among others."""
    uniform = np.random.default_rng(place).random(DRAWS)
    found: FloatArray = 2 * gammaincinv(freedom / 2, uniform) / freedom
    return found


def design(rows: pd.DataFrame, factors: Sequence[str], sampling: str | None) -> Design | None:
    """The design that rows of one metric were measured in; None: it is not balanced, or not whole.

    Args:
        rows: One for each training and sampling seed, with a finite `value`.
        factors: Columns of the seeds of a training.
        sampling: Column of the seed of sampling; None: what is measured draws nothing.
    """
    columns = [*factors] if sampling is None else [*factors, sampling]
    if rows.empty or rows["value"].isna().any() or rows.duplicated(columns).any():
        return None
    table = rows.assign(**({} if sampling else {"": 0}))
    values = table.pivot(index=[*factors], columns=sampling or "", values="value")
    trainings = values.index.to_frame(index=False)
    levels = {name: int(trainings[name].nunique()) for name in factors}
    spare = len(values) - 1 - sum(count - 1 for count in levels.values())
    is_varied = min(levels.values()) > 1 and (sampling is None or values.shape[1] > 1)
    if (
        not is_varied
        or values.isna().any(axis=None)
        or spare < 1
        or not _is_orthogonal(trainings, levels)
    ):
        return None
    return Design(
        squares=_squares(values.to_numpy(), trainings, levels, spare),
        trainings=len(values),
        samplings=values.shape[1],
        levels=levels,
    )


def _is_orthogonal(trainings: pd.DataFrame, levels: Mapping[str, int]) -> bool:
    """Whether each level of a factor stands with each of another equally often."""
    pairs = [(a, b) for a in levels for b in levels if a < b]
    balanced = all(trainings[name].value_counts().nunique() == 1 for name in levels)
    counts = [pd.crosstab(trainings[a], trainings[b]).to_numpy() for a, b in pairs]
    return balanced and all(len(np.unique(count)) == 1 for count in counts)


def _squares(
    values: FloatArray, trainings: pd.DataFrame, levels: Mapping[str, int], spare: int
) -> dict[str, Square]:
    """The mean squares of values of shape (trainings, samplings)."""
    count, samplings = values.shape
    of_trainings, grand = values.mean(axis=1), values.mean()
    squares, between = {}, samplings * float(((of_trainings - grand) ** 2).sum())
    for name, number in levels.items():
        means = pd.Series(of_trainings).groupby(trainings[name].to_numpy()).mean()
        total = samplings * count / number * float(((means - grand) ** 2).sum())
        squares[name] = Square(total / (number - 1), number - 1)
        between -= total
    squares[REST] = Square(max(between, 0.0) / spare, spare)
    if samplings > 1:
        of_samplings = values.mean(axis=0)
        total = count * float(((of_samplings - grand) ** 2).sum())
        left = values - of_trainings[:, None] - of_samplings + grand
        freedom = (count - 1) * (samplings - 1)
        squares[SAMPLING] = Square(total / (samplings - 1), samplings - 1)
        squares[BOTH] = Square(float((left**2).sum()) / freedom, freedom)
    return squares
