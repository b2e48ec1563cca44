"""Inception-V3 written out once more, line by line, from tensors alone; and random weights for it.

Convolutions are torch's; normalisation, padding of averages, joints and the scaling of images are
spelled out here, from the published description.
"""

import hashlib
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

Weights = dict[str, Tensor]

LAYERS = """
Conv2d_1a_3x3 3 32 3 3
Conv2d_2a_3x3 32 32 3 3
Conv2d_2b_3x3 32 64 3 3
Conv2d_3b_1x1 64 80 1 1
Conv2d_4a_3x3 80 192 3 3
Mixed_6a.branch3x3 288 384 3 3
Mixed_6a.branch3x3dbl_1 288 64 1 1
Mixed_6a.branch3x3dbl_2 64 96 3 3
Mixed_6a.branch3x3dbl_3 96 96 3 3
Mixed_7a.branch3x3_1 768 192 1 1
Mixed_7a.branch3x3_2 192 320 3 3
Mixed_7a.branch7x7x3_1 768 192 1 1
Mixed_7a.branch7x7x3_2 192 192 1 7
Mixed_7a.branch7x7x3_3 192 192 7 1
Mixed_7a.branch7x7x3_4 192 192 3 3
"""
FIVES = """
branch1x1 {w} 64 1 1
branch5x5_1 {w} 48 1 1
branch5x5_2 48 64 5 5
branch3x3dbl_1 {w} 64 1 1
branch3x3dbl_2 64 96 3 3
branch3x3dbl_3 96 96 3 3
branch_pool {w} {p} 1 1
"""
SEVENS = """
branch1x1 768 192 1 1
branch7x7_1 768 {c} 1 1
branch7x7_2 {c} {c} 1 7
branch7x7_3 {c} 192 7 1
branch7x7dbl_1 768 {c} 1 1
branch7x7dbl_2 {c} {c} 7 1
branch7x7dbl_3 {c} {c} 1 7
branch7x7dbl_4 {c} {c} 7 1
branch7x7dbl_5 {c} 192 1 7
branch_pool 768 192 1 1
"""
FORKS = """
branch1x1 {w} 320 1 1
branch3x3_1 {w} 384 1 1
branch3x3_2a 384 384 1 3
branch3x3_2b 384 384 3 1
branch3x3dbl_1 {w} 448 1 1
branch3x3dbl_2 448 384 3 3
branch3x3dbl_3a 384 384 1 3
branch3x3dbl_3b 384 384 3 1
branch_pool {w} 192 1 1
"""


def shapes() -> dict[str, tuple[int, int, int, int]]:
    """Of every convolution: channels in and out, height and width of its kernel."""
    found = {}
    texts = [("", LAYERS)]
    texts += [(f"Mixed_5{x}.", FIVES.format(w=w, p=p)) for x, w, p in
              (("b", 192, 32), ("c", 256, 64), ("d", 288, 64))]  # fmt: skip
    texts += [(f"Mixed_6{x}.", SEVENS.format(c=c)) for x, c in
              (("b", 128), ("c", 160), ("d", 160), ("e", 192))]  # fmt: skip
    texts += [(f"Mixed_7{x}.", FORKS.format(w=w)) for x, w in (("b", 1280), ("c", 2048))]
    for prefix, text in texts:
        for line in text.split("\n"):
            if line:
                name, a, b, c, d = line.split()
                found[prefix + name] = (int(a), int(b), int(c), int(d))
    return found


