"""What the paper says of the bound taken over fewer steps than the network was trained with."""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

from studies.analyses.needs import FEW_STEPS, FEW_STEPS_SHARE
from studies.analyses.nll_stride.paper import GREATLY_WORSE, MOST_OF_A_LOSS, PLUS
from studies.judging.comparison import ABOVE_ZERO, BELOW_ZERO, Comparison, Region, compared
from studies.judging.pairs import SIMPLE_BASELINES, Pair, against_fixed
from studies.judging.shared import BOUNDS_OF_ONE_NETWORK
from studies.judging.verdicts import Claim, Measured, listed
from studies.tables.groupings import by_seed
from studies.tables.intervals import Made, paired_differences, paired_log_ratios
from studies.tables.rows import alike, asked, series_by_seed, with_own_variance
from studies.tables.tables import Tables

FEW = f"at most {FEW_STEPS} steps"


@dataclass(frozen=True, slots=True)
class _Arm:
    """One network read with one Σ: bits/dim by stride, a table of seeds by step counts."""

    name: str
    T: int
    rows: pd.DataFrame
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
    for name, arm in alike(rows, "steps", "stride"):
        yield _Arm(name, int(arm["T"].iloc[0]), arm, _curves(arm, "even"), _curves(arm, PLUS))


def _curves(arm: pd.DataFrame, stride: str) -> pd.DataFrame:
    """Bits/dim by seed (rows) and step count (columns); by any stride T steps are the whole."""
    rows = _of_stride(arm, stride)
    return rows.assign(value=rows["value"].astype(float)).pivot(
        index="seed", columns="steps", values="value"
    )


def _of_stride(arm: pd.DataFrame, stride: str) -> pd.DataFrame:
    rows = arm[(arm["stride"] == stride) | (arm["steps"] == arm["T"])]
    return rows.drop_duplicates(["seed", "steps"])


def _at(arm: pd.DataFrame, stride: str, counts: list[int]) -> list[Made]:
    """The bounds of one stride by seed, at each of these step counts."""
    rows = _of_stride(arm, stride)
    return [by_seed(rows[rows["steps"] == count]) for count in counts]


def _shared(one: pd.DataFrame, other: pd.DataFrame) -> list[int]:
    """The step counts of both, in order."""
    return sorted({int(str(count)) for count in one} & {int(str(count)) for count in other})


# ------------------------------------------------------------------- the even stride, and its cure


def _costs(tables: Tables) -> Measured:
    return _of_few_steps(tables, "bits/dim with an even stride", _growth)


def _wins_back(tables: Tables) -> Measured:
    return _of_few_steps(tables, "what the first steps win back", _repair)


def _of_few_steps(
    tables: Tables, what: str, compare: Callable[[_Arm, str], Comparison]
) -> Measured:
    found: list[Comparison | str] = []
    for arm in _arms(tables):
        lacking = f"{what} at {FEW} and at all {arm.T:,}, {arm.name}"
        whole = arm.T in arm.even.columns
        found.append(compare(arm, lacking) if arm.few and whole else lacking)
    return compared(found, f"{what} at {FEW} and at all T")


def _growth(arm: _Arm, lacking: str) -> Comparison:
    """How much the even stride worsens the bound."""
    rows = arm.even[[*arm.few, arm.T]].dropna()
    means = ", ".join(f"{rows[count].mean():.4g}" for count in arm.few)
    *few, whole = _at(arm.rows, "even", [*arm.few, arm.T])
    growth = Made(series_by_seed(np.log(rows[arm.few].div(rows[arm.T], axis=0)).mean(axis=1)))
    return Comparison(
        what=f"bits/dim at {listed(arm.few)} even steps against all {arm.T:,}, {arm.name}",
        values=growth.by("mean", *(paired_log_ratios(one, whole) for one in few)),
        unit="log ratio",
        region=Region(low=math.log1p(GREATLY_WORSE)),
        detail=f"{means} against {rows[arm.T].mean():.4g} bits/dim",
        missing=lacking,
    )


