"""This machine's devices by name, told by made-up tools of the system."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from studies.execute import devices
from studies.execute.devices import Device, done_on, here, visible_gpus

SMI = """#!/bin/sh
case "$1 $4" in
"--query-gpu=name 0") echo 'NVIDIA H200' ;;
"--query-gpu=name 1" | "--query-gpu=name GPU-5e7a") echo 'NVIDIA L40S' ;;
--query-gpu=index*) printf '0\\n1\\n' ;;
esac
"""


@pytest.fixture(autouse=True)
def forgotten() -> Iterator[None]:
    """Neither the machine of other tests is found here, nor that of these by others."""
    here.cache_clear()
    yield
    here.cache_clear()


def test_a_machine_with_gpus_is_called_after_its_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tool = tmp_path / "nvidia-smi"
    tool.write_text(SMI)
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin:/usr/bin")
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setattr(devices, "cpu_model", lambda: "a core")
    assert visible_gpus() == ["0", "1"]
    assert here() == Device(cpu="a core", gpu="NVIDIA H200")
    here.cache_clear()
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert here() == Device(cpu="a core")


@pytest.mark.parametrize(
    ("visible", "gpu"), [("1,0", "NVIDIA L40S"), ("GPU-5e7a", "NVIDIA L40S"), ("7", "")]
)
def test_the_first_gpu_is_the_first_that_is_visible(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, visible: str, gpu: str
) -> None:
    tool = tmp_path / "nvidia-smi"
    tool.write_text(SMI)
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin:/usr/bin")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    assert here().gpu == gpu


@pytest.mark.parametrize(
    ("asked", "name", "is_it"),
    [
        ("a10", "NVIDIA A100-SXM4-80GB", False),
        ("l4", "NVIDIA L40S", False),
        ("100", "NVIDIA A100", False),
        ("A100", "NVIDIA A100-SXM4-80GB", True),
        ("NVIDIA L4", "NVIDIA L4", True),
    ],
)
def test_a_gpu_is_known_by_whole_words(asked: str, name: str, is_it: bool) -> None:
    assert Device(gpu=asked).is_of(name, "train", on_gpu=True) is is_it


def test_a_machine_without_gpus_has_its_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    assert visible_gpus() == []
    assert here().gpu is None


def test_what_did_a_task_stands_in_its_provenance() -> None:
    made = {"cpu": "a core", "device": "NVIDIA H200"}
    assert done_on(made, "train") == ("NVIDIA H200", True, 1)
    assert done_on(made, "score") == ("a core", False, 1)
    assert done_on({"cpu": "a core", "device": "cpu"}, "train") == ("a core", False, 1)
    assert done_on(made | {"ranks": 8}, "train") == ("NVIDIA H200", True, 8)


def test_a_cluster_that_did_not_note_its_ranks_may_have_had_any() -> None:
    made = {"cpu": "a core", "device": "NVIDIA H200", "executor": "slurm"}
    assert done_on(made, "train")[2] == 0
    assert done_on(made | {"ranks": 1}, "train")[2] == 1
    assert done_on(made, "sample")[2] == 1


def test_several_ranks_share_a_training_and_nothing_else() -> None:
    many = Device(gpu="a100", ranks=8)
    assert many.is_of("A100", "train", on_gpu=True, ranks=8)
    assert not many.is_of("A100", "train", on_gpu=True, ranks=1)
    assert many.is_of("A100", "sample", on_gpu=True)
    assert not Device(gpu="a100").is_of("A100", "train", on_gpu=True, ranks=8)
