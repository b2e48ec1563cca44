"""The bound on the likelihood of a split, taken by one task or by shards that are put together."""

import hashlib
from dataclasses import replace
from pathlib import Path
from typing import Any, Never

from torch import Tensor

from iddpm import build
from iddpm.conditioning import Conditioning
from iddpm.config import (
    LikelihoodConfig,
    LikelihoodMergeConfig,
    LikelihoodShardConfig,
    TrainConfig,
    data_name,
)
from iddpm.data import Selection, describe, first_rows, load
from iddpm.denoiser import Denoiser
from iddpm.evaluation.likelihood import UNREADABLE, Block, Reading, block_file, read_block
from iddpm.precision import arithmetic
from iddpm.strides import stride_timesteps
from studies.arrays import damaged
from studies.runners.networks import trained_denoiser, weights_role
from studies.runners.work import Work
from studies.store import BLOCKS, SHARD


def likelihood(work: Work) -> dict[str, Any]:
    """The bound on a split, by term and by step, for every variance that the network has."""
    config = work.task.config
    assert isinstance(config, LikelihoodConfig)
    trained, denoiser = trained_denoiser(work, config)
    reading = _reading(config, trained, denoiser)
    blocks = _blocks(work, config, trained, reading, work.folder / BLOCKS)
    return _result(config, trained, reading, blocks)


def likelihood_shard(work: Work) -> dict[str, Any]:
    """Some blocks of a bound; leaves a file for each in the folder `shard`."""
    config = work.task.config
    assert isinstance(config, LikelihoodShardConfig)
    trained, denoiser = trained_denoiser(work, config.part)
    reading, folder = _reading(config.part, trained, denoiser), work.folder / SHARD
    _blocks(work, config.part, trained, reading, folder, first=config.first_block)
    content = b"".join(block_file(folder, number).read_bytes() for number in config.blocks)
    return {"images": config.images, "sha256": hashlib.sha256(content).hexdigest()}


def likelihood_merge(work: Work) -> dict[str, Any]:
    """What the blocks of all shards come to: the very result of `likelihood`.

    Raises:
        StoreError: If a shard's file is damaged.
    """
    config, trained = work.task.config, work.parent_tasks["network"].config
    assert isinstance(config, LikelihoodMergeConfig)
    assert isinstance(trained, TrainConfig)
    denoiser = build.denoiser(trained, _unasked, build.diffusion(trained.diffusion))
    blocks: list[Block] = []
    for role in (role for role in work.parents if role.startswith("shards/")):
        shard, folder = work.parent_tasks[role].config, work.parents[role] / SHARD
        assert isinstance(shard, LikelihoodShardConfig)
        blocks += [_block_of_a_shard(block_file(folder, number)) for number in shard.blocks]
        work.progress(len(blocks), shard.blocks.stop)
    return _result(config.whole, trained, _reading(config.whole, trained, denoiser), blocks)


def _unasked(x_t: Tensor, t: Tensor, conditioning: Conditioning | None) -> Never:
    raise AssertionError("what shards have evaluated asks no network")


def _block_of_a_shard(path: Path) -> Block:
    try:
        return read_block(path)
    except UNREADABLE as error:
        raise damaged(path.parent, "a whole file for each block of a shard") from error


def _reading(config: LikelihoodConfig, trained: TrainConfig, denoiser: Denoiser) -> Reading:
    """How the network is read, over the chain that is asked for."""
    if config.steps is not None:
        kept = stride_timesteps(config.stride, trained.diffusion.steps, config.steps)
        denoiser = replace(denoiser, diffusion=denoiser.diffusion.respaced(kept))
    return Reading(
        denoiser=denoiser,
        levels=describe(trained.data).levels,
        variances=trained.variances,
        clip=config.clip,
        block_size=config.block_size,
        seed=config.seed,
    )


def _blocks(
    work: Work,
    config: LikelihoodConfig,
    trained: TrainConfig,
    reading: Reading,
    folder: Path,
    *,
    first: int = 0,
) -> list[Block]:
    """The blocks of the config's images from one on, each kept in the folder once it is done."""
    folder.mkdir(exist_ok=True)
    data = load(trained.data, config.split)
    rows = first_rows(len(data.images), config.images, permuted=work.task.takes_a_part)
    labels = data.labels if trained.network.class_conditional else None
    with arithmetic(config.precision, work.device):
        return reading.blocks(
            Selection(data.images, rows),
            first=first,
            labels=None if labels is None else labels[rows],
            device=work.device,
            folder=folder,
            progress=work.progress,
            should_stop=work.should_stop,
        )


def _result(
    config: LikelihoodConfig, trained: TrainConfig, reading: Reading, blocks: list[Block]
) -> dict[str, Any]:
    data = describe(trained.data)
    found = reading.bound(blocks, dimensions=data.channels * data.size**2)
    recipe = {
        "split": f"{data_name(trained.data)}/{config.split}",
        "images": found.images,
        "clip": config.clip,
        "weights": weights_role(config.ema_decay),
        "cdf": "tanh",
        "precision": config.precision,
    }
    return {**found.as_json(), "recipe": recipe}
