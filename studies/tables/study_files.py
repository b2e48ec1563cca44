"""A study in its store, of which every file is read once, whoever asks for it."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from copy import copy
from functools import cache
from types import MappingProxyType
from typing import Any, Self

from studies.store.integrity import ANEW, finished
from studies.store.store import Store, StoreError
from studies.tasks.task import Task


class StudyFiles:
    """The cells of a study and what the store holds of their tasks, read when it is asked for.

    `task` and `result` are those of the store; what they gave once they give again. `made` is the
    provenance of what was read of it, by address.

    Args:
        store: Where the study is.
        name: Of the study.
        cells: What it asks for; None: what its record in the store says.
        tasks: Those that the caller knows, by address: they are not read.

    Raises:
        StoreError: If the store has no such study, or its record was cut short.
    """

    def __init__(
        self,
        store: Store,
        name: str,
        cells: Sequence[Mapping[str, Any]] | None = None,
        tasks: Mapping[str, Task] = MappingProxyType({}),
    ) -> None:
        self.name = name
        self.cells = store.study(name)["cells"] if cells is None else cells
        self.folder = store.folder
        self.task: Callable[[str], Task] = cache(lambda a: tasks.get(a) or store.task(a))
        self.result: Callable[[str], dict[str, Any] | None] = cache(self._result)
        self.made: dict[str, dict[str, Any]] = {}
        self._store = store

    def of(self, cells: Sequence[Mapping[str, Any]]) -> Self:
        """The same with other cells: what was read for the ones is read for the others."""
        found = copy(self)
        found.cells = cells
        return found

    def _result(self, address: str) -> dict[str, Any] | None:
        result, made = finished(self.folder(address)) or (None, None)
        if made is not None:
            self.made[address] = made
        return result

    def gap(self, address: str) -> tuple[str, str]:
        """State and reason of a task without a result; who waits for a failed task has failed."""
        failure = self._store.failure(address)
        if failure is not None:
            return "failed", f"{failure.error}: {failure.message}"
        for parent in self.task(address).parents.values():
            if self.result(parent) is None and (blocked := self.gap(parent))[0] == "failed":
                because = blocked[1]
                whole = because if because.startswith("needs ") else f"needs {parent}, {because}"
                return "failed", whole
        return self._store.state(address), ""

    @contextmanager
    def reading(self, address: str) -> Iterator[None]:
        """Where the content of a result is read.

        Raises:
            StoreError: If it is not what its task leaves: names the file.
        """
        try:
            yield
        except (KeyError, IndexError, TypeError, ValueError, AttributeError) as error:
            path = self.folder(address) / "result.json"
            found = f"no {error}" if isinstance(error, KeyError) else f"something else ({error})"
            raise StoreError(
                f"{path}: expected the result of its task, found {found}; {ANEW}"
            ) from error
