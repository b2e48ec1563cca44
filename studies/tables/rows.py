"""Picking out of a study's tables the rows that a claim compares."""

import json
import math
from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd

from studies.published.published import ENSEMBLE
from studies.tables.groupings import arm_columns, by_seed
from studies.tables.intervals import Formula, Made, log_ratios_of_means
from studies.tables.labels import labelled
from studies.tables.table_rows import LEARNED, has_learned
from studies.tables.tables import Tables
from studies.tables.unbiased import UNBIASED


def asked(tables: Tables, metric: str) -> pd.DataFrame:
    """The rows of one metric, whether they have a value or not."""
    return tables.results[tables.results["metric"] == metric]


def judged(tables: Tables, metric: str) -> pd.DataFrame:
    """The rows of one metric as claims are judged on it: distances without their bias.

    Where a distance of the study is not known without it, all are as they were scored.
    """
    rows = asked(tables, metric)
    if metric != "frechet_distance" or not is_unbiased(tables):
        return rows
    unbiased = asked(tables, UNBIASED).drop_duplicates("address")
    values = unbiased.set_index("address")["value"]
    return rows.assign(value=rows["address"].map(values))


def is_unbiased(tables: Tables) -> bool:
    """Whether every distance of a study is known without its bias."""
    scored, unbiased = asked(tables, "frechet_distance"), asked(tables, UNBIASED)
    if unbiased.empty:
        return False
    return set(scored["address"][scored["value"].notna()]) <= set(unbiased["address"])


def is_estimated(settings: str) -> bool:
    """Whether these settings of a row ask for an estimated bound."""
    return "estimate" in json.loads(settings).get("likelihood", {})


def exact_bounds(rows: pd.DataFrame) -> pd.DataFrame:
    """The rows of bounds that are not estimated: only these have terms by step."""
    return rows[[not is_estimated(settings) for settings in rows["settings"]]]


def sampled_distances(tables: Tables) -> pd.DataFrame:
    """The Fréchet distances that have a value, of samples of chains: a rival's are left out."""
    rows = asked(tables, "frechet_distance")
    return rows[rows["sampler"].notna() & rows["value"].notna()]


def with_own_variance(rows: pd.DataFrame) -> pd.DataFrame:
    """The rows in which a network that learned its Σ is read with that."""
    return rows[rows["variance"].isin(LEARNED) | ~has_learned(rows)]


DROPOUT = "train.network.dropout"
ADDRESSES = ("address_hybrid", "address_vlb")
"""Of the bounds of whose terms there is the log of a ratio."""


def tied_to_schedule(rows: pd.DataFrame) -> tuple[str, ...]:
    """Settings that belong to the schedule: dropout, where each has one of its own.

    On CIFAR-10 the paper trains with 0.1 under the linear schedule and with 0.3 under cosine, and
    compares the two.
    """
    if DROPOUT not in rows or rows.groupby("schedule")[DROPOUT].nunique().gt(1).any():
        return ()
    return (DROPOUT,)


def of_first_average(rows: pd.DataFrame, tables: Tables) -> pd.DataFrame:
    """The rows whose average of the weights is that of the study's first samples."""
    decays = asked(tables, "frechet_distance")["ema_decay"]
    return rows[rows["ema_decay"] == decays.iloc[0]] if len(decays) else rows


def of_any_weights(recipe: str) -> str:
    """A recipe without which of a model's weights drew the images."""
    settings = {name: value for name, value in json.loads(recipe).items() if name != "weights"}
    return json.dumps(settings, sort_keys=True)


def named(table: pd.DataFrame, columns: list[str]) -> Iterator[tuple[str, pd.DataFrame]]:
    """Each group of rows with equal columns, and what tells it from the others.

    Rows of different recipes are never in one group; rows that have none yet are in each.
    """
    for (_, name), group in labelled(table, columns).groupby(["rank", "arm"]):
        recipes = group["recipe"]
        for recipe in recipes.dropna().unique() if recipes.notna().any() else [None]:
            yield str(name), group[recipes.isna() | (recipes == recipe)]


def alike(table: pd.DataFrame, *apart: str) -> Iterator[tuple[str, pd.DataFrame]]:
    """Arms that differ in nothing but these columns and what belongs to them, as `named` names."""
    yield from named(table, arm_columns(table, without=apart))


def parted(rows: pd.DataFrame, column: str, *settings: object) -> list[pd.DataFrame]:
    """The rows of each of these settings of a column."""
    return [rows[rows[column] == setting] for setting in settings]


def log_ratios(arms: Sequence[tuple[pd.DataFrame, pd.DataFrame]]) -> Made:
    """By seed: the log of one distance over another, as a mean over several pairs of arms.

    Of the seeds that have all of them; NaN where a mean distance is not above zero.
    """
    pairs = [[by_seed(arm) for arm in pair] for pair in arms]
    common = set.intersection(*(set(values) for pair in pairs for values in pair))
    logs = [
        log_ratios_of_means(*({seed: of[seed] for seed in common} for of in pair)) for pair in pairs
    ]
    found = {seed: math.fsum(of[seed] for of in logs) / len(logs) for seed in sorted(common)}
    return Made(found).by("mean", *(log_ratios_of_means(*pair) for pair in pairs))


def series_by_seed(values: pd.Series) -> dict[int, float]:
    """The values of a series over seeds, those that are NaN left out."""
    return {int(str(seed)): float(value) for seed, value in values.dropna().items()}


def terms_by_seed(terms: pd.DataFrame, address: str = "address") -> tuple[Formula, Formula]:
    """Where the results hold the terms of one bound of each seed, and its prior."""
    rows = terms.drop_duplicates("seed")
    bounds = list(zip(rows["seed"], rows[address], rows["variance"], strict=True))
    by_step = ((int(s), a, ("variances", v, "by_step", "mean")) for s, a, v in bounds)
    return ("results", tuple(by_step)), (
        "results",
        tuple((int(s), a, ("prior", "mean")) for s, a, _ in bounds),
    )


def term_log_ratios(tables: Tables) -> pd.DataFrame:
    """log(L_hybrid's term / L_vlb's) by pair of networks, seed and step, with learned Σ.

    Terms that are not above zero in both are left out.
    """
    terms = tables.steps
    terms = terms[(terms["part"] != "prior") & (terms["variance"] == "range")]
    terms = terms[terms["objective"].isin(["hybrid", "vlb"]) & (terms["mean"] > 0)]
    for column in ENSEMBLE:
        if column in terms:
            terms = terms[terms[column].isna()]
    without = ("objective", "variance", "train.timesteps", *ENSEMBLE)
    found = [_log_ratios(pair).assign(compared=name) for name, pair in alike(terms, *without)]
    columns = ["compared", "T", "seed", "step", "log_ratio", "variance", *ADDRESSES]
    return pd.concat(found, ignore_index=True)[columns] if found else pd.DataFrame(columns=columns)


def _log_ratios(pair: pd.DataFrame) -> pd.DataFrame:
    hybrid, vlb = parted(pair, "objective", "hybrid", "vlb")
    both = hybrid.merge(vlb, on=["T", "seed", "step"], suffixes=("_hybrid", "_vlb"))
    logs = np.log(both["mean_hybrid"]) - np.log(both["mean_vlb"])
    return both.assign(log_ratio=logs, variance="range")
