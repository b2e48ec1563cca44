"""Where the page of a study prints which number: its texts in order, as the verifier reads it.

A text comes with a name for each number in it, under which the verifier knows it, or none, where a
number is part of a name or is not worked out again.
"""

import csv
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import product
from typing import Any

from studies.bundling.verifier import NUMBER, SHOWN, at, is_printed, with_interval
from studies.judging.families import stands_alone
from studies.judging.verdicts import Finding, Measurement
from studies.judging.wording import (
    among,
    apart,
    measured,
    on_its_way,
    plain,
    quantity,
    region,
    shown_unit,
    tellable,
    telling,
)
from studies.report.answer import sentence
from studies.report.entries import Entry
from studies.report.exports import frame, latex
from studies.report.page import DIGITS, again, csv_of, so_far
from studies.report.tabulation import ALONG, Cell, Table
from studies.tables.groupings import records
from studies.tables.labels import BETA_TILDE, LOSS
from studies.tables.paired import is_told
from studies.tables.tables import Tables

Text = tuple[str, list[str | None]]
"""And the names of its numbers."""


def flat(text: str) -> str:
    """A text as it reads on a page without its tags."""
    return " ".join(LOSS.sub(r"L\1", text).replace(BETA_TILDE, "β~").split())


def printed(
    tables: Tables, told: Entry, tabled: Sequence[Table], behind: Mapping[str, Mapping[str, Any]]
) -> dict[str, Iterator[Text]]:
    """By file, the texts of a page and of its tables that hold numbers, in their order.

    Args:
        tables: Of the study.
        told: Of the same, as its page tells it.
        tabled: Its tables.
        behind: By cell of a table and arm of the answer, a row of the results that it is made of.
    """
    found = {"page/index.html": _page(tables, told, tabled, behind)}
    if told.answered is not None:
        found["page/answer.csv"] = _answer_csv(told.answered.table)
    for table in tabled:
        settings = _Settings(table, behind)
        found[f"page/{table.name}.tex"] = _latex(table, settings)
        found[f"page/{table.name}.csv"] = _csv(table, settings)
    return found


def _page(
    tables: Tables, told: Entry, tabled: Sequence[Table], behind: Mapping[str, Mapping[str, Any]]
) -> Iterator[Text]:
    means = _means(told, tabled)
    if said := so_far(told):
        yield said, ["count/done", "count/cells"]
    if told.answered is not None:
        yield _answer(told, behind)
    elif told.said:
        yield flat(told.said), means.of_each(flat(told.said))
    yield from _counts(tables, told)
    for c, finding in enumerate(told.findings):
        yield _verdict(c, finding, told)
    for c, finding in enumerate(told.findings):
        for i, one in enumerate(finding.measurements):
            yield _row(f"claims/{c}/quantities/{i}", one, means)
        if not math.isnan(told.among[finding.name]):
            said, names = _among(c, finding, told)
            yield f"By Holm’s correction: {said} measured claims of this study", names
    for table in tabled:
        yield from _table(table, _Settings(table, behind))
    *_, run, report = again(told, tables)
    said, names = _line(run, [f"count/seed {seed}" for seed in tables.record["seeds"]])
    yield f"{said} {report}", [*names, *[None] * len(NUMBER.findall(report))]


class _Known(dict[str, float]):
    """Numbers that the verifier knows, by name."""

    def of_each(self, text: str) -> list[str | None]:
        """The names of the numbers of a text: of each the first that it is; None: it is none."""
        finite = {name: number for name, number in self.items() if math.isfinite(number)}
        return [
            next((name for name, number in finite.items() if is_printed(number, one)), None)
            for one in NUMBER.findall(text)
        ]


def _of_row(name: str, row: Mapping[str, Any]) -> _Known:
    """The numbers among the settings of a row of the results, what runs across a table first."""
    found = {column: row[column] for column in ALONG if column in row} | dict(row)
    return _Known(
        {
            f"others/{name}/row/{column}": float(value)
            for column, value in found.items()
            if column not in ("seed", "value", "standard_error") and isinstance(value, int | float)
        }
    )


