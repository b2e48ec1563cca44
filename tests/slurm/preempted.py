"""A training that the cluster cancels for a job of higher rank."""

from pathlib import Path

import pytest

from tests.cluster.cluster import Cluster
from tests.slurm.study import TRAINING, Study
from tests.witness import holds

SHORT = ("--set", "train.steps=100", "--checkpoint-every", "0s")
HELD_AT = 60
"""So many steps are done when the cluster cancels it."""


def undisturbed(folder: Path) -> dict[str, bytes]:
    """What the training comes to in one process."""
    study = Study(folder, *SHORT, sweep=TRAINING)
    assert study.run(executor="inline") == 0
    return study.results()


def begun(study: Study, *rank: str, heeds: bool = True) -> str:
    """The training, which is at work as these options ask, and goes no further before it must end.

    Args:
        study: Of which it is the only one.
        rank: Options by which it may be preempted.
        heeds: Whether it hears that it must: else it has no time to save.
    """
    folder = study.path.parent
    mark = folder / "held"
    prolog = holds.task_prolog(folder, step=HELD_AT, mark=mark, heeds=heeds)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SLURM_TASK_PROLOG", str(prolog))
        assert study.run(*rank) == 0
    (training,) = study.tasks("train")
    study.wait_for(mark.exists)
    return training


def wanted_by_others(cluster: Cluster, rank: str, *, seconds: int = 3) -> None:
    """A job of this rank that needs all nodes for so long."""
    asked = ("--nodes=2", "--exclusive", "--output=/dev/null", f"--wrap=sleep {seconds}")
    cluster.ask("sbatch", rank, *asked)


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
    training = begun(study, *rank, heeds=saves)
    element = study.store.submissions.element(training)
    wanted_by_others(cluster, higher)
    study.finish()
    assert study.store.submissions.element(training) == element, "it has kept its number"
    assert preemptions(study, training) == 1
    assert study.store.attempts(training) == [1, 2]
    made = study.store.provenance(training)
    assert made is not None
    on_disk = (HELD_AT,) if saves else (HELD_AT - 2, HELD_AT - 1)  # the last save may be under way
    assert made["steps_before"] in on_disk
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
    training = begun(study, *rank, heeds=not during_its_grace)  # else it leaves at once
    job = study.job(training)
    assert job is not None
    if during_its_grace:
        wanted_by_others(cluster, higher)
        asked = ("scontrol", "--all", "show", "job", job.id)
        study.wait_for(lambda: "PreemptTime=2" in cluster.ask(*asked))
    cluster.ask("scancel", job.id)
    study.wait_for(lambda: study.job(training) is None)
    assert study.store.result(training) is None
    assert preemptions(study, training) == 0
