"""What differs between two things of a store, and nothing else, is said."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from iddpm.config import Objective, Simple, Vlb
from iddpm.evaluation.config import Ancestral, Ddim, Sampler
from studies import diff
from studies.store.checksums import write_record
from tests.witness.made_up_store import MadeUp, write_store

STUDY = MadeUp(seeds=(0, 1))


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_store(tmp_path_factory.mktemp("compared") / "store", STUDY)


def trainings(store: Path) -> dict[tuple[str, int], str]:
    """The address of each training by its objective and seed."""
    found = {}
    for path in (store / "tasks").glob("train-*/task.json"):
        config: dict[str, Any] = json.loads(path.read_text())["config"]
        found[config["objective"]["kind"], config["seed"]] = path.parent.name
    return found


def said(capsys: pytest.CaptureFixture[str], *words: str, code: int = 1) -> list[str]:
    assert diff.main(list(words)) == code
    return capsys.readouterr().out.splitlines()


def test_two_tasks_differ_in_the_setting_that_they_differ_in(
    store: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    by_seed = trainings(store)
    a, b = by_seed["simple", 0], by_seed["simple", 1]
    assert said(capsys, a, b, "--store", str(store)) == ["train.seed: 0 | 1"]
    same = said(capsys, a, a, "--store", str(store), code=0)
    assert same == ["nothing differs: settings, data, versions and code are the same"]


def test_two_arms_differ_in_their_settings_whatever_the_seed(
    store: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    by_seed = trainings(store)
    record = json.loads((store / "studies" / f"{STUDY.study}.json").read_text())
    scores = {
        (cell["arm"]["objective"], cell["arm"]["variance"], cell["seed"]): cell["tasks"]["score"]
        for cell in record["cells"]
        if "score" in cell["tasks"]
        and cell["tasks"]["train"] in by_seed.values()
        and cell["arm"]["steps"] == record["cells"][-1]["arm"]["steps"]
        and cell["arm"]["sampler"] == "ancestral"
    }
    arms = [f"{STUDY.study}/{scores['simple', name, 0]}" for name in ("beta", "beta_tilde")]
    lines = said(capsys, *arms, "--store", str(store))
    assert lines == ["sample.sampler.variance: beta | beta_tilde"]


def test_two_studies_are_compared_across_stores(
    store: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = write_store(tmp_path / "store", MadeUp(seeds=(0, 1, 2)))
    where = ["--store", str(store), "--store-b", str(other)]
    lines = said(capsys, STUDY.study, STUDY.study, *where)
    assert "study.seeds: [0, 1] | [0, 1, 2]" in lines
    assert "train.seed: 0, 1 | 0, 1, 2" in lines
    assert all("seed" in line for line in lines)


def test_seeds_that_are_lacking_are_seen_from_both_sides(
    store: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = write_store(tmp_path / "store", MadeUp(seeds=(0, 1, 2)))
    where = ["--store", str(other), "--store-b", str(store)]
    assert "train.seed: 0, 1, 2 | 0, 1" in said(capsys, STUDY.study, STUDY.study, *where)


def test_settings_that_stand_together_otherwise_are_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Both studies have both objectives and both samplers, one of each with another."""
    beta, even = Ancestral(variance="beta"), Ddim(eta=0.0)
    pairings: tuple[tuple[tuple[Objective, Sampler], ...], ...] = (
        ((Simple(), beta), (Vlb(variance="beta"), even)),
        ((Simple(), even), (Vlb(variance="beta"), beta)),
    )
    a, b = (
        write_store(tmp_path / f"{i}", replace(STUDY, arms=arms)) for i, arms in enumerate(pairings)
    )
    lines = said(capsys, STUDY.study, STUDY.study, "--store", str(a), "--store-b", str(b))
    assert (
        "score by sample.sampler and train.objective: "
        "ancestral with simple, ddim with vlb | ancestral with vlb, ddim with simple"
    ) in lines
    assert all(line.startswith("score by ") for line in lines)


def test_tasks_of_the_same_settings_are_told_by_their_addresses(
    store: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As where the version of a kind moved: nothing that has a name tells them apart."""
    by_seed = trainings(store)
    a, b = by_seed["simple", 0], by_seed["simple", 1]
    monkeypatch.setattr(diff, "leaves_of", lambda config, kind: [("train.steps", 1)])
    assert said(capsys, a, b, "--store", str(store)) == [f"tasks: {a} | {b}"]


def test_a_task_differs_in_what_it_needs(store: Path, capsys: pytest.CaptureFixture[str]) -> None:
    needs = {
        need["network"]: path.parent.name
        for path in (store / "tasks").glob("likelihood-*/task.json")
        if (need := json.loads(path.read_text())["needs"])
    }
    a, b = (needs[trainings(store)["simple", seed]] for seed in (0, 1))
    assert said(capsys, a, b, "--store", str(store)) == ["train.seed: 0 | 1"]


def test_versions_and_code_are_told(
    store: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = write_store(tmp_path / "store", STUDY)
    address = trainings(store)["simple", 0]
    for root, torch, commit in ((store, "2.13.0", "a1"), (other, "2.14.0", "b2")):
        made = {"address": address, "versions": {"torch": torch, "numpy": "2"}, "commit": commit}
        write_record(root / "tasks" / address / "provenance.json", made)
    lines = said(capsys, address, address, "--store", str(store), "--store-b", str(other))
    assert lines == ["made by commit: a1 | b2", "made by torch: 2.13.0 | 2.14.0"]


def test_what_there_is_not_is_refused(store: Path, capsys: pytest.CaptureFixture[str]) -> None:
    here = ["--store", str(store)]
    assert diff.main(["train-0123456789abcdef", STUDY.study, *here]) == 2
    assert "no task train-0123456789abcdef" in capsys.readouterr().err
    assert diff.main([STUDY.study, f"{STUDY.study}/train-0", *here]) == 2
    assert "expected the address of a task of one of its cells" in capsys.readouterr().err
