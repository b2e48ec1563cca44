"""Weights rounded all at once: the bits of autocast, which rounds them layer by layer."""

import torch
from torch import Tensor

from iddpm import build
from iddpm.data import describe
from iddpm.networks.conditioning import Conditioning
from iddpm.networks.flat import FlatWeights
from iddpm.networks.rounded import RoundedWeights
from iddpm.networks.unet import UNet
from tests.witness.whole_training import CONFIG


def network() -> UNet:
    torch.manual_seed(0)
    unet = build.network(CONFIG, describe(CONFIG.data)).eval()
    with torch.no_grad():
        for weight in unet.parameters():
            weight.add_(0.1 * torch.randn_like(weight))
    return unet


def loss(unet: UNet) -> Tensor:
    x_t = torch.randn(5, 1, 8, 8, generator=torch.Generator().manual_seed(1))
    told = Conditioning(labels=torch.arange(5))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        output: Tensor = unet(x_t, torch.arange(5) % 4, told)
    return output.float().square().sum()


def test_loss_and_gradient_are_those_of_autocast_after_each_change_of_the_weights() -> None:
    plain, ours = network(), network()
    flat, other = FlatWeights(ours), FlatWeights(plain)
    rounded = RoundedWeights(ours, flat)
    losses = []
    for _ in range(2):
        flat.gradient.zero_()
        other.gradient.zero_()
        rounded.follow()
        found, expected = loss(rounded.network), loss(plain)
        losses.append(float(expected.detach()))
        assert torch.equal(found, expected)
        flat.add_gradients(found, list(rounded.network.parameters()))
        torch.autograd.backward(expected)
        assert torch.equal(flat.gradient, other.gradient)
        assert flat.gradient.count_nonzero() > 1000
        for vector, gradient in ((flat.vector, flat.gradient), (other.vector, other.gradient)):
            vector.data.sub_(0.01 * gradient / gradient.norm())
    assert losses[0] != losses[1]
