"""A training of a second in which everything moves that can, to be stopped and killed."""

from pathlib import Path

import torch

from iddpm.config import (
    DiffusionConfig,
    Digits,
    Hybrid,
    LossSecondMoment,
    OptimizerConfig,
    TrainConfig,
    UNetConfig,
)
from iddpm.training import train

CONFIG = TrainConfig(
    data=Digits(),
    diffusion=DiffusionConfig(steps=4),
    network=UNetConfig(
        model_channels=4,
        channel_mult=(1,),
        res_blocks=1,
        attention_resolutions=(),
        heads=2,
        groups=2,
        dropout=0.2,
        class_conditional=True,
    ),
    objective=Hybrid(),
    timesteps=LossSecondMoment(history=2),
    optimizer=OptimizerConfig(learning_rate=1e-3),
    batch_size=12,
    block_size=4,
    ema_decays=(0.9, 0.5),
    steps=8,
)
"""Dropout, labels, several blocks, a loss history and two averages."""


def run(folder: Path) -> None:
    """Trains, saving at every step: for a process that may be killed."""
    torch.set_num_threads(1)
    train(CONFIG, folder, checkpoint_every_s=0)
