"""Each claim on made-up results that support it, contradict it, leave it open, or are not there."""

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from studies.analyses import index
from studies.analyses.judge import CLAIMS, judge
from studies.judging import wording
from studies.judging.verdicts import Finding, Measurement
from studies.store.store import Store
from studies.tables.groupings import records
from studies.tables.intervals import Interval
from studies.tables.tables import OUTSIDE_RANGE, Tables, tables
from tests.witness.made_up_rows import bound_rows, network, tables_of
from tests.witness.made_up_store import bound, distance, terms, variant, write_store

Judge = Callable[..., Finding]
ABOUT_SIGMA = variant().claims[1:]
"""The measured ones of the made-up study."""


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Tables:
    study = variant(steps=(5, 10, 50, 200))
    root = write_store(tmp_path_factory.mktemp("claims") / "store", study)
    return tables(Store(root), study.study)


@pytest.fixture
def judged(whole: Tables) -> Judge:
    """Judges one claim on the study with its values replaced, or some of its rows left out."""

    def on(
        claim: str,
        *,
        distance: Callable[[str, str, int, int], float] = distance,
        bound: Callable[[str, str, int], float] = bound,
        terms: Callable[[float, int], list[float]] = terms,
        rows: str = "steps != 5",
    ) -> Finding:
        results, steps = whole.results.query(rows), whole.steps.query(rows)
        values = [
            distance(row["objective"], _mode(row), row["steps"], row["seed"])
            if row["metric"] == "frechet_distance"
            else bound(row["objective"], row["variance"], row["seed"])
            if row["metric"] == "bits_per_dim"
            else row["value"]
            for row in records(results)
        ]
        means = [
            row["mean"]
            if row["part"] == "prior"
            else terms(bound(row["objective"], row["variance"], row["seed"]), row["T"])[row["step"]]
            for row in records(steps)
        ]
        study = replace(
            whole,
            results=results.assign(value=np.array(values, dtype=float)),
            steps=steps.assign(mean=np.array(means, dtype=float)),
        )
        return judge(claim, study)

    return on


def _mode(row: dict[str, Any]) -> str:
    return "ddim" if row["sampler"] == "ddim" else str(row["variance"])


def deciding(finding: Finding) -> list[Measurement]:
    return [m for m in finding.measurements if m.decides]


def test_the_claims_are_those_that_a_sweep_may_name() -> None:
    assert tuple(CLAIMS) == tuple(index.CLAIMS)


SAID = {
    "best_dropout_depends_on_the_schedule": "0.1 is best for the linear schedule, 0.3 for cosine",
    "ddim_wins_below_fifty_steps": "fewer than 50 steps",
    "ensemble_keeps_hybrid_quality": "within a factor of 1.1 either way",
    "ensemble_lowers_nll": "3.52 against 3.57 (L_hybrid) and 3.53 (L_vlb)",
    "even_stride_costs_likelihood": "above 0.095, a growth of 10%, fixed",
    "even_stride_hurts_ddim": "a distance 1.3 times as large",
    "first_cosine_noise_is_below_a_pixel_bin": "between 0.5 and 1 of the bin",
    "hundred_steps_are_nearly_enough": "at 100 steps",
    "hybrid_keeps_quality": "at most 10% more, fixed",
    "importance_sampling_does_not_help_hybrid": "to save at least 1% of them, fixed",
    "importance_sampling_steadies_vlb": "below log 0.5, contradicted",
    "learned_v_stays_in_range": "lies below 0.1%, fixed",
    "linear_spares_a_skipped_fifth": "a growth below 10%, fixed",
    "hybrid_is_better_between_the_ends": "the first 2.5% of the steps",
    "schedules_reach_similar_quality": "within a factor of 1.1, fixed",
    "sigma_choice_is_minor_at_many_steps": "within a factor of 1.1 either way",
    "vlb_gradient_is_noisier": "2.3 is a scale ten times as large",
}


@pytest.mark.parametrize("name", SAID)
def test_a_claim_tells_the_number_by_which_it_is_judged(name: str) -> None:
    assert SAID[name] in f"{CLAIMS[name].says} {CLAIMS[name].method}"


def test_the_interval_of_nearly_enough_lies_below_the_log_of_its_ratio() -> None:
    method = CLAIMS["hundred_steps_are_nearly_enough"].method
    assert method.endswith(f"below log 1.3 = {math.log(1.3):.3f}, fixed beforehand.")


