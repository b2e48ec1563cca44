"""What the paper says of the bound taken over fewer steps than the network was trained with."""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pandas as pd

from studies.judging.verdicts import Claim, Measured, Measurement, listed
from studies.tables.groupings import arm_columns
from studies.tables.intervals import t_interval
from studies.tables.labels import OBJECTIVES, VARIANCES
from studies.tables.rows import asked, named, with_own_variance
from studies.tables.table_rows import LEARNED
from studies.tables.tables import Tables

PLUS = "even_plus_first"
FEW_STEPS_SHARE = 1 / 20
"""A bound is over few steps if it is over at most this share of T."""
GREATLY = 0.10
"""Smallest relative growth of bits/dim that counts as great."""
MOST = 0.5
"""Smallest share of a loss that counts as most of it."""
FEW = f"at most T/{1 / FEW_STEPS_SHARE:.0f} steps"


@dataclass(frozen=True, slots=True)
class _Arm:
    """One network read with one Σ: bits/dim by stride, a table of seeds by step counts."""

    name: str
    T: int
    even: pd.DataFrame
    plus: pd.DataFrame

    @property
    def few(self) -> list[int]:
        """The step counts that are few and asked for with both strides."""
        return [
            count for count in _shared(self.even, self.plus) if count <= FEW_STEPS_SHARE * self.T
        ]


def _arms(tables: Tables) -> Iterator[_Arm]:
    rows = with_own_variance(asked(tables, "bits_per_dim"))
    for name, arm in named(rows, arm_columns(rows, without=("steps", "stride"))):
        yield _Arm(name, int(arm["T"].iloc[0]), _curves(arm, "even"), _curves(arm, PLUS))


def _curves(arm: pd.DataFrame, stride: str) -> pd.DataFrame:
    """Bits/dim by seed (rows) and step count (columns); by any stride T steps are the whole."""
    rows = arm[(arm["stride"] == stride) | (arm["steps"] == arm["T"])]
    rows = rows.assign(value=rows["value"].astype(float)).drop_duplicates(["seed", "steps"])
    return rows.pivot(index="seed", columns="steps", values="value")


def _shared(one: pd.DataFrame, other: pd.DataFrame) -> list[int]:
    """The step counts of both, in order."""
    return sorted({int(str(count)) for count in one} & {int(str(count)) for count in other})


# ------------------------------------------------------------------- the even stride, and its cure


def _costs(tables: Tables) -> Measured:
    return _of_few_steps(tables, "bits/dim with an even stride", _growth)


def _wins_back(tables: Tables) -> Measured:
    return _of_few_steps(tables, "what the first steps win back", _repair)


def _of_few_steps(
    tables: Tables, what: str, measure: Callable[[_Arm], Measurement | None]
) -> Measured:
    measurements, missing = [], []
    for arm in _arms(tables):
        whole = arm.T in arm.even.columns
        found = measure(arm) if arm.few and whole else None
        measurements += [found] if found else []
        missing += [] if found else [f"{what} at {FEW} and at all {arm.T:,}, {arm.name}"]
    if not measurements and not missing:
        missing = [f"{what} at {FEW} and at all T"]
    return Measured(measurements, missing)


def _growth(arm: _Arm) -> Measurement | None:
    """How much the even stride worsens the bound; None where that is not measured."""
    rows = arm.even[[*arm.few, arm.T]].dropna()
    if rows.empty:
        return None
    growth = [
        sum(math.log(row[count] / row[arm.T]) for count in arm.few) / len(arm.few)
        for _, row in rows.iterrows()
    ]
    means = ", ".join(f"{rows[count].mean():.4g}" for count in arm.few)
    return Measurement(
        what=f"bits/dim at {listed(arm.few)} even steps against all {arm.T:,}, {arm.name}",
        interval=t_interval(growth),
        unit="log ratio",
        low=math.log1p(GREATLY),
        detail=f"{means} against {rows[arm.T].mean():.4g} bits/dim",
    )


def _repair(arm: _Arm) -> Measurement | None:
    """How much more than half the loss the first steps win back; None where not measured."""
    seeds = arm.even[[*arm.few, arm.T]].dropna().index
    plus = arm.plus.loc[arm.plus.index.intersection(seeds), arm.few].dropna()
    if plus.empty:
        return None
    even, whole = arm.even.loc[plus.index, arm.few], arm.even.loc[plus.index, arm.T]
    lost = even.mean(axis=1) - whole
    won = (even - plus).mean(axis=1)
    return Measurement(
        what=f"won back by every t up to T/K, minus half of what an even stride loses, at "
        f"{listed(arm.few)} steps, {arm.name}",
        interval=t_interval(list(won - MOST * lost)),
        unit="bits/dim",
        low=0.0,
        detail=f"{won.mean():.4g} of {lost.mean():.4g} bits/dim lost",
    )


