"""One comparison of a claim: a number for each seed, and the region in which the claim puts them.

A claim is written in three steps: choose the arms, say by what numbers they are compared seed by
seed (`studies.tables.intervals`), say the region. Interval, verdict and what is missing follow.
"""

import json
import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache

import pandas as pd

from studies.judging.verdicts import Measured, Measurement, Unit, Untold
from studies.tables.intervals import (
    Formula,
    formula_of,
    log_ratios_of_means,
    paired_differences,
    t_interval,
)

Values = Mapping[int, float]
"""A number for each seed that has one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Region:
    """Where a claim puts a quantity: strictly between two ends."""

    low: float = -math.inf
    high: float = math.inf


NO_RATIO = "the mean of a distance without its bias is not above zero"
BELOW_ZERO, ABOVE_ZERO = Region(high=0.0), Region(low=0.0)


MATTERS: Mapping[Unit, float] = {
    "log ratio": math.log1p(0.1),
    "bits/dim": 0.005,
    "log odds ratio": 0.04,
}
"""The smallest difference that matters, where a claim is that there is one: fixed beforehand. A
tenth of a distance, noise or term, as where a claim is that there is none; half the unit in which
the paper's tables print bits/dim, less than which they would not show; and the 0.01 in which they
print precision and recall, which are 0.04 of the log of the odds of one half (Table 4 marks 0.72
and 0.71 both as best)."""


def within(share: float) -> Region:
    """Where the log of a ratio lies if neither exceeds the other by this share or more."""
    return Region(low=-math.log1p(share), high=math.log1p(share))


@dataclass(frozen=True, slots=True)
class Quantity:
    """How a metric is called, and by what numbers two arms are compared in it."""

    name: str
    compared_by: Callable[[Values, Values], dict[int, float]]
    unit: Unit


QUANTITIES = {
    "frechet_distance": Quantity("Fréchet distance", log_ratios_of_means, "log ratio"),
    "bits_per_dim": Quantity("bits/dim", paired_differences, "bits/dim"),
}
"""By metric; of both a lower value is the better."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """A quantity that a claim is about, measured or not."""

    what: str
    values: Values
    """None while nothing is measured; NaN where distances have no ratio."""
    unit: Unit
    region: Region
    decides: bool = True
    """One that decides nothing is not missed either."""
    detail: str = ""
    """The same in more familiar numbers."""
    matters: float | None = None
    """The smallest difference that matters; None: the usual one of the unit, 0: any."""
    missing: str = ""
    """What is missing while there are no values, where `what` does not say it."""
    untold: str = ""
    """Why the values, once there, do not tell; empty: they do. They decide nothing then."""
    formula: Formula | None = None
    """How the values are made of raw rows, where they do not know it."""
    networks: tuple[pd.DataFrame, ...] = ()
    """Rows of the arms that it compares, where they are networks of their own."""

    @property
    def _least(self) -> float:
        return MATTERS.get(self.unit, 0.0) if self.matters is None else self.matters

    @property
    def found(self) -> list[Measurement | str]:
        """The measurement and why it does not tell, or what is missing."""
        if not self.values:
            return [self.missing or self.what] if self.decides else []
        if any(map(math.isnan, self.values.values())):
            return [Untold(f"{self.what} ({NO_RATIO})")] if self.decides else []
        measurement = Measurement(
            what=self.what,
            interval=t_interval(list(self.values.values())),
            unit=self.unit,
            low=self.region.low,
            high=self.region.high,
            decides=self.decides and not self.untold,
            detail=self.detail,
            untold=self.untold,
            networks=trainings_behind(self.networks),
            matters=self._least if self.region in (BELOW_ZERO, ABOVE_ZERO) else 0.0,
            values=tuple(self.values.items()),
            formula=self.formula or formula_of(self.values),
        )
        return [measurement, *([Untold(self.untold)] if self.untold else [])]


def trainings_behind(arms: Iterable[pd.DataFrame]) -> frozenset[str]:
    """The settings of the trainings behind some rows, as `Tables.trainings` has them."""
    settings = {text for rows in arms for text in rows["settings"].unique()}
    return frozenset(filter(None, map(_of_training, settings)))


@lru_cache(maxsize=2**14)
def _of_training(settings: str) -> str:
    """The settings of the training in those of a row, which many comparisons share; or none."""
    train = json.loads(settings).get("train")
    return "" if train is None else json.dumps({"train": train}, sort_keys=True)


def compared(comparisons: Iterable[Comparison | str], nothing: str = "") -> Measured:
    """What comparisons found, each once, and what they lack.

    Args:
        comparisons: Those that the study asks for, and names of what it lacks.
        nothing: What is missing if there are none.
    """
    asked = list(comparisons) or ([nothing] if nothing else [])
    found = dict.fromkeys(
        one for each in asked for one in ([each] if isinstance(each, str) else each.found)
    )
    return Measured(
        [one for one in found if isinstance(one, Measurement)],
        [one for one in found if isinstance(one, str)],
    )
