"""How many images share a pass of a network, whatever their draws belong to."""

from dataclasses import dataclass

import torch
from torch import Tensor

from iddpm.denoiser import Network
from iddpm.networks.conditioning import Conditioning


@dataclass(frozen=True, kw_only=True)
class InPasses:
    """A network that takes a batch in passes of at most `images` of it: a `Network`.

    A pass of another size may round otherwise: a kernel is chosen by the size.
    """

    network: Network
    images: int

    def __call__(self, x_t: Tensor, t: Tensor, conditioning: Conditioning | None) -> Tensor:
        """The network's output for the whole batch."""
        if len(x_t) <= self.images:
            return self.network(x_t, t, conditioning)
        starts = range(0, len(x_t), self.images)
        parts = [slice(start, start + self.images) for start in starts]
        told = [conditioning and conditioning.part(part) for part in parts]
        each = zip(parts, told, strict=True)
        return torch.cat([self.network(x_t[part], t[part], given) for part, given in each])
