"""Multiply-adds counted from a config, against the published ones and torch's own counter."""

from dataclasses import replace

import pytest
import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from iddpm import build
from iddpm.config import Digits, GanConfig, Hybrid, Photos, Simple, TrainConfig, UNetConfig
from iddpm.data import describe
from iddpm.networks.compute import (
    forward_multiply_adds,
    gan_multiply_adds,
    generator_multiply_adds,
    training_compute,
)

SMALL = UNetConfig(
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
    found = forward_multiply_adds(network, image_size=64, in_channels=3, out_channels=6)
    assert found / 1e9 == pytest.approx(giga, abs=0.005)  # the digits that are given


@pytest.mark.parametrize(
    "network",
    [
        SMALL,
        replace(SMALL, scale_shift=False),
        replace(SMALL, attention_resolutions=()),
        replace(SMALL, channel_mult=(1,), attention_resolutions=(16,), res_blocks=1),
        replace(SMALL, channel_mult=(2, 1)),
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
    config = TrainConfig(data=Digits(), network=replace(SMALL, channel_mult=(1, 2)))
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
    assert generator_multiply_adds(config, data) == G
    update = rounds * (G + 3 * 2 * D) + 3 * G + 2 * D
    assert gan_multiply_adds(config, data) == update * 3 * 7
