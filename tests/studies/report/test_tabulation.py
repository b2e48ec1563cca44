"""The tables of a page: what runs across, which columns there are, digits, and the best arm."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from studies.report.tabulation import Cell, Table, tabulated
from tests.witness.made_up_rows import BOUND, SCORE, tables_of

SEEDS = (0, 1, 2)
LATER: dict[str, object] = {"images": 384, "value": 40.0, "schedule": "linear"}
"""An arm that has no value in the first column."""


def scores(*arms: dict[str, object], spread: float = 1.0) -> list[dict[str, object]]:
    """A row for each arm and seed; the seeds move all arms alike."""
    return [
        SCORE | arm | {"seed": seed, "value": float(arm["value"]) * (1 + spread * seed)}  # type: ignore[arg-type]
        for arm in arms
        for seed in SEEDS
    ]


def table_of(rows: list[dict[str, object]], name: str = "frechet_distance") -> Table:
    found = {table.name: table for table in tabulated(tables_of(rows).results)}
    return found[f"table-{name}"]


def test_scores_over_different_numbers_of_samples_have_columns_of_their_own() -> None:
    arms: list[dict[str, object]] = [
        {"images": n, "value": v} for n, v in ((192, 90.0), (384, 45.0))
    ]
    table = table_of(scores(*arms, {"images": 192, "value": 80.0, "schedule": "linear"}))
    assert table.columns == ("192 samples", "384 samples")
    assert [[cell and cell.mean for cell in row.cells] for row in table.rows] == [
        [pytest.approx(180), pytest.approx(90)],
        [pytest.approx(160), None],
    ]


def test_values_seed_by_seed_stand_beside_the_title_of_their_own_column() -> None:
    arms: list[dict[str, object]] = [{"images": 192}, {"images": 384}]
    table = table_of(scores(*({"value": 9.0} | arm for arm in arms), LATER))
    _, later = table.rows
    assert [(title, cell.values[0]) for title, cell in table.asked(later)] == [("384 samples", 40)]


def test_what_all_arms_share_is_no_column_and_what_varies_is_one() -> None:
    arms = [
        {"value": 3.0, "T": T, "steps": 100, "schedule": schedule, "training_steps": 800}
        for T, schedule in ((1000, "linear"), (4000, "linear"), (4000, "cosine"))
    ]
    table = table_of(scores(*arms))
    assert table.heads == ("schedule", "T")
    assert [row.settings for row in table.rows] == [
        ("linear", "1,000"),
        ("linear", "4,000"),
        ("cosine", "4,000"),
    ]
    assert table.columns == ("",)


def test_step_counts_run_across_in_their_order() -> None:
    arms: list[dict[str, object]] = [{"value": 5.0, "steps": n} for n in (1000, 10, 50)]
    table = table_of(scores(*arms))
    assert table.columns == ("10", "50", "1,000")
    assert table.along == "sampling steps"


def test_the_bound_is_read_with_its_parts_and_parts_that_are_nil_are_named_below() -> None:
    parts = {"bits_per_dim": 3.0, "decoder_bits_per_dim": 0.00001, "kl_bits_per_dim": 2.9}
    rows: list[dict[str, object]] = [
        BOUND | {"metric": metric, "value": value + 0.1 * seed * (value > 1), "seed": seed}
        for seed in SEEDS
        for metric, value in parts.items()
    ]
    prior = [
        BOUND | {"metric": "prior_bits_per_dim", "variance": None, "value": 0.4, "seed": seed}
        for seed in SEEDS
    ]
    table = table_of([*rows, *prior], "bits_per_dim")
    assert table.columns == ("Bits per dimension", "KL terms", "prior")
    assert "decoder" in table.note
    assert [cell and cell.mean for cell in table.rows[0].cells] == [
        pytest.approx(3.1),
        pytest.approx(3.0),
        pytest.approx(0.4),
    ]


@pytest.mark.parametrize(
    ("mean", "half_width", "shown"),
    [
        (0.914, 0.021719, "0.914 ± 0.022"),
        (3.3147, 0.1688, "3.31 ± 0.17"),
        (99.4, 57.2, "99 ± 57"),
        (3655.2, 1438.4, "3655 ± 1438"),
        (0.93622, 0.000961, "0.93622 ± 0.00096"),
        (3.3147, None, "3.31"),
        (-0.0004, 0.001, "−0.0004 ± 0.0010"),
    ],
)
def test_a_number_has_two_digits_of_its_interval(
    mean: float, half_width: float | None, shown: str
) -> None:
    cell = Cell(
        mean=mean, half_width=half_width, n=3, of=3, values={}, states=(), recipe="", paper=""
    )
    spread = "" if half_width is None else f" ± {cell.shown(half_width)}"
    assert cell.shown(mean) + spread == shown


def best_by_scipy(rows: list[dict[str, object]]) -> object:
    """The schedule whose logs are below every other's by SciPy's paired interval; None: none."""
    table = pd.DataFrame(rows).pivot(index="seed", columns="schedule", values="value")
    logs = np.log(table.to_numpy(dtype=float))
    for one, name in enumerate(table):
        highs = [
            stats.ttest_rel(logs[:, one], logs[:, other]).confidence_interval(0.95).high
            for other in range(logs.shape[1])
            if other != one
        ]
        if max(highs) < 0:
            return name
    return None


@pytest.mark.parametrize("second", [1.02, 1.3, 3.0])
def test_the_best_is_marked_only_if_its_paired_intervals_say_so(second: float) -> None:
    draws = np.random.default_rng(5).normal(0, 0.05, (2, 3))
    rows = [
        SCORE | {"schedule": name, "seed": seed, "value": level * (1 + seed) * np.exp(draw)}
        for (name, level), some in zip((("cosine", 1.0), ("linear", second)), draws, strict=True)
        for seed, draw in enumerate(some)
    ]
    table = table_of(rows)
    names = [row.settings[0] for row in table.rows]
    marked = [names[row] for row, _ in table.best]
    expected = best_by_scipy(rows)
    assert marked == ([expected] if expected else [])
    assert bool(expected) == (second > 1.1)


def test_of_precision_the_highest_is_the_best() -> None:
    rows = scores(
        {"metric": "precision", "value": 0.2, "schedule": "linear"},
        {"metric": "precision", "value": 0.3, "schedule": "cosine"},
        spread=0.1,
    )
    table = table_of(rows, "precision")
    assert {table.rows[row].settings[0] for row, _ in table.best} == {"cosine"}


def test_one_seed_or_other_recipes_have_no_best() -> None:
    arms = [{"value": 1.0, "schedule": "cosine"}, {"value": 9.0, "schedule": "linear"}]
    assert table_of([row for row in scores(*arms) if row["seed"] == 0]).best == frozenset()
    other = str(SCORE["recipe"]).replace("192", "193")
    assert table_of(scores(arms[0], arms[1] | {"recipe": other})).best == frozenset()
    assert replace(table_of(scores(*arms)), note="").best != frozenset()
