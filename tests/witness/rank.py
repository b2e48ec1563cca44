"""One of several processes that train one network together, to be stopped, killed and frozen.

What it saw is left in its folder as JSON. Its numbers are float64, whose rounding is far below any
difference of substance.
"""

import json
import os
import signal
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from iddpm.running.checkpoints import digest
from iddpm.running.interruption import Interrupted
from iddpm.running.ranks import Ranks, joined
from iddpm.timesteps import LossSecondMomentTimesteps
from iddpm.training import Training, train
from tests.witness.limits import largest_file
from tests.witness.whole_training import CONFIG as WHOLE

CONFIG = replace(WHOLE, block_size=2)
"""Six blocks, shared out among one, two or three."""

HANGS_S = 60
"""A process that is not done by then ends itself."""


def run(
    do: Callable[..., dict[str, Any]],
    *,
    number: int,
    count: int,
    port: int,
    folder: str,
    timeout_s: float = 30,
    **job: Any,
) -> None:
    """Do it as one of the ranks; what it gives is left in `folder/NUMBER.json`."""
    signal.alarm(HANGS_S)
    torch.set_num_threads(1)
    torch.set_default_dtype(torch.float64)
    meeting = f"tcp://127.0.0.1:{port}"
    together = joined(number=number, count=count, meeting=meeting, timeout_s=timeout_s)
    with together as ranks:
        found = do(ranks, Path(folder), **job)
    (Path(folder) / f"{number}.json").write_text(json.dumps(found))


def whole(
    ranks: Ranks,
    folder: Path,
    *,
    seed: int = 0,
    signals: tuple[int, int] | None = None,
    stops_after: int | None = None,
    checkpoint_every_s: float = 0,
    disk_is_full: bool = False,
) -> dict[str, Any]:
    """A whole training.

    Args:
        ranks: Of this process.
        folder: Of the state.
        seed: Of the training.
        signals: Step done, and the signal that this process then sends itself.
        stops_after: Step done after which this process is asked to stop.
        checkpoint_every_s: Seconds between saves.
        disk_is_full: For this process.
    """
    seen: list[int] = []

    def progress(done: int, total: int) -> None:
        seen.append(done)
        if signals is not None and done == signals[0]:
            os.kill(os.getpid(), signals[1])

    try:
        with largest_file(1000) if disk_is_full else nullcontext():
            result = train(
                replace(CONFIG, seed=seed),
                folder,
                progress=progress,
                should_stop=lambda: stops_after is not None and seen[-1:] == [stops_after],
                checkpoint_every_s=checkpoint_every_s,
                ranks=ranks,
            )
    except Interrupted as error:
        return {"saved": error.saved, "seen": seen}
    return {"result": result.as_json(), "seen": seen}


class Noting(LossSecondMomentTimesteps):
    """It also notes which steps it drew here, and of which it was told."""

    def __init__(self) -> None:
        super().__init__(CONFIG.diffusion.steps, history=2)
        self.drawn: list[list[int]] = []
        self.told: list[list[int]] = []

    def draw(self, count: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """As it would be."""
        t, weights = super().draw(count, generator)
        self.drawn.append(t.tolist())
        return t, weights

    def record(self, t: Tensor, losses: Tensor) -> None:
        """As it would be."""
        self.told.append(t.tolist())
        super().record(t, losses)


def every_step(ranks: Ranks, folder: Path) -> dict[str, Any]:
    """What this process drew and was told in every step, and what it holds at the end."""
    training = Training(CONFIG, ranks=ranks)
    training.timesteps = noting = Noting()
    while training.step < CONFIG.steps:
        training.advance()
    averages = {str(decay): value for decay, value in training.averages.averages.items()}
    return {
        "drawn": noting.drawn,
        "told": noting.told,
        "warmed_up": noting.warmed_up,
        "losses": noting.state_dict()["losses"].tolist(),
        "curve": training.curve.points(),
        "weights": training.weights.vector.tolist(),
        "averages": [value.tolist() for value in averages.values()],
        "digest": digest({**noting.state_dict(), **averages, "raw": training.weights.vector}),
    }


run_whole = partial(run, whole)
run_every_step = partial(run, every_step)
