import math

import numpy as np
import pytest
import torch
from scipy import stats
from torch import Tensor
from torch.distributions import Normal, kl_divergence

from iddpm.gaussians import Gaussian, discretised_log_likelihood, kl, normal_cdf, sample


def gaussian(seed: int, *shape: int) -> Gaussian:
    generator = torch.Generator().manual_seed(seed)
    mean, log_variance = torch.randn(2, *shape, generator=generator, dtype=torch.float64)
    return Gaussian(mean, log_variance)


def normal(gaussian: Gaussian) -> Normal:
    return Normal(gaussian.mean, torch.exp(gaussian.log_variance / 2))


def test_kl_is_that_of_torch_distributions() -> None:
    p, q = gaussian(0, 5, 7), gaussian(1, 5, 7)
    torch.testing.assert_close(kl(p, q), kl_divergence(normal(p), normal(q)))


def test_kl_of_nearly_equal_variances_keeps_its_digits_in_float32() -> None:
    ratio = 1e-3
    p, q = (Gaussian(torch.zeros(()), torch.tensor(value)) for value in (ratio, 0.0))
    exact = 0.5 * (math.expm1(ratio) - ratio)
    assert kl(p, q).item() == pytest.approx(exact, rel=2e-4)  # float32 rounding over the ratio


def test_normal_cdf_is_scipys_to_the_error_of_the_tanh_approximation() -> None:
    z = torch.linspace(-8, 8, 4001, dtype=torch.float64)
    assert np.abs(normal_cdf(z).numpy() - stats.norm.cdf(z.numpy())).max() < 2e-4


def test_normal_cdf_is_the_official_tanh_formula() -> None:
    z = torch.linspace(-4, 4, 101, dtype=torch.float64)
    official = 0.5 * (1 + torch.tanh(math.sqrt(2 / math.pi) * (z + 0.044715 * z**3)))
    torch.testing.assert_close(normal_cdf(z), official)


@pytest.mark.parametrize("levels", [2, 17, 256])
@pytest.mark.parametrize(("mean", "log_variance"), [(0.1, -5.0), (-0.97, -3.0), (1.4, 1.0)])
def test_the_probabilities_of_all_levels_sum_to_one(
    levels: int, mean: float, log_variance: float
) -> None:
    x = torch.linspace(-1, 1, levels, dtype=torch.float64)
    total = log_likelihood(x, mean, log_variance, levels=levels).exp().sum().item()
    assert total == pytest.approx(1, abs=levels * 1e-12)  # the floor under each probability


@pytest.mark.parametrize("levels", [17, 256])
def test_a_levels_probability_is_scipys_mass_of_its_bin(levels: int) -> None:
    x = np.linspace(-1, 1, levels)
    edges = np.concatenate([[-np.inf], (x[1:] + x[:-1]) / 2, [np.inf]])
    exact = np.diff(stats.norm.cdf(edges, loc=0.3, scale=0.4))
    ours = log_likelihood(torch.from_numpy(x), 0.3, 2 * math.log(0.4), levels=levels).exp()
    np.testing.assert_allclose(ours.numpy(), exact, atol=4e-4)  # two values of the approximation


def test_float32_tells_bins_in_either_tail_apart() -> None:
    x = torch.linspace(-1, 1, 256, dtype=torch.float64)
    exact = log_likelihood(x, 0.0, -3.5, levels=256)
    single = log_likelihood(x.float(), 0.0, -3.5, levels=256)
    torch.testing.assert_close(single.double(), exact, rtol=1e-3, atol=0)
    torch.testing.assert_close(exact, exact.flip(0))


def test_a_hopeless_pixel_is_held_at_the_official_floor() -> None:
    x = torch.tensor([1.0], dtype=torch.float64)
    assert log_likelihood(x, -1.0, -12.0, levels=256).item() == pytest.approx(math.log(1e-12))


def log_likelihood(x: Tensor, mean: float, log_variance: float, *, levels: int) -> Tensor:
    gaussian = Gaussian(torch.full_like(x, mean), torch.full_like(x, log_variance))
    return discretised_log_likelihood(x, gaussian, levels=levels)


def test_samples_have_the_mean_and_variance_of_the_gaussian() -> None:
    draws = 40_000
    wide = Gaussian(torch.full((draws,), 0.5), torch.tensor(math.log(4.0)))
    x = sample(wide, torch.Generator().manual_seed(0))
    assert abs(x.mean().item() - 0.5) < 4 * 2 / math.sqrt(draws)
    assert abs(x.var().item() - 4) < 4 * 4 * math.sqrt(2 / draws)


def test_the_same_generator_draws_the_same_sample() -> None:
    p = gaussian(0, 4)
    one, two = (sample(p, torch.Generator().manual_seed(3)) for _ in range(2))
    assert torch.equal(one, two)


def test_a_likelihood_of_mismatched_shapes_is_refused() -> None:
    with pytest.raises(ValueError, match=r"x and the mean of one shape, found \(3,\) and \(2,\)"):
        discretised_log_likelihood(torch.zeros(3), gaussian(0, 2), levels=17)


def test_a_likelihood_of_one_level_is_refused() -> None:
    with pytest.raises(ValueError, match=r"expected at least 2 levels, found 1"):
        discretised_log_likelihood(torch.zeros(2), gaussian(0, 2), levels=1)
