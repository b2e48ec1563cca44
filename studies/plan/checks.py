"""A sweep held against its data and its schedules, so that nothing starts that cannot end.

Data are described here, once for a plan: what they are like is what most checks ask, and what tasks
are made from.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from iddpm import released
from iddpm.bounds import ConfigError, require
from iddpm.checks import (
    check_gan,
    check_gradient_noise,
    check_latents,
    check_likelihood,
    check_samples,
    check_training,
)
from iddpm.config import Data, ExternalConfig, GanConfig, Split, TrainConfig
from iddpm.data import Description, describe, outline
from iddpm.evaluation.config import Classifier, GradientNoiseConfig, Inception, LikelihoodConfig
from iddpm.evaluation.weights_file import check_weights
from iddpm.images.external import ExternalDescription, describe_external
from studies.plan.pieces import latents_of, likelihood_shards, sample_shards
from studies.spec.arms import ArmSpec
from studies.spec.evaluations import Latents, RivalSamples, SamplesConfig
from studies.spec.reading import Written
from studies.spec.rivals import Rival
from studies.spec.settings import CUT, scope
from studies.spec.sweep import SweepSpec

MAX_TASKS = 50_000
"""Of a plan: so many are planned in seconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Described:
    """What the images are like that a sweep reads."""

    data: Mapping[Data, Description]
    external: Mapping[ExternalConfig, ExternalDescription]

    def images(self, data: Data, split: Split) -> int:
        """How many a split holds."""
        description = self.data[data]
        return description.train_images if split == "train" else description.test_images

    def bounded_images(self, config: LikelihoodConfig, train: TrainConfig) -> int:
        """How many a bound is taken of: the whole split, where it is not said."""
        return config.images or self.images(train.data, config.split)


def checked(spec: SweepSpec, *, outlined: bool = False) -> Described:
    """What the data of a sweep are like, when it is known that they can give what it asks of them.

    Args:
        spec: The sweep.
        outlined: Whether data that are not on disk may be what their config declares, and weights
            be missing.

    Raises:
        ConfigError: If an arm asks of its data, network or chain what they cannot give.
    """
    described = _described(spec, outlined=outlined)
    if not outlined:
        for weights, arm in weights_of(spec).items():
            with arm.origin.evaluation.placing():
                check_weights(Path(weights.path), weights.sha256)
    for network, origin in networks_of(spec):
        with origin.placing():
            _check_network(network, described.data[network.data], outlined=outlined)
    for arm in spec.arms:
        with arm.origin.evaluation.placing():
            _check_evaluation(arm, described)
    for rival in spec.rivals:
        _check_rival(rival, described)
    _check_count_of_tasks(spec, described)
    return described


def weights_of(spec: SweepSpec) -> dict[Inception, ArmSpec]:
    """The files of weights that arms are scored with, each with one of the arms."""
    return {
        arm.evaluation.extractor: arm
        for arm in spec.arms
        if isinstance(arm.evaluation, SamplesConfig)
        and isinstance(arm.evaluation.extractor, Inception)
    }


def trains(arm: ArmSpec) -> bool:
    """Whether the arm needs a network."""
    return not isinstance(arm.evaluation, Latents)


def networks_of(spec: SweepSpec) -> list[tuple[TrainConfig, Written]]:
    """Every network that arms need, each once, and where it was asked for."""
    arms = {id(arm.train): arm for arm in spec.arms if trains(arm)}
    found = [(arm.train, arm.origin.train) for arm in arms.values()]
    for arm in spec.arms:
        ends = getattr(arm.evaluation, "ensemble", None)
        if ends is not None and (ends.source or arm.train.source):
            with arm.origin.evaluation.placing():
                found.append((ends.partner(arm.train), arm.origin.evaluation))
    return found


def _check_network(network: TrainConfig, description: Description, *, outlined: bool) -> None:
    """Whether it fits the data and, where it is read from a file, whether that holds it."""
    if network.network.low_resolution is not None:
        raise ConfigError(
            "network.low_resolution",
            "a network that draws images by itself",
            "one that enlarges smaller images, which no sweep hands it yet",
            "iddpm.importing.network reads it, to be called with low-resolution images",
        )
    if network.source:
        released.check(network, description, outlined=outlined)
    check_training(network, description)


# ------------------------------------------------------------------------------- what there is


def _described(spec: SweepSpec, *, outlined: bool) -> Described:
    data: dict[Data, Description] = {}
    external: dict[ExternalConfig, ExternalDescription] = {}
    for arm in {arm.train.data: arm for arm in spec.arms}.values():
        with arm.origin.train.below("data").placing():
            data[arm.train.data] = (outline if outlined else describe)(arm.train.data)
    for arm in spec.arms:
        if isinstance(arm.evaluation, SamplesConfig):
            with arm.origin.evaluation.placing():
                _describe_for_features(arm.evaluation, data)
    for rival in spec.rivals:
        config = rival.config
        with rival.origin.placing():
            _describe(config.data, data)
            if isinstance(config, ExternalConfig):
                external[config] = describe_external(config)
        with rival.samples_origin.placing():
            _describe_for_features(rival.samples, data)
    return Described(data=data, external=external)


