"""Every file of a store read once, and whatever is damaged named with what makes it whole again."""

import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from iddpm.running.blocks import UNREADABLE
from studies.store.checksums import StoreError, read_record
from studies.store.forecasts import checked_forecast
from studies.store.integrity import (
    ANEW,
    RESULT,
    check_file,
    damaged,
    left_files,
    listed_files,
    provenance_of,
)
from studies.store.npy import read_array
from studies.store.rates import checked_rates, rates_files
from studies.store.store import WRITTEN_ANEW, Store
from studies.tasks.kinds import KINDS

LEFT = "the bytes that its task left"

Told = Callable[[int, int], None]
"""Told how many tasks were read, of how many."""


def damages(store: Store, study: str | None, told: Told) -> Iterator[str]:
    """A sentence for each damaged file, which ends with its remedy.

    Args:
        store: What is read; nothing is written.
        study: Whose record and tasks alone are read; None: everything.
        told: How far it is.

    Raises:
        StoreError: If there is no such study.
    """
    names = store.studies() if study is None else [study]
    for name in names:
        yield from _said(store.study, name)
    addresses = store.addresses() if study is None else list(store.study(study)["tasks"])
    for number, address in enumerate(addresses):
        yield from dict.fromkeys(_of_task(store, address))  # one file may be read for another
        told(number + 1, len(addresses))
    if study is None:
        for record in sorted((store.root / "submissions").glob("*/*.json")):
            yield from _said(read_record, record, "run its sweep again")
        for path in rates_files(store.root):
            yield from _said(checked_rates, path)
        for name in names:
            yield from _said(checked_forecast, store.root, name)


def _of_task(store: Store, address: str) -> Iterator[str]:
    """What is damaged in the folder of one task."""
    folder = store.folder(address)
    if not folder.exists():
        return  # a study is recorded before its tasks
    yield from _said(_check_task, store, address)
    for read in (store.result, store.submissions.element, store.claim_of):
        yield from _said(read, address)
    for attempt in store.attempts(address):
        yield from _said(store.attempt_failure, address, attempt)
    if (folder / "result.json").exists():
        yield from _of_files(folder)


def _check_task(store: Store, address: str) -> None:
    """Hold a task against its address; one of another version against its checksum alone."""
    try:
        store.task(address)
    except StoreError:
        record = read_record(store.folder(address) / "task.json", WRITTEN_ANEW) or {}
        kind = KINDS.get(str(record.get("kind")))
        if kind is None or record.get("version") == kind.version:
            raise


def _of_files(folder: Path) -> Iterator[str]:
    unreadable = list(_said(provenance_of, folder))
    if unreadable:
        yield from unreadable
        return
    listed = listed_files(folder)
    if listed is None:
        for name in left_files(folder):
            yield from _said(_check_unlisted, folder / name)
        return
    for name in sorted(listed.keys() - {RESULT}):  # it was read before
        yield from _said(check_file, folder / name, LEFT)


def _check_unlisted(path: Path) -> None:
    """Hold a file of an older version against what can be known: a hash in the result, or sums.

    Raises:
        StoreError: If it is damaged, or the provenance that should vouch for it is gone.
    """
    if path.suffix == ".npy":
        read_array(path, mapped=True)
    elif path.suffix in (".npz", ".pt"):
        check_file(path, LEFT)
        try:
            with zipfile.ZipFile(path) as archive:
                part = archive.testzip()
        except UNREADABLE as error:
            raise damaged(path, LEFT) from error
        if part is not None:
            raise damaged(path, LEFT)
        if path.name == "features.npz":
            read_array(path, "features")  # whose hash stands in the result


def _said(read: Callable[..., Any], *what: Any) -> Iterator[str]:
    """The sentence about what cannot be read, if there is one."""
    try:
        read(*what)
    except StoreError as error:
        yield str(error)
    except OSError as error:
        yield f"{error.filename}: cannot be read ({error.strerror}); look at the disk, {ANEW}"
