"""The claims of the paper, each as a predicate over a study's tables.

A claim says in which region a quantity lies. Its 95% interval over seeds decides: wholly inside the
region supports the claim, wholly outside contradicts it, anything else leaves it open. A claim with
several deciding quantities is supported only if all are inside, and contradicted as soon as one
is outside. One seed has no spread and an exact quantity has no need of one.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import pandas as pd

from iddpm.config import Schedule
from iddpm.schedules import betas, variance_ratio
from studies.intervals import Interval, paired_differences, t_interval
from studies.labels import OBJECTIVES, VARIANCES, labelled
from studies.tables import Tables, arm_columns, by_seed

Verdict = Literal["supported", "contradicted", "inconclusive", "not run"]
Unit = Literal["ratio", "bits/dim", "%", "percentage points", "log ratio"]

RATIO_FROM_INDEX = 18
RATIO_AT_LEAST = 0.9
RATIO_LENGTHS = (100, 1000, 4000, 10_000)
FIRST_SHARE = 0.05
MARGIN = 0.10
"""Largest relative difference in Fréchet distance that still counts as minor."""
FEW_STEPS_SHARE = 1 / 20
"""A chain has few steps if it has at most this share of T."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurement:
    """One quantity, its interval, and the region in which the claim puts it."""

    what: str
    interval: Interval
    unit: Unit
    low: float = -math.inf
    high: float = math.inf
    decides: bool = True
    detail: str = ""
    """The same measurement in more familiar numbers."""

    @property
    def verdict(self) -> Verdict:
        """Where the interval lies: inside the region, outside it, or across its border."""
        if self.interval.within(self.low, self.high):
            return "supported"
        if self.interval.outside(self.low, self.high):
            return "contradicted"
        return "inconclusive"


