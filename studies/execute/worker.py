"""One task from claim to result: the one call that every executor makes.

Nothing comes back from it. What it did is in the store, so where it ran cannot matter.
"""

import logging
import os
import sys
import threading
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, NoReturn, Self

from iddpm.running.files import Held, StorageError
from iddpm.running.interruption import Interrupted, Progress, StopCheck, TimeCheck
from studies.execute.devices import RANKS
from studies.execute.memory import remedy
from studies.execute.signals import Reason, stop_requests
from studies.store.memory import held_mb, peak_mb
from studies.store.ownership import Claim
from studies.store.provenance import Stopwatch, provenance
from studies.store.store import Beat, ClaimLostError, ErrorClass, Failure, Store, last_lines
from studies.tasks.kinds import kind_of

if TYPE_CHECKING:
    from iddpm.running.ranks import Ranks

logger = logging.getLogger(__name__)

BEAT_SECONDS = 1.0

THREADS = 1
"""Of every task, in every executor: sums are then rounded alike, and two tasks share two cores."""

THREAD_LIMITS = dict.fromkeys(
    ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), str(THREADS)
)
"""Environment of a process that runs tasks and nothing else."""

CHECKPOINT_EVERY = "STUDIES_CHECKPOINT_EVERY_S"
"""The variable that tells a process that runs tasks how often trainings save, in seconds."""

IMAGES_PER_PASS = "STUDIES_IMAGES_PER_PASS"
"""The variable that tells it how many images share a pass of a network."""

COMPILE = "STUDIES_COMPILE"
"""The variable that tells it whether networks are compiled."""

BEGAN = "STUDIES_BEGAN"
"""The variable that names a file which is to appear once the first of its work is done."""

IN_PASSES = ("sample", "likelihood", "likelihood_shard")
"""Kinds of task whose network calls share passes; these and trainings compile their networks."""

PASSED_ON = (CHECKPOINT_EVERY, IMAGES_PER_PASS, COMPILE)
"""Variables that the script of a job hands on."""

DESERTED = os.EX_TEMPFAIL
"""The exit status of a process that cannot go on because another one at its task has ended."""

PARTED = os.EX_SOFTWARE
"""The exit status of a process that cannot go on because its task has ended for it alone."""

LIMIT = 3
"""After so many attempts in a row that ended alike, with nothing saved, a task counts as failed."""

STALLED_ATTEMPTS = 2
"""So many attempts may run out of time without saving more than the one before."""


class PartedError(Exception):
    """A task of several processes has ended for this one, and the others may wait for it in vain.

    What became of it is recorded, or another worker's to record. The others are then ended from
    outside: one that waits for an exchange on a GPU cannot be told of anything.

    Args:
        address: Of the task.
    """


def run_task(store_root: str, address: str, ranks: "Ranks | None" = None) -> None:
    """Claim the task, do it, publish its result; nothing, where there is nothing to do.

    A task that is done, has failed or is a live worker's is left alone. An error of the work
    itself is recorded in the store and not raised.

    Args:
        store_root: The store's folder.
        address: Of the task.
        ranks: The processes that do it together, of which this is the first, while the others
            are in `follow_task`; None: this one alone.

    Raises:
        PartedError: If the task has ended badly, and others were at it too.
        RanksError: If another of them ended; the attempt counts as lost, and the task is planned
            again, a few times.
        Interrupted: If a signal asked to stop. The partial work is saved and the task planned
            again, unless it keeps running out of time without getting any further.
        StorageError: If the store cannot be written; the task is planned again.
        StoreError: If the store has no such task, or cannot read what it needs.
    """
    store = Store(Path(store_root))
    claim = store.claim(address)
    if ranks is not None:
        ranks.of_first(claim.attempt if claim else 0)
    if claim is None:
        return
    is_done = False
    try:
        is_done = _run_claimed(store, claim, ranks)
    except ClaimLostError as error:
        logger.warning("%s; what this one made is not published", error)
    except BaseException:
        store.release(claim)
        raise
    if ranks is not None and not is_done:
        raise PartedError(address)


def follow_task(store_root: str, address: str, ranks: "Ranks") -> None:
    """Do a task together with the first of the ranks, which claims and publishes it.

    An error of the work is recorded in the name of the first, unless it has ended the task itself.

    Raises:
        PartedError: If there was such an error.
        Interrupted: If a signal asked any of them to stop.
        RanksError: If another of them ended.
        StorageError: If the error could not be recorded.
    """
    store, attempt = Store(Path(store_root)), ranks.of_first(0)
    if not attempt:
        return  # there is nothing to do
    try:
        with stop_requests() as stop, one_thread_deterministic():
            watch = Watch(lambda done, total: None, stop.is_set, stop.is_due)
            work(store, address, watch, _of_the_first, ranks)
    except (Interrupted, StorageError):
        raise
    except Exception as error:
        if is_of_ranks(error):
            raise
        claim = store.claim_of(address)
        if claim is not None and claim.attempt == attempt:
            with suppress(ClaimLostError):
                store.fail(claim, failure_of(error, store, claim, peak_mb(), ranks))
        logger.warning("%s: %s", address, error)
        raise PartedError(address) from error


