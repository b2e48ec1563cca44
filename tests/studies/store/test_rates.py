"""Rates of devices and forecasts of studies: kept in the store, each for its own."""

from pathlib import Path

import pytest

from studies.store.forecasts import Foreseen, checked_forecast, foresee, foreseen
from studies.store.rates import Rates, checked_rates, keep, name_of, rates_files, rates_of
from studies.store.store import Store, StoreError
from studies.store.verification import damages
from studies.tasks.counts import alike
from studies.tasks.task import Task
from tests.witness import tiny
from tests.witness.records import edit


def rates(device: str, **seconds: float) -> Rates:
    return Rates(device=device, on_gpu=device == "NVIDIA H200", seconds=seconds)


def test_what_was_measured_of_a_device_is_kept_beside_what_was_before(tmp_path: Path) -> None:
    keep(tmp_path, rates("Intel(R) Xeon(R)", one=1.5, two=2.0))
    keep(tmp_path, rates("NVIDIA H200", one=0.01))
    keep(tmp_path, rates("Intel(R) Xeon(R)", two=3.0))
    assert {r.device: (r.on_gpu, dict(r.seconds)) for r in rates_of(tmp_path)} == {
        "Intel(R) Xeon(R)": (False, {"one": 1.5, "two": 3.0}),
        "NVIDIA H200": (True, {"one": 0.01}),
    }
    names = sorted(path.name for path in (tmp_path / "rates").iterdir())
    assert names == ["intel-r-xeon-r.json", "nvidia-h200.json"]
    Store(tmp_path)  # is one


def test_tasks_that_are_alike_have_one_name_and_others_another() -> None:
    def named(**changes: int) -> str:
        return name_of(alike(tiny.training(**changes), _none))

    assert named(seed=1, steps=7) == named(seed=2)
    assert named(batch_size=8) != named()
    assert named().startswith("train-")


def _none(address: str) -> Task:
    raise AssertionError(address)


def test_what_was_foreseen_first_stays(tmp_path: Path) -> None:
    foresee(tmp_path, "mine", {"train-1": Foreseen(10.0, is_guess=True)})
    both = {"train-1": Foreseen(99.0, is_guess=False), "score-1": Foreseen(2.0, is_guess=False)}
    foresee(tmp_path, "mine", both)
    assert foreseen(tmp_path, "mine") == both | {"train-1": Foreseen(10.0, is_guess=True)}
    assert foreseen(tmp_path, "another") == {}


def test_of_nothing_nothing_is_written(tmp_path: Path) -> None:
    foresee(tmp_path, "mine", {})
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("folder", ["rates", "forecasts"])
def test_a_damaged_file_is_named_with_its_remedy(tmp_path: Path, folder: str) -> None:
    store = Store(tmp_path)
    store.record_study("mine", {"tasks": []})
    keep(tmp_path, rates("cpu", one=1.5))
    foresee(tmp_path, "mine", {"train-1": Foreseen(10.0, is_guess=True)})
    assert list(damages(store, None, lambda done, total: None)) == []
    (path,) = (tmp_path / folder).iterdir()
    path.write_text(path.read_text().replace("1", "2", 1))
    (said,) = damages(store, None, lambda done, total: None)
    assert str(path) in said
    assert "delete it" in said


@pytest.mark.parametrize(
    ("folder", "changes"), [("rates", {"seconds": 3}), ("forecasts", {"train-1": "soon"})]
)
def test_a_file_that_holds_something_else_is_refused(
    tmp_path: Path, folder: str, changes: dict[str, object]
) -> None:
    keep(tmp_path, rates("cpu", one=1.5))
    foresee(tmp_path, "mine", {"train-1": Foreseen(10.0, is_guess=True)})
    (path,) = (tmp_path / folder).iterdir()
    edit(path, **changes)
    with pytest.raises(StoreError, match=f"{path}: expected .*; delete it"):
        [checked_rates(file) for file in rates_files(tmp_path)], checked_forecast(tmp_path, "mine")


def test_a_damaged_file_is_warned_of_once_and_left_out(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for device in ("cpu", "other"):
        keep(tmp_path, rates(device, one=1.5))
    expected = {"train-1": Foreseen(10.0, is_guess=True)}
    foresee(tmp_path, "mine", expected)
    damaged = [tmp_path / "rates" / "cpu.json", tmp_path / "forecasts" / "mine.json"]
    for path in damaged:
        path.write_text("{")
    for _ in range(2):
        assert [one.device for one in rates_of(tmp_path)] == ["other"]
        foresee(tmp_path, "mine", expected)
        assert foreseen(tmp_path, "mine") == {}
    assert len(caplog.messages) == len(damaged)
    for path, said in zip(damaged, caplog.messages, strict=True):
        assert said.startswith(f"{path}: expected whole JSON, found a file cut short")
        assert "; delete it" in said
    assert damaged[1].read_text() == "{"  # it is the user who deletes it
    keep(tmp_path, rates("cpu", two=2.0))  # what is measured anew takes its place
    assert [dict(one.seconds) for one in rates_of(tmp_path)] == [{"two": 2.0}, {"one": 1.5}]
