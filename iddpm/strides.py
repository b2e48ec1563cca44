"""Strides: which of the T trained steps a shorter chain keeps.

A stride is an increasing tuple of step indices in [0, T); index t is step t + 1 on paper. Nothing
here imports torch or NumPy, so that a sweep can be checked and counted while it is planned.
"""

from itertools import pairwise

from iddpm.bounds import ConfigError, require
from iddpm.config import Stride


def stride_timesteps(stride: Stride, total: int, steps: int) -> tuple[int, ...]:
    """The step indices that `stride` keeps of a chain of `total` steps, increasing.

    Args:
        stride: "even" (paper, Section 4), "constant" (DDIM), "even_plus_first" (paper, App. E) or
            the indices themselves.
        total: Steps T of the trained chain.
        steps: Steps K of the shorter one; "even_plus_first" keeps up to T/K more.

    Raises:
        ConfigError: If K is not in [2, T], or no such stride has K steps.
    """
    require(2 <= steps <= total, "steps", f"from 2 to the {total} of the trained chain", steps)
    if stride == "even":
        return even(total, steps)
    if stride == "constant":
        return constant(total, steps)
    if stride == "even_plus_first":
        return tuple(sorted({*even(total, steps), *range(total // steps)}))
    return _checked(stride, total, steps)


def even(total: int, steps: int) -> tuple[int, ...]:
    """K indices spaced evenly over [0, T), both ends included, each rounded to the nearest.

    As the official code: the stride is a float that accumulates, and halves round to even.
    """
    width, position = (total - 1) / (steps - 1), 0.0
    indices = []
    for _ in range(steps):
        indices.append(round(position))
        position += width
    return tuple(indices)


def constant(total: int, steps: int) -> tuple[int, ...]:
    """The multiples of the smallest whole number that has K of them in [0, T).

    As the official `ddimK`; the last index is T - T/K where K divides T, so the chain starts below
    the noisiest step.

    Raises:
        ConfigError: If no whole stride gives K steps; names the nearest counts that have one.
    """
    for width in range(1, total):
        if _multiples(total, width) == steps:
            return tuple(range(0, total, width))
    counts = {_multiples(total, width) for width in range(1, total)}
    below = max(count for count in counts if count < steps)
    above = min(count for count in counts if count > steps)
    raise ConfigError(
        "steps",
        f"a count that a constant stride over {total} steps can have",
        f"{steps}",
        f"the nearest are {below} and {above}",
    )


def _multiples(total: int, width: int) -> int:
    return len(range(0, total, width))


def _checked(indices: tuple[int, ...], total: int, steps: int) -> tuple[int, ...]:
    expected = f"{len(indices)}, the length of the explicit stride"
    require(len(indices) == steps, "steps", expected, steps)
    increasing = all(a < b for a, b in pairwise(indices))
    if not increasing or indices[0] < 0 or indices[-1] >= total:
        expected = f"increasing step indices from 0 to {total - 1}"
        raise ConfigError("stride", expected, f"{indices}")
    return indices


def kept_steps(steps: int, skip: float) -> int:
    """Reverse steps left of `steps` when the noisiest fraction `skip` is left out; at least 1."""
    return max(1, round((1 - skip) * steps))
