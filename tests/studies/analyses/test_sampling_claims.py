"""The claims on strides, DDIM, batches and v, on made-up tables that must give each verdict."""

import itertools
import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pandas as pd
import pytest

from studies.analyses.judge import judge
from studies.judging.verdicts import Finding
from studies.tables.tables import OUTSIDE_RANGE, Tables
from tests.witness.made_up_rows import bound_rows, distance_rows, network, tables_of

STEPS = (10, 25, 100, 250)
LEARNED, SIMPLE = network("hybrid", T=1000), network("simple", T=1000)
SAMPLERS = {"learned": "ancestral", "ddim": "ddim"}
STRIDES = {"learned": ("even", "constant"), "ddim": ("constant", "even")}
"""Of each arm, first its own."""

Distance = Callable[[str, str, int, int], float]
"""Of (arm, stride, steps, batch size)."""

WOBBLE = (0.99, 1.0, 1.01)
"""By seed, what every distance is multiplied by; noise that pairs by seed take out."""


def study(distance: Distance, *, noise: float = 0.0) -> Tables:
    """A study of both arms over both strides, trained with batches of 32 and of 64."""
    rows = []
    for arm, strides in STRIDES.items():
        for stride, steps, batch in itertools.product(strides, STEPS, (32, 64)):
            values = [
                distance(arm, stride, steps, batch)
                * WOBBLE[seed]
                * (1 + noise * math.sin(7 * seed * len(stride) + steps + 3 * batch + len(arm)))
                for seed in range(len(WOBBLE))
            ]
            how: dict[str, Any] = {"stride": stride, "steps": steps, "train.batch_size": batch}
            if arm == "learned":
                rows += distance_rows(LEARNED, "range", values, **how)
            else:
                rows += distance_rows(SIMPLE, None, values, sampler="ddim", eta=0.0, **how)
    return tables_of(rows)


def as_in_the_paper(arm: str, stride: str, steps: int, batch: int) -> float:
    level = {"learned": 4.0 + 120 / steps, "ddim": 6.0 + 10 / steps}[arm]
    foreign = {"learned": 1.1, "ddim": 3.0}[arm] if stride != STRIDES[arm][0] else 1.0
    larger = {"learned": 0.9, "ddim": 1.1}[arm] if batch == 64 else 1.0
    return level * foreign * larger


def with_(**changes: Callable[[float, str, str, int, int], float]) -> Distance:
    """As in the paper, the distances of some arms changed."""

    def distance(arm: str, stride: str, steps: int, batch: int) -> float:
        value = as_in_the_paper(arm, stride, steps, batch)
        return changes[arm](value, arm, stride, steps, batch) if arm in changes else value

    return distance


CLAIMS = (
    "hundred_steps_are_nearly_enough",
    "even_stride_hurts_ddim",
    "even_stride_helps_ancestral_sampling",
    "ddim_wins_below_fifty_steps",
    "large_batches_help_hybrid_not_ddim",
)

AGAINST: dict[str, Distance] = {
    "hundred_steps_are_nearly_enough": with_(
        learned=lambda value, arm, stride, steps, batch: value * (2 if steps == 100 else 1)
    ),
    "even_stride_hurts_ddim": with_(
        ddim=lambda value, arm, stride, steps, batch: value / (9 if stride == "even" else 1)
    ),
    "even_stride_helps_ancestral_sampling": with_(
        learned=lambda value, arm, stride, steps, batch: value / (3 if stride == "constant" else 1)
    ),
    "ddim_wins_below_fifty_steps": with_(
        ddim=lambda value, arm, stride, steps, batch: value / (3 if steps > 50 else 1)
    ),
    "large_batches_help_hybrid_not_ddim": with_(
        ddim=lambda value, arm, stride, steps, batch: value / (2 if batch == 64 else 1)
    ),
}


def judged(name: str, distance: Distance, **how: Any) -> Finding:
    return judge(name, study(distance, **how))


@pytest.mark.parametrize("name", CLAIMS)
def test_results_like_the_papers_support_it(name: str) -> None:
    assert judged(name, as_in_the_paper).verdict == "supported"


@pytest.mark.parametrize("name", CLAIMS)
def test_results_against_it_contradict_it(name: str) -> None:
    assert judged(name, AGAINST[name]).verdict == "contradicted"


