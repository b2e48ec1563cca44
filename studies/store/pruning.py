"""What finished tasks can give up, and what of it is needed after all.

Large and rarely read again are the moments of an optimizer, which only a longer training would
read, images whose features are taken, and features that are scored. A task that gave one up notes
so beside the list of its files: its result, and all that came of it, stay as they are. Where an
open task needs such a file, the task that left it is open again too.
"""

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np

from iddpm.config import Blocks, GanConfig, TrainConfig
from iddpm.running.blocks import UNREADABLE
from iddpm.running.files import STATE_FILE
from studies.store import integrity
from studies.store.folders import locked, storage_errors
from studies.store.integrity import freed_files, listed_files
from studies.store.store import FEATURES, SAMPLES, Store, StoreError
from studies.tasks.task import Task

Sort = Literal["moments", "samples", "features"]

SORTS: dict[Sort, str] = {
    "moments": "moments of the optimizer; a longer training then begins at its first step",
    "samples": "images after the first 10,000 of an arm, once their features are taken",
    "features": "features of generated images in many dimensions, once their scores are done",
}
"""What can be given up, and what it is in words."""

JUDGED_DIMENSIONS = 256
"""Over features of at most so many dimensions claims are judged on distances that are computed from
the features themselves (`studies.tables.unbiased`), so these are kept. An eigenproblem of as many
takes milliseconds, one of Inception's 2,048 features seconds."""
FIRST_IMAGES = 10_000
"""Of each arm so many images are kept: what pages show is among them."""

BYTES_A_WEIGHT = 8
"""Two moments in float32 for each weight that is trained."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Spare:
    """A file that a task can give up."""

    sort: Sort
    address: str
    name: str
    """Of the file, in the task's folder."""
    bytes: int
    """What giving it up frees: about so much of a training's state, else the whole file."""


def spares(store: Store, addresses: Collection[str]) -> Iterator[Spare]:
    """The files that the finished tasks of these addresses can give up.

    Every task of the store has a say: what an open one needs is kept, and so is the state of each
    training of a trajectory that has an open one.
    """
    tasks = {address: task for address in store.addresses() if (task := _read(store, address))}
    is_done = {address: store.is_done(address) for address in tasks}
    awaited = {need for a, task in tasks.items() if not is_done[a] for _, need in task.inputs}
    read = {need for task in tasks.values() for _, need in task.inputs}
    open_trajectories = {_trajectory(task) for a, task in tasks.items() if not is_done[a]}
    for address in sorted(is_done.keys() & addresses):
        task = tasks[address]
        if not is_done[address]:
            continue
        if task.kind in ("train", "gan"):
            if _trajectory(task) not in open_trajectories:
                yield from _spare(store, task, "moments", STATE_FILE)
        elif address in read - awaited:
            if isinstance(task.config, Blocks) and _first_image(task.config) >= FIRST_IMAGES:
                yield from _spare(store, task, "samples", SAMPLES)
            elif task.kind == "features" and _is_only_scored(store, task):
                yield from _spare(store, task, "features", FEATURES)


def _read(store: Store, address: str) -> Task | None:
    """A task; None: its file cannot be read, so nothing of it is given up."""
    try:
        return store.task(address)
    except StoreError:
        return None


def _trajectory(task: Task) -> TrainConfig | GanConfig | None:
    """What trainings to different lengths share; None: the task is no training."""
    config = task.config
    return replace(config, steps=1) if isinstance(config, TrainConfig | GanConfig) else None


def _first_image(config: Blocks) -> int:
    return config.first_block * config.block_size


def _is_only_scored(store: Store, features: Task) -> bool:
    """Whether features are of generated images, and no claim is judged from them again."""
    if "samples/0" not in features.parents:
        return False
    try:
        with np.load(store.folder(features.address) / FEATURES) as arrays:
            return bool(arrays["mean"].size > JUDGED_DIMENSIONS)
    except UNREADABLE:  # given up before, or damaged
        return False


def _spare(store: Store, task: Task, sort: Sort, name: str) -> Iterator[Spare]:
    path = store.folder(task.address) / name
    noted = {**(listed_files(path.parent) or {}), **freed_files(path.parent)}
    if name not in noted or not path.exists():  # of an older version, or given up
        return
    size = path.stat().st_size
    if sort == "moments":
        result = store.result(task.address) or {}
        trained = result["parameters"] + result.get("discriminator_parameters", 0)
        size = min(size, trained * BYTES_A_WEIGHT)
    yield Spare(sort=sort, address=task.address, name=name, bytes=size)


def give_up(store: Store, spare: Spare, *, keep: Callable[[Path], Path] | None) -> int:
    """Free the space of a file that a finished task left; how many bytes that is.

    Args:
        store: Where it is.
        spare: The file.
        keep: As `integrity.give_up` takes it.

    Raises:
        StoreError: If the file is not what the task left.
        StorageError: If the store cannot be written.
    """
    folder = store.folder(spare.address)
    with locked(folder), storage_errors(folder / spare.name):
        is_done = store.is_done(spare.address)
        return integrity.give_up(folder, spare.name, keep=keep) if is_done else 0


def needed_again(
    store: Store, tasks: Sequence[Task], is_done: Callable[[str], bool] | None = None
) -> set[str]:
    """The finished tasks of which an open one needs a file that they gave up.

    Args:
        store: Where the tasks stand.
        tasks: Each after all that it needs.
        is_done: Whether a task has a result, as the caller has just seen; None: the store says.
    """
    is_done = is_done or store.is_done
    found: set[str] = set()
    for task in reversed(tasks):
        if task.address in found or not is_done(task.address):
            found |= {need for _, need in task.inputs if _lacks_what_is_read(store, need)}
    return found


def reopen_needed(store: Store, tasks: Sequence[Task]) -> None:
    """Open the tasks again of which an open one needs a file that they gave up.

    Args:
        store: Where the tasks stand.
        tasks: Each after all that it needs.
    """
    for address in needed_again(store, tasks):
        store.reopen(address)


def _lacks_what_is_read(store: Store, address: str) -> bool:
    """Whether a task is done, and gave up what others read: of a training its weights are left."""
    freed = freed_files(store.folder(address)) if store.is_done(address) else {}
    return bool(freed.keys() - {STATE_FILE})
