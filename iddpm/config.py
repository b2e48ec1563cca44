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
from typing import Any, Literal, get_args, get_type_hints

Schedule = Literal["linear", "cosine"]
Prediction = Literal["eps", "x_0", "v"]
FixedVariance = Literal["beta", "beta_tilde"]
LearnedVariance = Literal["learned", "range"]
Variance = Literal[FixedVariance, LearnedVariance]
Stride = Literal["even", "constant", "even_plus_first"] | tuple[int, ...]
Precision = Literal["float32", "tf32", "bf16"]
Split = Literal["train", "test"]
Cdf = Literal["tanh", "tanh_official"]
"""Of a normal variable, by which a bound's decoder is computed; see `iddpm.gaussians`."""
Metric = Literal["kid"]
"""Of samples, beside the three that every score has; see `iddpm.evaluation.metrics`."""

NOT_HASHED = {"hashed": False}
"""Field metadata: it says where something lies, not what it is, and stays out of the address."""


@lru_cache
def kinds(choice: Any) -> tuple[str, ...]:
    """The names that a choice between types with a `kind` goes by.

    Args:
        choice: One such type, or a union of them; any other has none.
    """
    members = [item for item in get_args(choice) or (choice,) if is_dataclass(item)]
    hints = (get_type_hints(member).get("kind") for member in members)
    return tuple(name for hint in hints for name in get_args(hint))


class ConfigError(ValueError):
    """A setting that cannot be: says which, what was expected, what was found, what to try."""


def _require(holds: bool, where: str, expected: str, found: object) -> None:
    if not holds:
        raise ConfigError(f"{where}: expected {expected}, found {found!r}")


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
class Photos:
    """16x16 RGB crops of scikit-learn's two photographs; test crops have regions of their own."""

    kind: Literal["photos"] = "photos"
    train_images: int = 4000
    test_images: int = 500

    def __post_init__(self) -> None:
        for name in ("train_images", "test_images"):
            value = getattr(self, name)
            _require(value >= 1, f"photos.{name}", "at least 1", value)


@dataclass(frozen=True, slots=True, kw_only=True)
class Folder:
    """Image files below `path/train` and `path/test`.

    Each image is centre-cropped to a square and area-resized to `size` pixels a side.
    """

    kind: Literal["folder"] = "folder"
    path: str = field(metadata=NOT_HASHED)
    size: int
    labels: Literal["auto", "folders", "prefix", "none"] = field(
        default="auto", metadata={"legacy": "auto"}
    )
    """The names of the subfolders, or what stands before the first _ of a file's name, as the
    official code has it. `auto`: the subfolders where there are any, or else the names where every
    one is `label_number` and the labels of test are among those, at least two, of train."""
    name: str | None = field(default=None, metadata={"legacy": None})
    """What scores call it; None: `folder`."""

    def __post_init__(self) -> None:
        _require(self.size >= 1, "folder.size", "at least 1 pixel", self.size)
        _check_name("folder", self.name)


@dataclass(frozen=True, slots=True, kw_only=True)
class Declared:
    """What an .npz of images is to hold, so that a study can be planned before it is on disk."""

    size: int
    """Pixels a side."""
    channels: int = 3
    classes: int | None = None
    """None: without labels."""
    train_images: int
    test_images: int
    source: str
    """Where the images come from, for a person who has to get them."""

    def __post_init__(self) -> None:
        for name in ("size", "channels", "classes", "train_images", "test_images"):
            value = getattr(self, name)
            _require(value is None or value >= 1, f"declared.{name}", "at least 1", value)
        _require(self.channels in (1, 3), "declared.channels", "1 (grey) or 3 (RGB)", self.channels)


@dataclass(frozen=True, slots=True, kw_only=True)
class Npz:
    """An .npz with uint8 arrays `train` and `test` (N, H, W, C), and optionally their int labels.

    The label arrays are `train_labels` and `test_labels`, of shape (N,). Large arrays of a file
    that is not compressed stay on disk and are read image by image.
    """

    kind: Literal["npz"] = "npz"
    path: str = field(metadata=NOT_HASHED)
    name: str | None = field(default=None, metadata={"legacy": None})
    """What scores call it; None: `npz`."""
    declared: Declared | None = field(default=None, metadata=NOT_HASHED)

    def __post_init__(self) -> None:
        _check_name("npz", self.name)