def random_weights(seed: int = 0) -> Weights:
    """Weights under the names of the published file, that keep the size of what passes through."""
    draws = torch.Generator().manual_seed(seed)
    weights: Weights = {}
    for name, (width_in, width, height, wide) in shapes().items():
        scale = (2 / (width_in * height * wide)) ** 0.5
        kernel = torch.randn(width, width_in, height, wide, generator=draws)
        weights[f"{name}.conv.weight"] = kernel * scale
        weights[f"{name}.bn.weight"] = 0.8 + 0.4 * torch.rand(width, generator=draws)
        weights[f"{name}.bn.bias"] = 0.2 * torch.randn(width, generator=draws)
        weights[f"{name}.bn.running_mean"] = 0.2 * torch.randn(width, generator=draws)
        weights[f"{name}.bn.running_var"] = 0.5 + torch.rand(width, generator=draws)
        weights[f"{name}.bn.num_batches_tracked"] = torch.tensor(0)
    weights["fc.weight"] = torch.zeros(1008, 2048)
    weights["fc.bias"] = torch.zeros(1008)
    return weights


def weights_file(folder: Path, weights: Weights | None = None) -> tuple[Path, str]:
    """The weights as a file, and the first digits of its sha256."""
    path = folder / "inception.pth"
    torch.save(weights or random_weights(), path)
    return path, hashlib.sha256(path.read_bytes()).hexdigest()[:8]


def scaled(image: NDArray[np.uint8], side: int = 299) -> NDArray[np.float64]:
    """(H, W, C) to (side, side, C): pixel i lies at i * H / side, between two of the old ones."""
    height, width, _ = image.shape
    result = np.zeros((side, side, image.shape[2]))
    for i in range(side):
        y, dy = divmod(i * height / side, 1)
        low, high = int(y), min(int(y) + 1, height - 1)
        row = image[low] * (1 - dy) + image[high] * dy
        for j in range(side):
            x, dx = divmod(j * width / side, 1)
            left, right = int(x), min(int(x) + 1, width - 1)
            result[i, j] = row[left] * (1 - dx) + row[right] * dx
    return result


def features(weights: Weights, images: NDArray[np.uint8]) -> Tensor:
    """Shape (N, 2048), of images (N, H, W, 3), in float64."""
    return both(weights, images)[0]


def both(weights: Weights, images: NDArray[np.uint8]) -> tuple[Tensor, Tensor]:
    """The same, and the spatial features of guided-diffusion, shape (N, 17 * 17 * 7)."""
    layers = Layers(weights)
    pixels = np.stack([scaled(image) for image in images])
    x = layers.stem((torch.from_numpy(pixels).permute(0, 3, 1, 2) - 128) / 128)
    for letter in "bcd":
        x = layers.fives(f"Mixed_5{letter}", x)
    x = layers.to_17(x)
    for letter in "bcde":
        x = layers.sevens(f"Mixed_6{letter}", x)
        if letter == "d":
            places = [x[:, :7, i, j] for i in range(17) for j in range(17)]
    x = layers.to_8(x)
    x = layers.forks("Mixed_7b", x, _average(x))
    x = layers.forks("Mixed_7c", x, F.max_pool2d(x, 3, 1, 1))
    return x.mean((2, 3)), torch.cat(places, 1)


