"""From a sweep to the tasks that answer it: equal ones shared, each after all that it needs.

Planning is pure but for what `iddpm.data.describe` reads: no store, no torch. It is also where a
sweep is held against its data and its schedules, so that nothing starts that cannot end.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from iddpm.checks import (
    check_gan,
    check_gradient_noise,
    check_latents,
    check_likelihood,
    check_samples,
    check_training,
)
from iddpm.config import (
    Classifier,
    ConfigError,
    Data,
    Ends,
    FeaturesConfig,
    GanConfig,
    GanSampleConfig,
    GradientNoiseConfig,
    Inception,
    LatentsConfig,
    LikelihoodConfig,
    LikelihoodMergeConfig,
    LikelihoodShardConfig,
    SampleConfig,
    Sampler,
    ScoreConfig,
    Split,
    TrainConfig,
)
from iddpm.data import Description, describe, may_be_sorted, missing, outline
from iddpm.evaluation.weights_file import check_weights
from iddpm.images.external import describe_external
from iddpm.networks.size import training_compute
from studies.spec.documents import Node, Scalar
from studies.spec.evaluations import Latents, RivalSamples, SamplesConfig
from studies.spec.rivals import GAN, Rival
from studies.spec.settings import CUT, SHOWN, Leaves, leaves_and_extra, leaves_of, scope, shown
from studies.spec.sweep import ArmSpec, SweepSpec
from studies.tasks.counts import training_steps
from studies.tasks.task import DERIVED, PART, Task, TaskConfig, radii

MAX_TASKS = 50_000
"""Of a plan: so many are planned in seconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One arm under one seed, and the addresses of the tasks that answer it."""

    arm: dict[str, Scalar]
    """Its settings by name; None where a setting has no meaning for the arm."""
    seed: int
    tasks: dict[str, str]
    """By role: `train` or, of a rival, `gan` or nothing; then `likelihood`, `gradient_noise`, or
    `samples` (the first shard), `features`, `score`. `latents` need no network, and stand alone."""
    compute: int
    """Multiply-adds of its whole training, as Fig. 10 counts them; 0: not counted for it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """All that a study needs done, and the cells that it answers."""

    study: str
    spec: SweepSpec
    tasks: dict[str, Task]
    """By address, each after all that it needs, and a training after the one it continues."""
    cells: tuple[Cell, ...]
    resources: Mapping[str, tuple[Node, ...]] = field(default_factory=dict, repr=False)
    """By address of a training, what the preset's conditions ask for it and for its network."""


# ------------------------------------------------------------------------------- public things


def expand(spec: SweepSpec, *, outlined: bool = False) -> Plan:
    """The tasks and cells of a sweep.

    Args:
        spec: The sweep.
        outlined: Whether data that are not on disk may be what their config declares. Such a plan
            can be looked at, not run: the addresses of tasks that read them are none.

    Raises:
        ConfigError: If an arm asks of its data, network or chain what they cannot give.
    """
    if not outlined:
        _check_presence(spec)
    networks = {id(arm.train): arm for arm in spec.arms if _trains(arm)}
    for arm in networks.values():
        _check_training(arm)
    for arm in spec.arms:
        _check_evaluation(arm)
    for rival in spec.rivals:
        _check_rival(rival)
    _check_count_of_tasks(spec)
    compute = {
        network: training_compute(arm.train, outline(arm.train.data))
        for network, arm in networks.items()
    }
    tasks = _Tasks()
    cells = tuple(
        Cell(
            arm=settings,
            seed=seed,
            tasks=tasks.of(arm, seed),
            compute=compute.get(id(arm.train), 0),
        )
        for arm, settings in zip(spec.arms, _settings(spec.arms), strict=True)
        for seed in spec.seeds
    )
    of_arms = [arm for arm in spec.arms for _ in spec.seeds]
    resources = {
        cell.tasks["train"]: arm.resources
        for arm, cell in zip(of_arms, cells, strict=True)
        if arm.resources and "train" in cell.tasks
    }
    cells += tuple(
        Cell(arm=settings, seed=seed, tasks=tasks.of_rival(rival, seed), compute=0)
        for rival, settings in zip(spec.rivals, _rival_settings(spec.rivals), strict=True)
        for seed in (spec.seeds if rival.kind == "gan" else spec.seeds[:1])
    )
    return Plan(
        study=spec.id,
        spec=spec,
        tasks=chained(tasks.by_address.values()),
        cells=cells,
        resources=resources,
    )


