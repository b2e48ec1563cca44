"""How each number on the page of a study is made of raw rows, for the verifier of its bundle.

Claims say it with their values (`studies.tables.intervals.Made`), and so do tables and the answer.
What cannot be worked out again is named.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from studies.analyses.judge import CLAIMS, found
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
    "in figures and their CSV files (held by sha256)",
    "what seeds could have told with 80% power, and how many would decide a claim",
    "numbers in the names of arms, in remarks and in the details beside a quantity",
    "whether trainings were long enough, and chains are as fine as the data, where a claim asks it",
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
    settings = settings_behind(store, rows.rows)
    texts = list(printed(told, tabled))
    named = {name.partition(" ")[0] for _, names in texts for name in names if name}
    others = _others(tabled, told, rows).items()
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
        "rows": len(rows.rows),
        "values": {
            metric: VALUES.get(metric, [metric]) for metric in sorted(set(rows.column("metric")))
        },
        "settings": settings,
        "claims": claims,
        "others": {name: how for name, how in others if name in named},
        "printed": texts,
        "not_recomputed": [
            *unknown,
            *ALWAYS,
            *(
                f"columns of page/results.csv in rows of {evaluation}: "
                f"{', '.join(name for name in rows.rows[0] if name not in {*of, *NOT_SETTINGS})}"
                for evaluation, of in settings.items()
            ),
        ],
    }


NOT_SETTINGS = (
    *("study", "evaluation", "metric", "value", "standard_error", "state", "address"),
    "settings",
)
"""Columns of the results that are held against something else, or stand in no results.csv."""


@dataclass(slots=True)
class _Rows:
    """The rows of a study's results, to be found by what formulas say of them."""

    rows: list[dict[str, Any]]
    _numbers: dict[tuple[str, int], list[int]]

    def __init__(self, tables: Tables) -> None:
        self.rows = list(records(tables.results))
        self._numbers = defaultdict(list)
        for number, row in enumerate(self.rows):
            self._numbers[row["address"], int(row["seed"])].append(number)

    def column(self, name: str) -> list[Any]:
        """The values of a column."""
        return [row[name] for row in self.rows]

    def resolved(self, formula: Formula) -> list[Any]:
        """A formula as JSON, in which rows stand by their number in results.csv."""
        name, *parts = formula
        if name == "rows":
            return ["rows", [[seed, self._number(seed, row)] for seed, row in parts[0]]]
        if name == "results":
            return ["results", [[seed, address, [*path]] for seed, address, path in parts[0]]]
        return [name, *(self.resolved(p) if isinstance(p, tuple) else p for p in parts)]

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
    """What a claim found: quantities, and what it lacks or is not told, over seeds or at a look."""
    untold = [what for what in measured.missing if is_done and isinstance(what, Untold)]
    return {
        "missing": [str(what) for what in measured.missing if what not in untold],
        "untold": [str(what) for what in untold],
        "quantities": [_quantity(one, rows) for one in measured.measurements],
    }


def _quantity(one: Measurement, rows: _Rows) -> dict[str, Any]:
    made: list[Any] = ["exact", [[0, one.interval.mean]]]
    is_held = not one.formula
    if one.formula:
        made = rows.resolved(one.formula)
    elif one.interval.n:
        made = ["given", [[seed, value] for seed, value in one.values]]
    return {
        "what": one.what,
        "unit": one.unit,
        "low": one.low,
        "high": one.high,
        "matters": one.matters,
        "decides": one.decides,
        "is_asked": one.decides or bool(one.untold),
        "made": made,
        "is_held": is_held,
    }


def _others(tabled: Sequence[Table], told: Entry, rows: _Rows) -> dict[str, Any]:
    """By name: whether numbers are shown as they are or as powers of e, and how they are made."""
    found: dict[str, Any] = {}
    for table in tabled:
        for r, row in enumerate(table.rows):
            for c, cell in enumerate(row.cells):
                if cell is not None and (formula := formula_of(cell.values)) and cell.values:
                    found[f"{table.name}.{r}.{c}"] = ["plain", rows.resolved(formula)]
    if told.answered is not None:
        scale = "exp" if told.answered.answer.is_ratio else "plain"
        for i, seeds in enumerate(told.answered.table["seeds"]):
            if formula := formula_of(seeds):
                found[f"answer.{i}"] = [scale, rows.resolved(formula)]
    return found
