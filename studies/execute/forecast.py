"""How long tasks will take: the one estimate of bars, status, dry runs and submissions.

Two tasks are alike if they are of one kind and compute with the same network on the same number of
images at once. Their times on one device are then in proportion to their amount of work: training
steps, network calls or images (`studies.tasks.effort`). A training that continues another one only
takes the steps that are left. What tasks like it took on this device is asked first, then what was
measured of the device (`studies.execute.throughput`), then the pace of one under way; else it is
guessed (`studies.execute.guesses`). How many ended is never asked.
"""

import heapq
import statistics
from collections import defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

from studies.execute.devices import ANY_CPU, Device, done_on
from studies.execute.guesses import BEGINNING_S, FACTOR, guess
from studies.store.rates import Rates, name_of, rates_of
from studies.store.store import Beat, Store, StoreError
from studies.tasks.counts import alike, amount, steps_before, training_steps
from studies.tasks.kinds import KINDS
from studies.tasks.task import Task

Likeness = tuple[object, ...]

MEASURED_ERROR = 0.15
"""What was measured may be wrong by this share (reports/benchmarks/2026-11-30-forecast.md); a page
holds it against what its study took."""
GUESSED_SHARE = 0.05
"""A smaller share of a time may be guessed, and it still counts as measured."""
OTHERWISE = {"compiling", "images_per_pass"}
"""Entries of a provenance: it was computed in another way than usual, and took another time."""
LEAST_WATCHED_S = 5.0
"""The pace of a task under way counts after so many seconds."""
MOST_READ = 1000
"""Finished tasks of one kind whose times are read: those of a study first."""


@dataclass(frozen=True, slots=True)
class Expected:
    """How long something may take."""

    seconds: float
    is_guess: bool
    """Whether all or a part of it was never measured."""

    @property
    def least(self) -> float:
        """Seconds at best."""
        return self.seconds * (1 / FACTOR if self.is_guess else 1 - MEASURED_ERROR)

    @property
    def most(self) -> float:
        """Seconds at worst."""
        return self.seconds * (FACTOR if self.is_guess else 1 + MEASURED_ERROR)


