"""The UNet that predicts eps (or x_0, or v) and, where it is learned, the variance of a step.

Levels halve the image's side; each is a run of residual blocks told the timestep, with
self-attention at chosen sides, and the way up sees the way down through concatenated skips (paper,
arXiv:2102.09672, Appendix A; Ho et al. 2020, arXiv:2006.11239, Appendix B). Names and shapes of
the parameters are those of the official `UNetModel`, so that its checkpoints load as they are.
"""

import math
from collections.abc import Callable, Sequence
from functools import partial
from typing import TypeVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from iddpm.networks.conditioning import Conditioning
from iddpm.networks.layers import Layer, structure

Convolution = TypeVar("Convolution", nn.Conv1d, nn.Conv2d)


class UNet(nn.Module):
    """The paper's network for square images; untrained, it says zero.

    Args:
        in_channels: Channels of the images.
        out_channels: Channels of the output: those of the images, twice that with a learned
            variance (the prediction first).
        image_size: Side of the images in pixels.
        model_channels: Width of the first layer, C.
        channel_mult: Width of each level, in units of C; one level per entry.
        res_blocks: Residual blocks per level on the way down; there is one more on the way up.
        attention_resolutions: Sides of the feature maps, in pixels, that attend to themselves;
            the middle block always does.
        heads: Attention heads.
        groups: Groups of every GroupNorm.
        dropout: Probability of dropout in each residual block.
        scale_shift: The timestep enters as GroupNorm(h) (1 + w) + b; otherwise as
            GroupNorm(h + v), the way of Ho et al. (2020).
        classes: Number of labels, whose embedding is added to the timestep's; None: unconditional.
        low_resolution: Whether images are made from smaller ones, which are enlarged and
            concatenated to the input.
        timestep_scale: Factor between step numbers and what is embedded, 1000 / T for the
            official `rescale_timesteps` (not in the paper).

    Raises:
        ValueError: If the side cannot be halved once per level, no feature map has a side of
            `attention_resolutions`, or the heads do not divide an attending width.
    """

    def __init__(
        self,
        *,
        in_channels: int,
        out_channels: int,
        image_size: int,
        model_channels: int,
        channel_mult: Sequence[int],
        res_blocks: int,
        attention_resolutions: Sequence[int],
        heads: int,
        groups: int,
        dropout: float = 0.0,
        scale_shift: bool = True,
        classes: int | None = None,
        low_resolution: bool = False,
        timestep_scale: float = 1.0,
    ) -> None:
        super().__init__()
        self.image_shape = (in_channels, image_size, image_size)
        self.model_channels = model_channels
        self.low_resolution = low_resolution
        self.timestep_scale = timestep_scale

        embedding = 4 * model_channels
        layers = structure(
            in_channels=in_channels * (2 if low_resolution else 1),
            image_size=image_size,
            model_channels=model_channels,
            channel_mult=channel_mult,
            res_blocks=res_blocks,
            attention_resolutions=attention_resolutions,
        )
        residual = partial(
            ResBlock, embedding=embedding, groups=groups, dropout=dropout, scale_shift=scale_shift
        )
        attention = partial(AttentionBlock, heads=heads, groups=groups)
        built = partial(_built, residual=residual, attention=attention)
        self.time_embed = nn.Sequential(
            nn.Linear(model_channels, embedding), nn.SiLU(), nn.Linear(embedding, embedding)
        )
        self.label_emb = None if classes is None else nn.Embedding(classes, embedding)
        self.input_blocks = nn.ModuleList(Stage(map(built, stage)) for stage in layers.down)
        self.middle_block = Stage(map(built, layers.middle))
        self.output_blocks = nn.ModuleList(_enlarging(stage, built) for stage in layers.up)
        last = layers.up[-1][-1].width
        self.out = nn.Sequential(
            GroupNorm(groups, last), nn.SiLU(), _zeroed(_conv(last, out_channels))
        )

    def forward(self, x: Tensor, t: Tensor, conditioning: Conditioning | None = None) -> Tensor:
        """What the network says of noisy images, in the memory format of its weights.

        Args:
            x: Noisy images, shape (B, in_channels, image_size, image_size).
            t: Step number of the whole chain in [0, T), shape (B,).
            conditioning: Labels of shape (B,) where the network has classes, and images of any
                smaller size, (B, in_channels, h, w), where it enlarges them.

        Returns:
            Shape (B, out_channels, image_size, image_size).

        Raises:
            ValueError: If the images are not of the network's shape, or the conditioning is not
                what it was built for.
        """
        conditioning = conditioning or Conditioning()
        self._check(x, conditioning)
        emb = self._embedding(t, conditioning.labels, x.dtype)
        h = _joined(x, conditioning.low_resolution)
        skips = []
        for block in self.input_blocks:
            h = block(h, emb)
            skips.append(h)
        h = self.middle_block(h, emb)
        for block in self.output_blocks:
            h = block(torch.cat((h, skips.pop()), dim=1), emb)
        output: Tensor = self.out(h)
        return output

    def _embedding(self, t: Tensor, labels: Tensor | None, dtype: torch.dtype) -> Tensor:
        features = timestep_features(t * self.timestep_scale, self.model_channels)
        emb: Tensor = self.time_embed(features.to(dtype))
        return emb if self.label_emb is None else emb + self.label_emb(labels)

    def _check(self, x: Tensor, conditioning: Conditioning) -> None:
        if x.shape[1:] != self.image_shape:
            raise ValueError(
                f"x: expected shape (B, {', '.join(map(str, self.image_shape))}), "
                f"found {tuple(x.shape)}"
            )
        expected = {
            "labels": (self.label_emb is not None, conditioning.labels, "classes"),
            "low_resolution": (self.low_resolution, conditioning.low_resolution, "low_resolution"),
        }
        for name, (wanted, found, option) in expected.items():
            if wanted and found is None:
                raise ValueError(
                    f"conditioning.{name}: expected a tensor, found None; "
                    f"the network was built with {option}"
                )
            if found is not None and not wanted:
                raise ValueError(
                    f"conditioning.{name}: expected None, found a tensor of shape "
                    f"{tuple(found.shape)}; the network was built without {option}"
                )


