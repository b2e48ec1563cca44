"""Seeds of a part of a training, and settings that the paper leaves out."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from iddpm.bounds import ConfigError
from iddpm.config import OptimizerConfig, Seeds
from iddpm.running import checkpoints
from iddpm.running.draws import derived_seed, generator
from iddpm.running.interruption import Interrupted
from iddpm.training import Training, mirrored, train, trajectory
from tests.witness.trainings import after
from tests.witness.whole_training import CONFIG

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
