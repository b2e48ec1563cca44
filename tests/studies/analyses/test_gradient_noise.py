"""The sweep over gradient noise: its plan, its tables, its figure (Fig. 7) and its claim."""

import math
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.container import ErrorbarContainer
from scipy.stats import t as student

from iddpm.bounds import ConfigError
from iddpm.evaluation.config import GradientNoiseConfig
from studies.analyses.drawings import FIGURES
from studies.analyses.gradient_noise.paper import FIG_7, FIG_7_ERROR
from studies.analyses.judge import judge
from studies.judging.verdicts import Finding
from studies.plan.costs import arm_label, costs
from studies.plan.plan import expand, record
from studies.report.build import build
from studies.report.page import study_page
from studies.spec.sweep import read_sweep
from studies.store.store import Store
from studies.tables.groupings import records
from studies.tables.tables import UNDETERMINED, Tables, tables
from tests.witness import runs
from tests.witness.made_up_rows import network, tables_of
from tests.witness.sweep_files import write_sweep
from tests.witness.tiny_sweep import PRESET

SWEEP = """
study: noise
question: Is it noisy?
preset: tiny
grid:
  train.objective: [vlb, hybrid]
  train.steps: [2, 3]
seeds: [0]
evaluate:
  - gradient_noise: {draws: 3, blocks: 2, block_size: 4}
figures: [gradient_noise]
claims: [vlb_gradient_is_noisier]
"""

# ------------------------------------------------------------------------------------ from a sweep


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Store:
    return runs.ran(tmp_path_factory.mktemp("noise"), SWEEP)


def test_a_cell_s_rows_are_its_result(ran: Store) -> None:
    table = tables(ran, "noise-tiny").results
    assert len(table) == 4 * 3
    names = {"gradient_squared_norm": "squared_norm", "gradient_variance": "variance"}
    for row in records(table):
        result = ran.result(row["address"])
        assert result is not None
        part = result[names.get(row["metric"], "log_scale")]
        if part is None:
            assert math.isnan(row["value"])
            assert (row["state"], row["reason"]) == ("done", UNDETERMINED)
        else:
            expected = part["mean"], part["standard_error"]
            assert (row["value"], row["standard_error"]) == expected
        assert row["training_steps"] == row["train.steps"]


def test_a_page_shows_it(ran: Store, tmp_path: Path) -> None:
    _, page = build(ran, tmp_path, ["noise-tiny"])
    text = page.read_text()
    assert "Gradient noise scale along training" in text
    assert "Gradient noise scale (ln)" in text


def test_a_page_calls_a_finished_cell_without_a_scale_undetermined(ran: Store) -> None:
    study = tables(ran, "noise-tiny")
    unknown = study.results["metric"] == "log_noise_scale"
    study = replace(study, results=study.results.assign(value=study.results["value"].mask(unknown)))
    assert "1 of 1 undetermined" in study_page(ran, study).files["index.html"]


def test_a_cell_without_a_result_keeps_its_rows(tmp_path: Path) -> None:
    store = Store(tmp_path / "store")
    sweep = write_sweep(tmp_path, SWEEP, PRESET)
    plan = expand(read_sweep(sweep))
    for task in plan.tasks.values():
        store.create(task)
    store.record_study(plan.study, record(plan))
    table = tables(store, "noise-tiny")
    assert set(table.results["state"]) == {"planned"}
    assert table.results["value"].isna().all()
    assert FIGURES["gradient_noise"].table(table).empty
    assert judge("vlb_gradient_is_noisier", table).verdict == "not run"


def test_the_plan_counts_a_gradient_as_three_network_calls(tmp_path: Path) -> None:
    plan = expand(read_sweep(write_sweep(tmp_path, SWEEP, PRESET)))
    rows = {cost.arm: cost for cost in costs(plan)}
    label = "vlb cosine T=8, steps=2, gradient noise"
    assert arm_label(plan.cells[0].arm) == label
    assert rows[label].network_calls == 3 * (3 * 2 * 4)
    assert rows["total"].tasks == len(plan.tasks) == 8


