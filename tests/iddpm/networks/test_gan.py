"""The GAN's losses and networks, against values worked out by hand and plain linear algebra."""

import numpy as np
import pytest
import torch
from torch import Tensor

from iddpm.networks.gan import (
    Discriminator,
    Generator,
    discriminator_loss,
    doubled,
    generator_loss,
    halved,
)


def a_generator() -> Generator:
    torch.manual_seed(0)
    return Generator(channels=2, size=8, classes=3, latent=4, widths=(4, 6))


def a_discriminator() -> Discriminator:
    torch.manual_seed(0)
    return Discriminator(channels=2, classes=3, widths=(4, 6))


def some(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


# -------------------------------------------------------------------------------------- losses


def test_the_hinge_loss_of_the_discriminator_by_hand() -> None:
    real, fake = torch.tensor([2.0, 0.5, -1.0]), torch.tensor([-3.0, 0.0])
    # max(0, 1 - real) = 0, 0.5, 2; max(0, 1 + fake) = 0, 1
    assert discriminator_loss(real, fake).item() == pytest.approx(2.5 / 3 + 1 / 2)


def test_a_discriminator_that_is_sure_of_both_is_pulled_nowhere() -> None:
    real = torch.full((4,), 1.5, requires_grad=True)
    fake = torch.full((4,), -1.5, requires_grad=True)
    loss = discriminator_loss(real, fake)
    loss.backward()  # type: ignore[no-untyped-call]
    assert loss.item() == 0
    assert real.grad is not None
    assert fake.grad is not None
    assert real.grad.abs().sum() + fake.grad.abs().sum() == 0


def test_the_generator_pulls_its_images_up_by_hand() -> None:
    assert generator_loss(torch.tensor([-3.0, 1.0])).item() == pytest.approx(1.0)


# ------------------------------------------------------------------------------------- networks


def test_images_are_of_the_datas_shape_inside_the_open_range() -> None:
    images = a_generator()(some(5, 4), torch.tensor([0, 1, 2, 0, 1]))
    assert images.shape == (5, 2, 8, 8)
    assert images.abs().max() < 1


def test_an_image_depends_on_no_other_of_its_batch() -> None:
    network, z, labels = a_generator(), some(6, 4), torch.tensor([0, 1, 2, 0, 1, 2])
    with torch.no_grad():
        together, alone = network(z, labels), network(z[4:5], labels[4:5])
    torch.testing.assert_close(together[4:5], alone)


def test_the_label_reaches_the_generator() -> None:
    network, z = a_generator(), some(1, 4).expand(3, 4)
    with torch.no_grad():
        images = network(z, torch.arange(3))
    distances = torch.cdist(images.flatten(1), images.flatten(1))
    assert (distances + torch.eye(3) > 1e-3).all()


def test_the_label_reaches_the_discriminator() -> None:
    network, x = a_discriminator(), some(1, 2, 8, 8).expand(3, 2, 8, 8)
    with torch.no_grad():
        values = network(x, torch.arange(3))
    assert values.shape == (3,)
    assert len({round(value, 4) for value in values.tolist()}) == 3


def test_the_discriminator_compares_by_projection() -> None:
    """f(x, y) - f(x, y') = <e(y) - e(y'), h(x)>, h read off as what the last layer is given."""
    network, x = a_discriminator().eval(), some(2, 2, 8, 8)
    given: list[Tensor] = []
    network.last.register_forward_hook(lambda module, inputs, output: given.append(inputs[0]))
    with torch.no_grad():
        difference = network(x, torch.tensor([0, 0])) - network(x, torch.tensor([2, 2]))
        table = network.labels.weight
        assert isinstance(table, Tensor)
        expected = given[0] @ (table[0] - table[2])
    torch.testing.assert_close(difference, expected)


def test_every_weight_of_the_discriminator_has_spectral_norm_one() -> None:
    """Up to the power method: each call in training renews the estimate by a step."""
    network, x = a_discriminator(), some(2, 2, 8, 8)
    for _ in range(30):
        network(x, torch.tensor([0, 1]))
    names = {name for name, _ in network.named_parameters() if "bias" not in name}
    assert all(name.endswith("parametrizations.weight.original") for name in names)
    for name in names:
        module = network.get_submodule(name.partition(".parametrizations")[0])
        weight = module.weight
        assert isinstance(weight, Tensor)
        norm = np.linalg.svd(weight.detach().flatten(1).numpy(), compute_uv=False)[0]
        assert norm == pytest.approx(1, abs=1e-2), name


def test_doubling_and_halving_are_nearest_neighbour_and_block_mean() -> None:
    x = some(2, 3, 4, 4)
    torch.testing.assert_close(doubled(x), torch.nn.functional.interpolate(x, scale_factor=2))
    torch.testing.assert_close(halved(x), torch.nn.functional.avg_pool2d(x, 2))