def _run_claimed(store: Store, claim: Claim, ranks: "Ranks | None") -> bool:
    """Do the task; whether its result is published, and no error recorded."""
    log, heartbeat = store.attempt_folder(claim) / "log.txt", Heartbeat(store, claim)
    try:
        with (
            stop_requests() as stop,
            _logged_to(log),
            heartbeat,
            one_thread_deterministic(),
        ):
            stopwatch = Stopwatch()
            watch = Watch(heartbeat.progress, lambda: stop.is_set() or heartbeat.lost, stop.is_due)
            held = partial(store.owned, claim)
            result, device = work(store, claim.address, watch, held, ranks)
            record = provenance(claim, stopwatch, device)
            kind = kind_of(claim.address).name
            if kind == "train":
                record["steps_before"] = heartbeat.begun
                record[RANKS] = ranks.count if ranks is not None else 1
            if kind in IN_PASSES and IMAGES_PER_PASS in os.environ:
                record["images_per_pass"] = int(os.environ[IMAGES_PER_PASS])
            how = os.environ.get(COMPILE, "off")
            if kind in ("train", *IN_PASSES) and how != "off":
                record["compiling"] = how
        store.publish(claim, result, record)
        return True
    except Interrupted as error:
        store.fail(claim, _stopped(store, claim, error, stop.reason))
        raise
    except (StorageError, ClaimLostError):
        raise
    except Exception as error:
        if is_of_ranks(error):
            lost = Failure(error="lost", message=str(error), log=last_lines(log), final=False)
            is_counted = claim.executor == "local"  # by the pool, which knows who ended, and how
            store.fail(claim, lost if is_counted else limited(store, claim.address, lost))
            raise
        store.fail(claim, failure_of(error, store, claim, heartbeat.held_mb, ranks))
        return False


def _of_the_first() -> NoReturn:
    raise AssertionError("of processes that do a task together only the first one writes")


class Watch(NamedTuple):
    """Whom to tell of the work, and whom to ask whether to go on."""

    progress: Progress
    should_stop: StopCheck
    is_due: TimeCheck


def work(
    store: Store, address: str, watch: Watch, held: Held, ranks: "Ranks | None"
) -> tuple[dict[str, object], str]:
    """The result of the task, and the device that made it."""
    from iddpm.running.ranks import ALONE
    from studies import runners

    device = runners.device()
    task = store.task(address)
    work = runners.Work(
        task=task,
        folder=store.folder(address),
        parents={role: store.folder(parent) for role, parent in task.inputs},
        parent_tasks={role: store.task(parent) for role, parent in task.inputs},
        **watch._asdict(),
        device=device,
        compiling=runners.compiling(),
        ranks=ranks or ALONE,
        held=held,
        checkpoint_every_s=float(os.environ.get(CHECKPOINT_EVERY, 60)),
        images_per_pass=int(os.environ.get(IMAGES_PER_PASS, 0)) or None,
    )
    return runners.RUNNERS[task.kind](work), device


def note_begun() -> None:
    """Let it be seen from outside that this process got to work, where somebody looks."""
    if mark := os.environ.get(BEGAN):
        with suppress(OSError):  # of a full disk, which the work itself meets
            Path(mark).touch()


class Heartbeat:
    """Tells the store once a second that this worker lives, and how far it is.

    A thread of its own beats, so that a long operation does not look like a death.
    """

    def __init__(self, store: Store, claim: Claim) -> None:
        self._store = store
        self._claim = claim
        self._beat = Beat(done=0, total=0, unit=kind_of(claim.address).unit)
        self.lost = False
        """Whether the task was taken over: what this worker does is in vain."""
        self.held_mb = 0
        """The most MiB of memory that this process was seen to hold since the attempt began."""
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def progress(self, done: int, total: int) -> None:
        """Note how far the work is; the next beat tells it."""
        if not self._beat.done and (job_began := os.environ.get("STUDIES_JOB_START")):
            after = f"{time.time() - float(job_began):.0f} s after its job began"
            logger.info("%s: the first of its %s, %s", self._claim.address, self._beat.unit, after)
        if not self._beat.done:
            note_begun()
        begun = self._beat.begun if self._beat.done else max(done - 1, 0)
        self._beat = Beat(done=done, total=total, unit=self._beat.unit, begun=begun)

    @property
    def begun(self) -> int | None:
        """Units of work that earlier attempts or tasks had done; None: there was nothing to do."""
        return self._beat.begun if self._beat.done else None

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._end.set()
        self._thread.join()

    def _run(self) -> None:
        while True:
            self.held_mb = max(self.held_mb, held_mb())
            beat = replace(self._beat, held_mb=self.held_mb)
            try:
                self._store.beat(self._claim, beat, time.time())
            except StorageError as error:
                logger.warning("heartbeat: %s", error)  # the work itself meets the full disk
            except ClaimLostError:  # the work meets it at its next write
                self.lost = True
                return
            if self._end.wait(BEAT_SECONDS):
                return