def _describe_for_features(
    config: SamplesConfig | RivalSamples, data: dict[Data, Description]
) -> None:
    """Add the data that a feature network is made for."""
    if not isinstance(config.extractor, Inception):
        _describe(config.extractor.data, data)


def _describe(one: Data, data: dict[Data, Description]) -> None:
    if one not in data:
        data[one] = outline(one)


# ------------------------------------------------------------------------------ what is asked


def _check_evaluation(arm: ArmSpec, described: Described) -> None:
    asked, train, description = arm.evaluation, arm.train, described.data[arm.train.data]
    if isinstance(asked, LikelihoodConfig):
        check_likelihood(asked, train, description)
    elif isinstance(asked, GradientNoiseConfig):
        check_gradient_noise(asked, train)
    elif isinstance(asked, Latents):
        check_latents(latents_of(asked, train, seed=0), description)
    elif isinstance(asked, SamplesConfig):
        check_samples(next(sample_shards(asked, train, seed=0)), train)
        _check_score(asked, train.data, described)


def _check_rival(rival: Rival, described: Described) -> None:
    """The data suit it, and an image set from elsewhere holds as many images as are scored."""
    config = rival.config
    if isinstance(config, GanConfig):
        with rival.origin.placing():
            check_gan(config, described.data[config.data])
    with rival.samples_origin.placing():
        _check_score(rival.samples, config.data, described)
        if isinstance(config, ExternalConfig):
            _check_count(rival.samples, described.external[config].images)


def _check_count_of_tasks(spec: SweepSpec, described: Described) -> None:
    """Refuse a plan of more tasks than can be planned, before they are made."""
    times = len(spec.seeds) * (2 if spec.half_trained else 1)
    counts = [(times * _shard_count(arm, described), arm) for arm in spec.arms]
    of_rivals = len(spec.seeds) * sum(
        _shards_of(rival.samples) for rival in spec.rivals if rival.kind == "gan"
    )
    total = of_rivals + sum(count for count, _ in counts)
    if total > MAX_TASKS:
        _, largest = max(counts, key=lambda item: item[0])
        with largest.origin.evaluation.placing():
            raise ConfigError(
                f"{scope(largest.evaluation)}.{CUT}",
                f"at most {MAX_TASKS} tasks in a plan",
                f"about {total}",
                "ask for fewer images or arms, or give each task more blocks",
            )


def _shard_count(arm: ArmSpec, described: Described) -> int:
    """Tasks that the evaluation of an arm is cut into."""
    config = arm.evaluation
    if isinstance(config, SamplesConfig):
        return _shards_of(config)
    if isinstance(config, LikelihoodConfig):
        return len(likelihood_shards(config, described.bounded_images(config, arm.train)))
    return 1


def _shards_of(config: SamplesConfig | RivalSamples) -> int:
    return -(-config.images // (config.block_size * config.shard_blocks))


def _check_count(config: RivalSamples, available: int) -> None:
    require(
        config.images <= available,
        "samples.images",
        f"at most the {available} images at external.path",
        config.images,
        "a score of fewer images is another score",
    )


def _check_score(config: SamplesConfig | RivalSamples, data: Data, described: Described) -> None:
    """The feature network fits the images, and there are as many real ones as are asked for."""
    extractor, reference, description = config.extractor, config.reference, described.data[data]
    available = described.images(data, reference.split)
    require(
        reference.images is None or reference.images <= available,
        "samples.reference.images",
        f"at most the {available} images of the {reference.split} split",
        reference.images,
    )
    if isinstance(extractor, Inception):
        if (description.channels, description.levels) != (3, 256):
            raise ConfigError(
                "samples.extractor",
                "images of 3 channels and 256 levels for 'inception'",
                f"{description.channels} and {description.levels}",
                "use another extractor",
            )
        return
    own = described.data[extractor.data]
    if isinstance(extractor, Classifier) and own.classes is None:
        raise ConfigError(
            "samples.extractor",
            "data with labels",
            f"none in {extractor.data.kind!r}",
            "use the extractor 'random'",
        )
    shapes = [(one.channels, one.size, one.levels) for one in (own, description)]
    if shapes[0] != shapes[1]:
        raise ConfigError(
            "samples.extractor.data",
            f"images of the trained data's channels, size and levels {shapes[1]}",
            f"{shapes[0]}",
        )
