"""What training minimises: one loss per image, of shape (B,), from one call of the network.

L_simple is a mean squared error over the dimensions of an image, in the square of the predicted
quantity's unit. Terms of the bound are means over dimensions too, in bits: summed over the T steps
and the prior's they are bits/dim. Equations are those of Nichol & Dhariwal (2021,
arXiv:2102.09672); where their text and code part, the code's units are kept, and said.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor

from iddpm.config import Hybrid, Objective, Simple, Variance, Vlb
from iddpm.config_fields import kinds
from iddpm.denoiser import Denoiser, Output
from iddpm.gaussians import discretised_log_likelihood, kl
from iddpm.networks.conditioning import Conditioning
from iddpm.registry import named


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
    return LOSSES[objective.kind](objective, Noised(denoiser, x_0, x_t, t, eps, output, levels))


class Noised(NamedTuple):
    """Images on their way to noise, and what the network says of them."""

    denoiser: Denoiser
    x_0: Tensor
    x_t: Tensor
    t: Tensor
    eps: Tensor
    output: Output
    levels: int

    def squared_error(self) -> Tensor:
        """L_simple of each image."""
        return squared_error(self.denoiser, self.output, self.x_0, self.t, self.eps)

    def vlb_term(self, output: Output, variance: Variance) -> Tensor:
        """The bound's term of each image in bits/dim, as read from this output."""
        return vlb_term(
            self.denoiser,
            output,
            self.x_0,
            self.x_t,
            self.t,
            variance=variance,
            levels=self.levels,
        )


def simple_losses(objective: Simple, noised: Noised) -> Losses:
    """L_simple. Eq. 14."""
    mse = noised.squared_error()
    return Losses(total=mse, simple_mse=mse)


def vlb_losses(objective: Vlb, noised: Noised) -> Losses:
    """T times the bound's term. Eqs. 4-6."""
    vlb = noised.vlb_term(noised.output, objective.variance)
    return Losses(total=noised.denoiser.diffusion.steps * vlb, vlb=vlb)


def hybrid_losses(objective: Hybrid, noised: Noised) -> Losses:
    """L_simple + vlb_weight * L_vlb, where L_vlb does not move the mean. Eq. 16."""
    vlb = noised.vlb_term(noised.output.detached_mean(), objective.variance)
    mse = noised.squared_error()
    weighted = objective.vlb_weight * (noised.denoiser.diffusion.steps * vlb)
    return Losses(total=mse + weighted, simple_mse=mse, vlb=vlb)


LOSSES: dict[str, Callable[[Any, Noised], Losses]] = named(kinds(Objective), globals(), "{}_losses")
"""From the settings of objective `x` and noised images to losses: the function `x_losses`."""


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