def timestep_features(t: Tensor, count: int) -> Tensor:
    """Cosines, then sines, of t at `count / 2` frequencies from 1 down to 1/10000.

    Args:
        t: Step numbers, not necessarily whole, shape (B,).
        count: Number of features, even.

    Returns:
        Shape (B, count), float32.
    """
    half = count // 2
    octaves = torch.arange(half, dtype=torch.float32, device=t.device)
    frequencies = torch.exp(-math.log(10_000) * octaves / half)
    angles = t.float()[:, None] * frequencies
    return torch.cat((angles.cos(), angles.sin()), dim=1)


class Stage(nn.ModuleList):
    """Layers one after another, of which only the residual blocks are told the timestep."""

    def forward(self, h: Tensor, emb: Tensor) -> Tensor:
        """`h` after every layer; `emb` has shape (B, 4 C)."""
        for layer in self:
            h = layer(h, emb) if isinstance(layer, ResBlock) else layer(h)
        return h


class ResBlock(nn.Module):
    """Two normalised convolutions around the timestep, added to the input.

    The second convolution starts at zero, so the block starts as its skip connection.
    """

    def __init__(
        self,
        width_in: int,
        width: int,
        *,
        embedding: int,
        groups: int,
        dropout: float,
        scale_shift: bool,
    ) -> None:
        super().__init__()
        self.scale_shift = scale_shift
        self.in_layers = nn.Sequential(
            GroupNorm(groups, width_in), nn.SiLU(), _conv(width_in, width)
        )
        self.emb_layers = nn.Sequential(
            nn.SiLU(), nn.Linear(embedding, 2 * width if scale_shift else width)
        )
        self.out_layers = nn.Sequential(
            GroupNorm(groups, width), nn.SiLU(), nn.Dropout(dropout), _zeroed(_conv(width, width))
        )
        self.skip_connection = (
            nn.Identity() if width_in == width else nn.Conv2d(width_in, width, kernel_size=1)
        )

    def forward(self, x: Tensor, emb: Tensor) -> Tensor:
        """(B, width_in, H, W) and (B, embedding) to (B, width, H, W)."""
        h = self.in_layers(x)
        emb = self.emb_layers(emb)[:, :, None, None]
        norm, silu, dropout, conv = self.out_layers
        if self.scale_shift:
            scale, shift = emb.chunk(2, dim=1)
            h = torch.addcmul(shift, norm(h), 1 + scale)
        else:
            h = norm(h + emb)
        output: Tensor = self.skip_connection(x) + conv(dropout(silu(h)))
        return output


