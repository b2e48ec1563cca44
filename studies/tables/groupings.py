"""Grouping the rows of a study's tables: by arm, by network, over seeds.

The results of one arm have one recipe: a sweep over a part of it has that part as a column.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pandas as pd

from studies.tables.intervals import Made, half_width_per_deviation
from studies.tables.tables import DRAWN, MEASURED, NETWORK, OF_DRAWS, OF_LOSSES, Tables

ROW = ("address", "metric", "variance", "value")
"""What tells the rows of a table of results apart, beside the seed; the value, as a row of a
distance may be judged on that of another row, the distance without its bias."""


def arm_columns(table: pd.DataFrame, *, without: tuple[str, ...] = ()) -> list[str]:
    """The columns of a table that make up an arm, in order, but for those named.

    With an objective go its own settings, such as the weight of L_vlb in L_hybrid, where networks
    that are alike in the rest have one value of them.
    """
    own = ("study", "evaluation", "part", "step", "mean", "place", "alpha_bar")
    others = {*own, *OF_LOSSES, *DRAWN, *MEASURED, OF_DRAWS}
    return _but(table, without, [column for column in table.columns if column not in others])


def is_longest(table: pd.DataFrame) -> "pd.Series[bool]":
    """Whether no network of a row's training was looked at later, for each row."""
    same = arm_columns(table, without=("steps", "train.steps", "arm", "rank"))
    lengths = table.groupby(same, dropna=False)["training_steps"]
    return table["training_steps"] == lengths.transform("max")


def network_columns(table: pd.DataFrame, *, without: tuple[str, ...] = ()) -> list[str]:
    """The columns of a table that tell one trained network from another, seeds apart.

    Those named are left out, as in `arm_columns`.
    """
    swept = [column for column in table.columns if str(column).startswith("train.")]
    columns = [column for column in NETWORK if column in table.columns] + swept
    return _but(table, without, columns)


def _but(table: pd.DataFrame, without: tuple[str, ...], columns: list[str]) -> list[str]:
    """The columns but those of some settings, and of what belongs to them."""
    of_them = tuple(f"train.{name}." for name in without)
    alike = [column for column in NETWORK if column in table.columns]
    return [
        column
        for column in columns
        if column not in without
        and not (
            column.startswith(of_them)
            and table.groupby(alike, dropna=False)[column].nunique(dropna=False).le(1).all()
        )
    ]


def is_done(tables: Tables) -> bool:
    """Whether every cell of the study has its result."""
    states = tables.results["state"]
    return len(states) > 0 and bool((states == "done").all())


def records(table: pd.DataFrame) -> Iterator[dict[str, Any]]:
    """The rows of a table, each by column name."""
    for row in table.to_dict("records"):
        yield {str(name): value for name, value in row.items()}


def by_seed(table: pd.DataFrame, value: str = "value") -> Made:
    """Value by seed of the rows of one arm, those without a value left out."""
    names = [name for name in dict.fromkeys(("seed", value, *ROW)) if name in table]
    columns = (table[name].tolist() for name in names)
    rows = [dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True)]
    return made_by_seed(rows, value)


def made_by_seed(rows: Sequence[Mapping[str, Any]], value: str = "value") -> Made:
    """The same of rows that are read already, each by column name."""
    done = [(int(row["seed"]), row) for row in rows if not pd.isna(row[value])]
    found = Made((seed, float(row[value])) for seed, row in done)
    if any(name not in row for _, row in done for name in ROW):
        return found
    told = (
        (seed, tuple(None if pd.isna(row[name]) else row[name] for name in ROW))
        for seed, row in done
    )
    return found.by("rows", tuple(told))


def over_seeds(table: pd.DataFrame, by: list[str], value: str = "value") -> pd.DataFrame:
    """Mean over seeds and its 95% interval for each group that has a value.

    Returns:
        The columns of `by`, then mean, low, high and n; low and high are infinite where n is 1.
    """
    groups = table.dropna(subset=[value]).groupby(by, sort=False, dropna=False)[value]
    mean, deviation, n = groups.mean(), groups.std(), groups.count()
    half_width = (deviation * half_width_per_deviation(n)).fillna(math.inf)
    ends = {"mean": mean, "low": mean - half_width, "high": mean + half_width, "n": n}
    return pd.DataFrame(ends).reset_index()
