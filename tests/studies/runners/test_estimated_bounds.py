"""Estimated bounds from a sweep to its page: what they cost, and that they never pass for exact."""

import json
from pathlib import Path

import pandas as pd
import pytest

from iddpm.evaluation.config import Draws
from iddpm.running.interruption import Interrupted
from studies.analyses.judge import judge
from studies.analyses.likelihood_comparison.paper import own_number
from studies.drawing.captions import estimate_note
from studies.plan.plan import expand
from studies.published.published import differing, settings_of
from studies.report.page import study_page
from studies.report.summary import summary
from studies.runners import RUNNERS
from studies.spec.sweep import read_sweep
from studies.store.store import Store
from studies.tables.groupings import records
from studies.tables.tables import OF_DRAWS, Tables, tables
from studies.tasks.counts import network_calls
from tests.studies.runners.test_runners import stopping_after, work
from tests.witness import tiny
from tests.witness.runs import ran
from tests.witness.stores import done
from tests.witness.sweep_files import write_sweep
from tests.witness.tiny_sweep import PRESET, SWEEP

MIXED = SWEEP[: SWEEP.index("  - samples")].replace(
    "likelihood: {}", "likelihood: {grid: {estimate: [null, {draws: {most: 6, pilot: 2}}]}}"
)
ASKED = """\
figures: [vlb_terms, likelihood_comparison]
claims: [learned_sigma_lowers_nll, first_steps_carry_the_bound]
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A sweep that asks for each bound both ways, and a store with all of it."""
    return ran(tmp_path_factory.mktemp("estimated"), MIXED + ASKED).root.parent


@pytest.fixture(scope="module")
def found(folder: Path) -> Tables:
    return tables(Store(folder / "store"), "tiny-tiny")


def bounds(found: Tables, *, estimated: bool) -> pd.DataFrame:
    rows = found.results[found.results["metric"] == "bits_per_dim"]
    return rows[rows["likelihood.estimate"].eq("draws") == estimated]


def test_estimates_have_an_error_due_to_draws_and_exact_bounds_have_none(found: Tables) -> None:
    estimated, exact = (bounds(found, estimated=which) for which in (True, False))
    assert len(estimated) == len(exact) == 2 * (2 + 3)
    assert (estimated[OF_DRAWS] > 0).all()
    assert exact[OF_DRAWS].isna().all()
    assert exact["standard_error"].notna().all()
    recipes = [json.loads(recipe) for recipe in estimated["recipe"].unique()]
    assert [recipe["bound"] for recipe in recipes] == ["estimated from 6 draws of t"]
    assert not any("bound" in json.loads(recipe) for recipe in exact["recipe"])


def test_estimated_and_exact_bounds_are_compared_each_with_their_own(found: Tables) -> None:
    finding = judge("learned_sigma_lowers_nll", found)
    names = [one.what for one in finding.measurements]
    # against both fixed variances of the L_simple network, and of its own
    assert sum(name.endswith("no estimate") for name in names) == 4
    assert sum(name.endswith(", estimated") for name in names) == 4
    assert len(set(names)) == len(names) == 8


def test_terms_by_step_are_those_of_exact_bounds(found: Tables) -> None:
    assert set(found.steps["likelihood.estimate"].isna()) == {True}
    finding = judge("first_steps_carry_the_bound", found)
    assert not any("estimated" in one.what for one in finding.measurements)
    assert finding.verdict != "not run"


def test_the_page_says_estimated_with_the_error_due_to_draws(folder: Path, found: Tables) -> None:
    page = study_page(Store(folder / "store"), found)
    worst = bounds(found, estimated=True)[OF_DRAWS].max()
    said = (
        "Some bits/dim, never compared with the exact ones, are estimated from draws of t; their "
        f"standard error due to the draws is at most {worst:.2g} bits/dim."
    )
    html = page.files["index.html"]
    assert isinstance(html, str)
    assert html.count(said) >= 3  # the table, and the figure that shows bounds, for eye and ear
    assert "estimated from 6 draws of t" in html
    assert OF_DRAWS in str(page.files["results.csv"]).splitlines()[0]
    only = estimate_note(bounds(found, estimated=True))
    assert only.startswith("Bits/dim are estimated from draws of t; their ")
    assert estimate_note(bounds(found, estimated=False)) == ""


def test_the_terminal_says_estimated(folder: Path) -> None:
    columns, _ = summary(tables(Store(folder / "store"), "tiny-tiny").results)
    assert {"bits/dim", "bits/dim, estimated"} <= set(columns)


def test_a_published_bound_does_not_stand_beside_an_estimated_one(found: Tables) -> None:
    row, exact = (next(records(bounds(found, estimated=which))) for which in (True, False))
    said, of_exact = (
        [str(one) for one in differing(own_number("cifar10"), settings_of(each))]
        for each in (row, exact)
    )
    assert "bound (estimated from draws of t here, exact in the paper)" in said
    assert [one for one in said if not one.startswith("bound")] == of_exact


def test_an_estimate_costs_no_more_calls_than_planned(folder: Path) -> None:
    store, plan = Store(folder / "store"), expand(read_sweep(folder / "sweep.yaml"))
    asked = [task for task in plan.tasks.values() if getattr(task.config, "estimate", None)]
    assert asked
    for task in asked:
        result = store.result(task.address)
        assert result is not None
        calls = result["estimated"]["calls"]
        planned = network_calls(task, plan.tasks.__getitem__)
        assert 3 * 6 < calls <= planned == 3 * 6 + 2 * (32 + 10)


def test_an_estimate_is_one_task_however_an_exact_bound_would_be_cut(tmp_path: Path) -> None:
    cut = PRESET.replace("block_size: 2,", "block_size: 2, shard_blocks: 1,")
    plan = expand(read_sweep(write_sweep(tmp_path, MIXED, cut)))
    kinds = [task.kind for task in plan.tasks.values()]
    assert kinds.count("likelihood") == 4
    assert (kinds.count("likelihood_shard"), kinds.count("likelihood_merge")) == (8, 4)


def test_an_estimate_that_was_stopped_ends_with_the_same_result(tmp_path: Path) -> None:
    store = Store(tmp_path / "store")
    train = tiny.training()
    task = tiny.likelihood(train, estimate=Draws(most=8, pilot=2, error=1e-3))
    done(store, train, task)
    for calls in (3, 12, 16):
        folder = tmp_path / str(calls)
        folder.mkdir()
        with pytest.raises(Interrupted):
            RUNNERS["likelihood"](work(store, task, folder, stopping_after(calls)))
        assert RUNNERS["likelihood"](work(store, task, folder, lambda: False)) == store.result(
            task.address
        )
