"""What became of jobs that left the queue without a result, written into the store.

A job that saved and left on request has said so itself. Of one that died, accounting may know the
cause; without it the attempt counts as lost. A task is tried again by the next `run`, a few times.
"""

import getpass
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from studies.execute.slurm.ending import MEMORY_WORDS
from studies.execute.slurm.queue import ALIVE, Job, ended, hides_jobs_of_others
from studies.execute.slurm.snapshot import CHANGED_CODE
from studies.execute.worker import limited
from studies.store.nodes import note_loss
from studies.store.store import Failure, Store, last_lines
from studies.store.submissions import Element

CAUSES = {
    "OUT_OF_MEMORY": Failure(
        error="oom",
        message="its job was killed for want of memory; give it more with --resource memory_gb=N "
        "and --retry oom",
    ),
    "TIMEOUT": Failure(
        error="timeout",
        message="its job reached the time limit before it had saved; give it more with "
        "--resource time_min=N",
        final=False,
    ),
    "NODE_FAIL": Failure(error="lost", message="its node failed", final=False),
    "BOOT_FAIL": Failure(error="lost", message="its node failed to boot", final=False),
    "CANCELLED": Failure(error="cancelled", message="its job was cancelled", final=False),
    "PREEMPTED": Failure(error="cancelled", message="its job was preempted", final=False),
    CHANGED_CODE: Failure(
        error="lost",
        message="its job found the copy of the code changed that it was to run; the next run "
        "makes that copy anew",
        final=False,
    ),
}
"""By the state that accounting gives, or by what the job itself said."""

LOST = Failure(error="lost", message="its job ended without a word", final=False)

NEVER_QUEUED = "never queued"
"""Of a job whose submitter died before the scheduler had taken it."""

HARMLESS = ("CANCELLED", "PREEMPTED", "COMPLETED", NEVER_QUEUED)
"""Ends of a job that never came to its task, which are no fault of the task."""


def settle(store: Store, addresses: Sequence[str], jobs: Mapping[Element, Job]) -> None:
    """Record how the jobs of these tasks ended, where they are gone; the tasks are free again.

    Args:
        store: Where the tasks stand.
        addresses: Of tasks; what else their jobs were to do is settled as well.
        jobs: What is in the queue of the arrays of these tasks.
    """
    places = {store.submissions.element(a) for a in addresses if store.result(a) is None}
    gone = {e: store.submissions.unfinished(e) for e in places if e is not None and e not in jobs}
    numbers = {job.number for job in jobs.values()}
    ends = ended({element.array for element in gone})
    for element, unfinished in gone.items():
        end, log = ends.get(element), last_words(store, element)
        state = end.state if end else None
        if state in (None, *ALIVE) and is_hidden(store, element, unfinished):
            continue
        if end is not None and end.state == "FAILED" and not _logs(store, element, "*"):
            note_loss(store.root, end.node, f"{element.array}.{element.index}")
        if killed_for_memory(store, element):
            state = "OUT_OF_MEMORY"  # accounting says so only where cgroups do the killing
        if found_changed_code(store, element):
            state = CHANGED_CODE
        if state is None and not store.submissions.was_queued(element.array):
            state = NEVER_QUEUED
        _blame(store, unfinished, state, log, numbers)
        for address in unfinished:
            store.submissions.withdraw(address)


def is_hidden(store: Store, element: Element, unfinished: Iterable[str]) -> bool:
    """Whether a job that the queue does not show may be there all the same.

    Some clusters show jobs to their own user alone. One that is at a task is known by its
    heartbeat; whether another user's waits, nobody else can tell.
    """
    if any(store.beats(address, time.time()) for address in unfinished):
        return True
    submitter = store.submissions.submitter(element.array)
    return submitter not in (None, getpass.getuser()) and hides_jobs_of_others()


def killed_for_memory(store: Store, element: Element) -> bool:
    """Whether the scheduler wrote so into the log of any of its job's processes."""
    lines = (line for log in _logs(store, element, "*") for line in last_lines(log))
    return any(words in line for line in lines for words in MEMORY_WORDS)


def found_changed_code(store: Store, element: Element) -> bool:
    """Whether its job would not run the code that it found."""
    return (store.submissions.folder(element.array) / f"{CHANGED_CODE}.{element.index}").exists()


def was_at(store: Store, unfinished: Sequence[str]) -> str | None:
    """The task that a job had come to: it does them in order, and had none before it behind it."""
    return next(
        (a for a in unfinished if store.claim_of(a) is not None or not _is_behind(store, a)), None
    )


def last_words(store: Store, element: Element) -> tuple[str, ...]:
    """The last lines that the element's job printed, of all its restarts the latest."""
    logs = _logs(store, element)
    return last_lines(max(logs, key=lambda path: path.stat().st_mtime)) if logs else ()


def _logs(store: Store, element: Element, process: str = "0") -> list[Path]:
    """What the first of its job's processes printed, or every one; a file for each restart."""
    folder = store.submissions.folder(element.array)
    return list(folder.glob(f"*_{element.index}_{process}_log.out"))


def _blame(
    store: Store,
    unfinished: Sequence[str],
    state: str | None,
    log: tuple[str, ...],
    alive: set[str],
) -> None:
    """Record the end of all that a job was at, or of what it was to begin with."""
    cause = CAUSES.get(state or "", LOST)
    claims = {a: claim for a in unfinished if (claim := store.claim_of(a)) is not None}
    for address, claim in claims.items():
        if claim.executor == "slurm" and claim.job not in alive:
            store.bury(address, dead=claim, failure=limited(store, address, cause), log=log)
    first = None if claims else was_at(store, unfinished)
    if first is not None and state not in HARMLESS and _is_news(store, first, cause):
        _record(store, first, limited(store, first, cause), log)


def _is_news(store: Store, address: str, cause: Failure) -> bool:
    """Whether the job itself has said nothing, or took its want of memory for a lost process."""
    if not store.submissions.was_begun(address):
        return True
    said = store.attempt_failure(address, store.attempts(address)[-1])
    return cause.error == "oom" and said is not None and said.error == "lost"


def _is_behind(store: Store, address: str) -> bool:
    """Whether a job went on to its next task: this one failed, or could not begin."""
    numbers = store.attempts(address)
    last = store.attempt_failure(address, numbers[-1]) if numbers else None
    if last is not None and last.final and store.submissions.was_begun(address):
        return True  # it may be tried again
    return store.failure(address) is not None or not _could_begin(store, address)


def _could_begin(store: Store, address: str) -> bool:
    return all(store.result(need) is not None for need in store.inputs(address))


def _record(store: Store, address: str, failure: Failure, log: tuple[str, ...]) -> None:
    """Record an attempt of a job that ended before it could claim the task."""
    claim = store.claim(address)
    if claim is not None:
        store.fail(claim, replace(failure, log=log))
