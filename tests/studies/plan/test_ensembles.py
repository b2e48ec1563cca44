"""The plan of a sweep over ensembles: which networks they share, and what is refused."""

from pathlib import Path

import pytest

from iddpm.bounds import ConfigError
from iddpm.config import TrainConfig, Uniform
from studies.plan.costs import arm_label
from studies.plan.plan import expand
from studies.spec.sweep import read_sweep
from tests.witness.sweep_files import write_sweep
from tests.witness.tiny_sweep import PRESET

SWEEP = """
study: two
question: Are two better than one?
preset: tiny
train: {diffusion: {steps: 40}}
seeds: [0]
evaluate:
  - likelihood: {}
  - samples: {sampler: {ancestral: {variance: range}}, steps: 10}
blocks:
  - include:
      - {train.objective: vlb, train.timesteps: loss_second_moment}
      - {train.objective: hybrid}
  - train: {objective: hybrid}
    evaluate:
      - likelihood: {ensemble: ends}
      - samples: {sampler: {ancestral: {variance: range}}, steps: 10, ensemble: ends}
figures: [term_ratio, sample_grid]
claims: [hybrid_is_better_between_the_ends, ensemble_lowers_nll, ensemble_keeps_hybrid_quality]
"""


def test_an_ensemble_shares_the_networks_of_the_arms(tmp_path: Path) -> None:
    plan = expand(read_sweep(write_sweep(tmp_path, SWEEP, PRESET)))
    trained = {cell.arm["objective"]: cell.tasks["train"] for cell in plan.cells[:4]}
    for cell, role in ((plan.cells[4], "likelihood"), (plan.cells[5], "samples")):
        assert cell.arm[f"{role}.ensemble"] == "ends"
        expected = {"network": trained["hybrid"], "network_b": trained["vlb"]}
        assert plan.tasks[cell.tasks[role]].parents == expected
    assert len([task for task in plan.tasks.values() if task.kind == "train"]) == 2
    assert arm_label(plan.cells[4].arm).endswith("3 images, ensemble=ends")


def test_a_second_network_that_no_arm_asks_for_is_trained_too(tmp_path: Path) -> None:
    inside = "ensemble: {ends: {timesteps: uniform, share: 0.1}}"
    text = SWEEP.replace("{ensemble: ends}", f"{{{inside}}}").replace("ensemble: ends", inside)
    plan = expand(read_sweep(write_sweep(tmp_path, text, PRESET), seeds=[0, 3]))
    partners = {
        plan.tasks[cell.tasks["likelihood"]].parents["network_b"] for cell in plan.cells[8:10]
    }
    configs = [plan.tasks[address].config for address in sorted(partners)]
    assert {c.seed for c in configs if isinstance(c, TrainConfig)} == {0, 3}
    assert all(isinstance(c, TrainConfig) and c.timesteps == Uniform() for c in configs)


def test_no_ensemble_is_the_arm_alone(tmp_path: Path) -> None:
    text = SWEEP.replace(
        "- likelihood: {ensemble: ends}", "- likelihood: {grid: {ensemble: [ends, null]}}"
    )
    plan = expand(read_sweep(write_sweep(tmp_path, text, PRESET)))
    whole = expand(read_sweep(write_sweep(tmp_path, SWEEP, PRESET)))
    assert set(plan.tasks) == set(whole.tasks)


def test_a_rule_may_leave_out_what_is_no_ensemble(tmp_path: Path) -> None:
    inside = "{grid: {ensemble: [ends, null]}, exclude: [{ensemble: null, train.steps: 3}]}"
    text = SWEEP.replace("- likelihood: {ensemble: ends}", f"- likelihood: {inside}")
    plan, whole = (
        expand(read_sweep(write_sweep(tmp_path, sweep, PRESET))) for sweep in (text, SWEEP)
    )
    assert [cell.tasks for cell in plan.cells] == [cell.tasks for cell in whole.cells]


@pytest.mark.parametrize(
    ("ensemble", "message"),
    [
        (
            "{ends: {objective: simple}}",
            "evaluate[0].likelihood.ensemble.objective: expected one that learns the variance "
            "'range', as the first network's 'hybrid' does, found one that learns no variance",
        ),
        (
            "{ends: {share: 0.01}}",
            "evaluate[0].likelihood.ensemble.share: expected at least one of the 40 steps at each "
            "end, found 0.01",
        ),
        (
            "{ends: {share: 0.7}}",
            "evaluate[0].likelihood.ensemble.share: expected a share in (0, 0.5), found 0.7",
        ),
        ("middle", "evaluate[0].likelihood.ensemble: expected 'ends', found 'middle'; "),
        (
            "{ends: {shares: 0.1}}",
            "evaluate[0].likelihood.ensemble.shares: no such field; did you mean 'share'?",
        ),
    ],
)
def test_an_ensemble_that_cannot_be_is_refused(tmp_path: Path, ensemble: str, message: str) -> None:
    text = SWEEP.replace(
        "- likelihood: {ensemble: ends}", f"- likelihood: {{ensemble: {ensemble}}}"
    )
    with pytest.raises(ConfigError) as error:
        expand(read_sweep(write_sweep(tmp_path, text, PRESET)))
    assert message in str(error.value)
