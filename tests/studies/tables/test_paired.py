"""Arms against a baseline, paired by seed, beside the same numbers by NumPy and SciPy."""

import json
import math
from dataclasses import replace

import numpy as np
import pytest
import scipy.stats

from studies.analyses.index import ANSWERS
from studies.tables.answer import ANY, FIRST, LEAST, Answer
from studies.tables.paired import is_told, paired
from studies.tables.tables import Tables
from tests.witness.made_up_rows import bound_rows, distance_rows, network, tables_of
from tests.witness.made_up_tables import made_up, planned

SIMPLE, HYBRID = network("simple"), network("hybrid")
FEW, MANY = {"steps": 10}, {"steps": 100}
BETA = {10: (90.0, 80.0, 120.0), 100: (30.0, 33.0, 36.0)}
TILDE = {10: (45.0, 44.0, 50.0), 100: (30.5, 32.0, 37.0)}
ANSWER = Answer(
    metric="frechet_distance",
    baseline={"objective": "simple", "variance": "beta"},
    against=({"objective": "simple", "variance": "beta_tilde"},),
    along="steps",
)


def of_sigma() -> Tables:
    rows = [
        row
        for steps in (10, 100)
        for variance, values in (("beta", BETA), ("beta_tilde", TILDE))
        for row in distance_rows(SIMPLE, variance, values[steps], steps=steps)
    ]
    return tables_of(rows)


def expected(ours: tuple[float, ...], theirs: tuple[float, ...]) -> tuple[float, float, float]:
    """The geometric mean of the ratios, and its interval by a one-sample t of their logs."""
    logs = np.log(np.divide(ours, theirs))
    low, high = scipy.stats.t.interval(
        0.95, len(logs) - 1, loc=logs.mean(), scale=scipy.stats.sem(logs)
    )
    return float(scipy.stats.gmean(np.divide(ours, theirs))), math.exp(low), math.exp(high)


@pytest.mark.parametrize("steps", [10, 100])
def test_a_ratio_and_its_interval_are_those_of_logs_seed_by_seed(steps: int) -> None:
    (found,) = (row for row in paired(of_sigma(), ANSWER).to_dict("records") if row["at"] == steps)
    wanted = expected(TILDE[steps], BETA[steps])
    assert (found["estimate"], found["low"], found["high"]) == pytest.approx(wanted, rel=1e-12)
    assert list(found["seeds"].values()) == pytest.approx(np.divide(TILDE[steps], BETA[steps]))
    assert (found["n"], found["middle"]) == (3, 1.0)


def test_an_interval_that_leaves_the_baseline_tells() -> None:
    told = {row["at"]: is_told(row) for _, row in paired(of_sigma(), ANSWER).iterrows()}
    assert told == {10: True, 100: False}


def test_differences_keep_their_unit() -> None:
    table = tables_of(
        [
            *bound_rows(SIMPLE, "beta", [3.0, 3.2, 3.1]),
            *bound_rows(HYBRID, "range", [2.9, 3.0, 3.05]),
        ]
    )
    answer = Answer(
        metric="bits_per_dim",
        baseline={"objective": "simple", "variance": "beta"},
        against=({"objective": "hybrid", "variance": "range"},),
    )
    (row,) = paired(table, answer).to_dict("records")
    differences = np.subtract([2.9, 3.0, 3.05], [3.0, 3.2, 3.1])
    assert row["estimate"] == pytest.approx(differences.mean())
    interval = scipy.stats.t.interval(
        0.95, 2, loc=differences.mean(), scale=scipy.stats.sem(differences)
    )
    assert (row["low"], row["high"]) == pytest.approx(interval)
    assert row["middle"] == 0.0


def test_only_seeds_that_both_have_are_compared() -> None:
    rows = [
        *distance_rows(SIMPLE, "beta", [90.0, None, 120.0]),
        *distance_rows(SIMPLE, "beta_tilde", [45.0, 44.0, None]),
    ]
    (row,) = paired(tables_of(rows), ANSWER).to_dict("records")
    assert row["seeds"] == pytest.approx({0: 0.5})
    assert (row["n"], row["low"], row["high"]) == (1, 0.0, math.inf)


def test_arms_that_differ_elsewhere_have_their_own_baseline() -> None:
    linear = network("simple", schedule="linear")
    rows = [
        *distance_rows(SIMPLE, "beta", [10.0, 20.0]),
        *distance_rows(SIMPLE, "beta_tilde", [20.0, 40.0]),
        *distance_rows(linear, "beta", [100.0, 100.0]),
        *distance_rows(linear, "beta_tilde", [300.0, 300.0]),
    ]
    found = paired(tables_of(rows), ANSWER)
    assert dict(zip(found["arm"], found["estimate"], strict=True)) == pytest.approx(
        {"L_simple, Σ = β̃, cosine schedule": 2.0, "L_simple, Σ = β̃, linear schedule": 3.0}
    )
    assert set(found["baseline"]) == {"L_simple, Σ = β"}


def test_a_baseline_is_the_least_or_the_first_or_any_or_none_of_a_column() -> None:
    rows = [
        row | {"train.batch_size": size}
        for size, values in ((64, [8.0, 8.0]), (32, [2.0, 2.0]), (128, [4.0, 4.0]))
        for row in distance_rows(SIMPLE, "beta", values)
    ]
    table = tables_of(rows)
    for stands, ratios in ((LEAST, [4.0, 2.0]), (FIRST, [0.25, 0.5]), (32, [4.0, 2.0])):
        answer = Answer(metric="frechet_distance", baseline={"train.batch_size": stands})
        assert sorted(paired(table, answer)["estimate"]) == pytest.approx(sorted(ratios))
    for nobody in (None, 7):
        answer = Answer(metric="frechet_distance", baseline={"train.batch_size": nobody})
        assert paired(table, answer).empty


