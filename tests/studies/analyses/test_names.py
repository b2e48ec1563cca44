"""A figure or claim that nothing in the sweep can feed is refused, and what feeds each is true."""

from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from iddpm.bounds import ConfigError
from studies.analyses import index
from studies.analyses.drawings import FIGURES
from studies.analyses.judge import CLAIMS, judge
from studies.report.build import build
from studies.spec.arms import RIVALS, TRAIN
from studies.spec.presets import EVALUATIONS
from studies.spec.sweep import read_sweep
from studies.store.store import Store
from studies.tables.tables import Tables
from tests.witness.made_up_rows import SCORE, planned, tables_of
from tests.witness.made_up_store import variant, write_store
from tests.witness.sweep_files import SWEEP, write_sweep

LATENTS = """\
study: small
question: Is it small?
preset: tiny
seeds: [0]
evaluate:
  - latents: {}
"""
TRAINED = """\
study: small
question: Is it small?
preset: tiny
train: {objective: hybrid}
seeds: [0]
"""
SAMPLES = SWEEP.replace("  - likelihood: {}\n", "")
LIKELIHOOD = SWEEP[: SWEEP.index("  - samples:")]
BLOCKS = """\
study: small
question: Is it small?
preset: tiny
seeds: [0]
blocks:
  - evaluate:
      - likelihood
  - train: {objective: hybrid}
    evaluate:
      - latents
"""


@pytest.fixture(scope="module")
def nothing() -> Tables:
    empty = tables_of([])

    def more(*columns: str) -> pd.DataFrame:
        return empty.results.reindex(columns=[*empty.results.columns, *columns])

    return replace(
        empty,
        steps=more("part", "step", "mean"),
        samples=more("path", "levels"),
        latents=more("place", "step", "alpha_bar", "path"),
    )


def test_what_feeds_them_is_a_part_of_a_sweep() -> None:
    parts = {*EVALUATIONS, TRAIN, RIVALS}
    needed = [*index.FIGURES.values(), *index.CLAIMS.values()]
    assert {part for one in needed for part in one.parts} <= parts


@pytest.mark.parametrize("name", CLAIMS)
def test_a_claim_is_decided_without_results_only_if_it_needs_none(
    name: str, nothing: Tables
) -> None:
    decided = judge(name, nothing).verdict != "not run"
    assert decided == (not index.CLAIMS[name].parts)


@pytest.mark.parametrize("name", [n for n in FIGURES if not index.FIGURES[n].parts])
def test_a_figure_that_needs_nothing_is_drawn_of_nothing(name: str, nothing: Tables) -> None:
    assert not FIGURES[name].table(nothing).empty


@pytest.mark.parametrize(
    ("sweep", "complaint"),
    [
        (
            f"{SWEEP}figures: [beta_ratio, latents]\n",
            "sweep.yaml:12: figures: expected a sweep that asks for latents, which 'latents' is "
            "made from, found one that asks for likelihood, samples, train; add it, or leave "
            "'latents' out",
        ),
        (
            f"{TRAINED}figures: [overfitting]\n",
            "sweep.yaml:6: figures: expected a sweep that asks for likelihood or samples, which "
            "'overfitting' is made from, found one that asks for train; add it, or leave "
            "'overfitting' out",
        ),
        (
            f"{LIKELIHOOD}claims: [larger_networks_are_better]\n",
            "sweep.yaml:9: claims: expected a sweep that asks for samples, which "
            "'larger_networks_are_better' is made from, found one that asks for likelihood, train; "
            "add it, or leave 'larger_networks_are_better' out",
        ),
        (
            f"{LATENTS}claims: [cosine_reaches_its_best_sooner]\n",
            "sweep.yaml:7: claims: expected a sweep that asks for likelihood and samples, which "
            "'cosine_reaches_its_best_sooner' is made from, found one that asks for latents; add "
            "it, or leave 'cosine_reaches_its_best_sooner' out",
        ),
        (
            f"{SWEEP}claims: [gan_is_more_precise]\n",
            "sweep.yaml:12: claims: expected a sweep that asks for rivals, which "
            "'gan_is_more_precise' is made from, found one that asks for likelihood, samples, "
            "train; add it, or leave 'gan_is_more_precise' out",
        ),
    ],
)
def test_what_nothing_in_the_sweep_feeds_is_refused(
    sweep: str, complaint: str, tmp_path: Path
) -> None:
    path = write_sweep(tmp_path, sweep)
    with pytest.raises(ConfigError) as refusal:
        index.checked(read_sweep(path))
    assert str(refusal.value).replace(f"{tmp_path}/", "") == complaint


@pytest.mark.parametrize(
    "sweep",
    [
        f"{SAMPLES}figures: [objective_table]\n",
        f"{LATENTS}figures: [latents, beta_ratio]\nclaims: [beta_tilde_close_to_beta]\n",
        f"{TRAINED}figures: [beta_ratio]\n",
        f"{BLOCKS}figures: [latents, vlb_terms]\nclaims: [first_steps_carry_the_bound]\n",
    ],
)
def test_what_something_in_the_sweep_feeds_is_taken(sweep: str, tmp_path: Path) -> None:
    assert index.checked(read_sweep(write_sweep(tmp_path, sweep))).figures


def test_cells_that_a_preset_leaves_out_still_count_as_asked_for(tmp_path: Path) -> None:
    path = write_sweep(tmp_path, f"{SWEEP}figures: [sample_grid]\n")
    preset = tmp_path / "presets" / "tiny.yaml"
    text = preset.read_text().replace("images: 96,", "images: 96, exclude: [{clip: true}],")
    preset.write_text(text)
    spec = index.checked(read_sweep(path))
    assert spec.figures == ("sample_grid",)
    assert not any("Samples" in type(arm.evaluation).__name__ for arm in spec.arms)


def test_a_study_that_is_done_says_that_it_does_not_ask_for_what_is_missing() -> None:
    done = SCORE | {"value": 3.0, "schedule": "linear"}
    claim = "linear_spares_a_skipped_fifth"
    missing = "Not measured yet: log growth of FD by skipping 20%, linear."
    finding = judge(claim, tables_of([done]))
    assert finding.verdict == "not run"
    assert finding.reason == (
        f"{missing} Every cell of the study is done: it does not ask for this."
    )
    assert judge(claim, tables_of([done, planned(done | {"seed": 1})])).reason == missing


def test_a_page_tells_a_figure_that_waits_from_one_that_nothing_will_feed(tmp_path: Path) -> None:
    whole = variant(figures=("latents",), seeds=(0,))
    waiting = replace(whole, planned_bounds=(("simple", 0),))
    for study_, said in (
        (whole, "Nothing to draw: every cell of the study is done, and none holds what this"),
        (waiting, "Nothing to draw yet: no cell that this figure shows has a result."),
    ):
        root = write_store(tmp_path / said[:18].replace(":", ""), study_)
        _, page = build(Store(root), tmp_path / "reports")
        assert said in page.read_text()
