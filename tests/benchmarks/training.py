"""`python -m tests.benchmarks.training`: what a training step costs, as ratios within one run.

Two questions. How long is our step beside one of the same network and loss written the plain way:
float32, AdamW looping over parameters, an average updated parameter by parameter. And what
two one-thread trainings side by side get done beside one training of two threads.
"""

import statistics
import subprocess
import sys
import time
from collections.abc import Callable

import torch
from torch import Tensor

from iddpm import build
from iddpm.config import Digits, Hybrid, OptimizerConfig, TrainConfig, UNetConfig
from iddpm.data import batch_indices, to_unit
from iddpm.objectives import objective_losses
from iddpm.training import Training

CONFIG = TrainConfig(
    data=Digits(),
    network=UNetConfig(
        model_channels=16,
        channel_mult=(1, 2),
        res_blocks=1,
        attention_resolutions=(4,),
        groups=8,
    ),
    objective=Hybrid(),
    optimizer=OptimizerConfig(learning_rate=1e-3),
    batch_size=64,
    ema_decays=(0.995,),
)
WARM_UP, ROUNDS = 5, 60
SIDE_BY_SIDE_SECONDS = 15.0


class Plain:
    """The same training step, written as one would without thinking of its cost."""

    def __init__(self) -> None:
        self.ours = Training(CONFIG)  # lends its network, data and chain
        self.parameters = list(self.ours.network.parameters())
        self.optimizer = torch.optim.AdamW(
            self.parameters, lr=1e-3, weight_decay=0.0, foreach=False, fused=False
        )
        self.average = [parameter.detach().clone() for parameter in self.parameters]
        self.diffusion = build.diffusion(CONFIG.diffusion)
        self.step = 0

    def advance(self) -> None:
        data = self.ours.data
        indices = batch_indices(len(data.images), CONFIG.batch_size, CONFIG.seed, self.step)
        x_0 = torch.from_numpy(to_unit(data.images[indices], data.levels))
        t = torch.randint(self.diffusion.steps, (len(x_0),))
        self.optimizer.zero_grad()
        loss = self._losses(x_0, t).mean()
        loss.backward()
        self.optimizer.step()
        for average, parameter in zip(self.average, self.parameters, strict=True):
            average.mul_(0.995).add_(parameter.detach(), alpha=0.005)
        loss.item()
        self.step += 1

    def _losses(self, x_0: Tensor, t: Tensor) -> Tensor:
        denoiser = build.denoiser(CONFIG, self.ours.network, self.diffusion)
        eps = torch.randn_like(x_0)
        return objective_losses(
            CONFIG.objective, denoiser, x_0, t, eps, levels=self.ours.data.levels
        ).total


def seconds(call: Callable[[], object]) -> float:
    began = time.perf_counter()
    call()
    return time.perf_counter() - began


def step_ratio() -> None:
    """Median time of our step over the plain one's, measured in turn."""
    torch.set_num_threads(1)
    ours, plain = Training(CONFIG), Plain()
    pairs = [(seconds(ours.advance), seconds(plain.advance)) for _ in range(WARM_UP + ROUNDS)]
    a, b = (statistics.median(column) for column in zip(*pairs[WARM_UP:], strict=True))
    print(f"training step, one thread: {a * 1e3:.1f} ms, plain {b * 1e3:.1f} ms, {a / b:.2f} times")


def steps_done(threads: int) -> int:
    """Steps that one training does in `SIDE_BY_SIDE_SECONDS`; run in a process of its own."""
    torch.set_num_threads(threads)
    training = Training(CONFIG)
    for _ in range(WARM_UP):
        training.advance()
    began = time.perf_counter()
    while time.perf_counter() - began < SIDE_BY_SIDE_SECONDS:
        training.advance()
    return training.step - WARM_UP


def side_by_side_ratio() -> None:
    """Throughput of two one-thread trainings over that of one two-thread training."""
    two, one = measured(threads=1, processes=2), measured(threads=2, processes=1)
    rates = [steps / SIDE_BY_SIDE_SECONDS for steps in (two, one)]
    print(
        f"two trainings of one thread: {rates[0]:.1f} steps/s, one of two threads: "
        f"{rates[1]:.1f} steps/s, {rates[0] / rates[1]:.2f} times"
    )


def measured(*, threads: int, processes: int) -> int:
    command = [sys.executable, "-m", "tests.benchmarks.training", str(threads)]
    running = [
        subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(processes)
    ]
    return sum(int(process.communicate()[0]) for process in running)


if __name__ == "__main__":
    if len(sys.argv) > 1:
        print(steps_done(int(sys.argv[1])))
    else:
        step_ratio()
        side_by_side_ratio()
