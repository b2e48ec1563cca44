import math
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from iddpm.config import LearnedVariance, Prediction, Variance
from iddpm.denoiser import Denoiser, Output, split
from iddpm.diffusion import Diffusion
from iddpm.networks.conditioning import Conditioning
from iddpm.schedules import linear_betas, variance_ratio
from tests.witness.diffusers_schedulers import scheduler

STEPS = 50
DIFFUSION = Diffusion.from_betas(linear_betas(STEPS))
T = torch.tensor([0, 1, 7, 25, 49])


def images(seed: int, channels: int = 2) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(5, channels, 3, 3, generator=generator, dtype=torch.float64)


def silent(x_t: Tensor, numbers: Tensor, conditioning: Conditioning | None) -> Tensor:
    return x_t


def denoiser(
    prediction: Prediction = "eps", learned_variance: LearnedVariance | None = None
) -> Denoiser:
    return Denoiser(
        network=silent,
        diffusion=DIFFUSION,
        prediction=prediction,
        learned_variance=learned_variance,
    )


@pytest.mark.parametrize("prediction", ["eps", "x_0", "v"])
def test_a_network_that_knows_the_answer_implies_the_clean_image(prediction: Prediction) -> None:
    x_0, eps = images(0), images(1)
    x_t = DIFFUSION.noised(x_0, T, eps)
    answers = {"eps": eps, "x_0": x_0, "v": DIFFUSION.v_from(x_0, T, eps)}
    told = Output(answers[prediction], None)
    torch.testing.assert_close(denoiser(prediction).x_0(told, x_t, T, clip=False), x_0)


def test_clipping_holds_the_implied_image_to_its_range() -> None:
    x_0 = images(0)
    held = denoiser("x_0").x_0(Output(x_0, None), images(1), T, clip=True)
    assert torch.equal(held, x_0.clip(-1, 1))
    assert not torch.equal(held, x_0)


def test_the_mean_of_the_step_back_is_eq_13() -> None:
    x_t, eps = images(0), images(1)
    p = denoiser().reverse(Output(eps, None), x_t, T, variance="beta", clip=False)
    beta = torch.from_numpy(linear_betas(STEPS))
    alpha_bar = torch.cumprod(1 - beta, 0)
    for image, t in enumerate(T.tolist()):
        share = beta[t] / (1 - alpha_bar[t]).sqrt()
        expected = (x_t[image] - share * eps[image]) / (1 - beta[t]).sqrt()
        torch.testing.assert_close(p.mean[image], expected)


def test_the_step_back_uses_an_implied_image_that_is_at_hand() -> None:
    told, x_t = Output(images(0), None), images(1)
    one = denoiser()
    x_0 = one.x_0(told, x_t, T, clip=True)
    given = one.reverse(told, x_t, T, variance="beta", clip=True, x_0=x_0)
    assert torch.equal(given.mean, one.reverse(told, x_t, T, variance="beta", clip=True).mean)
    other = one.reverse(told, x_t, T, variance="beta", clip=True, x_0=0 * x_0)
    assert not torch.equal(given.mean, other.mean)


def test_one_network_is_read_with_both_fixed_variances() -> None:
    told, x_t = Output(images(0), None), images(1)
    log_betas = torch.from_numpy(linear_betas(STEPS)).log()
    expected: dict[Variance, Tensor] = {
        "beta": log_betas,
        "beta_tilde": log_betas + torch.from_numpy(variance_ratio(linear_betas(STEPS))).log(),
    }
    for variance, table in expected.items():
        p = denoiser().reverse(told, x_t, T, variance=variance, clip=False)
        torch.testing.assert_close(p.log_variance.ravel()[1:], table[T[1:]])
        assert p.log_variance[0].item() == pytest.approx(DIFFUSION.beta_tildes[1].log().item())


def test_a_learned_variance_is_the_networks_own_log_variance() -> None:
    told = Output(images(0), images(1))
    p = denoiser(learned_variance="learned").reverse(
        told, images(2), T, variance="learned", clip=False
    )
    assert torch.equal(p.log_variance, images(1))


