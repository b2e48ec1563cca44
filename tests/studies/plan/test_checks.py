from pathlib import Path

import pytest

from iddpm.data import outline
from studies.plan.plan import expand
from studies.spec.sweep import read_sweep
from tests.witness.calls import given

ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize(
    ("sweep", "preset"), [("gan_comparison", None), ("model_size", "imagenet64")]
)
def test_data_are_described_once_for_a_plan(sweep: str, preset: str | None) -> None:
    spec = read_sweep(ROOT / "sweeps" / f"{sweep}.yaml", preset=preset)
    data = {arm.train.data for arm in spec.arms}
    assert given(outline, "data", lambda: expand(spec, outlined=True)) == list(data)
