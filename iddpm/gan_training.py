"""A GAN trained to step N, with the promises of `iddpm.training`.

Step n is a function of the state before it and of (seed, n): its images and its latents come from
generators of their own, so a training that was stopped or continued ends in the same state, bit for
bit on a CPU with one thread. All that moves is in one checkpoint: both networks with the vectors of
their spectral norms, the average of the generator's weights, both optimizers, the losses.
"""

import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from iddpm import build
from iddpm.config import GanConfig
from iddpm.config_fields import canonical
from iddpm.data import batch_indices, describe, load, to_unit
from iddpm.networks.ema import MovingAverages
from iddpm.networks.flat import FlatWeights
from iddpm.networks.gan import Generator, discriminator_loss, generator_loss
from iddpm.running import checkpoints
from iddpm.running.draws import derived_seed, generator
from iddpm.running.files import Held
from iddpm.running.interruption import Progress, StopCheck, TimeCheck
from iddpm.running.ranks import ALONE, Ranks
from iddpm.running.trajectory import Diverged, driven
from iddpm.training import LossCurve

CURVES = ("loss", "generator_loss")
"""The discriminator's hinge loss first: it has a scale, the generator's has none."""

# ---------------------------------------------------------------------------------- public things


@dataclass(frozen=True, kw_only=True)
class GanResult:
    """What a training came to; a function of its config alone."""

    steps: int
    parameters: int
    """Of the generator."""
    discriminator_parameters: int
    images_seen: int
    """Real ones, by the discriminator."""
    nonfinite_steps: int
    """Steps of which an update was left out, because its loss or gradient was not finite."""
    loss_curve: dict[str, list[float | None]]
    """Means over windows of steps: `loss`, of the discriminator, and `generator_loss`."""
    weights: dict[str, str]
    """Content hash of the `generator`, of its `average` and of the `discriminator`."""

    def as_json(self) -> dict[str, Any]:
        """The same as plain values."""
        return asdict(self)


def train_gan(
    config: GanConfig,
    folder: Path,
    *,
    start: Path | None = None,
    device: torch.device | str = "cpu",
    progress: Progress = lambda done, total: None,
    should_stop: StopCheck = lambda: False,
    is_due: TimeCheck = lambda seconds: False,
    checkpoint_every_s: float = 60.0,
    held: Held = nullcontext,
) -> GanResult:
    """Train to `config.steps`, and leave the full state in `folder/state.pt`.

    The arguments are those of `iddpm.training.train`, and so are the errors.

    Raises:
        ConfigError: If the data have no labels, or images of a side that does not fit.
        Interrupted: If asked to stop; the state is saved.
        Diverged: If an update was left out in each of the last `config.max_nonfinite_steps` steps.
        CheckpointError: If a state found is damaged, of another trajectory or of a later step.
        StorageError: If the state cannot be written.
    """
    return driven(
        lambda: GanTraining(config, device),
        folder,
        start=start,
        progress=progress,
        should_stop=should_stop,
        is_due=is_due,
        checkpoint_every_s=checkpoint_every_s,
        held=held,
    ).result()


def load_generator(
    state_file: Path,
    config: GanConfig,
    device: torch.device | str,
    digests: Mapping[str, str] | None = None,
) -> Generator:
    """The generator with the average of its weights, ready to be sampled.

    The arguments are those of `iddpm.training.load_network`.

    Raises:
        CheckpointError: If the state is damaged, of another trajectory or of another step, or its
            weights are not those of the result.
    """
    known = {} if digests is None else {"average": digests["average"]}
    ending = checkpoints.Ending(step=config.steps, weights=known)
    state = checkpoints.load(state_file, trajectory(config), ending=ending, mapped=bool(known))
    with torch.device("meta"):  # weights that are replaced need not be drawn
        network = build.gan_generator(config, describe(config.data))
    network.load_state_dict(state["weights"]["average"], assign=True)
    return network.to(device).eval().requires_grad_(False)


def trajectory(config: GanConfig) -> dict[str, Any]:
    """What trainings to different lengths share: the config without its steps, and the data."""
    shared = {name: value for name, value in canonical(config).items() if name != "steps"}
    return {**shared, "gan": True, "data_digest": describe(config.data).digest}


# ------------------------------------------------------------------------------------ the training


