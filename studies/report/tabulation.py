"""The tables of a page: arms below each other by what tells them apart, step counts side by side.

What is the same in every row is no column. A number has two digits of its interval, and the best of
a column is marked only if it is told from every other arm by the differences seed by seed. Scores
over different numbers of samples have columns of their own.
"""

import json
import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from studies.analyses.index import numbers
from studies.drawing.captions import estimate_note
from studies.judging.wording import fixed
from studies.published.published import comparable
from studies.tables.answer import RATIOS
from studies.tables.groupings import arm_columns, made_by_seed, records
from studies.tables.intervals import paired_differences, paired_log_ratios, t_interval
from studies.tables.labels import NAMED, WORDS, distance_name, labelled, short_name
from studies.tables.rows import of_any_weights
from studies.tables.tables import BOUND_METRICS
from studies.tables.unbiased import UNBIASED

METRICS = {
    "frechet_distance": "Fréchet distance",
    UNBIASED: "Fréchet distance without its bias",
    "precision": "Precision",
    "recall": "Recall",
    "kid": "Kernel distance (KID)",
    "fd_infinity": "Fréchet distance of endlessly many images (FD-infinity)",
    "bits_per_dim": "Bits per dimension",
    "decoder_bits_per_dim": "decoder",
    "kl_bits_per_dim": "KL terms",
    "prior_bits_per_dim": "prior",
    "v_outside_range": "share of v outside its range",
    "training_loss": "Training loss",
    "log_noise_scale": "Gradient noise scale (ln)",
    "gradient_squared_norm": "squared norm of the gradient",
    "gradient_variance": "variance of an image's gradient",
    "alpha_bar_halfway": "ᾱ halfway, the share of the image's variance left at T/2",
}
"""Titles of metrics; any other is called by its name."""
HIGHER = ("precision", "recall")
LOWER = ("frechet_distance", UNBIASED, "kid", "fd_infinity", *BOUND_METRICS)
"""Metrics of which more is better, or less; of others no arm is the best."""
WHOLE = ("training_loss", "v_outside_range", "alpha_bar_halfway", "log_noise_scale")
"""Metrics of a whole chain: their steps are its T."""
PRIOR = "prior_bits_per_dim"
PARTS = (*BOUND_METRICS, PRIOR)
ALONG = {
    "steps": "sampling steps",
    "train.steps": "training steps",
    "images": "samples that are scored",
    "metric": "part",
}
"""What runs across a table, of which the first that varies does."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """A mean over the seeds that have a value, and what the others lack."""

    mean: float | None
    half_width: float | None
    """None: fewer than two seeds."""
    n: int
    of: int
    values: Mapping[int, float]
    """By seed."""
    states: tuple[str, ...]
    """Of the seeds that have no value."""
    recipe: str
    paper: str
    """The paper's number and its source, where it may stand here; else empty."""

    @property
    def decimals(self) -> int:
        """Decimals that show two digits of the interval, or three of a value that has none."""
        if self.half_width:
            return _decimals(self.half_width, 2)
        return _decimals(self.mean, 3) if self.mean else 1

    def shown(self, value: float) -> str:
        """A value of it as it is written."""
        return fixed(value, self.decimals)


