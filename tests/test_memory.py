"""What every kind of task may take of memory at 60,000 images, measured in a process of its own.

The images are 44 MiB of levels: as float32 they would be 176 MiB, as float64 352 MiB, so a task
that makes a copy of all of them in either breaks its limit. All distances between them would be
27 GiB, a block of them is 64 MiB.
"""

import sys
from collections import defaultdict

import numpy as np
import pytest

from studies.plan import plan as plans
from studies.spec.sweep import read_sweep
from studies.store.store import Store
from studies.tasks.task import Task
from tests.witness.peak import growth_mb
from tests.witness.sweep_files import write_sweep

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="reads the resident size from /proc"),
]

IMAGES, SIDE, CHANNELS = 60_000, 16, 3

SWEEP = f"""
study: memory
question: Does it fit?
preset: tiny
seeds: [0]
evaluate:
  - likelihood: {{}}
  - samples:
      grid:
        images: [{IMAGES // 10}, {IMAGES}]
figures: [sample_grid, quality_vs_steps]
"""
PRESET = f"""
description: many images, hardly trained
data: {{npz: {{path: DATA, name: many}}}}
train:
  diffusion: {{steps: 2}}
  network:
    model_channels: 4
    channel_mult: [1]
    res_blocks: 1
    attention_resolutions: []
    heads: 1
    groups: 2
  batch_size: 64
  ema_decays: [0.9]
  steps: 30
evaluate:
  likelihood: {{split: train, images: {IMAGES}, block_size: 500, ema_decay: 0.9}}
  samples:
    steps: 2
    block_size: 500
    shard_blocks: {IMAGES // 500}
    ema_decay: 0.9
    extractor: {{classifier: {{channels: 4, features: 16, steps: 30}}}}
    metrics: [kid]
"""

LIMITS_MB = {
    "train": 250,
    "extractor": 235,
    "features": 235,
    "likelihood": 425,
    "sample": 315,
    "radii": 370,
    "score": 370,
    "report": 165,
}
"""What was measured and 90 MiB more, half of the images as float32: it is the images, the work on a
block, and libraries that are loaded when they are first used."""


@pytest.fixture(scope="module")
def growths(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[int]]:
    """By kind of task, or `report`: the growth of each process, in MiB."""
    folder = tmp_path_factory.mktemp("memory")
    draws = np.random.default_rng(0)
    train, test = (
        draws.integers(0, 256, (count, SIDE, SIDE, CHANNELS), dtype=np.uint8)
        for count in (IMAGES, 100)
    )
    labels = np.arange(IMAGES) % 10
    np.savez(
        folder / "many.npz", train=train, test=test, train_labels=labels, test_labels=labels[:100]
    )
    preset = PRESET.replace("DATA", str(folder / "many.npz"))
    plan = plans.expand(read_sweep(write_sweep(folder, SWEEP, preset)))
    store = Store(folder / "store")
    store.record_study(plan.study, plans.record(plan))
    found = defaultdict[str, list[int]](list)
    for task in plan.tasks.values():
        store.create(task)
        if not _compares_as_many(task, plan):
            found[task.kind].append(growth_mb(store.root, task.address))
            assert store.state(task.address) == "done", store.failure(task.address)
    found["report"].append(growth_mb(store.root, plan.study))
    return found


def _compares_as_many(task: Task, plan: plans.Plan) -> bool:
    """Whether it is the score of as many images as there are real ones: half an hour, no news."""
    if task.kind != "score":
        return False
    config = plan.tasks[task.parents["generated"]].config
    return getattr(config, "images", None) == IMAGES


def test_every_kind_of_task_is_measured(growths: dict[str, list[int]]) -> None:
    assert set(growths) == set(LIMITS_MB)
    assert len(growths["features"]) == 3


@pytest.mark.parametrize("kind", LIMITS_MB)
def test_memory_stays_bounded_at_60_000_images(kind: str, growths: dict[str, list[int]]) -> None:
    assert max(growths[kind]) < LIMITS_MB[kind], growths
