"""One seed decides nothing: no claim takes draws, batches, strides or arms for seeds."""

from collections.abc import Mapping
from typing import Any
from zlib import crc32

import pytest

from studies.analyses.judge import judge
from tests.witness.made_up_tables import made_up, planned

SWEEPS = (
    *("architecture", "early_stopping", "gan_comparison", "hybrid_vlb_ensemble"),
    *("learning_curves", "likelihood_comparison", "model_size", "nll_stride"),
    *("objective_ablation", "overfitting", "sampling_stride", "sigma_ablation", "skip_prefix"),
)
"""Those whose claims are of scores and bounds."""
METRICS = ("frechet_distance", "bits_per_dim", "precision", "recall", "v_outside_range")


def scattered(row: Mapping[str, Any]) -> float:
    """Any value, another one for each row."""
    return 1 + crc32(str(sorted(row.items())).encode()) % 97


@pytest.mark.parametrize("sweep", SWEEPS)
def test_one_seed_leaves_every_claim_of_a_sweep_open(sweep: str) -> None:
    plan = planned(sweep, seeds=[0])
    tables = made_up(plan, scattered, METRICS)
    found = [judge(claim, tables) for claim in plan.spec.claims]
    measured = [one for one in found if any(m.interval.n for m in one.measurements)]
    assert measured
    assert {one.verdict for one in measured} <= {"inconclusive", "not run"}
    assert {m.interval.n for one in measured for m in one.measurements} <= {0, 1}
