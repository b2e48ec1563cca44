"""The network against the layout of the official one, its frozen outputs, and plain arithmetic."""

import math
import re
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from iddpm.config import Precision
from iddpm.networks.conditioning import Conditioning
from iddpm.networks.precision import arithmetic
from iddpm.networks.unet import (
    AttentionBlock,
    GroupNorm,
    ResBlock,
    UNet,
    as_it_lies,
    timestep_features,
)
from tests.witness import freeze_unet_outputs as frozen
from tests.witness.unet_layout import layout

IMAGENET_64: dict[str, Any] = {
    "in_channels": 3,
    "out_channels": 6,
    "image_size": 64,
    "model_channels": 128,
    "channel_mult": (1, 2, 3, 4),
    "res_blocks": 3,
    "attention_resolutions": (16, 8),
}
CIFAR_10 = IMAGENET_64 | {"image_size": 32, "channel_mult": (1, 2, 2, 2)}
LSUN = IMAGENET_64 | {
    "image_size": 256,
    "channel_mult": (1, 1, 2, 2, 4, 4),
    "res_blocks": 2,
    "attention_resolutions": (16,),
    "scale_shift": False,
}
UPSAMPLER = LSUN | {
    "model_channels": 192,
    "attention_resolutions": (16, 8),
    "scale_shift": True,
    "classes": 1000,
    "low_resolution": True,
}
TINY: dict[str, Any] = {
    "in_channels": 1,
    "out_channels": 2,
    "image_size": 8,
    "model_channels": 8,
    "channel_mult": (1, 2),
    "res_blocks": 1,
    "attention_resolutions": (4,),
    "heads": 2,
    "groups": 4,
}


def shapes(**settings: Any) -> dict[str, tuple[int, ...]]:
    """Of the state dict of a network that takes no memory."""
    with torch.device("meta"):
        network = UNet(**{"heads": 4, "groups": 32} | settings)
    return {name: tuple(value.shape) for name, value in network.state_dict().items()}


def tiny(**changes: Any) -> UNet:
    """A small network whose output is not zero, with weights that follow the witness's rule."""
    network = UNet(**TINY | changes)
    network.load_state_dict(frozen.weights(network))
    return network.eval()


def noisy(images: int = 2) -> tuple[Tensor, Tensor]:
    return frozen.sines("x", (images, 1, 8, 8)).float(), torch.arange(images) * 400


def exactly(message: str) -> str:
    return f"^{re.escape(message)}$"


# --------------------------------------------------------------------------------- parameters


@pytest.mark.parametrize(
    "settings",
    [
        IMAGENET_64,
        CIFAR_10,
        LSUN,
        UPSAMPLER,
        IMAGENET_64 | {"classes": 1000},
        CIFAR_10 | {"res_blocks": 1, "channel_mult": (1,), "attention_resolutions": ()},
        CIFAR_10 | {"model_channels": 32, "channel_mult": (2, 1, 3), "res_blocks": 2},
        CIFAR_10 | {"attention_resolutions": (32, 4), "in_channels": 1, "out_channels": 1},
    ],
)
def test_names_order_and_shapes_follow_the_official_layout(settings: dict[str, Any]) -> None:
    assert list(shapes(**settings).items()) == list(layout(**settings).items())


@pytest.mark.parametrize(
    ("settings", "tensors", "parameters"),
    [
        (IMAGENET_64 | {"model_channels": 64}, 450, 30_303_494),
        (IMAGENET_64 | {"model_channels": 96}, 450, 68_126_598),
        (IMAGENET_64, 450, 121_063_942),
        (IMAGENET_64 | {"model_channels": 192}, 450, 272_281_350),
        (IMAGENET_64 | {"classes": 1000}, 451, 121_575_942),
        (IMAGENET_64 | {"classes": 1000, "model_channels": 192}, 451, 273_049_350),
        (CIFAR_10, 446, 52_546_438),
        (CIFAR_10 | {"out_channels": 3}, 446, 52_542_979),
        (LSUN, 426, 113_676_678),
        (UPSAMPLER, None, 279_792_390),
    ],
)
def test_the_paper_s_networks_have_the_paper_s_number_of_parameters(
    settings: dict[str, Any], tensors: int | None, parameters: int
) -> None:
    built = shapes(**settings)
    assert sum(math.prod(shape) for shape in built.values()) == parameters
    assert tensors in (None, len(built))


