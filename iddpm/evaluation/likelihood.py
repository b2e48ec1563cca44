"""The variational bound on the negative log-likelihood, in bits per dimension, term by term.

L_vlb = L_T + sum of L_{t-1} + L_0 (Nichol & Dhariwal, 2021, arXiv:2102.09672, Eqs. 4-7): the prior
KL(q(x_T|x_0) || N(0, I)), one KL for each step back, and the decoder, the likelihood of the pixels
given the last step. Every image meets every step once, each with a noise of its own (the official
protocol), and one network call serves every variance that the network can be read with: the
variance enters only after it. A respaced chain gives the bound of the shorter chain.

The network sees float32; all around it is float64, since a late term is a tiny difference of
almost equal Gaussians. Inside, terms are nats per dimension; the results are bits per dimension.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from iddpm.arrays import FloatArray, Int64Array, UInt8Array
from iddpm.config import Cdf, Variance
from iddpm.data import Selection, to_unit
from iddpm.denoiser import Denoiser, Output
from iddpm.gaussians import Gaussian, discretised_log_likelihood, kl
from iddpm.networks.conditioning import Conditioning
from iddpm.running.blocks import Blocks
from iddpm.running.draws import generator
from iddpm.running.interruption import Interrupted, Progress, StopCheck

# ---------------------------------------------------------------------------------- the result


class Estimate(NamedTuple):
    """A mean over images and its standard error."""

    mean: float
    standard_error: float

    @classmethod
    def of(cls, values: FloatArray) -> "Estimate":
        """The estimate from one value for each image."""
        error = values.std(ddof=1) / math.sqrt(len(values))
        return cls(float(values.mean()), float(error))


@dataclass(frozen=True, slots=True, kw_only=True)
class Bound:
    """The bound with one variance, in bits per dimension."""

    total: Estimate
    """Prior, KLs and decoder together."""
    decoder: Estimate
    kl: Estimate
    """All KLs of steps back together."""
    by_step: FloatArray
    """Mean over images of each step's term, shape (K,): the decoder at index 0, then the KLs."""
    by_step_standard_error: FloatArray
    """Shape (K,)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Likelihood:
    """The bound on a set of images, for every variance that was asked for."""

    images: int
    dimensions: int
    """Numbers in one image."""
    timesteps: tuple[int, ...]
    """The chain's steps, as numbers of the trained chain."""
    prior: Estimate
    """Bits per dimension; the same for every variance."""
    bounds: dict[Variance, Bound]
    x_0_mse_by_step: FloatArray
    """Mean squared error of the implied x_0 on [-1, 1], clipped if the bound was; shape (K,)."""
    range_fraction: tuple[float, float] | None
    """Share of a learned `range` variance's v (Eq. 15) below 0 and above 1, over all steps."""

    @property
    def bits_per_dim(self) -> dict[Variance, Estimate]:
        """The whole bound with each variance."""
        return {variance: bound.total for variance, bound in self.bounds.items()}

    def as_json(self) -> dict[str, Any]:
        """Plain values for a result file."""
        result: dict[str, Any] = {
            "images": self.images,
            "dimensions": self.dimensions,
            "steps": len(self.timesteps),
            "timesteps": list(self.timesteps),
            "prior": self.prior._asdict(),
            "variances": {name: _bound_json(bound) for name, bound in self.bounds.items()},
            "x_0_mse_by_step": self.x_0_mse_by_step.tolist(),
        }
        if self.range_fraction is not None:
            below, above = self.range_fraction
            result["range_fraction"] = {"below_0": below, "above_1": above}
        return result


def _bound_json(bound: Bound) -> dict[str, Any]:
    return {
        "bits_per_dim": bound.total._asdict(),
        "decoder": bound.decoder._asdict(),
        "kl": bound.kl._asdict(),
        "by_step": {
            "mean": bound.by_step.tolist(),
            "standard_error": bound.by_step_standard_error.tolist(),
        },
    }


# ------------------------------------------------------------------------------ the evaluation


