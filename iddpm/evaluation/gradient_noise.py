"""The gradient noise scale: how many images a batch must hold for its gradient to be half signal.

Of one image's gradient g with mean G and covariance Sigma it is tr(Sigma) / |G|^2 (McCandlish et
al., 2018, arXiv:1812.06162, Section 2.2 and Appendix A.1). Neither part can be read off a batch:
the squared norm of a mean over B images has the expectation |G|^2 + tr(Sigma) / B. Two batch sizes
give two such equations, whose solution is unbiased; here the small batches are the blocks that the
big one is made of. Both parts are averaged over many draws before they are divided: a mean of
ratios would be biased by as much as |G|^2 wavers.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from iddpm.arrays import FloatArray
from iddpm.config import Objective, Precision
from iddpm.data import Images, to_unit
from iddpm.denoiser import Denoiser
from iddpm.evaluation.likelihood import Estimate
from iddpm.networks.conditioning import Conditioning
from iddpm.networks.flat import FlatWeights
from iddpm.networks.precision import arithmetic, tf32
from iddpm.objectives import objective_losses
from iddpm.running.blocks import Blocks
from iddpm.running.draws import derived_seed, generator
from iddpm.running.interruption import Interrupted, Progress, StopCheck
from iddpm.timesteps import UniformTimesteps

ERRORS_FROM_ZERO = 2.0
"""So many standard errors above zero |G|^2 must lie, or the scale is not determined."""

# ----------------------------------------------------------------------------- from norms to scale


@dataclass(frozen=True, slots=True, kw_only=True)
class GradientNoise:
    """The noise of a gradient, in the units of the loss and the weights."""

    draws: int
    small_batch: int
    big_batch: int
    squared_norm: Estimate
    """|G|^2; an unbiased estimate may lie below zero."""
    variance: Estimate
    """tr(Sigma), of the gradient of a single image."""
    log_scale: Estimate | None
    """Natural logarithm of tr(Sigma) / |G|^2, in images, with its jackknife standard error; None:
    |G|^2 cannot be told from zero, and the scale could be anything above some value."""

    def as_json(self) -> dict[str, Any]:
        """Plain values for a result file."""
        return {
            "draws": self.draws,
            "small_batch": self.small_batch,
            "big_batch": self.big_batch,
            "squared_norm": self.squared_norm._asdict(),
            "variance": self.variance._asdict(),
            "log_scale": None if self.log_scale is None else self.log_scale._asdict(),
        }


def gradient_noise(norms: FloatArray, *, small_batch: int, big_batch: int) -> GradientNoise:
    """The scale and its parts from the squared norms of gradients over two batch sizes.

    McCandlish et al. (2018), Appendix A.1.

    Args:
        norms: One row for each draw, shape (D, 2): the squared norm of the gradient of small
            batches (their mean, where a draw has several) and that of the big batch.
        small_batch: Images in a small batch.
        big_batch: Images in a big one.

    Raises:
        ValueError: If there are fewer than 2 draws, or the big batch is not the bigger one.
    """
    if norms.ndim != 2 or norms.shape[1] != 2 or len(norms) < 2:
        raise ValueError(
            "gradient_noise.norms: expected two for each of at least 2 draws, found shape "
            f"{norms.shape}"
        )
    if not 1 <= small_batch < big_batch:
        raise ValueError(
            f"gradient_noise.big_batch: expected more than the {small_batch} images of a small "
            f"batch, found {big_batch}"
        )
    small, big = norms.T
    squared_norm = (big_batch * big - small_batch * small) / (big_batch - small_batch)
    variance = (small - big) / (1 / small_batch - 1 / big_batch)
    signal = Estimate.of(squared_norm)
    determined = signal.mean > ERRORS_FROM_ZERO * signal.standard_error
    return GradientNoise(
        draws=len(norms),
        small_batch=small_batch,
        big_batch=big_batch,
        squared_norm=signal,
        variance=Estimate.of(variance),
        log_scale=_log_ratio(variance, squared_norm) if determined else None,
    )


def _log_ratio(above: FloatArray, below: FloatArray) -> Estimate:
    """The log of a ratio of means, and its standard error by leaving out each draw in turn.

    No draw moves a mean by more than a standard error when it is left out, so the mean of a
    determined |G|^2 stays above zero.
    """
    draws = len(above)
    left_out = np.log(above.sum() - above) - np.log(below.sum() - below)
    spread = ((left_out - left_out.mean()) ** 2).sum()
    log_ratio = math.log(above.mean()) - math.log(below.mean())
    return Estimate(log_ratio, math.sqrt((draws - 1) / draws * float(spread)))


# ------------------------------------------------------------------------------- the draws

BlockGradient = Callable[[int, int], Tensor]
"""(draw, block) -> gradient of the mean loss over that block's images, as one vector."""


