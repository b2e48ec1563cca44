"""Inception-V3 as the Fréchet Inception Distance reads it: 2048 features of the last pooling.

The network is that of Szegedy et al. (2015, arXiv:1512.00567), with the departures of the graph
published on 2015-12-05, over whose features the literature's FIDs are: an average over a border
counts no padding, the last block pools by the maximum, images are scaled to 299 pixels by bilinear
interpolation whose corners lie on each other and without any smoothing, and pixels are (v - 128) /
128. Names and shapes of the weights are those of the file that carries that graph to PyTorch.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from iddpm.arrays import Float32Array
from iddpm.bounds import ConfigError
from iddpm.evaluation.weights_file import SOURCE, check_weights
from iddpm.networks.weights import read_weights, take_weights

NAME, OTHER = "inception-2015-12-05", "inception"
"""What the published weights are called, and any others: no distance over those is an FID."""
RESIZE = "TF1 bilinear to 299"
FEATURES = 2048
SIDE = 299
LEVELS = 256
IGNORED = ("fc.", "AuxLogits.")
"""Beginnings of names in the file that say classes, not features."""
CLASSES = "fc.weight"
"""The layer that an Inception Score reads: a row for each of the graph's classes."""
SPATIAL, SPATIAL_CHANNELS = "Mixed_6d", 7
"""Spatial features are the first channels of this block, which are those of its path of 1 x 1 with
the negative part cut off: `mixed_6/conv` in the evaluator of guided-diffusion."""

Step = str | tuple[str, ...]
"""A layer by name, or several whose outputs are joined."""