class Forecast:
    """Seconds per unit of work, by likeness and device, as measured in a store.

    Args:
        store: Where done tasks say how long they took, and on what.
        device: What is to do the tasks.
        tasks: Those of a study, by address; they need not be read again.
    """

    def __init__(
        self, store: Store, device: Device = ANY_CPU, tasks: Mapping[str, Task] | None = None
    ) -> None:
        self._store = store
        self._device = device
        self._tasks = tasks or {}
        self._read: set[str] = set()
        self._measured: dict[Likeness, list[tuple[str, bool, int, float]]] = defaultdict(list)
        self._paces: dict[Likeness, float] = {}
        self._throughput: list[Rates] | None = None
        self._rates: dict[tuple[Likeness, Device], float | None] = {}

    def expected(
        self,
        task: Task,
        parent: Callable[[str], Task],
        *,
        device: Device | None = None,
    ) -> Expected:
        """How long a task will take.

        Args:
            task: The task. What it comes after is taken to be done by then.
            parent: From the address of a task that it needs or comes after to that task.
            device: What does it, if that is another device than the usual one.
        """
        device = device or self._device
        gpu = device.gpu_of(task.kind)
        seconds = self.seconds(task, parent, device=device)
        if seconds is not None:
            return Expected(seconds, is_guess=gpu == "")
        ranks = device.ranks_of(task.kind)
        return Expected(guess(task, parent, gpu=gpu, processes=ranks), is_guess=True)

    def seconds(
        self, task: Task, parent: Callable[[str], Task], *, device: Device | None = None
    ) -> float | None:
        """How long a task will take by what was measured; None: nothing like it was."""
        rate = self._rate(alike(task, parent), task.kind, device or self._device)
        left = amount(task, parent) - steps_before(task, parent)
        return None if rate is None else rate * max(left, 1)

    def watch(self, task: Task, seconds: float) -> Likeness:
        """Take in how long all of a task under way would take; what it is like."""
        likeness = alike(task, self.task)
        self._paces[likeness] = seconds / max(amount(task, self.task), 1)
        return self._forget(likeness)

    def learn(self, address: str) -> Likeness | None:
        """Take in how long a task took, if it was done in the usual way; what it is like."""
        try:
            made = self._store.provenance(address)
            if made is None or OTHERWISE & made.keys():
                return None
            before = made.get("steps_before")
            if before is None and made["attempt"] > 1:  # an earlier attempt may have done a part
                return None
            task = self.task(address)
            likeness, units = alike(task, self.task), amount(task, self.task)
        except StoreError:  # damaged, or of another version of this program: nothing is like it
            return None
        rate = made["seconds"] / max(units - (before or 0), 1)
        self._measured[likeness].append((*done_on(made, task.kind), rate))
        return self._forget(likeness)

    def task(self, address: str) -> Task:
        """The task of an address."""
        return self._tasks.get(address) or self._store.task(address)

    def _forget(self, likeness: Likeness) -> Likeness:
        self._rates = {key: rate for key, rate in self._rates.items() if key[0] != likeness}
        return likeness

    def _rate(self, likeness: Likeness, kind: str, device: Device) -> float | None:
        self._read_kind(str(likeness[0]))
        key = likeness, device
        if key not in self._rates:
            found = self._measured.get(likeness, ())
            rates = [
                rate
                for name, on_gpu, ranks, rate in found
                if device.is_of(name, kind, on_gpu=on_gpu, ranks=ranks)
            ]
            rates = rates or self._of_throughput(likeness, kind, device)
            pace = self._paces.get(likeness)
            self._rates[key] = statistics.median(rates) if rates else pace
        return self._rates[key]

    def _of_throughput(self, likeness: Likeness, kind: str, device: Device) -> list[float]:
        if self._throughput is None:
            self._throughput = list(rates_of(self._store.root))
        name = name_of(likeness)
        return [
            one.seconds[name]
            for one in self._throughput
            if name in one.seconds and device.is_of(one.device, kind, on_gpu=one.on_gpu)
        ]

    def _read_kind(self, timed: str) -> None:
        """Read the times of the kinds that are timed alike; once, when one of them is asked for."""
        if timed in self._read:
            return
        self._read.add(timed)
        kinds = {kind.name for kind in KINDS.values() if timed in (kind.name, kind.timed_as)}
        there = [a for a in self._store.addresses() if a.rpartition("-")[0] in kinds]
        for address in sorted(there, key=lambda a: a not in self._tasks)[:MOST_READ]:
            self.learn(address)


# ------------------------------------------------------------------------------- a whole plan


def guessed(expected: Collection[Expected]) -> bool:
    """Whether so much of a whole was never measured that it is a guess, too."""
    whole = sum(found.seconds for found in expected)
    return sum(found.seconds for found in expected if found.is_guess) > GUESSED_SHARE * whole


def longest_chain(tasks: Sequence[Task], seconds: Mapping[str, float]) -> float:
    """Seconds until the last task could be done if each began as soon as it can."""
    ends: dict[str, float] = {}
    for task in tasks:
        start = max((ends.get(first, 0.0) for first in task.first), default=0.0)
        ends[task.address] = start + seconds[task.address]
    return max(ends.values(), default=0.0)


def finish_time(
    tasks: Sequence[Task], seconds: Mapping[str, float], workers: int, *, ranks: int = 1
) -> float:
    """Seconds until the last task ends if the first of those that are ready always begins next.

    Args:
        tasks: All that is left, each after what it needs; what is not among them is done.
        seconds: How long each takes, by address.
        workers: How many run side by side.
        ranks: How many of them a training takes.
    """
    of_training = Device(ranks=min(ranks, workers))
    order = {task.address: number for number, task in enumerate(tasks)}
    waits = {t.address: sum(first in order for first in set(t.first)) for t in tasks}
    followers: dict[str, list[str]] = defaultdict(list)
    for task in tasks:
        for first in set(task.first):
            followers[first].append(task.address)
    ready = [order[address] for address, count in waits.items() if not count]  # sorted: a heap
    running: list[tuple[float, str, int]] = []
    now, free = 0.0, workers
    while ready or running:
        while ready and (taken := of_training.ranks_of(tasks[ready[0]].kind)) <= free:
            address = tasks[heapq.heappop(ready)].address
            heapq.heappush(running, (now + seconds[address], address, taken))
            free -= taken
        now, ended, taken = heapq.heappop(running)
        free += taken
        for address in followers[ended]:
            waits[address] -= 1
            if not waits[address]:
                heapq.heappush(ready, order[address])
    return now


