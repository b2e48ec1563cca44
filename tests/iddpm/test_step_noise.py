"""The Brownian motion that chains of any length share: its law, and what they have in common."""

import math
from itertools import pairwise
from typing import get_args

import pytest
import torch
from torch import Tensor

from iddpm.config import FixedVariance, StepNoise
from iddpm.denoiser import Denoiser
from iddpm.diffusion import Diffusion
from iddpm.samplers import ancestral, ddim
from iddpm.schedules import cosine_betas
from iddpm.step_noise import brownian
from iddpm.strides import stride_timesteps
from tests.witness.gaussian_chains import GaussianPixels

TOTAL = 50
BETAS = cosine_betas(TOTAL)
WHOLE = tuple(range(TOTAL))
CHAINS = {
    "whole": WHOLE,
    "even": stride_timesteps("even", TOTAL, 7),
    "constant": stride_timesteps("constant", TOTAL, 8),
    "neither end": (3, 4, 17, 40),
}
each_chain = pytest.mark.parametrize("kept", CHAINS.values(), ids=CHAINS)


def generator(seed: int = 5) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def noise_of(kept: tuple[int, ...], *shape: int, seed: int = 5) -> Tensor:
    """Of each step but the last, stacked, the noisiest first."""
    like = torch.zeros(shape, dtype=torch.float64)
    chain = Diffusion.from_betas(BETAS).respaced(kept)
    return torch.stack(list(brownian(generator(seed), chain, like)))


@each_chain
def test_the_noise_of_the_steps_is_white(kept: tuple[int, ...]) -> None:
    drawn = noise_of(kept, 20_000)
    assert drawn.shape == (len(kept) - 1, 20_000)
    errors = 5 / math.sqrt(20_000)
    torch.testing.assert_close(
        drawn @ drawn.T / 20_000, torch.eye(len(drawn)).double(), rtol=0, atol=1.5 * errors
    )
    torch.testing.assert_close(
        drawn.mean(dim=1), torch.zeros(len(drawn)).double(), rtol=0, atol=errors
    )


@each_chain
def test_a_long_step_adds_what_the_short_ones_that_it_spans_add_together(
    kept: tuple[int, ...],
) -> None:
    single = noise_of(WHOLE, 3, 2).flip(0)  # of the steps that leave t = 1, 2, ...
    spans = list(pairwise(kept))[::-1]
    expected = [single[low:high].sum(dim=0) / math.sqrt(high - low) for low, high in spans]
    torch.testing.assert_close(noise_of(kept, 3, 2), torch.stack(expected))


def test_images_side_by_side_draw_what_each_draws_alone() -> None:
    like, chain = torch.zeros(4, 3), Diffusion.from_betas(BETAS)
    both = list(brownian([generator(1), generator(2)], chain, like))
    alone = [list(brownian(generator(seed), chain, like[:2])) for seed in (1, 2)]
    for together, *parts in zip(both, *alone, strict=True):
        assert torch.equal(together, torch.cat(parts))


def test_nothing_is_drawn_from_the_generator_itself() -> None:
    source = generator()
    before = source.get_state()
    first, again = (
        list(brownian(source, Diffusion.from_betas(BETAS), torch.zeros(3))) for _ in "ab"
    )
    assert torch.equal(torch.stack(first), torch.stack(again))
    assert torch.equal(source.get_state(), before)


def images(
    data: GaussianPixels,
    kept: tuple[int, ...],
    noise: StepNoise = "brownian",
    *,
    variance: FixedVariance = "beta",
    start: int | None = None,
) -> Tensor:
    """Samples by the network that knows the data, all from the same x_T."""
    chain = Diffusion.from_betas(BETAS).respaced(kept)
    x_T = torch.randn(50, 1, 20, 20, generator=generator(1), dtype=torch.float64)
    return ancestral(
        Denoiser(network=data.network(BETAS, "eps"), diffusion=chain),
        x_T,
        variance=variance,
        clip=False,
        generator=generator(),
        noise=noise,
        start=start,
    )


@pytest.mark.parametrize("start", [1, 20, 49])
def test_of_white_images_no_step_at_the_noisy_end_can_be_missed(start: int) -> None:
    """Their reverse steps are what a skipped prefix is replaced by."""
    white = GaussianPixels(mean=0.0, sd=1.0)
    torch.testing.assert_close(images(white, WHOLE, start=start), images(white, WHOLE))


@pytest.mark.parametrize(
    ("kept", "start"), [(stride_timesteps("even", TOTAL, 10), None), (WHOLE, 40)]
)
def test_a_shorter_chain_makes_nearly_the_same_images(
    kept: tuple[int, ...], start: int | None
) -> None:
    data = GaussianPixels(mean=0.3, sd=0.4)

    def alike(noise: StepNoise) -> float:
        pair = torch.stack(
            [images(data, WHOLE, noise).flatten(), images(data, kept, noise, start=start).flatten()]
        )
        return torch.corrcoef(pair)[0, 1].item()

    assert alike("independent") < 0.75
    assert alike("brownian") > 0.95


@pytest.mark.parametrize(("eta", "least"), [(0.0, 0.9999), (0.3, 0.9), (1.0, 0.9999)])
@pytest.mark.parametrize("start", [20, 40, 48])
def test_ddim_that_leaves_steps_out_begins_like_the_whole_chain(
    eta: float, least: float, start: int
) -> None:
    """Of white images its own steps scale down; what a shorter chain begins with does not."""
    white, few = GaussianPixels(mean=0.0, sd=1.0), GaussianPixels(mean=0.3, sd=0.4)

    def drawn(data: GaussianPixels, start: int | None) -> Tensor:
        return ddim(
            Denoiser(network=data.network(BETAS, "eps"), diffusion=Diffusion.from_betas(BETAS)),
            torch.randn(50, 1, 20, 20, generator=generator(1), dtype=torch.float64),
            eta=eta,
            clip=False,
            generator=generator(),
            noise="brownian",
            start=start,
        )

    def alike(data: GaussianPixels) -> float:
        pair = [drawn(data, end).flatten() for end in (None, start)]
        return torch.corrcoef(torch.stack(pair))[0, 1].item()

    assert alike(white) > least
    assert alike(few) > 0.95


def test_ddim_steps_along_the_same_path() -> None:
    data, chain = GaussianPixels(mean=0.3, sd=0.4), Diffusion.from_betas(BETAS)
    one = ddim(
        Denoiser(network=data.network(BETAS, "eps"), diffusion=chain),
        torch.randn(50, 1, 20, 20, generator=generator(1), dtype=torch.float64),
        eta=1.0,
        clip=False,
        generator=generator(),
        noise="brownian",
    )
    torch.testing.assert_close(one, images(data, WHOLE, variance="beta_tilde"))


@pytest.mark.parametrize("start", [None, 20])
def test_ddim_without_noise_draws_no_path(start: int | None) -> None:
    data, chain = GaussianPixels(mean=0.3, sd=0.4), Diffusion.from_betas(BETAS)
    with_path, without = (
        ddim(
            Denoiser(network=data.network(BETAS, "eps"), diffusion=chain),
            torch.randn(2, 1, 3, 3, generator=generator(1), dtype=torch.float64),
            eta=0,
            clip=False,
            generator=generator(),
            noise=noise,
            start=start,
        )
        for noise in get_args(StepNoise)
    )
    assert torch.equal(with_path, without)
