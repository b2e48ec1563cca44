"""Faults of one of several processes that train together, at a counted exchange between them."""

import os
import signal
from pathlib import Path

import torch
from torch import Tensor

from iddpm.running.ranks import Ranks, RanksError
from iddpm.running.trajectory import Diverged


def customised(**faults: object) -> str:
    """A `sitecustomize.py` by which every process of Python has the faults of `install`."""
    return f"from tests.witness import rank_faults\nrank_faults.install(**{faults!r})\n"


def install(exchange: int, by_rank: dict[int, str], once: str = "") -> None:
    """Let ranks meet a fault just before they add up their gradients for the n-th time.

    Args:
        exchange: Which time, from 1.
        by_rank: By number, the name of a fault of this module.
        once: A file that is there once there was a fault, if there is to be one alone.
    """
    add_up, done = Ranks.add_up, [0]

    def watched(self: Ranks, tensor: Tensor) -> None:
        if tensor.is_floating_point():
            done[0] += 1
            if done[0] == exchange and self.number in by_rank and not os.path.exists(once):
                if once:
                    Path(once).touch()
                globals()[by_rank[self.number]]()
        add_up(self, tensor)

    Ranks.add_up = watched  # type: ignore[method-assign]


def killed() -> None:
    """It is killed."""
    os.kill(os.getpid(), signal.SIGKILL)


def frozen() -> None:
    """It answers nobody any more."""
    os.kill(os.getpid(), signal.SIGSTOP)


def out_of_memory() -> None:
    """Its GPU has too little memory."""
    raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")


def refused() -> None:
    """It finds a value that it cannot take."""
    raise ValueError("expected another value")


def diverged() -> None:
    """Its loss is not finite."""
    raise Diverged("expected a finite loss")


def deserted() -> None:
    """It has given up waiting for the others."""
    raise RanksError("ranks: another one has ended or does not answer (timeout)")
