"""One job of a real SLURM that does several trainings at once, each with its own GPU."""

import os
import signal
from pathlib import Path

import pytest

from studies.store.ownership import Claim
from tests.cluster.cluster import Cluster
from tests.slurm.study import TRAINING, Study

pytestmark = pytest.mark.slurm

TWO = ("--resource", "train.side_by_side=2", "--resource", "train.gpus=1")
SEEDS = ("--seeds", "0", "1")


def both_at_work(study: Study) -> list[Claim]:
    """The claims of two trainings that are under way at once, in one job of one element."""
    assert study.run(*TWO) == 0
    trainings = study.tasks("train")
    assert len({study.store.submissions.element(training) for training in trainings}) == 1
    for training in trainings:
        study.wait_for_progress(training, 1)
    claims = [claim for training in trainings if (claim := study.store.claim_of(training))]
    assert len({claim.job for claim in claims}) == 1
    return claims


def test_the_end_of_one_of_two_trainings_side_by_side_is_not_the_others(
    cluster: Cluster, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    study = Study(tmp_path, *SEEDS, "--set", "train.steps=150", sweep=TRAINING)
    dies, lives = both_at_work(study)
    logs = study.store.root.glob("submissions/*/*_log.out")
    assert {path.name.split("_")[2] for path in logs} == {"0", "1"}, "two processes leave two logs"
    os.kill(dies.pid, signal.SIGKILL)
    study.wait_for(lambda: study.store.result(lives.address) is not None)
    study.wait_for(lambda: study.job(dies.address) is None)
    assert study.store.attempts(lives.address) == [1]
    assert f"{dies.address}  lost  its job left the queue without a word" in study.status(capsys)
    assert study.run(*TWO) == 0
    study.finish()
    lost = study.store.attempt_failure(dies.address, 1)
    assert lost is not None
    assert (lost.error, lost.final) == ("lost", False)


def test_warned_of_its_time_a_job_of_two_trainings_saves_both_and_goes_on_by_itself(
    cluster: Cluster, tmp_path: Path
) -> None:
    study = Study(tmp_path, *SEEDS, "--set", "train.steps=150", sweep=TRAINING)
    claims = both_at_work(study)
    job = study.job(claims[0].address)
    assert job is not None
    cluster.ask("scancel", "--signal=USR2", job.id)
    study.finish()
    for claim in claims:
        stopped = study.store.attempt_failure(claim.address, 1)
        assert stopped is not None
        assert (stopped.error, stopped.saved > 0) == ("timeout", True)
        assert study.store.attempts(claim.address) == [1, 2]
