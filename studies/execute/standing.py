"""Where the tasks of a study stand, in words: read off the store, and off the queue if need be.

The scheduler is asked once, and only if tasks are in its queue as far as the store knows.
"""

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime

from studies.door import sentence
from studies.execute.slurm.queue import Job, SlurmError, queued
from studies.execute.slurm.settle import (
    CAUSES,
    found_changed_code,
    is_hidden,
    killed_for_memory,
    last_words,
    was_at,
)
from studies.execute.slurm.snapshot import CHANGED_CODE
from studies.store.store import Beat, Failure, State, Store, StoreError
from studies.store.submissions import Element

AGAIN = "the same run command submits it again, a few times"
UNREADABLE = "unreadable"
"""The state of a task that has a file which cannot be read; the others are told all the same."""
STUCK = "cannot start as asked; the same run command with another --resource replaces it"


@dataclass(frozen=True, slots=True)
class Standing:
    """A task's state and what there is to say of it."""

    state: str
    """A state of the store, or: queued, waiting (for a failed task), lost, unreadable."""
    detail: str = ""
    log: tuple[str, ...] = ()
    """Of a failed task: the last lines that it logged."""
    seconds: float = field(default=0.0, compare=False)
    """Of a task that is done: how long it took; of one that runs: since it was claimed."""
    beat: Beat | None = field(default=None, compare=False)
    """Of a task that runs: how far it is, once it has begun."""


@dataclass(frozen=True, slots=True)
class _Queue:
    """What the scheduler says of the tasks; empty where it was not asked or does not answer."""

    jobs: Mapping[Element, Job]
    numbers: frozenset[str]
    answered: bool


def standings(store: Store, addresses: Sequence[str]) -> tuple[dict[str, Standing], str]:
    """Where each task stands, and what is to be said of the scheduler; mostly nothing.

    Args:
        store: Where the tasks stand.
        addresses: Of a study, each after all that it needs.
    """
    found: dict[str, Standing] = {}
    states: dict[str, State] = {}
    elements: dict[str, Element | None] = {}
    for address in addresses:
        with _unreadable(found, address):
            state = store.state(address)
            if state in ("submitted", "running"):
                elements[address] = store.submissions.element(address)
            states[address] = state
    queue, note = _ask(filter(None, elements.values()))
    blamed = _blamed(store, states)
    for address, state in states.items():
        with _unreadable(found, address):
            found[address] = _standing(store, address, state, elements.get(address), blamed, queue)
    return {address: found[address] for address in addresses}, note


@contextmanager
def _unreadable(found: dict[str, Standing], address: str) -> Iterator[None]:
    """Where the files of a task are read: what cannot be read of it is told of it alone."""
    try:
        yield
    except StoreError as error:
        found[address] = Standing(UNREADABLE, str(error))
    except OSError as error:
        found[address] = Standing(UNREADABLE, sentence(error))
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        what = f"a file of it is not what this program writes ({type(error).__name__}: {error})"
        found[address] = Standing(UNREADABLE, f"{what}; move it away, and run its sweep again")


def _ask(elements: Iterable[Element]) -> tuple[_Queue, str]:
    arrays = {element.array for element in elements}
    try:
        jobs = queued(arrays)
    except SlurmError as error:
        return _Queue({}, frozenset(), answered=False), f"the queue is not known: {error}"
    return _Queue(jobs, frozenset(job.number for job in jobs.values()), answered=bool(arrays)), ""


def _blamed(store: Store, states: Mapping[str, State]) -> dict[str, tuple[str, ...]]:
    """The failed tasks that keep each task from running, near or far above it, or itself."""
    if "failed" not in states.values():
        return {}
    known = set(store.addresses())  # a study is recorded before its tasks
    blamed: dict[str, tuple[str, ...]] = {}
    for address, state in states.items():
        if state == "failed":
            blamed[address] = (address,)
        elif state in ("planned", "submitted") and address in known:
            with suppress(StoreError, OSError, AttributeError):  # a task that cannot be read waits
                above = (b for need in store.inputs(address) for b in blamed.get(need, ()))
                blamed[address] = tuple(dict.fromkeys(above))
    return blamed


