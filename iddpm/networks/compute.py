"""How much a network computes, counted from its config alone.

A forward pass takes so many multiply-adds: of convolutions, of linear layers and of the two
products of matrices in each attention. Norms, activations and additions are left out, as is usual.
The paper (arXiv:2102.09672, Section 6) calls one multiply-add a FLOP: its "roughly 39 billion
FLOPs" for the 128-channel ImageNet 64 network are the 39.74 billion of this count.
"""

from itertools import pairwise

from iddpm.config import GanConfig, TrainConfig, UNetConfig
from iddpm.data import Description

FORWARD_AND_BACK = 3
"""A training step computes the forward pass once, and about twice as much on the way back."""


def training_compute(config: TrainConfig, data: Description) -> int:
    """What the x axis of Fig. 10 shows: multiply-adds of the whole training, forwards and back.

    Args:
        config: The training.
        data: What it is trained on.
    """
    forward = forward_multiply_adds(
        config.network,
        image_size=data.size,
        in_channels=data.channels,
        out_channels=data.channels * (1 if config.learned_variance is None else 2),
    )
    return FORWARD_AND_BACK * forward * config.batch_size * config.steps


def forward_multiply_adds(
    network: UNetConfig, *, image_size: int, in_channels: int, out_channels: int
) -> int:
    """Multiply-adds of one pass of the UNet over one image.

    Args:
        network: The UNet.
        image_size: Side of the images in pixels.
        in_channels: Channels of the images.
        out_channels: Channels of the output: twice those of the images with a learned variance.
    """
    width = network.model_channels
    total = _embedding(network) + _convolution(image_size, in_channels, width)
    skips, levels = [width], list(enumerate(network.channel_mult))
    for level, multiplier in levels:
        side = image_size // 2**level
        for _ in range(network.res_blocks):
            total += _stage(network, side, width, multiplier)
            width = multiplier * network.model_channels
            skips.append(width)
        if level < levels[-1][0]:
            total += _convolution(side // 2, width, width)
            skips.append(width)
    total += 2 * _residual(network, side, width, width) + _attention(side, width)
    for level, multiplier in reversed(levels):
        side = image_size // 2**level
        for _ in range(network.res_blocks + 1):
            total += _stage(network, side, width + skips.pop(), multiplier)
            width = multiplier * network.model_channels
        if level > 0:
            total += _convolution(2 * side, width, width)
    return total + _convolution(image_size, width, out_channels)


def gan_multiply_adds(config: GanConfig, data: Description) -> int:
    """Multiply-adds of the whole training of a GAN.

    An update of the discriminator draws a batch, and passes it and a real one forwards and back; an
    update of the generator passes its batch through both networks, and back to its weights.

    Args:
        config: The GAN.
        data: What it is trained on.
    """
    drawn, judged = generator_multiply_adds(config, data), _discriminator(config, data)
    of_discriminator = drawn + 2 * FORWARD_AND_BACK * judged
    of_generator = FORWARD_AND_BACK * drawn + 2 * judged  # its weights stand still
    updates = config.discriminator_steps * of_discriminator + of_generator
    return updates * config.batch_size * config.steps


def generator_multiply_adds(config: GanConfig, data: Description) -> int:
    """Multiply-adds of a GAN's generator for one image.

    Args:
        config: The GAN.
        data: What it is trained on.
    """
    widths = [multiplier * config.channels for multiplier in config.channel_mult]
    told, side = 2 * config.latent, data.size // 2 ** (len(widths) - 1)
    total: int = told * widths[-1] * side**2
    for level, pair in enumerate(pairwise([widths[-1], *reversed(widths)])):
        total += told * 2 * sum(pair) + _two_convolutions(side * 2**level, *pair)
    return total + _convolution(data.size, widths[0], data.channels)


def _discriminator(config: GanConfig, data: Description) -> int:
    widths = [multiplier * config.channels for multiplier in config.channel_mult]
    blocks = enumerate(pairwise([data.channels, *widths]))
    return widths[-1] + sum(
        _two_convolutions(data.size // 2**level, *pair) for level, pair in blocks
    )


def _two_convolutions(side: int, width_in: int, width: int) -> int:
    """Those of a residual block, and the one that brings what passes it by to its width."""
    beside = _convolution(side, width_in, width, kernel=1) if width_in != width else 0
    return _convolution(side, width_in, width) + _convolution(side, width, width) + beside


def _embedding(network: UNetConfig) -> int:
    width = network.model_channels
    return width * 4 * width + 4 * width * 4 * width


def _stage(network: UNetConfig, side: int, width_in: int, multiplier: int) -> int:
    """A residual block and, at the sides that have it, attention."""
    width = multiplier * network.model_channels
    attends = side in network.attention_resolutions
    return _residual(network, side, width_in, width) + (_attention(side, width) if attends else 0)


def _residual(network: UNetConfig, side: int, width_in: int, width: int) -> int:
    told = 4 * network.model_channels * width * (2 if network.scale_shift else 1)
    return told + _two_convolutions(side, width_in, width)


def _attention(side: int, width: int) -> int:
    """Queries, keys and values; every pixel with every other, twice; and the way out."""
    pixels = side**2
    return pixels * width * 3 * width + 2 * pixels**2 * width + pixels * width * width


def _convolution(side: int, width_in: int, width: int, *, kernel: int = 3) -> int:
    """With `side` that of its output."""
    return side**2 * width_in * width * kernel**2
