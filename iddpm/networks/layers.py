"""The UNet layer by layer, as plain values: what `iddpm.networks.unet` builds and `size` counts.

Nothing of it needs torch, so that a plan can ask how large a network is that nobody has built.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Layer:
    """One layer of a stage."""

    kind: Literal["convolution", "residual", "attention", "downsample", "upsample"]
    width_in: int
    """Channels that it takes."""
    width: int
    """Channels that it gives."""
    side: int
    """Pixels along each side of the feature maps that it gives."""


Stage = tuple[Layer, ...]
"""Layers one after another."""


@dataclass(frozen=True, slots=True)
class Structure:
    """The three parts between the embedding of the timestep and the output."""

    down: tuple[Stage, ...]
    """From the image to the coarsest level; each hands what it gives across, to a stage of `up`."""
    middle: Stage
    """At the coarsest level, which always has attention."""
    up: tuple[Stage, ...]
    """Back to the finest level; each takes what the one before it gave and what was handed across,
    the last first."""

    def __iter__(self) -> Iterator[Layer]:
        """Every layer, in the order in which an image passes them."""
        for stage in (*self.down, self.middle, *self.up):
            yield from stage


def structure(
    *,
    in_channels: int,
    image_size: int,
    model_channels: int,
    channel_mult: Sequence[int],
    res_blocks: int,
    attention_resolutions: Sequence[int],
) -> Structure:
    """The layers of a UNet with these settings, which are those of `iddpm.networks.unet.UNet`.

    Raises:
        ValueError: If the side cannot be halved once per level, or no feature map has a side of
            `attention_resolutions`.
    """
    sides = _sides(image_size, len(channel_mult), attention_resolutions)
    widths = [multiplier * model_channels for multiplier in channel_mult]
    coarsest = len(widths) - 1

    def stage(width_in: int, level: int) -> Stage:
        width, side = widths[level], sides[level]
        residual = Layer("residual", width_in, width, side)
        attends = side in attention_resolutions
        return (residual, Layer("attention", width, width, side)) if attends else (residual,)

    down: list[Stage] = [(Layer("convolution", in_channels, model_channels, image_size),)]
    for level, width in enumerate(widths):
        for _ in range(res_blocks):
            down.append(stage(down[-1][-1].width, level))
        if level < coarsest:
            down.append((Layer("downsample", width, width, sides[level + 1]),))
    width, side = widths[-1], sides[-1]
    residual = Layer("residual", width, width, side)
    middle = (residual, Layer("attention", width, width, side), residual)
    up: list[Stage] = []
    handed = [each[-1].width for each in down]
    for level in reversed(range(len(widths))):
        for block in range(res_blocks + 1):
            layers = stage(width + handed.pop(), level)
            width = widths[level]
            is_last = level > 0 and block == res_blocks
            enlarge = (Layer("upsample", width, width, sides[level - 1]),) if is_last else ()
            up.append((*layers, *enlarge))
    return Structure(tuple(down), middle, tuple(up))


def _sides(image_size: int, levels: int, attention_resolutions: Sequence[int]) -> list[int]:
    """The side of every level's feature maps."""
    if image_size % 2 ** (levels - 1):
        raise ValueError(
            f"image_size: expected a multiple of {2 ** (levels - 1)}, to be halved between "
            f"{levels} levels, found {image_size}"
        )
    sides = [image_size // 2**level for level in range(levels)]
    if not set(attention_resolutions) <= set(sides):
        raise ValueError(
            f"attention_resolutions: expected sides of feature maps ({_words(sides)}), "
            f"found {_words(attention_resolutions)}"
        )
    return sides


def _words(numbers: Sequence[int]) -> str:
    return ", ".join(map(str, numbers))
