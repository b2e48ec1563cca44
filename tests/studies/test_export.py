"""Exports hold the numbers of the store's own files, and say what is missing."""

import json
import struct
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from studies import export
from studies.exporting import runs, sinks
from studies.store.store import Store
from tests.witness.made_up_store import MadeUp, write_store

STUDY = MadeUp(seeds=(0, 1))


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_store(tmp_path_factory.mktemp("exported") / "store", STUDY)


def result(store: Path, address: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((store / "tasks" / address / "result.json").read_text())
    return found


def test_curves_are_those_of_the_results_of_the_trainings(store: Path) -> None:
    found = runs.curves(Store(store), STUDY.study)
    assert {run.key for run in found} == {
        path.parent.name for path in (store / "tasks").glob("train-*/result.json")
    }
    for run in found:
        curve = result(store, run.key)["loss_curve"]
        for name, points in run.series.items():
            written = zip(curve["step"], curve[name], strict=True)
            assert points == [(step, value) for step, value in written if value is not None]
        assert run.settings["train.objective"] in ("simple", "hybrid")


def test_results_are_those_of_the_scores_and_bounds(store: Path) -> None:
    found = runs.results(Store(store), STUDY.study)
    scores = [run for run in found if run.key.startswith("score-")]
    assert len(scores) == len(list((store / "tasks").glob("score-*/result.json")))
    for run in scores:
        assert run.numbers["frechet_distance"] == result(store, run.key)["frechet_distance"]
        assert run.settings["seed"] in STUDY.seeds
    assert any(run.key.startswith("likelihood-") for run in found)


def test_a_table_has_a_row_for_each_number_and_each_step(store: Path) -> None:
    every = runs.curves(Store(store), STUDY.study)
    table = runs.table(every)
    assert len(table) == sum(len(points) for run in every for points in run.series.values())
    one = every[0]
    (name, points), *_ = one.series.items()
    mine = table[(table["run"] == one.key) & (table["metric"] == name)]
    assert list(zip(mine["step"], mine["value"], strict=True)) == points


def test_parquet_is_read_back_as_it_was(
    store: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    words = [STUDY.study, "--to", "parquet", "--store", str(store), "--out", str(tmp_path / "a/b")]
    assert export.main(["results", *words]) == 0
    file = tmp_path / "a" / "b" / f"{STUDY.study}.results.parquet"
    assert str(file) in capsys.readouterr().out
    read = parquet.read_table(file).to_pylist()
    expected = runs.results(Store(store), STUDY.study)
    values = {(run.key, name): value for run in expected for name, value in run.numbers.items()}
    assert {(row["run"], row["metric"]): row["value"] for row in read} == values


def events(file: Path) -> Iterator[bytes]:
    """The records of an event file: length, its sum, the record, its sum (TFRecord)."""
    data = file.read_bytes()
    while data:
        (length,) = struct.unpack("<Q", data[:8])
        yield data[12 : 12 + length]
        data = data[16 + length :]


def test_tensorboard_gets_every_point_once_however_often(store: Path, tmp_path: Path) -> None:
    protocol = pytest.importorskip("tensorboard.compat.proto.event_pb2")
    words = [STUDY.study, "--to", "tensorboard", "--store", str(store), "--out", str(tmp_path)]
    for _ in range(2):
        assert export.main(["curves", *words]) == 0
    for run in runs.curves(Store(store), STUDY.study):
        (file,) = (tmp_path / f"{STUDY.study}.curves" / run.key).iterdir()
        read = [protocol.Event.FromString(record) for record in events(file)]
        shown = [(v.tag, e.step, v.simple_value) for e in read for v in e.summary.value]
        expected = [
            (name, step, pytest.approx(value))
            for name, points in run.series.items()
            for step, value in points
        ]
        assert shown == expected


def test_trackers_are_given_every_point(store: Path, tmp_path: Path) -> None:
    """Of MLflow, whose database can be asked; it takes the extra `mlflow`."""
    client_of = pytest.importorskip("mlflow").MlflowClient
    pytest.importorskip("sqlalchemy")
    words = [STUDY.study, "--to", "mlflow", "--store", str(store), "--out", str(tmp_path)]
    assert export.main(["curves", *words]) == 0
    client = client_of(tracking_uri=f"sqlite:///{tmp_path}/{STUDY.study}.curves.mlflow/mlflow.db")
    (experiment,) = client.search_experiments(filter_string=f"name = '{STUDY.study}.curves'")
    read = {run.data.tags["address"]: run for run in client.search_runs([experiment.experiment_id])}
    for run in runs.curves(Store(store), STUDY.study):
        for name, points in run.series.items():
            history = client.get_metric_history(read[run.key].info.run_id, name)
            assert sorted((item.step, item.value) for item in history) == points


def test_a_tracker_is_not_given_the_same_study_twice(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sinks, "find_spec", lambda name: name)
    monkeypatch.setitem(sys.modules, "wandb", ModuleType("wandb"))
    (tmp_path / f"{STUDY.study}.curves.wandb").mkdir()
    words = [STUDY.study, "--to", "wandb-offline", "--store", str(store), "--out", str(tmp_path)]
    assert export.main(["curves", *words]) == 2
    assert "remove it, or name another folder" in capsys.readouterr().err


def test_a_tool_that_is_not_installed_is_named_with_its_extra(
    store: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(sinks, "find_spec", lambda name: None)
    words = [STUDY.study, "--to", "parquet", "--store", str(store), "--out", str(tmp_path / "out")]
    assert export.main(["curves", *words]) == 2
    assert capsys.readouterr().err == (
        "error: --to: expected pyarrow beside this program, which parquet takes, found none; "
        "pip install 'iddpm-studies[parquet]'\n"
    )
    assert not (tmp_path / "out").exists()


def test_a_study_without_numbers_or_of_no_name_is_told(
    store: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    empty = write_store(tmp_path / "store", STUDY)
    for file in (empty / "tasks").glob("*/result.json"):
        file.unlink()
    words = ["--to", "parquet", "--out", str(tmp_path / "out")]
    assert export.main(["curves", STUDY.study, *words, "--store", str(empty)]) == 1
    assert "has no curves yet; nothing was written" in capsys.readouterr().err
    assert export.main(["curves", "nobody", *words, "--store", str(store)]) == 2
    assert "nobody" in capsys.readouterr().err
