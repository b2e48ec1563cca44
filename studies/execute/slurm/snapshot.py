"""The code that jobs run: a copy made at submission, so that nothing edited later reaches them.

Its folder is named by the hash of all that it holds, and a job's script, which the scheduler keeps,
has the shell hash the folder again before anything in it is imported. That protects from an edit,
a clean-up or a fault of the disk since the submission, by whomever. It does not protect from a
change in the second between that and the imports, nor of anything outside the folder: Python, its
libraries, and whatever may act as the user.
"""

import hashlib
import json
import os
import secrets
import shlex
import shutil
from collections.abc import Mapping
from pathlib import Path

import iddpm
import studies
from iddpm.running.files import StorageError
from studies.store.provenance import COMMIT_FILE, commit

CHANGED_CODE = "changed_code"
"""What a job whose code is not what was submitted leaves in its array's folder, with its index."""

HASH = "find . ! -type d -print0 | LC_ALL=C sort -z | xargs -0 sha256sum | sha256sum"
"""`digest` in the shell, which nobody can have edited along with the code."""


def snapshot(store_root: Path, *, write: bool = True) -> Path:
    """The folder with the present code of both packages, to be put first on Python's path.

    It is named by a hash of all that it holds, the commit's name included, so equal code is copied
    once. One that no longer holds what its name says is made anew.

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
    folder = store_root / "code" / digest(content)
    if write and not _is_whole(folder):
        _write(folder, content)
    return folder


def digest(content: Mapping[str, bytes]) -> str:
    """The hash of the files of a folder: of the lines that `sha256sum` prints of them, in order.

    Args:
        content: By path from the folder.
    """
    lines = (f"{hashlib.sha256(content[name]).hexdigest()}  ./{name}\n" for name in sorted(content))
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def check(folder: Path, submission: Path) -> str:
    """A line of shell that ends a job unless the code's folder holds what its name says.

    Args:
        folder: The code.
        submission: Where the job then leaves a file, by which its end is understood.
    """
    code, mark = shlex.quote(str(folder)), shlex.quote(str(submission / CHANGED_CODE))
    found = f"found=$(set -o pipefail; cd {code} && {HASH})"
    refusal = f"echo {shlex.quote(changed(folder))} | tee {mark}.$SLURM_ARRAY_TASK_ID; exit 1"
    return f'{found} && [ "$found" = "{folder.name}  -" ] || {{ {refusal}; }}'


def changed(folder: Path) -> str:
    """What to say of a folder that does not hold what its name says."""
    return f"{folder}: expected the code that was submitted, found it changed"


def _is_whole(folder: Path) -> bool:
    """Whether a folder holds just what its name says."""
    try:
        paths = [path for path in folder.rglob("*") if path.is_symlink() or not path.is_dir()]
        found = {str(path.relative_to(folder)): path.read_bytes() for path in paths}
    except OSError:
        return False
    return digest(found) == folder.name


def _write(folder: Path, content: Mapping[str, bytes]) -> None:
    """All files, or none: they are written elsewhere, and the whole folder takes its name.

    None is flushed to the disk: the folder is hashed before every use, and made anew if need be.
    """
    unfinished, old = (folder.with_name(f".{folder.name}.{secrets.token_hex(8)}") for _ in range(2))
    try:
        for name, data in content.items():
            path = unfinished / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
        if folder.exists():
            os.rename(folder, old)
        os.rename(unfinished, folder)
    except OSError as error:
        if not _is_whole(folder):  # else another submission wrote the same at the same time
            raise StorageError(f"{folder}: cannot write: {error.strerror}") from error
    finally:
        for path in (unfinished, old):
            shutil.rmtree(path, ignore_errors=True)
