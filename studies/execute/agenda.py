"""What is left to run: the part that all executors share.

An agenda follows the tasks of one plan through the store, hands out those whose needs are done,
and tells a watcher what happens. Others may work on the same store: their tasks are waited for,
and what a dead worker left is handed out again.
"""

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from studies.store.store import Beat, Store
from studies.tasks.task import Task

POLL_SECONDS = 0.2
"""How often an executor with nothing to do looks at the store again."""


EventKind = Literal[
    "found", "started", "elsewhere", "progress", "lost", "done", "failed", "waiting", "stopping"
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Something that happened to a task, for a person who watches.

    `found`: it was done before. `started`: it runs here. `elsewhere`: another process is at it
    and is waited for. `progress`: how far it is, in `beat`. `lost`: its worker died, it will be
    tried again. `done`. `failed`: `text` says why. `waiting`: it cannot run because of the failed
    tasks that `text` names. `stopping`: the run was asked to stop; it has no address.
    """

    kind: EventKind
    address: str
    beat: Beat | None = None
    text: str = ""


Watcher = Callable[[Event], None]
"""Told of each event, one at a time but not always from the main thread; must not raise."""


def unwatched(event: Event) -> None:
    """The watcher that lets everything pass."""


class Agenda:
    """The tasks of a plan that are neither done nor hopeless.

    Args:
        store: Where the tasks stand, or will once this agenda is made.
        tasks: Each after all that it needs and all that it comes after.
        watch: Told of every change.
    """

    def __init__(self, store: Store, tasks: Sequence[Task], watch: Watcher) -> None:
        self._store = store
        self._watch = watch
        self._open = {task.address: task for task in tasks}
        self._done: set[str] = set()
        self._blamed: dict[str, tuple[str, ...]] = {}
        self._here: set[str] = set()
        self._elsewhere: set[str] = set()
        self._told: dict[str, Beat] = {}
        self._stopping = False
        self._telling = threading.Lock()
        for task in tasks:
            assert all(need in self._open or need in self._done for _, need in task.inputs), task
            if store.create(task):
                self._close(task.address, "found")
                self._done.add(task.address)

    def refresh(self) -> bool:
        """Read off the store what became of the tasks; whether one still runs or may still run."""
        for address, task in list(self._open.items()):
            if blamed := self._blame(task):
                self._blamed[address] = blamed
                self._close(address, "waiting", text=", ".join(blamed))
            elif address not in self._here and self._is_ready(task):
                self._follow(address)
        return bool(self._open)

    def take(self, fits: Callable[[str], bool] = lambda address: True) -> str | None:
        """The first task that can run now, which the caller then runs.

        None: there is none yet, or it does not fit, and those after it are not to overtake it.
        """
        for address, task in self._open.items():
            if address not in self._here | self._elsewhere and self._is_ready(task):
                if not fits(address):
                    return None
                self._here.add(address)
                self._tell("started", address)
                return address
        return None

    def give_back(self, address: str) -> None:
        """Say that nobody here runs the task any more; the store knows what became of it."""
        self._here.discard(address)

    def tell_lost(self, address: str, text: str) -> None:
        """Say that the worker of a task died."""
        self._tell("lost", address, text=text)

    def tell_stopping(self) -> None:
        """Say, once, that the run was asked to stop."""
        if not self._stopping:
            self._stopping = True
            self._tell("stopping", "")

    def tell_progress(self) -> None:
        """Report how far every running task is."""
        for address in [*self._here, *self._elsewhere]:
            beat = self._store.progress(address)
            if beat is not None and beat != self._told.get(address):
                self._told[address] = beat
                self._tell("progress", address, beat=beat)

    def _follow(self, address: str) -> None:
        self._store.bury(address)
        match self._store.state(address):
            case "done":
                self._done.add(address)
                self._close(address, "done")
            case "failed":
                failure = self._store.failure(address)
                self._blamed[address] = (address,)
                self._close(address, "failed", text=failure.message if failure else "")
            case "running":
                if address not in self._elsewhere:
                    self._elsewhere.add(address)
                    self._tell("elsewhere", address)
            case "planned" | "submitted":
                self._elsewhere.discard(address)

    def _is_ready(self, task: Task) -> bool:
        """Whether what it needs is done, and what it comes after has ended, well or badly."""
        needed = all(need in self._done for _, need in task.inputs)
        return needed and not any(address in self._open for address in task.after)

    def _blame(self, task: Task) -> tuple[str, ...]:
        """The failed tasks that keep this one from ever running, near or far above it."""
        needs = (need for _, need in task.inputs)
        return tuple(sorted({b for need in needs for b in self._blamed.get(need, ())}))

    def _close(self, address: str, kind: EventKind, text: str = "") -> None:
        del self._open[address]
        self._elsewhere.discard(address)
        self._tell(kind, address, text=text)

    def _tell(
        self, kind: EventKind, address: str, *, beat: Beat | None = None, text: str = ""
    ) -> None:
        with self._telling:
            self._watch(Event(kind=kind, address=address, beat=beat, text=text))
