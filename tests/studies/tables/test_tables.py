"""Tables against the result files that they are read from."""

import json
from collections import Counter
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from iddpm.config_fields import canonical
from studies.plan.plan import record
from studies.store.checksums import read_checked
from studies.store.store import Store
from studies.tables.groupings import arm_columns, by_seed, network_columns, over_seeds
from studies.tables.study_files import StudyFiles
from studies.tables.tables import ARM, MEASURED, results, samples_table, steps_table, tables
from tests.witness.calls import given
from tests.witness.made_up_store import ARMS, MadeUp, bound, distance, variant, write_store
from tests.witness.made_up_tables import planned

STUDY = MadeUp(
    failed={("simple", "ddim", 50, 1): "the loss is not finite"},
    planned_bounds=(("hybrid", 2),),
)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    return Store(write_store(tmp_path_factory.mktemp("tables") / "store", STUDY))


@pytest.fixture(scope="module")
def table(store: Store) -> pd.DataFrame:
    return results(StudyFiles(store, STUDY.study))


def test_a_study_is_read_once(store: Store) -> None:
    paths = given(read_checked, "path", lambda: tables(store, STUDY.study))
    read = Counter(str(path.relative_to(store.root)) for path in paths)
    tasks = {f"tasks/{address}/task.json" for address in store.addresses()}
    assert tasks | {f"studies/{STUDY.study}.json"} <= read.keys()
    assert {n for path, n in read.items() if not path.endswith("error.json")} == {1}


def test_every_value_is_the_one_in_the_result_file(store: Store, table: pd.DataFrame) -> None:
    for _, row in table[table["state"] == "done"].iterrows():
        path = store.root / "tasks" / row["address"] / "result.json"
        result = json.loads(path.read_text())
        if row["evaluation"] == "samples":
            assert row["value"] == result[row["metric"]]
        elif row["metric"] == "v_outside_range":
            outside = result["range_fraction"]
            assert row["value"] == outside["below_0"] + outside["above_1"]
        else:
            name = row["metric"].removesuffix("_bits_per_dim")
            part = (
                result["prior"] if name == "prior" else result["variances"][row["variance"]][name]
            )
            assert (row["value"], row["standard_error"]) == (part["mean"], part["standard_error"])
        told = json.loads(row["recipe"])
        assert {name: told[name] for name in result["recipe"]} == result["recipe"]
        assert set(told) - set(result["recipe"]) <= {"data", "extractor_weights"}


def test_the_settings_of_a_row_are_those_of_its_training_and_of_what_was_asked(
    store: Store, table: pd.DataFrame
) -> None:
    cells = {
        cell["tasks"].get("score") or cell["tasks"]["likelihood"]: cell["tasks"]
        for cell in store.study(STUDY.study)["cells"]
    }
    for _, row in table.iterrows():
        settings, tasks = json.loads(row["settings"]), cells[row["address"]]
        asked = "samples" if row["evaluation"] == "samples" else "likelihood"
        assert set(settings) == {"train", asked}
        for role, config in settings.items():
            assert config == canonical(store.task(tasks[role]).config)


def test_one_row_per_cell_and_metric(table: pd.DataFrame) -> None:
    samples = len(ARMS) * len(STUDY.steps) * len(STUDY.seeds) * 3
    bounds = len(STUDY.seeds) * (2 * 3 + 1 + 3 * 3 + 1 + 1)
    assert len(table) == samples + bounds
    assert list(table.columns) == ["study", "evaluation", *ARM, *MEASURED]


