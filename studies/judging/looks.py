"""Verdicts that may be looked at again and again while seeds are added.

Whoever adds seeds until a 95% interval decides is wrong more often than in 5%. Here the numbers of
seeds at which one looks are fixed beforehand, and the 5% are spent over them: by a look at n of N
seeds 0.05 ln(1 + (e - 1) n/N) of them (Lan & DeMets 1983, Biometrika 70, 659-663, their spending
function of Pocock's type (1977), which lets early looks decide). The intervals of all looks hold
the mean at once in 95% (Jennison & Turnbull 1989), so that they decide against any border. The t of
a look depends on neither mean nor spread where the mean lies on the border: its bounds are known.
"""

import math
from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from itertools import pairwise

import numpy as np
from scipy.special import stdtrit

from studies.judging.families import DECIDED, ERROR
from studies.judging.verdicts import Finding, Measured, Measurement, Untold, Verdict, decide
from studies.tables.intervals import Interval, half_width_per_deviation, t_interval

LOOKS = (3, 5, 8, 13, 21)
"""Numbers of seeds at which one looks."""
BY_LOOKS = {"rule": "looks"}
"""What the record of a study says whose claims are decided look by look."""
PATHS = 500_000
"""Simulated studies; the bounds are known to some 0.5% by so many."""


def spent(seeds: int) -> float:
    """How much of the 5% the looks at up to so many seeds have spent together."""
    return ERROR * math.log1p((math.e - 1) * seeds / LOOKS[-1])


@cache
def bounds(last: int = LOOKS[-1]) -> Mapping[int, float]:
    """By look: the t beyond which it decides, on either side.

    Each is the quantile, over simulated studies that no look before it decided, that spends the
    look's part; the first is Student's. Rounded up to two decimals; the same in every process.

    Args:
        last: The look that ends them, one of `LOOKS`.
    """
    generator = np.random.default_rng(0)
    sums, squares = np.zeros(PATHS), np.zeros(PATHS)
    found: dict[int, float] = {}
    for before, look in pairwise((0, *LOOKS[: LOOKS.index(last) + 1])):
        for _ in range(look - before):
            values = generator.standard_normal(len(sums))
            sums, squares = sums + values, squares + values**2
        t = np.abs(sums) / np.sqrt((squares - sums**2 / look) * look / (look - 1))
        beyond = round(PATHS * (spent(look) - (spent(before) if found else 0.0)))
        exact = stdtrit(look - 1, 1 - spent(look) / 2)
        found[look] = math.ceil(100 * (np.partition(t, -beyond)[-beyond] if found else exact)) / 100
        sums, squares = sums[t < found[look]], squares[t < found[look]]
    return found


def looked_at(measurement: Measurement, look: int) -> Measurement:
    """A quantity at a look: of its first so many seeds, with the interval of all looks at once.

    It is what it was when there were no other seeds. Where their distances have no ratio, its
    interval holds everything.

    Args:
        measurement: Of at least so many seeds.
        look: One of `LOOKS`.
    """
    values = measurement.of_first(look)
    if any(math.isnan(value) for _, value in values):
        return replace(measurement, interval=Interval(math.nan, -math.inf, math.inf, look))
    plain = t_interval([value for _, value in values])
    wider = bounds(look)[look] / (float(half_width_per_deviation(look)) * math.sqrt(look))
    half = plain.half_width * wider
    interval = Interval(plain.mean, plain.mean - half, plain.mean + half, look)
    return replace(measurement, interval=interval, values=values)


def decided_by(finding: Finding) -> tuple[Verdict, int]:
    """The verdict of the first look that decided a claim, and the number of its seeds.

    Of a claim that no look decided it is that of the last look that its seeds allow, of one with
    fewer seeds than the first look inconclusive by 0. What is exact, and what nothing decides yet,
    keeps its verdict.
    """
    measured = [m for m in finding.measurements if m.decides and m.interval.n]
    if not measured or finding.verdict == "not run":
        return finding.verdict, 0
    exact = [m for m in finding.measurements if m.decides and not m.interval.n]
    untold: list[str] = [Untold(finding.name)] if finding.is_untold else []
    verdict: Verdict = "inconclusive"
    by = 0
    for look in LOOKS:
        if look > min(len(m.values) for m in measured):
            break
        at = Measured([*exact, *(looked_at(m, look) for m in measured)], untold)
        (verdict, _), by = decide(at, done=True), look
        if verdict in DECIDED:
            break
    return verdict, by


def by_looks(finding: Finding) -> Finding:
    """A claim as its looks decide it, with what plain intervals of all seeds say."""
    verdict, look = decided_by(finding)
    if not look:
        return finding
    at = f"look {LOOKS.index(look) + 1} of {len(LOOKS)}, at {look} seeds"
    said = f"decides: {verdict}" if verdict in DECIDED else "leaves it open"
    reason = (
        f"Looked at with {', '.join(map(str, LOOKS))} seeds by intervals that hold at every look: "
        f"{at}, {said}. Plain intervals over all seeds: {finding.verdict}. "
        f"{finding.reason}"
    )
    return replace(finding, verdict=verdict, reason=reason, look=look)
