"""Signals at counted file operations: a test that kills a process says at which, and never hopes.

Operations of threads that work are counted, not of daemons, which only tell of it; each just before
it is done. Of work that is a function of its address their number is one too, however busy the
machine is.
"""

import os
import signal
import threading
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any

OPERATIONS = ("mkdir", "fsync", "replace", "rename", "link", "unlink", "rmdir")
"""Names in `os` of all that changes what a folder holds or puts a file on the disk."""


class Count:
    """How many file operations this process has done since counting began, without daemons'."""

    def __init__(self, before_each: Callable[[int], None] = lambda done: None) -> None:
        self.done = 0
        self._before_each = before_each
        for name in OPERATIONS:
            setattr(os, name, self._counted(getattr(os, name)))

    def _counted(self, operation: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(operation)
        def counted(*words: Any, **options: Any) -> Any:
            if not threading.current_thread().daemon:
                self._before_each(self.done)
                self.done += 1
            return operation(*words, **options)

        return counted


def at(operation: int, number: int = signal.SIGKILL) -> None:
    """Send this process a signal just before it does this file operation, counted from 0."""

    def send(done: int) -> None:
        if done == operation:
            os.kill(os.getpid(), number)

    Count(send)


def customised(name: str, killed: Path) -> str:
    """A `sitecustomize.py` by which every process of Python does `once_as_it_writes`."""
    return (
        "from pathlib import Path; from tests.witness import kills\n"
        f"kills.once_as_it_writes({name!r}, Path({str(killed)!r}))\n"
    )


def once_as_it_writes(name: str, killed: Path) -> None:
    """Kill this process just before it gives a file this name, if none was killed so before.

    Args:
        name: Of the file.
        killed: A file that is there once a process was killed.
    """
    replace = os.replace

    def watched(source: Path, target: Path) -> None:
        if target.name == name and not killed.exists():
            killed.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        replace(source, target)

    os.replace = watched  # type: ignore[assignment]
