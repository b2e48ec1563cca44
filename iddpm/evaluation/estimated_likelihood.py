"""The variational bound estimated from a few network calls an image, without bias.

The bound is a sum over the T steps of the chain (Nichol & Dhariwal, 2021, arXiv:2102.09672, Eqs.
4-7), and its terms differ by orders of magnitude. The prior is exact, the decoder at t = 0 is a
stratum of its own, and the steps back are drawn: each image draws t from p(t) ~ sqrt(E[L_t^2]), the
proposal of least variance (Section 3.3, Eq. 18), and weighs its term by 1 / p(t). The [0, 1] of p's
distribution function is cut into equal strata and each has a pair of draws: the squared difference
of a pair tells, without bias, what the draws add to the error.

A pilot finds p and how many draws it takes, from draws of its own. So nothing depends on the draws
that the estimate is made from: they keep it unbiased also where they stop at a wanted error. A part
of p is uniform, which bounds every weight.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from iddpm.arrays import FloatArray, Int64Array, UInt8Array
from iddpm.config import Variance
from iddpm.data import Selection, to_unit
from iddpm.denoiser import Output
from iddpm.evaluation.config import PILOT_BINS, TRIAL_STRATA
from iddpm.evaluation.likelihood import (
    Estimate,
    Reading,
    Watch,
    check_images,
    check_labels,
    prior_term,
)
from iddpm.networks.conditioning import Conditioning
from iddpm.running.blocks import Blocks
from iddpm.running.draws import generator
from iddpm.running.interruption import Progress, StopCheck

UNIFORM = 0.1
"""The part of the proposal that is uniform: no weight exceeds a uniform draw's by more than 10."""

# ---------------------------------------------------------------------------------- the result


class DrawnEstimate(NamedTuple):
    """A mean over images whose values were estimated from draws, and its standard error in parts.

    The squares of the parts add up to that of the whole.
    """

    mean: float
    standard_error: float
    due_to_draws: float
    """What is left about the mean over these very images."""
    due_to_images: float
    """What would be left with infinitely many draws."""

    @classmethod
    def of(cls, values: FloatArray, variances: FloatArray) -> "DrawnEstimate":
        """The estimate from one unbiased value, and that value's variance, for each image."""
        whole = Estimate.of(values)
        draws = max(float(variances.sum()), 0.0) / len(values) ** 2
        images = max(whole.standard_error**2 - draws, 0.0)
        return cls(whole.mean, whole.standard_error, math.sqrt(draws), math.sqrt(images))


class DrawnBound(NamedTuple):
    """The estimated bound with one variance, in bits per dimension."""

    total: DrawnEstimate
    """Prior, KLs and decoder together."""
    decoder: DrawnEstimate
    kl: DrawnEstimate


@dataclass(frozen=True, slots=True, kw_only=True)
class EstimatedLikelihood:
    """The estimated bound on a set of images, for every variance that was asked for."""

    images: int
    dimensions: int
    """Numbers in one image."""
    steps: int
    """Of the chain."""
    draws: int
    """Network calls for each image, without the pilot's."""
    calls: int
    """Network calls in all, the pilot's among them."""
    prior: Estimate
    """Bits per dimension, exact; the same for every variance."""
    bounds: dict[Variance, DrawnBound]
    range_fraction: tuple[float, float] | None
    """Estimated share of a learned `range` variance's v (Eq. 15) below 0 and above 1, over all
    steps."""

    def as_json(self) -> dict[str, Any]:
        """Plain values for a result file."""
        result: dict[str, Any] = {
            "images": self.images,
            "dimensions": self.dimensions,
            "steps": self.steps,
            "estimated": {"draws": self.draws, "calls": self.calls},
            "prior": self.prior._asdict(),
            "variances": {
                name: {
                    "bits_per_dim": bound.total._asdict(),
                    "decoder": bound.decoder._asdict(),
                    "kl": bound.kl._asdict(),
                }
                for name, bound in self.bounds.items()
            },
        }
        if self.range_fraction is not None:
            below, above = self.range_fraction
            result["range_fraction"] = {"below_0": below, "above_1": above}
        return result


# ---------------------------------------------------------------------------------- the design


class Design(NamedTuple):
    """How every image draws, as the pilot found it."""

    proposal: FloatArray
    """Probability of each step back, t = 1 to K - 1, shape (K - 1,)."""
    pairs: Int64Array
    """Pairs of draws at t = 0, and strata of the others, each with a pair, shape (2,)."""

    @property
    def draws(self) -> int:
        """Network calls for each image."""
        return 2 * int(self.pairs.sum())


