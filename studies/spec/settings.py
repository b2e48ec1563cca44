"""The settings of the arms of a study by their dotted names, and which of them tell arms apart."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields, is_dataclass
from typing import Any

from iddpm.config import TrainConfig
from iddpm.config_fields import written
from studies.spec.documents import Scalar
from studies.spec.evaluations import SCOPES, Evaluation

Leaves = Mapping[str, Scalar]
"""The value of every setting of an arm, by its dotted name."""

SHOWN = {
    "objective": ("train.objective",),
    "schedule": ("train.diffusion.schedule",),
    "T": ("train.diffusion.steps",),
    "prediction": ("train.prediction",),
    "variance": ("samples.sampler.variance",),
    "sampler": ("samples.sampler",),
    "eta": ("samples.sampler.eta",),
    "stride": ("samples.sampler.stride", "likelihood.stride"),
    "steps": ("samples.steps", "likelihood.steps"),
    "skip": ("samples.skip",),
    "ema_decay": ("samples.ema_decay", "likelihood.ema_decay", "gradient_noise.ema_decay"),
    "images": ("samples.images", "likelihood.images"),
}
"""What every arm shows beside its evaluation, each name with the settings that it stands for."""

CUT = "shard_blocks"
"""The setting that says how work is cut into tasks; it tells no arms apart."""


def scope(evaluation: Evaluation | None) -> str:
    """The kind of an evaluation; `train` where nothing is asked beyond the training."""
    if evaluation is None:
        return "train"
    return next(name for name, config in SCOPES.items() if isinstance(evaluation, config))


def leaves_of(value: Any, key: str) -> Iterator[tuple[str, Scalar]]:
    """The dotted key and value of every setting; a choice's key holds its kind, a list is text."""
    if not is_dataclass(value):
        yield key, ",".join(map(str, value)) if isinstance(value, tuple) else value
        return
    for item in fields(value):
        if item.name == CUT or not item.metadata.get("told", True):
            continue
        child = getattr(value, item.name)
        yield from leaves_of(child, key if item.name == "kind" else f"{key}.{written(item)}")


def leaves_and_extra(
    arms: Sequence[tuple[TrainConfig, Evaluation | None]],
) -> tuple[list[Leaves], list[str]]:
    """The settings of each arm, and the names of settings that differ and are not in `SHOWN`."""
    read: dict[int, Leaves] = {}
    for train, evaluation in arms:
        for name, config in (("train", train), (scope(evaluation), evaluation)):
            if config is not None and id(config) not in read:
                read[id(config)] = dict(leaves_of(config, name))
    values: dict[str, set[Scalar]] = {}
    for found in read.values():
        for key, value in found.items():
            values.setdefault(key, set()).add(value)
    shown = {key for keys in SHOWN.values() for key in keys}
    extra = [key for key, found in values.items() if len(found) > 1 and key not in shown]
    whole: list[Leaves] = [
        {**read[id(train)], **({} if evaluation is None else read[id(evaluation)])}
        for train, evaluation in arms
    ]
    return whole, extra


def shown(leaves: Leaves, extra: Sequence[str]) -> dict[str, Scalar]:
    """The names of `SHOWN` and `extra` with an arm's values; None where it has no such setting."""
    named = {
        name: next((leaves[key] for key in keys if key in leaves), None)
        for name, keys in SHOWN.items()
    }
    return {**named, **{key: leaves.get(key) for key in extra}}
