"""A compact class-conditional GAN: what Table 4 holds diffusion against, in its plainest form.

The discriminator compares by projection (Miyato & Koyama 2018, arXiv:1802.05637) and every one of
its layers is spectrally normalised (Miyato et al. 2018, arXiv:1802.05957); both play the hinge game
(Lim & Ye 2017, arXiv:1705.02894). As in BigGAN (Brock et al. 2019, arXiv:1809.11096) every block of
the generator is told the latent and the label. In place of its batch norm stands a group norm: no
image depends on the others of its batch, so blocks of any size draw the same images.
"""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.parametrizations import spectral_norm

MOST_GROUPS = 8
"""Of a group norm."""

# -------------------------------------------------------------------------------------- losses


def discriminator_loss(real: Tensor, fake: Tensor) -> Tensor:
    """The hinge loss of the discriminator's outputs for real and for drawn images, each (B,)."""
    return F.relu(1 - real).mean() + F.relu(1 + fake).mean()


def generator_loss(fake: Tensor) -> Tensor:
    """What the generator minimises, of the discriminator's outputs for its images, (B,)."""
    return -fake.mean()


# ----------------------------------------------------------------------------------- generator


class Generator(nn.Module):
    """From a latent and a label to an image in (-1, 1).

    Args:
        channels: Of an image.
        size: Pixels a side; `2 ** (len(widths) - 1)` divides it.
        classes: Number of labels.
        latent: Numbers in a latent.
        widths: Channels of each level, from the image's own side down.
    """

    def __init__(
        self, *, channels: int, size: int, classes: int, latent: int, widths: tuple[int, ...]
    ) -> None:
        super().__init__()
        self._side = size // 2 ** (len(widths) - 1)
        self.labels = nn.Embedding(classes, latent)
        self.first = nn.Linear(2 * latent, widths[-1] * self._side**2)
        self.blocks = nn.ModuleList(
            _UpBlock(above, width, told=2 * latent, doubled=level > 0)
            for level, (above, width) in enumerate(
                zip((widths[-1], *widths[::-1]), widths[::-1], strict=False)
            )
        )
        self.norm = _group_norm(widths[0], affine=True)
        self.last = nn.Conv2d(widths[0], channels, 3, padding=1)

    def forward(self, z: Tensor, labels: Tensor) -> Tensor:
        """Images (B, C, S, S).

        Args:
            z: Standard normal, shape (B, latent).
            labels: Class of each image, shape (B,), int64.
        """
        told = torch.cat([z, self.labels(labels)], dim=1)
        h = self.first(told).unflatten(1, (-1, self._side, self._side))
        for block in self.blocks:
            h = block(h, told)
        return torch.tanh(self.last(F.relu(self.norm(h))))


class _UpBlock(nn.Module):
    """A residual block whose norms are told the latent and the label; it may double the side."""

    def __init__(self, width_in: int, width_out: int, *, told: int, doubled: bool) -> None:
        super().__init__()
        self._doubled = doubled
        self.norm_1 = _ToldNorm(width_in, told)
        self.conv_1 = nn.Conv2d(width_in, width_out, 3, padding=1)
        self.norm_2 = _ToldNorm(width_out, told)
        self.conv_2 = nn.Conv2d(width_out, width_out, 3, padding=1)
        self.skip = nn.Identity() if width_in == width_out else nn.Conv2d(width_in, width_out, 1)

    def forward(self, x: Tensor, told: Tensor) -> Tensor:
        h = F.relu(self.norm_1(x, told))
        if self._doubled:
            h, x = doubled(h), doubled(x)
        h = self.conv_2(F.relu(self.norm_2(self.conv_1(h), told)))
        summed: Tensor = self.skip(x) + h
        return summed


class _ToldNorm(nn.Module):
    """GroupNorm(h) (1 + w) + b with w and b from what the block is told."""

    def __init__(self, width: int, told: int) -> None:
        super().__init__()
        self.norm = _group_norm(width, affine=False)
        self.scale_shift = nn.Linear(told, 2 * width)

    def forward(self, h: Tensor, told: Tensor) -> Tensor:
        scale, shift = self.scale_shift(told)[:, :, None, None].chunk(2, dim=1)
        normed: Tensor = self.norm(h) * (1 + scale) + shift
        return normed


def _group_norm(width: int, *, affine: bool) -> nn.GroupNorm:
    return nn.GroupNorm(math.gcd(width, MOST_GROUPS), width, affine=affine)


def doubled(x: Tensor) -> Tensor:
    """Every pixel of (B, C, H, W) as four; its gradient is the same in every run, on any device."""
    B, C, H, W = x.shape
    return x[:, :, :, None, :, None].expand(B, C, H, 2, W, 2).reshape(B, C, 2 * H, 2 * W)


def halved(x: Tensor) -> Tensor:
    """The mean of every four neighbouring pixels of (B, C, H, W)."""
    B, C, H, W = x.shape
    return x.reshape(B, C, H // 2, 2, W // 2, 2).mean(dim=(3, 5))


# ------------------------------------------------------------------------------- discriminator


class Discriminator(nn.Module):
    """How real an image looks for its label: f(x, y) = <embedding(y), h(x)> + w · h(x) + b.

    Miyato & Koyama (2018), Eq. 3; h sums the last features over the image. Every weight is divided
    by an estimate of its largest singular value, which one step of the power method renews at
    each call in training.

    Args:
        channels: Of an image.
        classes: Number of labels.
        widths: Channels of each level, from the image's own side down.
    """

    def __init__(self, *, channels: int, classes: int, widths: tuple[int, ...]) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(
            _DownBlock(above, width, halved=level < len(widths) - 1, first=level == 0)
            for level, (above, width) in enumerate(zip((channels, *widths), widths, strict=False))
        )
        self.labels = spectral_norm(nn.Embedding(classes, widths[-1]))
        self.last = spectral_norm(nn.Linear(widths[-1], 1))

    def forward(self, x: Tensor, labels: Tensor) -> Tensor:
        """One number per image, shape (B,): higher looks more real.

        Args:
            x: Images in [-1, 1], shape (B, C, S, S).
            labels: Class of each image, shape (B,), int64.
        """
        for block in self.blocks:
            x = block(x)
        h = F.relu(x).sum(dim=(2, 3))
        realness: Tensor = self.last(h).squeeze(1) + (self.labels(labels) * h).sum(dim=1)
        return realness


class _DownBlock(nn.Module):
    """A residual block that may halve the side; the first one meets the image itself."""

    def __init__(self, width_in: int, width_out: int, *, halved: bool, first: bool) -> None:
        super().__init__()
        self._halved, self._first = halved, first
        self.conv_1 = spectral_norm(nn.Conv2d(width_in, width_out, 3, padding=1))
        self.conv_2 = spectral_norm(nn.Conv2d(width_out, width_out, 3, padding=1))
        same = width_in == width_out
        self.skip = nn.Identity() if same else spectral_norm(nn.Conv2d(width_in, width_out, 1))

    def forward(self, x: Tensor) -> Tensor:
        h = self.conv_2(F.relu(self.conv_1(x if self._first else F.relu(x))))
        summed: Tensor = self.skip(x) + h
        return halved(summed) if self._halved else summed