def test_a_row_says_how_much_of_its_training_drew_t_by_importance(tmp_path: Path) -> None:
    lengths = [("train.diffusion.steps", "[1000, 4000]")]
    plan = planned("likelihood_comparison", overrides=lengths, seeds=[0])
    store = Store(tmp_path / "store")
    store.record_study(plan.study, record(plan))
    for task in plan.tasks.values():
        store.create(task)
    rows = results(StudyFiles(store, plan.study))
    found = rows.groupby(["objective", "T"])[["images_seen", "share_resampled"]].first()
    assert set(found["images_seen"]) == {800 * 64}
    assert found["share_resampled"]["simple"].tolist() == [0, 0]
    waited = [1000 * 23.239 / 51_200, 1]  # draws of each step until all have ten, as simulated
    shares = (found["share_resampled"]["vlb"] + waited).tolist()
    assert shares == pytest.approx([1, 1], abs=1e-3)


def test_a_bound_is_the_sum_of_its_parts(table: pd.DataFrame) -> None:
    done = table[(table["evaluation"] == "likelihood") & (table["state"] == "done")]
    prior = done[done["metric"] == "prior_bits_per_dim"].set_index("address")["value"]
    parts = done[done["variance"].notna()].pivot_table(
        index=["address", "variance"], columns="metric", values="value"
    )
    total = parts["decoder_bits_per_dim"] + parts["kl_bits_per_dim"]
    total += prior.loc[parts.index.get_level_values("address")].to_numpy()
    assert np.allclose(total, parts["bits_per_dim"], rtol=0.002)  # the made-up prior is rounded


def test_a_failed_cell_keeps_its_rows_without_a_value_and_says_why(table: pd.DataFrame) -> None:
    rows = table[table["state"] == "failed"]
    assert set(rows["metric"]) == {"frechet_distance", "precision", "recall"}
    assert rows["value"].isna().all()
    assert set(rows["sampler"]) == {"ddim"}
    (reason,) = set(rows["reason"])
    assert reason.startswith("needs sample-")
    assert reason.endswith(", exception: the loss is not finite")


def test_a_cell_that_has_not_run_is_planned_with_every_sigma_it_will_be_read_with(
    table: pd.DataFrame,
) -> None:
    rows = table[(table["state"] == "planned") & (table["metric"] == "bits_per_dim")]
    assert list(rows["variance"]) == ["beta", "beta_tilde", "range"]
    assert set(rows["seed"]) == {2}
    assert rows["value"].isna().all()


def test_terms_by_step_add_up_to_the_bound_with_its_prior(store: Store) -> None:
    terms = steps_table(StudyFiles(store, STUDY.study))
    for (objective, variance, seed), arm in terms.groupby(["objective", "variance", "seed"]):
        assert list(arm["step"]) == list(range(STUDY.T + 1))
        assert list(arm["part"]) == ["decoder", *["kl"] * (STUDY.T - 1), "prior"]
        expected = 0.999 * bound(str(objective), str(variance), int(str(seed))) + 0.0025
        assert arm["mean"].sum() == pytest.approx(expected, rel=1e-12)


def test_terms_stand_at_the_steps_of_the_trained_chain_with_their_errors(tmp_path: Path) -> None:
    root = write_store(tmp_path / "store", variant(seeds=(0,)))
    kept = [0, 3, 199]
    for path in root.glob("tasks/likelihood-*/result.json"):
        result = json.loads(path.read_text())
        result["timesteps"] = kept
        for part in result["variances"].values():
            part["by_step"] = {"mean": [3.0, 2.0, 1.0], "standard_error": [0.3, 0.2, 0.1]}
        path.write_text(json.dumps(result))
    for _, arm in steps_table(StudyFiles(Store(root), STUDY.study)).groupby(
        ["objective", "variance"]
    ):
        assert list(arm["step"]) == [*kept, STUDY.T]
        assert list(arm["mean"]) == [3.0, 2.0, 1.0, 0.0025]
        assert list(arm["standard_error"]) == [0.3, 0.2, 0.1, 1e-5]


