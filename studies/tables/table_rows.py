"""The rows of the paper's Tables 1 and 2 in a study: one per network, read as those tables read it.

A network of L_simple is sampled and scored with Σ = β, which the paper states for the first row
alone (the official code's default for the others), one of L_hybrid or L_vlb with the Σ that it
learned (Eq. 15), one of any other objective with the Σ that it learned if there is one, else β.
"""

from collections.abc import Mapping
from typing import Any, get_args

import pandas as pd

from iddpm.config import LearnedVariance
from iddpm.schedules import SCHEDULES
from studies.tables.groupings import network_columns
from studies.tables.labels import (
    OBJECTIVES,
    TIMESTEPS,
    is_resampled,
    objective_name,
    place,
    setting,
)
from studies.tables.tables import Tables

LEARNED = get_args(LearnedVariance)
LEARNERS = ("hybrid", "vlb")
"""Objectives whose networks are read with the Σ that they learned, or not at all."""
IN_THE_TABLES = ("objective", "schedule", "T", TIMESTEPS)
"""Columns that the name of a row tells."""


def bounds(tables: Tables) -> pd.DataFrame:
    """Rows of bits/dim at the most steps of each network, measured or not.

    Each has the name and the place of its network, `row` and `order`.
    """
    rows = tables.results[tables.results["metric"] == "bits_per_dim"]
    return _named(_of_one_size(_at_most_steps(rows[_is_own_variance(rows)])))


def distances(rows: pd.DataFrame) -> pd.DataFrame:
    """The same of Fréchet distances: ancestral sampling at the most steps of each network.

    Where numbers of images differ, those of the number that most networks share.
    """
    rows = rows[_is_own_variance(rows) & (rows["skip"] == 0) & (rows["stride"] == "even")]
    return _named(_of_one_size(_at_most_steps(rows)))


def _at_most_steps(rows: pd.DataFrame) -> pd.DataFrame:
    most = rows.groupby(network_columns(rows), dropna=False)["steps"].transform("max")
    return rows[rows["steps"] == most]


def _is_own_variance(rows: pd.DataFrame) -> "pd.Series[bool]":
    return rows["variance"].isin(LEARNED) | ~has_learned(rows) & (rows["variance"] == "beta")


def has_learned(rows: pd.DataFrame) -> "pd.Series[bool]":
    """Whether the network of each row learned a Σ, as its objective or another row of it says."""
    learned = rows["variance"].isin(LEARNED)
    of_network = [rows[column] for column in network_columns(rows)]
    told = learned.groupby(of_network, dropna=False).transform("any") if len(rows) else learned
    return told | rows["objective"].isin(LEARNERS)


def _of_one_size(rows: pd.DataFrame) -> pd.DataFrame:
    """Those of the number of images that most networks share, of several such the largest."""
    if rows.empty:
        return rows
    asked = rows.drop_duplicates([*network_columns(rows), "images"])["images"].value_counts()
    most_shared: int = asked[asked == asked.max()].index.max()
    return rows[rows["images"].eq(most_shared)]


def _named(rows: pd.DataFrame) -> pd.DataFrame:
    """The rows with a name and a place for each network: the order is that of the tables."""
    columns = network_columns(rows)
    others = [c for c in columns if c not in IN_THE_TABLES and rows[c].nunique(dropna=False) > 1]
    names = [row_name(row, others) for _, row in rows.iterrows()]
    order = [_place(row, others) for _, row in rows.iterrows()]
    return rows.assign(
        row=pd.Series(names, rows.index, dtype=object),
        order=pd.Series(order, rows.index, dtype=object),
    )


def row_name(row: "Mapping[str, Any] | pd.Series", others: list[str]) -> str:
    """`T = 4,000, cosine, L_hybrid`, and other settings where they differ between rows."""
    more = [setting(column, row[column]) for column in others]
    return ", ".join([f"T = {row['T']:,}", row["schedule"], objective_name(row), *more])


def _place(row: pd.Series, others: list[str]) -> tuple[Any, ...]:
    objective = place(row["objective"], OBJECTIVES)
    more = [str(row[column]) for column in others]
    schedule = place(row["schedule"], SCHEDULES)
    return (row["training_steps"], schedule, row["T"], objective, is_resampled(row), *more)
