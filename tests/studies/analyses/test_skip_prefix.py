"""Leaving out the noisy end: the figure and its claims on known curves, and to skip nothing."""

from collections.abc import Callable, Iterator
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.collections import PolyCollection
from matplotlib.container import ErrorbarContainer
from scipy import stats

from studies.analyses.drawings import FIGURES
from studies.analyses.index import numbers
from studies.analyses.judge import judge
from studies.analyses.skip_prefix.paper import fig_4_numbers
from studies.judging.verdicts import Finding
from studies.plan.plan import expand
from studies.published.published import same_cell
from studies.spec.sweep import read_sweep
from studies.tables.tables import Tables
from tests.witness.made_up_rows import distance_rows, network, planned, tables_of
from tests.witness.made_up_tables import made_up
from tests.witness.made_up_tables import planned as plan_of
from tests.witness.runs import ran
from tests.witness.sweep_files import write_sweep
from tests.witness.tiny_sweep import PRESET

Distance = Callable[[str, float, int], float]
SKIPS = (0.0, 0.05, 0.1, 0.2, 0.5)
LINEAR, COSINE = "linear_spares_a_skipped_fifth", "cosine_suffers_from_any_skip"


def distance(schedule: str, skip: float, seed: int) -> float:
    """Level up to a fifth under the linear schedule, rising at once under the cosine one."""
    growth = max(0.0, skip - 0.2) if schedule == "linear" else 6 * skip
    return (3.0 + 0.2 * seed) * (1 + growth + 0.001 * seed * skip)


def rows(distance: Distance = distance) -> Iterator[dict[str, Any]]:
    for schedule, skip in product(("linear", "cosine"), SKIPS):
        values = [distance(schedule, skip, seed) for seed in range(3)]
        yield from distance_rows(network("hybrid", schedule, 1000), "range", values, skip=skip)


def judged(claim: str, distance: Distance = distance) -> Finding:
    return judge(claim, tables_of(rows(distance)))


# -------------------------------------------------------------------------------------- verdicts


@pytest.mark.parametrize("claim", [LINEAR, COSINE])
def test_curves_like_those_of_fig_4_support_each_claim(claim: str) -> None:
    assert judged(claim).verdict == "supported"


def test_the_growth_is_taken_seed_by_seed_against_the_whole_chain() -> None:
    values = {(row["schedule"], row["skip"], row["seed"]): row["value"] for row in rows()}

    def distances(schedule: str, skip: float) -> Any:
        return np.array([values[schedule, skip, seed] for seed in range(3)])

    def grown(schedule: str, skip: float) -> float:
        ratio = distances(schedule, skip).mean() / distances(schedule, 0.0).mean()
        return float(np.log(ratio))

    (linear,) = judged(LINEAR).measurements
    assert linear.interval.mean == pytest.approx(grown("linear", 0.2))
    alone, compared = judged(COSINE).measurements
    assert alone.interval.mean == pytest.approx(grown("cosine", 0.05))
    some, whole = distances("cosine", 0.05), distances("cosine", 0.0)
    error = stats.sem(some / some.mean() - whole / whole.mean())
    assert alone.interval.half_width == pytest.approx(stats.t.ppf(0.975, 2) * error, rel=1e-6)
    assert compared.interval.mean == pytest.approx(grown("cosine", 0.2) - grown("linear", 0.2))


@pytest.mark.parametrize(
    ("growths", "verdict"),
    [
        ((0.2, 0.21, 0.22), "contradicted"),
        ((0.102, 0.102, 0.102), "contradicted"),
        ((0.098, 0.098, 0.098), "supported"),
        ((0.05, 0.1, 0.15), "inconclusive"),
    ],
)
def test_a_linear_chain_may_suffer_by_less_than_a_tenth(
    growths: tuple[float, ...], verdict: str
) -> None:
    def suffering(schedule: str, skip: float, seed: int) -> float:
        return 3.0 * (1 + (growths[seed] if skip == 0.2 else 0.0))

    assert judged(LINEAR, suffering).verdict == verdict


@pytest.mark.parametrize(
    ("growths", "verdict"),
    [((-0.2, -0.21, -0.22), "contradicted"), ((-0.1, 0.0, 0.2), "inconclusive")],
)
def test_a_cosine_chain_that_bears_it_does_not_support(
    growths: tuple[float, ...], verdict: str
) -> None:
    def bearing(schedule: str, skip: float, seed: int) -> float:
        return 3.0 * (1 + (growths[seed] if schedule == "cosine" and skip else 0.0))

    assert judged(COSINE, bearing).verdict == verdict


