"""A training on a real SLURM is disturbed at a random moment, and comes to the same bytes."""

import os
import random
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cluster.cluster import Cluster
from tests.slurm.study import TRAINING, Study

pytestmark = pytest.mark.slurm

STEPS = 2000
LONG = ("--set", f"train.steps={STEPS}")

Disturbance = Callable[[Cluster, Study, str], None]


@pytest.fixture(scope="module")
def inline(tmp_path_factory: pytest.TempPathFactory) -> Study:
    study = Study(tmp_path_factory.mktemp("inline"), *LONG, sweep=TRAINING)
    assert study.run(executor="inline") == 0
    return study


@pytest.fixture(scope="module")
def undisturbed(inline: Study) -> dict[str, bytes]:
    return inline.results()


@pytest.fixture
def study(cluster: Cluster, tmp_path: Path) -> Study:
    return Study(tmp_path, *LONG, sweep=TRAINING)


def disturbed(cluster: Cluster, study: Study, disturb: Disturbance, *options: str) -> str:
    """Submit the training and disturb it at a random moment; its address."""
    assert study.run(*options) == 0
    (training,) = study.tasks()
    study.wait_for_progress(training, random.randrange(1, STEPS // 2))
    disturb(cluster, study, training)
    assert study.store.result(training) is None, "it was done before it was disturbed"
    return training


def job_id(study: Study, training: str) -> str:
    job = study.job(training)
    assert job is not None
    return job.id


def warned_of_its_time(cluster: Cluster, study: Study, training: str) -> None:
    cluster.ask("scancel", "--signal=USR2", job_id(study, training))


def requeued(cluster: Cluster, study: Study, training: str) -> None:
    cluster.ask("scontrol", "requeue", job_id(study, training))


def told_to_end(cluster: Cluster, study: Study, training: str) -> None:
    cluster.ask("scancel", "--signal=TERM", job_id(study, training))


def cancelled(cluster: Cluster, study: Study, training: str) -> None:
    cluster.ask("scancel", job_id(study, training))


def killed(cluster: Cluster, study: Study, training: str) -> None:
    claim = study.store.claim_of(training)
    assert claim is not None
    os.kill(claim.pid, signal.SIGKILL)


@pytest.mark.parametrize("disturb", [warned_of_its_time, requeued])
def test_a_training_goes_on_by_itself_after_it_was(
    cluster: Cluster, study: Study, undisturbed: dict[str, bytes], disturb: Disturbance
) -> None:
    training = disturbed(cluster, study, disturb)
    first = study.store.submissions.element(training)
    study.finish()
    assert study.results() == undisturbed
    assert len(study.store.attempts(training)) == 2
    assert study.store.submissions.element(training) == first
    stopped = study.store.attempt_failure(training, 1)
    assert stopped is not None
    assert (stopped.final, stopped.saved > 0) == (False, True)
    made = study.store.provenance(training)
    assert made is not None
    assert made["steps_before"] == stopped.saved  # no step that was saved is taken again


@pytest.mark.parametrize("every", [True, False])
def test_of_an_array_those_that_were_warned_go_on_by_themselves_and_the_others_undisturbed(
    cluster: Cluster, tmp_path: Path, undisturbed: dict[str, bytes], every: bool
) -> None:
    study = Study(tmp_path, *LONG, "--seeds", "0", "1", "2", sweep=TRAINING)
    assert study.run() == 0
    trainings = study.tasks()
    for training in trainings:
        study.wait_for_progress(training, 1)
    jobs = [job for training in trainings if (job := study.job(training))]
    (last,) = (job for job in jobs if job.number == job.array_id)
    cluster.ask("scancel", "--signal=USR2", last.array_id if every else last.id)
    study.finish()
    attempts = sorted(study.store.attempts(training) for training in trainings)
    assert attempts == [[1, 2] if every else [1]] * 2 + [[1, 2]]
    assert undisturbed.items() <= study.results().items()


@pytest.mark.parametrize(
    ("disturb", "error"),
    [(told_to_end, "cancelled"), (cancelled, "cancelled"), (killed, "lost")],
)
def test_a_training_is_gone_on_with_by_the_next_run_after_it_was(
    cluster: Cluster,
    study: Study,
    undisturbed: dict[str, bytes],
    disturb: Disturbance,
    error: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    training = disturbed(cluster, study, disturb)
    study.wait_for(lambda: study.job(training) is None)
    told = "lost  its job" if error == "lost" else f"stopped  {error}: training saved at step"
    assert f"{training}  {told}" in study.status(capsys)
    assert study.run() == 0
    ended = study.store.attempt_failure(training, 1)
    assert ended is not None
    assert (ended.error, ended.final) == (error, False)
    study.finish()
    assert study.results() == undisturbed
    assert len(study.store.attempts(training)) == 2


def test_what_needs_a_killed_training_is_submitted_again_with_it(
    cluster: Cluster, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = ("--set", "train.objective=[simple]", "--set", "train.steps=800")
    short = ("--seeds", "0", *settings)
    study = Study(tmp_path / "slurm", *short)
    assert study.run() == 0
    (training,) = study.tasks("train")
    study.wait_for_progress(training, 1)
    killed(cluster, study, training)
    study.wait_for(lambda: all(study.job(task) is None for task in study.tasks()))
    told = study.status(capsys)
    assert f"{training}  lost  its job left the queue without a word" in told
    assert told.count(f"its job cannot run: {training} has no result") == 3  # 2 samples, the bound
    assert study.run() == 0
    study.finish()
    whole = Study(tmp_path / "inline", *short)
    assert whole.run(executor="inline") == 0
    assert study.results() == whole.results()


def test_samples_and_likelihoods_that_were_warned_of_their_time_go_on(
    cluster: Cluster, tmp_path: Path
) -> None:
    settings = (
        *("train.objective=[simple]", "train.diffusion.steps=200", "likelihood.images=40"),
        *("samples.images=1200", "samples.shard_blocks=1000"),
    )
    longer = ("--seeds", "0", *(word for text in settings for word in ("--set", text)))
    study = Study(tmp_path, *longer)
    assert study.run() == 0
    tasks = [*study.tasks("sample"), *study.tasks("likelihood")]
    assert [task.partition("-")[0] for task in tasks] == ["sample", "likelihood"]
    for task in tasks:
        study.wait_for_progress(task, 400)
        warned_of_its_time(cluster, study, task)
    study.finish()
    for task in tasks:
        stopped = study.store.attempt_failure(task, 1)
        assert stopped is not None
        assert (stopped.error, stopped.saved > 0) == ("timeout", True)
    whole = Study(tmp_path / "inline", *longer)
    assert whole.run(executor="inline") == 0
    assert study.results() == whole.results()


def test_a_training_preempted_by_a_better_partition_goes_on_by_itself(
    cluster: Cluster, study: Study, undisturbed: dict[str, bytes]
) -> None:
    def preempted(cluster: Cluster, study: Study, training: str) -> None:
        wanted = ("--partition=high", "--nodes=2", "--exclusive", "--output=/dev/null")
        cluster.ask("sbatch", *wanted, "--wrap=sleep 3")
        study.wait_for(lambda: (job := study.job(training)) and job.state == "PENDING")

    training = disturbed(cluster, study, preempted, "--partition", "low")
    study.finish()
    assert study.results() == undisturbed
    assert len(study.store.attempts(training)) == 2


def test_a_training_whose_node_died_goes_on_by_itself(
    cluster: Cluster, study: Study, undisturbed: dict[str, bytes]
) -> None:
    dead: list[str] = []

    def node_dies(cluster: Cluster, study: Study, training: str) -> None:
        job = study.job(training)
        assert job is not None
        dead.append(job.node)
        cluster.stop_slurmd(job.node)

    training = disturbed(cluster, study, node_dies)
    try:
        study.finish()
    finally:
        cluster.start_slurmd(*dead)
    assert study.results() == undisturbed
    lost = study.store.attempt_failure(training, 1)
    assert lost is not None
    assert lost.error == "lost"


@pytest.mark.slow
def test_a_training_longer_than_its_time_limit_finishes_by_itself(
    cluster: Cluster, tmp_path: Path, inline: Study
) -> None:
    made = inline.store.provenance(inline.tasks()[0])
    assert made is not None
    steps = round(60 * STEPS / made["seconds"])  # a job of one minute is warned after 40 s
    study = Study(tmp_path, "--set", f"train.steps={steps}", sweep=TRAINING)
    assert study.run("--resource", "time_min=1") == 0
    (training,) = study.tasks()
    study.finish(seconds=500)
    attempts = study.store.attempts(training)
    assert len(attempts) > 1
    ends = [study.store.attempt_failure(training, n) for n in attempts[:-1]]
    assert {end.error for end in ends if end} == {"timeout"}
    saved = [end.saved for end in ends if end]
    assert saved == sorted(set(saved))
    whole = Study(tmp_path / "inline", "--set", f"train.steps={steps}", sweep=TRAINING)
    assert whole.run(executor="inline") == 0
    assert study.results() == whole.results()
