"""Verdicts that rest on the same numbers are one statement, counted once."""

from collections.abc import Mapping

import pytest

from studies.judging.statements import counted, statements, told
from studies.judging.verdicts import Finding, Measurement
from studies.tables.intervals import exact
from tests.witness.made_up_findings import finding
from tests.witness.made_up_findings import quantity as of

LOW, OTHER = {0: -0.5, 1: -0.4, 2: -0.3}, {0: -0.5, 1: -0.4, 2: -0.2}


def untold(values: Mapping[int, float]) -> Measurement:
    return of(values, decides=False, untold="not trained")


def fact(value: float, what: str = "ratio of a schedule") -> Measurement:
    return Measurement(what=what, interval=exact(value), unit="ratio", high=1.0)


def test_the_same_values_of_the_same_seeds_are_one_statement() -> None:
    turned = {seed: -value for seed, value in reversed(LOW.items())}
    moved = {seed + 1: value for seed, value in LOW.items()}
    findings = [finding(of(one)) for one in (LOW, OTHER, turned, moved)]
    assert statements(findings) == [0, 1, 0, 3]
    assert statements([finding(of(LOW)), finding(of(LOW, unit="log ratio"))]) == [0, 1]


def test_rounding_in_the_last_digits_keeps_no_statements_apart() -> None:
    """0.1 + 0.2 is not 0.3 in binary."""
    sums = [{0: 0.3, 1: 0.5, 2: 0.6}, {0: 0.1 + 0.2, 1: 0.5, 2: 0.6}]
    assert sums[0] != sums[1]
    assert statements([finding(of(one)) for one in sums]) == [0, 0]
    near = [{0: 0.3, 1: 0.5}, {0: 0.3 + 1e-7, 1: 0.5}]
    assert statements([finding(of(one)) for one in near]) == [0, 1]


def test_verdicts_are_joined_through_others() -> None:
    findings = [finding(of(LOW)), finding(of(OTHER)), finding(of(OTHER), of(LOW))]
    assert statements(findings) == [0, 0, 0]


def test_what_decides_nothing_joins_nothing_unless_a_condition_keeps_it_from_it() -> None:
    aside = of([-0.5, -0.4], decides=False)
    assert statements([finding(aside, of(LOW)), finding(aside, of(OTHER))]) == [0, 1]
    assert statements([finding(of(LOW)), finding(untold(LOW))]) == [0, 0]


def test_no_difference_at_all_is_no_number_to_share() -> None:
    none = dict.fromkeys(range(3), 0.0)
    assert statements([finding(of(none)), finding(of(none))]) == [0, 1]


def test_exact_facts_are_the_same_by_quantity_and_number() -> None:
    findings = [finding(fact(0.9)), finding(fact(0.9)), finding(fact(0.9, "another"))]
    assert statements(findings) == [0, 0, 2]
    assert counted(findings).exact == 2


def test_chance_is_counted_over_what_intervals_may_decide() -> None:
    """A support errs in 2.5% of statements, a contradiction in 2.5% of what may make one."""
    one_more = {0: 0.2, 1: 0.9, 2: -0.1}
    findings = [
        finding(fact(0.9)),
        finding(of(LOW)),
        finding(of(LOW)),
        finding(of(OTHER), of(one_more)),
        finding(untold({0: -7.0, 1: -8.0})),
    ]
    count = counted(findings)
    assert (count.statements, count.exact, count.measured) == (4, 1, 2)
    assert count.false_supports == pytest.approx(2 * 0.025)
    assert count.false_contradictions == pytest.approx(3 * 0.025)
    assert told(findings).startswith(
        "As some rest on the same numbers, they make 4 statements, 1 of them exact, of schedules "
        "alone. Were nothing true, 2 that intervals may decide would give at most 0.05 false "
    )
    assert told(findings[:1]).endswith("1 of them exact, of schedules alone.")
    assert told(findings[1::2]).startswith("None rests on the numbers of another. Were nothing")


AGAINST = {0: 1.0, 1: 1.1, 2: 0.9}


@pytest.mark.parametrize(
    ("one", "exact", "measured", "quantities"),
    [
        (finding(fact(0.9)), 1, 0, 0),
        (finding(fact(0.9), of(LOW)), 0, 1, 1),
        (finding(), 0, 0, 0),
        (finding(of({0: -0.5})), 0, 0, 0),  # one seed decides nothing
        (finding(of(LOW), untold(OTHER)), 0, 0, 0),
        (finding(of(AGAINST), untold(OTHER)), 0, 1, 1),  # what is untold mends no contradiction
        (finding(of(LOW), verdict="not run"), 0, 0, 0),
        (finding(of(LOW), of({seed: -value for seed, value in LOW.items()})), 0, 1, 1),
    ],
)
def test_what_may_be_false_by_chance_is_a_quantity_over_seeds_that_decides(
    one: Finding, exact: int, measured: int, quantities: int
) -> None:
    count = counted([one])
    assert (count.exact, count.measured) == (exact, measured)
    assert count.false_contradictions == pytest.approx(0.025 * quantities)


def test_a_statement_that_is_in_part_measured_is_not_exact() -> None:
    count = counted([finding(fact(0.9)), finding(fact(0.9), of(LOW))])
    assert (count.statements, count.exact, count.measured) == (1, 0, 1)
