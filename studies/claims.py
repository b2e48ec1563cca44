"""The claims of the paper, each as a predicate over a study's tables.

A claim says in which region a quantity lies. Its 95% interval over seeds decides: wholly inside the
region supports the claim, wholly outside contradicts it, anything else leaves it open. A claim with
several deciding quantities is supported only if all are inside, and contradicted as soon as one
is outside. One seed has no spread and an exact quantity has no need of one.
"""

import math
from collections.abc import Callable, Iterable, Iterator
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
FIRST_SHARE_OF = f"share of the bound in the first {FIRST_SHARE:.0%} of steps,"
LEARNED = ("range", "learned")
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
    measurements = [
        Measurement(
            what=f"{FIRST_SHARE_OF} {name}",
            interval=t_interval(list(_first_shares(arm).values())),
            unit="%",
            low=0.5,
        )
        for name, arm in _named(terms, arm_columns(terms))
    ]
    bounds = _asked(tables, "bits_per_dim")
    missing = [
        f"{FIRST_SHARE_OF} {name}"
        for name, arm in _named(bounds, arm_columns(bounds))
        if not by_seed(arm)
    ]
    return Measured(measurements, missing if len(bounds) else [f"{FIRST_SHARE_OF} any network"])


def _first_shares(arm: pd.DataFrame) -> dict[int, float]:
    """By seed: what the first steps' terms add up to, over the whole bound (prior included)."""
    first = arm[arm["step"] < FIRST_SHARE * arm["T"]]  # the prior stands at step T
    shares = first.groupby("seed")["mean"].sum() / arm.groupby("seed")["mean"].sum()
    return {int(str(seed)): float(share) for seed, share in shares.items()}


# --------------------------------------------------------------------- a learned Σ against a fixed


@dataclass(frozen=True, slots=True)
class _Baseline:
    """What a learned Σ is compared with. Within the L_hybrid network nothing is decided."""

    objective: str
    variance: str
    decides: bool

    def __str__(self) -> str:
        name = f"{OBJECTIVES[self.objective]}, {VARIANCES[self.variance]}"
        return f"L_hybrid, {VARIANCES['range']} minus {name}"


BASELINES = (
    _Baseline("simple", "beta", True),
    _Baseline("simple", "beta_tilde", True),
    _Baseline("hybrid", "beta", False),
    _Baseline("hybrid", "beta_tilde", False),
)


@dataclass(frozen=True, slots=True)
class _Pair:
    """Two arms of a study that differ in nothing else than the claim says, done or not."""

    context: str
    """What tells the pair from others of the same baseline; empty where there are none."""
    baseline: _Baseline
    learned: pd.DataFrame
    fixed: pd.DataFrame

    @property
    def name(self) -> str:
        return f"{self.baseline}{self.context}"

    @property
    def steps(self) -> list[int]:
        """Step counts at which both are to be sampled."""
        return sorted(set(self.learned["steps"].astype(int)) & set(self.fixed["steps"].astype(int)))

    @property
    def few_steps(self) -> list[int]:
        """Those of at most T/20; none if there are no more steps to hold them against."""
        few = [
            count for count in self.steps if count <= FEW_STEPS_SHARE * self.learned["T"].iloc[0]
        ]
        return few if few != self.steps else []


def _pairs(rows: pd.DataFrame, *, without: tuple[str, ...]) -> Iterator[_Pair]:
    """Every pair that the study asks for; in the columns of `without` its two arms may differ."""
    for context, arms in _named(rows, arm_columns(rows, without=without)):
        hybrid = arms[arms["objective"] == "hybrid"]
        learned = hybrid[hybrid["variance"].isin(LEARNED)]
        for baseline in BASELINES:
            ours, theirs = baseline.objective, baseline.variance
            fixed = arms[(arms["objective"] == ours) & (arms["variance"] == theirs)]
            if len(learned) and len(fixed):
                yield _Pair(context, baseline, learned, fixed)


def _collected(found: Iterable[tuple[_Pair, Measurement | None]]) -> Measured:
    """The measurements, and the deciding pairs that lack one, or that the study does not hold."""
    pairs = list(found)
    asked = {pair.baseline for pair, _ in pairs}
    missing = [pair.name for pair, measured in pairs if pair.baseline.decides and not measured]
    missing += [
        str(baseline) for baseline in BASELINES if baseline.decides and baseline not in asked
    ]
    return Measured([measured for _, measured in pairs if measured], missing)


# ------------------------------------------------------------------------- quality of the samples


