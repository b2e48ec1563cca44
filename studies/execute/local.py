"""A bounded pool of processes on this machine: one per GPU, or one of a single thread per core.

The processes are started once and take one task after the other. One that dies, be it for want
of memory, is replaced, and its task tried again a few times.
"""

import os
import selectors
import signal
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO, Self

from iddpm.running.files import StorageError
from iddpm.running.interruption import Interrupted
from studies.execute.agenda import POLL_SECONDS, Agenda, Watcher, unwatched
from studies.execute.devices import visible_gpus
from studies.execute.memory import remedy
from studies.execute.signals import CutOff, stop_requests
from studies.execute.worker import THREAD_LIMITS
from studies.store.store import ENDED, Failure, Store
from studies.tasks.task import Task

RETRIES = 2
"""How often a task is tried again after its process died."""


def execute(
    store: Store, tasks: Sequence[Task], *, workers: int | None = None, watch: Watcher = unwatched
) -> None:
    """Run all that is not done, side by side, and return when nothing more can run.

    A task that fails is recorded in the store and the others go on. Asked to stop, the processes
    save at their next step boundary and are waited for; a second Ctrl-C kills them.

    Args:
        store: Where the tasks stand and their results will.
        tasks: Each after all that it needs.
        workers: Processes at once; None: one per GPU, or one per core where there is none.
        watch: Told what happens.

    Raises:
        Interrupted: If a signal asked to stop; partial work is saved.
        CutOff: If processes were killed, by a second Ctrl-C or otherwise, before they had saved.
        StorageError: If the store cannot be written.
    """
    agenda = Agenda(store, tasks, watch)
    with stop_requests() as stop, Pool(store, slot_environments(workers)) as pool:
        try:
            while agenda.refresh():
                if stop.is_set():
                    agenda.tell_stopping()
                    pool.stop()
                    raise Interrupted
                pool.fill(agenda)
                pool.wait(agenda)
                agenda.tell_progress()
        except KeyboardInterrupt:
            pool.kill()
            raise CutOff(len(pool.cut_off)) from None


def slot_environments(workers: int | None) -> list[dict[str, str]]:
    """What each slot's environment adds to this one."""
    gpus = visible_gpus()
    count = workers or len(gpus) or _cores()
    base = {"STUDIES_EXECUTOR": "local", "PYTHONPATH": _import_path(), **THREAD_LIMITS}
    if not gpus:
        return [base] * count
    return [{**base, "CUDA_VISIBLE_DEVICES": gpus[n % len(gpus)]} for n in range(count)]


def _cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _import_path() -> str:
    """Where a slot finds this very package first."""
    root = str(Path(__file__).parents[2])
    return os.pathsep.join(filter(None, (root, os.environ.get("PYTHONPATH"))))


