"""What runs inside a job: the tasks of one element of an array, one after the other.

Where tasks run side by side, each process of the job takes the next that no other one has. The last
of them to leave tells how the job ended, and queues it again where its time is over.

Started by the array's script as `python -m studies.execute.slurm.job STORE ARRAY`. Warned of the
time limit (SIGUSR2), it saves and puts itself back into the queue under the same number. A training
whose saves take long does not wait for the warning. Told to end (SIGTERM), it saves and leaves, and
its script sees whether that was for a job of higher rank (`ending.py`). The script also wants to
know whether anything was begun here, as it blames the node where nothing was, and whether processes
that did a task together have parted over it, as it then starts others for the rest.
"""

import logging
import math
import os
import shutil
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from submitit import JobEnvironment

from iddpm.running.files import StorageError
from iddpm.running.interruption import Interrupted
from studies.execute.devices import visible_gpus
from studies.execute.signals import StopFlag, stop_requests
from studies.execute.slurm import queue
from studies.execute.slurm.ending import AGAIN, DONE
from studies.execute.slurm.queue import SlurmError
from studies.execute.slurm.script import APART
from studies.execute.worker import PARTED, PartedError, follow_task, note_begun, run_task
from studies.store.ownership import here
from studies.store.store import ENDED, Store, StoreError
from studies.store.submissions import Element

if TYPE_CHECKING:
    from iddpm.running.ranks import Ranks

POLL_SECONDS = 2.0

LATE_FILES_SECONDS = 30.0
"""A shared file system may show a parent's result so much later."""

FIRST_PORT, PORTS = 15_000, 15_000
"""Where the processes of a job meet: below the ports that systems give out by themselves."""

NO_MORE = -1

logger = logging.getLogger(__name__)


def main(store_root: str, array: str, how: str = "") -> int:
    """Do the tasks; the exit status, 0 if any of them has its result.

    It decides whether the jobs that wait for this one may start. They look for themselves which of
    their tasks have all that they need.

    Args:
        store_root: The store.
        array: The name of the array.
        how: `apart`: each process of the job takes tasks by itself; else they do each together.

    Raises:
        StoreError: If the store is damaged.
        StorageError: If it cannot be written. No node is at fault for either.
    """
    try:
        return _main(store_root, array, how)
    except (StoreError, StorageError):
        note_begun()
        raise


def _main(store_root: str, array: str, how: str) -> int:
    os.chdir(os.environ.get("STUDIES_FOLDER", "."))  # data may be named from there
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", stream=sys.stdout)
    store, job = Store(Path(store_root)), JobEnvironment()
    element = Element(array=array, index=int(job.array_task_id or 0))
    addresses = store.submissions.tasks(array)[element.index]
    _take_own_gpu(job)
    _try_gpu()
    decides = partial(_is_last, store, addresses) if how == APART else partial(_is_first, job)
    with stop_requests() as stop:
        stop.ends_at = float(os.environ.get("STUDIES_JOB_END", math.inf))
        try:
            with _joined(job, how) as ranks:
                if ranks is None or ranks.number == 0:
                    _lead(store, _from(job.global_rank, addresses, how), element, ranks, stop)
                else:
                    _follow(store, addresses, ranks)
        except Interrupted as error:
            logger.info("stopped (%s): %s", stop.reason, error)
            note_begun()
            return _leave(job, stop) if decides() else 0
        except PartedError as error:
            note_begun()
            if store.state(str(error)) in ENDED:  # else they could meet it without an end
                (store.submissions.folder(array) / f"{AGAIN}.{element.index}").touch()
            return PARTED
    note_begun()
    is_any_done = any(store.state(address) == "done" for address in addresses)
    if how == APART and is_any_done:
        (store.submissions.folder(array) / f"{DONE}.{element.index}").touch()
    return 0 if is_any_done or not decides() else 1


def _from(number: int, addresses: Sequence[str], how: str) -> Sequence[str]:
    """The tasks in the order in which a process looks at them: those apart begin at one each."""
    start = number % len(addresses) if how == APART else 0
    return [*addresses[start:], *addresses[:start]]


def _is_first(job: JobEnvironment) -> bool:
    """Whether this process tells how the job ended: of several the first does, for all."""
    return job.global_rank == 0


def _is_last(store: Store, addresses: Sequence[str]) -> bool:
    """Whether it does where each works by itself: the last one does, which finds none at work."""
    for address in addresses:
        store.bury(address)  # of a process that was killed
    claims = filter(None, map(store.claim_of, addresses))
    return all(claim.job != os.environ.get("SLURM_JOB_ID") for claim in claims)


def _take_own_gpu(job: JobEnvironment) -> None:
    """Let a process of several compute on one of the GPUs of its node."""
    gpus = os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",")
    if job.num_tasks > 1 and gpus != [""]:
        os.environ["CUDA_VISIBLE_DEVICES"] = gpus[job.local_rank % len(gpus)]


def _try_gpu() -> None:
    """Try the GPU that this process was given, where its node has any at all.

    Raises:
        RuntimeError: If it does not work. Nothing has begun, so the job goes on elsewhere.
    """
    given = "CUDA_VISIBLE_DEVICES" in os.environ and visible_gpus()
    if given and shutil.which("nvidia-smi") is not None:
        from studies import runners

        runners.try_gpu()


