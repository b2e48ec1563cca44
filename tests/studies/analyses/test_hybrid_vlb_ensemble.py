"""The sweep over ensembles: what its tasks compute, its figure (Fig. 13), its claims."""

import json
import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from matplotlib.collections import PolyCollection
from matplotlib.patches import Rectangle
from scipy.stats import t as student

from iddpm.config import Hybrid, Uniform
from iddpm.evaluation.config import Ends, LikelihoodConfig, SampleConfig
from studies.analyses.drawings import FIGURES
from studies.analyses.hybrid_vlb_ensemble.paper import ANALYSIS, APPENDIX_D, appendix_d_numbers
from studies.analyses.index import numbers
from studies.analyses.judge import judge
from studies.analyses.objective_ablation.paper import table_numbers
from studies.drawing import style
from studies.judging.verdicts import Finding
from studies.published.published import comparable, differing, settings_of
from studies.report.build import build
from studies.store.store import Store
from studies.tables.answer import ANY
from studies.tables.groupings import arm_columns, records
from studies.tables.labels import is_ensemble, labelled
from studies.tables.tables import Tables, tables
from studies.tasks.task import Task
from tests.studies.plan.test_ensembles import SWEEP
from tests.witness import made_up_tables, runs, tiny
from tests.witness.made_up_rows import bound_rows, distance_rows, network, tables_of
from tests.witness.stores import result_of

# --------------------------------------------------------------------------- what is computed


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    return Store(tmp_path_factory.mktemp("store"))


def ensemble(task: Task, partner: Task, ends: Ends) -> Task:
    """The task with a second network."""
    assert isinstance(task.config, SampleConfig | LikelihoodConfig)
    config = replace(task.config, ensemble=ends)
    return replace(task, config=config, inputs=(*task.inputs, ("network_b", partner.address)))


ENDS = Ends(share=0.2)
FIRST = tiny.training()
SECOND = tiny.training(objective=ENDS.objective, timesteps=ENDS.timesteps)


def test_the_ensemble_s_terms_are_those_of_the_network_in_charge(store: Store) -> None:
    one, other = (result_of(store, of, tiny.likelihood(of)) for of in (FIRST, SECOND))
    both = result_of(store, ensemble(tiny.likelihood(FIRST), SECOND, ENDS))
    terms = [found["variances"]["range"]["by_step"]["mean"] for found in (one, other, both)]
    expected = [*terms[1][:2], *terms[0][2:8], *terms[1][8:]]
    assert terms[2] == expected
    assert terms[2] not in terms[:2]


def test_an_ensemble_of_one_network_with_itself_is_that_network(store: Store) -> None:
    same = Ends(objective=Hybrid(), timesteps=Uniform())
    assert same.partner(tiny.TRAINING) == tiny.TRAINING
    for task in (tiny.likelihood(FIRST), tiny.sampling(FIRST)):
        alone, together = task, ensemble(task, FIRST, replace(same, share=0.2))
        assert alone.address != together.address
        assert result_of(store, FIRST, alone) == result_of(store, together)


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Store:
    return runs.ran(tmp_path_factory.mktemp("two"), SWEEP)


def test_the_tables_name_the_three(ran: Store, tmp_path: Path) -> None:
    study = tables(ran, "two-tiny")
    scores = study.results[study.results["metric"] == "frechet_distance"]
    names = labelled(scores, arm_columns(scores)).sort_values("rank")["arm"]
    assert list(names) == [
        "L_hybrid, Σ learned",
        "L_vlb (resampled), Σ learned",
        "ensemble, Σ learned",
    ]
    assert list(FIGURES["sample_grid"].table(study)["arm"].unique()) == list(names)
    _, page = build(ran, tmp_path, ["two-tiny"])
    assert "ensemble, Σ learned" in page.read_text()


def test_the_ratio_is_of_the_two_networks_alone(ran: Store) -> None:
    study = tables(ran, "two-tiny")
    table = FIGURES["term_ratio"].table(study)
    means = study.steps[(study.steps["variance"] == "range") & (study.steps["part"] != "prior")]
    alone = means[means["likelihood.ensemble"].isna()].pivot_table("mean", "step", "objective")
    assert len(table) == 40
    assert table["ratio"].to_numpy() == pytest.approx((alone["hybrid"] / alone["vlb"]).to_numpy())


# ---------------------------------------------------------------------------- made-up measurements