class AttentionBlock(nn.Module):
    """Self-attention between the pixels of a feature map, added to the input; starts as identity.

    The 3c channels of `qkv` are ordered by head, then query, key and value: the official code's
    order, and so that of its released checkpoints.
    """

    def __init__(self, width: int, *, heads: int, groups: int) -> None:
        super().__init__()
        if width % heads:
            raise ValueError(f"heads: expected a divisor of the width {width}, found {heads}")
        self.heads = heads
        self.norm = GroupNorm(groups, width)
        self.qkv = nn.Conv1d(width, 3 * width, kernel_size=1)
        self.proj_out = _zeroed(nn.Conv1d(width, width, kernel_size=1))

    def forward(self, x: Tensor) -> Tensor:
        """(B, width, H, W) to the same shape."""
        pixels = self.norm(x).flatten(2).mT
        qkv = _pointwise(self.qkv, pixels).view(*pixels.shape[:2], self.heads, 3, -1)
        query, key, value = qkv.permute(3, 0, 2, 1, 4)
        attended = F.scaled_dot_product_attention(query, key, value).transpose(1, 2).flatten(2)
        return x + _pointwise(self.proj_out, attended).mT.reshape(x.shape)


class GroupNorm(nn.GroupNorm):
    """GroupNorm that computes in float32 where its input has less."""

    def forward(self, input: Tensor) -> Tensor:
        """The same shape and dtype, each group of channels of each image normalised."""
        exact = torch.promote_types(input.dtype, torch.float32)
        weight, bias = self.weight.to(exact), self.bias.to(exact)
        normalise = partial(
            F.group_norm, num_groups=self.num_groups, weight=weight, bias=bias, eps=self.eps
        )
        if input.is_cuda and not torch.compiler.is_compiling():
            return as_it_lies(normalise, input, exact)
        return normalise(input.to(exact)).to(input.dtype)


def as_it_lies(normalise: Callable[[Tensor], Tensor], x: Tensor, exact: torch.dtype) -> Tensor:
    """What a function that knows one memory format makes of images, in theirs.

    Torch's GroupNorm on a GPU is one. The casts, which are needed anyway, turn the images.

    Args:
        normalise: Gives the shape that it takes.
        x: Images, shape (B, C, H, W), with channels first or last in memory.
        exact: The type to compute in.
    """
    is_last = x.is_contiguous(memory_format=torch.channels_last)
    lies = torch.channels_last if is_last else torch.contiguous_format
    turned = x.to(exact, memory_format=torch.contiguous_format)
    return normalise(turned).to(x.dtype, memory_format=lies)


class Downsample(nn.Module):
    """Half the side, by a convolution of stride 2."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.op = nn.Conv2d(width, width, kernel_size=3, stride=2, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """(B, width, H, W) to (B, width, H / 2, W / 2)."""
        output: Tensor = self.op(x)
        return output


class Upsample(nn.Module):
    """Twice the side: each pixel becomes four, then a convolution."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv = _conv(width, width)

    def forward(self, x: Tensor) -> Tensor:
        """(B, width, H, W) to (B, width, 2 H, 2 W)."""
        output: Tensor = self.conv(F.interpolate(x, scale_factor=2, mode="nearest"))
        return output


def _enlarging(stage: Sequence[Layer], built: Callable[[Layer], nn.Module]) -> Stage:
    """A stage of the way up, whose upsampling draws its weights before what comes before it.

    What a seed draws rests on this order, and so does every trained network.
    """
    *others, last = stage
    enlarge = [built(last)] if last.kind == "upsample" else []
    first = others if enlarge else stage
    return Stage([*map(built, first), *enlarge])


def _built(
    layer: Layer,
    *,
    residual: Callable[[int, int], nn.Module],
    attention: Callable[[int], nn.Module],
) -> nn.Module:
    """The module of a layer, with what makes a residual block and an attention block."""
    match layer.kind:
        case "residual":
            return residual(layer.width_in, layer.width)
        case "attention":
            return attention(layer.width)
        case "downsample":
            return Downsample(layer.width)
        case "upsample":
            return Upsample(layer.width)
        case "convolution":
            return _conv(layer.width_in, layer.width)


def _joined(x: Tensor, low_resolution: Tensor | None) -> Tensor:
    """The images, and behind their channels the smaller ones enlarged to the same side."""
    if low_resolution is None:
        return x
    enlarged = F.interpolate(low_resolution, size=x.shape[2:], mode="bilinear")
    return torch.cat((x, enlarged), dim=1)


def _conv(width_in: int, width: int) -> nn.Conv2d:
    return nn.Conv2d(width_in, width, kernel_size=3, padding=1)


def _zeroed(module: Convolution) -> Convolution:
    for parameter in module.parameters():
        nn.init.zeros_(parameter)
    return module


def _pointwise(conv: nn.Conv1d, pixels: Tensor) -> Tensor:
    """A convolution of kernel 1 over (B, pixels, channels): one product of matrices."""
    return F.linear(pixels, conv.weight.squeeze(2), conv.bias)
