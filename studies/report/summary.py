"""A study in one small table of text and its verdicts: what a run prints when it ends."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

import pandas as pd

from studies.analyses.judge import judge
from studies.judging.wording import measured, telling, unmeasured
from studies.report.faults import fault
from studies.report.more_seeds import More, more_seeds
from studies.report.work_done import Made, made
from studies.store.store import Store, StoreError
from studies.tables.groupings import arm_columns, is_done, records
from studies.tables.intervals import t_interval
from studies.tables.labels import labelled
from studies.tables.rows import is_estimated
from studies.tables.tables import Tables

BETWEEN = 3
"""Letters between two columns on a terminal."""
TITLES = {
    "bits_per_dim": "bits/dim",
    "frechet_distance": "FD",
    "alpha_bar_halfway": "ᾱ at T/2",
    "log_noise_scale": "ln noise scale",
}


def summary(results: pd.DataFrame) -> tuple[list[str], list[list[str]]]:
    """Column titles, then one row per arm: bits/dim and the Fréchet distance at each step count.

    Distances over different numbers of samples are never averaged: each has a column of its own.

    A value is the mean over seeds ± half of its 95% interval; one seed has no interval, and a
    cell without a value says its state.

    Args:
        results: Of a study, as `studies.tables.tables.results` gives them.
    """
    table = results[results["metric"].isin(TITLES)]
    if table.empty:
        return ["arm"], []
    table = table.assign(skip=table["skip"].astype(float).fillna(0.0))  # a bound skips nothing
    table = labelled(table, arm_columns(table, without=("steps", "images")))
    sizes = table[table["metric"] == "frechet_distance"]["images"].nunique()
    cells: dict[tuple[int, str], dict[Column, list[Mapping[str, Any]]]] = defaultdict(dict)
    for row in records(table):
        its = cells[row["rank"], row["arm"]]
        its.setdefault(_column(row, sized=sizes > 1), []).append(row)
    columns = sorted({column for its in cells.values() for column in its})
    rows = [
        [arm, *(_shown(its.get(column, [])) for column in columns)]
        for (_, arm), its in sorted(cells.items())
    ]
    return ["arm", *(title for *_, title in columns)], rows


def fitting(columns: list[str], rows: list[list[str]], width: int) -> list[int]:
    """The columns that fit into lines of so many letters, an arm a line where that is possible.

    Columns are left out from the middle, none of their letters.

    Args:
        columns: As `summary` gives them.
        rows: The same.
        width: Letters in a line.
    """
    wide = [max(map(len, column)) + BETWEEN for column in zip(columns, *rows, strict=True)]
    wide[0] = min(wide[0], width // 2)
    kept = list(range(len(columns)))
    while len(kept) > 2 and sum(wide[i] for i in kept) + 1 > width:
        kept.pop(len(kept) // 2)
    return kept


def verdicts(store: Store, found: Tables) -> list[tuple[str, str, More]]:
    """The verdict on each claim of a study and its name, what was measured, what would decide it.

    Args:
        store: Where the results are.
        found: The study.
    """
    missing = not is_done(found)
    records = cache(lambda: _made(store, found))  # read for open claims alone
    lines = []
    for name in found.record["claims"]:
        try:
            finding = judge(name, found)
        except Exception as error:
            lines.append((f"not judged: {name}", fault(error).sentence, More(said="")))
            continue
        first, deciding = telling(finding)
        so_far = " so far" if missing and not finding.is_exact else ""
        of = f"; one of {deciding} that decide" if deciding > 1 else ""
        what = unmeasured(finding) if first is None else f"{measured(first)}{of}"
        is_open = finding.verdict == "inconclusive"
        more = more_seeds(finding, found.record, records() if is_open else {})
        lines.append((f"{finding.verdict}{so_far}: {name}", what, more))
    return lines


def _made(store: Store, found: Tables) -> Made:
    """Provenance of finished tasks; none where a record is damaged, which is the page's to tell."""
    try:
        return made(store, found.record["tasks"], found.made)
    except StoreError:
        return {}


Column = tuple[str, int, int, str]
"""Metric, steps (0: what is over all T, whatever T is), number of samples, and its title."""


def _column(row: Mapping[str, Any], *, sized: bool) -> Column:
    title, steps = TITLES[row["metric"]], int(row["steps"])
    if row["metric"] == "bits_per_dim" and is_estimated(row["settings"]):
        title = f"{title}, estimated"
    if row["metric"] != "frechet_distance":
        if steps == row["T"]:
            return row["metric"], 0, 0, title
        return row["metric"], steps, 0, f"{title} at {steps}"
    images = int(row["images"]) if sized else 0
    at = f"{title} at {steps}" if steps else f"{title}, no chain"
    shown = f"{at}, {images} samples" if sized else at
    return row["metric"], steps, images, shown


def _shown(rows: Sequence[Mapping[str, Any]]) -> str:
    if not rows:
        return ""
    values = {row["seed"]: float(row["value"]) for row in rows if not pd.isna(row["value"])}
    if not values:
        return str(rows[0]["state"]).replace("done", "undetermined")
    found = t_interval(list(values.values()))
    return f"{found.mean:.4g}" + (f" ± {found.half_width:.2g}" if found.n > 1 else "")
