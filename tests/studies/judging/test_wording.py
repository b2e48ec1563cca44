"""A measurement as people read it, against sentences written by hand."""

import math
from dataclasses import replace
from typing import Any

import pytest

from studies.judging.verdicts import Finding, Measured, Measurement
from studies.judging.wording import (
    among,
    looked,
    measured,
    on_its_way,
    tellable,
    telling,
    to_decide,
    undecided,
    unmeasured,
)
from studies.judging.wording import quantity as quantity_in_words
from studies.tables.intervals import Interval, exact, t_interval
from tests.witness.made_up_findings import finding, quantity


def test_shares_are_percent_with_their_interval_region_and_seeds() -> None:
    share = Measurement(
        what="", interval=Interval(0.0185, 0.0165, 0.0206, 3), unit="%", low=-0.1, high=0.1
    )
    assert measured(share) == "1.85% (1.65 to 2.06), claimed −10.00 to 10.00, 3 seeds"


def test_other_units_keep_their_size_and_minus_is_a_minus() -> None:
    bits = Measurement(
        what="", interval=Interval(-0.0785, -0.094, -0.063, 3), unit="bits/dim", high=0.0
    )
    said = "−0.079 bits/dim (−0.094 to −0.063), claimed below 0.000, 3 seeds"
    assert measured(bits) == said


def test_what_is_exact_or_of_one_seed_has_no_interval() -> None:
    ratio = Measurement(what="", interval=exact(0.9134), unit="ratio", low=0.9)
    assert measured(ratio) == "0.913 ratio, claimed above 0.900, exact"
    one = Measurement(
        what="", interval=Interval(1.0, -float("inf"), float("inf"), 1), unit="ratio", low=0.9
    )
    assert measured(one) == "1.000 ratio, claimed above 0.900, 1 seed"


def seeds(*values: float, low: float = -math.inf, high: float = math.inf) -> Measurement:
    return Measurement(what="", interval=t_interval(values), unit="%", low=low, high=high)


def test_what_can_be_told_lies_as_far_below_a_border_as_above() -> None:
    """Of three values 80% power takes 5.653 standard errors of their mean."""
    assert tellable(seeds(-0.01, 0.0, 0.01, high=0.02)) == "below −1.26 or above 5.26"
    assert tellable(seeds(-0.01, 0.0, 0.01, low=0.02)) == "below −1.26 or above 5.26"


def test_what_can_be_told_where_a_difference_must_matter_is_that_there_is_none_too() -> None:
    wide = replace(seeds(-0.01, 0.0, 0.01, high=0.0), matters=1.0)
    assert tellable(wide) == ("no difference from −96.74 to 96.74, below −98.91 or above 98.91")
    narrow = replace(wide, matters=0.02)
    assert tellable(narrow) == "below −3.26 or above 3.26"


def test_what_can_be_told_of_two_borders_lies_between_them_and_beyond() -> None:
    wide = tellable(seeds(-0.01, 0.0, 0.01, low=-1.0, high=1.0))
    assert wide == "−96.74 to 96.74, below −103.26 or above 103.26"
    moved = tellable(seeds(-0.01, 0.0, 0.01, low=0.0, high=2.0))
    assert moved == "3.26 to 196.74, below −3.26 or above 203.26"
    narrow = tellable(seeds(-0.01, 0.0, 0.01, low=-0.02, high=0.02))
    assert narrow == "none between, below −5.26 or above 5.26"
    assert tellable(seeds(0.01, low=-0.02)) == ""


def test_a_p_value_is_said_alone_and_among_all() -> None:
    found = finding(quantity([-0.02, -0.03, -0.04]))
    assert among(found, 0.09) == "p = 0.035, 0.09 among all"  # t = 5.196 of two degrees
    assert among(found, 1.0) == "p = 0.035, 1 among all"
    assert among(found, math.nan) == ""


INSIDE, ACROSS, OUTSIDE = ([-1.0, -1.1, -0.9], [-1.0, 1.5, 0.1], [1.0, 1.1, 0.9])


