"""Files of tensors: written whole, opened without running code from them, known by their content.

A checkpoint says what it is: the name of its format, the format's version, and the trajectory that
it is a state of. Anything else is refused before a tensor is used.
"""

import hashlib
import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from iddpm.files import write_whole

FORMAT = "iddpm-studies"
VERSION = 1


class CheckpointError(ValueError):
    """A checkpoint cannot be used: says which file, why, and what to try."""


def save(path: Path, content: str, state: Mapping[str, Any]) -> None:
    """Write a checkpoint, whole or not at all.

    Args:
        path: Its file.
        content: What it is a checkpoint of; `load` must be asked for the same.
        state: Tensors, numbers, text, and lists and dicts of them.

    Raises:
        StorageError: If the file cannot be written.
    """
    buffer = io.BytesIO()
    torch.save({"format": FORMAT, "version": VERSION, "content": content, **state}, buffer)
    write_whole(path, buffer.getvalue())


def load(path: Path, content: str) -> dict[str, Any]:
    """The state that `save` wrote, its tensors on the CPU.

    Args:
        path: The file.
        content: What the checkpoint must be of.

    Raises:
        CheckpointError: If the file is cut short, is not ours, is of a newer version, or is a
            checkpoint of something else.
        FileNotFoundError: If there is none.
    """
    try:
        state = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
    except FileNotFoundError:
        raise
    except Exception as error:
        raise CheckpointError(
            f"{path}: expected a whole checkpoint, found a file that is cut short or holds "
            "something else than tensors; delete it to start again"
        ) from error
    if not isinstance(state, dict) or state.get("format") != FORMAT:
        raise CheckpointError(
            f"{path}: expected a checkpoint of this program, found another program's file; "
            "move it elsewhere"
        )
    if state["version"] != VERSION:
        raise CheckpointError(
            f"{path}: expected a checkpoint of version {VERSION}, found {state['version']}; "
            "open it with the version of this program that wrote it"
        )
    if state["content"] != content:
        raise CheckpointError(
            f"{path}: expected a checkpoint of {content}, found one of {state['content']}; "
            "delete it to start again"
        )
    return state


def digest(tensors: Mapping[str, Tensor]) -> str:
    """sha256, as hex, of named tensors: name, shape, dtype and content, in the order of names."""
    total = hashlib.sha256()
    for name, tensor in sorted(tensors.items()):
        total.update(f"{name} {tuple(tensor.shape)} {tensor.dtype}\n".encode())
        total.update(tensor.detach().cpu().contiguous().view(torch.uint8).numpy().tobytes())
    return total.hexdigest()
