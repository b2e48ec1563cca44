"""The terms of the bound: what is said of a study that has none."""

from studies.analyses.judge import judge
from tests.witness.made_up_rows import tables_of


def test_a_study_without_bounds_says_what_it_lacks() -> None:
    finding = judge("first_steps_carry_the_bound", tables_of([]))
    assert finding.verdict == "not run"
    assert "share of the bound in the first 5% of steps, any network" in finding.reason
