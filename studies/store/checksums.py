"""JSON records of the store, each with a checksum of its own as its last entry.

What a damaged disk or a hand has changed in a record is refused in one sentence, before any number
of it is used. A record without a checksum was written by an older version, and is taken as it is.
"""

import errno
import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from iddpm.running.files import REMEDIES, write_whole

CHECKSUM = "checksum"
"""Name of the last entry: sha256, as hex, of all bytes before it."""

_ENDING = re.compile(rb'\n "(.{8})": "(.{64})"\n}\n', re.DOTALL)
_ENDING_BYTES = len('\n "": ""\n}\n') + len(CHECKSUM) + 64


class StoreError(Exception):
    """The store cannot give what was asked of it: says which file, and what to try."""


def write_record(path: Path, value: Mapping[str, Any]) -> None:
    """Write an object, whole or not at all, with its checksum.

    Raises:
        StorageError: If it cannot be written.
        ValueError: If a number in it is not finite.
    """
    write_whole(path, record_bytes(value))


def record_bytes(value: Mapping[str, Any]) -> bytes:
    """What stands in the file of a record; equal values are equal bytes.

    Raises:
        ValueError: If a number in it is not finite.
    """
    assert CHECKSUM not in value
    text = json.dumps(value, sort_keys=True, indent=1, allow_nan=False, ensure_ascii=False)
    body = f"{text[:-2]},".encode() if value else b"{"
    ending = f'\n "{CHECKSUM}": "{hashlib.sha256(body).hexdigest()}"\n}}\n'
    return body + ending.encode()


def read_record(path: Path, remedy: str) -> dict[str, Any] | None:
    """The object that a file holds, without its checksum; None: there is no such file.

    Args:
        path: The file.
        remedy: What helps if it is damaged; ends the sentence.

    Raises:
        StoreError: If it was cut short, differs from its checksum or holds something else.
    """
    found = read_checked(path, remedy)
    return None if found is None else found.value


@dataclass(frozen=True, slots=True)
class Checked:
    """A record that was read."""

    value: dict[str, Any]
    has_checksum: bool
    content: bytes
    """All that its file holds."""


def read_checked(path: Path, remedy: str) -> Checked | None:
    """The record as `read_record` gives it, and what its file is like."""
    try:
        raw = path.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        remedy = REMEDIES[errno.EISDIR] if path.is_dir() else remedy
        raise StoreError(f"{path}: cannot be read: {error.strerror}; {remedy}") from error
    try:
        value = json.loads(raw)
    except (ValueError, RecursionError) as error:
        raise StoreError(
            f"{path}: expected whole JSON, found a file cut short ({error}); {remedy}"
        ) from error
    if not isinstance(value, dict):
        raise StoreError(f"{path}: expected an object, found {value!r:.40}; {remedy}")
    ending = _ENDING.fullmatch(raw, max(0, len(raw) - _ENDING_BYTES))
    said = value.pop(CHECKSUM, None)
    if said is None and ending is None:
        return Checked(value, False, raw)
    if not _is_as_written(raw, ending):
        raise StoreError(
            f"{path}: expected what was written there, found other content than its checksum is "
            f"of: the file was damaged or edited; {remedy}"
        )
    return Checked(value, True, raw)


def _is_as_written(raw: bytes, ending: re.Match[bytes] | None) -> bool:
    if ending is None or ending[1] != CHECKSUM.encode():
        return False
    return hashlib.sha256(raw[: ending.start()]).hexdigest().encode() == ending[2]
