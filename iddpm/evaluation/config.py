"""What is asked of trained networks, as configs: samples, bounds, features, scores.

Like those of `iddpm.config`, whatever stands here is hashed into the address of a task, and nothing
here imports torch.
"""

import re
from dataclasses import dataclass, field, replace
from typing import Annotated, ClassVar, Literal

from iddpm.bounds import (
    MOST_BATCH,
    MOST_IMAGES,
    MOST_T,
    Batch,
    Between,
    Block,
    Bounded,
    Few,
    Positive,
    Seed,
    Some,
    Steps,
    Updates,
    Where,
    require,
)
from iddpm.bounds import ConfigError as ConfigError
from iddpm.config import (
    Blocks,
    Cdf,
    Data,
    DiffusionConfig,
    LossSecondMoment,
    Metric,
    Objective,
    Precision,
    Source,
    Split,
    StepNoise,
    Stride,
    Timesteps,
    TrainConfig,
    Variance,
    Vlb,
)
from iddpm.config_fields import NOT_HASHED
from iddpm.released import resolved


@dataclass(frozen=True, slots=True, kw_only=True)
class Ancestral(Bounded):
    """A sampler that takes a variance: `ancestral` draws each step from p(x_{t-1} | x_t)."""

    kind: Literal["ancestral"] = "ancestral"
    where: ClassVar = "sampler.ancestral"
    variance: Variance = "beta"
    stride: Stride = "even"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ddim(Bounded):
    """DDIM (Song et al. 2020, arXiv:2010.02502, Eq. 12): eta = 0 is deterministic."""

    kind: Literal["ddim"] = "ddim"
    where: ClassVar = "sampler.ddim"
    eta: Annotated[float, Where("a number in [0, 1]", lambda eta: 0 <= eta <= 1)] = 0.0
    stride: Stride = "constant"


Sampler = Ancestral | Ddim


@dataclass(frozen=True, slots=True, kw_only=True)
class Ends(Bounded):
    """A second network takes the steps at both ends of the chain (App. D).

    It was trained like the first one, except in its objective and its draws of t. The defaults are
    the paper's: L_vlb with importance sampling, at the first and the last 100 of 4000 steps.
    """

    kind: Literal["ends"] = "ends"
    objective: Objective = Vlb()  # noqa: RUF009 (a frozen value)
    timesteps: Timesteps = LossSecondMoment()  # noqa: RUF009 (a frozen value)
    where: ClassVar = "ensemble.ends"
    share: Annotated[float, Where("a share in (0, 0.5)", lambda share: 0 < share < 0.5)] = 0.025
    """The share of the T steps that lies at each end."""
    source: Source | None = field(default=None, metadata={"legacy": None, "written": "from"})
    """What the second network is read from, in place of its training; None: it is trained here."""

    def inner_steps(self, total: int) -> range:
        """The steps of the trained chain that the first network takes."""
        outer = round(self.share * total)
        return range(outer, total - outer)

    def as_read(self, train: TrainConfig) -> "Ends":
        """With what is known of the second network, where it is read from a file."""
        if self.source is None:
            return self
        second = self.partner(train)
        objective, timesteps = second.objective, second.timesteps
        return replace(self, source=second.source, objective=objective, timesteps=timesteps)

    def partner(self, train: TrainConfig) -> TrainConfig:
        """How the second network was trained, given how the first one was.

        Raises:
            ConfigError: If the first one is read from a file, and none is named for the second.
        """
        if self.source is not None:
            return resolved(replace(train, source=self.source))
        if train.source is not None:
            raise ConfigError(
                "ensemble.from",
                "the file of the second network, as the first one is read from a file",
                "none",
                "write ensemble: {ends: {from: {openai: FILE}}}",
            )
        return replace(train, objective=self.objective, timesteps=self.timesteps)


@dataclass(frozen=True, slots=True, kw_only=True)
class SampleConfig(Blocks):
    """One shard of samples.

    Image i of a stream is the same image whatever the shard, so the first 10,000 of 50,000
    samples are the 10,000.
    """

    sampler: Sampler = Ancestral()
    steps: Steps
    """Reverse steps taken by an unskipped chain; equal to T when nothing is left out."""
    skip: Annotated[float, Where("a fraction in [0, 1)", lambda skip: 0 <= skip < 1)] = 0.0
    """Fraction of the reverse process left out at its noisy end (Fig. 4)."""
    clip: bool = True
    """Clip the predicted x_0 to [-1, 1] at every step, as the official code does."""
    ema_decay: float | None = None
    """Which average of the weights is sampled; None: the raw weights."""
    ensemble: Ends | None = field(default=None, metadata={"legacy": None})
    """How a second network, of the role network_b, takes part; None: there is none."""
    noise: StepNoise = field(default="independent", metadata={"legacy": "independent"})
    """Of the steps: `brownian` is shared by chains of any length, stride and prefix skipped."""
    precision: Precision = "float32"
    seed: Seed = 0


