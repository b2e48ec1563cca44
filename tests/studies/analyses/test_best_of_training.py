"""Figs. 16 and 17: what is drawn and claimed of made-up trainings whose best is known."""

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from matplotlib.figure import Figure

from studies.analyses.best_of_training.claims import best
from studies.analyses.drawings import FIGURES
from studies.analyses.judge import judge
from studies.judging.comparison import trainings_behind
from studies.judging.looks import BY_LOOKS
from studies.plan.plan import Plan
from studies.tables.tables import Tables
from tests.witness.made_up_tables import Value, made_up, planned

MILESTONES = [("train.steps", "[400, 800, 1600]")]
DROPOUT, SPLIT = "train.network.dropout", "likelihood.split"


@pytest.fixture(scope="module")
def overfitting() -> Plan:
    return planned("overfitting", overrides=MILESTONES)


@pytest.fixture(scope="module")
def early_stopping() -> Plan:
    return planned("early_stopping")


def turning(
    cosine: float, linear: float, *, floor: float = 3.0, gap: float = 0.0, noise: float = 0.01
) -> Value:
    """Values with their least after so many steps; of training images they go on falling."""

    def value(row: Mapping[str, Any]) -> float:
        turn = {"cosine": cosine, "linear": linear}[row["schedule"]]
        x = math.log(row["training_steps"] / turn)
        wobble = 1 + noise * int(row["seed"])
        if row.get(SPLIT) == "train":
            return 5 - x * wobble
        worse = gap if row["schedule"] == "cosine" else 0.0
        return (floor + x**2) * math.exp(worse) * wobble

    return value


def verdict(claim: str, plan: Plan, value: Value) -> str:
    return judge(claim, made_up(plan, value)).verdict


def figure_of(name: str, tables: Tables) -> Figure:
    return FIGURES[name].draw(FIGURES[name].table(tables))


# ------------------------------------------------------------------------------------- overfitting

OVERFIT, ALIKE = "networks_overfit", "schedules_reach_similar_quality"


def test_the_curves_of_fig_16_are_means_over_seeds_the_distance_above(overfitting: Plan) -> None:
    tables = made_up(overfitting, turning(500, 900))
    above, below = figure_of("overfitting", tables).axes
    assert above.get_ylabel().startswith("FD[")
    assert below.get_ylabel() == "bits/dim"
    assert above.get_position().y0 > below.get_position().y1
    results = tables.results[tables.results["variance"] == "range"]
    lines = {str(line.get_label()): line for line in below.lines}
    assert len(lines) == 4
    for split, words in (("test", "test images"), ("train", "training images")):
        rows = results[(results["schedule"] == "linear") & (results[SPLIT] == split)]
        means = rows.groupby("training_steps")["value"].mean()
        line = lines[f"linear schedule, {words}"]
        np.testing.assert_allclose(np.asarray(line.get_xdata(), dtype=float), means.index)
        np.testing.assert_allclose(np.asarray(line.get_ydata(), dtype=float), means)
    assert lines["cosine schedule, test images"].get_linestyle() == "-"
    assert lines["cosine schedule, training images"].get_linestyle() == "--"
    colours = {label: line.get_color() for label, line in lines.items()}
    assert colours["cosine schedule, test images"] == colours["cosine schedule, training images"]
    assert {str(line.get_label()) for line in above.lines} == {"linear schedule", "cosine schedule"}


def test_the_caption_says_that_the_papers_values_are_not_at_hand(overfitting: Plan) -> None:
    tables = made_up(overfitting, turning(500, 900))
    told = FIGURES["overfitting"].caption(FIGURES["overfitting"].table(tables), tables)
    assert "the values were not at hand, so none are overlaid" in told
    assert "(n = 3 seeds)" in told


