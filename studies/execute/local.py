"""A bounded pool of processes on this machine: one per GPU, or one of a single thread per core.

The processes are started once and take one task after the other. One that dies, be it for want
of memory, is replaced, and its task tried again a few times. Where trainings have several GPUs, so
many of the processes do one together, as soon as so many are free: what is ready later waits behind
it. When one of them leaves, the others get a moment to leave, too. Where it has died, or has met an
error, they are ended at once: those that compute on GPUs would wait for it for ten minutes.
"""

import json
import os
import selectors
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from itertools import count
from pathlib import Path
from typing import IO, Self

from iddpm.running.files import StorageError
from iddpm.running.interruption import Interrupted
from studies.execute.agenda import POLL_SECONDS, Agenda, Watcher, unwatched
from studies.execute.devices import Device, visible_gpus
from studies.execute.memory import remedy
from studies.execute.signals import CutOff, stop_requests
from studies.execute.worker import DESERTED, THREAD_LIMITS
from studies.store.store import ENDED, Failure, Store
from studies.tasks.kinds import kind_of
from studies.tasks.task import Task

RETRIES = 2
"""How often a task is tried again after its process died."""

GRACE_S = 30.0
"""How long the others may take to leave a task that one of them has left in good order."""

GPU = "CUDA_VISIBLE_DEVICES"

Environment = dict[str, str]


def execute(
    store: Store,
    tasks: Sequence[Task],
    *,
    workers: int | None = None,
    ranks: int = 1,
    watch: Watcher = unwatched,
) -> None:
    """Run all that is not done, side by side, and return when nothing more can run.

    A task that fails is recorded in the store and the others go on. Asked to stop, the processes
    save at their next step boundary and are waited for; a second Ctrl-C kills them.

    Args:
        store: Where the tasks stand and their results will.
        tasks: Each after all that it needs.
        workers: Processes at once; None: one per GPU, or one per core where there is none.
        ranks: How many of them, each on another GPU, do a training together.
        watch: Told what happens.

    Raises:
        Interrupted: If a signal asked to stop; partial work is saved.
        CutOff: If processes were killed, by a second Ctrl-C or otherwise, before they had saved.
        StorageError: If the store cannot be written.
    """
    agenda = Agenda(store, tasks, watch)
    with stop_requests() as stop, Pool(store, slot_environments(workers), ranks) as pool:
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


def slot_environments(workers: int | None) -> list[Environment]:
    """What each slot's environment adds to this one."""
    gpus = visible_gpus()
    slots = workers or len(gpus) or _cores()
    base = {"STUDIES_EXECUTOR": "local", "PYTHONPATH": _import_path(), **THREAD_LIMITS}
    if not gpus:
        return [base] * slots
    return [{**base, GPU: gpus[n % len(gpus)]} for n in range(slots)]


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

    def __init__(self, store_root: Path, environment: Environment) -> None:
        self.environment = environment
        self.address: str | None = None
        self.number, self.count = 0, 1
        """Of this process among those that do its task together, and of them all."""
        self.is_silent = False
        """Whether it was ended because it did not answer."""
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

    def give(self, address: str, number: int, count: int, meeting: Path) -> None:
        """Hand the task to the process, or its part of one that several do together."""
        self.address, self.number, self.count = address, number, count
        team = f" {number} {count} {json.dumps(str(meeting))}" if count > 1 else ""
        with suppress(BrokenPipeError):  # it just died, which the pool will notice
            _pipe(self.process.stdin).write(f"{address}{team}\n".encode())

    def says(self, seconds: float) -> bool:
        """Whether its task ends, or else the process, within so many seconds."""
        return bool(_heard([self], seconds))

    def has_answered(self) -> bool:
        """Whether its task has ended, or else the process; to be called when it has said so."""
        return _pipe(self.process.stdout).readline() == b"\n"

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

    @property
    def has_died(self) -> bool:
        """Whether it left otherwise than by saving, or because another one at its task had."""
        return self.process.poll() not in (None, 0, DESERTED)

    @property
    def cause(self) -> str:
        """How it ended."""
        status = self.process.returncode
        how = f"killed by {signal.Signals(-status).name}" if status < 0 else f"exit status {status}"
        how = "which did not answer" if self.is_silent else how
        return f"process {self.number + 1} of {self.count}, {how}" if self.count > 1 else how


def _pipe(pipe: IO[bytes] | None) -> IO[bytes]:
    assert pipe is not None
    return pipe


def _heard(slots: Sequence[Slot], seconds: float) -> list[Slot]:
    """Those of which a task has ended, or else the process; waits for one so long."""
    with selectors.DefaultSelector() as selector:
        for slot in slots:
            selector.register(_pipe(slot.process.stdout), selectors.EVENT_READ, slot)
        return [key.data for key, _ in selector.select(seconds)]


