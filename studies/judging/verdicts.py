"""How a claim is put to the test: measurements, their regions, and the verdict that they give."""

import math
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from studies.tables.intervals import Formula, Interval, t_interval
from studies.tables.tables import Tables

Verdict = Literal["supported", "contradicted", "inconclusive", "not run"]
Unit = Literal[
    "ratio",
    "bits/dim",
    "%",
    "percentage points",
    "log ratio",
    "log odds",
    "log odds ratio",
    "exponent",
]
"""Log odds are those of a share, and are shown as it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurement:
    """One quantity, its interval, and the region in which the claim puts it."""

    what: str
    interval: Interval
    unit: Unit
    low: float = -math.inf
    high: float = math.inf
    decides: bool = True
    detail: str = ""
    """The same measurement in more familiar numbers."""
    untold: str = ""
    """Why it decides nothing though the claim asks for it; empty: it decides, or never would."""
    because: str = ""
    """The same in a few words, where they are few."""
    networks: frozenset[str] = field(default=frozenset(), compare=False, repr=False)
    """The settings of the trainings that it compares, as `Tables.trainings` has them."""
    matters: float = 0.0
    """The smallest difference from zero that matters, where the claim is of any; 0: not so."""
    values: tuple[tuple[int, float], ...] = ()
    """Seeds and what each measured, in the order in which they came; empty for what is exact."""
    half_trained: tuple[tuple[int, float], ...] = ()
    """The same of networks after half of their training; empty: they were not asked."""
    formula: Formula | None = field(default=None, compare=False, repr=False)
    """How the values are made of raw rows, or of a schedule; None: it is not said."""
    formula_half_trained: Formula | None = field(default=None, compare=False, repr=False)
    """The same of the values after half of the training."""

    @property
    def verdict(self) -> Verdict:
        """Where the interval lies: inside the region, outside it, or across its border.

        One that holds no difference that matters contradicts that there is one.
        """
        if self.is_no_difference:
            return "contradicted"
        if self.interval.within(self.low, self.high):
            return "supported"
        if self.interval.outside(self.low, self.high):
            return "contradicted"
        return "inconclusive"

    def in_order(self, seeds: Sequence[int]) -> "Measurement":
        """The same with its values in the order of these seeds, any others after them."""
        places = {seed: place for place, seed in enumerate(seeds)}
        values = sorted(self.values, key=lambda one: places.get(one[0], len(places)))
        return replace(self, values=tuple(values))

    def after(self, doublings: int) -> "Measurement | None":
        """What so many more doublings of the training would leave.

        Each is to move every seed as far as the last one did. None where no seed was measured after
        half of its training.
        """
        halves = dict(self.half_trained)
        moved = tuple(
            (seed, value + doublings * (value - halves[seed]))
            for seed, value in self.values
            if seed in halves
        )
        if not moved:
            return None
        interval = t_interval([value for _, value in moved])
        return replace(self, interval=interval, values=moved, half_trained=())

    @property
    def is_no_difference(self) -> bool:
        """Whether the whole interval lies nearer to zero than what matters."""
        return self.interval.within(-self.matters, self.matters)


class Untold(str):
    """A comparison that is asked for and whose numbers, once they are there, do not tell."""


class UntoldYet(Untold):
    """One whose numbers may tell with more seeds: whether its trainings have arrived is open."""


@dataclass(frozen=True, slots=True)
class Measured:
    """What a claim found in the tables, and the deciding comparisons that they do not hold."""

    measurements: list[Measurement]
    missing: list[str]
    remarks: list[str] = field(default_factory=list)
    """Sentences on what a reader must know of the measurements, whatever the verdict."""
    reasons: list[str] = field(default_factory=list)
    """Sentences on what may keep the claim from holding here, for where it does not."""

    def __add__(self, other: "Measured") -> "Measured":
        """Both together."""
        return Measured(
            [*self.measurements, *other.measurements],
            [*self.missing, *other.missing],
            [*self.remarks, *other.remarks],
            [*self.reasons, *other.reasons],
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """A statement of the paper in our words, and how it is put to the test."""

    says: str
    source: str
    method: str
    measure: Callable[[Tables], Measured]
    shared: str = ""
    """What its arms of one seed have in common, where that is not all."""
    of_trained: bool = False
    """Whether it compares what trainings arrive at: untold where one has not arrived."""
    of_chains: bool = False
    """Whether it compares bounds of chains, which must meet the data as the paper's meet its."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """A claim after the test."""

    name: str
    claim: Claim
    verdict: Verdict
    reason: str
    measurements: tuple[Measurement, ...]
    is_untold: bool = False
    """Whether a comparison that is asked for has numbers that do not tell."""
    seeds_may_tell: bool = False
    """Whether more seeds may tell all that is untold; where not, they do not help."""
    look: int = 0
    """The look that gave the verdict, by its seeds; 0: plain intervals over all seeds gave it."""
    share: float = 1.0
    """Of the 5%: what the look may spend that gave the verdict."""
    seen: tuple[Measurement, ...] = ()
    """What that look saw, with plain intervals; empty: `measurements`."""
    of_seeds: Callable[[Collection[int]], Measured] | None = field(
        default=None, compare=False, repr=False
    )
    """Gives what the claim finds where there are just these seeds."""

    @property
    def is_exact(self) -> bool:
        """Whether nothing of it was measured over seeds."""
        return not any(m.interval.n for m in self.measurements)


def decide(measured: Measured, *, done: bool) -> tuple[Verdict, str]:
    """The verdict that the deciding measurements give together, and why.

    Args:
        measured: What the claim found.
        done: Whether the study has all its numbers: what they do not tell then stays open.
    """
    deciding = [m for m in measured.measurements if m.decides]
    none = [m.what for m in deciding if m.is_no_difference]
    outside = [m.what for m in deciding if m.verdict == "contradicted" and m.what not in none]
    across = [m for m in deciding if m.verdict == "inconclusive"]
    if outside:
        return "contradicted", f"Wholly outside what the claim says: {'; '.join(outside)}."
    if none:
        return "contradicted", f"No difference that matters here: {'; '.join(none)}."
    untold = [what for what in measured.missing if done and isinstance(what, Untold)]
    if len(untold) < len(measured.missing) or not (deciding or untold):
        return "not run", f"Not measured yet: {'; '.join(measured.missing)}."
    if untold:
        return "inconclusive", f"The numbers of the study do not tell: {'; '.join(untold)}."
    if any(m.interval.n == 1 for m in across):
        return (
            "inconclusive",
            "There is only one seed, so the spread is unknown and decides nothing.",
        )
    if across:
        return (
            "inconclusive",
            f"The interval crosses the border of the claim: {'; '.join(m.what for m in across)}.",
        )
    return "supported", "Every deciding quantity lies wholly where the claim puts it."


def listed(numbers: list[int]) -> str:
    """`1,000, 4,000 and 10,000`."""
    *first, last = (f"{number:,}" for number in numbers)
    return f"{', '.join(first)} and {last}" if first else last
