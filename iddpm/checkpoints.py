"""Files of tensors: written whole, opened without running code from them, known by their content.

A checkpoint says what it is: the name of its format, the format's version, and what work it is a
state of. Anything else is refused before a tensor is used.
"""

import errno
import hashlib
import io
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from iddpm.files import write_whole

FORMAT = "iddpm-studies"
VERSION = 1


class CheckpointError(ValueError):
    """A checkpoint cannot be used: says which file, why, and what to try."""


def save(path: Path, content: Mapping[str, Any], state: Mapping[str, Any]) -> None:
    """Write a checkpoint, whole or not at all.

    Args:
        path: Its file.
        content: What it is a checkpoint of, as plain JSON values; `load` must be given the same.
        state: Tensors, numbers, text, and lists and dicts of them.

    Raises:
        StorageError: If the file cannot be written.
    """
    buffer = io.BytesIO()  # torch would hide the reason of a failed write
    torch.save({"format": FORMAT, "version": VERSION, "content": content, **state}, buffer)
    write_whole(path, buffer.getbuffer())


def load(path: Path, content: Mapping[str, Any]) -> dict[str, Any]:
    """The state that `save` wrote, its tensors on the CPU.

    Args:
        path: The file.
        content: What the checkpoint must be of.

    Raises:
        CheckpointError: If the file is cut short, is not ours, is of a newer version, or is a
            checkpoint of something else.
        OSError: If it cannot be read.
    """
    state = _opened(path)
    if not isinstance(state, dict) or state.get("format") != FORMAT:
        raise _foreign(path)
    if state["version"] != VERSION:
        raise CheckpointError(
            f"{path}: expected a checkpoint of version {VERSION}, found {state['version']}; "
            "a newer version of this program wrote it: update"
        )
    if differing := list(_differing(content, state["content"])):
        raise CheckpointError(
            f"{path}: expected a checkpoint of the same work, found one that differs in "
            f"{', '.join(differing[:5])}; move it away to start anew"
        )
    return state


def _opened(path: Path) -> Any:
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except MemoryError:
        raise
    except Exception as error:  # torch has many words for a file that it cannot read
        if isinstance(error, OSError) and error.errno != errno.EINVAL:  # it seeks before the start
            raise
        if _cut_short(path):
            raise CheckpointError(
                f"{path}: expected a whole checkpoint, found a file cut short; "
                "delete it to start anew"
            ) from error
        raise _foreign(path) from error


def _cut_short(path: Path) -> bool:
    """Whether the file begins as a zip archive, which a checkpoint is, and lacks its end."""
    with path.open("rb") as file:
        begins_as_zip = b"PK".startswith(file.read(2))
    return begins_as_zip and not zipfile.is_zipfile(path)


def _foreign(path: Path) -> CheckpointError:
    return CheckpointError(
        f"{path}: expected a checkpoint that this program wrote, found something else; move it away"
    )


def _differing(expected: Any, found: Any, path: str = "") -> Iterator[str]:
    """Dotted paths at which the two differ."""
    if isinstance(expected, Mapping) and isinstance(found, Mapping):
        for key in sorted(expected.keys() | found.keys()):
            deeper = f"{path}.{key}" if path else key
            yield from _differing(expected.get(key), found.get(key), deeper)
    elif expected != found:
        yield path


def digest(tensors: Mapping[str, Tensor]) -> str:
    """sha256, as hex, of named tensors: name, shape, dtype and content, in the order of names."""
    total = hashlib.sha256()
    for name, tensor in sorted(tensors.items()):
        total.update(f"{name} {tuple(tensor.shape)} {tensor.dtype}\n".encode())
        total.update(tensor.detach().cpu().numpy().tobytes())
    return total.hexdigest()
