"""What the paper says of sampling with fewer steps: strides, DDIM, and the training batch."""

import math
from collections.abc import Callable, Iterator
from dataclasses import replace

import pandas as pd

from studies.analyses.needs import BATCH
from studies.analyses.sampling_stride.paper import (
    ENOUGH_STEPS,
    MANY_STEPS,
    MUCH_WORSE,
    NEAR_OPTIMAL,
    TRAINING,
)
from studies.judging.comparison import ABOVE_ZERO, BELOW_ZERO, Comparison, Region, compared
from studies.judging.shared import CHAINS_OF_ONE_NETWORK
from studies.judging.verdicts import Claim, Measured, listed
from studies.tables.groupings import is_longest
from studies.tables.intervals import mean
from studies.tables.rows import alike, judged, log_ratios, parted
from studies.tables.table_rows import LEARNED
from studies.tables.tables import Tables

SAMPLING = ("objective", "variance", "sampler", "eta", "stride", "steps")


def _learned(rows: pd.DataFrame, stride: str = "even") -> pd.DataFrame:
    """The rows of L_hybrid, sampled with its learned Σ over strides of one sort."""
    hybrid = rows[(rows["objective"] == "hybrid") & rows["variance"].isin(LEARNED)]
    return hybrid[hybrid["stride"] == stride]


def _ddim(rows: pd.DataFrame, stride: str = "constant") -> pd.DataFrame:
    """The rows of L_simple, sampled by DDIM without noise over strides of one sort."""
    simple = rows[(rows["objective"] == "simple") & (rows["sampler"] == "ddim")]
    return simple[(simple["eta"] == 0) & (simple["stride"] == stride)]


def _distances(what: str, above: pd.DataFrame, below: pd.DataFrame, region: Region) -> Comparison:
    """Two arms by the log ratio of their distances, averaged over the step counts of both."""
    counts = _common(above, below)
    ratios = log_ratios([(above[above["steps"] == n], below[below["steps"] == n]) for n in counts])
    return Comparison(
        what=what,
        values=ratios,
        unit="log ratio",
        region=region,
        networks=(above, below),
        detail=f"distances are ×{math.exp(mean(ratios)):.3g} of the other's",
    )


def _common(above: pd.DataFrame, below: pd.DataFrame) -> list[int]:
    """The step counts that both arms ask for, in order."""
    return sorted(set(above["steps"].astype(int)) & set(below["steps"].astype(int)))


# ------------------------------------------------------------------------------------ few steps


def _hundred_suffice(tables: Tables) -> Measured:
    return compared(
        _hundred_against_most(judged(tables, "frechet_distance")),
        f"L_hybrid with learned Σ at {ENOUGH_STEPS} and at more steps",
    )


def _hundred_against_most(rows: pd.DataFrame) -> Iterator[Comparison]:
    for name, group in alike(rows[is_longest(rows)], "stride", "steps"):
        learned = _learned(group)
        most = max(learned["steps"].astype(int), default=0)
        few, full = (arm.assign(steps=0) for arm in parted(learned, "steps", ENOUGH_STEPS, most))
        if len(few) and most > ENOUGH_STEPS:
            what = f"log FD at {ENOUGH_STEPS} steps minus that at {most:,}, {name}"
            yield _distances(what, few, full, Region(high=math.log(NEAR_OPTIMAL)))


# --------------------------------------------------------------------------------------- strides


def _even_against_constant(
    tables: Tables, arm: Callable[[pd.DataFrame, str], pd.DataFrame], of: str, region: Region
) -> Measured:
    found: list[Comparison] = []
    for name, group in alike(judged(tables, "frechet_distance"), "stride", "steps"):
        even, constant = arm(group, "even"), arm(group, "constant")
        if counts := _common(even, constant):
            steps = f"{listed(counts)} steps"
            what = f"log FD with an even stride minus a constant one, {name}, {steps}"
            found.append(_distances(what, even, constant, region))
    return compared(found, f"{of} over an even and over a constant stride")


def _even_hurts_ddim(tables: Tables) -> Measured:
    return _even_against_constant(tables, _ddim, "DDIM", Region(low=math.log(MUCH_WORSE)))


def _even_helps_ancestral(tables: Tables) -> Measured:
    found = _even_against_constant(tables, _learned, "L_hybrid with learned Σ", BELOW_ZERO)
    slightly = [replace(one, matters=0.0) for one in found.measurements]  # the paper's word
    return replace(found, measurements=slightly)


# ------------------------------------------------------------------------- DDIM against learned Σ


