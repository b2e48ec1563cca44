"""Moving averages of weights against their closed form."""

import pytest
import torch
from torch import nn

from iddpm.ema import MovingAverages


def test_an_average_is_the_closed_form_weighted_sum() -> None:
    network = nn.Linear(3, 2, dtype=torch.float64)
    history = [network.weight.detach().clone()]
    averages = MovingAverages(network, (0.9, 0.5))
    for step in range(6):
        with torch.no_grad():
            network.weight.add_(step + 1.0)
        history.append(network.weight.detach().clone())
        averages.update()
    for decay in (0.9, 0.5):
        expected = decay**6 * history[0]
        for step, weight in enumerate(history[1:], start=1):
            expected = expected + (1 - decay) * decay ** (6 - step) * weight
        found = averages.state_dict()[str(decay)]["weight"]
        torch.testing.assert_close(found, expected, rtol=1e-12, atol=1e-12)


def test_a_restored_average_goes_on_as_if_it_had_never_stopped() -> None:
    network = nn.Linear(2, 2)
    first, second = MovingAverages(network, (0.9,)), MovingAverages(network, (0.9,))
    with torch.no_grad():
        network.weight.mul_(3)
    first.update()
    second.load_state_dict(first.state_dict())
    for averages in (first, second):
        averages.update()
    assert torch.equal(first.state_dict()["0.9"]["weight"], second.state_dict()["0.9"]["weight"])


def test_a_missing_decay_is_refused() -> None:
    network = nn.Linear(2, 2)
    with pytest.raises(KeyError):
        MovingAverages(network, (0.9,)).load_state_dict({})