def test_a_rival_is_a_baseline_for_what_shares_the_number_of_samples() -> None:
    rival = {"objective": None, "schedule": None, "T": None, "rival": "GAN", "steps": 0}
    rows = [
        *(row | {"rival": None} for row in distance_rows(HYBRID, "range", [6.0, 8.0])),
        *(row | rival for row in distance_rows(HYBRID, "range", [3.0, 2.0])),
    ]
    table = tables_of(rows)
    answer = Answer(
        metric="frechet_distance",
        baseline={"rival": ANY},
        against=({"objective": ANY},),
        alike=("images",),
    )
    (row,) = paired(table, answer).to_dict("records")
    assert (row["estimate"], row["baseline"]) == (pytest.approx(math.sqrt(8.0)), "GAN")


def test_numbers_with_different_recipes_are_never_compared() -> None:
    other = json.dumps({"extractor": "another:12345678", "images": 192})
    averaged = json.loads(distance_rows(SIMPLE, "beta", [1.0])[0]["recipe"]) | {"weights": "raw"}
    for recipe, count in ((other, 0), (json.dumps(averaged), 1)):
        rows = [
            *distance_rows(SIMPLE, "beta", [10.0, 20.0]),
            *distance_rows(SIMPLE, "beta_tilde", [20.0, 40.0], recipe=recipe),
        ]
        assert len(paired(tables_of(rows), ANSWER)) == count


def test_a_distance_without_a_logarithm_is_left_out() -> None:
    rows = [
        *distance_rows(SIMPLE, "beta", [0.0, 20.0, -1e-9]),
        *distance_rows(SIMPLE, "beta_tilde", [20.0, 40.0, 1.0]),
    ]
    (row,) = paired(tables_of(rows), ANSWER).to_dict("records")
    assert row["seeds"] == pytest.approx({1: 2.0})
    assert (row["n"], row["left_out"]) == (1, 2)


def test_a_ratio_beyond_all_numbers_is_infinite() -> None:
    rows = [
        *distance_rows(SIMPLE, "beta", [1e-200, 1.0]),
        *distance_rows(SIMPLE, "beta_tilde", [1e200, 1.0]),
    ]
    (row,) = paired(tables_of(rows), ANSWER).to_dict("records")
    assert row["high"] == math.inf


@pytest.mark.parametrize("apart", ["images", "recipe"])
def test_the_first_arm_is_no_baseline_for_another_number_of_samples_or_recipe(apart: str) -> None:
    other = {"images": 384} if apart == "images" else {"recipe": json.dumps({"extractor": "b"})}
    rows = [
        *distance_rows(SIMPLE, "beta", [10.0, 20.0]),
        *distance_rows(SIMPLE, "beta_tilde", [20.0, 40.0], **other),
    ]
    answer = Answer(metric="frechet_distance", baseline={"variance": FIRST})
    assert paired(tables_of(rows), answer).empty


def test_a_network_that_never_drew_by_importance_is_not_called_so() -> None:
    answer = Answer(
        metric="bits_per_dim", baseline={"objective": "hybrid"}, beside=("train.timesteps",)
    )
    for share, count in ((0.0, 0), (0.5, 1)):
        drawn = network("vlb", timesteps="loss_second_moment") | {"share_resampled": share}
        rows = [
            *bound_rows(HYBRID, "range", [3.0, 3.1]),
            *bound_rows(drawn, "range", [4.0, 4.1]),
        ]
        assert len(paired(tables_of(rows), answer)) == count


def test_a_baseline_of_two_arms_is_none() -> None:
    rows = [
        *distance_rows(SIMPLE, "beta", [1.0, 2.0]),
        *distance_rows(HYBRID, "beta", [1.0, 2.0]),
        *distance_rows(SIMPLE, "beta_tilde", [1.0, 2.0]),
    ]
    answer = Answer(metric="frechet_distance", baseline={"variance": "beta"}, beside=("objective",))
    assert paired(tables_of(rows), answer).empty


@pytest.mark.parametrize("study", ANSWERS)
def test_every_answer_compares_arms_of_its_sweep(study: str) -> None:
    metrics = ("frechet_distance", "log_noise_scale")
    table = made_up(planned(study), lambda row: 1.0 + row["seed"], metrics)
    answer = ANSWERS[study]
    if answer.metric == "log_noise_scale":  # of an evaluation that the made-up tables lack
        answer = replace(answer, metric="bits_per_dim", among=({"variance": "range"},))
    found = paired(replace(table, results=table.results.assign(share_resampled=0.5)), answer)
    assert len(found)
    assert found["arm"].nunique() >= len(answer.against)
    assert set(found["estimate"]) == {found["middle"].iloc[0]}
    assert found["arm"].nunique() <= 12


def test_only_networks_at_the_end_of_their_training_are_compared() -> None:
    rows = [
        row | {"train.steps": length, "training_steps": length}
        for length, factor in ((400, 3.0), (800, 2.0))
        for variance, value in (("beta", 10.0), ("beta_tilde", 10.0 * factor))
        for row in distance_rows(SIMPLE, variance, [value, value])
    ]
    assert paired(tables_of(rows), ANSWER)["estimate"].tolist() == pytest.approx([2.0])


def test_an_arm_that_is_two_is_left_out() -> None:
    rows = [
        *distance_rows(SIMPLE, "beta", [10.0, 10.0]),
        *distance_rows(SIMPLE, "beta_tilde", [20.0, 20.0]),
        *distance_rows(SIMPLE, "beta_tilde", [30.0, 30.0]),
    ]
    assert paired(tables_of(rows), ANSWER).empty
