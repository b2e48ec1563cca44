"""How many numbers a network learns and how much it computes, counted from its config alone.

A plan tells the size of a network of hundreds of millions of parameters before there is a GPU
library, or the data. A forward pass takes so many multiply-adds: of convolutions, of linear layers
and of the two products of matrices in each attention. Norms, activations and additions are left
out, as is usual. The paper (arXiv:2102.09672, Section 6) calls one multiply-add a FLOP: its
"roughly 39 billion FLOPs" for the 128-channel ImageNet 64 network are the 39.74 billion of this
count.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

from iddpm.config import GanConfig, TrainConfig, UNetConfig
from iddpm.data import Description
from iddpm.networks.layers import Layer, structure

FORWARD_AND_BACK = 3
"""A training step computes the forward pass once, and about twice as much on the way back."""


@dataclass(frozen=True, slots=True)
class Size:
    """What one image costs in a network or a part of it."""

    parameters: int = 0
    multiply_adds: int = 0
    """Of the forward pass."""

    def __add__(self, other: "Size") -> "Size":
        """Both together."""
        return Size(self.parameters + other.parameters, self.multiply_adds + other.multiply_adds)


# ------------------------------------------------------------------------------------- the UNet


def training_compute(config: TrainConfig, data: Description) -> int:
    """What the x axis of Fig. 10 shows: multiply-adds of the whole training, forwards and back.

    Args:
        config: The training.
        data: What it is trained on.
    """
    forward = trained_size(config, data).multiply_adds
    return FORWARD_AND_BACK * forward * config.batch_size * config.steps


def trained_size(config: TrainConfig, data: Description) -> Size:
    """The size of the network that a training trains.

    Args:
        config: The training.
        data: What it is trained on.
    """
    return unet_size(
        config.network,
        image_size=data.size,
        in_channels=data.channels * (1 if config.network.low_resolution is None else 2),
        out_channels=data.channels * (1 if config.learned_variance is None else 2),
        classes=data.classes if config.network.class_conditional else None,
    )


@lru_cache
def unet_size(
    network: UNetConfig,
    *,
    image_size: int,
    in_channels: int,
    out_channels: int,
    classes: int | None = None,
) -> Size:
    """The size of the UNet.

    Args:
        network: The UNet.
        image_size: Side of the images in pixels; with it goes which levels have attention.
        in_channels: Channels that the first convolution takes: those of the images, and again as
            many of smaller ones where it enlarges these.
        out_channels: Channels of the output: twice those of the images with a learned variance.
        classes: Labels with an embedding of their own; None: unconditional.
    """
    first = network.model_channels
    told = 4 * first
    layers = structure(
        in_channels=in_channels,
        image_size=image_size,
        model_channels=first,
        channel_mult=network.channel_mult,
        res_blocks=network.res_blocks,
        attention_resolutions=network.attention_resolutions,
    )
    last = network.channel_mult[0] * first
    return _sum(
        [
            _linear(first, told),
            _linear(told, told),
            _embedding(classes or 0, told),
            *(_layer(layer, told, scale_shift=network.scale_shift) for layer in layers),
            _norm(last),
            _convolution(image_size, last, out_channels),
        ]
    )


def _layer(layer: Layer, told: int, *, scale_shift: bool) -> Size:
    """The size of a layer; `told` is the width of what it hears of the timestep."""
    side, width = layer.side, layer.width
    if layer.kind == "attention":
        pixels = side**2
        ways = _linear(width, 3 * width, times=pixels) + _linear(width, width, times=pixels)
        return _norm(width) + ways + Size(multiply_adds=2 * pixels**2 * width)
    if layer.kind == "residual":
        hears = _linear(told, width * (2 if scale_shift else 1))
        norms = _norm(layer.width_in) + _norm(width)
        return norms + hears + _two_convolutions(side, layer.width_in, width)
    return _convolution(side, layer.width_in, width)


# -------------------------------------------------------------------------------------- the GAN


def gan_parameters(config: GanConfig, data: Description) -> int:
    """Parameters of a GAN's two networks together, as Table 4 counts those of BigGAN-deep.

    Args:
        config: The GAN.
        data: What it is trained on; it has labels.
    """
    return (generator_size(config, data) + _discriminator(config, data)).parameters


def gan_multiply_adds(config: GanConfig, data: Description) -> int:
    """Multiply-adds of the whole training of a GAN.

    An update of the discriminator draws a batch, and passes it and a real one forwards and back; an
    update of the generator passes its batch through both networks, and back to its weights.

    Args:
        config: The GAN.
        data: What it is trained on; it has labels.
    """
    drawn, judged = (part(config, data).multiply_adds for part in (generator_size, _discriminator))
    of_discriminator = drawn + 2 * FORWARD_AND_BACK * judged
    of_generator = FORWARD_AND_BACK * drawn + 2 * judged  # its weights stand still
    updates = config.discriminator_steps * of_discriminator + of_generator
    return updates * config.batch_size * config.steps


def generator_size(config: GanConfig, data: Description) -> Size:
    """The size of a GAN's generator.

    Args:
        config: The GAN.
        data: What it is trained on; it has labels.
    """
    assert data.classes is not None
    widths = [multiplier * config.channels for multiplier in config.channel_mult]
    top, told, side = widths[-1], 2 * config.latent, data.size // 2 ** (len(widths) - 1)
    blocks = [
        _linear(told, 2 * width_in)
        + _linear(told, 2 * width)
        + _two_convolutions(side * 2**level, width_in, width)
        for level, (width_in, width) in enumerate(pairwise([top, *reversed(widths)]))
    ]
    ends = [
        _embedding(data.classes, config.latent),
        _linear(told, top * side**2),
        _norm(widths[0]),
        _convolution(data.size, widths[0], data.channels),
    ]
    return _sum([*blocks, *ends])


def _discriminator(config: GanConfig, data: Description) -> Size:
    assert data.classes is not None
    widths = [multiplier * config.channels for multiplier in config.channel_mult]
    blocks = [
        _two_convolutions(data.size // 2**level, width_in, width)
        for level, (width_in, width) in enumerate(pairwise([data.channels, *widths]))
    ]
    return _sum([*blocks, _embedding(data.classes, widths[-1]), _linear(widths[-1], 1)])


# ---------------------------------------------------------------------------- what both are made of


def _sum(sizes: Iterable[Size]) -> Size:
    return sum(sizes, start=Size())


def _two_convolutions(side: int, width_in: int, width: int) -> Size:
    """Those of a residual block, and the one that brings what passes it by to its width."""
    beside = _convolution(side, width_in, width, kernel=1) if width_in != width else Size()
    return _convolution(side, width_in, width) + _convolution(side, width, width) + beside


def _convolution(side: int, width_in: int, width: int, *, kernel: int = 3) -> Size:
    """With `side` that of its output."""
    weights = width_in * width * kernel**2
    return Size(weights + width, side**2 * weights)


def _linear(count_in: int, count: int, *, times: int = 1) -> Size:
    """At so many places."""
    return Size(count_in * count + count, times * count_in * count)


def _norm(width: int) -> Size:
    return Size(2 * width)


def _embedding(count: int, width: int) -> Size:
    return Size(count * width)
