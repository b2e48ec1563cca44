"""The store: one folder per task, and the only place where runs, doors and reports meet.

    store.json                          the format of all this
    studies/<study id>.json             what was asked: the sweep, its cells, its tasks
    forecasts/<study id>.json           how long each task was expected to take
    rates/<device>.json                 how long a unit of work takes on a device
    submissions/<name>/                 one per job array: submission.json, the script, its logs;
                                        queued.json once the scheduler has taken it
    nodes/<node>/                       where jobs of a cluster began, or ended before they had
    tasks/<address>/task.json           what the task is
                    submission.json     which element of which job array is to do it
                    claim.json          who is at it
                    heartbeat.json      how far they are; replaced every second
                    result.json         what came out: a function of the address alone
                    provenance.json     when, where and with what
                    attempts/<n>/       one per claim: error.json if it ended badly, log.txt

The state of a task is read off these files and kept nowhere else. Every file appears whole, and
`result.json` last. Whoever changes whose a task is holds the lock of its folder for that moment.
"""

import json
import shutil
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field, fields, replace
from difflib import get_close_matches
from functools import partial
from pathlib import Path
from typing import Any, Literal

from iddpm.running.files import (
    StorageError,
    read_json,
    remove_unfinished,
    write_json,
    write_whole,
)
from studies.store import folders
from studies.store.checksums import StoreError as StoreError
from studies.store.checksums import read_record, record_bytes, write_record
from studies.store.folders import (
    FORMAT,
    create_whole,
    locked,
    made,
    names_in,
    remove_half_written,
    storage_errors,
)
from studies.store.integrity import (
    ADDRESS,
    ANEW,
    FILES,
    PROVENANCE,
    RESULT,
    provenance_of,
    result_of,
    vouched,
)
from studies.store.ownership import Claim, Observer, Place, new_claim
from studies.store.submissions import Submissions
from studies.tasks.task import Task, task_from_json, task_json

State = Literal["planned", "submitted", "running", "done", "failed"]

ENDED = ("done", "failed")
"""States that nothing follows of itself."""

ErrorClass = Literal["exception", "oom", "timeout", "diverged", "cancelled", "lost"]

RECENT_SECONDS = 60.0
"""Clocks of two machines may differ by so much, and a shared file system may show a file so late.
"""

WRITTEN_ANEW = "run its sweep again, which writes it anew"
"""What to try with a file that every run writes that plans the same."""

FEATURES = "features.npz"
"""What a finished task `features` leaves: `features` (N, D) float32, their `mean`, `covariance`."""

RADII = "radii.npy"
"""What a finished task `radii` leaves: float64, one for each kept vector of its features."""

BLOCKS = "blocks"
"""Subfolder of a task for finished parts of its work; removed once the result is published."""

SAMPLES = "samples.npy"
"""What a finished shard of images leaves in its task's folder: level indices (N, H, W, C)."""

SHARD = "shard"
"""Subfolder in which a finished shard of a likelihood leaves a file for each block."""

LATENTS = "latents.npy"
"""What a finished task `latents` leaves: float32 in [-1, 1] and beyond, (count, H, W, C)."""


class ClaimLostError(Exception):
    """The task was taken over by another worker; what this one made is not published."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """How an attempt ended badly."""

    error: ErrorClass
    message: str
    """One line for a person."""
    traceback: str = ""
    log: tuple[str, ...] = ()
    """The last lines that the attempt logged."""
    final: bool = True
    """Whether the task now counts as failed; after an attempt that was lost or stopped it is
    simply gone on with."""
    saved: int = 0
    """Units of work on disk when the attempt was stopped; 0 where that is not known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Beat:
    """How far a running task is."""

    done: int
    total: int
    unit: str
    begun: int = 0
    """Units that were done when the attempt began: by the ones before it."""
    held_mb: int = field(default=0, compare=False)
    """The most MiB of memory that its process was seen to hold; 0: not known."""