def evaluate(
    gradient: BlockGradient,
    *,
    draws: int,
    blocks: int,
    block_size: int,
    kept: Blocks | None = None,
    progress: Progress = lambda done, total: None,
    should_stop: StopCheck = lambda: False,
) -> GradientNoise:
    """The noise of a gradient from so many big batches, each made of blocks.

    Args:
        gradient: Of the loss over one block.
        draws: Big batches.
        blocks: Blocks in each, at least 2; a block is a small batch.
        block_size: Images in a block.
        kept: Keeps each finished draw as a block; a second call goes on there.
        progress: Told the blocks done, of how many.
        should_stop: Asked before each block.

    Raises:
        ValueError: If a gradient is not finite, or there are fewer than 2 draws or blocks.
        Interrupted: If `should_stop` said so; finished draws are in `kept`.
    """
    norms = np.empty((draws, 2))
    for draw in range(draws):
        if kept and (arrays := kept.kept(draw, {"norms": ((2,), "float64")})):
            norms[draw] = arrays["norms"]
            continue
        norms[draw] = _squared_norms(gradient, draw, draws, blocks, progress, should_stop)
        if kept:
            kept.keep(draw, {"norms": norms[draw]})
    return gradient_noise(norms, small_batch=block_size, big_batch=blocks * block_size)


def _squared_norms(
    gradient: BlockGradient,
    draw: int,
    draws: int,
    blocks: int,
    progress: Progress,
    should_stop: StopCheck,
) -> tuple[float, float]:
    """Mean squared norm over the blocks of a draw, and that of the mean of their gradients."""
    total, small = torch.zeros((), dtype=torch.float64), 0.0
    for block in range(blocks):
        if should_stop():
            raise Interrupted(
                "gradient_noise: asked to stop; the finished draws are kept", saved=draw * blocks
            )
        found = gradient(draw, block).double()
        small += float(found.square().sum()) / blocks
        total = total.to(found.device) + found / blocks
        progress(draw * blocks + block + 1, draws * blocks)
    big = float(total.square().sum())
    if not math.isfinite(small + big):
        raise ValueError(
            f"gradient_noise: expected finite gradients, found one of draw {draw} that is not; the "
            "network may have diverged in training"
        )
    return small, big


# ------------------------------------------------------------------------- of a network's training


@dataclass(frozen=True, kw_only=True)
class LossGradient:
    """The gradient of a training loss over blocks of images: a `BlockGradient`.

    Images are drawn with replacement and steps t uniformly, whatever the network was trained
    with, so that the images of a batch are independent and all weights are 1. Images, steps, noise
    and dropout of a block are functions of (seed, draw, block). Calling it seeds torch's global
    generator where the network has dropout.
    """

    objective: Objective
    denoiser: Denoiser
    """Reads the network over its whole chain; the network is in training mode."""
    weights: FlatWeights
    """Of the same network."""
    data: Images
    class_conditional: bool
    has_dropout: bool
    block_size: int
    seed: int
    precision: Precision = "float32"
    device: torch.device | str = "cpu"

    def __call__(self, draw: int, block: int) -> Tensor:
        """The gradient of the mean loss over one block; the next call overwrites it."""
        x_0, conditioning = self._images(draw, block)
        uniform = UniformTimesteps(self.denoiser.diffusion.steps)
        t, _ = uniform.draw(self.block_size, self._generator("timesteps", draw, block))
        noise = self._generator("noise", draw, block, device=self.device)
        eps = torch.randn(x_0.shape, generator=noise, device=self.device)
        if self.has_dropout:
            torch.manual_seed(derived_seed(self.seed, "gradient noise: dropout", draw, block))
        self.weights.gradient.zero_()
        with arithmetic(self.precision, self.device):
            losses = objective_losses(
                self.objective,
                self.denoiser,
                x_0,
                t.to(self.device),
                eps,
                levels=self.data.levels,
                conditioning=conditioning,
            )
        with tf32(self.precision):
            torch.autograd.backward(losses.total.mean())
        return self.weights.gradient

    def _images(self, draw: int, block: int) -> tuple[Tensor, Conditioning | None]:
        images = self._generator("images", draw, block)
        rows = torch.randint(len(self.data.images), (self.block_size,), generator=images).numpy()
        x_0 = torch.from_numpy(to_unit(self.data.images[rows], self.data.levels)).to(self.device)
        if not self.class_conditional or self.data.labels is None:
            return x_0, None
        labels = torch.from_numpy(self.data.labels[rows]).to(self.device)
        return x_0, Conditioning(labels=labels)

    def _generator(
        self, purpose: str, draw: int, block: int, device: torch.device | str = "cpu"
    ) -> torch.Generator:
        return generator(self.seed, f"gradient noise: {purpose}", draw, block, device=device)