def test_residual_branches_and_the_output_start_at_zero() -> None:
    network = UNet(**TINY)
    zero = {name for name, value in network.named_parameters() if not value.any()}
    ends = ("out_layers.3.weight", "proj_out.weight", "out.2.weight")
    weights = {name for name, _ in network.named_parameters() if name.endswith(ends)}
    assert weights <= zero
    assert not network(*noisy()).any()


def test_untrained_blocks_pass_their_input_through() -> None:
    x, emb = frozen.sines("x", (2, 8, 4, 4)).float(), torch.ones(2, 32)
    residual = ResBlock(8, 8, embedding=32, groups=4, dropout=0, scale_shift=True)
    assert torch.equal(residual(x, emb), x)
    assert torch.equal(AttentionBlock(8, heads=2, groups=4)(x), x)


def test_every_parameter_moves_the_output() -> None:
    network = tiny(classes=3)
    network(*noisy(3), Conditioning(labels=torch.arange(3))).square().sum().backward()
    assert [n for n, p in network.named_parameters() if p.grad is None or not p.grad.any()] == []


# ----------------------------------------------------------------------------------- arithmetic


@pytest.mark.parametrize("case", frozen.CASES)
def test_outputs_are_those_that_the_official_network_gave(case: str) -> None:
    with np.load(frozen.FILE) as file:
        expected = file[case]
    # float32 rounding through some thirty layers; outputs are of order one
    np.testing.assert_allclose(frozen.output(case).numpy(), expected, rtol=0, atol=1e-5)


def test_timestep_features_are_cosines_then_sines_of_falling_frequency() -> None:
    t, half = [0.0, 1.0, 250.5], 4
    frequencies = [10_000 ** (-i / half) for i in range(half)]
    expected = [
        [f(value * frequency) for f in (math.cos, math.sin) for frequency in frequencies]
        for value in t
    ]
    # float32 rounding of a phase of up to 250
    torch.testing.assert_close(
        timestep_features(torch.tensor(t), 2 * half), torch.tensor(expected), rtol=0, atol=3e-5
    )


def test_rescaled_timesteps_are_those_of_a_chain_of_another_length() -> None:
    x, t = noisy()
    assert torch.equal(tiny(timestep_scale=0.25)(x, 4 * t), tiny()(x, t))
    assert not torch.allclose(tiny(timestep_scale=0.25)(x, t), tiny()(x, t), atol=1e-3)


