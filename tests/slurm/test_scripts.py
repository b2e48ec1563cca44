"""What a script says reaches the cluster as meant, and what a job runs is what was copied."""

import json
from pathlib import Path

import pytest

from studies.execute.slurm.queue import client
from tests.cluster.cluster import Cluster
from tests.slurm.study import TRAINING, Study
from tests.studies.execute.slurm.test_script import AWKWARD, edited

pytestmark = pytest.mark.slurm


def test_no_word_of_a_script_means_anything_but_itself(cluster: Cluster, tmp_path: Path) -> None:
    words = ("--resource", f"comment={json.dumps(AWKWARD)}", "--resource", "sbatch=[--hold]")
    study = Study(tmp_path / AWKWARD, *words, sweep=TRAINING)
    assert study.run() == 0
    (address,) = study.tasks()
    job = study.job(address)
    assert job is not None
    assert client(["squeue", "--noheader", "--format=%k", "--job", job.id]).strip() == AWKWARD
    client(["scontrol", "release", job.id])
    study.finish()
    (log,) = study.store.root.glob("submissions/train.*/*_0_0_log.out")
    assert f"{address}: done" in log.read_text()
    assert [path.name for path in tmp_path.iterdir()] == [AWKWARD]


def test_a_job_whose_code_was_changed_runs_none_of_it_and_the_next_run_goes_on(
    cluster: Cluster, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    study = Study(tmp_path / "study", "--resource", "sbatch=[--hold]", sweep=TRAINING)
    assert study.run() == 0
    (address,), (code,) = study.tasks(), (study.store.root / "code").iterdir()
    job = study.job(address)
    assert job is not None
    edited(code)
    client(["scontrol", "release", job.id])
    study.wait_for(lambda: study.job(address) is None)
    assert study.store.attempts(address) == []
    assert "its job found the copy of the code changed" in study.status(capsys)
    study.options = ()
    assert study.run() == 0
    study.finish()
    assert study.store.attempts(address) == [1, 2]
    assert not list(code.rglob("__pycache__"))
