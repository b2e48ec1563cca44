import math

import numpy as np
import pytest
import torch
from scipy import stats
from torch import Tensor
from torch.distributions import Normal, kl_divergence

from iddpm.config import Hybrid, Objective, Prediction, Simple, Variance, Vlb
from iddpm.denoiser import Denoiser
from iddpm.diffusion import Diffusion
from iddpm.gaussians import Gaussian, kl
from iddpm.networks.conditioning import Conditioning
from iddpm.objectives import objective_losses, vlb_term
from iddpm.schedules import cosine_betas
from tests.witness.gaussian_chains import GaussianPixels, links

BETAS = np.array([0.02, 0.1, 0.3, 0.6])
DIFFUSION = Diffusion.from_betas(BETAS)
LEVELS = 9


def images(seed: int, count: int = 4) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(count, 1, 2, 2, generator=generator, dtype=torch.float64)


def on_levels(seed: int, count: int = 4) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    indices = torch.randint(LEVELS, (count, 1, 2, 2), generator=generator)
    return indices.double() * 2 / (LEVELS - 1) - 1


def opinionated(x_t: Tensor, numbers: Tensor, conditioning: Conditioning | None) -> Tensor:
    """Some prediction and some variance, neither a good one."""
    prediction = 0.6 * x_t + 0.1 * numbers.view(-1, 1, 1, 1)
    return torch.cat([prediction, 0.4 * torch.cos(2 * x_t)], dim=1)


OPINIONATED = Denoiser(network=opinionated, diffusion=DIFFUSION, learned_variance="range")


def test_the_terms_of_the_bound_add_up_to_the_log_ratio_of_whole_chains() -> None:
    chains, level = 100_000, 6
    x_0 = torch.full((chains, 1, 1, 1), level * 2 / (LEVELS - 1) - 1, dtype=torch.float64)
    path = forward_path(x_0)
    brute = log_q(path) - log_p(path, level)
    terms = sum(bound_term(path, t) for t in range(len(BETAS)))
    prior = kl(DIFFUSION.marginal(x_0, 3), standard_normal(x_0)).ravel()
    ours = terms * math.log(2) + prior
    error = (ours - brute).std().item() / math.sqrt(chains)
    approximated_cdf = 1e-3
    assert (ours - brute).mean().item() == pytest.approx(0, abs=4 * error + approximated_cdf)
    assert error < 0.01


def bound_term(path: list[Tensor], t: int) -> Tensor:
    steps = torch.full((len(path[0]),), t)
    output = OPINIONATED.output(path[t + 1], steps)
    return vlb_term(
        OPINIONATED, output, path[0], path[t + 1], steps, variance="range", levels=LEVELS
    )


def standard_normal(like: Tensor) -> Gaussian:
    return Gaussian(torch.zeros_like(like), torch.zeros_like(like))


def forward_path(x_0: Tensor) -> list[Tensor]:
    """x_0 to x_T, by Eq. 2."""
    generator = torch.Generator().manual_seed(0)
    path = [x_0]
    for beta in BETAS:
        noise = torch.randn(x_0.shape, generator=generator, dtype=x_0.dtype)
        path.append(math.sqrt(1 - beta) * path[-1] + math.sqrt(beta) * noise)
    return path


def log_q(path: list[Tensor]) -> Tensor:
    """log q(x_1..x_T | x_0), in nats. Eqs. 1-2."""
    total = torch.zeros(len(path[0]), dtype=torch.float64)
    for beta, before, after in zip(BETAS, path[:-1], path[1:], strict=True):
        total += log_density(after, math.sqrt(1 - beta) * before, torch.tensor(math.log(beta)))
    return total


def log_p(path: list[Tensor], level: int) -> Tensor:
    """log p(x_0..x_T) of the opinionated network, in nats. Eqs. 3, 13, 15."""
    total = log_density(path[-1], torch.zeros_like(path[-1]), torch.tensor(0.0))
    for t in range(1, len(BETAS)):
        total += log_density(path[t], *step_back(path[t + 1], t))
    mean, log_variance = step_back(path[1], 0)
    upper = (level + 0.5) * 2 / (LEVELS - 1) - 1
    edges = (upper - 2 / (LEVELS - 1), upper)
    below, above = (stats.norm.cdf(edge, mean, torch.exp(log_variance / 2)) for edge in edges)
    return total + torch.from_numpy(np.log(above - below)).ravel()