@pytest.mark.parametrize("name", CLAIMS)
def test_seeds_that_disagree_leave_it_open(name: str) -> None:
    assert judged(name, as_in_the_paper, noise=0.9).verdict == "inconclusive"


@pytest.mark.parametrize("name", CLAIMS)
def test_nothing_measured_is_not_run(name: str) -> None:
    whole = study(as_in_the_paper)
    whole.results[["value", "recipe"]] = None
    finding = judge(name, whole)
    assert finding.verdict == "not run"
    assert finding.reason.startswith("Not measured yet: log FD")


def test_a_ratio_is_the_mean_of_the_logs_seed_by_seed() -> None:
    finding = judged("even_stride_hurts_ddim", as_in_the_paper)
    for measurement in finding.measurements:
        assert measurement.interval.mean == pytest.approx(math.log(3.0), rel=1e-12)
        assert measurement.interval.half_width == pytest.approx(0.0, abs=1e-12)  # paired by seed


def test_each_claim_compares_the_arms_that_it_names() -> None:
    def ratio(*steps: int) -> float:
        """Of the distance by DDIM over that of the learned Σ, both with batches of 32."""
        logs = [math.log((6 + 10 / n) / (4 + 120 / n)) for n in steps]
        return sum(logs) / len(logs)

    every = "10, 25, 100 and 250 steps"
    expected: dict[str, float] = {}
    for batch, larger in ((32, 1.0), (64, 1.1 / 0.9)):
        size = f"batch size = {batch}"
        strides = "log FD with an even stride minus a constant one"
        few = f"log FD of L_simple by DDIM minus L_hybrid, {size}"
        expected |= {
            f"log FD at 100 steps minus that at 250, L_hybrid, Σ learned, {size}": 5.2 / 4.48,
            f"{strides}, L_simple, DDIM, {size}, {every}": 3.0,
            f"{strides}, L_hybrid, Σ learned, {size}, {every}": 1 / 1.1,
            f"{few}, 10 and 25 steps": larger * math.exp(ratio(10, 25)),
            f"{few}, 100 and 250 steps": larger * math.exp(ratio(100, 250)),
        }
    batches = "log FD with batches of 64 minus of 32"
    expected |= {
        f"{batches}, L_hybrid, learned Σ, {every}": 0.9,
        f"{batches}, L_simple, DDIM, {every}": 1.1,
    }
    measured = [one for name in CLAIMS for one in judged(name, as_in_the_paper).measurements]
    assert {m.what: math.exp(m.interval.mean) for m in measured} == pytest.approx(expected)
    for one in measured:
        assert one.detail == f"distances are ×{expected[one.what]:.3g} of the other's"
        assert one.networks


@pytest.mark.parametrize("arm", STRIDES)
def test_only_step_counts_that_both_arms_have_are_compared(arm: str) -> None:
    whole = study(as_in_the_paper)
    rows = whole.results
    lost = (rows["sampler"] == SAMPLERS[arm]) & (rows["steps"] == 25)
    found = judge(FIFTY, replace(whole, results=rows[~lost])).measurements
    said = ["10 steps", "100 and 250 steps"]
    assert [one.what.rpartition(", ")[2] for one in found] == [*said, *said]


def test_the_end_of_the_training_alone_counts_for_a_hundred_steps() -> None:
    late = study(as_in_the_paper).results
    early = late.assign(
        training_steps=400, value=late["value"] * late["steps"].map(lambda k: 9 if k == 100 else 1)
    )
    frame = pd.concat([early, late], ignore_index=True)
    frame["train.steps"] = frame["training_steps"]
    whole = study(as_in_the_paper)
    finding = judge("hundred_steps_are_nearly_enough", replace(whole, results=frame))
    assert finding.verdict == "supported"
    assert len(finding.measurements) == 2  # of two batches, by the even stride


# ---------------------------------------------------------------- edges that were fixed beforehand


@pytest.mark.parametrize(("factor", "verdict"), [(1.29, "supported"), (1.31, "contradicted")])
def test_nearly_enough_is_a_distance_at_most_1_3_times_as_large(
    factor: float, verdict: str
) -> None:
    def flat(arm: str, stride: str, steps: int, batch: int) -> float:
        return 4.0 * (factor if steps == 100 else 1)

    assert judged("hundred_steps_are_nearly_enough", flat).verdict == verdict