def test_a_look_knows_the_best_milestone_of_its_own_seeds_alone() -> None:
    """Of all five seeds the last milestone has the fewest bits/dim, of three it has not."""
    turned = turning(600, 800)

    def value(row: Mapping[str, Any]) -> float:
        is_late = row["seed"] > 2 and row["training_steps"] == 1600
        found = turned(row)
        assert found is not None
        return found - (9.0 if is_late and row["metric"] == "bits_per_dim" else 0.0)

    tables = made_up(planned("overfitting", overrides=MILESTONES, seeds=list(range(5))), value)
    found = judge(OVERFIT, replace(tables, record={**tables.record, **BY_LOOKS}))
    assert (found.verdict, found.look) == ("supported", 3)
    assert "Plain intervals over all seeds: inconclusive." in found.reason
    assert found.is_untold
    assert not any(one.decides for one in found.measurements)
    assert all(one.decides and one.interval.n == 3 for one in found.seen)


def test_each_verdict_on_overfitting(overfitting: Plan) -> None:
    assert verdict(OVERFIT, overfitting, turning(600, 800)) == "supported"
    assert verdict(OVERFIT, overfitting, turning(600, 9000)) == "inconclusive", "linear still falls"
    said = judge(OVERFIT, made_up(overfitting, turning(600, 9000)))
    assert "the fewest bits/dim of test images are those after the last 1,600 steps" in said.reason
    assert "linear schedule" in said.reason
    assert [m.decides for m in said.measurements].count(False) == 2
    assert verdict(OVERFIT, overfitting, lambda row: 2.0) == "contradicted", "no difference"

    def no_training_images(row: Mapping[str, Any]) -> float | None:
        return None if row.get(SPLIT) == "train" else 2.0

    assert verdict(OVERFIT, overfitting, no_training_images) == "not run"


def test_overfitting_is_measured_from_the_best_milestone_before_the_last(overfitting: Plan) -> None:
    tables = made_up(overfitting, turning(400, 900))
    results = tables.results[tables.results["variance"] == "range"]
    finding = judge(OVERFIT, tables)
    for schedule, start in (("cosine", 400), ("linear", 800)):
        (test,) = (
            m
            for m in finding.measurements
            if m.what.startswith(f"bits/dim of test images after 1,600 steps minus after {start}")
        )
        rows = results[(results["schedule"] == schedule) & (results[SPLIT] == "test")]
        means = rows.groupby("training_steps")["value"].mean()
        assert test.interval.mean == pytest.approx(means[1600] - means[start])
        assert test.interval.mean > 0
        assert test.detail == f"{means[start]:.4g} to {means[1600]:.4g}"


def test_a_training_that_both_splits_do_not_follow_alike_is_missing_by_name(
    overfitting: Plan,
) -> None:
    tables = made_up(overfitting, turning(600, 800))
    rows = tables.results
    train, linear = rows[SPLIT] == "train", rows["schedule"] == "linear"
    for lost, names in (
        (train & linear, ["linear"]),
        (train, ["linear", "cosine"]),
        (train & (rows["training_steps"] == 400), ["linear", "cosine"]),
        (linear & (rows["training_steps"] < 1600), ["linear"]),
    ):
        found = judge(OVERFIT, replace(tables, results=rows[~lost]))
        assert len(found.measurements) == 4 - 2 * len(names)
        for name in names:
            lacking = f"bits/dim of both along training, L_hybrid, Σ learned, {name} schedule"
            assert lacking in found.reason


def test_a_training_is_looked_at_along_the_way_where_it_is_at_two_milestones(
    overfitting: Plan, early_stopping: Plan
) -> None:
    for plan, value in (
        (overfitting, turning(500, 900)),
        (early_stopping, by_dropout(AS_THE_PAPER)),
    ):
        tables = made_up(plan, value)
        last = sorted(tables.results["training_steps"].unique(), reverse=True)
        for claim in tables.record["claims"]:
            for count in (1, 2):
                rows = tables.results[tables.results["training_steps"].isin(last[:count])]
                found = judge(claim, replace(tables, results=rows)).measurements
                assert (len(found) > 0) == (count == 2), claim


