"""The vision transformer of DINOv2 (Oquab et al., 2023, arXiv:2304.07193), read for its features.

A class token and a token for each patch of 14 x 14 pixels pass through blocks of attention and of
two layers; what a block adds is scaled by channel (Touvron et al., 2021, arXiv:2103.17239). The
feature of an image is the class token at the end, over which Stein et al. (2023, arXiv:2306.04675)
take Fréchet distances. Names and shapes of the weights are those of the published files; width and
depth are read off them.
"""

import re
from functools import partial
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from iddpm.bounds import ConfigError
from iddpm.networks.weights import read_weights, take_weights

PATCH, SIDE, LEVELS = 14, 224, 256
RESIZE = "bicubic to 224, antialiased"
"""As the evaluations of EDM2 (Karras et al., 2024, arXiv:2312.02696) resize, in floats."""

HEAD = 64
"""Channels of a head."""

EPS = 1e-6
"""Of the normalisations."""

OFFSET = 0.1
"""Added to the number of patches along a side when places are scaled, as the published network was
evaluated. Its places were learned at 518 pixels a side."""

MEAN, DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
"""Of the colours of ImageNet, in [0, 1]."""

UNUSED = ("mask_token",)
"""Weights of the file that training alone uses."""

SOURCE = "https://dl.fbaipublicfiles.com/dinov2/dinov2_vitl14/dinov2_vitl14_pretrain.pth"


class VisionTransformer(nn.Module):
    """Features of colour images; its weights come from a file.

    Args:
        width: Channels of a token, a multiple of 64.
        depth: Blocks.
        places: Patches along a side for which places were learned.
    """

    def __init__(self, *, width: int, depth: int, places: int = 37) -> None:
        super().__init__()
        self.cls_token = nn.Parameter(torch.zeros(1, 1, width))
        self.pos_embed = nn.Parameter(torch.zeros(1, 1 + places**2, width))
        self.patch_embed = nn.ModuleDict({"proj": nn.Conv2d(3, width, PATCH, stride=PATCH)})
        self.blocks = nn.ModuleList(Block(width) for _ in range(depth))
        self.norm = nn.LayerNorm(width, eps=EPS)
        self.requires_grad_(False)

    @property
    def width(self) -> int:
        """The D of its features."""
        return self.cls_token.shape[2]

    def forward(self, images: Tensor) -> Tensor:
        """From images in [-1, 1] of 256 levels, shape (B, 3, H, W), to features (B, width)."""
        colours = F.interpolate((images + 1) / 2, size=(SIDE, SIDE), mode="bicubic", antialias=True)
        mean, deviation = (images.new_tensor(of)[:, None, None] for of in (MEAN, DEVIATION))
        patches = self.patch_embed["proj"]((colours - mean) / deviation)
        tokens = patches.flatten(2).transpose(1, 2)
        h = torch.cat([self.cls_token.expand(len(images), -1, -1), tokens], dim=1)
        h = h + self._places(patches.shape[2])
        for block in self.blocks:
            h = block(h)
        features: Tensor = self.norm(h[:, 0])
        return features

    def _places(self, side: int) -> Tensor:
        """What each token is told of its place, shape (1, 1 + side**2, width)."""
        learned = round((self.pos_embed.shape[1] - 1) ** 0.5)
        grid = self.pos_embed[:, 1:].transpose(1, 2).reshape(1, -1, learned, learned)
        if side != learned:
            scale = (side + OFFSET) / learned
            grid = F.interpolate(grid, scale_factor=(scale, scale), mode="bicubic")
        return torch.cat([self.pos_embed[:, :1], grid.flatten(2).transpose(1, 2)], dim=1)


class Block(nn.Module):
    """Attention between tokens, then two layers for each; both add to what came in."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm1, self.norm2 = (nn.LayerNorm(width, eps=EPS) for _ in range(2))
        self.attn = Attention(width)
        self.ls1, self.ls2 = Scale(width), Scale(width)
        self.mlp = nn.ModuleDict(
            {"fc1": nn.Linear(width, 4 * width), "fc2": nn.Linear(4 * width, width)}
        )

    def forward(self, h: Tensor) -> Tensor:
        """(B, N, width) to the same."""
        h = h + self.ls1(self.attn(self.norm1(h)))
        inner = F.gelu(self.mlp["fc1"](self.norm2(h)))
        added: Tensor = h + self.ls2(self.mlp["fc2"](inner))
        return added


class Attention(nn.Module):
    """Attention of several heads over all tokens."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.qkv, self.proj = nn.Linear(width, 3 * width), nn.Linear(width, width)

    def forward(self, h: Tensor) -> Tensor:
        """(B, N, width) to the same."""
        heads = self.qkv(h).view(*h.shape[:2], 3, -1, HEAD)  # (B, N, 3, heads, 64)
        query, key, value = heads.permute(2, 0, 3, 1, 4)
        read = F.scaled_dot_product_attention(query, key, value)
        found: Tensor = self.proj(read.transpose(1, 2).flatten(2))
        return found


class Scale(nn.Module):
    """A factor for each channel."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.gamma = nn.Parameter(torch.ones(width))

    def forward(self, h: Tensor) -> Tensor:
        """The same shape."""
        return h * self.gamma


# ------------------------------------------------------------------------------------ the weights


def load_vit(path: Path) -> VisionTransformer:
    """The network with the weights of a published file, on the CPU.

    Raises:
        ConfigError: If the file is missing, or does not hold the weights of such a network.
    """
    refusal = partial(_no_weights, path)
    if not path.is_file():
        raise refusal(f"no file at {path}")
    found = {k: v for k, v in read_weights(path, refusal).items() if k not in UNUSED}
    token = found.get("cls_token")
    if not isinstance(token, Tensor) or token.ndim != 3 or token.shape[2] % HEAD:
        raise refusal(f"no cls_token whose width is a multiple of {HEAD}")
    numbers = re.findall(r"^blocks\.(\d{1,3})\.", "\n".join(found), re.MULTILINE)
    with torch.device("meta"):
        depth = 1 + max(map(int, numbers), default=0)
        network = VisionTransformer(width=token.shape[2], depth=depth)
    take_weights(network, found, refusal)
    return network.eval().requires_grad_(False)


def _no_weights(path: Path, found: str) -> ConfigError:
    expected = f"the weights of DINOv2 (vit-b/14 or vit-l/14, without registers) in {path}"
    return ConfigError("--weights", expected, found, f"get {SOURCE}")