@dataclass(frozen=True, slots=True)
class Measured:
    """What a claim found in the tables, and the deciding comparisons that they do not hold."""

    measurements: list[Measurement]
    missing: list[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """A statement of the paper in our words, and how it is put to the test."""

    says: str
    source: str
    method: str
    measure: Callable[[Tables], Measured]


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """A claim after the test."""

    name: str
    claim: Claim
    verdict: Verdict
    reason: str
    measurements: tuple[Measurement, ...]


def judge(name: str, tables: Tables) -> Finding:
    """The verdict on one claim of `CLAIMS`, from nothing but the tables."""
    claim = CLAIMS[name]
    measured = claim.measure(tables)
    verdict, reason = _decide(measured)
    if verdict in ("contradicted", "inconclusive"):
        reason = " ".join(filter(None, (reason, setting_differences(tables))))
    return Finding(
        name=name,
        claim=claim,
        verdict=verdict,
        reason=reason,
        measurements=tuple(measured.measurements),
    )


def _decide(measured: Measured) -> tuple[Verdict, str]:
    deciding = [m for m in measured.measurements if m.decides]
    outside = [m.what for m in deciding if m.verdict == "contradicted"]
    across = [m for m in deciding if m.verdict == "inconclusive"]
    if outside:
        return "contradicted", f"Wholly outside what the claim says: {'; '.join(outside)}."
    if measured.missing or not deciding:
        return "not run", f"Not measured yet: {'; '.join(measured.missing)}."
    if any(m.interval.n == 1 for m in across):
        return (
            "inconclusive",
            "There is only one seed, so the spread is unknown and decides nothing.",
        )
    if across:
        return (
            "inconclusive",
            f"The interval crosses the border of the claim: {'; '.join(m.what for m in across)}.",
        )
    return "supported", "Every deciding quantity lies wholly where the claim puts it."


def setting_differences(tables: Tables) -> str:
    """How this study differs from the paper's experiments, for a reader who wonders why."""
    results = tables.results[tables.results["recipe"].notna()]
    if results.empty:
        return ""
    trained = sorted({int(steps) for steps in results["training_steps"]})
    lengths = sorted({int(T) for T in results["T"]})
    return (
        "The paper's networks were trained for 200,000 to 1,500,000 steps on ImageNet 64 or "
        "CIFAR-10, mostly with T = 4000, and scored by FID over Inception features; this study "
        f"ran the preset {tables.record['preset']} with {_listed(trained)} training steps, T = "
        f"{_listed(lengths)}, and the features named in its recipes. The paper shows no spread "
        "over seeds."
    )


def _listed(numbers: list[int]) -> str:
    *first, last = (f"{number:,}" for number in numbers)
    return f"{', '.join(first)} and {last}" if first else last


# ---------------------------------------------------------------------- the ratio of the schedule


def _close_to_beta(tables: Tables) -> Measured:
    shares = {T: _share_below("linear", T) for T in RATIO_LENGTHS}
    measurements = [_lowest_ratio("linear", T, decides=True) for T in RATIO_LENGTHS]
    measurements += [
        Measurement(
            what=f"share of steps below {RATIO_AT_LEAST}, T = {longer:,} minus T = {shorter:,}, "
            "linear",
            interval=_exact(shares[longer] - shares[shorter]),
            unit="percentage points",
            high=0.0,
            detail=f"{shares[shorter]:.2%} of the steps falls to {shares[longer]:.2%}",
        )
        for shorter, longer in pairwise(RATIO_LENGTHS)
    ]
    if "cosine" in set(tables.results["schedule"]):
        measurements += [_lowest_ratio("cosine", T, decides=False) for T in RATIO_LENGTHS]
    return Measured(measurements, [])


def _lowest_ratio(schedule: Schedule, T: int, *, decides: bool) -> Measurement:
    ratio = variance_ratio(betas(schedule, T))[RATIO_FROM_INDEX:]
    return Measurement(
        what=f"lowest β̃/β from index {RATIO_FROM_INDEX} on, T = {T:,}, {schedule}",
        interval=_exact(float(ratio.min())),
        unit="ratio",
        low=math.nextafter(RATIO_AT_LEAST, 0),
        decides=decides,
    )


def _share_below(schedule: Schedule, T: int) -> float:
    return float((variance_ratio(betas(schedule, T)) < RATIO_AT_LEAST).mean())


def _exact(value: float) -> Interval:
    """A quantity that is computed, not measured: an interval of no width over no seeds."""
    return Interval(value, value, value, 0)


# ---------------------------------------------------------------------------- terms of the bound


def _first_steps(tables: Tables) -> Measured:
    terms = tables.steps
    if terms.empty:
        return Measured([], ["the terms of a bound by step"])
    measurements = [
        Measurement(
            what=f"share of the bound in the first {FIRST_SHARE:.0%} of steps, {name}",
            interval=t_interval(list(_first_shares(arm).values())),
            unit="%",
            low=0.5,
        )
        for name, arm in _named(terms, arm_columns(terms))
    ]
    return Measured(measurements, [])


def _first_shares(arm: pd.DataFrame) -> dict[int, float]:
    """By seed: what the first steps' terms add up to, over the whole bound (prior included)."""
    first = arm[(arm["step"] < FIRST_SHARE * arm["T"]) & (arm["part"] != "prior")]
    shares = first.groupby("seed")["mean"].sum() / arm.groupby("seed")["mean"].sum()
    return {int(str(seed)): float(share) for seed, share in shares.items()}


# ------------------------------------------------------------------------- quality of the samples


def _minor_at_many_steps(tables: Tables) -> Measured:
    scores = _ancestral(tables)
    measurements = []
    for name, arms in _named(scores, arm_columns(scores, without=("variance", "steps"))):
        steps = _common_steps(arms, "beta", "beta_tilde")
        if steps:
            measurements.append(_relative_difference(name, arms[arms["steps"] == max(steps)]))
    needed = f"{VARIANCES['beta']} and {VARIANCES['beta_tilde']} of one network, sampled alike"
    return Measured(measurements, [] if measurements else [needed])


def _relative_difference(name: str, arms: pd.DataFrame) -> Measurement:
    beta, tilde = (by_seed(arms[arms["variance"] == v]) for v in ("beta", "beta_tilde"))
    relative = [
        difference / ((beta[seed] + tilde[seed]) / 2)
        for seed, difference in paired_differences(beta, tilde).items()
    ]
    return Measurement(
        what=f"FD(β) minus FD(β̃) over their mean at {arms['steps'].iloc[0]:,} steps, {name}",
        interval=t_interval(relative),
        unit="%",
        low=-MARGIN,
        high=MARGIN,
        detail=f"mean FD {_mean(beta):.3g} with β, {_mean(tilde):.3g} with β̃",
    )


def _few_steps(tables: Tables) -> Measured:
    scores = _ancestral(tables)
    contexts = _named(scores, arm_columns(scores, without=("objective", "variance", "steps")))
    measurements, missing = [], []
    for name, arms in contexts:
        for objective, fixed, decides in BASELINES:
            found = _degradation_difference(name, arms, objective, fixed, decides=decides)
            measurements += [found] if found else []
            if decides and not found:
                missing.append(_comparison(objective, fixed) + name)
    if scores.empty:
        missing = [_comparison(*baseline[:2]) for baseline in BASELINES if baseline[2]]
    return Measured(measurements, missing)


BASELINES = (
    ("simple", "beta", True),
    ("simple", "beta_tilde", True),
    ("hybrid", "beta", False),
    ("hybrid", "beta_tilde", False),
)
"""What a learned Σ is compared with, and whether that decides: the last two share its network."""


def _comparison(objective: str, fixed: str) -> str:
    return f"L_hybrid, {VARIANCES['range']} minus {OBJECTIVES[objective]}, {VARIANCES[fixed]}"


def _degradation_difference(
    name: str, arms: pd.DataFrame, objective: str, fixed: str, *, decides: bool
) -> Measurement | None:
    """How much less the learned Σ loses by taking few steps; None where that is not measured."""
    learned_arm = _learned(arms)
    fixed_arm = arms[(arms["objective"] == objective) & (arms["variance"] == fixed)]
    steps = sorted(set(_steps(learned_arm)) & set(_steps(fixed_arm)))
    few = [count for count in steps if count <= FEW_STEPS_SHARE * arms["T"].iloc[0]]
    if not few or few == steps:
        return None
    learned, baseline = (_degradation(arm, few, steps[-1]) for arm in (learned_arm, fixed_arm))
    differences = paired_differences(learned, baseline)
    if not differences:
        return None
    return Measurement(
        what=f"loss at {_listed(few)} steps against {steps[-1]:,}, "
        + _comparison(objective, fixed)
        + name,
        interval=t_interval(list(differences.values())),
        unit="log ratio",
        high=0.0,
        decides=decides,
        detail=f"FD grows ×{math.exp(_mean(learned)):.3g} with learned Σ, "
        f"×{math.exp(_mean(baseline)):.3g} with {VARIANCES[fixed]}",
    )


def _learned(arms: pd.DataFrame) -> pd.DataFrame:
    return arms[(arms["objective"] == "hybrid") & arms["variance"].isin(["range", "learned"])]


def _degradation(arm: pd.DataFrame, few: list[int], most: int) -> dict[int, float]:
    """By seed: the mean of log FD over the few step counts, minus log FD at the most steps."""
    logs = {
        count: {seed: math.log(fd) for seed, fd in by_seed(arm[arm["steps"] == count]).items()}
        for count in (*few, most)
    }
    seeds = set.intersection(*(set(values) for values in logs.values()))
    return {
        seed: sum(logs[count][seed] for count in few) / len(few) - logs[most][seed]
        for seed in sorted(seeds)
    }


def _ancestral(tables: Tables) -> pd.DataFrame:
    results = tables.results
    chosen = (results["metric"] == "frechet_distance") & (results["sampler"] == "ancestral")
    return results[chosen & results["value"].notna()]


def _steps(arm: pd.DataFrame) -> list[int]:
    return sorted({int(count) for count in arm["steps"]})


def _common_steps(arms: pd.DataFrame, *variances: str) -> set[int]:
    """Step counts at which every one of the variances shares a seed with the others."""
    cells = (
        set(zip(rows["steps"], rows["seed"], strict=True))
        for rows in (arms[arms["variance"] == variance] for variance in variances)
    )
    return {int(steps) for steps, _ in set.intersection(*cells)}


# ------------------------------------------------------------------------------------- bits/dim


def _lower_nll(tables: Tables) -> Measured:
    results = tables.results
    bounds = results[(results["metric"] == "bits_per_dim") & results["value"].notna()]
    measurements, missing = [], []
    for name, arms in _named(bounds, arm_columns(bounds, without=("objective", "variance"))):
        for objective, fixed, decides in BASELINES:
            found = _bound_difference(name, arms, objective, fixed, decides=decides)
            measurements += [found] if found else []
            if decides and not found:
                missing.append(_comparison(objective, fixed) + name)
    if bounds.empty:
        missing = [_comparison(*baseline[:2]) for baseline in BASELINES if baseline[2]]
    return Measured(measurements, missing)


def _bound_difference(
    name: str, arms: pd.DataFrame, objective: str, fixed: str, *, decides: bool
) -> Measurement | None:
    learned = by_seed(_learned(arms))
    baseline = by_seed(arms[(arms["objective"] == objective) & (arms["variance"] == fixed)])
    differences = paired_differences(learned, baseline)
    if not differences:
        return None
    return Measurement(
        what=_comparison(objective, fixed) + name,
        interval=t_interval(list(differences.values())),
        unit="bits/dim",
        high=0.0,
        decides=decides,
        detail=f"{_mean(learned):.4g} against {_mean(baseline):.4g} bits/dim",
    )


# ------------------------------------------------------------------------------------- groupings


def _mean(values: dict[int, float]) -> float:
    return sum(values.values()) / len(values)


def _named(table: pd.DataFrame, columns: list[str]) -> Iterator[tuple[str, pd.DataFrame]]:
    """Each group of rows with equal columns and recipe, and what tells it from the others."""
    groups = labelled(table, columns).groupby(["rank", "arm", "recipe"])
    for (_, name, _), group in groups:
        yield str(name), group


CLAIMS: dict[str, Claim] = {
    "beta_tilde_close_to_beta": Claim(
        says="Apart from the first steps, β̃ is almost β, and more nearly so the longer the "
        "process: the choice of Σ between the two should matter little to samples.",
        source="Section 3.1 and Fig. 1",
        method="Computed from the linear schedule, which Fig. 1 shows: from index "
        f"{RATIO_FROM_INDEX} on (counting from 0) β̃/β is at least {RATIO_AT_LEAST} for T = "
        f"{', '.join(f'{T:,}' for T in RATIO_LENGTHS)}, and the share of steps below "
        f"{RATIO_AT_LEAST} shrinks as T grows. A claim about a schedule is exact and has no "
        "interval. Where the study uses the cosine schedule, its ratios are given too, and decide "
        "nothing.",
        measure=_close_to_beta,
    ),
    "first_steps_carry_the_bound": Claim(
        says="The first few steps of the diffusion process contribute most of the variational "
        "bound.",
        source="Section 3.1 and Fig. 2",
        method=f"For every network and every Σ it can be read with: the terms of the first "
        f"{FIRST_SHARE:.0%} of the steps, the decoder's among them, over the whole bound with its "
        "prior, per seed. Supported if the interval of this share lies above one half for all of "
        "them.",
        measure=_first_steps,
    ),
    "sigma_choice_is_minor_at_many_steps": Claim(
        says="With many sampling steps, β and β̃ as Σ give samples of about the same quality.",
        source="Section 3.1 and Fig. 8",
        method="For each network: Fréchet distance with β minus that with β̃ over the mean of the "
        "two, per seed, at the largest number of steps at which both were sampled. Minor means "
        f"within ±{MARGIN:.0%}, fixed beforehand: supported if the whole interval lies inside, "
        "contradicted if it lies wholly outside.",
        measure=_minor_at_many_steps,
    ),
    "learned_sigma_lowers_nll": Claim(
        says="Learning Σ with the hybrid objective gives fewer bits/dim than either fixed Σ.",
        source="Section 3.1, Tables 1 and 2",
        method="Bits/dim of L_hybrid with its learned Σ minus that of L_simple with β, and minus "
        "that of L_simple with β̃, per seed. Supported if both intervals lie below zero. The same "
        "differences within the L_hybrid network, where Σ alone changes, are given and decide "
        "nothing.",
        measure=_lower_nll,
    ),
    "learned_sigma_keeps_quality_at_few_steps": Claim(
        says="With learned Σ, a few sampling steps give nearly the quality of the full chain, "
        "where a fixed Σ loses it.",
        source="Section 4 and Fig. 8",
        method="The loss of an arm is the natural log of its Fréchet distance, averaged over the "
        "step counts of at most T/20, minus that at the most steps: 0.69 is a distance twice as "
        "large. Per seed, the loss of L_hybrid with learned Σ minus that of L_simple with each "
        "fixed Σ, ancestral sampling. Supported if both intervals lie below zero. The same within "
        "the L_hybrid network is given and decides nothing.",
        measure=_few_steps,
    ),
}
