from itertools import accumulate, repeat

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from iddpm.bounds import ConfigError
from iddpm.schedules import linear_betas
from iddpm.strides import kept_steps, stride_timesteps
from tests.witness.diffusers_schedulers import scheduler


def test_the_even_stride_of_25_in_4000_is_the_official_one() -> None:
    # fmt: off
    assert stride_timesteps("even", 4000, 25) == (
        0, 167, 333, 500, 666, 833, 1000, 1166, 1333, 1500, 1666, 1833, 2000, 2166, 2333, 2499,
        2666, 2833, 2999, 3166, 3332, 3499, 3666, 3832, 3999,
    )
    # fmt: on


def test_the_even_stride_adds_its_width_up_as_the_official_code_does() -> None:
    """In floats a sum of widths rounds otherwise than a product: 499.5 is met from below."""
    width = 999 / 20
    summed = tuple(map(round, accumulate(repeat(width, 20), initial=0.0)))
    assert stride_timesteps("even", 1000, 21) == summed
    assert (summed[10], round(10 * width)) == (499, 500)


@pytest.mark.parametrize("steps", [10, 50, 100, 200, 250, 400, 1000, 4000])
def test_the_even_stride_is_evenly_spaced_real_numbers_rounded(steps: int) -> None:
    expected = np.floor(np.linspace(1, 4000, steps) - 1 + 0.5).astype(int)  # half up, as Section 4
    assert stride_timesteps("even", 4000, steps) == tuple(expected.tolist())


@pytest.mark.parametrize("steps", [10, 25, 50, 100])
def test_the_even_stride_is_the_linspace_spacing_of_diffusers(steps: int) -> None:
    assert stride_timesteps("even", 1000, steps) == diffusers_spacing("linspace", 1000, steps)


@pytest.mark.parametrize("steps", [10, 25, 50, 100, 250, 1000])
def test_the_constant_stride_is_the_leading_spacing_of_diffusers(steps: int) -> None:
    assert stride_timesteps("constant", 1000, steps) == diffusers_spacing("leading", 1000, steps)


def diffusers_spacing(spacing: str, total: int, steps: int) -> tuple[int, ...]:
    peer = scheduler("DDIMScheduler", linear_betas(total), steps, timestep_spacing=spacing)
    return tuple(reversed(peer.timesteps.tolist()))


@settings(deadline=None)
@given(st.integers(2, 300).flatmap(lambda n: st.tuples(st.just(n), st.integers(2, n))))
def test_an_even_stride_keeps_both_ends_and_no_step_twice(total_steps: tuple[int, int]) -> None:
    total, steps = total_steps
    kept = stride_timesteps("even", total, steps)
    assert (kept[0], kept[-1], len(set(kept))) == (0, total - 1, steps)


def test_the_constant_stride_of_25_in_4000_ends_below_the_noisiest_step() -> None:
    assert stride_timesteps("constant", 4000, 25) == tuple(range(0, 3841, 160))


@pytest.mark.parametrize(
    ("steps", "union"), [(25, 184), (50, 129), (100, 139), (200, 219), (400, 409), (1000, 1003)]
)
def test_even_plus_first_adds_every_step_up_to_the_width_of_one_stride(
    steps: int, union: int
) -> None:
    kept = stride_timesteps("even_plus_first", 4000, steps)
    assert len(kept) == union
    assert set(kept) == {*stride_timesteps("even", 4000, steps), *range(4000 // steps)}
    assert list(kept) == sorted(kept)


def test_an_explicit_stride_is_itself() -> None:
    assert stride_timesteps((0, 3, 7), 10, 3) == (0, 3, 7)


@pytest.mark.parametrize("steps", [1, 11])
def test_a_count_that_is_no_count_of_steps_is_refused(steps: int) -> None:
    with pytest.raises(ConfigError, match=f"steps: expected from 2 to the 10 .* found {steps}"):
        stride_timesteps("even", 10, steps)


@pytest.mark.parametrize(
    ("total", "steps", "near"), [(1000, 400, (334, 500)), (5, 4, (3, 5)), (9, 4, (3, 5))]
)
def test_a_constant_stride_that_cannot_be_names_the_nearest_that_can(
    total: int, steps: int, near: tuple[int, int]
) -> None:
    told = rf"{total} steps .* found {steps}; the nearest are {near[0]} and {near[1]}$"
    with pytest.raises(ConfigError, match=told):
        stride_timesteps("constant", total, steps)


def test_an_explicit_stride_of_another_length_is_refused() -> None:
    with pytest.raises(
        ConfigError, match=r"expected 3, the length of the explicit stride, found 2"
    ):
        stride_timesteps((0, 3, 7), 10, 2)


@pytest.mark.parametrize("indices", [(3, 0), (0, 0), (0, 10), (-1, 4), (0, 4, 2), (0, 3, 10)])
def test_an_explicit_stride_that_leaves_the_chain_is_refused(indices: tuple[int, ...]) -> None:
    with pytest.raises(ConfigError, match=r"expected increasing step indices from 0 to 9"):
        stride_timesteps(indices, 10, len(indices))


@pytest.mark.parametrize(
    ("steps", "skip", "kept"),
    [
        (100, 0.0, 100),
        (100, 0.2, 80),
        (4000, 0.05, 3800),
        (2, 0.99, 1),
        (10, 0.24, 8),
        (10, 0.26, 7),
    ],
)
def test_skipping_a_fraction_leaves_the_rest_and_at_least_one_step(
    steps: int, skip: float, kept: int
) -> None:
    assert kept_steps(steps, skip) == kept
