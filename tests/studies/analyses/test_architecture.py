"""Appendix A: what is drawn and claimed of networks that differ in one choice."""

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from studies.analyses.architecture.claims import CHOICES
from studies.analyses.drawings import FIGURES
from studies.analyses.judge import judge
from studies.plan.plan import Plan
from studies.tables.groupings import records
from tests.witness.made_up_tables import made_up, planned

CLAIM = "architecture_improves_quality"
HEADS, SCALE = "train.network.heads", "train.network.scale_shift"
ATTENTION = "train.network.attention_resolutions"


@pytest.fixture(scope="module")
def plan() -> Plan:
    return planned("architecture")


def value(
    row: Mapping[str, Any], *, heads: float = 0.1, lower: float = 0.1, scale: float = 0.1
) -> float:
    """The log of a distance, raised where a choice is the former one."""
    raised = heads * (row[HEADS] == 1) + lower * (row[ATTENTION] == "8") + scale * (not row[SCALE])
    return math.exp(1 + raised + 0.01 * row["seed"] * (1 + raised))


def test_each_verdict(plan: Plan) -> None:
    assert judge(CLAIM, made_up(plan, value)).verdict == "supported"
    worse = judge(CLAIM, made_up(plan, lambda row: value(row, lower=-0.1)))
    assert worse.verdict == "contradicted"
    assert "attention at the lower resolution" in worse.reason
    assert judge(CLAIM, made_up(plan, lambda row: value(row, heads=0.0))).verdict == "inconclusive"
    assert judge(CLAIM, made_up(plan, lambda row: None)).verdict == "not run"
    no_plain = made_up(plan, lambda row: value(row) if row[SCALE] else None)
    assert judge(CLAIM, no_plain).verdict == "not run"


def test_of_two_values_the_papers_is_known() -> None:
    heads, sides, scale_shift = (choice.is_change for choice in CHOICES)
    assert [heads(*pair) for pair in ((2, 1), (4, 2), (1, 1), (1, 4))] == [True, *[False] * 3]
    former = [("16,8", "8"), ("16", "16"), ("16,8", ""), ("", "16"), ("16", "16,8")]
    assert [sides(*pair) for pair in (("16,8", "16"), *former)] == [True, *[False] * 5]
    assert [scale_shift(*pair) for pair in ((True, False), (True, True))] == [True, False]


def test_pairs_under_two_lengths_of_chain_are_told_apart(plan: Plan) -> None:
    tables = made_up(plan, value)
    longer = tables.results.assign(T=4000)
    both = replace(tables, results=pd.concat([tables.results, longer], ignore_index=True))
    said = [m.what for m in judge(CLAIM, both).measurements if m.decides]
    assert len(set(said)) == len(said) == 2 * 3


def test_bits_per_dim_decide_nothing(plan: Plan) -> None:
    def mixed(row: Mapping[str, Any]) -> float:
        return value(row) if row["metric"] == "frechet_distance" else 10 - value(row)

    finding = judge(CLAIM, made_up(plan, mixed))
    assert finding.verdict == "supported"
    assert [m.decides for m in finding.measurements] == [True, False] * 3


def test_only_arms_that_differ_in_one_choice_are_compared(plan: Plan) -> None:
    tables = made_up(plan, value)
    rows = tables.results[tables.results["metric"] == "frechet_distance"]
    values = rows["value"].astype(float)
    found = judge(CLAIM, tables).measurements[0]
    both = rows[ATTENTION].eq("4") & rows[SCALE]
    four, one = (values[both & (rows[HEADS] == heads)].mean() for heads in (4, 1))
    assert found.what == "Fréchet distance, several heads against one"
    assert found.interval.mean == pytest.approx(np.log(four / one))


def test_a_study_of_one_architecture_has_not_run_it() -> None:
    finding = judge(CLAIM, made_up(planned("sigma_ablation"), lambda row: 2.0))
    assert finding.verdict == "not run"
    assert "several heads against one" in finding.reason


