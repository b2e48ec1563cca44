"""Studies on a real SLURM: what is submitted, what comes out, and what is told of it."""

import os
import re
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from studies import cancel
from studies.execute.slurm import snapshot
from studies.execute.slurm.queue import queued
from tests import test_readme
from tests.cluster.cluster import Cluster
from tests.slurm.study import TRAINING, Study
from tests.witness import kills

pytestmark = pytest.mark.slurm


@pytest.fixture(scope="module")
def reference(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """What the study comes to in one process."""
    study = Study(tmp_path_factory.mktemp("inline"))
    assert study.run(executor="inline") == 0
    return study.results()


def elements(study: Study) -> Counter[str]:
    """How often each task is in the queue."""
    arrays = {path.parent.name for path in study.store.root.glob("submissions/*/submission.json")}
    return Counter(
        address
        for element in queued(arrays)
        for address in study.store.submissions.tasks(element.array)[element.index]
    )


def test_a_study_gives_the_bytes_of_inline_and_a_second_run_submits_nothing(
    cluster: Cluster,
    tmp_path: Path,
    reference: dict[str, bytes],
    capsys: pytest.CaptureFixture[str],
) -> None:
    study = Study(tmp_path)
    assert study.run() == 0
    assert f"{len(reference)} tasks: {len(reference)} new" in capsys.readouterr().out
    submitted = elements(study)
    assert study.run() == 0
    assert " new" not in capsys.readouterr().out
    assert max(submitted.values()) == 1

    study.finish()
    assert study.results() == reference
    assert all(study.store.attempts(address) == [1] for address in reference)
    assert study.run() == 0
    assert f"{len(reference)} tasks: {len(reference)} done" in capsys.readouterr().out
    made = study.store.provenance(study.tasks("train")[0])
    assert made is not None
    assert (made["executor"], made["threads"]) == ("slurm", 1)
    logs = [p.read_text() for p in study.store.root.glob("submissions/train.*/*_log.out")]
    began = re.compile(r"the first of its \w+.*, \d+ s after its job began")
    assert all(map(began.search, logs)), "every training tells how long its job took to get to work"


def test_a_job_runs_the_code_that_was_submitted_where_sbatch_passes_nothing_on(
    cluster: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SBATCH_EXPORT", "NONE")
    monkeypatch.setattr(snapshot, "commit", lambda: {"commit": "of the snapshot", "dirty": None})
    study = Study(tmp_path, sweep=TRAINING)
    assert study.run() == 0
    study.finish()
    made = study.store.provenance(study.tasks()[0])
    assert made is not None
    assert (made["commit"], made["executor"]) == ("of the snapshot", "slurm")


def test_a_likelihood_by_shards_is_that_of_one_task(cluster: Cluster, tmp_path: Path) -> None:
    options = ("--set", "train.objective=[hybrid]")
    whole = Study(tmp_path / "whole", *options)
    assert whole.run(executor="inline") == 0
    cut = Study(tmp_path / "cut", *options, "--set", "likelihood.shard_blocks=1")
    assert cut.run() == 0
    assert len(cut.tasks("likelihood_shard")) == 2 * len(cut.tasks("likelihood_merge")) == 4
    cut.finish()
    bounds = (
        {study.results()[address] for address in study.tasks(kind)}
        for study, kind in ((whole, "likelihood"), (cut, "likelihood_merge"))
    )
    assert next(bounds) == next(bounds)


def test_the_sigma_ablation_shares_jobs_once_times_are_known_and_gives_the_bytes_of_inline(
    cluster: Cluster, tmp_path: Path
) -> None:
    sweep = (test_readme.ROOT / test_readme.SWEEP).read_text()
    preset = test_readme.PRESET.format(data="digits", extractor=test_readme.EXTRACTORS["digits"])
    ablation = {"sweep": sweep.replace("preset: digits", "preset: tiny"), "preset": preset}
    inline = Study(tmp_path / "inline", "--seeds", "0", "1", **ablation)
    assert inline.run(executor="inline") == 0
    study = Study(tmp_path / "slurm", "--seeds", "0", **ablation)
    assert study.run(executor="inline") == 0
    study.options = ("--seeds", "0", "1")
    assert study.run() == 0
    packs = [
        study.store.submissions.tasks(element.array)[element.index]
        for address in study.tasks()
        if (element := study.store.submissions.element(address))
        and study.store.result(address) is None
    ]
    assert max(map(len, packs)) > 1
    study.finish()
    assert study.results() == inline.results()


def test_a_plan_larger_than_the_clusters_arrays_is_cut_into_several(
    cluster: Cluster, tmp_path: Path
) -> None:
    study = Study(tmp_path, "--set", "train.objective=[simple]")
    with cluster.reconfigured(max_array_size=4):
        assert study.run("--seeds", *map(str, range(50)), "--pack", "0") == 0
        trainings = Counter(study.tasks("train"))
        assert sum(trainings.values()) == 50
        of_arrays = Counter(  # the first may be done before the last array is queued
            address
            for path in study.store.root.glob("submissions/*/submission.json")
            for tasks in study.store.submissions.tasks(path.parent.name).values()
            for address in tasks
        )
        assert {a: n for a, n in of_arrays.items() if a in trainings} == trainings
        assert {study.store.submissions.element(a).index for a in trainings} == {0, 1, 2, 3}  # type: ignore[union-attr]
        cluster.cancel_all()


def test_without_accounting_everything_works(
    cluster: Cluster, tmp_path: Path, reference: dict[str, bytes]
) -> None:
    study = Study(tmp_path, "--seeds", "0")
    cluster.stop_slurmdbd()
    try:
        assert study.run() == 0
        study.wait_for(lambda: study.results())
        cluster.cancel_all()
        assert study.run() == 0
        study.finish()
    finally:
        cluster.start_slurmdbd()
    assert study.results().items() <= reference.items()


@pytest.mark.parametrize(
    ("resource", "words", "advice"),
    [
        ("partition=nowhere", "invalid partition specified: nowhere", "partition=NAME"),
        ("account=nobody", "Invalid account or account/partition combination", "account=NAME"),
        ("memory_gb=9000", "Memory specification can not be satisfied", "ask for less memory"),
    ],
)
def test_what_the_cluster_refuses_is_told_in_its_own_words_with_what_to_change(
    cluster: Cluster,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    resource: str,
    words: str,
    advice: str,
) -> None:
    study = Study(tmp_path)
    assert study.run("--resource", resource) == 2
    error = capsys.readouterr().err
    assert words in error
    assert advice in error
    assert error.count("\n") == 1
    assert {study.store.state(address) for address in study.tasks()} == {"planned"}


def test_a_gpu_type_that_the_cluster_has_not_is_refused(
    cluster: Cluster, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    study = Study(tmp_path)
    assert study.run("--resource", "train.gpus=1", "--resource", "train.gpu_type=b999") == 2
    assert "another GPU type" in capsys.readouterr().err


def test_what_needs_a_failed_task_is_told_by_name_and_runs_after_a_retry(
    cluster: Cluster, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    study = Study(tmp_path, "--seeds", "0", "--set", "train.objective=[simple]")
    assert study.run("--set", "train.optimizer.learning_rate=1e30", "--set", "train.steps=40") == 0
    (training,) = study.tasks("train")
    study.wait_for(lambda: study.store.state(training) == "failed")
    study.wait_for(lambda: not elements(study))
    told = study.status(capsys)
    assert f"{training}  failed  diverged: " in told
    (bound,) = study.tasks("likelihood")
    assert f"{bound}  waiting  for {training}, which failed" in told

    diverging = ("--set", "train.optimizer.learning_rate=1e30", "--set", "train.steps=40")
    assert study.run(*diverging) == 0
    assert not elements(study)
    assert study.run(*diverging, "--retry", "oom") == 0
    assert not elements(study)
    assert study.run(*diverging, "--retry", "diverged") == 0
    assert {training, bound} <= elements(study).keys()


def test_a_job_killed_for_memory_is_told_and_runs_when_given_more(
    cluster: Cluster, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    study = Study(tmp_path, sweep=TRAINING)
    assert study.run("--resource", "train.memory_gb=0.1") == 0
    (training,) = study.tasks()
    study.wait_for(lambda: study.job(training) is None)
    assert f"{training}  failed  oom: its job was killed" in study.status(capsys)
    assert study.run("--retry", "oom") == 0
    assert "1 tasks: 1 new" in capsys.readouterr().out
    study.finish()
    failure = study.store.attempt_failure(training, 1)
    assert failure is not None
    assert failure.error == "oom"
    assert "--resource memory_gb=N" in failure.message
    assert any("memory limit" in line for line in failure.log)


def test_a_training_runs_one_process_on_each_gpu_of_its_node(
    cluster: Cluster, tmp_path: Path
) -> None:
    study = Study(tmp_path, "--set", "train.block_size=2", sweep=TRAINING)
    assert study.run("--resource", "train.gpus=2") == 0
    study.finish()
    ranks = {path.name.split("_")[2] for path in study.store.root.glob("submissions/*/*_log.out")}
    assert ranks == {"0", "1"}


def test_two_runs_at_once_submit_every_task_once(cluster: Cluster, tmp_path: Path) -> None:
    study = Study(tmp_path)
    command = [sys.executable, "-m", "studies.run", *study.arguments()]
    at_once = [subprocess.Popen(command, stdout=subprocess.PIPE) for _ in range(2)]
    assert [process.wait(timeout=60) for process in at_once] == [0, 0]
    arrays = list(study.store.root.glob("submissions/*/submission.json"))
    tasks = Counter(
        address
        for path in arrays
        for pack in study.store.submissions.tasks(path.parent.name).values()
        for address in pack
    )
    assert tasks == Counter(study.tasks())
    assert all(count == 1 for count in elements(study).values())


@pytest.mark.parametrize("file", ["submission.json", "script.sh", "queued.json"])
def test_a_submitter_killed_as_it_writes_leaves_no_orphan(
    cluster: Cluster, tmp_path: Path, file: str
) -> None:
    study = Study(tmp_path, "--seeds", "0", "--set", "train.objective=[simple]")
    (tmp_path / "sitecustomize.py").write_text(kills.customised(file, tmp_path / "killed"))
    paths = os.pathsep.join([str(tmp_path), str(test_readme.ROOT)])
    command = [sys.executable, "-m", "studies.run", *study.arguments()]
    killed = subprocess.run(command, env={**os.environ, "PYTHONPATH": paths}, check=False)
    assert killed.returncode == -signal.SIGKILL
    assert study.run() == 0
    states = {address: study.store.state(address) for address in study.tasks()}
    assert set(states.values()) <= {"submitted", "running", "done"}
    waiting = {address for address, state in states.items() if state == "submitted"}
    in_queue = elements(study)
    assert waiting <= in_queue.keys()
    study.finish()
    assert all(study.store.attempts(address) == [1] for address in study.tasks())


def test_cancel_takes_from_the_queue_what_only_that_study_needs(
    cluster: Cluster, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    study = Study(tmp_path, "--set", "train.steps=20000")
    assert study.run() == 0
    other = study.path.with_name("other.yaml")
    text = study.path.read_text().replace("study: tiny", "study: other").replace("[0, 1]", "[0]")
    other.write_text(text)
    shared = Study(tmp_path, *study.options)
    shared.path = other
    assert shared.run() == 0
    assert cancel.main(["tiny-tiny", "--store", str(study.store.root)]) == 0
    assert "jobs cancelled" in capsys.readouterr().out
    needed = set(study.store.study("other-tiny")["tasks"])
    study.wait_for(lambda: set(elements(study)) <= needed, 60)
    assert set(elements(study)) <= needed
    gone = [address for address in study.store.study("tiny-tiny")["tasks"] if address not in needed]
    assert {study.store.state(address) for address in gone} == {"planned"}
    assert study.run() == 0
    assert set(gone) <= elements(study).keys()


def test_status_tells_what_is_queued_and_what_runs(
    cluster: Cluster, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    study = Study(tmp_path, "--seeds", "0", "--set", "train.steps=20000")
    assert study.run() == 0
    training, *_ = study.tasks("train")
    study.wait_for_progress(training, 10)
    lines = dict(line.split("  ", 1) for line in study.status(capsys).splitlines())
    assert lines[training].startswith("running  on node")
    assert " of 20000 steps, " in lines[training]
    assert " steps/s, about " in lines[training]
    bound, *_ = study.tasks("likelihood")
    assert lines[bound].startswith("queued  as job ")
    assert " (Dependency)  (simple cosine T=8, likelihood, 8 steps, " in lines[bound]
