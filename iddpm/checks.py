"""Whether a training fits its data, and an evaluation its training: told before anything starts.

A config checks itself as far as it goes alone. Here two configs, or one and its data, are held
against each other. Nothing imports torch, so a whole sweep is refused while it is planned.
"""

from collections.abc import Iterable
from dataclasses import replace
from functools import lru_cache

from iddpm.bounds import MOST_PARAMETERS, ConfigError, require
from iddpm.config import GanConfig, LearnedVariance, Stride, TrainConfig, Variance
from iddpm.data import Description
from iddpm.evaluation.config import (
    Ancestral,
    Ends,
    GradientNoiseConfig,
    LatentsConfig,
    LikelihoodConfig,
    SampleConfig,
)
from iddpm.networks.size import gan_parameters, trained_size
from iddpm.strides import stride_timesteps


def check_training(config: TrainConfig, description: Description) -> None:
    """Whether the network can be built for the images.

    Raises:
        ConfigError: If the network cannot halve the image's side once per level, has attention at
            a side that never occurs or at a width that its heads do not divide, is to be told
            labels where the data have none, or is larger than any network there is.
    """
    _check_levels("network", config.network.channel_mult, description.size)
    _check_attention(config, description.size)
    if config.network.class_conditional and description.classes is None:
        raise ConfigError(
            "network.class_conditional",
            "data with labels",
            f"none in {config.data.kind!r}",
            "choose other data or class_conditional: false",
        )
    _check_size("network.model_channels", trained_size(config, description).parameters)


def check_shares(config: TrainConfig, processes: int) -> None:
    """Whether each of so many processes gets as many blocks of a batch as every other.

    Raises:
        ConfigError: If one would get more than another.
    """
    size = config.block_size or config.batch_size
    blocks = config.batch_size // size
    if blocks % processes:
        share, rest = divmod(config.batch_size, processes)
        remedy = (
            f"no block_size helps, as {config.batch_size} images are no multiple of {processes}: "
            "choose another number of processes"
            if rest
            else f"set it to {share} or a divisor of that"
        )
        raise ConfigError(
            "train.block_size",
            f"blocks to share among {processes} processes",
            f"{blocks} of {size} images",
            remedy,
        )


def check_samples(config: SampleConfig, train: TrainConfig) -> None:
    """Whether the trained network can be sampled that way.

    Raises:
        ConfigError: If the network did not learn the variance, the training did not keep the
            average of the weights, its chain has no such stride, or the two networks of an
            ensemble cannot share it.
    """
    sampler = config.sampler
    if isinstance(sampler, Ancestral) and sampler.variance not in train.variances:
        raise ConfigError(
            "samples.sampler.ancestral.variance",
            f"one of {_words(train.variances)}",
            _unlearned(sampler.variance, train),
            f"train it with {{hybrid: {{variance: {sampler.variance}}}}}",
        )
    _check_average("samples", config.ema_decay, train)
    _check_ensemble("samples", config.ensemble, train)
    paths = {"steps": "samples.steps", "stride": f"samples.sampler.{sampler.kind}.stride"}
    _check_stride(paths, sampler.stride, train.diffusion.steps, config.steps)


def check_likelihood(
    config: LikelihoodConfig, train: TrainConfig, description: Description
) -> None:
    """Whether the trained network's bound can be taken that way on that data.

    Raises:
        ConfigError: If the split has fewer images, the training did not keep the average of the
            weights, its chain has no such stride or no more steps than an estimate has draws, or
            the two networks of an ensemble cannot share it.
    """
    images = description.test_images if config.split == "test" else description.train_images
    require(
        config.images is None or config.images <= images,
        "likelihood.images",
        f"at most the {images} images of the {config.split} split",
        config.images,
    )
    _check_average("likelihood", config.ema_decay, train)
    _check_ensemble("likelihood", config.ensemble, train)
    steps = config.steps or train.diffusion.steps
    require(
        config.estimate is None or config.estimate.most < steps,
        "likelihood.estimate.draws.most",
        f"fewer draws than the {steps} steps of the chain",
        config.estimate and config.estimate.most,
        "leave the estimate out: the exact bound takes no more network calls",
    )
    if config.steps is not None:
        paths = {"steps": "likelihood.steps", "stride": "likelihood.stride"}
        _check_stride(paths, config.stride, train.diffusion.steps, config.steps)
    elif isinstance(config.stride, tuple):
        expected = f"{len(config.stride)}, the length of the explicit stride"
        raise ConfigError("likelihood.steps", expected, "None, which is the whole chain")


def check_gradient_noise(config: GradientNoiseConfig, train: TrainConfig) -> None:
    """Whether the trained network has a gradient of the loss that is asked for.

    Raises:
        ConfigError: If the loss is of a variance that the network did not learn, or the training
            did not keep the average of the weights.
    """
    objective = config.objective
    variance = getattr(objective, "variance", None)
    if objective is not None and variance not in (None, *train.variances):
        path = f"gradient_noise.objective.{objective.kind}.variance"
        expected = f"one of {_words(train.variances)}"
        raise ConfigError(path, expected, _unlearned(variance, train))
    _check_average("gradient_noise", config.ema_decay, train)


