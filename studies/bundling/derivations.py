"""How each number on the page of a study is made of raw rows, for the verifier of its bundle.

Claims say it with their values (`studies.tables.intervals.Made`), and so do tables and the answer.
What cannot be worked out again is named.
"""

import math
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from studies.analyses.judge import CLAIMS, found
from studies.analyses.trained import moved_on
from studies.bundling.behind import settings_behind
from studies.bundling.printed import flat, printed
from studies.judging.looks import BY_LOOKS, looks
from studies.judging.verdicts import Finding, Measured, Measurement, Untold
from studies.report.entries import Entry
from studies.report.tabulation import Table, tabulated
from studies.store.store import Store
from studies.tables.groupings import ROW, records
from studies.tables.intervals import Formula, formula_of
from studies.tables.tables import BOUND_METRICS, NOISE_METRICS, OUTSIDE_RANGE, Tables
from studies.tables.unbiased import UNBIASED

VALUES: dict[str, list[Any]] = {
    **{
        metric: ["variances", "Σ", name, "mean"]
        for metric, name in zip(BOUND_METRICS, ("bits_per_dim", "decoder", "kl"), strict=True)
    },
    **{
        metric: [name, "mean"]
        for metric, name in zip(
            NOISE_METRICS, ("log_scale", "squared_norm", "variance"), strict=True
        )
    },
    "prior_bits_per_dim": ["prior", "mean"],
    OUTSIDE_RANGE: ["range_fraction"],
    "training_loss": ["loss_curve", "loss", -1],
    UNBIASED: [],
}
"""Where the result of a task holds the value of a metric, Σ for that of the row; others stand there
under their own name. Of shares it is their sum; a distance without its bias stands nowhere."""

ALWAYS = (
    "in figures, their captions and axes, and their CSV files (held by sha256)",
    "what could have been told with 80% power to be none or between two borders, or where some "
    "difference must matter; how many seeds would decide a claim",
    "borders and verdicts in the words of a claim and of how it is measured (borders in the "
    "column “claimed” and verdicts beside a claim are held)",
    "numbers in the names of quantities and in remarks; in the names of arms what no column of the "
    "results has, and of details beside a quantity what no table has",
    "titles of tables, and the paper’s numbers in them",
    "the tables of what differs from the paper, of how far trainings got and of missing cells",
    "the section Recipes",
    "what the seed alone moves, where the page says it of the preset",
    "the commit in “Make this again”, what else than seeds its commands say, and sweep and preset "
    "as the page shows them (sweep.yaml and preset.yaml are held by sha256)",
    "whether losses have reached a plateau, and chains are as fine as the data, where a claim asks",
    "work: minutes, memory, dates (held by the checksums of the records)",
)
"""What no bundle works out again."""


def derivations(store: Store, tables: Tables, told: Entry) -> dict[str, Any]:
    """What `derivations.json` holds: rows, claims, tables, answer, and where all is printed.

    Args:
        store: Where the study is.
        tables: Of the study.
        told: Of the same, as its page tells it.
    """
    rows = _Rows(tables)
    tabled = tabulated(tables.results)
    others = dict(_others(tabled, told, rows))
    behind = {name: rows.rows[of["row"]] for name, of in others.items()}
    trainings = [one | {"evaluation": TRAININGS} for one in records(tables.trainings)]
    settings = settings_behind(store, [*rows.rows, *trainings])
    claims = [_claim(one, tables, told, rows) for one in told.findings]
    unknown = [
        f"{one['what']} (held as it is)"
        for claim in claims
        for each in (claim, *claim["looks"])
        for one in each["quantities"]
        if one.pop("is_held") and each is claim
    ]
    return {
        "study": tables.study,
        "by_looks": BY_LOOKS.items() <= tables.record.items(),
        "rows": {
            **{name: len(each.results) for name, each in rows_of(tables).items()},
            **({TRAININGS: len(trainings)} if trainings else {}),
        },
        "values": {
            metric: VALUES.get(metric, [metric]) for metric in sorted(set(rows.column("metric")))
        },
        "settings": settings,
        "claims": claims,
        "others": others,
        "printed": {
            name: list(texts) for name, texts in printed(tables, told, tabled, behind).items()
        },
        "not_recomputed": [
            *unknown,
            *ALWAYS,
            *(
                _columns(evaluation, of, (trainings if evaluation == TRAININGS else rows.rows)[0])
                for evaluation, of in settings.items()
            ),
        ],
    }


NOT_SETTINGS = (
    *("study", "evaluation", "metric", "value", "standard_error", "state", "address"),
    "settings",
)
"""Columns of the results that are held against something else, or stand in no results.csv."""


def _columns(evaluation: str, held: Iterable[str], row: Iterable[str]) -> str:
    """The columns of rows of an evaluation, or of trainings, that are not held."""
    where = TRAININGS if evaluation == TRAININGS else f"{RESULTS} in rows of {evaluation}"
    rest = (name for name in row if name not in {*held, *NOT_SETTINGS})
    return f"columns of {where}: {', '.join(rest)}"


RESULTS, HALF_TRAINED = "page/results.csv", "half_trained.csv"
TRAININGS = "page/trainings.csv"


def rows_of(tables: Tables) -> dict[str, Tables]:
    """A study, and where it asks for that its networks half trained, by the file of their rows."""
    half = tables.half_trained
    return {RESULTS: tables} | ({HALF_TRAINED: half} if half else {})


