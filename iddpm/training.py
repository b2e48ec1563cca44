"""A network trained to step N, from nothing or from any earlier state of the same trajectory.

Training step n is a function of the state before it and of (seed, n): its images, their steps t,
noise and dropout come from generators of their own. So a training that was stopped, or killed, or
continued from a shorter one ends in the same state as one that ran through: bit for bit on a CPU
with one thread.
"""

import json
import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from iddpm import build, checkpoints
from iddpm.conditioning import Conditioning
from iddpm.config import TrainConfig, canonical
from iddpm.data import batch_indices, describe, load, to_unit
from iddpm.draws import derived_seed, generator
from iddpm.ema import MovingAverages
from iddpm.interruption import Interrupted, Progress, StopCheck
from iddpm.objectives import Losses, objective_losses
from iddpm.precision import arithmetic
from iddpm.unet import UNet

STATE_FILE = "state.pt"
WINDOW = 100
"""Steps that one point of the loss curve is the mean of."""

CURVES = ("loss", "mse", "vlb")


class Diverged(RuntimeError):
    """The loss was not finite for too many steps in a row; the last good state is on disk."""


@dataclass(frozen=True, kw_only=True)
class TrainResult:
    """What a training came to; a function of its config alone."""

    steps: int
    parameters: int
    images_seen: int
    nonfinite_steps: int
    """Steps left out because their loss was not finite."""
    loss_curve: dict[str, list[float | None]]
    """Under `loss` (what is minimised), `mse` and `vlb` (bits/dim per step of the chain), where the
    objective has them: the mean over each whole window of `WINDOW` steps; under `step`, where
    the window ended."""
    weights: dict[str, str]
    """Content hash of the raw weights under `raw`, and of each average under its decay."""

    def as_json(self) -> dict[str, Any]:
        """The same as plain values."""
        return {name: getattr(self, name) for name in self.__dataclass_fields__}


def train(
    config: TrainConfig,
    folder: Path,
    *,
    start: Path | None = None,
    device: torch.device | str = "cpu",
    progress: Progress = lambda done, total: None,
    should_stop: StopCheck = lambda: False,
    checkpoint_every_s: float = 60.0,
) -> TrainResult:
    """Train to `config.steps`, and leave the full state in `folder/state.pt`.

    Args:
        config: The trajectory and its length.
        folder: Where the state is kept; a state found there is continued.
        start: State file of a shorter training of this trajectory, to start from otherwise.
        device: Where to train; moves the numbers by rounding, and on a GPU the draws.
        progress: Told of each step done.
        should_stop: Asked before each step.
        checkpoint_every_s: Seconds between saves; moves no number.

    Raises:
        Interrupted: If asked to stop; the state is saved.
        Diverged: If the loss stays non-finite; the state before it is kept.
        CheckpointError: If a state found is damaged or of another trajectory.
        StorageError: If the state cannot be written.
    """
    file = folder / STATE_FILE
    training = Training(config, device)
    source = file if file.exists() else start
    if source is not None:
        training.restore(source)
    saved_at = time.monotonic()
    while training.step < config.steps:
        if should_stop():
            training.save(file)
            raise Interrupted(f"training saved at step {training.step} of {config.steps}")
        if not training.advance() and training.nonfinite_in_a_row == 1:
            training.save(file)
        if training.nonfinite_in_a_row >= config.max_nonfinite_steps:
            raise Diverged(
                f"train: expected a finite loss, found none in {training.nonfinite_in_a_row} steps "
                f"up to step {training.step}; try a smaller train.optimizer.learning_rate"
            )
        progress(training.step, config.steps)
        if not training.nonfinite_in_a_row and time.monotonic() - saved_at > checkpoint_every_s:
            training.save(file)
            saved_at = time.monotonic()
    training.save(file)
    return training.result()


def trajectory(config: TrainConfig) -> str:
    """What trainings to different lengths share, as text: the config without its steps."""
    return json.dumps(canonical(replace(config, steps=1)), sort_keys=True)


