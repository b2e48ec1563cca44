"""From a sweep to the tasks that answer it: equal ones shared, each after all that it needs.

Planning is pure but for what `iddpm.data.describe` reads: no store, no torch. A sweep is first held
against its data (`studies.plan.checks`), which are described once.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from iddpm import released
from iddpm.bounds import ConfigError
from iddpm.config import Data, GanConfig, Split, TrainConfig
from iddpm.data import may_be_sorted, missing
from iddpm.evaluation.config import (
    Ends,
    FeaturesConfig,
    GradientNoiseConfig,
    Inception,
    LikelihoodConfig,
    LikelihoodMergeConfig,
    ScoreConfig,
)
from iddpm.evaluation.weights_file import check_weights
from iddpm.networks.size import training_compute
from studies.plan.checks import Described, checked, networks_of, trains, weights_of
from studies.plan.pieces import gan_shards, latents_of, likelihood_shards, sample_shards, steps_of
from studies.spec.arms import ArmSpec
from studies.spec.documents import Node, Scalar
from studies.spec.evaluations import Latents, RivalSamples, SamplesConfig
from studies.spec.rivals import GAN, Rival
from studies.spec.seeds import ONE_SEED, takes_one_seed
from studies.spec.settings import SHOWN, Leaves, leaves_and_extra, leaves_of, scope, shown
from studies.spec.sweep import SweepSpec
from studies.tasks.counts import training_steps
from studies.tasks.kinds import TaskConfig
from studies.tasks.task import DERIVED, PART, Task, following, radii


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One arm under one seed, and the addresses of the tasks that answer it."""

    arm: dict[str, Scalar]
    """Its settings by name; None where a setting has no meaning for the arm."""
    seed: int
    tasks: dict[str, str]
    """By role: `train`, be it of kind `imported`, or of a rival `gan` or nothing; then
    `likelihood`, `gradient_noise`, or `samples` (the first shard), `features`, `score`. `latents`
    need no network, and stand alone."""
    compute: int
    """Multiply-adds of its whole training, as Fig. 10 counts them; 0: not counted for it."""
    half_trained: dict[str, str] = field(default_factory=dict)
    """The same tasks as they are asked of the network after half of its training; empty: they are
    not."""


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
    described = checked(spec, outlined=outlined)
    networks = {
        id(arm.train): arm.train for arm in spec.arms if trains(arm) and not arm.train.source
    }
    compute = {
        network: training_compute(train, described.data[train.data])
        for network, train in networks.items()
    }
    tasks = _Tasks(described)
    cells = tuple(
        Cell(
            arm=settings,
            seed=seed,
            tasks=tasks.of(arm, seed),
            compute=compute.get(id(arm.train), 0),
            half_trained=tasks.half_trained(arm, seed) if _is_halved(arm, spec) else {},
        )
        for arm, settings in zip(spec.arms, _settings(spec.arms, described), strict=True)
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
        for role, need in task.inputs:
            if role in DERIVED:
                readers[need].append(task.address)
    idle = {a for a, of in readers.items() if not is_done(a) and all(map(is_done, of))}
    if not idle:
        return plan
    kept = [task for address, task in plan.tasks.items() if address not in idle]
    tasks = [
        replace(task, inputs=tuple(need for need in task.inputs if need[1] not in idle))
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
        if isinstance(task.config, TrainConfig) and task.config.source is None:
            config = task.config
            its = (getattr(config, item.name) for item in fields(config) if item.name != "steps")
            chains[*its, task.inputs, task.digests].append(task)
    links: dict[str, list[Task]] = {}
    for chain in chains.values():
        chain.sort(key=training_steps)
        before = [(), *((task.address,) for task in chain)]
        chain[:] = [following(task, after) for task, after in zip(chain, before, strict=False)]
        links |= {task.address: chain[: i + 1] for i, task in enumerate(chain)}
    return {task.address: task for one in once.values() for task in links.get(one.address, [one])}


def absent(plan: Plan) -> list[str]:
    """What has to be put where before the plan can be run, a sentence for each."""
    sentences = {str(lack) for arm in plan.spec.arms if (lack := missing(arm.train.data))}
    sources = (train.source for train, _ in networks_of(plan.spec) if train.source)
    sentences |= {str(lack) for source in sources if (lack := released.missing(source))}
    for weights in weights_of(plan.spec):
        try:
            check_weights(Path(weights.path), weights.sha256)
        except ConfigError as error:
            sentences.add(str(error))
    return sorted(sentences)


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
        "cells": [_recorded(cell) for cell in plan.cells],
        "tasks": list(plan.tasks),
        **(ONE_SEED if takes_one_seed(spec.arms) else {}),
    }


def _recorded(cell: Cell) -> dict[str, Any]:
    """A cell in plain JSON; what is not asked for is not said, as older versions did not."""
    names = [item.name for item in fields(cell)]
    kept = [name for name in names if name != "half_trained" or cell.half_trained]
    return {name: getattr(cell, name) for name in kept}


# ---------------------------------------------------------------------------------------- tasks


def _is_halved(arm: ArmSpec, spec: SweepSpec) -> bool:
    """Whether an arm is evaluated after half of its training too."""
    return any(halves.ask_of(arm) for halves in spec.half_trained)


class _Tasks:
    """The tasks of a study as they are asked for, equal ones made once.

    Trainings are told apart by the identity of their config, since `studies.spec.arms` gives equal
    ones as one object: no whole config is compared for each arm and seed.
    """

    def __init__(self, described: Described) -> None:
        self._described = described
        self.by_address: dict[str, Task] = {}
        self._trainings: dict[tuple[int, int], str] = {}
        self._partners: dict[tuple[int, Ends], TrainConfig] = {}
        self._halves: dict[int, TrainConfig] = {}
        self._real: dict[tuple[object, ...], tuple[str, str, str]] = {}

    def of(self, arm: ArmSpec, seed: int) -> dict[str, str]:
        """Addresses by role of all that answers one cell."""
        if isinstance(arm.evaluation, Latents):
            shown = latents_of(arm.evaluation, arm.train, seed)
            return {"latents": self._add("latents", shown, {}, arm.train.data)}
        network = self._training(arm.train, seed)
        if (ends := getattr(arm.evaluation, "ensemble", None)) is not None:
            whole: Any = arm.evaluation
            arm = replace(arm, evaluation=replace(whole, ensemble=ends.as_read(arm.train)))
        if isinstance(arm.evaluation, LikelihoodConfig):
            return {"train": network, "likelihood": self._likelihood(arm, seed, network)}
        if isinstance(arm.evaluation, GradientNoiseConfig):
            config = replace(arm.evaluation, seed=seed)
            noise = self._add("gradient_noise", config, {"network": network}, arm.train.data)
            return {"train": network, "gradient_noise": noise}
        if isinstance(arm.evaluation, SamplesConfig):
            return {"train": network, **self._samples(arm.evaluation, arm.train, seed, network)}
        return {"train": network}

    def half_trained(self, arm: ArmSpec, seed: int) -> dict[str, str]:
        """The same addresses of its network after half of its training, which is on its way."""
        half = replace(arm.train, steps=arm.train.steps // 2)
        return self.of(replace(arm, train=self._halves.setdefault(id(arm.train), half)), seed)

    def of_rival(self, rival: Rival, seed: int) -> dict[str, str]:
        """Addresses by role of all that answers one cell of a rival."""
        config, samples = rival.config, rival.samples
        if not isinstance(config, GanConfig):
            found = self._described.external[config]
            name = "images" if samples.images == found.images else PART
            images = self._add("external", config, {}, digests={name: found.digest})
            return self._scored(samples, config.data, [images])
        network = self._add("gan", replace(config, seed=seed), {}, config.data)
        shards = gan_shards(samples, seed)
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
        read = {} if data is None else {"data": self._described.data[data].digest}
        read |= digests or {}
        task = Task(
            kind=kind, config=config, inputs=tuple(needs.items()), digests=tuple(read.items())
        )
        self.by_address.setdefault(task.address, task)
        return task.address

    def _training(self, config: TrainConfig, seed: int) -> str:
        key = id(config), seed
        if key not in self._trainings and config.source is not None:
            file = {"checkpoint": released.digest(config.source)}
            self._trainings[key] = self._add("imported", config, {}, config.data, digests=file)
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
        images = self._described.bounded_images(config, train)
        config = replace(config, images=images, seed=seed)
        if config.steps in (None, train.diffusion.steps):
            config = replace(config, steps=None, stride="even")
        networks = self._networks(config.ensemble, train, seed, network)
        whole, shards = replace(config, shard_blocks=None), likelihood_shards(config, images)
        read = self._read(train.data, config.split, images)
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
        if steps_of(config, train) == train.diffusion.steps:  # by any stride the whole chain
            config = replace(config, sampler=replace(config.sampler, stride="even"))
        networks = self._networks(config.ensemble, train, seed, network)
        shards = sample_shards(config, train, seed)
        drawn = [self._add("sample", shard, networks) for shard in shards]
        return self._scored(config, train.data, drawn)

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
        images = config.reference.images or self._described.images(data, split)
        keep = None if keep is None or keep >= images else keep
        key = data, config.extractor, split, images, keep, config.neighbours
        if key not in self._real:
            made_for = None if isinstance(config.extractor, Inception) else config.extractor.data
            extractor = self._add("extractor", config.extractor, {}, made_for)
            real = FeaturesConfig(images=images, data=data, split=split, keep=keep)
            read = self._read(data, split, images if keep is None else keep)
            features = self._add("features", real, {"extractor": extractor}, digests=read)
            near = radii(features, config.neighbours)
            self.by_address.setdefault(near.address, near)
            self._real[key] = extractor, features, near.address
        return self._real[key]

    def _read(self, data: Data, split: Split, images: int) -> dict[str, str]:
        """The digest of the data for a task on the first so many images of a split."""
        in_part = images != self._described.images(data, split) and may_be_sorted(data)
        return {PART if in_part else "data": self._described.data[data].digest}


# ----------------------------------------------------------------------------- settings of an arm


def _settings(arms: Sequence[ArmSpec], described: Described) -> list[dict[str, Scalar]]:
    """The settings that each arm goes by: those of `SHOWN`, and all others that differ."""
    leaves, extra = leaves_and_extra([(arm.train, arm.evaluation) for arm in arms])
    return [_arm(arm, own, extra, described) for arm, own in zip(arms, leaves, strict=True)]


def _arm(
    arm: ArmSpec, leaves: Leaves, extra: Sequence[str], described: Described
) -> dict[str, Scalar]:
    evaluation = arm.evaluation
    if not trains(arm):
        own = ("train.data", "train.diffusion", "latents")
        leaves = {key: value for key, value in leaves.items() if key.startswith(own)}
    named: dict[str, Scalar] = {"evaluation": scope(evaluation), **shown(leaves, extra)}
    if isinstance(evaluation, SamplesConfig | LikelihoodConfig):
        named["steps"] = steps_of(evaluation, arm.train)
    if isinstance(evaluation, LikelihoodConfig):
        named["images"] = described.bounded_images(evaluation, arm.train)
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
