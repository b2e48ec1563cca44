"""Files that appear whole: a write cut short at any moment leaves the old file, or none.

The new content goes to a temporary name in the same folder, is flushed to the disk, and takes the
final name in one step. A file of a temporary name is locked while it is written, so what a killed
process left behind can be told from a write in progress.
"""

import errno
import fcntl
import json
import os
import secrets
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from pathlib import Path
from typing import IO, Any

REMEDIES = {
    errno.ENOSPC: "the disk is full; free some space and run the same command again",
    errno.EDQUOT: "the disk quota is used up; free some space and run the same command again",
    errno.EFBIG: "the file is larger than this process may write; raise its limit (ulimit -f)",
    errno.EROFS: "the disk is read-only; choose another folder",
    errno.EACCES: "this user may not write there; choose another folder or mend its permissions",
    errno.EPERM: "this user may not write there; choose another folder or mend its permissions",
    errno.ELOOP: "a link there leads back to itself; name the file or folder itself",
    errno.ENAMETOOLONG: "a name has at most 255 bytes; choose a shorter one",
    errno.ENOTDIR: "a part of the path is a file; choose another folder",
    errno.EISDIR: "it is a folder; name a file",
    errno.EMFILE: "this process has too many files open; raise its limit (ulimit -n)",
    errno.EIO: "the disk, or the way to it, fails; choose another one",
}
"""What to try where a file cannot be written, by the number of the error."""

REMEDIES_OF_READING = {
    **REMEDIES,
    errno.EACCES: "this user may not use it; ask its owner, or name another path",
    errno.EPERM: "this user may not use it; ask its owner, or name another path",
    errno.ENOENT: "look for a slip in the path",
}

STATE_FILE = "state.pt"
"""In the folder of a training: all that moves."""

BEFORE_FILE = "state.before.pt"
"""In the folder of a training that has not ended: the state that was saved before the last one."""

WEIGHTS_FILE = "weights.pt"
"""In the folder of a training that nobody will continue: what was kept of its state."""

WITHOUT_LINKS = (errno.EPERM, errno.EMLINK, errno.ENOTSUP, errno.EOPNOTSUPP)
"""What a file system says that gives a file no second name."""

UNFINISHED = ".part"
"""How temporary names end."""

Held = Callable[[], AbstractContextManager[None]]
"""Entered for each moment in which something appears in a folder that may become another's: keeps
the folder its holder's meanwhile, or raises because it no longer is. `nullcontext`: nobody else
is about. A thread never enters it twice at once; another thread that enters it waits."""


class StorageError(OSError):
    """A file could not be written: says which, why and what to try. What was there is untouched."""


def weights_file(folder: Path) -> Path:
    """The file that holds the weights of the training in a folder."""
    return next(
        (p for name in (STATE_FILE, WEIGHTS_FILE) if (p := folder / name).exists()),
        folder / STATE_FILE,
    )


def write_whole(path: Path, data: bytes | memoryview, *, held: Held = nullcontext) -> None:
    """Put `data` under `path`, whole or not at all, and on the disk when this returns.

    Args:
        path: Where it appears.
        data: All of it.
        held: Keeps the folder, or raises.

    Raises:
        StorageError: If the disk is full or read-only, or the folder may not be written.
    """
    with written_whole(path, held=held) as file:
        file.write(data)


@contextmanager
def written_whole(
    path: Path, *, held: Held = nullcontext, before: Path | None = None
) -> Iterator[IO[bytes]]:
    """A file to write piece by piece, which appears under `path` when all is written.

    Args:
        path: Where it appears.
        held: Keeps the folder for the two moments in which a name appears in it, or raises.
        before: Where the file that was there is kept; None: it is not.

    Raises:
        StorageError: As `write_whole`.
    """
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}{UNFINISHED}")
    try:
        try:
            with held():
                opened = _new_and_locked(temporary)
            with opened as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
                with held():
                    if before is not None and path.exists():
                        before.unlink(missing_ok=True)
                        _linked(path, before)
                    os.replace(temporary, path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
        _sync_folder(path.parent)
    except OSError as error:
        if isinstance(error, StorageError):
            raise
        raise _refused(path, error) from error


def _linked(path: Path, before: Path) -> None:
    """Give a file a second name, where the file system has such."""
    try:
        os.link(path, before)
    except OSError as error:
        if error.errno not in WITHOUT_LINKS:
            raise


def make_folder(folder: Path) -> None:
    """A folder to write into, with those above it; one that is there stays as it is.

    Raises:
        StorageError: If it cannot be made.
    """
    if folder.is_dir():
        return
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _refused(folder, error) from error


def _refused(path: Path, error: OSError) -> StorageError:
    remedy = REMEDIES.get(error.errno or 0, "look at the folder and run the same command again")
    return StorageError(f"{path}: cannot write: {error.strerror}; {remedy}")


def _new_and_locked(path: Path) -> IO[bytes]:
    """A new file, locked until it is closed; made again where a sweep came in between."""
    while True:
        file = path.open("xb")
        with suppress(OSError):  # where there are no locks, nothing is swept either
            fcntl.flock(file, fcntl.LOCK_EX)
        if os.fstat(file.fileno()).st_nlink:
            return file
        file.close()


def remove_unfinished(path: Path) -> None:
    """Removes what writes of `path` left behind when their process was killed.

    A write in progress is left alone, for it holds the lock of its file. The name `*` stands for
    every file of the folder.
    """
    for temporary in path.parent.glob(f".{path.name}.*{UNFINISHED}"):
        with suppress(OSError), temporary.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            temporary.unlink(missing_ok=True)


def _sync_folder(folder: Path) -> None:
    """Put the new name itself on the disk."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def write_json(path: Path, value: Any, *, held: Held = nullcontext) -> None:
    """Write `value` as JSON with sorted keys, so that equal values are equal bytes.

    Raises:
        StorageError: As `write_whole`.
        ValueError: If a number in it is not finite.
    """
    text = json.dumps(value, sort_keys=True, indent=1, allow_nan=False, ensure_ascii=False)
    write_whole(path, f"{text}\n".encode(), held=held)


def read_json(path: Path) -> Any:
    """The value that `write_json` wrote.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If the file is not whole JSON; names it.
    """
    try:
        return json.loads(path.read_bytes())
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise ValueError(
            f"{path}: expected whole JSON, found a file cut short ({error})"
        ) from error
