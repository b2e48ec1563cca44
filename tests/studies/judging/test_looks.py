"""Looks at more and more seeds: how often simulated ones err, and what their intervals cover."""

import math
import zlib
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from iddpm.arrays import FloatArray
from studies.analyses.judge import judge
from studies.judging.comparison import Comparison, compared, within
from studies.judging.families import adjusted, p_value, stands_alone
from studies.judging.looks import LOOKS, by_looks, decided_by, looked_at, looks, share, spent
from studies.judging.verdicts import Finding, Measured, Measurement, Untold, decide
from studies.judging.wording import looked
from studies.report.more_seeds import with_more
from studies.tables.intervals import exact, log_ratios_of_means, t_interval
from studies.tables.tables import Tables
from tests.witness import made_up_findings
from tests.witness.made_up_findings import quantity as of
from tests.witness.made_up_tables import made_up, planned


def of_some(one: Measurement, seeds: Collection[int]) -> Measurement:
    some = tuple((seed, value) for seed, value in one.values if seed in seeds)
    interval = t_interval([value for _, value in some]) if one.values else one.interval
    return replace(one, interval=interval, values=some)


def finding(
    *measurements: Measurement, of_seeds: Callable[[Collection[int]], Measured] | None = None
) -> Finding:
    """What is found of these quantities and, unless said otherwise, of some of their seeds."""
    some = of_seeds or (lambda seeds: Measured([of_some(one, seeds) for one in measurements], []))
    return made_up_findings.finding(*measurements, of_seeds=some)


def t_at(draws: FloatArray, look: int) -> FloatArray:
    statistic: FloatArray = stats.ttest_1samp(draws[:, :look], 0.0, axis=1).statistic
    return np.abs(statistic)


BOUNDS = {look: float(stats.t.isf(0.025 * share(look), look - 1)) for look in LOOKS}


def test_all_of_the_error_is_spent_by_the_last_look_and_more_by_each() -> None:
    shares = [spent(look) for look in LOOKS]
    assert shares[-1] == pytest.approx(1)
    assert shares[0] == pytest.approx(math.log(1 + (math.e - 1) / 7))  # 3 of 21
    assert shares == sorted(shares)
    assert np.cumsum([share(look) for look in LOOKS]) == pytest.approx(shares)


def test_each_look_decides_by_students_t_at_its_share() -> None:
    values = [0.3, -0.1, 0.2, 0.4, 0.7, 0.1, 0.2, -0.3]
    for look in (3, 5, 8):
        some = values[:look]
        found = looked_at(of(some), look).interval
        expected = stats.ttest_1samp(some, 0).confidence_interval(1 - 0.05 * share(look))
        assert (found.low, found.high) == pytest.approx((expected.low, expected.high))
        assert BOUNDS[look] > stats.t.isf(0.025, look - 1)


def test_all_looks_together_err_in_at_most_five_percent_and_hardly_less() -> None:
    trials, rng = 60_000, np.random.default_rng(21)
    draws = rng.standard_normal((trials, LOOKS[-1]))
    decided = np.zeros(trials, dtype=bool)
    for look in LOOKS:
        decided |= t_at(draws, look) > BOUNDS[look]
    assert 0.035 < decided.mean() <= 0.05


def test_the_p_value_of_a_look_is_below_any_level_in_no_more_studies_than_that() -> None:
    trials, rng = 60_000, np.random.default_rng(22)
    draws = rng.standard_normal((trials, LOOKS[-1]))
    p = np.ones(trials)
    for look in LOOKS[::-1]:  # the first that decides stands
        t = t_at(draws, look)
        p = np.where(t > BOUNDS[look], 2 * stats.t.sf(t, look - 1) / share(look), p)
    for level in (0.001, 0.005, 0.01, 0.025, 0.05):
        assert (p < level).mean() <= level + 3 * math.sqrt(level / trials)


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
        held += all(
            (i := looked_at(of_some(whole, range(look)), look).interval).low < 7 < i.high
            for look in LOOKS
        )
    assert held / trials >= 0.95 - 2.5 * math.sqrt(0.05 * 0.95 / trials)


