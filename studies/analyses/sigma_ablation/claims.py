"""What the paper says of the choice of Σ: quality of samples, bits/dim, and the v of Eq. 15."""

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import pandas as pd

from studies.judging.verdicts import Claim, Measured, Measurement, listed
from studies.tables.groupings import arm_columns, by_seed, is_longest
from studies.tables.intervals import paired_differences, t_interval
from studies.tables.labels import OBJECTIVES, VARIANCES
from studies.tables.rows import asked, mean, named
from studies.tables.table_rows import LEARNED
from studies.tables.tables import OUTSIDE_RANGE, Tables

MARGIN = 0.10
"""Largest relative difference in Fréchet distance that still counts as minor."""
FEW_STEPS_SHARE = 1 / 20
"""A chain has few steps if it has at most this share of T."""

# ------------------------------------------------------------------------ a learned Σ and a fixed


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
    for context, arms in named(rows, arm_columns(rows, without=without)):
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
    for name, arms in named(scores, arm_columns(scores, without=("variance", "steps"))):
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
        detail=f"mean FD {mean(beta):.3g} with β, {mean(tilde):.3g} with β̃",
    )


def _ancestral(tables: Tables) -> pd.DataFrame:
    """The distances of ancestral samples, of networks that were trained to the end."""
    scores = asked(tables, "frechet_distance")
    return scores[(scores["sampler"] == "ancestral") & is_longest(scores)]


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
        what=f"loss at {listed(few)} steps against {most:,}, {pair.name}",
        interval=t_interval(list(differences.values())),
        unit="log ratio",
        high=0.0,
        decides=pair.baseline.decides,
        detail=f"FD grows ×{math.exp(mean(learned)):.3g} with learned Σ, "
        f"×{math.exp(mean(fixed)):.3g} with {VARIANCES[pair.baseline.variance]}",
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
    pairs = _pairs(asked(tables, "bits_per_dim"), without=("objective", "variance"))
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
        detail=f"{mean(learned):.4g} against {mean(fixed):.4g} bits/dim",
    )


HARDLY_EVER = 0.001


def _within_range(tables: Tables) -> Measured:
    rows = asked(tables, OUTSIDE_RANGE)
    measurements, missing = [], []
    for name, arm in named(rows, arm_columns(rows)):
        what = f"share of v below 0 or above 1, {name}"
        if values := list(by_seed(arm).values()):
            interval = t_interval(values)
            measurements.append(
                Measurement(what=what, interval=interval, unit="%", high=HARDLY_EVER)
            )
        else:
            missing.append(what)
    return Measured(measurements, missing if len(rows) else ["a network that learns Σ in a range"])


CLAIMS: dict[str, Claim] = {
    "sigma_choice_is_minor_at_many_steps": Claim(
        says="With many sampling steps, β and β̃ as Σ give samples of about the same quality.",
        source="Section 3.1 and Fig. 8",
        method="For each network, trained to its end: Fréchet distance with β minus that with β̃ "
        "over the mean of the two, per seed, at the largest number of steps at which both were "
        "sampled. Minor means "
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
        "fixed Σ, ancestral sampling of networks trained to their end. Supported if both intervals "
        "lie below zero. The same within the L_hybrid network is given and decides nothing.",
        measure=_few_steps,
    ),
    "learned_v_stays_in_range": Claim(
        says="Nothing holds the v that Σ is interpolated by to [0, 1], and yet networks do not "
        "leave the range: Σ stays between β and β̃.",
        source="Section 3.1",
        method="Share of all v, over every test image, dimension and step, that lie below 0 or "
        f"above 1, per seed. Supported if its interval lies below {HARDLY_EVER:.1%}, fixed "
        "beforehand, for every network that learns Σ in this range; the paper gives no number.",
        measure=_within_range,
    ),
}
