"""The kinds of task, a row for each: all that is to be known of one but how it is done.

To add a kind takes its row here and the function that the row names (`studies/runners/`).
"""

from dataclasses import dataclass
from typing import Any, get_args

from iddpm.config import ExternalConfig, FixedVariance, GanConfig, GanSampleConfig, TrainConfig
from iddpm.evaluation.config import (
    ExtractorConfig,
    FeaturesConfig,
    GradientNoiseConfig,
    LatentsConfig,
    LikelihoodConfig,
    LikelihoodMergeConfig,
    LikelihoodShardConfig,
    RadiiConfig,
    SampleConfig,
    ScoreConfig,
)
from studies.tasks import effort
from studies.tasks.effort import Effort

TaskConfig = (
    ExtractorConfig
    | TrainConfig
    | SampleConfig
    | FeaturesConfig
    | RadiiConfig
    | ScoreConfig
    | LikelihoodConfig
    | LikelihoodShardConfig
    | LikelihoodMergeConfig
    | GradientNoiseConfig
    | LatentsConfig
    | GanConfig
    | GanSampleConfig
    | ExternalConfig
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """A sort of task."""

    name: str
    version: int | str
    """It rises with every change of code that moves a result."""
    config: Any
    """Type of what such a task is to do."""
    runner: str
    """The function that does it, in `studies/runners/`; its name alone, so that torch stays out."""
    unit: str
    """What its progress counts."""
    effort: Effort
    """How much it is."""
    timed_as: str = ""
    """Another kind that takes the same time for the same work; empty: none."""
    uses_gpu: bool = False
    """Whether a GPU does its work where there is one. The others compute in NumPy, or on a CPU so
    that every machine makes the same."""
    memory_by: str | None = None
    """The setting that its memory goes by; None: it goes by the images."""


def _of_variances(version: int) -> int | str:
    """The version of a kind that scores every fixed variance; those of one's own stand in it."""
    own = [name for name in get_args(FixedVariance) if name not in ("beta", "beta_tilde")]
    return "+".join([str(version), *own]) if own else version


_ROWS = (
    Kind(
        name="extractor",
        version=1,
        config=ExtractorConfig,
        runner="scores.extractor",
        unit="steps",
        effort=effort.EXTRACTOR,
    ),
    Kind(
        name="train",
        version=1,
        config=TrainConfig,
        runner="trainings.train",
        unit="steps",
        effort=effort.TRAINING,
        uses_gpu=True,
        memory_by="train.block_size",
    ),
    Kind(
        name="imported",
        version=1,
        config=TrainConfig,
        runner="imports.imported",
        unit="networks",
        effort=effort.IMPORT,
    ),
    Kind(
        name="sample",
        version=1,
        config=SampleConfig,
        runner="sampling.sample",
        unit="network calls",
        effort=effort.CHAIN,
        uses_gpu=True,
        memory_by="samples.block_size",
    ),
    Kind(
        name="features",
        version=1,
        config=FeaturesConfig,
        runner="scores.features",
        unit="images",
        effort=effort.FEATURES,
        uses_gpu=True,
    ),
    Kind(
        name="radii",
        version=1,
        config=RadiiConfig,
        runner="scores.radii",
        unit="vectors",
        effort=effort.RADII,
        memory_by="samples.reference.keep",
    ),
    Kind(
        name="score",
        version=1,
        config=ScoreConfig,
        runner="scores.score",
        unit="steps",
        effort=effort.SCORE,
        memory_by="samples.reference.keep",
    ),
    Kind(
        name="likelihood",
        version=_of_variances(2),
        config=LikelihoodConfig,
        runner="bounds.likelihood",
        unit="steps",
        effort=effort.CHAIN,
        uses_gpu=True,
        memory_by="likelihood.block_size",
    ),
    Kind(
        name="likelihood_shard",
        version=_of_variances(1),
        config=LikelihoodShardConfig,
        runner="bounds.likelihood_shard",
        unit="steps",
        effort=effort.CHAIN,
        timed_as="likelihood",
        uses_gpu=True,
        memory_by="likelihood.block_size",
    ),
    Kind(
        name="likelihood_merge",
        version=_of_variances(1),
        config=LikelihoodMergeConfig,
        runner="bounds.likelihood_merge",
        unit="blocks",
        effort=effort.LITTLE,
    ),
    Kind(
        name="gradient_noise",
        version=1,
        config=GradientNoiseConfig,
        runner="gradients.gradient_noise",
        unit="backward passes",
        effort=effort.GRADIENTS,
        uses_gpu=True,
        memory_by="gradient_noise.block_size",
    ),
    Kind(
        name="latents",
        version=1,
        config=LatentsConfig,
        runner="forward.latents",
        unit="images",
        effort=effort.LITTLE,
    ),
    Kind(
        name="gan",
        version=1,
        config=GanConfig,
        runner="trainings.gan",
        unit="steps",
        effort=effort.GAN_TRAINING,
        uses_gpu=True,
    ),
    Kind(
        name="gan_sample",
        version=1,
        config=GanSampleConfig,
        runner="rivals.gan_sample",
        unit="images",
        effort=effort.GAN_SAMPLES,
        uses_gpu=True,
        memory_by="samples.block_size",
    ),
    Kind(
        name="external",
        version=1,
        config=ExternalConfig,
        runner="rivals.external",
        unit="images",
        effort=effort.LITTLE,
    ),
)

KINDS = {kind.name: kind for kind in _ROWS}
"""All kinds, by name."""


def kind_of(address: str) -> Kind:
    """The kind of the task of an address."""
    return KINDS[address.rpartition("-")[0]]
