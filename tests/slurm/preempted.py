"""A training that the cluster cancels for a job of higher rank."""

import os
import signal
from pathlib import Path

from tests.cluster.cluster import Cluster
from tests.slurm.study import TRAINING, Study

SHORT = ("--set", "train.steps=400", "--checkpoint-every", "0s")
"""Long enough to be seen at work and cancelled on a fast machine."""


def undisturbed(folder: Path) -> dict[str, bytes]:
    """What the training comes to in one process."""
    study = Study(folder, *SHORT, sweep=TRAINING)
    assert study.run(executor="inline") == 0
    return study.results()


def begun(study: Study, *rank: str) -> str:
    """The training, which is at work as these options ask."""
    assert study.run(*rank) == 0
    (training,) = study.tasks("train")
    study.wait_for_progress(training, 1)
    return training


def wanted_by_others(cluster: Cluster, rank: str) -> None:
    """A job of this rank that needs all nodes."""
    cluster.ask("sbatch", rank, "--nodes=2", "--exclusive", "--output=/dev/null", "--wrap=sleep 3")


def deaf(study: Study, training: str) -> None:
    """Its process hears no signal: it has no time to save."""
    claim = study.store.claim_of(training)
    assert claim is not None
    os.kill(claim.pid, signal.SIGSTOP)


def preemptions(study: Study, training: str) -> int:
    """How often its job has queued itself again after one."""
    element = study.store.submissions.element(training)
    assert element is not None
    noted = study.store.submissions.folder(element.array) / f"preempted.{element.index}"
    return len(noted.read_text().splitlines()) if noted.exists() else 0


def goes_on(
    cluster: Cluster, folder: Path, rank: tuple[str, ...], higher: str, *, saves: bool
) -> dict[str, bytes]:
    """What a training comes to that was cancelled for another job, and goes on by itself.

    Args:
        cluster: Whose.
        folder: Of the study.
        rank: Options by which the training may be preempted.
        higher: The option of sbatch by which another job does so.
        saves: Whether it has time to save.
    """
    study = Study(folder, *SHORT, sweep=TRAINING)
    training = begun(study, *rank)
    element = study.store.submissions.element(training)
    if not saves:
        deaf(study, training)
    wanted_by_others(cluster, higher)
    study.wait_for(lambda: (job := study.job(training)) and job.state == "PENDING")
    study.finish()
    assert study.store.submissions.element(training) == element, "it has kept its number"
    assert preemptions(study, training) == 1
    assert study.store.attempts(training) == [1, 2]
    return study.results()


def stays_cancelled(
    cluster: Cluster, folder: Path, rank: tuple[str, ...], higher: str, *, during_its_grace: bool
) -> None:
    """A training that a person cancels, perhaps while another job cancels it, is not gone on with.

    Args:
        cluster: Whose.
        folder: Of the study.
        rank: Options by which the training may be preempted.
        higher: The option of sbatch by which another job does so.
        during_its_grace: Whether another job is doing so.
    """
    study = Study(folder, *SHORT, sweep=TRAINING)
    training = begun(study, *rank)
    job = study.job(training)
    assert job is not None
    if during_its_grace:
        deaf(study, training)  # else it saves and leaves at once
        wanted_by_others(cluster, higher)
        asked = ("scontrol", "--all", "show", "job", job.id)
        study.wait_for(lambda: "PreemptTime=2" in cluster.ask(*asked))
    cluster.ask("scancel", job.id)
    study.wait_for(lambda: study.job(training) is None)
    assert study.store.result(training) is None
    assert preemptions(study, training) == 0
