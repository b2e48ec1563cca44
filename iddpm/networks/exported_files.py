"""What files for other programs say of their network: safetensors that we wrote, or diffusers.

Only what describes the tensors is read here, so that a sweep is planned without torch or the
package safetensors. The layout is that of github.com/huggingface/safetensors: eight bytes with the
length of a JSON header, the header, the numbers.
"""

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from iddpm.arrays import Float32Array, FloatArray
from iddpm.bounds import ConfigError
from iddpm.config import LearnedVariance, Prediction
from iddpm.networks import official
from iddpm.networks.diffusers_settings import settings_of
from iddpm.networks.official import ForeignError

METADATA = "iddpm"
"""Under this name a file of safetensors says what our own export knows."""
OF_DIFFUSERS = Path("unet", "diffusion_pytorch_model.safetensors")
MODEL = Path("unet", "config.json")
SCHEDULER = Path("scheduler", "scheduler_config.json")
PREDICTIONS: Mapping[Prediction, str] = {"eps": "epsilon", "x_0": "sample", "v": "v_prediction"}
"""What diffusers calls them."""
LONGEST_HEADER = 100_000_000
"""Bytes; the format allows no more."""
FOREIGN = "a network that was exported from here, or a DDIMPipeline"


@dataclass(frozen=True, slots=True, kw_only=True)
class Exported:
    """A network and its chain, as its files describe them."""

    settings: Mapping[str, Any]
    """The arguments of `iddpm.networks.unet.UNet`."""
    betas: FloatArray
    """Shape (T,)."""
    prediction: Prediction
    learned_variance: LearnedVariance | None
    training: Mapping[str, Any]
    """How it was trained, as far as the file says: `objective`, `weights`, `steps`."""
    parameters: int


def weights_file(path: Path) -> Path:
    """The file of safetensors at a path, or in a folder of diffusers."""
    return path / OF_DIFFUSERS if path.is_dir() else path


@lru_cache(maxsize=64)
def read(path: Path) -> Exported:
    """What is at the path; the answer is kept for the life of the process.

    Args:
        path: A file of safetensors that `iddpm.exporting` wrote, or the folder of a `DDIMPipeline`.

    Raises:
        ForeignError: If it is damaged, or no network of ours.
        ConfigError: If our network does not compute as the `UNet2DModel` does.
        OSError: If a file cannot be read.
    """
    shapes, metadata, _ = _header(weights_file(path))
    parameters = sum(math.prod(entry["shape"]) for entry in shapes.values())
    try:
        if path.is_dir():
            return _of_diffusers(path, metadata, parameters)
        return _of_ours(json.loads(metadata[METADATA]), parameters)
    except (ForeignError, ConfigError):
        raise
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        name = type(error).__name__
        raise ForeignError(f"none of their words ({name}: {error})", FOREIGN) from error


def digest(path: Path) -> str:
    """sha256, as hex, of a file, or over those of a folder's files that say what it computes."""
    if not path.is_dir():
        return official.digest(path)
    each = [official.digest(path / part) for part in (OF_DIFFUSERS, MODEL, SCHEDULER)]
    return hashlib.sha256("\n".join(each).encode()).hexdigest()


def arrays(path: Path) -> dict[str, Float32Array]:
    """The tensors of a file of safetensors, in memory.

    Raises:
        ForeignError: If it is damaged.
        OSError: If it cannot be read.
    """
    entries, _, start = _header(path)
    values = np.fromfile(path, dtype="<f4", offset=start)
    found = {}
    for name, entry in entries.items():
        first, last = (place // 4 for place in entry["data_offsets"])
        found[name] = values[first:last].reshape(entry["shape"])
    return found


def _of_ours(said: Mapping[str, Any], parameters: int) -> Exported:
    return Exported(
        settings=said["network"],
        betas=np.array(said["betas"], dtype=np.float64),
        prediction=said["prediction"],
        learned_variance=said["learned_variance"],
        training=said.get("training", {}),
        parameters=parameters,
    )


def _of_diffusers(folder: Path, metadata: Mapping[str, str], parameters: int) -> Exported:
    model, scheduler = (json.loads((folder / part).read_text()) for part in (MODEL, SCHEDULER))
    settings = settings_of(model)
    if settings["out_channels"] != (channels := settings["in_channels"]):
        found = str(settings["out_channels"])
        raise ConfigError("UNet2DModel.out_channels", f"{channels}, as images have", found)
    names: Mapping[str, Prediction] = {theirs: ours for ours, theirs in PREDICTIONS.items()}
    return Exported(
        settings=settings,
        betas=_betas(scheduler),
        prediction=names[scheduler.get("prediction_type", "epsilon")],
        learned_variance=None,
        training=json.loads(metadata.get(METADATA, "{}")).get("training", {}),
        parameters=parameters,
    )


def _betas(scheduler: Mapping[str, Any]) -> FloatArray:
    """The chain of a scheduler of diffusers that lists it, or whose betas rise evenly."""
    if (listed := scheduler.get("trained_betas")) is not None:
        return np.array(listed, dtype=np.float64)
    if (kind := scheduler.get("beta_schedule", "linear")) != "linear":
        expected = "a scheduler with trained_betas, or the beta_schedule 'linear'"
        raise ForeignError(f"the beta_schedule {kind!r}", expected)
    first, last = scheduler.get("beta_start", 1e-4), scheduler.get("beta_end", 0.02)
    rising: FloatArray = np.linspace(first, last, scheduler.get("num_train_timesteps", 1000))
    return rising


def _header(path: Path) -> tuple[dict[str, Any], dict[str, str], int]:
    """What stands of each tensor, the file's metadata, and where the numbers begin."""
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        if length > LONGEST_HEADER:
            raise ForeignError("no header of safetensors", FOREIGN)
        text = file.read(length)
    try:
        entries = json.loads(text)
        metadata = entries.pop("__metadata__", {})
        sizes = {name: math.prod(entry["shape"]) for name, entry in entries.items()}
        places = {name: entry["data_offsets"] for name, entry in entries.items()}
        whole = max((last for _, last in places.values()), default=0)
        fits = all(places[name][1] - places[name][0] == 4 * sizes[name] for name in sizes)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise ForeignError("no header of safetensors", FOREIGN) from error
    if others := {entry.get("dtype") for entry in entries.values()} - {"F32"}:
        raise ForeignError(f"numbers of the type {', '.join(map(str, others))}", "float32 weights")
    if not fits or path.stat().st_size != 8 + length + whole:
        raise ForeignError("a file cut short or damaged", FOREIGN)
    return entries, metadata, 8 + length
