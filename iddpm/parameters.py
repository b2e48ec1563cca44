"""How many numbers a network learns, counted from its config alone.

Layer by layer what `iddpm.unet` builds, without building it: a plan tells the size of a network of
hundreds of millions of parameters before there is a GPU library, or the data.
"""

from iddpm.config import TrainConfig, UNetConfig
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


def _stage(network: UNetConfig, side: int, width_in: int, width: int) -> int:
    attends = side in network.attention_resolutions
    return _residual(network, width_in, width) + (_attention(width) if attends else 0)


def _residual(network: UNetConfig, width_in: int, width: int) -> int:
    told = _linear(4 * network.model_channels, width * (2 if network.scale_shift else 1))
    skip = _convolution(width_in, width, kernel=1) if width_in != width else 0
    first = _norm(width_in) + _convolution(width_in, width)
    return first + told + _norm(width) + _convolution(width, width) + skip


def _attention(width: int) -> int:
    return _norm(width) + _linear(width, 3 * width) + _linear(width, width)


def _norm(width: int) -> int:
    return 2 * width


def _convolution(width_in: int, width: int, *, kernel: int = 3) -> int:
    return width_in * width * kernel**2 + width


def _linear(count_in: int, count: int) -> int:
    return count_in * count + count