@pytest.mark.parametrize(
    ("interval", "verdict"),
    [
        (Interval(-1.0, -2.0, -0.1, 3), "supported"),
        (Interval(1.0, 0.1, 2.0, 3), "contradicted"),
        (Interval(-1.0, -2.1, 0.1, 3), "inconclusive"),
        (Interval(-1.0, -math.inf, math.inf, 1), "inconclusive"),
    ],
)
def test_the_interval_alone_decides(interval: Interval, verdict: str) -> None:
    assert Measurement(what="x", interval=interval, unit="ratio", high=0.0).verdict == verdict


def test_every_claim_is_supported_by_results_that_agree_with_the_paper(judged: Judge) -> None:
    def steady(objective: str, mode: str, steps: int, seed: int) -> float:
        return distance(objective, mode, steps, 0) * (1 + seed / 100)

    for claim in variant().claims:
        finding = judged(claim, distance=steady)
        assert (claim, finding.verdict) == (claim, "supported")
        assert finding.reason == "Every deciding quantity lies wholly where the claim puts it."


@pytest.mark.parametrize("claim", ABOUT_SIGMA)
def test_one_seed_leaves_every_measured_claim_open(claim: str, judged: Judge) -> None:
    finding = judged(claim, rows="seed == 1")
    assert finding.verdict == "inconclusive"
    assert finding.reason.startswith("There is only one seed, so the spread is unknown")
    assert {m.interval.n for m in finding.measurements} == {1}


@pytest.mark.parametrize("claim", ABOUT_SIGMA)
def test_nothing_measured_is_not_run(claim: str, judged: Judge) -> None:
    finding = judged(claim, rows="seed > 9")
    assert (finding.verdict, finding.measurements) == ("not run", ())
    assert finding.reason.startswith("Not measured yet: ")


# ---------------------------------------------------------------------- the ratio of the schedule


def ratio_by_one_step_kernels(T: int) -> list[float]:
    """Var[x_{t-1} | x_t, x_0] / beta_t by conditioning the joint Gaussian, step by step."""
    ratios, variance = [], 0.0
    for beta in np.linspace(0.1 / T, 20 / T, T):
        after = (1 - beta) * variance + beta
        covariance = math.sqrt(1 - beta) * variance
        ratios.append(float((variance - covariance**2 / after) / beta))
        variance = after
    return ratios


def test_beta_tilde_is_close_to_beta_by_the_joint_gaussian_too(judged: Judge) -> None:
    found = deciding(judged("beta_tilde_close_to_beta"))
    lowest = [min(ratio_by_one_step_kernels(T)[18:]) for T in (100, 1000, 4000, 10_000)]
    assert [m.interval.mean for m in found[:4]] == pytest.approx(lowest, rel=1e-9)
    assert all(low >= 0.9 for low in lowest)
    shares = [np.mean(np.less(ratio_by_one_step_kernels(T), 0.9)) for T in (100, 1000, 4000, 10000)]
    assert [m.interval.mean for m in found[4:]] == pytest.approx(np.diff(shares), rel=1e-12)


def test_an_exact_claim_has_no_seeds_and_no_width(judged: Judge) -> None:
    for measurement in judged("beta_tilde_close_to_beta", rows="seed == 0").measurements:
        assert measurement.interval.n == 0
        assert measurement.interval.low == measurement.interval.high


def test_a_ratio_of_exactly_nine_tenths_is_at_least_that(judged: Judge) -> None:
    for lowest in deciding(judged("beta_tilde_close_to_beta"))[:4]:
        assert replace(lowest, interval=Interval(0.9, 0.9, 0.9, 0)).verdict == "supported"
        below = math.nextafter(0.9, 0)
        assert replace(lowest, interval=Interval(below, below, below, 0)).verdict != "supported"


def test_the_studys_own_cosine_schedule_is_told_and_decides_nothing(judged: Judge) -> None:
    cosine = judged("beta_tilde_close_to_beta")
    aside = [m for m in cosine.measurements if not m.decides]
    assert [m.what.rpartition(", ")[2] for m in aside] == ["cosine"] * 4
    assert not any("cosine" in m.what for m in deciding(cosine))


# ------------------------------------------------------------------------------ first steps


