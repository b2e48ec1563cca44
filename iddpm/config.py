"""What a run *is*: frozen values that name every choice of a training, a sampling and a score.

Whatever stands here is hashed into the address of a task, so two equal configs are the same
work. Where a task runs, on which device and for how long is not what it is, and stands elsewhere.
Nothing here imports torch: a sweep of ten thousand cells is planned before the first tensor.

Choices with settings of their own are small types told apart by `kind`. In a sweep file
`sampler: ddim`, `sampler: {ddim: {eta: 0.5}}` and `sampler: {kind: ddim, eta: 0.5}` are read alike.
"""

import math
from dataclasses import dataclass, field
from typing import Annotated, ClassVar, Literal, get_args

from iddpm.bounds import (
    MOST_LEVELS,
    MOST_PIXELS,
    MOST_T,
    MOST_UPDATES,
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
    Updates,
    Where,
    at_most,
    require,
)
from iddpm.config_fields import NOT_HASHED, STATED, canonical

Schedule = Literal["linear", "cosine"]
Prediction = Literal["eps", "x_0", "v"]
FixedVariance = Literal["beta", "beta_tilde"]
LearnedVariance = Literal["learned", "range"]
Variance = Literal[FixedVariance, LearnedVariance]
Stride = Literal["even", "constant", "even_plus_first"] | tuple[int, ...]
StepNoise = Literal["independent", "brownian"]
"""What the steps of a reverse chain add; see `iddpm.step_noise`."""
Precision = Literal["float32", "tf32", "bf16"]
Split = Literal["train", "test"]
Cdf = Literal["tanh", "tanh_official"]
"""How a decoder computes the normal distribution function; see `iddpm.gaussians`."""
Metric = Literal["kid", "fd_infinity"]
"""What a score may tell beside its usual three numbers; see `iddpm.evaluation.metrics`."""


# ---------------------------------------------------------------------------------------- data

SPLITS: tuple[Split, ...] = get_args(Split)


@dataclass(frozen=True, slots=True, kw_only=True)
class Digits(Bounded):
    """Scikit-learn's digits: 1797 images, 8x8, one channel, 17 grey levels, 10 classes.

    A level counts the ink in a block of 4x4 of the scan. At 256 levels an image is dequantised
    (Theis et al., 2016, arXiv:1511.01844, Section 3.1): each pixel is moved uniformly inside of its
    bin, always by the same draw. Chains as fine as the paper's have something to say of it, where
    the bin of 17 levels is twenty times their first noise.
    """

    kind: Literal["digits"] = "digits"
    where: ClassVar = "digits"
    levels: Annotated[int, at_most(256), Where("17 or 256", lambda levels: levels in (17, 256))] = (
        field(default=17, metadata={"legacy": 17})
    )
    train_images: Annotated[
        int, Between(37, 1500, low="at least 37, with which every class has an image")
    ] = field(default=1500, metadata={"legacy": 1500})
    """The first ones; few of them are soon learnt by heart."""


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
    """What a score over these images calls them: `digits`, or the name that their config gives.

    Digits that are dequantised or few say so: `digits-256-levels-64-images`.
    """
    if isinstance(data, Digits):
        unusual = {key: value for key, value in canonical(data).items() if key != "kind"}
        return "-".join(["digits", *(f"{n}-{key.split('_')[-1]}" for key, n in unusual.items())])
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
    low_resolution: Annotated[int, Between(1, MOST_PIXELS)] | None = field(
        default=None, metadata={"legacy": None}
    )
    """Side of the smaller images that the network enlarges (Appendix C); None: it is told none."""

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
class Simple(Bounded):
    """An objective without settings, by which no variance is learned.

    `simple` is L_simple (Eq. 14): the mean squared error of the prediction.
    """

    kind: Literal["simple"] = "simple"
    where: ClassVar = "objective.simple"


@dataclass(frozen=True, slots=True, kw_only=True)
class Vlb(Bounded):
    """L_vlb (Eqs. 4-7): T times the bound's term at the drawn step, in bits per dimension."""

    kind: Literal["vlb"] = "vlb"
    where: ClassVar = "objective.vlb"
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
class Uniform(Bounded):
    """Every training step t is as likely as every other."""

    kind: Literal["uniform"] = "uniform"
    where: ClassVar = "timesteps.uniform"


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
    warmup_steps: Annotated[int, Between(0, MOST_UPDATES)] = field(
        default=0, metadata={"legacy": 0}
    )
    """Steps over which the rate rises evenly to its full value; the paper has none."""
    decay_steps: Updates | None = field(default=None, metadata={"legacy": None})
    """Steps over which the rate falls evenly to zero, the official code's `lr_anneal_steps`; None:
    it stays, as in the paper."""
    clip_norm: Positive | None = field(default=None, metadata={"legacy": None})
    """The largest norm of a step's gradient; a longer one is scaled down to it. None: any."""

    def rate(self, step: int) -> float:
        """The learning rate of a step, counted from 0: a function of its number alone."""
        rise = min(1.0, (step + 1) / self.warmup_steps) if self.warmup_steps else 1.0
        fall = 1 - step / self.decay_steps if self.decay_steps else 1.0
        return self.learning_rate * rise * max(0.0, fall)


