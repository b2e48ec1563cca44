"""A network's weights laid end to end in one vector, and their gradients in another.

The network computes with pieces of the vector. What is done to every weight alike (an optimizer's
step, moving averages, the gradient's norm) is then one operation, however many layers there are:
on a small network it would otherwise cost a good part of a training step.
"""

from collections.abc import Sequence
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
        memory_format: Of the weights of convolutions, which is then that of their gradients too.
    """

    def __init__(
        self, network: nn.Module, *, memory_format: torch.memory_format = torch.contiguous_format
    ) -> None:
        parameters = dict(network.named_parameters())
        self._format = memory_format
        self._shapes = {name: weight.shape for name, weight in parameters.items()}
        room = [-(-weight.numel() // ALIGNMENT) * ALIGNMENT for weight in parameters.values()]
        self._starts = [0, *accumulate(room)]
        first = next(iter(parameters.values()))
        self.vector = nn.Parameter(first.new_zeros(self._starts[-1]))
        self.gradient = torch.zeros_like(self.vector)
        self._scratch: Tensor | None = None
        self.vector.grad = self.gradient
        values, gradients = self.named(self.vector.detach()), self.named(self.gradient)
        for name, weight in parameters.items():
            values[name].copy_(weight.detach())
            weight.data, weight.grad = values[name], gradients[name]

    def named(self, vector: Tensor) -> dict[str, Tensor]:
        """The pieces of a vector laid out like the weights, by parameter name; memory is shared."""
        return self._pieces(vector, self._format)

    def _pieces(self, vector: Tensor, memory_format: torch.memory_format) -> dict[str, Tensor]:
        starts = zip(self._shapes.items(), self._starts, strict=False)
        return {
            name: _shaped(vector[start : start + shape.numel()], shape, memory_format)
            for (name, shape), start in starts
        }

    def add_gradients(self, loss: Tensor, parameters: Sequence[Tensor]) -> None:
        """Adds the gradient of a loss to that of the weights, all at once.

        Args:
            loss: A number that was computed with `parameters`.
            parameters: In the order of the network's; in a shorter type than float32 or its own.
        """
        found = torch.autograd.grad(loss, parameters)
        if all(gradient.dtype == self.gradient.dtype for gradient in found):
            torch._foreach_add_(list(self.named(self.gradient).values()), found)
            return
        if self._scratch is None:
            self._scratch = torch.zeros_like(self.gradient)
        torch._foreach_copy_(list(self.named(self._scratch).values()), found)
        self.gradient.add_(self._scratch)

    def in_order(self, vector: Tensor) -> Tensor:
        """A vector laid out like the weights, laid out channel by channel, as files hold it."""
        return self._turned(vector, self._format, torch.contiguous_format)

    def laid_out(self, vector: Tensor) -> Tensor:
        """What `in_order` gave, laid out like the weights again."""
        return self._turned(vector, torch.contiguous_format, self._format)

    def _turned(
        self, vector: Tensor, before: torch.memory_format, after: torch.memory_format
    ) -> Tensor:
        if before == after:
            return vector
        turned = torch.zeros_like(vector)
        pieces = self._pieces(vector, before)
        for name, piece in self._pieces(turned, after).items():
            piece.copy_(pieces[name])
        return turned


def _shaped(piece: Tensor, shape: torch.Size, memory_format: torch.memory_format) -> Tensor:
    """A run of numbers as a weight; that of a convolution in the memory format."""
    if memory_format == torch.channels_last and len(shape) == 4:
        given, taken, height, width = shape
        return piece.view(given, height, width, taken).permute(0, 3, 1, 2)
    return piece.view(shape)
