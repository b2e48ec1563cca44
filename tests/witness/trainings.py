"""What the tests of trainings share: stops, states, and networks that are broken."""

import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from iddpm.config import TrainConfig
from iddpm.denoiser import Network
from iddpm.networks.conditioning import Conditioning
from iddpm.running import checkpoints
from iddpm.running.files import STATE_FILE
from iddpm.training import trajectory
from tests.witness.whole_training import CONFIG


def after(calls: int) -> Callable[[], bool]:
    """A stop check that says yes from its call number `calls` on, counted from 0."""
    seen = iter(range(1_000_000))
    return lambda: next(seen) >= calls


def saved(folder: Path, config: TrainConfig = CONFIG) -> dict[str, Any]:
    """The state that a training left."""
    return checkpoints.load(folder / STATE_FILE, trajectory(config))


def all_that_moves(folder: Path) -> dict[str, Any]:
    """That state without what says of what it is."""
    what_it_is = ("format", "version", "content")
    return {name: part for name, part in saved(folder).items() if name not in what_it_is}


def assert_equal_states(found: Any, expected: Any) -> None:
    """Bit for bit."""
    torch.testing.assert_close(found, expected, rtol=0, atol=0, equal_nan=True)


def broken(network: Network, fault: str) -> Network:
    """A network whose loss, or only whose gradient, is not finite."""

    def call(x_t: Tensor, t: Tensor, conditioning: Conditioning | None) -> Tensor:
        output = network(x_t, t, conditioning)
        if fault == "loss":
            return output * math.nan
        return output + (0 * output).abs().sqrt()  # adds 0, of infinite slope

    return call


EVERYTHING = replace(
    CONFIG, horizontal_flips=True, optimizer=replace(CONFIG.optimizer, clip_norm=0.5)
)
"""The whole training with mirrored images and a limit of the gradient."""
