"""One vector of weights: the same network, gradients and steps as with a tensor for each."""

from copy import deepcopy

import pytest
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


@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last])
def test_gradients_of_all_weights_are_added_at_once(memory_format: torch.memory_format) -> None:
    plain, ours = network(), network()
    flat = FlatWeights(ours, memory_format=memory_format)
    for seed in (0, 1):
        plain(images(seed)).square().sum().backward()
        flat.add_gradients(ours(images(seed)).square().sum(), list(ours.parameters()))
    for name, weight in plain.named_parameters():
        found = flat.named(flat.gradient)[name]
        torch.testing.assert_close(found, weight.grad, rtol=1e-5, atol=1e-5)  # another order


def test_gradients_of_a_shorter_type_are_cast_and_then_added() -> None:
    plain, ours = network(), network()
    flat, short = FlatWeights(ours), network().bfloat16()
    flat.add_gradients(ours(images(0)).square().sum(), list(ours.parameters()))
    flat.add_gradients(short(images(1).bfloat16()).square().sum(), list(short.parameters()))
    plain(images(0)).square().sum().backward()
    for one, other in zip(plain.parameters(), short.parameters(), strict=True):
        assert one.grad is not None
        assert other.grad is None
    again = network().bfloat16()
    again(images(1).bfloat16()).square().sum().backward()
    found = flat.named(flat.gradient)
    for (name, one), other in zip(plain.named_parameters(), again.parameters(), strict=True):
        assert one.grad is not None
        assert other.grad is not None
        assert torch.equal(found[name], one.grad + other.grad.float())


def test_a_vector_with_channels_last_holds_the_same_weights_and_is_kept_in_order() -> None:
    plain, ours = network(), network()
    first, last = FlatWeights(plain), FlatWeights(ours, memory_format=torch.channels_last)
    for one, other in zip(plain.parameters(), ours.parameters(), strict=True):
        assert torch.equal(one, other)
        if other.dim() == 4:
            assert other.is_contiguous(memory_format=torch.channels_last)
    assert not torch.equal(first.vector, last.vector)
    assert torch.equal(last.in_order(last.vector.detach()), first.vector)
    assert torch.equal(last.laid_out(first.vector.detach()), last.vector)
    assert first.in_order(first.vector) is first.vector


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
