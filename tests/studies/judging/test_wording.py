"""A measurement as people read it, against sentences written by hand."""

from studies.judging.verdicts import Measurement
from studies.judging.wording import measured
from studies.tables.intervals import Interval, exact


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
