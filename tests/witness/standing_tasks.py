"""Two tasks, claimed, queued and failed, for whoever tells where they stand."""

import pytest

from studies import status
from studies.store.ownership import Claim
from studies.store.store import Failure, Store
from studies.tasks.task import Task
from tests.witness import stores, tiny
from tests.witness.fake_slurm import FakeSlurm

TRAINING = tiny.training()
BOUND = tiny.likelihood(TRAINING)
BROKEN = Failure(error="oom", message="MemoryError: no more", log=("a", "b", "c", "d"))


def queued(store: Store, slurm: FakeSlurm, *tasks: Task, **changes: str) -> None:
    """Tasks in the queue, an element each of array `array`."""
    for task in tasks:
        store.create(task)
    store.submissions.record("array", {i: [task.address] for i, task in enumerate(tasks)})
    script = slurm.folder / "script"
    script.write_text(f"#SBATCH --array=0-{len(tasks) - 1}\n#SBATCH --job-name=array\n")
    slurm.submit(script)
    for index in range(len(tasks)):
        slurm.set("array", index, **changes)


def claimed(store: Store, monkeypatch: pytest.MonkeyPatch, job: str | None = None) -> Claim:
    """A claim of this process, as a job of this number makes it."""
    with monkeypatch.context() as patch:
        if job is not None:
            patch.setenv("STUDIES_EXECUTOR", "slurm")
            patch.setenv("SLURM_JOB_ID", job)
        return stores.claimed(store, TRAINING)


def shown(store: Store, *options: str) -> int:
    """The exit status of `status` in a store with a study of the two."""
    store.record_study("mine", {"tasks": [TRAINING.address, BOUND.address]})
    store.create(TRAINING)
    store.create(BOUND)
    return status.main(["--store", str(store.root), *options])
