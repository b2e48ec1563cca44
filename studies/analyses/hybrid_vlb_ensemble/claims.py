"""What the paper says of an ensemble of an L_hybrid and an L_vlb network (App. D)."""

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

import pandas as pd

from iddpm.evaluation.config import Ends
from studies.analyses.hybrid_vlb_ensemble.paper import APPENDIX_D, ENDS_SHARE
from studies.analyses.sigma_ablation.paper import MINOR
from studies.judging.comparison import ABOVE_ZERO, BELOW_ZERO, Comparison, compared, within
from studies.judging.importance import lack_of_importance, remarks
from studies.judging.pairs import Pair, fewer_bits
from studies.judging.verdicts import Claim, Measured
from studies.published.published import ENSEMBLE
from studies.tables.groupings import by_seed
from studies.tables.intervals import Made, log_ratios_of_means, mean
from studies.tables.labels import is_ensemble
from studies.tables.rows import (
    ADDRESSES,
    alike,
    asked,
    judged,
    series_by_seed,
    term_log_ratios,
    terms_by_seed,
)
from studies.tables.tables import Tables

# ----------------------------------------------------------------------------- term by term

REGIONS = (
    f"the first {ENDS_SHARE:.1%} of the steps",
    "the steps between",
    f"the last {ENDS_SHARE:.1%} of the steps",
)
TERMS = "log of L_hybrid's terms over L_vlb's, mean over"


def _hybrid_in_the_middle(tables: Tables) -> Measured:
    bounds = asked(tables, "bits_per_dim")
    bounds = bounds[bounds["objective"].isin(NAMES)]
    found: list[Comparison] = []
    drawn: list[str] = []
    for name, pair in term_log_ratios(tables).groupby("compared", sort=False):
        both = bounds[bounds["T"].isin(pair["T"])]
        network = both[both["objective"] == "vlb"]
        lack = lack_of_importance(network, f"L_vlb{name}")
        drawn += [] if lack else remarks(network, f"L_vlb{name}")
        for place in range(len(REGIONS)):
            one = _over_region(place, str(name), pair, lack)
            found.append(replace(one, networks=(both,)))
    measured = compared(found or [f"{TERMS} {where}" for where in REGIONS])
    return replace(measured, remarks=drawn)


def _over_region(region: int, name: str, pair: pd.DataFrame, lack: str) -> Comparison:
    steps = Ends().inner_steps(int(pair["T"].iloc[0]))
    place = (pair["step"] >= steps.start).astype(int) + (pair["step"] >= steps.stop)
    of_region, ends = pair[place == region], (0, steps.start, steps.stop, int(pair["T"].iloc[0]))
    means = Made(series_by_seed(of_region.groupby("seed")["log_ratio"].mean())).by(
        "log_ratio_of_terms",
        *(terms_by_seed(of_region, address)[0] for address in ADDRESSES),
        *ends[region : region + 2],
    )
    return Comparison(
        what=f"{TERMS} {REGIONS[region]}{name}",
        values=means,
        unit="log ratio",
        region=BELOW_ZERO if region == 1 else ABOVE_ZERO,
        detail=f"L_hybrid's are ×{math.exp(mean(means)):.3g}",
        untold=lack,
    )


# --------------------------------------------------------------------------- against each network


@dataclass(frozen=True, slots=True)
class _Trio:
    """An ensemble and its two networks alone, done or not."""

    context: str
    """What tells the trio from others of the study; empty where there are none."""
    ensemble: pd.DataFrame
    alone: dict[str, pd.DataFrame]
    """By objective."""

    @property
    def vlb(self) -> tuple[pd.DataFrame, str]:
        """The L_vlb network, and its name."""
        return self.alone["vlb"], f"{NAMES['vlb']}{self.context}"


def _trios(rows: pd.DataFrame) -> Iterator[_Trio]:
    """Every ensemble whose networks the study also asks alone."""
    rows = rows[rows["variance"] == "range"]
    for context, arms in alike(rows, "objective", "variance", "train.timesteps", *ENSEMBLE):
        together = arms.apply(is_ensemble, axis=1).astype(bool)
        alone = {name: arms[~together & (arms["objective"] == name)] for name in NAMES}
        if together.any() and all(len(arm) for arm in alone.values()):
            yield _Trio(context, arms[together], alone)