class Block(NamedTuple):
    """What is kept of one block of B images: nats per dimension, for each variance in V."""

    prior: FloatArray
    """Shape (B,)."""
    decoder: FloatArray
    """Shape (V, B)."""
    kl: FloatArray
    """All KLs together, shape (V, B)."""
    mean: FloatArray
    """Of each step's term over the block, shape (V, K)."""
    spread: FloatArray
    """Sum over images of the squared distance to that mean, shape (V, K)."""
    x_0_mse: FloatArray
    """Mean over the block, shape (K,)."""
    outside: FloatArray
    """How many numbers v of a `range` variance lie below 0 and above 1, shape (2,)."""


class Watch(NamedTuple):
    """Whom to tell of steps, and whom to ask before each network call whether to go on."""

    progress: Progress
    should_stop: StopCheck
    done: int
    """Steps of the blocks before."""
    total: int

    def before_call(self) -> None:
        if self.should_stop():
            raise Interrupted(
                "likelihood: asked to stop; the finished blocks are kept", saved=self.done
            )

    def after_step(self, of_block: int) -> None:
        self.progress(self.done + of_block, self.total)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """How the bound is read off a network: block by block, and then over all blocks.

    The noise of a block of images at a step is a function of (seed, block, step of the trained
    chain), so a longer set of images and a shorter chain meet the same noise.
    """

    denoiser: Denoiser
    """A network in evaluation mode and its chain, whole or respaced."""
    levels: int
    """Of a pixel."""
    variances: tuple[Variance, ...]
    """Each variance to read the network with."""
    clip: bool
    """Hold the implied x_0 to [-1, 1], as the official evaluation does."""
    block_size: int
    """Images that share a network call; where there are fewer, as in a shorter last block, several
    of their steps share one."""
    seed: int
    """Of the noise."""
    cdf: Cdf = "tanh"
    """Of the decoder; see `discretised_log_likelihood`."""

    @torch.no_grad()
    def blocks(
        self,
        images: UInt8Array | Selection,
        *,
        first: int = 0,
        labels: Int64Array | None = None,
        device: torch.device | str = "cpu",
        kept: Blocks | None = None,
        progress: Progress = lambda done, total: None,
        should_stop: StopCheck = lambda: False,
    ) -> list[Block]:
        """Every block from one on: no image dropped, none repeated.

        Args:
            images: Level indices, shape (N, H, W, C).
            first: The block to begin with.
            labels: Classes for a class-conditional network, shape (N,).
            device: Where the network is.
            kept: Keeps each finished block; a second call goes on there.
            progress: Told the steps done, of how many.
            should_stop: Asked before each network call.

        Raises:
            ValueError: If there are labels for another number of images.
            Interrupted: If `should_stop` said so; finished blocks are in `kept`.
        """
        check_labels(labels, len(images))
        steps = self.denoiser.diffusion.steps
        numbers = range(-(-len(images) // self.block_size))[first:]
        found: list[Block] = []
        for number in numbers:
            chosen = slice(number * self.block_size, (number + 1) * self.block_size)
            if kept and (arrays := kept.kept(number, self._like(len(images[chosen])))):
                found.append(Block(**arrays))
                continue
            x_0 = torch.from_numpy(to_unit(images[chosen], self.levels)).to(device, torch.float64)
            told = None
            if labels is not None:
                told = Conditioning(labels=torch.from_numpy(labels[chosen]).to(device))
            watch = Watch(progress, should_stop, len(found) * steps, len(numbers) * steps)
            found.append(self._block(number, x_0, told, watch))
            if kept:
                kept.keep(number, found[-1]._asdict())
        return found

    def _like(self, count: int) -> dict[str, tuple[tuple[int, ...], str]]:
        """Shape and dtype of each array of a block of so many images."""
        B, V, K = count, len(self.variances), self.denoiser.diffusion.steps
        shapes = ((B,), (V, B), (V, B), (V, K), (V, K), (K,), (2,))
        return {name: (shape, "float64") for name, shape in zip(Block._fields, shapes, strict=True)}

    def bound(self, blocks: Sequence[Block], *, dimensions: int) -> Likelihood:
        """All blocks put together, nats turned into bits.

        Args:
            blocks: In their order.
            dimensions: Numbers in one image.

        Raises:
            ValueError: If there are fewer than 2 images.
        """
        bits = 1 / math.log(2)
        counts = np.array([len(block.prior) for block in blocks], dtype=np.float64)
        check_images(int(counts.sum()))
        prior = bits * np.concatenate([block.prior for block in blocks])
        decoder = bits * np.concatenate([block.decoder for block in blocks], axis=1)
        kls = bits * np.concatenate([block.kl for block in blocks], axis=1)
        mean, error = _by_step(blocks, counts)
        bounds = {
            variance: Bound(
                total=Estimate.of(prior + decoder[row] + kls[row]),
                decoder=Estimate.of(decoder[row]),
                kl=Estimate.of(kls[row]),
                by_step=bits * mean[row],
                by_step_standard_error=bits * error[row],
            )
            for row, variance in enumerate(self.variances)
        }
        return Likelihood(
            images=len(prior),
            dimensions=dimensions,
            timesteps=tuple(self.denoiser.diffusion.timesteps.tolist()),
            prior=Estimate.of(prior),
            bounds=bounds,
            x_0_mse_by_step=np.average([block.x_0_mse for block in blocks], axis=0, weights=counts),
            range_fraction=_range_fraction(blocks, self.denoiser, len(prior) * dimensions),
        )

    def _block(
        self, index: int, x_0: Tensor, conditioning: Conditioning | None, watch: Watch
    ) -> Block:
        """Every term of every image of a block; `x_0` is float64 (B, C, H, W)."""
        steps, numbers = self.denoiser.diffusion.steps, self.denoiser.diffusion.timesteps.tolist()
        terms = x_0.new_empty(len(self.variances), steps, len(x_0))
        squared_error = x_0.new_empty(steps, len(x_0))
        outside = x_0.new_zeros(2)
        for span in _spans(steps):
            t = torch.arange(span.start, span.stop, device=x_0.device).repeat_interleave(len(x_0))
            images = x_0.repeat(len(span), 1, 1, 1)
            noise = self._noise(index, numbers[span.start : span.stop], len(x_0), images)
            x_t = self.denoiser.diffusion.noised(images, t, noise).float()
            output = self._outputs(x_t, span, conditioning, watch)
            implied = self.denoiser.x_0(output, x_t.double(), t, clip=self.clip)
            found = self.terms(images, x_t.double(), implied, output, t, decoder=span.start == 0)
            terms[:, span.start : span.stop] = found.view(len(self.variances), len(span), -1)
            error = ((implied - images) ** 2).flatten(1).mean(1)
            squared_error[span.start : span.stop] = error.view(len(span), -1)
            if self.denoiser.learned_variance == "range":
                outside += _outside(output)
        return _reduced(prior_term(x_0, self.denoiser), terms, squared_error, outside)

    def _noise(self, index: int, numbers: list[int], count: int, like: Tensor) -> Tensor:
        """Noise for `count` images after each step of these numbers, shaped like all of them.

        It is drawn for a whole block: a shorter one meets the first of its draws.
        """
        shape = (self.block_size, *like.shape[1:])
        streams = [generator(self.seed, "likelihood", index, number) for number in numbers]
        draws = [torch.randn(shape, generator=stream)[:count] for stream in streams]
        return torch.cat(draws).to(like)

    def _outputs(
        self, x_t: Tensor, span: range, conditioning: Conditioning | None, watch: Watch
    ) -> Output:
        """What the network says of all steps of a span, in float64.

        A call takes as many whole steps as do not exceed a block.
        """
        count = len(x_t) // len(span)
        at_once = max(1, self.block_size // count)
        outputs = []
        for start in range(0, len(span), at_once):
            steps = span[start : start + at_once]
            noisy = x_t[start * count : (start + len(steps)) * count]
            t = torch.tensor(steps, device=x_t.device).repeat_interleave(count)
            watch.before_call()
            told = None if conditioning is None else conditioning.repeated(len(steps))
            outputs.append(self.denoiser.output(noisy, t, told))
            watch.after_step(steps[-1] + 1)
        prediction = torch.cat([output.prediction for output in outputs])
        variances = [output.variance for output in outputs if output.variance is not None]
        return Output(prediction, torch.cat(variances) if variances else None).double()

    def terms(
        self,
        x_0: Tensor,
        x_t: Tensor,
        implied: Tensor,
        output: Output,
        t: Tensor,
        *,
        decoder: bool,
    ) -> Tensor:
        """The bound's term for each variance and image, in nats per dimension, shape (V, B)."""
        mean = self.denoiser.diffusion.posterior(implied, x_t, t).mean
        truth = self.denoiser.diffusion.posterior(x_0, x_t, t)
        terms = []
        for variance in self.variances:
            step_back = Gaussian(mean, self.denoiser.log_variance(output, t, variance))
            if decoder:
                likelihood = discretised_log_likelihood
                nats = -likelihood(x_0, step_back, levels=self.levels, cdf=self.cdf)
            else:
                nats = kl(truth, step_back)
            terms.append(nats.flatten(1).mean(1))
        return torch.stack(terms)


def check_labels(labels: Int64Array | None, images: int) -> None:
    """Raise ValueError unless there is a label for each of so many images, or none at all."""
    if labels is not None and len(labels) != images:
        raise ValueError(
            f"likelihood.labels: expected one for each of {images} images, found {len(labels)}"
        )


def check_images(images: int) -> None:
    """Raise ValueError unless so many images have a spread."""
    if images < 2:
        raise ValueError(
            f"likelihood.images: expected at least 2, for a standard error, found {images}"
        )


SPAN = 8
"""Steps whose arithmetic is done at once: on small images a call costs more than its numbers."""


def _spans(steps: int) -> list[range]:
    """All steps in order; the first, the decoder's, is by itself."""
    starts = range(1, steps, SPAN)
    return [range(1), *(range(start, min(start + SPAN, steps)) for start in starts)]


def prior_term(x_0: Tensor, denoiser: Denoiser) -> Tensor:
    """KL(q(x_T | x_0) || N(0, I)) of each image, in nats per dimension."""
    noise = Gaussian(torch.zeros_like(x_0), x_0.new_zeros(()))
    x_T = denoiser.diffusion.marginal(x_0, denoiser.diffusion.steps - 1)
    return kl(x_T, noise).flatten(1).mean(1)


def _outside(output: Output) -> Tensor:
    """How many v lie below 0 and above 1; the network says 2v - 1."""
    raw = output.variance
    assert raw is not None
    return torch.stack([(raw < -1).sum(), (raw > 1).sum()])


def _reduced(prior: Tensor, terms: Tensor, squared_error: Tensor, outside: Tensor) -> Block:
    mean = terms.mean(2)
    spread = ((terms - mean[..., None]) ** 2).sum(2)
    kls = terms[:, 1:].sum(1)
    kept = (prior, terms[:, 0], kls, mean, spread, squared_error.mean(1), outside)
    return Block(*(tensor.cpu().numpy().copy() for tensor in kept))  # a view would keep all terms


# ------------------------------------------------------------------------------------ the total


def _by_step(blocks: Sequence[Block], counts: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Each step's mean over all images and its standard error, both (V, K), from the blocks'."""
    means = np.stack([block.mean for block in blocks])
    mean = np.average(means, axis=0, weights=counts)
    between = (counts[:, None, None] * (means - mean) ** 2).sum(0)
    variance = (np.stack([block.spread for block in blocks]).sum(0) + between) / (counts.sum() - 1)
    return mean, np.sqrt(variance / counts.sum())


def _range_fraction(
    blocks: Sequence[Block], denoiser: Denoiser, numbers: int
) -> tuple[float, float] | None:
    if denoiser.learned_variance != "range":
        return None
    below, above = np.sum([block.outside for block in blocks], axis=0)
    total = numbers * denoiser.diffusion.steps
    return float(below / total), float(above / total)