@contextmanager
def _joined(job: JobEnvironment, how: str) -> Iterator["Ranks | None"]:
    """The processes that do each task together; None: this one does it by itself."""
    if job.num_tasks == 1 or how == APART:
        yield None
        return
    from iddpm.running.ranks import joined
    from studies import runners

    port = FIRST_PORT + int(job.raw_job_id) % PORTS
    with joined(
        number=job.global_rank,
        count=job.num_tasks,
        meeting=f"tcp://{os.environ['STUDIES_FIRST_NODE']}:{port}",
        device=runners.device(),
    ) as ranks:
        yield ranks


def _lead(
    store: Store,
    addresses: Sequence[str],
    element: Element,
    ranks: "Ranks | None",
    stop: StopFlag,
) -> None:
    """Bring one task after the other to its end.

    Raises:
        Interrupted: If a signal asked to stop.
    """
    try:
        for place, address in enumerate(addresses):
            _heed(stop)
            _see_to(store, address, element, stop, partial(_run, store, address, ranks, place))
    except _Idle:
        _dismiss(ranks)
        raise
    _dismiss(ranks)


class _Idle(Interrupted):
    """Asked to stop while no task was under way: the other processes have not heard of it."""


def _dismiss(ranks: "Ranks | None") -> None:
    """Tell the other processes that there is nothing more to do."""
    if ranks is not None:
        ranks.of_first(NO_MORE)


def _run(store: Store, address: str, ranks: "Ranks | None", place: int) -> None:
    """Do a task, all ranks together.

    Raises:
        PartedError: If they cannot go on together.
    """
    if ranks is not None:
        ranks.of_first(place)
    run_task(str(store.root), address, ranks)


def _follow(store: Store, addresses: Sequence[str], ranks: "Ranks") -> None:
    """Do what the first rank is at, until it has no more.

    Raises:
        Interrupted: If a signal asked any rank to stop.
        PartedError: If they cannot go on together.
    """
    while (place := ranks.of_first(NO_MORE)) != NO_MORE:
        follow_task(str(store.root), addresses[place], ranks)


def _see_to(
    store: Store, address: str, element: Element, stop: StopFlag, run: Callable[[], None]
) -> None:
    """Bring one task to its end, unless another job or run has taken it over.

    Raises:
        Interrupted: If a signal asked to stop.
    """
    if store.submissions.element(address) != element:
        logger.info("%s: submitted anew elsewhere; left alone", address)
        return
    if missing := _missing(store, address, stop):
        logger.info("%s: cannot run, %s is not done", address, missing[0])
        return
    from studies import runners  # torch: what is imported here belongs to the job's overhead

    logger.info("%s: begins on %s", address, runners.device())
    while store.state(address) in ("submitted", "running"):
        if _is_beside(store, address):
            return
        run()
        if store.state(address) == "running":  # somebody else is at it
            _wait(stop)
    failure = store.failure(address)
    logger.info("%s: %s", address, failure.message if failure else "done")


def _is_beside(store: Store, address: str) -> bool:
    """Whether another process of this very job is at a task, or died over it.

    Such a task is left alone: what killed one process would kill one after the other. A claim of
    an earlier start of the job is older than this one, by the clock of the same machine.
    """
    claim = store.claim_of(address)
    if claim is None or claim.job != os.environ.get("SLURM_JOB_ID") or claim.place != here():
        return False
    began = float(os.environ.get("STUDIES_JOB_START", 0))
    return datetime.fromisoformat(claim.claimed_at).timestamp() >= began


def _missing(store: Store, address: str, stop: StopFlag) -> list[str]:
    """The tasks that this one needs and that have no result, even after a while."""
    needs = [need for _, need in store.task(address).inputs]
    deadline = time.monotonic() + LATE_FILES_SECONDS
    while missing := [need for need in needs if store.result(need) is None]:
        ended = any(store.state(need) == "failed" for need in missing)
        if ended or time.monotonic() > deadline:
            return missing
        _wait(stop)
    return []


def _wait(stop: StopFlag) -> None:
    """A moment.

    Raises:
        _Idle: If a signal asked to stop.
    """
    _heed(stop)
    time.sleep(POLL_SECONDS)


def _heed(stop: StopFlag) -> None:
    """Between two pieces of work.

    Raises:
        _Idle: If a signal asked to stop.
    """
    if stop.is_set():
        raise _Idle("nothing was under way")


def _leave(job: JobEnvironment, stop: StopFlag) -> int:
    """Queue the job again if its time is over; the exit status."""
    name = job.job_id  # of the element: one element of each array has the array's own number
    try:
        told = queue.described(name)
        cancelled = told.get("JobState") != "RUNNING" and told.get("Reason") != "TimeLimit"
        if stop.reason == "timeout" and not cancelled:
            queue.requeue(name)
            return 0
    except SlurmError as error:
        logger.warning("not queued again: %s", error)
    return os.EX_TEMPFAIL


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