def step_back(x_t: Tensor, t: int) -> tuple[Tensor, Tensor]:
    """Mean and log-variance of p(x_{t-1} | x_t)."""
    beta, alpha_bar = BETAS[t], np.prod(1 - BETAS[: t + 1])
    eps = 0.6 * x_t + 0.1 * t
    mean = (x_t - beta / math.sqrt(1 - alpha_bar) * eps) / math.sqrt(1 - beta)
    v = (0.4 * torch.cos(2 * x_t) + 1) / 2
    narrow = links(BETAS, range(4))[max(t, 1)].posterior(0.0, 0.0)[1]
    return mean, v * math.log(beta) + (1 - v) * math.log(narrow)


def log_density(x: Tensor, mean: Tensor, log_variance: Tensor) -> Tensor:
    """Of chains of one pixel, shape (B,)."""
    squares = (x - mean) ** 2 * torch.exp(-log_variance)
    return -0.5 * (squares + log_variance + math.log(2 * math.pi)).ravel()


def test_the_bound_of_a_perfect_denoiser_is_the_entropy_of_gaussian_data() -> None:
    table, data, count, levels = cosine_betas(20), GaussianPixels(mean=0.1, sd=0.2), 20_000, 4001
    best, chain = data.network(table, "eps"), links(table, range(20))
    log_variances = torch.tensor([math.log(data.reverse_variance(link)) for link in chain])

    def exact(x_t: Tensor, numbers: Tensor, conditioning: Conditioning | None) -> Tensor:
        variance = log_variances[numbers].view(-1, 1, 1, 1).expand_as(x_t)
        return torch.cat([best(x_t, numbers, conditioning), variance], dim=1)

    diffusion = Diffusion.from_betas(table)
    denoiser = Denoiser(network=exact, diffusion=diffusion, learned_variance="learned")
    x_0 = data.mean + data.sd * images(0, count)
    bound = kl(diffusion.marginal(x_0, 19), standard_normal(x_0)).flatten(1).mean(1)
    for t in range(20):
        steps = torch.full((count,), t)
        x_t = diffusion.noised(x_0, steps, images(t + 1, count))
        output = denoiser.output(x_t, steps)
        bits = vlb_term(denoiser, output, x_0, x_t, steps, variance="learned", levels=levels)
        bound = bound + bits * math.log(2)
    entropy = 0.5 * math.log(2 * math.pi * math.e * data.sd**2) + math.log((levels - 1) / 2)
    error = bound.std().item() / math.sqrt(count)
    assert bound.mean().item() == pytest.approx(entropy, abs=4 * error)
    assert error < 0.01


@pytest.mark.parametrize("prediction", ["eps", "x_0", "v"])
def test_the_simple_loss_is_zero_when_the_network_is_told_the_answer(
    prediction: Prediction,
) -> None:
    x_0, eps, t = on_levels(0), images(1), torch.arange(4)
    loss = objective_losses(
        Simple(), told(x_0, eps, t, prediction), x_0, t, eps, levels=LEVELS
    ).total
    torch.testing.assert_close(loss, torch.zeros(4, dtype=torch.float64))


@pytest.mark.parametrize("prediction", ["eps", "x_0", "v"])
def test_the_bounds_terms_are_zero_when_the_network_is_told_the_answer(
    prediction: Prediction,
) -> None:
    x_0, eps, t = on_levels(0, 3), images(1, 3), torch.arange(1, 4)
    denoiser = told(x_0, eps, t, prediction)
    vlb = objective_losses(Vlb(variance="beta_tilde"), denoiser, x_0, t, eps, levels=LEVELS).vlb
    assert vlb is not None
    torch.testing.assert_close(vlb, torch.zeros(3, dtype=torch.float64), rtol=0, atol=1e-12)


def told(x_0: Tensor, eps: Tensor, t: Tensor, prediction: Prediction) -> Denoiser:
    signal = torch.from_numpy(np.sqrt(np.cumprod(1 - BETAS)))[t].view(-1, 1, 1, 1)
    v = signal * eps - (1 - signal**2).sqrt() * x_0
    answer = {"eps": eps, "x_0": x_0, "v": v}[prediction]
    return Denoiser(network=lambda *_: answer, diffusion=DIFFUSION, prediction=prediction)


def test_the_simple_loss_is_the_mean_over_dimensions_of_the_squared_error() -> None:
    x_0, eps, t = on_levels(0), images(1), torch.arange(4)
    losses = objective_losses(Simple(), told(x_0, eps + 3, t, "eps"), x_0, t, eps, levels=LEVELS)
    torch.testing.assert_close(losses.total, torch.full((4,), 9.0, dtype=torch.float64))
    assert losses.simple_mse is losses.total
    assert losses.vlb is None


