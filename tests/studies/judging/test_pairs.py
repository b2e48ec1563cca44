"""Which trained networks are held against each other: alike in all but what a claim is about."""

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from studies.analyses.judge import judge
from studies.judging.comparison import compared
from studies.judging.pairs import (
    SIMPLE_BASELINES,
    Baseline,
    Pair,
    against_fixed,
    fewer_bits,
    network_pairs,
)
from studies.judging.verdicts import Measured, Measurement, Untold, decide
from studies.tables.intervals import Interval, exact
from studies.tables.rows import DROPOUT, log_ratios, named, tied_to_schedule
from studies.tables.tables import Tables
from tests.witness.made_up_rows import bound_rows, distance_rows, network, tables_of


def frame(*groups: list[dict[str, Any]]) -> pd.DataFrame:
    """Rows as `bounds` gives them, each network named by its T, Σ and images."""
    rows = tables_of([row for group in groups for row in group]).results
    name = rows["T"].astype(str) + " " + rows["objective"] + " " + rows["images"].astype(str)
    return rows.assign(row=name + " " + rows["ema_decay"].astype(str))


def of(trained: dict[str, Any], value: float, **changes: Any) -> list[dict[str, Any]]:
    return bound_rows(trained, "range", [value, value + 0.1, value - 0.1], **changes)


def names(found: list[Pair]) -> list[str]:
    return [pair.name for pair in found]


HYBRID, VLB = network("hybrid"), network("vlb")


def test_a_pair_has_one_number_of_images() -> None:
    rows = frame(of(HYBRID, 3.6, images=16), of(VLB, 3.5, images=64))
    assert list(network_pairs(rows, "objective", ["hybrid", "vlb"])) == []
    rows = frame(of(HYBRID, 3.6, images=16), of(VLB, 3.5, images=64), of(VLB, 3.4, images=16))
    found = list(network_pairs(rows, "objective", ["hybrid", "vlb"]))
    assert names(found) == ["4000 vlb 16 0.99 minus 4000 hybrid 16 0.99"]


def test_a_pair_has_one_average_of_the_weights() -> None:
    raw = VLB | {"ema_decay": 0.9}
    assert (
        list(network_pairs(frame(of(HYBRID, 3.6), of(raw, 3.5)), "objective", ["hybrid", "vlb"]))
        == []
    )


def test_a_pair_has_one_number_of_steps_unless_it_is_of_two_chains() -> None:
    short = frame(of(HYBRID, 3.6), of(VLB, 3.5, steps=100))
    assert list(network_pairs(short, "objective", ["hybrid", "vlb"])) == []
    chains = frame(of(HYBRID, 3.6), of(network("hybrid", T=1000), 3.7))
    assert names(list(network_pairs(chains, "T", [1000, 4000]))) == [
        "4000 hybrid 16 0.99 minus 1000 hybrid 16 0.99"
    ]


def test_each_value_is_held_against_the_one_before_it() -> None:
    rows = frame(*(of(network("hybrid", T=T), 4 - T / 1e4) for T in (4000, 1000, 2000)))
    found = list(network_pairs(rows, "T", [1000, 2000, 4000]))
    assert [(p.first["T"].iloc[0], p.second["T"].iloc[0]) for p in found] == [
        (2000, 1000),
        (4000, 2000),
    ]


def test_a_middle_length_that_is_worse_than_the_shortest_contradicts_longer_chains() -> None:
    lengths = {1000: 3.9, 2000: 4.1, 4000: 3.7}
    rows = [row for T, bits in lengths.items() for row in of(network("hybrid", T=T), bits)]
    finding = judge("longer_chain_lowers_nll", tables_of(rows))
    assert finding.verdict == "contradicted"
    assert len(finding.measurements) == 2


def test_a_value_that_the_study_has_not_is_passed_over() -> None:
    rows = frame(of(network("hybrid", T=1000), 3.9), of(network("hybrid"), 3.7))
    assert len(list(network_pairs(rows, "T", [1000, 2000, 4000]))) == 1


def test_other_columns_may_differ_where_a_claim_says_so() -> None:
    drawn = network("vlb", timesteps="loss_second_moment")
    rows = frame(of(HYBRID, 3.6), of(drawn, 3.5))
    assert list(network_pairs(rows, "objective", ["hybrid", "vlb"])) == []
    assert (
        len(list(network_pairs(rows, "objective", ["hybrid", "vlb"], also=("train.timesteps",))))
        == 1
    )


