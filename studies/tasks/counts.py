"""How much of its work a task has before it: training steps, network calls, disk."""

from collections.abc import Callable
from typing import Any

from iddpm.config import TrainConfig
from iddpm.data import outline
from iddpm.networks.size import trained_size
from studies.tasks.kinds import KINDS
from studies.tasks.task import Task

Other = Callable[[str], Task]
"""From the address of a task that one needs or comes after to that task."""

RECORDS = 4096
"""Bytes of what every task leaves: what it is, its result, how it was made."""


def training_steps(task: Task) -> int:
    """Steps that a task trains for; 0: it trains nothing."""
    alone: dict[str, Task] = {}  # a training is counted from its own config
    trains = KINDS[task.kind].effort.counts == "training steps"
    return amount(task, alone.__getitem__) if trains else 0


def steps_before(task: Task, other: Other) -> int:
    """Steps of the training that a task continues, if all goes well."""
    return max((training_steps(other(address)) for address in task.after), default=0)


def network_calls(task: Task, other: Other) -> int:
    """How often a task applies a network to one image; a gradient is worth three times."""
    return amount(task, other) if KINDS[task.kind].effort.counts == "network calls" else 0


def amount(task: Task, other: Other) -> int:
    """How much a task is of what its time is in proportion to; 0: nothing that is known."""
    return KINDS[task.kind].effort.amount(task.config, _Inputs(task, other))


def alike(task: Task, other: Other) -> tuple[object, ...]:
    """What the time of a task depends on beside its amount."""
    kind = KINDS[task.kind]
    return (kind.timed_as or kind.name, *kind.effort.alike(task.config, _Inputs(task, other)))


def multiply_adds(task: Task, other: Other) -> int:
    """Multiply-adds of what a task has to compute, its earlier steps by another task left out."""
    whole = KINDS[task.kind].effort.multiply_adds(task.config, _Inputs(task, other))
    before, steps = steps_before(task, other), training_steps(task)
    return whole * max(steps - before, 0) // steps if before else whole


def network_multiply_adds(task: Task, other: Other) -> int:
    """Of the diffusion network that a task trains or calls, for one image; 0: of none."""
    of = _Inputs(task, other)
    config = of("network") if "network" in of else task.config
    if not isinstance(config, TrainConfig):
        return 0
    return trained_size(config, outline(config.data)).multiply_adds


def kept(task: Task, other: Other) -> int:
    """Bytes that a task leaves on disk, about."""
    return RECORDS + KINDS[task.kind].effort.kept(task.config, _Inputs(task, other))


class _Inputs:
    """From roles to the configs of what a task needs."""

    def __init__(self, task: Task, other: Other) -> None:
        self._task = task
        self._other = other

    def __call__(self, *roles: str) -> Any:
        """The config of the task that is found by following the roles, one after the other."""
        found = self._task
        for role in roles:
            found = self._other(found.parents[role])
        return found.config

    def __contains__(self, role: str) -> bool:
        """Whether the task needs one of this role."""
        return role in self._task.parents
