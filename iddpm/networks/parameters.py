"""How many numbers a network learns, counted from its config alone.

Layer by layer what `iddpm.networks.unet` and `iddpm.networks.gan` build, without building it: a
plan tells the size of a network of hundreds of millions of parameters before there is a GPU
library, or the data.
"""

from functools import lru_cache
from itertools import pairwise

from iddpm.config import GanConfig, TrainConfig, UNetConfig
from iddpm.data import Description


def training_parameters(config: TrainConfig, data: Description) -> int:
    """Parameters of the network that a training trains.

    Args:
        config: The training.
        data: What it is trained on.
    """
    return parameters(
        config.network,
        image_size=data.size,
        in_channels=data.channels,
        out_channels=data.channels * (1 if config.learned_variance is None else 2),
        classes=data.classes if config.network.class_conditional else None,
    )


@lru_cache
def parameters(
    network: UNetConfig,
    *,
    image_size: int,
    in_channels: int,
    out_channels: int,
    classes: int | None = None,
) -> int:
    """Parameters of the UNet.

    Args:
        network: The UNet.
        image_size: Side of the images in pixels; with it goes which levels have attention.
        in_channels: Channels of the images.
        out_channels: Channels of the output: twice those of the images with a learned variance.
        classes: Labels with an embedding of their own; None: unconditional.
    """
    first = network.model_channels
    told = 4 * first
    widths = [multiplier * first for multiplier in network.channel_mult]
    total = _linear(first, told) + _linear(told, told) + (classes or 0) * told
    total += _convolution(in_channels, first)
    width, skips = first, [first]
    for level, wide in enumerate(widths):
        for _ in range(network.res_blocks):
            total += _stage(network, image_size // 2**level, width, wide)
            width = wide
            skips.append(width)
        if level < len(widths) - 1:
            total += _convolution(width, width)
            skips.append(width)
    total += 2 * _residual(network, width, width) + _attention(width)
    for level, wide in reversed(list(enumerate(widths))):
        for _ in range(network.res_blocks + 1):
            total += _stage(network, image_size // 2**level, width + skips.pop(), wide)
            width = wide
        if level > 0:
            total += _convolution(width, width)
    return total + _norm(width) + _convolution(width, out_channels)


def gan_parameters(config: GanConfig, data: Description) -> int:
    """Parameters of a GAN's two networks together, as Table 4 counts those of BigGAN-deep.

    Args:
        config: The GAN.
        data: What it is trained on; it has labels.
    """
    assert data.classes is not None
    widths = [multiplier * config.channels for multiplier in config.channel_mult]
    return _generator(config, data, data.classes, widths) + _discriminator(
        data.channels, data.classes, widths
    )


def _generator(config: GanConfig, data: Description, classes: int, widths: list[int]) -> int:
    top, told = widths[-1], 2 * config.latent
    side = data.size // 2 ** (len(widths) - 1)
    total = classes * config.latent + _linear(told, top * side**2)
    for width_in, width in pairwise([top, *reversed(widths)]):
        total += _linear(told, 2 * width_in) + _linear(told, 2 * width)
        total += _two_convolutions(width_in, width)
    return total + _norm(widths[0]) + _convolution(widths[0], data.channels)


def _discriminator(channels: int, classes: int, widths: list[int]) -> int:
    blocks = sum(_two_convolutions(*pair) for pair in pairwise([channels, *widths]))
    return blocks + classes * widths[-1] + _linear(widths[-1], 1)


def _stage(network: UNetConfig, side: int, width_in: int, width: int) -> int:
    attends = side in network.attention_resolutions
    return _residual(network, width_in, width) + (_attention(width) if attends else 0)


def _residual(network: UNetConfig, width_in: int, width: int) -> int:
    told = _linear(4 * network.model_channels, width * (2 if network.scale_shift else 1))
    return _norm(width_in) + told + _norm(width) + _two_convolutions(width_in, width)


def _two_convolutions(width_in: int, width: int) -> int:
    """Those of a residual block, and the one that brings what passes it by to its width."""
    beside = _convolution(width_in, width, kernel=1) if width_in != width else 0
    return _convolution(width_in, width) + _convolution(width, width) + beside


def _attention(width: int) -> int:
    return _norm(width) + _linear(width, 3 * width) + _linear(width, width)


def _norm(width: int) -> int:
    return 2 * width


def _convolution(width_in: int, width: int, *, kernel: int = 3) -> int:
    return width_in * width * kernel**2 + width


def _linear(count_in: int, count: int) -> int:
    return count_in * count + count
