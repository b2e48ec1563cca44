"""What a sweep can ask of a network or a schedule, and the scopes that its keys begin with."""

from dataclasses import dataclass, field
from typing import Annotated, ClassVar

from iddpm.bounds import (
    MOST_IMAGES,
    MOST_T,
    Batch,
    Bounded,
    Count,
    Few,
    Seed,
    Some,
    Steps,
    at_most,
    require,
)
from iddpm.config import (
    ExternalConfig,
    GanConfig,
    Metric,
    Precision,
    Split,
    StepNoise,
    TrainConfig,
)
from iddpm.evaluation.config import (
    FD_INFINITY_IMAGES,
    Ancestral,
    Ends,
    ExtractorConfig,
    GradientNoiseConfig,
    LikelihoodConfig,
    Sampler,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference(Bounded):
    """The real images that samples are compared with: the first `images` of a split.

    `iddpm.data.first_rows` says which images these are.
    """

    where: ClassVar = "samples.reference"
    split: Split = "train"
    images: Annotated[int, at_most(MOST_IMAGES)] | None = None
    """How many; None: the whole split."""
    keep: Annotated[int, at_most(MOST_IMAGES)] | None = None
    """How many of the images precision and recall are taken against, the first ones; None: all. A
    distance is always against all. A million images have too many neighbours to ask each."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SamplesConfig(Bounded):
    """Draw images, extract their features, score them against real ones.

    A plan cuts this into tasks: shards of `shard_blocks` blocks, one features task, one score.
    """

    where: ClassVar = "samples"
    sampler: Sampler = field(default_factory=Ancestral)
    steps: Steps | None
    """Reverse steps taken; None: all T that the network was trained for."""
    skip: float = 0.0
    clip: bool = True
    ema_decay: float | None = None
    """Which average of the weights is sampled; None: the raw weights."""
    ensemble: Ends | None = None
    """How a second network takes part, trained for it; None: there is none."""
    noise: StepNoise = "independent"
    """Of the steps: `brownian` is shared by chains of any length, stride and prefix skipped."""
    precision: Precision = "float32"
    images: Some
    block_size: Batch = 64
    """Images that share one random stream and one pass of the network."""
    shard_blocks: Count = 16
    extractor: ExtractorConfig
    reference: Reference = field(default_factory=Reference)
    neighbours: Few = 3
    metrics: tuple[Metric, ...] = ()
    """What a score tells beside Fréchet distance, precision and recall."""
    noise_seed: Seed | None = None
    """Of all that sampling draws; None: the seed of the cell, with which its network is trained."""

    def _check(self) -> None:
        _check_counts(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class RivalSamples(Bounded):
    """How many images of a rival are scored and how: `SamplesConfig` without a chain's settings."""

    where: ClassVar = "samples"
    images: Some
    block_size: Batch = 64
    """Images that share one random stream and one pass of the generator."""
    shard_blocks: Count = 16
    extractor: ExtractorConfig
    reference: Reference = field(default_factory=Reference)
    neighbours: Few = 3
    metrics: tuple[Metric, ...] = ()

    def _check(self) -> None:
        _check_counts(self)


def _check_counts(config: SamplesConfig | RivalSamples) -> None:
    reference = config.reference
    counts = (
        ("images", config.images),
        ("reference.images", reference.images),
        ("reference.keep", reference.keep),
    )
    for name, images in counts:
        require(
            images is None or images > config.neighbours,
            f"samples.{name}",
            f"more than the {config.neighbours} neighbours of a score",
            images,
        )
    require(
        "fd_infinity" not in config.metrics or config.images >= FD_INFINITY_IMAGES,
        "samples.images",
        f"at least {FD_INFINITY_IMAGES:,}, over which the metric fd_infinity draws its line",
        config.images,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Latents(Bounded):
    """Show one image of a split on its way to noise; the schedule decides, nothing is trained.

    The fields are those of `iddpm.config.LatentsConfig`.
    """

    where: ClassVar = "latents"
    split: Split = "test"
    image: Annotated[int, at_most(MOST_IMAGES)] = 0
    count: Annotated[int, at_most(MOST_T + 1)] = 11


Evaluation = SamplesConfig | LikelihoodConfig | GradientNoiseConfig | Latents

RIVAL_TYPES: dict[str, type] = {"gan": GanConfig, "external": ExternalConfig}
"""The kinds of rivals; see `studies.spec.rivals`."""

SCOPES: dict[str, type] = {
    "train": TrainConfig,
    "samples": SamplesConfig,
    "likelihood": LikelihoodConfig,
    "gradient_noise": GradientNoiseConfig,
    "latents": Latents,
    **RIVAL_TYPES,
}
"""From the first name of a dotted key to the type whose setting the rest of the key names."""
