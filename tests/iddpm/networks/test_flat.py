"""One vector of weights: the same network, gradients and steps as with a tensor for each."""

from copy import deepcopy

import torch
from torch import Tensor, nn

from iddpm.networks.flat import ALIGNMENT, FlatWeights


def network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 5, 3), nn.GroupNorm(1, 5), nn.SiLU(), nn.Conv2d(5, 2, 1))


def images(seed: int) -> Tensor:
    return torch.randn(2, 3, 6, 6, generator=torch.Generator().manual_seed(seed))


def test_the_network_computes_with_the_vector() -> None:
    plain = network()
    ours = deepcopy(plain)
    flat = FlatWeights(ours)
    assert torch.equal(ours(images(0)), plain(images(0)))
    for name, weight in plain.state_dict().items():
        assert torch.equal(flat.named(flat.vector)[name], weight)
    with torch.no_grad():
        flat.vector.zero_()
    assert not ours(images(0)).any()


def test_backward_passes_add_up_in_the_vector_of_gradients() -> None:
    plain = network()
    ours = deepcopy(plain)
    flat = FlatWeights(ours)
    for one in (plain, ours):
        for seed in (0, 1):
            one(images(seed)).square().sum().backward()
    for name, weight in plain.named_parameters():
        assert weight.grad is not None
        assert torch.equal(flat.named(flat.gradient)[name], weight.grad)


def test_one_step_of_the_vector_is_a_step_of_every_weight() -> None:
    plain = network().double()
    ours = deepcopy(plain)
    flat = FlatWeights(ours)
    optimizers = [
        torch.optim.AdamW(plain.parameters(), lr=0.1, foreach=False),
        torch.optim.AdamW([flat.vector], lr=0.1, fused=True),
    ]
    for seed in range(3):
        for one, optimizer in zip((plain, ours), optimizers, strict=True):
            optimizer.zero_grad(set_to_none=False)
            one(images(seed).double()).square().sum().backward()
            optimizer.step()
    for name, weight in plain.state_dict().items():
        found = ours.state_dict()[name]
        torch.testing.assert_close(found, weight, rtol=1e-12, atol=1e-12)  # float64 rounding


def test_every_weight_starts_at_an_aligned_place() -> None:
    ours = network()
    flat = FlatWeights(ours)
    assert all(weight.storage_offset() % ALIGNMENT == 0 for weight in ours.parameters())
    assert flat.vector.numel() % ALIGNMENT == 0
    assert all(weight.is_contiguous() for weight in ours.parameters())
