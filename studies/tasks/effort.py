"""How much work a task is, and which tasks take their time alike: functions of configs alone.

What a task needs is asked for by role: `of("network")` is the config of the task whose network it
calls, `of("generated", "extractor")` that of what its images' features were read with.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, Literal, Protocol

from iddpm.config import GanConfig, GanSampleConfig, Stride, TrainConfig
from iddpm.data import outline
from iddpm.evaluation.config import (
    Classifier,
    Draws,
    ExtractorConfig,
    FeaturesConfig,
    GradientNoiseConfig,
    Inception,
    LikelihoodConfig,
    LikelihoodShardConfig,
    RadiiConfig,
    RandomNetwork,
    SampleConfig,
    ScoreConfig,
)
from iddpm.networks.size import (
    FORWARD_AND_BACK,
    gan_multiply_adds,
    gan_parameters,
    generator_size,
    trained_size,
    training_compute,
)
from iddpm.strides import kept_steps, stride_timesteps

PASSES_OF_A_GRADIENT = 3
"""One pass forward, and one back of twice its work."""

INCEPTION = 5_700_000_000
"""Multiply-adds of Inception-V3 on one image of 299x299 pixels (Szegedy et al. 2016,
arXiv:1512.00567, Table 3 and Section 6: some five billion), by torch's count."""
INCEPTION_FEATURES = 2048

BYTES = 4
"""Of a number in float32."""
BYTES_OF_A_STEP = 150
"""Of the terms of a bound at one step, as text: for every fixed variance, with their errors."""

EIGEN = 25
"""The distance of two sets takes so many times D^3 multiply-adds, of two decompositions."""


class Inputs(Protocol):
    """From roles to the config of what a task needs."""

    def __call__(self, *roles: str) -> Any: ...

    def __contains__(self, role: str) -> bool: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Effort:
    """How much a sort of task is, told from its config and from those of what it needs."""

    counts: Literal["training steps", "network calls", "images", ""] = ""
    """What its time is in proportion to; empty: to nothing that is known."""
    amount: Callable[[Any, Inputs], int] = lambda config, of: 0
    """How many of these there are."""
    alike: Callable[[Any, Inputs], tuple[object, ...]] = lambda config, of: ()
    """What the time of one of them depends on."""
    multiply_adds: Callable[[Any, Inputs], int] = lambda config, of: 0
    """Of all that it computes; 0: little beside starting it."""
    parameters: Callable[[Any], int | None] = lambda config: None
    """Of the network that it trains or imports, of a GAN both; None: none that a plan tells of."""
    kept: Callable[[Any, Inputs], int] = lambda config, of: 0
    """Bytes that it leaves on disk beside small records."""


# ----------------------------------------------------------------------------------- trainings


def _steps(config: TrainConfig | GanConfig, of: Inputs) -> int:
    return config.steps


def _same_training(config: TrainConfig, of: Inputs) -> tuple[object, ...]:
    return (replace(config, seed=0, steps=1, diffusion=replace(config.diffusion, steps=100)),)


def _same_gan(config: GanConfig, of: Inputs) -> tuple[object, ...]:
    return (replace(config, seed=0, steps=1),)


def _states(config: TrainConfig, of: Inputs) -> int:
    """Weights, their averages and the two moments of the optimizer."""
    copies = 3 + len(config.ema_decays)
    return BYTES * copies * trained_size(config, outline(config.data)).parameters


def _states_of_gan(config: GanConfig, of: Inputs) -> int:
    """Both networks with two moments, and the average of the generator."""
    data = outline(config.data)
    generator = generator_size(config, data).parameters
    return BYTES * (3 * gan_parameters(config, data) + generator)


TRAINING = Effort(
    counts="training steps",
    amount=_steps,
    alike=_same_training,
    multiply_adds=lambda config, of: training_compute(config, outline(config.data)),
    parameters=lambda config: trained_size(config, outline(config.data)).parameters,
    kept=_states,
)
IMPORT = Effort(parameters=TRAINING.parameters, kept=_states)
"""Of a network that is read from a file: its size alone."""
GAN_TRAINING = Effort(
    counts="training steps",
    amount=_steps,
    alike=_same_gan,
    multiply_adds=lambda config, of: gan_multiply_adds(config, outline(config.data)),
    parameters=lambda config: gan_parameters(config, outline(config.data)),
    kept=_states_of_gan,
)


def _steps_of_extractor(config: ExtractorConfig, of: Inputs) -> int:
    return config.steps if isinstance(config, Classifier) else 0


def _training_of_extractor(config: ExtractorConfig, of: Inputs) -> int:
    if not isinstance(config, Classifier):
        return 0
    return FORWARD_AND_BACK * config.batch_size * config.steps * _of_one_image(config)


EXTRACTOR = Effort(
    counts="training steps", amount=_steps_of_extractor, multiply_adds=_training_of_extractor
)

# ----------------------------------------------------------------------------- calls of networks


def _calls(config: SampleConfig | LikelihoodConfig | LikelihoodShardConfig, of: Inputs) -> int:
    """How often a chain or a bound applies a network to one image; an estimate at most."""
    total = of("network").diffusion.steps
    if isinstance(config, SampleConfig):
        steps = _kept(config.sampler.stride, total, config.steps)
        return config.images * kept_steps(steps, config.skip)
    bound = _asked(config)
    if bound.estimate is not None:
        estimate: Draws = bound.estimate
        return estimate.pilot_calls + (config.images or 0) * estimate.most
    return (config.images or 0) * _kept(bound.stride, total, bound.steps or total)


