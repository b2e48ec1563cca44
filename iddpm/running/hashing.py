"""The sha256 of a file, which tells content from content; that of a large file is taken once."""

import hashlib
import json
import os
from contextlib import suppress
from pathlib import Path

from iddpm.running.files import StorageError, write_whole


def sha256_of(path: Path, *, kept_from: int) -> str:
    """The sha256 of a file's bytes, as hex. That of a large one is kept.

    It holds while size and time of the file do. It is kept beside the file, or among this user's
    where nothing can be written there. Where it can be kept nowhere it is taken anew in every
    process.

    Args:
        path: Of the file.
        kept_from: Bytes from which on a file is large.

    Raises:
        OSError: If the file cannot be read.
    """
    status = path.stat()
    if status.st_size < kept_from:
        return _hashed(path)
    known = {"size": status.st_size, "mtime_ns": status.st_mtime_ns}
    places = [path.with_name(f"{path.name}.sha256.json")]
    with suppress(RuntimeError):  # a user without a home
        places.append(_among_the_users(path))
    for place in places:
        with suppress(OSError, ValueError, AttributeError):
            kept = json.loads(place.read_text())
            if {name: kept.get(name) for name in known} == known:
                return str(kept["sha256"])
    sha256 = _hashed(path)
    content = json.dumps({**known, "sha256": sha256}).encode()
    for place in places:
        with suppress(OSError, StorageError):
            place.parent.mkdir(parents=True, exist_ok=True)
            write_whole(place, content)
            break
    return sha256


def _among_the_users(path: Path) -> Path:
    """Where the hash of a file is kept that lies where nothing can be written."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    where = hashlib.sha256(os.fsencode(path.resolve())).hexdigest()
    return cache / "iddpm-studies" / f"{where[:32]}.sha256.json"


def _hashed(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
