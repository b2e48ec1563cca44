"""What measurements decide together, and what more training would leave of one."""

from dataclasses import replace

import pytest

from studies.judging.verdicts import Finding, Measured, Measurement, Untold, decide, listed
from studies.tables.intervals import exact, t_interval
from tests.witness.made_up_findings import finding
from tests.witness.made_up_findings import quantity as of

INSIDE = replace(of([-1.0, -1.1, -0.9]), what="in")
OUTSIDE = replace(of([1.0, 1.1, 0.9]), what="out", matters=0.5)
NONE = replace(of([0.01, -0.01, 0.0]), what="none", matters=0.5)
ACROSS = replace(of([-1.0, 1.5, 0.1]), what="across")
ALONE = replace(of([-1.0]), what="alone")
KNOWN = replace(INSIDE, interval=exact(-1.0), values=())


@pytest.mark.parametrize(
    ("measured", "missing", "verdict", "says"),
    [
        ((INSIDE, KNOWN), [], "supported", "Every deciding quantity lies wholly where"),
        ((INSIDE, OUTSIDE, NONE, ALONE), ["x"], "contradicted", "the claim says: out."),
        ((INSIDE, NONE), [Untold("x")], "contradicted", "No difference that matters here: none."),
        ((INSIDE,), ["x"], "not run", "Not measured yet: x."),
        ((), [], "not run", "Not measured yet: ."),
        ((), [Untold("x")], "inconclusive", "do not tell: x."),
        ((INSIDE, ACROSS), [], "inconclusive", "crosses the border of the claim: across."),
        ((ALONE, ACROSS), [], "inconclusive", "There is only one seed"),
        ((INSIDE, replace(OUTSIDE, decides=False)), [], "supported", "Every"),
    ],
)
def test_the_verdict_of_several_quantities(
    measured: tuple[Measurement, ...], missing: list[str], verdict: str, says: str
) -> None:
    found, reason = decide(Measured(list(measured), missing), done=True)
    assert (found, says in reason) == (verdict, True)


def test_what_does_not_tell_may_still_come_while_a_study_runs() -> None:
    assert decide(Measured([INSIDE], [Untold("x")]), done=False)[0] == "not run"


def test_a_finding_is_exact_where_nothing_of_it_was_measured_over_seeds() -> None:
    given: list[Finding] = [finding(KNOWN), finding(KNOWN, INSIDE), finding(INSIDE)]
    assert [one.is_exact for one in given] == [True, False, False]


def test_each_doubling_moves_every_seed_as_far_as_the_last_one_did() -> None:
    whole = replace(of({3: 5.0, 1: 2.0, 7: 1.0}), half_trained=((1, 3.0), (3, 4.5)))
    doubled, longer = whole.after(1), whole.after(3)
    assert doubled is not None
    assert longer is not None
    assert (doubled.values, doubled.half_trained) == (((3, 5.5), (1, 1.0)), ())
    assert longer.values == ((3, 6.5), (1, -1.0))
    assert longer.interval == t_interval([6.5, -1.0])
    assert doubled.after(1) is None


def test_claims_that_are_found_together_keep_all_that_is_said_of_each() -> None:
    one, other = (Measured([INSIDE], [n], [f"remark {n}"], [f"reason {n}"]) for n in "ab")
    both = one + other
    assert (both.measurements, both.missing) == ([INSIDE, INSIDE], ["a", "b"])
    assert (both.remarks, both.reasons) == (["remark a", "remark b"], ["reason a", "reason b"])


def test_numbers_are_listed_with_an_and() -> None:
    assert [listed(one) for one in ([7], [7, 1000], [7, 1000, 4000])] == [
        *("7", "7 and 1,000", "7, 1,000 and 4,000")
    ]
