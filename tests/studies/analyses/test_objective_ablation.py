"""The rows of Tables 1 and 2: the sweep that makes them, their figure, and the claims on them."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from matplotlib.container import ErrorbarContainer
from matplotlib.figure import Figure
from scipy import stats

from iddpm.config import LossSecondMoment, TrainConfig, Uniform
from iddpm.evaluation.config import SampleConfig
from studies.analyses.drawings import FIGURES
from studies.analyses.judge import judge
from studies.drawing import style, vector
from studies.plan.plan import Plan, expand
from studies.spec.evaluations import SamplesConfig
from studies.spec.sweep import SweepSpec, read_sweep
from studies.tables.labels import labelled
from studies.tables.resampling import share_resampled, warm_up_draws
from studies.tables.rows import asked
from studies.tables.table_rows import bounds, distances
from studies.tables.tables import Tables
from tests.witness.made_up_rows import bound_rows, distance_rows, network, tables_of
from tests.witness.made_up_rows import planned as not_run
from tests.witness.made_up_tables import made_up, planned

SWEEP = Path(__file__).parents[3] / "sweeps" / "objective_ablation.yaml"
RESAMPLED = "loss_second_moment"
ROWS = [
    ("T = 1,000, linear, L_simple", network("simple", "linear", 1000), "beta"),
    ("T = 4,000, linear, L_simple", network("simple", "linear"), "beta"),
    ("T = 4,000, linear, L_hybrid", network("hybrid", "linear"), "range"),
    ("T = 4,000, cosine, L_simple", network("simple"), "beta"),
    ("T = 4,000, cosine, L_hybrid", network("hybrid"), "range"),
    ("T = 4,000, cosine, L_vlb (resampled)", network("vlb", timesteps=RESAMPLED), "range"),
]
"""As the tables have them."""
SHORT = {1000: 32, 4000: 128}
"""The chains of the preset `digits`, as far apart as those of the tables and shorter, by these."""

NLL = (3.99, 3.77, 3.66, 3.68, 3.62, 3.57)
FID = (32.5, 31.3, 32.2, 27.0, 28.0, 56.7)
SPREAD = (-0.001, 0.0, 0.001)


def results(
    nll: Sequence[float] = NLL, fd: Sequence[float] = FID, *, spread: Sequence[float] = SPREAD
) -> list[dict[str, Any]]:
    """Every row of the table over three seeds, and each network read with another Σ as well."""
    rows: list[dict[str, Any]] = []
    for (_, trained, variance), bits, distance in zip(ROWS, nll, fd, strict=True):
        rows += bound_rows(trained, variance, [bits * (1 + s * bits) for s in spread])
        rows += bound_rows(trained, "beta_tilde", [9.0, 9.0, 9.0][: len(spread)])
        values = [distance * (1 + s * distance) for s in spread]
        rows += distance_rows(trained, variance, values)
    return rows


def losses(*, steps: int = 800, batch: int = 64, T: int = 4000) -> pd.DataFrame:
    trained = network("vlb", T=T, timesteps=RESAMPLED)
    at = np.array([steps // 2, steps])
    frame = pd.DataFrame({"step": at, "images_seen": batch * at, "bits_per_dim": 3.0, "seed": 0})
    return frame.assign(**trained)


# -------------------------------------------------------------------------------------- the sweep


@pytest.fixture(scope="module")
def spec() -> SweepSpec:
    return read_sweep(SWEEP)


@pytest.fixture(scope="module")
def plan(spec: SweepSpec) -> Plan:
    return expand(spec)


def test_the_sweep_trains_the_rows_of_the_tables(spec: SweepSpec) -> None:
    trained = {arm.train for arm in spec.arms}
    settings = {(t.diffusion.steps, t.diffusion.schedule, t.objective.kind) for t in trained}
    assert len(trained) == len(settings) == 6
    assert settings == {(SHORT[row["T"]], row["schedule"], row["objective"]) for _, row, _ in ROWS}
    assert len(spec.seeds) == 6


def test_only_l_vlb_draws_t_by_importance(spec: SweepSpec) -> None:
    for arm in spec.arms:
        drawn = LossSecondMoment if arm.train.objective.kind == "vlb" else Uniform
        assert isinstance(arm.train.timesteps, drawn)


def test_l_simple_is_sampled_with_beta_and_the_others_with_what_they_learned(
    spec: SweepSpec,
) -> None:
    for arm in spec.arms:
        if isinstance(arm.evaluation, SamplesConfig):
            expected = "beta" if arm.train.objective.kind == "simple" else "range"
            assert getattr(arm.evaluation.sampler, "variance", None) == expected


def test_larger_numbers_of_samples_share_the_shards_of_smaller_ones(plan: Plan) -> None:
    shards: dict[tuple[str, int], set[int]] = {}
    for task in plan.tasks.values():
        if isinstance(task.config, SampleConfig):
            trained = plan.tasks[task.parents["network"]].config
            assert isinstance(trained, TrainConfig)
            name = f"{trained.objective.kind} {trained.diffusion.schedule}"
            shards.setdefault((name, task.config.seed), set()).add(task.config.first_block)
    (seed, *_) = plan.spec.seeds
    assert shards["hybrid cosine", seed] == set(range(8))
    assert shards["hybrid linear", seed] == set(range(4))
    kinds = [task.kind for task in plan.tasks.values()]
    whole, half = 5 * 4 + 8, 6 * 4
    assert kinds.count("sample") == 6 * (whole + half)


def test_all_steps_of_each_chain_are_sampled_where_a_preset_says_null() -> None:
    plan = expand(read_sweep(SWEEP, overrides=[("samples.steps", "null")], seeds=[0]))
    for task in plan.tasks.values():
        if isinstance(task.config, SampleConfig):
            trained = plan.tasks[task.parents["network"]].config
            assert isinstance(trained, TrainConfig)
            assert task.config.steps == trained.diffusion.steps
    steps = {(cell.arm["T"], cell.arm["steps"]) for cell in plan.cells}
    assert steps == {(length, length) for length in SHORT.values()}


# ----------------------------------------------------------------------------------- names of arms


def test_a_resampled_arm_is_named_as_in_the_paper() -> None:
    arms = pd.DataFrame([network("vlb", timesteps=RESAMPLED), network("vlb"), network("hybrid")])
    named = labelled(arms, list(arms.columns)).sort_values("rank")
    assert list(named["arm"]) == ["L_hybrid", "L_vlb", "L_vlb (resampled)"]


# --------------------------------------------------------------------------------------- the rows


def scored(study: Tables) -> pd.DataFrame:
    return distances(asked(study, "frechet_distance"))


def test_each_network_is_read_as_the_tables_read_it() -> None:
    study = tables_of(results())
    for found in (bounds(study), scored(study)):
        ordered = found.sort_values("order")["row"].drop_duplicates()
        assert list(ordered) == [name for name, _, _ in ROWS]
        assert set(zip(found["row"], found["variance"], strict=True)) == {
            (name, variance) for name, _, variance in ROWS
        }


def test_longer_trainings_stand_below_and_are_told_apart() -> None:
    later = network("hybrid") | {"training_steps": 1600}
    rows = [*results(), *bound_rows(later, "range", [3.5, 3.5])]
    study = tables_of(rows)
    study.results["train.steps"] = study.results["training_steps"]
    found = bounds(study).sort_values("order")
    assert list(found["row"])[-1].startswith("T = 4,000, cosine, L_hybrid, ")
    assert found["row"].nunique() == 7


def test_of_several_numbers_of_samples_the_one_that_all_networks_have_is_taken() -> None:
    more = distance_rows(network("hybrid"), "range", [1.0, 1.0, 1.0], images=1536)
    assert set(scored(tables_of([*more, *results()]))["images"]) == {192}


def test_shorter_chains_and_other_samplers_are_no_rows_of_the_tables() -> None:
    trained = network("hybrid")
    others = [
        *distance_rows(trained, "range", [1.0], steps=10),
        *distance_rows(trained, "range", [1.0], skip=0.5),
        *distance_rows(trained, "range", [1.0], stride="constant"),
        *distance_rows(trained, "beta", [1.0]),
        *bound_rows(trained, "range", [1.0], steps=100),
        *bound_rows(trained, "beta", [1.0]),
    ]
    found = pd.concat([bounds(tables_of([*others, *results()])), scored(tables_of(results()))])
    assert 1.0 not in set(found["value"])
    assert set(scored(tables_of([*others, *results()]))["value"]) & {1.0} == set()


# ------------------------------------------------------------------------------------- the figure


def drawn(study: Tables) -> tuple[pd.DataFrame, Figure]:
    table = FIGURES["objective_table"].table(study)
    return table, FIGURES["objective_table"].draw(table)


def test_the_figure_shows_both_metrics_by_row() -> None:
    study = tables_of(results())
    _, figure = drawn(study)
    metrics = ("bits_per_dim", "frechet_distance")
    assert len(figure.axes) == 2
    for axes, metric, values in zip(figure.axes, metrics, (NLL, FID), strict=True):
        points = [c for c in axes.containers if isinstance(c, ErrorbarContainer)]
        places = [float(np.asarray(c.lines[0].get_ydata())[0]) for c in points]
        means = [float(np.asarray(c.lines[0].get_xdata())[0]) for c in points]
        assert places == [0, 1, 2, 3, 4, 5]
        assert means == pytest.approx(list(values), rel=1e-12)
        own = study.results[(study.results["metric"] == metric) & (study.results["T"] == 1000)]
        own = own[own["variance"] == "beta"]
        segment = points[0].lines[2][0].get_segments()[0]
        half = stats.t.ppf(0.975, 2) * stats.sem(own["value"])
        ends = np.array([own["value"].mean() - half, own["value"].mean() + half])
        np.testing.assert_allclose(segment[:, 0], ends, rtol=1e-9)
    labels = [label.get_text() for label in figure.axes[0].get_yticklabels()]
    assert labels == [style.mathematical(name) for name, _, _ in ROWS]
    assert figure.axes[0].get_ylim()[0] > figure.axes[0].get_ylim()[1]  # the first row on top


def test_the_same_table_gives_the_same_svg() -> None:
    table, figure = drawn(tables_of(results()))
    assert vector.svg(figure) == vector.svg(FIGURES["objective_table"].draw(table))


def test_partial_results_draw_what_is_there() -> None:
    bits = [row for row in results() if row["metric"] == "bits_per_dim"]
    _, figure = drawn(tables_of(bits))
    assert [axes.get_xlabel() for axes in figure.axes] == ["bits/dim"]
    assert FIGURES["objective_table"].table(tables_of([])).empty
    waiting = bound_rows(network("hybrid"), "range", [None, None])
    assert FIGURES["objective_table"].table(tables_of(waiting)).empty


def caption(study: Tables) -> str:
    return FIGURES["objective_table"].caption(FIGURES["objective_table"].table(study), study)


def test_the_papers_numbers_are_not_drawn_where_anything_differs() -> None:
    study = tables_of(results())
    table, _ = drawn(study)
    assert set(table["source"]) == {"this study"}
    assert "The paper's numbers are not drawn; what differs: training set (digits here" in (
        caption(study)
    )


def test_the_papers_numbers_are_drawn_where_everything_agrees() -> None:
    ours = planned("objective_ablation", preset="cifar10")
    study = made_up(ours, lambda row: 3.0 if row["metric"] == "bits_per_dim" else 20.0)
    table, figure = drawn(study)
    theirs = table[table["source"] == "Table 2"]
    assert list(theirs["mean"]) == [
        *(3.73, 3.37, 3.26, 3.26, 3.17, 2.94),
        *(3.29, 2.90, 3.07, 3.05, 3.19, 11.47),
    ]
    bits, fid = figure.axes
    for axes, values in zip((bits, fid), ((3.37, 3.26), (2.90, 3.05)), strict=True):
        # Of the L_simple rows the paper states the Σ of the first alone.
        crosses = {str(line.get_label()): line for line in axes.lines}
        other = "images" if axes is bits else "sampling steps"
        by_default = crosses[f"paper, Table 2;\ninferred: Σ, {other}"]
        assert list(np.asarray(by_default.get_xdata())) == list(values)
        assert list(np.asarray(by_default.get_ydata())) == [1, 3]
        rest = crosses[f"paper, Table 2;\ninferred: {other}"]
        assert list(np.asarray(rest.get_ydata())) == [0, 2, 4, 5]
        assert {line.get_markerfacecolor() for line in (by_default, rest)} == {"white"}
    (legend,) = figure.legends
    assert {text.get_text() for text in legend.get_texts()} == {
        f"paper, Table 2;\ninferred: {names}"
        for names in ("images", "Σ, images", "sampling steps", "Σ, sampling steps")
    }
    said = caption(study)
    assert "of its Table 2, where every setting agrees that the paper or its released code" in said
    assert "Σ = β for L_simple, the default of the official code" in said
    assert "all T sampling steps" in said


def test_the_caption_says_whether_importance_sampling_ever_began() -> None:
    never = caption(tables_of(results(), losses()))
    assert "draws t uniformly until each has ten losses, which takes about 1,586" in never
    assert "so that it is L_vlb with uniform draws and shows nothing of importance" in never
    begun = caption(tables_of(results(), losses(steps=200_000, batch=128)))
    assert "about 793 training steps of 128 images, of 200,000." in begun


def test_the_caption_says_over_what_the_numbers_are() -> None:
    said = caption(tables_of(results()))
    assert "Bits/dim are over 16 images and all T steps." in said
    strided = [row | {"steps": 50} for row in results() if row["metric"] == "bits_per_dim"]
    assert "Bits/dim are over 16 images and 50 steps." in caption(tables_of(strided))
    assert "Fréchet distances are over 192 samples at 100 sampling steps, on a log axis." in said
    assert "95% t intervals (n = 3)" in said
    assert "One seed only" in caption(tables_of(results(spread=(0.0,))))


# ------------------------------------------------------------------ how long draws are uniform


def test_the_wait_of_importance_sampling_is_that_of_simulated_draws() -> None:
    generator = np.random.default_rng(0)

    def waited(T: int, batch: int) -> int:
        counts, images = np.zeros(T, dtype=int), 0
        while counts.min() < 10:
            counts += np.bincount(generator.integers(T, size=batch), minlength=T)
            images += batch
        return images

    simulated = np.median([waited(500, 50) for _ in range(200)])
    assert warm_up_draws(500) == pytest.approx(simulated, rel=0.04)  # 3 errors of such a median


def test_the_wait_at_the_papers_settings_is_what_the_official_code_needs() -> None:
    assert 730 <= warm_up_draws(4000) / 128 <= 800
    assert share_resampled(4000, 64 * 800) == 0
    assert share_resampled(1000, 64 * 800) == pytest.approx(1 - 23_239 / 51_200, abs=1e-4)


def test_a_shorter_history_is_waited_for_less() -> None:
    images = 100_000
    for history in (1, 3, 10):
        share = 1 - warm_up_draws(1000, history=history) / images
        assert share_resampled(1000, images, history=history) == pytest.approx(share)
    assert warm_up_draws(1000, history=1) < 0.5 * warm_up_draws(1000)


# -------------------------------------------------------------------------------------- the claims


def changed(row: int, *, nll: float | None = None, fd: float | None = None) -> Tables:
    bits, distances_ = list(NLL), list(FID)
    bits[row] = bits[row] if nll is None else nll
    distances_[row] = distances_[row] if fd is None else fd
    return tables_of(results(bits, distances_))


CLAIMS = (
    "longer_chain_lowers_nll",
    "cosine_lowers_nll",
    "vlb_gives_lowest_nll",
    "vlb_worsens_samples",
    "hybrid_keeps_quality",
)


@pytest.mark.parametrize("claim", [*CLAIMS, "learned_sigma_lowers_nll"])
def test_the_papers_own_numbers_support_every_claim(claim: str) -> None:
    assert judge(claim, tables_of(results())).verdict == "supported"


@pytest.mark.parametrize(
    ("claim", "row", "against"),
    [
        ("longer_chain_lowers_nll", 1, {"nll": 4.2}),
        ("cosine_lowers_nll", 3, {"nll": 3.9}),
        ("cosine_lowers_nll", 4, {"nll": 3.9}),
        ("vlb_gives_lowest_nll", 4, {"nll": 3.4}),
        ("vlb_gives_lowest_nll", 0, {"nll": 3.4}),
        ("vlb_worsens_samples", 5, {"fd": 20.0}),
        ("hybrid_keeps_quality", 4, {"fd": 40.0}),
        ("hybrid_keeps_quality", 2, {"fd": 40.0}),
    ],
)
def test_one_row_against_it_contradicts(claim: str, row: int, against: dict[str, float]) -> None:
    finding = judge(claim, changed(row, **against))
    assert finding.verdict == "contradicted"


@pytest.mark.parametrize("claim", CLAIMS)
def test_seeds_that_disagree_leave_it_open(claim: str) -> None:
    rows = []
    for i, row in enumerate(results()):
        wild = {0: 1.0, 1: 3.0, 2: 0.3}[(row["seed"] + row["steps"] + i // 9) % 3]
        rows.append({**row, "value": row["value"] * wild})
    assert judge(claim, tables_of(rows)).verdict == "inconclusive"


@pytest.mark.parametrize("claim", CLAIMS)
def test_nothing_done_is_not_run(claim: str) -> None:
    waiting = [{**row, "value": None, "recipe": None} for row in results()]
    finding = judge(claim, tables_of(waiting))
    assert finding.verdict == "not run"
    assert finding.reason.startswith("Not measured yet: T = ")
    assert " minus T = 4,000, " in finding.reason or " minus T = 1,000, " in finding.reason


def test_the_differences_are_paired_by_seed() -> None:
    simple = bound_rows(network("simple", "linear", 1000), "beta", [4.0, 5.0, 6.0])
    longer = bound_rows(network("simple", "linear", 4000), "beta", [6.0 - 0.2, 4.0 - 0.1, 5.0])
    longer = [{**row, "seed": (row["seed"] + 2) % 3} for row in longer]
    (measured,) = judge("longer_chain_lowers_nll", tables_of([*simple, *longer])).measurements
    assert measured.interval.mean == pytest.approx(-0.1)
    assert measured.interval.half_width == pytest.approx(stats.t.ppf(0.975, 2) * 0.1 / 3**0.5)
    assert measured.what == "T = 4,000, linear, L_simple minus T = 1,000, linear, L_simple"


def test_kept_quality_is_at_most_a_tenth_more() -> None:
    for factor, verdict in ((1.099, "supported"), (1.101, "contradicted"), (0.5, "supported")):
        fd = [10.0, 10.0, 10.0 * factor, 10.0, 10.0 * factor, 10.0]
        study = tables_of(results(fd=fd, spread=[0, 0, 0]))
        assert judge("hybrid_keeps_quality", study).verdict == verdict


def test_only_networks_that_differ_in_the_objective_alone_are_compared() -> None:
    found = judge("hybrid_keeps_quality", tables_of(results())).measurements
    assert [m.what.removeprefix("log FD, ") for m in found] == [
        "T = 4,000, linear, L_hybrid minus T = 4,000, linear, L_simple",
        "T = 4,000, cosine, L_hybrid minus T = 4,000, cosine, L_simple",
    ]


def test_l_vlb_is_held_against_networks_over_as_many_images_alone() -> None:
    few = [{**row, "images": 8} for row in results() if row["objective"] != "vlb"]
    for row in few:
        row["value"] = 1.0
    rows = [*results(), *few]
    assert judge("vlb_gives_lowest_nll", tables_of(rows)).verdict == "supported"


def test_l_vlb_is_held_against_one_average_of_the_weights() -> None:
    other = network("hybrid") | {"ema_decay": 0.5}
    rows = [*results(), *bound_rows(other, "range", [3.0, 3.1, 3.2])]
    finding = judge("vlb_gives_lowest_nll", tables_of(rows))
    assert (finding.verdict, len(finding.measurements)) == ("supported", 5)


def test_of_resampled_and_uniform_l_vlb_any_resampled_one_stands_for_it() -> None:
    plain = [
        row for T in (1000, 4000) for row in bound_rows(network("vlb", T=T), "range", [9.0] * 3)
    ]
    finding = judge("vlb_gives_lowest_nll", tables_of([*results(), *plain]))
    assert finding.verdict == "supported"
    assert all("(resampled) minus" in m.what for m in finding.measurements)


def test_a_training_meets_each_t_as_often_as_the_papers_at_6_400_images() -> None:
    for steps, said in ((399_999, True), (400_000, False)):
        study = tables_of(told(steps, results((3.7, *NLL[1:]))))
        assert ("met each t" in judge("longer_chain_lowers_nll", study).reason) == said


def test_distances_of_other_recipes_are_never_paired() -> None:
    rows = [
        {**row, "recipe": '{"another": 1}'} if row["objective"] == "vlb" else row
        for row in results()
    ]
    assert judge("vlb_worsens_samples", tables_of(rows)).verdict == "not run"


def test_of_two_l_vlb_networks_the_resampled_one_has_to_be_the_lowest() -> None:
    plain = bound_rows(network("vlb"), "range", [9.0, 9.1, 9.2])
    assert judge("vlb_gives_lowest_nll", tables_of([*plain, *results()])).verdict == "supported"
    others = [row for row in results() if row["objective"] != "vlb"]
    assert judge("vlb_gives_lowest_nll", tables_of([*plain, *others])).verdict == "contradicted"


def told(steps: int, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The rows with how t was drawn in so many training steps of 64 images."""
    for row in rows:
        asked = row["train.timesteps"] == RESAMPLED
        share = share_resampled(row["T"], 64 * steps) if asked else 0.0
        row |= {"training_steps": steps, "images_seen": 64 * steps, "share_resampled": share}
    return rows


