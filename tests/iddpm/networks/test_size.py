"""Parameters and multiply-adds of networks, counted from their settings."""

from dataclasses import replace

import pytest
import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from iddpm import build
from iddpm.config import Digits, GanConfig, Hybrid, Photos, Simple, TrainConfig, UNetConfig
from iddpm.data import Description, describe
from iddpm.networks.size import (
    gan_multiply_adds,
    gan_parameters,
    generator_size,
    trained_size,
    training_compute,
    unet_size,
)

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
    assert trained_size(config, data).parameters == sum(p.numel() for p in built.parameters())


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
    assert trained_size(config, described(size, classes=1000)).parameters == expected


GAN = GanConfig(data=Digits(), latent=5, channels=4)


@pytest.mark.parametrize(
    ("gan", "channels"),
    [
        (GAN, 1),
        (replace(GAN, channel_mult=(3,)), 3),
        (replace(GAN, channel_mult=(1, 1, 2, 4), latent=1), 4),
        (replace(GAN, channel_mult=(2, 1, 1), channels=6), 2),
    ],
)
def test_the_count_of_a_gan_is_that_of_its_two_built_networks(
    gan: GanConfig, channels: int
) -> None:
    data = described(16, channels=channels, classes=7)
    with torch.device("meta"):
        built = build.gan_generator(gan, data), build.gan_discriminator(gan, data)
    assert gan_parameters(gan, data) == sum(p.numel() for net in built for p in net.parameters())


TWO_HEADS = UNetConfig(
    model_channels=8,
    channel_mult=(1, 2, 3),
    res_blocks=2,
    attention_resolutions=(8, 4),
    heads=2,
    groups=4,
)


@pytest.mark.parametrize(
    ("channels", "giga"), [(64, 10.04), (96, 22.43), (128, 39.74), (192, 89.09)]
)
def test_the_networks_of_fig_10_take_what_the_paper_prints(channels: int, giga: float) -> None:
    network = UNetConfig(model_channels=channels, channel_mult=(1, 2, 3, 4))
    found = unet_size(network, image_size=64, in_channels=3, out_channels=6).multiply_adds
    assert found / 1e9 == pytest.approx(giga, abs=0.005)  # the digits that are given


@pytest.mark.parametrize(
    "network",
    [
        TWO_HEADS,
        replace(TWO_HEADS, scale_shift=False),
        replace(TWO_HEADS, attention_resolutions=()),
        replace(TWO_HEADS, channel_mult=(1,), attention_resolutions=(16,), res_blocks=1),
        replace(TWO_HEADS, channel_mult=(2, 1)),
    ],
)
@pytest.mark.parametrize("objective", [Simple(), Hybrid()])
def test_the_count_is_that_of_torch(network: UNetConfig, objective: Simple | Hybrid) -> None:
    config = TrainConfig(
        data=Photos(), network=replace(network, attention_resolutions=_sides(network)),
        objective=objective, batch_size=5, steps=7,
    )  # fmt: skip
    data = describe(config.data)
    unet = build.network(config, data).eval()
    x = torch.zeros(1, data.channels, data.size, data.size)
    counter = FlopCounterMode(display=False)
    with torch.no_grad(), sdpa_kernel(SDPBackend.MATH), counter:
        unet(x, torch.zeros(1))
    multiply_adds, rest = divmod(counter.get_total_flops(), 2)
    assert rest == 0
    assert training_compute(config, data) == 3 * 5 * 7 * multiply_adds


def _sides(network: UNetConfig) -> tuple[int, ...]:
    """Those of its attention that images of 16 pixels have."""
    sides = {16 // 2**level for level in range(len(network.channel_mult))}
    return tuple(side for side in network.attention_resolutions if side in sides)


def test_compute_is_in_proportion_to_images_seen() -> None:
    config = TrainConfig(data=Digits(), network=replace(TWO_HEADS, channel_mult=(1, 2)))
    data = describe(config.data)
    twice = replace(config, steps=2 * config.steps)
    assert training_compute(twice, data) == 2 * training_compute(config, data)


@pytest.mark.parametrize("channel_mult", [(1,), (1, 2), (1, 2, 2)])
@pytest.mark.parametrize("rounds", [1, 2])
def test_the_count_of_a_gan_is_that_of_torch(channel_mult: tuple[int, ...], rounds: int) -> None:
    config = GanConfig(
        data=Digits(), latent=5, channels=6, channel_mult=channel_mult, batch_size=3,
        discriminator_steps=rounds, steps=7,
    )  # fmt: skip
    data = describe(config.data)
    generator, discriminator = (
        made(config, data) for made in (build.gan_generator, build.gan_discriminator)
    )
    labels = torch.zeros(1, dtype=torch.int64)

    def counted(of: torch.nn.Module, x: torch.Tensor) -> int:
        counter = FlopCounterMode(display=False)
        with torch.no_grad(), counter:
            of.eval()(x, labels)
        return int(counter.get_total_flops()) // 2

    G = counted(generator, torch.zeros(1, 5))
    D = counted(discriminator, torch.zeros(1, data.channels, data.size, data.size))
    assert generator_size(config, data).multiply_adds == G
    update = rounds * (G + 3 * 2 * D) + 3 * G + 2 * D
    assert gan_multiply_adds(config, data) == update * 3 * 7
