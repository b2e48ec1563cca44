"""Where tasks run: here, in a pool of processes, on a cluster."""

from collections.abc import Sequence

from studies.execute import inline, local
from studies.execute.agenda import Watcher, unwatched
from studies.store.store import Store
from studies.tasks.task import Task

NAMES = ("inline", "local", "slurm")
"""All but the last run here and now; `slurm` queues what is to run, and is called by itself."""


def execute(
    store: Store,
    tasks: Sequence[Task],
    *,
    name: str | None = None,
    workers: int | None = None,
    watch: Watcher = unwatched,
) -> None:
    """Run all that is not done with the named executor, and return when nothing more can run.

    Args:
        store: Where the tasks stand and their results will.
        tasks: Each after all that it needs.
        name: `inline` or `local`; None: a pool where this machine has room for two processes.
        workers: Processes of a pool; None: one per GPU, or one per core where there is none.
        watch: Told what happens.

    Raises:
        Interrupted: If a signal asked to stop; partial work is saved.
        StorageError: If the store cannot be written.
    """
    if side_by_side(name, workers) > 1 or name == "local":
        local.execute(store, tasks, workers=workers, watch=watch)
    else:
        inline.execute(store, tasks, watch=watch)


def side_by_side(name: str | None, workers: int | None) -> int:
    """How many tasks `execute` runs at once, with the same name and workers."""
    return 1 if name == "inline" else len(local.slot_environments(workers))
