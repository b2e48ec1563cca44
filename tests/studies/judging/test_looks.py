"""Looks at more and more seeds: how often simulated ones err, and what their intervals cover."""

import math
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from iddpm.arrays import FloatArray
from studies.analyses.judge import CLAIMS, judge
from studies.judging.comparison import Comparison, compared, within
from studies.judging.looks import LOOKS, bounds, by_looks, decided_by, looked_at, spent
from studies.judging.verdicts import Claim, Finding, Measured, Measurement, decide
from studies.judging.wording import looked
from studies.report.more_seeds import with_more
from studies.tables.intervals import exact, log_ratios_of_means, t_interval
from studies.tables.tables import Tables
from tests.witness.made_up_tables import made_up, planned


def of(values: Sequence[float], high: float = 0.0) -> Measurement:
    """A quantity below `high`, of seeds in order."""
    return Measurement(
        what="",
        interval=t_interval(values),
        unit="ratio",
        high=high,
        values=tuple(enumerate(values)),
    )


def finding(*measurements: Measurement) -> Finding:
    verdict, reason = decide(Measured(list(measurements), []), done=True)
    claim = Claim(says="", source="", method="", measure=lambda _: Measured([], []))
    return Finding(name="x", claim=claim, verdict=verdict, reason=reason, measurements=measurements)


def t_at(draws: FloatArray, look: int) -> FloatArray:
    statistic: FloatArray = stats.ttest_1samp(draws[:, :look], 0.0, axis=1).statistic
    return np.abs(statistic)


def test_five_percent_are_spent_by_the_last_look_and_more_by_each() -> None:
    shares = [spent(look) for look in LOOKS]
    assert shares[-1] == pytest.approx(0.05)
    assert shares[0] == pytest.approx(0.05 * math.log(1 + (math.e - 1) / 7))  # 3 of 21
    assert shares == sorted(shares)


def test_the_first_bound_is_students_and_none_is_below_it() -> None:
    first = stats.t.isf(spent(3) / 2, 2)
    assert first <= bounds()[3] < first + 0.01
    assert all(bound > stats.t.isf(0.025, look - 1) for look, bound in bounds().items())
    assert list(bounds()) == list(LOOKS)
    assert bounds(8) == {look: bounds()[look] for look in (3, 5, 8)}


def test_each_look_spends_its_part_of_the_error() -> None:
    """By draws of their own: at every look as many studies were decided as are to be."""
    trials, rng = 60_000, np.random.default_rng(21)
    draws = rng.standard_normal((trials, LOOKS[-1]))
    decided = np.zeros(trials, dtype=bool)
    for look in LOOKS:
        decided |= t_at(draws, look) > bounds()[look]
        error = 4 * math.sqrt(spent(look) / trials) + 0.01 * spent(look)  # of both simulations
        assert decided.mean() == pytest.approx(spent(look), abs=error)


def test_plain_intervals_err_more_when_looked_at_again() -> None:
    draws = np.random.default_rng(5).standard_normal((20_000, LOOKS[-1]))
    decided = np.zeros(len(draws), dtype=bool)
    for look in LOOKS:
        decided |= t_at(draws, look) > stats.t.isf(0.025, look - 1)
    assert decided.mean() > 0.12


def test_verdicts_of_simulated_studies_are_false_in_at_most_five_percent() -> None:
    trials, rng = 1000, np.random.default_rng(8)
    found = [decided_by(finding(of(row.tolist()))) for row in rng.standard_normal((trials, 21))]
    false = np.mean([verdict != "inconclusive" for verdict, _ in found])
    assert 0.01 < false <= 0.05 + 2 * math.sqrt(0.05 * 0.95 / trials)
    assert {look for verdict, look in found if verdict == "inconclusive"} == {21}


def test_the_intervals_of_all_looks_hold_the_mean_at_once() -> None:
    trials, rng = 1000, np.random.default_rng(4)
    held = 0
    for row in rng.normal(7.0, 2.0, (trials, 21)):
        whole = of(row.tolist())
        held += all((i := looked_at(whole, look).interval).low < 7 < i.high for look in LOOKS)
    assert held / trials == pytest.approx(0.95, abs=2.5 * math.sqrt(0.05 * 0.95 / trials))


def test_a_look_reads_the_seeds_alone_that_came_first() -> None:
    values, seeds = [-1.0, -1.2, -0.9, 5.0, 7.0], with_more([5, 9, 11], 5)
    added = replace(of(values), values=tuple(zip(seeds, values, strict=True)))
    by_number = replace(added, values=tuple(sorted(added.values)))
    assert by_number.in_order(seeds) == added
    assert by_number.in_order(seeds[:3]).values == (*added.values[:3], (0, 5.0), (1, 7.0))
    at = looked_at(added, 3)
    assert at.values == ((5, -1.0), (9, -1.2), (11, -0.9))
    half = bounds()[3] * np.std(values[:3], ddof=1) / math.sqrt(3)
    assert (at.interval.low, at.interval.high) == pytest.approx(
        (np.mean(values[:3]) - half, np.mean(values[:3]) + half)
    )


CLEAR = [-1.0, -1.1, -0.9]


def test_the_first_look_that_decides_stands_whatever_comes_after() -> None:
    assert decided_by(finding(of(CLEAR))) == ("supported", 3)
    assert decided_by(finding(of([*CLEAR, 9.0, 9.0]))) == ("supported", 3)
    late = [-1.0, -2.0, -0.1, -1.0, -1.0, -1.1, -0.9, -1.0]
    assert decided_by(finding(of(late[:5]))) == ("inconclusive", 5)
    assert decided_by(finding(of(late[:7]))) == ("inconclusive", 5)
    assert decided_by(finding(of(late))) == ("supported", 8)


