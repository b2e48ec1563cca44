"""The example of one's own choices: its change is applied, its sweep run and drawn."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

ROOT = Path(__file__).parents[1]
EXAMPLE = ROOT / "examples" / "own_choices.diff"

PRESET = """
description: hardly trained
data: digits
train:
  diffusion: {steps: 50}
  network: {model_channels: 4, channel_mult: [1], res_blocks: 1, attention_resolutions: [], \
heads: 1, groups: 2}
  batch_size: 4
  ema_decays: [0.9]
  steps: 3
evaluate:
  samples:
    images: 6
    steps: 5
    block_size: 6
    ema_decay: 0.9
    extractor: {classifier: {channels: 4, features: 4, steps: 3}}
    reference: {images: 16}
  likelihood: {images: 2}
"""

EVERYWHERE = """
study: everywhere
question: Is what is one's own drawn wherever such things are told apart?
preset: digits
grid:
  train.diffusion.schedule: [quadratic, linear]
  train.objective: [absolute, simple]
seeds: [0]
evaluate:
  - likelihood: {grid: {split: [train, test]}}
  - likelihood: {steps: 10, grid: {stride: [even, even_plus_first]}}
  - gradient_noise: {draws: 2, blocks: 2, block_size: 2}
  - samples: {sampler: {ancestral: {variance: beta}}, grid: {skip: [0.0, 0.2]}}
figures:
  - alpha_bar
  - gradient_noise
  - likelihood_comparison
  - nll_vs_steps
  - objective_table
  - quality_vs_steps
  - sample_grid
  - skip_prefix
  - vlb_terms
"""

ALONG = """
study: along
question: Is an objective of one's own drawn along its training?
preset: digits
train: {objective: absolute}
grid:
  train.steps: [2, 3]
seeds: [0]
evaluate:
  - likelihood: {grid: {split: [train, test]}}
figures: [overfitting]
"""

FORWARDS = """
study: forwards
question: Is a schedule of one's own drawn without a network?
preset: digits
grid:
  train.diffusion.schedule: [quadratic, linear]
seeds: [0]
evaluate:
  - latents: {}
figures: [alpha_bar, latents]
"""


@pytest.fixture(scope="module")
def applied(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the code has the example's change, its sweeps were run and their pages drawn."""
    folder = tmp_path_factory.mktemp("applied")
    for package in ("iddpm", "studies"):
        shutil.copytree(ROOT / package, folder / package)
    (folder / "presets").mkdir()
    (folder / "presets" / "digits.yaml").write_text(PRESET)
    shutil.copy(EXAMPLE.with_suffix(".yaml"), folder)
    for name, text in (("everywhere", EVERYWHERE), ("along", ALONG), ("forwards", FORWARDS)):
        (folder / f"{name}.yaml").write_text(text)
    said(folder, "git", "apply", "--verbose", str(EXAMPLE))
    sweeps = ("own_choices.yaml", "everywhere.yaml", "along.yaml", "forwards.yaml")
    said(folder, sys.executable, "-m", "studies.run", *sweeps, "--executor", "inline")
    said(folder, sys.executable, "-m", "studies.report")
    return folder


def said(folder: Path, *command: str) -> str:
    """What a command says that comes to a good end."""
    done = subprocess.run(command, cwd=folder, text=True, capture_output=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.slow
def test_the_worked_example_gives_one_of_each(applied: Path) -> None:
    page = applied / "reports" / "own_choices-digits"
    results = pd.read_csv(page / "results.csv")
    assert set(results[results["metric"] == "mean_gap"]["schedule"]) == {"cosine", "quadratic"}
    assert list(pd.read_csv(page / "mean_gap.csv")["n"]) == [3, 3, 3, 3]
    assert (page / "mean_gap.svg").exists()
    arms = set(pd.read_csv(page / "quality_vs_steps.csv")["arm"])
    assert {arm.split(", ")[1] for arm in arms} == {"midway", "cooled"}
    scorecard = (applied / "reports" / "scorecard.md").read_text()
    claim = r"#quadratic_is_as_good\) \| [a-z]+ \| A quadratic schedule .* 3 seeds"
    assert re.search(claim, scorecard)
    numbers = "from studies.analyses.index import numbers; print([n.value for n in numbers()])"
    assert "3.17" in said(applied, sys.executable, "-c", numbers)


@pytest.mark.slow
def test_other_figures_draw_what_the_worked_example_gives(applied: Path) -> None:
    names = ("everywhere", "along", "forwards")
    everywhere, along, forwards = (applied / "reports" / f"{name}-digits" for name in names)
    for table in (everywhere / "alpha_bar", everywhere / "skip_prefix", forwards / "latents"):
        found = pd.read_csv(table.with_suffix(".csv"))
        assert {"linear", "quadratic"} <= set(found["schedule"])
    for path in (*everywhere.glob("*.csv"), along / "overfitting.csv"):
        assert path.stem == "alpha_bar" or "absolute" in path.read_text(), path.stem
    rows = pd.read_csv(everywhere / "objective_table.csv")["row"]
    assert list(rows.unique()) == [
        "T = 50, linear, L_simple",
        "T = 50, linear, L_absolute",
        "T = 50, quadratic, L_simple",
        "T = 50, quadratic, L_absolute",
    ]
