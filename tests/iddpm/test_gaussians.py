import math
from typing import get_args

import numpy as np
import pytest
import torch
from scipy import stats
from torch import Tensor
from torch.distributions import Normal, kl_divergence

from iddpm.config import Cdf
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


# ------------------------------------------------------------------- the official form in float32


def official(x: float, z: float, sd: float) -> float:
    """log2 of an 8-bit pixel's probability z standard deviations above the mean, by the official
    steps in NumPy's float32."""
    f = np.float32
    mean, precision, half_bin = f(x - z * sd), np.exp(f(-0.5) * f(2 * math.log(sd))), f(1 / 255)

    def cdf(z: np.float32) -> np.float32:
        inner = f(math.sqrt(2 / math.pi)) * (z + f(0.044715) * z * z * z)
        return f(f(0.5) * (f(1) + np.tanh(inner)))

    above = cdf(precision * (f(x) - mean + half_bin))
    below = cdf(precision * (f(x) - mean - half_bin))
    if x < -0.999:
        return math.log2(max(float(above), 1e-12))
    return math.log2(max(float(f(1) - below if x > 0.999 else above - below), 1e-12))


def by_tanh(x: float, z: float, sd: float) -> float:
    """log2 of the same probability by the tanh of wide numbers, mirrored by hand."""
    below, above = (math.sqrt(2 / math.pi) * (y + 0.044715 * y**3) for y in bin_of(z, sd))
    # (tanh(b) - tanh(a)) / 2 = sinh(b - a) / (2 cosh(a) cosh(b))
    exact = math.sinh(above - below) / (2 * math.cosh(above) * math.cosh(below))
    return math.log2(max(exact, 1e-12))


def bin_of(z: float, sd: float) -> tuple[float, float]:
    return z - 1 / 255 / sd, z + 1 / 255 / sd


def bits(x: float, z: float, sd: float, cdf: Cdf) -> float:
    """log2 of the pixel's probability by the code."""
    pixel = torch.tensor([x], dtype=torch.float64)
    of = Gaussian(pixel - z * sd, torch.full_like(pixel, 2 * math.log(sd)))
    found = discretised_log_likelihood(pixel, of, levels=256, cdf=cdf)
    assert found.dtype == torch.float64
    return found.item() / math.log(2)


LEVEL_55, LEVEL_200 = 2 * 55 / 255 - 1, 2 * 200 / 255 - 1
FAR = [(z, sd) for z in (5.0, 5.25, 5.5, 6.0) for sd in (0.1, 0.05, 0.03, 0.02, 0.01)]
NEAR = [(z, sd) for z in (-4.0, -1.0, 0.0, 0.5, 2.0, 3.0) for sd in (0.2, 0.05, 0.01)]


@pytest.mark.parametrize("x", [LEVEL_55, LEVEL_200])
@pytest.mark.parametrize(("z", "sd"), [*NEAR, *FAR, (-5.5, 0.05), (7.0, 0.05)])
def test_either_form_is_what_it_says(x: float, z: float, sd: float) -> None:
    assert bits(x, z, sd, "tanh") == pytest.approx(by_tanh(x, z, sd), abs=1e-9)
    # both in float32: what one unit of rounding (6e-8) is of a probability that small
    unit = 6e-8 / 2 ** official(x, z, sd)
    found, expected = bits(x, z, sd, "tanh_official"), official(x, z, sd)
    if z in (-5.5, 5.5, 6.0, 7.0):
        assert expected == pytest.approx(math.log2(1e-12))
        assert found == pytest.approx(math.log2(1e-12))
    elif z < 5:
        assert found == pytest.approx(expected, abs=4 * unit)


@pytest.mark.parametrize("cdf", get_args(Cdf))
@pytest.mark.parametrize(("x", "z"), [(-1.0, -1.5), (-1.0, 2.0), (1.0, 2.0), (1.0, -1.5)])
def test_the_outermost_levels_own_their_tails_in_either_form(x: float, z: float, cdf: Cdf) -> None:
    sd = 0.05
    below, above = bin_of(z, sd)
    tail = stats.norm.cdf(above) if x < 0 else stats.norm.sf(below)
    found = bits(x, z, sd, cdf)
    assert found == pytest.approx(official(x, z, sd), abs=1e-4)
    assert 2**found == pytest.approx(tail, abs=4e-4)  # the error of the approximation


def test_the_official_form_may_be_wrong_by_more_than_the_whole_at_five_deviations() -> None:
    def error(z: float, sd: float) -> float:
        return abs(2 ** (official(LEVEL_200, z, sd) - by_tanh(LEVEL_200, z, sd)) - 1)

    deviations = (0.1, 0.05, 0.03, 0.02, 0.01)
    assert max(error(4.0, sd) for sd in deviations) < 0.05
    at_five = [error(5.0, sd) for sd in deviations]
    assert (min(at_five), max(at_five)) == pytest.approx((0.01, 1.36), abs=0.01)
    assert all(error(5.5, sd) > 0.99 for sd in deviations)


def test_a_pixel_far_above_its_mean_costs_3_to_14_bits_more_in_the_official_form() -> None:
    lost = [
        bits(LEVEL_200, z, sd, "tanh") - bits(LEVEL_200, z, sd, "tanh_official")
        for z, sd in FAR
        if z >= 5.5
    ]
    assert 3 < min(lost) < 4
    assert 14 < max(lost) < 15
    at_floor = [bits(LEVEL_200, 6.5, 0.05, cdf) for cdf in ("tanh", "tanh_official")]
    assert at_floor == pytest.approx([math.log2(1e-12)] * 2)
    typical = sum(lost) / len(lost)
    assert 5e-5 < typical / 100_000 < typical / 10_000 < 2e-3
    assert 0.02 < typical / 200 < 0.1


def test_samples_have_the_mean_and_variance_of_the_gaussian() -> None:
    draws = 40_000
    wide = Gaussian(torch.full((draws,), 0.5), torch.tensor(math.log(4.0)))
    x = sample(wide, torch.Generator().manual_seed(0))
    assert abs(x.mean().item() - 0.5) < 4 * 2 / math.sqrt(draws)
    assert abs(x.var().item() - 4) < 4 * 4 * math.sqrt(2 / draws)


def test_a_sample_is_the_noise_of_its_generator_scaled_and_added() -> None:
    mean, log_variance = gaussian(0, 4)
    noise = torch.randn(4, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    drawn = sample(Gaussian(mean, log_variance), torch.Generator().manual_seed(3))
    torch.testing.assert_close(drawn - mean, noise * log_variance.exp().sqrt())


def test_several_generators_draw_what_each_would_alone() -> None:
    whole = Gaussian(torch.arange(12.0).view(6, 2), torch.linspace(-1, 1, 12).view(6, 2))
    parts = [Gaussian(*(part[first : first + 2] for part in whole)) for first in (0, 2, 4)]
    alone = [sample(part, torch.Generator().manual_seed(i)) for i, part in enumerate(parts)]
    together = sample(whole, [torch.Generator().manual_seed(i) for i in range(3)])
    assert torch.equal(together, torch.cat(alone))


def test_a_likelihood_of_mismatched_shapes_is_refused() -> None:
    with pytest.raises(ValueError, match=r"x and the mean of one shape, found \(3,\) and \(2,\)"):
        discretised_log_likelihood(torch.zeros(3), gaussian(0, 2), levels=17)


def test_a_likelihood_of_one_level_is_refused() -> None:
    with pytest.raises(ValueError, match=r"expected at least 2 levels, found 1"):
        discretised_log_likelihood(torch.zeros(2), gaussian(0, 2), levels=1)
