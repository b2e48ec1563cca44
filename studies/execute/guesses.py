"""How long a task takes of which nothing like it was measured: a guess, and always called one.

It is the multiply-adds of what the task computes over a rate that is stated here for the kind of
device, and some seconds to begin. Such a guess may be wrong several times over, in both directions:
it is there to tell an hour from a month before anything has run. What a store has measured is
asked first (`studies.execute.forecast`).
"""

from collections.abc import Callable

from iddpm.config import Precision
from studies.tasks.counts import multiply_adds
from studies.tasks.kinds import KINDS
from studies.tasks.task import Task

CPU_CORE = 1.0e10
"""Multiply-adds a second of one thread: digits of 8x8 train and are bounded at that pace."""

GPUS: dict[str, dict[Precision, float]] = {
    "h200": {"float32": 15e12, "tf32": 38e12, "bf16": 60e12},
    "h100": {"float32": 15e12, "tf32": 38e12, "bf16": 60e12},
    "a100": {"float32": 7e12, "tf32": 18e12, "bf16": 30e12},
}
"""Multiply-adds a second that a GPU keeps up, by what its name holds. None was measured: on an H100
it is the CIFAR-10 network trained at 600, 1,500 and 2,400 images a second, on an A100 half that."""

ANY_GPU = GPUS["a100"]
"""Of a GPU of another name, or of none."""

BEGINNING_S = 10.0
"""To start Python, load libraries and read what is needed."""


def guess(
    task: Task, parent: Callable[[str], Task], *, gpu: str | None, processes: int = 1
) -> float:
    """Seconds that a task may take.

    Args:
        task: The task. What it comes after is taken to be done by then.
        parent: From the address of a task that it needs or comes after to that task.
        gpu: Name of the GPU that each process has; empty: of no known name; None: it has none.
        processes: They share the work of a training.
    """
    rate = CPU_CORE
    if gpu is not None and KINDS[task.kind].uses_gpu:
        rate = _of_gpu(gpu)[_precision(task, parent)]
    return BEGINNING_S + multiply_adds(task, parent) / (rate * processes)


def _of_gpu(name: str) -> dict[Precision, float]:
    return next((rates for word, rates in GPUS.items() if word in name.lower()), ANY_GPU)


def _precision(task: Task, parent: Callable[[str], Task]) -> Precision:
    """The precision of what a task computes: float32 where no setting says it."""
    config = getattr(task.config, "part", task.config)  # of a shard of a bound
    precision: Precision = getattr(config, "precision", "float32")
    return precision