def test_training_images_that_rise_too_are_no_overfitting(overfitting: Plan) -> None:
    def both_rise(row: Mapping[str, Any]) -> float:
        return float(3 + math.log(row["training_steps"]) * (1 + 0.01 * row["seed"]))

    assert verdict(OVERFIT, overfitting, both_rise) == "contradicted"


def test_each_verdict_on_cosine_being_sooner(overfitting: Plan) -> None:
    claim = "cosine_reaches_its_best_sooner"
    assert verdict(claim, overfitting, turning(400, 800)) == "supported"
    assert verdict(claim, overfitting, turning(800, 400)) == "contradicted"
    assert verdict(claim, overfitting, turning(800, 800)) == "inconclusive"
    finding = judge(claim, made_up(overfitting, turning(9000, 9000)))
    assert finding.verdict == "inconclusive"
    assert "every training is at its best at the end, after 1,600 steps" in finding.reason
    measured = judge(claim, made_up(overfitting, turning(400, 800))).measurements
    assert [m.interval.mean for m in measured] == pytest.approx([math.log(0.5)] * 2)


@pytest.mark.parametrize("shorter", ["cosine", "linear"])
def test_steps_are_compared_where_one_training_turns_at_the_end_of_the_other(
    overfitting: Plan, shorter: str
) -> None:
    tables = made_up(overfitting, turning(**{"cosine": 800, "linear": 800, shorter: 9000}))
    rows = tables.results
    left = rows[(rows["schedule"] != shorter) | (rows["training_steps"] < 1600)]
    found = judge("cosine_reaches_its_best_sooner", replace(tables, results=left))
    assert [one.interval.mean for one in found.measurements] == [0.0, 0.0]


@pytest.mark.parametrize("finished", ["cosine", "linear"])
def test_while_one_of_two_trainings_is_not_finished_both_are_waited_for(
    overfitting: Plan, finished: str
) -> None:
    def half(row: Mapping[str, Any]) -> float | None:
        return turning(400, 800)(row) if row["schedule"] == finished else None

    for claim in ("cosine_reaches_its_best_sooner", ALIKE):
        finding = judge(claim, made_up(overfitting, half))
        assert (finding.verdict, finding.measurements) == ("not run", ())
        assert finding.reason.startswith("Not measured yet: ")


def test_each_verdict_on_a_similar_best(overfitting: Plan) -> None:
    claim = ALIKE
    assert verdict(claim, overfitting, turning(400, 800, gap=0.05)) == "supported"
    assert verdict(claim, overfitting, turning(400, 800, gap=0.2)) == "contradicted"
    assert verdict(claim, overfitting, turning(400, 800, gap=-0.2)) == "contradicted"
    for factor, expected in ((1.098, "supported"), (1.102, "contradicted")):
        for gap in (math.log(factor), -math.log(factor)):
            assert verdict(claim, overfitting, turning(400, 800, gap=gap)) == expected

    def spread(row: Mapping[str, Any]) -> float:
        sign = 1 if row["schedule"] == "cosine" else -1
        return float(3 * math.exp(sign * 0.1 * (row["seed"] - 1)))

    assert verdict(claim, overfitting, spread) == "inconclusive"
    assert verdict(claim, overfitting, lambda row: None) == "not run"


def test_the_best_are_compared_by_the_log_of_the_ratio_of_their_means(overfitting: Plan) -> None:
    def value(row: Mapping[str, Any]) -> float:
        least = (2.0, 3.0, 7.0)[int(row["seed"])] if row["schedule"] == "cosine" else 3.0
        return least + 0.5 * float(row["training_steps"] != 800)

    (found,) = judge(ALIKE, made_up(overfitting, value)).measurements
    assert found.interval.mean == pytest.approx(math.log(12 / 9))
    assert found.detail == "4 against 3"


def test_a_training_at_its_best_at_its_end_must_have_arrived_there(overfitting: Plan) -> None:
    tables = made_up(overfitting, turning(500, 9000))
    (found,) = judge(ALIKE, tables).measurements
    last = tables.results.query("schedule == 'linear' and training_steps == 1600")
    assert found.networks == trainings_behind([last]) != frozenset()
    (past,) = judge(ALIKE, made_up(overfitting, turning(500, 800))).measurements
    assert past.networks == frozenset()


