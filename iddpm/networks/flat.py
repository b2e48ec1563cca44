"""A network's weights laid end to end in one vector, and their gradients in another.

The network computes with pieces of the vector. What is done to every weight alike (an optimizer's
step, moving averages, the gradient's norm) is then one operation, however many layers there are:
on a small network it would otherwise cost a good part of a training step.
"""

from itertools import accumulate

import torch
from torch import Tensor, nn

ALIGNMENT = 64
"""Each weight starts at a multiple of so many elements, as kernels like it; the gaps are zero."""


class FlatWeights:
    """The weights of a network, moved into one vector.

    Args:
        network: Its parameters become pieces of the vector and their gradients, from now on added
            up in place, pieces of the vector's. It must stay on its device.
    """

    def __init__(self, network: nn.Module) -> None:
        parameters = dict(network.named_parameters())
        self._shapes = {name: weight.shape for name, weight in parameters.items()}
        room = [-(-weight.numel() // ALIGNMENT) * ALIGNMENT for weight in parameters.values()]
        self._starts = [0, *accumulate(room)]
        first = next(iter(parameters.values()))
        self.vector = nn.Parameter(first.new_zeros(self._starts[-1]))
        self.gradient = torch.zeros_like(self.vector)
        self.vector.grad = self.gradient
        values, gradients = self.named(self.vector.detach()), self.named(self.gradient)
        for name, weight in parameters.items():
            values[name].copy_(weight.detach())
            weight.data, weight.grad = values[name], gradients[name]

    def named(self, vector: Tensor) -> dict[str, Tensor]:
        """The pieces of a vector laid out like the weights, by parameter name; memory is shared."""
        starts = zip(self._shapes.items(), self._starts, strict=False)
        return {
            name: vector[start : start + shape.numel()].view(shape)
            for (name, shape), start in starts
        }
