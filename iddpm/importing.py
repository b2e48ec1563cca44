"""Weights of networks that were trained elsewhere, read without running code from their files."""

from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from iddpm import build, exporting, released
from iddpm.config import OpenAi, Source, TrainConfig
from iddpm.data import Description, describe
from iddpm.exported import of_file
from iddpm.networks.unet import UNet
from iddpm.running import checkpoints
from iddpm.running.checkpoints import CheckpointError
from iddpm.running.files import STATE_FILE, Held
from iddpm.training import trajectory


def network(config: TrainConfig, description: Description) -> UNet:
    """The network that a file holds, ready for evaluation.

    Args:
        config: As `iddpm.released.resolved` gives it, with its `source`.
        description: Of the images that it is for.

    Raises:
        ConfigError: If the file is missing, or is not of this network.
        CheckpointError: If its tensors cannot be read, or are not those of the network.
    """
    released.check(config, description)
    assert config.source is not None
    return _loaded(config, description, _weights(config.source))


def keep(config: TrainConfig, folder: Path, *, digest: str, held: Held) -> dict[str, Any]:
    """Keep the weights of a file as a training would have left them, and say what they are.

    Args:
        config: As for `network`.
        folder: Of the task.
        digest: sha256 of the file when it was planned.
        held: Keeps the folder, or raises.

    Raises:
        ConfigError: If the file is missing, or is not of this network.
        CheckpointError: If it is another file than was planned, its tensors cannot be read, or are
            not those of the network, or are not all finite.
        StorageError: If the weights cannot be written.
    """
    source, description = config.source, describe(config.data)
    assert source is not None
    released.check(config, description)
    if (found := released.digest(source)) != digest:
        raise CheckpointError(
            f"{source.path}: expected the file of sha256 {digest[:12]}, which was there when the "
            f"sweep was planned, found {found[:12]}; run the sweep again"
        )
    weights = _weights(source)
    parameters = sum(p.numel() for p in _loaded(config, description, weights).parameters())
    role = str(config.ema_decays[0]) if config.ema_decays else "raw"
    state = {"step": config.steps, "weights": {role: weights}}
    checkpoints.save(folder / STATE_FILE, trajectory(config), state, held=held)
    return {
        "steps": config.steps,
        "parameters": parameters,
        "file": Path(source.path).name,
        "loss_curve": {"step": []},
        "weights": {role: checkpoints.digest(weights)},
    }


def _weights(source: Source) -> dict[str, Tensor]:
    if not isinstance(source, OpenAi):
        with of_file(source):
            return exporting.tensors(Path(source.path))
    try:
        found = torch.load(source.path, map_location="cpu", weights_only=True)
    except MemoryError:
        raise
    except Exception as error:  # torch has many words for a file that it cannot read
        raise CheckpointError(
            f"{source.path}: expected a whole state dict, found what torch cannot read; "
            "download it again"
        ) from error
    return {name: tensor.contiguous() for name, tensor in found.items()}


def _loaded(config: TrainConfig, description: Description, weights: dict[str, Tensor]) -> UNet:
    with torch.device("meta"):  # weights that are replaced need not be drawn
        unet = build.network(config, description)
    source = config.source
    assert source is not None
    try:
        unet.load_state_dict(weights, assign=True)
    except RuntimeError as error:
        raise CheckpointError(
            f"{source.path}: expected the tensors of such a network, found others: "
            f"{str(error).splitlines()[-1].strip()}"
        ) from error
    if infinite := [name for name, tensor in weights.items() if not tensor.isfinite().all()]:
        found = f"found others in {infinite[0]}"
        raise CheckpointError(f"{source.path}: expected finite numbers, {found}")
    return unet.eval().requires_grad_(False)
