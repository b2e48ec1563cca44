"""What a run *is*: frozen values that name every choice of a training, a sampling and a score.

Whatever stands here is hashed into the address of a task, so two equal configs are the same
work. Where a task runs, on which device and for how long is not what it is, and stands elsewhere.
Nothing here imports torch: a sweep of ten thousand cells is planned before the first tensor.

Choices with settings of their own are small types told apart by `kind`. In a sweep file
`sampler: ddim`, `sampler: {ddim: {eta: 0.5}}` and `sampler: {kind: ddim, eta: 0.5}` are read alike.
"""

import math
import re
from dataclasses import MISSING, dataclass, field, fields, is_dataclass, replace
from functools import lru_cache
from typing import Annotated, Any, ClassVar, Literal, get_args, get_type_hints

from iddpm.bounds import (
    MOST_BATCH,
    MOST_IMAGES,
    MOST_LEVELS,
    MOST_PIXELS,
    MOST_T,
    Batch,
    Betas,
    Between,
    Block,
    Bounded,
    Channels,
    Count,
    Few,
    Multipliers,
    Name,
    Positive,
    Seed,
    Share,
    Some,
    Steps,
    Updates,
    Where,
    require,
)
from iddpm.bounds import ConfigError as ConfigError

Schedule = Literal["linear", "cosine"]
Prediction = Literal["eps", "x_0", "v"]
FixedVariance = Literal["beta", "beta_tilde"]
LearnedVariance = Literal["learned", "range"]
Variance = Literal[FixedVariance, LearnedVariance]
Stride = Literal["even", "constant", "even_plus_first"] | tuple[int, ...]
Precision = Literal["float32", "tf32", "bf16"]
Split = Literal["train", "test"]
Cdf = Literal["tanh", "tanh_official"]
"""How a decoder computes the normal distribution function; see `iddpm.gaussians`."""
Metric = Literal["kid"]
"""What a score may tell beside its usual three numbers; see `iddpm.evaluation.metrics`."""

NOT_HASHED = {"hashed": False}
"""Metadata of a field that says where something lies, not what it is: no address has it."""


@lru_cache
def kinds(choice: Any) -> tuple[str, ...]:
    """The names that a choice between types with a `kind` goes by.

    Args:
        choice: One such type, or a union of them; any other has none.
    """
    members = [item for item in get_args(choice) or (choice,) if is_dataclass(item)]
    hints = (get_type_hints(member).get("kind") for member in members)
    return tuple(name for hint in hints for name in get_args(hint))


def canonical(value: Any) -> Any:
    """What is hashed of a config, as plain JSON values.

    Every field stands under its own name, whatever its default, with two exceptions named in a
    field's metadata: `hashed: False` keeps it out, and `legacy: value` keeps it out while it
    holds that value, so that a field added later leaves the older addresses alone. A whole
    float is written as an integer: 1 and 1.0 are one setting.
    """
    if value is None or isinstance(value, (str, int)):
        return value
    if isinstance(value, float):
        return int(value) if value.is_integer() else value
    if isinstance(value, tuple):
        return [canonical(item) for item in value]
    return {
        name: canonical(item)
        for name, legacy in _hashed(value.__class__)
        if (item := getattr(value, name)) is not legacy and (legacy is MISSING or item != legacy)
    }


@lru_cache
def _hashed(config_type: Any) -> tuple[tuple[str, object], ...]:
    """Name and legacy value (MISSING: none) of each field that belongs to the address."""
    return tuple(
        (item.name, item.metadata.get("legacy", MISSING))
        for item in fields(config_type)
        if item.metadata.get("hashed", True)
    )


# ---------------------------------------------------------------------------------------- data

SPLITS: tuple[Split, ...] = get_args(Split)


@dataclass(frozen=True, slots=True, kw_only=True)
class Digits:
    """Scikit-learn's digits: 1797 images, 8x8, one channel, 17 grey levels, 10 classes."""

    kind: Literal["digits"] = "digits"


