"""How much work a task is, counted from its config: training steps and network calls."""

from collections.abc import Callable
from functools import lru_cache

from iddpm.config import (
    Classifier,
    GanConfig,
    GanSampleConfig,
    GradientNoiseConfig,
    LikelihoodConfig,
    LikelihoodShardConfig,
    SampleConfig,
    Stride,
    TrainConfig,
)
from iddpm.strides import kept_steps, stride_timesteps
from studies.tasks.task import Task, TaskConfig

PASSES_OF_A_GRADIENT = 3
"""One pass forward, and one back of twice its work."""


def training_steps(config: TaskConfig) -> int:
    """Steps that a task trains for."""
    return config.steps if isinstance(config, TrainConfig | Classifier | GanConfig) else 0


def steps_before(task: Task, other: Callable[[str], Task]) -> int:
    """Steps of the training that a task continues, if all goes well.

    Args:
        task: The task.
        other: From the address of a task that it comes after to that task.
    """
    return max((training_steps(other(address).config) for address in task.after), default=0)


def network_calls(config: TaskConfig, train: TaskConfig) -> int:
    """How often a task applies a network to one image; a gradient is worth three times.

    Args:
        config: Of the task.
        train: Of the training that the network comes from.
    """
    if isinstance(config, GradientNoiseConfig):
        return PASSES_OF_A_GRADIENT * config.images
    if isinstance(config, GanSampleConfig):
        return config.images
    if not isinstance(config, SampleConfig | LikelihoodConfig | LikelihoodShardConfig):
        return 0
    assert isinstance(train, TrainConfig)
    total = train.diffusion.steps
    if isinstance(config, SampleConfig):
        steps = _kept(config.sampler.stride, total, config.steps)
        return config.images * kept_steps(steps, config.skip)
    bound = config.part if isinstance(config, LikelihoodShardConfig) else config
    return (config.images or 0) * _kept(bound.stride, total, bound.steps or total)


@lru_cache
def _kept(stride: Stride, total: int, steps: int) -> int:
    return len(stride_timesteps(stride, total, steps))
