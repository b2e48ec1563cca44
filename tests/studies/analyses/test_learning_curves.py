"""Curves of the bound while training: their table, their figure, and what is claimed of them."""

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from matplotlib.container import ErrorbarContainer
from scipy import stats

from studies.analyses.drawings import FIGURES
from studies.analyses.judge import judge
from studies.analyses.learning_curves.claims import noise_of
from studies.analyses.learning_curves.learning_curves import POINTS
from studies.analyses.learning_curves.paper import FIG_6_ERROR, FIG_6_NOISY, FIG_6_RESAMPLED
from studies.drawing import style
from studies.spec.sweep import read_sweep
from studies.store.store import Store
from studies.tables.groupings import records
from studies.tables.study_files import StudyFiles
from studies.tables.tables import Tables, losses_table, settings_behind, tables
from tests.witness.made_up_rows import bound_rows, network, tables_of
from tests.witness.made_up_store import variant, write_store
from tests.witness.made_up_tables import planned

SWEEP = Path(__file__).parents[3] / "sweeps" / "learning_curves.yaml"
RESAMPLED = "loss_second_moment"
WAYS = [(o, t) for o in ("hybrid", "vlb") for t in ("uniform", RESAMPLED)]
NAMES = ("L_hybrid", "L_hybrid (resampled)", "L_vlb", "L_vlb (resampled)")
STEPS = np.arange(4, 801, 4)

BITS = {
    ("hybrid", "uniform"): 3.60,
    ("hybrid", RESAMPLED): 3.61,
    ("vlb", "uniform"): 4.0,
    ("vlb", RESAMPLED): 3.55,
}
NOISE = {way: 0.01 if way == ("vlb", RESAMPLED) else 0.2 for way in WAYS}
SPREAD = (-0.002, 0.0, 0.002)


def curve(way: tuple[str, str], seed: int, noise: float) -> pd.DataFrame:
    """A curve that falls, with noise that alternates in sign so that its size is known."""
    wave = noise * np.where(np.arange(len(STEPS)) % 2, 1.0, -1.0)
    frame = pd.DataFrame({"step": STEPS, "bits_per_dim": 3.5 + 20 / STEPS + wave})
    trained = network(way[0], T=1000, timesteps=way[1])
    del trained["ema_decay"]
    address = f"train-{'-'.join(way)}-{seed}"
    return frame.assign(**trained, seed=seed, images_seen=64 * STEPS, address=address)


def study(
    bits: Mapping[tuple[str, str], float] = BITS,
    noise: Mapping[tuple[str, str], float] = NOISE,
    *,
    spread: Sequence[float] = SPREAD,
) -> Tables:
    rows: list[dict[str, Any]] = []
    curves = []
    for way in bits:
        trained = network(way[0], T=1000, timesteps=way[1])
        values = [bits[way] * (1 + s * bits[way]) for s in spread]
        rows += bound_rows(trained, "range", values, recipe='{"split": "digits/train"}')
        curves += [curve(way, seed, noise[way] * (1 + 10 * s)) for seed, s in enumerate(spread)]
    return tables_of(rows, pd.concat(curves, ignore_index=True))


def test_the_sweep_trains_both_objectives_with_both_ways_of_drawing_t() -> None:
    spec = read_sweep(SWEEP)
    ways = {(arm.train.objective.kind, arm.train.timesteps.kind) for arm in spec.arms}
    assert ways == set(WAYS)
    assert len(spec.arms) == 4
    assert {getattr(arm.evaluation, "split", None) for arm in spec.arms} == {"train"}


# ---------------------------------------------------------------------------------------- the table


