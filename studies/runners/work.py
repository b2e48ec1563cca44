"""What a task is done with, and what every kind of task does with its files."""

import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, get_args

import numpy as np
import torch
from numpy.typing import NDArray

from iddpm.bounds import ConfigError
from iddpm.networks.compiling import Compiling
from iddpm.running.blocks import Blocks
from iddpm.running.checkpoints import CheckpointError
from iddpm.running.files import Held, written_whole
from iddpm.running.interruption import Progress, StopCheck, TimeCheck
from iddpm.running.ranks import ALONE, Ranks
from studies.store.integrity import ANEW, check_file, damaged, result_of
from studies.store.store import BLOCKS
from studies.tasks.task import Task

WEIGHTS = "the weights of a finished task"


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """A task and all that doing it takes."""

    task: Task
    folder: Path
    """Where this task keeps its files. Whatever is written there goes through `held`."""
    parents: dict[str, Path]
    """By role, the folder of each task that this one needs; all are done."""
    parent_tasks: dict[str, Task]
    """By role, what they are."""
    progress: Progress
    should_stop: StopCheck
    is_due: TimeCheck
    device: str
    compiling: Compiling = "off"
    """Whether networks are compiled; no result depends on it by more than rounding."""
    ranks: Ranks = ALONE
    """The processes that do it together; only a training knows how."""
    held: Held = nullcontext
    """Keeps the task for each moment in which a file appears in its folder, or raises: it may have
    been taken over."""
    images_per_pass: int | None = None
    """How many images share a pass of a network that samples or bounds; None: those of a block. No
    draw depends on it, but rounding may."""
    checkpoint_every_s: float = 60.0
    """How often a training saves."""

    @property
    def blocks(self) -> Blocks:
        """The finished parts of this task, for as long as it has no result."""
        return Blocks(folder=self.folder / BLOCKS, work=self.task.address, held=self.held)

    def new_file(self, name: str) -> AbstractContextManager[IO[bytes]]:
        """A file to write piece by piece, which appears in the task's folder once it is whole."""
        return written_whole(self.folder / name, held=self.held)

    def save_array(self, name: str, array: NDArray[Any]) -> None:
        """Write an .npy into the task's folder, whole or not at all."""
        with self.new_file(name) as file:
            np.save(file, array)

    def result_of(self, role: str) -> dict[str, Any]:
        """The result of the task of a role.

        Raises:
            StoreError: If its file is damaged.
        """
        result = result_of(self.parents[role], f"{ANEW} with --retry failed")
        assert result is not None, "a task is begun when all that it needs is done"
        return result


def device() -> str:
    """Where tasks run on this machine."""
    return "cuda" if torch.cuda.is_available() else "cpu"


def try_gpu() -> None:
    """Compute something on the GPU: where it is broken, tasks would run on the CPU, or fail.

    Raises:
        RuntimeError: If that does not work.
    """
    try:
        torch.ones(1, device="cuda").sum().item()
    except (RuntimeError, AssertionError) as error:
        raise RuntimeError(f"the GPU of this node does not work: {error}") from error


def compiling() -> Compiling:
    """Whether this process compiles networks: what the variable STUDIES_COMPILE says, or `off`.

    Raises:
        ConfigError: If it says something else.
    """
    said = os.environ.get("STUDIES_COMPILE", "off")
    known: tuple[Compiling, ...] = get_args(Compiling)
    if said not in known:
        raise ConfigError("STUDIES_COMPILE", f"one of {', '.join(known)}", said)
    return next(name for name in known if name == said)


@contextmanager
def of_a_finished_task(path: Path) -> Iterator[None]:
    """Says of weights that cannot be used what helps: the task that left them must run again.

    Raises:
        StoreError: In place of an error about the checkpoint at `path`.
    """
    check_file(path, WEIGHTS)
    try:
        yield
    except (CheckpointError, FileNotFoundError) as error:
        raise damaged(path, WEIGHTS) from error
