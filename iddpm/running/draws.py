"""Every random draw is a function of (seed, purpose, index): one fresh generator for each.

Nothing is drawn from a stream that something else has advanced, so batches, shards, executors and
resuming cannot change a draw. Generators of different purposes or indices are independent: their
seeds are the first bytes of a SHA-256.
"""

import hashlib
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import torch


def derived_seed(seed: int, purpose: str, *index: int) -> int:
    """A seed in [0, 2**63) of its own for each (seed, purpose, index)."""
    text = " ".join([str(seed), purpose, *map(str, index)])
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "little") >> 1


def generator(
    seed: int, purpose: str, *index: int, device: "torch.device | str" = "cpu"
) -> "torch.Generator":
    """A fresh torch generator for draw number `index` of `purpose`.

    The same seed draws different numbers on a CPU and on a GPU.
    """
    import torch  # planning imports this module and must not pay for torch

    return torch.Generator(device).manual_seed(derived_seed(seed, purpose, *index))


def numpy_generator(seed: int, purpose: str, *index: int) -> np.random.Generator:
    """A fresh NumPy generator (PCG64) for draw number `index` of `purpose`."""
    return np.random.Generator(np.random.PCG64(derived_seed(seed, purpose, *index)))