def test_a_finding_is_told_by_the_first_quantity_that_decides_as_it_does() -> None:
    across, against, more = quantity(ACROSS), quantity(OUTSIDE), quantity([2.0, 2.1, 2.2])
    aside = quantity(OUTSIDE, decides=False)
    untold = replace(aside, untold="why")
    assert telling(finding(aside, across, against, more)) == (against, 3)
    assert telling(finding(across, quantity(INSIDE))) == (across, 2)
    assert telling(finding(aside, untold)) == (untold, 0)
    assert telling(finding(quantity(INSIDE), untold)) == (untold, 0)  # what keeps it open
    assert telling(finding(quantity(INSIDE), across, untold)) == (untold, 0)  # as its reason says
    assert telling(finding(quantity(INSIDE), is_untold=True, verdict="inconclusive")) == (None, 0)
    assert telling(finding(across, untold, verdict="supported", look=3)) == (across, 1)
    assert telling(finding(aside)) == (None, 0)


def test_where_nothing_is_measured_it_is_said_whether_numbers_may_come() -> None:
    assert unmeasured(finding(verdict="inconclusive")) == "the numbers do not tell"
    assert unmeasured(finding(verdict="not run")) == "nothing is measured yet"


def test_what_was_never_to_decide_is_not_said_to_decide_nothing() -> None:
    one = quantity(INSIDE, decides=False)
    assert undecided(one) == ""
    told = replace(one, untold="a long reason")
    assert undecided(told) == "decides nothing here"
    assert undecided(replace(told, because="it is short")) == "decides nothing here, as it is short"


def test_log_odds_are_shown_as_shares() -> None:
    mean, low, high = (math.log(share / (1 - share)) for share in (0.2, 0.1, 0.5))
    odds = quantity(
        INSIDE, interval=Interval(mean, low, high, 3), unit="log odds", high=math.log(1 / 999)
    )
    assert measured(odds) == "20.00% (10.00 to 50.00), claimed below 0.10, 3 seeds"


def test_percentage_points_are_hundredths_and_infinite_ends_have_their_sign() -> None:
    one = quantity(INSIDE, unit="percentage points")
    said = [quantity_in_words(value, one) for value in (-math.inf, math.inf, -0.01234, -1e-9)]
    assert said == ["−∞", "∞", "−1.23", "0.00"]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"verdict": "supported"}, ""),
        ({"verdict": "not run"}, ""),
        ({"seeds_may_tell": True}, "more seeds may show whether its trainings were long enough"),
        ({"is_untold": True}, "more seeds alone would not decide it"),
        ({"measurements": (quantity([0.3]),)}, "3 seeds would show the spread"),
        (
            {"measurements": (quantity([-1.0, 1.0, 0.01]),)},
            "more than 100 seeds would decide it at the effect measured",
        ),
        (  # an effect of one deviation: 10, as G*Power has it
            {"measurements": (quantity([-2.0, -1.0, 0.0]),)},
            "about 10 seeds would decide it at the effect measured",
        ),
    ],
)
def test_it_is_said_how_many_seeds_would_decide_an_open_claim(
    changes: dict[str, Any], said: str
) -> None:
    assert to_decide(replace(finding(quantity(ACROSS)), **changes)) == said


@pytest.mark.parametrize(
    ("adjusted", "said"), [(0.00099, "< 0.001"), (0.001, "0.001"), (0.994, "0.99"), (0.996, "1")]
)
def test_a_p_value_is_said_to_two_digits_between_its_ends(adjusted: float, said: str) -> None:
    found = finding(quantity([-0.02, -0.03, -0.04]))
    whole = "p < 0.001" if said.startswith("<") else said
    assert among(found, adjusted) == f"p = 0.035, {whole} among all"


def test_what_looks_would_have_said_is_told_beside_plain_intervals_of_more_than_the_first() -> None:
    def seeds(*counts: int) -> Finding:
        some = [quantity(dict.fromkeys(range(count), -1.0) | {0: -1.1}) for count in counts]
        return finding(*some, of_seeds=lambda _: Measured([], []))

    assert [bool(looked(seeds(*counts))) for counts in ((3,), (4,), (3, 8), (4, 8))] == [
        *(False, True, False, True)
    ]
    for changes in ({"look": 3}, {"verdict": "not run"}):
        assert looked(replace(seeds(4), **changes)) == ""


def test_of_one_seed_it_is_said_what_a_doubling_leaves_without_ends() -> None:
    assert on_its_way(quantity([3.0], half_trained=((0, 5.0),))) == (
        "after half of the training it was 5.000; another doubling that moved it as far again "
        "would leave 1.000"
    )
