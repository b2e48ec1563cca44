"""Real tasks so small that a whole study of them takes about a second."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from iddpm import released
from iddpm.config import (
    DiffusionConfig,
    Digits,
    ExternalConfig,
    GanConfig,
    GanSampleConfig,
    Hybrid,
    OpenAi,
    TrainConfig,
    UNetConfig,
)
from iddpm.data import describe
from iddpm.evaluation.config import (
    Ancestral,
    Ddim,
    FeaturesConfig,
    GradientNoiseConfig,
    LatentsConfig,
    LikelihoodConfig,
    LikelihoodMergeConfig,
    LikelihoodShardConfig,
    RandomNetwork,
    SampleConfig,
    Sampler,
    ScoreConfig,
)
from iddpm.images.external import describe_external
from iddpm.released import resolved
from studies.tasks import task as kinds
from studies.tasks.task import Task
from tests.witness import official_files

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

DIGITS = (("data", describe(Digits()).digest),)


def training(**changes: Any) -> Task:
    """A training of a few steps."""
    config = replace(TRAINING, **changes)
    return Task(kind="train", config=config, digests=DIGITS)


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
        kind="sample", config=replace(config, **changes), inputs=(("network", train.address),)
    )


def likelihood(train: Task, **changes: Any) -> Task:
    """The bound on four images."""
    config = LikelihoodConfig(images=4, block_size=2)
    return Task(
        kind="likelihood",
        config=replace(config, **changes),
        inputs=(("network", train.address),),
        digests=DIGITS,
    )


def sharded_likelihood(train: Task, **changes: Any) -> list[Task]:
    """The same bound by two shards, and what puts them together."""
    whole = replace(LikelihoodConfig(images=4, block_size=2), **changes)
    needs = (("network", train.address),)
    shards = [
        Task(
            kind="likelihood_shard",
            config=LikelihoodShardConfig(part=replace(whole, images=end), first_block=first),
            inputs=needs,
            digests=DIGITS,
        )
        for first, end in ((0, 2), (1, 4))
    ]
    merge = Task(
        kind="likelihood_merge",
        config=LikelihoodMergeConfig(whole=whole),
        inputs=(*needs, *((f"shards/{i}", shard.address) for i, shard in enumerate(shards))),
        digests=DIGITS,
    )
    return [*shards, merge]


def gradient_noise(train: Task, **changes: Any) -> Task:
    """Three draws of two blocks of two images."""
    config = GradientNoiseConfig(draws=3, blocks=2, block_size=2)
    return Task(
        kind="gradient_noise",
        config=replace(config, **changes),
        inputs=(("network", train.address),),
        digests=DIGITS,
    )


def gan(**changes: Any) -> Task:
    """A GAN trained for a few steps."""
    config = GanConfig(data=Digits(), latent=2, channels=4, batch_size=4, ema_decay=0.9, steps=10)
    return Task(kind="gan", config=replace(config, **changes), digests=DIGITS)


def gan_sampling(gan: Task, **changes: Any) -> Task:
    """A shard of two blocks of two images."""
    config = GanSampleConfig(last_block=2, block_size=2)
    needs = (("network", gan.address),)
    return Task(kind="gan_sample", config=replace(config, **changes), inputs=needs)


def latents() -> Task:
    """An image on its way to noise, in three steps."""
    config = LatentsConfig(data=Digits(), diffusion=TRAINING.diffusion, count=3)
    return Task(kind="latents", config=config, digests=DIGITS)


def external(path: Path) -> Task:
    """Six images from elsewhere, which are written at `path`."""
    np.savez(path, np.arange(6 * 64, dtype=np.uint8).reshape(6, 8, 8, 1) % 17)
    config = ExternalConfig(path=str(path), name="made elsewhere", data=Digits())
    digest = describe_external(config).digest
    return Task(kind="external", config=config, digests=(("images", digest),))


def imported(path: Path) -> Task:
    """A network from elsewhere, which is written at `path` as the official code writes it."""
    official_files.write(path, official_files.drawn(**official_files.SMALL))
    source = OpenAi(
        path=str(path),
        heads=4,
        schedule="cosine",
        T=20,
        rescale_timesteps=True,
        prediction="eps",
        objective="hybrid",
        weights=0.9999,
        steps=7,
    )
    config = resolved(TrainConfig(data=Digits(), source=source))
    digests = (*DIGITS, ("checkpoint", released.digest(source)))
    return Task(kind="imported", config=config, digests=digests)


def extractor() -> Task:
    """A random network of few features."""
    config = RandomNetwork(data=Digits(), channels=2, features=4)
    return Task(kind="extractor", config=config, digests=DIGITS)


def real_features(extractor: Task) -> Task:
    """Features of a few real images."""
    config = FeaturesConfig(images=8, data=Digits(), split="test", block_size=4)
    needs = (("extractor", extractor.address),)
    return Task(kind="features", config=config, inputs=needs, digests=DIGITS)


def drawn_features(extractor: Task, *shards: Task, images: int | None = None) -> Task:
    """Features of drawn images."""
    needs = [("extractor", extractor.address)]
    needs += [(f"samples/{i}", shard.address) for i, shard in enumerate(shards)]
    config = FeaturesConfig(images=images, block_size=4)
    return Task(kind="features", config=config, inputs=tuple(needs))


def radii(real: Task) -> Task:
    """The radii among real features that a `score` reads."""
    return kinds.radii(real.address, 1)


def score(drawn: Task, real: Task, *more: tuple[str, str]) -> Task:
    """A score over one neighbour; without the radii of its reference it asks for them itself."""
    needs = (("generated", drawn.address), ("reference", real.address), *more)
    return Task(kind="score", config=ScoreConfig(neighbours=1), inputs=needs)


def study(seeds: int = 2) -> list[Task]:
    """A small study with every kind of task, each after those that it needs."""
    read_by = extractor()
    real = real_features(read_by)
    near = radii(real)
    tasks = [read_by, real, near]
    for seed in range(seeds):
        trained = training(seed=seed)
        shards = sampling(trained, seed=seed), sampling(trained, Ddim(), seed=seed)
        drawn = drawn_features(read_by, *shards)
        tasks += [trained, likelihood(trained, seed=seed), gradient_noise(trained, seed=seed)]
        tasks += [
            *sharded_likelihood(trained, seed=seed),
            *shards,
            drawn,
            score(drawn, real, ("radii", near.address)),
        ]
        opposing = gan(seed=seed)
        made = gan_sampling(opposing, seed=seed)
        rival = drawn_features(read_by, made)
        tasks += [opposing, made, rival, score(rival, real, ("radii", near.address))]
    return tasks
