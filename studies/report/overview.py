"""The index: every study in the paper's order with its strongest effect, then every claim once."""

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, get_args

import pandas as pd

from studies.drawing.paired import ends
from studies.judging.statements import told
from studies.judging.verdicts import Finding, Verdict
from studies.judging.wording import measured, telling, unmeasured
from studies.report.entries import Answered, Entry, same_numbers
from studies.report.templates import template
from studies.tables.paired import is_told

VERDICTS: tuple[Verdict, ...] = get_args(Verdict)
MARKS = {"supported": "✓", "contradicted": "✕", "inconclusive": "?", "not run": "·"}
"""What stands in the dot of a verdict, for those who see no colours."""
WIDTH, HEIGHT, EDGE = 132, 48, 5
"""Of a thumbnail, and the room around its points, in units of its own."""
COLOURS = 8
"""Classes of colour that thumbnails have, those of the figure that they stand for."""


def index_page(entries: Sequence[Entry]) -> str:
    """Every study in the paper's order, those of other sweeps last, then every claim once.

    Args:
        entries: What is told of each study.
    """
    ordered = sorted(entries, key=_order)
    findings = [finding for one in ordered for finding in one.findings]
    score = Counter(finding.verdict for finding in findings)
    claims = list(_claims(ordered, same_numbers(ordered)))
    counts = [(verdict, score[verdict]) for verdict in VERDICTS if score[verdict]]
    return template("index.html.j2").render(
        studies=[list(some) for some in _by_sweep(ordered)],
        claims=claims,
        judged=score.total(),
        statements=told(findings) if findings else "",
        counts=counts,
        presets=sorted({one.preset for one in ordered if one.preset}),
        sections=list(dict.fromkeys(_section(one) for one in ordered if _section(one))),
        told=_told(ordered, counts, score.total()),
    )


def _order(entry: Entry) -> tuple[Any, ...]:
    own = entry.place is None
    return own, () if own else entry.place, entry.sweep or entry.study, entry.preset


def _section(entry: Entry) -> str:
    if entry.place is None:
        return ""
    section = entry.place.section
    return f"Section {section}" if section[0].isdigit() else f"Appendix {section}"


def _told(entries: Sequence[Entry], counts: Sequence[tuple[str, int]], judged: int) -> str:
    """What a pasted link says was found: the verdicts, then the first effect of the paper's."""
    said = [f"{judged} verdicts: {', '.join(f'{n} {verdict}' for verdict, n in counts)}."]
    if first := next((one for one in entries if one.effect), None):
        said.append(f"{first.study}: {first.effect}")
    return " ".join(said)


# --------------------------------------------------------------------------------------- studies


def _by_sweep(entries: Sequence[Entry]) -> Iterator[list[dict[str, Any]]]:
    """The rows of each sweep, one for each preset that it was run under."""
    for name in dict.fromkeys(one.sweep or one.study for one in entries):
        yield [_row(one) for one in entries if (one.sweep or one.study) == name]


def _row(entry: Entry) -> dict[str, Any]:
    answered = entry.answered
    return {
        "entry": entry,
        "where": ", ".join(
            filter(None, (_section(entry), entry.place.shown if entry.place else ""))
        ),
        "section": _section(entry),
        "effect": entry.effect,
        "thumbnail": None if answered is None else _thumbnail(answered),
        "dots": [_dot(entry, finding) for finding in entry.findings],
    }


def _dot(entry: Entry, finding: Finding) -> dict[str, Any]:
    first, _ = telling(finding)
    return {
        "entry": entry,
        "finding": finding,
        "mark": MARKS[finding.verdict],
        "verdict": finding.verdict + (" so far" if entry.so_far(finding) else ""),
        "so_far": entry.so_far(finding),
        "measured": unmeasured(finding) if first is None else measured(first),
    }


def _thumbnail(answered: Answered) -> dict[str, Any]:
    """Every interval of the answer's figure on a small plane, and the line of its baseline."""
    table, answer = answered.table, answered.answer
    low, high = (_along(end, answered) for end in ends(table, answer))
    places = sorted(table["at"].unique())
    arms = list(dict.fromkeys(table["arm"]))
    slots = len(places) if len(places) > 1 else len(arms)
    step = (WIDTH - 2 * EDGE) / slots

    def y(value: float) -> float:
        share = (_along(value, answered) - low) / (high - low)
        return round(EDGE + (HEIGHT - 2 * EDGE) * (1 - min(max(share, 0.0), 1.0)), 1)

    def x(row: pd.Series) -> float:
        number = arms.index(row["arm"])
        if len(places) == 1:
            return round(EDGE + step * (number + 0.5), 1)
        apart = 0.7 * ((number + 0.5) / len(arms) - 0.5)
        return round(EDGE + step * (places.index(row["at"]) + 0.5 + apart), 1)

    points = [
        {
            "x": x(row),
            "y": y(float(row["estimate"])),
            "ends": [y(float(row["low"])), y(float(row["high"]))] if row["n"] > 1 else [],
            "colour": arms.index(row["arm"]) % COLOURS,
            "told": is_told(row),
        }
        for _, row in table.iterrows()
    ]
    return {"width": WIDTH, "height": HEIGHT, "line": y(table["middle"].iloc[0]), "points": points}


def _along(value: float, answered: Answered) -> float:
    """Where a value stands on the axis: ratios on a logarithmic one."""
    if not answered.answer.is_ratio:
        return value
    return math.log(value) if value > 0 else -math.inf


# ---------------------------------------------------------------------------------------- claims


def _claims(
    entries: Sequence[Entry], alike: Mapping[tuple[str, str], str]
) -> Iterator[dict[str, Any]]:
    """Every claim once, with what each study found of it, by preset.

    Args:
        entries: What is told of each study.
        alike: As `studies.report.entries.same_numbers` gives it.
    """
    names = dict.fromkeys(finding.name for one in entries for finding in one.findings)
    for name in names:
        found = [
            {**_dot(one, finding), "alike": alike[one.study, name]}
            for one in entries
            for finding in one.findings
            if finding.name == name
        ]
        sections = dict.fromkeys(_section(dot["entry"]) for dot in found)
        yield {
            "claim": found[0]["finding"].claim,
            "found": found,
            "verdicts": list(dict.fromkeys(dot["finding"].verdict for dot in found)),
            "presets": list(dict.fromkeys(dot["entry"].preset for dot in found)),
            "sections": [section for section in sections if section],
        }
