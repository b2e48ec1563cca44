"""The forward process q, which turns an image into noise, and its exact reversal given the image.

x_0 is an image, x_t the same image after t steps of noise, eps the noise it holds. Arrays start at
0 and papers at 1: index `t` is step `t + 1` on paper, everywhere in this package. Equations are
those of Nichol & Dhariwal (2021, arXiv:2102.09672).

A step is given as one index for each image, an int64 tensor of shape (B,), or as one int for all.
The int costs a sampler nothing: it reads a scalar off a table.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import get_args

import torch
from torch import Tensor

from iddpm.arrays import FloatArray
from iddpm.config import FixedVariance
from iddpm.gaussians import Gaussian
from iddpm.registry import named

Step = Tensor | int


@dataclass(frozen=True, kw_only=True, eq=False)
class Diffusion:
    """A chain of K noising steps and the tables that follow from its betas, all float64.

    Build one with `from_betas`; shorten it with `respaced`.
    """

    betas: Tensor
    """Variance that each step adds, shape (K,), in (0, 1)."""
    timesteps: Tensor
    """Number of each step in the trained chain, which is what the network is told, int64 (K,)."""
    original_steps: int
    """Steps T of the trained chain."""

    def __post_init__(self) -> None:
        if self.betas.dim() != 1 or len(self.betas) < 2:
            raise ValueError(
                "diffusion.betas: expected at least 2 steps (the first step's variance is stood in "
                f"for by the second's), found shape {tuple(self.betas.shape)}"
            )
        if not bool(((self.betas > 0) & (self.betas < 1)).all()):
            low, high = self.betas.min().item(), self.betas.max().item()
            raise ValueError(
                f"diffusion.betas: expected values in (0, 1), found from {low:.3g} to {high:.3g}"
            )

    @classmethod
    def from_betas(cls, betas: FloatArray | Tensor) -> "Diffusion":
        """The whole chain of a schedule.

        Raises:
            ValueError: If there are fewer than 2 betas, or one is not in (0, 1).
        """
        table = torch.as_tensor(betas, dtype=torch.float64)
        return cls(betas=table, timesteps=torch.arange(len(table)), original_steps=len(table))

    def respaced(self, timesteps: Sequence[int]) -> "Diffusion":
        """The shorter chain that visits only some of this one's steps. Eq. 19.

        Its betas make the noise after each kept step what it was, and are not clipped again. The
        network is still told the numbers of the trained chain.

        Args:
            timesteps: Increasing indices into this chain.

        Raises:
            ValueError: If the indices do not increase within [0, K), or are fewer than 2.
        """
        kept = torch.as_tensor(timesteps, dtype=torch.int64)
        inside = len(kept) >= 2 and kept[0] >= 0 and kept[-1] < self.steps
        if not inside or not bool((kept.diff() > 0).all()):
            raise ValueError(
                "diffusion.respaced: expected at least 2 increasing indices from 0 to "
                f"{self.steps - 1}, found {list(timesteps)}"
            )
        alpha_bar = self.alpha_bar[kept]
        return Diffusion(
            betas=1 - alpha_bar / _shifted(alpha_bar, first=1.0),
            timesteps=self.timesteps[kept],
            original_steps=self.original_steps,
        )

    def to(self, device: torch.device | str) -> "Diffusion":
        """The same chain with its tables on a device; spares a copy at each use there."""
        return replace(self, betas=self.betas.to(device), timesteps=self.timesteps.to(device))

    @property
    def steps(self) -> int:
        """Length K of this chain."""
        return len(self.betas)

    # ------------------------------------------------------------------ tables, shape (K,), float64

    @cached_property
    def alpha_bar(self) -> Tensor:
        """Share of x_0's variance left in x_t, the product of 1 - beta up to t."""
        return torch.cumprod(1 - self.betas, dim=0)

    @cached_property
    def alpha_bar_before(self) -> Tensor:
        """The same one step earlier; 1 at index 0, where that is the image itself."""
        return _shifted(self.alpha_bar, first=1.0)

    @cached_property
    def signal(self) -> Tensor:
        """What x_0 is multiplied by in x_t (Eq. 9)."""
        return self.alpha_bar.sqrt()

    @cached_property
    def noise(self) -> Tensor:
        """What eps is multiplied by in x_t (Eq. 9)."""
        return (1 - self.alpha_bar).sqrt()

    @cached_property
    def log_noise_variance(self) -> Tensor:
        """Log-variance of q(x_t | x_0). Eq. 8."""
        return torch.log1p(-self.alpha_bar)

    @cached_property
    def beta_tildes(self) -> Tensor:
        """Variance of q(x_{t-1} | x_t, x_0), exactly 0 at index 0. Eq. 10."""
        return (1 - self.alpha_bar_before) / (1 - self.alpha_bar) * self.betas

    @cached_property
    def posterior_x_0(self) -> Tensor:
        """What x_0 is multiplied by in the mean of q(x_{t-1} | x_t, x_0). Eq. 11."""
        return self.alpha_bar_before.sqrt() * self.betas / (1 - self.alpha_bar)

    @cached_property
    def posterior_x_t(self) -> Tensor:
        """What x_t is multiplied by in the mean of q(x_{t-1} | x_t, x_0). Eq. 11."""
        return (1 - self.betas).sqrt() * (1 - self.alpha_bar_before) / (1 - self.alpha_bar)

    @cached_property
    def log_betas(self) -> Tensor:
        """Upper end of a `range` variance, log beta_t; index 0 is log beta_0. Eq. 15."""
        return self.betas.log()

    @cached_property
    def log_beta_tildes(self) -> Tensor:
        """Lower end of a `range` variance, log beta_tilde_t; index 0 holds index 1's. Eq. 15.

        beta_tilde_0 is 0; the official code lets the second step's stand in for it.
        """
        log_variance = self.beta_tildes[1:].log()
        return torch.cat([log_variance[:1], log_variance])

    @cached_property
    def fixed_log_variances(self) -> dict[str, Tensor]:
        """Log-variances of p for each fixed choice."""
        return {name: log_variances(self) for name, log_variances in FIXED_VARIANCES.items()}

    # ---------------------------------------------------------------------------------- the process

    def marginal(self, x_0: Tensor, t: Step) -> Gaussian:
        """The noisy image given the clean one, q(x_t | x_0). Eq. 8.

        Args:
            x_0: Clean images in [-1, 1], shape (B, C, H, W).
            t: Step index in [0, K), int64 (B,), or one int for all images.

        Returns:
            Mean of shape (B, C, H, W) and a log-variance that broadcasts to it.

        Raises:
            ValueError: If t is no step of this chain, or not one for each image.
        """
        self.check_step(t, x_0)
        return Gaussian(at(self.signal, t, x_0) * x_0, at(self.log_noise_variance, t, x_0))

    def noised(self, x_0: Tensor, t: Step, eps: Tensor) -> Tensor:
        """The noisy image x_t that holds the noise eps, a draw of `marginal`. Eq. 9.

        Args:
            x_0: Clean images in [-1, 1], shape (B, C, H, W).
            t: Step index in [0, K), int64 (B,), or one int for all images.
            eps: Standard normal noise, shape (B, C, H, W).

        Raises:
            ValueError: If x_0 and eps differ in shape, or t is no step of this chain.
        """
        _check_shapes("noised", x_0=x_0, eps=eps)
        self.check_step(t, x_0)
        return at(self.signal, t, x_0) * x_0 + at(self.noise, t, x_0) * eps

    def posterior(self, x_0: Tensor, x_t: Tensor, t: Step) -> Gaussian:
        """The step back that knows the answer, q(x_{t-1} | x_t, x_0). Eqs. 10-12.

        Args:
            x_0: Clean images in [-1, 1], shape (B, C, H, W).
            x_t: The same images after step t, shape (B, C, H, W).
            t: Step index in [0, K), int64 (B,), or one int for all images.

        Returns:
            Mean of shape (B, C, H, W) and a log-variance that broadcasts to it. The variance of the
            first step is zero; the second step's stands in for it, so that a KL stays finite.

        Raises:
            ValueError: If x_0 and x_t differ in shape, or t is no step of this chain.
        """
        _check_shapes("posterior", x_0=x_0, x_t=x_t)
        self.check_step(t, x_t)
        mean = at(self.posterior_x_0, t, x_t) * x_0 + at(self.posterior_x_t, t, x_t) * x_t
        return Gaussian(mean, at(self.log_beta_tildes, t, x_t))

    # ------------------------------------------------------- three ways to say what x_t is made of

    def x_0_from_eps(self, x_t: Tensor, t: Step, eps: Tensor) -> Tensor:
        """The clean image of which eps is the noise; Eq. 9 solved for x_0."""
        return (x_t - at(self.noise, t, x_t) * eps) / at(self.signal, t, x_t)

    def eps_from_x_0(self, x_t: Tensor, t: Step, x_0: Tensor) -> Tensor:
        """The noise that x_0 leaves unexplained; Eq. 9 solved for eps."""
        return (x_t - at(self.signal, t, x_t) * x_0) / at(self.noise, t, x_t)

    def x_0_from_v(self, x_t: Tensor, t: Step, v: Tensor) -> Tensor:
        """The clean image of which v is the velocity; `v_from` and Eq. 9 solved for x_0."""
        return at(self.signal, t, x_t) * x_t - at(self.noise, t, x_t) * v

    def v_from(self, x_0: Tensor, t: Step, eps: Tensor) -> Tensor:
        """The velocity of an image and its noise. Salimans & Ho (2022, arXiv:2202.00512)."""
        return at(self.signal, t, x_0) * eps - at(self.noise, t, x_0) * x_0

    def check_step(self, t: Step, images: Tensor) -> None:
        """Refuses a t that is no step of this chain, or not one for each image.

        The range of a tensor on an accelerator is not looked at: that would wait for the device.

        Raises:
            ValueError: If so.
        """
        if isinstance(t, Tensor):
            if t.dtype != torch.int64 or t.shape != images.shape[:1]:
                raise ValueError(
                    f"diffusion: expected t as int64 of shape ({len(images)},), one step for each "
                    f"image, found {t.dtype} of shape {tuple(t.shape)}"
                )
            if t.device.type != "cpu" or t.numel() == 0:
                return
            low, high = (int(bound) for bound in torch.aminmax(t))
        else:
            low = high = t
        if low < 0 or high >= self.steps:
            raise ValueError(
                f"diffusion: expected t from 0 to {self.steps - 1}, "
                f"found {low if low < 0 else high}"
            )