class Left:
    """How long the tasks of a run still take, by what each is like and never by their number.

    Nothing is read before it is asked for: a run of which all is done asks for nothing.

    Args:
        store: Where they stand.
        tasks: Of the run, each after all that it needs and comes after.
        workers: How many run side by side.
        device: What does them.
        ranks: How many of the workers a training takes.
    """

    def __init__(
        self,
        store: Store,
        tasks: Sequence[Task],
        workers: int,
        device: Device = ANY_CPU,
        ranks: int = 1,
    ) -> None:
        self._left = {task.address: task for task in tasks}
        self._workers, self._ranks = workers, ranks
        self._begun: dict[str, float] = {}
        self._ended: list[str] = []
        self._forecast = Forecast(store, device, dict(self._left))
        self._whole: dict[str, tuple[Likeness, Expected]] = {}

    def begun(self, address: str, beat: Beat, seconds: float) -> None:
        """Say how far a task is.

        Args:
            address: Of the task.
            beat: What is behind it.
            seconds: Since it was where it began, in this attempt.
        """
        task = self._left.get(address)
        if task is None or not beat.total:
            return
        before = steps_before(task, self._forecast.task) / max(training_steps(task), 1)
        share = beat.done / beat.total
        self._begun[address] = max(share - before, 0.0) / (1 - before)
        if beat.done > beat.begun and seconds >= LEAST_WATCHED_S:
            whole = seconds * beat.total / (beat.done - beat.begun)
            self._forget(self._forecast.watch(task, whole))

    def ended(self, address: str) -> None:
        """Say that a task takes no more time; how long it took is learned from when it is asked."""
        if self._left.pop(address, None) is not None:
            self._ended.append(address)

    def expected(self) -> dict[str, Expected]:
        """How long each task that is left still takes, by address."""
        for address in self._ended:
            self._forget(self._forecast.learn(address))
        self._ended.clear()
        return {address: self._of(task) for address, task in self._left.items()}

    def finish(self) -> Expected:
        """How long until the last one ends; those that have begun go on first."""
        tasks = sorted(self._left.values(), key=lambda task: task.address not in self._begun)
        found = self.expected()
        seconds = {address: expected.seconds for address, expected in found.items()}
        start = Expected(0.0 if self._begun else BEGINNING_S, is_guess=True)
        finish = start.seconds + finish_time(tasks, seconds, self._workers, ranks=self._ranks)
        return Expected(finish, guessed([start, *found.values()]))

    def said(self) -> str:
        """`about 12 min left`, with `~` where a part is a guess; empty: nothing is left."""
        if not self._left:
            return ""
        finish = self.finish()
        return f"{'~' if finish.is_guess else 'about '}{duration(max(finish.seconds, 1.0))} left"

    def _of(self, task: Task) -> Expected:
        if task.address not in self._whole:
            parent = self._forecast.task
            self._whole[task.address] = alike(task, parent), self._forecast.expected(task, parent)
        _, whole = self._whole[task.address]
        return Expected((1 - self._begun.get(task.address, 0.0)) * whole.seconds, whole.is_guess)

    def _forget(self, likeness: Likeness | None) -> None:
        """Of tasks like these something was learned."""
        self._whole = {a: found for a, found in self._whole.items() if found[0] != likeness}


def duration(seconds: float) -> str:
    """`40 s`, `12 min`, `3.5 h` or `12 days`."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 5400:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h" if seconds < 48 * 3600 else f"{seconds / 86400:.0f} days"
