"""A compiled network says the same to rounding, and one that cannot be compiled says so."""

import logging
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor

from iddpm import build
from iddpm.config import Precision
from iddpm.data import describe
from iddpm.networks.compiling import compiled
from iddpm.networks.conditioning import Conditioning
from iddpm.networks.unet import UNet
from iddpm.training import Training
from tests.witness.whole_training import CONFIG

BOUNDS: dict[Precision, float] = {"float32": 1e-5, "bf16": 2e-2}
"""By how much a compiled step's gradient may differ, as a share of the largest: sums of some
hundred numbers in another order, of 24 bits and of 8."""


def network() -> UNet:
    """One that does not say zero, as an untrained one would."""
    torch.manual_seed(0)
    unet = build.network(CONFIG, describe(CONFIG.data)).eval().requires_grad_(False)
    for weight in unet.parameters():
        weight.add_(0.1 * torch.randn_like(weight))
    return unet


def asked() -> tuple[Tensor, Tensor, Conditioning]:
    x_t = torch.randn(5, 1, 8, 8, generator=torch.Generator().manual_seed(1))
    return x_t, torch.arange(5) % 4, Conditioning(labels=torch.arange(5))


def test_a_network_that_is_not_to_be_compiled_is_itself() -> None:
    plain = network()
    assert compiled(plain, "off") is plain


@pytest.mark.slow  # torch's compiler takes seconds to import
def test_without_a_compiler_the_network_runs_as_it_is_and_says_so_once(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    from torch._dynamo.exc import TorchDynamoException

    calls = []

    def broken(function: Callable[..., Tensor], **options: Any) -> Callable[..., Tensor]:
        def call(*given: Any) -> Tensor:
            calls.append(given)
            raise TorchDynamoException("InvalidCxxCompiler: No working C++ compiler\nand more")

        return call

    monkeypatch.setattr(torch, "compile", broken)
    plain = network()
    ours = compiled(plain, "kernels")
    with caplog.at_level(logging.WARNING):
        found = [ours(*asked()) for _ in range(3)]
    assert all(torch.equal(one, plain(*asked())) for one in found)
    assert len(calls) == 1
    assert [record.message for record in caplog.records] == [
        "torch.compile: expected a compiler that works on cpu, found none (InvalidCxxCompiler: No "
        "working C++ compiler); the network runs without, which moves no number but takes longer"
    ]


@pytest.mark.slow
def test_an_error_of_the_network_itself_is_no_missing_compiler(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(torch, "compile", lambda function, **options: function)
    with pytest.raises(ValueError, match=r"conditioning.labels: expected a tensor, found None"):
        compiled(network(), "kernels")(*asked()[:2], None)
    assert not caplog.records


@pytest.mark.slow
@pytest.mark.parametrize("precision", ["float32", "bf16"])
def test_a_compiled_step_is_the_eager_step_to_rounding(precision: Precision) -> None:
    """Dropout and all: what it drops is drawn alike."""
    config = replace(CONFIG, precision=precision, block_size=None)
    eager, ours = (Training(config, compiling=how) for how in ("off", "kernels"))
    for _ in range(4):
        ours.weights.vector.data.copy_(eager.weights.vector.detach())
        for training in (eager, ours):
            training.advance()
        found, expected = ours.weights.gradient, eager.weights.gradient
        bound = BOUNDS[precision] * float(expected.abs().max())
        torch.testing.assert_close(found, expected, rtol=0, atol=bound)
    assert torch._dynamo.utils.counters["stats"]["unique_graphs"] > 0
    assert not torch._dynamo.utils.counters["graph_break"]


@pytest.mark.slow
def test_a_compiler_that_is_missing_is_met_by_torch_itself(
    caplog: pytest.LogCaptureFixture,
) -> None:
    plain = network()
    torch._dynamo.reset()
    with torch._inductor.config.patch({"cpp.cxx": ("no-such-compiler",)}):
        found = compiled(plain, "kernels")(*asked())
    assert torch.equal(found, plain(*asked()))
    assert "the network runs without" in caplog.text
