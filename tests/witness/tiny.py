"""Real tasks so small that a whole study of them takes about a second."""

from dataclasses import replace
from typing import Any

from iddpm.config import (
    Ancestral,
    Ddim,
    DiffusionConfig,
    Digits,
    Hybrid,
    LikelihoodConfig,
    OptimizerConfig,
    SampleConfig,
    Sampler,
    TrainConfig,
    UNetConfig,
)
from iddpm.data import describe
from studies.tasks import Task

NETWORK = UNetConfig(
    model_channels=4, channel_mult=(1,), res_blocks=1, attention_resolutions=(), heads=1, groups=2
)

TRAINING = TrainConfig(
    data=Digits(),
    diffusion=DiffusionConfig(steps=10),
    network=NETWORK,
    objective=Hybrid(),
    batch_size=4,
    ema_decays=(0.9,),
    steps=10,
)


def training(**changes: Any) -> Task:
    """A training of a few steps."""
    config = replace(TRAINING, **changes)
    return Task(kind="train", config=config, digests=(("data", describe(Digits()).digest),))


def sampling(train: Task, sampler: Sampler | None = None, **changes: Any) -> Task:
    """A shard of two blocks of two images."""
    config = SampleConfig(
        sampler=sampler or Ancestral(variance="range"),
        steps=5,
        ema_decay=0.9,
        first_block=0,
        last_block=2,
        block_size=2,
    )
    return Task(
        kind="sample", config=replace(config, **changes), needs=(("network", train.address),)
    )


def likelihood(train: Task, **changes: Any) -> Task:
    """The bound on four images."""
    config = LikelihoodConfig(images=4, block_size=2)
    return Task(
        kind="likelihood",
        config=replace(config, **changes),
        needs=(("network", train.address),),
        digests=(("data", describe(Digits()).digest),),
    )


def study(seeds: int = 2, *, steps: int = 10) -> list[Task]:
    """Trainings, and of each a bound and shards of two samplers; each task after its needs."""
    trainings = [training(seed=seed, steps=steps) for seed in range(seeds)]
    return [
        *trainings,
        *(likelihood(train) for train in trainings),
        *(sampling(train) for train in trainings),
        *(sampling(train, Ddim()) for train in trainings),
    ]
