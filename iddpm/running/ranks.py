"""Several processes that train one network together, through torch.distributed.

Each process is a rank. A step's batch is cut into blocks whatever the number of ranks, and every
rank computes whole blocks, so that no draw depends on how many there are. What the ranks know of
the run (weights, averages, history of losses) is the same on each of them after every step.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import torch
import torch.distributed as dist
from torch import Tensor

from iddpm.running.interruption import Interrupted


class RanksError(RuntimeError):
    """The ranks cannot go on together: one has ended, or they do not agree."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ranks:
    """This process among those that train together. Every method must be called by all of them."""

    number: int = 0
    """Of this process, from 0."""
    count: int = 1
    device: torch.device | str = "cpu"
    """Where this rank computes; what is exchanged goes through it."""

    def add_up(self, tensor: Tensor) -> None:
        """The sum over ranks, in place."""
        if self.count > 1:
            with _told_of_peers():
                dist.all_reduce(tensor)

    def gathered(self, tensor: Tensor) -> Tensor:
        """The tensors of all ranks, of equal shapes, one after the other along the first axis."""
        if self.count == 1:
            return tensor
        there = tensor.to(self.device).contiguous()
        parts = [torch.empty_like(there) for _ in range(self.count)]
        with _told_of_peers():
            dist.all_gather(parts, there)
        return torch.cat(parts).to(tensor.device)

    def any(self, *flags: bool) -> tuple[bool, ...]:
        """For each flag, whether it is set on any rank."""
        if self.count == 1:
            return flags
        raised = torch.tensor(flags, dtype=torch.int64, device=self.device)
        self.add_up(raised)
        return tuple(bool(flag) for flag in raised.tolist())

    def of_first(self, value: int) -> int:
        """What rank 0 gave."""
        if self.count == 1:
            return value
        given = torch.tensor(value, dtype=torch.int64, device=self.device)
        with _told_of_peers():
            dist.broadcast(given, src=0)
        return int(given)

    def agree(self, what: str, value: int) -> None:
        """Check that all ranks have the same value, in [0, 2**63).

        Raises:
            RanksError: If they do not.
        """
        found = self.gathered(torch.tensor([value])).tolist()
        if len(set(found)) > 1:
            raise RanksError(
                f"ranks: expected the same {what} on all {self.count}, found {found}; do all see "
                "the same files, and run the same code on the same kind of device?"
            )


ALONE = Ranks()
"""The one process of an ordinary training."""


@contextmanager
def joined(
    *,
    number: int,
    count: int,
    meeting: str | Path,
    device: torch.device | str = "cpu",
    timeout_s: float = 600.0,
) -> Iterator[Ranks]:
    """The ranks, while the context is open: nccl where they compute on GPUs, else gloo.

    After an error the others may still wait at an exchange, and leaving them in good order would
    wait for them: they are left as the process ends, and no sooner hear of it.

    Args:
        number: Of this process, from 0.
        count: Of processes; with one, nothing is joined.
        meeting: Where they find each other: `tcp://HOST:PORT`, a free port of rank 0's machine by a
            name that all can reach, or on one machine a file that is not there yet.
        device: Where this rank computes.
        timeout_s: How long a rank waits for the others before it gives up.

    Raises:
        RanksError: If the others do not come in time.
    """
    if count == 1:
        yield ALONE
        return
    device = torch.device(device)
    timeout, store = timedelta(seconds=timeout_s), None
    with _told_of_peers():
        if isinstance(meeting, Path):  # not as a URL, which torch takes for a path as it is quoted
            store = dist.FileStore(os.fsencode(meeting), count)  # type: ignore[attr-defined, arg-type]
            store.set_timeout(timeout)
        dist.init_process_group(
            "nccl" if device.type == "cuda" else "gloo",
            init_method=None if store else str(meeting),
            store=store,
            rank=number,
            world_size=count,
            timeout=timeout,
        )
    try:
        yield Ranks(number=number, count=count, device=device)
    except Interrupted:  # all have agreed to stop
        dist.destroy_process_group()
        raise
    dist.destroy_process_group()


@contextmanager
def _told_of_peers() -> Iterator[None]:
    """A failed exchange in words of our own.

    Raises:
        OutOfMemoryError: If it found too little memory here.
        RanksError: In place of any other error of torch.
    """
    try:
        yield
    except torch.OutOfMemoryError:
        raise
    except RuntimeError as error:
        reason = str(error).partition("\n")[0]
        raise RanksError(f"ranks: another one has ended or does not answer ({reason})") from error
