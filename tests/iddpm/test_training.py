"""Training: what moves the state, and that stopping, killing and continuing never do."""

import math
import os
import random
import signal
import statistics
import sys
import threading
import time
from collections.abc import Callable, Iterator
from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from iddpm import build
from iddpm.bounds import ConfigError
from iddpm.config import (
    Hybrid,
    Objective,
    OptimizerConfig,
    Precision,
    Seeds,
    Simple,
    TrainConfig,
    Uniform,
    Vlb,
)
from iddpm.data import batch_indices, load, to_unit
from iddpm.denoiser import Network
from iddpm.diffusion import Diffusion
from iddpm.networks.conditioning import Conditioning
from iddpm.networks.flat import FlatWeights
from iddpm.objectives import Losses, objective_losses
from iddpm.running import checkpoints
from iddpm.running.checkpoints import CheckpointError
from iddpm.running.draws import derived_seed, generator
from iddpm.running.files import STATE_FILE, UNFINISHED, StorageError
from iddpm.running.interruption import Interrupted
from iddpm.running.saves import WRITER
from iddpm.running.trajectory import Diverged
from iddpm.training import (
    CURVE_POINTS,
    CURVES,
    LossCurve,
    Training,
    load_network,
    mirrored,
    train,
    trajectory,
)
from tests.witness.limits import largest_file
from tests.witness.mapped import is_mapped
from tests.witness.operations import Operations
from tests.witness.warm import Warm
from tests.witness.whole_training import CONFIG


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return train(CONFIG, tmp_path_factory.mktemp("undisturbed")).as_json()


WHOLE = "from tests.witness.whole_training import run; run(Path({folder!r}))"


@pytest.fixture(scope="module")
def warm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Warm]:
    with Warm(tmp_path_factory.mktemp("workers")) as warm:
        yield warm


def after(calls: int) -> Callable[[], bool]:
    """A stop check that says yes from its call number `calls` on, counted from 0."""
    seen = iter(range(1_000_000))
    return lambda: next(seen) >= calls


def saved(folder: Path, config: TrainConfig = CONFIG) -> dict[str, Any]:
    return checkpoints.load(folder / STATE_FILE, trajectory(config))


def all_that_moves(folder: Path) -> dict[str, Any]:
    what_it_is = ("format", "version", "content")
    return {name: part for name, part in saved(folder).items() if name not in what_it_is}


def assert_equal_states(found: Any, expected: Any) -> None:
    torch.testing.assert_close(found, expected, rtol=0, atol=0, equal_nan=True)


# -------------------------------------------------------------------------------- seeds of its own


def test_one_seed_means_all_parts() -> None:
    steps = []
    for config in (
        replace(CONFIG, seed=5),
        replace(CONFIG, seed=0, seeds=Seeds(weights=5, order=5, noise=5)),
        replace(CONFIG, seed=5, seeds=Seeds(order=5)),
    ):
        training = Training(config)
        training.advance()
        steps.append(checkpoints.digest(training.network.state_dict()))
    assert len(set(steps)) == 1


@pytest.mark.parametrize("part", ["weights", "order", "noise"])
def test_a_seed_of_its_own_moves_its_part_alone(part: str) -> None:
    plain, other = (
        Training(config) for config in (CONFIG, replace(CONFIG, seeds=Seeds(**{part: 5})))
    )
    weights = [checkpoints.digest(training.network.state_dict()) for training in (plain, other)]
    order = [training._blocks()[0].tolist() for training in (plain, other)]
    noise = [
        torch.rand(9, generator=training._generator(purpose, 0)).tolist()
        for training in (plain, other)
        for purpose in ("timesteps", "noise")
    ]
    assert (weights[0] != weights[1]) == (part == "weights")
    assert (order[0] != order[1]) == (part == "order")
    assert (noise[:2] != noise[2:]) == (part == "noise")


def test_dropout_goes_by_the_seed_of_the_noise() -> None:
    found = []
    for seeds in (Seeds(weights=5, order=5), Seeds(noise=5)):
        Training(replace(CONFIG, seeds=seeds)).advance()
        found.append(torch.initial_seed())
    assert found == [derived_seed(seed, "dropout", 0, 2) for seed in (CONFIG.seed, 5)]


