"""Which seed stands apart, against the published critical values of Grubbs's test."""

import numpy as np
import pytest

from studies.judging.samples import outlying
from studies.judging.wording import apart
from tests.witness.made_up_findings import quantity as of

CRITICAL = {3: 1.1543, 4: 1.4812, 5: 1.7150, 6: 1.8871, 8: 2.1266, 10: 2.2900}
"""5% on two sides, from Grubbs and Beck (1972), Table I, at 2.5% on one."""


def with_largest(score: float, n: int) -> dict[int, float]:
    """Values whose last one lies so many standard deviations from their mean, the others alike."""
    rest = np.array([(-1.0) ** i for i in range(n - 1)]) if n % 2 else np.linspace(-1, 1, n - 1)
    low, high = 0.0, 1e6
    for _ in range(200):
        middle = (low + high) / 2
        values = np.append(rest, middle)
        found = abs(middle - values.mean()) / values.std(ddof=1)
        low, high = (middle, high) if found < score else (low, middle)
    return dict(enumerate(np.append(rest, low).tolist()))


@pytest.mark.parametrize("n", CRITICAL)
def test_a_seed_stands_apart_beyond_the_published_critical_value(n: int) -> None:
    assert outlying(of(with_largest(CRITICAL[n] + 2e-4, n))) == n - 1
    assert outlying(of(with_largest(CRITICAL[n] - 2e-4, n))) is None


def test_it_is_named_by_its_seed_on_either_side() -> None:
    assert outlying(of({4: 0.01, 7: -9.0, 9: 0.0})) == 7
    assert outlying(of({4: 0.01, 9: 0.0, 7: 0.02, 11: 9.0})) == 11
    assert outlying(of({4: 1.0, 5: 1.0, 6: 2.0})) == 6


@pytest.mark.parametrize(
    "values",
    [
        *({0: 1.0, 1: 9.0}, {0: 1.0}, {0: 2.0, 1: 2.0, 2: 2.0}, {0: 0.1, 1: 0.1, 2: 0.3 - 0.2}),
        dict(enumerate([1e6, 1e6, 1e6, 1e6, 1e6 + 1e-6])),  # of which half is rounding
    ],
)
def test_of_two_seeds_or_equal_ones_none_stands_apart(values: dict[int, float]) -> None:
    assert outlying(of(values)) is None


def test_one_normal_sample_in_twenty_has_such_a_seed() -> None:
    draws = np.random.default_rng(1).normal(size=(4000, 4))
    share = np.mean([outlying(of(dict(enumerate(one.tolist())))) is not None for one in draws])
    assert share == pytest.approx(0.05, abs=3 * 0.0035)


def test_it_is_said_with_the_mean_of_the_others() -> None:
    assert apart(of({4: 0.01, 7: -9.0, 9: 0.03})) == (
        "Seed 7 stands apart from the others and the interval rests on it; without it the mean is "
        "0.020."
    )
    assert apart(of({4: 0.01, 7: -0.02, 9: 0.03})) == ""