SeedPart = Literal["weights", "order", "noise"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Seeds(Bounded):
    """Seeds of the parts of a training's randomness; None: the seed of the training."""

    where: ClassVar = "train.seeds"
    weights: Seed | None = None
    """Of the initial weights."""
    order: Seed | None = None
    """Of the order in which images come."""
    noise: Seed | None = None
    """Of each image's t and noise, and of dropout."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenAi(Bounded):
    """A checkpoint of the official code, openai/improved-diffusion, in place of a training.

    The shapes of its tensors tell its network. The rest follows from the name that a released file
    has (`iddpm.released`), or is stated here. The config of the imported network holds all of it.
    """

    kind: Literal["openai"] = "openai"
    where: ClassVar = "from.openai"
    short: ClassVar = "path"
    path: str = field(metadata=NOT_HASHED)
    name: str | None = field(default=None, metadata={"legacy": None, "told": False})
    """Of a released file, where this one has another; once read, None: it is none of these."""
    heads: Channels | None = field(default=None, metadata=STATED)
    schedule: Schedule | None = field(default=None, metadata=STATED)
    T: Annotated[int, Between(2, MOST_T)] | None = field(default=None, metadata=STATED)
    rescale_timesteps: bool | None = field(default=None, metadata=STATED)
    prediction: Literal["eps", "x_0"] | None = field(default=None, metadata=STATED)
    """x_0 for a network that was trained with the official flag `predict_xstart`."""
    objective: Literal["simple", "hybrid", "vlb"] | None = field(default=None, metadata=STATED)
    weights: float | Literal["raw"] | None = field(default=None, metadata=STATED)
    """The decay of the average that its weights are, or raw."""
    steps: Updates | None = field(default=None, metadata=STATED)
    """Of its training."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Safetensors(Bounded):
    """A file that `iddpm.exporting.write_safetensors` wrote, in place of a training.

    It says which network it holds; how that was trained is stated where an older file does not.
    """

    kind: Literal["safetensors"] = "safetensors"
    where: ClassVar = "from.safetensors"
    short: ClassVar = "path"
    path: str = field(metadata=NOT_HASHED)
    objective: Literal["simple", "hybrid", "vlb"] | None = field(default=None, metadata=STATED)
    weights: float | Literal["raw"] | None = field(default=None, metadata=STATED)
    """The decay of the average that its weights are, or raw."""
    steps: Updates | None = field(default=None, metadata=STATED)
    """Of its training."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Diffusers(Bounded):
    """A `DDIMPipeline` of diffusers, in place of a training: no learned Σ, as of L_simple."""

    kind: Literal["diffusers"] = "diffusers"
    where: ClassVar = "from.diffusers"
    short: ClassVar = "path"
    path: str = field(metadata=NOT_HASHED)
    weights: float | Literal["raw"] | None = field(default=None, metadata=STATED)
    """The decay of the average that its weights are, or raw; None: the files say it."""
    steps: Updates | None = field(default=None, metadata=STATED)
    """Of its training; None: the files say it."""


Source = OpenAi | Safetensors | Diffusers
"""Where a network comes from that is not trained here."""


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
    horizontal_flips: bool = field(default=False, metadata={"legacy": False})
    """Mirror each image of a step, left to right, with probability 1/2; the paper does not, and
    gradient noise is taken of the images as they lie."""
    precision: Precision = "float32"
    max_nonfinite_steps: Updates = 10
    """Consecutive steps with a loss that is not finite after which the run counts as diverged."""
    seed: Seed = 0
    seeds: Seeds = field(default=Seeds(), metadata={"legacy": Seeds()})
    """Seeds of its own for a part of what is drawn, so that each part's share can be told."""
    steps: Updates = 500_000
    source: Source | None = field(default=None, metadata={"legacy": None, "written": "from"})
    """What the network is read from, which was trained elsewhere as this says; None: trained here.
    A sweep file calls it `from`."""

    def _check(self) -> None:
        if self.block_size is not None:
            require(
                self.block_size >= 1 and self.batch_size % self.block_size == 0,
                "train.block_size",
                f"a divisor of batch_size ({self.batch_size})",
                self.block_size,
            )
        decay_steps = self.optimizer.decay_steps
        if decay_steps is not None:
            require(
                decay_steps >= self.steps,
                "train.optimizer.decay_steps",
                f"at least the {self.steps} steps of the training (the rate is zero from there)",
                decay_steps,
            )

    def seed_of(self, part: SeedPart) -> int:
        """The seed that a part of what is drawn goes by."""
        own: int | None = getattr(self.seeds, part)
        return self.seed if own is None else own

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