T, SEEDS = 200, (0, 1, 2)
ARMS: dict[str, Any] = {"hybrid": None, "vlb": None, "ensemble": "ends"}

Value = Callable[[str, int], float]


def ratio_of_the_paper(step: int, seed: int) -> float:
    """L_hybrid's term over L_vlb's: above 1 at both ends, below it between."""
    return (1.5 if step < 5 or step >= 195 else 0.8) * (1 + 0.02 * seed)


def made_up(
    *,
    bits: Value = lambda arm, seed: {"hybrid": 3.57, "vlb": 3.53, "ensemble": 3.52}[arm] + seed,
    distance: Value = lambda arm, seed: {"hybrid": 19.2, "vlb": 40.1, "ensemble": 19.9}[arm] + seed,
    ratio: Callable[[int, int], float] = ratio_of_the_paper,
    resampled: float = 0.5,
    rows: str = "seed >= 0",
) -> Tables:
    """A study of both networks and their ensemble with known values."""
    results, steps = [], []
    for arm, kind in ARMS.items():
        is_vlb = arm == "vlb"
        trained = network(
            "vlb" if is_vlb else "hybrid",
            T=T,
            timesteps="loss_second_moment" if is_vlb else "uniform",
        ) | {"images_seen": 3200, "share_resampled": resampled if is_vlb else 0.0}
        values = [[value(arm, seed) for seed in SEEDS] for value in (bits, distance)]
        bounds = bound_rows(trained, "range", values[0], **{"likelihood.ensemble": kind})
        results += bounds
        results += distance_rows(trained, "range", values[1], **{"samples.ensemble": kind})
        steps += [
            {
                **bound,
                "address": f"{arm}-{bound['seed']}",
                "part": "kl",
                "step": step,
                "mean": term * (1 + bound["seed"]) / (1 + step),
            }
            for bound in bounds
            for step in range(T)
            for term in [1 if is_vlb else ratio(step, bound["seed"])]
        ]
    terms = pd.DataFrame(steps).drop(columns=["metric", "value", "steps", "evaluation"])
    whole = tables_of(results)
    return replace(whole, results=whole.results.query(rows), steps=terms.query(rows))


