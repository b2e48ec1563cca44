"""Training: what moves the state, and that stopping, killing and continuing never do."""

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from iddpm.checkpoints import CheckpointError
from iddpm.config import (
    DiffusionConfig,
    Digits,
    Hybrid,
    LossSecondMoment,
    Objective,
    OptimizerConfig,
    Simple,
    TrainConfig,
    UNetConfig,
    Vlb,
)
from iddpm.interruption import Interrupted
from iddpm.training import STATE_FILE, Diverged, Training, load_network, train

CONFIG = TrainConfig(
    data=Digits(),
    diffusion=DiffusionConfig(steps=6),
    network=UNetConfig(
        model_channels=8,
        channel_mult=(1,),
        res_blocks=1,
        attention_resolutions=(),
        heads=2,
        groups=4,
        dropout=0.2,
        class_conditional=True,
    ),
    objective=Hybrid(),
    timesteps=LossSecondMoment(history=2),
    optimizer=OptimizerConfig(learning_rate=1e-3),
    batch_size=12,
    block_size=4,
    ema_decays=(0.9, 0.5),
    steps=12,
)
"""Everything that moves: dropout, labels, several blocks, a loss history and two averages."""


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


def after(calls: int) -> Callable[[], bool]:
    """A stop check that says yes from its call number `calls` on."""
    seen = iter(range(1_000_000))
    return lambda: next(seen) >= calls


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, object]:
    torch.set_num_threads(1)
    return train(CONFIG, tmp_path_factory.mktemp("undisturbed")).as_json()


@pytest.mark.parametrize("stops", [(1,), (5, 2), (0, 3, 1)])
def test_stopped_and_resumed_equals_never_stopped(
    tmp_path: Path, undisturbed: dict[str, object], stops: tuple[int, ...]
) -> None:
    for steps in stops:
        with pytest.raises(Interrupted, match="training saved at step"):
            train(CONFIG, tmp_path, should_stop=after(steps))
    assert train(CONFIG, tmp_path).as_json() == undisturbed


def test_a_longer_training_continues_a_shorter_one(
    tmp_path: Path, undisturbed: dict[str, object]
) -> None:
    short, long = tmp_path / "short", tmp_path / "long"
    short.mkdir()
    long.mkdir()
    train(replace(CONFIG, steps=7), short)
    seen: list[int] = []
    result = train(
        CONFIG, long, start=short / STATE_FILE, progress=lambda done, total: seen.append(done)
    )
    assert result.as_json() == undisturbed
    assert seen == [8, 9, 10, 11, 12]


def test_how_often_the_state_is_saved_moves_nothing(
    tmp_path: Path, undisturbed: dict[str, object]
) -> None:
    assert train(CONFIG, tmp_path, checkpoint_every_s=0).as_json() == undisturbed


def test_another_seed_is_another_training(tmp_path: Path, undisturbed: dict[str, object]) -> None:
    other = train(replace(CONFIG, seed=1), tmp_path).as_json()
    assert other["weights"] != undisturbed["weights"]


@pytest.mark.parametrize("kills", [3, pytest.param(25, marks=pytest.mark.slow)])
def test_killed_at_random_moments_it_ends_in_the_same_state(
    tmp_path: Path, undisturbed: dict[str, object], kills: int
) -> None:
    script = (
        "import torch; torch.set_num_threads(1)\n"
        "from pathlib import Path; from iddpm.training import train\n"
        "from tests.iddpm.test_training import CONFIG\n"
        f"print('ready', flush=True); train(CONFIG, Path({str(tmp_path)!r}), checkpoint_every_s=0)"
    )
    moments = random.Random(0)
    for _ in range(kills):
        process = subprocess.Popen(
            [sys.executable, "-c", script], stdout=subprocess.PIPE, cwd=Path(__file__).parents[2]
        )
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        time.sleep(moments.uniform(0, 0.4))
        os.kill(process.pid, signal.SIGKILL)
        process.communicate(timeout=60)
    assert train(CONFIG, tmp_path).as_json() == undisturbed


def test_gradients_are_averaged_over_blocks() -> None:
    """Blocks that draw alike give the gradient of the batch: the mean of the blocks' gradients."""
    config = replace(CONFIG, network=replace(CONFIG.network, dropout=0.0), objective=Simple())
    whole = Training(config)
    gradients = []
    for block, start in enumerate(range(0, 12, 4)):
        single = Training(config)
        single._block(block, _first_batch(config)[start : start + 4], 1)
        gradients.append([p.grad for p in single.network.parameters() if p.grad is not None])
    whole.optimizer.step = lambda *_: None  # type: ignore[method-assign]
    whole.advance()
    found = [p.grad for p in whole.network.parameters() if p.grad is not None]
    expected = [torch.stack(parts).mean(dim=0) for parts in zip(*gradients, strict=True)]
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-7)  # float32 rounding


def _first_batch(config: TrainConfig) -> object:
    from iddpm.data import batch_indices

    return batch_indices(1500, config.batch_size, config.seed, 0)


@pytest.mark.parametrize("objective", [Simple(), Vlb(), Hybrid()])
def test_the_loss_falls(tmp_path: Path, objective: Objective) -> None:
    network = replace(CONFIG.network, dropout=0.0)
    config = replace(CONFIG, objective=objective, steps=200, network=network, block_size=None)
    curve = train(config, tmp_path).loss_curve
    first, last = curve["loss"]
    assert curve["step"] == [100, 200]
    assert first is not None
    assert last is not None
    assert last < first


def test_a_diverged_training_keeps_its_last_good_state(tmp_path: Path) -> None:
    config = replace(
        CONFIG,
        optimizer=OptimizerConfig(learning_rate=1e30),
        max_nonfinite_steps=3,
        steps=50,
    )
    with pytest.raises(Diverged, match="found none in 3 steps up to step"):
        train(config, tmp_path)
    training = Training(config)
    training.restore(tmp_path / STATE_FILE)
    assert training.nonfinite_in_a_row == 1
    assert all(weight.isfinite().all() for weight in training.network.state_dict().values())


def test_a_state_of_another_trajectory_is_refused(tmp_path: Path) -> None:
    train(replace(CONFIG, steps=1), tmp_path)
    with pytest.raises(CheckpointError, match="expected a checkpoint of"):
        train(replace(CONFIG, seed=3), tmp_path)


def test_a_state_of_a_later_step_is_refused(tmp_path: Path) -> None:
    train(replace(CONFIG, steps=2), tmp_path)
    with pytest.raises(CheckpointError, match="expected a state up to step 1, found one of step 2"):
        train(replace(CONFIG, steps=1), tmp_path)


def test_the_loaded_network_is_the_average_asked_for(tmp_path: Path) -> None:
    train(replace(CONFIG, steps=3), tmp_path)
    training = Training(CONFIG)
    training.restore(tmp_path / STATE_FILE)
    for decay in (None, 0.5):
        network = load_network(
            tmp_path / STATE_FILE, CONFIG, ema_decay=decay, device="cpu"
        ).state_dict()
        expected = (
            training.network.state_dict()
            if decay is None
            else training.averages.state_dict()[str(decay)]
        )
        assert all(torch.equal(network[name], weight) for name, weight in expected.items())


def test_an_average_that_was_not_kept_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"expected one that the training kept, \(0.9, 0.5\)"):
        load_network(tmp_path / STATE_FILE, CONFIG, ema_decay=0.7, device="cpu")