@pytest.mark.parametrize(
    ("inside", "message"),
    [
        ("draws: 1", "evaluate[0].gradient_noise.draws: expected at least 2, found 1"),
        ("blocks: 1", "evaluate[0].gradient_noise.blocks: expected at least 2, found 1"),
        (
            "ema_decay: 0.5",
            "evaluate[0].gradient_noise.ema_decay: expected an average that the training keeps "
            "(0.9), found 0.5; add it to train.ema_decays",
        ),
        (
            "objective: {vlb: {variance: learned}}",
            "evaluate[0].gradient_noise.objective.variance: expected one of beta, beta_tilde, "
            "range, found 'learned', which a network trained with the objective 'vlb' did not "
            "learn",
        ),
        (
            "objective: v",
            "evaluate[0].gradient_noise.objective: expected 'simple', 'vlb' or 'hybrid', found "
            "'v'; did you mean 'vlb'?",
        ),
    ],
)
def test_noise_that_cannot_be_measured_is_refused(
    tmp_path: Path, inside: str, message: str
) -> None:
    sweep = SWEEP.replace("draws: 3, blocks: 2, block_size: 4", inside)
    with pytest.raises(ConfigError) as error:
        expand(read_sweep(write_sweep(tmp_path, sweep, PRESET)))
    assert str(error.value).endswith(message)


def test_no_other_objective_is_the_training_s_own(tmp_path: Path) -> None:
    text = SWEEP.replace("draws: 3", "objective: null, draws: 3")
    spec = read_sweep(write_sweep(tmp_path, text, PRESET))
    assert spec.arms[0].evaluation == GradientNoiseConfig(draws=3, blocks=2, block_size=4)


# ---------------------------------------------------------------------------- made-up measurements

RECIPE = '{"big batch": 8, "draws": 3, "small batch": 4}'
STEPS, SEEDS = (100, 200, 400), (0, 1, 2)

Scale = Callable[[str, int, int], float]


def as_the_paper_says(objective: str, step: int, seed: int) -> float:
    """L_vlb 20 to 40 times as noisy."""
    ratio = {"vlb": 20 + step / 20, "hybrid": 1}[objective]
    return ratio * step * (1 + 0.1 * seed)


def made_up(scale: Scale = as_the_paper_says, rows: str = "seed >= 0") -> Tables:
    """A study whose scales are known; NaN: not determined, infinite: not run."""
    measured: list[dict[str, Any]] = []
    for objective in ("vlb", "hybrid"):
        for step in STEPS:
            for seed in SEEDS:
                found = scale(objective, step, seed)
                done = not math.isinf(found)
                measured.append(
                    {
                        **network(objective, T=1000),
                        "evaluation": "gradient_noise",
                        "steps": 1000,
                        "train.steps": step,
                        "seed": seed,
                        "metric": "log_noise_scale",
                        "value": math.log(found) if done else math.nan,
                        "standard_error": 0.1 if done else math.nan,
                        "recipe": RECIPE if done else None,
                        "training_steps": step,
                        "state": "done" if done else "planned",
                        "reason": UNDETERMINED if math.isnan(found) else "",
                        "address": f"gradient_noise-{objective}{step}{seed}",
                    }
                )
    whole = tables_of(measured)
    return replace(whole, results=whole.results.query(rows))


def finding(scale: Scale = as_the_paper_says, rows: str = "seed >= 0") -> Finding:
    return judge("vlb_gradient_is_noisier", made_up(scale, rows))


def test_the_curves_are_geometric_means_over_seeds() -> None:
    study = made_up()
    table = FIGURES["gradient_noise"].table(study)
    axes = FIGURES["gradient_noise"].draw(table).axes[0]
    expected = study.results.groupby(["objective", "train.steps"])["value"].mean().pipe(np.exp)
    curves = {line.get_label(): line for line in axes.lines if "mathrm" in str(line.get_label())}
    for objective in ("vlb", "hybrid"):
        (curve,) = [line for label, line in curves.items() if objective in str(label)]
        assert np.asarray(curve.get_xdata()).tolist() == list(STEPS)
        assert np.asarray(curve.get_ydata()) == pytest.approx(list(expected[objective]))
    assert axes.get_yscale() == "log"