def beta_log_variances(diffusion: Diffusion) -> Tensor:
    """log beta_t, shape (K,); index 0 holds log beta_tilde_1.

    So in the official code: its "fixed large" is beta_t from index 1 on only.
    """
    return torch.cat([diffusion.log_beta_tildes[:1], diffusion.log_betas[1:]])


def beta_tilde_log_variances(diffusion: Diffusion) -> Tensor:
    """log beta_tilde_t, shape (K,); index 0 holds index 1's."""
    return diffusion.log_beta_tildes


FIXED_VARIANCES: dict[FixedVariance, Callable[[Diffusion], Tensor]] = named(
    get_args(FixedVariance), globals(), "{}_log_variances"
)
"""From a chain to the log-variances of p under fixed variance `x`: `x_log_variances`."""


def at(table: Tensor, t: Step, like: Tensor) -> Tensor:
    """The entries of a table at t, ready to be multiplied with images.

    Args:
        table: One value per step, shape (K,), float64.
        t: Step index, int64 (B,), or one int for all images.
        like: Images of shape (B, C, H, W), whose dtype and device are taken.

    Returns:
        Shape (B, 1, 1, 1) for a tensor t. For an int a float64 scalar, which torch multiplies with
        images of any dtype without promoting them; on the CPU it goes with any device.
    """
    if isinstance(t, int):
        return table[t]
    return table.to(like.device)[t].to(like.dtype).view(-1, *[1] * (like.dim() - 1))


def _shifted(table: Tensor, *, first: float) -> Tensor:
    return torch.cat([table.new_tensor([first]), table[:-1]])


def _check_shapes(where: str, **tensors: Tensor) -> None:
    (a, a_tensor), (b, b_tensor) = tensors.items()
    if a_tensor.shape != b_tensor.shape:
        raise ValueError(
            f"diffusion.{where}: expected {a} and {b} of one shape, "
            f"found {tuple(a_tensor.shape)} and {tuple(b_tensor.shape)}"
        )
