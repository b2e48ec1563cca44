"""What the seeds of a sweep are taken for: trainings that are independent of each other.

Claims and intervals count them as such. They are none where a part of the randomness has one seed
in all cells of an arm, or where its network is read from a file, so that such a sweep has one seed.
"""

from collections.abc import Iterator, Sequence
from dataclasses import fields

from iddpm.bounds import ConfigError
from iddpm.config import Seeds
from studies.spec.arms import ArmSpec
from studies.spec.evaluations import SamplesConfig
from studies.spec.reading import Written

ONE_SEED = {"one_seed": True}
"""What the record of a study says whose sweep would be refused with several seeds."""


def refuse_dependent(arms: Sequence[ArmSpec], seeds: int) -> None:
    """Refuse several seeds where they would not be independent trainings.

    Args:
        arms: Of the sweep.
        seeds: How many it has.

    Raises:
        ConfigError: At the first setting of an arm beside which there can be one seed alone.
    """
    if seeds == 1:
        return
    for arm in arms:
        for written, name, why in _of_one_seed(arm):
            with written.placing():
                expected = f"one seed in the sweep beside it, as {why}"
                hint = "use one seed: seeds: [0], or --seeds 0"
                raise ConfigError(name, expected, f"{seeds}", hint)


def takes_one_seed(arms: Sequence[ArmSpec]) -> bool:
    """Whether a sweep of these arms would be refused with several seeds."""
    return any(True for arm in arms for _ in _of_one_seed(arm))


def _of_one_seed(arm: ArmSpec) -> Iterator[tuple[Written, str, str]]:
    """The settings of an arm that several seeds would share: their config, their name, and why."""
    if arm.train.source is not None:
        yield arm.origin.train, "from", "all cells have the one network of the file"
    for item in fields(Seeds):
        if getattr(arm.train.seeds, item.name) is not None:
            why = "trainings that share it are not independent"
            yield arm.origin.train, f"seeds.{item.name}", why
    if isinstance(arm.evaluation, SamplesConfig) and arm.evaluation.noise_seed is not None:
        yield arm.origin.evaluation, "noise_seed", "samples that share it are not independent"
