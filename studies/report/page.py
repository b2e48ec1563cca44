"""A study as one HTML page that needs nothing beside itself: no network, no scripts, no fonts.

Everything shown comes from the store's record, tables and provenance; nothing from the clock, so
the same store gives the same page. Numbers stand in `<data>` elements with their full value.
"""

import json
import math
import re
import shlex
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import Any, cast

import pandas as pd
from markupsafe import Markup

from iddpm import released
from iddpm.config import TrainConfig
from studies.analyses.drawings import FIGURES
from studies.analyses.index import CLAIMS, numbers
from studies.analyses.index import FIGURES as NEEDS
from studies.analyses.judge import NEWER
from studies.analyses.noise_schedules.paper import NOISE_AT_LEAST
from studies.analyses.trained import LEVEL, trainings
from studies.drawing import paired as drawing
from studies.drawing.captions import estimate_note
from studies.drawing.vector import alone, inlined, rendered, svg
from studies.judging.departures import Departure, departures
from studies.judging.families import stands_alone
from studies.judging.left_out import left_out
from studies.judging.verdicts import Finding, Measurement
from studies.judging.wording import (
    among,
    apart,
    looked,
    measured,
    on_its_way,
    plain,
    quantity,
    region,
    shown_unit,
    tellable,
    telling,
    unmeasured,
)
from studies.published.published import closest
from studies.report.brief import Picture, brief
from studies.report.early import EARLY, Strip, strips
from studies.report.entries import PAGE, Entry, entry
from studies.report.entries import cells as every_cell
from studies.report.exports import frame, latex, packed, packed_names
from studies.report.faults import Fault, fault
from studies.report.more_seeds import command
from studies.report.tabulation import Table, metric_title, tabulated
from studies.report.templates import template
from studies.spec.arms import RIVALS
from studies.store.store import Store, StoreError
from studies.tables.groupings import arm_columns, records
from studies.tables.labels import labelled
from studies.tables.rows import is_unbiased
from studies.tables.tables import Tables
from studies.tasks.kinds import kind_of

