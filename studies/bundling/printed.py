"""Where the page of a study prints which number: its texts in order, as the verifier reads it.

A text comes with a name for each number in it, under which the verifier knows it, or none, where a
number is part of a name or is not worked out again.
"""

import math
from collections.abc import Iterable, Iterator, Sequence

from studies.bundling.verifier import NUMBER, is_printed
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
from studies.report.tabulation import Cell, Table
from studies.tables.groupings import records
from studies.tables.labels import BETA_TILDE, LOSS

Text = tuple[str, list[str | None]]
"""And the names of its numbers."""


def flat(text: str) -> str:
    """A text as it reads on a page without its tags."""
    return " ".join(LOSS.sub(r"L\1", text).replace(BETA_TILDE, "β~").split())


def printed(told: Entry, tabled: Sequence[Table]) -> Iterator[Text]:
    """The texts of a page that hold numbers, in their order.

    Args:
        told: Of the study.
        tabled: Its tables.
    """
    if told.answered is not None:
        yield _answer(told)
    for c, finding in enumerate(told.findings):
        yield _verdict(c, finding, told)
    for c, finding in enumerate(told.findings):
        for i, one in enumerate(finding.measurements):
            yield _row(f"{c}.{i}", one)
        if p := among(finding, told.among[finding.name]):
            numbers = [f"{c} p", f"{c} among"]
            pairs = zip(p.split(", "), numbers, strict=True)
            names = [None if "<" in said else name for said, name in pairs]
            yield f"By Holm’s correction: {p} measured claims of this study", names
    for table in tabled:
        yield from _table(table)


def _text(parts: Iterable[tuple[str, Sequence[str | None]] | str]) -> Text:
    """Parts of a text joined: each with the names of its numbers, or with none."""
    words: list[str] = []
    names: list[str | None] = []
    for part in parts:
        said, its = (part, None) if isinstance(part, str) else part
        if said := flat(said):
            words.append(said)
            names += [None] * len(NUMBER.findall(said)) if its is None else its
    return " ".join(words), names


def _answer(told: Entry) -> Text:
    """The sentence that answers the study, whose numbers are those of its rows."""
    assert told.answered is not None
    said = flat(sentence(told.answered.table, told.answered.answer))
    known = {
        f"answer.{i} {end}{'' if told.answered.answer.is_ratio else ' size'}": float(row[column])
        for i, row in enumerate(records(told.answered.table))
        for end, column in (("mean", "estimate"), ("from", "low"), ("to", "high"))
    }
    sizes = {name: abs(number) for name, number in known.items() if math.isfinite(number)}
    names = (
        next((n for n, size in sizes.items() if "." in one and is_printed(size, one)), None)
        for one in NUMBER.findall(said)
    )
    return said, list(names)


def _verdict(c: int, finding: Finding, told: Entry) -> Text:
    so_far = " so far" if told.so_far(finding) else ""
    first, _ = telling(finding)
    head = f"{finding.verdict}{so_far} {finding.claim.says}"
    if first is None:
        return _text([head])
    name = f"{c}.{finding.measurements.index(first)}"
    ends = [_shown(name, end, first) for end in ("mean", "from", "to")]
    shown = ends if first.interval.n > 1 else ends[:1]
    count = [f"{name} n"] if first.interval.n else []
    return _text([head, (measured(first), [*shown, *_region(name, first), *count])])


def _row(name: str, one: Measurement) -> Text:
    """The row of a quantity in the table of its claim."""
    interval = one.interval
    ends = {"mean": interval.mean, "from": interval.low, "to": interval.high}
    cells = {
        end: (f"{plain(value, one)} {quantity(value, one)}", _both(name, end, value, one))
        for end, value in ends.items()
    }
    spread = [cells["from"], "to", cells["to"]] if interval.n else ["exact"]
    count = (str(interval.n), [f"{name} n"]) if interval.n else "–"
    borders = (region(one), _region(name, one))
    head = [one.what, one.detail, apart(one), on_its_way(one)]
    numbers = [cells["mean"], *spread, shown_unit(one), borders, count]
    return _text([*head, *numbers, tellable(one) or "–"])


def _shown(name: str, end: str, one: Measurement) -> str:
    """The name of a number on the scale on which it is shown."""
    return f"{name} {end}{'%' * (one.unit in ('%', 'percentage points', 'log odds'))}"


def _both(name: str, end: str, value: float, one: Measurement) -> list[str | None]:
    """Of a value in full and as it is shown; what is infinite has no digits in full."""
    full = [f"{name} {end}"] if math.isfinite(value) else []
    return [*full, _shown(name, end, one)]


def _region(name: str, one: Measurement) -> list[str | None]:
    borders = (("low", one.low), ("high", one.high))
    return [_shown(name, end, one) for end, value in borders if math.isfinite(value)]


# -------------------------------------------------------------------------------------- tables


def _table(table: Table) -> Iterator[Text]:
    for r, row in enumerate(table.rows):
        cells = (_cell(f"{table.name}.{r}.{c}", cell) for c, cell in enumerate(row.cells))
        yield _text([*row.settings, *cells])
    for r, row in enumerate(table.rows):
        asked = [(c, cell) for c, cell in enumerate(row.cells) if cell is not None]
        for place, (c, cell) in enumerate(asked):
            seeds = _seeds(f"{table.name}.{r}.{c}", cell)
            yield _text(["" if place else row.arm, table.columns[c], seeds])


def _cell(name: str, cell: Cell | None) -> Text:
    """A cell as `parts.html.j2` prints it."""
    if cell is None:
        return "·", []
    words, names = "", []
    if cell.mean is not None:
        words, names = f"{cell.mean} {cell.shown(cell.mean)}", [f"{name} mean"] * 2
        if cell.half_width is None:
            words += " one seed"
        else:
            words += f" ± {cell.half_width} {cell.shown(cell.half_width)}"
            names += [f"{name} half"] * 2
    more = []
    if cell.n < cell.of:
        more.append(f"{cell.of - cell.n} of {cell.of} {' or '.join(cell.states)}")
    if cell.paper:
        more.append(f"paper: {cell.paper}")
    rest, none = _text(more)
    return f"{words} {rest}", [*names, *none]


def _seeds(name: str, cell: Cell) -> Text:
    each = [f"{seed}: {value} {cell.shown(value)}" for seed, value in cell.values.items()]
    names = [one for seed in cell.values for one in (None, f"{name} {seed}", f"{name} {seed}")]
    return ", ".join(each) or "none", names
