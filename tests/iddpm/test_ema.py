"""Averages against their closed form: a geometric series of all the weights there were."""

import pytest
import torch
from torch import nn

from iddpm.ema import MovingAverages


def network(seed: int) -> nn.Module:
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(3, 2), nn.Linear(2, 1)).double()


def assign(target: nn.Module, source: nn.Module) -> None:
    target.load_state_dict(source.state_dict())


def test_averages_are_the_geometric_series_of_the_weights() -> None:
    decays = (0.9, 0.5, 0.9999)
    past = [network(seed) for seed in range(6)]
    weights = network(0)
    averages = MovingAverages(weights, decays)
    for later in past[1:]:
        assign(weights, later)
        averages.update()
    for decay in decays:
        shares = [decay**5, *((1 - decay) * decay ** (5 - k) for k in range(1, 6))]
        for name, average in averages.state_dict()[str(decay)].items():
            expected = sum(
                share * one.state_dict()[name] for share, one in zip(shares, past, strict=True)
            )
            torch.testing.assert_close(average, expected, rtol=0, atol=1e-14)  # float64 rounding


def test_an_average_starts_as_a_copy() -> None:
    weights = network(0)
    averages = MovingAverages(weights, (0.9,))
    assign(weights, network(1))
    for name, average in averages.state_dict()["0.9"].items():
        assert torch.equal(average, network(0).state_dict()[name])


def test_averages_go_on_where_a_saved_state_left_them() -> None:
    weights = network(0)
    averages = MovingAverages(weights, (0.9, 0.99))
    assign(weights, network(1))
    averages.update()
    restored = MovingAverages(weights, (0.9, 0.99))
    restored.load_state_dict(averages.state_dict())
    assign(weights, network(2))
    averages.update()
    restored.update()
    for decay, average in averages.state_dict().items():
        for name, tensor in average.items():
            assert torch.equal(restored.state_dict()[decay][name], tensor)


def test_no_gradient_flows_into_an_average() -> None:
    weights = network(0)
    averages = MovingAverages(weights, (0.9,))
    averages.update()
    assert not any(tensor.requires_grad for tensor in averages.state_dict()["0.9"].values())


def test_a_state_without_one_of_the_decays_is_refused() -> None:
    averages = MovingAverages(network(0), (0.9,))
    with pytest.raises(KeyError, match=r"0\.99"):
        MovingAverages(network(0), (0.99,)).load_state_dict(averages.state_dict())
