"""p-values against SciPy's t tests and the intervals' own verdicts, Holm against its example."""

import math
from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import ttest_1samp

from studies.judging.families import ERROR, adjusted, p_value, p_values, stands_alone
from studies.judging.verdicts import Finding
from studies.tables.intervals import exact
from tests.witness.made_up_findings import finding
from tests.witness.made_up_findings import quantity as of

REGIONS = [(-math.inf, 0.3), (0.2, math.inf), (-0.4, 0.9)]
VALUES = [-0.3, 0.4, 0.2, 0.7]


def above(border: float) -> float:
    """One-sided p-value of the values to have a mean above a border."""
    return float(ttest_1samp(VALUES, border, alternative="greater").pvalue)


def test_p_values_are_twice_those_of_one_sided_t_tests() -> None:
    to_be_below = 2 * (1 - above(0.3))
    assert p_values(of(VALUES, high=0.3)) == pytest.approx((to_be_below, 1.0))
    assert p_values(of(VALUES, high=0.2)) == pytest.approx((1.0, 2 * above(0.2)))
    assert p_values(of(VALUES, low=0.2, high=math.inf)) == pytest.approx((2 * above(0.2), 1.0))
    inside, outside = p_values(of(VALUES, low=-0.4, high=0.9))
    assert inside == pytest.approx(2 * max(above(-0.4), 1 - above(0.9)))
    assert outside == 1.0
    assert p_values(of(VALUES, low=0.7, high=0.9))[1] == pytest.approx(2 * (1 - above(0.7)))


@pytest.mark.parametrize("n", [2, 3, 5])
@pytest.mark.parametrize(("low", "high"), REGIONS)
def test_p_values_are_below_five_percent_where_intervals_decide(
    low: float, high: float, n: int
) -> None:
    rng, seen = np.random.default_rng(n), set()
    for scale in (0.01, 0.1, 1.0):
        for values in rng.normal(rng.normal(0.2, 0.5, (200, 1)), scale, (200, n)):
            measured = of(values.tolist(), low=low, high=high)
            inside, outside = p_values(measured)
            assert (inside < 0.05) == (measured.verdict == "supported")
            assert (outside < 0.05) == (measured.verdict == "contradicted")
            seen.add(measured.verdict)
    assert seen == {"supported", "contradicted", "inconclusive"}


def test_the_least_sure_quantity_supports_and_the_surest_contradicts() -> None:
    sure, less = of([-1.0, -1.1, -0.9]), of([-1.0, -1.4, -0.6])
    assert p_value(finding(sure, less)) == p_values(less)[0] > p_values(sure)[0]
    against, more = of([1.0, 1.4, 0.6]), of([1.0, 1.1, 0.9])
    assert p_value(finding(sure, against, more)) == p_values(more)[1] < p_values(against)[1]
    unsure = of([-1.0, 0.5, -0.6])
    assert p_value(finding(unsure)) == p_values(unsure)[0] > 0.05
    doubted = of([1.0, -0.5, 0.6])
    assert p_value(finding(doubted)) == p_values(doubted)[1] < p_values(doubted)[0]
    two = of([-1.0, -1.1])
    assert p_value(finding(two)) == p_values(two)[0] < 1


def test_what_is_exact_or_decides_nothing_has_no_part_in_it() -> None:
    sure, known = of([-1.0, -1.1, -0.9]), replace(of([-1.0, -1.1]), interval=exact(-1.0))
    aside = replace(of([9.0, 9.1]), decides=False)
    assert p_value(finding(sure, known, aside)) == p_value(finding(sure))
    assert p_value(finding(of([-1.0]))) == 1.0
    for other in (finding(known), replace(finding(of(VALUES)), is_untold=True), finding()):
        assert math.isnan(p_value(other))
    assert not math.isnan(p_value(replace(finding(of([1.0, 1.1])), is_untold=True)))


def with_p(p: float, n: int = 3) -> Finding:
    """A claim of one quantity whose p-value is this."""
    deviations = np.array([-1.0, 0.0, 1.0])
    low, high = 1e-9, 1e9
    while high / low > 1 + 1e-12:
        middle = math.sqrt(low * high)
        found = ttest_1samp(deviations - middle, 0.0).pvalue
        low, high = (middle, high) if found > p else (low, middle)
    return finding(of((deviations - low).tolist()))


def test_holm_adjusts_as_by_hand() -> None:
    """Sorted: 0.005 x 4, 0.01 x 3, then 0.03 x 2, and 0.04 x 1 is no less than the one before."""
    family = [with_p(p) for p in (0.01, 0.04, 0.03, 0.005)]
    outsider = finding(replace(of([-1.0, -1.1]), interval=exact(-1.0)))
    found = adjusted([family[0], outsider, *family[1:]])
    assert math.isnan(found.pop(1))
    assert found == pytest.approx([0.03, 0.06, 0.06, 0.02], rel=1e-6)
    assert [stands_alone(*one) for one in zip(family, found, strict=True)] == [
        *(False, True, True, False)
    ]
    assert not stands_alone(outsider, math.nan)
    assert stands_alone(family[0], ERROR)
    assert adjusted([with_p(0.6), with_p(0.9)]) == pytest.approx([1.0, 1.0])


def test_an_open_verdict_does_not_stand_and_so_does_not_stand_alone() -> None:
    assert not stands_alone(with_p(0.2), 0.2)


def test_a_contradiction_counts_as_often_as_it_has_quantities() -> None:
    one, other = of([1.0, 1.1, 0.9]), of([-1.0, -1.1, -0.9])
    assert adjusted([finding(one, other, other)]) == pytest.approx([3 * p_values(one)[1]])
    assert adjusted([finding(other, other)]) == pytest.approx([p_values(other)[0]])


def test_with_nothing_true_at_most_five_pages_of_a_hundred_hold_a_false_verdict() -> None:
    """Eight claims a page, half of two quantities, each true mean on the border of its claim."""
    rng, pages = np.random.default_rng(13), 1000
    alone = among = 0
    for draws in rng.normal(size=(pages, 8, 2, 3)):
        page = [
            finding(*(of(quantity.tolist()) for quantity in claim[: 1 + i % 2]))
            for i, claim in enumerate(draws)
        ]
        decided = [one.verdict != "inconclusive" for one in page]
        alone += any(decided)
        among += any(
            is_decided and not stands_alone(one, p)
            for one, p, is_decided in zip(page, adjusted(page), decided, strict=True)
        )
    assert alone / pages > 0.25
    assert among / pages <= 0.05 + 2 * math.sqrt(0.05 * 0.95 / pages)