class GanTraining:
    """A trajectory under way: all that moves, and one method that moves it by a step.

    Making one seeds torch's global generators.

    Raises:
        ConfigError: If the data have no labels, or images of a side that does not fit.
    """

    ranks: Ranks = ALONE

    def __init__(self, config: GanConfig, device: torch.device | str = "cpu") -> None:
        description = describe(config.data)
        self.config = config
        self.device = torch.device(device)
        self.data = load(config.data, "train")
        torch.manual_seed(derived_seed(config.seed, "weights"))
        self.generator = build.gan_generator(config, description).to(self.device).train()
        self.discriminator = build.gan_discriminator(config, description).to(self.device).train()
        self.weights = FlatWeights(self.generator)
        self.average = MovingAverages(self.weights.vector, [config.ema_decay])
        self.opposing = FlatWeights(self.discriminator)
        self.optimizer = self._adam(self.weights, config.generator_learning_rate)
        self.opposing_optimizer = self._adam(self.opposing, config.discriminator_learning_rate)
        self.curve = LossCurve(CURVES)
        self.step = 0
        self.nonfinite_steps = 0
        self.nonfinite_in_a_row = 0

    def _adam(self, weights: FlatWeights, learning_rate: float) -> torch.optim.Adam:
        betas = self.config.betas
        return torch.optim.Adam([weights.vector], lr=learning_rate, betas=betas, fused=True)

    @property
    def length(self) -> int:
        """Steps to train for."""
        return self.config.steps

    @property
    def diverged(self) -> bool:
        """Whether an update was left out for as long as the config allows."""
        return self.nonfinite_in_a_row >= self.config.max_nonfinite_steps

    def divergence(self) -> Diverged:
        """The error of a training that has diverged."""
        return Diverged(
            f"gan: expected finite losses, found none in the last {self.nonfinite_in_a_row} "
            f"steps up to step {self.step}; try smaller learning rates"
        )

    def agree(self) -> None:
        """There is only one process."""

    def advance(self) -> None:
        """The discriminator's updates, then the generator's; one that is not finite is left out."""
        rounds = range(self.config.discriminator_steps)
        losses = [self._discriminate(update) for update in rounds]
        loss, made = sum(losses) / len(losses), self._generate(len(losses))
        self.step += 1
        if math.isfinite(loss) and math.isfinite(made):
            self.nonfinite_in_a_row = 0
            self.curve.append([loss, made])
        else:
            self.nonfinite_steps += 1
            self.nonfinite_in_a_row += 1
            self.curve.append([math.nan] * len(CURVES))

    def _discriminate(self, update: int) -> float:
        """The loss of one update of the discriminator; NaN where it was left out."""
        self.opposing.gradient.zero_()
        real, labels = self._real(update)
        with torch.no_grad():
            fake = self.generator(self._latents(update), labels)
        both = self.discriminator(torch.cat([real, fake]), torch.cat([labels, labels]))
        loss = discriminator_loss(*both.chunk(2))
        torch.autograd.backward(loss)
        return _moved(self.opposing_optimizer, self.opposing, loss)

    def _generate(self, update: int) -> float:
        """The loss of the generator's update, whose labels are those of real images."""
        self.weights.gradient.zero_()
        _, labels = self._real(update - 1)
        with _frozen(self.discriminator):
            fake = self.generator(self._latents(update), labels)
            loss = generator_loss(self.discriminator(fake, labels))
            torch.autograd.backward(loss)
        moved = _moved(self.optimizer, self.weights, loss)
        if math.isfinite(moved):
            self.average.update()
        return moved

    def _real(self, update: int) -> tuple[Tensor, Tensor]:
        """Images and labels of one update of the discriminator."""
        config = self.config
        batch = self.step * config.discriminator_steps + update
        rows = batch_indices(len(self.data.images), config.batch_size, config.seed, batch)
        assert self.data.labels is not None
        images = torch.from_numpy(to_unit(self.data.images[rows], self.data.levels))
        return images.to(self.device), torch.from_numpy(self.data.labels[rows]).to(self.device)

    def _latents(self, update: int) -> Tensor:
        drawn = generator(self.config.seed, "latents", self.step, update)
        return torch.randn(self.config.batch_size, self.config.latent, generator=drawn).to(
            self.device
        )

    @property
    def content(self) -> dict[str, Any]:
        """What its states are of: the trajectory, whatever its length."""
        return trajectory(self.config)

    def state(self) -> dict[str, Any]:
        """All that moves, itself and no copy."""
        return {
            "weights": self._roles(),
            "norms": dict(self.discriminator.named_buffers()),
            "optimizer": self.optimizer.state_dict(),
            "opposing_optimizer": self.opposing_optimizer.state_dict(),
            "curve": self.curve.state_dict(),
            "step": self.step,
            "nonfinite_steps": self.nonfinite_steps,
            "nonfinite_in_a_row": self.nonfinite_in_a_row,
        }

    def _roles(self) -> dict[str, dict[str, Tensor]]:
        return {
            "generator": self.weights.named(self.weights.vector.detach()),
            "average": self.weights.named(self.average.averages[self.config.ema_decay]),
            "discriminator": self.opposing.named(self.opposing.vector.detach()),
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Continue from what `state` gave."""
        for role, weights in self._roles().items():
            for name, weight in weights.items():
                weight.copy_(state["weights"][role][name])
        for name, vector in self.discriminator.named_buffers():
            vector.copy_(state["norms"][name])
        self.optimizer.load_state_dict(state["optimizer"])
        self.opposing_optimizer.load_state_dict(state["opposing_optimizer"])
        self.curve.load_state_dict(state["curve"])
        self.step = state["step"]
        self.nonfinite_steps = state["nonfinite_steps"]
        self.nonfinite_in_a_row = state["nonfinite_in_a_row"]

    def result(self) -> GanResult:
        """What the training has come to."""
        config = self.config
        return GanResult(
            steps=self.step,
            parameters=_count(self.generator),
            discriminator_parameters=_count(self.discriminator),
            images_seen=self.step * config.discriminator_steps * config.batch_size,
            nonfinite_steps=self.nonfinite_steps,
            loss_curve=self.curve.points(),
            weights={role: checkpoints.digest(weights) for role, weights in self._roles().items()},
        )


def _moved(optimizer: torch.optim.Optimizer, weights: FlatWeights, loss: Tensor) -> float:
    """The loss, after a step down its gradient; NaN, and no step, where one is not finite."""
    value, norm = torch.stack([loss.detach(), torch.linalg.vector_norm(weights.gradient)]).tolist()
    if not (math.isfinite(value) and math.isfinite(norm)):
        return math.nan
    optimizer.step()
    return float(value)


@contextmanager
def _frozen(network: nn.Module) -> Iterator[None]:
    """Gradients pass through the network and none is kept for its weights."""
    network.requires_grad_(False)
    try:
        yield
    finally:
        network.requires_grad_(True)


def _count(network: nn.Module) -> int:
    return sum(weight.numel() for weight in network.parameters())
