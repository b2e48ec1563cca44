"""What is told of a study beyond its own page: in the index, the scorecard and a pasted link."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from studies.analyses.analysis import Place
from studies.analyses.index import PLACES
from studies.analyses.judge import CLAIMS, judge
from studies.analyses.sentences import SENTENCES
from studies.judging.families import adjusted
from studies.judging.statements import statements
from studies.judging.verdicts import Claim, Finding, Measured
from studies.report.answer import answer_of, headline, sentence, sweep_of
from studies.report.faults import Fault, fault
from studies.report.more_seeds import More, more_seeds
from studies.report.work_done import made, work_done
from studies.store.forecasts import foreseen
from studies.store.store import Store
from studies.tables.answer import Answer
from studies.tables.paired import paired
from studies.tables.tables import Tables

PAGE = "index.html"


@dataclass(frozen=True, slots=True)
class Answered:
    """What answers a study at a glance."""

    answer: Answer
    table: pd.DataFrame
    """As `studies.tables.paired.paired` gives it, not empty."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """What the index says of a study: where it cannot be read, nothing but its faults."""

    study: str
    sweep: str = ""
    """The study without its preset."""
    place: Place | None = None
    """None: the paper does not ask about it."""
    question: str = ""
    preset: str = ""
    seeds: int = 0
    cells: dict[str, int] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)
    more: dict[str, More] = field(default_factory=dict)
    """By claim: what would decide it."""
    among: dict[str, float] = field(default_factory=dict)
    """By claim: its p-value among the claims of the study (`studies.judging.families`)."""
    answered: Answered | None = None
    said: str = ""
    """The answer in one or two sentences; empty: there is none."""
    work: Mapping[str, Any] = field(default_factory=dict)
    """As `studies.report.work_done.work_done` gives it."""
    faults: list[Fault] = field(default_factory=list)
    page: str = PAGE
    """The file of its page, in the folder of its name; empty: there is none."""
    summary: str = ""
    """The file of its summary in Markdown; empty: there is none."""

    @property
    def link(self) -> str:
        """Where the index leads: the page, or else the summary; empty: there is neither."""
        file = self.page or self.summary
        return f"{self.study}/{file}" if file else ""

    @property
    def is_done(self) -> bool:
        """Whether every cell has its result."""
        return 0 < self.cells["all"] == self.cells.get("done", 0)

    @property
    def effect(self) -> str:
        """The answer in a line of the index."""
        told = self.answered
        return self.said if told is None else headline(told.table, told.answer)

    @property
    def minutes(self) -> float:
        """Of computing; processes that ran side by side each count in full."""
        return float(sum(kind["seconds"] for kind in self.work.get("kinds", ()))) / 60

    def so_far(self, finding: Finding) -> bool:
        """Whether a verdict may change, because results are still missing; exact ones do not."""
        return not self.is_done and not finding.is_exact


def entry(store: Store, tables: Tables) -> Entry:
    """What the index says of a study that can be read."""
    faults: list[Fault] = []
    sweep = sweep_of(tables)
    findings = [_judged(name, tables, faults) for name in tables.record["claims"]]
    records = made(store, tables.record["tasks"], tables.made)
    answered = _answered(tables, faults)
    return Entry(
        study=tables.study,
        sweep=sweep,
        place=PLACES.get(sweep),
        question=tables.record["question"],
        preset=tables.record["preset"],
        seeds=len(tables.record["seeds"]),
        cells=_cell_counts(tables),
        findings=findings,
        more={one.name: more_seeds(one, tables.record, records) for one in findings},
        among=dict(zip(tables.record["claims"], adjusted(findings), strict=True)),
        answered=answered,
        said=_said(tables, answered, faults),
        work=work_done(records, foreseen(store.root, tables.study)),
        faults=faults,
    )


def _answered(tables: Tables, faults: list[Fault]) -> Answered | None:
    """The comparison that answers a study; what keeps it from being made joins the faults."""
    try:
        answer = answer_of(tables)
        table = pd.DataFrame() if answer is None else paired(tables, answer)
    except Exception as error:
        faults.append(fault(error, "the answer"))
        return None
    return None if answer is None or table.empty else Answered(answer, table)


def _said(tables: Tables, answered: Answered | None, faults: list[Fault]) -> str:
    """The answer in words; what keeps it from being made joins the faults."""
    if answered is not None:
        return sentence(answered.table, answered.answer)
    own = SENTENCES.get(sweep_of(tables))
    try:
        return own(tables) if own else ""
    except Exception as error:
        faults.append(fault(error, "the answer"))
        return ""


def _judged(name: str, tables: Tables, faults: list[Fault]) -> Finding:
    """The verdict on a claim; what keeps it from being judged joins the faults."""
    try:
        return judge(name, tables)
    except Exception as error:
        found = fault(error, f"claim {name}")
        faults.append(found)
        unknown = Claim(says=name, source="", method="", measure=lambda _: Measured([], []))
        reason = f"Could not be judged: {found.sentence}."
        claim = CLAIMS.get(name, unknown)
        return Finding(name=name, claim=claim, verdict="not run", reason=reason, measurements=())


def same_numbers(entries: Sequence[Entry]) -> dict[tuple[str, str], str]:
    """By study and claim: the other verdicts that rest on the same numbers; most have none.

    Named by their study, and by their claim where it is another one.
    """
    every = [(one.study, finding) for one in entries for finding in one.findings]
    groups = statements([finding for _, finding in every])
    told = {}
    for (study, finding), group in zip(every, groups, strict=True):
        others = [
            name if other.name == finding.name else f"{name} ({other.name})"
            for (name, other), its in zip(every, groups, strict=True)
            if its == group and other is not finding
        ]
        told[study, finding.name] = ", ".join(others)
    return told


def cells(tables: Tables) -> pd.DataFrame:
    """One row per cell of the study (a bound read with several Σ is one cell)."""
    return tables.results.drop_duplicates(["address", "seed"])


def _cell_counts(tables: Tables) -> dict[str, int]:
    """Number of cells by state, `all` of them first."""
    found = cells(tables)
    states = found["state"].value_counts().sort_index()
    return {"all": len(found), **{str(state): int(count) for state, count in states.items()}}