def test_a_look_reads_the_seeds_alone_that_came_first() -> None:
    values, seeds = [-1.0, -1.2, -0.9, 5.0, 7.0], with_more([9, 11, 5], 5)
    added = replace(of(values), values=tuple(zip(seeds, values, strict=True)))
    by_number = replace(added, values=tuple(sorted(added.values)))
    assert by_number.in_order(seeds) == added
    assert by_number.in_order(seeds[:3]).values == (*added.values[:3], (12, 5.0), (13, 7.0))
    (first, *_) = looks(finding(added))
    assert first.seen.measurements[0].values == ((9, -1.0), (11, -1.2), (5, -0.9))


CLEAR = [-1.0, -1.1, -0.9]


def test_the_first_look_that_decides_stands_whatever_comes_after() -> None:
    assert decided_by(finding(of(CLEAR))) == ("supported", 3)
    assert decided_by(finding(of([*CLEAR, 9.0, 9.0]))) == ("supported", 3)
    late = [-1.0, -2.0, -0.1, -1.0, -1.0, -1.1, -0.9, -1.0]
    assert decided_by(finding(of(late[:5]))) == ("inconclusive", 5)
    assert decided_by(finding(of(late[:7]))) == ("inconclusive", 5)
    assert decided_by(finding(of(late))) == ("supported", 8)
    assert by_looks(finding(of(late))).share == pytest.approx(spent(8) - spent(5))


def distances(a: Sequence[float], b: Sequence[float]) -> Finding:
    """Of two arms' distances by seed, whether they are about the same."""

    def of_seeds(seeds: Collection[int]) -> Measured:
        values = log_ratios_of_means({s: a[s] for s in seeds}, {s: b[s] for s in seeds})
        same = Comparison(what="", values=values, unit="log ratio", region=within(0.1))
        return compared([same])

    return finding(*of_seeds(range(len(a))).measurements, of_seeds=of_seeds)


def test_what_a_look_finds_of_distances_is_the_same_whatever_seeds_come_after() -> None:
    """Both arms of a seed go together, so that their means move with every seed that is added."""
    rng, decided = np.random.default_rng(0), 0
    for _ in range(200):
        a = rng.normal(10, 4, 8)
        b = a * rng.normal(1.0, 0.015, 8)
        early, late = distances(a[:3].tolist(), b[:3].tolist()), distances(a.tolist(), b.tolist())
        assert looks(late)[0] == looks(early)[0]
        verdict, look = decided_by(early)
        decided += verdict != "inconclusive"
        if verdict == "inconclusive":
            assert decided_by(late)[1] > 3
        else:
            assert decided_by(late) == (verdict, look)
    assert 20 < decided < 180


def test_a_look_at_distances_that_have_no_ratio_yet_decides_nothing() -> None:
    a, b = [-3.0, 1.0, 1.0, 9.0, 9.0], [2.0, 2.0, 2.0, 2.0, 2.0]
    first, second = looks(distances(a, b))
    assert (first.verdict, first.seen.measurements) == ("inconclusive", [])
    assert len(second.seen.measurements) == 1


@pytest.mark.parametrize(
    "sweep",
    [
        *("architecture", "early_stopping", "gan_comparison", "hybrid_vlb_ensemble"),
        *("model_size", "objective_ablation", "sampling_stride", "sigma_ablation", "skip_prefix"),
    ],
)
def test_every_claim_can_be_looked_at_as_it_was_at_its_first_seeds(sweep: str) -> None:
    few, many = (of_seeds_that_go_together(sweep, range(seeds)) for seeds in (3, 5))
    for name in many.record["claims"]:
        early, late = (judge(name, study) for study in (few, many))
        if early.measurements:
            assert late.of_seeds
            assert late.of_seeds(range(3)).measurements == list(early.measurements)
        if early.claim.of_trained and sweep != "early_stopping":  # there some are past their best
            assert any(one.networks for one in early.measurements) or not early.measurements