def _check_name(kind: str, name: str | None) -> None:
    _require(
        name is None or bool(re.fullmatch(r"[a-z0-9][a-z0-9_.-]*", name)),
        f"{kind}.name",
        "small letters, digits, _, - and .",
        name,
    )


Data = Digits | Photos | Folder | Npz


def data_name(data: Data) -> str:
    """What a score over these images calls them: `digits`, or the name that their config gives."""
    named = data.name if isinstance(data, Folder | Npz) else None
    return named or data.kind


# ----------------------------------------------------------------------------------- diffusion


@dataclass(frozen=True, slots=True, kw_only=True)
class DiffusionConfig:
    """The forward process: its schedule and its number of steps T."""

    schedule: Schedule = "cosine"
    steps: int = 1000

    def __post_init__(self) -> None:
        _require(
            self.steps >= 2,
            "diffusion.steps",
            "at least 2 (the first step's variance is stood in for by the second's)",
            self.steps,
        )
        _require(
            self.schedule != "linear" or self.steps > 20,
            "diffusion.steps",
            "more than 20 for the linear schedule (its last beta, 20 / T, must stay below 1)",
            self.steps,
        )


# ------------------------------------------------------------------------------------- network


@dataclass(frozen=True, slots=True, kw_only=True)
class UNetConfig:
    """The UNet of the paper's Appendix A; the defaults are those of its CIFAR-10 model."""

    model_channels: int = 128
    channel_mult: tuple[int, ...] = (1, 2, 2, 2)
    res_blocks: int = 3
    attention_resolutions: tuple[int, ...] = (16, 8)
    """Sides, in pixels of the feature map, at which a level has attention."""
    heads: int = 4
    groups: int = 32
    dropout: float = 0.0
    scale_shift: bool = True
    """True: GroupNorm(h)(1 + w) + b; False: GroupNorm(h + v), as Ho et al. (2020)."""
    rescale_timesteps: bool = True
    """Feed t * 1000 / T to the time embedding (official code's flag; not in the paper)."""
    class_conditional: bool = False

    def __post_init__(self) -> None:
        for name in ("model_channels", "res_blocks", "heads", "groups"):
            value = getattr(self, name)
            _require(value >= 1, f"network.{name}", "at least 1", value)
        _require(
            len(self.channel_mult) >= 1 and min(self.channel_mult) >= 1,
            "network.channel_mult",
            "one multiplier of at least 1 per level",
            self.channel_mult,
        )
        _require(0 <= self.dropout < 1, "network.dropout", "a probability in [0, 1)", self.dropout)
        widths = [m * self.model_channels for m in self.channel_mult]
        for width in {self.model_channels, *widths}:
            _require(
                width % self.groups == 0,
                "network.groups",
                f"a divisor of every width (one is {width})",
                self.groups,
            )
        _require(
            widths[-1] % self.heads == 0,
            "network.heads",
            f"a divisor of the width of the middle block ({widths[-1]})",
            self.heads,
        )
        _require(
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
class Hybrid:
    """L_hybrid (Eq. 16): L_simple + vlb_weight * L_vlb, the mean detached inside L_vlb."""

    kind: Literal["hybrid"] = "hybrid"
    variance: LearnedVariance = "range"
    vlb_weight: float = 0.001
    """lambda of Eq. 16, for L_vlb in bits per dimension (the official code's unit)."""

    def __post_init__(self) -> None:
        _require(
            self.vlb_weight > 0 and math.isfinite(self.vlb_weight),
            "objective.hybrid.vlb_weight",
            "a positive number (0 would leave the variance untrained; use the objective 'simple')",
            self.vlb_weight,
        )


Objective = Simple | Vlb | Hybrid


@dataclass(frozen=True, slots=True, kw_only=True)
class Uniform:
    """Every training step t is as likely as every other."""

    kind: Literal["uniform"] = "uniform"


@dataclass(frozen=True, slots=True, kw_only=True)
class LossSecondMoment:
    """Importance sampling of t (Eq. 18) from the last `history` losses of each step."""

    kind: Literal["loss_second_moment"] = "loss_second_moment"
    history: int = 10
    uniform_share: float = 0.001
    """Share of the probability spread evenly; in the official code, not in the paper."""

    def __post_init__(self) -> None:
        _require(self.history >= 1, "timesteps.history", "at least 1", self.history)
        _require(
            0 <= self.uniform_share < 1,
            "timesteps.uniform_share",
            "a share in [0, 1)",
            self.uniform_share,
        )


Timesteps = Uniform | LossSecondMoment


@dataclass(frozen=True, slots=True, kw_only=True)
class OptimizerConfig:
    """AdamW as the official code sets it; with weight decay 0 it is Adam."""

    learning_rate: float = 1.0e-4
    betas: tuple[float, float] = (0.9, 0.999)
    eps: float = 1.0e-8
    weight_decay: float = 0.0

    def __post_init__(self) -> None:
        positive = {"learning_rate": self.learning_rate, "eps": self.eps}
        for name, value in positive.items():
            _require(
                value > 0 and math.isfinite(value), f"optimizer.{name}", "a positive number", value
            )
        _require(
            self.weight_decay >= 0 and math.isfinite(self.weight_decay),
            "optimizer.weight_decay",
            "a number of at least 0",
            self.weight_decay,
        )
        for beta in self.betas:
            _require(0 <= beta < 1, "optimizer.betas", "two numbers in [0, 1)", self.betas)


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainConfig:
    """A training trajectory and the step at which it is looked at.

    Everything but `steps` is the trajectory; a training to more steps continues one to fewer.
    """

    data: Data
    diffusion: DiffusionConfig = DiffusionConfig()
    prediction: Prediction = "eps"
    network: UNetConfig = UNetConfig()
    objective: Objective = Simple()
    timesteps: Timesteps = Uniform()
    optimizer: OptimizerConfig = OptimizerConfig()
    batch_size: int = 128
    block_size: int | None = None
    """Images that share one random stream and one backward pass; None: the whole batch."""
    ema_decays: tuple[float, ...] = (0.9999,)
    precision: Precision = "float32"
    max_nonfinite_steps: int = 10
    """Consecutive steps with a loss that is not finite after which the run counts as diverged."""
    seed: int = 0
    steps: int = 500_000

    def __post_init__(self) -> None:
        for name in ("batch_size", "steps", "max_nonfinite_steps"):
            value = getattr(self, name)
            _require(value >= 1, f"train.{name}", "at least 1", value)
        _require(self.seed >= 0, "train.seed", "a number of at least 0", self.seed)
        if self.block_size is not None:
            _require(
                self.block_size >= 1 and self.batch_size % self.block_size == 0,
                "train.block_size",
                f"a divisor of batch_size ({self.batch_size})",
                self.block_size,
            )
        for decay in self.ema_decays:
            _require(0 < decay < 1, "train.ema_decays", "decays in (0, 1)", self.ema_decays)
        _require(
            len(set(self.ema_decays)) == len(self.ema_decays),
            "train.ema_decays",
            "each decay once",
            self.ema_decays,
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
class GanConfig:
    """A class-conditional GAN and the step at which it is looked at, for comparison (Table 4).

    As with `TrainConfig`, everything but `steps` is the trajectory.
    """

    data: Data
    latent: int = 64
    """Numbers that an image is made from, besides its label."""
    channels: int = 32
    channel_mult: tuple[int, ...] = (1, 2)
    """Widths from the image's own side down, each side half of the one before."""
    batch_size: int = 64
    generator_learning_rate: float = 2.0e-4
    discriminator_learning_rate: float = 2.0e-4
    betas: tuple[float, float] = (0.0, 0.9)
    """Of Adam, for both networks."""
    discriminator_steps: int = 1
    """Updates of the discriminator for each of the generator."""
    ema_decay: float = 0.999
    """Of the average of the generator's weights, which is the one that is sampled."""
    max_nonfinite_steps: int = 10
    seed: int = 0
    steps: int = 100_000
    """Updates of the generator."""

    def __post_init__(self) -> None:
        counts = ("latent", "channels", "batch_size", "discriminator_steps", "max_nonfinite_steps")
        for name in (*counts, "steps"):
            value = getattr(self, name)
            _require(value >= 1, f"gan.{name}", "at least 1", value)
        _require(self.seed >= 0, "gan.seed", "a number of at least 0", self.seed)
        _require(
            len(self.channel_mult) >= 1 and min(self.channel_mult) >= 1,
            "gan.channel_mult",
            "one multiplier of at least 1 per level",
            self.channel_mult,
        )
        for name in ("generator_learning_rate", "discriminator_learning_rate"):
            value = getattr(self, name)
            _require(value > 0 and math.isfinite(value), f"gan.{name}", "a positive number", value)
        for beta in self.betas:
            _require(0 <= beta < 1, "gan.betas", "two numbers in [0, 1)", self.betas)
        _require(0 < self.ema_decay < 1, "gan.ema_decay", "a decay in (0, 1)", self.ema_decay)


@dataclass(frozen=True, slots=True, kw_only=True)
class GanSampleConfig:
    """One shard of a GAN's samples: blocks [first_block, last_block) of an endless stream."""

    first_block: int = 0
    last_block: int
    block_size: int
    seed: int = 0

    def __post_init__(self) -> None:
        _require(self.block_size >= 1, "samples.block_size", "at least 1", self.block_size)
        _require(
            0 <= self.first_block < self.last_block,
            "samples.last_block",
            f"more than first_block ({self.first_block})",
            self.last_block,
        )

    @property
    def images(self) -> int:
        """Images in this shard."""
        return (self.last_block - self.first_block) * self.block_size


@dataclass(frozen=True, slots=True, kw_only=True)
class ExternalConfig:
    """Images that something else drew: an .npz as the official scripts write it, or a folder.

    The .npz holds uint8 images `arr_0` (N, S, S, C), the folder image files of the data's size.
    """

    path: str = field(metadata=NOT_HASHED)
    name: str = field(metadata=NOT_HASHED)
    """What they are called on a page, such as BigGAN-deep."""
    data: Data
    """What they are held against: its channels, size and levels."""

    def __post_init__(self) -> None:
        _require(bool(self.name.strip()), "external.name", "a name", self.name)


# ---------------------------------------------------------------------------------- evaluation


@dataclass(frozen=True, slots=True, kw_only=True)
class Ancestral:
    """A sampler that takes a variance: `ancestral` draws each step from p(x_{t-1} | x_t)."""

    kind: Literal["ancestral"] = "ancestral"
    variance: Variance = "beta"
    stride: Stride = "even"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ddim:
    """DDIM (Song et al. 2020, arXiv:2010.02502, Eq. 12): eta = 0 is deterministic."""

    kind: Literal["ddim"] = "ddim"
    eta: float = 0.0
    stride: Stride = "constant"

    def __post_init__(self) -> None:
        _require(0 <= self.eta <= 1, "sampler.ddim.eta", "a number in [0, 1]", self.eta)


Sampler = Ancestral | Ddim


@dataclass(frozen=True, slots=True, kw_only=True)
class Ends:
    """A second network takes the steps at both ends of the chain (App. D).

    It was trained like the first but for its objective and its draws of t. The defaults are the
    paper's: L_vlb with importance sampling, at the first and the last 100 of 4000 steps.
    """

    kind: Literal["ends"] = "ends"
    objective: Objective = Vlb()
    timesteps: Timesteps = LossSecondMoment()
    share: float = 0.025
    """Of the T steps, at each end."""

    def __post_init__(self) -> None:
        _require(0 < self.share < 0.5, "ensemble.ends.share", "a share in (0, 0.5)", self.share)

    def inner_steps(self, total: int) -> range:
        """The steps of the trained chain that are left to the first network."""
        outer = round(self.share * total)
        return range(outer, total - outer)

    def partner(self, train: TrainConfig) -> TrainConfig:
        """How the second network was trained, given how the first one was."""
        return replace(train, objective=self.objective, timesteps=self.timesteps)


@dataclass(frozen=True, slots=True, kw_only=True)
class SampleConfig:
    """One shard of samples: the images of blocks [first_block, last_block) of an endless stream.

    Image i of a stream is the same image whatever the shard, so the first 10,000 of 50,000
    samples are the 10,000.
    """

    sampler: Sampler = Ancestral()
    steps: int
    """Reverse steps taken by an unskipped chain; equal to T when nothing is left out."""
    skip: float = 0.0
    """Fraction of the reverse process left out at its noisy end (Fig. 4)."""
    clip: bool = True
    """Clip the predicted x_0 to [-1, 1] at every step, as the official code does."""
    ema_decay: float | None = None
    """Which average of the weights is sampled; None: the raw weights."""
    ensemble: Ends | None = field(default=None, metadata={"legacy": None})
    """How a second network, of the role network_b, takes part; None: there is none."""
    first_block: int = 0
    last_block: int
    block_size: int
    precision: Precision = "float32"
    seed: int = 0

    def __post_init__(self) -> None:
        _require(self.steps >= 2, "samples.steps", "at least 2", self.steps)
        _require(0 <= self.skip < 1, "samples.skip", "a fraction in [0, 1)", self.skip)
        _require(self.block_size >= 1, "samples.block_size", "at least 1", self.block_size)
        _require(
            0 <= self.first_block < self.last_block,
            "samples.last_block",
            f"more than first_block ({self.first_block})",
            self.last_block,
        )

    @property
    def images(self) -> int:
        """Images in this shard."""
        return (self.last_block - self.first_block) * self.block_size


@dataclass(frozen=True, slots=True, kw_only=True)
class LikelihoodConfig:
    """The bound in bits/dim of a split's first `images` images, with every variance at once.

    Which those are, `iddpm.data.first_rows` says.
    """

    split: Split = "test"
    images: int | None = None
    """None: the whole split."""
    steps: int | None = None
    """Steps of a shorter chain; None: all T (the exact bound of the trained chain)."""
    stride: Stride = "even"
    clip: bool = True
    """Clip the predicted x_0 to [-1, 1], as the official evaluation does (not its training)."""
    cdf: Cdf = field(default="tanh", metadata={"legacy": "tanh"})
    """Of the decoder: exact to rounding, or with the float32 rounding of published bounds."""
    ema_decay: float | None = None
    ensemble: Ends | None = field(default=None, metadata={"legacy": None})
    """How a second network, of the role network_b, takes part; None: there is none."""
    block_size: int = 64
    shard_blocks: int | None = field(default=None, metadata={"legacy": None})
    """Blocks that one task evaluates; None: one task evaluates all."""
    precision: Precision = "float32"
    seed: int = 0

    def __post_init__(self) -> None:
        _require(
            self.shard_blocks is None or self.shard_blocks * self.block_size >= 2,
            "likelihood.shard_blocks",
            f"shards of at least 2 images (a block has {self.block_size})",
            self.shard_blocks,
        )
        _require(
            self.images is None or self.images >= 2,
            "likelihood.images",
            "at least 2, for a standard error",
            self.images,
        )
        _require(self.block_size >= 1, "likelihood.block_size", "at least 1", self.block_size)
        _require(
            self.steps is None or self.steps >= 2, "likelihood.steps", "at least 2", self.steps
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class LikelihoodShardConfig:
    """One shard of a likelihood: the images of `part` from block `first_block` on.

    A block meets the same noise in any shard, so shards that are put together are the whole.
    """

    part: LikelihoodConfig
    """Its images end where the shard ends."""
    first_block: int

    def __post_init__(self) -> None:
        images, size = self.part.images, self.part.block_size
        _require(
            images is not None and 0 <= self.first_block * size < images,
            "likelihood_shard.first_block",
            f"a block of the {images} images",
            self.first_block,
        )

    @property
    def blocks(self) -> range:
        """Its blocks, as numbers of the whole."""
        assert self.part.images is not None
        return range(self.first_block, -(-self.part.images // self.part.block_size))

    @property
    def images(self) -> int:
        """Images in this shard."""
        assert self.part.images is not None
        return self.part.images - self.first_block * self.part.block_size


@dataclass(frozen=True, slots=True, kw_only=True)
class LikelihoodMergeConfig:
    """A likelihood whose blocks shards have evaluated."""

    whole: LikelihoodConfig


@dataclass(frozen=True, slots=True, kw_only=True)
class GradientNoiseConfig:
    """The noise scale of a training loss's gradient, from `draws` big batches made of blocks."""

    draws: int = 32
    """Big batches."""
    block_size: int = 64
    """Images of a small batch: they share one random stream and one backward pass."""
    blocks: int = 16
    """Small batches that make up a big one."""
    objective: Objective | None = None
    """Of the loss; None: the one that the network was trained with."""
    ema_decay: float | None = None
    """At which average of the weights; None: at the raw weights, as training follows them."""
    precision: Precision = "float32"
    seed: int = 0

    def __post_init__(self) -> None:
        leasts = {"draws": 2, "block_size": 1, "blocks": 2}
        for name, least in leasts.items():
            value = getattr(self, name)
            _require(value >= least, f"gradient_noise.{name}", f"at least {least}", value)

    @property
    def images(self) -> int:
        """Images that a gradient is taken of, those of all draws together."""
        return self.draws * self.blocks * self.block_size


@dataclass(frozen=True, slots=True, kw_only=True)
class Classifier:
    """Features of a small classifier trained on the labels of `data`: its last hidden layer."""

    kind: Literal["classifier"] = "classifier"
    data: Data
    channels: int = 32
    features: int = 64
    steps: int = 600
    batch_size: int = 128
    learning_rate: float = 1.0e-3
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("channels", "features", "steps", "batch_size"):
            value = getattr(self, name)
            _require(value >= 1, f"extractor.{name}", "at least 1", value)
        _require(
            self.learning_rate > 0 and math.isfinite(self.learning_rate),
            "extractor.learning_rate",
            "a positive number",
            self.learning_rate,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class RandomNetwork:
    """Features of a fixed, untrained convolutional network: for data without labels."""

    kind: Literal["random"] = "random"
    data: Data
    channels: int = 32
    features: int = 64
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("channels", "features"):
            value = getattr(self, name)
            _require(value >= 1, f"extractor.{name}", "at least 1", value)


@dataclass(frozen=True, slots=True, kw_only=True)
class Inception:
    """Features of Inception-V3 with the weights of 2015-12-05, over which a distance is an FID."""

    kind: Literal["inception"] = "inception"
    path: str = field(default="data/pt_inception-2015-12-05-6726825d.pth", metadata=NOT_HASHED)
    sha256: str = "6726825d"
    """First digits of the file's sha256, as hex; its name carries the first eight."""

    def __post_init__(self) -> None:
        _require(
            bool(re.fullmatch(r"[0-9a-f]{8,64}", self.sha256)),
            "extractor.sha256",
            "8 to 64 hexadecimal digits",
            self.sha256,
        )


ExtractorConfig = Classifier | RandomNetwork | Inception


@dataclass(frozen=True, slots=True, kw_only=True)
class FeaturesConfig:
    """Features and moments of generated images (`data` is None) or of a split of real ones."""

    images: int | None = None
    """The first so many (of real ones as `iddpm.data.first_rows` says); None: all of them."""
    data: Data | None = None
    split: Split = "train"
    block_size: int = 256

    keep: int | None = field(default=None, metadata={"legacy": None})
    """Feature vectors that are kept beside the moments of all images; None: every one."""

    def __post_init__(self) -> None:
        _require(
            self.images is None or self.images >= 2, "features.images", "at least 2", self.images
        )
        _require(self.keep is None or self.keep >= 2, "features.keep", "at least 2", self.keep)
        _require(self.block_size >= 1, "features.block_size", "at least 1", self.block_size)


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoreConfig:
    """Fréchet distance, precision, recall and more of one set of features against another."""

    neighbours: int = 3
    """k of Kynkäänniemi et al. (2019); the paper uses 5 on 50,000 images."""
    metrics: tuple[Metric, ...] = field(default=(), metadata={"legacy": ()})
    """What else is told."""

    def __post_init__(self) -> None:
        _require(self.neighbours >= 1, "score.neighbours", "at least 1", self.neighbours)


@dataclass(frozen=True, slots=True, kw_only=True)
class RadiiConfig:
    """How far each real feature vector is from its k-th neighbour, for every score that asks."""

    neighbours: int = 3
    """The k of the scores."""

    def __post_init__(self) -> None:
        _require(self.neighbours >= 1, "radii.neighbours", "at least 1", self.neighbours)


@dataclass(frozen=True, slots=True, kw_only=True)
class LatentsConfig:
    """One image on its way to noise: its latents x_t at evenly spaced t from 0 to T (Fig. 3).

    The noise is one draw of the seed and the image, for every t and every schedule.
    """

    data: Data
    diffusion: DiffusionConfig
    split: Split = "test"
    image: int = 0
    """Its place in the split."""
    count: int = 11
    """Latents, the image itself (t = 0) among them."""
    seed: int = 0

    def __post_init__(self) -> None:
        _require(self.image >= 0, "latents.image", "at least 0", self.image)
        _require(
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
