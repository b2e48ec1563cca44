"""Stores, and the records in bundles, brought together in one store.

Equal addresses must hold equal results, and a study of one name must ask the same, seeds apart: all
is compared before anything is written. A task appears in its place whole, and a study after all of
its tasks, so that a merge that is cut short is gone on with by the same command.
"""

import json
import os
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from iddpm.bounds import ConfigError
from iddpm.running.files import STATE_FILE, WEIGHTS_FILE
from studies.bundling.verifier import Bundle
from studies.spec.documents import parse
from studies.store.checksums import StoreError, write_record
from studies.store.folders import locked, made, storage_errors
from studies.store.integrity import (
    FILES,
    FREED,
    PROVENANCE,
    RESULT,
    check_file,
    left_files,
    listed_files,
    provenance_of,
)
from studies.store.records import whole
from studies.store.store import Store

RECORDS = "store/"
"""What the records of the store stand under in a bundle."""
OF_SEEDS = ("seeds", "cells", "tasks")
"""What records of one study may differ in: the merged one has the seeds of all."""
TEXTS = ("sweep_text", "preset_text")
"""Files, which may differ in their seeds and comments; the merged one has those of more seeds."""
STATES = (STATE_FILE, WEIGHTS_FILE)
"""Equal states have unequal bytes where one was continued; the result has the hashes of weights."""
MOST = 10
"""So many differences are told one by one."""
UNFINISHED, ASIDE = ".merging", ".replaced"


@dataclass(frozen=True, slots=True, kw_only=True)
class Merged:
    """What a merge added."""

    tasks: int
    studies: int


def merge(sources: Sequence[Path], into: Path) -> Merged:
    """Bring sources together.

    Args:
        sources: Folders of stores, and archives of `studies.bundle`.
        into: A store, one of the sources perhaps, or a folder that there is not yet.

    Raises:
        StoreError: If two of them differ in what must be equal, something is damaged, or a task is
            being worked at; nothing is changed then.
        StorageError: If the store cannot be written; the same command goes on.
    """
    with ExitStack() as open_until_done:
        stores = [open_until_done.enter_context(_opened(path)) for path in sources]
        target = Store(into)
        every = [target, *stores] if target.studies() or target.addresses() else stores
        _require_equal(every)
        studies = _studies(every)
        found = [_chosen(address, stores) for address in _addresses(stores)]
        new = [(store, address) for store, address in found if _is_new(store, address, target)]
        for store, address in new:
            _check(store, address)
            _require_idle(target, address)
        for store, address in new:
            _place(store, address, target)
        before = {name: target.study(name) for name in target.studies()}
        changed = {name: record for name, record in studies.items() if before.get(name) != record}
        for name, record in changed.items():
            target.record_study(name, record)
        return Merged(tasks=len(new), studies=len(changed))


@contextmanager
def _opened(path: Path) -> Iterator[Store]:
    """A source as a store; what a bundle does not hold of a task counts as given up."""
    if path.is_dir():
        yield Store(path)
        return
    try:
        files = Bundle(str(path)).files
    except OSError:
        raise
    except (SystemExit, Exception) as error:
        raise StoreError(f"{path}: expected a store or a whole bundle, found {error}") from error
    with TemporaryDirectory() as folder:
        root = Path(folder)
        for name, content in files.items():
            place = root / name.removeprefix(RECORDS)
            if name.startswith(RECORDS) and root in place.resolve().parents:
                place.parent.mkdir(parents=True, exist_ok=True)
                place.write_bytes(content)
        for task in sorted((root / "tasks").glob("*/")):
            _note_given_up(task)
        yield Store(root)


def _note_given_up(folder: Path) -> None:
    noted = provenance_of(folder)
    if noted is None:
        return
    gone = {name: its for name, its in noted[FILES].items() if not (folder / name).exists()}
    left = {name: its for name, its in noted[FILES].items() if name not in gone}
    freed = {FREED: {**noted.get(FREED, {}), **gone}} if gone else {}
    write_record(folder / PROVENANCE, {**noted, FILES: left, **freed})


# ------------------------------------------------------------------------------- what must be equal


def _addresses(stores: Iterable[Store]) -> list[str]:
    return list(dict.fromkeys(address for store in stores for address in store.addresses()))


def _require_equal(stores: Sequence[Store]) -> None:
    """Compare the results of all tasks that several stores have, and what they left."""
    found = [one for address in _addresses(stores) for one in _differences(address, stores)]
    if found:
        more = f"; and {len(found) - MOST} more" if len(found) > MOST else ""
        raise StoreError(
            f"expected equal results at equal addresses, found others: {'; '.join(found[:MOST])}"
            f"{more}; nothing was changed. One of them was made by other code or is damaged: "
            "python -m studies.status --verify --store FOLDER says which"
        )


def _differences(address: str, stores: Sequence[Store]) -> Iterator[str]:
    folders = [store.folder(address) for store in stores if store.is_done(address)]
    for one, other in ((folders[0], other) for other in folders[1:]):
        pair = [listed_files(folder) or left_files(folder) for folder in (one, other)]
        names = (pair[0].keys() & pair[1].keys()) - {RESULT, *STATES}
        differ = [name for name in names if pair[0][name]["sha256"] != pair[1][name]["sha256"]]
        if (one / RESULT).read_bytes() != (other / RESULT).read_bytes():
            differ.append(RESULT)
        yield from (f"{one / name} and {other / name}" for name in sorted(differ))


