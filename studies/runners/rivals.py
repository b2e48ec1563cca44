"""Images of what diffusion stands beside: drawn by a GAN, or taken from elsewhere."""

from functools import partial
from typing import Any

import numpy as np
import torch

from iddpm.arrays import UInt8Array
from iddpm.config import ExternalConfig, GanConfig, GanSampleConfig
from iddpm.data import describe, fixed_permutation
from iddpm.gan_training import load_generator
from iddpm.images.external import load_external
from iddpm.networks.gan import Generator
from iddpm.running.draws import generator
from iddpm.running.files import weights_file
from iddpm.running.interruption import Interrupted
from iddpm.samplers import to_uint8
from studies.runners.networks import weights_role
from studies.runners.sampling import drawn_once
from studies.runners.work import Work, of_a_finished_task
from studies.store.npy import sha256
from studies.store.store import SAMPLES


def gan_sample(work: Work) -> dict[str, Any]:
    """One shard of a GAN's images, block by block; leaves their level indices in `samples.npy`.

    The label of an image is its place in the stream modulo the number of classes.

    Raises:
        Interrupted: If asked to stop; the finished blocks are kept.
    """
    config, trained = work.task.config, work.parent_tasks["network"].config
    assert isinstance(config, GanSampleConfig)
    assert isinstance(trained, GanConfig)
    state = weights_file(work.parents["network"])
    with of_a_finished_task(state):
        digests = work.result_of("network")["weights"]
        network = load_generator(state, trained, work.device, digests)
    of_block = partial(gan_block, config, trained, network, device=work.device)
    finished: list[UInt8Array] = []
    for index, block in enumerate(range(config.first_block, config.last_block)):
        done = index * config.block_size
        if work.should_stop():
            raise Interrupted(f"{work.task.address}: the finished blocks are kept", saved=done)
        draw = partial(map, of_block, [block])
        finished += drawn_once(work, trained, [block], config.block_size, draw)
        work.progress(done + config.block_size, config.images)
    images = np.concatenate(finished)
    work.save_array(SAMPLES, images)
    return {
        "images": len(images),
        "sha256": sha256(images),
        "weights": weights_role(trained.ema_decay),
        "classes": describe(trained.data).classes,
    }


@torch.inference_mode()
def gan_block(
    config: GanSampleConfig, trained: GanConfig, network: Generator, block: int, device: str
) -> UInt8Array:
    """One block of a GAN's images as level indices (B, H, W, C)."""
    data, B = describe(trained.data), config.block_size
    assert data.classes is not None
    drawn = generator(config.seed, "z", block)
    z = torch.randn(B, trained.latent, generator=drawn).to(device)
    labels = (torch.arange(block * B, (block + 1) * B) % data.classes).to(device)
    return to_uint8(network(z, labels), data.levels).cpu().numpy()


def external(work: Work) -> dict[str, Any]:
    """Images from elsewhere, checked and kept in `samples.npy`: their files may go afterwards."""
    config = work.task.config
    assert isinstance(config, ExternalConfig)
    ((_, digest),) = work.task.digests
    images = load_external(config, digest)
    if work.task.takes_a_part:  # features are of the first, as of any other samples
        images = images[fixed_permutation(len(images))]
    work.save_array(SAMPLES, images)
    return {"images": len(images), "sha256": sha256(images), "weights": "as given"}
