"""Whether the files of a finished task still are the bytes that it left.

When a task is published, its address, and size and sha256 of every file that it leaves, of its
result as well, are written into its provenance. Whoever reads such a file holds it against them
first: a small file each time, a large one once in the life of a process. Tasks of older versions
have no such list; of those, what their results say (a hash of the array, of the weights) is
compared instead.
"""

import hashlib
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

from studies.store.checksums import StoreError, read_checked, write_record

ANEW = "delete it and run the sweep again"
"""What to try with a file that another run writes anew."""

RESULT, PROVENANCE = "result.json", "provenance.json"

FILES = "files"
"""Under this name the provenance lists what the task left, its result included."""

FREED = "freed"
"""Under this name the provenance lists, in the same way, what the task gave up since."""

ADDRESS = "address"
"""Under this name the provenance says whose it is."""

UNLISTED = {
    *("task.json", "submission.json", "claim.json", "heartbeat.json", "lock"),
    *(RESULT, PROVENANCE, "attempts", "blocks"),
}
"""What a task's folder holds beside the files that its result vouches for."""

LARGE_BYTES = 2**20
"""Files from this size on are read once per process, as long as nothing tells of a change."""

_read_before: set[tuple[str, int, int, int]] = set()
"""Path, size, time of change and inode of the large files that were held against their hash."""


def left_files(folder: Path) -> dict[str, dict[str, Any]]:
    """Size and sha256 of every file that a task leaves in its folder, by its path there."""
    found = {}
    for path in sorted(folder.rglob("*")):
        place = path.relative_to(folder)
        hidden = any(part.startswith(".") for part in place.parts)
        if path.is_file() and place.parts[0] not in UNLISTED and not hidden:
            found[str(place)] = _noted(path)
    return found


def _noted(path: Path) -> dict[str, Any]:
    return {"bytes": path.stat().st_size, "sha256": _sha256(path)}


def vouched(folder: Path, result: bytes) -> dict[str, Any]:
    """What the provenance of a task says of its files, once the result is written as well."""
    its = {"bytes": len(result), "sha256": hashlib.sha256(result).hexdigest()}
    return {ADDRESS: folder.name, FILES: {**left_files(folder), RESULT: its}}


def result_of(folder: Path, remedy: str = ANEW) -> dict[str, Any] | None:
    """The result in a task's folder; None: the task is not done.

    Args:
        folder: Of the task.
        remedy: What helps if it is damaged.

    Raises:
        StoreError: If the file was cut short, damaged or edited, or is not that of its task.
    """
    found = finished(folder, remedy)
    return None if found is None else found[0]


def finished(
    folder: Path, remedy: str = ANEW
) -> tuple[dict[str, Any], dict[str, Any] | None] | None:
    """The result in a task's folder and what made it, as `result_of` and `provenance_of` do."""
    path = folder / RESULT
    found = read_checked(path, remedy)
    if found is None:
        return None
    made = provenance_of(folder)
    files = (made or {}).get(FILES)
    if not found.has_checksum and files is not None:
        raise StoreError(f"{path}: expected a checksum at its end, found none; {remedy}")
    if found.has_checksum and files is None:
        raise _unvouched(folder)
    its = hashlib.sha256(found.content).hexdigest()
    if files is not None and files.get(RESULT, {}).get("sha256") != its:
        raise StoreError(f"{path}: expected the result of this task, found another's; {remedy}")
    return found.value, made


def provenance_of(folder: Path) -> dict[str, Any] | None:
    """What made the result in a task's folder, its list of files included; None: there is none.

    Raises:
        StoreError: If the file was cut short, damaged or edited.
    """
    remedy = f"delete it and {RESULT}, and run again with --retry failed"
    path = folder / PROVENANCE
    found = read_checked(path, remedy)
    if found is None:
        return None
    made = found.value
    if not isinstance(made.get(FILES, {}), dict):
        raise StoreError(f"{path}: expected an object under {FILES!r}, found none; {remedy}")
    if FILES in made and (whose := made.get(ADDRESS)) != folder.name:
        raise StoreError(f"{path}: expected what made this task, found that of {whose}; {remedy}")
    return made


def listed_files(folder: Path) -> dict[str, dict[str, Any]] | None:
    """What a task noted of the files that it left; None: an older version did it."""
    files: dict[str, dict[str, Any]] | None = (provenance_of(folder) or {}).get(FILES)
    return files


