"""What a submission may cost, what it is forecast to, and what its preset asks for."""

import re
import shlex
from collections.abc import Callable
from pathlib import Path

import pytest

from iddpm.bounds import ConfigError
from studies.execute import slurm as executor
from studies.execute.guesses import guess
from studies.execute.slurm import Submission, SubmitSettings
from studies.execute.slurm.queue import NEVER
from studies.plan.plan import chained
from studies.spec.resources import Resources
from studies.store.store import Failure, Store
from studies.tasks.task import Task
from tests.witness import tiny
from tests.witness.fake_slurm import FakeSlurm
from tests.witness.stores import fail, publish
from tests.witness.submitting import BOUND, TRAINING, call, settings, submit, training
from tests.witness.tiny_sweep import PRESET


def test_more_gpu_hours_than_allowed_are_refused_and_nothing_is_submitted(
    slurm: FakeSlurm, store: Store
) -> None:
    publish(store, training(seed=7), seconds=1800.0, device="NVIDIA A100", ranks=4)
    publish(store, training(seed=8), seconds=36.0, device="NVIDIA A100", ranks=8)
    asked = {"train": Resources(gpus=2, gpu_type="a100", nodes=2, time_min=1)}
    with pytest.raises(ConfigError) as error:
        executor.submit(store, [TRAINING, BOUND], settings(asked, max_gpu_hours=1.9))
    assert str(error.value) == (
        "--max-gpu-hours: expected at most 1.9 GPU-hours, found 2; nothing was submitted. "
        "--dry-run shows where they go"
    )
    assert slurm.calls("sbatch") == []
    assert executor.submit(store, [TRAINING, BOUND], settings(asked, max_gpu_hours=2.0)).arrays


@pytest.mark.parametrize("time_min", [1, 600])
def test_a_budget_is_held_against_a_guess_and_never_against_a_time_limit(
    slurm: FakeSlurm, store: Store, time_min: int
) -> None:
    """Ten seconds to begin, of four GPUs; what so small a network computes is next to nothing."""
    asked = {"train": Resources(gpus=2, nodes=2, time_min=time_min)}
    with pytest.raises(ConfigError) as error:
        executor.submit(store, [TRAINING, BOUND], settings(asked, max_gpu_hours=0.011))
    assert "found 0.0111, of which 0.0111 are a guess; nothing was submitted" in str(error.value)
    assert slurm.calls("sbatch") == []
    assert executor.submit(store, [TRAINING, BOUND], settings(asked, max_gpu_hours=0.012)).arrays


def test_a_budget_counts_what_is_queued_already(slurm: FakeSlurm, store: Store) -> None:
    asked = settings({"train": Resources(gpus=1, gpu_type="a100")}, max_gpu_hours=2.5)
    publish(store, training(seed=7), seconds=3600.0, device="NVIDIA A100")
    trainings = [training(seed=seed) for seed in range(3)]
    for count in (1, 2):
        assert executor.submit(store, trainings[:count], asked).arrays
    with pytest.raises(ConfigError, match="found 3 with 2 that are queued or running;"):
        executor.submit(store, trainings, asked)
    assert len(slurm.rows()) == 2


def test_what_is_refused_leaves_the_failures_that_were_to_be_tried_again(
    slurm: FakeSlurm, store: Store
) -> None:
    fail(store, TRAINING, Failure(error="oom", message="no memory"))
    asked = settings({"train": Resources(gpus=1)}, max_gpu_hours=0.001)
    with pytest.raises(ConfigError, match=r"found 0\.00278, of which 0\.00278 are a guess"):
        executor.submit(store, [TRAINING], asked, retry=["oom"])
    assert store.state(TRAINING.address) == "failed"


def test_what_would_be_tried_again_is_shown_before_it_is(slurm: FakeSlurm, store: Store) -> None:
    fail(store, TRAINING, Failure(error="oom", message="no memory"))
    tasks = [TRAINING, BOUND]
    assert executor.preview(store, tasks, settings()).states == {"failed": 1, "waiting": 1}
    assert executor.preview(store, tasks, settings(), retry=["oom"]).states == {"new": 2}
    assert store.state(TRAINING.address) == "failed"


@pytest.mark.parametrize("reason", [NEVER, "PartitionTimeLimit"])
def test_what_can_never_start_is_replaced(slurm: FakeSlurm, store: Store, reason: str) -> None:
    (array,) = submit(store, TRAINING).arrays
    slurm.set(array.name, 0, reason=reason)
    asked = settings({"train": Resources(partition="other")})
    assert executor.preview(store, [TRAINING], asked).states == {"new": 1}
    assert executor.submit(store, [TRAINING], asked).states == {"new": 1}
    (job,) = slurm.rows()
    assert job["name"] != array.name


WIDE = """\
when:
  - if: {train.objective: hybrid}
    resources: {train: {gpus: 2, cpus: 3}, sample: {cpus: 5}, likelihood: {cpus: 7}}
resources: {train: {cpus: 2, time_min: 9}}
"""