class Pool:
    """The slots, and what to do when one of them dies. Leaving the context ends them all.

    Args:
        store: Where the tasks stand.
        environments: What each slot's adds to this one.
        ranks: How many slots, each on another GPU, do a training together.
        clock: Tells the seconds since some moment.
    """

    def __init__(
        self,
        store: Store,
        environments: Sequence[Environment],
        ranks: int = 1,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store = store
        self._clock = clock
        self._graces: dict[str, float] = {}
        """Until when those at a task may take to leave it, once one of them has, by its address."""
        self._vacant = list(environments)
        self._slots: list[Slot] = []
        self._ranks = ranks
        self._meetings = tempfile.TemporaryDirectory() if ranks > 1 else None
        self._numbers = count()
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
        if self._meetings is not None:
            self._meetings.cleanup()

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
            slot = self._first_to_leave()
            status = slot.end()
            if status == os.EX_IOERR:
                unsaved = slot.last_words()[-1]
            if slot.address:
                self._graces.setdefault(slot.address, self._clock() + GRACE_S)
                is_first = slot.number == 0  # if it left well, all was saved
                if is_first and status and self._store.state(slot.address) not in ENDED:
                    self.cut_off.add(slot.address)
            if slot.has_died:
                for other in self._others(slot):
                    other.process.kill()
            self._slots.remove(slot)
            slot.stderr.close()
        return unsaved

    def _first_to_leave(self) -> Slot:
        while True:
            for slot in self._slots:
                if slot.process.poll() is not None:
                    return slot
                if slot.address in self._graces and self._clock() > self._graces[slot.address]:
                    slot.process.kill()
                    return slot
            for slot in _heard(self._slots, POLL_SECONDS):
                if not slot.has_answered():
                    return slot

    def fill(self, agenda: Agenda) -> None:
        """Give every free slot a task, as far as there are tasks; start slots as needed."""
        while self._rooms() and (address := agenda.take(self._fits)):
            slots = [self._slot(room) for room in self._rooms()[: self._processes(address)]]
            meeting = Path(self._meetings.name if self._meetings else "", str(next(self._numbers)))
            for number, slot in enumerate(slots):
                slot.give(address, number, len(slots), meeting)

    def _rooms(self) -> list[Slot | Environment]:
        """For each GPU one that is free: a slot, or else what starts one."""
        rooms: dict[str | None, Slot | Environment] = {}
        for slot in self._slots:
            if slot.address is None:
                rooms.setdefault(slot.environment.get(GPU), slot)
        for environment in self._vacant:
            rooms.setdefault(environment.get(GPU), environment)
        return list(rooms.values())

    def _processes(self, address: str) -> int:
        return Device(ranks=self._ranks).ranks_of(kind_of(address).name)

    def _fits(self, address: str) -> bool:
        return self._processes(address) <= len(self._rooms())

    def _slot(self, room: Slot | Environment) -> Slot:
        if isinstance(room, Slot):
            return room
        self._vacant.remove(room)
        slot = Slot(self._store.root, room)
        self._slots.append(slot)
        return slot

    def wait(self, agenda: Agenda) -> None:
        """Until a task has ended, a process has died, or it is time to look around."""
        for slot in _heard(self._slots, POLL_SECONDS):
            if slot not in self._slots or not slot.says(0):
                continue  # it was heard of with another one
            address = slot.address
            if not slot.has_answered():
                self._mourn(slot, agenda)
            elif slot.number:  # the first tells what became of the task
                slot.address = None
                continue
            else:
                self._parted(slot, at_once=False)
                slot.address = None
            if address is not None:
                agenda.give_back(address)

    def _others(self, slot: Slot) -> list[Slot]:
        """Those that do a task together with this one and are not at their ends."""
        if slot.address is None:
            return []
        at_it = [other for other in self._slots if other.address == slot.address]
        return [other for other in at_it if other is not slot]

    def _parted(self, slot: Slot, *, at_once: bool) -> list[Slot]:
        """Those that leave over it that this one has ended, or left, the task of them all.

        Args:
            slot: This one.
            at_once: Whether the others would wait for it in vain.
        """
        left = []
        for other in self._others(slot):
            if at_once := at_once or not other.says(GRACE_S):
                other.is_silent = other.process.poll() is None
                other.process.kill()
            if has_answered := other.has_answered():
                other.address = None
            else:
                left.append(other)
            if at_once or not has_answered:
                self._vacate(other)
        return left

    def _vacate(self, slot: Slot) -> None:
        """Make room for another process in place of one that leaves."""
        slot.end()
        self._slots.remove(slot)
        self._vacant.append(slot.environment)

    def _mourn(self, slot: Slot, agenda: Agenda) -> None:
        """Make room for other processes, and note what became of the task.

        Raises:
            StorageError: If a process left because the store could not be written.
        """
        self._vacate(slot)
        left = [slot, *self._parted(slot, at_once=slot.has_died)]
        for one in left:
            if one.process.returncode == os.EX_IOERR:
                raise StorageError(one.last_words()[-1])
        has_first = any(one.number == 0 for one in left)
        if slot.address is not None and has_first and self._is_open(slot.address):
            worst = max(left, key=lambda one: one.has_died)
            self._lose(slot.address, worst.cause, worst.last_words(), agenda)

    def _is_open(self, address: str) -> bool:
        """Whether nobody has said what became of a task, nor is at it."""
        return self._store.state(address) in ("planned", "submitted")

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