def test_a_cosine_chain_that_suffers_no_sooner_than_the_linear_contradicts() -> None:
    def alike(schedule: str, skip: float, seed: int) -> float:
        return 3.0 * (1 + skip * (3 if schedule == "linear" else 2) + 0.001 * seed * skip)

    finding = judged(COSINE, alike)
    assert finding.verdict == "contradicted"
    assert "cosine minus linear" in finding.reason


@pytest.mark.parametrize("claim", [LINEAR, COSINE])
def test_what_is_only_planned_is_not_run(claim: str) -> None:
    finding = judge(claim, tables_of(planned(row) for row in rows()))
    assert (finding.verdict, finding.measurements) == ("not run", ())
    assert "L_hybrid, Σ learned" in finding.reason


@pytest.mark.parametrize(
    ("claim", "missing"),
    [
        (LINEAR, "log growth of FD by skipping 20%, linear."),
        (
            COSINE,
            "log growth of FD by skipping 5%, cosine; log growth of FD by skipping 20%, cosine",
        ),
    ],
)
def test_a_study_that_skips_nothing_says_what_is_missing(claim: str, missing: str) -> None:
    finding = judge(claim, tables_of(row for row in rows() if row["skip"] == 0))
    assert finding.verdict == "not run"
    assert missing in finding.reason


def test_without_the_other_schedule_the_comparison_is_missing() -> None:
    finding = judge(COSINE, tables_of(row for row in rows() if row["schedule"] == "cosine"))
    assert finding.verdict == "not run"
    assert finding.reason.startswith(
        "Not measured yet: log growth of FD by skipping 20%, cosine minus"
    )


# ------------------------------------------------------------------------------------ the figure


def drawn(tables: Tables) -> Any:
    table = FIGURES["skip_prefix"].table(tables)
    (axes,) = FIGURES["skip_prefix"].draw(table).axes
    return table, axes


def test_each_curve_is_the_mean_over_seeds_at_each_fraction() -> None:
    tables = tables_of(rows())
    _, axes = drawn(tables)
    assert (axes.get_xscale(), axes.get_yscale()) == ("linear", "linear")
    assert axes.get_ylim()[0] == 0
    assert [line.get_label() for line in axes.lines] == ["linear", "cosine"]
    bands = [one for one in axes.collections if isinstance(one, PolyCollection)]
    for line, band in zip(axes.lines, bands, strict=True):
        arm = tables.results[tables.results["schedule"] == line.get_label()]
        expected = arm.groupby("skip")["value"].mean()
        np.testing.assert_allclose(line.get_xdata(), SKIPS)
        np.testing.assert_allclose(line.get_ydata(), expected, rtol=1e-12)
        values = arm.pivot(index="skip", columns="seed", values="value").to_numpy()
        high = values.mean(axis=1) + stats.t.ppf(0.975, 2) * stats.sem(values, axis=1)
        heights = np.asarray(band.get_paths()[0].vertices)[:, 1]
        assert all(np.isclose(heights, end, rtol=1e-9).any() for end in high)


def test_on_digits_the_papers_curves_are_not_drawn_and_the_caption_says_why() -> None:
    tables = tables_of(rows())
    table, _ = drawn(tables)
    said = FIGURES["skip_prefix"].caption(table, tables)
    assert set(table["source"]) == {"this study"}
    assert "The paper's curves are not overlaid; what differs: training set (digits here" in said
    assert "the chain that is cut has 100 steps" in said
    assert "(n = 3 seeds)" in said


