"""Arms against a baseline, paired by seed: how a study is answered at a glance.

Two networks that share a seed share what the seed moves in both, so what is compared is the ratio
of their values (or the difference, where a unit makes sense of it) seed by seed. Its interval is
often far narrower than those of the two arms.
"""

import json
import math
from collections.abc import Hashable, Iterator, Mapping, Sequence
from typing import Any

import pandas as pd

from studies.tables.answer import ANY, FIRST, LEAST, Answer
from studies.tables.groupings import arm_columns, by_seed, is_longest
from studies.tables.intervals import Made, paired_differences, t_interval
from studies.tables.labels import NAMED, TIMESTEPS, labelled, setting, short_name
from studies.tables.tables import Tables

COLUMNS = [
    *("rank", "arm", "baseline", "at", "seeds", "estimate", "low", "high", "middle", "n"),
    "left_out",
]
LARGEST_LOG = 700.0
"""Of a ratio that a float can hold."""


def paired(tables: Tables, answer: Answer) -> pd.DataFrame:
    """Every arm against its baseline, at each place along the answer's axis.

    Args:
        tables: Of a study.
        answer: What is compared.

    Returns:
        A row for each arm and place, in the order of the arms: `estimate` is the geometric mean of
        the ratios of its seeds, or the mean of the differences, with its 95% interval `low` to
        `high` (infinite for one seed); `seeds` holds the values themselves, `middle` is what no
        difference would be, and `left_out` counts seeds of both whose values have no ratio. Arms
        without a seed that both have are left out, and so are networks that were to draw t by
        importance and never did: they are not what they are called.
    """
    rows = _rows(tables, answer)
    if rows.empty:
        return pd.DataFrame(columns=COLUMNS)
    baseline = _baseline(rows, answer)
    chosen = _is_any(rows, answer.against or ({},)) & ~baseline
    rows = rows[chosen | baseline]
    unnamed = (answer.along, *(name for name in answer.beside if name not in NAMED))
    names = labelled(rows, arm_columns(rows, without=unnamed))
    rows = rows.assign(arm=names["arm"], rank=names["rank"], chosen=chosen[rows.index])
    every = [row for group in _alike(rows, answer) for row in _compared(group, answer)]
    found = pd.DataFrame(every, columns=COLUMNS).sort_values(["rank", "at"], ignore_index=True)
    if found["baseline"].nunique() > 1:
        found["baseline"] = _name(rows[~rows["chosen"]].iloc[0], answer)
    return found


def _baseline(rows: pd.DataFrame, answer: Answer) -> "pd.Series[bool]":
    """Which rows are the baseline; where any value of a column is, the first that there is."""
    held = _is(rows, answer.baseline)
    for column, value in answer.baseline.items():
        if value is ANY and held.any():
            held = held & (rows[column] == rows[column][held].iloc[0])
    return held


def _name(arm: pd.Series, answer: Answer) -> str:
    """The baseline's name, from the columns by which it is chosen."""
    keys = [key for key in answer.baseline if key in arm]
    short = [short_name(arm)] if {"objective", "rival"} & set(keys) else []
    return ", ".join([*short, *(setting(key, arm[key]) for key in keys if key not in NAMED)])


def _rows(tables: Tables, answer: Answer) -> pd.DataFrame:
    rows = tables.results[tables.results["metric"] == answer.metric]
    rows = rows[_is_any(rows, answer.among)]
    if TIMESTEPS in rows:
        draws_by_importance = rows[TIMESTEPS] == "loss_second_moment"
        rows = rows[~draws_by_importance | (rows["share_resampled"] > 0)]
    if len(rows) and "train.steps" not in (answer.along, *answer.baseline):
        rows = rows[is_longest(rows)]
    return rows.reset_index(drop=True)


def _is_any(rows: pd.DataFrame, arms: Sequence[Mapping[str, Any]]) -> "pd.Series[bool]":
    """Which rows are of one of these arms."""
    held = pd.Series(False, rows.index)
    for arm in arms:
        held = held | _is(rows, arm)
    return held