PILOT_BINS = 32
"""A pilot takes mean squares over at most so many groups of steps."""
TRIAL_STRATA = 4
"""With so many strata a pilot tries out how much an image's draws vary. With more of them the
variance falls as their number or faster, so no fewer are taken where an error is wanted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Draws(Bounded):
    """The bound estimated from draws of t, as `iddpm.evaluation.estimated_likelihood` says."""

    kind: Literal["draws"] = "draws"
    where: ClassVar = "likelihood.estimate.draws"
    most: Annotated[
        int,
        Between(4, MOST_T, low="at least 4, a pair at t = 0 and a pair at other steps"),
        Where("an even number, since draws come in pairs", lambda draws: draws % 2 == 0),
    ] = 64
    """Network calls for each image; with `error` the most."""
    error: Positive | None = None
    """Bits/dim: no more draws than the pilot says that this standard error due to draws takes.
    None: all of them."""
    pilot: Some = 64
    """Images of the pilot, the first ones."""

    @property
    def pilot_calls(self) -> int:
        """Network calls that the pilot takes, at most."""
        return self.pilot * (PILOT_BINS + 2 * (1 + TRIAL_STRATA))


@dataclass(frozen=True, slots=True, kw_only=True)
class LikelihoodConfig(Bounded):
    """The bound in bits/dim of a split's first `images` images, with every variance at once.

    `iddpm.data.first_rows` says which images these are.
    """

    where: ClassVar = "likelihood"
    split: Split = "test"
    images: (
        Annotated[int, Between(2, MOST_IMAGES, low="at least 2, for a standard error")] | None
    ) = None
    """None: the whole split."""
    steps: Steps | None = None
    """Steps of a shorter chain; None: all T (the exact bound of the trained chain)."""
    stride: Stride = "even"
    clip: bool = True
    """Clip the predicted x_0 to [-1, 1], as the official evaluation does (not its training)."""
    cdf: Cdf = field(default="tanh", metadata={"legacy": "tanh"})
    """How the decoder computes: to rounding, or with the float32 rounding of published bounds."""
    ema_decay: float | None = None
    ensemble: Ends | None = field(default=None, metadata={"legacy": None})
    """How a second network, of the role network_b, takes part; None: there is none."""
    estimate: Draws | None = field(default=None, metadata={"legacy": None})
    """How the bound is estimated; None: it is exact, each image meets every step."""
    block_size: Batch = 64
    shard_blocks: Block | None = field(default=None, metadata={"legacy": None})
    """Blocks of an exact bound that one task evaluates; None: one task evaluates all. An estimate
    takes fewer calls than such a part, and is always one task."""
    precision: Precision = "float32"
    seed: Seed = 0

    def _check(self) -> None:
        require(
            self.shard_blocks is None or self.shard_blocks * self.block_size >= 2,
            "likelihood.shard_blocks",
            f"shards of at least 2 images (a block has {self.block_size})",
            self.shard_blocks,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class LikelihoodShardConfig(Bounded):
    """One shard of a likelihood: the images of `part` from block `first_block` on.

    A block meets the same noise in any shard, so shards that are put together are the whole.
    """

    where: ClassVar = "likelihood_shard"
    part: LikelihoodConfig
    """Its images end where the shard ends."""
    first_block: Block

    def _check(self) -> None:
        images, size = self.part.images, self.part.block_size
        require(
            images is not None and 0 <= self.first_block * size < images,
            "likelihood_shard.first_block",
            f"a block of the {images} images",
            self.first_block,
        )

    @property
    def blocks(self) -> range:
        """The numbers that the blocks of this shard have in the whole."""
        assert self.part.images is not None
        return range(self.first_block, -(-self.part.images // self.part.block_size))

    @property
    def images(self) -> int:
        """How many images the shard holds."""
        assert self.part.images is not None
        return self.part.images - self.first_block * self.part.block_size


@dataclass(frozen=True, slots=True, kw_only=True)
class LikelihoodMergeConfig:
    """A likelihood whose blocks shards have evaluated."""

    whole: LikelihoodConfig


@dataclass(frozen=True, slots=True, kw_only=True)
class GradientNoiseConfig(Bounded):
    """The noise scale of a training loss's gradient, from `draws` big batches made of blocks."""

    where: ClassVar = "gradient_noise"
    draws: Annotated[int, Between(2, MOST_BATCH)] = 32
    """Big batches."""
    block_size: Batch = 64
    """Images of a small batch: they share one random stream and one backward pass."""
    blocks: Annotated[int, Between(2, MOST_BATCH)] = 16
    """Small batches that make up a big one."""
    objective: Objective | None = None
    """What the gradient is of; None: the loss that the network was trained with."""
    ema_decay: float | None = None
    """Which average of the weights it is taken at; None: the raw weights, as in training."""
    precision: Precision = "float32"
    seed: Seed = 0

    @property
    def images(self) -> int:
        """How many images gradients are taken of, in all draws together."""
        return self.draws * self.blocks * self.block_size


