"""Networks are compiled where the environment of a process says so, which moves no address."""

from pathlib import Path
from typing import Any

import pytest
import torch

from iddpm.bounds import ConfigError
from studies.execute.worker import run_task
from studies.runners import compiling
from studies.store.store import Store
from tests.witness import tiny

TASKS = (tiny.training(), tiny.sampling(tiny.training()), tiny.likelihood(tiny.training()))


@pytest.mark.slow  # torch's compiler takes seconds to import
def test_trainings_samples_and_bounds_run_compiled_networks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[dict[str, Any]] = []

    def noted(network: Any, **how: Any) -> Any:
        asked.append(how)
        return network

    monkeypatch.setattr(torch, "compile", noted)
    monkeypatch.setenv("STUDIES_COMPILE", "graphs")
    store = Store(tmp_path)
    for task in TASKS:
        store.create(task)
        run_task(str(store.root), task.address)
    graphs = {"fallback_random": True, "triton.cudagraphs": True}
    assert [how["options"] for how in asked] == [graphs] * len(TASKS)
    records = [store.provenance(task.address) for task in TASKS]
    assert [record and record["compiling"] for record in records] == ["graphs"] * len(TASKS)


def test_a_process_compiles_nothing_unless_it_is_told_to(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("STUDIES_COMPILE", raising=False)
    assert compiling() == "off"


def test_another_word_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STUDIES_COMPILE", "yes")
    with pytest.raises(ConfigError) as caught:
        compiling()
    assert str(caught.value) == ("STUDIES_COMPILE: expected one of off, kernels, graphs, found yes")
