"""Pairs of arms that a claim compares: they differ in nothing but what the claim is about."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import pandas as pd

from studies.judging.comparison import BELOW_ZERO, Comparison, compared
from studies.judging.verdicts import Measured
from studies.tables.groupings import by_seed, network_columns
from studies.tables.intervals import mean, paired_differences
from studies.tables.labels import OBJECTIVES, VARIANCES
from studies.tables.rows import alike, named
from studies.tables.table_rows import LEARNED

SCORED = ["images", "ema_decay"]
"""What two networks must share beside their recipe to be compared."""
READ = "Each network is read with its own Σ: β for L_simple, the learned one for the others."


@dataclass(frozen=True, slots=True)
class Pair:
    """Two arms of a study that differ in nothing but what a claim is about, measured or not."""

    first: pd.DataFrame
    second: pd.DataFrame
    names: tuple[str, str]
    context: str = ""
    """What tells the pair from others of the same names; empty where there are none."""
    decides: bool = True

    @property
    def arms(self) -> tuple[pd.DataFrame, pd.DataFrame]:
        """Both."""
        return self.first, self.second

    @property
    def name(self) -> str:
        """`T = 4,000, cosine, L_vlb minus T = 4,000, cosine, L_hybrid`."""
        return f"{' minus '.join(self.names)}{self.context}"

    @property
    def values(self) -> tuple[dict[int, float], dict[int, float]]:
        """By seed, of the first and of the second."""
        return by_seed(self.first), by_seed(self.second)


def fewer_bits(pair: Pair) -> Comparison:
    """The first has fewer bits/dim than the second."""
    first, second = pair.values
    return Comparison(
        what=pair.name,
        values=paired_differences(first, second),
        unit="bits/dim",
        region=BELOW_ZERO,
        decides=pair.decides,
        networks=pair.arms,
        detail=f"{mean(first):.4g} against {mean(second):.4g} bits/dim",
    )


# ------------------------------------------------------------------- networks of the paper's tables


def networks_pair(first: pd.DataFrame, second: pd.DataFrame) -> Pair:
    """Two networks as `studies.tables.table_rows` reads and names them, each with its own Σ."""
    return Pair(first, second, (str(first["row"].iloc[0]), str(second["row"].iloc[0])))


def network_pairs(
    rows: pd.DataFrame, column: str, values: list[Any], *, also: tuple[str, ...] = ()
) -> Iterator[Pair]:
    """Networks of each value with those of the one before it.

    Args:
        rows: As `table_rows` names them.
        column: In which the two differ.
        values: In order: the second of a pair comes before its first.
        also: Columns in which they may differ too.
    """
    if column not in rows:
        return
    fixed = network_columns(rows, without=(column, *also))
    fixed += SCORED if column == "T" else [*SCORED, "steps"]  # T steps of each chain
    for _, group in named(rows, fixed):
        networks = [group[group[column] == value] for value in values]
        for second, first in pairwise(network for network in networks if len(network)):
            yield networks_pair(first, second)


# ------------------------------------------------------------------------ a learned Σ and a fixed


@dataclass(frozen=True, slots=True)
class Baseline:
    """A network read with a fixed Σ, that L_hybrid with its learned Σ is compared with."""

    objective: str
    variance: str
    decides: bool = True

    @property
    def names(self) -> tuple[str, str]:
        """Of L_hybrid, and of this."""
        ours, theirs = OBJECTIVES["hybrid"], OBJECTIVES[self.objective]
        return f"{ours}, {VARIANCES['range']}", f"{theirs}, {VARIANCES[self.variance]}"


SIMPLE_BASELINES = Baseline("simple", "beta"), Baseline("simple", "beta_tilde")


def against_fixed(
    rows: pd.DataFrame,
    apart: tuple[str, ...],
    baselines: tuple[Baseline, ...],
    compare: Callable[[Pair], Comparison | str | None],
) -> Measured:
    """L_hybrid with its learned Σ against each baseline, and the deciding ones it lacks.

    Args:
        rows: Of one metric.
        apart: Columns in which the two may differ.
        baselines: In the order in which they are told.
        compare: Gives the name of what is missing where there is nothing to compare, and None where
            the study does not ask for it.
    """
    found: list[Comparison | str] = []
    lacking = {" minus ".join(one.names): None for one in baselines if one.decides}
    for context, arms in alike(rows, *apart):
        hybrid = arms[arms["objective"] == "hybrid"]
        learned = hybrid[hybrid["variance"].isin(LEARNED)]
        for one in baselines:
            fixed = arms[(arms["objective"] == one.objective) & (arms["variance"] == one.variance)]
            if learned.empty or fixed.empty:
                continue
            if comparison := compare(Pair(learned, fixed, one.names, context, one.decides)):
                found.append(comparison)
                lacking.pop(" minus ".join(one.names), None)
    return compared([*found, *lacking])