FORMATS = ("png", "pdf")
"""In which figures may be written besides SVG."""
LEAD = 240
"""Letters of a caption that are shown at first: about three lines."""
SENTENCE_END = re.compile(r"(?<!\bFig)(?<!\bFigs)(?<!\bEq)(?<!\bEqs)(?<!\bApp)\.(?=\s|$)")
"""The full stop of an abbreviation ends none."""
DIGITS = "%.8g"
"""Of a number in a figure's table: more than a drawing shows."""
MOST_INLINE = 200_000
"""Letters of a drawing that stands in the page itself, which stays under 300 KB."""
FORMULA = ("=", "+", "-", "@", "\t", "\r", "＝", "＋", "－", "＠")
"""What a text begins with that a spreadsheet would run."""
PLOT_WIDTH = 150
NOT_SHOWN = 'content="not shown"'
"""Stands in a page that says why there is none, and, as quotes are escaped, in no other."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """The page of a study, and the line of the index that leads to it."""

    files: dict[str, str | bytes]
    """By name: the results, figures and tables, and last `index.html`, which names them."""
    summary: str
    """The study in Markdown, which leads to those of the files that need no page around them."""
    undrawn: list[str]
    """Figures that have no files: there is nothing to draw yet, or they could not be drawn."""
    entry: Entry

    def without_page(self) -> dict[str, str | bytes]:
        """The files that are of use without `index.html`: figures and numbers."""
        return {
            name: content
            for name, content in self.files.items()
            if not name.endswith((".html", ".tex")) and not name.startswith(EARLY)
        }


def study_page(
    store: Store,
    tables: Tables,
    formats: Sequence[str] = (),
    luck: Sequence[str] = (),
    *,
    packs: bool = False,
) -> Page:
    """The page of a study; a figure that cannot be drawn is named in its place.

    Args:
        store: Where it is.
        tables: Of the study.
        formats: Of `FORMATS`, in which figures are written besides SVG.
        luck: What the seed alone moves under the study's preset, a sentence for each quantity.
        packs: Whether large CSV files are compressed.
    """
    told = entry(store, tables)
    answer = _answer(told, tables, formats)
    figures = [_figure(name, tables, formats) for name in tables.record["figures"]]
    tabled, early = tabulated(tables.results), strips(store, tables)
    told.faults.extend(figure.fault for figure in figures if figure.fault)
    files = _files(tables, [answer, *figures], tabled, early)
    names = packed_names(files) if packs else {}
    html = template("study.html.j2").render(
        **_told_of(told, tables),
        answer=answer,
        figures=figures,
        inline=_inline([answer, *figures]),
        tables=[(table, latex(table)) for table in tabled],
        packed=names,
        imported=_imported(store, tables),
        luck=luck,
        early=early,
    )
    return Page(
        files={**packed(files, names), PAGE: html},
        summary=_summary(told, tables, [answer, *figures], tabled, names),
        undrawn=_undrawn([answer, *figures]),
        entry=told,
    )


def _told_of(told: Entry, tables: Tables) -> dict[str, Any]:
    """What a page says that needs no drawing, by the names that its template has for it."""
    shown = [_shown(finding, told, tables) for finding in told.findings]
    _share_axes(shown)
    return {
        "study": tables.study,
        "record": tables.record,
        "sentence": _said(told),
        "told": _described(told),
        "findings": shown,
        "again": again(told, tables),
        "gaps": _gaps(tables),
        "cells": told.cells,
        "done": told.is_done,
        "unbiased": is_unbiased(tables),
        "trained": bool((tables.results["training_steps"] > 0).any()),
        "recipes": _recipes(tables),
        "differs": _differs(tables),
        "conditions": _conditions(tables),
        "work": told.work,
    }


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
    others: Mapping[str, bytes] = field(default_factory=dict)
    """The figure in other formats."""
    fault: Fault | None = None
    """Why it could not be drawn."""

    def files(self) -> dict[str, str | bytes]:
        """What is written of it, by name; nothing where nothing is drawn."""
        if not self.svg:
            return {}
        drawn = alone(self.svg, self.title)
        kinds: dict[str, str | bytes] = {"svg": drawn, "csv": self.csv, **self.others}
        return {f"{self.name}.{kind}": content for kind, content in kinds.items()}

    def picture(self, packed: Mapping[str, str]) -> Picture:
        """The figure as a summary shows it; `packed`: names of files that are compressed."""
        svg, *others = self.files() or [""]
        return Picture(
            title=self.title,
            lead=self.lead(),
            name=svg,
            others=[packed.get(name, name) for name in others],
        )

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


def _files(
    tables: Tables, figures: Sequence[_Figure], tabled: Sequence[Table], early: Sequence[Strip]
) -> dict[str, str | bytes]:
    """What lies beside a page, by name: the results first."""
    found: dict[str, str | bytes] = {
        "results.csv": csv_of(tables.results.drop(columns="settings")),
        **{strip.name: strip.picture for strip in early},
    }
    for figure in figures:
        found |= figure.files()
    for table in tabled:
        found |= {f"{table.name}.csv": csv_of(frame(table)), f"{table.name}.tex": latex(table)}
    if len(tables.trainings):
        found["trainings.csv"] = csv_of(tables.trainings.drop(columns="settings"))
    return found


def _inline(figures: Sequence[_Figure]) -> dict[str, Markup]:
    """The picture of each figure that has one, by its name, as it stands in the page.

    A large one, of many images, stands in its own file.
    """
    seen = [figure for figure in figures if 0 < len(figure.svg) <= MOST_INLINE]
    pictures = inlined((figure.title, figure.svg) for figure in seen)
    linked = Markup('<img class="drawing" src="{}.svg" alt="{}">')
    large = [figure for figure in figures if len(figure.svg) > MOST_INLINE]
    return {
        **{figure.name: linked.format(figure.name, figure.title) for figure in large},
        **{figure.name: Markup(one) for figure, one in zip(seen, pictures, strict=True)},
    }


def _undrawn(figures: Sequence[_Figure]) -> list[str]:
    """Figures without a picture, but for names that no figure has."""
    known = {"answer", *FIGURES}
    return [figure.name for figure in figures if figure.name in known and not figure.svg]


def _summary(
    told: Entry,
    tables: Tables,
    figures: Sequence[_Figure],
    tabled: Sequence[Table],
    packed: Mapping[str, str],
) -> str:
    """The study in Markdown; `packed`: names of files that are compressed."""
    trained = ["trainings.csv"] if len(tables.trainings) else []
    numbers = ["results.csv", *trained, *(f"{table.name}.csv" for table in tabled)]
    return brief(
        told,
        tables.record,
        said=_said(told),
        pictures=[figure.picture(packed) for figure in figures],
        differs=_differs(tables)["from_paper"],
        files=[packed.get(name, name) for name in numbers],
        again=again(told, tables),
    )


def _answer(told: Entry, tables: Tables, formats: Sequence[str]) -> _Figure:
    """The comparison that answers the study's question, drawn."""
    none = _Figure(name="answer", title="The answer", caption="", svg="", csv="")
    lost = next((one for one in told.faults if one.of == "the answer"), None)
    if told.answered is None:
        return replace(none, fault=lost)
    table = told.answered.table
    try:
        figure = drawing.draw(table, told.answered.answer)
        return replace(
            none,
            caption=_with_estimates([told.answered.answer.metric], drawing.caption(table), tables),
            svg=svg(figure),
            others={kind: rendered(figure, kind) for kind in formats},
            csv=csv_of(table.drop(columns=["rank", "middle"]), float_format=DIGITS),
        )
    except Exception as error:
        found = fault(error, "the answer")
        told.faults.append(found)
        return replace(none, fault=found)


def _said(told: Entry) -> str:
    """The answer in one sentence, after what a study that is not finished says of itself."""
    return " ".join(filter(None, [so_far(told), told.said]))


def so_far(told: Entry) -> str:
    """What stands before the answer of a study that is not finished; else empty."""
    if told.is_done or not told.said:
        return ""
    return f"So far, with {told.cells.get('done', 0)} of {told.cells['all']} cells done:"


