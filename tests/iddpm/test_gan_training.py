"""A GAN's training: stopped and resumed it ends in the same bits; what it does when it fails."""

import math
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from iddpm.bounds import ConfigError
from iddpm.config import Digits, GanConfig, Photos
from iddpm.gan_training import CURVES, GanTraining, load_generator, train_gan
from iddpm.running.checkpoints import CheckpointError
from iddpm.running.interruption import Interrupted
from iddpm.running.trajectory import Diverged

CONFIG = GanConfig(
    data=Digits(),
    latent=4,
    channels=4,
    batch_size=4,
    discriminator_steps=2,
    ema_decay=0.8,
    steps=6,
)


def bits(folder: Path) -> list[tuple[str, object]]:
    """Every number of the state by its place, tensors as bytes."""

    def parts(value: object, place: str) -> Iterator[tuple[str, object]]:
        if isinstance(value, Tensor):
            yield place, value.numpy().tobytes()
        elif isinstance(value, dict):
            for key, item in value.items():
                yield from parts(item, f"{place}.{key}")
        elif isinstance(value, list | tuple):
            yield from parts(dict(enumerate(value)), place)
        else:
            yield place, value

    return list(parts(torch.load(folder / "state.pt", weights_only=True), "state"))


def stopping_at(step: int) -> dict[str, Any]:
    seen = [0]

    def progress(done: int, total: int) -> None:
        seen[0] = done

    return {"progress": progress, "should_stop": lambda: seen[0] == step}


def test_a_result_counts_what_was_done(tmp_path: Path) -> None:
    result = train_gan(CONFIG, tmp_path)
    assert (result.steps, result.images_seen, result.nonfinite_steps) == (6, 6 * 2 * 4, 0)
    assert result.loss_curve["step"] == [1, 2, 3, 4, 5, 6]
    assert set(result.loss_curve) == {"step", *CURVES}
    assert set(result.weights) == {"generator", "average", "discriminator"}
    assert len(set(result.weights.values())) == 3


@pytest.mark.parametrize("step", [1, 3, 5])
def test_stopped_and_resumed_ends_in_the_same_bits(tmp_path: Path, step: int) -> None:
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    whole.mkdir()
    parts.mkdir()
    expected = train_gan(CONFIG, whole)
    with pytest.raises(Interrupted, match=f"training saved at step {step} of 6"):
        train_gan(CONFIG, parts, **stopping_at(step))
    assert train_gan(CONFIG, parts) == expected
    assert bits(parts) == bits(whole)


def test_a_longer_training_continues_a_shorter_one(tmp_path: Path) -> None:
    short, long, whole = (tmp_path / name for name in ("short", "long", "whole"))
    for folder in (short, long, whole):
        folder.mkdir()
    train_gan(replace(CONFIG, steps=4), short)
    continued = train_gan(CONFIG, long, start=short / "state.pt")
    assert continued == train_gan(CONFIG, whole)
    assert bits(long) == bits(whole)


def test_the_draws_depend_on_the_seed_and_not_on_torchs_generator(tmp_path: Path) -> None:
    a, b, c = (tmp_path / name for name in "abc")
    for folder in (a, b, c):
        folder.mkdir()
    first = train_gan(CONFIG, a)
    torch.manual_seed(1234)
    before = torch.get_rng_state()
    assert train_gan(CONFIG, b) == first
    assert torch.equal(torch.get_rng_state(), before)
    assert train_gan(replace(CONFIG, seed=1), c).weights != first.weights


def test_every_update_of_every_step_draws_latents_and_images_of_its_own() -> None:
    training, other = GanTraining(CONFIG), GanTraining(replace(CONFIG, seed=1))
    latents, images = [], []
    for training.step in range(3):
        latents += [training._latents(update) for update in range(3)]
        images += [training._real(update)[0] for update in range(2)]
    latents.append(other._latents(0))
    for drawn in (latents, images):
        assert len({one.numpy().tobytes() for one in drawn}) == len(drawn)
    training.step = 0
    assert torch.equal(training._latents(0), latents[0])


