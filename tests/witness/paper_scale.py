"""What the presets at the paper's scale plan, for tests that hold it against the paper."""

from functools import cache
from pathlib import Path

from iddpm.config import TrainConfig
from iddpm.data import outline
from iddpm.evaluation.config import Ancestral
from iddpm.networks.size import trained_size
from studies.plan.plan import Plan, expand
from studies.spec.arms import ArmSpec
from studies.spec.evaluations import SamplesConfig
from studies.spec.sweep import read_sweep

ROOT = Path(__file__).parents[2]
K = 1000


@cache
def planned(sweep: str, preset: str) -> Plan:
    return expand(read_sweep(ROOT / f"sweeps/{sweep}.yaml", preset=preset), outlined=True)


def arms(sweep: str, preset: str) -> tuple[ArmSpec, ...]:
    return planned(sweep, preset).spec.arms


def parameters(train: TrainConfig) -> int:
    return trained_size(train, outline(train.data)).parameters


def mode(samples: SamplesConfig) -> str:
    sampler = samples.sampler
    return sampler.variance if isinstance(sampler, Ancestral) else "ddim"


def drawn(arm: ArmSpec) -> SamplesConfig | None:
    return arm.evaluation if isinstance(arm.evaluation, SamplesConfig) else None