def needed(plan: Plan, is_done: Callable[[str], bool]) -> Plan:
    """The plan without work that only finished tasks would read.

    Scores of an older version asked for the radii of their reference themselves: where all of them
    are done, nobody reads these radii any more.

    Args:
        plan: The plan.
        is_done: Whether a task of this address has a result.
    """
    readers: dict[str, list[str]] = defaultdict(list)
    for task in plan.tasks.values():
        for role, need in task.needs:
            if role in DERIVED:
                readers[need].append(task.address)
    idle = {a for a, of in readers.items() if not is_done(a) and all(map(is_done, of))}
    if not idle:
        return plan
    kept = [task for address, task in plan.tasks.items() if address not in idle]
    tasks = [
        replace(task, needs=tuple(need for need in task.needs if need[1] not in idle))
        for task in kept
    ]
    return replace(plan, tasks={task.address: task for task in tasks})


def chained(tasks: Iterable[Task]) -> dict[str, Task]:
    """The tasks by address, each training after the next shorter one of its trajectory.

    A training to more steps continues the longest shorter one that is finished, so one after the
    other they train every step once; all at once, each would begin at the first.

    Args:
        tasks: Of one plan or of several, each after all that it needs.
    """
    once = {task.address: task for task in tasks}
    chains: dict[tuple[object, ...], list[Task]] = defaultdict(list)
    for task in once.values():
        if isinstance(task.config, TrainConfig):
            trajectory = replace(task.config, steps=1), task.needs, task.digests
            chains[trajectory].append(task)
    links: dict[str, list[Task]] = {}
    for chain in chains.values():
        chain.sort(key=lambda task: training_steps(task.config))
        before = [(), *((task.address,) for task in chain)]
        chain[:] = [replace(task, after=after) for task, after in zip(chain, before, strict=False)]
        links |= {task.address: chain[: i + 1] for i, task in enumerate(chain)}
    return {task.address: task for one in once.values() for task in links.get(one.address, [one])}


def absent(plan: Plan) -> list[str]:
    """What has to be put where before the plan can be run, a sentence for each."""
    sentences = {missing(arm.train.data) for arm in plan.spec.arms} - {None}
    for weights in _weights(plan.spec):
        try:
            check_weights(Path(weights.path), weights.sha256)
        except ConfigError as error:
            sentences.add(str(error))
    return sorted(text for text in sentences if text)


def waves(plan: Plan) -> list[list[str]]:
    """Addresses in groups that can each run at once when those before them are done."""
    depths: dict[str, int] = {}
    grouped: list[list[str]] = []
    for address, task in plan.tasks.items():
        depth = 1 + max((depths[first] for first in task.first), default=-1)
        depths[address] = depth
        if depth == len(grouped):
            grouped.append([])
        grouped[depth].append(address)
    return grouped


def record(plan: Plan) -> dict[str, Any]:
    """The study as the store keeps it, in plain JSON."""
    spec = plan.spec
    return {
        "study": spec.study,
        "question": spec.question,
        "preset": spec.preset,
        "description": spec.description,
        "seeds": list(spec.seeds),
        "figures": list(spec.figures),
        "claims": list(spec.claims),
        "overrides": [list(item) for item in spec.overrides],
        "sweep_path": spec.sweep_path,
        "sweep_text": spec.sweep_text,
        "preset_text": spec.preset_text,
        "cells": [asdict(cell) for cell in plan.cells],
        "tasks": list(plan.tasks),
    }


# ------------------------------------------------------------------------------------- checking


