"""The saves of a training: when one is due, and the thread that writes it beside the next steps.

All that moves is copied between two steps, and the copy is written while the training goes on. The
last two states are kept: where the last one is damaged, the training goes on from the one before.
"""

import logging
import time
from collections.abc import Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from threading import Thread
from typing import Any

from iddpm.running import checkpoints
from iddpm.running.checkpoints import UnreadableError
from iddpm.running.files import BEFORE_FILE, STATE_FILE, Held, remove_unfinished
from iddpm.running.interruption import TimeCheck

logger = logging.getLogger(__name__)

SHARE = 0.02
"""At most this share of a training's time goes into its saves, by what the last one took."""

WRITER = "writes states"
"""Name of the thread."""


class Saves(AbstractContextManager["Saves"]):
    """The states of one training on disk; its end waits for a write that is under way.

    Args:
        folder: Of the training.
        content: What its states are of, as plain JSON values.
        every_s: Seconds between saves, more where they would take more than `SHARE`; 0: at each
            step, whatever that takes.
        held: Keeps the folder, or raises.
    """

    def __init__(
        self, folder: Path, content: Mapping[str, Any], *, every_s: float, held: Held
    ) -> None:
        self._last, self._before = folder / STATE_FILE, folder / BEFORE_FILE
        self._content = content
        self._every_s = every_s
        self._held = held
        self._last_is_damaged = False
        self._writer: Thread | None = None
        self.failure: Exception | None = None
        """Why a state could not be written."""
        self._began_at = self._asked_at = time.monotonic()
        self._cost_s = self._longest_s = 0.0

    def __exit__(self, *error: object) -> None:
        self._wait()

    def found(self) -> dict[str, Any] | None:
        """The last state that can be read, if there is one.

        Raises:
            CheckpointError: As `checkpoints.load`, of the last one if neither can be read.
        """
        files = [file for file in (self._last, self._before) if file.exists()]
        if not files:
            return None
        try:
            return checkpoints.load(files[0], self._content)
        except UnreadableError as error:
            self._last_is_damaged = files[0] == self._last
            if len(files) == 1:
                raise
            try:
                state = checkpoints.load(files[1], self._content)
            except UnreadableError:
                raise error from None
            went = f"going on from {files[1].name}, the state of step {state['step']} before it"
            logger.warning("%s; %s", error, went)
            return state

    def remove_unfinished(self) -> None:
        """Remove what killed writes left behind."""
        remove_unfinished(self._last)

    def are_due(self) -> bool:
        """Whether it is time for a save, and none is under way."""
        if self._every_s == 0:
            return True
        if self._writer is not None and self._writer.is_alive():
            return False
        wait_s = max(self._every_s, self._cost_s / SHARE)
        return time.monotonic() - self._began_at >= wait_s

    def end(self, is_due: TimeCheck) -> bool:
        """Whether time runs out; asked once a step.

        What is needed counts as twice the last step and the longest save: neither takes the same
        time always.
        """
        now = time.monotonic()
        step_s, self._asked_at = now - self._asked_at, now
        return self._longest_s > 0 and is_due(2 * (step_s + self._longest_s))

    def begin(self, state: Mapping[str, Any]) -> None:
        """Copy a state, and write the copy beside what follows; `failure` tells if that fails."""
        began = self._began_at = time.monotonic()
        self._wait()
        copied = checkpoints.copied(state)
        self._asked_at = time.monotonic()
        self._cost_s = self._asked_at - began
        self._writer = Thread(target=self._write_beside, args=(copied, began), name=WRITER)
        self._writer.start()

    def finish(self, state: Mapping[str, Any], *, is_last: bool) -> None:
        """Write a state, and return when it is on the disk.

        Args:
            state: All that moves.
            is_last: Whether the training has ended: the state before it is then removed.
        """
        self._wait()
        if self.failure is None:
            self._write(state)
        if is_last and self.failure is None:
            try:
                with self._held():
                    self._before.unlink(missing_ok=True)
            except Exception as error:
                self.failure = error

    def _write_beside(self, state: Mapping[str, Any], began: float) -> None:
        self._write(state)
        self._cost_s += time.thread_time()  # of this thread, which has done nothing else
        self._longest_s = max(self._longest_s, time.monotonic() - began)

    def _write(self, state: Mapping[str, Any]) -> None:
        before = None if self._last_is_damaged else self._before
        try:
            checkpoints.save(self._last, self._content, state, held=self._held, before=before)
            self._last_is_damaged = False
        except Exception as error:
            self.failure = error

    def _wait(self) -> None:
        if self._writer is not None:
            self._writer.join()
