"""Averages against their closed form: a geometric series of all the weights there were."""

import torch

from iddpm.networks.ema import MovingAverages


def test_averages_are_the_geometric_series_of_the_weights() -> None:
    decays = (0.9, 0.5, 0.9999)
    past = torch.randn(6, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    weights = past[0].clone()
    moving = MovingAverages(weights, decays)
    for later in past[1:]:
        weights.copy_(later)
        moving.update()
    for decay in decays:
        shares = [decay**5, *((1 - decay) * decay ** (5 - k) for k in range(1, 6))]
        expected = torch.tensor(shares, dtype=torch.float64) @ past
        found = moving.averages[decay]
        torch.testing.assert_close(found, expected, rtol=0, atol=1e-14)  # float64 rounding


def test_an_average_starts_as_a_copy() -> None:
    weights = torch.ones(3)
    moving = MovingAverages(weights, (0.9,))
    weights.zero_()
    assert torch.equal(moving.averages[0.9], torch.ones(3))


def test_no_gradient_flows_into_an_average() -> None:
    moving = MovingAverages(torch.ones(3, requires_grad=True), (0.9,))
    moving.update()
    assert not moving.averages[0.9].requires_grad


def test_an_average_moves_as_the_device_says() -> None:
    weights = torch.rand(1001, generator=torch.Generator().manual_seed(1))
    plain, told, held = (MovingAverages(torch.zeros(1001), (0.9, 0.9999)) for _ in range(3))
    for moving in (plain, told, held):
        moving._weights.copy_(weights)
    plain.update()
    told.update(torch.ones(()))
    held.update(torch.zeros(()))
    for decay, average in plain.averages.items():
        assert torch.equal(told.averages[decay], average)
        assert not held.averages[decay].any()
