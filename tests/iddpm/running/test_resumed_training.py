"""Trainings that are stopped, killed and continued: nothing of it moves the state."""

import os
import signal
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from iddpm.config import OptimizerConfig
from iddpm.running import checkpoints
from iddpm.running.checkpoints import CheckpointError
from iddpm.running.files import STATE_FILE, UNFINISHED, StorageError
from iddpm.running.interruption import Interrupted
from iddpm.running.saves import WRITER
from iddpm.running.trajectory import Diverged
from iddpm.training import Training, train
from tests.witness.limits import largest_file
from tests.witness.marks import every_step
from tests.witness.trainings import after, saved
from tests.witness.warm import Warm
from tests.witness.whole_training import CONFIG

WHOLE = "from tests.witness.whole_training import run; run(Path({folder!r}))"


@pytest.mark.parametrize("stops", [(3,), (0, 5, 1), (1,) * 7])
def test_stopped_and_resumed_equals_never_stopped(
    tmp_path: Path, undisturbed: dict[str, Any], stops: tuple[int, ...]
) -> None:
    for steps in stops:
        with pytest.raises(Interrupted, match=r"training saved at step \d of 8"):
            train(CONFIG, tmp_path, should_stop=after(steps))
    assert train(CONFIG, tmp_path).as_json() == undisturbed


def test_a_longer_training_continues_a_shorter_one(
    tmp_path: Path, undisturbed: dict[str, Any]
) -> None:
    short, long = tmp_path / "short", tmp_path / "long"
    short.mkdir()
    long.mkdir()
    train(replace(CONFIG, steps=5), short)
    seen: list[tuple[int, int]] = []
    result = train(CONFIG, long, start=short / STATE_FILE, progress=lambda *done: seen.append(done))
    assert result.as_json() == undisturbed
    assert seen == [(6, 8), (7, 8), (8, 8)]