def test_the_share_of_the_first_steps_is_their_terms_over_the_whole_bound(judged: Judge) -> None:
    finding = judged("first_steps_carry_the_bound")
    assert len(finding.measurements) == 5
    of_hybrid_range = finding.measurements[-1]
    assert of_hybrid_range.what.endswith("L_hybrid, Σ learned")
    shares = []
    for seed in range(3):
        by_step = terms(bound("hybrid", "range", seed), 200)
        shares.append(sum(by_step[:10]) / (sum(by_step) + 0.0025))
    logs = [math.log(share / (1 - share)) for share in shares]
    assert of_hybrid_range.interval.mean == pytest.approx(np.mean(logs), rel=1e-9)
    assert wording.measured(of_hybrid_range).startswith(f"{np.mean(shares):.2%} (")


def test_a_bound_spread_evenly_contradicts_that_the_first_steps_carry_it(judged: Judge) -> None:
    finding = judged("first_steps_carry_the_bound", terms=lambda total, T: [total / T] * T)
    assert finding.verdict == "contradicted"


@pytest.mark.parametrize(("share", "verdict"), [(0.499, "contradicted"), (0.501, "supported")])
def test_most_of_the_bound_is_more_than_half_of_it(
    judged: Judge, share: float, verdict: str
) -> None:
    def split(total: float, T: int) -> list[float]:
        first = T // 20
        return [share * total / first] * first + [(1 - share) * total / (T - first)] * (T - first)

    assert judged("first_steps_carry_the_bound", terms=split).verdict == verdict


@pytest.mark.parametrize(("steps", "verdict"), [(10, "supported"), (11, "contradicted")])
def test_the_first_steps_are_a_twentieth_of_them(judged: Judge, steps: int, verdict: str) -> None:
    def at_the_edge(total: float, T: int) -> list[float]:
        """All in one term: of 200 the tenth is the last of the first."""
        return [total if step == steps - 1 else 0.0 for step in range(T)]

    assert judged("first_steps_carry_the_bound", terms=at_the_edge).verdict == verdict


def test_one_arm_against_it_is_enough_to_contradict(judged: Judge) -> None:
    def odd(total: float, T: int) -> list[float]:
        return terms(total, T) if total < 2.5 else [total / T] * T

    finding = judged("first_steps_carry_the_bound", terms=odd)
    assert finding.verdict == "contradicted"
    assert {m.verdict for m in finding.measurements} == {"supported", "contradicted"}


# --------------------------------------------------------------------- sigma at many steps

MINOR = "sigma_choice_is_minor_at_many_steps"


def differing(*relative: float) -> Callable[[str, str, int, int], float]:
    """Distances in which β differs from β̃ by these relative amounts at the most steps."""

    def of(objective: str, mode: str, steps: int, seed: int) -> float:
        return 10.0 * (1 + relative[seed] * (mode == "beta") * (steps == 200))

    return of


def test_a_large_difference_at_the_most_steps_contradicts(judged: Judge) -> None:
    assert judged(MINOR, distance=differing(0.5, 0.52, 0.48)).verdict == "contradicted"


@pytest.mark.parametrize(("ratio", "verdict"), [(1.099, "supported"), (1.101, "contradicted")])
def test_minor_is_less_than_a_tenth(judged: Judge, ratio: float, verdict: str) -> None:
    relative = (ratio - 1, ratio - 0.9999, ratio - 1.0001)
    assert judged(MINOR, distance=differing(*relative)).verdict == verdict


def test_a_difference_across_the_margin_leaves_it_open(judged: Judge) -> None:
    finding = judged(MINOR, distance=differing(0.05, 0.2, 0.0))
    assert finding.verdict == "inconclusive"
    assert finding.reason.startswith("The interval crosses the border of the claim: log of FD(β)")


def test_the_difference_is_the_log_of_the_ratio_of_the_means(judged: Judge) -> None:
    finding = judged(MINOR, distance=differing(0.04, 0.05, 0.03))
    ratio = math.log((10.4 + 10.5 + 10.3) / 30)
    assert [m.interval.mean for m in finding.measurements] == pytest.approx([ratio] * 2)
    assert (finding.verdict, finding.measurements[0].what) == (
        "supported",
        "log of FD(β) over FD(β̃) at 200 steps, L_simple",
    )


