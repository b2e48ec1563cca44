"""Checkpoints of the official code, openai/improved-diffusion, known by their tensors' shapes.

Such a file is a state dict of its `UNetModel` or `SuperResModel`, as torch saves it: a zip archive,
or the pickles one after another of older versions. Only its list of tensors is read here, by a
reader that runs nothing (`iddpm.images.unpickling`), so that a sweep is planned without torch.
"""

import hashlib
import math
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from iddpm.bounds import MOST_LEVELS
from iddpm.images.unpickling import RefusedError, Tensor, listed_tensors

BEFORE = 3
"""Pickles in front of the state dict in a file of an older torch: what kind of file it is."""
MOST_BLOCKS = 1000
"""Of the way down; the paper's networks have at most 18."""
HALVES = ".0.op.weight"
"""Ends the name of the convolution that halves a side."""
FOREIGN = "a state dict of openai/improved-diffusion"


class ForeignError(ValueError):
    """A file is no checkpoint of the official code: says what was expected and found."""

    def __init__(self, found: str, expected: str = FOREIGN, hint: str = "") -> None:
        super().__init__(f"expected {expected}, found {found}")
        self.expected, self.found, self.hint = expected, found, hint


@dataclass(frozen=True, slots=True, kw_only=True)
class Architecture:
    """What shapes tell of a network."""

    in_channels: int
    """Of its first convolution: twice those of the images where it enlarges smaller ones."""
    out_channels: int
    model_channels: int
    channel_mult: tuple[int, ...]
    res_blocks: int
    attends: tuple[int, ...]
    """Levels with attention, from 0."""
    scale_shift: bool
    classes: int | None
    parameters: int
    """Of all its tensors, by which those are known that are not looked at one by one."""


@lru_cache(maxsize=64)
def architecture(path: Path) -> Architecture:
    """The network of a checkpoint; the answer is kept for the life of the process.

    Raises:
        ForeignError: If the file is cut short, is none of the official code's, or its pickle asks
            for anything but tensors.
        OSError: If it cannot be read.
    """
    shapes = {name: tensor.shape for name, tensor in _tensors(path).items()}
    if "input_blocks.0.0.weight" not in shapes or "out.2.weight" not in shapes:
        raise ForeignError(_named(shapes))
    try:
        return _read(shapes)
    except ForeignError:
        raise
    except (KeyError, IndexError, ValueError, ZeroDivisionError) as error:
        raise ForeignError(f"other tensors or shapes, first at {error}") from error


@lru_cache(maxsize=64)
def digest(path: Path) -> str:
    """sha256, as hex, of a file; the answer is kept for the life of the process."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


# ----------------------------------------------------------------------------- the list of tensors


def _tensors(path: Path) -> dict[str, Tensor]:
    try:
        found = _of_zip(path) if zipfile.is_zipfile(path) else _of_older_torch(path)
    except RefusedError as error:
        raise ForeignError(_why(path, error), hint=_remedy(path)) from error
    except (zipfile.BadZipFile, EOFError, NotImplementedError) as error:  # an unknown compression
        raise ForeignError("a damaged archive", hint="download it again") from error
    if others := {tensor.storage.dtype for tensor in found.values()} - {"Float"}:
        raise ForeignError(f"numbers of the type {', '.join(sorted(others))}", "float32 weights")
    storages = {tensor.storage.name: tensor.storage for tensor in found.values()}
    if path.stat().st_size < 4 * sum(storage.size for storage in storages.values()):
        raise ForeignError("a file cut short", "a whole checkpoint", "download it again")
    return found


def _of_zip(path: Path) -> dict[str, Tensor]:
    with zipfile.ZipFile(path) as archive:
        inside = [name for name in archive.namelist() if name.endswith("/data.pkl")]
        if len(inside) != 1:
            raise ForeignError("an archive without its list of tensors")
        with archive.open(inside[0]) as file:
            return listed_tensors(file)


def _of_older_torch(path: Path) -> dict[str, Tensor]:
    with path.open("rb") as file:
        return listed_tensors(file, before=BEFORE)


def _is_cut_short(path: Path) -> bool:
    """Whether the file begins as a zip archive, of which the end is missing."""
    with path.open("rb") as file:
        return file.read(2) == b"PK" and not zipfile.is_zipfile(path)


def _why(path: Path, error: RefusedError) -> str:
    return "a file cut short" if _is_cut_short(path) else f"a pickle that is refused: {error}"


def _remedy(path: Path) -> str:
    return "download it again" if _is_cut_short(path) else "nothing of it was run"


def _named(shapes: Mapping[str, object]) -> str:
    return f"tensors named {', '.join(list(shapes)[:3])}" if shapes else "no tensors"


# ------------------------------------------------------------------------------- what shapes tell

Shapes = Mapping[str, tuple[int, ...]]


def _read(shapes: Shapes) -> Architecture:
    """The network that has these shapes, if its first of each sort say the truth of the others."""
    embedding, model_channels = shapes["time_embed.0.weight"]
    if embedding != 4 * model_channels:
        raise ValueError("time_embed.0.weight")
    levels, is_foreign = _levels(shapes)
    if is_foreign:
        raise ForeignError(
            "one of openai/guided-diffusion, whose residual blocks halve the side themselves",
            hint="its networks are others, and none of the paper's",
        )
    counts = {len(level) for level in levels}
    if len(counts) != 1 or len(levels) > MOST_LEVELS:
        raise ValueError("input_blocks: levels of different length")
    widths = [shapes[f"{level[0]}.0.out_layers.3.weight"][0] for level in levels]
    if odd := [width for width in widths if width % model_channels]:
        raise ValueError(f"input_blocks: a level of width {odd[0]}")
    told = shapes[f"{levels[0][0]}.0.emb_layers.1.weight"][0]
    return Architecture(
        in_channels=shapes["input_blocks.0.0.weight"][1],
        out_channels=shapes["out.2.weight"][0],
        model_channels=model_channels,
        channel_mult=tuple(width // model_channels for width in widths),
        res_blocks=counts.pop(),
        attends=tuple(i for i, level in enumerate(levels) if f"{level[0]}.1.qkv.weight" in shapes),
        scale_shift=told == 2 * widths[0],
        classes=shapes["label_emb.weight"][0] if "label_emb.weight" in shapes else None,
        parameters=sum(map(math.prod, shapes.values())),
    )


def _levels(shapes: Shapes) -> tuple[list[list[str]], bool]:
    """The residual blocks of each level on the way down, and whether no level is halved by `op`.

    guided-diffusion halves by a residual block that keeps its width; with one level there is
    nothing to halve.
    """
    levels: list[list[str]] = [[]]
    for number in range(1, MOST_BLOCKS):
        name = f"input_blocks.{number}"
        if f"{name}{HALVES}" in shapes:
            levels.append([])
        elif f"{name}.0.out_layers.3.weight" in shapes:
            levels[-1].append(name)
        else:
            break
    widths = {shapes[f"{name}.0.out_layers.3.weight"][0] for name in levels[0]}
    return levels, len(levels) == 1 and len(widths) > 1