def test_the_average_is_the_recursion_over_the_generators_weights() -> None:
    training = GanTraining(CONFIG)
    expected = training.weights.vector.detach().clone()
    for _ in range(4):
        training.advance()
        expected = 0.8 * expected + 0.2 * training.weights.vector.detach()
    torch.testing.assert_close(training.average.averages[0.8], expected)


def test_the_average_is_what_is_loaded(tmp_path: Path) -> None:
    train_gan(CONFIG, tmp_path)
    state = torch.load(tmp_path / "state.pt", weights_only=True)["weights"]
    loaded = load_generator(tmp_path / "state.pt", CONFIG, "cpu")
    for name, weight in loaded.named_parameters():
        assert torch.equal(weight, state["average"][name])
    name = "last.weight"
    assert not torch.equal(state["average"][name], state["generator"][name])
    assert not loaded.training


def test_the_generators_step_leaves_the_discriminator_alone_and_the_other_way_round() -> None:
    training = GanTraining(CONFIG)
    before = training.opposing.vector.detach().clone(), training.weights.vector.detach().clone()
    training._discriminate(0)
    assert not torch.equal(training.opposing.vector, before[0])
    assert torch.equal(training.weights.vector, before[1])
    moved = training.opposing.vector.detach().clone()
    training._generate(1)
    assert torch.equal(training.opposing.vector, moved)
    assert not torch.equal(training.weights.vector, before[1])


def test_an_update_that_is_not_finite_is_left_out_and_too_many_are_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = replace(CONFIG, max_nonfinite_steps=3)
    monkeypatch.setattr(
        "iddpm.gan_training.generator_loss", lambda fake: fake.mean() * float("nan")
    )
    with pytest.raises(Diverged, match="none in the last 3 steps up to step 3; try smaller"):
        train_gan(config, tmp_path)
    training = GanTraining(config)
    start = training.weights.vector.detach().clone()
    training.restore(torch.load(tmp_path / "state.pt", weights_only=True))
    assert torch.equal(training.weights.vector, start)
    assert (training.nonfinite_steps, training.nonfinite_in_a_row) == (3, 3)
    assert training.result().loss_curve["loss"] == [None, None, None]
    assert math.isfinite(training.opposing.vector.sum().item())


def test_a_state_of_another_trajectory_or_a_later_step_is_refused(tmp_path: Path) -> None:
    train_gan(CONFIG, tmp_path)
    with pytest.raises(CheckpointError, match="expected a state up to step 3, found one of step 6"):
        train_gan(replace(CONFIG, steps=3), tmp_path)
    with pytest.raises(CheckpointError, match="found one that differs in latent; move it away"):
        train_gan(replace(CONFIG, latent=5), tmp_path)


def test_data_without_labels_are_refused(tmp_path: Path) -> None:
    expected = "gan.data: expected data with labels, which a class-conditional GAN is told"
    with pytest.raises(ConfigError, match=expected):
        train_gan(replace(CONFIG, data=Photos(train_images=8, test_images=8)), tmp_path)


def test_a_side_that_cannot_be_halved_so_often_is_refused(tmp_path: Path) -> None:
    expected = "gan.channel_mult: expected at most 4 levels for images of 8 pixels"
    with pytest.raises(ConfigError, match=expected):
        train_gan(replace(CONFIG, channel_mult=(1, 1, 1, 1, 1)), tmp_path)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"latent": 0}, "gan.latent: expected at least 1, found 0"),
        ({"steps": 0}, "gan.steps: expected at least 1"),
        ({"seed": -1}, "gan.seed: expected a number of at least 0"),
        ({"channel_mult": ()}, "gan.channel_mult: expected one multiplier of at least 1 per level"),
        ({"generator_learning_rate": 0.0}, "gan.generator_learning_rate: expected a positive"),
        ({"betas": (0.0, 1.0)}, r"gan.betas: expected two numbers in \[0, 1\)"),
        ({"ema_decay": 1.0}, r"gan.ema_decay: expected a decay in \(0, 1\)"),
    ],
)
def test_what_cannot_be_is_said_in_one_sentence(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        replace(CONFIG, **changes)