def test_a_cell_of_training_alone_has_its_last_loss_over_the_whole_chain(tmp_path: Path) -> None:
    root = write_store(tmp_path / "store", variant(seeds=(0,)))
    path = root / "studies" / f"{STUDY.study}.json"
    record = json.loads(path.read_text())
    trained = record["cells"][0]
    alone = {**trained["arm"], "evaluation": "train", "steps": None}
    cell = {**trained, "arm": alone, "tasks": {"train": trained["tasks"]["train"]}}
    path.write_text(json.dumps({**record, "cells": [cell]}))
    (row,) = results(StudyFiles(Store(root), STUDY.study)).to_dict("records")
    assert (row["metric"], row["value"], row["state"]) == ("training_loss", 0.25, "done")
    assert (row["steps"], row["T"], row["training_steps"]) == (STUDY.T, STUDY.T, 1500)


def test_a_swept_setting_becomes_a_column_and_keeps_arms_apart(tmp_path: Path) -> None:
    root = write_store(tmp_path / "store", variant(likelihood=False))
    path = root / "studies" / f"{STUDY.study}.json"
    record = json.loads(path.read_text())
    for i, cell in enumerate(record["cells"]):
        cell["arm"]["train.network.model_channels"] = 32 if i % 2 else 64
    path.write_text(json.dumps(record))
    table = results(StudyFiles(Store(root), STUDY.study))
    assert "train.network.model_channels" in arm_columns(table)


def test_samples_that_were_not_drawn_have_no_path(store: Store) -> None:
    samples = samples_table(StudyFiles(store, STUDY.study))
    missing = samples[samples["path"].isna()]
    assert list(missing["sampler"]) == ["ddim"]
    assert all(path.is_file() for path in samples["path"].dropna())
    assert set(samples["levels"]) == {17}


def test_mean_and_interval_over_seeds_are_those_of_scipy(table: pd.DataFrame) -> None:
    scores = table[(table["metric"] == "frechet_distance") & (table["sampler"] == "ancestral")]
    summary = over_seeds(scores, ["objective", "variance", "steps"])
    for _, row in summary.iterrows():
        values = [distance(row["objective"], row["variance"], row["steps"], s) for s in (0, 1, 2)]
        low, high = stats.t.interval(0.95, 2, np.mean(values), stats.sem(values))
        assert (row["mean"], row["n"]) == (pytest.approx(np.mean(values), rel=1e-12), 3)
        assert (row["low"], row["high"]) == pytest.approx((low, high), rel=1e-9)


def test_one_seed_has_an_infinite_interval() -> None:
    table = pd.DataFrame({"arm": ["a"], "value": [2.0]})
    assert over_seeds(table, ["arm"]).iloc[0].tolist() == ["a", 2.0, -np.inf, np.inf, 1]


def test_numbers_of_different_recipes_are_different_arms_of_an_average() -> None:
    table = pd.DataFrame({"arm": "a", "recipe": ["r", "r", "s"], "value": [1.0, 3.0, 100.0]})
    summary = over_seeds(table, ["arm", "recipe"])
    assert summary["mean"].tolist() == [2.0, 100.0]


def test_seeds_without_a_value_are_left_out() -> None:
    table = pd.DataFrame({"seed": [0, 1], "value": [np.nan, 4.0]})
    assert by_seed(table) == {1: 4.0}


LAMBDA = "train.objective.vlb_weight"


@pytest.mark.parametrize(
    ("T", "weight", "is_varied"),  # of an L_hybrid network beside one of T = 1000 with 0.001
    [(4000, 2.5e-4, False), (1000, 1e-1, True)],
)
def test_with_an_objective_go_its_settings_where_it_has_one_of_each(
    T: int, weight: float, is_varied: bool
) -> None:
    table = pd.DataFrame({"objective": ["simple", "hybrid", "hybrid"], "T": [1000, 1000, T]})
    table[LAMBDA] = [np.nan, 1e-3, weight]
    for columns in (arm_columns, network_columns):
        assert LAMBDA in columns(table)
        assert (LAMBDA in columns(table, without=("objective",))) == is_varied
