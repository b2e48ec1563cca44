"""Diffusion of Gaussian pixels, where each law of the chain is Gaussian and known exactly.

Everything is worked out from the one-step kernels of Eq. 2 by multiplying them out and by
conditioning joint Gaussians, never from the closed forms that the package uses. Scalars are plain
floats; a pixel of the data is N(mean, sd^2) and independent of the others.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

Array = NDArray[np.float64]


def kernel(betas: Array, first: int, last: int) -> tuple[float, float]:
    """(scale, variance) of q(x after step `last` | x before step `first`), one step at a time."""
    scale, variance = 1.0, 0.0
    for beta in betas[first : last + 1]:
        scale = math.sqrt(1 - beta) * scale
        variance = (1 - beta) * variance + beta
    return scale, float(variance)


def conditioned(mean: Array, covariance: Array, on: float) -> tuple[float, float]:
    """(mean, variance) of the first of two joint normal variables, given the second."""
    gain = covariance[0, 1] / covariance[1, 1]
    return mean[0] + gain * (on - mean[1]), covariance[0, 0] - gain * covariance[1, 0]


@dataclass(frozen=True)
class Link:
    """One step of a strided chain, from the kept step before to this one."""

    before: tuple[float, float]
    """Kernel from x_0 to the kept step before."""
    step: tuple[float, float]
    """Kernel from there to this step."""

    @property
    def alpha_bar(self) -> float:
        return (self.before[0] * self.step[0]) ** 2

    def joint(self, x_0_mean: float, x_0_variance: float) -> tuple[Array, Array]:
        """Mean and covariance of (x_{t-1}, x_t) for a normal x_0."""
        (a, a_variance), (b, b_variance) = self.before, self.step
        variance = a**2 * x_0_variance + a_variance
        mean = np.array([a * x_0_mean, b * a * x_0_mean])
        covariance = np.array(
            [[variance, b * variance], [b * variance, b**2 * variance + b_variance]]
        )
        return mean, covariance

    def posterior(self, x_0: float, x_t: float) -> tuple[float, float]:
        """(mean, variance) of q(x_{t-1} | x_t, x_0)."""
        return conditioned(*self.joint(x_0, 0.0), x_t)


def links(betas: Array, kept: Sequence[int]) -> list[Link]:
    """The steps of the chain that visits only the kept indices."""
    starts = [0, *(index + 1 for index in kept[:-1])]
    return [
        Link(before=kernel(betas, 0, start - 1), step=kernel(betas, start, index))
        for start, index in zip(starts, kept, strict=True)
    ]


@dataclass(frozen=True)
class GaussianPixels:
    """Data whose pixels are independent N(mean, sd^2)."""

    mean: float
    sd: float

    def expected_x_0(self, alpha_bar: Array) -> tuple[Array, Array]:
        """(intercept, slope) of E[x_0 | x_t], linear in x_t."""
        signal = np.sqrt(alpha_bar)
        slope = signal * self.sd**2 / (alpha_bar * self.sd**2 + 1 - alpha_bar)
        return self.mean * (1 - slope * signal), slope

    def reverse_variance(self, link: Link) -> float:
        """Variance of q(x_{t-1} | x_t), x_0 being unknown."""
        return conditioned(*link.joint(self.mean, self.sd**2), 0.0)[1]

    def ancestral(self, chain: Sequence[Link], variances: Sequence[float]) -> tuple[float, float]:
        """(mean, variance) of samples drawn with the best denoiser, from N(0, 1) at the last link.

        The last draw is its mean.
        """
        mean, variance = 0.0, 1.0
        for index in reversed(range(len(chain))):
            intercept, slope = self._back(chain[index])
            mean = intercept + slope * mean
            variance = slope**2 * variance + (variances[index] if index else 0.0)
        return mean, variance

    def _back(self, link: Link) -> tuple[float, float]:
        """(intercept, slope) in x_t of the posterior's mean at x_0 = E[x_0 | x_t]."""
        c, k = (float(part) for part in self.expected_x_0(np.array(link.alpha_bar)))
        at_0, at_1 = (link.posterior(c + k * x_t, x_t)[0] for x_t in (0.0, 1.0))
        return at_0, at_1 - at_0

    def ddim(self, chain: Sequence[Link], eta: float) -> tuple[float, float]:
        """(mean, variance) of DDIM's samples: Song et al. (2020), Eq. 12, as a linear recursion."""
        mean, variance = 0.0, 1.0
        for link in reversed(chain):
            c, k = (float(part) for part in self.expected_x_0(np.array(link.alpha_bar)))
            now, before = link.alpha_bar, link.before[0] ** 2
            added = eta**2 * link.posterior(0.0, 0.0)[1]
            towards = math.sqrt(max(1 - before - added, 0.0) / (1 - now))
            image = math.sqrt(before) - towards * math.sqrt(now)
            mean = image * c + (image * k + towards) * mean
            variance = (image * k + towards) ** 2 * variance + added
        return mean, variance

    def network(self, betas: Array, prediction: str) -> "GaussianNetwork":
        """The best denoiser of this data, as a network over the whole chain."""
        alpha_bar = np.array([kernel(betas, 0, t)[0] ** 2 for t in range(len(betas))])
        return GaussianNetwork(self, alpha_bar, prediction)


@dataclass(frozen=True)
class GaussianNetwork:
    """E[x_0 | x_t] of Gaussian pixels, said as eps, x_0 or v; told the trained chain's steps."""

    data: GaussianPixels
    alpha_bar: Array
    prediction: str

    def __call__(self, x_t: Tensor, numbers: Tensor, conditioning: object) -> Tensor:
        alpha_bar = self.alpha_bar[numbers.numpy()]
        intercept, slope = self.data.expected_x_0(alpha_bar)
        x_0 = _column(intercept, x_t) + _column(slope, x_t) * x_t
        if self.prediction == "x_0":
            return x_0
        signal, noise = _column(np.sqrt(alpha_bar), x_t), _column(np.sqrt(1 - alpha_bar), x_t)
        eps = (x_t - signal * x_0) / noise
        return eps if self.prediction == "eps" else signal * eps - noise * x_0


def _column(values: Array, like: Tensor) -> Tensor:
    return torch.from_numpy(values).to(like.dtype).view(-1, 1, 1, 1)