UNIFORM = (
    "T = 4,000, cosine, L_vlb (resampled) drew every t of its training uniformly: importance "
    "sampling begins after about 1,586 training steps, and it had 800"
)


def test_l_vlb_that_never_drew_by_importance_does_not_tell_whether_it_is_the_lowest() -> None:
    finding = judge("vlb_gives_lowest_nll", tables_of(told(800, results())))
    assert finding.verdict == "inconclusive"
    assert finding.reason.startswith(f"The numbers of the study do not tell: {UNIFORM}.")
    assert [m.decides for m in finding.measurements] == [False] * 5
    assert judge("vlb_gives_lowest_nll", tables_of(told(1600, results()))).verdict == "supported"


def test_l_vlb_with_uniform_draws_alone_does_not_tell_either() -> None:
    plain = bound_rows(network("vlb"), "range", [9.0, 9.1, 9.2])
    others = [row for row in results() if row["objective"] != "vlb"]
    finding = judge("vlb_gives_lowest_nll", tables_of(told(800, [*plain, *others])))
    said = "T = 4,000, cosine, L_vlb drew every t of its training uniformly."
    assert finding.verdict == "inconclusive"
    assert finding.reason.startswith(f"The numbers of the study do not tell: {said}")


def test_samples_of_l_vlb_that_never_drew_by_importance_do_not_tell_either() -> None:
    for fd in (FID, (*FID[:5], 20.0)):
        finding = judge("vlb_worsens_samples", tables_of(told(800, results(fd=fd))))
        assert finding.verdict == "inconclusive"
        assert finding.reason.startswith(f"The numbers of the study do not tell: {UNIFORM}.")
        assert [m.decides for m in finding.measurements] == [False]
        assert finding.reason.count(UNIFORM) == 1
    for claim in ("vlb_worsens_samples", "vlb_gives_lowest_nll"):
        long = judge(claim, tables_of(told(1600, results())))
        assert long.verdict == "supported"
        assert "L_vlb (resampled) drew the last 1% of its t by importance." in long.reason


