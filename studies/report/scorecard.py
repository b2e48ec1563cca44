"""Every verdict of a store as one table in Markdown, which a forge shows as it is."""

from collections import Counter
from collections.abc import Sequence
from typing import get_args

from studies.judging.verdicts import Verdict
from studies.judging.wording import measured, telling, unmeasured
from studies.report.entries import Entry

HEAD = (
    "| study | verdict | what the paper says, in our words | measured |\n| --- | --- | --- | --- |"
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
    lines = []
    for entry, finding in findings:
        first, _ = telling(finding)
        so_far = " so far" if entry.so_far(finding) else ""
        what = unmeasured(finding) if first is None else measured(first)
        link = f"[{entry.study}]({entry.study}/index.html#{finding.name})"
        lines.append(f"| {link} | {finding.verdict}{so_far} | {finding.claim.says} | {what} |")
    told = f"{len(findings)} verdicts: {counts or 'none'}. 95% intervals over seeds decide them."
    return "\n".join(["# Scorecard", "", told, "", HEAD, *lines, ""])
