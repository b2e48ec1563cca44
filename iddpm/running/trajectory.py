"""The loop of every training: it resumes, saves, stops and stays whole, whatever is trained."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol, TypeVar

import torch

from iddpm.running import checkpoints
from iddpm.running.checkpoints import CheckpointError
from iddpm.running.files import STATE_FILE, Held, make_folder
from iddpm.running.interruption import Interrupted, Progress, StopCheck, TimeCheck
from iddpm.running.ranks import Ranks, RanksError
from iddpm.running.saves import Saves


class Diverged(RuntimeError):
    """The loss was not finite for too many steps in a row; the last good state is on disk."""


class Trajectory(Protocol):
    """A training under way, as `driven` moves it."""

    step: int

    @property
    def length(self) -> int:
        """Steps to train for."""

    @property
    def ranks(self) -> Ranks:
        """The processes that train together."""

    @property
    def diverged(self) -> bool:
        """Whether the loss has not been finite for too long."""

    def divergence(self) -> Diverged:
        """The error of a training that has diverged."""

    def agree(self) -> None:
        """Check that all ranks start alike."""

    def advance(self) -> None:
        """Move by a step."""

    @property
    def content(self) -> dict[str, Any]:
        """What its states are of, as plain JSON values: all but the length."""

    def state(self) -> dict[str, Any]:
        """All that moves, itself and no copy: tensors, numbers, and lists and dicts of them."""

    def restore(self, state: Mapping[str, Any]) -> None:
        """Continue from what `state` gave."""


T = TypeVar("T", bound=Trajectory)


def driven(
    make: Callable[[], T],
    folder: Path,
    *,
    start: Path | None,
    progress: Progress,
    should_stop: StopCheck,
    is_due: TimeCheck,
    checkpoint_every_s: float,
    held: Held,
    seen: Callable[[T], None] = lambda training: None,
) -> T:
    """The training that `make` makes, moved to its end and saved.

    The arguments, and what is raised, are those of `iddpm.training.train`.
    """
    make_folder(folder)
    with _global_generators_kept():
        training = make()
        ranks, is_first = training.ranks, training.ranks.number == 0
        with Saves(folder, training.content, every_s=checkpoint_every_s, held=held) as saves:
            if is_first:
                saves.remove_unfinished()
            _restore(training, saves, folder, start)
            training.agree()
            while training.step < training.length and not training.diverged:
                ends = should_stop() or (is_first and saves.end(is_due))
                save = is_first and saves.are_due()
                stop, save, failed = ranks.any(ends, save, saves.failure is not None)
                if stop or failed:
                    break
                if save and is_first:
                    saves.begin(training.state())
                training.advance()
                progress(training.step, training.length)
                seen(training)
            has_ended = training.diverged or training.step == training.length
            if is_first:
                saves.finish(training.state(), is_last=has_ended)
            _check(saves, ranks)
    if not has_ended:
        raise Interrupted(
            f"training saved at step {training.step} of {training.length}", saved=training.step
        )
    if training.diverged:
        raise training.divergence()
    return training


def _restore(training: Trajectory, saves: Saves, folder: Path, start: Path | None) -> None:
    """Continue from what is found in the folder, else from the file to start from, if any."""
    file, state = folder / STATE_FILE, saves.found()
    if state is None and start is not None:
        file, state = start, checkpoints.load(start, training.content)
    if state is None:
        return
    if state["step"] > training.length:
        raise CheckpointError(
            f"{file}: expected a state up to step {training.length}, found one of step "
            f"{state['step']}; train to at least as many steps, or move it away to start anew"
        )
    training.restore(state)


def _check(saves: Saves, ranks: Ranks) -> None:
    """Raise on every rank if the first one could not save."""
    (failed,) = ranks.any(saves.failure is not None)
    if failed:
        why = RanksError("ranks: the first one could not save the state; its log says why")
        raise saves.failure or why


@contextmanager
def _global_generators_kept() -> Iterator[None]:
    """Torch's global generators are afterwards as they were."""
    with torch.random.fork_rng(devices=range(torch.cuda.device_count())):
        yield