# ------------------------------------------------------------------ stopping, killing, continuing


@pytest.mark.parametrize("stops", [(3,), (0, 5, 1), (1,) * 7])
def test_stopped_and_resumed_equals_never_stopped(
    tmp_path: Path, undisturbed: dict[str, Any], stops: tuple[int, ...]
) -> None:
    for steps in stops:
        with pytest.raises(Interrupted, match=r"training saved at step \d of 8"):
            train(CONFIG, tmp_path, should_stop=after(steps))
    assert train(CONFIG, tmp_path).as_json() == undisturbed


def test_a_resumed_state_is_the_whole_state(tmp_path: Path) -> None:
    folders = [tmp_path / "stopped", tmp_path / "whole"]
    for folder in folders:
        folder.mkdir()
    with pytest.raises(Interrupted):
        train(CONFIG, folders[0], should_stop=after(5))
    for folder in folders:
        train(CONFIG, folder)
    stopped, whole = (all_that_moves(folder) for folder in folders)
    assert whole["timesteps"]["counts"].min() >= 2  # draws of t did follow the losses
    assert_equal_states(stopped, whole)


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


# ----------------------------------------------------------------------------------- what a step is


class Drawn:
    """The batch of a step as a witness draws it, block by block, laid together."""

    def __init__(self, training: Training, step: int) -> None:
        data = load(CONFIG.data, "train")
        rows = batch_indices(len(data.images), 12, CONFIG.seed, step)
        blocks = [
            training.timesteps.draw(4, generator(CONFIG.seed, "timesteps", step, block))
            for block in range(3)
        ]
        noise = [generator(CONFIG.seed, "noise", step, block) for block in range(3)]
        self.x_0 = torch.from_numpy(to_unit(data.images[rows], data.levels))
        self.eps = torch.cat([torch.randn(4, 1, 8, 8, generator=one) for one in noise])
        self.t, self.weights = (torch.cat(parts) for parts in zip(*blocks, strict=True))
        assert data.labels is not None
        self.labels = torch.from_numpy(data.labels[rows])


def whole_batch_losses(training: Training, drawn: Drawn) -> tuple[Losses, list[nn.Parameter]]:
    """The losses of the next step's batch in one piece, on a copy of the network."""
    network = deepcopy(training.network)
    losses = objective_losses(
        CONFIG.objective,
        build.denoiser(CONFIG, network, build.diffusion(CONFIG.diffusion)),
        drawn.x_0,
        drawn.t,
        drawn.eps,
        levels=17,
        conditioning=Conditioning(labels=drawn.labels),
    )
    return losses, list(network.parameters())


def test_blocks_add_up_to_the_weighted_mean_over_the_whole_batch_and_its_gradient() -> None:
    training = Training(replace(CONFIG, network=replace(CONFIG.network, dropout=0.0)))
    while not training.timesteps.warmed_up:
        training.advance()
    drawn = Drawn(training, training.step)
    assert len(set(drawn.weights.tolist())) > 1
    losses, parameters = whole_batch_losses(training, drawn)
    expected = torch.autograd.grad((drawn.weights * losses.total).mean(), parameters)
    training.advance()
    found = list(training.weights.named(training.weights.gradient).values())
    torch.testing.assert_close(found, list(expected), rtol=1e-4, atol=1e-6)  # float32 sums
    parts = {"loss": losses.total, "simple_mse": losses.simple_mse, "vlb": losses.vlb}
    for name, part in parts.items():
        assert part is not None
        mean = float((drawn.weights * part.detach()).mean())
        assert training.curve.points()[name][-1] == pytest.approx(mean, rel=1e-5)


