"""The forward process, looked at without a network: one image on its way to noise."""

from typing import Any

import torch

from iddpm import build
from iddpm.config import data_name
from iddpm.data import load, to_unit
from iddpm.evaluation.config import LatentsConfig
from iddpm.running.draws import generator
from studies.runners.work import Work
from studies.store.npy import sha256
from studies.store.store import LATENTS


def latents(work: Work) -> dict[str, Any]:
    """One image on its way to noise, Eq. 9; leaves float32 (count, H, W, C) in `latents.npy`."""
    config = work.task.config
    assert isinstance(config, LatentsConfig)
    data = load(config.data, config.split)
    x_0 = torch.from_numpy(to_unit(data.images[config.image : config.image + 1], data.levels))
    eps = torch.randn(x_0.shape, generator=generator(config.seed, "latents", config.image))
    diffusion = build.diffusion(config.diffusion)
    found = [diffusion.noised(x_0, t - 1, eps) if t else x_0 for t in config.steps]
    array = torch.cat(found).permute(0, 2, 3, 1).numpy()
    work.save_array(LATENTS, array)
    alpha_bar = [1.0, *diffusion.alpha_bar.tolist()]
    return {
        "steps": list(config.steps),
        "alpha_bar": [alpha_bar[t] for t in config.steps],
        "alpha_bar_halfway": alpha_bar[config.diffusion.steps // 2],
        "sha256": sha256(array),
        "recipe": {
            "image": f"{data_name(config.data)}/{config.split} {config.image}",
            "noise": f"seed {config.seed}",
        },
    }