def _is(rows: pd.DataFrame, arm: Mapping[str, Any]) -> "pd.Series[bool]":
    held = pd.Series(True, rows.index)
    for column, value in arm.items():
        held = held & _holds(rows, column, value)
    return held


def _holds(rows: pd.DataFrame, column: str, value: object) -> "pd.Series[bool]":
    """Where a column has a value; a column that the study does not vary has every value."""
    if column not in rows:
        return pd.Series(value is not ANY, rows.index)
    values = rows[column]
    if value is LEAST:
        value = values.min()
    if value is FIRST:
        value = values.iloc[0] if len(values) and not pd.isna(values.iloc[0]) else None
    if value is ANY:
        return values.notna()
    if value is None:
        return values.isna()
    held: pd.Series[bool] = values == value
    return held


def _alike(rows: pd.DataFrame, answer: Answer) -> Iterator[pd.DataFrame]:
    """Rows that share everything but what the arms are apart in, their recipe too.

    Of a recipe the weights alone may differ: those of a GAN are its own, and so are averages.
    """
    columns = arm_columns(rows, without=(*answer.apart, "chosen", "arm", "rank"))
    if answer.alike is not None:
        columns = [column for column in answer.alike if column in rows]
    recipes = rows["recipe"].map(_but_weights).rename("taken")
    keys: list[Any] = [*columns, recipes]
    for _, group in rows.groupby(keys, sort=False, dropna=False):
        yield group


def _but_weights(recipe: object) -> str:
    """A recipe without the weights that it names; empty where nothing is measured."""
    settings = json.loads(recipe) if isinstance(recipe, str) else {}
    return json.dumps({name: value for name, value in settings.items() if name != "weights"})


def _compared(group: pd.DataFrame, answer: Answer) -> Iterator[dict[str, Any]]:
    baseline, chosen = group[~group["chosen"]], group[group["chosen"]]
    if baseline.empty or baseline.duplicated("seed").any():
        return
    base = _values(baseline, answer)
    by: list[Hashable] = ["rank", "arm", *([answer.along] if answer.along in group else [])]
    for _, rows in chosen.groupby(by, sort=False, dropna=False):
        if rows.duplicated("seed").any():
            continue
        differences = paired_differences(_values(rows, answer), base)
        if not differences:
            continue
        interval = t_interval(list(differences.values()))
        scaled = _ratio if answer.is_ratio else float
        first = rows.iloc[0]
        yield {
            "rank": first["rank"],
            "arm": first["arm"],
            "baseline": baseline["arm"].iloc[0],
            "at": first[answer.along] if answer.along in group else 0,
            "seeds": _scaled(differences, answer),
            "estimate": scaled(interval.mean),
            "low": scaled(interval.low),
            "high": scaled(interval.high),
            "middle": 1.0 if answer.is_ratio else 0.0,
            "n": interval.n,
            "left_out": len(by_seed(rows).keys() & by_seed(baseline).keys()) - interval.n,
        }


def _scaled(differences: Made, answer: Answer) -> Made:
    """The values of the seeds as they are told, with what the differences are made of."""
    scaled = _ratio if answer.is_ratio else float
    found = Made({seed: scaled(value) for seed, value in differences.items()})
    found.formula = differences.formula
    return found


def _ratio(log: float) -> float:
    return math.exp(log) if log < LARGEST_LOG else math.inf


def _values(rows: pd.DataFrame, answer: Answer) -> Made:
    """By seed; logarithms where ratios are compared, of what has one."""
    values = by_seed(rows)
    if not answer.is_ratio or answer.metric.startswith("log_"):
        return values
    some = values.only([seed for seed, value in values.items() if value > 0])
    return Made({seed: math.log(value) for seed, value in some.items()}).by("log", some)


def is_told(row: pd.Series) -> bool:
    """Whether the interval of a row of `paired` leaves its baseline."""
    middle = row["middle"]
    return bool(row["low"] > middle or row["high"] < middle)