def test_the_bound_while_training_is_t_times_the_mean_term(tmp_path: Path) -> None:
    root = write_store(tmp_path / "store", variant())
    T, batch = variant().T, 128
    unfinished = None
    for path in sorted(root.glob("tasks/train-*/result.json")):
        config = json.loads((path.parent / "task.json").read_text())["config"]
        result = json.loads(path.read_text())
        if config["objective"]["kind"] == "hybrid" and config["seed"] == 1:
            unfinished = path
        if config["objective"]["kind"] == "hybrid":
            result["loss_curve"]["vlb"] = [0.02, None]
        path.write_text(json.dumps(result))
    assert unfinished is not None
    unfinished.unlink()
    table = losses_table(StudyFiles(Store(root), variant().study))
    hybrid = table[table["objective"] == "hybrid"]
    assert set(zip(hybrid["seed"], hybrid["step"], strict=True)) == {
        (seed, step) for seed in (0, 2) for step in (100, 200)
    }
    assert (hybrid[hybrid["step"] == 100]["bits_per_dim"] == 0.02 * T).all()
    assert hybrid[hybrid["step"] == 200]["bits_per_dim"].isna().all()
    assert table[table["objective"] == "simple"]["bits_per_dim"].isna().all()
    assert (table["images_seen"] == batch * table["step"]).all()
    assert len(table) == 2 * 3 + 2 * 2  # a network that several cells share has one curve


def test_a_study_without_cells_has_no_curves(tmp_path: Path) -> None:
    made_up = variant(arms=(), steps=(), likelihood=False)
    found = tables(Store(write_store(tmp_path / "store", made_up)), made_up.study)
    assert found.losses.empty
    assert FIGURES["learning_curves"].table(found).empty


# --------------------------------------------------------------------------------------- the figure