@dataclass(slots=True)
class _Rows:
    """The rows of a study's results, to be found by what formulas say of them."""

    rows: list[dict[str, Any]]
    _numbers: dict[tuple[str, int], list[int]]

    def __init__(self, tables: Tables) -> None:
        self.rows = [row for each in rows_of(tables).values() for row in records(each.results)]
        self._numbers = defaultdict(list)
        for number, row in enumerate(self.rows):
            self._numbers[row["address"], int(row["seed"])].append(number)

    def column(self, name: str) -> list[Any]:
        """The values of a column."""
        return [row[name] for row in self.rows]

    def resolved(self, formula: Formula) -> list[Any]:
        """A formula as JSON, in which rows stand by their number in the files of rows."""
        name, *parts = formula
        if name == "rows":
            return ["rows", [[str(seed), self._number(seed, row)] for seed, row in parts[0]]]
        if name == "results":
            return ["results", [[str(seed), address, [*path]] for seed, address, path in parts[0]]]
        if name == "log_ratio":
            return ["log", self.resolved(("ratio", *parts))]
        if name == "one_for_all":  # of images from elsewhere, which have no seed
            ((_, row), *_), ours = (self.resolved(part)[1] for part in parts)
            return ["rows", [[seed, row] for seed, _ in ours]]
        return [name, *(self.resolved(p) if isinstance(p, tuple) else p for p in parts)]

    def made(self, formula: Formula | None, values: Sequence[tuple[int | str, float]]) -> Any:
        """How a number for each seed is made, or where that is not known, the numbers."""
        return self.resolved(formula) if formula else ["given", [[str(s), v] for s, v in values]]

    def _number(self, seed: int, row: tuple[Any, ...]) -> int:
        """Of a row: a bound is read with several Σ, and a distance with its bias or without."""
        wanted = dict(zip(ROW, row, strict=True))
        metrics = {"frechet_distance": ("frechet_distance", UNBIASED)}
        found = [
            number
            for number in self._numbers[wanted["address"], seed]
            if self.rows[number]["metric"] in metrics.get(wanted["metric"], (wanted["metric"],))
            and self.rows[number]["value"] == wanted["value"]
        ]
        same = [number for number in found if self.rows[number]["variance"] == wanted["variance"]]
        return (same or found)[0]


def _claim(finding: Finding, tables: Tables, told: Entry, rows: _Rows) -> dict[str, Any]:
    claim = CLAIMS.get(finding.name)
    whole = found(claim, tables) if claim else Measured([], [])
    by_looks = BY_LOOKS.items() <= tables.record.items()
    return {
        "name": finding.name,
        "says": flat(finding.claim.says),
        "so_far": told.so_far(finding),
        **_measured(replace(whole, measurements=[*finding.measurements]), rows, told.is_done),
        "looks": [
            _measured(look.seen, rows, True) | {"seeds": look.seeds}
            for look in (looks(finding) if by_looks else ())
        ],
    }


def _measured(measured: Measured, rows: _Rows, is_done: bool) -> dict[str, Any]:
    """What a claim found: quantities, and what it lacks or is not told, over seeds or at a look.

    What is untold as another doubling of the training may change it is worked out by the verifier.
    """
    on_their_way = {str(why) for one in measured.measurements for why in moved_on(one)}
    untold = [what for what in measured.missing if isinstance(what, Untold)]
    return {
        "done": is_done,
        "missing": [str(what) for what in measured.missing if what not in untold],
        "untold": [str(what) for what in untold if what not in on_their_way],
        "quantities": [_quantity(one, rows) for one in measured.measurements],
    }


def _quantity(one: Measurement, rows: _Rows) -> dict[str, Any]:
    values = one.values if one.interval.n else (("", one.interval.mean),)
    return {
        "what": one.what,
        "unit": one.unit,
        "low": one.low,
        "high": one.high,
        "matters": one.matters,
        "asked": one.decides or bool(one.untold),
        "held": one.untold not in ("", *moved_on(one)),
        "made": rows.made(one.formula, values),
        "made_half_trained": rows.made(one.formula_half_trained, one.half_trained),
        "is_held": not one.formula,
    }


def _others(
    tabled: Sequence[Table], told: Entry, rows: _Rows
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Cells of tables, and arms of the answer, by name: how they are made, shown and where."""
    none = {"low": -math.inf, "high": math.inf, "matters": 0.0}
    plain = {**none, "unit": "", "is_answer": False}
    for table in tabled:
        for r, row in enumerate(table.rows):
            for c, cell in enumerate(row.cells):
                if cell is not None and (formula := formula_of(cell.values)) and cell.values:
                    made = rows.resolved(formula)
                    yield f"{table.name}.{r}.{c}", plain | {"row": _first_row(made), "made": made}
    if told.answered is None:
        return
    answer = told.answered.answer
    for i, seeds in enumerate(told.answered.table["seeds"]):
        formula = formula_of(seeds)
        assert formula is not None, "differences are made of rows"
        made = rows.resolved(formula)
        own = {"row": _first_row(made), "is_answer": True, "made": made}
        yield f"answer.{i}", plain | own | {"unit": "times" if answer.is_ratio else ""}


def _first_row(made: list[Any]) -> int:
    """The number of a row that a quantity is made of."""
    return int(made[1][0][1]) if made[0] == "rows" else _first_row(made[1])