@dataclass(frozen=True, slots=True, kw_only=True)
class Photos(Bounded):
    """16x16 RGB crops of scikit-learn's two photographs; test crops have regions of their own."""

    kind: Literal["photos"] = "photos"
    where: ClassVar = "photos"
    train_images: Count = 4000
    test_images: Count = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Folder(Bounded):
    """Image files below `path/train` and `path/test`.

    Each image is centre-cropped to a square and area-resized to `size` pixels a side.
    """

    kind: Literal["folder"] = "folder"
    where: ClassVar = "folder"
    path: str = field(metadata=NOT_HASHED)
    size: Annotated[int, Between(1, MOST_PIXELS, low="at least 1 pixel")]
    labels: Literal["auto", "folders", "prefix", "none"] = field(
        default="auto", metadata={"legacy": "auto"}
    )
    """The names of the subfolders, or what stands before the first _ of a file's name, as the
    official code has it. `auto`: the subfolders where there are any, or else the names where every
    one is `label_number` and the labels of test are among those, at least two, of train."""
    name: Name | None = field(default=None, metadata={"legacy": None})
    """What scores call these data; None: `folder`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Declared(Bounded):
    """What an .npz of images is to hold, so that a study can be planned before it is on disk."""

    where: ClassVar = "declared"
    size: Annotated[int, Between(1, MOST_PIXELS)]
    """Pixels a side."""
    channels: Annotated[
        int,
        Where("at least 1", lambda channels: channels >= 1),
        Where("1 (grey) or 3 (RGB)", lambda channels: channels in (1, 3)),
    ] = 3
    classes: Few | None = None
    """None: the images have no labels."""
    train_images: Count
    test_images: Count
    source: str
    """Where the images come from, for a person who has to get them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Npz(Bounded):
    """An .npz with uint8 arrays `train` and `test` (N, H, W, C), and optionally their int labels.

    The label arrays are `train_labels` and `test_labels`, of shape (N,). Large arrays of a file
    that is not compressed stay on disk and are read image by image.
    """

    kind: Literal["npz"] = "npz"
    where: ClassVar = "npz"
    path: str = field(metadata=NOT_HASHED)
    name: Name | None = field(default=None, metadata={"legacy": None})
    """What scores call these data; None: `npz`."""
    declared: Declared | None = field(default=None, metadata=NOT_HASHED)


Data = Digits | Photos | Folder | Npz


def data_name(data: Data) -> str:
    """What a score over these images calls them: `digits`, or the name that their config gives."""
    named = data.name if isinstance(data, Folder | Npz) else None
    return named or data.kind


# ----------------------------------------------------------------------------------- diffusion


@dataclass(frozen=True, slots=True, kw_only=True)
class DiffusionConfig(Bounded):
    """The forward process: its schedule and its number of steps T."""

    where: ClassVar = "diffusion"
    schedule: Schedule = "cosine"
    steps: Annotated[
        int,
        Between(
            *(2, MOST_T),
            low="at least 2 (the first step's variance is stood in for by the second's)",
        ),
    ] = 1000

    def _check(self) -> None:
        require(
            self.schedule != "linear" or self.steps > 20,
            "diffusion.steps",
            "more than 20 for the linear schedule (its last beta, 20 / T, must stay below 1)",
            self.steps,
        )


# ------------------------------------------------------------------------------------- network


@dataclass(frozen=True, slots=True, kw_only=True)
class UNetConfig(Bounded):
    """The UNet of the paper's Appendix A; the defaults are those of its CIFAR-10 model."""

    where: ClassVar = "network"
    model_channels: Channels = 128
    channel_mult: Multipliers = (1, 2, 2, 2)
    res_blocks: Annotated[int, Between(1, 100)] = 3
    """Residual blocks of a level; the paper's networks have 2 or 3."""
    attention_resolutions: Annotated[
        tuple[int, ...],
        Where(f"at most {MOST_LEVELS} sides", lambda sides: len(sides) <= MOST_LEVELS),
    ] = (16, 8)
    """Sides, in pixels of the feature map, at which a level has attention."""
    heads: Channels = 4
    groups: Channels = 32
    dropout: Annotated[float, Where("a probability in [0, 1)", lambda value: 0 <= value < 1)] = 0.0
    scale_shift: bool = True
    """True: GroupNorm(h)(1 + w) + b; False: GroupNorm(h + v), as Ho et al. (2020)."""
    rescale_timesteps: bool = True
    """Feed t * 1000 / T to the time embedding (official code's flag; not in the paper)."""
    class_conditional: bool = False

    def _check(self) -> None:
        widths = [m * self.model_channels for m in self.channel_mult]
        for width in {self.model_channels, *widths}:
            require(
                width % self.groups == 0,
                "network.groups",
                f"a divisor of every width (one is {width})",
                self.groups,
            )
        require(
            widths[-1] % self.heads == 0,
            "network.heads",
            f"a divisor of the width of the middle block ({widths[-1]})",
            self.heads,
        )
        require(
            self.model_channels % 2 == 0,
            "network.model_channels",
            "an even number (half cosines, half sines)",
            self.model_channels,
        )


