"""What training minimises: one loss per image, of shape (B,), from one call of the network.

L_simple is a mean squared error over the dimensions of an image, in the square of the predicted
quantity's unit. Terms of the bound are means over dimensions too, in bits: summed over the T steps
and the prior's they are bits/dim. Equations are those of Nichol & Dhariwal (2021,
arXiv:2102.09672); where their text and code part, the code's units are kept, and said.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from iddpm.conditioning import Conditioning
from iddpm.config import Hybrid, Objective, Simple, Variance, Vlb
from iddpm.denoiser import Denoiser, Output
from iddpm.gaussians import discretised_log_likelihood, kl


@dataclass(frozen=True, kw_only=True, eq=False)
class Losses:
    """The loss of each image, and what it is made of."""

    total: Tensor
    """What is minimised, shape (B,)."""
    simple_mse: Tensor | None = None
    """L_simple, shape (B,), where the objective has it."""
    vlb: Tensor | None = None
    """The bound's term at the drawn step in bits/dim, shape (B,), where the objective has it."""


def objective_losses(
    objective: Objective,
    denoiser: Denoiser,
    x_0: Tensor,
    t: Tensor,
    eps: Tensor,
    *,
    levels: int,
    conditioning: Conditioning | None = None,
) -> Losses:
    """The losses of images noised to the drawn steps.

    Averaged over t uniform, `total` is L_simple (Eq. 14), L_vlb less its constant prior term in
    bits/dim (Eq. 4), or L_simple + vlb_weight * L_vlb (Eq. 16). In the last, L_vlb trains only the
    variance: no gradient flows from it through the mean.

    Args:
        objective: Which of them, with its settings.
        denoiser: The network read over the whole chain of T steps.
        x_0: Clean images in [-1, 1], shape (B, C, H, W).
        t: Drawn step of each image, int64 (B,).
        eps: Drawn noise, shape (B, C, H, W).
        levels: Grey levels of the images.
        conditioning: What else the network is told.

    Raises:
        ValueError: If shapes disagree, t is out of range, or the variance was not learned.
    """
    x_t = denoiser.diffusion.noised(x_0, t, eps)
    output = denoiser.output(x_t, t, conditioning)
    if isinstance(objective, Simple):
        mse = squared_error(denoiser, output, x_0, t, eps)
        return Losses(total=mse, simple_mse=mse)
    read = output.detached_mean() if isinstance(objective, Hybrid) else output
    vlb = vlb_term(denoiser, read, x_0, x_t, t, variance=objective.variance, levels=levels)
    whole_vlb = denoiser.diffusion.steps * vlb
    if isinstance(objective, Vlb):
        return Losses(total=whole_vlb, vlb=vlb)
    mse = squared_error(denoiser, output, x_0, t, eps)
    return Losses(total=mse + objective.vlb_weight * whole_vlb, simple_mse=mse, vlb=vlb)


def squared_error(
    denoiser: Denoiser, output: Output, x_0: Tensor, t: Tensor, eps: Tensor
) -> Tensor:
    """L_simple of each image: the mean squared error of the predicted quantity. Eq. 14.

    The paper sums over dimensions; the official code takes their mean, and so do we.
    """
    if denoiser.prediction == "v":
        target = denoiser.diffusion.v_from(x_0, t, eps)
    else:
        target = eps if denoiser.prediction == "eps" else x_0
    return _mean((target - output.prediction) ** 2)


def vlb_term(
    denoiser: Denoiser,
    output: Output,
    x_0: Tensor,
    x_t: Tensor,
    t: Tensor,
    *,
    variance: Variance,
    levels: int,
    clip: bool = False,
) -> Tensor:
    """The bound's term at step t in bits/dim, shape (B,). Eqs. 5-6.

    At index 0 it is the decoder's, -log p(x_0 | x_1) of the image's levels; elsewhere
    KL(q(x_{t-1} | x_t, x_0) || p(x_{t-1} | x_t)).

    Args:
        denoiser: The network read over a chain.
        output: What the network said of x_t.
        x_0: Clean images in [-1, 1], shape (B, C, H, W).
        x_t: The same images after step t, shape (B, C, H, W).
        t: Step of each image, int64 (B,).
        variance: Which variance p has.
        levels: Grey levels of the images.
        clip: Hold the implied x_0 to [-1, 1]; not while training, in the official code.
    """
    p = denoiser.reverse(output, x_t, t, variance=variance, clip=clip)
    divergence = _mean(kl(denoiser.diffusion.posterior(x_0, x_t, t), p))
    decoder = -_mean(discretised_log_likelihood(x_0, p, levels=levels))
    return torch.where(t == 0, decoder, divergence) / math.log(2)


def _mean(values: Tensor) -> Tensor:
    return values.flatten(start_dim=1).mean(dim=1)
