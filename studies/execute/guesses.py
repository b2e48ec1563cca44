"""How long a task takes of which nothing like it was measured: a guess, and always called one.

It is the multiply-adds of what the task computes over a rate that is stated here for the kind of
device. Such a guess may be wrong several times over, in both directions: it is there to tell an
hour from a month before anything has run. What was measured is asked first
(`studies.execute.forecast`).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from iddpm.config import Precision
from studies.execute.devices import is_called
from studies.tasks.counts import multiply_adds, network_multiply_adds
from studies.tasks.kinds import KINDS
from studies.tasks.task import Task

CPU_CORE = 1.0e10
"""Multiply-adds a second of one thread: digits of 8x8 train and are bounded at that pace."""

GPUS: dict[str, dict[Precision, float]] = {
    "h200": {"float32": 15e12, "tf32": 38e12, "bf16": 60e12},
    "h100": {"float32": 15e12, "tf32": 38e12, "bf16": 60e12},
    "a100": {"float32": 7e12, "tf32": 18e12, "bf16": 30e12},
}
"""Multiply-adds a second that a GPU keeps up, by a word of its name. None was measured: on an H100
it is the CIFAR-10 network trained at 600, 1,500 and 2,400 images a second, on an A100 half that."""

ANY_GPU = GPUS["a100"]
"""Of a GPU of another name, or of none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """What a device did in studies whose times are committed; it was measured on one network."""

    rates: Mapping[str, float]
    """Multiply-adds a second, by kind of task, in float32."""
    multiply_adds: int
    """Of that network, for one image."""
    source: str
    """Where the times stand."""

    def is_of(self, task: Task, parent: Callable[[str], Task]) -> bool:
        """Whether a task computes what was measured: such a network, within a hundredth."""
        its = network_multiply_adds(task, parent)
        is_such = abs(its - self.multiply_adds) <= self.multiply_adds / 100
        return is_such and task.kind in self.rates and _precision(task, parent) == "float32"


CPUS = {
    "AMD EPYC, a core": Measured(
        rates={"train": 2.6e10, "sample": 3.6e10, "likelihood": 3.2e10},
        multiply_adds=4_110_000,
        source="reports/benchmarks/2026-12-01-digits.md",
    )
}
"""Cores of CPUs. The first: two processes side by side, over the minutes that its source holds."""

FACTOR = 4.0
"""A guess is taken to be at most so many times too long or too short. The CPU of `CPUS` does 2.6 to
3.6 times `CPU_CORE`; how far off it is beside other work or on a GPU was not measured."""

BEGINNING_S = 10.0
"""Of a job: to start Python, load libraries and read what is needed. No part of a guess, as one
process does many tasks where there is no queue."""


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
    return multiply_adds(task, parent) / (rate * processes)


def on_core(task: Task, parent: Callable[[str], Task], device: Measured) -> tuple[float, bool]:
    """Seconds that a task takes a core of a committed CPU, and whether that is a guess."""
    rate = device.rates.get(task.kind, CPU_CORE)
    return multiply_adds(task, parent) / rate, not device.is_of(task, parent)


def _of_gpu(name: str) -> dict[Precision, float]:
    return next((rates for word, rates in GPUS.items() if is_called(name, word)), ANY_GPU)


def _precision(task: Task, parent: Callable[[str], Task]) -> Precision:
    """The precision of what a task computes: float32 where no setting says it."""
    config = getattr(task.config, "part", task.config)  # of a shard of a bound
    precision: Precision = getattr(config, "precision", "float32")
    return precision
