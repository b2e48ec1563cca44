"""From what a network says about x_t to the clean image and the step back p(x_{t-1} | x_t).

The network may predict the noise eps, the image x_0, or v (Salimans & Ho, 2022, arXiv:2202.00512).
The variance of p may be fixed, beta_t or beta_tilde_t, whatever the network; or be read from a
second half of the network's channels: `learned` is a log-variance, `range` a place between the two
fixed ones (Nichol & Dhariwal, 2021, arXiv:2102.09672, Eq. 15).
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple, get_args

from torch import Tensor

from iddpm.config import LearnedVariance, Prediction, Variance
from iddpm.diffusion import Diffusion, Step, at
from iddpm.gaussians import Gaussian
from iddpm.networks.conditioning import Conditioning
from iddpm.registry import named

Network = Callable[[Tensor, Tensor, Conditioning | None], Tensor]
"""(x_t, number of each image's step in the trained chain as int64 (B,), conditioning) -> output."""


class Output(NamedTuple):
    """What one call of the network says."""

    prediction: Tensor
    """Of eps, x_0 or v, shape (B, C, H, W)."""
    variance: Tensor | None
    """Of the same shape, if the network learned a variance: for `learned` the log-variance, for
    `range` a number from -1 (beta_tilde_t) to 1 (beta_t) that is not held to that range."""

    def detached_mean(self) -> "Output":
        """The same output, through whose prediction no gradient flows (Section 3.1)."""
        return Output(self.prediction.detach(), self.variance)

    def double(self) -> "Output":
        """The same output in float64."""
        return Output(
            self.prediction.double(), None if self.variance is None else self.variance.double()
        )


def split(output: Tensor, channels: int, learned_variance: LearnedVariance | None) -> Output:
    """A network's output, shape (B, C or 2C, H, W), as prediction and variance.

    Raises:
        ValueError: If the number of channels is not C, or 2C for a network that learned a variance.
    """
    expected = channels if learned_variance is None else 2 * channels
    if output.shape[1] != expected:
        raise ValueError(
            f"denoiser.network: expected {expected} output channels for images of {channels} and "
            f"learned variance {learned_variance}, found {output.shape[1]}"
        )
    if learned_variance is None:
        return Output(output, None)
    return Output(output[:, :channels], output[:, channels:])


@dataclass(frozen=True, kw_only=True)
class Denoiser:
    """A network read as the reverse process over a chain, whole or respaced."""

    network: Network
    diffusion: Diffusion
    prediction: Prediction = "eps"
    learned_variance: LearnedVariance | None = None

    def output(self, x_t: Tensor, t: Step, conditioning: Conditioning | None = None) -> Output:
        """One call of the network.

        Args:
            x_t: Noisy images, shape (B, C, H, W).
            t: Step index in [0, K), int64 (B,), or one int for all images.
            conditioning: What else the network is told.

        Returns:
            What it says, in the dtype of x_t even if it computes in a shorter one: bfloat16 would
            round a log-variance to two digits.

        Raises:
            ValueError: If t is no step of the chain, or the network's channels are not as declared.
        """
        self.diffusion.check_step(t, x_t)
        numbers = _numbers(self.diffusion, t, x_t)
        output = self.network(x_t, numbers, conditioning).to(x_t.dtype)
        return split(output, x_t.shape[1], self.learned_variance)

    def x_0(self, output: Output, x_t: Tensor, t: Step, *, clip: bool) -> Tensor:
        """The clean image that the prediction implies, shape (B, C, H, W).

        Args:
            output: What the network said of x_t.
            x_t: Noisy images, shape (B, C, H, W).
            t: Their step.
            clip: Hold the image to [-1, 1], as the official code does unless it trains.
        """
        x_0 = self._implied_x_0(output.prediction, x_t, t)
        return x_0.clamp(-1, 1) if clip else x_0

    def _implied_x_0(self, prediction: Tensor, x_t: Tensor, t: Step) -> Tensor:
        if self.prediction == "eps":
            return self.diffusion.x_0_from_eps(x_t, t, prediction)
        if self.prediction == "v":
            return self.diffusion.x_0_from_v(x_t, t, prediction)
        return prediction

    def reverse(
        self,
        output: Output,
        x_t: Tensor,
        t: Step,
        *,
        variance: Variance,
        clip: bool,
        x_0: Tensor | None = None,
    ) -> Gaussian:
        """The step back, p(x_{t-1} | x_t): the posterior's mean at the implied x_0.

        Nichol & Dhariwal (2021), Eqs. 3, 11 and 13.

        Args:
            output: What the network said of x_t.
            x_t: Noisy images, shape (B, C, H, W).
            t: Their step.
            variance: Which variance p has.
            clip: Hold the implied x_0 to [-1, 1].
            x_0: The implied x_0 where it is at hand, from `x_0` with the same `clip`.

        Returns:
            Mean of shape (B, C, H, W) and a log-variance that broadcasts to it. At index 0 both
            fixed variances are beta_tilde_1.

        Raises:
            ValueError: If the network did not learn the variance asked for.
        """
        if x_0 is None:
            x_0 = self.x_0(output, x_t, t, clip=clip)
        mean = self.diffusion.posterior(x_0, x_t, t).mean
        return Gaussian(mean, self.log_variance(output, t, variance))

    def log_variance(self, output: Output, t: Step, variance: Variance) -> Tensor:
        """Log-variance of p(x_{t-1} | x_t); broadcasts to the shape of the images.

        Raises:
            ValueError: If the network did not learn the variance asked for.
        """
        fixed = self.diffusion.fixed_log_variances
        if variance in fixed:
            return at(fixed[variance], t, output.prediction)
        if output.variance is None or variance != self.learned_variance:
            learned = self.learned_variance or "none"
            raise ValueError(
                f"denoiser.variance: expected one that this network has, found {variance!r} "
                f"(it learned {learned}); take 'beta' or 'beta_tilde'"
            )
        return LEARNED_VARIANCES[variance](output.variance, self.diffusion, t)


def learned_log_variance(output: Tensor, diffusion: Diffusion, t: Step) -> Tensor:
    """The network's second half as it is."""
    return output


def range_log_variance(output: Tensor, diffusion: Diffusion, t: Step) -> Tensor:
    """Between log beta_tilde_t, where the network says -1, and log beta_t, where it says 1. Eq. 15.

    Args:
        output: The network's second half, shape (B, C, H, W).
        diffusion: The chain.
        t: Step index, int64 (B,), or one int for all images.
    """
    share = (output + 1) / 2
    low = at(diffusion.log_beta_tildes, t, output)
    high = at(diffusion.log_betas, t, output)
    return share * high + (1 - share) * low


LEARNED_VARIANCES: dict[LearnedVariance, Callable[[Tensor, Diffusion, Step], Tensor]] = named(
    get_args(LearnedVariance), globals(), "{}_log_variance"
)
"""From the network's second half to the log-variance of p under learned variance `x`."""


def _numbers(diffusion: Diffusion, t: Step, x_t: Tensor) -> Tensor:
    if isinstance(t, int):
        return diffusion.timesteps[t].to(x_t.device).expand(len(x_t))
    return diffusion.timesteps.to(x_t.device)[t]
