"""A study as one HTML page that needs nothing beside itself: no network, no scripts, no fonts.

Everything shown comes from the store's record, tables and provenance; nothing from the clock, so
the same store gives the same page. Numbers stand in `<data>` elements with their full value.
"""

import json
import math
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, cast

import pandas as pd
from markupsafe import Markup, escape

from iddpm import released
from iddpm.config import TrainConfig
from studies.analyses.drawings import FIGURES
from studies.analyses.index import numbers
from studies.analyses.judge import NEWER
from studies.drawing import paired as drawing
from studies.drawing.style import svg
from studies.judging.departures import Departure, departures
from studies.judging.families import stands_alone
from studies.judging.verdicts import Finding, Measurement
from studies.judging.wording import (
    among,
    apart,
    fixed,
    measured,
    quantity,
    region,
    tellable,
    telling,
    unmeasured,
)
from studies.published.published import closest, comparable
from studies.report.answer import sentence
from studies.report.entries import Entry, entry
from studies.report.entries import cells as every_cell
from studies.report.faults import Fault, fault
from studies.report.templates import template
from studies.spec.arms import RIVALS
from studies.store.store import Store, StoreError
from studies.tables.groupings import arm_columns, by_seed, records
from studies.tables.intervals import t_interval
from studies.tables.labels import distance_name, labelled
from studies.tables.tables import Tables
from studies.tasks.kinds import kind_of

