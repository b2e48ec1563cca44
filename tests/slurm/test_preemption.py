"""On a partition that cancels what it preempts, work goes on by itself, and only that."""

from pathlib import Path

import pytest

from tests.cluster.cluster import Cluster
from tests.slurm.preempted import (
    SHORT,
    begun,
    goes_on,
    stays_cancelled,
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
    study = Study(tmp_path, *SHORT, sweep=TRAINING + "evaluate: [{likelihood: {}}]\n")
    training = begun(study, "--partition", "scraps")
    (bound,) = study.tasks("likelihood")
    before = study.job(bound)
    wanted_by_others(cluster, HIGHER, seconds=600)
    study.wait_for(lambda: (job := study.job(training)) and job.state == "PENDING")
    assert study.job(bound) == before
    cluster.ask("scancel", HIGHER)
    study.finish()
    assert study.store.attempts(bound) == [1]


@pytest.mark.parametrize("during_its_grace", [False, True])
def test_a_training_that_a_person_cancelled_stays_cancelled(
    cluster: Cluster, tmp_path: Path, during_its_grace: bool
) -> None:
    rank = ("--partition", "scraps_at_leisure")
    stays_cancelled(cluster, tmp_path, rank, HIGHER, during_its_grace=during_its_grace)
