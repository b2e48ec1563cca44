"""On a partition that cancels what it preempts, work goes on by itself, and only that."""

from pathlib import Path

import pytest

from tests.cluster.cluster import Cluster
from tests.slurm.preempted import (
    SHORT,
    begun,
    deaf,
    goes_on,
    preemptions,
    undisturbed,
    wanted_by_others,
)
from tests.slurm.study import TRAINING, Study

pytestmark = pytest.mark.slurm

HIGHER = "--partition=high"


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    return undisturbed(tmp_path_factory.mktemp("inline"))


@pytest.mark.parametrize("partition", ["scraps", "scraps_in_peace"])
@pytest.mark.parametrize("saves", [True, False])
def test_a_training_that_was_cancelled_for_another_job_goes_on_under_its_number(
    cluster: Cluster, tmp_path: Path, expected: dict[str, bytes], partition: str, saves: bool
) -> None:
    found = goes_on(cluster, tmp_path, ("--partition", partition), HIGHER, saves=saves)
    assert found == expected


def test_what_waits_for_a_training_that_was_cancelled_for_another_job_waits_on(
    cluster: Cluster, tmp_path: Path
) -> None:
    study = Study(tmp_path, *SHORT, "--seeds", "0", "--set", "train.objective=[simple]")
    training = begun(study, "--partition", "scraps")
    others = study.tasks("likelihood")
    before = [study.job(task) for task in others]
    wanted_by_others(cluster, HIGHER)
    study.wait_for(lambda: (job := study.job(training)) and job.state == "PENDING")
    assert [study.job(task) for task in others] == before
    study.finish()
    assert all(study.store.attempts(task) == [1] for task in others)


@pytest.mark.parametrize("during_its_grace", [False, True])
def test_a_training_that_a_person_cancelled_stays_cancelled(
    cluster: Cluster, tmp_path: Path, during_its_grace: bool
) -> None:
    study = Study(tmp_path, *SHORT, sweep=TRAINING)
    training = begun(study, "--partition", "scraps_in_peace")
    job = study.job(training)
    assert job is not None
    if during_its_grace:
        deaf(study, training)  # else it saves and leaves at once
        wanted_by_others(cluster, HIGHER)
        asked = ("scontrol", "--all", "show", "job", job.id)
        study.wait_for(lambda: "PreemptTime=2" in cluster.ask(*asked))
    cluster.ask("scancel", job.id)
    study.wait_for(lambda: study.job(training) is None)
    assert study.store.result(training) is None
    assert preemptions(study, training) == 0
