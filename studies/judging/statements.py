"""Which verdicts are one statement, and how many false ones chance alone would make.

Studies share networks and claims share measurements: verdicts that rest on the same numbers are one
piece of evidence, told twice. Exact facts of a schedule cannot err.
"""

from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass

from studies.judging.families import ERROR
from studies.judging.verdicts import Finding, Measurement

DIGITS = ".9g"
"""To so many digits two values are the same number: sums in another order part only beyond."""


def statements(findings: Sequence[Finding]) -> list[int]:
    """By verdict: the place of the first one that is the same statement.

    Two are if they share a quantity that decides, or that would if a condition of the claim held:
    the same values of the same seeds, whatever their sign, or the same exact number.
    """
    first = list(range(len(findings)))
    owners: dict[Hashable, int] = {}
    for place, finding in enumerate(findings):
        for key in _numbers(finding):
            a, b = first[place], first[owners.setdefault(key, place)]
            first = [min(a, b) if one in (a, b) else one for one in first]
    return first


def _numbers(finding: Finding) -> Iterator[Hashable]:
    for one in finding.measurements:
        if not (one.decides or one.untold):
            continue
        values = frozenset((seed, format(abs(value), DIGITS)) for seed, value in one.values)
        if not one.interval.n:
            yield one.what, format(one.interval.mean, DIGITS)
        elif any(float(value) for _, value in values):  # no difference at all is nobody's number
            yield one.unit, values


@dataclass(frozen=True, slots=True, kw_only=True)
class Count:
    """How many statements some verdicts are."""

    statements: int
    exact: int
    measured: int
    """Of them, those that intervals over seeds may decide."""
    false_supports: float
    """At most so many are expected where every quantity lies on the border of its claim."""
    false_contradictions: float
    """The same: each of several quantities may contradict a claim."""


def counted(findings: Sequence[Finding]) -> Count:
    """The statements of some verdicts, and the false ones among them that chance would make.

    An interval lies wholly on one side of a border that it should hold in half of 5% of studies.
    """
    groups: dict[int, list[Finding]] = {}
    for place, finding in zip(statements(findings), findings, strict=True):
        groups.setdefault(place, []).append(finding)
    exact = [some for some in groups.values() if all(one.is_exact and _has(one) for one in some)]
    quantities = [
        len({_values(m) for one in some for m in _deciding(one)}) for some in groups.values()
    ]
    return Count(
        statements=len(groups),
        exact=len(exact),
        measured=sum(count > 0 for count in quantities),
        false_supports=ERROR / 2 * sum(count > 0 for count in quantities),
        false_contradictions=ERROR / 2 * sum(quantities),
    )


def _has(finding: Finding) -> bool:
    return len(finding.measurements) > 0


def _deciding(finding: Finding) -> list[Measurement]:
    """What of seeds decides a verdict that may be decided."""
    if finding.verdict == "not run" or (finding.verdict == "inconclusive" and finding.is_untold):
        return []
    return [one for one in finding.measurements if one.decides and one.interval.n > 1]


def _values(measurement: Measurement) -> frozenset[tuple[int, str]]:
    return frozenset((seed, format(abs(value), DIGITS)) for seed, value in measurement.values)


def told(findings: Sequence[Finding]) -> str:
    """How many statements some verdicts make, and what chance would make of them."""
    count = counted(findings)
    exact = f", {count.exact} of them exact, of schedules alone" if count.exact else ""
    said = f"As some rest on the same numbers, they make {count.statements} statements{exact}."
    if count.statements == len(findings):
        said = f"None rests on the numbers of another{exact}."
    if not count.measured:
        return said
    return (
        f"{said} Were nothing true, {count.measured} that intervals may decide would give at most "
        f"{count.false_supports:.2g} false supports and {count.false_contradictions:.2g} false "
        "contradictions by chance."
    )