@pytest.mark.parametrize("variance", ["beta", "beta_tilde"])
def test_the_vlb_loss_is_t_times_the_kl_in_bits_per_dimension(variance: Variance) -> None:
    x_0, eps, t = on_levels(0, 3), images(1, 3), torch.arange(1, 4)
    guess = 0.5 * x_0
    denoiser = told(guess, eps, t, "x_0")
    losses = objective_losses(Vlb(variance=variance), denoiser, x_0, t, eps, levels=LEVELS)
    x_t, chain = DIFFUSION.noised(x_0, t, eps), links(BETAS, range(4))
    for image, step in enumerate(t.tolist()):
        pairs = list(zip(x_0[image].ravel(), x_t[image].ravel(), strict=True))
        narrow = math.sqrt(chain[step].posterior(0.0, 0.0)[1])
        wide = math.sqrt(BETAS[step]) if variance == "beta" else narrow
        total = 0.0
        for a, b in pairs:
            q = Normal(torch.tensor(chain[step].posterior(float(a), float(b))[0]), narrow)
            p = Normal(torch.tensor(chain[step].posterior(float(a) / 2, float(b))[0]), wide)
            total += kl_divergence(q, p).item()
        bits_per_dim = total / len(pairs) / math.log(2)
        assert losses.total[image].item() == pytest.approx(4 * bits_per_dim, rel=1e-5)
    assert losses.vlb is not None
    assert losses.simple_mse is None
    torch.testing.assert_close(losses.total, 4 * losses.vlb)


def test_the_hybrid_loss_adds_lambda_times_the_bound_in_bits_per_dimension() -> None:
    x_0, eps, t = on_levels(0), images(1), torch.arange(4)
    simple, vlb, hybrid = (
        objective_losses(objective, OPINIONATED, x_0, t, eps, levels=LEVELS)
        for objective in (Simple(), Vlb(), Hybrid(vlb_weight=0.25))
    )
    torch.testing.assert_close(hybrid.total, simple.total + 0.25 * vlb.total)
    assert hybrid.simple_mse is not None
    assert hybrid.vlb is not None
    torch.testing.assert_close(hybrid.simple_mse, simple.total)
    torch.testing.assert_close(4 * hybrid.vlb, vlb.total)


def test_the_hybrid_loss_moves_the_mean_by_the_squared_error_alone() -> None:
    simple, hybrid, vlb = (gradients(each) for each in (Simple(), Hybrid(vlb_weight=0.25), Vlb()))
    torch.testing.assert_close(hybrid[0], simple[0])
    torch.testing.assert_close(hybrid[1], 0.25 * vlb[1])
    assert vlb[0].abs().max() > 0
    assert vlb[1].abs().max() > 0


def gradients(objective: Objective) -> tuple[Tensor, Tensor]:
    """Of the summed loss, with respect to a network's prediction and variance."""
    x_0, eps, t = on_levels(0), images(1), torch.arange(4)
    said = torch.cat([images(2), images(3)], dim=1).requires_grad_()
    denoiser = Denoiser(network=lambda *_: said, diffusion=DIFFUSION, learned_variance="range")
    total = objective_losses(objective, denoiser, x_0, t, eps, levels=LEVELS).total.sum()
    (gradient,) = torch.autograd.grad(total, said)
    return gradient[:, :1], gradient[:, 1:]


def test_clipping_changes_the_bound_of_a_network_that_overshoots() -> None:
    x_0, eps, t = on_levels(0), images(1), torch.arange(4)
    denoiser = told(3 * torch.ones_like(x_0), eps, t, "x_0")
    x_t = DIFFUSION.noised(x_0, t, eps)
    free, held = (
        vlb_term(
            denoiser,
            denoiser.output(x_t, t),
            x_0,
            x_t,
            t,
            variance="beta",
            levels=LEVELS,
            clip=clip,
        )
        for clip in (False, True)
    )
    assert (held < free).all()


@pytest.mark.parametrize("objective", [Simple(), Vlb(), Hybrid()])
def test_every_objective_takes_one_network_call_told_the_conditioning(
    objective: Objective,
) -> None:
    heard: list[Conditioning | None] = []

    def listening(x_t: Tensor, numbers: Tensor, conditioning: Conditioning | None) -> Tensor:
        heard.append(conditioning)
        return opinionated(x_t, numbers, conditioning)

    denoiser = Denoiser(network=listening, diffusion=DIFFUSION, learned_variance="range")
    labels = Conditioning(labels=torch.arange(4))
    losses = objective_losses(
        objective,
        denoiser,
        on_levels(0),
        torch.arange(4),
        images(1),
        levels=LEVELS,
        conditioning=labels,
    )
    assert heard == [labels]
    assert losses.total.shape == (4,)


def test_a_variance_that_was_not_learned_is_refused() -> None:
    x_0, t = on_levels(0), torch.arange(4)
    with pytest.raises(ValueError, match=r"expected one that this network has, found 'range'"):
        objective_losses(Vlb(), told(x_0, x_0, t, "eps"), x_0, t, images(1), levels=LEVELS)
