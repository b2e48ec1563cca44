"""Which step t each training image is noised to: uniformly, or where the loss is large.

A draw comes with weights such that the weighted mean of the losses estimates their mean over all
steps without bias. Which steps a *sampler* keeps is another matter: `strides`.
"""

from collections.abc import Mapping
from typing import Protocol

import torch
from torch import Tensor

from iddpm.running.copies import ahead


class TimestepSampler(Protocol):
    """Draws training steps, and may learn from the losses which to draw."""

    def draw(self, count: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Steps in [0, T), int64 (count,), and their weights, float32 (count,).

        A generator of the CPU draws them for every device.
        """

    def record(self, t: Tensor, losses: Tensor) -> None:
        """Takes note of the unweighted losses (B,) of images at steps t (B,)."""

    @property
    def warmed_up(self) -> bool:
        """Whether draws follow the losses by now, where they ever do."""

    def state_dict(self) -> dict[str, Tensor]:
        """All that moves."""

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """Restores what `state_dict` gave."""


class UniformTimesteps:
    """Every step as likely as every other; all weights are 1."""

    def __init__(self, steps: int, *, device: torch.device | str = "cpu") -> None:
        self._steps = steps
        self._device = device

    def draw(self, count: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Steps in [0, T), int64 (count,), and ones."""
        t = torch.randint(self._steps, (count,), generator=generator)
        return ahead(t, self._device), torch.ones(count, device=self._device)

    def record(self, t: Tensor, losses: Tensor) -> None:
        """Does nothing: uniform draws learn from no loss."""

    @property
    def warmed_up(self) -> bool:
        """Always: there is nothing to wait for."""
        return True

    def state_dict(self) -> dict[str, Tensor]:
        """Nothing moves."""
        return {}

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """Accepts the empty state.

        Raises:
            ValueError: If the state is another sampler's.
        """
        _check_shapes(self.state_dict(), state)


class LossSecondMomentTimesteps:
    """Steps drawn in proportion to the root mean square of their last losses.

    Nichol & Dhariwal (2021, arXiv:2102.09672), Eq. 18. Uniform until each step has a full history.
    The share of probability spread evenly is the official code's, not the paper's: it keeps a
    step whose losses were small from never being seen again. Another departure lies in the
    training: all blocks of a batch draw t from one p, where the official code takes note of the
    losses of each microbatch before the next one draws. So p does not depend on how a batch is cut.

    The history stays on the device that computes the losses, and nothing here waits for it, except
    in `warmed_up` and in reading a state.

    Args:
        steps: Steps T of the chain.
        history: Losses remembered of each step.
        uniform_share: Share of the probability spread evenly, in [0, 1).
        device: Where the losses are.
    """

    def __init__(
        self,
        steps: int,
        *,
        history: int = 10,
        uniform_share: float = 0.001,
        device: torch.device | str = "cpu",
    ) -> None:
        self._uniform_share = uniform_share
        self._device = torch.device(device)
        # what is not to be remembered goes into the row behind the last step's
        self._table = torch.zeros(steps + 1, history, dtype=torch.float64, device=device)
        self._met = torch.zeros(steps + 1, dtype=torch.int64, device=device)
        self._losses, self._counts = self._table[:-1], self._met[:-1]

    @property
    def warmed_up(self) -> bool:
        """Whether each step has a full history."""
        return bool(self._has_full_history())

    def _has_full_history(self) -> Tensor:
        return (self._counts >= self._losses.shape[1]).all()

    @property
    def probabilities(self) -> Tensor:
        """Probability of each step, float64 (T,)."""
        steps = len(self._counts)
        size = self._losses.square().mean(dim=1).sqrt()
        followed = (1 - self._uniform_share) * size / size.sum() + self._uniform_share / steps
        return torch.where(self._has_full_history(), followed, 1 / steps)

    def draw(self, count: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Steps in [0, T), int64 (count,), and weights 1 / (T p_t), float32 (count,).

        They are `torch.multinomial`'s draws on a CPU: of several it inverts the distribution
        function too.
        """
        p = self.probabilities
        if count == 1:  # which it draws by other means
            one = torch.multinomial(p.cpu(), 1, replacement=True, generator=generator)
            t = one.to(self._device)
            return t, (1 / (len(p) * p[t])).float()
        drawn = torch.rand(count, dtype=torch.float64, generator=generator)
        cumulative = p.cumsum(dim=0) if self._device.type == "cpu" else deterministic_cumsum(p)
        t = torch.searchsorted(cumulative / cumulative[-1], ahead(drawn, self._device))
        return t, (1 / (len(p) * p[t])).float()

    def record(self, t: Tensor, losses: Tensor) -> None:
        """Remembers the unweighted losses (B,) of images at steps t (B,), the oldest forgotten.

        A loss that is not finite is left out: one would make every later probability NaN.

        Raises:
            ValueError: If t and the losses differ in shape.
        """
        if t.shape != losses.shape:
            raise ValueError(
                "timesteps.record: expected t and losses of one shape, "
                f"found {tuple(t.shape)} and {tuple(losses.shape)}"
            )
        t, losses = t.to(self._device), losses.detach().to(self._device)
        nowhere, history = len(self._counts), self._losses.shape[1]
        t, order = torch.where(losses.isfinite(), t, nowhere).sort(stable=True)
        first, last = (torch.searchsorted(t, t, right=right) for right in (False, True))
        place = torch.arange(len(t), device=self._device)
        row = torch.where(last - place <= history, t, nowhere)  # of a step's losses the last ones
        self._table[row, (self._met[t] + place - first) % history] = losses[order].double()
        self._met.index_add_(0, t, torch.ones_like(t))

    def state_dict(self) -> dict[str, Tensor]:
        """The remembered losses, float64 (T, history), and how many each step had, int64 (T,)."""
        return {"losses": self._losses.clone(), "counts": self._counts.clone()}

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """Restores what `state_dict` gave; the draws that follow are the same.

        Raises:
            ValueError: If the state is of another number of steps or history, or incomplete.
        """
        _check_shapes(self.state_dict(), state)
        self._losses.copy_(state["losses"])
        self._counts.copy_(state["counts"])


def deterministic_cumsum(p: Tensor) -> Tensor:
    """Cumulative sums of float64 probabilities (T,), to T times 2**-53.

    A GPU refuses the sums of floats in the deterministic mode, in which tasks run; those of
    integers it gives.
    """
    return (p * 2.0**52).round().long().cumsum(dim=0).double() / 2.0**52


def _check_shapes(own: Mapping[str, Tensor], state: Mapping[str, Tensor]) -> None:
    expected = {name: tuple(tensor.shape) for name, tensor in own.items()}
    found = {name: tuple(tensor.shape) for name, tensor in state.items()}
    if found != expected:
        raise ValueError(
            f"timesteps.load_state_dict: expected tensors of shapes {expected}, found {found}; "
            "the state is of another timestep sampler"
        )