class _Settings:
    """What the verifier knows of the settings in the names of a table's columns and rows."""

    def __init__(self, table: Table, behind: Mapping[str, Mapping[str, Any]]) -> None:
        self.columns = [_Known() for _ in table.columns]
        self.rows = [_Known() for _ in table.rows]
        for r, c in product(range(len(self.rows)), range(len(self.columns))):
            if (row := behind.get(f"{table.name}.{r}.{c}")) is not None:
                known = _of_row(f"{table.name}.{r}.{c}", row)
                self.columns[c], self.rows[r] = self.columns[c] or known, self.rows[r] or known


def _means(told: Entry, tabled: Sequence[Table]) -> _Known:
    """The means of tables, and exact facts, as they are and in per cent."""
    found = {
        f"claims/{c}/quantities/{i}": one.interval.mean
        for c, finding in enumerate(told.findings)
        for i, one in enumerate(finding.measurements)
        if not one.interval.n
    }
    for table in tabled:
        for r, row in enumerate(table.rows):
            cells = [(c, cell.mean) for c, cell in enumerate(row.cells) if cell is not None]
            found |= {_named(table, r, c): mean for c, mean in cells if mean is not None}
    scales = [(scale, by) for scale, by in SHOWN.items() if by > 0]
    return _Known(
        {f"{name}/{scale}/mean": by * mean for scale, by in scales for name, mean in found.items()}
    )


def _among(c: int, finding: Finding, told: Entry) -> Text:
    """The p-values of a claim; the smallest are printed as a bound."""
    said = among(finding, told.among[finding.name])
    parts = zip(said.split(", "), ("p", "among"), strict=True)
    return said, [None if "<" in part else f"claims/{c}/{name}" for part, name in parts]


def _counts(tables: Tables, told: Entry) -> Iterator[Text]:
    """The seeds of a study, and how many of its cells are done and are not."""
    seeds = tables.record["seeds"]
    said = f"{'Seeds' if len(seeds) > 1 else 'One seed'} {', '.join(map(str, seeds))}, the"
    yield said, [f"count/seed {seed}" for seed in seeds]
    rest = {state: n for state, n in told.cells.items() if state not in ("all", "done")}
    words = [f"{told.cells.get('done', 0)} of {told.cells['all']} cells done"]
    words += [f"{n} {state}" for state, n in rest.items()]
    yield ", ".join(words), [f"count/{state}" for state in ("done", "cells", *rest)]


Part = tuple[str, Sequence[str | None]] | str
"""A text with the names of its numbers, or without any."""


def _text(parts: Iterable[Part]) -> Text:
    """Parts of a text joined: each with the names of its numbers, or with none."""
    words: list[str] = []
    names: list[str | None] = []
    for part in parts:
        said, its = (part, None) if isinstance(part, str) else part
        if said := flat(said):
            words.append(said)
            names += [None] * len(NUMBER.findall(said)) if its is None else its
    return " ".join(words), names


def _answer(told: Entry, behind: Mapping[str, Mapping[str, Any]]) -> Text:
    """The sentence that answers the study, whose numbers are of its arms, their places and counts.

    A number is known by its size: that of a difference is told without its sign.
    """
    assert told.answered is not None
    answer, table = told.answered.answer, told.answered.table
    said = flat(sentence(table, answer))
    judged = table[table["n"] > 1]
    sizes = _Known(
        {
            f"others/answer.{i}/{scale}/{part}": by * float(row[column])
            for scale, by in SHOWN.items()
            for i, row in enumerate(records(table))
            for part, column in (("mean", "estimate"), ("from", "low"), ("to", "high"))
        }
    )
    hidden = sum(not is_told(row) for _, row in judged.iterrows())
    counts = _Known({"count/arms": len(judged), "count/hidden": hidden})
    for i, row in enumerate(records(table)):
        counts |= {f"others/answer.{i}/n": float(row["n"])} | _of_row(
            f"answer.{i}", behind[f"answer.{i}"]
        )
    both = zip(counts.of_each(said), sizes.of_each(said), NUMBER.findall(said), strict=True)
    return said, [(size or count) if "." in one else (count or size) for count, size, one in both]


def _answer_csv(table: Any) -> Iterator[Text]:
    """The arms that answer the study as CSV, without its commas; some are in no sentence."""
    _, *lines = csv_of(table.drop(columns=["rank", "middle"]), float_format=DIGITS).splitlines()
    ends = {"shown/mean": "estimate", "shown/from": "low", "shown/to": "high", "n": "n"}
    for i, (line, row) in enumerate(zip(lines, records(table), strict=True)):
        finite = [name for name, column in ends.items() if math.isfinite(row[column])]
        names = [f"others/answer.{i}/{name}" for name in finite]
        yield _line(_cells(line), [*names, None])


