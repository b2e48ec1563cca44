"""What becomes of a task that several processes of a job do together if one of them cannot go on.

The processes and their exchanges over gloo are real; what `srun` does is `tests.witness.step`.
"""

import os
from pathlib import Path

import numpy as np
import pytest

from iddpm.config import Npz
from iddpm.data import describe
from studies.execute.slurm.ending import AGAIN
from studies.store.store import Failure, Store
from studies.tasks.task import Task
from tests.witness import tiny
from tests.witness.warm import Warm

A, B = (tiny.training(block_size=2, seed=seed) for seed in range(2))

pytestmark = pytest.mark.slow


class Job:
    """A job of two processes, each on a node of its own as far as it can see.

    Args:
        folder: Of all that it has.
        store: Where its tasks stand.
        warm: Starts its steps.
    """

    def __init__(self, folder: Path, store: Store, warm: Warm) -> None:
        self.store = store
        self.folder = folder / "submitted from"
        self._warm = warm
        for number in "01":
            (self.folder / number).mkdir(parents=True)

    def run(
        self, *tasks: Task, faults: dict[int, str] | None = None, once: bool = True
    ) -> tuple[list[int], str]:
        """The statuses of its steps, and what they said.

        Args:
            tasks: What it is to do.
            faults: Of its processes, by their numbers.
            once: Whether there is one fault alone, or each in every task.
        """
        for task in tasks:
            self.store.create(task)
        self.store.submissions.record("array", {0: [task.address for task in tasks]})
        met = str(self.folder / "met") if once else ""
        again = self.store.submissions.folder("array") / f"{AGAIN}.0"
        statuses: list[int] = []
        said = ""
        while not statuses or again.exists():
            again.unlink(missing_ok=True)
            told = self._told()
            asked = (str(self.store.root), "array", told, faults or {}, met)
            step = self._warm.start(f"from tests.witness import step; step.run(*{asked!r})")
            statuses.append(step.wait())
            said += step.output()
        return statuses, said

    def _told(self) -> dict[str, str]:
        job = str(os.getpid())  # it chooses the port: jobs of two tests do not meet
        return {
            **dict.fromkeys(("SLURM_JOB_ID", "SLURM_ARRAY_JOB_ID"), job),
            "SLURM_ARRAY_TASK_ID": "0",
            "STUDIES_EXECUTOR": "slurm",
            "STUDIES_FIRST_NODE": "localhost",
            "STUDIES_FOLDER": str(self.folder),
            "SUBMITIT_EXECUTOR": "slurm",
        }

    def failure(self, task: Task) -> Failure:
        """Why the task counts as failed."""
        failure = self.store.failure(task.address)
        assert failure is not None, self.store.state(task.address)
        return failure

    def states(self, *tasks: Task) -> list[str]:
        return [self.store.state(task.address) for task in tasks]


@pytest.fixture
def a_job(tmp_path: Path, store: Store, warm: Warm) -> Job:
    return Job(tmp_path, store, warm)


@pytest.mark.parametrize("victim", [0, 1])
@pytest.mark.parametrize(
    ("fault", "error", "words"),
    [
        ("refused", "exception", "ValueError: expected another value"),
        ("out_of_memory", "oom", "OutOfMemoryError: CUDA out of memory. Tried to allocate 2.00"),
        ("diverged", "diverged", "Diverged: expected a finite loss"),
    ],
)
def test_an_error_of_one_process_is_that_of_the_task_and_the_next_is_done(
    a_job: Job, victim: int, fault: str, error: str, words: str
) -> None:
    statuses, said = a_job.run(A, B, faults={victim: fault})
    assert (statuses[-1], a_job.states(A, B)) == (0, ["failed", "done"]), said
    failure = a_job.failure(A)
    assert (failure.error, a_job.store.attempts(A.address)) == (error, [1])
    assert failure.message.startswith(f"process {victim + 1} of 2: {words}")
    assert fault in failure.traceback


def test_a_process_that_waits_for_another_and_hears_nothing_is_ended_with_it(a_job: Job) -> None:
    """So do processes that compute on GPUs."""
    statuses, said = a_job.run(A, faults={0: "frozen", 1: "refused"}, once=False)
    assert (statuses[-1], a_job.states(A)) == (1, ["failed"]), said
    assert a_job.failure(A).message == "process 2 of 2: ValueError: expected another value"


def test_a_process_that_cannot_read_its_data_says_so(a_job: Job) -> None:
    images = np.random.default_rng(0).integers(256, size=(8, 8, 8, 1), dtype=np.uint8)
    np.savez(a_job.folder / "0" / "images.npz", train=images, test=images)
    digest = describe(Npz(path=str(a_job.folder / "0" / "images.npz"))).digest
    trained = tiny.training(block_size=2, data=Npz(path="images.npz"))
    reads = Task(kind="train", config=trained.config, digests=(("data", digest),))
    statuses, said = a_job.run(reads, B)
    assert (statuses[-1], a_job.states(reads, B)) == (0, ["failed", "done"]), said
    failure = a_job.failure(reads)
    assert failure.error == "exception"
    assert failure.message.startswith("process 2 of 2: ")
    assert "images.npz" in failure.message


@pytest.mark.parametrize("victim", [0, 1])
def test_a_job_of_which_one_process_is_killed_ends_and_its_task_is_planned_again(
    a_job: Job, victim: int
) -> None:
    statuses, said = a_job.run(A, B, faults={victim: "killed"})
    assert (statuses[-1], a_job.states(A, B)) == (137, ["submitted", "submitted"]), said
    assert len(statuses) == 1


def test_what_all_processes_meet_is_recorded_once(a_job: Job) -> None:
    statuses, said = a_job.run(A, B, faults=dict.fromkeys((0, 1), "refused"), once=False)
    assert (statuses[-1], a_job.states(A, B)) == (1, ["failed", "failed"]), said
    assert [a_job.store.attempts(task.address) for task in (A, B)] == [[1], [1]]
