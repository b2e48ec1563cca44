"""`python -m tests.benchmarks.training`: what a training step costs, as ratios within one run.

Two questions. How long does our step take beside one of the same network and loss written the
plain way: float32, AdamW looping over parameters, the average updated parameter by parameter. And
how many steps do two one-thread trainings side by side take while one of two threads takes one.
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
from iddpm.data import batch_indices, describe, load, to_unit
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
"""The network of the laptop study."""

WARM_UP, PAIRS = 5, 100
SIDE_BY_SIDE_SECONDS = 15.0


class Plain:
    """The same training step, written as one would without a thought for its cost."""

    def __init__(self) -> None:
        self.data = load(CONFIG.data, "train")
        self.network = build.network(CONFIG, describe(CONFIG.data)).train()
        self.parameters = list(self.network.parameters())
        self.optimizer = torch.optim.AdamW(
            self.parameters, lr=1e-3, weight_decay=0.0, foreach=False, fused=False
        )
        self.average = [parameter.detach().clone() for parameter in self.parameters]
        self.diffusion = build.diffusion(CONFIG.diffusion)
        self.denoiser = build.denoiser(CONFIG, self.network, self.diffusion)
        self.step = 0

    def advance(self) -> None:
        rows = batch_indices(len(self.data.images), CONFIG.batch_size, CONFIG.seed, self.step)
        x_0 = torch.from_numpy(to_unit(self.data.images[rows], self.data.levels))
        self.optimizer.zero_grad()
        loss = self._losses(x_0).mean()
        torch.autograd.backward(loss)
        self.optimizer.step()
        with torch.no_grad():
            for average, parameter in zip(self.average, self.parameters, strict=True):
                average.mul_(0.995).add_(parameter, alpha=0.005)
        loss.item()
        self.step += 1

    def _losses(self, x_0: Tensor) -> Tensor:
        t = torch.randint(self.diffusion.steps, (len(x_0),))
        eps = torch.randn_like(x_0)
        return objective_losses(
            CONFIG.objective, self.denoiser, x_0, t, eps, levels=self.data.levels
        ).total


def seconds(call: Callable[[], object]) -> float:
    began = time.perf_counter()
    call()
    return time.perf_counter() - began


def step_ratio() -> None:
    """Our step beside the plain one, in turn: a disturbance of the machine meets both alike."""
    torch.set_num_threads(1)
    ours, plain = Training(CONFIG), Plain()
    for _ in range(WARM_UP):
        ours.advance()
        plain.advance()
    pairs = [(seconds(ours.advance), seconds(plain.advance)) for _ in range(PAIRS)]
    ratio = statistics.median(a / b for a, b in pairs)
    a, b = (statistics.median(column) * 1e3 for column in zip(*pairs, strict=True))
    print(f"training step, one thread: {a:.1f} ms, plain {b:.1f} ms, {ratio:.2f} times as long")


def side_by_side_ratio() -> None:
    """Throughput of two one-thread trainings over that of one two-thread training."""
    two, one = rate(threads=1, processes=2), rate(threads=2, processes=1)
    print(
        f"two trainings of one thread: {two:.1f} steps/s, one of two threads: {one:.1f} steps/s, "
        f"{two / one:.2f} times as many"
    )


def rate(*, threads: int, processes: int) -> float:
    """Steps per second of so many processes at once, all together."""
    command = [sys.executable, "-m", "tests.benchmarks.training", str(threads)]
    running = [
        subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(processes)
    ]
    return sum(float(process.communicate()[0]) for process in running)


def steps_per_second(threads: int) -> float:
    """Of one training, in this process."""
    torch.set_num_threads(threads)
    training = Training(CONFIG)
    for _ in range(WARM_UP):
        training.advance()
    began = time.perf_counter()
    while time.perf_counter() - began < SIDE_BY_SIDE_SECONDS:
        training.advance()
    return (training.step - WARM_UP) / (time.perf_counter() - began)


if __name__ == "__main__":
    if len(sys.argv) > 1:
        print(steps_per_second(int(sys.argv[1])))
    else:
        step_ratio()
        side_by_side_ratio()
