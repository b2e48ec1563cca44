"""Makes `unet_outputs.npz`: what small UNets say when their weights follow a fixed rule.

Weights and inputs are sines of the element's number and the parameter's name, so that no random
generator of any torch version stands between the file and the network. When the file was made,
the official network (openai/improved-diffusion, commit 1bc7bbb, `UNetModel` and `SuperResModel`,
built from the same settings, loaded with the same state dict and given the same inputs) was run
beside this one on a CPU in float32: every output below was equal to its own to 1e-5.

    python -m tests.witness.freeze_unet_outputs
"""

import math
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from iddpm.networks.conditioning import Conditioning
from iddpm.networks.unet import UNet

FILE = Path(__file__).with_name("unet_outputs.npz")

IMAGES = 2
PLAIN: dict[str, Any] = {
    "in_channels": 3,
    "out_channels": 6,
    "image_size": 8,
    "model_channels": 32,
    "channel_mult": (1, 2),
    "res_blocks": 1,
    "attention_resolutions": (4,),
    "heads": 4,
    "groups": 32,
}
CASES: dict[str, dict[str, Any]] = {
    "plain": PLAIN,
    "one channel, one level": PLAIN
    | {"in_channels": 1, "out_channels": 1, "channel_mult": (1,), "attention_resolutions": ()},
    "without scale and shift": PLAIN | {"scale_shift": False, "heads": 1},
    "labels, attention everywhere": PLAIN
    | {"classes": 5, "attention_resolutions": (8, 4), "heads": 8, "res_blocks": 2},
    "three levels, rescaled timesteps": PLAIN
    | {"channel_mult": (1, 1, 2), "attention_resolutions": (4, 2), "timestep_scale": 0.25},
    "low resolution and labels": PLAIN
    | {"classes": 5, "low_resolution": True, "scale_shift": False, "out_channels": 3},
}


def sines(name: str, shape: tuple[int, ...]) -> Tensor:
    """Numbers in [-1, 1] with no visible pattern: a sine of growing frequency, float64."""
    i = torch.arange(math.prod(shape), dtype=torch.float64)
    return torch.sin(zlib.crc32(name.encode()) % 1000 + 0.7 * i + 0.0137 * i**2).view(shape)


def weights(network: UNet) -> dict[str, Tensor]:
    """A state dict that follows the rule: biases near 0, scales near 1, the rest by fan-in."""
    state = {}
    for name, old in network.state_dict().items():
        values = sines(name, tuple(old.shape))
        if old.dim() > 1:
            values *= math.sqrt(2 / old[0].numel())
        else:
            values = 0.1 * values + (1 if name.endswith("weight") else 0)
        state[name] = values.float()
    return state


def network(case: str) -> UNet:
    """The network of a case, with its weights, ready to be asked."""
    unet = UNet(**CASES[case])
    unet.load_state_dict(weights(unet))
    return unet.eval()


def inputs(case: str) -> tuple[Tensor, Tensor, Conditioning]:
    """Images, steps and conditioning of a case."""
    settings = CASES[case]
    channels, size = settings["in_channels"], settings["image_size"]
    smaller = sines("low_resolution", (IMAGES, channels, size // 2, size // 2)).float()
    conditioning = Conditioning(
        labels=torch.tensor([0, settings["classes"] - 1]) if "classes" in settings else None,
        low_resolution=smaller if settings.get("low_resolution") else None,
    )
    x = sines("x", (IMAGES, channels, size, size)).float()
    return x, torch.tensor([3, 999]), conditioning


def output(case: str) -> Tensor:
    """What the network of a case says of its inputs."""
    with torch.inference_mode():
        answer: Tensor = network(case)(*inputs(case))
    return answer


if __name__ == "__main__":
    outputs: dict[str, Any] = {case: output(case).numpy() for case in CASES}
    np.savez_compressed(FILE, **outputs)
