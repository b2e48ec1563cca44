"""A network trained to step N, from nothing or from any earlier state of the same trajectory.

Training step n is a function of the state before it and of (seed, n): its images, their steps t,
noise and dropout come from generators of their own. So a training that was stopped, or killed, or
continued from a shorter one ends in the same state as one that ran through: bit for bit on a CPU
with one thread. Several processes may train it together (`iddpm.running.ranks`), each on blocks of
its own.
"""

import math
from array import array
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from iddpm import build
from iddpm.arrays import Int64Array
from iddpm.checks import check_shares
from iddpm.config import TrainConfig
from iddpm.config_fields import canonical
from iddpm.data import batch_indices, describe, load, to_unit
from iddpm.networks.compiling import Compiling, compiled
from iddpm.networks.conditioning import Conditioning
from iddpm.networks.ema import MovingAverages
from iddpm.networks.flat import FlatWeights
from iddpm.networks.precision import arithmetic, tf32
from iddpm.networks.rounded import RoundedWeights
from iddpm.networks.unet import UNet
from iddpm.objectives import Losses, objective_losses
from iddpm.running import checkpoints
from iddpm.running.copies import ahead
from iddpm.running.draws import derived_seed, generator
from iddpm.running.files import Held
from iddpm.running.interruption import Progress, StopCheck, TimeCheck
from iddpm.running.ranks import ALONE, Ranks
from iddpm.running.trajectory import Diverged, driven

CURVES = ("loss", "simple_mse", "vlb")
CURVE_POINTS = 200
"""At most so many points make up a loss curve, each the mean over a window of steps."""
READ_EVERY = 50
"""Steps after which a GPU is asked for their losses: it must end its work before it can answer."""


@dataclass(frozen=True, kw_only=True)
class TrainResult:
    """What a training came to; a function of its config alone."""

    steps: int
    parameters: int
    images_seen: int
    nonfinite_steps: int
    """Steps that moved nothing, because their loss or its gradient was not finite; they count
    among `steps`, and their images as seen."""
    loss_curve: dict[str, list[float | None]]
    """Means over windows of steps: `loss`, which is minimised, and of the parts that the objective
    has `simple_mse` and `vlb` (bits/dim of a term); None for a window without a finite loss.
    Under `step` stands the last step of each window, counted from 1."""
    weights: dict[str, str]
    """Content hash of the raw weights under `raw`, and of each average under its decay."""

    def as_json(self) -> dict[str, Any]:
        """The same as plain values."""
        return asdict(self)


def train(
    config: TrainConfig,
    folder: Path,
    *,
    start: Path | None = None,
    device: torch.device | str = "cpu",
    progress: Progress = lambda done, total: None,
    should_stop: StopCheck = lambda: False,
    is_due: TimeCheck = lambda seconds: False,
    checkpoint_every_s: float = 60.0,
    ranks: Ranks = ALONE,
    held: Held = nullcontext,
    seen: Callable[["Training"], None] = lambda training: None,
    compiling: Compiling = "off",
) -> TrainResult:
    """Train to `config.steps`, and leave the full state in `folder/state.pt`.

    Args:
        config: The trajectory and its length.
        folder: Where the state is kept, this training's alone; a state found there is continued.
        start: State file of a shorter training of this trajectory, to start from otherwise.
        device: Where to train; moves the numbers by rounding, and on a GPU the draws of noise.
        progress: Told of each step done.
        should_stop: Asked before each step.
        is_due: Asked before each step after a save: is less time left than a step and a save need?
        checkpoint_every_s: Seconds between saves.
        ranks: The processes that train together; all call this alike, and the first one saves.
        held: Keeps the folder for each moment in which a file appears there, or raises.
        seen: Handed the training after each step.
        compiling: Whether the network is compiled; moves the numbers by rounding.

    Raises:
        ConfigError: If the blocks of a batch cannot be shared out evenly.
        RanksError: If another process ended, cannot save, or does not hold the same state.
        Interrupted: If any process was asked to stop; the state is saved.
        Diverged: After `config.max_nonfinite_steps` steps without a finite loss; it is saved.
        CheckpointError: If a state found is damaged, of another trajectory or of a later step.
        StorageError: If the state cannot be written.
    """
    return driven(
        lambda: Training(config, device, ranks, compiling),
        folder,
        start=start,
        progress=progress,
        should_stop=should_stop,
        is_due=is_due,
        checkpoint_every_s=checkpoint_every_s,
        held=held,
        seen=seen,
    ).result()