def distances(a: Sequence[float], b: Sequence[float]) -> Finding:
    """Of two arms' distances by seed, whether they are about the same."""
    values = log_ratios_of_means(dict(enumerate(a)), dict(enumerate(b)))
    same = Comparison(what="", values=values, unit="log ratio", region=within(0.1))
    return finding(*compared([same]).measurements)


def test_what_a_look_finds_of_distances_is_the_same_whatever_seeds_come_after() -> None:
    """Both arms of a seed go together, so that their means move with every seed that is added."""
    rng, decided = np.random.default_rng(0), 0
    for _ in range(200):
        a = rng.normal(10, 4, 8)
        b = a * rng.normal(1.0, 0.015, 8)
        early, late = distances(a[:3].tolist(), b[:3].tolist()), distances(a.tolist(), b.tolist())
        assert looked_at(late.measurements[0], 3) == looked_at(early.measurements[0], 3)
        verdict, look = decided_by(early)
        decided += verdict != "inconclusive"
        if verdict == "inconclusive":
            assert decided_by(late)[1] > 3
        else:
            assert decided_by(late) == (verdict, look)
    assert 20 < decided < 180


def test_a_look_at_distances_that_have_no_ratio_yet_decides_nothing() -> None:
    a, b = [-3.0, 1.0, 1.0, 9.0, 9.0], [2.0, 2.0, 2.0, 2.0, 2.0]
    whole = distances(a, b)
    at = looked_at(whole.measurements[0], 3)
    assert (at.interval.low, at.interval.high, at.verdict) == (-math.inf, math.inf, "inconclusive")
    assert math.isfinite(looked_at(whole.measurements[0], 5).interval.low)


@pytest.mark.parametrize(
    "sweep",
    [
        *("architecture", "early_stopping", "gan_comparison", "hybrid_vlb_ensemble"),
        *("model_size", "objective_ablation", "sampling_stride", "sigma_ablation", "skip_prefix"),
    ],
)
def test_every_claim_can_be_looked_at_as_it_was_at_its_first_seeds(sweep: str) -> None:
    few, many = (of_seeds_that_go_together(sweep, range(seeds)) for seeds in (3, 8))
    for name in many.record["claims"]:
        early, late = (CLAIMS[name].measure(study).measurements for study in (few, many))
        assert [m.of_first(3) for m in late] == [m.values for m in early]


def test_the_seeds_of_a_study_are_looked_at_in_the_order_of_its_record() -> None:
    seeds = with_more([5, 9, 11], 8)
    study = of_seeds_that_go_together("sigma_ablation", seeds)
    found = judge("learned_sigma_lowers_nll", study).measurements
    assert [[seed for seed, _ in one.values] for one in found] == [seeds] * len(found)
    early = of_seeds_that_go_together("sigma_ablation", seeds[:3])
    before = judge("learned_sigma_lowers_nll", early).measurements
    assert [looked_at(one, 3).interval for one in found] == [
        looked_at(one, 3).interval for one in before
    ]


def of_seeds_that_go_together(sweep: str, seeds: Sequence[int]) -> Tables:
    """A study in which a seed moves all that is measured of it."""

    def value(row: Mapping[str, object]) -> float:
        own = zlib.crc32(repr([(key, str(row[key])) for key in sorted(row)]).encode())
        common = np.random.default_rng(zlib.crc32(str(row["seed"]).encode())).normal()
        return math.exp(0.3 * common + 0.05 * np.random.default_rng(own).normal())

    return made_up(planned(sweep, seeds=seeds), value)


def test_quantities_decide_together_at_the_look_that_all_have_seeds_for() -> None:
    known = replace(of(CLEAR), interval=exact(-1.0), values=())
    assert decided_by(finding(of(CLEAR), of([*CLEAR, -1.0, -1.1]), known)) == ("supported", 3)
    assert decided_by(finding(of(CLEAR), of([1.0, 1.1, 0.9, 1.0, 1.0]))) == ("contradicted", 3)
    assert decided_by(finding(of(CLEAR), of([-1.0, -1.1]))) == ("inconclusive", 0)
    assert decided_by(finding(known)) == ("supported", 0)
    assert decided_by(replace(finding(of(CLEAR)), is_untold=True)) == ("inconclusive", 3)


def test_where_looks_decide_the_claim_says_which_one_did_and_what_plain_intervals_say() -> None:
    late = finding(of([*CLEAR, 9.0, 9.0]))
    found = by_looks(late)
    assert (late.verdict, found.verdict, found.look) == ("inconclusive", "supported", 3)
    assert found.reason == (
        "Looked at with 3, 5, 8, 13, 21 seeds by intervals that hold at every look: look 1 of 5, "
        "at 3 seeds, decides: supported. Plain intervals over all seeds: inconclusive. "
        f"{late.reason}"
    )
    assert looked(found) == ""
    early = by_looks(finding(of([-1.0, -2.0, -0.6])))
    assert "look 1 of 5, at 3 seeds, leaves it open. Plain" in early.reason
    few = finding(of([-1.0, -1.1]))
    assert by_looks(few) is few


def test_it_is_said_where_there_was_more_than_one_look() -> None:
    assert looked(finding(of(CLEAR))) == ""
    assert looked(finding(of([*CLEAR, -1.0]))) == (
        "If seeds were added after looking, intervals that hold at every look at 3, 5, 8, 13, 21 "
        "seeds decide: supported by the look at 3."
    )