def _standing(
    store: Store,
    address: str,
    state: State,
    element: Element | None,
    blamed: Mapping[str, tuple[str, ...]],
    queue: _Queue,
) -> Standing:
    if state == "done":
        seconds = float((store.provenance(address) or {}).get("seconds", 0.0))
        return Standing(state, f"in {seconds:.0f} s", seconds=seconds)
    if state == "failed":
        failure = store.failure(address)
        if failure is None:  # it was just cleared by a run that tries again
            return Standing("planned")
        return Standing(state, f"{failure.error}: {failure.message}", failure.log)
    if above := blamed.get(address):
        return Standing("waiting", f"for {', '.join(above)}, which failed")
    if state == "running":
        return _running(store, address, element, queue)
    if state == "submitted" and element is not None:
        return _submitted(store, address, element, queue)
    return Standing(state, _stopped(_last_failure(store, address)))


def _running(store: Store, address: str, element: Element | None, queue: _Queue) -> Standing:
    claim, beat = store.claim_of(address), store.progress(address)
    if claim is None:  # it has just ended
        return Standing("running")
    job = queue.jobs.get(element) if element else None
    is_gone = queue.answered and claim.executor == "slurm" and claim.job not in queue.numbers
    if is_gone and element and not job and not store.beats(address, time.time()):
        return _gone(store, address, element)
    where = f"on {claim.place.host}, process {claim.pid}"
    if job is not None and job.number == claim.job:
        where = f"on {job.node}, job {job.id}"
    elapsed = time.time() - datetime.fromisoformat(claim.claimed_at).timestamp()
    if beat is None or beat.done <= beat.begun:
        return Standing("running", where, seconds=elapsed)
    rate = (beat.done - beat.begun) / max(elapsed, 1e-3)
    left = (beat.total - beat.done) / rate
    pace = f"{rate:.3g} {beat.unit}/s, about {left:.0f} s left"
    detail = f"{where}, {beat.done} of {beat.total} {beat.unit}, {pace}"
    return Standing("running", detail, seconds=elapsed, beat=beat)


def _submitted(store: Store, address: str, element: Element, queue: _Queue) -> Standing:
    job = queue.jobs.get(element)
    if not queue.answered:
        return Standing("submitted", f"in array {element.array}")
    if job is None or job.is_hopeless:
        return _gone(store, address, element)
    if job.state == "PENDING":
        stuck = f"; {STUCK}" if job.asks_too_much else ""
        return Standing("queued", f"as job {job.id} ({job.reason}){stuck}")
    return Standing("queued", f"its job {job.id} is {job.state.lower()} on {job.node}")


def _gone(store: Store, address: str, element: Element) -> Standing:
    """What became of a task whose job left the queue, before the next run writes it down."""
    unfinished = store.submissions.unfinished(element)
    try:
        hidden = is_hidden(store, element, unfinished)
    except SlurmError as error:
        return Standing("submitted", f"in array {element.array}; {error}")
    if hidden:
        return Standing("queued", "its job is another user's, whom alone the cluster tells of it")
    last = _last_failure(store, address)
    if last is not None and last.error == "lost" and killed_for_memory(store, element):
        return _for_memory(store, element)
    if (
        last is not None
        and store.submissions.was_begun(address)
        and store.claim_of(address) is None
    ):
        return Standing("stopped", f"{last.error}: {last.message}; {AGAIN}")
    missing = [need for need in store.inputs(address) if store.result(need) is None]
    if missing:
        return Standing("lost", f"its job cannot run: {missing[0]} has no result; {AGAIN}")
    if store.claim_of(address) is None and address != was_at(store, unfinished):
        return Standing("lost", f"its job ended before it came to it; {AGAIN}")
    if killed_for_memory(store, element):
        return _for_memory(store, element)
    if found_changed_code(store, element):
        return Standing("lost", f"{CAUSES[CHANGED_CODE].message}; {AGAIN}")
    log = last_words(store, element)
    return Standing("lost", f"its job left the queue without a word; {AGAIN}", log)


def _for_memory(store: Store, element: Element) -> Standing:
    killed = CAUSES["OUT_OF_MEMORY"]
    return Standing("failed", f"{killed.error}: {killed.message}", last_words(store, element))


def _last_failure(store: Store, address: str) -> Failure | None:
    numbers = store.attempts(address)
    return store.attempt_failure(address, numbers[-1]) if numbers else None


def _stopped(failure: Failure | None) -> str:
    """Why a task that was begun is at rest."""
    return f"stopped ({failure.error}): {failure.message}" if failure else ""
