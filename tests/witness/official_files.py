"""Checkpoints as the official code saves them, with the real lists of tensors.

The settings are the README's flags written down again; `unet_layout` numbers the tensors by hand.
"""

import math
from collections import OrderedDict
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from tests.witness.unet_layout import Layout, layout

_UNCONDITIONAL = {"res_blocks": 3, "model_channels": 128, "attention_resolutions": (16, 8)}
_CIFAR10 = {**_UNCONDITIONAL, "image_size": 32, "channel_mult": (1, 2, 2, 2)}
_IMAGENET64 = {**_UNCONDITIONAL, "image_size": 64, "channel_mult": (1, 2, 3, 4)}
_LSUN = {
    "image_size": 256,
    "model_channels": 128,
    "res_blocks": 2,
    "channel_mult": (1, 1, 2, 2, 4, 4),
    "attention_resolutions": (16,),
    "scale_shift": False,
}
FLAGS: dict[str, dict[str, Any]] = {
    "imagenet64_uncond_100M_1500K": _IMAGENET64,
    "imagenet64_uncond_vlb_100M_1500K": _IMAGENET64,
    "cifar10_uncond_50M_500K": _CIFAR10,
    "cifar10_uncond_vlb_50M_500K": _CIFAR10,
    "imagenet64_cond_270M_250K": {**_IMAGENET64, "model_channels": 192, "classes": 1000},
    "upsample_cond_500K": {
        **_LSUN,
        "model_channels": 192,
        "attention_resolutions": (16, 8),
        "scale_shift": True,
        "classes": 1000,
        "low_resolution": True,
    },
    "lsun_uncond_100M_1200K_bs128": _LSUN,
    "lsun_uncond_100M_2400K_bs64": _LSUN,
}
"""By the name of each released file, what decides its tensors."""
SMALL: dict[str, Any] = {
    "image_size": 8,
    "in_channels": 1,
    "model_channels": 32,
    "channel_mult": (1, 2),
    "res_blocks": 1,
    "attention_resolutions": (4,),
}
"""A network of the same layout for the digits."""
SAYS = (
    "heads: 4, schedule: cosine, T: 20, rescale_timesteps: true, prediction: eps, "
    "objective: hybrid, steps: 7"
)
"""What nobody knows of it unless it is said."""


def shapes(**flags: Any) -> Layout:
    """The list of tensors of a network with a learned variance."""
    channels = flags.get("in_channels", 3)
    return layout(**{"in_channels": channels, "out_channels": 2 * channels, **flags})


def drawn(seed: int = 0, **flags: Any) -> dict[str, Tensor]:
    """Weights of about the size that training leaves."""
    generator = torch.Generator().manual_seed(seed)
    return OrderedDict(
        (name, torch.randn(shape, generator=generator) / math.sqrt(max(1, math.prod(shape[1:]))))
        for name, shape in shapes(**flags).items()
    )


def hollow(**flags: Any) -> dict[str, Tensor]:
    """Tensors of the real shapes that share one number, so that a large network is a small file."""
    zero = torch.zeros(1)
    return OrderedDict((name, zero.expand(shape)) for name, shape in shapes(**flags).items())


def write(path: Path, weights: dict[str, Tensor], *, older: bool = False) -> Path:
    """The file, as torch of the year 2021 or an older one saves it."""
    torch.save(weights, path, _use_new_zipfile_serialization=not older)
    return path