def test_the_band_is_the_t_interval_over_seeds_of_the_log() -> None:
    study = made_up()
    table = FIGURES["gradient_noise"].table(study)
    row = table[table["seed"].isna() & (table["training_steps"] == 200)].iloc[-1]
    logs = np.log([as_the_paper_says(row["objective"], 200, seed) for seed in SEEDS])
    ends = student.interval(0.95, 2, logs.mean(), logs.std(ddof=1) / math.sqrt(3))
    assert (row["low"], row["high"]) == pytest.approx(np.exp(ends))
    band = FIGURES["gradient_noise"].draw(table).axes[0].collections
    assert any(np.isclose(path.vertices, row["high"]).any() for c in band for path in c.get_paths())


def test_a_seed_s_bar_is_two_standard_errors_either_way() -> None:
    table = FIGURES["gradient_noise"].table(made_up())
    seeds = table[table["seed"].notna()]
    assert len(seeds) == 18
    assert np.allclose(seeds["low"], seeds["scale"] * math.exp(-0.2))
    assert np.allclose(seeds["high"], seeds["scale"] * math.exp(0.2))
    axes = FIGURES["gradient_noise"].draw(table).axes[0]
    bars = [one for one in axes.containers if isinstance(one, ErrorbarContainer)]
    ends = [line[:, 1] for bar in bars for line in bar.lines[2][0].get_segments()]
    assert np.allclose(
        sorted(map(tuple, ends)), sorted(zip(seeds["low"], seeds["high"], strict=True))
    )


def test_what_is_not_determined_is_not_drawn_but_said() -> None:
    def some(objective: str, step: int, seed: int) -> float:
        lost = objective == "vlb" and (step, seed) in ((400, 1), (400, 2), (100, 0))
        return math.nan if lost else as_the_paper_says(objective, step, seed)

    study = made_up(some)
    drawing = FIGURES["gradient_noise"]
    table = drawing.table(study)
    assert table["n"][table["seed"].isna()].tolist() == [3, 3, 3, 2, 3, 1]
    assert drawing.draw(table)
    assert (
        "Not determined, since |G|² is within two standard errors of zero, and not drawn: L_vlb at "
        "step 100 (seed 0); L_vlb at step 400 (seeds 1, 2)." in drawing.caption(table, study)
    )


def test_a_study_without_any_scale_says_so() -> None:
    study = made_up(lambda objective, step, seed: math.nan)
    drawing = FIGURES["gradient_noise"]
    table = drawing.table(study)
    assert (len(table), table["scale"].count()) == (18, 0)
    assert drawing.draw(table)
    assert "No scale is determined, so no curve is drawn." in drawing.caption(table, study)


def test_the_caption_says_what_was_measured_and_what_the_paper_has() -> None:
    study = made_up()
    drawing = FIGURES["gradient_noise"]
    said = drawing.caption(drawing.table(study), study)
    assert "From 3 batches of 8 images and the 4-image blocks that they are made of" in said
    assert "Lines are geometric means over seeds, bands their 95% t intervals (n = 3 seeds)" in said
    assert "stands at about 2.1e+05 for L_vlb and 8.4e+02 for L_hybrid at step 200,000" in said
    assert "not drawn" not in said


def test_figure_7_by_a_second_transcription() -> None:
    table = """
    step      0     50    100   150   200
    vlb       11500 61000 55000 28000 210000
    hybrid    0.15  140   780   910   840
    """
    header, *rows = [line.split() for line in table.split("\n") if line.strip()]
    steps = [1000 * int(step) for step in header[1:]]
    expected = {name: dict(zip(steps, map(float, row), strict=True)) for name, *row in rows}
    assert expected == FIG_7
    assert FIG_7_ERROR == 0.05


