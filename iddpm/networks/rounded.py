"""A network whose products of matrices have their weights in bfloat16, rounded by one operation.

Autocast rounds the weight of each layer when it comes to it, and casts its gradient back: two
operations for each of some 450 tensors, twice as many as there are layers to compute. Here the
whole vector of weights is rounded once a step. The numbers are those of autocast, bit for bit.
"""

from copy import deepcopy

import torch
from torch import Tensor, nn

from iddpm.networks.flat import FlatWeights
from iddpm.networks.unet import UNet

ROUNDED = (nn.Linear, nn.Conv1d, nn.Conv2d)
"""Layers that autocast computes in bfloat16; all others keep the weights that they have."""


class RoundedWeights:
    """A copy of a network, to be called under autocast, that follows the weights of the original.

    Args:
        network: Its weights stay float32.
        weights: Of the same network.
    """

    def __init__(self, network: UNet, weights: FlatWeights) -> None:
        self._weights = weights
        self._vector = weights.vector.detach().bfloat16()
        rounded = weights.named(self._vector)
        self.network = deepcopy(network)
        for path, layer in network.named_modules():
            copy = self.network.get_submodule(path)
            for name, weight in list(layer.named_parameters(recurse=False)):
                place = f"{path}.{name}"
                own = nn.Parameter(rounded[place]) if isinstance(layer, ROUNDED) else weight
                setattr(copy, name, own)

    @property
    def parameters(self) -> list[Tensor]:
        """What the copy computes with, in the order of the original's parameters."""
        return list(self.network.parameters())

    @torch.no_grad()
    def follow(self) -> None:
        """Takes the weights that the original has now."""
        self._vector.copy_(self._weights.vector)
