"""Files of tensors: written whole, opened without running code from them, known by their content.

A checkpoint says what it is: the name of its format, the format's version, and what work it is a
state of. Anything else is refused before a tensor is used.
"""

import errno
import hashlib
import zipfile
from collections.abc import Collection, Iterator, Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, Any

import torch
from torch import Tensor

from iddpm.running.files import Held, written_whole

FORMAT = "iddpm-studies"
VERSION = 1

TENSORS = "data"
"""Folder of the archive in which torch keeps the content of tensors."""

CHUNK_BYTES = 2**20


class CheckpointError(ValueError):
    """A checkpoint cannot be used: says which file, why, and what to try."""


class UnreadableError(CheckpointError):
    """A file is damaged, or was no checkpoint of ours ever."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """What a training that ended said of the state that it left."""

    step: int
    weights: Mapping[str, str]
    """By role, the `digest` of each set of weights that is to be compared."""


def save(
    path: Path,
    content: Mapping[str, Any],
    state: Mapping[str, Any],
    *,
    held: Held = nullcontext,
    before: Path | None = None,
) -> None:
    """Write a checkpoint, whole or not at all.

    Args:
        path: Its file.
        content: What it is a checkpoint of, as plain JSON values; `load` must be given the same.
        state: Tensors, numbers, text, and lists and dicts of them.
        held: Keeps the folder, or raises.
        before: Where the checkpoint that was there is kept; None: it is not.

    Raises:
        StorageError: If the file cannot be written.
    """
    whole = {"format": FORMAT, "version": VERSION, "content": content, **state}
    with written_whole(path, held=held, before=before) as file:
        stream = _Stream(file)
        try:
            torch.save(whole, stream)  # type: ignore[arg-type]
        except RuntimeError as error:
            raise stream.failure or error from None


class _Stream:
    """What torch writes to: it remembers why a write failed, which torch's own error hides."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self.flush = file.flush
        self.failure: OSError | None = None

    def write(self, data: bytes) -> int:
        """How many bytes were written.

        Raises:
            OSError: If they could not be.
        """
        try:
            return self._file.write(data)
        except OSError as error:
            self.failure = error
            raise


def copied(value: Any) -> Any:
    """A state whose tensors lie on the CPU and share memory among themselves alone."""
    return _copied(value, {})


def _copied(value: Any, storages: dict[int, torch.UntypedStorage]) -> Any:
    if isinstance(value, Tensor):
        there = value.untyped_storage()
        if there.data_ptr() not in storages:
            whole = torch.empty(0, dtype=torch.uint8, device=value.device).set_(there)
            storages[there.data_ptr()] = whole.to("cpu", copy=True).untyped_storage()
        here = torch.empty(0, dtype=value.dtype)
        place = value.storage_offset(), value.shape, value.stride()
        return here.set_(storages[there.data_ptr()], *place)
    if isinstance(value, dict):
        return {name: _copied(part, storages) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(_copied(part, storages) for part in value)
    return value


def save_parts(
    path: Path, source: Path, parts: Collection[str], *, held: Held = nullcontext
) -> None:
    """Write a checkpoint of the same work with some parts of another's state.

    Args:
        path: The new file.
        source: The checkpoint that has the parts.
        parts: Names in its state.
        held: Keeps the folder, or raises.

    Raises:
        CheckpointError: If the source is damaged or not ours.
        StorageError: If the file cannot be written.
    """
    state = _ours(source, mapped=False)
    save(path, state["content"], {name: state[name] for name in parts}, held=held)


def load(
    path: Path, content: Mapping[str, Any], *, ending: Ending | None = None, mapped: bool = False
) -> dict[str, Any]:
    """The state that `save` wrote, its tensors on the CPU.

    Args:
        path: The file.
        content: What the checkpoint must be of.
        ending: What the state must be, where its training has ended; None: it may be of any step.
        mapped: Whether tensors stay in the file until they are used. Of those that are not the
            weights of `ending` no sum is then compared: who maps uses no others.

    Raises:
        CheckpointError: If the file is cut short or damaged, is not ours, is of a newer version, is
            a checkpoint of something else, or not the state that its training ended with.
        OSError: If it cannot be read.
    """
    state = _ours(path, mapped=mapped)
    if differing := list(_differing(content, state["content"])):
        raise CheckpointError(
            f"{path}: expected a checkpoint of the same work, found one that differs in "
            f"{', '.join(differing[:5])}; move it away to start anew"
        )
    if ending is not None:
        _check_ending(path, state, ending)
    return state


def _ours(path: Path, *, mapped: bool) -> dict[str, Any]:
    """A state that `save` of this version wrote."""
    state = _opened(path, mapped)
    if not isinstance(state, dict) or state.get("format") != FORMAT:
        raise _foreign(path)
    if not isinstance(version := state.get("version"), int) or "content" not in state:
        raise _foreign(path)
    if version != VERSION:
        raise CheckpointError(
            f"{path}: expected a checkpoint of version {VERSION}, found {version}; "
            "a newer version of this program wrote it: update"
        )
    return state


def _check_ending(path: Path, state: Mapping[str, Any], ending: Ending) -> None:
    if state.get("step") != ending.step:
        raise CheckpointError(
            f"{path}: expected the state of step {ending.step}, with which its training ended, "
            f"found one of step {state.get('step')}"
        )
    for role, expected in ending.weights.items():
        found = digest(state["weights"][role])
        if found != expected:
            raise CheckpointError(
                f"{path}: expected the weights {role!r} whose hash its training noted, "
                f"{expected[:12]}, found {found[:12]}"
            )


def _opened(path: Path, mapped: bool) -> Any:
    try:
        _check_sums(path, with_tensors=not mapped)
        return torch.load(path, map_location="cpu", weights_only=True, mmap=mapped)
    except CheckpointError:
        raise
    except MemoryError:
        raise
    except Exception as error:  # torch has many words for a file that it cannot read
        if isinstance(error, OSError) and error.errno != errno.EINVAL:  # it seeks before the start
            raise
        if _cut_short(path):
            raise UnreadableError(
                f"{path}: expected a whole checkpoint, found a file cut short; "
                "delete it to start anew"
            ) from error
        raise _foreign(path) from error


def _check_sums(path: Path, *, with_tensors: bool) -> None:
    """Hold each part of the archive against the sum that stands beside it: torch does not.

    Raises:
        CheckpointError: If one differs.
    """
    with zipfile.ZipFile(path) as archive:
        for part in archive.namelist():
            if with_tensors or PurePosixPath(part).parent.name != TENSORS:
                _check_sum(path, archive, part)


def _check_sum(path: Path, archive: zipfile.ZipFile, part: str) -> None:
    try:
        with archive.open(part) as file:
            while file.read(CHUNK_BYTES):  # the sum is compared at the end
                pass
    except zipfile.BadZipFile as error:
        raise UnreadableError(
            f"{path}: expected a whole checkpoint, found one whose part {part!r} is damaged; "
            "delete it to start anew"
        ) from error


def _cut_short(path: Path) -> bool:
    """Whether the file begins as a zip archive, which a checkpoint is, and lacks its end."""
    with path.open("rb") as file:
        begins_as_zip = b"PK".startswith(file.read(2))
    return begins_as_zip and not zipfile.is_zipfile(path)


def _foreign(path: Path) -> UnreadableError:
    return UnreadableError(
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