def test_ddim_and_trainings_that_went_on_have_no_say_in_it(whole: Tables) -> None:
    results = whole.results
    at_most = results[(results["steps"] == 200) & (results["metric"] == "frechet_distance")]
    half = at_most[at_most["sampler"] == "ancestral"].assign(training_steps=1)
    half = half.assign(value=[50.0 if v == "beta" else 1.0 for v in half["variance"]])
    ddim = at_most.assign(sampler="ddim", value=half["value"].reindex(at_most.index).fillna(1.0))
    together = pd.concat([results, half, ddim], ignore_index=True)
    finding = judge(MINOR, replace(whole, results=together))
    assert finding.measurements == judge(MINOR, whole).measurements


def test_few_steps_have_no_say_in_it(judged: Judge) -> None:
    def only_few(objective: str, mode: str, steps: int, seed: int) -> float:
        return (10.0 + seed) * (9 if mode == "beta" and steps < 200 else 1)

    assert judged(MINOR, distance=only_few).verdict == "supported"


def test_beta_tilde_unsampled_is_not_run(judged: Judge) -> None:
    assert judged(MINOR, rows="variance != 'beta_tilde'").verdict == "not run"


# --------------------------------------------------------------------------------- bits/dim

NLL = "learned_sigma_lowers_nll"


def test_the_differences_are_paired_by_seed(judged: Judge) -> None:
    found = judged(NLL).measurements
    expected = [
        np.mean([bound("hybrid", "range", s) - bound(objective, fixed, s) for s in range(3)])
        for objective in ("simple", "hybrid")
        for fixed in ("beta", "beta_tilde")
    ]
    assert [m.interval.mean for m in found] == pytest.approx(expected, rel=1e-9)
    assert [m.decides for m in found] == [True, True, False, False]


def test_a_learned_sigma_that_costs_bits_against_one_fixed_one_contradicts(judged: Judge) -> None:
    def worse(objective: str, variance: str, seed: int) -> float:
        return {"beta": 2.6, "beta_tilde": 2.4, "range": 2.5}[variance] + 0.01 * seed

    finding = judged(NLL, bound=worse)
    assert finding.verdict == "contradicted"
    assert finding.reason.startswith(
        "Wholly outside what the claim says: L_hybrid, Σ learned minus L_simple, Σ = β̃."
    )


def test_seeds_that_disagree_leave_bits_open(judged: Judge) -> None:
    def noisy(objective: str, variance: str, seed: int) -> float:
        return 2.5 + (0.1 * (seed - 1) if variance == "range" else 0)

    assert judged(NLL, bound=noisy).verdict == "inconclusive"


def test_no_hybrid_network_is_not_run_and_says_what_is_missing(judged: Judge) -> None:
    finding = judged(NLL, rows="objective == 'simple'")
    assert finding.verdict == "not run"
    assert "L_hybrid, Σ learned minus L_simple, Σ = β̃" in finding.reason


def test_a_seed_that_only_one_arm_has_is_no_pair(judged: Judge) -> None:
    finding = judged(NLL, rows="objective == 'simple' or seed != 1")
    assert {m.interval.n for m in finding.measurements} == {2}


# -------------------------------------------------------------------------------- few steps

FEW = "learned_sigma_keeps_quality_at_few_steps"


def test_the_loss_is_the_mean_log_distance_at_few_steps_against_the_most(judged: Judge) -> None:
    learned_against_beta = judged(FEW, rows="steps > 0").measurements[0]

    def loss(objective: str, mode: str, seed: int) -> float:
        few = [math.log(distance(objective, mode, k, seed)) for k in (5, 10)]
        return sum(few) / 2 - math.log(distance(objective, mode, 200, seed))

    expected = np.mean([loss("hybrid", "range", s) - loss("simple", "beta", s) for s in range(3)])
    assert learned_against_beta.interval.mean == pytest.approx(expected, rel=1e-9)
    assert learned_against_beta.what.startswith("loss at 5 and 10 steps against 200, ")


def test_a_network_trained_half_way_has_no_say_in_it(whole: Tables) -> None:
    scores = whole.results[whole.results["metric"] == "frechet_distance"]
    swapped = [1e3 / value for value in scores["value"]]  # the loss turned round
    half = scores.assign(training_steps=1, value=swapped)
    both = replace(whole, results=pd.concat([whole.results, half], ignore_index=True))
    finding = judge(FEW, both)
    assert finding.measurements == judge(FEW, whole).measurements