NAMES = {"hybrid": "L_hybrid", "vlb": "L_vlb"}


def _lower_nll(tables: Tables) -> Measured:
    found: list[Comparison] = []
    drawn: list[str] = []
    for trio in _trios(asked(tables, "bits_per_dim")):
        lack = lack_of_importance(*trio.vlb)
        for objective, alone in trio.alone.items():
            names = ("bits/dim of the ensemble", f"that of {NAMES[objective]}")
            pair = Pair(trio.ensemble, alone, names, trio.context)
            both = tuple(trio.alone.values())
            found.append(replace(fewer_bits(pair), untold=lack, networks=both))
        drawn += [] if lack else remarks(*trio.vlb)
    measured = compared(found, "bits/dim of an ensemble and of its two networks")
    return replace(measured, remarks=drawn)


def _quality_of_hybrid(tables: Tables) -> Measured:
    trios = list(_trios(judged(tables, "frechet_distance")))
    found = [_relative_difference(trio, objective) for trio in trios for objective in trio.alone]
    measured = compared(found, "FD of an ensemble and of its two networks")
    return replace(measured, remarks=[said for trio in trios for said in remarks(*trio.vlb)])


def _relative_difference(trio: _Trio, objective: str) -> Comparison:
    together, single = by_seed(trio.ensemble), by_seed(trio.alone[objective])
    is_hybrid = objective == "hybrid"
    return Comparison(
        what=f"log of the FD of the ensemble over that of {NAMES[objective]}{trio.context}",
        values=log_ratios_of_means(together, single),
        unit="log ratio",
        region=within(MINOR) if is_hybrid else BELOW_ZERO,
        decides=is_hybrid,
        networks=tuple(trio.alone.values()),
        detail=f"mean FD {mean(together):.3g} against {mean(single):.3g}",
        missing=f"FD of the ensemble and of L_hybrid{trio.context}",
    )


_BEGUN = (
    " Where the training of L_vlb ended before importance sampling began, the values are given and "
    "decide nothing."
)


CLAIMS: dict[str, Claim] = {
    "hybrid_is_better_between_the_ends": Claim(
        says="At the start and the end of the diffusion process the L_vlb network has the better "
        "terms of the bound, between them the L_hybrid network has.",
        source="Appendix D and Fig. 13",
        method="The natural log of the L_hybrid network's term over that of the L_vlb network at "
        f"the same step, averaged over the first {ENDS_SHARE:.1%} of the steps, over the last, and "
        "over those between, per seed. Supported if the intervals of the first two lie above zero "
        f"and that of the third below.{_BEGUN}",
        measure=_hybrid_in_the_middle,
        of_trained=True,
    ),
    "ensemble_lowers_nll": Claim(
        says="An ensemble, L_vlb's network at the ends and L_hybrid's between, gives fewer "
        "bits/dim than either network alone.",
        source="Appendix D",
        method="Bits/dim of the ensemble minus that of each of its networks, per seed, on the same "
        "images and noise. Supported if both intervals lie below zero. In the paper, on ImageNet "
        f"64: {APPENDIX_D['bits_per_dim']} against 3.57 (L_hybrid) and 3.53 (L_vlb)." + _BEGUN,
        measure=_lower_nll,
        of_trained=True,
    ),
    "ensemble_keeps_hybrid_quality": Claim(
        says="The ensemble's samples are about as good as those of L_hybrid's network alone.",
        source="Appendix D",
        method="The log of the mean Fréchet distance of the ensemble over that of the L_hybrid "
        "network, paired by seed, samples from the same noise. About as good means within a factor "
        f"of {1 + MINOR:g} either way, fixed beforehand: supported if the whole interval lies "
        "inside. The same against the L_vlb network is given and decides nothing. In the paper, on "
        f"ImageNet 64: FID {APPENDIX_D['frechet_distance']} against 19.2 (L_hybrid) and 40.1 "
        "(L_vlb).",
        measure=_quality_of_hybrid,
        of_trained=True,
    ),
}
