"""A batch in several passes is told the same as in one."""

import torch
from torch import Tensor

from iddpm.networks.conditioning import Conditioning
from iddpm.networks.passes import InPasses


def test_each_image_meets_its_own_step_and_label() -> None:
    sizes = []

    def network(x_t: Tensor, t: Tensor, conditioning: Conditioning | None) -> Tensor:
        assert conditioning is not None
        assert conditioning.labels is not None
        sizes.append(len(x_t))
        return x_t + t.view(-1, 1, 1, 1) + 1000 * conditioning.labels.view(-1, 1, 1, 1)

    x, t, labels = torch.rand(7, 1, 2, 2), torch.arange(7) * 10, torch.arange(7)
    given = Conditioning(labels=labels)
    found = InPasses(network=network, images=3)(x, t, given)
    assert sizes == [3, 3, 1]
    assert torch.equal(found, network(x, t, given))
    assert torch.equal(InPasses(network=network, images=7)(x, t, given), found)


def test_smaller_images_go_with_theirs() -> None:
    def network(x_t: Tensor, t: Tensor, conditioning: Conditioning | None) -> Tensor:
        if conditioning is None or conditioning.low_resolution is None:
            return x_t
        return x_t + conditioning.low_resolution

    x, low = torch.rand(5, 1, 2, 2), torch.rand(5, 1, 2, 2)
    passes = InPasses(network=network, images=2)
    t = torch.zeros(5, dtype=torch.int64)
    assert torch.equal(passes(x, t, Conditioning(low_resolution=low)), x + low)
    assert torch.equal(passes(x, t, None), x)
