"""A measurement as people read it, against sentences written by hand."""

import math
from dataclasses import replace

from studies.judging.verdicts import Measurement
from studies.judging.wording import among, measured, tellable
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
    narrow = tellable(seeds(-0.01, 0.0, 0.01, low=-0.02, high=0.02))
    assert narrow == "none between, below −5.26 or above 5.26"
    assert tellable(seeds(0.01, low=-0.02)) == ""


def test_a_p_value_is_said_alone_and_among_all() -> None:
    found = finding(quantity([-0.02, -0.03, -0.04]))
    assert among(found, 0.09) == "p = 0.035, 0.09 among all"  # t = 5.196 of two degrees
    assert among(found, 1.0) == "p = 0.035, 1 among all"
    assert among(found, math.nan) == ""