# ------------------------------------------------------------------------------------ training


@dataclass(frozen=True, slots=True, kw_only=True)
class Simple:
    """An objective without settings, by which no variance is learned.

    `simple` is L_simple (Eq. 14): the mean squared error of the prediction.
    """

    kind: Literal["simple"] = "simple"


@dataclass(frozen=True, slots=True, kw_only=True)
class Vlb:
    """L_vlb (Eqs. 4-7): T times the bound's term at the drawn step, in bits per dimension."""

    kind: Literal["vlb"] = "vlb"
    variance: Variance = "range"


@dataclass(frozen=True, slots=True, kw_only=True)
class Hybrid(Bounded):
    """L_hybrid (Eq. 16): L_simple + vlb_weight * L_vlb, the mean detached inside L_vlb."""

    kind: Literal["hybrid"] = "hybrid"
    variance: LearnedVariance = "range"
    where: ClassVar = "objective.hybrid"
    vlb_weight: Annotated[
        float,
        Where(
            "a positive number (0 would leave the variance untrained; use the objective 'simple')",
            lambda weight: 0 < weight < math.inf,
        ),
    ] = 0.001
    """lambda of Eq. 16, for L_vlb in bits per dimension (the official code's unit)."""


Objective = Simple | Vlb | Hybrid


@dataclass(frozen=True, slots=True, kw_only=True)
class Uniform:
    """Every training step t is as likely as every other."""

    kind: Literal["uniform"] = "uniform"


@dataclass(frozen=True, slots=True, kw_only=True)
class LossSecondMoment(Bounded):
    """Importance sampling of t (Eq. 18) from the last `history` losses of each step."""

    kind: Literal["loss_second_moment"] = "loss_second_moment"
    where: ClassVar = "timesteps"
    history: Annotated[int, Between(1, 1000)] = 10
    """How many losses the table keeps for each of the T steps."""
    uniform_share: Share = 0.001
    """Share of the probability spread evenly; in the official code, not in the paper."""


Timesteps = Uniform | LossSecondMoment


@dataclass(frozen=True, slots=True, kw_only=True)
class OptimizerConfig(Bounded):
    """AdamW as the official code sets it; with weight decay 0 it is Adam."""

    where: ClassVar = "optimizer"
    learning_rate: Positive = 1.0e-4
    betas: Betas = (0.9, 0.999)
    eps: Positive = 1.0e-8
    weight_decay: Annotated[
        float, Where("a number of at least 0", lambda value: 0 <= value < math.inf)
    ] = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainConfig(Bounded):
    """A training trajectory and the step at which it is looked at.

    Everything but `steps` is the trajectory; a training to more steps continues one to fewer.
    """

    where: ClassVar = "train"
    data: Data
    diffusion: DiffusionConfig = DiffusionConfig()
    prediction: Prediction = "eps"
    network: UNetConfig = UNetConfig()
    objective: Objective = Simple()
    timesteps: Timesteps = Uniform()
    optimizer: OptimizerConfig = OptimizerConfig()
    batch_size: Batch = 128
    block_size: int | None = None
    """Images that share one random stream and one backward pass; None: the whole batch."""
    ema_decays: Annotated[
        tuple[float, ...],
        Where("decays in (0, 1)", lambda decays: all(0 < decay < 1 for decay in decays)),
        Where("each decay once", lambda decays: len(set(decays)) == len(decays)),
        Where("at most 100 decays", lambda decays: len(decays) <= 100),
    ] = (0.9999,)
    precision: Precision = "float32"
    max_nonfinite_steps: Updates = 10
    """Consecutive steps with a loss that is not finite after which the run counts as diverged."""
    seed: Seed = 0
    steps: Updates = 500_000

    def _check(self) -> None:
        if self.block_size is not None:
            require(
                self.block_size >= 1 and self.batch_size % self.block_size == 0,
                "train.block_size",
                f"a divisor of batch_size ({self.batch_size})",
                self.block_size,
            )

    @property
    def learned_variance(self) -> LearnedVariance | None:
        """How the network's second half of channels is read as a variance; None: it has none."""
        learned: tuple[LearnedVariance, ...] = get_args(LearnedVariance)
        variance = getattr(self.objective, "variance", None)
        return next((name for name in learned if name == variance), None)

    @property
    def variances(self) -> tuple[Variance, ...]:
        """Every variance that this network can be sampled and scored with."""
        fixed: tuple[Variance, ...] = get_args(FixedVariance)
        return fixed if self.learned_variance is None else (*fixed, self.learned_variance)