def test_where_no_network_says_how_t_was_drawn_none_is_compared_by_it() -> None:
    rows = frame(of(HYBRID, 3.6), of(VLB, 3.5)).drop(columns="train.timesteps")
    assert list(network_pairs(rows, "train.timesteps", ["uniform", "loss_second_moment"])) == []
    assert list(network_pairs(rows.head(0), "objective", ["hybrid", "vlb"])) == []


# ------------------------------------------------------------------------ a learned Σ and a fixed

BASELINES = (*SIMPLE_BASELINES, Baseline("hybrid", "beta", decides=False))
LEARNED = "L_hybrid, Σ learned"


def bits(trained: dict[str, Any], variance: str, value: float) -> list[dict[str, Any]]:
    return bound_rows(trained, variance, [value - 0.1, value + 0.1])


def of_sigma(*rows: list[dict[str, Any]]) -> Measured:
    results = tables_of(row for some in rows for row in some).results
    return against_fixed(results, ("objective", "variance"), BASELINES, fewer_bits)


def test_a_learned_sigma_is_held_against_the_fixed_ones_of_their_own_networks() -> None:
    simple, others = network("simple"), [bits(VLB, "range", 1.0), bits(VLB, "beta", 9.0)]
    learned, beta = bits(HYBRID, "range", 3.5), bits(simple, "beta", 3.6)
    aside, tilde = bits(HYBRID, "beta", 3.8), bits(simple, "beta_tilde", 4.0)
    found = of_sigma(*others, learned, aside, beta, tilde)
    assert found.missing == []
    said = [(one.what, one.detail, one.decides) for one in found.measurements]
    lacking = f"{LEARNED} minus L_simple, Σ = β̃"
    assert said == [
        (f"{LEARNED} minus L_simple, Σ = β", "3.5 against 3.6 bits/dim", True),
        (lacking, "3.5 against 4 bits/dim", True),
        (f"{LEARNED} minus L_hybrid, Σ = β", "3.5 against 3.8 bits/dim", False),
    ]
    means = [one.interval.mean for one in found.measurements]
    assert means == pytest.approx([-0.1, -0.5, -0.3])
    assert all(one.networks for one in found.measurements)
    for rows, missing in (((learned, beta), [lacking]), ((beta, *others), [said[0][0], lacking])):
        assert of_sigma(*rows).missing == missing
    longer = bits(network("hybrid", T=8000), "range", 3.4)
    shorter = [bits(network("simple", T=1000), one, 3.9) for one in ("beta", "beta_tilde")]
    elsewhere = of_sigma(learned, beta, tilde, longer, *shorter)
    assert (len(elsewhere.measurements), elsewhere.missing) == (2, [])


# ------------------------------------------------------------------------- dropout and schedules


def with_dropout(*settings: tuple[str, float]) -> pd.DataFrame:
    return pd.DataFrame(settings, columns=["schedule", DROPOUT])


@pytest.mark.parametrize(
    ("settings", "tied"),
    [
        ([("linear", 0.1), ("cosine", 0.3)], (DROPOUT,)),
        ([("linear", 0.1), ("cosine", 0.1)], (DROPOUT,)),
        ([("linear", 0.1), ("cosine", 0.1), ("cosine", 0.3)], ()),
        ([("linear", 0.1), ("linear", 0.3), ("cosine", 0.1), ("cosine", 0.3)], ()),
    ],
)
def test_dropout_belongs_to_the_schedule_where_each_has_one_of_its_own(
    settings: list[tuple[str, float]], tied: tuple[str, ...]
) -> None:
    assert tied_to_schedule(with_dropout(*settings)) == tied


def test_without_a_column_of_dropout_nothing_is_tied() -> None:
    assert tied_to_schedule(with_dropout(("linear", 0.1)).drop(columns=DROPOUT)) == ()


def study_of_dropouts(*settings: tuple[str, float, float]) -> Tables:
    """Networks of L_hybrid by schedule, dropout and bits/dim."""
    return tables_of(
        row
        for schedule, dropout, bits in settings
        for row in of(network("hybrid", schedule), bits, **{DROPOUT: dropout})
    )


def test_schedules_with_a_dropout_each_are_compared() -> None:
    own = study_of_dropouts(("linear", 0.1, 3.7), ("cosine", 0.3, 3.6))
    assert judge("cosine_lowers_nll", own).verdict == "supported"


def test_schedules_with_several_dropouts_are_compared_at_equal_ones() -> None:
    several = study_of_dropouts(
        ("linear", 0.1, 3.7), ("cosine", 0.1, 3.6), ("linear", 0.3, 3.4), ("cosine", 0.3, 3.3)
    )
    finding = judge("cosine_lowers_nll", several)
    assert [m.interval.mean for m in finding.measurements] == pytest.approx([-0.1, -0.1])


# ------------------------------------------------------------------------- what is and is not told