def test_bold_curves_are_means_over_seeds_and_windows_and_thin_ones_the_seeds() -> None:
    tables = study()
    panels = FIGURES["learning_curves"].draw(FIGURES["learning_curves"].table(tables)).axes
    assert [axes.get_title() for axes in panels] == ["t drawn uniformly", "t drawn by importance"]
    assert {(axes.get_xscale(), axes.get_yscale()) for axes in panels} == {("linear", "log")}
    assert len({axes.get_ylim() for axes in panels}) == 1
    own = {style.mathematical(n): way for n, way in zip(NAMES, WAYS, strict=True)}
    lines = [line for axes in panels for line in axes.lines]
    drawn = {str(line.get_label()): line for line in lines}
    assert set(own) <= set(drawn)
    for name, (objective, timesteps) in own.items():
        losses = tables.losses
        of_arm = losses[losses["objective"].eq(objective) & losses["train.timesteps"].eq(timesteps)]
        by_seed = of_arm.groupby([(of_arm["step"] - 1) // 20, "seed"])["bits_per_dim"].mean()
        line = drawn[name]
        expected = by_seed.groupby(level=0).mean()
        np.testing.assert_allclose(np.asarray(line.get_ydata()), expected, rtol=1e-12)
        assert list(np.asarray(line.get_xdata())) == list(range(20, 801, 20))
        assert len(expected) == POINTS
        alike = [one for one in lines if one.get_color() == line.get_color()]
        thin = [np.asarray(one.get_ydata()) for one in alike if one is not line]
        np.testing.assert_allclose(np.array(thin).T, by_seed.unstack("seed"), rtol=1e-12)
        assert all(one.get_linewidth() < line.get_linewidth() for one in alike if one is not line)


def test_the_table_holds_the_95_percent_t_intervals() -> None:
    tables = study()
    table = FIGURES["learning_curves"].table(tables)
    own = tables.losses.query("objective == 'hybrid' and `train.timesteps` == 'uniform'")
    values = own.groupby(["seed", (own["step"] - 1) // 20])["bits_per_dim"].mean().unstack(0)
    high = values.mean(axis=1) + stats.t.ppf(0.975, 2) * stats.sem(values, axis=1)
    found = table[table["seed"].isna() & (table["arm"] == "L_hybrid")]["high"]
    np.testing.assert_allclose(found, high, rtol=1e-9)


def test_a_window_counts_by_its_images_and_forgets_what_was_not_finite() -> None:
    frame = curve(("vlb", "uniform"), 0, 0.0).head(83).reset_index(drop=True)
    frame["bits_per_dim"] = np.arange(83.0)
    frame.loc[0, "bits_per_dim"] = np.nan
    frame.loc[82, ["step", "images_seen"]] = [329, 64 * 329]  # the last window has one step
    table = FIGURES["learning_curves"].table(tables_of([], frame))
    table = table[table["seed"].isna()]
    assert list(table["step"].head(2)) == [12, 24]  # three to a point, to have at most forty
    assert table["mean"].iloc[0] == pytest.approx(1.5)
    assert table["mean"].iloc[-1] == pytest.approx((4 * 81 + 1 * 82) / 5)
    assert len(table) <= POINTS
    second = frame.index.isin([3, 4, 5])
    lost = frame.assign(bits_per_dim=frame["bits_per_dim"].mask(second))
    assert 24 not in set(FIGURES["learning_curves"].table(tables_of([], lost))["step"])


def test_every_point_lies_on_the_axis_however_far_apart_the_objectives_are() -> None:
    table = FIGURES["learning_curves"].table(study())
    far = table.assign(mean=table["mean"].where(table["objective"] != "vlb", 900 * table["mean"]))
    low, high = FIGURES["learning_curves"].draw(far).axes[0].get_ylim()
    assert low < far["mean"].min()
    assert high > far["mean"].max()


def test_without_importance_sampling_there_is_one_panel() -> None:
    tables = study({("vlb", "uniform"): 4.0, ("hybrid", "uniform"): 3.6})
    (axes,) = FIGURES["learning_curves"].draw(FIGURES["learning_curves"].table(tables)).axes
    assert axes.get_title() == ""


def test_the_caption_says_how_it_is_estimated_and_when_importance_sampling_began() -> None:
    tables = study()
    said = FIGURES["learning_curves"].caption(FIGURES["learning_curves"].table(tables), tables)
    assert "weighted by 1 / (T p_t) (Eq. 18; 1 for uniform draws)" in said
    assert "With T = 1,000, L_hybrid (resampled) and L_vlb (resampled) draws t uniformly" in said
    assert "about 363 training steps of 64 images, of 800." in said
    assert "Bold lines are means over seeds (n = 3), thin lines the single seeds." in said
    assert "falls smoothly from about 3.93 at step 6,000 to 3.545 at 250,000" in said
    assert "It is not overlaid; what differs: training set (digits here, imagenet64" in said


def at_scale(*overrides: tuple[str, str]) -> Tables:
    """Every network of the sweep under the paper's settings, at 3.5 bits/dim throughout."""
    plan = planned("learning_curves", preset="imagenet64", overrides=overrides)
    cells = {cell.tasks["train"]: cell for cell in plan.cells}
    curves = []
    for address, cell in cells.items():
        trained: Any = plan.tasks[address].config
        length = trained.steps
        steps = np.linspace(length / 100, length, 100).astype(int)
        frame = pd.DataFrame({"step": steps, "images_seen": 128 * steps, "bits_per_dim": 3.5})
        names = ("objective", "schedule", "T", "prediction", "train.timesteps")
        settings = settings_behind({"train": plan.tasks[address]})
        own = {name: cell.arm[name] for name in names}
        curves.append(frame.assign(**own, seed=0, training_steps=length, settings=settings))
    return tables_of([], pd.concat(curves, ignore_index=True))


def test_the_papers_curve_is_laid_over_that_of_its_own_network() -> None:
    tables = at_scale()
    table = FIGURES["learning_curves"].table(tables)
    theirs = table[table["source"].eq("Fig. 6")]
    assert dict(zip(theirs["step"], theirs["mean"], strict=True)) == FIG_6_RESAMPLED
    assert set(theirs["arm"]) == {"L_vlb (resampled)"}
    (axes,) = FIGURES["learning_curves"].draw(table).axes
    assert (axes.get_xscale(), axes.get_yscale(), axes.get_ylim()) == ("linear", "linear", (3, 5))
    line = next(one for one in axes.lines if one.get_color() == "black")
    assert line.get_label() == "paper, Fig. 6 (digitised);\ninferred: schedule, T"
    assert list(np.asarray(line.get_ydata())) == list(FIG_6_RESAMPLED.values())
    assert line.get_markerfacecolor() == "white"
    (bars,) = (one for one in axes.containers if isinstance(one, ErrorbarContainer))
    ends = np.array([segment[:, 1] for segment in bars.lines[2][0].get_segments()])
    np.testing.assert_allclose(ends[:, 1] - ends[:, 0], 2 * FIG_6_ERROR)
    said = FIGURES["learning_curves"].caption(table, tables)
    assert "digitised from its Fig. 6, where every setting agrees that the paper or its" in said
    assert "beside the 3.57 of the L_vlb row of Table 1 that was trained as long" in said
    assert "not overlaid" not in said


def test_a_training_that_is_not_the_papers_has_no_curve_of_its_beside_it() -> None:
    for override, named in (
        (("train.batch_size", "64"), "batch size (64 here, 128 in the paper)"),
        (("train.diffusion.steps", "1000"), "T (1,000 here, 4,000 inferred for the paper)"),
        (("train.network.heads", "1"), "heads (1 here, 4 in the paper)"),
        (("train.steps", "5000"), "length of the training"),
    ):
        tables = at_scale(override)
        table = FIGURES["learning_curves"].table(tables)
        assert "source" not in table
        said = FIGURES["learning_curves"].caption(table, tables)
        assert f"It is not overlaid; what differs: {named}." in said


def test_a_shorter_training_meets_the_part_of_the_curve_that_it_reached() -> None:
    table = FIGURES["learning_curves"].table(at_scale(("train.steps", "100000")))
    assert list(table[table["source"].eq("Fig. 6")]["step"]) == [6_000, 50_000, 100_000]


def test_l_simple_has_no_curve_and_milestones_are_drawn_once() -> None:
    losses = study().losses
    simple = losses[losses["objective"] == "vlb"].assign(objective="simple", bits_per_dim=np.nan)
    half = losses[losses["step"] <= 400].assign(training_steps=400)
    whole = pd.concat([losses, half, simple], ignore_index=True)
    whole["train.steps"] = whole["training_steps"]
    table = FIGURES["learning_curves"].table(tables_of([], whole))
    assert set(table["arm"]) == set(NAMES)
    assert (table.groupby("arm")["step"].max() == 800).all()
    assert FIGURES["learning_curves"].table(tables_of([], simple)).empty


def test_fig_6_is_as_digitised() -> None:
    steps = [6, 50, 100, 150, 200, 250]
    bits = "3.93 3.64 3.595 3.57 3.555 3.545"
    assert {1000 * k: float(v) for k, v in zip(steps, bits.split(), strict=True)} == FIG_6_RESAMPLED
    assert FIG_6_NOISY == {"hybrid": (3.53, 3.85), "vlb": (3.85, 4.2)}
    assert FIG_6_ERROR == 0.02


# --------------------------------------------------------------------------------------- the claims

CLAIMS = (
    "hybrid_beats_vlb_in_training",
    "importance_sampling_steadies_vlb",
    "importance_sampling_lowers_vlb",
    "importance_sampling_does_not_help_hybrid",
)


def test_noise_is_that_of_a_window_and_no_trend() -> None:
    generator = np.random.default_rng(0)
    steps = np.arange(1, 8001)
    noisy = 0.3 * generator.standard_normal(8000) + 1e-3 * steps
    found = noise_of(pd.DataFrame({"step": steps, "bits_per_dim": noisy}))
    assert found == pytest.approx(0.3, rel=0.05)  # four standard errors of 4000 differences
    first_half = noisy + np.where(steps <= 4000, 9 * (-1.0) ** steps, 0)
    assert noise_of(pd.DataFrame({"step": steps, "bits_per_dim": first_half})) == found


@pytest.mark.parametrize("claim", CLAIMS)
def test_curves_like_the_papers_support_every_claim(claim: str) -> None:
    assert judge(claim, study()).verdict == "supported"


@pytest.mark.parametrize(
    ("claim", "bits", "noise"),
    [
        ("hybrid_beats_vlb_in_training", {("hybrid", "uniform"): 4.5}, {}),
        ("importance_sampling_steadies_vlb", {}, {("vlb", RESAMPLED): 0.5}),
        ("importance_sampling_lowers_vlb", {("vlb", RESAMPLED): 4.3}, {}),
        ("importance_sampling_does_not_help_hybrid", {("hybrid", RESAMPLED): 3.5}, {}),
    ],
)
def test_numbers_against_it_contradict(claim: str, bits: Any, noise: Any) -> None:
    finding = judge(claim, study(BITS | bits, NOISE | noise))
    assert finding.verdict == "contradicted"


@pytest.mark.parametrize("claim", CLAIMS)
def test_seeds_that_disagree_leave_it_open(claim: str) -> None:
    made_up = study()
    wild = {0: 1.0, 1: 0.2, 2: 5.0}
    odd = made_up.results["seed"].map(wild)
    turned = (made_up.results["train.timesteps"] == RESAMPLED) | (
        (made_up.results["objective"] == "hybrid") & (claim == CLAIMS[0])
    )
    made_up.results["value"] *= odd.where(turned, 1.0)
    losses = made_up.losses
    losses["bits_per_dim"] *= (
        losses["seed"]
        .map({0: 1.0, 1: 1.0, 2: 200.0})
        .where(losses["train.timesteps"] == RESAMPLED, 1.0)
    )
    assert judge(claim, made_up).verdict == "inconclusive"


@pytest.mark.parametrize("claim", CLAIMS[1:])
def test_a_training_that_ended_before_importance_sampling_began_tells_nothing(claim: str) -> None:
    made_up = study()
    resampled = made_up.results["train.timesteps"] == RESAMPLED
    for share, verdict in ((0.0, "inconclusive"), (0.2, "supported")):
        made_up.results["share_resampled"] = resampled * share
        made_up.results["images_seen"] = 800 * 16
        finding = judge(claim, made_up)
        assert finding.verdict == verdict
        told = any(m.decides for m in finding.measurements)
        assert told == (verdict == "supported")
        begins = "begins after about 1,452 training steps, and it had 800"  # 23,239 images of 16
        assert (begins in finding.reason) != told


def test_a_verdict_against_it_says_how_much_was_drawn_by_importance() -> None:
    made_up = study(BITS | {("vlb", RESAMPLED): 4.3})
    made_up.results["images_seen"] = 51_200
    for share, said in ((0.55, True), (0.949, True), (0.95, False), (0.996, False)):
        made_up.results["share_resampled"] = share
        finding = judge("importance_sampling_lowers_vlb", made_up)
        name = "T = 1,000, cosine, L_vlb (resampled)"
        assert finding.verdict == "contradicted"
        assert (f"{name} drew only the last {share:.0%} of its t by" in finding.reason) == said


@pytest.mark.parametrize(("share", "verdict"), [(0.48, "supported"), (0.52, "contradicted")])
def test_considerably_less_noise_is_less_than_half_of_it(share: float, verdict: str) -> None:
    made_up = study(noise=NOISE | {("vlb", RESAMPLED): share * NOISE["vlb", "uniform"]})
    assert judge("importance_sampling_steadies_vlb", made_up).verdict == verdict


def test_what_is_saved_is_the_log_of_a_ratio_seed_by_seed() -> None:
    way = network("hybrid", T=1000)
    uniform, resampled = [2.0, 4.0, 8.0], [1.9, 4.0, 8.8]
    rows = bound_rows(way, "range", uniform)
    rows += bound_rows(way | {"train.timesteps": RESAMPLED}, "range", resampled)
    (saved,) = judge("importance_sampling_does_not_help_hybrid", tables_of(rows)).measurements
    assert saved.interval.mean == pytest.approx(np.log([2.0 / 1.9, 1.0, 8.0 / 8.8]).mean())


def test_noise_is_of_the_later_half_of_the_steps_alone() -> None:
    steps = np.arange(1, 13)
    bits = np.where(steps <= 6, 100.0 * (-1.0) ** steps, (-1.0) ** steps)
    found = noise_of(pd.DataFrame({"step": steps, "bits_per_dim": bits}))
    differences = np.diff(bits[6:])
    assert found == pytest.approx(differences.std(ddof=1) / math.sqrt(2))


@pytest.mark.parametrize("wide", [0, 1, 2])
def test_the_ratio_of_noises_is_paired_by_seed(wide: int) -> None:
    made_up = study()
    losses = made_up.losses
    losses.loc[losses["seed"] == wide, "bits_per_dim"] *= 7  # of both ways of drawing alike
    (measured,) = judge("importance_sampling_steadies_vlb", made_up).measurements
    (before,) = judge("importance_sampling_steadies_vlb", study()).measurements
    assert measured.interval.mean == pytest.approx(before.interval.mean, rel=1e-9)
    assert measured.interval.half_width == pytest.approx(before.interval.half_width, rel=1e-6)


@pytest.mark.parametrize("claim", CLAIMS)
def test_without_the_other_arm_or_without_results_it_is_not_run(claim: str) -> None:
    only = {way: bits for way, bits in BITS.items() if way == ("hybrid", "uniform")}
    assert judge(claim, study(only)).verdict == "not run"
    waiting = study()
    waiting.results["value"] = np.nan
    waiting.results["recipe"] = None
    empty = tables_of(records(waiting.results), waiting.losses.head(0))
    finding = judge(claim, empty)
    assert finding.verdict == "not run"
    assert finding.reason.startswith("Not measured yet: T = 1,000, cosine, L_")


def test_the_noise_is_a_paired_log_ratio() -> None:
    (measured,) = judge("importance_sampling_steadies_vlb", study()).measurements
    assert measured.interval.mean == pytest.approx(math.log(0.01 / 0.2), rel=0.01)
    assert measured.what == (
        "log of the curve's noise, T = 1,000, cosine, L_vlb (resampled) minus T = 1,000, cosine, "
        "L_vlb"
    )


def test_the_curves_own_means_are_given_and_decide_nothing() -> None:
    exact, by_curve = judge("importance_sampling_lowers_vlb", study()).measurements
    assert (exact.decides, by_curve.decides) == (True, False)
    assert by_curve.interval.mean == pytest.approx(0, abs=1e-3)
    shifted = study()
    shifted.losses.loc[shifted.losses["train.timesteps"] == RESAMPLED, "bits_per_dim"] -= 0.3
    _, by_curve = judge("importance_sampling_lowers_vlb", shifted).measurements
    assert by_curve.interval.mean == pytest.approx(-0.3, abs=1e-3)
    assert by_curve.verdict == "supported"
    assert exact.interval.mean == pytest.approx(-0.45, abs=0.01)


def test_help_is_at_least_one_percent() -> None:
    for bits, verdict in ((3.60 * 0.9902, "supported"), (3.60 * 0.9898, "contradicted")):
        made_up = study(BITS | {("hybrid", RESAMPLED): bits}, spread=(0.0, 0.0, 0.0))
        assert judge("importance_sampling_does_not_help_hybrid", made_up).verdict == verdict
