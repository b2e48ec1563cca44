"""Trained networks for other programs, and back: safetensors with a model card, or diffusers.

A file of safetensors holds the weights under the official code's names, and in its metadata all
that it takes to build the network and its chain. A folder of diffusers is a `DDIMPipeline`, whose
`UNet2DModel` predicts what our network does; a network that it cannot express is refused. The
package safetensors is asked for by nothing else, and to write alone.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from iddpm import build
from iddpm.bounds import ConfigError
from iddpm.config import TrainConfig, data_name
from iddpm.data import describe
from iddpm.denoiser import Denoiser
from iddpm.diffusion import Diffusion
from iddpm.networks import exported_files
from iddpm.networks.diffusers_names import from_diffusers, to_diffusers
from iddpm.networks.diffusers_settings import model_config
from iddpm.networks.exported_files import (
    METADATA,
    MODEL,
    OF_DIFFUSERS,
    PREDICTIONS,
    SCHEDULER,
    arrays,
    weights_file,
)
from iddpm.networks.unet import UNet
from iddpm.running.checkpoints import CheckpointError
from iddpm.running.files import make_folder, write_json, write_whole
from iddpm.schedules import betas

WEIGHTS, CARD = "network.safetensors", "README.md"
OUTPUT = ("out.2.weight", "out.2.bias")
"""The last convolution: first what is predicted, then the learned variance."""


def write_safetensors(
    config: TrainConfig, network: UNet, folder: Path, *, ema_decay: float | None
) -> Path:
    """Write a network and its model card.

    Args:
        config: How it was trained.
        network: The network itself.
        folder: Where the two files go.
        ema_decay: Which average the weights are; None: the weights themselves.

    Returns:
        The path of the weights.

    Raises:
        ConfigError: If the package safetensors is not there.
        StorageError: If the folder cannot be written.
    """
    safetensors = _safetensors()
    settings = build.network_settings(config, describe(config.data))
    chain = {
        "betas": betas(config.diffusion.schedule, config.diffusion.steps).tolist(),
        "prediction": config.prediction,
        "learned_variance": config.learned_variance,
    }
    said = {"network": settings, **chain, **_training(config, ema_decay)}
    metadata = {METADATA: json.dumps(said)}  # alone: several would stand in any order
    make_folder(folder)
    state = _on_cpu(network.state_dict())
    write_whole(folder / WEIGHTS, safetensors.torch.save(state, metadata=metadata))
    write_whole(folder / CARD, card(config, network, ema_decay=ema_decay).encode())
    return folder / WEIGHTS


def write_diffusers(
    config: TrainConfig, network: UNet, folder: Path, *, ema_decay: float | None
) -> Path:
    """Write a network as a `DDIMPipeline` of diffusers, with its model card.

    The scheduler has the betas of the network's own chain, float64 as ours are until diffusers
    reads them as float32. A learned variance is left out: DDIM takes none, and its scheduler wants
    an output of as many channels as images have. The card says so.

    Args:
        config: How it was trained.
        network: The network itself.
        folder: Of the pipeline.
        ema_decay: Which average the weights are; None: the weights themselves.

    Raises:
        ConfigError: If `UNet2DModel` cannot express the network, or the package safetensors is not
            there.
        StorageError: If the folder cannot be written.
    """
    safetensors = _safetensors()
    settings = build.network_settings(config, describe(config.data))
    channels = settings["in_channels"]
    model = model_config({**settings, "out_channels": channels})
    kept = dict(network.state_dict())
    for part in OUTPUT:
        kept[part] = kept[part][:channels]
    state = _on_cpu(to_diffusers(kept, settings))
    for path in (OF_DIFFUSERS, SCHEDULER):
        make_folder((folder / path).parent)
    metadata = {METADATA: json.dumps(_training(config, ema_decay))}
    write_whole(folder / OF_DIFFUSERS, safetensors.torch.save(state, metadata=metadata))
    write_json(folder / MODEL, model)
    write_json(folder / SCHEDULER, _scheduler(config))
    index = {"scheduler": ["diffusers", "DDIMScheduler"], "unet": ["diffusers", "UNet2DModel"]}
    write_json(folder / "model_index.json", {"_class_name": "DDIMPipeline", **index})
    said = card(config, network, ema_decay=ema_decay) + _of_pipeline(config)
    write_whole(folder / CARD, said.encode())
    return folder


WRITERS = {"safetensors": write_safetensors, "diffusers": write_diffusers}
"""What writes a network, by the name of what it is written for."""


def _on_cpu(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name: tensor.contiguous().cpu() for name, tensor in weights.items()}


def _of_pipeline(config: TrainConfig) -> str:
    """What the card of a `DDIMPipeline` says beside that of the network."""
    said = ""
    if config.learned_variance is not None:
        said += (
            f"\nThe learned variance ({config.learned_variance}) is left out of these files, and "
            "half of the last convolution with it: DDIM takes none. What is read back has no "
            "learned variance.\n"
        )
    if config.network.class_conditional:
        said += (
            "\n`DDIMPipeline` hands its network no labels: call `pipeline.unet` with "
            "`class_labels` and `pipeline.scheduler` step by step.\n"
        )
    return said


def _scheduler(config: TrainConfig) -> dict[str, Any]:
    return {
        "_class_name": "DDIMScheduler",
        "num_train_timesteps": config.diffusion.steps,
        "trained_betas": betas(config.diffusion.schedule, config.diffusion.steps).tolist(),
        "prediction_type": PREDICTIONS[config.prediction],
        "clip_sample": True,
        "clip_sample_range": 1.0,
        "set_alpha_to_one": True,
        "steps_offset": 0,
        "timestep_spacing": "leading",
        "thresholding": False,
    }


def _training(config: TrainConfig, ema_decay: float | None) -> dict[str, Any]:
    """How the network was trained, as `iddpm.exported` reads it back."""
    weights = "raw" if ema_decay is None else ema_decay
    said = {"objective": asdict(config.objective), "weights": weights, "steps": config.steps}
    return {"training": said}


def card(config: TrainConfig, network: UNet, *, ema_decay: float | None) -> str:
    """The model card: what the network is, how it was trained, and how it is read."""
    data, diffusion = describe(config.data), config.diffusion
    parameters = sum(one.numel() for one in network.parameters())
    variance = config.learned_variance or "none (beta and beta-tilde are read from the schedule)"
    rows = {
        "data": f"{data_name(config.data)}, {data.size}x{data.size}, {data.channels} channels",
        "classes": data.classes if config.network.class_conditional else "none",
        "parameters": f"{parameters:,}",
        "schedule": f"{diffusion.schedule}, T = {diffusion.steps:,}",
        "predicts": config.prediction,
        "learned variance": variance,
        "objective": config.objective.kind,
        "training steps": f"{config.steps:,}",
        "weights": "raw" if ema_decay is None else f"their average of decay {ema_decay:g}",
        "step numbers": f"multiplied by {network.timestep_scale:g}",
    }
    table = "\n".join(f"| {name} | {value} |" for name, value in rows.items())
    return (
        "---\nlibrary_name: iddpm-studies\npipeline_tag: unconditional-image-generation\n---\n"
        "# A denoising diffusion network\n\n"
        "The UNet of *Improved Denoising Diffusion Probabilistic Models* (Nichol & Dhariwal 2021, "
        "arXiv:2102.09672). Images lie in [-1, 1].\n\n"
        f"| setting | value |\n| --- | --- |\n{table}\n\n"
        "`iddpm.exporting.read` reads these files back, ready to be sampled.\n"
    )


# ------------------------------------------------------------------------------------- and back


def read(path: Path) -> Denoiser:
    """What `write_safetensors` or `write_diffusers` wrote, ready to be sampled.

    Args:
        path: A file of safetensors that we wrote, or a folder of diffusers with a `UNet2DModel`
            that our network can express and a scheduler that lists its betas. A folder has no
            learned variance: samplers and likelihoods that take one refuse what is read from it.

    Raises:
        ConfigError: If a file is missing, or our network does not compute as that model does.
        CheckpointError: If it is damaged, or was not exported from here.
    """
    if not (file := weights_file(path)).is_file():
        raise ConfigError("export", "a file of safetensors", f"no file at {file}")
    try:
        said, weights = exported_files.read(path), tensors(path)
        with torch.device("meta"):
            network = UNet(**said.settings)
        network.load_state_dict(weights, assign=True)
    except ConfigError:
        raise
    except (OSError, TypeError, ValueError, RuntimeError) as error:
        raise _foreign(path, error) from error
    return Denoiser(
        network=network.eval().requires_grad_(False),
        diffusion=Diffusion.from_betas(torch.from_numpy(said.betas)),
        prediction=said.prediction,
        learned_variance=said.learned_variance,
    )


def tensors(path: Path) -> dict[str, Tensor]:
    """The weights of a network that was exported, under our names.

    Args:
        path: As for `read`.

    Raises:
        ForeignError: If a file is damaged, or was not exported from here.
        OSError: If it cannot be read.
    """
    found = {name: torch.from_numpy(array) for name, array in arrays(weights_file(path)).items()}
    return from_diffusers(found, exported_files.read(path).settings) if path.is_dir() else found


def _foreign(path: Path, error: Exception) -> CheckpointError:
    return CheckpointError(
        f"{path}: expected a whole network that was exported from here or is a DDIMPipeline, "
        f"found something else ({f'{type(error).__name__}: {error}'.splitlines()[0][:120]})"
    )


def _safetensors() -> Any:
    try:
        import safetensors.torch
    except ImportError as error:
        hint = "pip install iddpm-studies[export]"
        raise ConfigError("export", "the package safetensors", "none", hint) from error
    return safetensors