def test_a_study_of_one_schedule_or_length_has_not_run_them() -> None:
    tables = made_up(planned("sigma_ablation"), lambda row: 2.0)
    for claim in (OVERFIT, "cosine_reaches_its_best_sooner", ALIKE):
        assert judge(claim, tables).verdict == "not run"


def test_the_best_of_a_training_is_the_least_of_its_milestones_by_seed(overfitting: Plan) -> None:
    results = made_up(overfitting, turning(800, 800)).results
    arms = results[(results["metric"] == "frechet_distance") & (results["schedule"] == "linear")]
    table = arms.pivot(index="seed", columns="training_steps", values="value")
    expected = {seed: (table.loc[seed].idxmin(), table.loc[seed].min()) for seed in (0, 1, 2)}
    assert best(arms) == expected
    alike = arms.assign(value=2.0).iloc[::-1]
    assert best(alike) == dict.fromkeys((0, 1, 2), (400, 2.0)), "the first of equal ones"


def test_a_seed_that_lacks_a_milestone_has_no_best_yet(overfitting: Plan) -> None:
    results = made_up(overfitting, turning(800, 800)).results
    arms = results[(results["metric"] == "frechet_distance") & (results["schedule"] == "linear")]
    for steps in (arms["training_steps"].min(), arms["training_steps"].max()):
        lost = (arms["seed"] == 1) & (arms["training_steps"] == steps)
        assert best(arms[~lost]).keys() == {0, 2}


# ---------------------------------------------------------------------------------- early stopping


def by_dropout(shift: Mapping[tuple[str, float], tuple[float, float]]) -> Value:
    """The steps of the best and its log, by schedule and dropout."""

    def value(row: Mapping[str, Any]) -> float:
        turn, level = shift[row["schedule"], row[DROPOUT]]
        x = math.log(row["training_steps"] / turn)
        return float(math.exp(level) * (3 + x**2) * (1 + 0.01 * row["seed"]))

    return value


AS_THE_PAPER = {
    ("linear", 0.0): (200, 0.0), ("linear", 0.1): (400, -0.3), ("linear", 0.3): (800, -0.1),
    ("cosine", 0.0): (200, 0.0), ("cosine", 0.1): (400, -0.2), ("cosine", 0.3): (800, -0.4),
}  # fmt: skip
IMPROVES, LONGER = "small_dropout_improves_the_best_quality", "small_dropout_takes_longer"
DEPENDS = "best_dropout_depends_on_the_schedule"


def test_the_claims_on_dropout_hold_where_it_is_as_the_paper_says(early_stopping: Plan) -> None:
    for claim in (IMPROVES, LONGER, DEPENDS):
        assert verdict(claim, early_stopping, by_dropout(AS_THE_PAPER)) == "supported"
        assert verdict(claim, early_stopping, lambda row: None) == "not run"


def test_the_claims_on_dropout_are_contradicted_by_the_opposite(early_stopping: Plan) -> None:
    opposite = {key: (1600 / n / 10, -level) for key, (n, level) in AS_THE_PAPER.items()}
    opposite |= {(schedule, 0.0): (800, 0.0) for schedule in ("linear", "cosine")}
    for claim in (IMPROVES, LONGER, DEPENDS):
        assert verdict(claim, early_stopping, by_dropout(opposite)) == "contradicted"


def test_dropout_that_does_nothing_changes_no_quality_and_its_steps_stay_open(
    early_stopping: Plan,
) -> None:
    alike = dict.fromkeys(AS_THE_PAPER, (400.0, 0.0))
    assert verdict(LONGER, early_stopping, by_dropout(alike)) == "inconclusive"
    for claim in (IMPROVES, DEPENDS):
        finding = judge(claim, made_up(early_stopping, by_dropout(alike)))
        assert finding.verdict == "contradicted"
        assert finding.reason.startswith("No difference that matters here: best Fréchet distance")


