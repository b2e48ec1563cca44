"""From tasks to queued job arrays, with nothing in the queue twice.

A submission is written down before sbatch is called, under a name of its own: whatever becomes of
the submitting process, the queue is asked for these names and tells what was submitted. One process
at a time submits from a store.
"""

import re
import secrets
import time
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

from iddpm.bounds import ConfigError
from iddpm.checks import check_shares
from iddpm.config import TrainConfig
from iddpm.running.files import StorageError, write_whole
from studies.execute.devices import Device
from studies.execute.forecast import Expected, Forecast, longest_chain
from studies.execute.guesses import BEGINNING_S
from studies.execute.slurm import queue
from studies.execute.slurm.layout import Array, Dependency, arrays
from studies.execute.slurm.queue import Job, SlurmError
from studies.execute.slurm.script import sbatch, script
from studies.execute.slurm.settle import is_hidden, settle
from studies.execute.slurm.snapshot import snapshot
from studies.plan.plan import chained
from studies.spec.resources import Resources
from studies.store.nodes import BadNode, bad_nodes
from studies.store.pruning import needed_again
from studies.store.store import ErrorClass, Store, StoreError
from studies.store.submissions import Element
from studies.tasks.task import Task


@dataclass(frozen=True, slots=True, kw_only=True)
class SubmitSettings:
    """How a study is submitted."""

    name: str
    """The arrays bear it, after their kind of task: of a name, `squeue` shows the beginning."""
    resources: Mapping[str, Resources]
    """By kind of task."""
    of_tasks: Mapping[str, Resources] = field(default_factory=dict)
    """By address, of tasks that ask for others than their kind does."""
    pack_min: float = 10.0
    """Small tasks share a job up to so many minutes of work that was measured: a guess packs none,
    as a job may not be cut into smaller ones once it is queued."""
    max_parallel: int | None = None
    """Elements of one array at once; None: as the cluster lets."""
    max_gpu_hours: float | None = None
    """More than so many, by what was measured and else by guesses, are not submitted."""

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]*", self.name):
            raise ConfigError(
                "--executor slurm",
                "a sweep and a preset named by letters, digits, _, - and . (they name jobs)",
                f"{self.name!r}",
            )

    def asked(self, task: Task) -> Resources:
        """What the job of a task asks for."""
        return self.of_tasks.get(task.address, self.resources[task.kind])


