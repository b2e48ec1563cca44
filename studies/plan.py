"""From a sweep to the tasks that answer it: equal tasks shared, in an order that respects needs."""

from dataclasses import dataclass

from studies.spec import Scalar, SweepSpec
from studies.tasks import Task


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One arm under one seed, and the addresses of the tasks that answer it, by role."""

    arm: dict[str, Scalar]
    seed: int
    tasks: dict[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Every task of a study, each after all that it needs, and the cells that they answer."""

    study: str
    spec: SweepSpec
    tasks: dict[str, Task]
    cells: tuple[Cell, ...]