def test_the_curve_is_the_geometric_mean_of_the_ratio_and_its_band_the_interval(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(style, "MOST_POINTS", T)  # every point is drawn
    study = made_up()
    table = FIGURES["term_ratio"].table(study)
    logs = np.log([[ratio_of_the_paper(step, seed) for seed in SEEDS] for step in range(T)])
    assert table["ratio"].to_numpy() == pytest.approx(np.exp(logs.mean(1)))
    spread = logs.std(1, ddof=1) / math.sqrt(3)
    ends = np.exp(student.interval(0.95, 2, logs.mean(1), spread))
    assert pytest.approx(np.stack(ends)) == table[["low", "high"]].to_numpy().T
    axes = FIGURES["term_ratio"].draw(table).axes[0]
    curve = max(axes.lines, key=lambda line: len(np.asarray(line.get_xdata())))
    assert np.asarray(curve.get_ydata()).tolist() == table["ratio"].tolist()
    assert axes.get_yscale() == "log"
    (band,) = (one for one in axes.collections if isinstance(one, PolyCollection))
    heights = np.asarray(band.get_paths()[0].vertices)[:, 1]
    assert (heights.min(), heights.max()) == (table["low"].min(), table["high"].max())
    strips = [(p.get_x(), p.get_width()) for p in axes.patches if isinstance(p, Rectangle)]
    assert strips == [pytest.approx((0, 5)), pytest.approx((195, 5))]
    assert [1, 1] in [np.asarray(line.get_ydata()).tolist() for line in axes.lines]
    said = FIGURES["term_ratio"].caption(table, study)
    assert "Below 1 the L_hybrid network is better: at 95% of the steps drawn." in said
    assert "Lines are geometric means over seeds, bands their 95% t intervals (n = 3" in said


def test_a_step_far_from_the_others_leaves_the_axis_and_is_told() -> None:
    study = made_up(ratio=lambda step, seed: 1e-4 if step == 0 else ratio_of_the_paper(step, seed))
    table = FIGURES["term_ratio"].table(study)
    low, high = FIGURES["term_ratio"].draw(table).axes[0].get_ylim()
    rest = table[table["step"] > 0]
    assert low < rest["low"].min()
    assert high > rest["high"].max()
    assert high / low < 10
    said = FIGURES["term_ratio"].caption(table, study)
    assert "Outside the axis: 1 of 200 points (0.0001, step 0)." in said
    whole = made_up()
    assert "Outside" not in FIGURES["term_ratio"].caption(FIGURES["term_ratio"].table(whole), whole)


@pytest.mark.parametrize("ratio", [0.5, 2.0])
def test_the_axis_holds_the_line_where_both_are_as_good(ratio: float) -> None:
    study = made_up(ratio=lambda step, seed: ratio * (1 + 0.02 * seed))
    ends = FIGURES["term_ratio"].draw(FIGURES["term_ratio"].table(study)).axes[0].get_ylim()
    assert ends[ratio < 1] == pytest.approx((1 / 1.2, 1.2)[ratio < 1])


def test_the_curve_of_one_seed_has_no_band_to_make_room_for() -> None:
    table = FIGURES["term_ratio"].table(made_up(rows="seed == 0"))
    low, high = FIGURES["term_ratio"].draw(table).axes[0].get_ylim()
    assert 0.5 < low < 0.8
    assert 1.5 < high < 2  # of ratios 0.8 and 1.5


def test_no_bounds_are_an_empty_figure() -> None:
    assert FIGURES["term_ratio"].table(made_up(rows="seed > 9")).empty
    assert FIGURES["term_ratio"].table(made_up(rows="objective == 'vlb'")).empty


def finding(claim: str, **study: Any) -> Finding:
    return judge(claim, made_up(**study))


SUPPORTED = (
    "hybrid_is_better_between_the_ends",
    "ensemble_lowers_nll",
    "ensemble_keeps_hybrid_quality",
)


@pytest.mark.parametrize("claim", SUPPORTED)
def test_the_paper_s_own_numbers_support_each_claim(claim: str) -> None:
    assert finding(claim).verdict == "supported"


@pytest.mark.parametrize("claim", SUPPORTED)
def test_each_quantity_names_the_trainings_that_must_have_arrived(claim: str) -> None:
    study = made_up()
    settings = {of: json.dumps({"train": {"objective": of}}) for of in ("simple", "hybrid", "vlb")}
    rows = study.results.assign(settings=study.results["objective"].map(settings))
    simple = rows[rows["objective"] == "hybrid"].assign(
        objective="simple", settings=settings["simple"]
    )
    both = replace(study, results=pd.concat([rows, simple], ignore_index=True))
    expected = {settings["hybrid"], settings["vlb"]}
    found = judge(claim, both).measurements
    assert [one.networks for one in found] == [expected] * len(finding(claim).measurements)


def test_the_verifier_is_told_the_steps_of_each_region() -> None:
    """An ensemble's ends are a fortieth of the chain each: 5 of 200 steps."""
    made = [one.formula or () for one in finding(SUPPORTED[0]).measurements]
    path = ("variances", "range", "by_step", "mean")
    terms = [
        ("results", tuple((seed, f"{of}-{seed}", path) for seed in SEEDS))
        for of in ("hybrid", "vlb")
    ]
    assert made == [
        ("log_ratio_of_terms", *terms, *ends) for ends in ((0, 5), (5, 195), (195, 200))
    ]


@pytest.mark.parametrize("claim", SUPPORTED)
@pytest.mark.parametrize("rows", ["seed > 9", "objective == 'vlb'"])
def test_without_all_three_none_is_run(claim: str, rows: str) -> None:
    found = finding(claim, rows=rows)
    assert (found.verdict, found.measurements) == ("not run", ())
    lacking = {
        SUPPORTED[0]: "log of L_hybrid's terms over L_vlb's, mean over the first 2.5% of the steps",
        SUPPORTED[1]: "bits/dim of an ensemble and of its two networks",
        SUPPORTED[2]: "FD of an ensemble and of its two networks",
    }
    assert found.reason.startswith(f"Not measured yet: {lacking[claim]}")


def test_the_terms_are_averaged_by_region() -> None:
    def uneven(step: int, seed: int) -> float:
        return ratio_of_the_paper(step, seed) * math.exp(step % 2)

    found = finding("hybrid_is_better_between_the_ends", ratio=uneven).measurements
    shift = sum(math.log(1 + 0.02 * seed) for seed in SEEDS) / 3
    for one, ratio, odd, where in zip(
        found,
        (1.5, 0.8, 1.5),
        (2 / 5, 95 / 190, 3 / 5),
        ("the first 2.5% of the steps", "the steps between", "the last 2.5% of the steps"),
        strict=True,
    ):
        assert one.interval.mean == pytest.approx(math.log(ratio) + odd + shift)
        assert one.detail == f"L_hybrid's are ×{math.exp(one.interval.mean):.3g}"
        assert one.what == f"log of L_hybrid's terms over L_vlb's, mean over {where}"


@pytest.mark.parametrize("term", [0.0, -1e-9])
def test_a_term_that_is_not_above_zero_in_both_networks_has_no_ratio(term: float) -> None:
    study = made_up()
    lost = (study.steps["step"] == 100) & (study.steps["objective"] == "hybrid")
    without = study.steps.assign(mean=study.steps["mean"].mask(lost, term))
    name = "hybrid_is_better_between_the_ends"
    measured = judge(name, replace(study, steps=without)).measurements[1]
    shift = sum(math.log(1 + 0.02 * seed) for seed in SEEDS) / 3
    assert measured.interval.mean == pytest.approx(math.log(0.8) + shift)


def test_neither_prior_nor_another_sigma_nor_the_ensemble_has_a_part_in_the_ratio() -> None:
    study = made_up()
    foreign = [{"part": "prior"}, {"variance": "beta"}, {"likelihood.ensemble": "ends"}]
    odd = [study.steps.assign(mean=study.steps["step"] + 1e-6, **change) for change in foreign]
    mixed = replace(study, steps=pd.concat([study.steps, *odd], ignore_index=True))
    name = "hybrid_is_better_between_the_ends"
    found = [m.interval for m in judge(name, mixed).measurements]
    expected = [m.interval for m in judge(name, study).measurements]
    assert [i.mean for i in found] == pytest.approx([i.mean for i in expected])


@pytest.mark.parametrize("at", [0, 100, 199])
def test_one_region_on_the_other_side_contradicts_it(at: int) -> None:
    def turned(step: int, seed: int) -> float:
        usual = ratio_of_the_paper(step, seed)
        region = (step >= 5) + (step >= 195)
        return 1 / usual if region == (at >= 5) + (at >= 195) else usual

    assert finding("hybrid_is_better_between_the_ends", ratio=turned).verdict == "contradicted"


def test_a_wavering_region_leaves_it_open() -> None:
    def wavering(step: int, seed: int) -> float:
        return math.exp(seed - 1) if step < 5 else ratio_of_the_paper(step, seed)

    assert finding("hybrid_is_better_between_the_ends", ratio=wavering).verdict == "inconclusive"


@pytest.mark.parametrize(
    ("ensemble", "verdict"),
    [
        (lambda seed: 3.50 + seed, "supported"),
        (lambda seed: 3.55 + seed, "contradicted"),
        (lambda seed: 3.52 + 2 * seed, "inconclusive"),
        (lambda seed: math.nan, "not run"),
    ],
)
def test_the_ensemble_must_have_fewer_bits_than_either(
    ensemble: Callable[[int], float], verdict: str
) -> None:
    def bits(arm: str, seed: int) -> float:
        return ensemble(seed) if arm == "ensemble" else {"hybrid": 3.57, "vlb": 3.53}[arm] + seed

    assert finding("ensemble_lowers_nll", bits=bits).verdict == verdict


@pytest.mark.parametrize(
    ("ensemble", "verdict"),
    [
        (lambda seed: 20 * 1.05, "supported"),
        (lambda seed: 20 * 1.099, "supported"),
        (lambda seed: 20 * 1.101, "contradicted"),
        (lambda seed: 20 / 1.099, "supported"),
        (lambda seed: 20 / 1.101, "contradicted"),
        (lambda seed: 20 / 1.15, "contradicted"),
        (lambda seed: 20 * (1 + 0.1 * seed), "inconclusive"),
        (lambda seed: math.nan, "not run"),
    ],
)
def test_the_ensemble_s_quality_must_be_that_of_hybrid_within_a_tenth(
    ensemble: Callable[[int], float], verdict: str
) -> None:
    def distance(arm: str, seed: int) -> float:
        return ensemble(seed) if arm == "ensemble" else {"hybrid": 20.0, "vlb": 40.0}[arm]

    found = finding("ensemble_keeps_hybrid_quality", distance=distance)
    assert found.verdict == verdict
    assert [m.decides for m in found.measurements][1:] in ([False], [])


def test_the_ensemble_is_held_against_each_of_its_networks_in_numbers() -> None:
    bits, quality = (finding(claim).measurements for claim in SUPPORTED[1:])
    assert [(one.what, one.detail) for one in (*bits, *quality)] == [
        ("bits/dim of the ensemble minus that of L_hybrid", "4.52 against 4.57 bits/dim"),
        ("bits/dim of the ensemble minus that of L_vlb", "4.52 against 4.53 bits/dim"),
        ("log of the FD of the ensemble over that of L_hybrid", "mean FD 20.9 against 20.2"),
        ("log of the FD of the ensemble over that of L_vlb", "mean FD 20.9 against 41.1"),
    ]
    assert (quality[1].low, quality[1].high) == (-math.inf, 0.0)
    waiting = finding(SUPPORTED[2], distance=lambda arm, seed: math.nan)
    assert waiting.reason.startswith("Not measured yet: FD of the ensemble and of L_hybrid. ")


def test_the_difference_in_quality_is_the_log_of_the_ratio_of_the_means_paired() -> None:
    ours, theirs = (19.0, 30.0, 38.0), (20.0, 30.0, 40.0)

    def distance(arm: str, seed: int) -> float:
        return {"ensemble": ours[seed], "hybrid": theirs[seed], "vlb": 60.0}[arm]

    measured = finding("ensemble_keeps_hybrid_quality", distance=distance).measurements[0]
    assert measured.interval.mean == pytest.approx(math.log(87 / 90))
    relative = [one / 29 - other / 30 for one, other in zip(ours, theirs, strict=True)]
    squares = sum(value**2 for value in relative)
    half_width = float(student.ppf(0.975, 2)) * math.sqrt(squares / 2 / 3)
    assert measured.interval.half_width == pytest.approx(half_width, rel=1e-9)


UNIFORM = (
    "L_vlb drew every t of its training uniformly: importance sampling begins after about 1,031 "
    "training steps, and it had 800"
)


@pytest.mark.parametrize("claim", SUPPORTED[1:])
def test_an_ensemble_is_compared_with_the_sigma_that_its_networks_learned(claim: str) -> None:
    study = made_up()
    fixed = study.results.assign(variance="beta", value=1e3 + study.results["value"] ** 2)
    mixed = replace(study, results=pd.concat([study.results, fixed], ignore_index=True))
    assert judge(claim, mixed).measurements == judge(claim, study).measurements


@pytest.mark.parametrize("claim", SUPPORTED[1:])
@pytest.mark.parametrize("lost", ["hybrid", "vlb", "ensemble"])
def test_a_chain_without_all_three_is_left_to_the_others(claim: str, lost: str) -> None:
    study = made_up()
    rows = study.results.assign(T=100)
    together = rows.apply(is_ensemble, axis=1)
    left = rows[~together if lost == "ensemble" else together | (rows["objective"] != lost)]
    both = replace(study, results=pd.concat([study.results, left]))
    found = judge(claim, both)
    assert (found.verdict, len(found.measurements)) == ("supported", 2)


def test_a_longer_chain_that_drew_by_importance_does_not_speak_for_a_shorter_one() -> None:
    study = made_up(resampled=0.0)
    vlb = study.results[study.results["objective"] == "vlb"]
    longer = vlb.assign(T=2 * T, share_resampled=0.5)
    mixed = replace(study, results=pd.concat([study.results, longer], ignore_index=True))
    found = judge("hybrid_is_better_between_the_ends", mixed)
    assert not any(m.decides for m in found.measurements)


@pytest.mark.parametrize("claim", SUPPORTED)
def test_the_verdict_says_how_much_of_t_was_drawn_by_importance(claim: str) -> None:
    found = finding(claim, resampled=0.25)
    assert found.reason.endswith(" L_vlb drew the last 25% of its t by importance.")
    assert finding(claim, resampled=0.0).reason.count("drew every t") == 1


def test_chains_are_told_in_their_order_not_by_the_alphabet() -> None:
    study = made_up()
    results, steps = (pd.concat([t, t.assign(T=100)]) for t in (study.results, study.steps))
    found = judge(SUPPORTED[0], replace(study, results=results, steps=steps)).measurements
    assert [one.what.rpartition(", ")[2] for one in found] == ["T = 200"] * 3 + ["T = 100"] * 3


@pytest.mark.parametrize("claim", SUPPORTED[:2])
def test_an_l_vlb_network_that_never_drew_by_importance_tells_nothing(claim: str) -> None:
    found = finding(claim, resampled=0.0)
    assert found.verdict == "inconclusive"
    assert found.reason.startswith(f"The numbers of the study do not tell: {UNIFORM}.")
    assert found.measurements
    assert not any(m.decides for m in found.measurements)


def test_the_ensemble_s_quality_is_judged_all_the_same_and_the_verdict_says_how_t_was_drawn() -> (
    None
):
    found = finding("ensemble_keeps_hybrid_quality", resampled=0.0)
    assert found.verdict == "supported"
    assert found.reason.endswith(f" {UNIFORM}; the paper's L_vlb drew t by importance.")


# ----------------------------------------------------------------------------- the paper's numbers


def test_appendix_d_by_a_second_transcription() -> None:
    assert APPENDIX_D == {"bits_per_dim": 3.52, "frechet_distance": 19.9}
    assert [(n.metric, n.value) for n in appendix_d_numbers()] == list(APPENDIX_D.items())
    assert set(appendix_d_numbers()) <= set(numbers())
    found = {
        n.metric: (n.T, n.steps, n.sampler, n.images, n.networks) for n in appendix_d_numbers()
    }
    assert found == {
        "bits_per_dim": (4000, 4000, None, 49_999, "an ensemble"),
        "frechet_distance": (4000, 4000, "ancestral", 10_000, "an ensemble"),
    }


def test_the_answer_is_that_of_bounds_with_and_without_an_ensemble() -> None:
    """`likelihood.ensemble` tells them apart; that of samples would find no row."""
    answer = ANALYSIS.answers["hybrid_vlb_ensemble"]
    arms = [answer.baseline, *answer.against]
    assert [arm["likelihood.ensemble"] for arm in arms] == [None, ANY, None]


def beside(arm: str) -> set[float]:
    """The numbers beside the FID of an ensemble or a network alone, trained as the paper's."""
    plan = made_up_tables.planned("hybrid_vlb_ensemble", preset="imagenet64")
    ours = made_up_tables.made_up(plan, lambda row: 20.0)
    rows = [row for row in records(ours.results) if row["metric"] == "frechet_distance"]
    chosen = [row for row in rows if is_ensemble(row) == (arm == "ensemble")]
    return {n.value for row in chosen for n in numbers() if comparable(n, row)}


def test_an_ensemble_never_stands_beside_a_network_alone() -> None:
    assert beside("ensemble") == {19.9}
    assert 19.9 not in beside("alone")
    assert {19.2, 40.1} <= beside("alone")


def test_another_share_of_the_chain_or_another_partner_is_another_ensemble() -> None:
    (fid,) = [n for n in appendix_d_numbers() if n.metric == "frechet_distance"]
    for ends, named in (
        ("{share: 0.1}", "share (0.1 here, 0.025 in the paper)"),
        ("{timesteps: uniform}", "timesteps (uniform here, loss_second_moment in the paper)"),
    ):
        changed = [("blocks[1].samples.ensemble", f"{{ends: {ends}}}")]
        plan = made_up_tables.planned("hybrid_vlb_ensemble", preset="imagenet64", overrides=changed)
        rows = records(made_up_tables.made_up(plan, lambda row: 20.0).results)
        ours = next(r for r in rows if is_ensemble(r) and r["metric"] == fid.metric)
        assert [*map(str, differing(fid, settings_of(ours)))] == [named]


def test_what_the_paper_leaves_open_of_its_ensemble_is_inferred_from_table_1() -> None:
    for number in appendix_d_numbers():
        names = [name for one in number.inferred for name in one.settings]
        last = "images" if number.metric == "bits_per_dim" else "sampling steps"
        assert names == ["training steps", "schedule", "T", last]
    alone = {
        n.training_steps: n.value
        for n in table_numbers()
        if (n.data, n.objective, n.schedule) == ("imagenet64", "hybrid", "cosine")
        and n.metric == "frechet_distance"
    }
    assert alone == {200_000: 28.0, 1_500_000: 19.2}
    assert {n.training_steps for n in appendix_d_numbers()} == {1_500_000}
