"""The loop of every training: it resumes, saves, stops and stays whole, whatever is trained."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol, TypeVar

import torch

from iddpm.running.files import STATE_FILE, Held, make_folder, remove_unfinished
from iddpm.running.interruption import Interrupted, Progress, StopCheck, TimeCheck
from iddpm.running.ranks import Ranks


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

    def agree(self) -> None:
        """Check that all ranks start alike."""

    def advance(self) -> None:
        """Move by a step."""

    def save(self, file: Path, *, held: Held) -> None:
        """Write all that moves, whole."""

    def restore(self, file: Path) -> None:
        """Continue from what `save` wrote."""


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
    """The training that `make` makes, moved to its end or until it diverged, and saved.

    The arguments, and what is raised except `Diverged`, are those of `iddpm.training.train`.
    """
    make_folder(folder)
    file = folder / STATE_FILE
    with _global_generators_kept():
        training = make()
        ranks = training.ranks
        if ranks.number == 0:
            remove_unfinished(file)
        if file.exists():
            training.restore(file)
        elif start is not None:
            training.restore(start)
        training.agree()
        clock = _SaveClock(checkpoint_every_s)
        while training.step < training.length and not training.diverged:
            ends = should_stop() or (ranks.number == 0 and clock.ends(is_due))
            stop, save = ranks.any(ends, ranks.number == 0 and clock.is_late())
            if stop:
                training.save(file, held=held)
                raise Interrupted(
                    f"training saved at step {training.step} of {training.length}",
                    saved=training.step,
                )
            if save:
                with clock.saving():
                    training.save(file, held=held)
            training.advance()
            progress(training.step, training.length)
            seen(training)
    training.save(file, held=held)
    return training


class _SaveClock:
    """When a training saves, and how long before its end it must.

    Args:
        every_s: Seconds between saves.
    """

    def __init__(self, every_s: float) -> None:
        self._every_s = every_s
        self._saved_at = self._asked_at = time.monotonic()
        self._longest_s = 0.0

    def is_late(self) -> bool:
        """Whether the last save is so long ago that it is time for another."""
        return time.monotonic() - self._saved_at >= self._every_s

    def ends(self, is_due: TimeCheck) -> bool:
        """Whether time runs out; asked once a step.

        What is needed counts as twice the last step and the longest save: neither takes the same
        time always.
        """
        now = time.monotonic()
        step_s, self._asked_at = now - self._asked_at, now
        return self._longest_s > 0 and is_due(2 * (step_s + self._longest_s))

    @contextmanager
    def saving(self) -> Iterator[None]:
        """Measure a save."""
        began = time.monotonic()
        yield
        self._saved_at = self._asked_at = time.monotonic()
        self._longest_s = max(self._longest_s, self._saved_at - began)


@contextmanager
def _global_generators_kept() -> Iterator[None]:
    """Torch's global generators are afterwards as they were."""
    with torch.random.fork_rng(devices=range(torch.cuda.device_count())):
        yield