def _verdict(c: int, finding: Finding, told: Entry) -> Text:
    so_far = " so far" if told.so_far(finding) else ""
    first, deciding = telling(finding)
    head = f"{finding.verdict}{so_far} {finding.claim.says}"
    if first is None:
        return _text([head])
    name = f"claims/{c}/quantities/{finding.measurements.index(first)}"
    count = [f"{name}/n"] if first.interval.n else []
    said, names = measured(first), [*_ends(name, first), *_region(name, first), *count]
    if deciding > 1:
        said, names = f"{said}; one of {deciding} that decide", [*names, f"claims/{c}/deciding"]
    return _text([head, (said, names), _besides(c, name, first, finding, told)])


def _besides(c: int, name: str, first: Measurement, finding: Finding, told: Entry) -> Part:
    """What stands below a verdict: what would decide it, that it stands alone, or its power."""
    more = told.more[finding.name]
    if more.said:
        return ", ".join(filter(None, [more.said, more.time]))
    if stands_alone(finding, told.among[finding.name]):
        said, names = _among(c, finding, told)
        return f"stands alone, not among all claims of this study: {said}", names
    if not (means := tellable(first)):
        return ""
    return f"told with 80% power: {means}", [None, *_tellable(name, first)]


def _row(name: str, one: Measurement, means: _Known) -> Text:
    """The row of a quantity in the table of its claim; its detail may have means of a table."""
    interval = one.interval
    ends = {"mean": interval.mean, "from": interval.low, "to": interval.high}
    cells = {
        end: (f"{plain(value, one)} {quantity(value, one)}", _both(name, end, value, one))
        for end, value in ends.items()
    }
    spread = [cells["from"], "to", cells["to"]] if interval.n else ["exact"]
    count = (str(interval.n), [f"{name}/n"]) if interval.n else "–"
    borders = (region(one), _region(name, one))
    on_way = (on_its_way(one), _on_its_way(name, one))
    detail = (one.detail, means.of_each(flat(one.detail)))
    power: Part = (tellable(one), _tellable(name, one)) if tellable(one) else "–"
    told: list[Part] = [cells["mean"], *spread, shown_unit(one), borders, count, power]
    return _text([one.what, detail, apart(one), on_way, *told])


def _tellable(name: str, one: Measurement) -> list[str | None]:
    """The names of means that could be told, where no smallest difference that matters moves them.

    Those that could be told to lie between two borders have none.
    """
    regions = {"unit": one.unit, "low": one.low, "high": one.high, "matters": one.matters}
    found = with_interval(regions, dict(one.values))
    names = [_shown(name, f"{end}{side}", one) for end in ("low", "high") for side in ("-1", "+1")]
    return _Known({name: at(found, name.split("/")[-2:]) for name in names}).of_each(tellable(one))


def _on_its_way(name: str, one: Measurement) -> list[str | None]:
    if (doubled := one.after(1)) is None:
        return []
    of = {"half_trained": len(one.half_trained), "doubled": doubled.interval.n}
    return [end for key, n in of.items() for end in _ends(f"{name}/{key}", one, n)]


def _ends(name: str, one: Measurement, n: int | None = None) -> list[str | None]:
    """Of a mean and of its interval, where that of so many seeds is told."""
    n = one.interval.n if n is None else n
    ends = ("mean", "from", "to") if n > 1 else ("mean",)
    return [_shown(name, end, one) for end in ends]


def _shown(name: str, end: str, one: Measurement) -> str:
    """The name of a number on the scale on which it is shown."""
    is_percent = one.unit in ("%", "percentage points", "log odds")
    return f"{name}/{'%' if is_percent else 'shown'}/{end}"


def _both(name: str, end: str, value: float, one: Measurement) -> list[str | None]:
    """Of a value in full and as it is shown; what is infinite has no digits in full."""
    full = [f"{name}/shown/{end}"] if math.isfinite(plain(value, one)) else []
    return [*full, f"{name}/{end}" if math.isinf(value) else _shown(name, end, one)]


def _region(name: str, one: Measurement) -> list[str | None]:
    borders = (("low", one.low), ("high", one.high))
    return [_shown(name, end, one) for end, value in borders if math.isfinite(value)]