def _check_presence(spec: SweepSpec) -> None:
    """Refuse to plan a run on data or weights that are not on disk."""
    for arm in {arm.train.data: arm for arm in spec.arms}.values():
        try:
            describe(arm.train.data)
        except ConfigError as error:
            raise arm.origin.placed(error, "data") from error
    for weights, arm in _weights(spec).items():
        try:
            check_weights(Path(weights.path), weights.sha256)
        except ConfigError as error:
            raise arm.origin.placed(error, "samples") from error


def _weights(spec: SweepSpec) -> dict[Inception, ArmSpec]:
    """The files of weights that arms are scored with, each with one of the arms."""
    return {
        arm.evaluation.extractor: arm
        for arm in spec.arms
        if isinstance(arm.evaluation, SamplesConfig)
        and isinstance(arm.evaluation.extractor, Inception)
    }


def _trains(arm: ArmSpec) -> bool:
    """Whether the arm needs a network."""
    return not isinstance(arm.evaluation, Latents)


def _described(arm: ArmSpec) -> Description:
    try:
        return outline(arm.train.data)
    except ConfigError as error:
        raise arm.origin.placed(error, "data") from error


def _check_training(arm: ArmSpec) -> None:
    description = _described(arm)
    try:
        check_training(arm.train, description)
    except ConfigError as error:
        raise arm.origin.placed(error, "train") from error


def _check_evaluation(arm: ArmSpec) -> None:
    if arm.evaluation is None:
        return
    description = _described(arm)
    try:
        if isinstance(arm.evaluation, LikelihoodConfig):
            check_likelihood(arm.evaluation, arm.train, description)
        elif isinstance(arm.evaluation, GradientNoiseConfig):
            check_gradient_noise(arm.evaluation, arm.train)
        elif isinstance(arm.evaluation, Latents):
            check_latents(_latents(arm.evaluation, arm.train), description)
        else:
            config = _counted(arm.evaluation, arm.train)
            check_samples(_shard(config, config.sampler), arm.train)
            _check_score(arm.evaluation, description)
    except ConfigError as error:
        raise arm.origin.placed(error, scope(arm.evaluation)) from error


def _check_rival(rival: Rival) -> None:
    """The data suit it, and an image set from elsewhere holds as many images as are scored."""
    config = rival.config
    try:
        description = outline(config.data)
        if isinstance(config, GanConfig):
            check_gan(config, description)
        else:
            describe_external(config)
    except ConfigError as error:
        raise rival.placed(error) from error
    try:
        _check_score(rival.samples, description)
        if not isinstance(config, GanConfig):
            _check_count(rival.samples, describe_external(config).images)
    except ConfigError as error:
        raise rival.placed(error, of_samples=True) from error


def _check_count_of_tasks(spec: SweepSpec) -> None:
    """Refuse a plan of more tasks than can be planned, before they are made."""
    counts = [(len(spec.seeds) * _shard_count(arm), arm) for arm in spec.arms]
    of_rivals = len(spec.seeds) * sum(
        _shards_of(rival.samples) for rival in spec.rivals if rival.kind == "gan"
    )
    total = of_rivals + sum(count for count, _ in counts)
    if total > MAX_TASKS:
        _, largest = max(counts, key=lambda item: item[0])
        error = ConfigError(
            f"{scope(largest.evaluation)}.{CUT}: expected at most {MAX_TASKS} tasks in a plan, "
            f"found about {total}; ask for fewer images or arms, or give each task more blocks"
        )
        raise largest.origin.placed(error, scope(largest.evaluation))