def load_network(
    state_file: Path,
    config: TrainConfig,
    *,
    ema_decay: float | None,
    device: torch.device | str,
    digests: Mapping[str, str] | None = None,
) -> UNet:
    """The trained network, ready for evaluation.

    Args:
        state_file: What `train` left.
        config: Of that training.
        ema_decay: Which average of the weights; None: the weights themselves.
        device: Where to put it.
        digests: The `weights` of its result, to be held against what is loaded; None: not known.

    Raises:
        CheckpointError: If the state is damaged, of another trajectory or of another step, or its
            weights are not those of the result.
        ValueError: If the training kept no such average.
    """
    if ema_decay is not None and ema_decay not in config.ema_decays:
        raise ValueError(
            f"ema_decay: expected one that the training kept, {config.ema_decays}, "
            f"found {ema_decay}"
        )
    role = "raw" if ema_decay is None else str(ema_decay)
    known = {} if digests is None else {role: digests[role]}
    ending = checkpoints.Ending(step=config.steps, weights=known)
    state = checkpoints.load(state_file, trajectory(config), ending=ending, mapped=bool(known))
    return restored(config, state["weights"][role], device=device)


def restored(
    config: TrainConfig, weights: Mapping[str, torch.Tensor], *, device: torch.device | str
) -> UNet:
    """The network with these weights, ready for evaluation.

    Args:
        config: Of its training.
        weights: Its state dict.
        device: Where to put it.
    """
    with torch.device("meta"):  # weights that are replaced need not be drawn
        network = build.network(config, describe(config.data))
    network.load_state_dict(weights, assign=True)
    network.to(device).eval().requires_grad_(False)
    if torch.device(device).type == "cuda":  # where convolutions are faster with channels last
        nn.utils.convert_conv2d_weight_memory_format(network, torch.channels_last)
    return network


def trajectory(config: TrainConfig) -> dict[str, Any]:
    """What trainings to different lengths share: the config without its steps, and the data."""
    shared = {name: value for name, value in canonical(config).items() if name != "steps"}
    return {**shared, "data_digest": describe(config.data).digest}


