"""One training as two processes on two nodes of a real SLURM."""

import json
import os
import random
import signal
from pathlib import Path
from typing import Any

import pytest
import torch

from studies.store.store import Store
from tests.cluster.cluster import Cluster
from tests.slurm.study import TRAINING, Study

pytestmark = pytest.mark.slurm

STEPS = 1500
BLOCKS = ("--set", f"train.steps={STEPS}", "--set", "train.block_size=2")
TWO = ("--resource", "train.nodes=2")


def result(study: Study) -> dict[str, Any]:
    (content,) = study.results().values()
    found: dict[str, Any] = json.loads(content)
    return found


def submitted(folder: Path) -> tuple[Study, str]:
    study = Study(folder, *BLOCKS, sweep=TRAINING)
    assert study.run(*TWO) == 0
    (training,) = study.tasks()
    return study, training


@pytest.fixture(scope="module")
def undisturbed(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    with pytest.MonkeyPatch.context() as patch:
        for name, value in cluster.environment().items():
            patch.setenv(name, value)
        study, training = submitted(tmp_path_factory.mktemp("two"))
        study.wait_for(lambda: study.job(training) or study.is_done())
        study.finish()
    logs = list(study.store.root.glob("submissions/*/*_log.out"))
    assert {path.name[-9:-8] for path in logs} == {"0", "1"}, "two processes leave two logs"
    return result(study)


def test_two_nodes_train_as_one_process_does(undisturbed: dict[str, Any], tmp_path: Path) -> None:
    alone = Study(tmp_path, *BLOCKS, sweep=TRAINING)
    assert alone.run(executor="inline") == 0
    one = result(alone)
    assert undisturbed["images_seen"] == one["images_seen"]
    curves = zip(undisturbed["loss_curve"]["loss"], one["loss_curve"]["loss"], strict=True)
    for found, expected in list(curves)[:20]:  # float32 rounding, before training amplifies it
        assert found == pytest.approx(expected, rel=1e-3)


def test_two_nodes_come_to_the_weights_of_one_process_and_draw_the_same_steps(
    cluster: Cluster, tmp_path: Path
) -> None:
    few = [
        *("--set", "train.steps=30", "--set", "train.block_size=2"),
        *("--set", "train.objective=vlb"),
        *("--set", "train.timesteps={loss_second_moment: {history: 1}}"),
    ]
    alone, two = (Study(tmp_path / name, *few, sweep=TRAINING) for name in ("alone", "two"))
    assert alone.run(executor="inline") == 0
    assert two.run(*TWO) == 0
    two.finish()
    (training,) = two.tasks()
    found, expected = (
        torch.load(study.store.folder(training) / "state.pt") for study in (two, alone)
    )
    assert found["timesteps"]["counts"].tolist() == expected["timesteps"]["counts"].tolist()
    assert min(found["timesteps"]["counts"]) > 0, "t was drawn by importance in the end"
    # one sums the gradients of two images twice, the other of four images once, in float32
    torch.testing.assert_close(found["weights"], expected["weights"], rtol=1e-4, atol=1e-6)


def test_a_training_on_two_nodes_that_lost_a_process_is_gone_on_with_bit_for_bit(
    undisturbed: dict[str, Any], tmp_path: Path
) -> None:
    study, training = submitted(tmp_path)
    study.wait_for_progress(training, random.randrange(1, STEPS // 2))
    os.kill(random.choice(processes(study.store, training)), signal.SIGKILL)
    study.wait_for(lambda: study.job(training) is None)
    assert study.store.result(training) is None
    assert study.run(*TWO) == 0
    study.finish()
    assert result(study) == undisturbed
    lost = study.store.attempt_failure(training, 1)
    assert lost is not None
    assert lost.error == "lost"


def test_warned_of_its_time_a_training_on_two_nodes_saves_and_goes_on(
    cluster: Cluster, undisturbed: dict[str, Any], tmp_path: Path
) -> None:
    study, training = submitted(tmp_path)
    study.wait_for_progress(training, random.randrange(1, STEPS // 2))
    job = study.job(training)
    assert job is not None
    cluster.ask("scancel", "--signal=USR2", job.id)
    study.finish()
    assert result(study) == undisturbed
    stopped = study.store.attempt_failure(training, 1)
    assert stopped is not None
    assert (stopped.error, stopped.saved > 0) == ("timeout", True)


def test_blocks_that_two_processes_cannot_share_are_refused_before_anything_is_queued(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    study = Study(tmp_path, sweep=TRAINING)
    assert study.run(*TWO) == 2
    assert "found 1 of 4 images; set it to 2 or a divisor of that" in capsys.readouterr().err
    assert not list(study.store.root.glob("submissions/*/submission.json"))


def processes(store: Store, training: str) -> list[int]:
    """The processes of the job that is at the training."""
    claim = store.claim_of(training)
    assert claim is not None
    mark = f"SLURM_JOB_ID={claim.job}".encode()
    found = []
    for path in Path("/proc").glob("[0-9]*"):
        try:
            words = (path / "cmdline").read_bytes().split(b"\0")
            is_python = words[2:4] == [b"-m", b"studies.execute.slurm.job"]
            if is_python and mark in (path / "environ").read_bytes().split(b"\0"):
                found.append(int(path.name))
        except (OSError, IndexError):
            continue
    assert len(found) == 2
    return found