class Inception(nn.Module):
    """Features of colour images; its weights come from a file."""

    def __init__(self) -> None:
        super().__init__()
        for name, layer in _stem().items():
            self.add_module(name, layer)
        for name, block in _blocks().items():
            self.add_module(name, block)

    def forward(self, images: Tensor) -> Tensor:
        """From images in [-1, 1] of 256 levels, shape (B, 3, H, W), to features (B, 2048)."""
        return self.read(images)[0]

    def read(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Features, and spatial ones (B, 2023): by place, and by channel within it."""
        levels = ((images + 1) * ((LEVELS - 1) / 2)).round()
        h = (resized(levels, SIDE) - 128) / 128
        for name, layer in self.named_children():
            h = layer(h)
            if name in ("Conv2d_2b_3x3", "Conv2d_4a_3x3"):
                h = _halved(h)
            if name == SPATIAL:
                spatial = h[:, :SPATIAL_CHANNELS].permute(0, 2, 3, 1).flatten(1)
        return h.mean((2, 3)), spatial


class WithSpatial(nn.Module):
    """Features and spatial features in one row, shape (B, 2048 + 2023)."""

    def __init__(self, network: Inception) -> None:
        super().__init__()
        self.network = network

    def forward(self, images: Tensor) -> Tensor:
        """As `Inception.read`."""
        return torch.cat(self.network.read(images), dim=1)


def resized(images: Tensor, side: int) -> Tensor:
    """Bilinear interpolation that puts pixel i of the result at i * (old side / new side).

    Args:
        images: Shape (B, C, H, W).
        side: Of the result, in pixels.

    Returns:
        Shape (B, C, side, side).
    """
    for dimension in (2, 3):
        images = _resized_along(images, dimension, side)
    return images


def _resized_along(images: Tensor, dimension: int, side: int) -> Tensor:
    count = images.shape[dimension]
    places = torch.arange(side, device=images.device, dtype=torch.float32) * (count / side)
    before = places.floor().long().clamp(max=count - 1)
    after = (before + 1).clamp(max=count - 1)
    shape = (-1, 1) if dimension == 2 else (-1,)
    share = (places - before).to(images.dtype).view(shape)
    low, high = images.index_select(dimension, before), images.index_select(dimension, after)
    return low + (high - low) * share


# ------------------------------------------------------------------------------------ the weights


def load_inception(path: Path, sha256: str) -> Inception:
    """The network with the weights of a file, on the CPU.

    Raises:
        ConfigError: If the file is missing, has another hash, or does not hold these weights.
    """
    check_weights(path, sha256)
    network, refusal = empty_inception(), partial(_no_weights, path)
    found = {
        name: value
        for name, value in read_weights(path, refusal).items()
        if not name.startswith(IGNORED) and not name.endswith("num_batches_tracked")
    }
    take_weights(network, found, refusal)
    return network.eval()


def load_classes(path: Path) -> Float32Array:
    """Weights of the classes, shape (C, 2048), from the same file; their biases are left out.

    Raises:
        ConfigError: If the file does not hold them.
    """
    weights = read_weights(path, partial(_no_weights, path)).get(CLASSES)
    if not isinstance(weights, Tensor) or weights.ndim != 2 or weights.shape[1] != FEATURES:
        shown = f"{CLASSES} of {tuple(weights.shape)}" if isinstance(weights, Tensor) else "none"
        raise _no_weights(path, f"{shown} where the classes of an Inception Score should be")
    found: Float32Array = weights.float().numpy()
    return found


def empty_inception() -> Inception:
    """The network without numbers, to be given weights by `load_state_dict(..., assign=True)`."""
    with torch.device("meta"):
        return Inception()


def _no_weights(path: Path, found: str) -> ConfigError:
    return ConfigError(
        "extractor.inception.path", f"the weights of Inception-V3 in {path}", found, f"get {SOURCE}"
    )


# ------------------------------------------------------------------------------------- the layers


class ConvNorm(nn.Module):
    """A convolution, normalised by fixed statistics, its negative part cut off."""

    def __init__(
        self,
        width_in: int,
        width: int,
        kernel: int | tuple[int, int],
        *,
        stride: int = 1,
        pad: bool,
    ) -> None:
        super().__init__()
        height, wide = (kernel, kernel) if isinstance(kernel, int) else kernel
        self.conv = nn.Conv2d(
            width_in,
            width,
            (height, wide),
            stride=stride,
            padding=(height // 2, wide // 2) if pad else 0,
            bias=False,
        ).requires_grad_(False)
        self.bn = FixedNorm(width)

    def forward(self, x: Tensor) -> Tensor:
        """(B, width_in, H, W) to (B, width, H', W')."""
        return F.relu(self.bn(self.conv(x)))


class FixedNorm(nn.Module):
    """Batch normalisation by statistics that never change."""

    EPS = 1e-3

    weight: Tensor
    bias: Tensor
    running_mean: Tensor
    running_var: Tensor

    def __init__(self, width: int) -> None:
        super().__init__()
        for name in ("weight", "bias", "running_mean", "running_var"):
            self.register_buffer(name, torch.ones(width))

    def forward(self, x: Tensor) -> Tensor:
        """The same shape."""
        mean, variance = self.running_mean, self.running_var
        return F.batch_norm(x, mean, variance, self.weight, self.bias, eps=self.EPS)


class Block(nn.Module):
    """Paths of layers from the same input, their outputs joined.

    Args:
        layers: By name.
        paths: Each a row of steps: names of layers, or of pools.
    """

    def __init__(self, layers: Mapping[str, ConvNorm], paths: Sequence[Sequence[Step]]) -> None:
        super().__init__()
        for name, layer in layers.items():
            self.add_module(name, layer)
        self.paths = paths

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) to (B, C', H', W')."""
        return torch.cat([self._along(path, x) for path in self.paths], dim=1)

    def _along(self, path: Sequence[Step], x: Tensor) -> Tensor:
        for step in path:
            if isinstance(step, tuple):
                x = torch.cat([self._layer(name)(x) for name in step], dim=1)
            else:
                x = self._layer(step)(x)
        return x

    def _layer(self, name: str) -> Callable[[Tensor], Tensor]:
        return POOLS[name] if name in POOLS else self.get_submodule(name)


def _averaged(x: Tensor) -> Tensor:
    return F.avg_pool2d(x, 3, stride=1, padding=1, count_include_pad=False)


def _maximal(x: Tensor) -> Tensor:
    return F.max_pool2d(x, 3, stride=1, padding=1)


def _halved(x: Tensor) -> Tensor:
    return F.max_pool2d(x, 3, stride=2)


POOLS: dict[str, Callable[[Tensor], Tensor]] = {
    "average": _averaged,
    "maximum": _maximal,
    "halve": _halved,
}


def _stem() -> dict[str, ConvNorm]:
    return {
        "Conv2d_1a_3x3": ConvNorm(3, 32, 3, stride=2, pad=False),
        "Conv2d_2a_3x3": ConvNorm(32, 32, 3, pad=False),
        "Conv2d_2b_3x3": ConvNorm(32, 64, 3, pad=True),
        "Conv2d_3b_1x1": ConvNorm(64, 80, 1, pad=False),
        "Conv2d_4a_3x3": ConvNorm(80, 192, 3, pad=False),
    }


def _blocks() -> dict[str, Block]:
    return {
        "Mixed_5b": _fives(192, pooled=32),
        "Mixed_5c": _fives(256, pooled=64),
        "Mixed_5d": _fives(288, pooled=64),
        "Mixed_6a": _first_halving(288),
        "Mixed_6b": _sevens(768, 128),
        "Mixed_6c": _sevens(768, 160),
        "Mixed_6d": _sevens(768, 160),
        "Mixed_6e": _sevens(768, 192),
        "Mixed_7a": _second_halving(768),
        "Mixed_7b": _forks(1280, pool="average"),
        "Mixed_7c": _forks(2048, pool="maximum"),
    }


ROW, COLUMN = (1, 7), (7, 1)


def _chain(name: str, *layers: ConvNorm) -> dict[str, ConvNorm]:
    """Layers of one path, numbered from 1."""
    return {f"{name}_{i}": layer for i, layer in enumerate(layers, start=1)}


def _padded(width_in: int, width: int, kernel: int | tuple[int, int]) -> ConvNorm:
    return ConvNorm(width_in, width, kernel, pad=True)


def _halving(width_in: int, width: int) -> ConvNorm:
    return ConvNorm(width_in, width, 3, stride=2, pad=False)


def _fives(width: int, *, pooled: int) -> Block:
    single = {"branch1x1": _padded(width, 64, 1)}
    five = _chain("branch5x5", _padded(width, 48, 1), _padded(48, 64, 5))
    double = _chain("branch3x3dbl", _padded(width, 64, 1), _padded(64, 96, 3), _padded(96, 96, 3))
    pool = {"branch_pool": _padded(width, pooled, 1)}
    paths = [list(single), list(five), list(double), ["average", *pool]]
    return Block({**single, **five, **double, **pool}, paths)


def _first_halving(width: int) -> Block:
    single = {"branch3x3": _halving(width, 384)}
    double = _chain("branch3x3dbl", _padded(width, 64, 1), _padded(64, 96, 3), _halving(96, 96))
    return Block({**single, **double}, [list(single), list(double), ["halve"]])


def _sevens(width: int, inner: int) -> Block:
    single = {"branch1x1": _padded(width, 192, 1)}
    seven = _chain(
        "branch7x7",
        _padded(width, inner, 1),
        _padded(inner, inner, ROW),
        _padded(inner, 192, COLUMN),
    )
    double = _chain(
        "branch7x7dbl",
        _padded(width, inner, 1),
        _padded(inner, inner, COLUMN),
        _padded(inner, inner, ROW),
        _padded(inner, inner, COLUMN),
        _padded(inner, 192, ROW),
    )
    pool = {"branch_pool": _padded(width, 192, 1)}
    paths = [list(single), list(seven), list(double), ["average", *pool]]
    return Block({**single, **seven, **double, **pool}, paths)


def _second_halving(width: int) -> Block:
    three = _chain("branch3x3", _padded(width, 192, 1), _halving(192, 320))
    seven = _chain(
        "branch7x7x3",
        _padded(width, 192, 1),
        _padded(192, 192, ROW),
        _padded(192, 192, COLUMN),
        _halving(192, 192),
    )
    return Block({**three, **seven}, [list(three), list(seven), ["halve"]])


def _forks(width: int, *, pool: str) -> Block:
    layers = {
        "branch1x1": _padded(width, 320, 1),
        "branch3x3_1": _padded(width, 384, 1),
        "branch3x3_2a": _padded(384, 384, (1, 3)),
        "branch3x3_2b": _padded(384, 384, (3, 1)),
        "branch3x3dbl_1": _padded(width, 448, 1),
        "branch3x3dbl_2": _padded(448, 384, 3),
        "branch3x3dbl_3a": _padded(384, 384, (1, 3)),
        "branch3x3dbl_3b": _padded(384, 384, (3, 1)),
        "branch_pool": _padded(width, 192, 1),
    }
    paths: list[list[Step]] = [
        ["branch1x1"],
        ["branch3x3_1", ("branch3x3_2a", "branch3x3_2b")],
        ["branch3x3dbl_1", "branch3x3dbl_2", ("branch3x3dbl_3a", "branch3x3dbl_3b")],
        [pool, "branch_pool"],
    ]
    return Block(layers, paths)