METRICS = {
    "frechet_distance": "Fréchet distance",
    "precision": "Precision",
    "recall": "Recall",
    "kid": "Kernel distance (KID)",
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
LEAD = 240
"""Letters of a caption that are shown at first: about three lines."""
SENTENCE_END = re.compile(r"(?<!\bFig)(?<!\bFigs)(?<!\bEq)(?<!\bEqs)(?<!\bApp)\.(?=\s|$)")
"""The full stop of an abbreviation ends none."""
DIGITS = "%.8g"
"""Of a number in a figure's table: more than a drawing shows."""
FORMULA = ("=", "+", "-", "@", "\t", "\r", "＝", "＋", "－", "＠")
"""What a text begins with that a spreadsheet would run."""
PLOT_WIDTH = 150
NOT_SHOWN = 'content="not shown"'
"""Stands in a page that says why there is none, and, as quotes are escaped, in no other."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """The page of a study, and the line of the index that leads to it."""

    files: dict[str, str]
    """By name: the results, each figure's SVG and CSV, and last `index.html`, which names them."""
    undrawn: list[str]
    """Figures that have no files: there is nothing to draw yet, or they could not be drawn."""
    entry: Entry


def study_page(store: Store, tables: Tables) -> Page:
    """The page of a study; a figure that cannot be drawn is named in its place."""
    told = entry(store, tables)
    answer = _answer(told)
    figures = [_figure(name, tables) for name in tables.record["figures"]]
    told.faults.extend(figure.fault for figure in figures if figure.fault)
    shown = [_shown(finding, told) for finding in told.findings]
    _share_axes(shown)
    html = template("study.html.j2").render(
        study=tables.study,
        record=tables.record,
        answer=answer,
        sentence=_said(told),
        told=_described(told),
        findings=shown,
        figures=figures,
        pivots=[_pivot(tables, metric) for metric in _of_samples(tables)],
        bounds=_bounds(tables),
        trainings=[_pivot(tables, metric) for metric in _measured(tables, WHOLE_PIVOTS)],
        gaps=_gaps(tables),
        cells=told.cells,
        done=told.is_done,
        imported=_imported(store, tables),
        trained=bool((tables.results["training_steps"] > 0).any()),
        recipes=_recipes(tables),
        differs=_differs(tables),
        work=told.work,
    )
    drawn = {
        f"{figure.name}.{kind}": text
        for figure in (answer, *figures)
        if figure.svg
        for kind, text in (("svg", figure.svg), ("csv", figure.csv))
    }
    results = _csv(tables.results.drop(columns="settings"))
    return Page(
        files={"results.csv": results, **drawn, "index.html": html},
        undrawn=[
            figure.name
            for figure in (answer, *figures)
            if figure.name in (answer.name, *FIGURES) and not figure.svg
        ],
        entry=told,
    )


def _imported(store: Store, tables: Tables) -> list[str]:
    """The networks of a study that were trained elsewhere, in words."""
    addresses = [a for a in tables.record["tasks"] if kind_of(a).name == "imported"]
    return sorted(released.told(cast(TrainConfig, store.task(a).config)) for a in addresses)


def notice_page(study: str, found: Fault, *, before: str) -> str:
    """The page of a study that cannot be shown.

    Args:
        study: Its id.
        found: Why.
        before: The page that was drawn earlier, beside this one; empty: there is none.
    """
    return template("notice.html.j2").render(study=study, fault=found, before=before)


def is_notice(html: str) -> bool:
    """Whether a page is one of `notice_page`."""
    return NOT_SHOWN in html


# ------------------------------------------------------------------------------------- figures


@dataclass(frozen=True, slots=True, kw_only=True)
class _Figure:
    name: str
    title: str
    caption: str
    svg: str
    """Empty: nothing has been measured to draw it from, or it could not be drawn."""
    csv: str
    fault: Fault | None = None
    """Why it could not be drawn."""

    def lead(self) -> str:
        """The first sentences of the caption, of which the page shows no more at first."""
        return self.caption[: self._cut()]

    def rest(self) -> str:
        """The other sentences."""
        return self.caption[self._cut() :].strip()

    def _cut(self) -> int:
        """Where the sentence ends that is the last to fit in about three lines."""
        ends = [match.end() for match in SENTENCE_END.finditer(self.caption)]
        return max([end for end in ends if end <= LEAD] or ends[:1] or [0])

    def inline(self) -> Markup:
        """The SVG for the page: named for readers who cannot see it, its ids its own.

        Ids that nothing refers to are left out: equal images would share one.
        """
        used = set(re.findall(r'(?:url\(|href=")#([^)"]+)', self.svg))
        own = re.sub(r' id="([^"]+)"', lambda m: m[0] if m[1] in used else "", self.svg)
        own = re.sub(r'(\bid="|url\(#|href="#)', rf"\g<1>{self.name}-", own)
        label = escape(self.title)
        return Markup(own.replace("<svg ", f'<svg role="img" aria-label="{label}" ', 1))


def _answer(told: Entry) -> _Figure:
    """The comparison that answers the study's question, drawn."""
    none = _Figure(name="answer", title="The answer", caption="", svg="", csv="")
    lost = next((one for one in told.faults if one.of == "the answer"), None)
    if told.answered is None:
        return replace(none, fault=lost)
    table = told.answered.table
    try:
        return replace(
            none,
            caption=drawing.caption(table),
            svg=svg(drawing.draw(table, told.answered.answer)),
            csv=_csv(table.drop(columns=["rank", "middle"]), float_format=DIGITS),
        )
    except Exception as error:
        found = fault(error, "the answer")
        told.faults.append(found)
        return replace(none, fault=found)


def _said(told: Entry) -> str:
    """The answer in one sentence, after what a study that is not finished says of itself."""
    if told.answered is None:
        return ""
    said = sentence(told.answered.table, told.answered.answer)
    if told.is_done:
        return said
    return f"So far, with {told.cells.get('done', 0)} of {told.cells['all']} cells done: {said}"


def _described(told: Entry) -> str:
    """What a pasted link says was found: the answer, or else how the verdicts fell."""
    n = f"{told.seeds} seed{'s' if told.seeds > 1 else ''}"
    fell = Counter(finding.verdict for finding in told.findings)
    verdicts = ", ".join(f"{count} {verdict}" for verdict, count in fell.items())
    said = _said(told) or f"{verdicts or 'no claim'} of {len(told.findings)} claims."
    return f"{said} ({told.preset}, {n})"


def _figure(name: str, tables: Tables) -> _Figure:
    """The figure, or what keeps it from being drawn: the others stand whatever becomes of it."""
    try:
        return _drawn(name, tables)
    except Exception as error:
        title = FIGURES[name].title if name in FIGURES else name
        found = fault(error, f"figure {name}")
        return _Figure(name=name, title=title, caption="", svg="", csv="", fault=found)


def _drawn(name: str, tables: Tables) -> _Figure:
    if name not in FIGURES:
        raise StoreError(f"expected a figure that there is, found {name!r}; {NEWER}")
    drawing = FIGURES[name]
    table = drawing.table(tables)
    if table.empty:
        return _Figure(name=name, title=drawing.title, caption="", svg="", csv="")
    return _Figure(
        name=name,
        title=drawing.title,
        caption=drawing.caption(table, tables),
        svg=svg(drawing.draw(table)),
        csv=_csv(table.drop(columns="rank", errors="ignore"), float_format=DIGITS),
    )


def _csv(table: pd.DataFrame, *, float_format: str | None = None) -> str:
    """The table as CSV. Text that a spreadsheet would run as a formula has an apostrophe before it.

    Numbers stay as they are, whatever their sign; the rest of a text is never touched.
    """
    texts = table.select_dtypes(exclude="number")
    risky = {name: texts[name].map(_is_formula).astype(bool) for name in texts}
    guarded = {
        str(name): table[name].astype(object).mask(where, "'" + table[name].astype(str))
        for name, where in risky.items()
        if where.any()
    }
    return table.assign(**guarded).to_csv(index=False, float_format=float_format)


def _is_formula(cell: object) -> bool:
    return isinstance(cell, str) and cell.startswith(FORMULA) and not _is_number(cell)


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


# -------------------------------------------------------------------------------------- claims


def _shown(finding: Finding, told: Entry) -> dict[str, Any]:
    first, deciding = telling(finding)
    p = told.among[finding.name]
    return {
        "finding": finding,
        "more": told.more[finding.name],
        "p": among(finding, p),
        "alone": stands_alone(finding, p),
        "so_far": told.so_far(finding),
        "deciding": None if first is None else _told(first),
        "decide": deciding,
        "unmeasured": unmeasured(finding),
        "rows": [
            {**_told(measurement), "plot": _plot(measurement, _reach([measurement]))}
            for measurement in finding.measurements
        ],
    }


def _told(measurement: Measurement) -> dict[str, Any]:
    return {
        "measurement": measurement,
        "mean": quantity(measurement.interval.mean, measurement),
        "low": quantity(measurement.interval.low, measurement),
        "high": quantity(measurement.interval.high, measurement),
        "region": region(measurement),
        "said": measured(measurement),
        "tellable": tellable(measurement),
        "apart": apart(measurement),
    }


def _share_axes(shown: Sequence[dict[str, Any]]) -> None:
    """Give the plots of the verdicts one axis for each unit."""
    deciding = [one["deciding"] for one in shown if one["deciding"] is not None]
    for unit in dict.fromkeys(one["measurement"].unit for one in deciding):
        same = [one for one in deciding if one["measurement"].unit == unit]
        ends = _reach([one["measurement"] for one in same])
        said = " to ".join(quantity(end, same[0]["measurement"]) for end in ends)
        for one in same:
            one |= {"shared": _plot(one["measurement"], ends), "ends": said}


def _reach(measurements: Sequence[Measurement]) -> tuple[float, float]:
    """From where to where a line goes that holds these intervals, and what the claims say."""
    ends = [
        end
        for m in measurements
        for end in (m.interval.mean, m.interval.low, m.interval.high, m.low, m.high)
        if math.isfinite(end)
    ]
    margin = 0.12 * (max(ends) - min(ends)) or 1.0
    return min(ends) - margin, max(ends) + margin


def _plot(measurement: Measurement, ends: tuple[float, float]) -> dict[str, float | bool | None]:
    """Places of the interval and of the claim's region on a line of PLOT_WIDTH units."""
    interval, (start, stop) = measurement.interval, ends

    def place(value: float) -> float:
        return round(PLOT_WIDTH * (min(max(value, start), stop) - start) / (stop - start), 2)

    return {
        "mean": place(interval.mean),
        "low": place(interval.low),
        "high": place(interval.high),
        "from": place(measurement.low),
        "to": place(measurement.high),
        "zero": place(0.0) if start < 0 < stop else None,
        "unknown": math.isinf(interval.high),
        "left_border": place(measurement.low) if math.isfinite(measurement.low) else None,
        "right_border": place(measurement.high) if math.isfinite(measurement.high) else None,
    }


# -------------------------------------------------------------------------------------- tables

WHOLE_PIVOTS = ("training_loss", "v_outside_range", "alpha_bar_halfway", "log_noise_scale")
"""Metrics of a whole chain: their steps are its T."""


def _of_samples(tables: Tables) -> list[str]:
    results = tables.results
    return list(dict.fromkeys(results[results["evaluation"] == "samples"]["metric"]))


def _measured(tables: Tables, metrics: tuple[str, ...]) -> list[str]:
    asked = set(tables.results["metric"])
    return [metric for metric in metrics if metric in asked]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Entry:
    """One cell of a table: a mean over the seeds that have a value, and what the others lack."""

    mean: float | None
    half_width: float | None
    """None: fewer than two seeds."""
    n: int
    of: int
    values: tuple[tuple[int, float], ...]
    states: tuple[str, ...]
    """Of the seeds that have no value."""
    decimals: int
    paper: str

    def shown(self, value: float) -> str:
        return fixed(value, self.decimals)


def _pivot(tables: Tables, metric: str) -> dict[str, Any]:
    """Arms by steps; cells that were not asked for are None."""
    rows = tables.results[tables.results["metric"] == metric]
    rows = labelled(rows, arm_columns(rows, without=("steps",)))
    steps = sorted(set(rows["steps"].astype(int)))
    decimals = _decimals(rows["value"])
    arms = [
        (arm, [_entry(same[same["steps"] == count], decimals) for count in steps])
        for (_, arm), same in rows.groupby(["rank", "arm"])
    ]
    return {"title": _metric_title(metric, rows), "metric": metric, "steps": steps, "arms": arms}


def metric_title(metric: str) -> str:
    """What a metric is called on a page."""
    return METRICS.get(metric, metric.replace("_", " "))


def _metric_title(metric: str, rows: pd.DataFrame) -> str:
    recipes = rows["recipe"].dropna()
    if metric != "frechet_distance" or recipes.empty:
        return metric_title(metric)
    names = sorted({distance_name(json.loads(recipe)) for recipe in recipes})
    return f"{metric_title(metric)}: {', '.join(names)}"


def _bounds(tables: Tables) -> dict[str, Any] | None:
    """Bits/dim and its parts, arm by arm; None where the study asks for no bound."""
    if not _measured(tables, ("bits_per_dim",)):
        return None
    results = tables.results
    rows = results[results["metric"].str.endswith("bits_per_dim") & results["variance"].notna()]
    rows = labelled(rows, arm_columns(rows))
    prior = results[results["metric"] == "prior_bits_per_dim"].assign(variance="beta")
    parts = ("bits_per_dim", "decoder_bits_per_dim", "kl_bits_per_dim")
    arms = []
    for (_, arm), same in rows.groupby(["rank", "arm"]):
        entries = [_entry(same[same["metric"] == part], 4) for part in parts]
        twins = prior.merge(same[["address"]].drop_duplicates(), on="address")
        arms.append((arm, [*entries, _entry(twins, 4)]))
    titles = [metric_title(metric) for metric in (*parts, "prior_bits_per_dim")]
    return {"titles": titles, "arms": arms, "split": _splits(rows)}


def _splits(rows: pd.DataFrame) -> str:
    """Whose bound it is: `test`, `train`, or both; the test images' before anything is known."""
    recipes = [json.loads(recipe) for recipe in rows["recipe"].dropna().unique()]
    found = {str(recipe.get("split", "test")).rpartition("/")[2] for recipe in recipes}
    return " and ".join({"train": "training"}.get(name, name) for name in sorted(found or {"test"}))


def _entry(rows: pd.DataFrame, decimals: int) -> _Entry | None:
    if rows.empty:
        return None
    values = by_seed(rows)
    interval = t_interval(list(values.values())) if values else None
    return _Entry(
        mean=interval.mean if interval else None,
        half_width=interval.half_width if interval and interval.n > 1 else None,
        n=len(values),
        of=len(rows),
        values=tuple(sorted(values.items())),
        states=tuple(sorted(set(_lacking(rows)))),
        decimals=decimals,
        paper=_published(rows),
    )


def _lacking(rows: pd.DataFrame) -> pd.Series:
    """The state of each row without a value; one that is done could not be determined."""
    return rows[rows["value"].isna()]["state"].replace("done", "undetermined")


def _decimals(values: pd.Series) -> int:
    """Decimals that show three digits of the smallest value."""
    smallest = values.abs()[values != 0].min()
    return 2 if pd.isna(smallest) else min(6, max(0, 2 - math.floor(math.log10(smallest))))


def _published(rows: pd.DataFrame) -> str:
    """The paper's number for this cell and its source, where it may stand here; else empty."""
    row = next(records(rows.head(1)))
    if pd.isna(row["recipe"]):
        return ""
    for number in numbers():
        if comparable(number, row):
            names = ", ".join(name for one in number.inferred for name in one.settings)
            inferred = f"; inferred: {names}" if names else ""
            return f"{number.value:g} ({number.source}, {number.tag}{inferred})"
    return ""


def _differs(tables: Tables) -> dict[str, Any]:
    """In what the study departs from the paper, and what keeps the closest number of it away."""
    results = tables.results
    rivals = [RIVALS] if "rival" in results and results["rival"].notna().any() else []
    rows = results[results["recipe"].notna()]
    rows = rows[rows["metric"].isin(["frechet_distance", "bits_per_dim"]) & rows["T"].notna()]
    number, against = closest(records(rows), numbers())
    return {
        "from_paper": departures(tables, [*results["evaluation"].unique(), *rivals]),
        "number": number and f"{number.value:g} ({number.source})",
        "from_number": [
            Departure(one.setting, one.here, one.paper + " (inferred)" * one.is_inferred)
            for one in against
        ],
    }


# ---------------------------------------------------------------------------- gaps and recipes


def _gaps(tables: Tables) -> list[dict[str, Any]]:
    """The cells without a result: what they are, their state and the reason."""
    cells = every_cell(tables)
    cells = cells[cells["state"] != "done"].assign(
        variance=lambda t: t["variance"].where(t["evaluation"] == "samples")
    )
    cells = labelled(cells, arm_columns(cells, without=("steps", "images")))
    return [
        {name: row[name] for name in ("evaluation", "arm", "steps", "seed", "state", "reason")}
        for _, row in cells.sort_values(["evaluation", "rank", "steps", "seed"]).iterrows()
    ]


def _recipes(tables: Tables) -> list[dict[str, Any]]:
    """Each distinct recipe, and the metrics that were made by it."""
    rows = tables.results.dropna(subset=["recipe"])
    return [
        {
            "metrics": [metric_title(metric) for metric in dict.fromkeys(same["metric"])],
            "settings": json.loads(str(recipe)),
        }
        for recipe, same in rows.groupby("recipe", sort=True)
    ]