def test_a_hundred_steps_are_held_against_the_most_of_all() -> None:
    def turning(arm: str, stride: str, steps: int, batch: int) -> float:
        return {25: 9.0, 100: 4.0, 250: 4.0, 500: 2.0}[steps]

    rows = resteped(turning, (25, 100, 250, 500))
    finding = judge("hundred_steps_are_nearly_enough", rows)
    assert finding.verdict == "contradicted"
    assert all("minus that at 500" in m.what for m in finding.measurements)


def test_a_hundred_steps_are_never_held_against_themselves() -> None:
    found = judge("hundred_steps_are_nearly_enough", resteped(as_flat, (25, 50, 75, 100)))
    assert (found.verdict, found.measurements) == ("not run", ())


def test_networks_that_were_not_sampled_over_a_hundred_steps_are_left_out() -> None:
    whole = study(as_in_the_paper)
    rows = whole.results
    lost = (rows["steps"] == 100) & (rows["train.batch_size"] == 32)
    found = judge("hundred_steps_are_nearly_enough", replace(whole, results=rows[~lost]))
    assert (found.verdict, len(found.measurements)) == ("supported", 1)


def as_flat(arm: str, stride: str, steps: int, batch: int) -> float:
    return 4.0


def test_an_even_stride_that_helps_slightly_helps() -> None:
    """The paper's word is "slightly": a difference of 5% is not taken for none."""

    def flat(arm: str, stride: str, steps: int, batch: int) -> float:
        return 4.0 / (1.05 if stride == "even" and arm == "learned" else 1)

    found = judged("even_stride_helps_ancestral_sampling", flat)
    assert found.verdict == "supported"
    assert {one.matters for one in found.measurements} == {0.0}


def resteped(distance: Distance, steps: tuple[int, ...], **changes: Any) -> Tables:
    """The study at other step counts, some of its columns changed."""
    made = dict(zip(STEPS, steps, strict=True))
    whole = study(lambda arm, stride, count, batch: distance(arm, stride, made[count], batch))
    results = whole.results.assign(steps=whole.results["steps"].map(made), **changes)
    return replace(whole, results=results)


FIFTY = "ddim_wins_below_fifty_steps"


@pytest.mark.parametrize("steps", [(10, 49, 51, 250), (10, 49, 50, 51)])
def test_ddim_wins_below_fifty_and_loses_above_and_at_fifty_nothing_is_said(
    steps: tuple[int, ...],
) -> None:
    def crossing(arm: str, stride: str, steps: int, batch: int) -> float:
        if steps == 50:
            return 1.0 if arm == "ddim" else 99.0  # or the other way round, below
        return 4.0 if (arm == "ddim") == (steps < 50) else 6.0

    def other_way(arm: str, stride: str, steps: int, batch: int) -> float:
        return (
            100 - crossing(arm, stride, steps, batch)
            if steps == 50
            else crossing(arm, stride, steps, batch)
        )

    for distance in (crossing, other_way):
        finding = judge(FIFTY, resteped(distance, steps))
        assert finding.verdict == "supported"
        said = [m.what.rpartition(", ")[2] for m in finding.measurements[:2]]
        assert said == ["10 and 49 steps", "51 and 250 steps" if 250 in steps else "51 steps"]


@pytest.mark.parametrize("left", ["steps < 50", "steps > 50"])
def test_networks_that_were_sampled_on_one_side_of_fifty_alone_are_left_out(left: str) -> None:
    whole = study(as_in_the_paper)
    rows = whole.results.query(f"`train.batch_size` == 64 or {left}")
    found = judge(FIFTY, replace(whole, results=rows))
    assert (found.verdict, len(found.measurements)) == ("supported", 2)


def test_a_study_of_one_batch_size_has_not_run_the_claim_on_it() -> None:
    whole = study(as_in_the_paper)
    one = whole.results.query("`train.batch_size` == 64")
    for rows in (one, one.drop(columns="train.batch_size")):
        found = judge("large_batches_help_hybrid_not_ddim", replace(whole, results=rows))
        assert found.reason.startswith("Not measured yet: networks trained with batches of two")
    both = pd.concat([whole.results, one.assign(ema_decay=0.9)], ignore_index=True)
    found = judge("large_batches_help_hybrid_not_ddim", replace(whole, results=both))
    assert (found.verdict, len(found.measurements)) == ("supported", 2)