def test_attention_is_a_softmax_over_pixels_with_channels_ordered_by_head() -> None:
    heads, c, side = 2, 3, 2
    block = AttentionBlock(heads * c, heads=heads, groups=2)
    state = {n: frozen.sines(n, tuple(w.shape)).float() for n, w in block.state_dict().items()}
    block.load_state_dict(state)
    weight = {name: values.squeeze(-1).double().numpy() for name, values in state.items()}
    x = frozen.sines("x", (1, heads * c, side, side)).float()
    pixels = block.norm(x)[0].flatten(1).detach().double().numpy()
    qkv = weight["qkv.weight"] @ pixels + weight["qkv.bias"][:, None]
    attended = []
    for head in range(heads):
        query, key, value = np.split(qkv[3 * c * head : 3 * c * (head + 1)], 3)
        shares = np.exp(query.T @ key / math.sqrt(c))
        attended.append(value @ (shares / shares.sum(axis=1, keepdims=True)).T)
    out = weight["proj_out.weight"] @ np.concatenate(attended) + weight["proj_out.bias"][:, None]
    expected = x.double() + torch.from_numpy(out).view(x.shape)
    # float32 rounding
    torch.testing.assert_close(block(x).detach().double(), expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize("scale_shift", [True, False])
def test_the_timestep_scales_and_shifts_normalised_features_or_is_added_before(
    scale_shift: bool,
) -> None:
    block = ResBlock(8, 8, embedding=32, groups=4, dropout=0, scale_shift=scale_shift)
    last = block.get_parameter("out_layers.3.weight")
    nn.init.dirac_(last)
    x, emb = frozen.sines("x", (2, 8, 4, 4)).float(), frozen.sines("emb", (2, 32)).float()
    told, h = block.emb_layers(emb)[:, :, None, None], block.in_layers(x)
    if scale_shift:
        h = nn.functional.group_norm(h, 4) * (1 + told[:, :8]) + told[:, 8:]
    else:
        h = nn.functional.group_norm(h + told, 4)
    expected = x + nn.functional.silu(h)
    # float32 rounding
    torch.testing.assert_close(block(x, emb), expected, rtol=0, atol=1e-5)


def test_group_norm_of_bfloat16_is_computed_in_float32() -> None:
    x = (100 + frozen.sines("x", (2, 4, 8, 8))).bfloat16()
    exact = nn.functional.group_norm(x.double(), 2)
    ours = GroupNorm(2, 4).bfloat16()(x)
    assert ours.dtype == torch.bfloat16
    # one rounding to eight significant bits at the end; float32 rounding of 100 before
    torch.testing.assert_close(ours.double(), exact, rtol=2**-8, atol=1e-4)


def test_a_network_in_float64_keeps_its_precision() -> None:
    x, t = noisy()
    assert tiny().double()(x.double(), t).dtype == torch.float64


@pytest.mark.parametrize("scale_shift", [True, False])
def test_channels_last_weights_give_channels_last_outputs_and_the_same_numbers(
    scale_shift: bool,
) -> None:
    x, t = noisy()
    expected = tiny(scale_shift=scale_shift)(x, t)
    network = tiny(scale_shift=scale_shift)
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    output = network(x.to(memory_format=torch.channels_last), t)
    assert output.is_contiguous(memory_format=torch.channels_last)
    torch.testing.assert_close(output, expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("form", [torch.contiguous_format, torch.channels_last])
def test_what_knows_one_memory_format_gives_back_that_of_its_input(
    dtype: torch.dtype, form: torch.memory_format
) -> None:
    x = torch.randn(2, 8, 3, 5).to(dtype).contiguous(memory_format=form)
    met: list[Tensor] = []

    def normalised(images: Tensor) -> Tensor:
        met.append(images)
        return nn.functional.group_norm(images, 4)

    found = as_it_lies(normalised, x, torch.float32)
    assert met[0].is_contiguous()
    assert met[0].dtype == torch.float32
    assert found.is_contiguous(memory_format=form)
    assert found.dtype == dtype
    assert torch.equal(found, nn.functional.group_norm(x.float().contiguous(), 4).to(dtype))


def convolved(network: UNet, device: str) -> list[bool]:
    """Of each convolution of feature maps, whether what it took had its channels last."""
    found: list[bool] = []
    nn.utils.convert_conv2d_weight_memory_format(network.to(device), torch.channels_last)
    for layer in network.modules():
        if isinstance(layer, nn.Conv2d):
            layer.register_forward_pre_hook(
                lambda _, given: found.append(
                    given[0].is_contiguous(memory_format=torch.channels_last)
                )
            )
    x, t = noisy()
    x = x.to(device, memory_format=torch.channels_last)
    network(x, t.to(device))
    return found


def test_channels_are_last_from_end_to_end() -> None:
    found = convolved(tiny(), "cpu")
    assert len(found) > 10
    assert all(found)


@pytest.mark.gpu
@pytest.mark.parametrize("precision", ["float32", "bf16"])
def test_channels_are_last_from_end_to_end_on_a_gpu(precision: Precision) -> None:
    with arithmetic(precision, "cuda"):
        assert all(convolved(tiny(), "cuda"))


def test_dropout_acts_in_training_alone() -> None:
    x, t = noisy()
    network = tiny(dropout=0.5)
    assert torch.equal(network(x, t), tiny()(x, t))
    assert not torch.allclose(network.train()(x, t), tiny()(x, t), atol=1e-3)


def test_labels_change_the_output_of_their_own_image_alone() -> None:
    x, t = noisy()
    network = tiny(classes=3)
    before = network(x, t, Conditioning(labels=torch.tensor([0, 1])))
    after = network(x, t, Conditioning(labels=torch.tensor([0, 2])))
    assert torch.equal(before[0], after[0])
    assert not torch.allclose(before[1], after[1], atol=1e-3)


def test_a_smaller_image_is_seen_enlarged_as_channels_behind_the_noisy_one() -> None:
    x, t = noisy()
    flat = torch.full((2, 1, 4, 4), 0.5)
    network = tiny(low_resolution=True)
    wide = tiny(in_channels=2)
    wide.load_state_dict(network.state_dict())
    expected = wide(torch.cat((x, torch.full_like(x, 0.5)), dim=1), t)
    torch.testing.assert_close(network(x, t, Conditioning(low_resolution=flat)), expected)


# --------------------------------------------------------------------------------------- errors


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"image_size": 10, "channel_mult": (1, 1, 1)},
            "image_size: expected a multiple of 4, to be halved between 3 levels, found 10",
        ),
        (
            {"attention_resolutions": (16, 4)},
            "attention_resolutions: expected sides of feature maps (8, 4), found 16, 4",
        ),
        ({"heads": 3}, "heads: expected a divisor of the width 16, found 3"),
    ],
)
def test_a_network_that_cannot_be_built_is_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=exactly(message)):
        UNet(**TINY | changes)