def _decimals(size: float, digits: int) -> int:
    return min(8, max(0, digits - 1 - math.floor(math.log10(abs(size)))))


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """An arm: its name, the settings that tell it apart, and a cell for each column."""

    arm: str
    settings: tuple[str, ...]
    cells: tuple[Cell | None, ...]
    """None: not asked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """A table of a page."""

    name: str
    """Its id on the page."""
    title: str
    heads: tuple[str, ...]
    """Titles of the settings."""
    along: str
    """What runs across; empty: nothing does."""
    columns: tuple[str, ...]
    rows: tuple[Row, ...]
    best: frozenset[tuple[int, int]]
    """Row and column of cells that are told to be the best."""
    note: str = ""

    def asked(self, row: Row) -> list[tuple[str, Cell]]:
        """The cells of a row that were asked for, each with the title of its column."""
        pairs = zip(self.columns, row.cells, strict=True)
        return [(title, cell) for title, cell in pairs if cell is not None]

    def frame(self, bold: tuple[str, str]) -> pd.DataFrame:
        """The table as it is shown, as text: `3.315 ± 0.061`.

        Args:
            bold: What stands before and after the best of a column.
        """
        first, last = bold
        shown = [
            [
                *row.settings,
                *(
                    f"{first}{_text(cell)}{last}" if (at, column) in self.best else _text(cell)
                    for column, cell in enumerate(row.cells)
                ),
            ]
            for at, row in enumerate(self.rows)
        ]
        return pd.DataFrame(shown, columns=[*self.heads, *(c or "value" for c in self.columns)])


def _text(cell: Cell | None) -> str:
    if cell is None or cell.mean is None:
        return ""
    spread = "" if cell.half_width is None else f" ± {cell.shown(cell.half_width)}"
    return cell.shown(cell.mean) + spread


def metric_title(metric: str) -> str:
    """What a metric is called on a page."""
    return METRICS.get(metric, metric.replace("_", " "))


def tabulated(results: pd.DataFrame) -> list[Table]:
    """The tables of a study: the bound and its parts, each metric of samples, the others.

    Args:
        results: As `studies.tables.tables.results` gives them.
    """
    found = []
    bound = results[results["metric"].isin(BOUND_METRICS) & results["variance"].notna()]
    if len(bound):
        prior = results[results["metric"] == PRIOR].drop(columns="variance")
        read = bound[["address", "variance"]].drop_duplicates()
        rows = pd.concat([bound, prior.merge(read, on="address")], ignore_index=True)
        title = f"Bound on the negative log-likelihood of the {_splits(rows)} images, bits/dim"
        said = " ".join(filter(None, [f"{title} (lower is better)", estimate_note(results)]))
        found.append(_table("bits_per_dim", said, rows, ("metric",)))
    samples = results[results["evaluation"] == "samples"]
    others = [metric for metric in WHOLE if metric in set(results["metric"])]
    for metric in dict.fromkeys([*samples["metric"], *others]):
        rows = results[results["metric"] == metric]
        across = ("steps", "images") if metric not in WHOLE else ("steps",)
        found.append(_table(metric, _title(metric, rows), rows, across))
    return found


def _title(metric: str, rows: pd.DataFrame) -> str:
    better = {**dict.fromkeys(HIGHER, " (higher is better)")}
    better |= dict.fromkeys(LOWER, " (lower is better)")
    recipes = rows["recipe"].dropna()
    said = metric_title(metric) + better.get(metric, "")
    if metric != "frechet_distance" or recipes.empty:
        return said
    names = sorted({distance_name(json.loads(recipe)) for recipe in recipes.unique()})
    return f"{said}: {', '.join(names)}"


def _splits(rows: pd.DataFrame) -> str:
    """Whose bound it is: `test`, `train`, or both; the test images' before anything is known."""
    recipes = [json.loads(recipe) for recipe in rows["recipe"].dropna().unique()]
    found = {str(recipe.get("split", "test")).rpartition("/")[2] for recipe in recipes}
    return " and ".join({"train": "training"}.get(name, name) for name in sorted(found or {"test"}))


# ------------------------------------------------------------------------------------- one table


def _table(name: str, title: str, rows: pd.DataFrame, across: tuple[str, ...]) -> Table:
    across = _varied(rows, across) or _varied(rows, ("train.steps",))
    rows = labelled(rows, arm_columns(rows, without=across))
    keys = list(across)
    order = {metric: place for place, metric in enumerate(PARTS)}
    found = rows[keys].drop_duplicates()
    by_place = found.replace({"metric": order}) if "metric" in keys else found
    found = found.loc[by_place.sort_values(keys).index] if keys else found.head(1)
    columns = [tuple(row) for row in found.itertuples(index=False)] if keys else [()]
    heads = _heads(rows)
    held: dict[tuple[Any, ...], list[dict[str, Any]]] = defaultdict(list)
    for one in records(rows):
        held[one["rank"], *(one[key] for key in keys)].append(one)
    made = []
    for _, first in rows.drop_duplicates("rank").sort_values("rank").iterrows():
        cells = tuple(_cell(held.get((first["rank"], *column), [])) for column in columns)
        settings = tuple(_setting(head, first) for head in heads)
        made.append(Row(arm=first["arm"], settings=settings, cells=cells))
    empty = [i for i in range(len(columns)) if columns[i][:1] != (PARTS[0],) and _is_nil(made, i)]
    kept = [i for i in range(len(columns)) if not ("metric" in keys and i in empty)]
    titles = [_column(dict(zip(keys, columns[i], strict=True))) for i in kept]
    shown = tuple(
        Row(arm=r.arm, settings=r.settings, cells=tuple(r.cells[i] for i in kept)) for r in made
    )
    nil = ", ".join(metric_title(str(columns[i][0])) for i in empty) if "metric" in keys else ""
    metrics = [str(columns[i][0]) if "metric" in keys else name for i in kept]
    return Table(
        name=f"table-{name}",
        title=title,
        heads=tuple(TITLES.get(head, head.rpartition(".")[2].replace("_", " ")) for head in heads),
        along=" and ".join(ALONG[key] for key in keys),
        columns=tuple(titles),
        rows=shown,
        best=frozenset(
            (row, i) for i, metric in enumerate(metrics) if (row := _best(shown, i, metric)) >= 0
        ),
        note=f"Zero to four decimals in every arm, and left out: {nil}." if nil else "",
    )


