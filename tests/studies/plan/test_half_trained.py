"""Evaluations that a sweep asks of each network after half of its training too."""

from dataclasses import replace
from pathlib import Path

import pytest

from iddpm.bounds import ConfigError
from iddpm.config import TrainConfig
from studies.decide import restricted
from studies.plan.costs import compute_left, costs, labels
from studies.plan.plan import Plan, expand, record
from studies.report.more_seeds import seconds_for_a_seed
from studies.spec.sweep import read_sweep
from studies.tasks.counts import training_steps
from tests.witness.sweep_files import PRESET, SWEEP, write_sweep

BOTH = "half_trained: [likelihood, samples]\n"


def planned(folder: Path, asks: str = BOTH, sweep: str = SWEEP, preset: str = PRESET) -> Plan:
    return expand(read_sweep(write_sweep(folder, sweep + asks, preset)))


def test_the_half_is_the_sweep_with_half_of_the_steps(tmp_path: Path) -> None:
    plan = planned(tmp_path)
    (whole, half) = (
        planned(tmp_path, "", preset=PRESET.replace("steps: 50", f"steps: {n}")) for n in (50, 25)
    )
    assert [cell.tasks for cell in plan.cells] == [cell.tasks for cell in whole.cells]
    assert [cell.half_trained for cell in plan.cells] == [cell.tasks for cell in half.cells]
    assert plan.tasks.keys() == whole.tasks.keys() | half.tasks.keys()


def test_its_networks_lie_on_the_way_of_those_that_are_trained_on(tmp_path: Path) -> None:
    plan = planned(tmp_path)
    for cell in plan.cells:
        (before,) = plan.tasks[cell.tasks["train"]].after
        assert before == cell.half_trained["train"]
    whole = sum(c.training_steps for c in costs(plan)[:-1])
    assert (
        whole == costs(planned(tmp_path, ""))[-1].training_steps == costs(plan)[-1].training_steps
    )
    assert sum(c.tasks for c in costs(plan)[:-1]) == len(plan.tasks) == costs(plan)[-1].tasks


def test_the_compute_that_is_left_is_that_of_the_whole_trainings(tmp_path: Path) -> None:
    plan, plain = planned(tmp_path), planned(tmp_path, "")
    whole = compute_left(plain.cells, plain.tasks)
    assert compute_left(plan.cells, plan.tasks) == whole > 0
    halves = {cell.half_trained["train"] for cell in plan.cells}
    assert compute_left(plan.cells, plan.tasks, done=halves) == whole // 2


@pytest.mark.parametrize("kind", ["likelihood", "samples"])
def test_only_the_kinds_that_are_asked_for_are_made_of_it(tmp_path: Path, kind: str) -> None:
    for cell in planned(tmp_path, f"half_trained: [{kind}]\n").cells:
        assert bool(cell.half_trained) == (cell.arm["evaluation"] == kind)


def test_rules_say_of_which_arms_it_is_made(tmp_path: Path) -> None:
    """A rule is of the settings of an arm, written or not; any of several will do."""
    plan = planned(tmp_path, "half_trained: [samples: [{steps: 10, train.objective: simple}]]\n")
    told = [(c.arm["steps"], c.arm["objective"]) for c in plan.cells if c.half_trained]
    assert set(told) == {(10, "simple")}
    plan = planned(tmp_path, "half_trained: [likelihood, samples: [{steps: 100}, {skip: 0.0}]]\n")
    assert all(cell.half_trained for cell in plan.cells)


def test_a_rule_that_no_arm_holds_is_told(tmp_path: Path) -> None:
    """It is mistyped, or has lost its arms to a preset or to the command line."""
    path = write_sweep(tmp_path, SWEEP + "half_trained: [samples: [{steps: 10}]]\n", PRESET)
    assert read_sweep(path).unheard == ()
    spec = read_sweep(path, overrides=[("samples.steps", "100")])
    assert not any(cell.half_trained for cell in expand(spec).cells)
    (told,) = spec.unheard
    assert told.replace(f"{tmp_path}/", "") == (
        "sweep.yaml:12: half_trained[0].samples[0]: no arm holds this rule, so it asks for nothing"
    )


def test_a_task_says_in_words_that_its_network_is_half_trained(tmp_path: Path) -> None:
    plan = planned(tmp_path)
    said = labels(iter(plan.cells))
    for cell in plan.cells:
        for role in ("train", "likelihood", "score"):
            if role in cell.tasks:
                whole, half = said[cell.tasks[role]], said[cell.half_trained[role]]
                assert half == whole.replace(", seed", ", half trained, seed")


def test_a_task_of_two_cells_is_named_after_the_one_that_it_ends(tmp_path: Path) -> None:
    sweep = SWEEP.replace("  train.obj", "  train.steps: [25, 50]\n  train.obj")
    plan = planned(tmp_path, sweep=sweep)
    said = labels(plan.cells)
    ended = [c for c in plan.cells if training_steps(plan.tasks[c.tasks["train"]]) == 25]
    assert all("half" not in said[cell.tasks["train"]] for cell in ended)