def test_one_schedule_alone_may_contradict_what_is_claimed_of_both(early_stopping: Plan) -> None:
    mixed = AS_THE_PAPER | {("cosine", 0.1): (400, 0.2)}
    finding = judge(IMPROVES, made_up(early_stopping, by_dropout(mixed)))
    assert finding.verdict == "contradicted"
    assert "cosine schedule" in finding.reason
    assert "linear" not in finding.reason


@pytest.mark.parametrize("lost", [0.0, 0.1])
def test_a_schedule_without_both_dropouts_is_left_to_the_other(
    early_stopping: Plan, lost: float
) -> None:
    tables = made_up(early_stopping, by_dropout(AS_THE_PAPER))
    rows = tables.results
    left = rows[(rows["schedule"] == "cosine") | (rows[DROPOUT] != lost)]
    for claim in (IMPROVES, LONGER):
        found = judge(claim, replace(tables, results=left))
        assert (found.verdict, len(found.measurements)) == ("supported", 1)
        assert ", dropout 0.1 against none, " in found.measurements[0].what


def test_a_study_without_dropout_or_of_one_alone_has_not_run_the_claims_on_it(
    overfitting: Plan, early_stopping: Plan
) -> None:
    several = made_up(early_stopping, by_dropout(AS_THE_PAPER))
    none = replace(several, results=several.results[several.results[DROPOUT] == 0])
    missing = {IMPROVES: "best Fréchet distance", LONGER: "steps to the best Fréchet distance"}
    for tables in (none, made_up(overfitting, turning(400, 800))):
        for claim, what in missing.items():
            assert judge(claim, tables).reason.startswith(f"Not measured yet: {what}. ")
        assert judge(DEPENDS, tables).verdict == "not run"


def test_dropouts_are_compared_by_one_average_of_the_weights(early_stopping: Plan) -> None:
    def value(row: Mapping[str, Any]) -> float:
        distance = by_dropout(AS_THE_PAPER)(row) or 0
        return distance if row["ema_decay"] == 0.99 else 1 / distance

    for claim in (IMPROVES, LONGER, DEPENDS):
        finding = judge(claim, made_up(early_stopping, value))
        assert (finding.verdict, len(finding.measurements)) == ("supported", 2)


def by_average(levels: Mapping[float, float]) -> Value:
    """Distances whose log is shifted by the decay of the average."""

    def value(row: Mapping[str, Any]) -> float:
        x = math.log(row["training_steps"] / 400)
        return float(math.exp(levels[row["ema_decay"]]) * (3 + x**2) * (1 + 0.01 * row["seed"]))

    return value


@pytest.mark.parametrize(
    ("levels", "expected"),
    [
        ((0.0, -0.2, -0.1), "supported"),
        ((0.0, 0.2, -0.1), "contradicted"),
        ((0.0, -0.2, 0.1), "contradicted"),
        ((0.0, 0.0, 0.0), "contradicted"),
    ],
)
def test_each_verdict_on_slow_averages(
    early_stopping: Plan, levels: tuple[float, ...], expected: str
) -> None:
    value = by_average(dict(zip((0.95, 0.99, 0.995), levels, strict=True)))
    finding = judge("slow_averages_are_best", made_up(early_stopping, value))
    assert finding.verdict == expected
    found = {tuple(m.what.split(", ")[1::4]): m.interval.mean for m in finding.measurements}
    expected_means = {
        (f"decay {slow:g} against 0.95", f"dropout = {dropout:g}"): level
        for dropout in (0, 0.1, 0.3)
        for slow, level in zip((0.99, 0.995), levels[1:], strict=True)
    }
    assert found == pytest.approx(expected_means)


def test_slow_averages_wait_for_results_and_need_three_decays(
    early_stopping: Plan, overfitting: Plan
) -> None:
    claim = "slow_averages_are_best"
    waiting = judge(claim, made_up(early_stopping, lambda row: None))
    assert waiting.verdict == "not run"
    assert "decay 0.99 against 0.95" in waiting.reason
    one = judge(claim, made_up(overfitting, turning(400, 800)))
    assert one.reason.startswith("Not measured yet: one training with averages of three decays.")


