"""Strips of early samples: when, of which weights, and that a training is none the wiser."""

from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from iddpm.config import DiffusionConfig, TrainConfig
from iddpm.early_samples import IMAGES, look, looks
from iddpm.running.interruption import Interrupted
from iddpm.running.strip_file import STRIP_FILE, steps_of
from iddpm.training import Training, train
from tests.witness.whole_training import CONFIG

LONG = replace(CONFIG, steps=500_000, batch_size=128, block_size=None)


def strip(config: TrainConfig, folder: Path, **more: object) -> list[int]:
    train(config, folder, seen=lambda t: look(t, folder, nullcontext), **more)  # type: ignore[arg-type]
    return steps_of(folder / STRIP_FILE)


@pytest.fixture
def at_every_power(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("iddpm.early_samples.SHARE", 1e9)


def test_a_long_training_is_looked_at_at_every_power_of_two() -> None:
    assert looks(LONG) == {2**n for n in range(19)}


@pytest.mark.parametrize(
    ("steps", "batch", "T", "expected"),
    [
        (800, 64, 1000, {64, 128, 256, 512}),
        (100, 64, 1000, set()),
        (8, 12, 4, set()),
    ],
)
def test_strips_take_at_most_four_passes_in_a_thousand(
    steps: int, batch: int, T: int, expected: set[int]
) -> None:
    config = replace(
        CONFIG,
        steps=steps,
        batch_size=batch,
        block_size=None,
        diffusion=DiffusionConfig(steps=T),
    )
    assert looks(config) == expected
    assert len(expected) * 16 * min(8, T) <= 0.004 * 3 * steps * batch


@pytest.mark.usefixtures("at_every_power")
def test_a_training_with_strips_is_the_training_without(tmp_path: Path) -> None:
    steps = strip(CONFIG, tmp_path / "seen")
    assert steps == [1, 2, 4, 8]
    assert train(CONFIG, tmp_path / "seen") == train(CONFIG, tmp_path / "unseen")
    with Image.open(tmp_path / "seen" / STRIP_FILE) as picture:
        assert picture.size == (IMAGES * 8, 8 * len(steps))


@pytest.mark.usefixtures("at_every_power")
def test_a_stopped_training_goes_on_with_its_strip(tmp_path: Path) -> None:
    calls = iter(range(100))
    with pytest.raises(Interrupted):
        strip(CONFIG, tmp_path / "stopped", should_stop=lambda: next(calls) >= 3)
    assert strip(CONFIG, tmp_path / "stopped") == strip(CONFIG, tmp_path / "whole")
    stopped, whole = (tmp_path / name / STRIP_FILE for name in ("stopped", "whole"))
    assert np.array_equal(np.asarray(Image.open(stopped)), np.asarray(Image.open(whole)))


@pytest.mark.usefixtures("at_every_power")
def test_images_are_of_the_longest_average_that_has_had_time(tmp_path: Path) -> None:
    """Where the weights themselves are broken, the average still draws, and else they do not."""
    training = Training(CONFIG)  # averages of decays 0.9 and 0.5
    while training.step < 2:
        training.advance()
    training.averages.averages[0.9].fill_(torch.nan)
    look(training, tmp_path, nullcontext)
    fine = np.asarray(Image.open(tmp_path / STRIP_FILE))
    assert fine.std() > 0
    training.averages.averages[0.5].fill_(torch.nan)
    (tmp_path / STRIP_FILE).unlink()
    look(training, tmp_path, nullcontext)
    assert np.asarray(Image.open(tmp_path / STRIP_FILE)).std() == 0
    assert bool(training.weights.vector.isfinite().all())
    assert training.network.training