def test_importance_sampling_remembers_the_unweighted_loss_of_every_image_of_the_batch() -> None:
    """Of two steps one has far the larger loss, and is drawn with a weight near a half."""
    short = replace(CONFIG, diffusion=replace(CONFIG.diffusion, steps=2), objective=Vlb())
    training = Training(replace(short, network=replace(short.network, dropout=0.0)))
    while not training.timesteps.warmed_up:
        training.advance()
    drawn = Drawn(training, training.step)
    assert (drawn.weights - 1).abs().min() > 0.1
    network = deepcopy(training.network)
    losses = objective_losses(
        short.objective,
        build.denoiser(short, network, build.diffusion(short.diffusion)),
        drawn.x_0,
        drawn.t,
        drawn.eps,
        levels=17,
        conditioning=Conditioning(labels=drawn.labels),
    )
    before = training.timesteps.state_dict()
    training.advance()
    history = before["losses"].clone()
    for t in range(2):
        met = losses.total.detach()[drawn.t == t].double()
        at = (int(before["counts"][t]) + torch.arange(len(met))) % 2
        history[t, at[-2:]] = met[-2:]
    after = training.timesteps.state_dict()
    assert after["counts"].sum() == before["counts"].sum() + 12
    torch.testing.assert_close(after["losses"], history, rtol=1e-4, atol=0)  # float32 sums


def test_the_first_step_of_adam_moves_each_weight_by_the_learning_rate() -> None:
    training = Training(CONFIG)
    training.advance()  # at first the output is zero, and most gradients with it
    training.optimizer.state.clear()
    before = training.weights.vector.detach().clone()
    training.advance()
    gradient = training.weights.gradient
    expected = before - 1e-3 * gradient / (gradient.abs() + 1e-8)
    torch.testing.assert_close(training.weights.vector.detach(), expected, rtol=1e-5, atol=1e-8)
    assert gradient.count_nonzero() > 100


def test_the_averages_follow_the_weights_of_every_step() -> None:
    training = Training(CONFIG)
    expected = training.weights.vector.detach().double()
    for _ in range(3):
        training.advance()
        expected = 0.9 * expected + 0.1 * training.weights.vector.detach()
    found = training.averages.averages[0.9].double()
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-7)  # float32 rounding


def test_dropout_of_a_block_depends_on_nothing_drawn_before() -> None:
    first, second = Training(CONFIG), Training(CONFIG)
    torch.manual_seed(1)
    first.advance()
    torch.manual_seed(2)
    second.advance()
    assert torch.equal(first.weights.gradient, second.weights.gradient)


def test_every_block_of_every_step_drops_something_else() -> None:
    training, dropped = Training(CONFIG), []
    layer = next(m for m in training.network.modules() if isinstance(m, nn.Dropout))
    layer.register_forward_hook(lambda _, inputs, output: dropped.append(output == 0))
    for _ in range(2):
        training.advance()
    assert len(dropped) == 6
    assert all(0.1 < mask.float().mean() < 0.3 for mask in dropped)
    assert len({mask.numpy().tobytes() for mask in dropped}) == 6


def test_labels_reach_the_network() -> None:
    training = Training(CONFIG)
    while training.step < 4:  # the first steps open the paths that start at zero
        training.advance()
    drawn = Drawn(training, training.step)
    training.advance()
    table = training.weights.named(training.weights.gradient)["label_emb.weight"]
    assert table.abs().sum(dim=1).nonzero().flatten().tolist() == sorted(set(drawn.labels.tolist()))


@pytest.mark.parametrize("objective", [Simple(), Vlb(), Hybrid()])
def test_the_loss_falls(tmp_path: Path, objective: Objective) -> None:
    network = replace(CONFIG.network, dropout=0.0)
    config = replace(CONFIG, objective=objective, steps=60, network=network, block_size=None)
    losses = train(config, tmp_path).loss_curve["loss"]
    values = [loss for loss in losses if loss is not None]
    assert statistics.mean(values[-15:]) < 0.9 * statistics.mean(values[:15])


@pytest.mark.parametrize(("precision", "tolerance"), [("tf32", 0.0), ("bf16", 0.01)])
def test_other_precisions_stay_near_float32_on_a_cpu(
    tmp_path: Path, undisturbed: dict[str, Any], precision: Precision, tolerance: float
) -> None:
    found = train(replace(CONFIG, precision=precision), tmp_path).as_json()
    expected = undisturbed["loss_curve"]["loss"]
    assert found["loss_curve"]["loss"] == pytest.approx(expected, rel=tolerance, abs=0)
    assert (found["weights"] == undisturbed["weights"]) == (precision == "tf32")


