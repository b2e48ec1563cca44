"""What the paper says of the choice of Σ: quality of samples, bits/dim, and the v of Eq. 15."""

import math
from collections.abc import Iterator

import pandas as pd

from studies.analyses.needs import FEW_STEPS, FEW_STEPS_SHARE
from studies.analyses.sigma_ablation.paper import HARDLY_EVER, MINOR, NONE
from studies.judging.comparison import BELOW_ZERO, Comparison, Region, compared, within
from studies.judging.pairs import SIMPLE_BASELINES, Baseline, Pair, against_fixed, fewer_bits
from studies.judging.shared import CHAINS_OF_ONE_NETWORK
from studies.judging.verdicts import Claim, Measured, listed
from studies.tables.groupings import by_seed, is_longest
from studies.tables.intervals import (
    log_odds,
    log_odds_of,
    log_ratios_of_means,
    mean,
    paired_differences,
)
from studies.tables.rows import alike, asked, judged, log_ratios, parted
from studies.tables.tables import OUTSIDE_RANGE, Tables

BASELINES = (
    *SIMPLE_BASELINES,
    Baseline("hybrid", "beta", decides=False),
    Baseline("hybrid", "beta_tilde", decides=False),
)
"""What a learned Σ is compared with. Within the L_hybrid network nothing is decided."""

# ------------------------------------------------------------------------- quality of the samples


def _minor_at_many_steps(tables: Tables) -> Measured:
    found = [
        _relative_difference(name, arms, max(steps))
        for name, arms in alike(_ancestral(tables), "variance", "steps")
        if (steps := _common_steps(*parted(arms, "variance", "beta", "beta_tilde")))
    ]
    return compared(found, "β and β̃ of one network, sampled alike")


def _relative_difference(name: str, arms: pd.DataFrame, steps: int) -> Comparison:
    at_most = arms[arms["steps"] == steps]
    beta, tilde = map(by_seed, parted(at_most, "variance", "beta", "beta_tilde"))
    return Comparison(
        what=f"log of FD(β) over FD(β̃) at {steps:,} steps, {name}",
        values=log_ratios_of_means(beta, tilde),
        unit="log ratio",
        region=within(MINOR),
        detail=f"mean FD {mean(beta):.3g} with β, {mean(tilde):.3g} with β̃",
        missing=f"{name} with β and β̃ at {steps:,} steps",
    )


def _common_steps(one: pd.DataFrame, other: pd.DataFrame) -> list[int]:
    """The step counts at which both were to be sampled, in order."""
    return sorted({*one["steps"].astype(int)} & {*other["steps"].astype(int)})


def _ancestral(tables: Tables) -> pd.DataFrame:
    """The distances of ancestral samples, of networks that were trained to the end."""
    scores = judged(tables, "frechet_distance")
    return scores[(scores["sampler"] == "ancestral") & is_longest(scores)]


def _few_steps(tables: Tables) -> Measured:
    apart = ("objective", "variance", "steps")
    return against_fixed(_ancestral(tables), apart, BASELINES, _loss_difference)


def _loss_difference(pair: Pair) -> Comparison | None:
    """How much less the learned Σ loses by taking few steps; None: few or more are not asked."""
    steps = _common_steps(*pair.arms)
    few = [count for count in steps if count <= FEW_STEPS_SHARE * pair.first["T"].iloc[0]]
    if not few or few == steps:
        return None
    learned, fixed = (_degradation(arm, few, steps[-1]) for arm in pair.arms)
    return Comparison(
        what=f"loss at {listed(few)} steps against {steps[-1]:,}, {pair.name}",
        values=paired_differences(learned, fixed),
        unit="log ratio",
        region=BELOW_ZERO,
        decides=pair.decides,
        networks=pair.arms,
        detail=f"FD grows ×{math.exp(mean(learned)):.3g} with learned Σ, "
        f"×{math.exp(mean(fixed)):.3g} with {pair.names[1].rpartition(', ')[2]}",
        missing=pair.name,
    )


def _degradation(arm: pd.DataFrame, few: list[int], most: int) -> dict[int, float]:
    """By seed: the log of FD over FD at the most steps, as a mean over the few step counts."""
    whole = arm[arm["steps"] == most]
    return log_ratios([(arm[arm["steps"] == count], whole) for count in few])


# ------------------------------------------------------------------------------------- bits/dim


def _lower_nll(tables: Tables) -> Measured:
    rows = asked(tables, "bits_per_dim")
    return against_fixed(rows, ("objective", "variance"), BASELINES, fewer_bits)


def _within_range(tables: Tables) -> Measured:
    return compared(_shares_outside(tables), "a network that learns Σ in a range")


def _shares_outside(tables: Tables) -> Iterator[Comparison]:
    for name, arm in alike(asked(tables, OUTSIDE_RANGE)):
        yield Comparison(
            what=f"share of v below 0 or above 1, {name}",
            values=log_odds_of(by_seed(arm), NONE),
            unit="log odds",
            region=Region(high=log_odds(HARDLY_EVER)),
        )


CLAIMS: dict[str, Claim] = {
    "sigma_choice_is_minor_at_many_steps": Claim(
        says="With many sampling steps, β and β̃ as Σ give samples of about the same quality.",
        source="Section 3.1 and Fig. 8",
        method="For each network, trained to its end: the log of the mean Fréchet distance with β "
        "over that with β̃, paired by seed, at the largest number of steps at which both were "
        "sampled. Minor means "
        f"within a factor of {1 + MINOR:g} either way, fixed beforehand: supported if the whole "
        "interval lies inside, contradicted if it lies wholly outside.",
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
        of_trained=True,
    ),
    "learned_sigma_keeps_quality_at_few_steps": Claim(
        says="With learned Σ, fewer sampling steps cost less of the quality of the full chain than "
        "with a fixed Σ.",
        source="Section 4 and Fig. 8",
        method="The loss of an arm is the natural log of its mean Fréchet distance over that at "
        f"the most steps, averaged over the step counts of at most {FEW_STEPS}: 0.69 is a distance "
        "twice as large. Per seed, the loss of L_hybrid with learned Σ minus that of L_simple with "
        "each fixed Σ, ancestral sampling of networks trained to their end. Supported if both "
        "intervals lie below zero. The same within the L_hybrid network is given and decides "
        "nothing.",
        measure=_few_steps,
        shared=CHAINS_OF_ONE_NETWORK,
        of_trained=True,
    ),
    "learned_v_stays_in_range": Claim(
        says="Nothing holds the v that Σ is interpolated by to [0, 1], and yet networks do not "
        "leave the range: Σ stays between β and β̃.",
        source="Section 3.1",
        method="Share of all v, over every test image, dimension and step, that lie below 0 or "
        "above 1, per seed. Supported if its interval, taken on the scale of log odds, lies below "
        f"{HARDLY_EVER:.1%}, fixed beforehand, for every network that learns Σ in this range; the "
        "paper gives no number.",
        measure=_within_range,
    ),
}