class Slot:
    """One process of the pool, and the task that it is at."""

    def __init__(self, store_root: Path, environment: dict[str, str]) -> None:
        self.environment = environment
        self.address: str | None = None
        self.stderr = tempfile.TemporaryFile()  # noqa: SIM115 (lives as long as the process)
        self.process = subprocess.Popen(
            [sys.executable, "-P", "-m", "studies.execute.slot", str(store_root)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.stderr,
            env={**os.environ, **environment},
            bufsize=0,
            process_group=0,  # a Ctrl-C is the pool's to hear
        )

    def give(self, address: str) -> None:
        """Hand the task to the process."""
        self.address = address
        with suppress(BrokenPipeError):  # it just died, which the pool will notice
            _pipe(self.process.stdin).write(f"{address}\n".encode())

    def has_answered(self) -> bool:
        """Whether its task has ended, or else the process; to be called when it has said so."""
        return bool(_pipe(self.process.stdout).read(1))

    def last_words(self) -> tuple[str, ...]:
        """The end of what it wrote as errors."""
        self.stderr.seek(0)
        return tuple(self.stderr.read().decode(errors="replace").splitlines()[-20:])

    def dismiss(self) -> None:
        """Let it save and leave, at once if it is at nothing; does not wait."""
        if self.address is None:
            self.process.kill()
        _pipe(self.process.stdin).close()

    def end(self) -> int:
        """Wait until it has left; its exit status, negative for the signal that killed it."""
        status = self.process.wait()
        _pipe(self.process.stdin).close()
        _pipe(self.process.stdout).close()
        return status


def _pipe(pipe: IO[bytes] | None) -> IO[bytes]:
    assert pipe is not None
    return pipe


class Pool:
    """The slots, and what to do when one of them dies. Leaving the context ends them all."""

    def __init__(self, store: Store, environments: Sequence[dict[str, str]]) -> None:
        self._store = store
        self._vacant = list(environments)
        self._slots: list[Slot] = []
        self._losses: Counter[str] = Counter()
        self.cut_off: set[str] = set()
        """Tasks whose process ended over them, with the work since the last save."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *rest: object) -> None:
        if kind is not None:
            self.kill()
        else:
            self.stop()

    def stop(self) -> None:
        """Let every process save and leave, and wait for them all.

        Raises:
            CutOff: If one was killed before it had saved.
            StorageError: If one could not save.
        """
        for slot in self._slots:
            slot.dismiss()
        unsaved = self._end()
        if unsaved:
            raise StorageError(unsaved)
        if self.cut_off:
            raise CutOff(len(self.cut_off))

    def kill(self) -> None:
        """End every process at once."""
        for slot in self._slots:
            slot.process.kill()
        self._end()

    def _end(self) -> str:
        """Wait until all have left; what one said that could not save, if any."""
        unsaved = ""
        while self._slots:
            slot = self._slots[-1]
            status = slot.end()
            if status == os.EX_IOERR:
                unsaved = slot.last_words()[-1]
            if status and slot.address and self._store.state(slot.address) not in ENDED:
                self.cut_off.add(slot.address)
            self._slots.pop().stderr.close()
        return unsaved

    def fill(self, agenda: Agenda) -> None:
        """Give every free slot a task, as far as there are tasks; start slots as needed."""
        while (free := self._free()) or self._vacant:
            address = agenda.take()
            if address is None:
                return
            slot = free or self._start()
            slot.give(address)

    def _free(self) -> Slot | None:
        return next((slot for slot in self._slots if slot.address is None), None)

    def _start(self) -> Slot:
        slot = Slot(self._store.root, self._vacant.pop())
        self._slots.append(slot)
        return slot

    def wait(self, agenda: Agenda) -> None:
        """Until a task has ended, a process has died, or it is time to look around."""
        with selectors.DefaultSelector() as selector:
            for slot in self._slots:
                selector.register(_pipe(slot.process.stdout), selectors.EVENT_READ, slot)
            said = [key.data for key, _ in selector.select(POLL_SECONDS)]
        for slot in said:
            address = slot.address
            if slot.has_answered():
                slot.address = None
            else:
                self._mourn(slot, agenda)
            if address is not None:
                agenda.give_back(address)

    def _mourn(self, slot: Slot, agenda: Agenda) -> None:
        """Make room for another process, and note what became of the task.

        Raises:
            StorageError: If the process left because the store could not be written.
        """
        status = slot.end()
        words = slot.last_words()
        self._slots.remove(slot)
        self._vacant.append(slot.environment)
        if status == os.EX_IOERR:
            raise StorageError(words[-1])
        if slot.address is not None:
            self._lose(slot.address, _cause(status), words, agenda)

    def _lose(self, address: str, cause: str, words: tuple[str, ...], agenda: Agenda) -> None:
        beat = self._store.progress(address)
        self._store.bury(address, log=words)
        self._losses[address] += 1
        if self._losses[address] <= RETRIES:
            agenda.tell_lost(address, cause)
        elif claim := self._store.claim(address):
            held = f", seen to hold {beat.held_mb:,} MiB" if beat and beat.held_mb else ""
            message = (
                f"its process died {self._losses[address]} times (last: {cause}{held}); "
                f"if memory ran short, {remedy(address, 'local')} and --retry failed"
            )
            self._store.fail(claim, Failure(error="lost", message=message, log=words))


def _cause(status: int) -> str:
    return f"killed by {signal.Signals(-status).name}" if status < 0 else f"exit status {status}"
