import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from iddpm.config import FixedVariance, Prediction, StepNoise
from iddpm.denoiser import Denoiser
from iddpm.diffusion import Diffusion
from iddpm.networks.conditioning import Conditioning
from iddpm.samplers import ancestral, ddim, to_uint8
from iddpm.schedules import cosine_betas, linear_betas
from iddpm.strides import stride_timesteps
from tests.witness.diffusers_schedulers import scheduler
from tests.witness.gaussian_chains import GaussianPixels, links

TOTAL = 40
BETAS = cosine_betas(TOTAL)
DATA = GaussianPixels(mean=0.3, sd=0.4)
PIXELS = 40_000
STRIDES = pytest.mark.parametrize(
    ("kept", "start"),
    [
        (tuple(range(TOTAL)), None),
        (stride_timesteps("even", TOTAL, 7), None),
        (stride_timesteps("constant", TOTAL, 8), 6),
        ((0, 1, 5, 20, 39), 4),
    ],
    ids=["whole", "even", "constant, prefix skipped", "explicit, prefix skipped"],
)


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def noise(*shape: int) -> Tensor:
    return torch.randn(shape, generator=generator(1), dtype=torch.float64)


def best_denoiser(kept: tuple[int, ...], prediction: Prediction = "eps") -> Denoiser:
    return Denoiser(
        network=DATA.network(BETAS, prediction),
        diffusion=Diffusion.from_betas(BETAS).respaced(kept),
        prediction=prediction,
    )


def check_moments(x: Tensor, mean: float, variance: float) -> None:
    """To 4 standard errors of normal pixels."""
    assert x.mean().item() == pytest.approx(mean, abs=4 * math.sqrt(variance / PIXELS))
    assert x.var().item() == pytest.approx(variance, abs=4 * variance * math.sqrt(2 / PIXELS))


@STRIDES
@pytest.mark.parametrize(
    ("variance", "drawn"),
    [("beta", "independent"), ("beta_tilde", "independent"), ("beta", "brownian")],
)
def test_ancestral_samples_follow_the_exact_recursion(
    kept: tuple[int, ...], start: int | None, variance: FixedVariance, drawn: StepNoise
) -> None:
    x = ancestral(
        best_denoiser(kept),
        noise(100, 1, 20, 20),
        variance=variance,
        clip=False,
        generator=generator(),
        noise=drawn,
        start=start,
    )
    chain = links(BETAS, kept)[:start]
    wide = [link.step[1] for link in chain]
    narrow = [link.posterior(0.0, 0.0)[1] for link in chain]
    check_moments(x, *DATA.ancestral(chain, wide if variance == "beta" else narrow))


@STRIDES
def test_ancestral_samples_with_a_learned_variance_follow_the_exact_recursion(
    kept: tuple[int, ...], start: int | None
) -> None:
    chain, best = links(BETAS, kept), DATA.network(BETAS, "v")
    log_variances = torch.zeros(TOTAL, dtype=torch.float64)
    log_variances[list(kept)] = torch.tensor(
        [math.log(DATA.reverse_variance(link)) for link in chain], dtype=torch.float64
    )

    def exact(x_t: Tensor, numbers: Tensor, conditioning: Conditioning | None) -> Tensor:
        variance = log_variances[numbers].view(-1, 1, 1, 1).expand_as(x_t)
        return torch.cat([best(x_t, numbers, conditioning), variance], dim=1)

    denoiser = replace(best_denoiser(kept, "v"), network=exact, learned_variance="learned")
    x = ancestral(
        denoiser,
        noise(100, 1, 20, 20),
        variance="learned",
        clip=False,
        generator=generator(),
        start=start,
    )
    variances = [DATA.reverse_variance(link) for link in chain[:start]]
    check_moments(x, *DATA.ancestral(chain[:start], variances))