def _ddim_below_fifty(tables: Tables) -> Measured:
    found: list[Comparison] = []
    for name, group in alike(judged(tables, "frechet_distance"), *SAMPLING):
        ddim, learned = _ddim(group), _learned(group)
        counts = _common(ddim, learned)
        few = [count for count in counts if count < MANY_STEPS]
        many = [count for count in counts if count > MANY_STEPS]
        for some, region in ((few, BELOW_ZERO), (many, ABOVE_ZERO)) if few and many else ():
            what = f"log FD of L_simple by DDIM minus L_hybrid{name}, {listed(some)} steps"
            found.append(_distances(what, ddim[ddim["steps"].isin(some)], learned, region))
    return compared(found, f"DDIM and L_hybrid below and above {MANY_STEPS} steps")


# ----------------------------------------------------------------------------- the training batch

BATCHED = (
    ("L_hybrid, learned Σ", _learned, BELOW_ZERO),
    ("L_simple, DDIM", _ddim, ABOVE_ZERO),
)
"""Each arm, its rows, and where the claim puts its distance with large batches over small ones."""


def _batch(tables: Tables) -> Measured:
    rows = judged(tables, "frechet_distance")
    if BATCH not in rows:
        return Measured([], ["networks trained with batches of two sizes"])
    found: list[Comparison | str] = []
    lacking = {arm: None for arm, _, _ in BATCHED}
    for name, group in alike(rows, *SAMPLING, *TRAINING):
        smallest, largest = group[BATCH].min(), group[BATCH].max()
        for arm, pick, region in BATCHED if smallest < largest else ():
            large, small = parted(pick(group), BATCH, largest, smallest)
            if not (counts := _common(large, small)):
                continue
            lacking.pop(arm, None)
            what = (
                f"log FD with batches of {largest} minus of {smallest}, {arm}{name}, "
                f"{listed(counts)} steps"
            )
            found.append(_distances(what, large, small, region))
    nothing = "networks trained with batches of two sizes, sampled alike"
    found += [f"{arm}: {nothing}" for arm in lacking] if found else []
    return compared(found, nothing)


CLAIMS: dict[str, Claim] = {
    "hundred_steps_are_nearly_enough": Claim(
        says=f"With learned Σ, {ENOUGH_STEPS} sampling steps give near-optimal quality.",
        source="Section 4 and Fig. 8",
        method="L_hybrid with its learned Σ over an even stride: log of the mean Fréchet distance "
        f"at {ENOUGH_STEPS} steps over that at the most steps, paired by seed, of networks trained "
        "to the end. Supported if the interval lies "
        f"below log {NEAR_OPTIMAL:g} = {math.log(NEAR_OPTIMAL):.3f}, fixed beforehand.",
        measure=_hundred_suffice,
        shared=CHAINS_OF_ONE_NETWORK,
        of_trained=True,
    ),
    "even_stride_hurts_ddim": Claim(
        says="DDIM needs its own constant stride: over the paper's even one its quality is much "
        "worse.",
        source="Section 4",
        method="L_simple sampled by DDIM with η = 0: log of the Fréchet distance with the even "
        "stride minus that with the constant one, averaged over the step counts that have both, "
        f"paired by seed. Much worse is a distance {MUCH_WORSE:g} times as large, more than what "
        "is still near-optimal, fixed beforehand: supported if the interval lies above the log of "
        "that, contradicted if it lies below.",
        measure=_even_hurts_ddim,
    ),
    "even_stride_helps_ancestral_sampling": Claim(
        says="Ancestral sampling does slightly better over the paper's even stride than over a "
        "constant one.",
        source="Section 4",
        method="L_hybrid with its learned Σ: log of the Fréchet distance with the even stride "
        "minus that with the constant one, averaged over the step counts that have both, per "
        "seed. Supported if the interval lies below zero.",
        measure=_even_helps_ancestral,
    ),
    "ddim_wins_below_fifty_steps": Claim(
        says=f"With fewer than {MANY_STEPS} steps DDIM gives the better samples, with more "
        "L_hybrid with its learned Σ.",
        source="Section 4, Appendix B and Figs. 8 and 11",
        method="Log of the Fréchet distance of L_simple by DDIM (constant stride) minus that of "
        f"L_hybrid with learned Σ (even stride), averaged over the step counts below {MANY_STEPS}, "
        "and over those above, per seed. Supported if the first interval lies below zero and the "
        "second above.",
        measure=_ddim_below_fifty,
        of_trained=True,
    ),
    "large_batches_help_hybrid_not_ddim": Claim(
        says="At equal numbers of images seen, L_hybrid gains from large batches at a high "
        "learning rate, while DDIM prefers small ones at a low rate.",
        source="Appendix B and Fig. 11",
        method="Log of the Fréchet distance of networks trained with the largest batches minus "
        "those with the smallest, averaged over the step counts that have both, per seed. "
        "Supported if the interval lies below zero for L_hybrid with learned Σ and above zero for "
        "L_simple by DDIM.",
        measure=_batch,
    ),
}