def test_the_papers_curves_are_laid_over_where_every_setting_is_the_papers() -> None:
    tables = made_up(plan_of("skip_prefix", preset="imagenet64"), lambda row: 20.0)
    table, axes = drawn(tables)
    linear, cosine = (line for line in axes.lines if line.get_color() == "black")
    (legend,) = axes.figure.legends
    assert [text.get_text() for text in legend.get_texts()] == [
        "linear",
        "paper, Fig. 4 (digitised);\ninferred: objective, training steps, T, sampling steps",
        "cosine",
    ]
    ours = {line.get_label(): line.get_linestyle() for line in axes.lines}
    assert [linear.get_linestyle(), cosine.get_linestyle()] == [ours["linear"], ours["cosine"]]
    assert (list(cosine.get_xdata()), list(cosine.get_ydata())) == (
        [0.0, 0.05, 0.1, 0.2],
        [19.2, 22.3, 27.5, 63.8],
    )
    assert list(linear.get_xdata()) == [0.0, 0.1, 0.15, 0.2, 0.3, 0.5]
    assert cosine.get_markerfacecolor() == "white"
    errors = [bars for bars in axes.containers if isinstance(bars, ErrorbarContainer)]
    ends = [segment[:, 1] for bars in errors for segment in bars.lines[2][0].get_segments()]
    assert {round(float(high - low), 9) for low, high in ends} == {2 * 0.15}
    assert axes.get_ylabel().startswith("FID@10k\n")
    said = FIGURES["skip_prefix"].caption(table, tables)
    assert "digitised from its Fig. 4, where every setting agrees that the paper or its" in said
    assert "inferred: L_hybrid after 1,500,000 steps with T = 4,000: at no skip the cosine" in said


def test_without_scores_there_is_nothing_to_draw() -> None:
    assert FIGURES["skip_prefix"].table(tables_of([])).empty
    assert FIGURES["skip_prefix"].table(tables_of(planned(row) for row in rows())).empty


# ------------------------------------------------------------------------------ the paper's numbers


def test_every_number_of_fig_4_is_transcribed_twice() -> None:
    text = """
    cosine 0 19.2
    cosine .05 22.3
    cosine .10 27.5
    cosine .20 63.8
    linear 0 19.0
    linear .10 18.7
    linear .15 18.9
    linear .20 19.4
    linear .30 20.9
    linear .50 39.5
    """
    expected = {(s, float(f), float(v)) for s, f, v in map(str.split, text.strip().split("\n"))}
    found = list(fig_4_numbers())
    assert {(n.schedule, n.skip, n.value) for n in found} == expected
    assert len(found) == len(expected) == 10
    assert {(n.tag, n.error, n.source, n.data) for n in found} == {
        ("digitised", 0.15, "Fig. 4", "imagenet64")
    }
    assert set(found) <= set(numbers())


@pytest.mark.parametrize("skip", [None, float("nan"), 0.0])
def test_a_number_of_the_whole_chain_stands_beside_no_skipped_one(skip: float | None) -> None:
    whole = next(n for n in fig_4_numbers() if n.skip == 0)
    tenth = next(n for n in fig_4_numbers() if n.skip == 0.1)
    row = {"sampler": "ancestral", "variance": "range", "steps": 4000, "skip": skip}
    assert same_cell(whole, row)
    assert not same_cell(tenth, row)
    assert not same_cell(whole, row | {"skip": 0.1})
    assert same_cell(tenth, row | {"skip": 0.1})


# -------------------------------------------------------------------------------------- skip zero

SWEEP = """
study: tiny
question: Is nothing skipped?
preset: tiny
train: {objective: hybrid}
seeds: [0]
evaluate:
  - samples:
      sampler: {ancestral: {variance: range}}
      steps: 4
"""


def sampled(folder: Path, sweep: str) -> dict[str, bytes]:
    """By address: the images of every shard of samples."""
    folder.mkdir()
    store = ran(folder, sweep)
    return {
        address: (store.folder(address) / "samples.npy").read_bytes()
        for address in store.addresses()
        if address.startswith("sample-")
    }


def test_to_skip_nothing_is_not_to_skip_by_address_and_by_bytes(tmp_path: Path) -> None:
    plain = sampled(tmp_path / "plain", SWEEP)
    skipping = SWEEP.replace("steps: 4", "steps: 4\n      grid: {skip: [0.0, 0.5]}")
    with_skips = sampled(tmp_path / "skipping", skipping)
    assert len(plain) == 2
    assert len(with_skips) == 4
    assert {address: with_skips.get(address) for address in plain} == plain
    others = [images for address, images in with_skips.items() if address not in plain]
    assert not set(others) & set(plain.values())


def test_the_steps_that_are_left_are_counted(tmp_path: Path) -> None:
    sweep = SWEEP.replace("steps: 4", "steps: 4\n      skip: 0.5")
    from studies.plan.costs import costs

    total = costs(expand(read_sweep(write_sweep(tmp_path, sweep, PRESET))))[-1]
    assert total.network_calls == 8 * 2  # two blocks of four images, two of four steps
