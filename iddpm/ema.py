"""Exponential moving averages of a network's weights, several decays side by side."""

from collections.abc import Iterable, Mapping

import torch
from torch import Tensor, nn


class MovingAverages:
    """One average of the weights for each decay, started as a copy of them.

    After each training step every average moves by (1 - decay) towards the weights: a constant
    decay, without warm-up or bias correction, as in the official code (the paper, App. A, uses
    0.9999).

    Args:
        network: Whose parameters are averaged.
        decays: Decays in (0, 1).
    """

    def __init__(self, network: nn.Module, decays: Iterable[float]) -> None:
        self._names = [name for name, _ in network.named_parameters()]
        self._weights = [weight.detach() for weight in network.parameters()]
        self._averages = {decay: [w.clone() for w in self._weights] for decay in decays}

    @torch.no_grad()
    def update(self) -> None:
        """Moves every average towards the network's present weights."""
        for decay, average in self._averages.items():
            torch._foreach_lerp_(average, self._weights, 1 - decay)

    def state_dict(self) -> dict[str, dict[str, Tensor]]:
        """The averaged weights by parameter name, under each decay as text: `0.9999`."""
        return {
            str(decay): dict(zip(self._names, average, strict=True))
            for decay, average in self._averages.items()
        }

    @torch.no_grad()
    def load_state_dict(self, state: Mapping[str, Mapping[str, Tensor]]) -> None:
        """Restores what `state_dict` gave.

        Raises:
            KeyError: If a decay or a parameter is missing.
        """
        for decay, average in self._averages.items():
            saved = state[str(decay)]
            for name, weight in zip(self._names, average, strict=True):
                weight.copy_(saved[name])