def _studies(stores: Sequence[Store]) -> dict[str, Any]:
    """The records of all studies; of one that several have, with the seeds of all.

    Raises:
        StoreError: If two ask something else under one name.
    """
    found: dict[str, Any] = {}
    for store in stores:
        for name in store.studies():
            record = whole(store, name)
            found[name] = _joined(found[name], record, store, name) if name in found else record
    return found


def _joined(
    one: Mapping[str, Any], other: Mapping[str, Any], store: Store, name: str
) -> dict[str, Any]:
    asked = [
        {**each, **{text: _beside_seeds(each[text]) for text in TEXTS}} for each in (one, other)
    ]
    keys = sorted((one.keys() | other.keys()) - {*OF_SEEDS})
    if differ := [key for key in keys if asked[0].get(key) != asked[1].get(key)]:
        raise StoreError(
            f"{store.root / 'studies' / name}.json: expected a study that asks what the one of "
            f"this name elsewhere asks, found other {', '.join(differ)}; nothing was changed. Run "
            "its sweep again in both stores, or rename the study in one"
        )
    other, one = sorted((one, other), key=lambda each: (len(each["seeds"]), *map(each.get, TEXTS)))
    both = {key: [*one[key], *other[key]] for key in OF_SEEDS}
    texts = {json.dumps(cell, sort_keys=True): cell for cell in both["cells"]}
    once = {
        "seeds": _in_order(one["seeds"], other["seeds"]),
        "tasks": [*dict.fromkeys(both["tasks"])],
    }
    return {**one, **once, "cells": list(texts.values())}


def _beside_seeds(text: str) -> Any:
    """What a sweep or preset file says beside its seeds; of what cannot be read its text."""
    try:
        said = parse(text, str, "a file").plain
    except ConfigError:
        return text
    sweeps = said.get("sweeps") if isinstance(said, dict) else None
    for level in (said, *(sweeps.values() if isinstance(sweeps, dict) else ())):
        if isinstance(level, dict):
            level.pop("seeds", None)
    return said


def _in_order(one: list[int], other: list[int]) -> list[int]:
    """The seeds of both, whichever is named first: looks are at the first ones.

    Where one went on from the other they stay as they were asked.
    """
    short, long = sorted((one, other), key=len)
    return long if long[: len(short)] == short else sorted({*one, *other})


# ---------------------------------------------------------------------------------------- copying


def _chosen(address: str, stores: Sequence[Store]) -> tuple[Store, str]:
    """The store of which a task is taken: the one that has most of what it left."""

    def has(store: Store) -> tuple[bool, int]:
        return store.is_done(address), len(listed_files(store.folder(address)) or ())

    return max((s for s in stores if s.folder(address).exists()), key=has), address


def _is_new(store: Store, address: str, target: Store) -> bool:
    """Whether the target lacks a task, or its result."""
    if target.is_done(address) or store.root.resolve() == target.root.resolve():
        return False
    return store.is_done(address) or not target.folder(address).exists()


def _check(store: Store, address: str) -> None:
    """Hold a task that is to be copied against its address, and its files against their hashes."""
    store.task(address)
    store.result(address)
    for name in (listed_files(store.folder(address)) or {}).keys() - {RESULT}:
        check_file(store.folder(address) / name, "the bytes that its task left")


def _require_idle(target: Store, address: str) -> None:
    if target.claim_of(address) is not None:
        there = target.folder(address)
        raise StoreError(f"{there}: expected a task that nobody is at, found a claim; merge later")


def _place(store: Store, address: str, target: Store) -> None:
    """Copy a task: what it is, and if it is done all that it left. It appears whole.

    What the target has of one that is planned or begun is less than this. Who claims it holds the
    lock of its folder, so that nobody does from the last look at its claim on.
    """
    source, there = store.folder(address), target.folder(address)
    names = ["task.json"]
    if store.is_done(address):
        left = listed_files(source) or left_files(source)
        names += [PROVENANCE, *left.keys() - {RESULT}, RESULT]
    temporary, aside = (
        made(target.root, there.parent) / f".{address}{end}" for end in (UNFINISHED, ASIDE)
    )
    with storage_errors(there):
        for old in (temporary, aside):
            shutil.rmtree(old, ignore_errors=True)
        for name in names:
            if (source / name).exists():
                _copy(source / name, temporary / name)
        if there.exists():
            with locked(there):
                _require_idle(target, address)
                os.rename(there, aside)
                os.rename(temporary, there)
            shutil.rmtree(aside)
        else:
            os.rename(temporary, there)


def _copy(source: Path, there: Path) -> None:
    there.parent.mkdir(parents=True, exist_ok=True)
    with source.open("rb") as old, there.open("wb") as new:
        shutil.copyfileobj(old, new)
        new.flush()
        os.fsync(new.fileno())
