"""A strip of images at powers of two of the steps of a training: a broken run is seen early.

The strip is for people: no address, no result and no draw of the training depends on it. Its
images start from the same noise at every look, so that they can be followed down the picture.
"""

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from iddpm import build
from iddpm.arrays import UInt8Array
from iddpm.config import TrainConfig
from iddpm.data import describe
from iddpm.networks.conditioning import Conditioning
from iddpm.running.draws import generator
from iddpm.running.files import Held
from iddpm.running.strip_file import STRIP_FILE, add_row
from iddpm.samplers import ddim, to_uint8
from iddpm.strides import even
from iddpm.training import Training

IMAGES, STEPS = 16, 8
"""Images of a row, and the steps of DDIM that draw them."""
SHARE = 0.004
"""At most this share of a training's network passes goes into its strips: a call with few images
takes some twice its share of the time, and all strips together shall take less than 1%."""
PASSES = 3
"""A training step costs as much as so many passes forwards."""


def looks(config: TrainConfig) -> frozenset[int]:
    """The steps after which a training is looked at, counted from 1: powers of two.

    The last ones, where all of them would take more than `SHARE` of the training.
    """
    powers = [2**n for n in range(config.steps.bit_length()) if 2**n <= config.steps]
    passes = PASSES * config.steps * config.batch_size
    allowed = int(SHARE * passes / (IMAGES * min(STEPS, config.diffusion.steps)))
    return frozenset(powers[max(0, len(powers) - allowed) :])


def look(training: Training, folder: Path, held: Held) -> None:
    """Add a row to the strip in the folder, if this is a step at which the training is looked at.

    Raises:
        StorageError: If the file cannot be written.
    """
    if training.step not in looks(training.config) or training.ranks.number:
        return
    add_row(folder / STRIP_FILE, training.step, _row(training), held=held)


def _row(training: Training) -> UInt8Array:
    """Images side by side, drawn with the average of the weights; shape (H, IMAGES * W, C).

    The longest average whose weights are mostly of this training: that of decay d looks back over
    some 1 / (1 - d) steps. Before the shortest has that many, the weights themselves.
    """
    ready = [d for d in training.config.ema_decays if training.step * (1 - d) >= 1]
    weights, network = training.weights.vector.detach(), training.network
    kept = weights.clone()
    if ready:
        weights.copy_(training.averages.averages[max(ready)])
    network.eval()
    try:
        images = _drawn(training)
    finally:
        network.train()
        weights.copy_(kept)
    levels = describe(training.config.data).levels
    pixels = to_uint8(images.nan_to_num(0.0), levels).cpu().numpy()
    brightness = np.round(pixels * (255 / (levels - 1))).astype(np.uint8)
    return np.concatenate(list(brightness), axis=1)


def _drawn(training: Training) -> Tensor:
    config, data = training.config, describe(training.config.data)
    chain = training.denoiser.diffusion
    short = chain.respaced(even(chain.steps, min(STEPS, chain.steps)))
    shape = (IMAGES, data.channels, data.size, data.size)
    draws = generator(config.seed, "strip")
    given = None
    if config.network.class_conditional and data.classes is not None:
        given = Conditioning(labels=(torch.arange(IMAGES) % data.classes).to(training.device))
    return ddim(
        build.denoiser(config, training.network, short),
        torch.randn(shape, generator=draws).to(training.device),
        eta=0.0,
        clip=True,
        generator=draws,
        conditioning=given,
    )
