"""The folders of a store: what lies in them, who makes them, and who may write there now."""

import fcntl
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from iddpm.running.files import REMEDIES, StorageError, write_json
from studies.store.checksums import write_record

FORMAT = 1
"""Of the layout. A store of a higher number was written by a newer version."""


def of_task(root: Path, address: str) -> Path:
    """Where a task keeps its files."""
    return root.joinpath("tasks", address)  # in one step: it is asked for very often


def attempts(folder: Path) -> list[int]:
    """The numbers of the attempts made so far at the task of a folder, in order."""
    return sorted(int(name) for name in names_in(folder / "attempts") if name.isdecimal())


def names_in(folder: Path) -> list[str]:
    """What is in a folder, if it is there; hidden and half-written files aside."""
    try:
        return [name for name in os.listdir(folder) if not name.startswith(".")]
    except (FileNotFoundError, NotADirectoryError):
        return []


def made(root: Path, folder: Path) -> Path:
    """A folder of the store at `root`, made if need be; the store's format is written first of all.

    Raises:
        StorageError: If the store cannot be written.
    """
    with storage_errors(folder):
        if not (root / "store.json").exists():
            root.mkdir(parents=True, exist_ok=True)
            write_record(root / "store.json", {"format": FORMAT})
        folder.mkdir(parents=True, exist_ok=True)
    return folder


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """One process at a time decides what a folder holds; the kernel frees a dead one's lock.

    Raises:
        StorageError: If the store cannot be written.
    """
    path = folder / "lock"
    with storage_errors(path), path.open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def create_whole(path: Path, value: object) -> bool:
    """Write a JSON file unless it exists; whether it was written. Of many at once, one succeeds."""
    mine = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    write_json(mine, value)
    try:
        os.link(mine, path)
    except FileExistsError:
        return False
    finally:
        mine.unlink(missing_ok=True)
    return True


def remove_half_written(folder: Path) -> None:
    """Drop the temporary files of workers that were killed while they wrote."""
    for path in folder.rglob(".*"):
        path.unlink(missing_ok=True)


@contextmanager
def storage_errors(path: Path) -> Iterator[None]:
    """Says in one sentence what keeps the store from being written.

    Raises:
        StorageError: In place of any other OSError.
    """
    try:
        yield
    except StorageError:
        raise
    except OSError as error:
        remedy = REMEDIES.get(error.errno or 0, "look at the folder and run the same command again")
        raise StorageError(f"{path}: cannot write: {error.strerror}; {remedy}") from error