def test_a_pair_that_does_not_tell_is_given_and_decides_nothing() -> None:
    (pair,) = network_pairs(frame(of(HYBRID, 3.6), of(VLB, 3.5)), "objective", ["hybrid", "vlb"])
    told = compared([replace(fewer_bits(pair), untold="why")])
    assert [m.decides for m in told.measurements] == [False]
    assert told.missing == ["why"]
    assert isinstance(told.missing[0], Untold)


def test_a_pair_without_numbers_is_missing_whether_it_would_tell_or_not() -> None:
    waiting = bound_rows(VLB, "range", [None, None, None])
    (pair,) = network_pairs(frame(of(HYBRID, 3.6), waiting), "objective", ["hybrid", "vlb"])
    told = compared([replace(fewer_bits(pair), untold="why")])
    assert (told.measurements, told.missing) == ([], [pair.name])
    assert not isinstance(told.missing[0], Untold)


def test_the_same_pair_is_told_once() -> None:
    (pair,) = network_pairs(frame(of(HYBRID, 3.6), of(VLB, 3.5)), "objective", ["hybrid", "vlb"])
    told = compared([replace(fewer_bits(pair), untold="why")] * 2)
    assert (len(told.measurements), len(told.missing)) == (1, 1)


INSIDE = Measurement(what="x", interval=Interval(-1.0, -2.0, -0.5, 3), unit="ratio", high=0.0)


def test_while_anything_is_pending_a_verdict_waits_for_it() -> None:
    told = Measured([INSIDE], [Untold("silent"), "pending"])
    assert decide(told, done=True) == ("not run", "Not measured yet: silent; pending.")
    assert decide(replace(told, missing=["pending"]), done=True)[0] == "not run"


def test_what_does_not_tell_leaves_a_finished_study_open_and_an_unfinished_one_waiting() -> None:
    told = Measured([INSIDE], [Untold("silent")])
    said = "The numbers of the study do not tell: silent."
    assert decide(told, done=True) == ("inconclusive", said)
    assert decide(told, done=False) == ("not run", "Not measured yet: silent.")


def test_one_measurement_outside_contradicts_whatever_is_pending() -> None:
    outside = replace(INSIDE, interval=exact(1.0))
    told = Measured([INSIDE, outside], ["pending"])
    assert decide(told, done=False)[0] == "contradicted"


# ---------------------------------------------------------------------------- ratios and recipes


def test_a_log_ratio_is_the_mean_of_the_logs_and_not_the_log_of_the_means() -> None:
    above, below = (
        [pd.DataFrame({"seed": [0], "value": [value]}) for value in values]
        for values in ([8.0, 1.0], [2.0, 4.0])
    )
    arms = list(zip(above, below, strict=True))
    assert log_ratios(arms) == pytest.approx({0: 0.0})  # log 4 and log 1/4
    pending = pd.DataFrame({"seed": [0], "value": [None]})
    assert log_ratios([*arms, (above[0], pending)]) == {}


def test_groups_hold_one_recipe_and_what_has_none_yet() -> None:
    rows = pd.concat([frame(of(HYBRID, 3.6)), frame(of(HYBRID, 3.5))], ignore_index=True)
    rows["recipe"] = ["a", "a", None, "b", None, "b"]
    groups = [list(group["recipe"].fillna("none")) for _, group in named(rows, ["T"])]
    assert groups == [["a", "a", "none", "none"], ["none", "b", "none", "b"]]


def test_bounds_of_different_arithmetic_are_never_compared() -> None:
    official = bound_rows(VLB, "range", [3.5, 3.4, 3.6], recipe='{"cdf": "tanh_official"}')
    ours = bound_rows(HYBRID, "range", [3.6, 3.7, 3.8], recipe='{"cdf": "tanh"}')
    assert judge("vlb_gives_lowest_nll", tables_of([*official, *ours])).verdict == "not run"


def test_distances_are_compared_by_the_ratio_of_their_means() -> None:
    simple = distance_rows(network("simple"), "beta", [10.0, 20.0, 40.0])
    hybrid = distance_rows(network("hybrid"), "range", [10.5, 20.0, 38.0])
    (kept,) = judge("hybrid_keeps_quality", tables_of([*simple, *hybrid])).measurements
    assert kept.interval.mean == pytest.approx(np.log(68.5 / 70))
    apart = np.array([10.5, 20.0, 38.0]) / (68.5 / 3) - np.array([10.0, 20.0, 40.0]) / (70 / 3)
    half_width = 4.302653 * apart.std(ddof=1) / 3**0.5
    assert kept.interval.half_width == pytest.approx(half_width, rel=1e-6)