@pytest.mark.slow
def test_bf16_reaches_the_loss_of_float32_within_the_noise_of_seeds(tmp_path: Path) -> None:
    """On digits, the last third of 300 steps; both precisions meet the same draws."""
    config = replace(CONFIG, steps=300, batch_size=32, block_size=None, timesteps=Uniform())
    losses: dict[Precision, list[float]] = {"float32": [], "bf16": []}
    for precision, found in losses.items():
        for seed in range(4):
            folder = tmp_path / f"{precision}-{seed}"
            curve = train(replace(config, precision=precision, seed=seed), folder).loss_curve
            values = [loss for loss in curve["loss"] if loss is not None]
            assert len(values) == 150
            found.append(statistics.mean(values[100:]))
            assert found[-1] < 0.8 * values[0]
    differences = [a - b for a, b in zip(losses["bf16"], losses["float32"], strict=True)]
    error = statistics.stdev(losses["float32"]) / math.sqrt(len(differences))
    assert any(differences)
    assert abs(statistics.mean(differences)) < error


# ------------------------------------------------------------------------------- what is not finite


def broken(network: Network, fault: str) -> Network:
    """A network whose loss, or only whose gradient, is not finite."""

    def call(x_t: Tensor, t: Tensor, conditioning: Conditioning | None) -> Tensor:
        output = network(x_t, t, conditioning)
        if fault == "loss":
            return output * math.nan
        return output + (0 * output).abs().sqrt()  # adds 0, of infinite slope

    return call


@pytest.mark.parametrize("fault", ["loss", "gradient"])
def test_a_step_that_is_not_finite_moves_nothing_but_the_counts(fault: str) -> None:
    training = Training(CONFIG)
    for _ in range(3):
        training.advance()
    before, whole = checkpoints.copied(training.state()), training.denoiser
    training.denoiser = replace(whole, network=broken(whole.network, fault))
    training.advance()
    skipped = training.state()
    for part in ("weights", "optimizer", "timesteps"):
        assert_equal_states(skipped[part], before[part])
    counts = [skipped[name] for name in ("step", "nonfinite_steps", "nonfinite_in_a_row")]
    assert counts == [4, 1, 1]
    training.denoiser = whole
    training.advance()
    result = training.result()
    assert (result.steps, result.images_seen, result.nonfinite_steps) == (5, 60, 1)
    assert training.nonfinite_in_a_row == 0
    assert [loss is None for loss in result.loss_curve["loss"]] == [False] * 3 + [True, False]
    assert all(weight.isfinite().all() for weight in training.network.parameters())


def test_a_diverged_training_keeps_its_last_good_state_and_stays_diverged(tmp_path: Path) -> None:
    optimizer = OptimizerConfig(learning_rate=1e30)
    config = replace(CONFIG, optimizer=optimizer, max_nonfinite_steps=3, steps=50)
    for _ in range(2):
        with pytest.raises(Diverged) as caught:
            train(config, tmp_path)
        assert str(caught.value) == (
            "train: expected a finite loss, found none in the last 3 steps up to step 4; "
            "try a smaller optimizer.learning_rate"
        )
    state = saved(tmp_path, config)
    assert (state["step"], state["nonfinite_steps"]) == (4, 3)
    assert all(weight.isfinite().all() for weight in state["weights"]["raw"].values())


def test_a_divergence_is_the_same_when_stopped_on_the_way(tmp_path: Path) -> None:
    optimizer = OptimizerConfig(learning_rate=1e30)
    config = replace(CONFIG, optimizer=optimizer, max_nonfinite_steps=3, steps=50)
    with pytest.raises(Interrupted):
        train(config, tmp_path, should_stop=after(2))
    with pytest.raises(Diverged, match="in the last 3 steps up to step 4"):
        train(config, tmp_path)


# ------------------------------------------------------------------- what a device is not asked for

EVERYTHING = replace(
    CONFIG, horizontal_flips=True, optimizer=replace(CONFIG.optimizer, clip_norm=0.5)
)


