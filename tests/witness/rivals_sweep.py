"""A tiny sweep with a GAN and images from elsewhere."""

from pathlib import Path
from typing import Any

import numpy as np

from iddpm.config import Digits
from iddpm.data import load
from studies.plan.plan import Plan, expand
from studies.spec.sweep import read_sweep
from studies.tasks.task import Task
from tests.witness.sweep_files import write_sweep
from tests.witness.tiny_sweep import PRESET

SWEEP = """
study: rivals
question: Does diffusion cover more?
preset: tiny
train: {objective: hybrid, network: {class_conditional: true}}
grid:
  train.network.model_channels: [4, 6]
seeds: [0, 1]
evaluate:
  - samples: {sampler: {ancestral: {variance: range}}, steps: 4}
rivals:
  - gan: {latent: 2, channels: 4, batch_size: 4, ema_decay: 0.5, steps: 3}
  - external: {name: real digits, path: PATH}
figures: [model_comparison, class_grid]
claims: [diffusion_covers_more_than_gan, gan_is_more_precise, only_large_diffusion_beats_gan]
"""


def written(folder: Path, *changes: tuple[str, str], preset: str = PRESET) -> Path:
    """The sweep in this folder, with these words in place of others; its images lie beside it."""
    elsewhere = folder / "elsewhere.npz"
    if not elsewhere.exists():
        np.savez(elsewhere, load(Digits(), "test").images[:20])
    sweep = SWEEP.replace("PATH", str(elsewhere))
    for old, new in changes:
        assert old in sweep
        sweep = sweep.replace(old, new)
    return write_sweep(folder, sweep, preset)


def planned(folder: Path, *changes: tuple[str, str], **options: Any) -> Plan:
    """The plan of that sweep."""
    return expand(read_sweep(written(folder, *changes), **options))


def of_kind(plan: Plan, kind: str) -> list[Task]:
    """Its tasks of a kind."""
    return [task for task in plan.tasks.values() if task.kind == kind]
