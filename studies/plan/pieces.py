"""What a sweep asks of a network, as the configs of the tasks that it is cut into."""

from collections.abc import Iterator
from dataclasses import replace

from iddpm.config import GanSampleConfig, TrainConfig
from iddpm.evaluation.config import (
    Ddim,
    LatentsConfig,
    LikelihoodConfig,
    LikelihoodShardConfig,
    SampleConfig,
    Sampler,
)
from studies.spec.evaluations import Latents, RivalSamples, SamplesConfig


def steps_of(config: SamplesConfig | LikelihoodConfig, train: TrainConfig) -> int:
    """Steps that are taken, of the T that the network was trained for."""
    return train.diffusion.steps if config.steps is None else config.steps


def sample_shards(config: SamplesConfig, train: TrainConfig, seed: int) -> Iterator[SampleConfig]:
    """The drawing of images, in pieces of `shard_blocks` blocks."""
    for first, last in _blocks(config):
        yield SampleConfig(
            sampler=config.sampler,
            steps=steps_of(config, train),
            skip=config.skip,
            clip=config.clip,
            ema_decay=config.ema_decay,
            ensemble=config.ensemble,
            noise=config.noise if _adds_noise(config.sampler) else "independent",
            first_block=first,
            last_block=last,
            block_size=config.block_size,
            precision=config.precision,
            seed=seed if config.noise_seed is None else config.noise_seed,
        )


def _adds_noise(sampler: Sampler) -> bool:
    """Whether its steps draw anything: without, the images are the same whatever the noise."""
    return not isinstance(sampler, Ddim) or sampler.eta > 0


def gan_shards(config: RivalSamples, seed: int) -> Iterator[GanSampleConfig]:
    """The drawing of images by a GAN, in pieces of `shard_blocks` blocks."""
    for first, last in _blocks(config):
        yield GanSampleConfig(
            first_block=first, last_block=last, block_size=config.block_size, seed=seed
        )


def _blocks(config: SamplesConfig | RivalSamples) -> Iterator[tuple[int, int]]:
    """The first block of each piece, and the one after its last."""
    blocks = -(-config.images // config.block_size)
    for first in range(0, blocks, config.shard_blocks):
        yield first, min(first + config.shard_blocks, blocks)


def likelihood_shards(config: LikelihoodConfig, images: int) -> list[LikelihoodShardConfig]:
    """A bound on so many images in as many pieces as its `shard_blocks` say, of whole blocks."""
    blocks = None if config.estimate else config.shard_blocks
    size = images if blocks is None else blocks * config.block_size
    return [
        LikelihoodShardConfig(
            part=replace(config, images=min(first + size, images), shard_blocks=None),
            first_block=first // config.block_size,
        )
        for first in range(0, images, size)
    ]


def latents_of(config: Latents, train: TrainConfig, seed: int) -> LatentsConfig:
    """The images of a split on their way to noise, under the schedule of a training."""
    return LatentsConfig(
        data=train.data,
        diffusion=train.diffusion,
        split=config.split,
        image=config.image,
        count=config.count,
        seed=seed,
    )