def test_ddim_with_noise_is_no_ddim_of_the_paper() -> None:
    noisy = study(as_in_the_paper).results
    noisy = noisy.assign(eta=noisy["eta"].map({0.0: 0.5}), value=1000.0)
    noisy = noisy[noisy["sampler"] == "ddim"]
    both = replace(
        study(as_in_the_paper),
        results=pd.concat([noisy, study(as_in_the_paper).results], ignore_index=True),
    )
    alone = replace(both, results=both.results[both.results["eta"] != 0])
    for name in (FIFTY, "large_batches_help_hybrid_not_ddim"):
        assert judge(name, both).verdict == "supported"
        assert judge(name, alone).verdict == "not run"
    said = judge("large_batches_help_hybrid_not_ddim", alone).reason
    assert "Not measured yet: L_simple, DDIM: networks trained with batches of two sizes" in said
    hurt = judge("even_stride_hurts_ddim", both)
    assert len(hurt.measurements) == len(
        judged("even_stride_hurts_ddim", as_in_the_paper).measurements
    )
    assert judge("even_stride_hurts_ddim", alone).verdict == "not run"


def test_networks_of_other_objectives_and_sigmas_have_no_say() -> None:
    def wrong() -> Tables:
        whole = study(as_in_the_paper)
        odd = whole.results.assign(value=1e-3)
        ddim, ancestral = (odd[odd["sampler"] == name] for name in ("ddim", "ancestral"))
        others = [ddim.assign(objective="hybrid"), ddim.assign(sampler="of_ones_own")]
        others += [ancestral.assign(variance="beta"), ancestral.assign(objective="vlb")]
        return replace(whole, results=pd.concat([*others, whole.results], ignore_index=True))

    for name in CLAIMS:
        found = judge(name, wrong())
        assert found.verdict == "supported", name
        assert len(found.measurements) == len(judged(name, as_in_the_paper).measurements), name


def test_the_largest_batch_is_held_against_the_smallest() -> None:
    levels = {32: 1.0, 64: 1.3, 128: 0.9}
    whole = study(lambda arm, stride, steps, batch: 4.0 * (arm == "ddim" or levels[batch]))
    frames = [whole.results]
    learned = whole.results[whole.results["sampler"] == "ancestral"]
    size = "train.batch_size"
    largest = learned[learned[size] == 32].assign(**{size: 128})
    frames.append(largest.assign(value=largest["value"] * 0.9))
    frame = pd.concat(frames, ignore_index=True)
    finding = judge("large_batches_help_hybrid_not_ddim", replace(whole, results=frame))
    (hybrid,) = (m for m in finding.measurements if "L_hybrid" in m.what)
    assert hybrid.what.startswith("log FD with batches of 128 minus of 32, ")
    assert hybrid.interval.mean == pytest.approx(math.log(0.9))


@pytest.mark.parametrize(
    ("shares", "verdict"),
    [
        ((0.00098, 0.00098, 0.00098), "supported"),
        ((0.00102, 0.00102, 0.00102), "contradicted"),
        ((0.0, 0.0, 0.0001), "supported"),
        ((0.2, 0.21, 0.22), "contradicted"),
        ((0.0, 0.001, 0.002), "inconclusive"),
        ((0.0,), "inconclusive"),
        ((), "not run"),
    ],
)
def test_the_share_of_v_outside_its_range_decides(shares: tuple[float, ...], verdict: str) -> None:
    rows = bound_rows(LEARNED, "range", shares, metric=OUTSIDE_RANGE)
    assert judge("learned_v_stays_in_range", tables_of(rows)).verdict == verdict


@pytest.mark.parametrize(("times", "verdict"), [(1.28, "contradicted"), (1.32, "supported")])
def test_much_worse_is_what_is_no_longer_near_optimal(times: float, verdict: str) -> None:
    def distance(arm: str, stride: str, steps: int, batch: int) -> float:
        foreign = arm == "ddim" and stride != STRIDES[arm][0]
        return as_in_the_paper(arm, stride, steps, batch) * (times / 3.0 if foreign else 1.0)

    assert judge("even_stride_hurts_ddim", study(distance)).verdict == verdict
