"""Which job of a cluster is to do which task, as the store keeps it.

A task names the element of a job array that is to do it; the array, which has a folder of its own,
names the tasks of all its elements.
"""

import getpass
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from studies.store import folders
from studies.store.checksums import StoreError, read_record, write_record
from studies.store.folders import locked, made, storage_errors
from studies.store.integrity import ANEW, result_of

WRITERS = 8
"""Threads that write many small files: each mostly waits for the disk."""

REMEDY = "run its sweep again"
"""What to try with a submission that cannot be read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Element:
    """One element of a job array, by the array's name and its index in it."""

    array: str
    index: int


class Submissions:
    """The submissions of the store in folder `root`."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._elements: dict[str, dict[int, list[str]]] = {}  # of arrays: what was submitted stays

    @contextmanager
    def lock(self) -> Iterator[None]:
        """One process at a time submits what this store holds; the others wait for it."""
        with locked(made(self._root, self._root / "submissions")):
            yield

    def folder(self, array: str) -> Path:
        """Where a job array keeps its script and its logs."""
        return self._root / "submissions" / array

    def record(self, array: str, elements: Mapping[int, Sequence[str]]) -> None:
        """Write down which tasks the elements of a job array are to do, before it is submitted."""
        path = made(self._root, self.folder(array)) / "submission.json"
        self._elements.pop(array, None)
        listed = {str(i): elements[i] for i in elements}
        write_record(path, {"elements": listed, "user": getpass.getuser()})
        places = {address: index for index in elements for address in elements[index]}

        def write(address: str) -> None:
            folder = self._of_task(address)
            attempts = max(folders.attempts(folder), default=0)
            record = {"array": array, "index": places[address], "attempts_before": attempts}
            with locked(folder):  # who claims the task removes what is half written
                write_record(folder / "submission.json", record)

        with ThreadPoolExecutor(WRITERS) as pool:
            list(pool.map(write, places))

    def record_queued(self, array: str, number: str) -> None:
        """Write down that the scheduler took a job array, under this number."""
        write_record(self.folder(array) / "queued.json", {"number": number})

    def was_queued(self, array: str) -> bool:
        """Whether the scheduler is known to have taken a job array."""
        return (self.folder(array) / "queued.json").exists()

    def tasks(self, array: str) -> dict[int, list[str]]:
        """The tasks of each element of a job array.

        Raises:
            StoreError: If there is no such submission, or its file was cut short.
        """
        if array not in self._elements:
            path = self.folder(array) / "submission.json"
            record = read_record(path, REMEDY)
            if record is None:
                raise StoreError(f"{self._root}: no submission {array}; {REMEDY}")
            try:
                self._elements[array] = {int(i): tasks for i, tasks in record["elements"].items()}
            except (KeyError, ValueError, AttributeError) as error:
                raise StoreError(
                    f"{path}: expected the elements of a job array, found something else "
                    f"({error}); {REMEDY}"
                ) from error
        return self._elements[array]

    def submitter(self, array: str) -> str | None:
        """Who submitted a job array; None: an older version of this program did not say."""
        record = read_record(self.folder(array) / "submission.json", REMEDY)
        return record.get("user") if record else None

    def element(self, address: str) -> Element | None:
        """Which element of which job array is to do the task; None: it is in no queue."""
        record = self._record(address)
        return Element(array=record["array"], index=record["index"]) if record else None

    def unfinished(self, element: Element) -> list[str]:
        """The tasks without a result that an element of a job array is to do, in its order.

        Raises:
            StoreError: If there is no such submission, or its file was cut short.
        """
        tasks = self.tasks(element.array)[element.index]
        return [
            address
            for address in tasks
            if self.element(address) == element and result_of(self._of_task(address)) is None
        ]

    def was_begun(self, address: str) -> bool:
        """Whether a worker was at the task since it was submitted."""
        record = self._record(address)
        before = record["attempts_before"] if record else 0
        return max(folders.attempts(self._of_task(address)), default=0) > before

    def withdraw(self, address: str) -> None:
        """Forget the submission of a task: no job is to do it any more."""
        with storage_errors(self._of_task(address)):
            (self._of_task(address) / "submission.json").unlink(missing_ok=True)

    def _of_task(self, address: str) -> Path:
        return folders.of_task(self._root, address)

    def _record(self, address: str) -> dict[str, Any] | None:
        path = self._of_task(address) / "submission.json"
        record = read_record(path, ANEW)
        if record is not None and not {"array", "index", "attempts_before"} <= record.keys():
            raise StoreError(
                f"{path}: expected the element of a job array, found something else; {ANEW}"
            )
        return record