@lru_cache
def _kept(stride: Stride, total: int, steps: int) -> int:
    return len(stride_timesteps(stride, total, steps))


def _asked(config: Any) -> Any:
    """The bound that a shard is a part of."""
    return config.part if isinstance(config, LikelihoodShardConfig) else config


def _calls_for_gradients(config: GradientNoiseConfig, of: Inputs) -> int:
    return PASSES_OF_A_GRADIENT * config.images


def _same_network(config: Any, of: Inputs) -> tuple[object, ...]:
    train, asked = of("network"), _asked(config)
    return train.network, train.data, asked.block_size, asked.precision


def _results_of_chain(config: SampleConfig | LikelihoodConfig | Any, of: Inputs) -> int:
    """Images, the text of a bound's terms by step, or the same of each block of a shard."""
    if isinstance(config, SampleConfig):
        return config.images * _pixels(of("network"))
    bound, total = _asked(config), of("network").diffusion.steps
    steps = 0 if bound.estimate else _kept(bound.stride, total, bound.steps or total)
    blocks = len(config.blocks) if isinstance(config, LikelihoodShardConfig) else 1
    return BYTES_OF_A_STEP * steps * blocks


def _pixels(config: TrainConfig | GanConfig) -> int:
    data = outline(config.data)
    return data.channels * data.size**2


def _by_network(
    amount: Callable[[Any, Inputs], int],
    kept: Callable[[Any, Inputs], int] = lambda config, of: 0,
) -> Effort:
    def multiply_adds(config: Any, of: Inputs) -> int:
        train = of("network")
        return amount(config, of) * trained_size(train, outline(train.data)).multiply_adds

    return Effort(
        counts="network calls",
        amount=amount,
        alike=_same_network,
        multiply_adds=multiply_adds,
        kept=kept,
    )


CHAIN = _by_network(_calls, _results_of_chain)
GRADIENTS = _by_network(_calls_for_gradients)


def _images(config: GanSampleConfig, of: Inputs) -> int:
    return config.images


def _same_generator(config: GanSampleConfig, of: Inputs) -> tuple[object, ...]:
    return (*_same_gan(of("network"), of), config.block_size)


def _generation(config: GanSampleConfig, of: Inputs) -> int:
    gan = of("network")
    return config.images * generator_size(gan, outline(gan.data)).multiply_adds


GAN_SAMPLES = Effort(
    counts="network calls",
    amount=_images,
    alike=_same_generator,
    multiply_adds=_generation,
    kept=lambda config, of: config.images * _pixels(of("network")),
)

# ------------------------------------------------------------------------- features and distances


def _read_images(config: FeaturesConfig, of: Inputs) -> int:
    return config.images or 1


def _reading(config: FeaturesConfig, of: Inputs) -> int:
    extractor = of("extractor")
    return _read_images(config, of) * (
        INCEPTION if isinstance(extractor, Inception) else _of_one_image(extractor)
    )


def _of_one_image(config: Classifier | RandomNetwork) -> int:
    """Multiply-adds of a classifier, three convolutions and a layer; the other is like it."""
    data, width = outline(config.data), config.channels
    first = data.size**2 * 9 * data.channels * width
    others = (data.size // 2) ** 2 * 9 * (width + 2 * width) * 2 * width
    return first + others + 16 * 2 * width * config.features


def _vectors_on_disk(config: FeaturesConfig, of: Inputs) -> int:
    """Those that are kept, and the moments of all in float64."""
    width = _width(of("extractor"))
    return BYTES * _vectors(config) * width + 2 * BYTES * width * (width + 1)


FEATURES = Effort(
    counts="images",
    amount=_read_images,
    alike=lambda config, of: (of("extractor"),),
    multiply_adds=_reading,
    kept=_vectors_on_disk,
)


def _distances_of_score(config: ScoreConfig, of: Inputs) -> int:
    """All distances that a score takes between vectors of features, and that of the moments."""
    width = _width(of("generated", "extractor"))
    drawn, real = _vectors(of("generated")), _vectors(of("reference"))
    pairs = drawn * (drawn + real) + (0 if "radii" in of else real * real)
    return width * pairs + EIGEN * width**3


def _distances_of_radii(config: RadiiConfig, of: Inputs) -> int:
    """The distance of every vector of features to every other."""
    vectors = _vectors(of("features"))
    return _width(of("features", "extractor")) * vectors * vectors


def _width(extractor: ExtractorConfig) -> int:
    """Numbers in a vector of features."""
    return INCEPTION_FEATURES if isinstance(extractor, Inception) else extractor.features


def _vectors(features: FeaturesConfig) -> int:
    """How many vectors of features are kept."""
    return features.keep or features.images or 1


SCORE = Effort(multiply_adds=_distances_of_score)
RADII = Effort(
    multiply_adds=_distances_of_radii,
    kept=lambda config, of: 2 * BYTES * _vectors(of("features")),
)

# --------------------------------------------------------------------------------------- the rest

LITTLE = Effort()
"""What takes moments, or as long as files are read."""
