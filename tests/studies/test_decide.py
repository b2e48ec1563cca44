"""Seeds added look by look: which are run, when it ends, and that stopping changes nothing."""

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from studies import decide as deciding
from studies import run
from studies.decide import asked, decide, restricted
from studies.plan.plan import Plan
from studies.store.store import Store
from studies.tables.tables import Tables
from tests.witness.made_up_tables import made_up, planned
from tests.witness.sweep_files import write_sweep
from tests.witness.tiny_sweep import PRESET, SWEEP

LOWER, MINOR = "learned_sigma_lowers_nll", "sigma_choice_is_minor_at_many_steps"
SAVED = [1.0, 2.0, 0.1, 1.0, 1.0, 1.1, 0.9, 1.0]
"""Bits/dim by seed: open by the looks at 3 and 5 seeds, decided by that at 8."""


def value(row: Mapping[str, Any]) -> float:
    """L_hybrid saves these with its learned Σ; β and β̃ give nearly the same distances."""
    if row["metric"] == "bits_per_dim":
        return 5.0 - (SAVED[int(row["seed"]) % 8] if row["variance"] == "range" else 0.0)
    return 50.0 + 0.1 * float(row["seed"] % 3)


def nothing_saved(row: Mapping[str, Any]) -> float:
    if row["metric"] == "bits_per_dim" and row["variance"] == "range":
        return 5.0 + (0.1, -0.1, 0.02, 0.1, -0.1)[int(row["seed"]) % 5]
    return value(row) if row["metric"] != "bits_per_dim" else 5.0


def hardly_any_saved(row: Mapping[str, Any]) -> float:
    """Open by the looks at 3 and 5 seeds; by that at 8 what is saved or lost does not matter."""
    if row["metric"] == "bits_per_dim" and row["variance"] == "range":
        return 5.0 + (0.0048, -0.0046, 0.0042, -0.0043, 0.0, 0.0, -0.001, 0.001)[int(row["seed"])]
    return nothing_saved(row)


def plan_of(seeds: Sequence[int]) -> Plan:
    return _plan(tuple(seeds) or (0, 1, 2))


@cache
def _plan(seeds: tuple[int, ...]) -> Plan:
    plan = planned("sigma_ablation", preset="digits", seeds=list(seeds))
    some = [cell for cell in plan.cells if cell.arm["steps"] in (None, 250, 1000)]
    return replace(plan, spec=replace(plan.spec, claims=(LOWER, MINOR)), cells=tuple(some))


def cells(plan: Plan) -> set[tuple[str, int]]:
    return {(json.dumps(cell.arm), cell.seed) for cell in plan.cells}


def trained(study: Tables, falls: Sequence[float]) -> pd.DataFrame:
    """The trainings behind the rows of a study, whose losses fell by these, seed after seed."""
    if not falls:
        return study.trainings
    columns = ["objective", "schedule", "T", "prediction", "seed", "training_steps", "settings"]
    table = study.results[columns].drop_duplicates()
    settings = [
        json.dumps({"train": json.loads(text)["train"]}, sort_keys=True)
        for text in table["settings"]
    ]
    own = table.assign(settings=settings, levels=17, first_noise=1.0, bound_fall=math.nan)
    return own.drop_duplicates().assign(
        loss_fall=lambda one: [falls[s % len(falls)] for s in one["seed"]]
    )


Decide = Callable[..., tuple[list[Plan], str]]


