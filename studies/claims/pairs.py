"""Trained networks that differ in one setting alone, compared by what was measured of them.

Networks are read as rows of the paper's tables (`studies.table_rows`), each with its own Σ.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import pandas as pd

from studies.claims.rows import mean, named
from studies.claims.verdicts import Measured, Measurement
from studies.intervals import paired_differences, t_interval
from studies.tables import by_seed, network_columns

SCORED = ["images", "ema_decay"]
"""What two networks must share beside their recipe to be compared."""
READ = "Each network is read with its own Σ: β for L_simple, the learned one for the others."


@dataclass(frozen=True, slots=True)
class Pair:
    """Two rows of a table that differ in nothing but what a claim is about."""

    first: pd.DataFrame
    second: pd.DataFrame

    @property
    def name(self) -> str:
        """`T = 4,000, cosine, L_vlb minus T = 4,000, cosine, L_hybrid`."""
        first, second = (network["row"].iloc[0] for network in (self.first, self.second))
        return f"{first} minus {second}"

    @property
    def values(self) -> tuple[dict[int, float], dict[int, float]]:
        """By seed, of the first and of the second."""
        return by_seed(self.first), by_seed(self.second)


def pairs(
    rows: pd.DataFrame, column: str, values: list[Any], *, also: tuple[str, ...] = ()
) -> Iterator[Pair]:
    """Pairs of each value with the one before it, alike in all but this column and those of `also`.

    Args:
        rows: As `table_rows` names them.
        column: In which the two differ.
        values: In order: the second of a pair comes before its first.
        also: Columns in which they may differ too.
    """
    if rows.empty or column not in rows:
        return
    fixed = [name for name in network_columns(rows) if name not in (column, *also)]
    fixed += SCORED if column == "T" else [*SCORED, "steps"]  # T steps of each chain
    for _, alike in named(rows, fixed):
        networks = [alike[alike[column] == value] for value in values]
        for second, first in pairwise(network for network in networks if len(network)):
            yield Pair(first, second)


def compared(
    found: list[Pair], measure: Callable[[Pair], Measurement | None], nothing: str
) -> Measured:
    """The measurements, and the pairs that lack one; `nothing` if the study holds no pair."""
    return Measured.of([measure(pair) or pair.name for pair in found], nothing)


def fewer_bits(pair: Pair) -> Measurement | None:
    """That the first has fewer bits/dim than the second; None where that is not measured."""
    first, second = pair.values
    if not (differences := paired_differences(first, second)):
        return None
    return Measurement(
        what=pair.name,
        interval=t_interval(list(differences.values())),
        unit="bits/dim",
        high=0.0,
        detail=f"{mean(first):.4g} against {mean(second):.4g} bits/dim",
    )
