"""Verdicts among others: p-values of claims, and Holm's correction over a family of them.

Each verdict alone errs in at most 5% of all studies; among many some are then wrong by chance. Holm
(1979) adjusts the p-values of a family so that any verdict of it that still stands is wrong in at
most 5%, whatever depends on what. Exact facts of a schedule cannot err and belong to no family, nor
does a claim that nothing decides yet.
"""

import math
from collections.abc import Sequence

import numpy as np
from scipy.special import stdtr

from studies.judging.verdicts import Finding, Measurement, Verdict
from studies.tables.intervals import CONFIDENCE, half_width_per_deviation

ERROR = 1 - CONFIDENCE
"""The p-value below which a verdict stands."""
DECIDED: tuple[Verdict, ...] = ("supported", "contradicted")


def p_values(measurement: Measurement) -> tuple[float, float]:
    """Of a quantity to lie wholly inside its region, and wholly outside; of two seeds or more.

    Below 5% just where its 95% interval does: twice the largest p of the one-sided t tests against
    the borders that it must be within, and twice the smallest of those that it may be beyond, the
    test of equivalence to no difference that matters among them.
    """
    interval = measurement.interval
    error = max(interval.half_width / float(half_width_per_deviation(interval.n)), 1e-300)
    error /= math.sqrt(interval.n)

    def above(border: float, side: int = 1) -> float:
        return float(stdtr(interval.n - 1, side * (border - interval.mean) / error))

    def below(border: float) -> float:
        return above(border, side=-1)

    inside = max(above(measurement.low), below(measurement.high))
    outside = min(below(measurement.low), above(measurement.high))
    if measurement.matters:
        none = max(above(-measurement.matters), below(measurement.matters))
        outside = min(outside, none)
    return min(1.0, 2 * inside), min(1.0, 2 * outside)


def p_value(finding: Finding) -> float:
    """The p-value of a verdict, below 5% just where its intervals decide it.

    Of a supported claim it is that of the quantity that says so least, of a contradicted one that
    of the quantity that says so most, of an open one the smaller of both. 1 for one seed; NaN where
    nothing measured decides. Where a look decided it is over its seeds, and is divided by the
    share of the 5% that the look may spend: by Bonferroni over all looks it is then below any
    level in no more studies than that, and so may enter a family.
    """
    deciding = _measured(finding)
    is_open = finding.verdict == "inconclusive"
    if not deciding or finding.verdict == "not run" or (is_open and finding.is_untold):
        return math.nan
    found = [p_values(m) if m.interval.n > 1 else (1.0, 1.0) for m in deciding]
    inside, outside = max(p for p, _ in found), min(p for _, p in found)
    p = min(inside, outside) if is_open else inside
    p = outside if finding.verdict == "contradicted" else p
    return min(1.0, p / finding.share) if finding.share else 1.0


def _measured(finding: Finding) -> list[Measurement]:
    """What decides a finding and is not exact."""
    return [m for m in finding.seen or finding.measurements if m.decides and m.interval.n]


def adjusted(findings: Sequence[Finding]) -> list[float]:
    """The p-values of a family by Holm's correction, in its order; NaN for those outside it.

    One of several quantities is enough to contradict a claim, so the p-value of a contradiction
    counts as often as there are quantities.
    """
    p = np.array([p_value(one) * _ways(one) for one in findings], dtype=np.float64)
    inside = np.flatnonzero(~np.isnan(p))
    order = inside[np.argsort(p[inside], kind="stable")]
    left = np.arange(len(order), 0, -1)
    p[order] = np.minimum(np.maximum.accumulate(left * p[order]), 1.0)
    return [float(one) for one in p]


def _ways(finding: Finding) -> int:
    return len(_measured(finding)) if finding.verdict == "contradicted" else 1


def stands_alone(finding: Finding, among: float) -> bool:
    """Whether a verdict is decided by its intervals and not so in its family.

    Args:
        finding: The claim.
        among: Its adjusted p-value.
    """
    return finding.verdict in DECIDED and among >= ERROR
