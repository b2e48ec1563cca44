"""Submissions of small tasks to the made-up scheduler."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from studies import run
from studies.execute import slurm as executor
from studies.execute.slurm import Submission, SubmitSettings
from studies.spec.resources import Resources
from studies.store.store import Store
from studies.tasks.kinds import KINDS
from studies.tasks.task import Task
from tests.witness import tiny
from tests.witness.fake_slurm import FakeSlurm


def training(seed: int = 0, **changes: Any) -> Task:
    """One that up to eight processes can share."""
    return tiny.training(seed=seed, batch_size=8, block_size=1, **changes)


TRAINING = training()
BOUND = tiny.likelihood(TRAINING)


def settings(
    resources: Mapping[str, Resources] | None = None,
    *,
    pack_min: float = 10.0,
    max_parallel: int | None = None,
    max_gpu_hours: float | None = None,
) -> SubmitSettings:
    """Settings of a study whose kinds ask for nothing, but for what is given."""
    return SubmitSettings(
        name="study",
        resources=dict.fromkeys(KINDS, Resources()) | dict(resources or {}),
        pack_min=pack_min,
        max_parallel=max_parallel,
        max_gpu_hours=max_gpu_hours,
    )


def submit(store: Store, *tasks: Task) -> Submission:
    """Submit tasks that ask for nothing."""
    return executor.submit(store, tasks, settings())


def queued(store: Store, slurm: FakeSlurm) -> list[str]:
    """The tasks of all elements in the queue, an address as often as it is there."""
    return sorted(
        address
        for row in slurm.rows()
        for address in store.submissions.tasks(row["name"])[int(row["index"])]
    )


def call(sweep: Path, *options: str) -> int:
    """The exit status of a run of a sweep on the made-up scheduler, in a store beside it."""
    store = str(sweep.parent / "store")
    return run.main([str(sweep), "--store", store, "--executor", "slurm", *options])


def recorded(store: Store, **tasks: list[Task]) -> None:
    """Write down studies that need these tasks."""
    for study, needed in tasks.items():
        store.record_study(study, {"tasks": [task.address for task in needed]})