@pytest.mark.parametrize(
    ("changes", "shape", "conditioning", "message"),
    [
        ({}, (2, 3, 8, 8), {}, "x: expected shape (B, 1, 8, 8), found (2, 3, 8, 8)"),
        ({}, (2, 1, 6, 6), {}, "x: expected shape (B, 1, 8, 8), found (2, 1, 6, 6)"),
        (
            {"classes": 3},
            (2, 1, 8, 8),
            {},
            "conditioning.labels: expected a tensor, found None; "
            "the network was built with classes",
        ),
        (
            {},
            (2, 1, 8, 8),
            {"labels": torch.tensor([0, 1])},
            "conditioning.labels: expected None, found a tensor of shape (2,); "
            "the network was built without classes",
        ),
        (
            {"low_resolution": True},
            (2, 1, 8, 8),
            {},
            "conditioning.low_resolution: expected a tensor, found None; "
            "the network was built with low_resolution",
        ),
        (
            {},
            (2, 1, 8, 8),
            {"low_resolution": torch.zeros(2, 1, 4, 4)},
            "conditioning.low_resolution: expected None, found a tensor of shape (2, 1, 4, 4); "
            "the network was built without low_resolution",
        ),
    ],
)
def test_inputs_that_the_network_was_not_built_for_are_refused(
    changes: dict[str, Any], shape: tuple[int, ...], conditioning: dict[str, Tensor], message: str
) -> None:
    network = UNet(**TINY | changes)
    with pytest.raises(ValueError, match=exactly(message)):
        network(torch.zeros(shape), torch.zeros(shape[0]), Conditioning(**conditioning))


@pytest.mark.parametrize(
    ("changes", "total"),
    [
        ({}, 2426.5734719947163),
        (
            {
                "channel_mult": (1, 2, 2),
                "res_blocks": 2,
                "classes": 3,
                "attention_resolutions": (8, 2),
            },
            5366.674005230986,
        ),
    ],
)
def test_a_seed_draws_the_weights_that_it_always_drew(
    changes: dict[str, Any], total: float
) -> None:
    torch.manual_seed(0)
    network = UNet(**TINY | changes)
    found = sum(weights.double().abs().sum().item() for weights in network.parameters())
    assert found == pytest.approx(total, rel=1e-7)  # another order of the layers moves 1e-3 of it
