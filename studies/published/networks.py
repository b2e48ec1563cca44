"""How the paper's networks were trained: its Appendix A and, where that is silent, the flags with
which the official code trained the released ones.

Sizes of the data are those of CIFAR-10, of the downsampled ImageNet of van den Oord et al. (2016)
and of ILSVRC 2012.
"""

from dataclasses import replace
from functools import cache

from iddpm.config import (
    DiffusionConfig,
    Hybrid,
    LossSecondMoment,
    Npz,
    Objective,
    OptimizerConfig,
    Schedule,
    Simple,
    Timesteps,
    TrainConfig,
    UNetConfig,
    Uniform,
    Vlb,
)

IMAGES = {
    "cifar10": (50_000, 10_000),
    "imagenet64": (1_281_149, 49_999),
    "imagenet64_labelled": (1_281_167, 50_000),
}
"""Training and test images by data."""
EMA_DECAY = 0.9999
DROPOUT: dict[str, float] = {"linear": 0.1, "cosine": 0.3}
"""On CIFAR-10 by schedule; elsewhere there is none."""
LEARNING_RATES = {64: 1.414e-4, 96: 1.155e-4, 128: 1e-4, 192: 8.165e-5}
"""By channels of the first layer: 1e-4 over the root of their number by 128 (Section 6)."""


@cache
def training(
    data: str, *, schedule: Schedule, T: int, objective: str, steps: int, channels: int = 128
) -> TrainConfig:
    """The training of one of the paper's networks.

    Args:
        data: One of those of `IMAGES`.
        schedule: Of the noise.
        T: Diffusion steps.
        objective: `simple`, `hybrid`, or `vlb`, whose t is drawn by importance (Eq. 18).
        steps: Of the training.
        channels: Of the first layer.
    """
    of_objective: dict[str, tuple[Objective, Timesteps]] = {
        "simple": (Simple(), Uniform()),
        "hybrid": (Hybrid(), Uniform()),
        "vlb": (Vlb(), LossSecondMoment()),
    }
    chosen, timesteps = of_objective[objective]
    plain = TrainConfig(
        data=Npz(path="", name=data),
        diffusion=DiffusionConfig(schedule=schedule, steps=T),
        network=UNetConfig(model_channels=channels, channel_mult=(1, 2, 3, 4)),
        objective=chosen,
        timesteps=timesteps,
        optimizer=OptimizerConfig(learning_rate=LEARNING_RATES[channels]),
        batch_size=128,
        ema_decays=(EMA_DECAY,),
        steps=steps,
    )
    if data == "cifar10":
        network = replace(plain.network, channel_mult=(1, 2, 2, 2), dropout=DROPOUT[schedule])
        return replace(plain, network=network)
    return _with_labels(plain) if data == "imagenet64_labelled" else plain


def _with_labels(plain: TrainConfig) -> TrainConfig:
    """The flags of the large network: λ = 1/T, steps as they are, a batch of 2048.

    Batch and learning rate of the small one are not published; they stay as they are elsewhere.
    """
    network = replace(plain.network, class_conditional=True, rescale_timesteps=False)
    hybrid = Hybrid(vlb_weight=1 / plain.diffusion.steps)
    found = replace(plain, network=network, objective=hybrid)
    if network.model_channels != 192:
        return found
    return replace(found, batch_size=2048, optimizer=OptimizerConfig(learning_rate=3e-4))