class DrawnBlock(NamedTuple):
    """Estimates of each of B images, in nats per dimension; Q are the variances, then what v says.

    Sums over the steps of a part, and the variance of each such estimate.
    """

    prior: FloatArray
    """Shape (B,), exact."""
    decoder: FloatArray
    """Shape (Q, B), as are those that follow."""
    decoder_variance: FloatArray
    kl: FloatArray
    kl_variance: FloatArray


@dataclass(frozen=True, slots=True, kw_only=True)
class _Part:
    """Some images of a set as the network sees them."""

    x_0: Tensor
    """Float64, shape (B, C, H, W)."""
    first: int
    """The place of the first of them in the set."""
    labels: Tensor | None
    """Int64, shape (B,)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DrawnReading:
    """How the bound is estimated: a design by a pilot, then block by block, then over all blocks.

    Given the design, what an image draws is a function of (seed, its place): images that follow and
    the size of blocks do not matter.
    """

    reading: Reading
    """The network, its chain, and how it is read."""
    draws: int
    """Network calls for each image, even and at least 4; with `error` the most."""
    error: float | None = None
    """Bits/dim: only as many draws as the pilot says that this standard error due to draws takes.
    None: all of `draws`."""
    pilot: int = 64
    """Images of the pilot, the first ones."""

    @torch.no_grad()
    def blocks(
        self,
        images: UInt8Array | Selection,
        *,
        labels: Int64Array | None = None,
        device: torch.device | str = "cpu",
        kept: Blocks | None = None,
        progress: Progress = lambda done, total: None,
        should_stop: StopCheck = lambda: False,
    ) -> tuple[Design, list[DrawnBlock]]:
        """The design, and every block of images.

        Args:
            images: Level indices, shape (N, H, W, C).
            labels: Classes for a class-conditional network, shape (N,).
            device: Where the network is.
            kept: Keeps the design, as number 0, and each finished block behind it; a second call
                goes on there.
            progress: Told the network calls done, without the pilot's, of how many.
            should_stop: Asked before each batch of network calls.

        Raises:
            ValueError: If there are labels for another number of images.
            Interrupted: If `should_stop` said so; finished blocks are in `kept`.
        """
        check_labels(labels, len(images))
        count, size = len(images), self.reading.block_size
        part = partial(self._part, images, labels, device)
        pilot = Watch(lambda done, total: None, should_stop, 0, 0)
        arrays = kept.kept(0, self._design_like()) if kept else None
        design = Design(**arrays) if arrays else self._design(part(0, self.pilot), count, pilot)
        if kept and not arrays:
            kept.keep(0, design._asdict())
        found: list[DrawnBlock] = []
        for number, first in enumerate(range(0, count, size), start=1):
            like = self._block_like(min(size, count - first))
            if kept and (arrays := kept.kept(number, like)):
                found.append(DrawnBlock(**arrays))
                continue
            watch = Watch(progress, should_stop, first * design.draws, count * design.draws)
            found.append(self._block("likelihood estimate", part(first, size), design, watch))
            if kept:
                kept.keep(number, found[-1]._asdict())
        return design, found

    def _part(
        self,
        images: UInt8Array | Selection,
        labels: Int64Array | None,
        device: torch.device | str,
        first: int,
        size: int,
    ) -> _Part:
        chosen = slice(first, first + size)
        x_0 = torch.from_numpy(to_unit(images[chosen], self.reading.levels))
        told = None if labels is None else torch.from_numpy(labels[chosen]).to(device)
        return _Part(x_0=x_0.to(device, torch.float64), first=first, labels=told)

    def _design_like(self) -> dict[str, tuple[tuple[int, ...], str]]:
        steps = self.reading.denoiser.diffusion.steps
        return {"proposal": ((steps - 1,), "float64"), "pairs": ((2,), "int64")}

    def _block_like(self, count: int) -> dict[str, tuple[tuple[int, ...], str]]:
        shape = (self._quantities, count)
        return {
            name: ((count,) if name == "prior" else shape, "float64") for name in DrawnBlock._fields
        }

    @property
    def _quantities(self) -> int:
        """The variances, and of a learned range the shares of v below and above it."""
        ranged = self.reading.denoiser.learned_variance == "range"
        return len(self.reading.variances) + 2 * ranged

    # ------------------------------------------------------------------------------- the pilot

    def _design(self, part: _Part, images: int, watch: Watch) -> Design:
        """What the pilot finds: the proposal, then on trial how much draws by it vary."""
        V = len(self.reading.variances)
        proposal = self._proposal(part, watch)
        trial = Design(proposal, np.array([1, TRIAL_STRATA]))
        tried = self._block("likelihood trial", part, trial, watch)
        decoder = tried.decoder_variance[:V].mean(1).max()
        kl = TRIAL_STRATA * tried.kl_variance[:V].mean(1).max()
        return Design(proposal, self._pairs(math.sqrt(decoder), math.sqrt(kl), images))

    def _proposal(self, part: _Part, watch: Watch) -> FloatArray:
        """Probabilities as the root mean square of terms, each variance counted alike.

        Each image of the pilot draws one step of every bin; between the bins the roots are
        interpolated.
        """
        edges = _bins(self.reading.denoiser.diffusion.steps)
        bins, V, seed = len(edges) - 1, len(self.reading.variances), self.reading.seed
        places = [
            torch.rand(
                bins, generator=generator(seed, "likelihood bins", image), dtype=torch.float64
            )
            for image in range(len(part.x_0))
        ]
        low = torch.from_numpy(edges[:-1])
        t = low + (torch.stack(places) * torch.from_numpy(np.diff(edges))).long()
        terms = self._values("likelihood pilot", part, t, watch)[:V]
        roots = (terms**2).mean(1).sqrt().cpu().numpy()
        steps = np.arange(1, edges[-1])
        where = np.interp(steps + 0.5, edges, np.arange(bins + 1))
        logs = np.log(np.maximum(roots, np.finfo(np.float64).tiny))
        shapes = np.exp([np.interp(where, np.arange(bins) + 0.5, row) for row in logs])
        shape: FloatArray = (shapes / shapes.sum(1, keepdims=True)).mean(0)
        return (1 - UNIFORM) * shape + UNIFORM / len(shape)

    def _pairs(self, decoder: float, kl: float, images: int) -> Int64Array:
        """Pairs at t = 0 and strata of the rest: shared out by Neyman's rule, in step with spread.

        Args:
            decoder: Standard deviation of an image's decoder term from one pair.
            kl: The same of its other terms, so that S strata divide its square by S or more.
            images: Over which the mean is taken.
        """
        most, spread = self.draws // 2, max(decoder + kl, np.finfo(np.float64).tiny)
        pairs = most
        if self.error is not None:
            needed = spread**2 / (images * (self.error * math.log(2)) ** 2)
            pairs = min(most, max(1 + TRIAL_STRATA, math.ceil(needed)))
        at_0 = max(1, min(round(pairs * decoder / spread), pairs - TRIAL_STRATA))
        return np.array([at_0, pairs - at_0])

    # ------------------------------------------------------------------------------- the draws

    def _block(self, purpose: str, part: _Part, design: Design, watch: Watch) -> DrawnBlock:
        """The estimates of every image of a part."""
        B, at_0 = len(part.x_0), int(design.pairs[0])
        first = torch.zeros(B, 2 * at_0, dtype=torch.int64)
        decoder = self._values(f"{purpose} decoder", part, first, watch)
        t = self._steps(purpose, part, design)
        watch = watch._replace(done=watch.done + B * 2 * at_0)
        kl = self._values(purpose, part, t, watch)
        kl = kl / torch.from_numpy(design.proposal)[t - 1].to(kl.device)
        parts = [*_stratified(decoder), *_stratified(kl)]
        prior = prior_term(part.x_0, self.reading.denoiser)
        return DrawnBlock(*(tensor.cpu().numpy().copy() for tensor in (prior, *parts)))

    def _steps(self, purpose: str, part: _Part, design: Design) -> Tensor:
        """The steps that images draw, a pair in each stratum, int64 (B, 2 strata)."""
        strata = int(design.pairs[1])
        streams = [
            generator(self.reading.seed, f"{purpose} steps", part.first + place)
            for place in range(len(part.x_0))
        ]
        within = torch.stack(
            [torch.rand(strata, 2, generator=one, dtype=torch.float64) for one in streams]
        )
        u = (torch.arange(strata)[:, None] + within) / strata
        ends = torch.from_numpy(np.cumsum(design.proposal)[:-1])
        return 1 + torch.searchsorted(ends, u.flatten(1), right=True)

    def _values(self, purpose: str, part: _Part, t: Tensor, watch: Watch) -> Tensor:
        """The term of every variance, then what v says, of each draw: shape (Q, B, n).

        Args:
            purpose: Of the noise; beside it the image decides.
            part: The images.
            t: Steps that the images draw, int64 (B, n): all of them 0, or none.
            watch: Told and asked.
        """
        (B, n), size = t.shape, self.reading.block_size
        together = max(1, size // n)
        found = []
        for first in range(0, B, together):
            images = torch.arange(first, min(first + together, B))
            streams = [
                generator(self.reading.seed, purpose, part.first + int(image)) for image in images
            ]
            shape = (n, *part.x_0.shape[1:])
            noise = torch.cat([torch.randn(shape, generator=stream) for stream in streams])
            rows = images.repeat_interleave(n), t[images].flatten(), noise
            for call in zip(*(torch.split(each, size) for each in rows), strict=True):
                watch.before_call()
                found.append(self._call(part, *call))
            watch.after_step((first + len(images)) * n)
        return torch.cat(found, dim=1).view(-1, B, n)

    def _call(self, part: _Part, image: Tensor, t: Tensor, noise: Tensor) -> Tensor:
        """One network call on draws of some images, shape (Q, rows)."""
        reading, denoiser, device = self.reading, self.reading.denoiser, part.x_0.device
        decoder = not int(t[0])
        image, t = image.to(device), t.to(device)
        x_0 = part.x_0[image]
        x_t = denoiser.diffusion.noised(x_0, t, noise.to(x_0)).float()
        told = None if part.labels is None else Conditioning(labels=part.labels[image])
        output = denoiser.output(x_t, t, told).double()
        implied = denoiser.x_0(output, x_t.double(), t, clip=reading.clip)
        terms = reading.terms(x_0, x_t.double(), implied, output, t, decoder=decoder)
        if denoiser.learned_variance != "range":
            return terms
        return torch.cat([terms, _outside(output)])

    # ------------------------------------------------------------------------------- the total

    def bound(
        self, design: Design, blocks: Sequence[DrawnBlock], *, dimensions: int
    ) -> EstimatedLikelihood:
        """All blocks put together, nats turned into bits.

        Args:
            design: By which they were drawn.
            blocks: In their order.
            dimensions: Numbers in one image.

        Raises:
            ValueError: If there are fewer than 2 images.
        """
        bits = 1 / math.log(2)
        whole = DrawnBlock(
            *(np.concatenate(arrays, axis=-1) for arrays in zip(*blocks, strict=True))
        )
        images = len(whole.prior)
        check_images(images)
        decoder, kl = bits * whole.decoder, bits * whole.kl
        decoder_variance, kl_variance = (
            bits**2 * whole.decoder_variance,
            bits**2 * whole.kl_variance,
        )
        total, variance = bits * whole.prior + decoder + kl, decoder_variance + kl_variance
        bounds = {
            name: DrawnBound(
                total=DrawnEstimate.of(total[row], variance[row]),
                decoder=DrawnEstimate.of(decoder[row], decoder_variance[row]),
                kl=DrawnEstimate.of(kl[row], kl_variance[row]),
            )
            for row, name in enumerate(self.reading.variances)
        }
        steps = self.reading.denoiser.diffusion.steps
        shares = (whole.decoder + whole.kl)[len(bounds) :].mean(1) / steps
        bins = len(_bins(steps)) - 1
        pilot = min(self.pilot, images) * (bins + 2 * (1 + TRIAL_STRATA))
        return EstimatedLikelihood(
            images=images,
            dimensions=dimensions,
            steps=steps,
            draws=design.draws,
            calls=images * design.draws + pilot,
            prior=Estimate.of(bits * whole.prior),
            bounds=bounds,
            range_fraction=(float(shares[0]), float(shares[1])) if len(shares) else None,
        )


def _bins(steps: int) -> Int64Array:
    """Edges of groups of the steps 1 to K - 1, in steps of one at both ends, wide between."""
    half = np.geomspace(1, max(steps / 2, 1), PILOT_BINS // 2 + 1)
    return np.unique(np.rint(np.concatenate([half[:-1], steps + 1 - half]))).astype(np.int64)


def _stratified(values: Tensor) -> tuple[Tensor, Tensor]:
    """Mean over strata of pairs of draws, and the variance of that mean, both (Q, B).

    Args:
        values: Shape (Q, B, 2 S), the draws of a stratum side by side.
    """
    first, second = values[..., ::2], values[..., 1::2]
    variance = ((first - second) ** 2).sum(2) / 4 / first.shape[2] ** 2
    return values.mean(2), variance


def _outside(output: Output) -> Tensor:
    """Share of each image's v below 0 and above 1, shape (2, B); the network says 2v - 1."""
    raw = output.variance
    assert raw is not None
    return torch.stack([raw < -1, raw > 1]).double().flatten(2).mean(2)