class Clock:
    """Time that passes as a training steps and writes, and in no other way."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *, step_s: float, write_s: float) -> None:
        self.now = 0.0
        self.saved_at: list[float] = []
        save, advance = checkpoints.save, Training.advance

        def slow_save(*what: Any, **options: Any) -> None:
            self.saved_at.append(self.now)
            save(*what, **options)
            self.now += write_s

        def slow_step(training: Training) -> None:
            for thread in threading.enumerate():
                if thread.name == WRITER:
                    thread.join()
            advance(training)
            self.now += step_s

        monkeypatch.setattr(time, "monotonic", lambda: self.now)
        monkeypatch.setattr(time, "thread_time", lambda: write_s)
        monkeypatch.setattr(checkpoints, "save", slow_save)
        monkeypatch.setattr(Training, "advance", slow_step)


def test_a_training_ends_before_the_time_left_is_too_short_for_another_save(
    tmp_path: Path, undisturbed: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[float, float]] = []
    clock = Clock(monkeypatch, step_s=200.0, write_s=7.0)

    def is_due(seconds: float) -> bool:
        asked.append((clock.now, seconds))
        return 1500.0 - clock.now < seconds

    with pytest.raises(Interrupted, match="training saved at step 6 of 8"):
        train(CONFIG, tmp_path, is_due=is_due, checkpoint_every_s=350)
    # steps end at 200 and 400, a save at 407, steps at 607 and 807, a save at 814, and so on
    steps = [607.0, 807.0, 1014.0, 1214.0]
    assert asked == [
        (now, 2 * (207 + 7) if now in (607.0, 1014.0) else 2 * (200 + 7)) for now in steps
    ]
    monkeypatch.undo()
    assert train(CONFIG, tmp_path).as_json() == undisturbed


@pytest.mark.parametrize(
    ("write_s", "saved_at"), [(1.0, [60, 121, 182, 243]), (3.0, [60, 243, 366])]
)
def test_saves_take_at_most_a_fiftieth_of_the_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, write_s: float, saved_at: list[float]
) -> None:
    clock = Clock(monkeypatch, step_s=60.0, write_s=write_s)
    train(replace(CONFIG, steps=4 if write_s == 1 else 6), tmp_path, checkpoint_every_s=60)
    assert clock.saved_at == saved_at  # the last one at the end


def test_how_often_the_state_is_saved_moves_nothing(
    tmp_path: Path, undisturbed: dict[str, Any]
) -> None:
    assert train(CONFIG, tmp_path, checkpoint_every_s=0).as_json() == undisturbed


def test_torchs_global_generator_moves_nothing_and_is_not_moved(
    tmp_path: Path, undisturbed: dict[str, Any]
) -> None:
    torch.manual_seed(123)
    before = torch.get_rng_state()
    assert train(CONFIG, tmp_path).as_json() == undisturbed
    assert torch.equal(torch.get_rng_state(), before)


EVERY_OPERATION = 44
"""File operations of a whole undisturbed training: three for each of nine states, two more for all
but the first, and one at the end."""

ONE_AFTER_ANOTHER = (5, 1, 8, 4)
ONCE_AT_EACH = [
    pytest.param((operation,), marks=pytest.mark.slow) for operation in range(EVERY_OPERATION)
]


@pytest.mark.parametrize("operations", [ONE_AFTER_ANOTHER, *ONCE_AT_EACH])
def test_killed_at_file_operations_it_ends_in_the_same_state(
    warm: Warm, tmp_path: Path, undisturbed: dict[str, Any], operations: tuple[int, ...]
) -> None:
    for operation in operations:
        worker = warm.start(f"kills.at({operation}); {WHOLE.format(folder=str(tmp_path))}")
        assert worker.wait() == -signal.SIGKILL
    assert train(CONFIG, tmp_path).as_json() == undisturbed
    assert os.listdir(tmp_path) == [STATE_FILE]  # no half-written file is left


def test_every_file_operation_of_a_training_is_one_to_be_killed_at(
    warm: Warm, tmp_path: Path
) -> None:
    worker = warm.start(
        f"count = kills.Count(); {WHOLE.format(folder=str(tmp_path))}; print(count.done)"
    )
    assert worker.wait() == 0
    assert int(worker.output()) == EVERY_OPERATION


def test_what_a_killed_write_left_behind_is_removed(tmp_path: Path) -> None:
    (tmp_path / f".{STATE_FILE}.0123456789abcdef{UNFINISHED}").touch()
    train(replace(CONFIG, steps=1), tmp_path)
    assert os.listdir(tmp_path) == [STATE_FILE]


def test_another_seed_is_another_training(tmp_path: Path, undisturbed: dict[str, Any]) -> None:
    other = train(replace(CONFIG, seed=1), tmp_path).as_json()
    assert other["weights"] != undisturbed["weights"]
    assert other["loss_curve"] != undisturbed["loss_curve"]


def test_a_state_of_another_trajectory_is_refused(tmp_path: Path) -> None:
    train(replace(CONFIG, steps=1), tmp_path)
    other = replace(CONFIG, seed=3, network=replace(CONFIG.network, dropout=0.1))
    (elsewhere := tmp_path / "elsewhere").mkdir()
    for folder, start in ((tmp_path, None), (elsewhere, tmp_path / STATE_FILE)):
        with pytest.raises(CheckpointError, match=r"one that differs in network\.dropout, seed;"):
            train(other, folder, start=start)


def test_a_state_of_a_later_step_is_refused(tmp_path: Path) -> None:
    train(replace(CONFIG, steps=2), tmp_path)
    with pytest.raises(CheckpointError) as caught:
        train(replace(CONFIG, steps=1), tmp_path)
    assert str(caught.value) == (
        f"{tmp_path / STATE_FILE}: expected a state up to step 1, found one of step 2; "
        "train to at least as many steps, or move it away to start anew"
    )


def test_a_state_cut_short_is_refused(tmp_path: Path) -> None:
    file = tmp_path / STATE_FILE
    train(replace(CONFIG, steps=1), tmp_path)
    file.write_bytes(file.read_bytes()[:-100])
    with pytest.raises(CheckpointError, match="found a file cut short; delete it to start anew"):
        train(CONFIG, tmp_path)


def test_a_training_whose_last_state_is_damaged_ends_in_the_same_state(
    tmp_path: Path, undisturbed: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    for steps in (3, 2):
        with pytest.raises(Interrupted):
            train(CONFIG, tmp_path, should_stop=after(steps))
    file = tmp_path / STATE_FILE
    file.write_bytes(file.read_bytes()[:-100])
    assert train(CONFIG, tmp_path).as_json() == undisturbed
    assert "found a file cut short" in caplog.text
    assert "the state of step 3 before it" in caplog.text
    assert os.listdir(tmp_path) == [STATE_FILE]


@pytest.mark.parametrize("every_s", [0, 1000], ids=["beside the steps", "at the end"])
def test_a_full_disk_leaves_the_state_before_it(
    tmp_path: Path, undisturbed: dict[str, Any], every_s: float
) -> None:
    train(replace(CONFIG, steps=3), tmp_path)
    with largest_file(1000), pytest.raises(StorageError, match="cannot write: File too large"):
        train(CONFIG, tmp_path, checkpoint_every_s=every_s)
    assert saved(tmp_path)["step"] == 3
    assert train(CONFIG, tmp_path).as_json() == undisturbed


@every_step
def test_a_divergence_is_the_same_when_stopped_on_the_way(tmp_path: Path) -> None:
    optimizer = OptimizerConfig(learning_rate=1e30)
    config = replace(CONFIG, optimizer=optimizer, max_nonfinite_steps=3, steps=50)
    with pytest.raises(Interrupted):
        train(config, tmp_path, should_stop=after(2))
    with pytest.raises(Diverged, match="in the last 3 steps up to step 4"):
        train(config, tmp_path)