# --------------------------------------------------------------------------------------- the claim


def test_noisier_gradients_of_vlb_support_the_claim() -> None:
    found = finding()
    assert found.verdict == "supported"
    between, *steps = found.measurements
    logs = [math.log(20 + step / 20) for step in STEPS]
    assert between.interval.mean == pytest.approx(sum(logs) / 3)
    assert [m.interval.mean for m in steps] == pytest.approx(logs)
    assert [m.decides for m in found.measurements] == [True, False, False, True]
    assert steps[-1].what == "log of the noise scale of L_vlb over that of L_hybrid, at step 400"


def test_the_differences_are_paired_by_seed() -> None:
    def wide(objective: str, step: int, seed: int) -> float:
        return 10.0**seed * (11 if objective == "vlb" else 1)

    assert finding(wide).verdict == "supported"


@pytest.mark.parametrize(("times", "verdict"), [(10.1, "supported"), (9.9, "contradicted")])
def test_much_noisier_is_ten_times_as_noisy(times: float, verdict: str) -> None:
    assert finding(lambda o, step, seed: times if o == "vlb" else 1.0).verdict == verdict


@pytest.mark.parametrize(("lost", "verdict"), [(3, "supported"), (4, "inconclusive")])
def test_more_than_a_fifth_of_the_scales_undetermined_do_not_tell(lost: int, verdict: str) -> None:
    def some(objective: str, step: int, seed: int) -> float:
        place = len(SEEDS) * STEPS.index(step) + seed
        gone = objective == "vlb" and place < lost  # of 18 scales
        return math.nan if gone else as_the_paper_says(objective, step, seed)

    assert finding(some).verdict == verdict


def test_calmer_gradients_of_vlb_contradict_it() -> None:
    found = finding(lambda objective, step, seed: 1 / as_the_paper_says(objective, step, seed))
    assert found.verdict == "contradicted"


def test_a_last_checkpoint_that_wavers_leaves_it_open() -> None:
    def wavering(objective: str, step: int, seed: int) -> float:
        usual = as_the_paper_says(objective, step, seed)
        return usual * math.exp(9 * (seed - 1)) if (objective, step) == ("vlb", 400) else usual

    found = finding(wavering)
    assert found.verdict == "inconclusive"
    assert "at step 400" in found.reason


@pytest.mark.parametrize("rows", ["objective == 'vlb'", "seed > 9"])
def test_without_both_objectives_it_is_not_run(rows: str) -> None:
    found = finding(rows=rows)
    assert (found.verdict, found.measurements) == ("not run", ())
    expected = "log of the noise scale of L_vlb over that of L_hybrid, of networks trained alike"
    assert found.reason.startswith(f"Not measured yet: {expected}.")


def test_a_last_checkpoint_still_to_come_is_not_run() -> None:
    def unfinished(objective: str, step: int, seed: int) -> float:
        return math.inf if step == 400 else as_the_paper_says(objective, step, seed)

    found = finding(unfinished)
    assert (found.verdict, len(found.measurements)) == ("not run", 3)
    assert found.reason.endswith("over that of L_hybrid, at step 400.")


def test_scales_that_are_not_determined_are_counted() -> None:
    def lost(objective: str, step: int, seed: int) -> float:
        gone = objective == "vlb" and step == 400 and seed < 1
        return math.nan if gone else as_the_paper_says(objective, step, seed)

    *_, before, last = finding(lost).measurements
    assert (last.interval.n, "1 of 6 scales not determined" in last.detail) == (2, True)
    assert re.fullmatch(r"\S+ images against \S+", before.detail)
    nothing = finding(
        lambda o, step, seed: (
            math.nan if (o, step) == ("vlb", 400) else as_the_paper_says(o, step, seed)
        )
    )
    assert nothing.verdict == "inconclusive"
    assert "at step 400 (3 of 6 scales not determined)." in nothing.reason