def test_the_panels_of_fig_17_are_of_dropout_and_of_the_average(early_stopping: Plan) -> None:
    def value(row: Mapping[str, Any]) -> float:
        off = abs(float(row["ema_decay"]) - 0.99)
        return (by_dropout(AS_THE_PAPER)(row) or 0) * (1 + off)

    tables = made_up(early_stopping, value)
    dropout, average = figure_of("early_stopping", tables).axes
    assert dropout.get_title() == "by dropout and schedule"
    assert [str(line.get_label()) for line in average.lines] == [
        f"EMA {decay:g}, dropout = {rate:g}"
        for decay in (0.95, 0.99, 0.995)
        for rate in (0, 0.1, 0.3)
    ]
    assert len({line.get_color() for line in average.lines}) == 3
    assert len(dropout.lines) == 6
    rows = tables.results[tables.results["metric"] == "frechet_distance"]
    chosen = rows[(rows["ema_decay"] == 0.99) & (rows[DROPOUT] == 0.3)]
    chosen = chosen[chosen["schedule"] == "cosine"]
    (line,) = (one for one in dropout.lines if one.get_label() == "cosine schedule, dropout = 0.3")
    expected = chosen.groupby("training_steps")["value"].mean()
    np.testing.assert_allclose(np.asarray(line.get_ydata(), dtype=float), expected)
    slow = rows[(rows["ema_decay"] == 0.995) & (rows[DROPOUT] == 0.1)]
    expected = slow.groupby("training_steps")["value"].mean()
    np.testing.assert_allclose(np.asarray(average.lines[7].get_ydata(), dtype=float), expected)


def test_a_study_without_dropouts_has_the_panel_of_averages_alone(early_stopping: Plan) -> None:
    tables = made_up(early_stopping, by_dropout(AS_THE_PAPER))
    rows = tables.results.query(f"schedule == 'cosine' and `{DROPOUT}` == 0")
    (axes,) = figure_of("early_stopping", replace(tables, results=rows.drop(columns=DROPOUT))).axes
    assert axes.get_title() == "by average of the weights"
    assert len(axes.lines) == 3


@pytest.mark.parametrize(
    ("extractor", "scale"), [("digits-classifier:ab", "log"), ("inception-2015-12-05:1", "linear")]
)
def test_the_axes_of_fig_17_are_linear_for_an_fid_and_the_caption_says_which(
    early_stopping: Plan, extractor: str, scale: str
) -> None:
    def value(row: Mapping[str, Any]) -> float:
        return 90.0 if (row["training_steps"], row[DROPOUT]) == (200, 0.0) else 5.0

    tables = made_up(early_stopping, value, extractor=extractor)
    figure = figure_of("early_stopping", tables)
    assert {axes.get_yscale() for axes in figure.axes} == {scale}
    table = FIGURES["early_stopping"].table(tables)
    said = FIGURES["early_stopping"].caption(table, tables)
    assert f"milestones of the same trainings, on a {scale} axis." in said
    above = "2 of 18 points lie above the axis by dropout and schedule, up to 90."
    assert (above in said) == (scale == "linear")


def test_one_seed_has_no_bands_and_the_caption_says_so(early_stopping: Plan) -> None:
    tables = made_up(early_stopping, by_dropout(AS_THE_PAPER))
    one = replace(tables, results=tables.results[tables.results["seed"] == 0])
    table = FIGURES["early_stopping"].table(one)
    assert "One seed only" in FIGURES["early_stopping"].caption(table, one)
    assert FIGURES["early_stopping"].table(made_up(early_stopping, lambda row: None)).empty


def test_trajectories_are_shared_with_the_ablation(early_stopping: Plan) -> None:
    def networks(plan: Plan) -> set[str]:
        return {address for address, task in plan.tasks.items() if task.kind == "train"}

    assert len(networks(early_stopping) & networks(planned("sigma_ablation"))) >= 3