def test_both_networks_of_an_ensemble_are_half_trained(tmp_path: Path) -> None:
    sweep = SWEEP.replace(
        "grid:\n  train.objective: [simple, hybrid]", "train: {objective: hybrid}"
    )
    plan = planned(tmp_path, sweep=sweep.replace("likelihood: {}", "likelihood: {ensemble: ends}"))
    (cell, *_) = (cell for cell in plan.cells if cell.arm["evaluation"] == "likelihood")
    for named, steps in ((cell.tasks, 50), (cell.half_trained, 25)):
        needs = dict(plan.tasks[named["likelihood"]].inputs)
        configs = [plan.tasks[needs[role]].config for role in ("network", "network_b")]
        assert [c.steps for c in configs if isinstance(c, TrainConfig)] == [steps, steps]


def test_a_training_of_one_step_has_no_half(tmp_path: Path) -> None:
    plan = planned(tmp_path, preset=PRESET.replace("  steps: 50", "  steps: 1"))
    assert not any(cell.half_trained for cell in plan.cells)


def test_the_record_says_it_only_where_it_is_asked_for(tmp_path: Path) -> None:
    for asks in (BOTH, ""):
        plan = planned(tmp_path, asks)
        found = [cell.get("half_trained", {}) for cell in record(plan)["cells"]]
        assert found == [cell.half_trained for cell in plan.cells]
        assert all(("half_trained" in cell) == bool(asks) for cell in record(plan)["cells"])


def test_a_part_of_a_plan_keeps_the_halves_of_its_cells(tmp_path: Path) -> None:
    plan = planned(tmp_path)
    part = restricted(plan, {0: None, 1: frozenset()})
    assert {cell.seed for cell in part.cells} == {0}
    of_seed = expand(replace(plan.spec, seeds=(0,)))
    assert part.tasks.keys() == of_seed.tasks.keys()


def test_a_preset_may_have_no_budget_for_it(tmp_path: Path) -> None:
    for words in ("half_trained: []\n", "sweeps: {small: {half_trained: []}}\n"):
        plan = planned(tmp_path, preset=PRESET + words)
        assert plan.tasks.keys() == planned(tmp_path, "").tasks.keys()
    words = "half_trained: []\nsweeps: {small: {half_trained: [samples]}}\n"
    (asked,) = planned(tmp_path, preset=PRESET + words).spec.half_trained
    assert (asked.kind, asked.rules) == ("samples", None)


@pytest.mark.parametrize(
    ("asks", "complaint"),
    [
        (
            "[latents]",
            "sweep.yaml:9: half_trained[0]: expected 'likelihood' or 'samples', found 'latents'",
        ),
        ("samples", "sweep.yaml:9: half_trained: expected a list of 'likelihood' or 'samples', f"),
        (
            "[samples]",
            "sweep.yaml:9: half_trained: expected evaluations that the sweep asks for, found "
            "samples; ask for it under evaluate, or leave it out here",
        ),
        (
            "[likelihood, likelihood: [{split: test}]]",
            "sweep.yaml:9: half_trained: expected each evaluation once, found likelihood twice",
        ),
        ("[{like: []}]", "sweep.yaml:9: half_trained[0].like: no such key; did you mean"),
        ("[likelihood: []]", "sweep.yaml:9: half_trained[0].likelihood: expected a list of at"),
        ("[likelihood: {}]", "sweep.yaml:9: half_trained[0].likelihood: expected a list"),
        ("[{}]", "sweep.yaml:9: half_trained[0]: expected 'likelihood' or 'samples', found {}"),
    ],
)
def test_what_cannot_be_asked_is_refused(tmp_path: Path, asks: str, complaint: str) -> None:
    sweep = SWEEP.replace("  - samples:\n      grid:\n        steps: [10, 100]\n", "")
    with pytest.raises(ConfigError) as refusal:
        planned(tmp_path, f"half_trained: {asks}\n", sweep)
    assert str(refusal.value).replace(f"{tmp_path}/", "").startswith(complaint)


def test_it_counts_in_what_another_seed_takes(tmp_path: Path) -> None:
    """A task of one second each, the network of the features apart, which all seeds share."""
    plan = planned(tmp_path)
    provenance = {address: {"seconds": 1.0} for address in plan.tasks}
    shared = {a for a, task in plan.tasks.items() if task.kind in ("extractor", "radii")}
    (real,) = (
        a
        for a, task in plan.tasks.items()
        if getattr(task.config, "data", None) and task.kind == "features"
    )
    own = len(plan.tasks) - len(shared | {real})
    assert seconds_for_a_seed(record(plan), provenance) == own / len(plan.spec.seeds)