@contextmanager
def _logged_to(path: Path) -> Iterator[None]:
    """What anything logs meanwhile also goes to this file, which appears with the first line."""
    handler = _Log(path)
    handler.setFormatter(logging.Formatter("%(asctime)s %(name)s %(levelname)s %(message)s"))
    root = logging.getLogger()
    root.addHandler(handler)
    try:
        yield
    finally:
        root.removeHandler(handler)
        with suppress(OSError):  # of what is still buffered
            handler.close()


class _Log(logging.FileHandler):
    """A log that may be lost: no work ends because a line of it could not be written."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, delay=True, encoding="utf-8", errors="backslashreplace")
        self._lost = False

    def emit(self, record: logging.LogRecord) -> None:
        """Writes a line, or says once that lines are lost."""
        try:
            super().emit(record)
        except OSError:  # the file could not be opened
            self.handleError(record)

    def handleError(self, record: logging.LogRecord) -> None:
        """Says once, on standard error, that lines are lost."""
        error = sys.exception()
        if not self._lost:
            self._lost = True
            with suppress(OSError):
                print(
                    f"{self.baseFilename}: cannot write: {error}; the work goes on", file=sys.stderr
                )


@contextmanager
def one_thread_deterministic() -> Iterator[None]:
    """Equal work gives equal bytes inside, in whichever process; the settings return after."""
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    import torch
    from threadpoolctl import threadpool_limits

    threads = torch.get_num_threads()
    deterministic = torch.are_deterministic_algorithms_enabled()
    torch.set_num_threads(THREADS)
    torch.use_deterministic_algorithms(True)
    try:
        with threadpool_limits(THREADS):
            yield
    finally:
        torch.use_deterministic_algorithms(deterministic)
        torch.set_num_threads(threads)


def _stopped(store: Store, claim: Claim, error: Interrupted, reason: Reason) -> Failure:
    """How a stopped attempt is recorded: final only where time runs out again and again in vain."""
    numbers = store.attempts(claim.address)[:-1][-STALLED_ATTEMPTS:]
    earlier = [store.attempt_failure(claim.address, number) for number in numbers]
    stalled = [f for f in earlier if f and f.error == "timeout" and f.saved >= error.saved]
    if reason == "timeout" and len(stalled) == STALLED_ATTEMPTS:
        message = (
            f"ran out of time {STALLED_ATTEMPTS + 1} times at the same point ({error}); "
            "give it a longer time limit, and a smaller block_size where it has blocks"
        )
        return Failure(error="timeout", message=message, saved=error.saved)
    return Failure(error=reason, message=str(error), saved=error.saved, final=False)


def limited(store: Store, address: str, failure: Failure) -> Failure:
    """The failure, final if too many attempts in a row ended alike with nothing saved."""
    claim = store.claim_of(address)
    numbers = [n for n in store.attempts(address) if claim is None or n < claim.attempt]
    earlier = [store.attempt_failure(address, n) for n in numbers[1 - LIMIT :]]
    alike = [f for f in earlier if f and f.error == failure.error and not f.final and not f.saved]
    if failure.error == "cancelled" or len(alike) < LIMIT - 1:
        return failure
    message = f"{failure.message}, {LIMIT} times in a row; --retry {failure.error} tries again"
    return replace(failure, message=message, final=True)


def failure_of(
    error: Exception, store: Store, claim: Claim, most_mb: int, ranks: "Ranks | None"
) -> Failure:
    """What is recorded of a task whose work met an error in this process.

    Args:
        error: What was raised.
        store: Where the task stands.
        claim: On the task.
        most_mb: The most MiB of memory that this process was seen to hold.
        ranks: The processes that did it together; None: this one alone.
    """
    kind, message = _error_class(error), f"{type(error).__name__}: {error}".partition("\n")[0]
    if kind == "oom":
        helps = remedy(claim.address, claim.executor)
        message += f"; its process was seen to hold {most_mb:,} MiB; {helps}"
    if ranks is not None:
        message = f"process {ranks.number + 1} of {ranks.count}: {message}"
    trace = "".join(traceback.format_exception(error))
    log = last_lines(store.attempt_folder(claim) / "log.txt")
    return Failure(error=kind, message=message, traceback=trace, log=log)


def is_of_ranks(error: Exception) -> bool:
    """Whether it tells of another process's end, which is no fault of the task."""
    from iddpm.running.ranks import RanksError

    return isinstance(error, RanksError)


def _error_class(error: Exception) -> ErrorClass:
    import torch

    from iddpm.running.trajectory import Diverged

    if isinstance(error, Diverged):
        return "diverged"
    exhausted = isinstance(error, (MemoryError, torch.OutOfMemoryError))
    if exhausted or "can't allocate memory" in str(error):  # how torch says it on a CPU
        return "oom"
    return "exception"
