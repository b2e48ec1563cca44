"""Two networks on one chain: which is asked at which step, and that two equal ones are one."""

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from iddpm import build, samplers
from iddpm.bounds import ConfigError
from iddpm.config import Digits, LossSecondMoment, Uniform, Vlb
from iddpm.data import describe, load
from iddpm.denoiser import Denoiser
from iddpm.diffusion import Diffusion
from iddpm.evaluation.config import Ends
from iddpm.evaluation.likelihood import Reading
from iddpm.networks.conditioning import Conditioning
from iddpm.networks.ensembles import SwitchedNetwork
from iddpm.running.draws import generator
from iddpm.schedules import betas
from iddpm.strides import even
from tests.witness import tiny


class Spy:
    """A network that says its own constant, and remembers the steps that it was asked at."""

    def __init__(self, value: float) -> None:
        self.value = value
        self.asked: list[int] = []

    def __call__(self, x_t: Tensor, t: Tensor, conditioning: Conditioning | None) -> Tensor:
        self.asked += t.tolist()
        return torch.full_like(x_t, self.value)


def sampled(network: SwitchedNetwork, diffusion: Diffusion) -> None:
    denoiser = Denoiser(network=network, diffusion=diffusion)
    x_T = torch.randn(1, 1, 2, 2, generator=generator(0, "x"))
    samplers.ancestral(denoiser, x_T, variance="beta", clip=True, generator=generator(0, "noise"))


@pytest.mark.parametrize(
    ("total", "kept"),
    [(40, range(40)), (1000, even(1000, 5)), (1000, even(1000, 100)), (4000, even(4000, 100))],
)
def test_the_steps_of_the_trained_chain_decide_who_is_asked(
    total: int, kept: tuple[int, ...]
) -> None:
    inner, outer = Spy(0.1), Spy(0.2)
    steps = Ends().inner_steps(total)
    network = SwitchedNetwork(inner=inner, outer=outer, inner_steps=steps)
    sampled(network, Diffusion.from_betas(betas("cosine", total)).respaced(list(kept)))
    ends = total // 40
    assert outer.asked == [t for t in reversed(kept) if t < ends or t >= total - ends]
    assert inner.asked == [t for t in reversed(kept) if ends <= t < total - ends]
    assert len(outer.asked) >= 2


def test_the_paper_s_ensemble_asks_its_vlb_network_at_100_of_4000_steps_at_each_end() -> None:
    assert Ends().inner_steps(4000) == range(100, 3900)
    assert Ends() == Ends(objective=Vlb(), timesteps=LossSecondMoment(), share=0.025)


def test_images_at_steps_of_both_get_each_their_own() -> None:
    network = SwitchedNetwork(inner=Spy(1.0), outer=Spy(2.0), inner_steps=range(3, 6))
    output = network(torch.zeros(5, 1, 2, 2), torch.tensor([2, 3, 5, 6, 0]), None)
    assert output.mean((1, 2, 3)).tolist() == [2.0, 1.0, 1.0, 2.0, 2.0]


def test_two_equal_networks_are_one_bit_for_bit() -> None:
    torch.manual_seed(0)
    unet = build.network(tiny.TRAINING, describe(Digits())).eval().requires_grad_(False)
    for weight in unet.parameters():
        weight.add_(0.1 * torch.randn_like(weight))
    alone = build.denoiser(tiny.TRAINING, unet, build.diffusion(tiny.TRAINING.diffusion))
    both = SwitchedNetwork(inner=unet, outer=unet, inner_steps=range(2, 8))
    together = replace(alone, network=both)
    x_T = torch.randn(2, 1, 8, 8, generator=generator(0, "x_T"))
    drawn = [
        samplers.ancestral(one, x_T, variance="range", clip=True, generator=generator(0, "r"))
        for one in (alone, together)
    ]
    assert torch.equal(*drawn)
    readings = [
        Reading(denoiser=one, levels=17, variances=("range",), clip=True, block_size=2, seed=0)
        for one in (alone, together)
    ]
    images = load(Digits(), "test").images[:3]
    ours, theirs = (r.bound(r.blocks(images), dimensions=64).as_json() for r in readings)
    assert ours == theirs


@pytest.mark.parametrize("share", [0.0, 0.5, -0.1])
def test_a_share_that_leaves_nothing_to_one_of_them_is_refused(share: float) -> None:
    with pytest.raises(ConfigError, match=r"ensemble.ends.share: expected a share in \(0, 0.5\)"):
        Ends(share=share)


def test_the_second_network_is_trained_like_the_first_but_for_its_loss() -> None:
    partner = Ends(timesteps=Uniform()).partner(tiny.TRAINING)
    assert partner == replace(tiny.TRAINING, objective=Vlb(), timesteps=Uniform())
