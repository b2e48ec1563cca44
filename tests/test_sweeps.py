"""Every sweep of the project from its file to its page, with tiny networks that hardly train."""

import shutil
from pathlib import Path

import pytest

from studies import run
from studies.analyses.drawings import FIGURES
from studies.analyses.judge import judge
from studies.report.build import build
from studies.spec.sweep import read_sweep
from studies.store.store import Store
from studies.tables.tables import tables

ROOT = Path(__file__).parents[1]
SWEEPS = sorted(path.stem for path in (ROOT / "sweeps").glob("*.yaml"))
SWEEPS.remove("released_checkpoints")  # of files that are not here; it trains nothing

PRESET = """
description: 8x8 digits, hardly trained
data: digits
train:
  diffusion: {steps: 200}
  network:
    model_channels: 4
    channel_mult: [1, 2]
    res_blocks: 1
    attention_resolutions: [4]
    heads: 4
    groups: 2
  batch_size: 4
  ema_decays: [0.95, 0.99, 0.995]
  steps: 4
gan: {channels: 4, latent: 4, ema_decay: 0.99, steps: 3}
evaluate:
  likelihood: {images: 3, block_size: 3, steps: 20, ema_decay: 0.99}
  gradient_noise: {draws: 4, blocks: 2, block_size: 2}
  samples:
    images: 12
    steps: 5
    block_size: 12
    ema_decay: 0.99
    extractor: {classifier: {channels: 4, features: 4, steps: 3}}
    reference: {images: 16}
sweeps:
  early_stopping: {train.steps: [2, 3, 4]}
  gradient_noise: {train.steps: [2, 4]}
  learning_curves: {train.steps: 8}
  lottery:
    train.seeds.weights: [0, 0, 0, 1, 1, 1, 2, 2, 2]
    train.seeds.order: [0, 1, 2, 0, 1, 2, 0, 1, 2]
    train.seeds.noise: [0, 1, 2, 1, 2, 0, 2, 0, 1]
    samples.noise_seed: [0, 1]
  model_size: {train.steps: [2, 3, 4]}
  nll_stride: {likelihood.steps: [5, 20, 200]}
  overfitting: {train.steps: [2, 3, 4]}
  sample_gallery: {samples.steps: [5, 10]}
  sampling_stride:
    samples.steps: [10, 100, 200]
    blocks[1].train.batch_size: [4, 8]
    blocks[1].train.steps: [8, 4]
  sigma_ablation: {"blocks[0].samples.steps": [5, 10, 200], "blocks[2].train.steps": 2}
"""


@pytest.mark.slow
@pytest.mark.parametrize("name", SWEEPS)
def test_a_sweep_is_run_drawn_and_judged(name: str, tmp_path: Path) -> None:
    sweeps = Path(shutil.copytree(ROOT / "sweeps", tmp_path / "sweeps"))
    (sweeps / "presets" / "digits.yaml").write_text(PRESET)
    sweep = sweeps / f"{name}.yaml"
    store = tmp_path / "store"
    options = ["--store", str(store), "--executor", "inline"]
    seeds = [] if len(read_sweep(sweep).seeds) == 1 else ["--seeds", "0", "1"]
    assert run.main([str(sweep), *options, *seeds]) == 0
    study = tables(Store(store), f"{name}-digits")
    for figure in study.record["figures"]:
        assert not FIGURES[figure].table(study).empty, figure
    for claim in study.record["claims"]:
        assert judge(claim, study).verdict != "not run", claim
    build(Store(store), tmp_path / "reports")
    page = (tmp_path / "reports" / f"{name}-digits" / "index.html").read_text()
    assert "Nothing to draw yet" not in page
