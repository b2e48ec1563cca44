"""The claims of a real sweep over a thousand made-up tables: errors, coverage and power.

Every value is drawn anew for each arm and seed: normal bits/dim, log-normal Fréchet distances. What
is true is known, so that what the claims say of it can be counted.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
import pytest

from studies.analyses.judge import judge
from studies.judging.families import adjusted, stands_alone
from studies.judging.looks import BY_LOOKS, looked_at
from studies.judging.power import chances
from studies.judging.verdicts import Finding, Measurement
from studies.tables.intervals import Interval, half_width_per_deviation
from studies.tables.tables import Tables
from tests.witness.made_up_tables import made_up, planned

LOWER, FEW = "learned_sigma_lowers_nll", "learned_sigma_keeps_quality_at_few_steps"
MINOR = "sigma_choice_is_minor_at_many_steps"
BITS, LOGS = 0.05, 0.1
"""Deviations of bits/dim and of the logs of distances over seeds."""


def simulated(
    trials: int, seeds: int, claims: Sequence[str], gain: float, *, by_looks: bool = False
) -> Iterator[list[Finding]]:
    """What claims find in so many studies in which a learned Σ saves `gain` bits/dim."""
    plan = planned("sigma_ablation", preset="digits", seeds=list(range(seeds)))
    tables = made_up(plan, lambda row: 1.0)
    if by_looks:
        tables = replace(tables, record={**tables.record, **BY_LOOKS})
    rows, rng = tables.results, np.random.default_rng(seeds)
    is_bound = rows["metric"] == "bits_per_dim"
    bits = 3.0 - gain * ((rows["objective"] == "hybrid") & (rows["variance"] == "range"))
    for _ in range(trials):
        noise = rng.standard_normal(len(rows))
        values = np.where(is_bound, bits + BITS * noise, 50 * np.exp(LOGS * noise))
        study: Tables = replace(tables, results=rows.assign(value=values))
        yield [judge(name, study) for name in claims]


def deciding(findings: Sequence[Finding]) -> list[Measurement]:
    return [m for one in findings for m in one.measurements if m.decides]


def is_false(finding: Finding) -> bool:
    """Whether a verdict errs where no arm differs: β and β̃ are then about the same in truth.

    That there is no difference that matters is then true as well.
    """
    if finding.verdict != "contradicted":
        return finding.verdict == "supported" and finding.name != MINOR
    seen = [m for m in finding.seen or finding.measurements if m.decides]
    seen = [looked_at(m, finding.look) for m in seen] if finding.look else seen
    return any(m.verdict == "contradicted" and not m.is_no_difference for m in seen)


def hold(intervals: Sequence[Interval], truth: float) -> float:
    return float(np.mean([one.low < truth < one.high for one in intervals]))


def planned_power(gain: float, seeds: int) -> float:
    """The power of a difference of `LOWER`: of two independent arms, of known spread."""
    deviation = math.sqrt(2) * BITS
    half = deviation * float(half_width_per_deviation(3))
    inside, _ = chances(Interval(-gain, -gain - half, -gain + half, 3), -math.inf, 0.0, seeds)
    return float(inside)


def test_what_is_simulated_is_measured() -> None:
    ((lower,),) = simulated(1, 3, [LOWER], 0.4)
    assert len(deciding([lower])) == 2
    assert lower.verdict == "supported"
    ((few, minor),) = simulated(1, 3, [FEW, MINOR], 0.0)
    assert len(deciding([few])) == 2
    assert {m.interval.n for m in deciding([few, minor])} == {3}


def test_few_simulated_studies_err_and_cover_as_many_do() -> None:
    found = list(simulated(40, 5, [LOWER], 0.0))
    intervals = [m.interval for page in found for m in deciding(page)]
    assert hold(intervals, 0.0) == pytest.approx(0.95, abs=4 * math.sqrt(0.05 * 0.95 / 80))


@pytest.mark.slow
def test_where_nothing_differs_few_pages_err_and_intervals_cover() -> None:
    found = list(simulated(1000, 3, [LOWER, FEW, MINOR], 0.0))
    intervals = [m.interval for page in found for m in deciding(page)]
    assert 0.94 <= hold(intervals, 0.0) <= 0.965
    standing, alone = false_pages(found)
    assert standing <= 0.05
    assert alone > standing


def false_pages(pages: Sequence[Sequence[Finding]]) -> tuple[float, float]:
    """The shares of pages with a false verdict that is not marked to stand alone, and with any."""
    standing = [
        any(
            is_false(f) and not stands_alone(f, p)
            for f, p in zip(page, adjusted(page), strict=True)
        )
        for page in pages
    ]
    return float(np.mean(standing)), float(np.mean([any(map(is_false, page)) for page in pages]))


def test_a_simulated_page_is_decided_by_looks() -> None:
    ((lower, few, minor),) = simulated(1, 5, [LOWER, FEW, MINOR], 4.0, by_looks=True)
    assert (lower.verdict, lower.look) == ("supported", 3)
    assert {few.look, minor.look} <= {3, 5}


@pytest.mark.slow
def test_where_nothing_differs_few_pages_err_though_seeds_are_added_look_by_look() -> None:
    """Whole pages that are decided as `run --decide` does, and by looks at up to 13 seeds."""
    pages = list(simulated(1000, 13, [LOWER, FEW, MINOR], 0.0, by_looks=True))
    standing, alone = false_pages(pages)
    assert standing <= 0.05
    assert alone > standing
    assert {f.look for page in pages for f in page} == {3, 5, 8, 13}


POWERS = [
    *((0.231, 3), (0.119, 5), (0.082, 8)),  # 80%
    *((0.148, 3), (0.082, 5), (0.057, 8)),  # 50%
    *((0.317, 3), (0.156, 5), (0.106, 8)),  # 95%
]


@pytest.mark.slow
@pytest.mark.parametrize(("gain", "seeds"), POWERS)
def test_planned_power_is_that_of_simulated_studies(gain: float, seeds: int) -> None:
    """Of each of two differences, which share an arm: the claim needs both, and has less."""
    pages = simulated(500, seeds, [LOWER], gain)
    found = [m.verdict == "supported" for page in pages for m in deciding(page)]
    assert np.mean(found) == pytest.approx(planned_power(gain, seeds), abs=0.05)


def test_the_gains_stand_for_half_for_most_and_for_nearly_all_of_the_power() -> None:
    powers = [planned_power(*one) for one in POWERS]
    for some, wanted in zip((powers[:3], powers[3:6], powers[6:]), (0.8, 0.5, 0.95), strict=True):
        assert some == pytest.approx([wanted] * 3, abs=0.01)