def test_dots_are_means_and_lines_their_intervals(plan: Plan) -> None:
    tables = made_up(plan, value)
    table = FIGURES["architecture"].table(tables)
    distance, bound = FIGURES["architecture"].draw(table).axes
    names = [label.get_text() for label in distance.get_yticklabels()]
    assert names == [
        "attention at 4, 4 heads, scale-shift",
        "attention at 4, 1 head, scale-shift",
        "attention at 4, 4 heads, plain conditioning",
        "attention at 8 and 4, 4 heads, scale-shift",
        "attention at 8, 4 heads, scale-shift",
    ]
    rows = tables.results[tables.results["metric"] == "frechet_distance"]
    plain = rows[~rows[SCALE].astype(bool)]["value"].astype(float)
    (dots,) = distance.lines
    assert np.asarray(dots.get_xdata(), dtype=float)[2] == pytest.approx(plain.mean())
    (spans,) = distance.collections
    span = np.asarray(spans.get_paths()[2].vertices, dtype=float)
    half = 4.302653 * plain.std() / math.sqrt(3)
    np.testing.assert_allclose(span[:, 0], [plain.mean() - half, plain.mean() + half], rtol=1e-6)
    assert bound.get_xlabel() == "bits/dim"


def test_arms_stand_from_the_top_in_their_order_as_they_are_after_the_most_steps(
    plan: Plan,
) -> None:
    """The one with a single head has distances of one seed."""
    rows = made_up(plan, value).results
    single = (rows["metric"] == "frechet_distance") & (rows[HEADS] == 1)
    shown = rows[~(single & (rows["seed"] > 0))]
    earlier = rows.assign(training_steps=rows["training_steps"] // 2, value=99.0)
    study = replace(made_up(plan, value), results=pd.concat([shown, earlier], ignore_index=True))
    table = FIGURES["architecture"].table(study)
    assert table["mean"].max() < 99
    distance, bound = FIGURES["architecture"].draw(table).axes
    assert distance.get_yticklabels()[0].get_text() == "attention at 4, 4 heads, scale-shift"
    assert [axes.get_ylim() for axes in (distance, bound)] == [(4.5, -0.5)] * 2
    for axes, lines in ((distance, 4), (bound, 5)):
        (dots,), (spans,) = axes.lines, axes.collections
        assert list(np.asarray(dots.get_ydata())) == [0, 1, 2, 3, 4]
        assert len(spans.get_paths()) == lines


def test_the_caption_says_that_the_paper_gives_no_numbers(plan: Plan) -> None:
    tables = made_up(plan, value)
    told = FIGURES["architecture"].caption(FIGURES["architecture"].table(tables), tables)
    assert "gives no numbers" in told
    assert "Dots are means over seeds, lines their 95% t intervals (n = 3 seeds)." in told


def test_the_first_arm_is_the_network_of_other_sweeps(plan: Plan) -> None:
    def networks(of: Plan) -> set[str]:
        return {address for address, task in of.tasks.items() if task.kind == "train"}

    assert len(networks(plan)) == 5 * 3 * 2  # whole and half trained
    assert len(networks(plan) & networks(planned("sigma_ablation"))) >= 3


@pytest.mark.parametrize("preset", ["photos", "digits_full"])
@pytest.mark.parametrize("sweep", ["architecture", "model_size", "overfitting", "early_stopping"])
def test_the_sweep_runs_under_the_other_presets_at_their_own_lengths(
    sweep: str, preset: str
) -> None:
    plan = planned(sweep, preset=preset)
    usual = {"photos": 400, "digits_full": 10_000}[preset]
    lengths = {row["training_steps"] for row in records(made_up(plan, lambda row: 2.0).results)}
    assert usual in lengths
    assert len(lengths) == 1 or sweep != "architecture"

    def of_any(row: Mapping[str, Any]) -> float:
        """Falls with compute in one sweep, is best at the first milestone in the others."""
        if sweep == "model_size":
            return float(row["compute"] ** -0.1 * (1 + 0.01 * row["seed"]))
        return float(3 + math.log(row["training_steps"] / min(lengths)) + 0.01 * row["seed"])

    verdicts = {judge(claim, made_up(plan, of_any)).verdict for claim in plan.spec.claims}
    assert "not run" not in verdicts
