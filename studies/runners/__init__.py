"""What each kind of task does: one function from a `Work` to the content of its result file.

A result is a function of the task's address alone. Finished parts are kept in the task's folder,
so that a second call goes on where a first one stopped.
"""

from collections.abc import Callable
from importlib import import_module
from typing import Any

from studies.runners.work import Work, compiling, device, try_gpu
from studies.tasks.kinds import KINDS

__all__ = ["RUNNERS", "Work", "compiling", "device", "try_gpu"]


def _runner(name: str) -> Callable[[Work], dict[str, Any]]:
    room, _, function = name.partition(".")
    found: Callable[[Work], dict[str, Any]] = getattr(
        import_module(f"studies.runners.{room}"), function
    )
    return found


RUNNERS = {kind.name: _runner(kind.runner) for kind in KINDS.values()}
"""What does the tasks of each kind."""
