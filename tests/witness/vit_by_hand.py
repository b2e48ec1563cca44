"""DINOv2's vision transformer written out once more, in NumPy and float64; and weights for it.

Scaling is spelled out pixel by pixel, from the definition of the bicubic kernel, and attention head
by head.
"""

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.special import erf
from torch import Tensor

Weights = dict[str, Tensor]
Array = NDArray[np.float64]


def random_weights(width: int, depth: int, seed: int = 0) -> Weights:
    """Weights under the names and in the shapes of the published files."""
    draws = torch.Generator().manual_seed(seed)

    def drawn(*shape: int, scale: float = 0.1, around: float = 0.0) -> Tensor:
        return around + scale * torch.randn(shape, generator=draws)

    weights = {
        "cls_token": drawn(1, 1, width, scale=1),
        "pos_embed": drawn(1, 1370, width, scale=1),
        "mask_token": drawn(1, width),
        "patch_embed.proj.weight": drawn(width, 3, 14, 14),
        "patch_embed.proj.bias": drawn(width),
        "norm.weight": drawn(width, around=1),
        "norm.bias": drawn(width),
    }
    for i in range(depth):
        for norm in ("norm1", "norm2"):
            weights[f"blocks.{i}.{norm}.weight"] = drawn(width, around=1)
            weights[f"blocks.{i}.{norm}.bias"] = drawn(width)
        for scale in ("ls1", "ls2"):
            weights[f"blocks.{i}.{scale}.gamma"] = drawn(width, around=0.5)
        layers = {"attn.qkv": (3, 1), "attn.proj": (1, 1), "mlp.fc1": (4, 1), "mlp.fc2": (1, 4)}
        for layer, (out, read) in layers.items():
            weights[f"blocks.{i}.{layer}.weight"] = drawn(out * width, read * width)
            weights[f"blocks.{i}.{layer}.bias"] = drawn(out * width)
    return weights


def weights_file(folder: Path, weights: Weights) -> Path:
    torch.save(weights, folder / "dinov2.pth")
    return folder / "dinov2.pth"


def cubic(x: float, a: float) -> float:
    """Keys' kernel (1981)."""
    x = abs(x)
    if x < 1:
        return (a + 2) * x**3 - (a + 3) * x**2 + 1
    return a * x**3 - 5 * a * x**2 + 8 * a * x - 4 * a if x < 2 else 0.0


def smooth(size: int, side: int) -> Array:
    """Rows of weights, shape (side, size): a kernel as wide as a pixel of the result, a = -1/2."""
    scale, rows = size / side, np.zeros((side, size))
    stretch = max(scale, 1.0)
    for i in range(side):
        centre = (i + 0.5) * scale
        for j in range(size):
            rows[i, j] = cubic((j + 0.5 - centre) / stretch, -0.5)
    normed: Array = rows / rows.sum(1, keepdims=True)
    return normed


def sampled(size: int, side: int, scale: float) -> Array:
    """The same of the four nearest alone, a = -3/4, those beyond an edge being the edge."""
    rows = np.zeros((side, size))
    for i in range(side):
        place = (i + 0.5) / scale - 0.5
        first = int(np.floor(place))
        for j in range(first - 1, first + 3):
            rows[i, min(max(j, 0), size - 1)] += cubic(place - j, -0.75)
    return rows


def scaled(rows: Array, columns: Array, image: Array) -> Array:
    half = np.einsum("yh,hwc->ywc", rows, image)
    return np.asarray(np.einsum("xw,ywc->yxc", columns, half))


def features(weights: Weights, images: NDArray[np.uint8]) -> Array:
    """Shape (N, width), of images (N, H, W, 3)."""
    w = {name: value.double().numpy() for name, value in weights.items()}
    return np.stack([feature(w, image) for image in images])


def feature(w: dict[str, Array], image: NDArray[np.uint8]) -> Array:
    def normal(x: Array, name: str) -> Array:
        mean, variance = x.mean(-1, keepdims=True), x.var(-1, keepdims=True)
        scaled: Array = (x - mean) / np.sqrt(variance + 1e-6)
        return scaled * w[f"{name}.weight"] + w[f"{name}.bias"]

    def linear(x: Array, name: str) -> Array:
        product: Array = x @ w[f"{name}.weight"].T
        return product + w[f"{name}.bias"]

    height, wide, _ = image.shape
    resized = scaled(smooth(height, 224), smooth(wide, 224), image / 255.0)
    resized = (resized - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225]
    grid = w["pos_embed"][0, 1:].reshape(37, 37, -1)
    rows = sampled(37, 16, 16.1 / 37)
    places = scaled(rows, rows, grid)
    tokens = [w["cls_token"][0, 0] + w["pos_embed"][0, 0]]
    for y in range(16):
        for x in range(16):
            patch = resized[14 * y : 14 * y + 14, 14 * x : 14 * x + 14]
            token = np.einsum("oihw,hwi->o", w["patch_embed.proj.weight"], patch)
            tokens.append(token + w["patch_embed.proj.bias"] + places[y, x])
    h = np.stack(tokens)
    width, depth = h.shape[1], sum(name.endswith("ls1.gamma") for name in w)
    for i in range(depth):
        b = f"blocks.{i}"
        qkv, heads = linear(normal(h, f"{b}.norm1"), f"{b}.attn.qkv"), []
        for start in range(0, width, 64):
            q, k, v = (qkv[:, part * width + start :][:, :64] for part in range(3))
            shares = np.exp(q @ k.T / 8)
            heads.append(shares / shares.sum(1, keepdims=True) @ v)
        h = h + w[f"{b}.ls1.gamma"] * linear(np.concatenate(heads, 1), f"{b}.attn.proj")
        inner = linear(normal(h, f"{b}.norm2"), f"{b}.mlp.fc1")
        inner = inner * (1 + erf(inner / np.sqrt(2))) / 2
        h = h + w[f"{b}.ls2.gamma"] * linear(inner, f"{b}.mlp.fc2")
    return normal(h[0], "norm")