def freed_files(folder: Path) -> dict[str, dict[str, Any]]:
    """What a task left once and gave up since, to free space."""
    files: dict[str, dict[str, Any]] = (provenance_of(folder) or {}).get(FREED, {})
    return files


def give_up(folder: Path, name: str, *, keep: Callable[[Path], Path] | None = None) -> int:
    """Remove a file of a finished task whose lock is held, and note that it was given up.

    Args:
        folder: Of the task.
        name: Of the file.
        keep: Writes what is to stay of it into the folder and gives the path; None: nothing is.

    Returns:
        How many bytes that frees.

    Raises:
        StoreError: If the file is not what the task left.
        StorageError: If the store cannot be written.
    """
    path = folder / name
    check_file(path, "the bytes that its task left")
    if name in freed_files(folder):  # noted by a process that was killed before it went
        return _unlinked(path)
    kept = {} if keep is None else {(written := keep(folder)).name: _noted(written)}
    made = provenance_of(folder) or {}
    files, freed = dict(made[FILES]), dict(made.get(FREED, {}))
    freed |= {name: files.pop(name)}
    noted = {**made, FILES: {**files, **kept}, FREED: freed}
    write_record(folder / PROVENANCE, noted)
    return _unlinked(path) - sum(int(file["bytes"]) for file in kept.values())


def _unlinked(path: Path) -> int:
    size = path.stat().st_size
    path.unlink()
    return size


def check_file(path: Path, expected: str) -> bool:
    """Hold a file of a finished task against what the task noted of it.

    Args:
        path: In the folder of a task, or below it; a file elsewhere is nobody's.
        expected: What it should be, in words.

    Returns:
        Whether there was anything to hold it against.

    Raises:
        StoreError: If it is gone, was cut short or damaged, or is another one.
    """
    folder = task_folder(path)
    if folder is None:
        return False
    made = provenance_of(folder) or {}
    files, freed = made.get(FILES), made.get(FREED, {})
    if files is None:
        _check_is_of_an_older_version(folder)
        return False
    name = str(path.relative_to(folder))
    said = files.get(name, freed.get(name))
    try:
        stat = path.stat()
    except FileNotFoundError as error:
        raise (_freed if name in freed else damaged)(path, expected) from error
    if said is None or stat.st_size != said["bytes"]:
        raise damaged(path, expected)
    sign = (str(path), stat.st_size, stat.st_mtime_ns, stat.st_ino)
    if sign in _read_before:
        return True
    if _sha256(path) != said["sha256"]:
        raise damaged(path, expected)
    if stat.st_size >= LARGE_BYTES:
        _read_before.add(sign)
    return True


def _check_is_of_an_older_version(folder: Path) -> None:
    """A result with a checksum comes with a provenance: without it nothing vouches for files."""
    found = read_checked(folder / RESULT, ANEW)
    if found is not None and found.has_checksum:
        raise _unvouched(folder)


def _unvouched(folder: Path) -> StoreError:
    return StoreError(
        f"{folder / PROVENANCE}: expected a list of what the task left, found none; "
        f"delete {RESULT} beside it and run the sweep again with --retry failed"
    )


def task_folder(path: Path) -> Path | None:
    """The folder of the task that a path lies in; None: it lies in no store."""
    return next((folder for folder in path.parents if folder.parent.name == "tasks"), None)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def damaged(path: Path, expected: str) -> StoreError:
    """The one sentence about a file that a finished task left, to be raised by the caller.

    It ends with the command after which the next run makes the file again.
    """
    folder = task_folder(path) or path.parent
    first = folder / path.relative_to(folder).parts[0]
    what = "it" if first == path else f"the folder {first.name}"
    command = shlex.join(["rm", "-rf", str(first), str(folder / RESULT)])
    return StoreError(
        f"{path}: expected {expected}, found a file cut short, foreign or gone; delete {what} and "
        f"the {RESULT} beside it, and run the sweep again with --retry failed: {command}"
    )


def _freed(path: Path, expected: str) -> StoreError:
    command = shlex.join(["rm", str(path.with_name(RESULT))])
    return StoreError(
        f"{path}: expected {expected}, found that it was given up to free space; delete the "
        f"{RESULT} beside it, and run the sweep again: {command}"
    )
