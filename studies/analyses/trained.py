"""Claims that are conditional: on trainings that have arrived, on chains as fine as the data.

Undertrained networks tell how fast they learn and not where they end. Where a study evaluates its
networks after half of their training too (`half_trained` of a sweep), a claim about what trainings
arrive at is told if its verdict would stand after another doubling that moves what was measured as
far again as the last one did. Curves flatten against the logarithm of the steps, so that is about
the most that another would. As those of a noisy objective flatten late, its mean must stand three
of them: as much longer as the paper trained after it had compared. Elsewhere such a claim is untold
where a training that it compares has not reached its plateau, by its loss. A chain whose
first noise lies far below the bin of a pixel has nothing left to say in its first steps: its bound
charges a network for not snapping to the grid, and a claim about chains is untold.

Of a GAN, whose losses tell no plateau, and of a network from a file nothing is asked.
"""

import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import pandas as pd

from iddpm.schedules import SCHEDULES, betas
from studies.analyses.learning_curves.paper import SETTLED
from studies.analyses.noise_schedules.paper import LENGTHS, NOISE_AT_LEAST, PIXEL_BIN
from studies.judging.verdicts import Claim, Measured, Measurement, Untold, UntoldYet
from studies.judging.wording import fixed, on_its_way
from studies.tables.groupings import arm_columns, network_columns, records
from studies.tables.intervals import Interval, exact, t_interval
from studies.tables.labels import objective_name, setting
from studies.tables.tables import Tables

