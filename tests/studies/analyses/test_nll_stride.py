"""Bits/dim over few steps: the figure and its claims on curves known beforehand."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import product
from typing import Any

import numpy as np
import pandas as pd
import pytest
from matplotlib.collections import PolyCollection
from scipy import stats

from studies.analyses.drawings import FIGURES
from studies.analyses.judge import judge
from studies.analyses.nll_stride import paper
from studies.judging.verdicts import Finding
from studies.plan.plan import expand
from studies.report.summary import summary
from studies.spec.sweep import read_sweep
from studies.tables.rows import with_own_variance
from studies.tables.tables import Tables
from tests.witness.made_up_rows import bound_rows, network, planned, tables_of
from tests.witness.sweep_files import PRESET, write_sweep

Bound = Callable[[str, str, str, int, int], float]
STEPS = (10, 50, 250, 1000)
SIGMAS = {"simple": ("beta", "beta_tilde"), "hybrid": ("beta", "beta_tilde", "range")}
LOST = {"beta": 0.5, "beta_tilde": 4.0, "range": 1.0}
"""By what share an even stride of ten steps worsens the bound."""


def bound(objective: str, variance: str, stride: str, steps: int, seed: int) -> float:
    """What App. E tells: an even stride loses much at few steps, the first steps win it back."""
    lost = LOST[variance] * (10 / steps - 0.01) / 0.99
    level = 2.4 if variance == "range" else 2.5
    return (level + 0.01 * seed) * (1 + lost * (1.0 if stride == "even" else 0.01))


def rows(bound: Bound) -> Iterator[dict[str, Any]]:
    for objective, variances in SIGMAS.items():
        for stride, steps, variance in product(("even", "even_plus_first"), STEPS, variances):
            values = [bound(objective, variance, stride, steps, seed) for seed in range(3)]
            trained = network(objective, T=1000)
            for row in bound_rows(trained, variance, values, stride=stride, steps=steps):
                of_chain = "" if steps == 1000 else stride
                yield row | {"address": f"likelihood-{objective}{row['seed']}{of_chain}{steps}"}


def made(bound: Bound = bound) -> Tables:
    return tables_of(rows(bound))


def judged(claim: str, bound: Bound = bound) -> Finding:
    return judge(claim, made(bound))


CLAIMS = (
    "even_stride_costs_likelihood",
    "first_steps_win_back_likelihood",
    "learned_sigma_has_the_best_short_bound",
)

# -------------------------------------------------------------------------------------- verdicts


@pytest.mark.parametrize("claim", CLAIMS)
def test_curves_as_the_paper_tells_of_support_each_claim(claim: str) -> None:
    finding = judged(claim)
    assert finding.verdict == "supported", finding
    assert {m.interval.n for m in finding.measurements} == {3}


@pytest.mark.parametrize("claim", CLAIMS)
def test_what_is_only_planned_is_not_run(claim: str) -> None:
    finding = judge(claim, tables_of(planned(row) for row in rows(bound)))
    assert (finding.verdict, finding.measurements) == ("not run", ())


@pytest.mark.parametrize("claim", CLAIMS[:2])
@pytest.mark.parametrize("kept", [(10, 50, 250), (250, 1000)])
def test_without_few_steps_or_without_all_steps_there_is_nothing_to_compare(
    claim: str, kept: tuple[int, ...]
) -> None:
    finding = judge(claim, tables_of(row for row in rows(bound) if row["steps"] in kept))
    assert finding.verdict == "not run"
    assert "at at most T/20 steps and at all 1,000, L_simple, Σ = β" in finding.reason


def test_a_stride_that_loses_little_contradicts(  # 4 % at ten steps
) -> None:
    def mild(objective: str, variance: str, stride: str, steps: int, seed: int) -> float:
        return 2.5 + 0.01 * seed + (0.1 if steps < 1000 else 0.0)

    finding = judged("even_stride_costs_likelihood", mild)
    assert finding.verdict == "contradicted"
    assert {round(m.interval.mean, 3) for m in finding.measurements} == {0.039}


@pytest.mark.parametrize(("growth", "verdict"), [(1.098, "contradicted"), (1.102, "supported")])
def test_drastically_worse_is_a_tenth_more(growth: float, verdict: str) -> None:
    def grown(objective: str, variance: str, stride: str, steps: int, seed: int) -> float:
        return (2.5 + 0.01 * seed) * (1.0 if steps == 1000 else growth)

    assert judged("even_stride_costs_likelihood", grown).verdict == verdict


@pytest.mark.parametrize(("T", "few"), [(1000, "10 and 50"), (999, "10")])
def test_few_steps_are_at_most_a_twentieth_of_them(T: int, few: str) -> None:
    made_ = [row | {"T": T, "steps": min(row["steps"], T)} for row in rows(bound)]
    for claim in CLAIMS[:2]:
        assert f"at {few} " in judge(claim, tables_of(made_)).measurements[0].what


def test_a_growth_that_scatters_about_a_tenth_is_inconclusive() -> None:
    def scattered(objective: str, variance: str, stride: str, steps: int, seed: int) -> float:
        return 2.5 * (1.0 if steps == 1000 else (1.0, 1.1, 1.25)[seed])

    assert judged("even_stride_costs_likelihood", scattered).verdict == "inconclusive"


@pytest.mark.parametrize(
    ("share", "verdict"), [(0.2, "contradicted"), (0.5, "inconclusive"), (0.8, "supported")]
)
def test_most_of_the_loss_is_more_than_half(share: float, verdict: str) -> None:
    def repaired(objective: str, variance: str, stride: str, steps: int, seed: int) -> float:
        lost = 0.0 if steps == 1000 else 1.0 + 0.1 * seed
        left = 1.0 if stride == "even" else 1 - share - 0.02 * (seed - 1)
        return 2.5 + lost * left

    finding = judged("first_steps_win_back_likelihood", repaired)
    assert finding.verdict == verdict
    won = np.mean([(share + 0.02 * (s - 1) - 0.5) * (1 + 0.1 * s) for s in range(3)])
    assert finding.measurements[0].interval.mean == pytest.approx(won)


@pytest.mark.parametrize(("share", "verdict"), [(0.49, "contradicted"), (0.51, "supported")])
def test_half_of_the_loss_is_the_edge(share: float, verdict: str) -> None:
    def repaired(objective: str, variance: str, stride: str, steps: int, seed: int) -> float:
        lost = 0.0 if steps == 1000 else 1.0
        return 2.5 + 0.1 * seed + lost * (1.0 if stride == "even" else 1 - share)

    assert judged("first_steps_win_back_likelihood", repaired).verdict == verdict


def test_where_the_learned_sigma_loses_at_a_single_step_count_it_is_not_best() -> None:
    def worse_at_50(objective: str, variance: str, stride: str, steps: int, seed: int) -> float:
        penalty = 0.3 if (variance, steps) == ("range", 50) else 0.0  # of four step counts
        return bound(objective, variance, stride, steps, seed) + penalty

    finding = judged("learned_sigma_has_the_best_short_bound", worse_at_50)
    assert finding.verdict == "contradicted"
    assert all("largest at 50 steps" in m.detail for m in finding.measurements)


def test_an_even_stride_alone_does_not_count_against_the_learned_sigma() -> None:
    def bad_even(objective: str, variance: str, stride: str, steps: int, seed: int) -> float:
        penalty = 9.0 if (stride, variance) == ("even", "range") and steps < 1000 else 0.0
        return bound(objective, variance, stride, steps, seed) + penalty

    assert judged("learned_sigma_has_the_best_short_bound", bad_even).verdict == "supported"


def test_a_learned_sigma_that_wins_and_loses_by_seed_is_inconclusive() -> None:
    def by_seed(objective: str, variance: str, stride: str, steps: int, seed: int) -> float:
        return 2.5 + (0.1 * (seed - 1) if variance == "range" else 0.0)

    assert judged("learned_sigma_has_the_best_short_bound", by_seed).verdict == "inconclusive"


def test_without_the_other_objective_the_missing_comparison_is_named() -> None:
    finding = judge(CLAIMS[2], tables_of(r for r in rows(bound) if r["objective"] == "hybrid"))
    assert finding.verdict == "not run"
    assert "L_hybrid, Σ learned minus L_simple, Σ = β" in finding.reason


def test_the_growth_is_the_mean_log_ratio_over_few_steps() -> None:
    frame = pd.DataFrame(rows(bound)).query("objective == 'simple' and variance == 'beta'")
    even = frame.query("stride == 'even'").pivot(index="seed", columns="steps", values="value")
    expected = np.log(even[[10, 50]].div(even[1000], axis=0)).mean(axis=1)
    (found,) = [
        m for m in judged(CLAIMS[0]).measurements if m.what.endswith("1,000, L_simple, Σ = β")
    ]
    assert found.interval.mean == pytest.approx(expected.mean())
    half = stats.t.ppf(0.975, 2) * stats.sem(expected)
    assert found.interval.half_width == pytest.approx(half, rel=1e-9)


def test_a_network_that_learned_its_sigma_is_read_with_no_other() -> None:
    found = with_own_variance(made().results)
    pairs = set(zip(found["objective"], found["variance"], strict=True))
    assert pairs == {("simple", "beta"), ("simple", "beta_tilde"), ("hybrid", "range")}
    assert with_own_variance(tables_of([]).results).empty


# ------------------------------------------------------------------------------------ the figure


def test_each_curve_is_the_mean_over_seeds_at_each_k() -> None:
    tables = made()
    table = FIGURES["nll_vs_steps"].table(tables)
    (axes,) = FIGURES["nll_vs_steps"].draw(table).axes
    assert (axes.get_xscale(), axes.get_yscale()) == ("log", "log")
    assert len(axes.lines) == 6
    own = with_own_variance(tables.results)
    for arm, drawn in zip(
        own.groupby(["objective", "variance", "stride"]),
        table.groupby(["objective", "variance", "stride"]),
        strict=True,
    ):
        expected = arm[1].groupby("steps")["value"].mean()
        np.testing.assert_allclose(drawn[1]["mean"], expected, rtol=1e-12)
        ys = [np.asarray(line.get_ydata(), dtype=float) for line in axes.lines]
        assert any(np.allclose(y, expected, rtol=1e-12) for y in ys)
    assert all(tuple(np.asarray(line.get_xdata())) == STEPS for line in axes.lines)
    assert len([one for one in axes.collections if isinstance(one, PolyCollection)]) == 6
    constant = tables.results.assign(stride="constant", value=9.0)
    more = replace(tables, results=pd.concat([tables.results, constant], ignore_index=True))
    pd.testing.assert_frame_equal(FIGURES["nll_vs_steps"].table(more), table)


def test_an_even_stride_is_dashed_and_hollow() -> None:
    (axes,) = FIGURES["nll_vs_steps"].draw(FIGURES["nll_vs_steps"].table(made())).axes
    for line in axes.lines:
        even = str(line.get_label()).endswith("even stride")
        assert (line.get_linestyle() == "--") == even
        assert (line.get_markerfacecolor() == "white") == even


def test_the_network_calls_are_those_of_both_strides_together() -> None:
    table = FIGURES["nll_vs_steps"].table(made())
    calls = table.query("variance == 'range' and stride == 'even_plus_first'")["calls"]
    expected = [
        len({round(i * 999 / (K - 1)) for i in range(K)} | set(range(1000 // K))) for K in STEPS
    ]
    assert calls.tolist() == expected
    said = FIGURES["nll_vs_steps"].caption(table, made())
    assert f"with every t up to T/K it takes {expected[0]} for K = 10, " in said
    even = table[table["stride"] == "even"]
    assert (even["calls"] == even["steps"]).all()


def test_the_caption_names_whose_numbers_are_told_and_draws_none() -> None:
    table = FIGURES["nll_vs_steps"].table(made())
    said = FIGURES["nll_vs_steps"].caption(table, made())
    assert "The values of the paper's Fig. 15 are not on record here, so none is drawn." in said
    assert "Bao et al. (2022, Tables 1 and 8)" in said
    assert "18.91 bits/dim at 25 steps and 3.57 at 4,000" in said
    assert "(n = 3 seeds)" in said


def test_without_bounds_there_is_nothing_to_draw() -> None:
    assert FIGURES["nll_vs_steps"].table(tables_of([])).empty
    assert FIGURES["nll_vs_steps"].table(tables_of(planned(row) for row in rows(bound))).empty


def test_what_others_measured_on_the_papers_network_is_transcribed_twice() -> None:
    text = """
    25    5.81  105.87  18.91
    50    5.20   46.25   8.46
    100   4.70   22.02   5.27
    200   4.31   12.10   4.24
    400   4.04    7.59   3.86
    1000  3.81    5.04   3.68
    4000  3.65    3.89   3.57
    """
    columns = list(zip(*(map(float, line.split()) for line in text.split("\n")[1:-1]), strict=True))
    assert columns[0] == paper.SHORT_BOUND_STEPS
    assert list(paper.SHORT_BOUNDS.items()) == list(
        zip(("beta", "beta_tilde", "range"), columns[1:], strict=True)
    )


# -------------------------------------------------------------------------------- one whole chain

SWEEP = """\
study: strides
question: Which steps?
preset: tiny
train: {objective: hybrid}
seeds: [0]
evaluate:
  - likelihood:
      grid:
        steps: [10, 100]
        stride: [even, even_plus_first]
"""


def test_all_steps_by_any_stride_are_one_task_and_two_points(tmp_path: Any) -> None:
    plan = expand(read_sweep(write_sweep(tmp_path, SWEEP, PRESET)))
    addresses = [cell.tasks["likelihood"] for cell in plan.cells]
    assert [cell.arm["stride"] for cell in plan.cells] == ["even", "even_plus_first"] * 2
    assert len(set(addresses)) == 3
    assert addresses[2] == addresses[3]


def test_what_a_run_prints_keeps_strides_and_step_counts_apart() -> None:
    table = made().results
    columns, lines = summary(table)
    assert columns == ["arm", "bits/dim", *(f"bits/dim at {K}" for K in STEPS[:-1])]
    said = {line[0]: line[1:] for line in lines}
    expected = table.query(
        "objective == 'hybrid' and variance == 'range' and stride == 'even' and steps == 10"
    )["value"].mean()
    assert said["L_hybrid, Σ learned, even stride"][1].startswith(f"{expected:.4g} ±")
    assert "L_hybrid, Σ learned, even plus first stride" in said
