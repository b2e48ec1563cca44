from decimal import Decimal

import numpy as np
import pytest

from iddpm.bounds import ConfigError
from iddpm.config import Schedule
from iddpm.schedules import alpha_bar, betas, cosine_betas, linear_betas, variance_ratio


@pytest.mark.parametrize(
    ("schedule", "steps", "index", "printed"),
    [
        ("linear", 1000, 0, "1e-4"),
        ("linear", 1000, 999, ".02"),
        ("linear", 4000, 0, "2.5e-5"),
        ("linear", 4000, 3999, ".005"),
        ("cosine", 1000, 0, "4.128422482e-5"),
        ("cosine", 1000, 998, ".7499994"),
        ("cosine", 1000, 999, ".999"),
        ("cosine", 4000, 0, "9.865818814e-6"),
        ("cosine", 4000, 1, "1.016941488e-5"),
        ("cosine", 4000, 3999, ".999"),
    ],
)
def test_betas_are_those_of_the_official_code(
    schedule: Schedule, steps: int, index: int, printed: str
) -> None:
    assert as_printed(betas(schedule, steps)[index], printed) == Decimal(printed)


@pytest.mark.parametrize(
    ("schedule", "steps", "index", "printed"),
    [
        ("linear", 1000, 999, "4.0358e-5"),
        ("linear", 4000, 3999, "4.2467e-5"),
        ("cosine", 1000, 999, "2.43e-9"),
        ("cosine", 4000, 3999, "1.518e-10"),
        ("linear", 4000, 999, ".5238"),
        ("linear", 4000, 1999, ".0789"),
        ("linear", 4000, 2999, ".00342"),
        ("cosine", 4000, 999, ".8470"),
        ("cosine", 4000, 1999, ".4938"),
        ("cosine", 4000, 2999, ".1443"),
    ],
)
def test_alpha_bar_is_that_of_the_official_code(
    schedule: Schedule, steps: int, index: int, printed: str
) -> None:
    assert as_printed(alpha_bar(betas(schedule, steps))[index], printed) == Decimal(printed)


def as_printed(value: float, printed: str) -> Decimal:
    return Decimal(float(value)).quantize(Decimal(printed))


@pytest.mark.parametrize("steps", [10, 1000, 4000])
def test_alpha_bar_follows_the_cosine_of_eq_17_away_from_the_clip(steps: int) -> None:
    t = np.arange(1, steps)  # the paper's steps 1 to T - 1; the clip touches only T
    angle = (t / steps + 0.008) / 1.008 * np.pi / 2
    expected = (np.cos(angle) / np.cos(0.008 / 1.008 * np.pi / 2)) ** 2
    np.testing.assert_allclose(
        alpha_bar(cosine_betas(steps))[:-1], expected, rtol=1e-9
    )  # rounding of each of T factors in float64


@pytest.mark.parametrize("steps", [1, 1000, 4000])
def test_only_the_last_cosine_beta_is_clipped(steps: int) -> None:
    assert np.flatnonzero(cosine_betas(steps) == 0.999).tolist() == [steps - 1]


@pytest.mark.parametrize("steps", [21, 100, 4000])
def test_linear_betas_rise_evenly_and_add_the_same_noise_for_any_length(steps: int) -> None:
    table = linear_betas(steps)
    np.testing.assert_allclose(np.diff(table), 19.9 / steps / (steps - 1))
    assert table.sum() == pytest.approx(1000 * (1e-4 + 0.02) / 2)


@pytest.mark.parametrize("schedule", ["linear", "cosine"])
def test_variance_ratio_is_what_bayes_rule_leaves_of_a_step(schedule: Schedule) -> None:
    table = betas(schedule, 100)
    ratio = variance_ratio(table)
    assert ratio[0] == 0.0
    prior = 1 - np.exp(np.cumsum(np.log1p(-table)))[:-1]  # Var(x_{t-1} | x_0)
    precision = 1 / prior + (1 - table[1:]) / table[1:]
    np.testing.assert_allclose(ratio[1:], 1 / precision / table[1:], rtol=1e-10)


def test_variance_ratio_is_the_curve_of_figure_1() -> None:
    ratio = variance_ratio(linear_betas(100))
    assert np.round(ratio[[2, 3, 5, 10, 20]], 3).tolist() == [0.445, 0.564, 0.698, 0.835, 0.924]


def test_a_linear_chain_too_short_for_its_last_beta_is_refused() -> None:
    with pytest.raises(
        ConfigError, match=r"expected more than 20 .* found 20; .* schedule: cosine"
    ):
        linear_betas(20)


def test_a_cosine_chain_without_steps_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"diffusion.steps: expected at least 1, found 0"):
        cosine_betas(0)