def again(told: Entry, tables: Tables) -> list[str]:
    """The commands that make a study and its page again, where its code is in a commit."""
    commits = told.work.get("facts", {}).get("commit", [])
    is_clean = len(commits) == 1 and " " not in commits[0]
    checkout = [f"git checkout {commits[0]}"] if is_clean else []
    run = command(tables.record, len(tables.record["seeds"]))
    return [*checkout, run, f"python -m studies.report {shlex.quote(tables.study)}"]


def _described(told: Entry) -> str:
    """What a pasted link says was found: the answer, or else how the verdicts fell."""
    n = f"{told.seeds} seed{'s' if told.seeds > 1 else ''}"
    fell = Counter(finding.verdict for finding in told.findings)
    verdicts = ", ".join(f"{count} {verdict}" for verdict, count in fell.items())
    said = _said(told) or f"{verdicts or 'no claim'} of {len(told.findings)} claims."
    return f"{said} ({told.preset}, {n})"


def _figure(name: str, tables: Tables, formats: Sequence[str]) -> _Figure:
    """The figure, or what keeps it from being drawn: the others stand whatever becomes of it."""
    try:
        return _drawn(name, tables, formats)
    except Exception as error:
        title = FIGURES[name].title if name in FIGURES else name
        found = fault(error, f"figure {name}")
        return _Figure(name=name, title=title, caption="", svg="", csv="", fault=found)


def _drawn(name: str, tables: Tables, formats: Sequence[str]) -> _Figure:
    if name not in FIGURES:
        raise StoreError(f"expected a figure that there is, found {name!r}; {NEWER}")
    drawing = FIGURES[name]
    table = drawing.table(tables)
    if table.empty:
        return _Figure(name=name, title=drawing.title, caption="", svg="", csv="")
    figure = drawing.draw(table)
    return _Figure(
        name=name,
        title=drawing.title,
        caption=_with_estimates(NEEDS[name].parts, drawing.caption(table, tables), tables),
        svg=svg(figure),
        others={kind: rendered(figure, kind) for kind in formats},
        csv=csv_of(table.drop(columns="rank", errors="ignore"), float_format=DIGITS),
    )


def _with_estimates(of: Sequence[str], caption: str, tables: Tables) -> str:
    """The caption of what is drawn of these, with what has to be known of estimated bounds."""
    of_bounds = {"likelihood", "bits_per_dim"} & set(of)
    note = estimate_note(tables.results) if of_bounds else ""
    return f"{note} {caption}".lstrip()


def csv_of(table: pd.DataFrame, *, float_format: str | None = None) -> str:
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


def _conditions(tables: Tables) -> dict[str, Any]:
    """Of claims on trainings that have arrived, and on chains as fine as their data."""
    return {
        "trainings": trainings(tables),
        "half_trained": tables.half_trained is not None,
        "plateau": LEVEL,
        "noise_at_least": Fraction(NOISE_AT_LEAST).limit_denominator(100),
    }


def _shown(finding: Finding, told: Entry, tables: Tables) -> dict[str, Any]:
    known = CLAIMS.get(finding.name)
    first, deciding = telling(finding)
    p = told.among[finding.name]
    return {
        "finding": finding,
        "more": told.more[finding.name],
        "p": among(finding, p),
        "looked": looked(finding),
        "alone": stands_alone(finding, p),
        "so_far": told.so_far(finding),
        "left_out": left_out(tables, known.parts) if known else "",
        "deciding": None if first is None else _told(first),
        "decide": deciding,
        "unmeasured": unmeasured(finding),
        "rows": [
            {**_told(measurement), "plot": _plot(measurement, _reach([measurement]))}
            for measurement in finding.measurements
        ],
    }


def _told(measurement: Measurement) -> dict[str, Any]:
    interval = measurement.interval
    ends = {"mean": interval.mean, "low": interval.low, "high": interval.high}
    return {
        "measurement": measurement,
        **{name: quantity(end, measurement) for name, end in ends.items()},
        "plain": {name: plain(end, measurement) for name, end in ends.items()},
        "region": region(measurement),
        "unit": shown_unit(measurement),
        "said": measured(measurement),
        "tellable": tellable(measurement),
        "apart": apart(measurement),
        "on_its_way": on_its_way(measurement),
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


# -------------------------------------------------------------------------- the paper's settings


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
    """How each set of metrics was made: every setting with all the values that it has."""
    rows = tables.results.dropna(subset=["recipe"])
    made: dict[tuple[str, ...], dict[str, dict[str, None]]] = {}
    for recipe, same in rows.groupby("recipe", sort=True):
        metrics = tuple(metric_title(metric) for metric in dict.fromkeys(same["metric"]))
        of_these = made.setdefault(metrics, {})
        for name, value in json.loads(str(recipe)).items():
            of_these.setdefault(name, {})[str(value)] = None
    return [
        {"metrics": metrics, "settings": {name: list(values) for name, values in found.items()}}
        for metrics, found in made.items()
    ]