def check_latents(config: LatentsConfig, description: Description) -> None:
    """Whether the data holds the image.

    Raises:
        ConfigError: If the split ends before it.
    """
    images = description.test_images if config.split == "test" else description.train_images
    expected = f"one of the {images} images of the {config.split} split, counted from 0"
    require(config.image < images, "latents.image", expected, config.image)


def check_gan(config: GanConfig, description: Description) -> None:
    """Whether the two networks can be built for the images and their labels.

    Raises:
        ConfigError: If the data have no labels, or their side cannot be halved once per level.
    """
    if description.classes is None:
        raise ConfigError(
            "gan.data",
            "data with labels, which a class-conditional GAN is told",
            f"none in {config.data.kind!r}",
            "choose other data",
        )
    _check_levels("gan", config.channel_mult, description.size)
    _check_size("gan.channels", gan_parameters(config, description))


def _check_size(where: str, parameters: int) -> None:
    """Refuse a network that is too large as a whole, though each of its settings is allowed."""
    expected = f"a network of at most {MOST_PARAMETERS} parameters"
    require(parameters <= MOST_PARAMETERS, where, expected, parameters)


def _check_ensemble(scope: str, ensemble: Ends | None, train: TrainConfig) -> None:
    """Whether the second network can stand in for the first one."""
    if ensemble is None:
        return
    partner, own = ensemble.partner(train), train.learned_variance
    require(
        (partner.diffusion, partner.prediction) == (train.diffusion, train.prediction),
        f"{scope}.ensemble.from",
        f"a network of the same chain, {_chain(train)}",
        _chain(partner),
    )
    if partner.learned_variance != own:
        first = f"as the first network's {train.objective.kind!r} does"
        raise ConfigError(
            f"{scope}.ensemble.ends.objective",
            f"one that learns {_learned(own)}, {first}",
            f"one that learns {_learned(partner.learned_variance)}",
        )
    require(
        ensemble.inner_steps(train.diffusion.steps).start >= 1,
        f"{scope}.ensemble.ends.share",
        f"at least one of the {train.diffusion.steps} steps at each end",
        ensemble.share,
    )


def _chain(train: TrainConfig) -> str:
    return f"{train.diffusion.schedule} T={train.diffusion.steps} predicting {train.prediction}"


def _unlearned(variance: Variance | None, train: TrainConfig) -> str:
    network = f"a network trained with the objective {train.objective.kind!r}"
    return f"{variance!r}, which {network} did not learn"


def _learned(variance: LearnedVariance | None) -> str:
    return "no variance" if variance is None else f"the variance {variance!r}"


def _check_levels(where: str, channel_mult: tuple[int, ...], size: int) -> None:
    levels = len(channel_mult)
    if size % 2 ** (levels - 1):
        possible = 1
        while size % 2**possible == 0:
            possible += 1
        most = f"at most {possible} levels for images of {size} pixels"
        expected = f"{most}, since each further level halves the side"
        raise ConfigError(f"{where}.channel_mult", expected, f"{levels}")


def _check_attention(config: TrainConfig, size: int) -> None:
    network = config.network
    widths = {
        size // 2**level: multiplier * network.model_channels
        for level, multiplier in enumerate(network.channel_mult)
    }
    for side in network.attention_resolutions:
        require(
            side in widths,
            "network.attention_resolutions",
            f"sides of the feature maps of images of {size} pixels, {_words(widths)}",
            side,
        )
        require(
            widths[side] % network.heads == 0,
            "network.heads",
            f"a divisor of {widths[side]}, the width of the level of side {side}",
            network.heads,
        )


def _check_average(scope: str, ema_decay: float | None, train: TrainConfig) -> None:
    if train.source is not None:
        there = None if not train.ema_decays else train.ema_decays[0]
        require(
            ema_decay == there,
            f"{scope}.ema_decay",
            f"{there}, which the weights of {train.source.path} are",
            ema_decay,
        )
        return
    require(
        ema_decay is None or ema_decay in train.ema_decays,
        f"{scope}.ema_decay",
        f"an average that the training keeps ({_words(train.ema_decays) or 'none'})",
        ema_decay,
        "add it to train.ema_decays",
    )


def _check_stride(paths: dict[str, str], stride: Stride, total: int, steps: int) -> None:
    """Refuse a stride that the chain does not have, by the path of its `steps` or its `stride`."""
    if (complaint := _complaint(stride, total, steps)) is not None:
        raise replace(complaint, path=paths[complaint.path])


@lru_cache
def _complaint(stride: Stride, total: int, steps: int) -> ConfigError | None:
    try:
        stride_timesteps(stride, total, steps)
    except ConfigError as error:
        return error.with_traceback(None)
    return None


def _words(values: Iterable[object]) -> str:
    return ", ".join(map(str, values))
