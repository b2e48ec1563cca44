"""From noise to images: the reverse chain, drawn step by step (ancestral) or by DDIM.

Both run over the denoiser's chain, which may be respaced, and may leave out its noisy end. All
images of a batch are at the same step, so each step reads a few scalars off the chain's tables and
calls the network once. No gradient is kept.
"""

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor

from iddpm.config import StepNoise, Variance
from iddpm.denoiser import Denoiser
from iddpm.diffusion import Diffusion
from iddpm.gaussians import Gaussian, Generators, sample
from iddpm.networks.conditioning import Conditioning
from iddpm.step_noise import brownian

TRUNCATED_LEVELS = 256
"""Images of so many levels are truncated to a level, not rounded, as in the official code."""


def ancestral(
    denoiser: Denoiser,
    x_T: Tensor,
    *,
    variance: Variance,
    clip: bool,
    generator: Generators,
    noise: StepNoise = "independent",
    conditioning: Conditioning | None = None,
    start: int | None = None,
) -> Tensor:
    """Images drawn from p(x_{t-1} | x_t), step after step; the last step gives its mean.

    Ho et al. (2020, arXiv:2006.11239), Algorithm 2.

    Args:
        denoiser: The network read over the chain to be reversed.
        x_T: Standard normal noise, shape (B, C, H, W).
        variance: Which variance p has.
        clip: Hold the implied x_0 to [-1, 1] at every step, as the official code does.
        generator: Source of the noise that the steps add.
        noise: Drawn for each step, or off one Brownian motion for chains of any length.
        conditioning: What else the network is told.
        start: Reverse steps taken; the chain's noisier ones are left out. None: all of them.

    Returns:
        Images, shape (B, C, H, W), near [-1, 1].

    Raises:
        ValueError: If `start` is not in [1, K], or the network did not learn the variance.
    """

    total, x, draw = _begun(denoiser.diffusion, x_T, start, noise, generator)

    def step(x_t: Tensor, t: int) -> Tensor:
        output = denoiser.output(x_t, t, conditioning)
        p = denoiser.reverse(output, x_t, t, variance=variance, clip=clip)
        return p.mean if t == 0 else draw(p)

    return _reversed_chain(step, x, total)


def ddim(
    denoiser: Denoiser,
    x_T: Tensor,
    *,
    eta: float,
    clip: bool,
    generator: Generators,
    noise: StepNoise = "independent",
    conditioning: Conditioning | None = None,
    start: int | None = None,
) -> Tensor:
    """Images drawn by DDIM; a learned variance is not looked at.

    Song et al. (2020, arXiv:2010.02502), Eqs. 12 and 16: each step adds noise of variance
    eta^2 * beta_tilde_t. With eta 0 the images are a function of x_T; with eta 1 this is ancestral
    sampling with variance beta_tilde.

    Args:
        denoiser: The network read over the chain to be reversed.
        x_T: Standard normal noise, shape (B, C, H, W).
        eta: Share of the ancestral standard deviation that is added as noise, in [0, 1].
        clip: Hold the implied x_0 to [-1, 1] at every step; eps then follows from the held x_0.
        generator: Source of the noise that the steps add; unused at eta 0.
        noise: Drawn for each step, or off one Brownian motion for chains of any length.
        conditioning: What else the network is told.
        start: Reverse steps taken; the chain's noisier ones are left out. None: all of them.

    Returns:
        Images, shape (B, C, H, W), near [-1, 1].

    Raises:
        ValueError: If `start` is not in [1, K] or eta not in [0, 1].
    """
    if not 0 <= eta <= 1:
        raise ValueError(f"samplers.ddim.eta: expected a number in [0, 1], found {eta}")
    diffusion = denoiser.diffusion
    variances = eta**2 * diffusion.beta_tildes
    log_variances = variances.log()
    signal = diffusion.alpha_bar_before.sqrt()
    rest = (1 - diffusion.alpha_bar_before - variances).clamp_min(0).sqrt()
    white = (
        signal * diffusion.alpha_bar.sqrt() + rest * (1 - diffusion.alpha_bar).sqrt(),
        variances.sqrt(),
    )
    path = noise if eta else "independent"  # nothing is drawn
    total, x, draw = _begun(diffusion, x_T, start, path, generator, white)

    def step(x_t: Tensor, t: int) -> Tensor:
        output = denoiser.output(x_t, t, conditioning)
        x_0 = denoiser.x_0(output, x_t, t, clip=clip)
        eps = diffusion.eps_from_x_0(x_t, t, x_0)
        mean = signal[t] * x_0 + rest[t] * eps
        return mean if eta == 0 or t == 0 else draw(Gaussian(mean, log_variances[t]))

    return _reversed_chain(step, x, total)


Draw = Callable[[Gaussian], Tensor]
"""What a step makes of its Gaussian, each call one step further."""


def _begun(
    diffusion: Diffusion,
    x_T: Tensor,
    start: int | None,
    noise: StepNoise,
    generator: Generators,
    white: tuple[Tensor, Tensor] | None = None,
) -> tuple[int, Tensor, Draw]:
    """How many steps are taken, what they begin with, and how they draw.

    Along a path a step that is left out is taken without a network, as if images were white noise.
    So the chain still begins with standard normal noise, and not far from what the chain of all
    steps has there.

    Args:
        diffusion: The chain.
        x_T: Standard normal noise.
        start: Steps that are taken.
        noise: What the steps add.
        generator: Of that noise.
        white: For each step, what it makes of x_t if images are white noise: the factor of x_t, and
            the standard deviation of what it adds. None: as ancestral sampling with variance beta.
    """
    steps = diffusion.steps
    total = steps if start is None else start
    if not 1 <= total <= steps:
        raise ValueError(f"samplers.start: expected from 1 to the chain's {steps}, found {total}")
    if noise == "independent":
        return total, x_T, partial(sample, generator=generator)
    if white is None:
        white = ((1 - diffusion.betas).sqrt(), diffusion.betas.sqrt())
    path = brownian(generator, diffusion, x_T)
    x, variance = x_T, torch.ones_like(diffusion.betas[0])
    for factor, deviation in zip(*(reversed(table[total:]) for table in white), strict=True):
        x = factor * x + deviation * next(path)
        variance = factor**2 * variance + deviation**2
    x = x / variance.sqrt()
    return total, x, lambda p: p.mean + torch.exp(0.5 * p.log_variance) * next(path)


def _reversed_chain(step: Callable[[Tensor, int], Tensor], x: Tensor, total: int) -> Tensor:
    with torch.no_grad():
        for t in reversed(range(total)):
            x = step(x, t)
    return x


def to_uint8(x: Tensor, levels: int) -> Tensor:
    """Images in [-1, 1] as level indices, uint8 of shape (B, H, W, C).

    Each pixel goes to the nearest of the levels; at 256 levels it goes to the next one down, as the
    official code does: there half a level hardly shows, at 17 it would darken every image.

    Raises:
        ValueError: If a pixel is not finite, or levels not in [2, 256].
    """
    if not 2 <= levels <= 256:
        raise ValueError(f"samplers.to_uint8: expected from 2 to 256 levels, found {levels}")
    broken = int((~x.isfinite()).sum())
    if broken:
        raise ValueError(
            f"samplers.to_uint8: expected finite pixels, found {broken} that are not; the network "
            "may have diverged in training"
        )
    scaled = ((x + 1) * ((levels - 1) / 2)).clamp(0, levels - 1)
    nearest = scaled if levels == TRUNCATED_LEVELS else scaled.round()
    return nearest.to(torch.uint8).permute(0, 2, 3, 1).contiguous()