Plateau = Literal["reached", "not reached", "not told"]
STATES: dict[Plateau, str] = {
    "reached": "has reached",
    "not reached": "has not reached",
    "not told": "is not shown to have reached",
}
ROSE = "rose by "
MUCH_LONGER = 3
"""Doublings from the 200,000 steps after which Table 1 compares networks to its 1,500,000."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Training:
    """A network of a study and how its training ended, over seeds."""

    name: str
    fall: Interval | None
    """Of the natural log by which its loss fell over the last doubling; None: nothing is known."""
    bound: Interval | None
    """Of the bits/dim by which the bound while training did; None: its objective knows none."""
    held_out: Interval | None = None
    """Of the bits/dim by which the bound of held-out images did; None: it was not taken twice."""

    @property
    def plateau(self) -> Plateau:
        """Where the interval lies: the loss hardly moves any more, it does, or it is open.

        A loss that rises has not arrived anywhere either.
        """
        if self.fall is None:
            return "not told"
        if self.fall.within(-SETTLED, SETTLED):
            return "reached"
        return "not reached" if self.fall.outside(-SETTLED, SETTLED) else "not told"

    @property
    def said(self) -> str:
        """`9.1% (6.7 to 11.4%)`, by how much the loss fell, or `rose by 9.1% (...)`."""
        return "an unknown part" if self.fall is None else _percent(self.fall)

    @property
    def moved(self) -> str:
        """The same with its verb: `fell by 9.1% (6.7 to 11.4%)`."""
        return self.said if self.said.startswith(ROSE) else f"fell by {self.said}"

    @property
    def bound_said(self) -> str:
        """`1.65 (−2.68 to 5.98)`, the bits/dim by which the bound while training fell; or `–`."""
        return "–" if self.bound is None else _amount(self.bound, float, 2)

    @property
    def held_out_said(self) -> str:
        """`0.158 (0.101 to 0.215)`, the bits/dim by which those of held-out images fell; or `–`."""
        return "–" if self.held_out is None else _amount(self.held_out, float, 3)


def trainings(tables: Tables) -> list[Training]:
    """How far the trainings of a study got, in its order."""
    halved = _halved_bounds(tables)
    return [
        Training(
            name=name,
            fall=_over_seeds(rows["loss_fall"]),
            bound=_over_seeds(bounds),
            held_out=_held_out(halved, rows["settings"]),
        )
        for name, rows in _networks(tables)
        for bounds in [rows["bound_fall"].dropna()]
    ]


def _halved_bounds(tables: Tables) -> pd.DataFrame:
    """The bounds over all steps of networks that were taken of them half trained, too."""
    none = pd.DataFrame(columns=["training"])
    if tables.half_trained is None:
        return none
    ended, halves = (_bounds(each.results) for each in (tables, tables.half_trained))
    same = [*arm_columns(ended), "seed"]
    known = dict(zip(_keys(halves, same), halves["value"], strict=True))
    values = [known.get(key, math.nan) for key in _keys(ended, same)]
    both = ended.assign(value_half=pd.Series(values, index=ended.index, dtype=float))
    both = both.dropna(subset=["value", "value_half"])
    return both.assign(training=[_training_of(text) for text in both["settings"]])


def _keys(table: pd.DataFrame, columns: list[str]) -> list[tuple[object, ...]]:
    """The settings of each row; those that only other evaluations have are none of its own."""
    rows = table.reindex(columns=columns).itertuples(index=False)
    return [tuple(None if pd.isna(value) else value for value in row) for row in rows]


def _held_out(bounds: pd.DataFrame, trainings: "pd.Series[str]") -> Interval | None:
    """By how many bits/dim the bound of a network fell: the arm of it with the fewest, mostly Σ."""
    own = bounds[bounds["training"].isin(trainings)]
    if own.empty:
        return None
    arm = arm_columns(own.drop(columns=["training", "value_half"]))
    arms = [rows for _, rows in own.groupby(arm, sort=False, dropna=False)]
    least = min(arms, key=lambda rows: rows["value"].mean())
    return _over_seeds(least["value_half"] - least["value"])


def _bounds(results: pd.DataFrame) -> pd.DataFrame:
    return results[(results["metric"] == "bits_per_dim") & (results["steps"] == results["T"])]


def _training_of(settings: str) -> str:
    """The settings of a training alone, as `Tables.trainings` has them."""
    return json.dumps({"train": json.loads(settings)["train"]}, sort_keys=True)


def _networks(tables: Tables) -> Iterator[tuple[str, pd.DataFrame]]:
    """The trainings of each network, one for each seed, and what it is called."""
    table = tables.trainings
    if table.empty:
        return
    columns = [*network_columns(table), "training_steps"]
    for _, rows in table.groupby(columns, sort=False, dropna=False):
        yield network_name(next(records(rows)), columns), rows


def network_name(row: Mapping[str, Any], columns: list[str]) -> str:
    """`L_hybrid, cosine schedule, T = 1000, after 800 training steps`, and further settings."""
    told = ("objective", "prediction", "train.timesteps", "train.steps", "training_steps")
    others = [c for c in columns if c not in told and not pd.isna(row[c])]
    steps = setting("train.steps", row["training_steps"])
    words = [objective_name(row), *(setting(column, row[column]) for column in others)]
    return ", ".join([*words, f"after {steps}"])


def _over_seeds(values: "pd.Series[float]") -> Interval | None:
    """None of no value, or where one of them is not known."""
    found = [float(value) for value in values]
    return t_interval(found) if found and all(map(math.isfinite, found)) else None


def _percent(fall: Interval) -> str:
    """A log by which something fell as a share, with its interval."""
    said = _amount(fall, lambda by: -100 * math.expm1(-by), 1, "%")
    return said if fall.n > 1 else f"{said}, without a spread"


def _amount(fall: Interval, shown: Callable[[float], float], decimals: int, unit: str = "") -> str:
    """By how much something fell with its interval; of a rise so, with its verb."""
    mean, *ends = (fixed(shown(one), decimals) for one in (fall.mean, fall.low, fall.high))
    if rose := mean.startswith("−"):
        mean, *ends = (fixed(-shown(one), decimals) for one in (fall.mean, fall.high, fall.low))
    spread = f" ({' to '.join(ends)}{unit})" if fall.n > 1 else ""
    return f"{ROSE if rose else ''}{mean}{unit}{spread}"


LEVEL = f"{-math.expm1(-SETTLED):.1%}"
"""The largest fall at which a training counts as arrived, in words."""


# ------------------------------------------------------------------------------------ conditions


def conditional(claim: Claim, measured: Measured, tables: Tables) -> Measured:
    """What a claim found, untold where a condition of it does not hold.

    Args:
        claim: With what it is conditional on.
        measured: What it found.
        tables: Of the study.
    """
    found, missing = [], list(measured.missing)
    halves = _half_trained(claim, tables)
    for one in measured.measurements:
        if one.decides:
            told: dict[str, Sequence[Untold]] = {}
            if claim.of_chains:
                told["its chains begin far below the bin of a pixel"] = _too_fine(one, tables)
            if (half := halves.get(one.what)) is not None:
                one = replace(one, half_trained=half.values, formula_half_trained=half.formula)
                told["another doubling of its trainings may change it"] = moved_on(one)
            elif claim.of_trained:
                told["its trainings have not arrived"] = _not_arrived(one, tables)
            why = [reason for reasons in told.values() for reason in reasons]
            missing += why
            because = " and ".join(because for because, reasons in told.items() if reasons)
            if half is None and why and all(isinstance(reason, UntoldYet) for reason in why):
                because = "its trainings are not shown to have arrived"
            one = replace(one, decides=not why, untold="; ".join(why), because=because)
        found.append(one)
    return replace(measured, measurements=found, missing=list(dict.fromkeys(missing)))


def _half_trained(claim: Claim, tables: Tables) -> dict[str, Measurement]:
    """What a claim about trained networks finds after half of the training, by what it is of."""
    if not claim.of_trained or tables.half_trained is None:
        return {}
    return {one.what: one for one in claim.measure(tables.half_trained).measurements}


def moved_on(measurement: Measurement) -> list[Untold]:
    """A sentence where another doubling like the last one would not leave the verdict as it is.

    Nor may `MUCH_LONGER` such doublings turn its mean. More seeds may tell if they would not.
    """
    doubled, longer = (measurement.after(n) for n in (1, MUCH_LONGER))
    if measurement.verdict == "inconclusive" or doubled is None or longer is None:
        return []
    at_its_mean = replace(longer, interval=exact(longer.interval.mean))
    stands = at_its_mean.verdict == measurement.verdict
    if stands and doubled.verdict == measurement.verdict:
        return []
    sort = UntoldYet if stands else Untold
    return [sort(f"{measurement.what} ({on_its_way(measurement)})")]


def _not_arrived(measurement: Measurement, tables: Tables) -> list[Untold]:
    """Sentences on the networks of a comparison that have not reached their plateau.

    One seed has no spread to show it by, and decides nothing for that. More seeds may tell where
    the interval of the fall crosses the level; where it lies beyond, or nothing is known, none do.
    """
    if measurement.interval.n == 1:
        return []
    return [
        (UntoldYet if network.fall and network.plateau == "not told" else Untold)(
            f"{network.name}, {STATES[network.plateau]} its plateau (over the last doubling of "
            f"its training its loss {network.moved}; at most {LEVEL} is one)"
        )
        for network in trainings(_of(measurement, tables))
        if network.plateau != "reached"
    ]


def _too_fine(measurement: Measurement, tables: Tables) -> list[Untold]:
    """A sentence on chains of a comparison that begin far below the bin of a pixel."""
    found = _of(measurement, tables).trainings
    if found.empty:
        return []
    bins = 2 / (found["levels"] - 1)
    shares = sorted({round(float(share), 3) for share in found["first_noise"] / bins})
    if shares[0] >= NOISE_AT_LEAST:
        return []
    theirs = [math.sqrt(float(betas(s, T)[0])) / PIXEL_BIN for s in SCHEDULES for T in LENGTHS]
    said = " and ".join(dict.fromkeys([f"{shares[0]:.3f}", f"{shares[-1]:.3f}"]))
    levels = " and ".join(str(one) for one in sorted(set(found["levels"])))
    why = (
        f"the first noise of these chains is {said} of the bin of pixels of {levels} levels, so "
        "that rounding gives the image back and their first terms charge a network for not "
        f"snapping to the grid; those of the paper begin at {min(theirs):.2f} to "
        f"{max(theirs):.2f} of one"
    )
    return [Untold(why)]


def _of(measurement: Measurement, tables: Tables) -> Tables:
    """The tables with the trainings that a comparison needs alone."""
    table = tables.trainings
    if table.empty:
        return tables
    return replace(tables, trainings=table[table["settings"].isin(measurement.networks)])