@dataclass(frozen=True, slots=True, kw_only=True)
class Classifier(Bounded):
    """Features of a small classifier trained on the labels of `data`: its last hidden layer."""

    kind: Literal["classifier"] = "classifier"
    where: ClassVar = "extractor"
    data: Data
    channels: Few = 32
    features: Few = 64
    steps: Updates = 600
    batch_size: Batch = 128
    learning_rate: Positive = 1.0e-3
    seed: Seed = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class RandomNetwork(Bounded):
    """Features of a fixed, untrained convolutional network: for data without labels."""

    kind: Literal["random"] = "random"
    where: ClassVar = "extractor"
    data: Data
    channels: Few = 32
    features: Few = 64
    seed: Seed = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Inception(Bounded):
    """Features of Inception-V3 with the weights of 2015-12-05, over which a distance is an FID."""

    kind: Literal["inception"] = "inception"
    path: str = field(default="data/pt_inception-2015-12-05-6726825d.pth", metadata=NOT_HASHED)
    where: ClassVar = "extractor"
    sha256: Annotated[
        str,
        Where(
            "8 to 64 hexadecimal digits", lambda text: bool(re.fullmatch(r"[0-9a-f]{8,64}", text))
        ),
    ] = "6726825d"
    """First digits of the file's sha256, as hex; its name carries the first eight."""


ExtractorConfig = Classifier | RandomNetwork | Inception


@dataclass(frozen=True, slots=True, kw_only=True)
class FeaturesConfig(Bounded):
    """Features and moments of generated images (`data` is None) or of a split of real ones."""

    where: ClassVar = "features"
    images: Some | None = None
    """How many images, of real ones the first by `iddpm.data.first_rows`; None: all of them."""
    data: Data | None = None
    split: Split = "train"
    block_size: Batch = 256

    keep: Some | None = field(default=None, metadata={"legacy": None})
    """Feature vectors that are kept beside the moments of all images; None: every one."""


FD_INFINITY_IMAGES = 10_000
"""The fewest generated images of an FD-infinity: its line begins at half as many."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoreConfig(Bounded):
    """Fréchet distance, precision, recall and more of one set of features against another."""

    where: ClassVar = "score"
    neighbours: Few = 3
    """k of Kynkäänniemi et al. (2019); the paper uses 5 on 50,000 images."""
    metrics: tuple[Metric, ...] = field(default=(), metadata={"legacy": ()})
    """What the score tells beside them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RadiiConfig(Bounded):
    """How far each real feature vector is from its k-th neighbour, for every score that asks."""

    where: ClassVar = "radii"
    neighbours: Few = 3
    """The k of the scores that ask."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LatentsConfig(Bounded):
    """One image on its way to noise: its latents x_t at evenly spaced t from 0 to T (Fig. 3).

    The noise is one draw of the seed and the image, for every t and every schedule.
    """

    where: ClassVar = "latents"
    data: Data
    diffusion: DiffusionConfig
    split: Split = "test"
    image: Annotated[int, Between(0, MOST_IMAGES)] = 0
    """The place of the image in the split."""
    count: int = 11
    """Latents, the image itself (t = 0) among them."""
    seed: Seed = 0

    def _check(self) -> None:
        require(
            2 <= self.count <= self.diffusion.steps + 1,
            "latents.count",
            f"from 2 to {self.diffusion.steps + 1}, the image and each of its steps",
            self.count,
        )

    @property
    def steps(self) -> tuple[int, ...]:
        """The t of each latent as on paper, from 0 (the image) to T."""
        last = self.count - 1
        return tuple(round(place * self.diffusion.steps / last) for place in range(self.count))