def test_the_seeds_of_a_study_are_looked_at_in_the_order_of_its_record() -> None:
    seeds = with_more([9, 11, 5], 8)
    study = of_seeds_that_go_together("sigma_ablation", seeds)
    found = judge("learned_sigma_lowers_nll", study)
    assert {tuple(seed for seed, _ in one.values) for one in found.measurements} == {tuple(seeds)}
    early = of_seeds_that_go_together("sigma_ablation", seeds[:3])
    before = judge("learned_sigma_lowers_nll", early)
    assert looks(found)[0] == looks(before)[0]


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
    aside = replace(of(CLEAR), decides=False)
    assert decided_by(finding(known, aside)) == ("supported", 0)
    assert by_looks(finding(known, aside)).verdict == "supported"
    untold = finding(of(CLEAR), of_seeds=lambda _: Measured([of(CLEAR)], [Untold("x")]))
    assert decided_by(untold) == ("inconclusive", 3)


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
    assert few.verdict == "supported"
    assert by_looks(few).verdict == "inconclusive"
    assert "seeds: there are fewer. Every" in by_looks(few).reason
    assert p_value(by_looks(few)) == 1.0
    fewer = by_looks(finding(of([-1.0, -2.0])))
    assert (p_value(fewer), "there are fewer" in fewer.reason) == (1.0, True)
    known = finding(replace(of([-1.0]), interval=exact(-1.0), values=()))
    assert by_looks(known) is known
    waiting = replace(finding(of(CLEAR)), verdict="not run")
    assert by_looks(waiting) is waiting


def test_a_claim_that_a_look_decided_stands_in_its_family_by_what_that_look_saw() -> None:
    late = by_looks(finding(of([*CLEAR, 9.0, 9.0])))
    p = 2 * stats.t.sf(abs(stats.ttest_1samp(CLEAR, 0).statistic), 2)
    assert p_value(late) == pytest.approx(p / share(3))
    whole = replace(late, share=1.0, seen=())
    assert p_value(whole) > 0.05
    weak = by_looks(finding(of([-1.0, -1.15, -0.85])))
    assert weak.verdict == "supported"
    assert 0.025 < p_value(weak) < 0.05
    found = adjusted([weak, late])
    assert [stands_alone(*one) for one in zip([weak, late], found, strict=True)] == [False] * 2
    found = adjusted([weak, by_looks(finding(of([-1.0, -2.0, -0.1])))])
    assert stands_alone(weak, found[0])


def test_what_decides_at_a_look_is_asked_of_its_seeds_alone() -> None:
    """A condition that later seeds break, and one that they mend."""

    def found(seeds: Collection[int], told: Callable[[int], bool]) -> Measured:
        one = of_some(of([*CLEAR, -1.0, -1.1]), seeds)
        if told(len(seeds)):
            return Measured([one], [])
        return Measured([replace(one, decides=False, untold="why")], [Untold("why")])

    def claim(told: Callable[[int], bool]) -> Finding:
        whole = found(range(5), told)
        made = finding(*whole.measurements, of_seeds=lambda seeds: found(seeds, told))
        return replace(made, verdict=decide(whole, done=True)[0], is_untold=not told(5))

    broken = by_looks(claim(lambda n: n < 5))
    assert (broken.verdict, broken.look, broken.is_untold) == ("supported", 3, True)
    assert p_value(broken) < 0.05
    mended = by_looks(claim(lambda n: n == 5))
    assert (mended.verdict, mended.look) == ("supported", 5)


def test_it_is_said_where_there_was_more_than_one_look() -> None:
    assert looked(finding(of(CLEAR))) == ""
    assert looked(finding(of([*CLEAR, -1.0]))) == (
        "If seeds were added after looking, intervals that hold at every look at 3, 5, 8, 13, 21 "
        "seeds decide: supported by the look at 3."
    )
