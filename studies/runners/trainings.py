"""Trainings: of a diffusion network, and of the GAN that stands beside it."""

from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from iddpm import gan_training, training
from iddpm.config import GanConfig, TrainConfig
from iddpm.early_samples import look
from iddpm.gan_training import train_gan
from iddpm.running.checkpoints import Ending, load, save_parts
from iddpm.running.files import STATE_FILE, WEIGHTS_FILE
from studies.runners.work import Work, of_a_finished_task
from studies.store.checksums import StoreError, read_record
from studies.store.integrity import RESULT, freed_files, result_of
from studies.store.store import WRITTEN_ANEW
from studies.tasks.task import task_from_json


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
        checkpoint_every_s=work.checkpoint_every_s,
        ranks=work.ranks,
        held=work.held,
        compiling=work.compiling,
        seen=lambda training: look(training, work.folder, work.held),
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
        checkpoint_every_s=work.checkpoint_every_s,
        held=work.held,
    ).as_json()


def keep_weights(folder: Path) -> Path:
    """The weights and averages of a finished training, and nothing else of its state, as a file.

    Raises:
        StoreError: If the state is damaged.
        StorageError: If the file cannot be written.
    """
    state, kept = folder / STATE_FILE, folder / WEIGHTS_FILE
    with of_a_finished_task(state):
        save_parts(kept, state, ("weights", "step"))
    return kept


def _shorter_training(work: Work, config: TrainConfig | GanConfig) -> Path | None:
    """The state of the longest finished training in the store that this one continues.

    One that gave its state up cannot be continued.

    Raises:
        StoreError: If it is damaged, or not the state that its training ended with.
    """
    folders: dict[int, Path] = {}
    for result in work.folder.parent.glob(f"{work.task.kind}-*/{RESULT}"):
        with suppress(ValueError, StoreError):  # of another version, or not to be read: passed over
            record = read_record(result.with_name("task.json"), WRITTEN_ANEW)
            earlier = task_from_json(record or {}).config
            assert isinstance(earlier, TrainConfig | GanConfig)
            is_shorter = earlier.steps < config.steps
            is_of_it = is_shorter and replace(earlier, steps=config.steps) == config
            if is_of_it and STATE_FILE not in freed_files(result.parent):
                folders[earlier.steps] = result.parent
    if not folders:
        return None
    steps = max(folders)
    state, result_there = folders[steps] / STATE_FILE, result_of(folders[steps])
    assert result_there is not None
    ending = Ending(step=steps, weights=result_there["weights"])
    with of_a_finished_task(state):
        load(state, _trajectory(config), ending=ending)
    return state


def _trajectory(config: TrainConfig | GanConfig) -> dict[str, Any]:
    if isinstance(config, GanConfig):
        return gan_training.trajectory(config)
    return training.trajectory(config)
