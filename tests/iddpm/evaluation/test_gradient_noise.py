"""The noise scale of gradients whose mean and covariance are known, and of a network's loss."""

import math
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from iddpm import build
from iddpm.config import Digits, Hybrid, Objective, Simple, Vlb
from iddpm.data import describe, load
from iddpm.evaluation import gradient_noise as room
from iddpm.evaluation.gradient_noise import LossGradient, evaluate, gradient_noise
from iddpm.networks.flat import FlatWeights
from iddpm.networks.unet import UNet
from iddpm.objectives import objective_losses
from iddpm.running.blocks import Blocks
from iddpm.running.draws import numpy_generator
from iddpm.running.interruption import Interrupted
from tests.witness import tiny

# --------------------------------------------------------------------------- a known quadratic

GRADIENT = np.array([0.6, -0.3, 0.2])
DEVIATIONS = np.array([1.5, 0.5, 2.0])
SQUARED_NORM, VARIANCE = float(GRADIENT @ GRADIENT), float(DEVIATIONS @ DEVIATIONS)


class Quadratic:
    """The gradient at w of the mean of |w - a|^2 / 2 over a block of normal a.

    One image's gradient is w - a: its mean is `GRADIENT`, its covariance that of a.
    """

    def __init__(self, block_size: int, seed: int = 0, gradient: NDArray[Any] = GRADIENT) -> None:
        self.block_size, self.seed, self.gradient = block_size, seed, gradient
        self.asked: list[tuple[int, int]] = []

    def __call__(self, draw: int, block: int) -> Tensor:
        self.asked.append((draw, block))
        random = numpy_generator(self.seed, "quadratic", draw, block)
        a = DEVIATIONS * random.standard_normal((self.block_size, 3))
        return torch.from_numpy(self.gradient - a.mean(0))


def test_both_parts_are_those_of_a_known_quadratic() -> None:
    found = evaluate(Quadratic(4), draws=500, blocks=8, block_size=4)
    for part, truth in ((found.squared_norm, SQUARED_NORM), (found.variance, VARIANCE)):
        assert part.standard_error < 0.08 * truth
        assert abs(part.mean - truth) < 4 * part.standard_error
    assert found.log_scale is not None
    error = found.log_scale.mean - math.log(VARIANCE / SQUARED_NORM)
    assert abs(error) < 4 * found.log_scale.standard_error


def test_every_block_of_a_draw_counts_in_both_norms() -> None:
    table = numpy_generator(0, "blocks").standard_normal((3, 4, 5)) + 1.0
    table *= np.array([1.0, 3.0, 0.5, 2.0])[:, None]  # blocks far from alike
    found = evaluate(lambda d, b: torch.from_numpy(table[d, b]), draws=3, blocks=4, block_size=2)
    small = (table**2).sum(2).mean(1)
    big = (table.mean(1) ** 2).sum(1)
    by_hand = gradient_noise(np.stack([small, big], axis=1), small_batch=2, big_batch=8)
    assert found.squared_norm == pytest.approx(by_hand.squared_norm, rel=1e-12)
    assert found.variance == pytest.approx(by_hand.variance, rel=1e-12)


def test_expected_norms_give_back_the_exact_parts() -> None:
    def expected(batch: int) -> float:
        return SQUARED_NORM + VARIANCE / batch

    found = gradient_noise(np.array([[expected(3), expected(12)]] * 2), small_batch=3, big_batch=12)
    assert found.squared_norm == pytest.approx((SQUARED_NORM, 0), abs=1e-12)
    assert found.variance == pytest.approx((VARIANCE, 0), abs=1e-12)
    assert found.log_scale == pytest.approx((math.log(VARIANCE / SQUARED_NORM), 0), abs=1e-12)


def test_the_parts_are_averaged_before_they_are_divided() -> None:
    norms = np.array([[4.0, 2.0], [9.0, 7.0], [6.0, 5.0]])  # batches of 1 and 2 images
    found = gradient_noise(norms, small_batch=1, big_batch=2)
    signal, spread = [0.0, 5.0, 4.0], [4.0, 4.0, 2.0]
    assert found.squared_norm.mean == pytest.approx(3.0)
    assert found.squared_norm.standard_error == pytest.approx(np.std(signal, ddof=1) / 3**0.5)
    assert found.variance.mean == pytest.approx(10 / 3)
    assert found.variance.standard_error == pytest.approx(np.std(spread, ddof=1) / 3**0.5)