def load_network(
    state_file: Path, config: TrainConfig, *, ema_decay: float | None, device: torch.device | str
) -> UNet:
    """The trained network, ready for evaluation.

    Args:
        state_file: What `train` left.
        config: Of that training.
        ema_decay: Which average of the weights; None: the weights themselves.
        device: Where to put it.

    Raises:
        CheckpointError: If the state is damaged, or of another trajectory.
        ValueError: If the training kept no such average.
    """
    if ema_decay is not None and ema_decay not in config.ema_decays:
        raise ValueError(
            f"ema_decay: expected one that the training kept, {config.ema_decays}, "
            f"found {ema_decay}"
        )
    state = checkpoints.load(state_file, trajectory(config))
    network = build.network(config, describe(config.data))
    weights = state["weights"] if ema_decay is None else state["averages"][str(ema_decay)]
    network.load_state_dict(weights)
    return network.to(device).eval().requires_grad_(False)


class Training:
    """A trajectory under way: all that moves, and one method that moves it by a step."""

    def __init__(self, config: TrainConfig, device: torch.device | str = "cpu") -> None:
        self.config = config
        self.device = torch.device(device)
        self.data = load(config.data, "train")
        with _seeded(derived_seed(config.seed, "weights")):
            network = build.network(config, describe(config.data))
        memory_format = (
            torch.channels_last if self.device.type == "cuda" else torch.contiguous_format
        )
        self.network = network.to(self.device, memory_format=memory_format).train()
        self.averages = MovingAverages(self.network, config.ema_decays)
        self.optimizer = build.optimizer(config, self.network.parameters())
        self.timesteps = build.timestep_sampler(config)
        diffusion = build.diffusion(config.diffusion).to(self.device)
        self.denoiser = build.denoiser(config, self.network, diffusion)
        self.curve = LossCurve()
        self.step = 0
        self.nonfinite_steps = 0
        self.nonfinite_in_a_row = 0

    def advance(self) -> bool:
        """One step of the optimizer; False if its loss was not finite and it was left out."""
        self.optimizer.zero_grad()
        indices = batch_indices(
            len(self.data.images), self.config.batch_size, self.config.seed, self.step
        )
        size = self.config.block_size or self.config.batch_size
        starts = range(0, self.config.batch_size, size)
        blocks = [self._block(i, indices[s : s + size], len(starts)) for i, s in enumerate(starts)]
        means = torch.stack([mean for _, _, mean in blocks]).mean(dim=0).tolist()
        self.step += 1
        finite = math.isfinite(means[0])
        if finite:
            self.optimizer.step()
            self.averages.update()
            for t, losses, _ in blocks:
                self.timesteps.record(t, losses)
        self.nonfinite_steps += not finite
        self.nonfinite_in_a_row = 0 if finite else self.nonfinite_in_a_row + 1
        self.curve.add(self.step, means if finite else None)
        return finite

    def _block(self, block: int, indices: Any, blocks: int) -> tuple[Tensor, Tensor, Tensor]:
        """Adds a block's share to the gradient; gives its steps t, losses, and curve values."""
        draws = generator(self.config.seed, "train", self.step, block, device=self.device)
        x_0, conditioning = self._images(indices)
        t, weights = self.timesteps.draw(len(indices), draws)
        eps = torch.randn(x_0.shape, generator=draws, device=self.device)
        with (
            self._dropout_seeded(block),
            arithmetic(self.config.precision, self.device),
        ):
            losses = objective_losses(
                self.config.objective,
                self.denoiser,
                x_0,
                t,
                eps,
                levels=self.data.levels,
                conditioning=conditioning,
            )
        loss = (weights * losses.total).mean()
        (loss / blocks).backward()
        return t, losses.total.detach(), _curve_values(losses, weights)

    def _images(self, indices: Any) -> tuple[Tensor, Conditioning | None]:
        x_0 = torch.from_numpy(to_unit(self.data.images[indices], self.data.levels))
        labels = self.data.labels
        if not self.config.network.class_conditional or labels is None:
            return x_0.to(self.device), None
        return x_0.to(self.device), Conditioning(
            labels=torch.from_numpy(labels[indices]).to(self.device)
        )

    @contextmanager
    def _dropout_seeded(self, block: int) -> Iterator[None]:
        if self.config.network.dropout == 0:
            yield
            return
        with _seeded(derived_seed(self.config.seed, "dropout", self.step, block)):
            yield

    def save(self, file: Path) -> None:
        """Write all that moves, whole.

        Raises:
            StorageError: If it cannot be written.
        """
        checkpoints.save(
            file,
            trajectory(self.config),
            {
                "weights": dict(self.network.state_dict()),
                "averages": self.averages.state_dict(),
                "optimizer": self.optimizer.state_dict(),
                "timesteps": self.timesteps.state_dict(),
                "curve": self.curve.state_dict(),
                "step": self.step,
                "nonfinite_steps": self.nonfinite_steps,
                "nonfinite_in_a_row": self.nonfinite_in_a_row,
            },
        )

    def restore(self, file: Path) -> None:
        """Continue from a state that `save` wrote.

        Raises:
            CheckpointError: If it is damaged, of another trajectory, or of a later step.
        """
        state = checkpoints.load(file, trajectory(self.config))
        if state["step"] > self.config.steps:
            raise checkpoints.CheckpointError(
                f"{file}: expected a state up to step {self.config.steps}, found one of step "
                f"{state['step']}; delete it to start again"
            )
        self.network.load_state_dict(state["weights"])
        self.averages.load_state_dict(state["averages"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.timesteps.load_state_dict(state["timesteps"])
        self.curve.load_state_dict(state["curve"])
        self.step = state["step"]
        self.nonfinite_steps = state["nonfinite_steps"]
        self.nonfinite_in_a_row = state["nonfinite_in_a_row"]

    def result(self) -> TrainResult:
        """What the training has come to."""
        averages = self.averages.state_dict()
        return TrainResult(
            steps=self.step,
            parameters=sum(weight.numel() for weight in self.network.parameters()),
            images_seen=self.step * self.config.batch_size,
            nonfinite_steps=self.nonfinite_steps,
            loss_curve=self.curve.points(),
            weights={
                "raw": checkpoints.digest(self.network.state_dict()),
                **{decay: checkpoints.digest(weights) for decay, weights in averages.items()},
            },
        )


class LossCurve:
    """Means of the losses over windows of `WINDOW` steps; steps that were left out do not count."""

    def __init__(self) -> None:
        self._points: list[list[float | None]] = []
        self._sums = [0.0] * len(CURVES)
        self._count = 0

    def add(self, step: int, values: list[float] | None) -> None:
        """Takes the values of a step, one per curve; None where the step was left out."""
        if values is not None:
            self._sums = [total + value for total, value in zip(self._sums, values, strict=True)]
            self._count += 1
        if step % WINDOW == 0:
            means = [total / self._count if self._count else math.nan for total in self._sums]
            finite = [mean if math.isfinite(mean) else None for mean in means]
            self._points.append([step, *finite])
            self._sums, self._count = [0.0] * len(CURVES), 0

    def points(self) -> dict[str, list[float | None]]:
        """The curves that have values, and under `step` where each window ended."""
        columns = {
            name: [point[i] for point in self._points] for i, name in enumerate(("step", *CURVES))
        }
        return {
            name: column
            for name, column in columns.items()
            if name == "step" or any(value is not None for value in column)
        }

    def state_dict(self) -> dict[str, Any]:
        """All that moves."""
        return {"points": self._points, "sums": self._sums, "count": self._count}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restores what `state_dict` gave."""
        self._points = [list(point) for point in state["points"]]
        self._sums, self._count = list(state["sums"]), state["count"]


def _curve_values(losses: Losses, weights: Tensor) -> Tensor:
    """Weighted means of a block's losses, in the order of `CURVES`; NaN for one it has not."""
    absent = torch.full_like(losses.total, math.nan)
    rows = [losses.total, losses.simple_mse, losses.vlb]
    stacked = torch.stack([absent if row is None else row.detach() for row in rows])
    return (weights * stacked).mean(dim=1).double()


@contextmanager
def _seeded(seed: int) -> Iterator[None]:
    """Torch's global generators seeded inside, and as they were outside."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        yield
