"""Training: what a step moves, and what comes out."""

import math
import random
import statistics
import sys
from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from iddpm import build
from iddpm.config import Hybrid, Objective, OptimizerConfig, Precision, Simple, Uniform, Vlb
from iddpm.data import batch_indices, load, to_unit
from iddpm.networks.conditioning import Conditioning
from iddpm.objectives import Losses, objective_losses
from iddpm.running import checkpoints
from iddpm.running.draws import generator
from iddpm.running.files import STATE_FILE, StorageError
from iddpm.running.interruption import Interrupted
from iddpm.running.trajectory import Diverged
from iddpm.training import CURVE_POINTS, LossCurve, Training, load_network, train
from tests.witness.mapped import is_mapped
from tests.witness.trainings import after, all_that_moves, assert_equal_states, broken, saved
from tests.witness.whole_training import CONFIG

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


# ----------------------------------------------------------------------------------- what comes out


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
