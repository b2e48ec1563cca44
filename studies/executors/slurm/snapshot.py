"""The code that jobs run: a copy made at submission, so that nothing edited later reaches them."""

import hashlib
import json
import os
import secrets
import shutil
from pathlib import Path

import iddpm
import studies
from iddpm.files import StorageError, write_whole
from studies.provenance import COMMIT_FILE, commit


def snapshot(store_root: Path, *, write: bool = True) -> Path:
    """The folder with the present code of both packages, to be put first on Python's path.

    It is named by a hash of all that it holds, the commit's name included, so equal code is copied
    once.

    Args:
        store_root: The store that keeps it.
        write: False: say only where it would be.

    Raises:
        StorageError: If it cannot be written.
    """
    content = {COMMIT_FILE: json.dumps(commit(), sort_keys=True).encode()}
    for package in (iddpm, studies):
        top = Path(str(package.__file__)).parent
        for path in sorted(top.rglob("*.py")):
            content[f"{top.name}/{path.relative_to(top)}"] = path.read_bytes()
    folder = store_root / "code" / _digest(content)
    if write and not folder.exists():
        _write(folder, content)
    return folder


def _digest(content: dict[str, bytes]) -> str:
    total = hashlib.sha256()
    for name, data in sorted(content.items()):
        total.update(f"{name} {len(data)}\n".encode())
        total.update(data)
    return total.hexdigest()[:16]


def _write(folder: Path, content: dict[str, bytes]) -> None:
    """All files, or none: they are written elsewhere, and the whole folder takes its name."""
    unfinished = folder.with_name(f".{folder.name}.{secrets.token_hex(8)}")
    try:
        for name, data in content.items():
            path = unfinished / name
            path.parent.mkdir(parents=True, exist_ok=True)
            write_whole(path, data)
        os.rename(unfinished, folder)
    except StorageError:
        raise
    except OSError as error:
        if not folder.exists():  # else another submission wrote the same at the same time
            raise StorageError(f"{folder}: cannot write: {error.strerror}") from error
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