def test_the_error_of_the_scale_is_the_jackknife_s_by_plain_loops() -> None:
    random = np.random.default_rng(3)
    signal, spread = 5 + random.standard_normal(9), 3 + random.random(9)
    big, small = signal + spread / 20, signal + spread / 5
    found = gradient_noise(np.stack([small, big], 1), small_batch=5, big_batch=20)
    logs = []
    for out in range(9):
        kept = [i for i in range(9) if i != out]
        logs.append(math.log(np.mean(spread[kept]) / np.mean(signal[kept])))
    error = math.sqrt(8 / 9 * sum((log - sum(logs) / 9) ** 2 for log in logs))
    expected = math.log(spread.mean() / signal.mean()), error
    assert found.log_scale == pytest.approx(expected, rel=1e-9)


def test_the_error_says_how_far_repetitions_scatter() -> None:
    found = [
        evaluate(Quadratic(4, seed), draws=16, blocks=8, block_size=4).log_scale
        for seed in range(60)
    ]
    logs = [one.mean for one in found if one is not None]
    errors = [one.standard_error for one in found if one is not None]
    assert len(logs) > 55
    # Of 60 a standard deviation is known to 9%; the jackknife is that of a somewhat skewed ratio.
    assert np.std(logs) == pytest.approx(np.median(errors), rel=0.3)


def test_a_gradient_that_cannot_be_told_from_zero_has_no_scale() -> None:
    found = evaluate(Quadratic(4, gradient=np.zeros(3)), draws=50, blocks=4, block_size=4)
    assert found.log_scale is None
    assert abs(found.squared_norm.mean) < 4 * found.squared_norm.standard_error
    assert found.variance.mean == pytest.approx(VARIANCE, rel=0.2)
    assert found.as_json()["log_scale"] is None


def test_two_standard_errors_determine_a_scale() -> None:
    def of(low: float, high: float) -> room.GradientNoise:
        signal = np.array([low, high])  # mean (low + high) / 2, standard error (high - low) / 2
        return gradient_noise(np.stack([signal + 1, signal + 0.5], 1), small_batch=1, big_batch=2)

    assert of(1.0, 2.9).log_scale is not None
    assert of(1.0, 3.1).log_scale is None


@pytest.mark.parametrize(
    ("shape", "batches", "message"),
    [
        ((1, 2), (1, 2), "gradient_noise.norms: expected two for each of at least 2 draws"),
        ((4, 3), (1, 2), r"at least 2 draws, found shape \(4, 3\)"),
        ((4, 2), (8, 8), "gradient_noise.big_batch: expected more than the 8 images of a small"),
    ],
)
def test_norms_that_cannot_be_are_refused(
    shape: tuple[int, int], batches: tuple[int, int], message: str
) -> None:
    small, big = batches
    with pytest.raises(ValueError, match=message):
        gradient_noise(np.ones(shape), small_batch=small, big_batch=big)


def test_a_gradient_that_is_not_finite_is_refused() -> None:
    broken = Quadratic(2, gradient=np.array([1.0, math.nan, 0.0]))
    with pytest.raises(ValueError, match="expected finite gradients, found one of draw 0 that is"):
        evaluate(broken, draws=2, blocks=2, block_size=2)


# ------------------------------------------------------------------------------------- resuming


def test_a_stopped_evaluation_draws_only_what_is_missing(tmp_path: Path) -> None:
    noise = partial(evaluate, draws=4, blocks=3, block_size=2)
    kept = Blocks(folder=tmp_path, work="a gradient's noise")
    whole = noise(Quadratic(2))
    asked = iter(range(7))
    with pytest.raises(Interrupted, match="the finished draws are kept") as stopped:
        noise(
            Quadratic(2),
            kept=kept,
            should_stop=lambda: next(asked, None) is None,
        )
    assert stopped.value.saved == 6
    seen: list[tuple[int, int]] = []
    rest = Quadratic(2)
    resumed = noise(rest, kept=kept, progress=lambda done, total: seen.append((done, total)))
    assert resumed == whole
    assert {draw for draw, _ in rest.asked} == {2, 3}
    assert seen == [(done, 12) for done in range(7, 13)]


# ----------------------------------------------------------------------- of a network's training