# -------------------------------------------------------------------------------------- tables


def _table(table: Table, settings: _Settings) -> Iterator[Text]:
    titles = [
        (title or "value", known.of_each(flat(title)))
        for title, known in zip(table.columns, settings.columns, strict=True)
    ]
    yield _text([*table.heads, *titles])
    for r, row in enumerate(table.rows):
        cells = (_cell(_named(table, r, c), cell) for c, cell in enumerate(row.cells))
        said = ((one, settings.rows[r].of_each(flat(one))) for one in row.settings)
        yield _text([*said, *cells])
    yield from _latex(table, settings)
    for r, row in enumerate(table.rows):
        asked = [(c, cell) for c, cell in enumerate(row.cells) if cell is not None]
        for place, (c, cell) in enumerate(asked):
            seeds = _seeds(_named(table, r, c), cell)
            arm = (row.arm, settings.rows[r].of_each(flat(row.arm)))
            title = (table.columns[c], settings.columns[c].of_each(flat(table.columns[c])))
            yield _text(["" if place else arm, title, seeds])


def _named(table: Table, row: int, column: int) -> str:
    return f"others/{table.name}.{row}.{column}"


def _cell(name: str, cell: Cell | None) -> Text:
    """A cell as `parts.html.j2` prints it."""
    if cell is None:
        return "·", []
    words, names = "", []
    if cell.mean is not None:
        words, names = f"{cell.mean} {cell.shown(cell.mean)}", [f"{name}/mean"] * 2
        if cell.half_width is None:
            words += " one seed"
        else:
            words += f" ± {cell.half_width} {cell.shown(cell.half_width)}"
            names += [f"{name}/half"] * 2
    more = []
    if cell.n < cell.of:
        more.append(f"{cell.of - cell.n} of {cell.of} {' or '.join(cell.states)}")
    if cell.paper:
        more.append(f"paper: {cell.paper}")
    rest, none = _text(more)
    return f"{words} {rest}", [*names, *none]


def _seeds(name: str, cell: Cell) -> Text:
    each = [f"{seed}: {value} {cell.shown(value)}" for seed, value in cell.values.items()]
    names = ((f"count/seed {s}", *[f"{name}/seeds/{s}"] * 2) for s in cell.values)
    return ", ".join(each) or "none", [one for of_seed in names for one in of_seed]


def _latex(table: Table, settings: _Settings) -> Iterator[Text]:
    """The rows of a table in LaTeX, and its heading."""
    head, _, *lines = latex(table).partition("\\toprule\n")[2].splitlines()
    titles = zip(table.columns, settings.columns, strict=True)
    yield _line(head, [name for title, known in titles for name in known.of_each(title)])
    for r, row in enumerate(table.rows):
        cells = enumerate(row.cells)
        ends = [_named(table, r, c) + end for c, cell in cells for end in _columns(cell)]
        yield _line(lines[r], ends, settings.rows[r])


def _csv(table: Table, settings: _Settings) -> Iterator[Text]:
    """The rows of a table as CSV, without its commas, and its heading."""
    head, *lines = csv_of(frame(table)).splitlines()
    columns: list[str | None] = []
    for title, known in zip(table.columns, settings.columns, strict=True):
        names = known.of_each(title)
        columns += [*names, *names, None, *names]  # of mean, half of its 95% interval, and seeds
    yield _line(_cells(head), columns)
    for r, row in enumerate(table.rows):
        names = []
        for c, cell in enumerate(row.cells):
            name = _named(table, r, c)
            names += [f"{name}{end}" for end in _columns(cell)]
            names.append(f"{name}/n" if cell is not None and cell.n else None)
        yield _line(_cells(lines[r]), names, settings.rows[r])


def _cells(line: str) -> str:
    """The cells of a line of CSV."""
    return " ".join(next(csv.reader([line])))


def _columns(cell: Cell | None) -> list[str]:
    """What is told of a cell beside its seeds."""
    if cell is None or cell.mean is None:
        return []
    return ["/mean"] if cell.half_width is None else ["/mean", "/half"]


def _line(line: str, of_cells: Sequence[str | None], known: _Known | None = None) -> Text:
    """A line of a file, whose numbers before those of its cells are of settings."""
    said = " ".join(line.split())
    names = (known or _Known()).of_each(said)
    return said, [*names[: len(names) - len(of_cells)], *of_cells]
