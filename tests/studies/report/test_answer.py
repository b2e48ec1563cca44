"""The answer of a study in words: every case of what can be told and what cannot."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.stats import gmean

from studies.report.answer import answer_of, sentence
from studies.tables.answer import Answer
from studies.tables.paired import paired
from tests.witness.made_up_rows import distance_rows, network, tables_of

ALONG = Answer(metric="frechet_distance", baseline={"variance": "beta"}, along="steps")
BESIDE = Answer(metric="bits_per_dim", baseline={"variance": "beta"})


def row(arm: str, estimate: float, low: float, high: float, **changes: Any) -> dict[str, Any]:
    usual = {"baseline": "β", "at": 0, "seeds": {}, "n": 3, "middle": 1.0, "rank": 0}
    return {**usual, "arm": arm, "estimate": estimate, "low": low, "high": high, **changes}


def said(answer: Answer, *rows: dict[str, Any]) -> str:
    return sentence(pd.DataFrame(rows), answer)


def test_the_surest_difference_comes_first_then_where_it_ends() -> None:
    assert said(
        ALONG,
        row("DDIM", 0.52, 0.35, 0.76, at=10),
        row("β̃", 0.53, 0.43, 0.65, at=10),
        row("β̃", 0.98, 0.9, 1.1, at=100),
        row("β̃", 1.0, 0.9, 1.1, at=1000),
    ) == (
        "At 10 sampling steps, β̃ has 0.53 times the Fréchet distance of β (0.43 to 0.65), "
        "the clearest of 4 differences. From 100 sampling steps on no arm can be told from β."
    )


def test_a_difference_that_stays_is_told_at_the_other_end_too() -> None:
    assert said(
        ALONG, row("β̃", 0.5, 0.4, 0.6, at=10), row("β̃", 0.98, 0.97, 0.99, at=1000)
    ).endswith("The largest difference at 1,000 sampling steps: β̃, 0.98 times (0.97 to 0.99).")


def test_one_place_at_the_end_without_a_difference_is_named() -> None:
    assert said(ALONG, row("β̃", 0.5, 0.4, 0.6, at=10), row("β̃", 0.98, 0.9, 1.1, at=1000)).endswith(
        "At 1,000 sampling steps no arm can be told from β."
    )


def test_nothing_told_says_so_and_how_large_it_may_be() -> None:
    assert said(ALONG, row("β̃", 0.8, 0.5, 1.3, at=10), row("β̃", 1.1, 0.9, 1.4, at=100)) == (
        "With 3 seeds no arm can be told from β. The largest difference: at 10 sampling steps, β̃ "
        "has 0.80 times the Fréchet distance of β (0.50 to 1.30)."
    )


def test_one_seed_is_never_an_answer() -> None:
    assert said(ALONG, row("β̃", 0.5, 0.0, float("inf"), n=1, at=10)) == (
        "One seed has no spread, so no difference can be told. At 10 sampling steps, β̃ has 0.50 "
        "times the Fréchet distance of β."
    )


@pytest.mark.parametrize(
    ("low", "high", "spread"),
    [(-0.094, -0.063, "0.063 to 0.094"), (-0.3, 0.1, "0.30 fewer to 0.10 more")],
)
def test_differences_are_more_or_fewer(low: float, high: float, spread: str) -> None:
    found = said(BESIDE, row("hybrid", -0.0785, low, high, middle=0.0))
    assert f"hybrid has 0.079 bits/dim fewer than β ({spread})" in found


def test_arms_side_by_side_say_how_many_cannot_be_told() -> None:
    found = said(
        BESIDE,
        row("a", 0.5, 0.4, 0.6, middle=0.0),
        row("b", 0.1, -0.4, 0.6, middle=0.0),
        row("c", 0.2, -0.4, 0.6, middle=0.0),
    )
    assert found == (
        "a has 0.50 bits/dim more than β (0.40 to 0.60), the clearest of 3 differences. Of the "
        "arms, 2 others cannot be told from β."
    )


def test_nothing_measured_has_no_answer() -> None:
    assert sentence(pd.DataFrame(), ALONG) == ""


def test_a_sweep_of_ones_own_is_read_from_its_first_arm() -> None:
    rows = [
        row
        for size, values in ((64, [8.0, 9.0, 10.0]), (128, [4.0, 4.4, 5.2]))
        for row in distance_rows(network("simple"), "beta", values, **{"train.batch_size": size})
    ]
    tables = tables_of(rows)
    answer = answer_of(tables)
    assert answer is not None
    assert list(answer.baseline) == ["train.batch_size"]
    (found,) = paired(tables, answer)["estimate"]
    assert found == pytest.approx(gmean(np.divide([4.0, 4.4, 5.2], [8.0, 9.0, 10.0])))


def test_a_sweep_of_ones_own_changes_one_setting_at_a_time() -> None:
    rows = [
        row
        for size in (64, 128)
        for rate in (1.0, 2.0)
        for row in distance_rows(
            network("simple") | {"train.batch_size": size, "train.rate": rate},
            "beta",
            [4.0 * rate, 4.4 * rate],
        )
    ]
    tables = tables_of(rows)
    answer = answer_of(tables)
    assert answer is not None
    changed = [
        [name for name, value in arm.items() if value != answer.baseline[name]]
        for arm in answer.against
    ]
    assert sorted(changed) == [["train.batch_size"], ["train.rate"]]
    assert sorted(paired(tables, answer)["estimate"]) == pytest.approx([1.0, 2.0])


def test_one_place_is_told_once() -> None:
    assert said(ALONG, row("β̃", 0.5, 0.4, 0.6, at=10), row("DDIM", 0.9, 0.7, 1.2, at=10)) == (
        "At 10 sampling steps, β̃ has 0.50 times the Fréchet distance of β (0.40 to 0.60), the "
        "clearest of 2 differences. Of the arms, 1 other cannot be told from β."
    )


def test_an_arm_of_one_seed_is_not_judged() -> None:
    assert said(
        ALONG, row("β̃", 0.5, 0.4, 0.6, at=10), row("β̃", 0.9, 0.0, float("inf"), at=100, n=1)
    ) == ("At 10 sampling steps, β̃ has 0.50 times the Fréchet distance of β (0.40 to 0.60).")


def test_the_ends_of_an_interval_are_told_apart() -> None:
    assert "(0.9796 to 0.9799)" in said(ALONG, row("β̃", 0.97975, 0.9796, 0.9799, at=10))


def test_a_sweep_of_lengths_alone_compares_them_with_the_first() -> None:
    rows = [
        row
        for length, values in ((100, [8.0, 8.0]), (200, [2.0, 2.0]))
        for row in distance_rows(
            network("simple") | {"train.steps": length, "training_steps": length}, "beta", values
        )
    ]
    tables = tables_of(rows)
    answer = answer_of(tables)
    assert answer is not None
    assert paired(tables, answer)["estimate"].tolist() == pytest.approx([0.25])
