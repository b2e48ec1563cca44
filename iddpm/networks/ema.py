"""Exponential moving averages of weights, several decays side by side."""

from collections.abc import Iterable

import torch
from torch import Tensor


class MovingAverages:
    """One average of the weights for each decay, started as a copy of them.

    After each training step every average moves by (1 - decay) towards the weights: a constant
    decay, without warm-up or bias correction, as in the official code (the paper, App. A, uses
    0.9999).

    Args:
        weights: What is averaged, changed in place by others.
        decays: Decays in (0, 1).
    """

    def __init__(self, weights: Tensor, decays: Iterable[float]) -> None:
        self._weights = weights.detach()
        self.averages = {decay: self._weights.clone() for decay in decays}

    @torch.no_grad()
    def update(self, moves: Tensor | bool = True) -> None:
        """Moves every average towards the present weights.

        Args:
            moves: Whether to; a tensor of 0 or 1, in the weights' dtype, which only the device
                has to know.
        """
        for decay, average in self.averages.items():
            average.lerp_(self._weights, (1 - decay) * moves)