def _repair(arm: _Arm, lacking: str) -> Comparison:
    """How much more than half the loss the first steps win back."""
    seeds = arm.even[[*arm.few, arm.T]].dropna().index
    plus = arm.plus.loc[arm.plus.index.intersection(seeds), arm.few].dropna()
    even, whole = arm.even.loc[plus.index, arm.few], arm.even.loc[plus.index, arm.T]
    lost = even.mean(axis=1) - whole
    won = (even - plus).mean(axis=1)
    *at_even, at_all = _at(arm.rows, "even", [*arm.few, arm.T])
    losses = [paired_differences(one, at_all) for one in at_even]
    pairs = zip(at_even, _at(arm.rows, PLUS, arm.few), strict=True)
    gains = [paired_differences(*pair) for pair in pairs]
    surplus = Made(series_by_seed(won - MOST_OF_A_LOSS * lost)).by(
        "difference",
        Made().by("mean", *gains),
        Made().by("times", MOST_OF_A_LOSS, Made().by("mean", *losses)),
    )
    return Comparison(
        what=f"won back by every t up to T/K, minus half of what an even stride loses, at "
        f"{listed(arm.few)} steps, {arm.name}",
        values=surplus,
        unit="bits/dim",
        region=ABOVE_ZERO,
        detail=f"{won.mean():.4g} of {lost.mean():.4g} bits/dim lost",
        missing=lacking,
    )


# --------------------------------------------------------------------------------- the learned Σ


def _learned_is_best(tables: Tables) -> Measured:
    rows = with_own_variance(asked(tables, "bits_per_dim"))
    rows = rows[(rows["stride"] == PLUS) | (rows["steps"] == rows["T"])]
    apart = ("objective", "variance", "steps", "stride")
    return against_fixed(rows, apart, SIMPLE_BASELINES, _largest_difference)


def _largest_difference(pair: Pair) -> Comparison | str:
    """The learned Σ minus a fixed one where it does worst."""
    ours, theirs = (_curves(arm, PLUS) for arm in pair.arms)
    steps = _shared(ours, theirs)
    if not steps:
        return pair.name
    differences = (ours[steps] - theirs[steps]).dropna()
    means = differences.mean()
    worst = steps[int(means.to_numpy().argmax())]
    pairs = zip(*(_at(arm, PLUS, steps) for arm in pair.arms), strict=True)
    each = [paired_differences(*of_one) for of_one in pairs]
    return Comparison(
        what=f"largest difference over {listed(steps)} steps, {pair.name}",
        values=Made(series_by_seed(differences.max(axis=1))).by("most", *each),
        unit="bits/dim",
        region=BELOW_ZERO,
        networks=pair.arms,
        detail=f"on average largest at {worst:,} steps, {means.max():.4g} bits/dim",
        missing=pair.name,
    )


CLAIMS: dict[str, Claim] = {
    "even_stride_costs_likelihood": Claim(
        says="Taken over few steps at an even stride, the bound is drastically worse than over all "
        "of them.",
        source="Appendix E",
        method="For each network, with its learned Σ or else with each fixed one: the natural log "
        f"of bits/dim at an even stride over that at all T steps, averaged over {FEW}, per seed. "
        f"Supported if every interval lies above {math.log1p(GREATLY_WORSE):.3f}, a growth of "
        f"{GREATLY_WORSE:.0%}, fixed beforehand.",
        measure=_costs,
        shared=BOUNDS_OF_ONE_NETWORK,
    ),
    "first_steps_win_back_likelihood": Claim(
        says="To add every t up to T/K to the K even steps greatly improves the bound.",
        source="Appendix E and Fig. 15",
        method=f"For each network as above, averaged over {FEW}, per seed: bits/dim that the added "
        "steps save, minus half of the bits/dim that the even stride loses against all T steps. "
        "Supported if every interval lies above zero: greatly means most of the loss, fixed "
        "beforehand. K counts the steps asked for; the added ones cost up to T/K network calls.",
        measure=_wins_back,
        shared=BOUNDS_OF_ONE_NETWORK,
    ),
    "learned_sigma_has_the_best_short_bound": Claim(
        says="Learned Σ gives the fewest bits/dim over few steps as well as over all of them.",
        source="Section 3.1, Tables 1 and 2, carried to the steps of Fig. 15",
        method="At every step count, even steps and every t up to T/K: bits/dim of L_hybrid with "
        "its learned Σ minus those of L_simple with β, and with β̃; per seed the largest of these "
        "differences. Supported if both intervals lie below zero. The curves of Fig. 15 are not on "
        "record here: the claim carries the order of the tables to fewer steps.",
        measure=_learned_is_best,
        shared=BOUNDS_OF_ONE_NETWORK,
        of_trained=True,
    ),
}