@pytest.fixture
def decided(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Decide:
    """Decides a study of made-up values: what was run at each look, and what was said."""

    def with_values(
        value: Callable[[Mapping[str, Any]], float],
        *,
        looks: int = 9,
        is_done: Callable[[Plan], bool] = lambda plan: True,
        falls: Sequence[float] = (),
    ) -> tuple[list[Plan], str]:
        def tables(store: Store, study: str, record: Mapping[str, Any], tasks: object) -> Tables:
            kept = {(json.dumps(cell["arm"]), cell["seed"]) for cell in record["cells"]}
            whole = plan_of(record["seeds"])
            some = [cell for cell in whole.cells if (json.dumps(cell.arm), cell.seed) in kept]
            found = made_up(replace(whole, cells=tuple(some)), value)
            return replace(found, record=record, trainings=trained(found, falls))

        monkeypatch.setattr(deciding, "tables", tables)
        ran: list[Plan] = []
        said: list[str] = []

        def run(plan: Plan) -> bool:
            ran.append(plan)
            return is_done(plan)

        store = Store(tmp_path / "store")
        last = decide(store, plan_of, run, is_spent=lambda: len(ran) >= looks, say=said.append)
        assert last is ran[-1]
        return ran, "\n".join(said)

    return with_values


def test_what_is_open_is_looked_at_again_with_the_seeds_of_its_own_arms_alone(
    decided: Decide,
) -> None:
    ran, said = decided(value)
    assert [plan.spec.seeds for plan in ran] == [tuple(range(n)) for n in (3, 5, 8)]
    assert cells(ran[0]) == cells(plan_of(()))
    later = [cell for cell in ran[-1].cells if cell.seed > 2]
    assert {cell.arm["evaluation"] for cell in later} == {"likelihood"}
    objectives = {(cell.arm["objective"], cell.arm["schedule"]) for cell in later}
    assert objectives == {("simple", "cosine"), ("hybrid", "cosine")}
    assert len(later) == 2 * 5
    assert said.splitlines() == [
        "Look at 3 seeds: 1 claims decided, 1 open, 0 out of reach.",
        "Look at 5 seeds: 1 claims decided, 1 open, 0 out of reach.",
        "Look at 8 seeds: 2 claims decided, 0 open, 0 out of reach.",
    ]


@pytest.mark.slow
def test_a_stopped_run_goes_on_to_what_one_run_would_have_run(decided: Decide) -> None:
    whole, _ = decided(value)
    stopped, said = decided(value, looks=1)
    assert (len(stopped), "The budget is spent." in said) == (1, True)
    again, _ = decided(value)
    assert [cells(plan) for plan in again] == [cells(plan) for plan in whole]
    assert [list(plan.tasks) for plan in again] == [list(plan.tasks) for plan in whole]


def test_a_claim_out_of_reach_ends_it_and_is_named(decided: Decide) -> None:
    ran, said = decided(nothing_saved)
    assert [len(plan.spec.seeds) for plan in ran] == [3, 5]
    assert "Look at 5 seeds: 1 claims decided, 0 open, 1 out of reach." in said
    assert f"    {LOWER}: more than 100 seeds would decide it at the effect measured" in said


def test_a_claim_that_more_seeds_tell_to_be_no_difference_is_not_out_of_reach(
    decided: Decide,
) -> None:
    _, said = decided(hardly_any_saved)
    assert said.splitlines() == [
        "Look at 3 seeds: 1 claims decided, 1 open, 0 out of reach.",
        "Look at 5 seeds: 1 claims decided, 1 open, 0 out of reach.",
        "Look at 8 seeds: 2 claims decided, 0 open, 0 out of reach.",
    ]


def clearly_saved(row: Mapping[str, Any]) -> float:
    """Decided by three seeds, where its trainings have arrived."""
    if row["metric"] == "bits_per_dim" and row["variance"] == "range":
        return 4.0 + 0.01 * float(row["seed"] % 3)
    return value(row) if row["metric"] != "bits_per_dim" else 5.0


def test_trainings_that_more_seeds_may_show_to_have_arrived_are_asked_for_more(
    decided: Decide,
) -> None:
    """Their loss falls by -0.3 to 2.7% over three seeds, by 0.5 to 1.7% over five; 2.2% is one."""
    ran, said = decided(clearly_saved, falls=[0.006, 0.012, 0.018])
    assert [len(plan.spec.seeds) for plan in ran] == [3, 5]
    assert said.splitlines() == [
        "Look at 3 seeds: 1 claims decided, 1 open, 0 out of reach.",
        "Look at 5 seeds: 2 claims decided, 0 open, 0 out of reach.",
    ]


def test_trainings_that_have_not_arrived_are_asked_for_no_more_seeds(decided: Decide) -> None:
    ran, said = decided(clearly_saved, falls=[0.08, 0.09, 0.10])
    assert [len(plan.spec.seeds) for plan in ran] == [3]
    assert said.splitlines() == [
        "Look at 3 seeds: 1 claims decided, 0 open, 1 out of reach.",
        f"    {LOWER}: more seeds alone would not decide it",
    ]


def test_what_failed_ends_it_at_once(decided: Decide) -> None:
    ran, said = decided(value, is_done=lambda plan: False)
    assert (len(ran), said) == (1, "")


def test_a_part_of_a_plan_holds_all_that_its_cells_need() -> None:
    whole = plan_of((0, 1))
    bound = next(cell for cell in whole.cells if cell.arm["evaluation"] == "likelihood")
    score = next(cell for cell in whole.cells if cell.arm["evaluation"] == "samples")
    arms = {0: None, 1: frozenset({json.dumps(bound.arm, sort_keys=True)})}
    part = restricted(whole, arms)
    assert cells(part) == {
        one for one in cells(whole) if one[1] == 0 or one[0] == json.dumps(bound.arm)
    }
    assert set(part.tasks) < set(whole.tasks)
    for address, task in part.tasks.items():
        assert address == task.address
        assert {need for _, need in task.inputs} <= set(part.tasks)
    alone = restricted(whole, {seed: frozenset() for seed in (0, 1)})
    assert (alone.cells, alone.tasks) == ((), {})
    sampled = restricted(whole, {0: frozenset({json.dumps(score.arm, sort_keys=True)}), 1: arms[1]})
    kinds = {task.kind for task in sampled.tasks.values()}
    assert {"train", "sample", "features", "score", "extractor", "radii", "likelihood"} <= kinds


def test_the_record_says_that_looks_decide() -> None:
    assert asked(plan_of(()))["rule"] == "looks"


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        (["--budget", "30m"], "--budget: expected --decide with it, found none"),
        (
            ["--decide", "--executor", "slurm"],
            "--decide: expected --executor inline or local with it, found slurm",
        ),
    ],
)
def test_options_that_do_nothing_are_refused(
    options: list[str], complaint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run.main(["sigma_ablation", *options]) == 2
    assert complaint in capsys.readouterr().err


def test_a_sweep_that_allows_one_seed_is_not_decided_by_more(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sweep = write_sweep(tmp_path, SWEEP.replace("seeds: [0, 1]", "seeds: [0]"), PRESET)
    options = ["--set", "train.seeds.order=0", "--store", str(tmp_path / "store")]
    assert run.main([str(sweep), *options, "--executor", "inline", "--decide"]) == 2
    assert (
        f"{sweep}: --decide: expected a sweep that can have several seeds, found one that allows a "
        "single one; its networks are read from files, or a part has a seed of its own"
    ) in capsys.readouterr().err


@pytest.mark.parametrize("budget", ["30", "m", "-1m", "2d", "nanh"])
def test_a_budget_is_minutes_or_hours(budget: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        run.main(["sigma_ablation", "--decide", f"--budget={budget}"])
    assert "argument --budget: expected a" in capsys.readouterr().err


@pytest.mark.slow
def test_a_sweep_is_decided_from_its_files_to_its_verdicts(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sweep, store = write_sweep(tmp_path, SWEEP, PRESET), tmp_path / "store"
    usual = ["--store", str(store), "--executor", "inline"]
    assert run.main([str(sweep), *usual, "--decide", "--budget", "0m"]) == 0
    said = capsys.readouterr().out
    assert "Look at 3 seeds: " in said
    record = Store(store).study("tiny-tiny")
    assert (record["rule"], record["seeds"]) == ("looks", [0, 1, 2])
    assert run.main([str(sweep), *usual]) == 0
    record = Store(store).study("tiny-tiny")
    assert ("rule" in record, record["seeds"]) == (False, [0, 1])
