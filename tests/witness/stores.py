"""What becomes of tasks in a store: claimed, finished, failed, or really run."""

from typing import Any

from studies.execute.worker import run_task
from studies.store.ownership import Claim
from studies.store.store import Failure, Store
from studies.tasks.task import Task

BROKEN = Failure(error="exception", message="it broke")


def claimed(store: Store, task: Task) -> Claim:
    """The claim of a task that is written if it was not."""
    store.create(task)
    claim = store.claim(task.address)
    assert claim is not None
    return claim


def publish(
    store: Store, task: Task, seconds: float = 1.0, device: str = "cpu", **made: object
) -> None:
    """Give a task a made-up result."""
    claim = claimed(store, task)
    record = {"seconds": seconds, "attempt": claim.attempt, "device": device}
    store.publish(claim, {}, record | made)


def fail(store: Store, task: Task, failure: Failure = BROKEN) -> None:
    """Let an attempt at a task fail."""
    store.fail(claimed(store, task), failure)


def done(store: Store, *tasks: Task) -> None:
    """Run tasks to their end, one after another."""
    for task in tasks:
        store.create(task)
        run_task(str(store.root), task.address)
        assert store.state(task.address) == "done", store.failure(task.address)


def result_of(store: Store, *tasks: Task) -> dict[str, Any]:
    """What the last of these tasks came to, once all are done."""
    done(store, *tasks)
    return dict(store.result(tasks[-1].address) or {})


def failure_of(store: Store, task: Task) -> Failure:
    """That of a task which is run and fails."""
    store.create(task)
    run_task(str(store.root), task.address)
    failure = store.failure(task.address)
    assert failure is not None
    return failure
