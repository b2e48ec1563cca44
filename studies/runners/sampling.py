"""Images drawn by a diffusion network, block by block."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
from torch import Tensor

from iddpm import build
from iddpm.arrays import UInt8Array
from iddpm.config import GanConfig, TrainConfig
from iddpm.data import describe
from iddpm.denoiser import Network
from iddpm.evaluation.config import SampleConfig
from iddpm.model import blocks_of_images, labels_told
from iddpm.networks.conditioning import Conditioning
from iddpm.running.interruption import Interrupted
from studies.runners.networks import trained_denoiser
from studies.runners.work import Work
from studies.store.npy import sha256
from studies.store.store import SAMPLES


def sample(work: Work) -> dict[str, Any]:
    """One shard of images, block by block; leaves their level indices in `samples.npy`."""
    config = work.task.config
    assert isinstance(config, SampleConfig)
    trained, denoiser = trained_denoiser(work, config)
    steps = build.reverse_steps(config, trained.diffusion.steps)
    blocks = range(config.first_block, config.last_block)
    network = Watched(denoiser.network, work, len(blocks) * steps)
    draw = build.sampler(config, replace(denoiser, network=network))
    together = max(1, (work.images_per_pass or 0) // config.block_size)
    finished: list[UInt8Array] = []
    for start in range(0, len(blocks), together):
        group = blocks[start : start + together]
        network.calls = network.saved = start * steps
        network.at_once = len(group)
        images_of = partial(blocks_of_images, config, trained, draw, group, work.device)
        finished += drawn_once(work, trained, group, config.block_size, images_of)
    images = np.concatenate(finished)
    work.save_array(SAMPLES, images)
    drawn = {
        "images": len(images),
        "sha256": sha256(images),
        "network_calls": len(images) * steps,
    }
    classes = labels_told(trained)
    return drawn if classes is None else {**drawn, "classes": classes}


def drawn_once(
    work: Work,
    trained: TrainConfig | GanConfig,
    blocks: Sequence[int],
    count: int,
    draw: Callable[[], Iterable[UInt8Array]],
) -> list[UInt8Array]:
    """Blocks of so many images: as an earlier attempt kept them, or else drawn and kept."""
    data = describe(trained.data)
    like = {"images": ((count, data.size, data.size, data.channels), "uint8")}
    kept = [arrays for block in blocks if (arrays := work.blocks.kept(block, like))]
    if len(kept) == len(blocks):
        return [arrays["images"] for arrays in kept]
    drawn = list(draw())
    for block, images in zip(blocks, drawn, strict=True):
        work.blocks.keep(block, {"images": images})
    return drawn


class Watched:
    """A network that counts its calls for the one who watches, and can be stopped at any of them.

    What the calls were for is lost with the block that they belong to.
    """

    def __init__(self, network: Network, work: Work, total: int) -> None:
        self.calls = 0
        self.at_once = 1
        """Blocks that a call is for; it counts for each."""
        self.saved = 0
        """Calls whose images are on disk, as the caller says."""
        self._network = network
        self._work = work
        self._total = total

    def __call__(self, x_t: Tensor, t: Tensor, conditioning: Conditioning | None) -> Tensor:
        """The network's output.

        Raises:
            Interrupted: If asked to stop.
        """
        if self._work.should_stop():
            raise Interrupted(
                f"{self._work.task.address}: the finished blocks are kept", saved=self.saved
            )
        output = self._network(x_t, t, conditioning)
        self.calls += self.at_once
        self._work.progress(self.calls, self._total)
        return output