# ------------------------------------------------------------------- what diffusion stands beside


@dataclass(frozen=True, slots=True, kw_only=True)
class GanConfig(Bounded):
    """A class-conditional GAN and the step at which it is looked at, for comparison (Table 4).

    As with `TrainConfig`, everything but `steps` is the trajectory.
    """

    where: ClassVar = "gan"
    data: Data
    latent: Channels = 64
    """Numbers that an image is made from, besides its label."""
    channels: Channels = 32
    channel_mult: Multipliers = (1, 2)
    """Widths from the image's own side down, each side half of the one before."""
    batch_size: Batch = 64
    generator_learning_rate: Positive = 2.0e-4
    discriminator_learning_rate: Positive = 2.0e-4
    betas: Betas = (0.0, 0.9)
    """Adam's decays, for both networks."""
    discriminator_steps: Annotated[int, Between(1, 1000)] = 1
    """Updates of the discriminator for each of the generator."""
    ema_decay: Annotated[float, Where("a decay in (0, 1)", lambda decay: 0 < decay < 1)] = 0.999
    """The decay of the generator's averaged weights, which are the ones that are sampled."""
    max_nonfinite_steps: Updates = 10
    seed: Seed = 0
    steps: Updates = 100_000
    """Updates of the generator."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Blocks(Bounded):
    """Blocks [first_block, last_block) of an endless stream of images."""

    where: ClassVar = "samples"
    first_block: Block = 0
    last_block: Block
    block_size: Batch

    def _check(self) -> None:
        require(
            0 <= self.first_block < self.last_block,
            "samples.last_block",
            f"more than first_block ({self.first_block})",
            self.last_block,
        )

    @property
    def images(self) -> int:
        """How many images the blocks hold."""
        return (self.last_block - self.first_block) * self.block_size


@dataclass(frozen=True, slots=True, kw_only=True)
class GanSampleConfig(Blocks):
    """One shard of a GAN's samples."""

    seed: Seed = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class ExternalConfig(Bounded):
    """Images that something else drew: an .npz as the official scripts write it, or a folder.

    The .npz holds uint8 images `arr_0` (N, S, S, C), the folder image files of the data's size.
    """

    where: ClassVar = "external"
    path: str = field(metadata=NOT_HASHED)
    name: Annotated[
        str,
        Where("a name", lambda name: bool(name.strip())),
    ] = field(metadata=NOT_HASHED)
    """What a page calls the images, such as BigGAN-deep."""
    data: Data
    """What the images are held against: they must have its channels, size and levels."""


# ---------------------------------------------------------------------------------- evaluation


@dataclass(frozen=True, slots=True, kw_only=True)
class Ancestral:
    """A sampler that takes a variance: `ancestral` draws each step from p(x_{t-1} | x_t)."""

    kind: Literal["ancestral"] = "ancestral"
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
    objective: Objective = Vlb()
    timesteps: Timesteps = LossSecondMoment()
    where: ClassVar = "ensemble.ends"
    share: Annotated[float, Where("a share in (0, 0.5)", lambda share: 0 < share < 0.5)] = 0.025
    """The share of the T steps that lies at each end."""

    def inner_steps(self, total: int) -> range:
        """The steps of the trained chain that the first network takes."""
        outer = round(self.share * total)
        return range(outer, total - outer)

    def partner(self, train: TrainConfig) -> TrainConfig:
        """How the second network was trained, given how the first one was."""
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
    precision: Precision = "float32"
    seed: Seed = 0


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
    block_size: Batch = 64
    shard_blocks: Block | None = field(default=None, metadata={"legacy": None})
    """Blocks that one task evaluates; None: one task evaluates all."""
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