@dataclass(frozen=True, slots=True, kw_only=True)
class Submission:
    """What is submitted, or would be."""

    states: Counter[str]
    """Of all tasks: done, queued, running, failed, waiting, elsewhere, and new: submitted now."""
    arrays: tuple[Array, ...]
    """Each after those that it waits for."""
    scripts: tuple[str, ...]
    """Of the arrays, in their order."""
    left_out: tuple[BadNode, ...]
    """Nodes that none of them may run on."""
    hours: Mapping[str, "Hours"]
    """By kind of task, of what is submitted now."""
    expected: Mapping[str, Expected]
    """By address, how long each task that is submitted now will take."""
    longest_chain_hours: float
    """However many jobs run at once, it takes so long; as good as the hours that it is made of."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hours:
    """What tasks of one kind will take."""

    tasks: int
    hours: float
    gpu_hours: float
    guessed: int
    """Tasks that nothing like them was measured for: their hours are guesses."""


# -------------------------------------------------------------------------------- public things


def submit(
    store: Store,
    tasks: Sequence[Task],
    settings: SubmitSettings,
    *,
    retry: Collection[ErrorClass] = (),
) -> Submission:
    """Queue all that is neither done, failed nor in the queue; return without waiting for it.

    Args:
        store: Where the tasks stand and their results will.
        tasks: Each after all that it needs.
        settings: Resources, packing and limits.
        retry: Tasks that failed in these ways are queued again, those included whose end is only
            noticed now.

    Raises:
        SlurmError: If the scheduler refuses. What it had taken before stays in the queue.
        ConfigError: If it would take more GPU-hours than the settings allow, or the blocks of a
            training cannot be shared out among its processes.
        StorageError: If the store cannot be written.
    """
    for task in tasks:
        store.create(task)
    with store.submissions.lock():
        jobs = _in_queue(store, tasks)
        replaced = _replaced(store, jobs)
        hopeless = [element for element, job in jobs.items() if job.never_starts]
        _take_out(store, {element: jobs.pop(element) for element in hopeless})
        addresses = [task.address for task in tasks]
        settle(store, addresses, jobs)
        draft = _Draft(store, tasks, jobs, settings, retry=retry, replaced=replaced)
        draft.refuse_uneven_shares()
        draft.refuse_too_much()
        store.retry(addresses, retry)
        code = snapshot(store.root)
        numbers = {element.array: job.array_id for element, job in jobs.items()}
        scripts = []
        for array in draft.arrays:
            text = draft.script(array, code, numbers)
            with _told_of(draft.left_out):
                numbers[array.name] = _queue(store, array, text)
            scripts.append(text)
    return draft.submission(scripts)


def preview(
    store: Store,
    tasks: Sequence[Task],
    settings: SubmitSettings,
    *,
    retry: Collection[ErrorClass] = (),
) -> Submission:
    """What `submit` would do; writes and submits nothing.

    Raises:
        SlurmError: If the scheduler does not answer. Where there is none, nothing is taken to be
            queued, and arrays to be of the usual size.
        ConfigError: If the blocks of a training cannot be shared out among its processes.
    """
    jobs = _in_queue(store, tasks) if queue.is_here() else {}
    replaced = _replaced(store, jobs)
    draft = _Draft(store, tasks, jobs, settings, retry=retry, replaced=replaced)
    draft.refuse_uneven_shares()
    code = snapshot(store.root, write=False)
    numbers = {array.name: f"<number of {array.name}>" for array in draft.arrays}
    numbers |= {element.array: job.array_id for element, job in draft.jobs.items()}
    return draft.submission([draft.script(array, code, numbers) for array in draft.arrays])


def cancel(store: Store, addresses: Collection[str]) -> tuple[int, int, list[str]]:
    """Cancel the jobs that have nothing left to do but these tasks, and that nobody waits for.

    A job that waits for a cancelled one would never run, even if its own parent is done.

    Returns:
        How many jobs were cancelled, how many go on for the sake of other tasks, and whose jobs
        go on because a user can only cancel their own.

    Raises:
        SlurmError: If the scheduler refuses.
    """
    with store.submissions.lock():
        places = {address: store.submissions.element(address) for address in addresses}
        wanted = {element for element in places.values() if element is not None}
        jobs = queue.queued({element.array for element in wanted})
        left = {element: _left(store, element) for element in wanted & jobs.keys()}
        chosen = {element for element, tasks in left.items() if tasks <= set(addresses)}
        chosen -= _awaited(store, addresses)
        mine = {element for element in chosen if jobs[element].is_ours}
        _take_out(store, {element: jobs[element] for element in mine})
    owners = sorted({jobs[element].user for element in chosen - mine})
    return len(mine), len(left) - len(chosen), owners


def _left(store: Store, element: Element) -> set[str]:
    """The tasks that an element has yet to do."""
    return {a for a in store.submissions.unfinished(element) if store.state(a) != "failed"}


def _awaited(store: Store, unwanted: Collection[str]) -> set[Element]:
    """The elements that submitted tasks other than these wait for."""
    others = {a for a in store.addresses() if a not in unwanted and store.state(a) == "submitted"}
    awaited = {need for address in others for need in store.inputs(address)}
    trainings = chained(_trainings(store, (*unwanted, *others)))
    awaited |= {
        shorter for address in trainings.keys() & others for shorter in trainings[address].after
    }
    return {place for place in map(store.submissions.element, awaited) if place is not None}


def _trainings(store: Store, addresses: Iterable[str]) -> Iterator[Task]:
    for address in addresses:
        with suppress(StoreError):  # of another version of this program: nothing continues it
            if address.startswith("train-"):
                yield store.task(address)


def _take_out(store: Store, jobs: Mapping[Element, Job]) -> None:
    """Cancel jobs as far as we may, and forget that they were to do anything."""
    queue.cancel([job for job in jobs.values() if job.is_ours])
    for element in jobs:
        for address in store.submissions.unfinished(element):
            store.submissions.withdraw(address)


def _replaced(store: Store, jobs: Mapping[Element, Job]) -> set[str]:
    """The tasks of jobs that never start."""
    stuck = [element for element, job in jobs.items() if job.never_starts]
    return {address for element in stuck for address in store.submissions.unfinished(element)}


def _in_queue(store: Store, tasks: Sequence[Task]) -> dict[Element, Job]:
    elements = (store.submissions.element(task.address) for task in tasks)
    return queue.queued({element.array for element in elements if element is not None})


def _queue(store: Store, array: Array, text: str) -> str:
    """Submit one array; its number. Nothing is left behind where that is refused for sure."""
    path = store.submissions.folder(array.name) / "script.sh"
    try:
        store.submissions.record(array.name, array.elements)
        write_whole(path, text.encode())
        number = sbatch(path)
    except (SlurmError, StorageError) as error:
        if isinstance(error, StorageError) or not _may_be_queued(array.name):
            for address in array.tasks:
                store.submissions.withdraw(address)
        raise
    store.submissions.record_queued(array.name, number)
    return number


@contextmanager
def _told_of(left_out: Sequence[BadNode]) -> Iterator[None]:
    """A refusal may come of the nodes that are left out.

    Raises:
        SlurmError: In place of the same without these.
    """
    try:
        yield
    except SlurmError as error:
        raise SlurmError("; ".join([*map(str, left_out), str(error)])) from error


def _may_be_queued(array: str) -> bool:
    """Whether the scheduler has an array although sbatch failed: its answer may have been lost."""
    try:
        return bool(queue.queued([array]))
    except SlurmError:
        return True


# ------------------------------------------------------------------------------------ the draft


class _Draft:
    """What there is to submit, as the store and the queue stand.

    Args:
        store: Where the tasks stand.
        tasks: Each after all that it needs.
        jobs: What of them is in the queue.
        settings: Resources, packing and limits.
        retry: Tasks that failed in these ways count as free.
        replaced: Tasks whose jobs never start.
    """

    def __init__(
        self,
        store: Store,
        tasks: Sequence[Task],
        jobs: Mapping[Element, Job],
        settings: SubmitSettings,
        *,
        retry: Collection[ErrorClass],
        replaced: Collection[str],
    ) -> None:
        self.jobs = jobs
        self.left_out = bad_nodes(store.root, time.time())
        self._replaced = set(replaced)
        self._again = needed_again(store, tasks)
        self._retried = set(store.failed([task.address for task in tasks], retry))
        self._store = store
        self._settings = settings
        self._tasks = {task.address: task for task in tasks}
        self._states: dict[str, str] = {}
        self._queued: dict[str, Element] = {}
        for task in tasks:
            self._states[task.address] = self._state(task)
        self._pending = [task for task in tasks if self._states[task.address] == "new"]
        self._forecast = Forecast(store, Device(), self._tasks)
        counted = (*self._pending, *self._under_way())
        self._expected = {task.address: self._expect(task) for task in counted}
        token = secrets.token_hex(4)
        self.arrays = arrays(
            self._pending,
            queued=self._queued,
            resources=settings.asked,
            name=lambda kind, number: f"{kind}.{settings.name}.{token}-{number}",
            seconds=self._measured,
            pack_seconds=settings.pack_min * 60,
            max_size=queue.max_array_size() if self._pending else 1,
        )
        self._held = self._held_by_jobs()

    def _held_by_jobs(self) -> dict[str, float]:
        """By task, how much longer its job holds what it asks for than the task itself takes.

        A job of tasks side by side holds all its places until the last of them is done.
        """
        packs = [pack for array in self.arrays for pack in array.elements.values()]
        queued: dict[Element, tuple[str, ...]] = {}
        for address, element in self._queued.items():
            queued[element] = (*queued.get(element, ()), address)
        held: dict[str, float] = {}
        for pack in (*packs, *queued.values()):
            places = [0.0] * self._settings.asked(self._tasks[pack[0]]).side_by_side
            for address in pack:
                places[places.index(min(places))] += self._expected[address].seconds
            held |= dict.fromkeys(pack, len(places) * max(places) / sum(places))
        return held

    def _state(self, task: Task) -> str:
        """Where a task stands; those that it needs have been asked before."""
        state = self._store.state(task.address)
        element = self._store.submissions.element(task.address)
        if task.address in self._retried | self._again:
            state, element = "planned", None
        if state in ("done", "failed"):
            return state
        job = self.jobs.get(element) if element else None
        if element is not None and job is None and self._is_hidden(element):
            return "elsewhere"
        above = {self._states[need] for _, need in task.inputs}
        if state == "submitted" and ("new" in above or self._falls(task, job)):
            self._replaced.add(task.address)
            return "new"  # its job waits for one that does not do what it needs
        if element is not None and job is not None and not job.never_starts:
            self._queued[task.address] = element
            return "running" if state == "running" else "queued"
        if state == "running":
            claim = self._store.claim_of(task.address)
            if claim is None or claim.executor != "slurm":
                return "elsewhere"
        blocked = above & {"failed", "waiting", "elsewhere"}
        return "waiting" if blocked else "new"

    def _falls(self, task: Task, job: Job | None) -> bool:
        """Whether its job goes with one that is replaced, of a training that it continues."""
        waits = job is not None and job.reason == queue.WAITS
        return waits and not self._replaced.isdisjoint(task.first)

    def _is_hidden(self, element: Element) -> bool:
        return is_hidden(self._store, element, self._store.submissions.unfinished(element))

    def refuse_uneven_shares(self) -> None:
        """Hold the trainings against the number of their processes.

        Raises:
            ConfigError: If the blocks of a batch cannot be shared out among them.
        """
        for task in self._pending:
            if task.kind == "train" and isinstance(task.config, TrainConfig):
                check_shares(task.config, self._settings.asked(task).processes)

    def refuse_too_much(self) -> None:
        """Hold the draft against the budget.

        Raises:
            ConfigError: If it takes more GPU-hours than allowed.
        """
        allowed = self._settings.max_gpu_hours
        before = sum(map(self._gpu_hours, self._under_way()))
        counted = [*self._pending, *self._under_way()]
        total = sum(map(self._gpu_hours, counted))
        if allowed is not None and total > allowed:
            found = f"{total:.3g}"
            if before:
                found += f" with {before:.3g} that are queued or running"
            if guessed := sum(self._gpu_hours(task) for task in counted if self._is_guess(task)):
                found += f", of which {guessed:.3g} are a guess"
            raise ConfigError(
                "--max-gpu-hours",
                f"at most {allowed:g} GPU-hours",
                found,
                "nothing was submitted. --dry-run shows where they go",
            )

    def _under_way(self) -> Iterator[Task]:
        """The tasks that an earlier submission asked for and that are not done."""
        return (t for a, t in self._tasks.items() if self._states[a] in ("queued", "running"))

    def script(self, array: Array, code: Path, numbers: Mapping[str, str]) -> str:
        """The sbatch script of one of the arrays."""
        return script(
            array,
            folder=self._store.submissions.folder(array.name).absolute(),
            code=code.absolute(),
            store_root=self._store.root.absolute(),
            after=_dependency(array.after, numbers),
            max_parallel=self._settings.max_parallel,
            left_out=[node.name for node in self.left_out],
        )

    def submission(self, scripts: Sequence[str]) -> Submission:
        """What is told of it."""
        return Submission(
            states=Counter(self._states.values()),
            arrays=tuple(self.arrays),
            scripts=tuple(scripts),
            left_out=tuple(self.left_out),
            hours=self._hours(),
            longest_chain_hours=longest_chain(self._pending, self._seconds_of_jobs()) / 3600,
            expected={task.address: self._expected[task.address] for task in self._pending},
        )

    def _hours(self) -> dict[str, Hours]:
        kinds = dict.fromkeys(task.kind for task in self._pending)
        return {kind: self._hours_of(kind) for kind in kinds}

    def _hours_of(self, kind: str) -> Hours:
        tasks = [task for task in self._pending if task.kind == kind]
        return Hours(
            tasks=len(tasks),
            hours=sum(self._expected[task.address].seconds for task in tasks) / 3600,
            gpu_hours=sum(map(self._gpu_hours, tasks)),
            guessed=sum(map(self._is_guess, tasks)),
        )

    def _gpu_hours(self, task: Task) -> float:
        asked = self._settings.asked(task)
        seconds = self._expected[task.address].seconds * self._held.get(task.address, 1.0)
        return seconds / 3600 * asked.nodes * asked.gpus

    def _seconds_of_jobs(self) -> dict[str, float]:
        return {address: expected.seconds for address, expected in self._expected.items()}

    def _is_guess(self, task: Task) -> bool:
        return self._expected[task.address].is_guess

    def _measured(self, task: Task) -> float | None:
        """Seconds that tasks like it took; None: none did."""
        return None if self._is_guess(task) else self._expected[task.address].seconds

    def _expect(self, task: Task) -> Expected:
        """How long the job of a task takes, on whatever of its sort the cluster gives it."""
        asked = self._settings.asked(task)
        gpu = (asked.gpu_type or "") if asked.gpus else None
        device = Device(gpu=gpu, ranks=asked.processes)
        found = self._forecast.expected(task, self._tasks.__getitem__, device=device)
        return replace(found, seconds=found.seconds + BEGINNING_S * found.is_guess)


def _dependency(after: Collection[Dependency], numbers: Mapping[str, str]) -> str:
    """The value of sbatch's `--dependency`: all of it must hold."""
    words: dict[str, list[str]] = {}
    for item in after:
        index = "" if item.index is None else f"_{item.index}"
        words.setdefault(item.kind, []).append(f"{numbers[item.array]}{index}")
    return ",".join(":".join([kind, *on]) for kind, on in words.items())
