"""Here and now: one task after the other in this process."""

import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from iddpm.running.interruption import Interrupted
from studies.execute.agenda import POLL_SECONDS, Agenda, Watcher, unwatched
from studies.execute.signals import CutOff, StopFlag, stop_requests
from studies.execute.worker import BEAT_SECONDS, run_task
from studies.store.store import ENDED, Store
from studies.tasks.task import Task


def execute(store: Store, tasks: Sequence[Task], *, watch: Watcher = unwatched) -> None:
    """Run all that is not done, and return when nothing more can run.

    A task that fails is recorded in the store and the others go on.

    Args:
        store: Where the tasks stand and their results will.
        tasks: Each after all that it needs.
        watch: Told what happens.

    Raises:
        Interrupted: If a signal asked to stop; partial work is saved.
        CutOff: At a second Ctrl-C; work since the last save is lost.
        StorageError: If the store cannot be written.
    """
    agenda = Agenda(store, tasks, watch)
    with stop_requests() as stop, _progress_told(agenda, stop):
        while agenda.refresh():
            if stop.is_set():
                raise Interrupted
            address = agenda.take()
            if address is None:
                time.sleep(POLL_SECONDS)
                continue
            try:
                run_task(str(store.root), address)
            except KeyboardInterrupt:
                raise CutOff(int(store.state(address) not in ENDED)) from None
            agenda.give_back(address)


@contextmanager
def _progress_told(agenda: Agenda, stop: StopFlag) -> Iterator[None]:
    """A thread reads heartbeats and answers a stop, since the work itself holds this one."""
    end = threading.Event()

    def tell() -> None:
        while not end.wait(BEAT_SECONDS):
            if stop.is_set():
                agenda.tell_stopping()
            agenda.tell_progress()

    thread = threading.Thread(target=tell, daemon=True)
    thread.start()
    try:
        yield
    finally:
        end.set()
        thread.join()