def test_a_step_asks_for_nothing_that_the_device_computes(monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[Tensor] = []
    tolist = Tensor.tolist

    def noted(tensor: Tensor) -> Any:
        read.append(tensor)
        return tolist(tensor)

    monkeypatch.setattr(Tensor, "tolist", noted)
    monkeypatch.setattr(Diffusion, "check_step", lambda *given: None)  # it looks on a CPU alone
    training = Training(EVERYTHING)
    training.read_every = 4
    with Operations() as operations:
        for _ in range(3):
            training.advance()
    assert operations.total > 1000
    assert operations.asked == {}
    assert read == []
    training.advance()
    assert [tuple(losses.shape) for losses in read] == [(4, len(CURVES))]


def test_how_often_losses_are_read_moves_nothing() -> None:
    states, results = [], []
    for every in (1, 3, 50):
        training = Training(EVERYTHING)
        training.read_every = every
        for step in range(7):
            training.advance()
            if step == 3:
                training.state()
        state = training.state()
        states.append({name: state[name] for name in ("optimizer", "timesteps", "curve")})
        results.append(training.result().as_json())
    assert_equal_states(states[1:], [states[0]] * 2)
    assert results[1:] == [results[0]] * 2


@pytest.mark.parametrize("every", [1, 2, 50])
def test_a_divergence_is_seen_at_its_step_however_seldom_losses_are_read(every: int) -> None:
    training = Training(replace(CONFIG, max_nonfinite_steps=3))
    training.read_every, whole = every, training.denoiser
    for broken_one in (True, True, False, False, True, True, True, True):
        network = broken(whole.network, "gradient") if broken_one else whole.network
        training.denoiser = replace(whole, network=network)
        training.advance()
        if training.diverged:
            break
    assert (training.step, training.nonfinite_steps) == (7, 5)
    assert "in the last 3 steps up to step 7" in str(training.divergence())


LAUNCHED: dict[Precision, tuple[int, int]] = {"float32": (520, 20), "bf16": (552, 79)}
"""At most so many operations, and casts among them, has a block of a step of `CONFIG`'s network."""


@pytest.mark.parametrize("precision", ["float32", "bf16"])
def test_a_block_launches_no_more_operations_than_it_does(precision: Precision) -> None:
    training = Training(replace(CONFIG, precision=precision, block_size=None))
    training.advance()
    with Operations() as operations:
        training.advance()
    total, casts = LAUNCHED[precision]
    assert 0.9 * total < operations.total <= total
    assert operations.casts <= casts


def test_a_state_is_the_same_whichever_way_weights_lie_in_memory(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    config = replace(CONFIG, network=replace(CONFIG.network, dropout=0.0))
    first = Training(config)
    for _ in range(3):
        first.advance()
    state = checkpoints.copied(first.state())

    def flat(network: nn.Module, **layout: Any) -> FlatWeights:
        return FlatWeights(network, memory_format=torch.channels_last)

    monkeypatch.setattr("iddpm.training.FlatWeights", flat)
    last = Training(config)
    last.restore(state)
    assert not torch.equal(last.weights.vector, first.weights.vector)
    for part in ("weights", "optimizer"):
        assert_equal_states(last.state()[part], state[part])
    for training in (first, last):
        training.advance()
    found, expected = last.weights.in_order(last.weights.gradient), first.weights.gradient
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-6)  # float32 sums


@pytest.mark.gpu
@pytest.mark.parametrize("precision", ["float32", "bf16"])
def test_a_step_on_a_gpu_waits_for_nothing(precision: Precision) -> None:
    training = Training(replace(EVERYTHING, precision=precision), "cuda")
    training.advance()
    torch.cuda.synchronize()
    torch.cuda.set_sync_debug_mode("error")
    try:
        for _ in range(5):
            training.advance()
    finally:
        torch.cuda.set_sync_debug_mode("default")
    assert all(loss is not None for loss in training.result().loss_curve["loss"])


# ----------------------------------------------------------------------------------- what comes out


def test_a_result_counts_steps_images_and_parameters(undisturbed: dict[str, Any]) -> None:
    training = Training(CONFIG)
    assert undisturbed["steps"] == 8
    assert undisturbed["images_seen"] == 96
    assert undisturbed["nonfinite_steps"] == 0
    assert undisturbed["parameters"] == sum(
        math.prod(weight.shape) for weight in training.network.state_dict().values()
    )
    assert list(undisturbed["weights"]) == ["raw", "0.9", "0.5"]
    assert list(undisturbed["loss_curve"]) == ["step", "loss", "simple_mse", "vlb"]
    assert undisturbed["loss_curve"]["step"] == list(range(1, 9))


def test_the_loaded_network_is_the_one_that_the_result_names(
    tmp_path: Path, undisturbed: dict[str, Any]
) -> None:
    train(CONFIG, tmp_path)
    for decay, role in ((None, "raw"), (0.9, "0.9"), (0.5, "0.5")):
        network = load_network(tmp_path / STATE_FILE, CONFIG, ema_decay=decay, device="cpu")
        assert checkpoints.digest(network.state_dict()) == undisturbed["weights"][role]
        assert not network.training
        assert not any(weight.requires_grad for weight in network.parameters())


@pytest.mark.skipif(sys.platform != "linux", reason="reads what is mapped from /proc")
def test_weights_whose_hash_is_known_stay_in_the_file(
    tmp_path: Path, undisturbed: dict[str, Any]
) -> None:
    train(CONFIG, tmp_path)
    state, digests = tmp_path / STATE_FILE, undisturbed["weights"]
    network = load_network(state, CONFIG, ema_decay=0.5, device="cpu", digests=digests)
    assert all(is_mapped(weight, state) for weight in network.parameters())
    unknown = load_network(state, CONFIG, ema_decay=0.5, device="cpu")
    assert not any(is_mapped(weight, state) for weight in unknown.parameters())


def test_an_average_that_was_not_kept_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"expected one that the training kept, \(0\.9, 0\.5\)"):
        load_network(tmp_path / STATE_FILE, CONFIG, ema_decay=0.7, device="cpu")


