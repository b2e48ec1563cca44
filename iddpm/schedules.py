"""Noise schedules: how much noise beta_t each of the T forward steps adds, in float64.

Indices start at 0: `betas[t]` is beta_{t+1} on paper. Equations are those of Nichol & Dhariwal
(2021, arXiv:2102.09672). Only NumPy is needed, so that a schedule can be drawn without torch.
"""

from collections.abc import Callable
from typing import get_args

import numpy as np

from iddpm.arrays import FloatArray
from iddpm.bounds import require, require_type
from iddpm.config import Schedule
from iddpm.registry import named

RESCALED_STEPS = 1000
"""Range that the official `rescale_timesteps` brings every chain's step numbers to."""


def betas(schedule: Schedule, steps: int) -> FloatArray:
    """The named schedule over `steps` forward steps, shape (T,), each beta in (0, 1).

    Raises:
        ConfigError: If there is no such schedule, or it has no such number of steps.
    """
    require_type("betas.schedule", Schedule, schedule)
    return SCHEDULES[schedule](steps)


def linear_betas(steps: int) -> FloatArray:
    """Betas that rise evenly from 0.1/T to 20/T, shape (T,).

    Ho et al. (2020, arXiv:2006.11239), Section 4, from 1e-4 to 0.02 at T = 1000; rescaled for any
    other T so that the noise at the end of the chain stays the same.

    Raises:
        ConfigError: If T is 20 or less: the last beta would not be below 1.
    """
    expected = "more than 20 for the linear schedule (its last beta is 20/T)"
    require(steps > 20, "diffusion.steps", expected, steps, "take more steps or schedule: cosine")
    rising: FloatArray = np.linspace(0.1 / steps, 20 / steps, steps)
    return rising


def cosine_betas(steps: int, *, s: float = 0.008, max_beta: float = 0.999) -> FloatArray:
    """Betas whose running product follows a squared cosine, shape (T,). Eq. 17.

    Args:
        steps: Number of forward steps T.
        s: Offset that keeps the first betas from vanishing.
        max_beta: Upper bound of a beta; only the last one meets it at the default.

    Raises:
        ConfigError: If T is less than 1.
    """
    require(steps >= 1, "diffusion.steps", "at least 1", steps)
    f = np.cos((np.arange(steps + 1) / steps + s) / (1 + s) * np.pi / 2) ** 2
    clipped: FloatArray = np.minimum(1 - f[1:] / f[:-1], max_beta)
    return clipped


SCHEDULES: dict[Schedule, Callable[[int], FloatArray]] = named(
    get_args(Schedule), globals(), "{}_betas"
)
"""From T to the betas of schedule `x`: the function `x_betas`."""


def alpha_bar(betas: FloatArray) -> FloatArray:
    """Share of the signal's variance left after each step, the product of 1 - beta, shape (T,)."""
    return np.cumprod(1 - betas, dtype=np.float64)


def variance_ratio(betas: FloatArray) -> FloatArray:
    """beta_tilde_t / beta_t, the posterior's variance against the step's own, shape (T,). Eq. 10.

    Index 0 is exactly 0: the first step back, told x_0, has nothing left to guess.
    """
    noise = 1 - alpha_bar(betas)
    return np.concatenate([[0.0], noise[:-1] / noise[1:]])