# --------------------------------------------------------------------------------- the learned Σ


def _learned_is_best(tables: Tables) -> Measured:
    rows = with_own_variance(asked(tables, "bits_per_dim"))
    rows = rows[(rows["stride"] == PLUS) | (rows["steps"] == rows["T"])]
    measurements, missing = [], []
    met = set()
    without = ("objective", "variance", "steps", "stride")
    for context, arms in named(rows, arm_columns(rows, without=without)):
        learned = arms[arms["variance"].isin(LEARNED)]
        learned = learned[learned["objective"] == "hybrid"]
        for variance in ("beta", "beta_tilde"):
            fixed = arms[(arms["objective"] == "simple") & (arms["variance"] == variance)]
            if learned.empty or fixed.empty:
                continue
            met.add(variance)
            found = _largest_difference(f"{_against(variance)}{context}", learned, fixed)
            measurements += [found] if found else []
            missing += [] if found else [f"{_against(variance)}{context}"]
    missing += [_against(variance) for variance in ("beta", "beta_tilde") if variance not in met]
    return Measured(measurements, missing)


def _against(variance: str) -> str:
    ours, theirs = OBJECTIVES["hybrid"], OBJECTIVES["simple"]
    return f"{ours}, {VARIANCES['range']} minus {theirs}, {VARIANCES[variance]}"


def _largest_difference(
    name: str, learned: pd.DataFrame, fixed: pd.DataFrame
) -> Measurement | None:
    """The learned Σ minus a fixed one where it does worst; None if a step count is not measured."""
    ours, theirs = _curves(learned, PLUS), _curves(fixed, PLUS)
    steps = _shared(ours, theirs)
    seeds = ours[steps].dropna().index.intersection(theirs[steps].dropna().index)
    if not len(seeds) or not steps:
        return None
    differences = ours.loc[seeds, steps] - theirs.loc[seeds, steps]
    means = differences.mean()
    worst = steps[int(means.to_numpy().argmax())]
    return Measurement(
        what=f"largest difference over {listed(steps)} steps, {name}",
        interval=t_interval(list(differences.max(axis=1))),
        unit="bits/dim",
        high=0.0,
        detail=f"on average largest at {worst:,} steps, {means.max():.4g} bits/dim",
    )


CLAIMS: dict[str, Claim] = {
    "even_stride_costs_likelihood": Claim(
        says="Taken over few steps at an even stride, the bound is drastically worse than over all "
        "of them.",
        source="Appendix E",
        method="For each network, with its learned Σ or else with each fixed one: the natural log "
        f"of bits/dim at an even stride over that at all T steps, averaged over {FEW}, per seed. "
        f"Supported if every interval lies above {math.log1p(GREATLY):.3f}, a growth of "
        f"{GREATLY:.0%}, fixed beforehand.",
        measure=_costs,
    ),
    "first_steps_win_back_likelihood": Claim(
        says="To add every t up to T/K to the K even steps greatly improves the bound.",
        source="Appendix E and Fig. 15",
        method=f"For each network as above, averaged over {FEW}, per seed: bits/dim that the added "
        "steps save, minus half of the bits/dim that the even stride loses against all T steps. "
        "Supported if every interval lies above zero: greatly means most of the loss, fixed "
        "beforehand. K counts the steps asked for; the added ones cost up to T/K network calls.",
        measure=_wins_back,
    ),
    "learned_sigma_has_the_best_short_bound": Claim(
        says="Learned Σ gives the fewest bits/dim over few steps as well as over all of them.",
        source="Section 3.1, Tables 1 and 2, carried to the steps of Fig. 15",
        method="At every step count, even steps and every t up to T/K: bits/dim of L_hybrid with "
        "its learned Σ minus those of L_simple with β, and with β̃; per seed the largest of these "
        "differences. Supported if both intervals lie below zero. The curves of Fig. 15 are not on "
        "record here: the claim carries the order of the tables to fewer steps.",
        measure=_learned_is_best,
    ),
}