@pytest.mark.parametrize("steps", [0, 1, CURVE_POINTS, CURVE_POINTS + 1, 3 * CURVE_POINTS + 7])
def test_a_loss_curve_is_made_of_means_over_windows(steps: int) -> None:
    numbers = random.Random(0)
    losses = [numbers.choice([math.nan, numbers.random()]) for _ in range(steps)]
    curve = LossCurve()
    for loss in losses:
        curve.append([loss, math.nan, 2 * loss])
    points = curve.points()
    window = 1
    while window * CURVE_POINTS < steps:
        window += 1
    expected: list[float | None] = []
    for start in range(0, steps, window):
        finite = [loss for loss in losses[start : start + window] if not math.isnan(loss)]
        expected.append(statistics.fmean(finite) if finite else None)
    assert [loss is None for loss in points["loss"]] == [loss is None for loss in expected]
    found = [loss for loss in points["loss"] if loss is not None]
    assert found == pytest.approx([loss for loss in expected if loss is not None], rel=1e-15)
    assert points["step"] == [min(end, steps) for end in range(window, steps + window, window)]
    assert "simple_mse" not in points
    assert len(points["step"]) <= CURVE_POINTS


def test_a_restored_loss_curve_goes_on_as_it_was() -> None:
    whole, first, second = LossCurve(), LossCurve(), LossCurve()
    for step in range(9):
        values = [step / 7, math.nan if step == 4 else -step, math.nan]
        whole.append(values)
        if step == 5:
            second.load_state_dict(first.state_dict())
        (first if step < 5 else second).append(values)
    assert second.points() == whole.points()


def test_the_folder_is_made_or_refused_before_the_first_step(tmp_path: Path) -> None:
    config = replace(CONFIG, steps=1)
    train(config, tmp_path / "of" / "mine")
    assert (tmp_path / "of" / "mine" / STATE_FILE).exists()
    (tmp_path / "file").write_text("in the way")
    steps: list[int] = []
    with pytest.raises(StorageError, match=r"file/mine: cannot write: Not a directory; a part of"):
        train(config, tmp_path / "file" / "mine", progress=lambda done, total: steps.append(done))
    assert steps == []


