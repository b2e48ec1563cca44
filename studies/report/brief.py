"""A study in Markdown, which a forge shows as it is: answer, verdicts, figures, links to the rest.

It says what the page says, in fewer words, from the same values.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from studies.judging.departures import Departure
from studies.judging.wording import (
    quantity,
    region,
    shown_unit,
    telling,
    undecided,
    unmeasured,
)
from studies.report.entries import Entry
from studies.report.faults import Fault

MADE = "<!-- made by studies.report -->"
"""The first line, which tells our summary from somebody's own file of that name."""
NOT_SHOWN = f"{MADE}\n\n<!-- not shown -->\n"
"""How a summary begins that says why there is none."""
MARKUP = re.compile(r"([\\`*\[\]<|])")
"""What would be more than text in a table of Markdown."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """A figure beside a summary."""

    title: str
    lead: str
    """The first sentences of its caption."""
    name: str
    """Of its file; empty: there is nothing to draw yet, or it could not be drawn."""
    others: Sequence[str]
    """Files of the same: the numbers drawn, and further formats."""


def brief(
    told: Entry,
    record: Mapping[str, Any],
    *,
    said: str,
    pictures: Sequence[Picture],
    differs: Sequence[Departure],
    files: Sequence[str],
    again: Sequence[str],
) -> str:
    """The text.

    Args:
        told: What is told of the study everywhere.
        record: Of the study, as the store has it.
        said: Its answer in words; empty: it has none.
        pictures: Its figures in order, the answer's first.
        differs: What differs from the paper.
        files: Names of files with all numbers.
        again: Commands that make it again.
    """
    seeds = ", ".join(map(str, record["seeds"]))
    cells = f"{told.cells.get('done', 0)} of {told.cells['all']} cells done"
    about = f"Preset **{text(told.preset)}**. Seeds {seeds}. {cells}."
    parts = [
        MADE,
        f"# {text(told.question)}",
        *([f"**{text(said)}**"] if said else []),
        f"{text(told.study)}. {about}",
        *_verdicts(told),
        *(part for picture in pictures for part in _picture(picture)),
        *_departures(differs),
        "## All numbers",
        ", ".join(map(_link, files)),
        "## Make this again",
        "\n".join(["```", *again, "```"]),
    ]
    return "\n\n".join(parts) + "\n"


def is_brief(markdown: str) -> bool:
    """Whether a file is one of `brief`."""
    return markdown.startswith(MADE)


def brief_notice(study: str, found: Fault, *, before: str) -> str:
    """The summary of a study that cannot be shown.

    Args:
        study: Its id.
        found: Why.
        before: The summary that was written earlier, beside this one; empty: there is none.
    """
    parts = [f"# {text(study)}", f"**This study cannot be shown.** {text(found.sentence)}."]
    if found.traceback:
        parts.append(f"{_link('faults.txt')} says where it happened.")
    if before:
        kept = f"What an earlier report wrote is kept as {_link(before)}."
        parts.append(f"{kept} It is not what the store holds now.")
    return NOT_SHOWN + "\n" + "\n\n".join(parts) + "\n"


def is_brief_notice(markdown: str) -> bool:
    """Whether a summary is one of `brief_notice`."""
    return markdown.startswith(NOT_SHOWN)


def text(words: object) -> str:
    """The words in one line, with nothing that Markdown would take for more than words."""
    return MARKUP.sub(r"\\\1", " ".join(str(words).split()))


def _verdicts(told: Entry) -> Iterator[str]:
    if not told.findings:
        return
    yield "## What the paper says, and what was measured"
    heads = ["verdict", "claim, in our words", "mean", "95% interval", "claimed", "seeds", ""]
    rows = []
    for finding in told.findings:
        first, deciding = telling(finding)
        verdict = f"{finding.verdict}{' so far' if told.so_far(finding) else ''}"
        cells = ["", "", "", "", unmeasured(finding)]
        if first is not None:
            interval, unit = first.interval, shown_unit(first)
            ends = (quantity(end, first) for end in (interval.low, interval.high))
            cells = [
                f"{quantity(interval.mean, first)}{'' if unit == '%' else ' '}{unit}",
                " to ".join(ends) if interval.n > 1 else "exact" if not interval.n else "none",
                region(first),
                str(interval.n or "–"),
                "; ".join(
                    [f"one of {deciding} that decide"] * (deciding > 1)
                    + [undecided(first)] * bool(first.untold)
                ),
            ]
        anchor = f'<a id="{finding.name}"></a>'
        rows.append([f"{anchor}{verdict}", *map(text, [finding.claim.says, *cells])])
    yield _table(heads, rows)
    yield "The interval over seeds decides each verdict; no one chooses one by hand."


def _picture(picture: Picture) -> Iterator[str]:
    if not picture.name:
        return
    yield f"## {text(picture.title)}"
    yield f"![{text(picture.title)}]({picture.name})"
    yield f"{text(picture.lead)} {' '.join(map(_link, picture.others))}".strip()


def _departures(differs: Sequence[Departure]) -> Iterator[str]:
    if not differs:
        return
    yield "## What differs from the paper"
    rows = ([text(one.setting), text(one.here), text(one.paper or "others")] for one in differs)
    yield _table(["setting", "here", "paper"], rows)


def _link(name: str) -> str:
    return f"[{name}]({name})"


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