@pytest.mark.parametrize(
    ("said", "end"), [(-1.0, DIFFUSION.log_beta_tildes), (1.0, DIFFUSION.log_betas)]
)
def test_a_range_variance_goes_from_beta_tilde_to_beta(said: float, end: Tensor) -> None:
    told = Output(images(0), torch.full((5, 2, 3, 3), said, dtype=torch.float64))
    log_variance = denoiser(learned_variance="range").log_variance(told, T, "range")
    torch.testing.assert_close(log_variance, end[T].view(5, 1, 1, 1).expand(5, 2, 3, 3))


def test_a_range_variance_is_not_held_to_its_range() -> None:
    told = Output(images(0), torch.full((5, 2, 3, 3), 3.0, dtype=torch.float64))
    beyond = denoiser(learned_variance="range").log_variance(told, T, "range")
    low, high = DIFFUSION.log_beta_tildes[T], DIFFUSION.log_betas[T]
    torch.testing.assert_close(beyond[:, 0, 0, 0], 2 * high - low)


def test_range_variances_are_those_of_diffusers() -> None:
    peer = scheduler("DDPMScheduler", linear_betas(STEPS), 10, variance_type="learned_range")
    chain = DIFFUSION.respaced(sorted(peer.timesteps.tolist()))
    short = replace(denoiser(learned_variance="range"), diffusion=chain)
    said = images(1)
    for t in range(1, 10):  # at index 0 the peer keeps a variance of 1e-20
        ours = short.log_variance(Output(images(0), said), t, "range")
        theirs = peer._get_variance(int(chain.timesteps[t]), predicted_variance=said)
        torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-4)  # float32 tables there


def test_the_network_is_told_the_original_step_numbers_and_the_conditioning() -> None:
    heard: list[tuple[list[int], Conditioning | None]] = []

    def listening(x_t: Tensor, numbers: Tensor, conditioning: Conditioning | None) -> Tensor:
        assert (numbers.dtype, numbers.shape) == (torch.int64, (5,))
        heard.append((numbers.tolist(), conditioning))
        return x_t

    chain = DIFFUSION.respaced([0, 10, 49])
    short = replace(denoiser(), network=listening, diffusion=chain)
    labels = Conditioning(labels=torch.arange(5))
    short.output(images(0), torch.tensor([0, 1, 2, 1, 0]), labels)
    short.output(images(0), 1)
    assert heard == [([0, 10, 49, 10, 0], labels), ([10] * 5, None)]


def test_what_a_network_says_in_bfloat16_is_read_in_the_dtype_of_the_images() -> None:
    short = replace(denoiser(), network=lambda x_t, *_: x_t.bfloat16())
    assert short.output(images(0), 3).prediction.dtype == torch.float64


def test_an_output_is_split_into_prediction_and_variance() -> None:
    whole = images(0, channels=4)
    prediction, variance = split(whole, 2, "range")
    assert variance is not None
    assert torch.equal(torch.cat([prediction, variance], 1), whole)
    assert split(images(0), 2, None).variance is None


@pytest.mark.parametrize(("learned", "expected"), [(None, 2), ("range", 4)])
def test_a_network_of_other_channels_than_declared_is_refused(
    learned: LearnedVariance | None, expected: int
) -> None:
    with pytest.raises(ValueError, match=rf"denoiser.network: expected {expected} output channels"):
        split(images(0, channels=3), 2, learned)


def test_a_step_outside_the_chain_is_refused() -> None:
    with pytest.raises(ValueError, match="expected t from 0 to 49, found 50"):
        denoiser().output(images(0), STEPS)


@pytest.mark.parametrize(
    ("learned", "asked"), [(None, "range"), ("learned", "range"), ("range", "learned")]
)
def test_a_variance_that_was_not_learned_is_refused(
    learned: LearnedVariance | None, asked: Variance
) -> None:
    told = Output(images(0), None if learned is None else images(1))
    with pytest.raises(ValueError, match=f"found '{asked}' .it learned {learned or 'none'}.; take"):
        denoiser(learned_variance=learned).reverse(told, images(2), T, variance=asked, clip=False)


def test_a_detached_mean_keeps_the_variances_gradient() -> None:
    said = Output(images(0).requires_grad_(), images(1).requires_grad_())
    read = said.detached_mean()
    assert read.variance is said.variance
    assert not read.prediction.requires_grad
    assert math.isclose(read.prediction.sum().item(), said.prediction.sum().item())