class Layers:
    """The layers by their names in the published file; `x` is (N, C, H, W) everywhere."""

    def __init__(self, weights: Weights) -> None:
        self._weights = {name: value.double() for name, value in weights.items()}

    def conv(self, name: str, x: Tensor, stride: int = 1, pad: tuple[int, int] = (0, 0)) -> Tensor:
        """A convolution, normalised, without what is below zero."""
        kernel = self._weights[f"{name}.conv.weight"]
        y = F.conv2d(x, kernel, stride=stride, padding=pad)
        mean, var, gain, shift = (
            self._weights[f"{name}.bn.{part}"][:, None, None]
            for part in ("running_mean", "running_var", "weight", "bias")
        )
        return ((y - mean) / (var + 0.001).sqrt() * gain + shift).clamp(min=0)

    def stem(self, x: Tensor) -> Tensor:
        """From 299 pixels a side to 35."""
        x = self.conv("Conv2d_1a_3x3", x, 2)
        x = self.conv("Conv2d_2a_3x3", x)
        x = _halve(self.conv("Conv2d_2b_3x3", x, 1, (1, 1)))
        x = self.conv("Conv2d_3b_1x1", x)
        return _halve(self.conv("Conv2d_4a_3x3", x))

    def fives(self, b: str, x: Tensor) -> Tensor:
        """A block at 35 a side, with kernels of five."""
        one = self.conv(f"{b}.branch1x1", x)
        five = self.conv(f"{b}.branch5x5_2", self.conv(f"{b}.branch5x5_1", x), 1, (2, 2))
        three = self.conv(f"{b}.branch3x3dbl_3", self._twice(b, x), 1, (1, 1))
        return torch.cat([one, five, three, self.conv(f"{b}.branch_pool", _average(x))], 1)

    def _twice(self, b: str, x: Tensor) -> Tensor:
        """What blocks with kernels of three in a row share: the first two of them."""
        return self.conv(f"{b}.branch3x3dbl_2", self.conv(f"{b}.branch3x3dbl_1", x), 1, (1, 1))

    def to_17(self, x: Tensor) -> Tensor:
        """From 35 a side to 17."""
        three = self.conv("Mixed_6a.branch3x3dbl_3", self._twice("Mixed_6a", x), 2)
        return torch.cat([self.conv("Mixed_6a.branch3x3", x, 2), three, _halve(x)], 1)

    def sevens(self, b: str, x: Tensor) -> Tensor:
        """A block at 17 a side, with kernels of seven by one."""
        one = self.conv(f"{b}.branch1x1", x)
        seven = self.conv(f"{b}.branch7x7_2", self.conv(f"{b}.branch7x7_1", x), 1, (0, 3))
        seven = self.conv(f"{b}.branch7x7_3", seven, 1, (3, 0))
        twice = self.conv(f"{b}.branch7x7dbl_1", x)
        for place, pad in enumerate(((3, 0), (0, 3), (3, 0), (0, 3)), start=2):
            twice = self.conv(f"{b}.branch7x7dbl_{place}", twice, 1, pad)
        return torch.cat([one, seven, twice, self.conv(f"{b}.branch_pool", _average(x))], 1)

    def to_8(self, x: Tensor) -> Tensor:
        """From 17 a side to 8."""
        b = "Mixed_7a"
        three = self.conv(f"{b}.branch3x3_2", self.conv(f"{b}.branch3x3_1", x), 2)
        seven = self.conv(f"{b}.branch7x7x3_2", self.conv(f"{b}.branch7x7x3_1", x), 1, (0, 3))
        seven = self.conv(f"{b}.branch7x7x3_3", seven, 1, (3, 0))
        return torch.cat([three, self.conv(f"{b}.branch7x7x3_4", seven, 2), _halve(x)], 1)

    def forks(self, b: str, x: Tensor, pooled: Tensor) -> Tensor:
        """A block at 8 a side, whose branches end wide and tall."""
        one = self.conv(f"{b}.branch1x1", x)
        three, twice = self.conv(f"{b}.branch3x3_1", x), self._twice(b, x)
        wide_and_tall = [
            self.conv(f"{b}.{branch}{end}", y, 1, pad)
            for branch, y in (("branch3x3_2", three), ("branch3x3dbl_3", twice))
            for end, pad in (("a", (0, 1)), ("b", (1, 0)))
        ]
        return torch.cat([one, *wide_and_tall, self.conv(f"{b}.branch_pool", pooled)], 1)


def _average(x: Tensor) -> Tensor:
    """Over three by three, of what lies inside the image alone."""
    ones = torch.ones_like(x[:1, :1])
    kernel = torch.ones(1, 1, 3, 3, dtype=x.dtype)
    count = F.conv2d(ones, kernel, padding=1)
    flat = x.flatten(0, 1)[:, None]
    return (F.conv2d(flat, kernel, padding=1) / count).view(x.shape)


def _halve(x: Tensor) -> Tensor:
    return F.max_pool2d(x, kernel_size=3, stride=2)