class Store:
    """The store in folder `root`. Opening it reads at most its format; the first write makes it.

    Which job is to do which task stands in its `submissions`.

    Raises:
        StoreError: If a newer version wrote it, or the folder holds something that is no store.
    """

    def __init__(self, root: Path, *, observer: Observer | None = None) -> None:
        self.root = root
        self._observer = observer or Observer()
        self.submissions = Submissions(root)
        self._check_format()

    def _check_format(self) -> None:
        path = self.root / "store.json"
        names = names_in(self.root)  # asked first: a store that appears has its format first
        record = read_record(path, "restore it from another store, it holds only a number")
        if record is None:
            if names or self.root.is_file():
                raise StoreError(
                    f"{self.root}: expected a store or an empty folder, found other files; "
                    "name another folder with --store"
                )
            return
        found = record.get("format")
        if not isinstance(found, int) or found > FORMAT:
            raise StoreError(
                f"{path}: expected a format up to {FORMAT}, found {found!r}; "
                "a newer version of this program wrote this store: update, or name another store"
            )

    # ------------------------------------------------------------------------------- studies

    def record_study(self, study: str, record: Mapping[str, Any]) -> None:
        """Write down what a study asks; what it asked before is replaced, if it differs.

        Raises:
            StoreError: If the id is another study's: that of `a-b` under the preset `c` is that of
                `a` under `b-c`, and a disk may take `A` for `a`.
            StorageError: If the store cannot be written.
        """
        self._sweep()
        path, wanted = self.root / "studies" / f"{study}.json", json.loads(json.dumps(record))
        found = _read_if_whole(path)
        if found == wanted:
            return
        both = (wanted, found or {})
        ours, theirs = ([one.get(name) for name in ("study", "preset")] for one in both)
        if all(theirs) and all(ours) and ours != theirs:
            raise StoreError(
                f"{path}: expected the record of {ours[0]!r} under the preset {ours[1]!r}, found "
                f"that of {theirs[0]!r} under {theirs[1]!r}, whose file has the same name; rename "
                "one of them, or name another folder with --store"
            )
        write_record(made(self.root, path.parent) / path.name, wanted)

    def _sweep(self) -> None:
        """Remove what was half written outside of the tasks by processes that are gone."""
        submissions = self.root / "submissions"
        for folder in (self.root, self.root / "studies", submissions, *submissions.glob("*/")):
            remove_unfinished(folder / "*")

    def studies(self) -> list[str]:
        """The ids of all recorded studies, sorted."""
        names = names_in(self.root / "studies")
        return sorted(name.removesuffix(".json") for name in names if name.endswith(".json"))

    def study(self, study: str) -> dict[str, Any]:
        """The record of a study.

        Raises:
            StoreError: If there is none of this name, or its file was cut short.
        """
        path = self.root / "studies" / f"{study}.json"
        record = read_record(path, "run the sweep again, which writes it anew")
        if record is None:
            known = self.studies()
            if study in known:
                raise StoreError(f"{path}: expected a file, found a link to none; remove the link")
            near = get_close_matches(study, known, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"there are: {', '.join(known)}"
            raise StoreError(
                f"{self.root}: no study {study!r}; {hint if known else 'it holds no study yet'}"
            )
        return record

    # --------------------------------------------------------------------------------- tasks

    def folder(self, address: str) -> Path:
        """Where a task keeps its files."""
        return folders.of_task(self.root, address)

    def addresses(self) -> list[str]:
        """The addresses of every task that the store knows, sorted."""
        return sorted(names_in(self.root / "tasks"))

    def create(self, task: Task) -> bool:
        """Write down what the task is, unless that stands there already; whether it is done.

        Settings outside of the address, such as where the data lies, follow the latest call until
        the task is done. What a worker left that was killed as it published goes.
        """
        path = self.folder(task.address) / "task.json"
        files, wanted = names_in(path.parent), task_json(task)  # one look, as in `state`
        found = _read_if_whole(path) if path.name in files else None
        is_done = RESULT in files
        if is_done and "claim.json" in files:
            with suppress(StorageError):  # it may be in a store that nobody may write
                self.bury(task.address)
        if found != wanted and not (is_done and _is_task(found, task.address)):
            made(self.root, path.parent)
            with locked(path.parent):  # who claims the task removes files that are half written
                write_record(path, wanted)
        return is_done

    def task(self, address: str) -> Task:
        """What the task is; checked against its address.

        Raises:
            StoreError: If there is no such task, or its file is not what the address says.
        """
        path = self.folder(address) / "task.json"
        try:
            task = task_from_json(self._task_record(address))
        except ValueError as error:
            raise StoreError(f"{path}: {error}") from error
        if task.address != address:
            raise StoreError(f"{path}: expected the task of this folder, found {task.address}")
        return task

    def inputs(self, address: str) -> tuple[str, ...]:
        """Addresses of the tasks that a task needs.

        Raises:
            StoreError: If its file was cut short or holds something else.
        """
        record = self._task_record(address)
        needs, derived = record.get("needs"), record.get("derived", {})
        if not (isinstance(needs, dict) and isinstance(derived, dict)):
            path = self.folder(address) / "task.json"
            raise StoreError(f"{path}: expected a task, found one without needs; {WRITTEN_ANEW}")
        return (*needs.values(), *derived.values())

    def _task_record(self, address: str) -> dict[str, Any]:
        record = read_record(self.folder(address) / "task.json", WRITTEN_ANEW)
        if record is None:
            raise StoreError(f"{self.root}: no task {address}; run its sweep again")
        return record

    def state(self, address: str) -> State:
        """Where the task stands; a dead claim counts as none."""
        files = names_in(self.folder(address))  # one look: there may be ten thousand to ask for
        if RESULT in files:
            return "done"
        claim = self.claim_of(address) if "claim.json" in files else None
        if claim is not None and not self._is_dead(claim):
            return "running"
        if "attempts" in files and self.failure(address) is not None:
            return "failed"
        return "submitted" if "submission.json" in files else "planned"

    def is_done(self, address: str) -> bool:
        """Whether the task has a result."""
        return (self.folder(address) / RESULT).exists()

    def result(self, address: str) -> dict[str, Any] | None:
        """What came out; None: the task is not done.

        Raises:
            StoreError: If the file was cut short, damaged or edited.
        """
        return result_of(self.folder(address))

    def provenance(self, address: str) -> dict[str, Any] | None:
        """When, where and with what the task was done; None: it is not done.

        Raises:
            StoreError: If the file was cut short, damaged or edited.
        """
        made = provenance_of(self.folder(address))
        vouching = (ADDRESS, FILES)
        return made and {name: value for name, value in made.items() if name not in vouching}

    def failure(self, address: str) -> Failure | None:
        """Why the task counts as failed; None: it does not."""
        numbers = self.attempts(address)
        if not numbers or (self._attempt(address, numbers[-1]) / "retry").exists():
            return None
        failure = self.attempt_failure(address, numbers[-1])
        return failure if failure is not None and failure.final else None

    def attempts(self, address: str) -> list[int]:
        """The numbers of the attempts made so far, the one under way included."""
        return folders.attempts(self.folder(address))

    def attempt_failure(self, address: str, number: int) -> Failure | None:
        """How an attempt ended badly; None: it did not, or not yet."""
        path = self._attempt(address, number) / "error.json"
        record = read_record(path, ANEW)
        if record is None:
            return None
        try:
            return Failure(**{**record, "log": tuple(record["log"])})
        except (TypeError, KeyError) as error:
            raise StoreError(
                f"{path}: expected how an attempt ended, found something else ({error}); {ANEW}"
            ) from error

    def clear_failure(self, address: str) -> None:
        """Let a failed task be tried again; the record of what went wrong stays."""
        if self.failure(address) is not None:
            with storage_errors(self.folder(address)):
                (self._attempt(address, self.attempts(address)[-1]) / "retry").touch()

    def _attempt(self, address: str, number: int) -> Path:
        return self.folder(address) / "attempts" / str(number)

    def failed(self, addresses: Iterable[str], errors: Collection[str]) -> list[str]:
        """The tasks, of those given, that failed for good in one of these ways."""
        failures = ((a, self.failure(a)) for a in (addresses if errors else ()))
        return [a for a, failure in failures if failure is not None and failure.error in errors]

    def retry(self, addresses: Iterable[str], errors: Collection[str]) -> None:
        """Forget that those of the tasks failed that did so in one of these ways."""
        for address in self.failed(addresses, errors):
            self.clear_failure(address)
            self.submissions.withdraw(address)  # a job that did it with others has it behind

    # ------------------------------------------------------------------------- whose it is

    def claim(self, address: str) -> Claim | None:
        """Make the task this process's own; None: it is done, failed, or a live worker's.

        What a dead worker left is buried first, so its partial work is continued.

        Raises:
            StoreError: If there is no such task.
            StorageError: If the store cannot be written.
        """
        if not (self.folder(address) / "task.json").exists():
            raise StoreError(f"{self.root}: no task {address}; run its sweep again")
        with locked(self.folder(address)):
            self._bury(address)
            if self.state(address) not in ("planned", "submitted"):
                return None
            remove_half_written(self.folder(address))
            claim = new_claim(address, attempt=max(self.attempts(address), default=0) + 1)
            if not create_whole(self.folder(address) / "claim.json", asdict(claim)):
                return None  # where locks do not hold, the file still lets only one win
            made(self.root, self.attempt_folder(claim))
            return claim

    def claim_of(self, address: str) -> Claim | None:
        """The claim on the task, be it live or dead; None: nobody is at it."""
        path = self.folder(address) / "claim.json"
        try:
            record = read_json(path)
            return Claim(**{**record, "place": Place(**record["place"])})
        except FileNotFoundError:
            return None
        except (ValueError, TypeError, KeyError) as error:
            raise StoreError(
                f"{path}: expected a claim, found something else ({error}); "
                "if no run is at this task, delete it"
            ) from error

    def bury(
        self,
        address: str,
        *,
        log: tuple[str, ...] = (),
        dead: Claim | None = None,
        failure: Failure | None = None,
    ) -> bool:
        """Remove the claim if it is dead, recording how the attempt ended; whether it was.

        Args:
            address: The task.
            log: Last words of the worker, where the caller has heard any.
            dead: A claim that the caller knows to be dead, whatever its heartbeat says.
            failure: How the attempt ended, where the caller knows; None: it was lost.
        """
        claim = self.claim_of(address)
        if claim is None or not (self._is_dead(claim) or claim == dead):
            return False
        with locked(self.folder(address)):
            return self._bury(address, log, dead, failure)

    def _bury(
        self,
        address: str,
        log: tuple[str, ...] = (),
        dead: Claim | None = None,
        failure: Failure | None = None,
    ) -> bool:
        claim = self.claim_of(address)
        if claim is None or not (self._is_dead(claim) or claim == dead):
            return False
        if self.is_done(address):
            remove_half_written(self.folder(address))
            shutil.rmtree(self.folder(address) / BLOCKS, ignore_errors=True)
        elif self.attempt_failure(address, claim.attempt) is None:
            lost = Failure(
                error="lost",
                message=f"process {claim.pid} on {claim.place.host} ended without a word",
                final=False,
            )
            words = (*last_lines(self.attempt_folder(claim) / "log.txt"), *log)
            ended = failure or lost
            message = f"{ended.message}{self._holding(address)}"
            self._record(claim, replace(ended, message=message, log=words))
        self._remove_claim(address)
        return True

    def _holding(self, address: str) -> str:
        """What is to be said of the memory of a process that left nothing but its heartbeat."""
        beat = self.progress(address)
        return f"; it was seen to hold {beat.held_mb:,} MiB" if beat and beat.held_mb else ""

    def attempt_folder(self, claim: Claim) -> Path:
        """Where the attempt of this claim keeps its log."""
        return self._attempt(claim.address, claim.attempt)

    def publish(
        self, claim: Claim, result: Mapping[str, Any], provenance: Mapping[str, Any]
    ) -> None:
        """Make the task done: its result appears, the claim and the finished parts go.

        Address, and size and hash of every file that the task leaves, go into its provenance.

        Raises:
            ClaimLostError: If the task was taken over meanwhile.
            ValueError: If a number of the result is not finite.
        """
        folder = self.folder(claim.address)
        content = record_bytes(result)
        vouching = vouched(folder, content)
        with self.owned(claim):
            write_record(folder / PROVENANCE, {**provenance, **vouching})
            write_whole(folder / RESULT, content)
            shutil.rmtree(folder / BLOCKS, ignore_errors=True)
            self._remove_claim(claim.address)

    def reopen(self, address: str) -> None:
        """Let a finished task be done once more: its result goes, and no job has it to do."""
        with locked(self.folder(address)):
            (self.folder(address) / RESULT).unlink(missing_ok=True)
            self.submissions.withdraw(address)

    def fail(self, claim: Claim, failure: Failure) -> None:
        """Record how the attempt went wrong, and give the claim up.

        Raises:
            ClaimLostError: If the task was taken over meanwhile.
        """
        with self.owned(claim):
            self._record(claim, failure)
            self._remove_claim(claim.address)

    def release(self, claim: Claim) -> None:
        """Give the claim up; the partial work stays, and the task is planned again."""
        try:
            with self.owned(claim):
                self._remove_claim(claim.address)
        except ClaimLostError:
            return

    @contextmanager
    def owned(self, claim: Claim) -> Iterator[None]:
        """A moment in which the task is this claim's and nobody takes it over.

        Raises:
            ClaimLostError: If it was taken over.
        """
        with locked(self.folder(claim.address)):
            current = self.claim_of(claim.address)
            if current is None or current.token != claim.token:
                raise ClaimLostError(f"{claim.address}: taken over by another worker")
            yield

    def _record(self, claim: Claim, failure: Failure) -> None:
        write_record(made(self.root, self.attempt_folder(claim)) / "error.json", asdict(failure))

    def _remove_claim(self, address: str) -> None:
        for name in ("heartbeat.json", "claim.json"):
            (self.folder(address) / name).unlink(missing_ok=True)

    def _is_dead(self, claim: Claim) -> bool:
        return self._observer.is_dead(claim, _bytes(self.folder(claim.address) / "heartbeat.json"))

    # ----------------------------------------------------------------------------- heartbeat

    def beat(self, claim: Claim, beat: Beat, time: float) -> None:
        """Replace the heartbeat.

        Args:
            claim: Whose heart beats.
            beat: How far the task is.
            time: Seconds since 1970 on the worker's clock; makes every beat differ.

        Raises:
            ClaimLostError: If the task was taken over.
        """
        path = self.folder(claim.address) / "heartbeat.json"
        write_json(path, {"time": time, **asdict(beat)}, held=partial(self.owned, claim))

    def beats(self, address: str, now: float) -> bool:
        """Whether a worker is at the task by all that is seen from here.

        Its process lives, or is another machine's and its last heartbeat is recent by the clocks
        of both. This tells of a job that the scheduler shows to its own user alone.

        Args:
            address: The task.
            now: Seconds since 1970 on the observer's clock.
        """
        claim, heartbeat = self.claim_of(address), _bytes(self.folder(address) / "heartbeat.json")
        if claim is None or heartbeat is None or self._is_dead(claim):
            return False
        with suppress(ValueError, KeyError, TypeError):  # it is replaced in a second
            return abs(now - float(json.loads(heartbeat)["time"])) < RECENT_SECONDS
        return False

    def progress(self, address: str) -> Beat | None:
        """How far the task is by its last heartbeat; None: it has none."""
        heartbeat = _bytes(self.folder(address) / "heartbeat.json")
        if heartbeat is None:
            return None
        with suppress(ValueError, KeyError, TypeError):  # it is replaced in a second
            record = json.loads(heartbeat)
            names = [item.name for item in fields(Beat)]
            return Beat(**{name: record[name] for name in names if name in record})
        return None


def last_lines(path: Path, count: int = 20) -> tuple[str, ...]:
    """The last lines of a log; none where there is no log."""
    text = _bytes(path) or b""
    return tuple(text.decode(errors="replace").splitlines()[-count:])


def _read_if_whole(path: Path) -> dict[str, Any] | None:
    """The object in a JSON file; None: there is no such file, or it is not whole."""
    try:
        return read_record(path, ANEW)
    except StoreError:
        return None


def _bytes(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None


def _is_task(record: Mapping[str, Any] | None, address: str) -> bool:
    """Whether a record is of the task of an address, whatever it says beside the address."""
    with suppress(ValueError):
        return record is not None and task_from_json(record).address == address
    return False
