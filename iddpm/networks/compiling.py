"""A network compiled by torch: the same function to rounding, of fewer and larger operations.

What a network computes is part of what a task is; how its operations are put together is not.
"""

import logging
from typing import Any, Literal

import torch
from torch import Tensor

from iddpm.denoiser import Network
from iddpm.networks.conditioning import Conditioning

Compiling = Literal["off", "kernels", "graphs"]
"""`kernels`: torch's compiler fuses operations; `graphs`: on a GPU they are also launched as one
CUDA graph."""

logger = logging.getLogger(__name__)


def compiled(network: Network, how: Compiling) -> Network:
    """The network as it is asked for; compiled, its first call for each shape takes minutes.

    Dropout draws what it draws in a network that is not compiled.

    Args:
        network: A module, in the mode in which it will be called.
        how: `off` gives the network itself.
    """
    return network if how == "off" else _Compiled(network, has_graphs=how == "graphs")


class _Compiled:
    """A network that is compiled when it is called, or called as it is where that cannot be."""

    def __init__(self, network: Network, *, has_graphs: bool) -> None:
        from torch._dynamo.exc import TorchDynamoException  # slow to import

        torch.compiler.reset()  # of a class it compiles a few networks, and no more in silence
        self._failure = TorchDynamoException
        self._plain = network
        self._has_graphs = has_graphs
        options: dict[str, Any] = {"fallback_random": True, "triton.cudagraphs": has_graphs}
        self._network: Network = torch.compile(network, dynamic=False, options=options)

    def __call__(self, x_t: Tensor, t: Tensor, conditioning: Conditioning | None) -> Tensor:
        """The network's output; a second call leaves it alone."""
        try:
            output = self._network(x_t, t, conditioning)
        except self._failure as error:
            reason = str(error).strip().partition("\n")[0]
            logger.warning(
                "torch.compile: expected a compiler that works on %s, found none (%s); "
                "the network runs without, which moves no number but takes longer",
                x_t.device,
                reason,
            )
            self._network = self._plain
            output = self._plain(x_t, t, conditioning)
        return output.clone() if self._has_graphs else output