TITLES = {"arm": "arm", "ema_decay": "EMA", "T": "T", "images": "images"}
"""Of columns of settings, where their own name is none."""


def _varied(rows: pd.DataFrame, keys: Sequence[str]) -> tuple[str, ...]:
    """Those columns that vary; step counts that are all of T do not."""
    return tuple(
        key
        for key in keys
        if key in rows and rows[key].nunique() > 1 and not (key == "steps" and _is_whole(rows))
    )


def _is_whole(rows: pd.DataFrame) -> bool:
    return bool((rows["steps"] == rows["T"]).all())


def _heads(rows: pd.DataFrame) -> list[str]:
    """`arm`, the short name, and each setting that differs between arms of one short name."""
    arms = rows.drop_duplicates("rank")
    names = arms.apply(short_name, axis=1)
    apart = [
        column
        for column in arm_columns(arms, without=("arm", "rank"))
        if column not in (*NAMED, "metric", "value")
        and not (column == "steps" and _is_whole(arms))
        and arms.groupby(names)[column].nunique(dropna=False).gt(1).any()
    ]
    return [*(["arm"] if names.nunique() > 1 or not apart else []), *apart]


def _setting(column: str, row: pd.Series) -> str:
    if column == "arm":
        return short_name(row)
    value = row[column]
    if pd.isna(value):
        return "raw" if column == "ema_decay" else "–"
    if column in WORDS:
        return WORDS[column][value]
    if isinstance(value, str):
        return value.replace("_", " ").replace(",", " and ") or "none"
    return f"{value:,g}" if abs(value) < 1e6 else f"{value:,.0f}"


def _column(values: Mapping[str, Any]) -> str:
    said = []
    for key, value in values.items():
        if key == "metric":
            said.append(metric_title(value))
        elif key == "images":
            said.append("no samples" if pd.isna(value) else f"{int(value):,} samples")
        else:
            said.append(f"{int(value):,}" if value else "no chain")
    return ", ".join(said)


def _is_nil(rows: Sequence[Row], column: int) -> bool:
    """Whether every mean of a column is zero to four decimals."""
    cells = [row.cells[column] for row in rows]
    means = [cell.mean for cell in cells if cell is not None and cell.mean is not None]
    return bool(means) and all(abs(mean) < 5e-5 for mean in means)


def _cell(rows: Sequence[Mapping[str, Any]]) -> Cell | None:
    if not rows:
        return None
    values = made_by_seed(rows)
    interval = t_interval(list(values.values())) if values else None
    lacking = {row["state"] for row in rows if pd.isna(row["value"])}
    recipes = [row["recipe"] for row in rows if not pd.isna(row["recipe"])]
    return Cell(
        mean=interval.mean if interval else None,
        half_width=interval.half_width if interval and interval.n > 1 else None,
        n=len(values),
        of=len(rows),
        values=values.only(sorted(values)),
        states=tuple(sorted("undetermined" if one == "done" else one for one in lacking)),
        recipe=of_any_weights(recipes[0]) if recipes else "",
        paper=_published(rows[0]),
    )


def _published(row: Mapping[str, Any]) -> str:
    if pd.isna(row["recipe"]):
        return ""
    for number in numbers():
        if comparable(number, row):
            names = ", ".join(name for one in number.inferred for name in one.settings)
            inferred = f"; inferred: {names}" if names else ""
            return f"{number.value:g} ({number.source}, {number.tag}{inferred})"
    return ""


def _best(rows: Sequence[Row], column: int, metric: str) -> int:
    """The row whose value is better than every other's, by the interval over seeds; −1: none."""
    cells = {i: cell for i, row in enumerate(rows) if (cell := row.cells[column]) and cell.values}
    alike = len({cell.recipe for cell in cells.values()}) == 1
    if metric not in (*HIGHER, *LOWER) or not alike or len(cells) < 2:
        return -1
    sign = -1 if metric in HIGHER else 1
    first = min(cells, key=lambda i: sign * (cells[i].mean or 0.0))
    others = (cells[i].values for i in cells if i != first)
    return first if all(_is_better(cells[first].values, one, metric) for one in others) else -1


def _is_better(one: Mapping[int, float], other: Mapping[int, float], metric: str) -> bool:
    is_ratio = metric in RATIOS and all(value > 0 for value in (*one.values(), *other.values()))
    apart = (paired_log_ratios if is_ratio else paired_differences)(one, other)
    if len(apart) < 2:
        return False
    interval = t_interval(list(apart.values()))
    return interval.low > 0 if metric in HIGHER else interval.high < 0
