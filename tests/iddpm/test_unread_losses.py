"""What a step does not ask of the device that computes it."""

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from iddpm.config import Precision
from iddpm.diffusion import Diffusion
from iddpm.networks.flat import FlatWeights
from iddpm.running import checkpoints
from iddpm.training import CURVES, Training
from tests.witness.operations import Operations
from tests.witness.trainings import EVERYTHING, assert_equal_states, broken
from tests.witness.whole_training import CONFIG


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