# ------------------------------------------------------------- settings that the paper leaves out


def test_the_rate_rises_over_the_warm_up_and_falls_to_zero() -> None:
    settings = OptimizerConfig(learning_rate=0.5, warmup_steps=4, decay_steps=10)
    rates = [settings.rate(step) for step in range(11)]
    rises = [0.25, 0.5, 0.75, 1, 1, 1, 1, 1, 1, 1, 1]
    falls = [1, 0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2, 0.1, 0]
    assert rates == pytest.approx([0.5 * a * b for a, b in zip(rises, falls, strict=True)])
    assert {OptimizerConfig(learning_rate=0.5).rate(step) for step in (0, 7, 10**6)} == {0.5}


def moved(steps: int, **settings: Any) -> Tensor:
    """By how much the weights move in the last of so many steps."""
    config = replace(CONFIG, optimizer=OptimizerConfig(learning_rate=1e-3, **settings))
    training = Training(config)
    for _ in range(steps):
        before = training.weights.vector.detach().clone()
        training.advance()
    return training.weights.vector.detach() - before


@pytest.mark.parametrize(
    ("steps", "settings", "share"),
    [(1, {"warmup_steps": 4}, 1 / 4), (1, {"decay_steps": 8}, 1.0), (2, {"decay_steps": 8}, 7 / 8)],
)
def test_a_step_moves_by_its_own_rate(steps: int, settings: dict[str, Any], share: float) -> None:
    torch.testing.assert_close(moved(steps, **settings), share * moved(steps), rtol=1e-3, atol=1e-9)


@pytest.mark.parametrize("share", [0.25, 2.0])
def test_a_gradient_longer_than_the_limit_is_scaled_to_it(share: float) -> None:
    free = Training(CONFIG)
    free.advance()
    gradient = free.weights.gradient.clone()
    limit = share * float(gradient.norm())
    held = Training(replace(CONFIG, optimizer=replace(CONFIG.optimizer, clip_norm=limit)))
    held.advance()
    torch.testing.assert_close(held.weights.gradient, min(share, 1.0) * gradient)


def test_each_image_is_mirrored_or_left_by_a_draw_of_its_own() -> None:
    images = torch.arange(64 * 6.0).reshape(64, 1, 2, 3)
    found = mirrored(images, generator(3, "flips", 0))
    backwards = images[..., [2, 1, 0]]
    is_mirrored = [torch.equal(one, other) for one, other in zip(found, backwards, strict=True)]
    assert 20 < sum(is_mirrored) < 44  # of 64 at 1/2: more than 3 standard deviations
    for mirror, one, image in zip(is_mirrored, found, images, strict=True):
        assert mirror or torch.equal(one, image)


def test_a_training_with_all_of_them_resumes_bit_for_bit(tmp_path: Path) -> None:
    config = replace(
        CONFIG,
        horizontal_flips=True,
        optimizer=OptimizerConfig(
            learning_rate=1e-3, warmup_steps=3, decay_steps=CONFIG.steps, clip_norm=0.5
        ),
    )
    with pytest.raises(Interrupted):
        train(config, tmp_path / "stopped", should_stop=after(5))
    stopped, whole = (train(config, tmp_path / name) for name in ("stopped", "whole"))
    assert stopped == whole
    unmirrored = train(replace(config, horizontal_flips=False), tmp_path / "unmirrored")
    assert unmirrored.weights != whole.weights


def test_settings_that_are_left_out_stand_in_no_address() -> None:
    plain = trajectory(CONFIG)
    assert "horizontal_flips" not in plain
    assert {"warmup_steps", "decay_steps", "clip_norm"}.isdisjoint(plain["optimizer"])
    mirrored_too = trajectory(replace(CONFIG, horizontal_flips=True))
    assert mirrored_too == {**plain, "horizontal_flips": True}


def test_a_rate_that_is_zero_before_the_end_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"decay_steps: expected at least the 8 steps of the tr"):
        replace(CONFIG, optimizer=replace(CONFIG.optimizer, decay_steps=7))
