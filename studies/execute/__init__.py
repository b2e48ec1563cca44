"""Where tasks run: here, in a pool of processes, on a cluster."""

from collections.abc import Iterable, Sequence

from iddpm.bounds import ConfigError
from iddpm.checks import check_shares
from iddpm.config import TrainConfig
from studies.execute import inline, local
from studies.execute.agenda import Watcher, unwatched
from studies.spec.resources import OF_RANKS, gpus_here
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
    ranks: int = 1,
    watch: Watcher = unwatched,
) -> None:
    """Run all that is not done with the named executor, and return when nothing more can run.

    Args:
        store: Where the tasks stand and their results will.
        tasks: Each after all that it needs.
        name: `inline` or `local`; None: a pool where this machine has room for two processes.
        workers: Processes of a pool; None: one per GPU, or one per core where there is none.
        ranks: How many of them do a training together, as `ranks` and `check_ranks` allow.
        watch: Told what happens.

    Raises:
        Interrupted: If a signal asked to stop; partial work is saved.
        StorageError: If the store cannot be written.
    """
    if side_by_side(name, workers) > 1 or name == "local":
        local.execute(store, tasks, workers=workers, ranks=ranks, watch=watch)
    else:
        inline.execute(store, tasks, watch=watch)


def side_by_side(name: str | None, workers: int | None) -> int:
    """How many tasks `execute` runs at once, with the same name and workers."""
    return 1 if name == "inline" else len(local.slot_environments(workers))


def ranks(name: str | None, settings: Sequence[tuple[str, str]], workers: int | None) -> int:
    """How many processes of a pool, each on a GPU of its own, do a training together.

    Args:
        name: Of the executor; only `local` has such a pool.
        settings: What the command line asks for, such as `train.gpus` and `4`.
        workers: Processes of the pool; None: one per GPU.

    Raises:
        ConfigError: If there are fewer GPUs, or anything else is asked for.
    """
    if name != "local" or not settings:
        return 1
    asked, slots = gpus_here(settings), local.slot_environments(workers)
    gpus = len({slot[local.GPU] for slot in slots if local.GPU in slot})
    if asked > gpus:
        which = "--workers has processes on" if workers and gpus else "are visible here"
        hint = "" if gpus else "leave it out: on CPUs a training is one process, beside others"
        expected = f"at most {gpus}, the GPUs that {which}"
        raise ConfigError(f"--resource {OF_RANKS}", expected, str(asked), hint)
    return asked


def check_ranks(ranks: int, store: Store, tasks: Iterable[Task]) -> None:
    """Whether the trainings that are to be done can be shared among so many processes.

    Raises:
        ConfigError: If a batch cannot be shared out evenly.
    """
    for task in tasks:
        if task.kind == "train" and not store.is_done(task.address):
            assert isinstance(task.config, TrainConfig)
            check_shares(task.config, ranks)