def test_a_longer_chain_without_importance_sampling_is_not_held_against_a_shorter_with_it() -> None:
    rows = []
    for T, bits in ((1000, 4.0), (4000, 4.5)):
        trained = network("vlb", T=T, timesteps=RESAMPLED)
        rows += bound_rows(trained, "range", [bits, bits + 0.01, bits - 0.01])
    simple = [row for row in results() if row["objective"] == "simple"]
    finding = judge("longer_chain_lowers_nll", tables_of(told(800, [*rows, *simple])))
    assert finding.verdict == "inconclusive"
    said = f"{UNIFORM}, while T = 1,000, cosine, L_vlb (resampled) drew some t by importance. "
    assert finding.reason.startswith(f"The numbers of the study do not tell: {said}")
    assert sorted(m.decides for m in finding.measurements) == [False, True]
    begun = tables_of(told(1600, [*rows, *simple]))
    assert judge("longer_chain_lowers_nll", begun).verdict == "contradicted"


def test_a_longer_chain_that_does_not_help_had_fewer_draws_of_each_step() -> None:
    rows = told(800, results((3.7, *NLL[1:])))
    finding = judge("longer_chain_lowers_nll", tables_of(rows))
    assert finding.verdict == "contradicted"
    assert (
        " Training met each t 13 times at T = 4,000 and 51 times at T = 1,000, in the paper 6,400 "
        "times and more." in finding.reason
    )
    assert (
        "met each t" not in judge("longer_chain_lowers_nll", tables_of(told(800, results()))).reason
    )
    long = tables_of(told(400_000, results((3.7, *NLL[1:]))))  # 6,400 images of 64 for each t
    assert "met each t" not in judge("longer_chain_lowers_nll", long).reason


def test_while_l_vlb_is_not_measured_it_is_waited_for() -> None:
    rows = told(800, results())
    waiting = [not_run(row) if row["objective"] == "vlb" else row for row in rows]
    finding = judge("vlb_gives_lowest_nll", tables_of(waiting))
    assert finding.verdict == "not run"
    assert "drew every t" not in finding.reason


def test_networks_trained_for_longer_have_no_say_in_which_is_the_lowest() -> None:
    longer = network("hybrid") | {"training_steps": 8000}
    study = tables_of([*bound_rows(longer, "range", [3.0, 3.1, 3.2]), *results()])
    study.results["train.steps"] = study.results["training_steps"]
    assert judge("vlb_gives_lowest_nll", study).verdict == "supported"
