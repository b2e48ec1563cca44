"""Two networks that share a chain: which of them is asked depends on the step."""

from dataclasses import dataclass

import torch
from torch import Tensor

from iddpm.denoiser import Network
from iddpm.networks.conditioning import Conditioning


@dataclass(frozen=True, kw_only=True)
class SwitchedNetwork:
    """One network for the steps in `inner_steps`, another for those before and after: a `Network`.

    Nichol & Dhariwal (2021, arXiv:2102.09672), Appendix D. Steps are numbers of the trained chain,
    so a respaced chain asks the same network at a step as the whole chain does.
    """

    inner: Network
    outer: Network
    inner_steps: range

    def __call__(self, x_t: Tensor, t: Tensor, conditioning: Conditioning | None) -> Tensor:
        """The output of the network in charge; where images differ in that, both are asked."""
        inside = (t >= self.inner_steps.start) & (t < self.inner_steps.stop)
        if bool(inside.all()):
            return self.inner(x_t, t, conditioning)
        if not bool(inside.any()):
            return self.outer(x_t, t, conditioning)
        inner, outer = (part(x_t, t, conditioning) for part in (self.inner, self.outer))
        return torch.where(inside.view(-1, *[1] * (inner.dim() - 1)), inner, outer)
