"""Trainings: of a diffusion network, and of the GAN that stands beside it."""

from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from iddpm import training
from iddpm.config import GanConfig, TrainConfig
from iddpm.files import read_json
from iddpm.gan_training import train_gan
from studies.runners.work import Work
from studies.tasks import task_from_json


def train(work: Work) -> dict[str, Any]:
    """A network trained to its last step; leaves the full state in the folder."""
    config = work.task.config
    assert isinstance(config, TrainConfig)
    return training.train(
        config,
        work.folder,
        start=_shorter_training(work, config),
        device=work.device,
        progress=work.progress,
        should_stop=work.should_stop,
        is_due=work.is_due,
        ranks=work.ranks,
        held=work.held,
    ).as_json()


def gan(work: Work) -> dict[str, Any]:
    """A GAN trained to its last step; leaves the full state in the folder."""
    config = work.task.config
    assert isinstance(config, GanConfig)
    return train_gan(
        config,
        work.folder,
        start=_shorter_training(work, config),
        device=work.device,
        progress=work.progress,
        should_stop=work.should_stop,
        is_due=work.is_due,
        held=work.held,
    ).as_json()


def _shorter_training(work: Work, config: TrainConfig | GanConfig) -> Path | None:
    """The state of the longest finished training in the store that this one continues."""
    states: dict[int, Path] = {}
    for result in work.folder.parent.glob(f"{work.task.kind}-*/result.json"):
        with suppress(ValueError):  # written by another version: its state is not continued
            earlier = task_from_json(read_json(result.with_name("task.json"))).config
            assert isinstance(earlier, TrainConfig | GanConfig)
            if earlier.steps < config.steps and replace(earlier, steps=config.steps) == config:
                states[earlier.steps] = result.with_name(training.STATE_FILE)
    return states[max(states)] if states else None