def test_a_learned_sigma_that_loses_more_contradicts(judged: Judge) -> None:
    def swapped(objective: str, mode: str, steps: int, seed: int) -> float:
        other = {"range": "beta", "beta": "range", "beta_tilde": "range"}.get(mode, mode)
        return distance(objective, other, steps, seed)

    assert judged(FEW, distance=swapped).verdict == "contradicted"


def test_losses_that_differ_by_seed_leave_it_open(judged: Judge) -> None:
    def noisy(objective: str, mode: str, steps: int, seed: int) -> float:
        return 10.0 * math.exp((seed - 1) * (mode == "range") * (steps == 10))

    assert judged(FEW, distance=noisy).verdict == "inconclusive"


def test_without_few_steps_it_is_not_run(judged: Judge) -> None:
    assert judged(FEW, rows="steps > 10").verdict == "not run"


def test_with_few_steps_alone_it_is_not_run(judged: Judge) -> None:
    assert judged(FEW, rows="steps <= 10").verdict == "not run"


@pytest.mark.parametrize(
    ("T", "few"), [(1000, "5, 10 and 50"), (999, "5 and 10"), (200, "5 and 10"), (199, "5")]
)
def test_few_steps_are_at_most_a_twentieth_of_the_chain(whole: Tables, T: int, few: str) -> None:
    finding = judge(FEW, replace(whole, results=whole.results.assign(T=T)))
    assert finding.measurements[0].what.startswith(f"loss at {few} steps against 200, ")


# -------------------------------------------------------------------------------- robustness


def unmeasured(study: Tables, rows: str) -> Tables:
    """The study before these rows had a result."""
    results = study.results.copy()
    chosen = results.query(rows).index
    results.loc[chosen, ["value", "recipe"]] = np.nan
    results.loc[chosen, "state"] = "planned"
    return replace(study, results=results, steps=study.steps.query(f"not ({rows})"))


@pytest.mark.parametrize("claim", ABOUT_SIGMA)
def test_while_an_arm_is_still_missing_nothing_is_decided(claim: str, whole: Tables) -> None:
    finding = judge(claim, unmeasured(whole, "objective == 'hybrid'"))
    assert finding.verdict == "not run"
    assert "L_hybrid" in finding.reason


def test_a_pair_that_was_never_asked_for_is_not_waited_for(whole: Tables) -> None:
    fewer = whole.results.query("objective == 'hybrid'").assign(images=8)
    both = pd.concat([whole.results, fewer], ignore_index=True)
    assert judge(FEW, replace(whole, results=both)).verdict == "supported"


def test_the_most_steps_are_the_most_that_were_asked_for(whole: Tables) -> None:
    finding = judge(MINOR, unmeasured(whole, "steps == 200 and objective == 'simple'"))
    assert finding.verdict == "not run"
    assert finding.reason == "Not measured yet: L_simple with β and β̃ at 200 steps."


def test_numbers_of_different_recipes_are_never_paired(whole: Tables) -> None:
    hybrid = whole.results["objective"] == "hybrid"
    other = whole.results["recipe"].where(~hybrid, '{"another": "recipe"}')
    finding = judge(NLL, replace(whole, results=whole.results.assign(recipe=other)))
    assert finding.verdict == "not run"
    assert {m.decides for m in finding.measurements} == {False}


def test_arms_that_differ_in_another_setting_are_judged_apart(whole: Tables) -> None:
    longer = whole.results.assign(T=400)
    both = pd.concat([whole.results, longer], ignore_index=True)
    found = judge(NLL, replace(whole, results=both)).measurements
    named = [m.what.rpartition(", ")[2] for m in found if m.decides]
    assert named == ["T = 200", "T = 200", "T = 400", "T = 400"]


@pytest.mark.parametrize(
    ("share", "verdict", "counted"),
    [
        *((0.0009, "supported", 0.0009), (0.0011, "contradicted", 0.0011)),
        *((0.00009, "supported", 0.0001), (0.0, "supported", 0.0001)),
    ],
)
def test_hardly_ever_is_one_in_a_thousand_and_none_a_tenth_of_that(
    share: float, verdict: str, counted: float
) -> None:
    rows = bound_rows(network("hybrid"), "range", [share] * 3, metric=OUTSIDE_RANGE)
    found = judge("learned_v_stays_in_range", tables_of(rows))
    assert found.verdict == verdict
    assert found.measurements[0].interval.mean == pytest.approx(math.log(counted / (1 - counted)))
