"""Trained networks that differ in one setting alone, compared by what was measured of them.

Networks are read as rows of the paper's tables (`studies.tables.table_rows`), each with its own Σ.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import pandas as pd

from studies.judging.verdicts import Measured, Measurement, Untold
from studies.tables.groupings import by_seed, network_columns
from studies.tables.intervals import paired_differences, t_interval
from studies.tables.rows import mean, named

SCORED = ["images", "ema_decay"]
"""What two networks must share beside their recipe to be compared."""
READ = "Each network is read with its own Σ: β for L_simple, the learned one for the others."


@dataclass(frozen=True, slots=True)
class Pair:
    """Two rows of a table that differ in nothing but what a claim is about."""

    first: pd.DataFrame
    second: pd.DataFrame

    @property
    def networks(self) -> tuple[pd.DataFrame, pd.DataFrame]:
        """Both."""
        return self.first, self.second

    @property
    def names(self) -> tuple[str, str]:
        """`T = 4,000, cosine, L_vlb`, and that of the second."""
        return str(self.first["row"].iloc[0]), str(self.second["row"].iloc[0])

    @property
    def name(self) -> str:
        """`T = 4,000, cosine, L_vlb minus T = 4,000, cosine, L_hybrid`."""
        return " minus ".join(self.names)

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
    fixed = network_columns(rows, without=(column, *also))
    fixed += SCORED if column == "T" else [*SCORED, "steps"]  # T steps of each chain
    for _, alike in named(rows, fixed):
        networks = [alike[alike[column] == value] for value in values]
        for second, first in pairwise(network for network in networks if len(network)):
            yield Pair(first, second)


def compared(
    found: list[Pair],
    measure: Callable[[Pair], Measurement | None],
    nothing: str,
    *,
    untold: Callable[[Pair], str] = lambda pair: "",
) -> Measured:
    """The measurements, and the pairs that lack one.

    Args:
        found: The pairs of the study.
        measure: What is measured of one; None: it has no values yet.
        nothing: What is missing if there is no pair.
        untold: Why the values of a pair do not tell; empty: they do. Such a pair decides nothing.
    """
    results: list[Measurement | str] = []
    for pair in found:
        measured, why = measure(pair), untold(pair)
        if measured and why:
            results += [replace(measured, decides=False), Untold(why)]
        else:
            results.append(measured or pair.name)
    return Measured.of(list(dict.fromkeys(results)), nothing)


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
