"""The count from a config alone is that of the network that is built from it, and the paper's."""

from dataclasses import replace

import pytest
import torch

from iddpm import build
from iddpm.config import Digits, GanConfig, Hybrid, Simple, TrainConfig, UNetConfig
from iddpm.data import Description
from iddpm.networks.parameters import gan_parameters, training_parameters

SMALL = UNetConfig(
    model_channels=8, channel_mult=(1, 2, 3), res_blocks=2, attention_resolutions=(8,), groups=4
)


def described(size: int, *, channels: int = 3, classes: int | None = None) -> Description:
    return Description(
        channels=channels,
        size=size,
        levels=256,
        classes=classes,
        train_images=1,
        test_images=1,
        digest="",
    )


@pytest.mark.parametrize(
    "network",
    [
        SMALL,
        replace(SMALL, channel_mult=(2,), attention_resolutions=(), res_blocks=1),
        replace(SMALL, attention_resolutions=(16, 8, 4), scale_shift=False),
        replace(SMALL, class_conditional=True, channel_mult=(1, 1), heads=2),
        replace(SMALL, channel_mult=(1, 2, 2, 4), attention_resolutions=(2,), res_blocks=3),
    ],
)
@pytest.mark.parametrize("objective", [Simple(), Hybrid()])
@pytest.mark.parametrize("channels", [1, 3])
def test_the_count_is_that_of_the_built_network(
    network: UNetConfig, objective: Simple | Hybrid, channels: int
) -> None:
    config = TrainConfig(data=Digits(), network=network, objective=objective)
    data = described(16, channels=channels, classes=7)
    with torch.device("meta"):
        built = build.network(config, data)
    assert training_parameters(config, data) == sum(p.numel() for p in built.parameters())


IMAGENET = UNetConfig(channel_mult=(1, 2, 3, 4))
LSUN = UNetConfig(
    channel_mult=(1, 1, 2, 2, 4, 4),
    res_blocks=2,
    attention_resolutions=(16,),
    heads=1,
    scale_shift=False,
)
OFFICIAL = [
    (UNetConfig(), 32, Hybrid(), 52_546_438),
    (UNetConfig(), 32, Simple(), 52_542_979),
    (replace(IMAGENET, model_channels=64), 64, Hybrid(), 30_303_494),
    (replace(IMAGENET, model_channels=96), 64, Hybrid(), 68_126_598),
    (IMAGENET, 64, Hybrid(), 121_063_942),
    (replace(IMAGENET, model_channels=192), 64, Hybrid(), 272_281_350),
    (replace(IMAGENET, class_conditional=True), 64, Hybrid(), 121_575_942),
    (replace(IMAGENET, model_channels=192, class_conditional=True), 64, Hybrid(), 273_049_350),
    (LSUN, 256, Hybrid(), 113_676_678),
]
"""(network, side, objective, parameters counted in the official model)."""


@pytest.mark.parametrize(("network", "size", "objective", "expected"), OFFICIAL)
def test_the_count_is_that_of_the_official_network(
    network: UNetConfig, size: int, objective: Simple | Hybrid, expected: int
) -> None:
    config = TrainConfig(data=Digits(), network=network, objective=objective)
    assert training_parameters(config, described(size, classes=1000)) == expected


GAN = GanConfig(data=Digits(), latent=5, channels=4)


@pytest.mark.parametrize(
    "gan",
    [
        GAN,
        replace(GAN, channel_mult=(3,)),
        replace(GAN, channel_mult=(1, 1, 2, 4), latent=1),
        replace(GAN, channel_mult=(2, 1, 1), channels=6),
    ],
)
@pytest.mark.parametrize("channels", [1, 3, 4])
def test_the_count_of_a_gan_is_that_of_its_two_built_networks(
    gan: GanConfig, channels: int
) -> None:
    data = described(16, channels=channels, classes=7)
    with torch.device("meta"):
        built = build.gan_generator(gan, data), build.gan_discriminator(gan, data)
    assert gan_parameters(gan, data) == sum(p.numel() for net in built for p in net.parameters())
