"""From a config to the objects that it describes: the only reader of its fields.

The mathematics takes numbers and tensors, so that it can be used without a config.
"""

from collections.abc import Callable, Iterable
from dataclasses import fields, replace
from typing import Any

import torch
from torch import Tensor, nn

from iddpm import samplers
from iddpm.checks import check_gan, check_training
from iddpm.config import DiffusionConfig, GanConfig, LossSecondMoment, TrainConfig
from iddpm.config_fields import kinds
from iddpm.data import Description
from iddpm.denoiser import Denoiser, Network
from iddpm.diffusion import Diffusion
from iddpm.evaluation.config import SampleConfig, Sampler
from iddpm.gaussians import Generators
from iddpm.networks.conditioning import Conditioning
from iddpm.networks.gan import Discriminator, Generator
from iddpm.networks.unet import UNet
from iddpm.registry import named
from iddpm.schedules import RESCALED_STEPS, betas
from iddpm.strides import kept_steps, stride_timesteps
from iddpm.timesteps import LossSecondMomentTimesteps, TimestepSampler, UniformTimesteps


def diffusion(config: DiffusionConfig) -> Diffusion:
    """The forward process."""
    return Diffusion.from_betas(betas(config.schedule, config.steps))


def network(config: TrainConfig, description: Description) -> UNet:
    """The network at its start, from torch's global generator.

    Raises:
        ConfigError: If the network does not fit the data.
    """
    check_training(config, description)
    return UNet(**network_settings(config, description))


def network_settings(config: TrainConfig, description: Description) -> dict[str, Any]:
    """The arguments of the network, by name: plain values, as an exported file has them too."""
    unet, channels = config.network, description.channels
    return {
        "in_channels": channels,
        "out_channels": channels if config.learned_variance is None else 2 * channels,
        "image_size": description.size,
        "model_channels": unet.model_channels,
        "channel_mult": unet.channel_mult,
        "res_blocks": unet.res_blocks,
        "attention_resolutions": unet.attention_resolutions,
        "heads": unet.heads,
        "groups": unet.groups,
        "dropout": unet.dropout,
        "scale_shift": unet.scale_shift,
        "classes": description.classes if unet.class_conditional else None,
        "low_resolution": unet.low_resolution is not None,
        "timestep_scale": RESCALED_STEPS / config.diffusion.steps
        if unet.rescale_timesteps
        else 1.0,
    }


def denoiser(config: TrainConfig, network: Network, diffusion: Diffusion) -> Denoiser:
    """The network read as it was trained, over a chain, whole or respaced."""
    return Denoiser(
        network=network,
        diffusion=diffusion,
        prediction=config.prediction,
        learned_variance=config.learned_variance,
    )


def timestep_sampler(config: TrainConfig, device: torch.device | str = "cpu") -> TimestepSampler:
    """What draws the training steps, for losses on a device."""
    choice, steps = config.timesteps, config.diffusion.steps
    if isinstance(choice, LossSecondMoment):
        return LossSecondMomentTimesteps(
            steps, history=choice.history, uniform_share=choice.uniform_share, device=device
        )
    return UniformTimesteps(steps, device=device)


def optimizer(config: TrainConfig, parameters: Iterable[nn.Parameter]) -> torch.optim.Optimizer:
    """AdamW over the parameters, its whole step in one kernel."""
    settings = config.optimizer
    return torch.optim.AdamW(
        parameters,
        lr=settings.learning_rate,
        betas=settings.betas,
        eps=settings.eps,
        weight_decay=settings.weight_decay,
        fused=True,
    )


def gan_generator(config: GanConfig, description: Description) -> Generator:
    """A GAN's generator at its start, from torch's global generator.

    Raises:
        ConfigError: If the data have no labels, or images of a side that does not fit.
    """
    return Generator(
        channels=description.channels,
        size=description.size,
        classes=_classes(config, description),
        latent=config.latent,
        widths=_widths(config),
    )


def gan_discriminator(config: GanConfig, description: Description) -> Discriminator:
    """A GAN's discriminator at its start, from torch's global generator.

    Raises:
        ConfigError: If the data have no labels, or images of a side that does not fit.
    """
    return Discriminator(
        channels=description.channels,
        classes=_classes(config, description),
        widths=_widths(config),
    )


def _classes(config: GanConfig, description: Description) -> int:
    check_gan(config, description)
    assert description.classes is not None
    return description.classes


def _widths(config: GanConfig) -> tuple[int, ...]:
    return tuple(multiplier * config.channels for multiplier in config.channel_mult)


Sample = Callable[[Tensor, Generators, Conditioning | None], Tensor]
"""(x_T of shape (B, C, H, W), generator, conditioning) -> images near [-1, 1]."""


def sampler(config: SampleConfig, denoiser: Denoiser) -> Sample:
    """The reverse chain that the config names.

    Args:
        config: Stride, prefix skipped and kind of step.
        denoiser: The trained network read over its whole chain.

    Raises:
        ConfigError: If the chain has no such stride.
    """
    total = denoiser.diffusion.steps
    kept = stride_timesteps(config.sampler.stride, total, config.steps)
    short = replace(denoiser, diffusion=denoiser.diffusion.respaced(kept))
    start = kept_steps(len(kept), config.skip)

    def sample(x_T: Tensor, generator: Generators, given: Conditioning | None) -> Tensor:
        return SAMPLERS[config.sampler.kind](
            short,
            x_T,
            **_settings(config.sampler),
            clip=config.clip,
            generator=generator,
            noise=config.noise,
            conditioning=given,
            start=start,
        )

    return sample


SAMPLERS: dict[str, Callable[..., Tensor]] = named(kinds(Sampler), vars(samplers))
"""Sampler `x` is the function `x` of its room, to which its settings are handed on by name."""


def _settings(sampler: Sampler) -> dict[str, Any]:
    """The sampler's settings without the stride."""
    names = {item.name for item in fields(sampler)} - {"kind", "stride"}
    return {name: getattr(sampler, name) for name in names}


def reverse_steps(config: SampleConfig, total: int) -> int:
    """Network calls per image: the steps that the stride keeps, less the skipped prefix."""
    kept = stride_timesteps(config.sampler.stride, total, config.steps)
    return kept_steps(len(kept), config.skip)
