"""What the paper says of an ensemble of an L_hybrid and an L_vlb network (App. D)."""

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

import pandas as pd

from iddpm.config import Ends
from studies.analyses.hybrid_vlb_ensemble.paper import APPENDIX_D
from studies.analyses.sigma_ablation.claims import MARGIN
from studies.judging.importance import lack_of_importance, remarks
from studies.judging.verdicts import Claim, Measured, Measurement, Untold
from studies.published.published import ENSEMBLE
from studies.tables.groupings import arm_columns, by_seed
from studies.tables.intervals import paired_differences, t_interval
from studies.tables.labels import is_ensemble
from studies.tables.rows import asked, mean, named, term_log_ratios
from studies.tables.tables import Tables

SHARE = Ends().share

# ----------------------------------------------------------------------------- term by term

REGIONS = (
    f"the first {SHARE:.1%} of the steps",
    "the steps between",
    f"the last {SHARE:.1%} of the steps",
)
TERMS = "log of L_hybrid's terms over L_vlb's, mean over"


def _hybrid_in_the_middle(tables: Tables) -> Measured:
    ratios = term_log_ratios(tables)
    bounds = asked(tables, "bits_per_dim")
    vlb = bounds[bounds["objective"] == "vlb"]
    measurements: list[Measurement] = []
    missing: list[str] = []
    for name, pair in ratios.groupby("compared", sort=False):
        found = [_over_region(region, str(name), pair) for region in range(len(REGIONS))]
        lack = lack_of_importance(vlb[vlb["T"].isin(pair["T"])], f"L_vlb{name}")
        measurements += [replace(m, decides=False) for m in found] if lack else found
        missing += [Untold(lack)] if lack else []
    if not measurements:
        missing = [f"{TERMS} {where}" for where in REGIONS]
    return Measured(measurements, missing)


def _over_region(region: int, name: str, pair: pd.DataFrame) -> Measurement:
    steps = Ends().inner_steps(int(pair["T"].iloc[0]))
    place = (pair["step"] >= steps.start).astype(int) + (pair["step"] >= steps.stop)
    by_seed = pair[place == region].groupby("seed")["log_ratio"]
    means = [float(value) for value in by_seed.mean()]
    middle = region == 1
    return Measurement(
        what=f"{TERMS} {REGIONS[region]}{name}",
        interval=t_interval(means),
        unit="log ratio",
        low=-math.inf if middle else 0.0,
        high=0.0 if middle else math.inf,
        detail=f"L_hybrid's are ×{math.exp(math.fsum(means) / len(means)):.3g}",
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
    without = ("objective", "variance", "train.timesteps", *ENSEMBLE)
    for context, arms in named(rows, arm_columns(rows, without=without)):
        together = arms.apply(is_ensemble, axis=1).astype(bool)
        alone = {
            objective: arms[~together & (arms["objective"] == objective)]
            for objective in ("hybrid", "vlb")
        }
        if together.any() and all(len(arm) for arm in alone.values()):
            yield _Trio(context, arms[together], alone)


NAMES = {"hybrid": "L_hybrid", "vlb": "L_vlb"}


def _lower_nll(tables: Tables) -> Measured:
    measurements: list[Measurement] = []
    missing: list[str] = []
    for trio in _trios(asked(tables, "bits_per_dim")):
        lack = lack_of_importance(*trio.vlb)
        missing += [Untold(lack)] if lack else []
        for objective, alone in trio.alone.items():
            what = f"bits/dim of the ensemble minus that of {NAMES[objective]}{trio.context}"
            together, single = by_seed(trio.ensemble), by_seed(alone)
            differences = paired_differences(together, single)
            if not differences:
                missing.append(what)
                continue
            measurements.append(
                Measurement(
                    what=what,
                    interval=t_interval(list(differences.values())),
                    unit="bits/dim",
                    high=0.0,
                    decides=not lack,
                    detail=f"{mean(together):.4g} against {mean(single):.4g} bits/dim",
                )
            )
    if not measurements and not missing:
        missing = ["bits/dim of an ensemble and of its two networks"]
    return Measured(measurements, missing)


def _quality_of_hybrid(tables: Tables) -> Measured:
    measurements: list[Measurement] = []
    missing: list[str] = []
    said: list[str] = []
    for trio in _trios(asked(tables, "frechet_distance")):
        said += remarks(*trio.vlb)
        for objective, alone in trio.alone.items():
            found = _relative_difference(trio, objective, alone)
            measurements += [found] if found else []
            if not found and objective == "hybrid":
                missing.append(f"FD of the ensemble and of L_hybrid{trio.context}")
    if not measurements and not missing:
        missing = ["FD of an ensemble and of its two networks"]
    return Measured(measurements, missing, said)


def _relative_difference(trio: _Trio, objective: str, alone: pd.DataFrame) -> Measurement | None:
    together, single = by_seed(trio.ensemble), by_seed(alone)
    relative = [
        difference / ((together[seed] + single[seed]) / 2)
        for seed, difference in paired_differences(together, single).items()
    ]
    if not relative:
        return None
    decides = objective == "hybrid"
    return Measurement(
        what=f"FD of the ensemble minus that of {NAMES[objective]} over their mean{trio.context}",
        interval=t_interval(relative),
        unit="%",
        low=-MARGIN if decides else -math.inf,
        high=MARGIN if decides else 0.0,
        decides=decides,
        detail=f"mean FD {mean(together):.3g} against {mean(single):.3g}",
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
        f"the same step, averaged over the first {SHARE:.1%} of the steps, over the last, and over "
        "those between, per seed. Supported if the intervals of the first two lie above zero and "
        f"that of the third below.{_BEGUN}",
        measure=_hybrid_in_the_middle,
    ),
    "ensemble_lowers_nll": Claim(
        says="An ensemble, L_vlb's network at the ends and L_hybrid's between, gives fewer "
        "bits/dim than either network alone.",
        source="Appendix D",
        method="Bits/dim of the ensemble minus that of each of its networks, per seed, on the same "
        "images and noise. Supported if both intervals lie below zero. In the paper, on ImageNet "
        f"64: {APPENDIX_D['bits_per_dim']} against 3.57 (L_hybrid) and 3.53 (L_vlb)." + _BEGUN,
        measure=_lower_nll,
    ),
    "ensemble_keeps_hybrid_quality": Claim(
        says="The ensemble's samples are about as good as those of L_hybrid's network alone.",
        source="Appendix D",
        method="Fréchet distance of the ensemble minus that of the L_hybrid network over the mean "
        "of the two, per seed, samples from the same noise. About as good means within "
        f"±{MARGIN:.0%}, fixed beforehand: supported if the whole interval lies inside. The same "
        "against the L_vlb network is given and decides nothing. In the paper, on ImageNet 64: "
        f"FID {APPENDIX_D['frechet_distance']} against 19.2 (L_hybrid) and 40.1 (L_vlb).",
        measure=_quality_of_hybrid,
    ),
}