def test_a_condition_of_the_preset_asks_for_a_training_and_what_its_network_does(
    slurm: FakeSlurm, sweep: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    preset = sweep.parent / "presets" / "tiny.yaml"
    preset.write_text(PRESET.replace("  batch_size:", "  block_size: 2\n  batch_size:") + WIDE)
    asked: dict[str, set[tuple[str, ...]]] = {}
    for more in ((), ("--resource", "cpus=4")):
        assert call(sweep, "--dry-run", "--verbose", *more) == 0
        for script in capsys.readouterr().out.split("#!/bin/bash")[1:]:
            found = dict(re.findall(r"^#SBATCH --([a-z-]+)=(.*)$", script, re.MULTILINE))
            kind = found["job-name"].partition(".")[0]
            words = ("cpus-per-task", "gpus-per-node", "time")
            asked.setdefault(" ".join([kind, *more[1:]]), set()).add(
                tuple(found.get(word, "") for word in words)
            )
    assert asked["train"] == {("2", "", "9"), ("3", "2", "9")}
    assert asked["sample"] == {("1", "", "60"), ("5", "", "60")}
    assert asked["features"] == {("1", "", "60")}
    assert asked["train cpus=4"] == {("4", "", "9"), ("4", "2", "9")}
    assert asked["sample cpus=4"] == {("4", "", "60")}


def test_no_variable_of_the_user_overrules_a_script_or_hides_a_job(
    slurm: FakeSlurm, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SQUEUE_STATES", "RUNNING")
    slurm.replace("squeue", "test -z $SQUEUE_STATES && OBEY")
    submission = submit(store, TRAINING)
    (words,) = slurm.calls("sbatch")
    written = re.findall(r"^#SBATCH (.*)$", submission.scripts[0], re.MULTILINE)
    assert words[1:-1] == [shlex.split(line)[0] for line in written]
    assert submit(store, TRAINING).states == {"queued": 1}
    assert all("--all" in asked for asked in slurm.calls("squeue"))


@pytest.mark.parametrize("waits", [True, False])
def test_what_continues_a_replaced_training_is_replaced_with_it_if_its_job_waits_for_it(
    slurm: FakeSlurm, store: Store, waits: bool
) -> None:
    trainings = list(chained(training(steps=steps) for steps in (5, 9, 13)).values())
    tasks = [*trainings, tiny.likelihood(trainings[-1])]
    arrays = submit(store, *tasks).arrays
    slurm.set(arrays[0].name, 0, reason="PartitionTimeLimit")
    for array in arrays[1:]:
        slurm.set(array.name, 0, reason="Dependency" if waits else "Priority")
    assert executor.preview(store, tasks, settings()).states["new"] == (4 if waits else 1)
    submission = submit(store, *tasks)
    assert submission.states["new"] == (4 if waits else 1)
    assert submission.states["queued"] == (0 if waits else 3)


def test_hours_are_the_measured_ones_or_a_guess(slurm: FakeSlurm, store: Store) -> None:
    publish(store, training(seed=7), seconds=36.0, device="NVIDIA A100", ranks=2)
    tasks = [*(training(seed=seed) for seed in range(10)), BOUND]
    asked = {"train": Resources(gpus=2, gpu_type="a100"), "likelihood": Resources(time_min=90)}
    submission = executor.submit(store, tasks, settings(asked))
    train, bound = submission.hours["train"], submission.hours["likelihood"]
    assert (train.tasks, train.guessed) == (9, 0)
    assert (train.hours, train.gpu_hours) == pytest.approx((0.09, 0.18))
    work = guess(BOUND, {TRAINING.address: TRAINING}.__getitem__, gpu=None)
    assert 0 < work < 1
    guessed = (10 + work) / 3600  # a job takes ten seconds to begin
    assert (bound.tasks, bound.guessed, bound.hours, bound.gpu_hours) == (1, 1, guessed, 0)
    assert submission.longest_chain_hours == pytest.approx(0.01 + guessed)
    assert [len(array.elements) for array in submission.arrays] == [1, 1]


@pytest.mark.parametrize("door", [executor.submit, executor.preview])
def test_a_batch_that_cannot_be_shared_out_is_refused_and_nothing_is_submitted(
    slurm: FakeSlurm, store: Store, door: Callable[[Store, list[Task], SubmitSettings], Submission]
) -> None:
    asked = settings({"train": Resources(gpus=3)})
    with pytest.raises(ConfigError, match="to share among 3 processes, found 8 of 1 images"):
        door(store, [TRAINING], asked)
    assert slurm.calls("sbatch") == []


@pytest.mark.parametrize(("lengths", "hours"), [([1.0], 4.0), ([1.0] * 4, 4.0), ([2.0, 1.0], 8.0)])
def test_a_job_of_tasks_side_by_side_holds_all_its_gpus_until_the_last_is_done(
    slurm: FakeSlurm, store: Store, lengths: list[float], hours: float
) -> None:
    asked = {"train": Resources(gpus=1, gpu_type="a100", side_by_side=4)}
    publish(store, training(seed=100), seconds=3600.0, device="NVIDIA A100")
    steps = tiny.TRAINING.steps
    tasks = [
        training(seed=seed, steps=round(length * steps)) for seed, length in enumerate(lengths)
    ]
    found = executor.preview(store, tasks, settings(asked))
    assert found.hours["train"].gpu_hours == pytest.approx(hours, rel=1e-6)
