"""The bound on the likelihood of a split: exact, by one task or by shards, or estimated by one."""

import hashlib
import io
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Never

import numpy as np
from torch import Tensor

from iddpm import build
from iddpm.arrays import Int64Array
from iddpm.config import TrainConfig, data_name
from iddpm.data import Selection, describe, first_rows, load
from iddpm.denoiser import Denoiser
from iddpm.evaluation.config import (
    Draws,
    LikelihoodConfig,
    LikelihoodMergeConfig,
    LikelihoodShardConfig,
)
from iddpm.evaluation.estimated_likelihood import DrawnReading
from iddpm.evaluation.likelihood import Block, Reading
from iddpm.networks.conditioning import Conditioning
from iddpm.networks.precision import arithmetic
from iddpm.running.blocks import UNREADABLE, Blocks
from iddpm.strides import stride_timesteps
from studies.runners.networks import trained_denoiser, weights_role
from studies.runners.work import Work
from studies.store.integrity import check_file, damaged
from studies.store.store import SHARD


def likelihood(work: Work) -> dict[str, Any]:
    """The bound on a split, by term and by step, for every variance that the network has."""
    config = work.task.config
    assert isinstance(config, LikelihoodConfig)
    trained, denoiser = trained_denoiser(work, config)
    reading = _reading(config, trained, denoiser)
    if config.estimate is not None:
        return _estimated(work, config, trained, reading, config.estimate)
    blocks = _blocks(work, config, trained, reading, work.blocks)
    return _result(config, trained, reading, blocks)


def _estimated(
    work: Work, config: LikelihoodConfig, trained: TrainConfig, reading: Reading, estimate: Draws
) -> dict[str, Any]:
    drawing = DrawnReading(
        reading=reading, draws=estimate.most, error=estimate.error, pilot=estimate.pilot
    )
    images, labels = _images(work, config, trained)
    with arithmetic(config.precision, work.device):
        design, blocks = drawing.blocks(
            images,
            labels=labels,
            device=work.device,
            kept=work.blocks,
            progress=work.progress,
            should_stop=work.should_stop,
        )
    found = drawing.bound(design, blocks, dimensions=_dimensions(trained))
    said = (
        f"estimated from {'' if estimate.error is None else 'at most '}{estimate.most} draws of t"
    )
    to = "" if estimate.error is None else f", to {estimate.error:g} bits/dim"
    return {
        **found.as_json(),
        "recipe": {**_recipe(config, trained, found.images), "bound": said + to},
    }


def likelihood_shard(work: Work) -> dict[str, Any]:
    """Some blocks of a bound; leaves a file for each in the folder `shard`."""
    config = work.task.config
    assert isinstance(config, LikelihoodShardConfig)
    trained, denoiser = trained_denoiser(work, config.part)
    reading = _reading(config.part, trained, denoiser)
    kept = replace(work.blocks, folder=work.folder / SHARD)
    blocks = _blocks(work, config.part, trained, reading, kept, first=config.first_block)
    return {"images": config.images, "sha256": _digest(blocks)}


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
        blocks += _blocks_of_a_shard(work, role)
        work.progress(len(blocks), len(blocks))
    return _result(config.whole, trained, _reading(config.whole, trained, denoiser), blocks)


def _unasked(x_t: Tensor, t: Tensor, conditioning: Conditioning | None) -> Never:
    raise AssertionError("what shards have evaluated asks no network")


def _blocks_of_a_shard(work: Work, role: str) -> list[Block]:
    """What a finished shard left, held against the hash in its result."""
    shard = work.parent_tasks[role].config
    assert isinstance(shard, LikelihoodShardConfig)
    kept = Blocks(folder=work.parents[role] / SHARD, work=work.parent_tasks[role].address)
    blocks = []
    try:
        for number in shard.blocks:
            check_file(kept.file(number), "a whole file for each block of a shard")
            with np.load(kept.file(number), allow_pickle=False) as arrays:
                blocks.append(Block(**{name: arrays[name] for name in Block._fields}))
    except UNREADABLE as error:
        raise damaged(kept.folder, "a whole file for each block of a shard") from error
    if _digest(blocks) != work.result_of(role)["sha256"]:
        raise damaged(kept.folder, "the blocks whose hash stands in its result")
    return blocks


def _digest(blocks: Sequence[Block]) -> str:
    """sha256, as hex, of the blocks' arrays as numpy writes them."""
    total = hashlib.sha256()
    for block in blocks:
        file = io.BytesIO()
        np.savez(file, **block._asdict())
        total.update(file.getbuffer())
    return total.hexdigest()


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
        cdf=config.cdf,
    )


def _blocks(
    work: Work,
    config: LikelihoodConfig,
    trained: TrainConfig,
    reading: Reading,
    kept: Blocks,
    *,
    first: int = 0,
) -> list[Block]:
    """The blocks of the config's images from one on, each kept once it is done."""
    images, labels = _images(work, config, trained)
    with arithmetic(config.precision, work.device):
        return reading.blocks(
            images,
            first=first,
            labels=labels,
            device=work.device,
            kept=kept,
            progress=work.progress,
            should_stop=work.should_stop,
        )


def _result(
    config: LikelihoodConfig, trained: TrainConfig, reading: Reading, blocks: list[Block]
) -> dict[str, Any]:
    found = reading.bound(blocks, dimensions=_dimensions(trained))
    return {**found.as_json(), "recipe": _recipe(config, trained, found.images)}


def _images(
    work: Work, config: LikelihoodConfig, trained: TrainConfig
) -> tuple[Selection, Int64Array | None]:
    """The images of a bound, and their labels where the network is told them."""
    data = load(trained.data, config.split)
    rows = first_rows(len(data.images), config.images, permuted=work.task.takes_a_part)
    labels = data.labels if trained.network.class_conditional else None
    return Selection(data.images, rows), None if labels is None else labels[rows]


def _dimensions(trained: TrainConfig) -> int:
    data = describe(trained.data)
    return data.channels * data.size**2


def _recipe(config: LikelihoodConfig, trained: TrainConfig, images: int) -> dict[str, Any]:
    return {
        "split": f"{data_name(trained.data)}/{config.split}",
        "images": images,
        "clip": config.clip,
        "weights": weights_role(config.ema_decay),
        "cdf": config.cdf,
        "precision": config.precision,
    }