def _minor_at_many_steps(tables: Tables) -> Measured:
    scores = _ancestral(tables)
    measurements, missing = [], []
    for name, arms in _named(scores, arm_columns(scores, without=("variance", "steps"))):
        steps = _steps(arms, "beta") & _steps(arms, "beta_tilde")
        if steps:
            found = _relative_difference(name, arms[arms["steps"] == max(steps)])
            measurements += [found] if found else []
            missing += [] if found else [f"{name} with β and β̃ at {max(steps):,} steps"]
    if not measurements and not missing:
        missing = ["β and β̃ of one network, sampled alike"]
    return Measured(measurements, missing)


def _steps(arms: pd.DataFrame, variance: str) -> set[int]:
    """Step counts at which the arms were to be sampled with this variance."""
    return {int(count) for count in arms[arms["variance"] == variance]["steps"]}


def _relative_difference(name: str, arms: pd.DataFrame) -> Measurement | None:
    beta, tilde = (by_seed(arms[arms["variance"] == v]) for v in ("beta", "beta_tilde"))
    relative = [
        difference / ((beta[seed] + tilde[seed]) / 2)
        for seed, difference in paired_differences(beta, tilde).items()
    ]
    if not relative:
        return None
    return Measurement(
        what=f"FD(β) minus FD(β̃) over their mean at {arms['steps'].iloc[0]:,} steps, {name}",
        interval=t_interval(relative),
        unit="%",
        low=-MARGIN,
        high=MARGIN,
        detail=f"mean FD {_mean(beta):.3g} with β, {_mean(tilde):.3g} with β̃",
    )


def _ancestral(tables: Tables) -> pd.DataFrame:
    scores = _asked(tables, "frechet_distance")
    return scores[scores["sampler"] == "ancestral"]


def _few_steps(tables: Tables) -> Measured:
    pairs = _pairs(_ancestral(tables), without=("objective", "variance", "steps"))
    return _collected((pair, _loss_difference(pair)) for pair in pairs if pair.few_steps)


def _loss_difference(pair: _Pair) -> Measurement | None:
    """How much less the learned Σ loses by taking few steps; None where that is not measured."""
    few, most = pair.few_steps, max(pair.steps)
    learned, fixed = (_degradation(arm, few, most) for arm in (pair.learned, pair.fixed))
    differences = paired_differences(learned, fixed)
    if not differences:
        return None
    return Measurement(
        what=f"loss at {_listed(few)} steps against {most:,}, {pair.name}",
        interval=t_interval(list(differences.values())),
        unit="log ratio",
        high=0.0,
        decides=pair.baseline.decides,
        detail=f"FD grows ×{math.exp(_mean(learned)):.3g} with learned Σ, "
        f"×{math.exp(_mean(fixed)):.3g} with {VARIANCES[pair.baseline.variance]}",
    )


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


# ------------------------------------------------------------------------------------- bits/dim


def _lower_nll(tables: Tables) -> Measured:
    pairs = _pairs(_asked(tables, "bits_per_dim"), without=("objective", "variance"))
    return _collected((pair, _bound_difference(pair)) for pair in pairs)


def _bound_difference(pair: _Pair) -> Measurement | None:
    learned, fixed = by_seed(pair.learned), by_seed(pair.fixed)
    differences = paired_differences(learned, fixed)
    if not differences:
        return None
    return Measurement(
        what=pair.name,
        interval=t_interval(list(differences.values())),
        unit="bits/dim",
        high=0.0,
        decides=pair.baseline.decides,
        detail=f"{_mean(learned):.4g} against {_mean(fixed):.4g} bits/dim",
    )


# ------------------------------------------------------------------------------------- groupings


def _asked(tables: Tables, metric: str) -> pd.DataFrame:
    """The rows of one metric, whether they have a value or not."""
    return tables.results[tables.results["metric"] == metric]


def _mean(values: dict[int, float]) -> float:
    return sum(values.values()) / len(values)


def _named(table: pd.DataFrame, columns: list[str]) -> Iterator[tuple[str, pd.DataFrame]]:
    """Each group of rows with equal columns, and what tells it from the others.

    Rows of different recipes are never in one group; rows that have none yet are in each.
    """
    for (_, name), group in labelled(table, columns).groupby(["rank", "arm"]):
        recipes = group["recipe"]
        for recipe in recipes.dropna().unique() if recipes.notna().any() else [None]:
            yield str(name), group[recipes.isna() | (recipes == recipe)]


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
