"""Every verdict of a store as one table in Markdown, which a forge shows as it is."""

import math
from collections import Counter
from collections.abc import Sequence
from typing import get_args

from studies.judging.families import adjusted, stands_alone
from studies.judging.statements import told
from studies.judging.verdicts import Verdict
from studies.judging.wording import measured, telling, unmeasured
from studies.report.entries import Entry, same_numbers

HEAD = (
    "| study | verdict | what the paper says, in our words | measured | shares numbers with |\n"
    "| --- | --- | --- | --- | --- |"
)


def scorecard(entries: Sequence[Entry]) -> str:
    """The text: how many claims stand, then one row for each claim of each study.

    Args:
        entries: What the index says of each study.
    """
    findings = [(entry, finding) for entry in entries for finding in entry.findings]
    score = Counter(finding.verdict for _, finding in findings)
    counts = ", ".join(
        f"{score[verdict]} {verdict}" for verdict in get_args(Verdict) if score[verdict]
    )
    lines, alone = [], 0
    family = adjusted([finding for _, finding in findings])
    alike = same_numbers(entries)
    for (entry, finding), p in zip(findings, family, strict=True):
        is_alone = stands_alone(finding, p)
        alone += is_alone
        first, _ = telling(finding)
        so_far = " so far" if entry.so_far(finding) else ""
        what = unmeasured(finding) if first is None else measured(first)
        file = entry.summary or entry.page
        link = f"[{entry.study}]({entry.study}/{file}#{finding.name})" if file else entry.study
        verdict = f"{finding.verdict}{so_far}{', alone' if is_alone else ''}"
        others = alike[entry.study, finding.name]
        lines.append(f"| {link} | {verdict} | {finding.claim.says} | {what} | {others} |")
    said = f"{len(findings)} verdicts: {counts or 'none'}. 95% intervals over seeds decide them."
    if findings:
        said += f" {told([finding for _, finding in findings])}"
    if alone:
        measured_ones = sum(not math.isnan(p) for p in family)
        said += (
            f" Of the verdicts {alone} stand alone and not among the {measured_ones} that are "
            "measured (Holm, 5% for any false one)."
        )
    return "\n".join(["# Scorecard", "", said, "", HEAD, *lines, ""])
