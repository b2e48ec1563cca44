"""Diagonal Gaussians given by mean and log-variance: divergence, pixel probabilities, draws.

Everything is elementwise and in nats. Pixels are levels spread evenly over [-1, 1], so
neighbouring levels are 2 / (levels - 1) apart and each owns half that distance to either side.
"""

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple, get_args

import torch
from torch import Tensor

from iddpm.config import Cdf
from iddpm.registry import named


class Gaussian(NamedTuple):
    """Independent normal variables."""

    mean: Tensor
    """Any shape, usually (B, C, H, W)."""
    log_variance: Tensor
    """Natural logarithm of the variance; any shape that broadcasts to the mean's."""


def kl(p: Gaussian, q: Gaussian) -> Tensor:
    """KL(p || q) of each element, in nats, of the means' shape."""
    log_ratio = p.log_variance - q.log_variance
    distance = (p.mean - q.mean) ** 2 * torch.exp(-q.log_variance)
    return 0.5 * (torch.expm1(log_ratio) - log_ratio + distance)


def normal_cdf(z: Tensor) -> Tensor:
    """The standard normal's distribution function, to 2e-4: 0.5 (1 + tanh(u)), u cubic in z.

    This tanh approximation is the official code's, so published bounds contain its error. Written
    as a sigmoid, it keeps its digits in the lower tail.
    """
    return torch.sigmoid(2 * _cubic(z))


def _cubic(z: Tensor) -> Tensor:
    return math.sqrt(2 / math.pi) * (z + 0.044715 * z**3)


def discretised_log_likelihood(
    x: Tensor, gaussian: Gaussian, *, levels: int, cdf: Cdf = "tanh"
) -> Tensor:
    """Log-probability that the Gaussian falls into the bin of pixel x, in nats, of x's shape.

    Ho et al. (2020, arXiv:2006.11239), Eq. 13, for any number of levels. The lowest and the highest
    level own the tails beyond them. Probabilities are held above 1e-12, as in the official code.

    By "tanh" a bin above the mean is mirrored below it, where its two ends are still told apart.
    "tanh_official" is the arithmetic of published bounds: the difference of two values of
    0.5 (1 + tanh) in float32, which loses its digits far from the mean, and above it first. At 5
    standard deviations above the mean it is wrong by 1% to 136% of an 8-bit pixel's probability,
    by where the rounding falls, and at 5.5 it finds none: 3 to 14 bits too many for the pixel,
    until at 6.5 both forms are at the floor. That is 1e-4 to 1e-3 bits/dim where one pixel in
    100,000 to 10,000 lies so far out, as with a good network, and 0.05 for an image with one in
    200. The official code trains by it too; a training here never does.

    Args:
        x: Pixels in [-1, 1], on the levels.
        gaussian: Density of each pixel; its mean has x's shape.
        levels: Number of levels, at least 2.
        cdf: How the normal's distribution function is computed.

    Raises:
        ValueError: If the mean has another shape than x, or there are fewer than 2 levels.
    """
    if x.shape != gaussian.mean.shape:
        raise ValueError(
            "gaussians.discretised_log_likelihood: expected x and the mean of one shape, "
            f"found {tuple(x.shape)} and {tuple(gaussian.mean.shape)}"
        )
    if levels < 2:
        raise ValueError(
            "gaussians.discretised_log_likelihood: expected at least 2 levels, "
            f"found {levels}; 8-bit images have 256"
        )
    probability = PROBABILITIES[cdf](x, gaussian, 1 / (levels - 1))
    return probability.clamp_min(1e-12).log().to(x.dtype)


def tanh_probabilities(x: Tensor, gaussian: Gaussian, half_bin: float) -> Tensor:
    """Probability of the bin of each pixel, of x's shape and dtype."""
    lowest, highest = x < half_bin - 1, x > 1 - half_bin
    offset = x - gaussian.mean
    mirrored = torch.where(lowest, offset, torch.where(highest, -offset, -offset.abs()))
    precision = torch.exp(-0.5 * gaussian.log_variance)
    upper = normal_cdf((mirrored + half_bin) * precision)
    lower = normal_cdf((mirrored - half_bin) * precision)
    return upper - lower.masked_fill(lowest | highest, 0.0)


def tanh_official_probabilities(x: Tensor, gaussian: Gaussian, half_bin: float) -> Tensor:
    """Probability of the bin of each pixel as the official code rounds it, float32 of x's shape."""
    x, mean, log_variance = x.float(), gaussian.mean.float(), gaussian.log_variance.float()
    lowest, highest = x < half_bin - 1, x > 1 - half_bin
    offset, precision = x - mean, torch.exp(-0.5 * log_variance)
    upper, lower = (
        0.5 * (1 + torch.tanh(_cubic(precision * (offset + end)))) for end in (half_bin, -half_bin)
    )
    return torch.where(lowest, upper, torch.where(highest, 1 - lower, upper - lower))


PROBABILITIES: dict[Cdf, Callable[[Tensor, Gaussian, float], Tensor]] = named(
    get_args(Cdf), globals(), "{}_probabilities"
)
"""From pixels, their Gaussian and half a bin's width to the probabilities of the bins, by name."""


Generators = torch.Generator | Sequence[torch.Generator]
"""One for a whole batch, or several, each for as many images of it, in their order."""


def sample(gaussian: Gaussian, generator: Generators) -> Tensor:
    """One draw of each element, of the mean's shape.

    The noise is drawn on the generator's device, so that a CPU generator gives every device the
    same draws. Several generators draw what each would for its images alone.
    """
    mean, log_variance = gaussian
    each = [generator] if isinstance(generator, torch.Generator) else generator
    drawn = [
        torch.randn(part.shape, generator=one, device=one.device, dtype=mean.dtype)
        for one, part in zip(each, mean.chunk(len(each)) if each[1:] else [mean], strict=True)
    ]
    noise = (torch.cat(drawn) if each[1:] else drawn[0]).to(mean.device)
    return mean + torch.exp(0.5 * log_variance) * noise