class Training:
    """A trajectory under way: all that moves, and one method that moves it by a step.

    Making one and advancing it seeds torch's global generators.

    Args:
        config: The trajectory; its length is the caller's to watch.
        device: Where to train.
        ranks: The processes that train together, each with one of these.
        compiling: Whether the network is compiled.

    Raises:
        ConfigError: If the blocks of a batch cannot be shared out evenly.
    """

    def __init__(
        self,
        config: TrainConfig,
        device: torch.device | str = "cpu",
        ranks: Ranks = ALONE,
        compiling: Compiling = "off",
    ) -> None:
        check_shares(config, ranks.count)
        self.ranks = ranks
        self.config = config
        self.device = torch.device(device)
        on_gpu = self.device.type == "cuda"
        self.memory_format = torch.channels_last if on_gpu else torch.contiguous_format
        self.data = load(config.data, "train")
        torch.manual_seed(derived_seed(config.seed_of("weights"), "weights"))
        self.network = build.network(config, describe(config.data)).to(self.device).train()
        self.weights = FlatWeights(self.network, memory_format=self.memory_format)
        is_rounded = config.precision == "bf16"
        self.rounded = RoundedWeights(self.network, self.weights) if is_rounded else None
        asked = self.network if self.rounded is None else self.rounded.network
        self._parameters = list(asked.parameters())
        self.averages = MovingAverages(self.weights.vector, config.ema_decays)
        self.optimizer = build.optimizer(config, [self.weights.vector])
        self.timesteps = build.timestep_sampler(config, self.device)
        diffusion = build.diffusion(config.diffusion).to(self.device)
        self.denoiser = build.denoiser(config, compiled(asked, compiling), diffusion)
        self.curve = LossCurve()
        self.read_every = READ_EVERY if on_gpu else 1
        self._unread: list[Tensor] = []
        unit = to_unit(
            np.arange(self.data.levels, dtype=np.uint8)[None, :, None, None], self.data.levels
        )
        self._unit = torch.from_numpy(unit.ravel()).to(self.device)
        self.step = 0
        self.nonfinite_steps = 0
        self.nonfinite_in_a_row = 0

    @property
    def length(self) -> int:
        """Steps to train for."""
        return self.config.steps

    @property
    def diverged(self) -> bool:
        """Whether the loss has not been finite for as long as the config allows."""
        return self.nonfinite_in_a_row >= self.config.max_nonfinite_steps

    def divergence(self) -> Diverged:
        """The error of a training that has diverged."""
        return Diverged(
            f"train: expected a finite loss, found none in the last {self.nonfinite_in_a_row} "
            f"steps up to step {self.step}; try a smaller optimizer.learning_rate"
        )

    def advance(self) -> None:
        """One step. If its loss or gradient is not finite, nothing moves but the counts."""
        self.weights.gradient.zero_()
        if self.rounded is not None:
            self.rounded.follow()
        blocks = self._gathered([self._backward(block, rows) for block, rows in self._own_blocks()])
        self.ranks.add_up(self.weights.gradient)
        means = torch.stack([block.means for block in blocks]).mean(dim=0)
        gradient_norm = torch.linalg.vector_norm(self.weights.gradient)
        is_finite = means[0].isfinite() & gradient_norm.isfinite()
        self.step += 1
        self._move(blocks, gradient_norm, is_finite)
        self._unread.append(torch.where(is_finite, means, math.nan))
        possible = self.config.max_nonfinite_steps - self.nonfinite_in_a_row
        if len(self._unread) >= min(self.read_every, possible):  # it cannot diverge unseen
            self._read()

    def _read(self) -> None:
        """Takes note of the losses of the steps since the last time."""
        for losses in torch.stack(self._unread).tolist() if self._unread else ():
            self.curve.append(losses)
            left_out = math.isnan(losses[0])
            self.nonfinite_steps += left_out
            self.nonfinite_in_a_row = self.nonfinite_in_a_row + 1 if left_out else 0
        self._unread.clear()

    def _blocks(self) -> list[Int64Array]:
        """Which images each block of this step holds."""
        config = self.config
        images, seed = len(self.data.images), config.seed_of("order")
        rows = batch_indices(images, config.batch_size, seed, self.step)
        return np.split(rows, config.batch_size // (config.block_size or config.batch_size))

    def _own_blocks(self) -> list[tuple[int, Int64Array]]:
        """Number and images of each block that this rank computes."""
        blocks = list(enumerate(self._blocks()))
        share = len(blocks) // self.ranks.count
        return blocks[share * self.ranks.number : share * (self.ranks.number + 1)]

    def _gathered(self, blocks: list["_Block"]) -> list["_Block"]:
        """What the blocks of all ranks left behind, in their order."""
        if self.ranks.count == 1:
            return blocks
        t, losses, means = (
            self.ranks.gathered(torch.stack([getattr(block, part) for block in blocks]))
            for part in ("t", "losses", "means")
        )
        whole = zip(t, losses, means, strict=True)
        return [_Block(t=t, losses=losses, means=means) for t, losses, means in whole]

    def agree(self) -> None:
        """Check that every rank starts from the same weights, at the same step.

        Raises:
            RanksError: If not.
        """
        if self.ranks.count > 1:
            self.ranks.agree("step", self.step)
            digest = checkpoints.digest({"weights": self.weights.vector})
            self.ranks.agree("weights", int(digest[:15], 16))

    def _backward(self, block: int, rows: Int64Array) -> "_Block":
        """Adds a block's share to the gradient of the whole batch's mean loss."""
        config = self.config
        x_0, conditioning = self._images(rows)
        if config.horizontal_flips:
            x_0 = mirrored(x_0, self._generator("flips", block))
        t, weights = self.timesteps.draw(len(rows), self._generator("timesteps", block))
        eps_generator = self._generator("noise", block, device=self.device)
        eps = torch.randn(x_0.shape, generator=eps_generator, device=self.device)
        if config.network.dropout > 0:
            seed = derived_seed(config.seed_of("noise"), "dropout", self.step, block)
            _seed_global_generator(self.device, seed)
        with arithmetic(config.precision, self.device):
            losses = objective_losses(
                config.objective,
                self.denoiser,
                x_0,
                t,
                eps,
                levels=self.data.levels,
                conditioning=conditioning,
            )
        with tf32(config.precision):
            loss = (weights * losses.total).sum() / config.batch_size
            self.weights.add_gradients(loss, self._parameters)
        return _Block(t=t, losses=losses.total.detach(), means=_weighted_means(losses, weights))

    def _images(self, rows: Int64Array) -> tuple[Tensor, Conditioning | None]:
        pixels = ahead(torch.from_numpy(self.data.images[rows]), self.device)
        x_0 = self._unit[pixels.int()].permute(0, 3, 1, 2)
        x_0 = x_0.contiguous(memory_format=self.memory_format)
        if not self.config.network.class_conditional or self.data.labels is None:
            return x_0, None
        labels = ahead(torch.from_numpy(self.data.labels[rows]), self.device)
        return x_0, Conditioning(labels=labels)

    def _generator(
        self, purpose: str, block: int, device: torch.device | str = "cpu"
    ) -> torch.Generator:
        seed = self.config.seed_of("noise")
        return generator(seed, purpose, self.step, block, device=device)

    def _move(self, blocks: list["_Block"], gradient_norm: Tensor, is_finite: Tensor) -> None:
        """Weights, averages and losses by t, once all blocks of the step have drawn their t.

        Whether they move is decided on the device, by 0-dimensional tensors: nothing is waited for.
        """
        settings = self.config.optimizer
        if settings.clip_norm is not None:
            share = settings.clip_norm / gradient_norm.double().clamp_min(1e-12)
            self.weights.gradient.mul_(share.clamp_max(1.0).float())
        for group in self.optimizer.param_groups:
            group["lr"] = settings.rate(self.step - 1)
        moves = is_finite.float()
        # how torch's GradScaler tells a fused optimizer to leave a step out
        self.optimizer.found_inf = 1 - moves  # type: ignore[attr-defined]
        self.optimizer.step()
        self.averages.update(moves)
        for block in blocks:  # a loss that is not finite is not remembered
            self.timesteps.record(block.t, block.losses.where(is_finite, math.nan))

    @property
    def content(self) -> dict[str, Any]:
        """What its states are of: the trajectory, whatever its length."""
        return trajectory(self.config)

    def state(self) -> dict[str, Any]:
        """All that moves, itself and no copy."""
        self._read()
        return {
            "weights": self._roles(),
            "optimizer": self._turned(self.optimizer.state_dict(), self.weights.in_order),
            "timesteps": self.timesteps.state_dict(),
            "curve": self.curve.state_dict(),
            "step": self.step,
            "nonfinite_steps": self.nonfinite_steps,
            "nonfinite_in_a_row": self.nonfinite_in_a_row,
        }

    def _roles(self) -> dict[str, dict[str, Tensor]]:
        """The weights themselves, under `raw`, and each average, under its decay, by parameter."""
        vectors = {"raw": self.weights.vector.detach()}
        vectors |= {str(decay): average for decay, average in self.averages.averages.items()}
        return {role: self.weights.named(vector) for role, vector in vectors.items()}

    def _turned(
        self, optimizer: dict[str, Any], turned: Callable[[Tensor], Tensor]
    ) -> dict[str, Any]:
        """An optimizer's state with its vectors turned: files hold them channel by channel."""
        moments = {
            key: {
                name: turned(value) if value.shape == self.weights.vector.shape else value
                for name, value in of_vector.items()
            }
            for key, of_vector in optimizer["state"].items()
        }
        return {**optimizer, "state": moments}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Continue from what `state` gave."""
        for role, weights in self._roles().items():
            for name, weight in weights.items():
                weight.copy_(state["weights"][role][name])
        optimizer = self._turned(state["optimizer"], self.weights.laid_out)
        self.optimizer.load_state_dict(optimizer)
        self.timesteps.load_state_dict(state["timesteps"])
        self.curve.load_state_dict(state["curve"])
        self.step = state["step"]
        self.nonfinite_steps = state["nonfinite_steps"]
        self.nonfinite_in_a_row = state["nonfinite_in_a_row"]

    def result(self) -> TrainResult:
        """What the training has come to."""
        self._read()
        return TrainResult(
            steps=self.step,
            parameters=sum(weight.numel() for weight in self.network.parameters()),
            images_seen=self.step * self.config.batch_size,
            nonfinite_steps=self.nonfinite_steps,
            loss_curve=self.curve.points(),
            weights={role: checkpoints.digest(weights) for role, weights in self._roles().items()},
        )


@dataclass(frozen=True, kw_only=True, eq=False)
class _Block:
    """What a block of images leaves behind."""

    t: Tensor
    """Drawn steps, shape (B,)."""
    losses: Tensor
    """Unweighted, shape (B,)."""
    means: Tensor
    """Weighted means over the block, one for each of `CURVES`; NaN for one it has not."""


def _weighted_means(losses: Losses, weights: Tensor) -> Tensor:
    """Unbiased for the means over uniformly drawn steps, whatever drew them. Shape (CURVES,)."""
    parts = (losses.total, losses.simple_mse, losses.vlb)
    absent = losses.total.new_tensor(math.nan)
    means = [absent if part is None else (weights * part.detach()).mean() for part in parts]
    return torch.stack(means)


def mirrored(images: Tensor, draws: torch.Generator) -> Tensor:
    """Images (B, C, H, W), each mirrored left to right with probability 1/2 by a CPU generator."""
    is_mirrored = ahead(torch.rand(len(images), generator=draws), images.device) < 0.5
    return torch.where(is_mirrored[:, None, None, None], images.flip(-1), images)


class LossCurve:
    """The loss of every step so far, and its parts; NaN at a step that was left out.

    Args:
        names: Of the numbers that each step gives.
    """

    def __init__(self, names: tuple[str, ...] = CURVES) -> None:
        self._names = names
        self._values = array("d")

    def append(self, values: list[float]) -> None:
        """Takes the next step's values, one for each name."""
        self._values.extend(values)

    def points(self) -> dict[str, list[float | None]]:
        """Means over at most `CURVE_POINTS` windows of equal length, but for the last one's."""
        table = self._table()
        window = max(1, math.ceil(len(table) / CURVE_POINTS))
        windows = [table[start : start + window] for start in range(0, len(table), window)]
        ends = [min(end, len(table)) for end in range(window, len(table) + window, window)]
        points: dict[str, list[float | None]] = {"step": [*ends]}
        for column, name in enumerate(self._names):
            means = [_finite_mean(rows[:, column]) for rows in windows]
            if name == "loss" or any(mean is not None for mean in means):
                points[name] = means
        return points

    def _table(self) -> np.ndarray[Any, np.dtype[np.float64]]:
        """Shape (steps, names)."""
        return np.array(self._values).reshape(-1, len(self._names))

    def state_dict(self) -> dict[str, Tensor]:
        """All that moves."""
        return {"values": torch.from_numpy(self._table())}

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        """Restores what `state_dict` gave."""
        self._values = array("d", state["values"].numpy().tobytes())


def _finite_mean(values: np.ndarray[Any, np.dtype[np.float64]]) -> float | None:
    finite = values[np.isfinite(values)].tolist()
    return math.fsum(finite) / len(finite) if finite else None


def _seed_global_generator(device: torch.device, seed: int) -> None:
    """Seeds the one that dropout draws from; `torch.manual_seed` takes longer than some layers."""
    if device.type == "cuda":
        torch.cuda.manual_seed_all(seed)
    else:
        torch.default_generator.manual_seed(seed)
