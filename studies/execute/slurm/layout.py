"""From tasks to job arrays: which task is which element of which array, and who waits for whom.

Tasks of one kind that ask for the same resources and wait for the same arrays make a group. Where
each task of a group waits for another element, the group is cut into arrays that have at most one
element for each element above, under the same index, so that `aftercorr` starts each as soon as its
own parent is done. An element that everybody in the group waits for is named by itself (`afterok`).
What a task comes after (the shorter training that it continues) it waits for like what it needs: it
starts as soon as that is done, and every step is trained once. SLURM has no word for "when this one
element has ended, well or badly"; where the shorter training fails, the next submission replaces
the jobs that waited for it by some that do not. Pure: no store, no scheduler.
"""

import math
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from studies.spec.resources import Resources
from studies.store.submissions import Element
from studies.tasks.task import Task

Pack = tuple[str, ...]
"""Addresses that one job does one after the other, or so many at once as its resources say."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Dependency:
    """What an array waits for: an array element by element, one element, or the end of all."""

    kind: Literal["aftercorr", "afterok", "afterany"]
    array: str
    index: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Array:
    """One job array."""

    name: str
    kind: str
    """Of its tasks."""
    resources: Resources
    elements: Mapping[int, Pack]
    after: tuple[Dependency, ...]

    @property
    def tasks(self) -> list[str]:
        """Addresses of all that it does."""
        return [address for pack in self.elements.values() for address in pack]


def arrays(
    tasks: Sequence[Task],
    *,
    queued: Mapping[str, Element],
    resources: Callable[[Task], Resources],
    name: Callable[[str, int], str],
    seconds: Callable[[Task], float | None],
    pack_seconds: float,
    max_size: int,
) -> list[Array]:
    """The arrays that do these tasks, each after all that it waits for.

    Args:
        tasks: Each after those that it needs or comes after. A need that is neither here nor queued
            is done; a shorter training that is neither is not waited for.
        queued: Where the tasks are that wait or run in the queue already.
        resources: What the job of a task asks for.
        name: From a kind and a number to a new array's name.
        seconds: How long a task will take; None: unknown, so that none comes after it.
        pack_seconds: Tasks share a job up to so many seconds of work in all, or for each of the
            tasks that it does at once.
        max_size: An array has indices below it.
    """
    placed = dict(queued)
    made: list[Array] = []
    for group in _groups(tasks, placed, resources):
        kind = group[0].kind
        packing = _Packing(seconds, pack_seconds, resources(group[0]).side_by_side)
        for elements, after in _cut(group, placed, packing, max_size):
            array = Array(
                name=name(kind, len(made)),
                kind=kind,
                resources=resources(group[0]),
                elements=elements,
                after=after,
            )
            made.append(array)
            for index, pack in elements.items():
                placed |= dict.fromkeys(pack, Element(array=array.name, index=index))
    return made


def _groups(
    tasks: Sequence[Task],
    placed: Mapping[str, Element],
    resources: Callable[[Task], Resources],
) -> Iterator[list[Task]]:
    """The tasks of which each array does some; `placed` grows while this is consumed."""
    waiting = {task.address: task for task in tasks}
    while waiting:
        ready: dict[tuple[str, Resources, frozenset[str]], list[Task]] = defaultdict(list)
        for task in waiting.values():
            if not any(first in waiting for first in task.first):
                above = frozenset(element.array for element in _above(task, placed))
                ready[task.kind, resources(task), above].append(task)
        for group in ready.values():
            yield group
            for task in group:
                del waiting[task.address]


def _above(task: Task, placed: Mapping[str, Element]) -> list[Element]:
    """The elements that do what comes before the task."""
    return [placed[first] for first in task.first if first in placed]


@dataclass(frozen=True, slots=True)
class _Packing:
    seconds: Callable[[Task], float | None]
    limit: float
    at_once: int

    def packs(self, tasks: Sequence[Task]) -> Iterator[Pack]:
        """The tasks in their order, as many to a pack as the limit allows."""
        pack: list[str] = []
        totals: list[float] = []  # of those that come one after the other
        for task in tasks:
            seconds = self.seconds(task)
            length = math.inf if seconds is None else seconds
            if len(totals) < self.at_once:
                totals.append(length)
            elif math.isfinite(min(totals) + length) and min(totals) + length <= self.limit:
                totals[totals.index(min(totals))] += length
            else:
                yield tuple(pack)
                pack, totals = [], [length]
            pack.append(task.address)
        if pack:
            yield tuple(pack)


_Cut = tuple[Mapping[int, Pack], tuple[Dependency, ...]]
"""Elements and dependencies of an array to be."""


def _cut(
    group: Sequence[Task], placed: Mapping[str, Element], packing: _Packing, max_size: int
) -> Iterator[_Cut]:
    above: dict[str, set[int]] = defaultdict(set)
    for task in group:
        for element in _above(task, placed):
            above[element.array].add(element.index)
    shared = {array: indices for array, indices in above.items() if len(indices) == 1}
    after = [
        Dependency(kind="afterok", array=array, index=min(shared[array]))
        for array in sorted(shared)
    ]
    own = sorted(above.keys() - shared.keys())
    columns = _columns(group, placed, own) if own else None
    if columns is not None:
        after += [Dependency(kind="aftercorr", array=array) for array in own]
        yield from ((elements, tuple(after)) for elements in _slices(columns, packing))
        return
    after += [Dependency(kind="afterany", array=array) for array in own]
    packs = list(packing.packs(group))
    for start in range(0, len(packs), max_size):
        yield dict(enumerate(packs[start : start + max_size])), tuple(after)


def _columns(
    group: Sequence[Task], placed: Mapping[str, Element], own: Sequence[str]
) -> dict[int, list[Task]] | None:
    """The tasks by the index that all their parents in these arrays have; None: they disagree."""
    columns: dict[int, list[Task]] = defaultdict(list)
    for task in group:
        parents = [element for element in _above(task, placed) if element.array in own]
        indices = {element.index for element in parents}
        if len(indices) != 1:
            return None
        columns[indices.pop()].append(task)
    return columns


def _slices(columns: Mapping[int, Sequence[Task]], packing: _Packing) -> Iterator[dict[int, Pack]]:
    """The first pack of every column, then the second of every column that has one, and so on."""
    packed = {index: list(packing.packs(tasks)) for index, tasks in columns.items()}
    for place in range(max(map(len, packed.values()))):
        yield {index: packs[place] for index, packs in packed.items() if place < len(packs)}
