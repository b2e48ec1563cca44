"""Diagonal Gaussians given by mean and log-variance: divergence, pixel probabilities, draws.

Everything is elementwise and in nats. Pixels are levels spread evenly over [-1, 1], so
neighbouring levels are 2 / (levels - 1) apart and each owns half that distance to either side.
"""

import math
from typing import NamedTuple

import torch
from torch import Tensor


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
    return torch.sigmoid(2 * math.sqrt(2 / math.pi) * (z + 0.044715 * z**3))


def discretised_log_likelihood(x: Tensor, gaussian: Gaussian, *, levels: int) -> Tensor:
    """Log-probability that the Gaussian falls into the bin of pixel x, in nats, of x's shape.

    Ho et al. (2020, arXiv:2006.11239), Eq. 13, for any number of levels. The lowest and the highest
    level own the tails beyond them. Probabilities are held above 1e-12, as in the official code.
    A bin above the mean is mirrored below it, where float32 still tells the two ends of it apart.

    Args:
        x: Pixels in [-1, 1], on the levels.
        gaussian: Density of each pixel; its mean has x's shape.
        levels: Number of levels, at least 2.

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
    half_bin = 1 / (levels - 1)
    lowest, highest = x < half_bin - 1, x > 1 - half_bin
    offset = x - gaussian.mean
    mirrored = torch.where(lowest, offset, torch.where(highest, -offset, -offset.abs()))
    precision = torch.exp(-0.5 * gaussian.log_variance)
    upper = normal_cdf((mirrored + half_bin) * precision)
    lower = normal_cdf((mirrored - half_bin) * precision)
    probability = upper - lower.masked_fill(lowest | highest, 0.0)
    return probability.clamp_min(1e-12).log()


def sample(gaussian: Gaussian, generator: torch.Generator) -> Tensor:
    """One draw of each element, of the mean's shape.

    The noise is drawn on the generator's device, so that a CPU generator gives every device the
    same draws.
    """
    mean, log_variance = gaussian
    noise = torch.randn(
        mean.shape, generator=generator, device=generator.device, dtype=mean.dtype
    ).to(mean.device)
    return mean + torch.exp(0.5 * log_variance) * noise