def _shard_count(arm: ArmSpec) -> int:
    """Tasks that the evaluation of an arm is cut into."""
    config = arm.evaluation
    if isinstance(config, SamplesConfig):
        return _shards_of(config)
    if isinstance(config, LikelihoodConfig) and config.shard_blocks is not None:
        images = _bounded_images(config, arm.train)
        return -(-images // (config.block_size * config.shard_blocks))
    return 1


def _shards_of(config: SamplesConfig | RivalSamples) -> int:
    return -(-config.images // (config.block_size * config.shard_blocks))


def _check_count(config: RivalSamples, available: int) -> None:
    if config.images > available:
        raise ConfigError(
            f"samples.images: expected at most the {available} images at external.path, found "
            f"{config.images}; a score of fewer images is another score"
        )


def _check_score(config: SamplesConfig | RivalSamples, description: Description) -> None:
    """The feature network fits the images, and there are as many real ones as are asked for."""
    extractor, reference = config.extractor, config.reference
    available = _images_of(description, reference.split)
    if reference.images is not None and reference.images > available:
        raise ConfigError(
            f"samples.reference.images: expected at most the {available} images of the "
            f"{reference.split} split, found {reference.images}"
        )
    if isinstance(extractor, Inception):
        if (description.channels, description.levels) != (3, 256):
            raise ConfigError(
                "samples.extractor: expected images of 3 channels and 256 levels for 'inception', "
                f"found {description.channels} and {description.levels}; use another extractor"
            )
        return
    own = outline(extractor.data)
    if isinstance(extractor, Classifier) and own.classes is None:
        raise ConfigError(
            "samples.extractor: expected data with labels, found none in "
            f"{extractor.data.kind!r}; use the extractor 'random'"
        )
    shapes = [(one.channels, one.size, one.levels) for one in (own, description)]
    if shapes[0] != shapes[1]:
        raise ConfigError(
            "samples.extractor.data: expected images of the trained data's channels, size and "
            f"levels {shapes[1]}, found {shapes[0]}"
        )


def _bounded_images(config: LikelihoodConfig, train: TrainConfig) -> int:
    return config.images or _images_of(outline(train.data), config.split)


def _images_of(description: Description, split: Split) -> int:
    return description.train_images if split == "train" else description.test_images


# ---------------------------------------------------------------------------------------- tasks


class _Tasks:
    """The tasks of a study as they are asked for, equal ones made once."""

    def __init__(self) -> None:
        self.by_address: dict[str, Task] = {}
        self._trainings: dict[tuple[int, int], str] = {}
        self._partners: dict[tuple[int, Ends], TrainConfig] = {}
        self._real: dict[tuple[object, ...], tuple[str, str, str]] = {}

    def of(self, arm: ArmSpec, seed: int) -> dict[str, str]:
        """Addresses by role of all that answers one cell."""
        if isinstance(arm.evaluation, Latents):
            shown = _latents(arm.evaluation, arm.train, seed=seed)
            return {"latents": self._add("latents", shown, {}, arm.train.data)}
        network = self._training(arm.train, seed)
        if isinstance(arm.evaluation, LikelihoodConfig):
            return {"train": network, "likelihood": self._likelihood(arm, seed, network)}
        if isinstance(arm.evaluation, GradientNoiseConfig):
            config = replace(arm.evaluation, seed=seed)
            noise = self._add("gradient_noise", config, {"network": network}, arm.train.data)
            return {"train": network, "gradient_noise": noise}
        if isinstance(arm.evaluation, SamplesConfig):
            return {"train": network, **self._samples(arm.evaluation, arm.train, seed, network)}
        return {"train": network}

    def of_rival(self, rival: Rival, seed: int) -> dict[str, str]:
        """Addresses by role of all that answers one cell of a rival."""
        config, samples = rival.config, rival.samples
        if not isinstance(config, GanConfig):
            found = describe_external(config)
            name = "images" if samples.images == found.images else PART
            images = self._add("external", config, {}, digests={name: found.digest})
            return self._scored(samples, config.data, [images])
        network = self._add("gan", replace(config, seed=seed), {}, config.data)
        blocks = -(-samples.images // samples.block_size)
        shards = [
            GanSampleConfig(
                first_block=first,
                last_block=min(first + samples.shard_blocks, blocks),
                block_size=samples.block_size,
                seed=seed,
            )
            for first in range(0, blocks, samples.shard_blocks)
        ]
        drawn = [self._add("gan_sample", shard, {"network": network}) for shard in shards]
        return {"gan": network, **self._scored(samples, config.data, drawn)}

    def _add(
        self,
        kind: str,
        config: TaskConfig,
        needs: dict[str, str],
        data: Data | None = None,
        *,
        digests: dict[str, str] | None = None,
    ) -> str:
        read = {} if data is None else {"data": outline(data).digest}
        read |= digests or {}
        task = Task(
            kind=kind, config=config, needs=tuple(needs.items()), digests=tuple(read.items())
        )
        self.by_address.setdefault(task.address, task)
        return task.address

    def _training(self, config: TrainConfig, seed: int) -> str:
        key = id(config), seed
        if key not in self._trainings:
            whole = None if config.block_size == config.batch_size else config.block_size
            seeded = replace(config, seed=seed, block_size=whole)
            self._trainings[key] = self._add("train", seeded, {}, config.data)
        return self._trainings[key]

    def _networks(
        self, ensemble: Ends | None, train: TrainConfig, seed: int, network: str
    ) -> dict[str, str]:
        """The networks that take the steps of a chain, by role."""
        if ensemble is None:
            return {"network": network}
        key = id(train), ensemble
        partner = self._partners.setdefault(key, ensemble.partner(train))
        return {"network": network, "network_b": self._training(partner, seed)}

    def _likelihood(self, arm: ArmSpec, seed: int, network: str) -> str:
        config, train = arm.evaluation, arm.train
        assert isinstance(config, LikelihoodConfig)
        config = replace(config, images=_bounded_images(config, train), seed=seed)
        if config.steps in (None, train.diffusion.steps):
            config = replace(config, steps=None, stride="even")
        networks = self._networks(config.ensemble, train, seed, network)
        whole, shards = replace(config, shard_blocks=None), _shards(config)
        read = _read(train.data, config.split, config.images)
        if len(shards) == 1:
            return self._add("likelihood", whole, networks, digests=read)
        needs = {
            f"shards/{i}": self._add("likelihood_shard", shard, networks, digests=read)
            for i, shard in enumerate(shards)
        }
        merge = LikelihoodMergeConfig(whole=whole)
        return self._add("likelihood_merge", merge, {**networks, **needs}, digests=read)

    def _samples(
        self, config: SamplesConfig, train: TrainConfig, seed: int, network: str
    ) -> dict[str, str]:
        config = _counted(config, train)
        sampler = config.sampler
        if config.steps == train.diffusion.steps:  # by any stride the whole chain
            sampler = replace(sampler, stride="even")
        blocks = -(-config.images // config.block_size)
        networks = self._networks(config.ensemble, train, seed, network)
        shards = []
        for first in range(0, blocks, config.shard_blocks):
            shard = _shard(config, sampler, seed=seed, first_block=first)
            shards.append(self._add("sample", shard, networks))
        return self._scored(config, train.data, shards)

    def _scored(
        self, config: SamplesConfig | RivalSamples, data: Data, shards: Sequence[str]
    ) -> dict[str, str]:
        """From the shards of some images to their score."""
        extractor, reference, near = self._reference(config, data)
        needs = {"extractor": extractor, **{f"samples/{i}": s for i, s in enumerate(shards)}}
        features = self._add("features", FeaturesConfig(images=config.images), needs)
        score = self._add(
            "score",
            ScoreConfig(neighbours=config.neighbours, metrics=config.metrics),
            {"generated": features, "reference": reference, "radii": near},
        )
        return {"samples": shards[0], "features": features, "score": score}

    def _reference(self, config: SamplesConfig | RivalSamples, data: Data) -> tuple[str, str, str]:
        """The feature network, the features of the real images, and the radii among them."""
        split, keep = config.reference.split, config.reference.keep
        images = config.reference.images or _images_of(outline(data), split)
        keep = None if keep is None or keep >= images else keep
        key = data, config.extractor, split, images, keep, config.neighbours
        if key not in self._real:
            made_for = None if isinstance(config.extractor, Inception) else config.extractor.data
            extractor = self._add("extractor", config.extractor, {}, made_for)
            real = FeaturesConfig(images=images, data=data, split=split, keep=keep)
            read = _read(data, split, images if keep is None else keep)
            features = self._add("features", real, {"extractor": extractor}, digests=read)
            near = radii(features, config.neighbours)
            self.by_address.setdefault(near.address, near)
            self._real[key] = extractor, features, near.address
        return self._real[key]


def _read(data: Data, split: Split, images: int | None) -> dict[str, str]:
    """The digest of the data for a task on the first so many images of a split."""
    description = outline(data)
    in_part = images != _images_of(description, split) and may_be_sorted(data)
    return {PART if in_part else "data": description.digest}


def _counted(config: SamplesConfig, train: TrainConfig) -> SamplesConfig:
    """The same with its number of steps written out."""
    return replace(config, steps=_steps(config, train))


def _steps(config: SamplesConfig | LikelihoodConfig, train: TrainConfig) -> int:
    return train.diffusion.steps if config.steps is None else config.steps


def _shard(
    config: SamplesConfig, sampler: Sampler, *, seed: int = 0, first_block: int = 0
) -> SampleConfig:
    assert config.steps is not None
    blocks = -(-config.images // config.block_size)
    return SampleConfig(
        sampler=sampler,
        steps=config.steps,
        skip=config.skip,
        clip=config.clip,
        ema_decay=config.ema_decay,
        ensemble=config.ensemble,
        first_block=first_block,
        last_block=min(first_block + config.shard_blocks, blocks),
        block_size=config.block_size,
        precision=config.precision,
        seed=seed,
    )


def _shards(config: LikelihoodConfig) -> list[LikelihoodShardConfig]:
    """A likelihood in as many pieces as its `shard_blocks` say, each of whole blocks."""
    assert config.images is not None
    size = config.images
    if config.shard_blocks is not None:
        size = config.shard_blocks * config.block_size
    return [
        LikelihoodShardConfig(
            part=replace(config, images=min(first + size, config.images), shard_blocks=None),
            first_block=first // config.block_size,
        )
        for first in range(0, config.images, size)
    ]


def _latents(config: Latents, train: TrainConfig, *, seed: int = 0) -> LatentsConfig:
    return LatentsConfig(
        data=train.data,
        diffusion=train.diffusion,
        split=config.split,
        image=config.image,
        count=config.count,
        seed=seed,
    )


# ----------------------------------------------------------------------------- settings of an arm


def _settings(arms: Sequence[ArmSpec]) -> list[dict[str, Scalar]]:
    """The settings that each arm goes by: those of `SHOWN`, and all others that differ."""
    leaves, extra = leaves_and_extra([(arm.train, arm.evaluation) for arm in arms])
    return [_arm(arm, own, extra) for arm, own in zip(arms, leaves, strict=True)]


def _arm(arm: ArmSpec, leaves: Leaves, extra: Sequence[str]) -> dict[str, Scalar]:
    evaluation = arm.evaluation
    if not _trains(arm):
        own = ("train.data", "train.diffusion", "latents")
        leaves = {key: value for key, value in leaves.items() if key.startswith(own)}
    named: dict[str, Scalar] = {"evaluation": scope(evaluation), **shown(leaves, extra)}
    if isinstance(evaluation, SamplesConfig | LikelihoodConfig):
        named["steps"] = _steps(evaluation, arm.train)
    if isinstance(evaluation, LikelihoodConfig):
        named["images"] = _bounded_images(evaluation, arm.train)
    return named


def _rival_settings(rivals: Sequence[Rival]) -> list[dict[str, Scalar]]:
    """The settings that each rival goes by: its name, and those of a GAN that differ."""
    leaves = [
        dict(leaves_of(rival.config, rival.kind)) if isinstance(rival.config, GanConfig) else {}
        for rival in rivals
    ]
    keys = dict.fromkeys(key for found in leaves for key in found)
    extra = [key for key in keys if len({found[key] for found in leaves if found}) > 1]
    return [
        {
            "evaluation": "samples",
            **dict.fromkeys(SHOWN),
            "images": rival.samples.images,
            "rival": GAN if isinstance(rival.config, GanConfig) else rival.config.name,
            **{key: found.get(key) for key in extra},
        }
        for rival, found in zip(rivals, leaves, strict=True)
    ]