@STRIDES
@pytest.mark.parametrize("eta", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("prediction", ["eps", "x_0", "v"])
def test_ddim_samples_follow_the_exact_recursion(
    kept: tuple[int, ...], start: int | None, eta: float, prediction: Prediction
) -> None:
    x = ddim(
        best_denoiser(kept, prediction),
        noise(100, 1, 20, 20),
        eta=eta,
        clip=False,
        generator=generator(),
        start=start,
    )
    check_moments(x, *DATA.ddim(links(BETAS, kept)[:start], eta))


@pytest.mark.parametrize("variance", ["beta", "beta_tilde"])
@pytest.mark.parametrize("clip", [False, True])
def test_ancestral_chains_are_those_of_diffusers(variance: FixedVariance, clip: bool) -> None:
    variance_type = {"beta": "fixed_large", "beta_tilde": "fixed_small"}[variance]
    peer = scheduler(
        "DDPMScheduler", linear_betas(100), 20, variance_type=variance_type, clip_sample=clip
    )
    draws, x_T = generator(), noise(4, 2, 3, 3)
    x = x_T
    for number in peer.timesteps:
        x = peer.step(bent(x, number.expand(4), None), number, x, generator=draws).prev_sample
    ours = ancestral(bent_denoiser(), x_T, variance=variance, clip=clip, generator=generator())
    torch.testing.assert_close(ours, x, rtol=1e-4, atol=1e-4)  # float32 tables there


@pytest.mark.parametrize("eta", [0.0, 0.7])
@pytest.mark.parametrize("clip", [False, True])
def test_ddim_chains_are_those_of_diffusers(eta: float, clip: bool) -> None:
    peer = scheduler("DDIMScheduler", linear_betas(100), 20, clip_sample=clip)
    draws, x_T = generator(), noise(4, 2, 3, 3)
    x = x_T
    for number in peer.timesteps:
        eps = bent(x, number.expand(4), None)
        x = peer.step(
            eps, number, x, eta=eta, use_clipped_model_output=True, generator=draws
        ).prev_sample
    ours = ddim(bent_denoiser(), x_T, eta=eta, clip=clip, generator=generator())
    torch.testing.assert_close(ours, x, rtol=1e-4, atol=1e-4)  # float32 tables there


def bent(x_t: Tensor, numbers: Tensor, conditioning: Conditioning | None) -> Tensor:
    """Some network that is not linear."""
    return torch.tanh(x_t + 0.01 * numbers.view(-1, 1, 1, 1)) + 0.3 * torch.sin(3 * x_t)


def bent_denoiser() -> Denoiser:
    chain = Diffusion.from_betas(linear_betas(100))
    return Denoiser(network=bent, diffusion=chain.respaced(stride_timesteps("constant", 100, 20)))


@pytest.mark.parametrize("clip", [False, True])
def test_ddim_with_eta_1_is_ancestral_sampling_with_beta_tilde(clip: bool) -> None:
    x_T, denoiser = noise(4, 2, 3, 3), bent_denoiser()
    one = ddim(denoiser, x_T, eta=1.0, clip=clip, generator=generator())
    other = ancestral(denoiser, x_T, variance="beta_tilde", clip=clip, generator=generator())
    torch.testing.assert_close(one, other)


def test_ddim_without_noise_is_a_function_of_where_it_starts() -> None:
    x_T, draws = noise(2, 1, 3, 3), generator()
    before = draws.get_state()
    one, two = (ddim(bent_denoiser(), x_T, eta=0, clip=True, generator=draws) for _ in range(2))
    assert torch.equal(one, two)
    assert torch.equal(draws.get_state(), before)


def test_clipping_holds_images_to_their_range() -> None:
    far = Denoiser(
        network=lambda x_t, *_: 3 + 0 * x_t,
        diffusion=Diffusion.from_betas(BETAS),
        prediction="x_0",
    )
    x_T, ones = noise(2, 1, 3, 3), torch.ones(2, 1, 3, 3, dtype=torch.float64)
    for clip, expected in ((True, ones), (False, 3 * ones)):
        drawn = ancestral(far, x_T, variance="beta", clip=clip, generator=generator())
        implicit = ddim(far, x_T, eta=0.0, clip=clip, generator=generator())
        torch.testing.assert_close(drawn, expected)
        torch.testing.assert_close(implicit, expected)


@pytest.mark.parametrize("start", [None, 3, 1])
@pytest.mark.parametrize("sampler", ["ancestral", "ddim"])
def test_each_step_is_one_network_call_on_original_numbers_and_is_told_of(
    sampler: str, start: int | None
) -> None:
    heard: list[int] = []
    labels = Conditioning(labels=torch.tensor([4, 5]))

    def listening(x_t: Tensor, numbers: Tensor, conditioning: Conditioning | None) -> Tensor:
        assert conditioning is labels
        assert not torch.is_grad_enabled()
        heard.extend(set(numbers.tolist()))
        return x_t

    denoiser = replace(best_denoiser((0, 2, 7, 20, 39)), network=listening)
    rest: dict[str, Any] = {
        "clip": True,
        "generator": generator(),
        "conditioning": labels,
        "start": start,
    }
    if sampler == "ancestral":
        ancestral(denoiser, noise(2, 1, 3, 3), variance="beta", **rest)
    else:
        ddim(denoiser, noise(2, 1, 3, 3), eta=0.5, **rest)
    assert heard == [39, 20, 7, 2, 0][-(start or 5) :]


@pytest.mark.parametrize("start", [0, 41])
def test_a_start_outside_the_chain_is_refused(start: int) -> None:
    denoiser, x_T = best_denoiser(tuple(range(TOTAL))), noise(2, 1, 3, 3)
    with pytest.raises(
        ValueError, match=f"start: expected from 1 to the chain's 40, found {start}"
    ):
        ddim(denoiser, x_T, eta=0.0, clip=True, generator=generator(), start=start)


@pytest.mark.parametrize("eta", [-0.1, 1.1, math.nan])
def test_an_eta_that_is_no_share_is_refused(eta: float) -> None:
    denoiser = best_denoiser(tuple(range(TOTAL)))
    with pytest.raises(ValueError, match=r"samplers.ddim.eta: expected a number in \[0, 1\]"):
        ddim(denoiser, noise(2, 1, 3, 3), eta=eta, clip=True, generator=generator())


@pytest.mark.parametrize("levels", [2, 17, 255])
def test_images_go_to_the_nearest_level(levels: int) -> None:
    exact = np.linspace(-1, 1, levels)
    shaken = exact + np.resize([0.3, -0.45], levels) * 2 / (levels - 1)
    pixels = to_uint8(torch.from_numpy(shaken).view(1, 1, 1, levels), levels)
    assert pixels.dtype == torch.uint8
    assert pixels.shape == (1, 1, levels, 1)
    assert pixels.ravel().tolist() == list(range(levels))


def test_8_bit_images_are_truncated_as_in_the_official_code() -> None:
    x = torch.linspace(-1.2, 1.2, 2 * 3 * 4 * 5).view(2, 3, 4, 5)
    official = ((x + 1) * 127.5).clamp(0, 255).to(torch.uint8).permute(0, 2, 3, 1)
    assert torch.equal(to_uint8(x, 256), official)


def test_images_that_are_not_finite_are_refused() -> None:
    x = torch.tensor([0.0, math.nan, math.inf, 1.0]).view(1, 1, 2, 2)
    with pytest.raises(
        ValueError, match=r"expected finite pixels, found 2 that are not; the network"
    ):
        to_uint8(x, 17)


@pytest.mark.parametrize("levels", [1, 257])
def test_levels_that_do_not_fit_a_byte_are_refused(levels: int) -> None:
    with pytest.raises(ValueError, match=f"expected from 2 to 256 levels, found {levels}"):
        to_uint8(torch.zeros(1, 1, 2, 2), levels)
