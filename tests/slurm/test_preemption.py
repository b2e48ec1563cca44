"""On a partition that cancels what it preempts, work goes on by itself, and only that."""

import os
import signal
from pathlib import Path

import pytest

from tests.cluster.cluster import Cluster
from tests.slurm.study import TRAINING, Study

pytestmark = pytest.mark.slurm

SHORT = ("--set", "train.steps=100", "--checkpoint-every", "0s")


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    study = Study(tmp_path_factory.mktemp("inline"), *SHORT, sweep=TRAINING)
    assert study.run(executor="inline") == 0
    return study.results()


def begun(study: Study, partition: str) -> str:
    """The training, which is at work in this partition."""
    assert study.run("--partition", partition) == 0
    (training,) = study.tasks("train")
    study.wait_for_progress(training, 1)
    return training


def wanted_by_others(cluster: Cluster) -> None:
    """A job of higher rank that needs all nodes."""
    wanted = ("--partition=high", "--nodes=2", "--exclusive", "--output=/dev/null")
    cluster.ask("sbatch", *wanted, "--wrap=sleep 3")


def deaf(study: Study, training: str) -> None:
    """Its process hears no signal: it has no time to save."""
    claim = study.store.claim_of(training)
    assert claim is not None
    os.kill(claim.pid, signal.SIGSTOP)


def preemptions(study: Study, training: str) -> int:
    element = study.store.submissions.element(training)
    assert element is not None
    noted = study.store.submissions.folder(element.array) / f"preempted.{element.index}"
    return len(noted.read_text().splitlines()) if noted.exists() else 0


@pytest.mark.parametrize("partition", ["scraps", "scraps_in_peace"])
@pytest.mark.parametrize("saves", [True, False])
def test_a_training_that_was_cancelled_for_another_job_goes_on_under_its_number(
    cluster: Cluster, tmp_path: Path, undisturbed: dict[str, bytes], partition: str, saves: bool
) -> None:
    study = Study(tmp_path, *SHORT, sweep=TRAINING)
    training = begun(study, partition)
    element = study.store.submissions.element(training)
    if not saves:
        deaf(study, training)
    wanted_by_others(cluster)
    study.wait_for(lambda: (job := study.job(training)) and job.state == "PENDING")
    study.finish()
    assert study.store.submissions.element(training) == element
    assert preemptions(study, training) == 1
    assert study.store.attempts(training) == [1, 2]
    assert study.results() == undisturbed


def test_what_waits_for_a_training_that_was_cancelled_for_another_job_waits_on(
    cluster: Cluster, tmp_path: Path
) -> None:
    study = Study(tmp_path, *SHORT, "--seeds", "0", "--set", "train.objective=[simple]")
    training = begun(study, "scraps")
    others = study.tasks("likelihood")
    before = [study.job(task) for task in others]
    wanted_by_others(cluster)
    study.wait_for(lambda: (job := study.job(training)) and job.state == "PENDING")
    assert [study.job(task) for task in others] == before
    study.finish()
    assert all(study.store.attempts(task) == [1] for task in others)


@pytest.mark.parametrize("during_its_grace", [False, True])
def test_a_training_that_a_person_cancelled_stays_cancelled(
    cluster: Cluster, tmp_path: Path, during_its_grace: bool
) -> None:
    study = Study(tmp_path, *SHORT, sweep=TRAINING)
    training = begun(study, "scraps_in_peace")
    job = study.job(training)
    assert job is not None
    if during_its_grace:
        deaf(study, training)  # else it saves and leaves at once
        wanted_by_others(cluster)
        asked = ("scontrol", "--all", "show", "job", job.id)
        study.wait_for(lambda: "PreemptTime=2" in cluster.ask(*asked))
    cluster.ask("scancel", job.id)
    study.wait_for(lambda: study.job(training) is None)
    assert study.store.result(training) is None
    assert preemptions(study, training) == 0
