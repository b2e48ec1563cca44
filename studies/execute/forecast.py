"""How long tasks will take, from how long others like them took in the same store.

Two tasks are alike if they are of one kind and compute with the same network on the same number of
images at once. Their times are then in proportion to their units of work: training steps, network
calls or images. A training that continues another one only takes the steps that are left. Of a task
that nothing like it was measured for, nothing is known here; `studies.execute.guesses` has a guess.
"""

import statistics
from collections import defaultdict
from collections.abc import Callable
from dataclasses import replace

from iddpm.config import (
    FeaturesConfig,
    GanConfig,
    GanSampleConfig,
    GradientNoiseConfig,
    LikelihoodConfig,
    LikelihoodShardConfig,
    SampleConfig,
    TrainConfig,
)
from studies.store.store import Store, StoreError
from studies.tasks.counts import network_calls, steps_before, training_steps
from studies.tasks.task import Task, TaskConfig

Likeness = tuple[object, ...]


class Forecast:
    """Seconds per unit of work, by likeness, as measured in a store.

    Args:
        store: Where done tasks say how long they took.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        measured: dict[Likeness, list[float]] = defaultdict(list)
        for address in store.addresses():
            made = store.provenance(address)
            if made is None:
                continue
            before = made.get("steps_before")
            if before is None and made["attempt"] > 1:  # an earlier attempt may have done a part
                continue
            try:
                likeness, units = _likeness(store.task(address), store.task)
            except StoreError:  # of another version of this program: nothing is like it
                continue
            measured[likeness].append(made["seconds"] / max(units - (before or 0), 1))
        self._rates = {likeness: statistics.median(rates) for likeness, rates in measured.items()}

    def seconds(self, task: Task, parent: Callable[[str], Task]) -> float | None:
        """How long the task will take; None: nothing like it was measured.

        Args:
            task: The task. What it comes after is taken to be done by then.
            parent: From the address of a task that it needs or comes after to that task.
        """
        likeness, units = _likeness(task, parent)
        before = steps_before(task, parent)
        rate = self._rates.get(likeness)
        return None if rate is None else rate * max(units - before, 1)


def _likeness(task: Task, parent: Callable[[str], Task]) -> tuple[Likeness, int]:
    """What a task's time depends on beside its units of work, and their number."""
    config = task.config
    if isinstance(config, TrainConfig):
        same = replace(config, seed=0, steps=1, diffusion=replace(config.diffusion, steps=100))
        return (task.kind, same), config.steps
    if isinstance(config, GanConfig):
        return (task.kind, replace(config, seed=0, steps=1)), config.steps
    if isinstance(config, GanSampleConfig):
        gan = parent(task.parents["network"]).config
        assert isinstance(gan, GanConfig)
        return (task.kind, replace(gan, seed=0, steps=1), config.block_size), config.images
    kind, asked = task.kind, config
    if isinstance(config, LikelihoodShardConfig):  # the same work as a whole likelihood's
        kind, asked = "likelihood", config.part
    if isinstance(asked, SampleConfig | LikelihoodConfig | GradientNoiseConfig):
        train = parent(task.parents["network"]).config
        assert isinstance(train, TrainConfig)
        likeness = kind, train.network, train.data, asked.block_size, asked.precision
        return likeness, network_calls(config, train)
    return (task.kind, _extractor(task, parent)), _units(config)


def _extractor(task: Task, parent: Callable[[str], Task]) -> TaskConfig | None:
    """The network that features are read from."""
    address = task.parents.get("extractor")
    return parent(address).config if address else None


def _units(config: TaskConfig) -> int:
    if isinstance(config, FeaturesConfig):
        return config.images or 1
    return training_steps(config)