def network(dropout: float = 0.0) -> UNet:
    torch.manual_seed(0)
    config = replace(tiny.TRAINING, network=replace(tiny.NETWORK, dropout=dropout))
    made = build.network(config, describe(Digits()))
    with torch.no_grad():
        for weight in made.parameters():  # the last layers begin at zero, and pass no gradient back
            weight.add_(0.1 * torch.randn_like(weight))
    return made.train()


def gradient_of(unet: UNet, objective: Objective, *, dropout: float = 0.0) -> LossGradient:
    diffusion = build.diffusion(tiny.TRAINING.diffusion)
    return LossGradient(
        objective=objective,
        denoiser=build.denoiser(tiny.TRAINING, unet, diffusion),
        weights=FlatWeights(unet),
        data=load(Digits(), "train"),
        class_conditional=False,
        has_dropout=dropout > 0,
        block_size=4,
        seed=0,
    )


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, ...]]:
    """What the losses are computed from."""
    seen: list[tuple[Any, ...]] = []

    def noted(objective: Objective, denoiser: Any, *drawn: Tensor, **options: Any) -> Any:
        seen.append((denoiser, *drawn))
        return objective_losses(objective, denoiser, *drawn, **options)

    monkeypatch.setattr(room, "objective_losses", noted)
    return seen


@pytest.mark.parametrize("objective", [Simple(), Vlb(), Hybrid()])
def test_it_is_the_gradient_of_the_mean_loss(
    objective: Objective, told: list[tuple[Any, ...]]
) -> None:
    unet = network()
    gradient = gradient_of(unet, objective)
    gradient(0, 0)  # must leave nothing behind in the next
    found = {name: piece.clone() for name, piece in gradient.weights.named(gradient(1, 2)).items()}
    denoiser, x_0, t, eps = told[-1]
    losses = objective_losses(objective, denoiser, x_0, t, eps, levels=17).total
    parts = dict(unet.named_parameters())
    expected = torch.autograd.grad(losses.sum() / 4, list(parts.values()), allow_unused=True)
    for name, part in zip(parts, expected, strict=True):
        truth = torch.zeros_like(found[name]) if part is None else part
        assert torch.allclose(found[name], truth, rtol=1e-4, atol=1e-6), name


@pytest.mark.parametrize("dropout", [0.0, 0.5])
def test_a_block_is_a_function_of_its_seed_and_number(
    dropout: float, told: list[tuple[Any, ...]]
) -> None:
    gradient = gradient_of(network(dropout), Hybrid(), dropout=dropout)
    first = gradient(1, 2).clone()
    others = [gradient(*at).clone() for at in ((2, 1), (1, 1), (0, 2))]
    others.append(replace(gradient, seed=1)(1, 2).clone())
    assert torch.equal(gradient(1, 2), first)
    assert not any(torch.equal(other, first) for other in others)
    assert len({x_0.sum().item() for _, x_0, _, _ in told}) == len(others) + 1
    steps = {step for _, _, t, _ in told for step in t.tolist()}
    assert not torch.equal(told[0][1], told[1][1])
    assert not torch.equal(told[0][3], told[1][3])
    assert len(steps) > 5


def test_images_steps_and_noise_of_every_block_are_its_own(told: list[tuple[Any, ...]]) -> None:
    gradient = replace(gradient_of(network(), Simple()), block_size=16)
    for at in ((1, 2), (0, 2), (1, 0), (2, 1)):
        gradient(*at)
    replace(gradient, seed=1)(1, 2)
    for part in (1, 2, 3):  # x_0, t, eps
        drawn = [tuple(call[part].flatten().tolist()) for call in told]
        assert len(set(drawn)) == 5, part


def test_each_block_has_a_dropout_of_its_own() -> None:
    gradient = gradient_of(network(0.5), Simple(), dropout=0.5)
    seeds = []
    for at in ((0, 0), (0, 1), (1, 0), (0, 0)):
        gradient(*at)
        seeds.append(torch.initial_seed())
    assert (len(set(seeds)), seeds[0]) == (3, seeds[3])


def test_every_step_is_as_likely_as_every_other(told: list[tuple[Any, ...]]) -> None:
    gradient = replace(gradient_of(network(), Simple()), block_size=2000)
    gradient(0, 0)
    counts = torch.bincount(told[0][2], minlength=10)
    # 200 of each expected, standard deviation 13.4
    assert ((counts - 200).abs() < 4 * 13.4).all()
