"""What the paper says of sampling with fewer steps: strides, DDIM, and the training batch."""

import math
from collections.abc import Callable, Iterator

import pandas as pd

from studies.judging.verdicts import Claim, Measured, Measurement, listed
from studies.tables.groupings import arm_columns, is_longest
from studies.tables.intervals import t_interval
from studies.tables.rows import asked, log_ratios, mean, named
from studies.tables.table_rows import LEARNED
from studies.tables.tables import Tables

HUNDRED = 100
NEAR = math.log(1.3)
"""Near-optimal: a distance at most 1.3 times as large. The paper's own is 4.0 against 3.2."""
MANY = 50
"""Sampling steps from which on the paper finds DDIM behind."""
SAMPLING = ("objective", "variance", "sampler", "eta", "stride", "steps")
BATCH, LENGTH = "train.batch_size", "train.steps"
TRAINING = (BATCH, "train.optimizer.learning_rate", LENGTH)

Rows = Callable[[pd.DataFrame], pd.DataFrame]


def _learned(rows: pd.DataFrame, stride: str = "even") -> pd.DataFrame:
    """Those of L_hybrid, sampled with its learned Σ over strides of one sort."""
    hybrid = rows[(rows["objective"] == "hybrid") & rows["variance"].isin(LEARNED)]
    return hybrid[hybrid["stride"] == stride]


def _ddim(rows: pd.DataFrame, stride: str = "constant") -> pd.DataFrame:
    """Those of L_simple, sampled by DDIM without noise over strides of one sort."""
    simple = rows[(rows["objective"] == "simple") & (rows["sampler"] == "ddim")]
    return simple[(simple["eta"] == 0) & (simple["stride"] == stride)]


def _groups(tables: Tables, *, without: tuple[str, ...]) -> Iterator[tuple[str, pd.DataFrame]]:
    rows = asked(tables, "frechet_distance")
    yield from named(rows, arm_columns(rows, without=without))


def _compared(
    what: str,
    above: pd.DataFrame,
    below: pd.DataFrame,
    *,
    low: float = -math.inf,
    high: float = math.inf,
) -> Measurement | str:
    """The mean log ratio of two arms' distances; or, while there is none, what is missing."""
    ratios = log_ratios(above, below)
    if not ratios:
        return what
    return Measurement(
        what=what,
        interval=t_interval(list(ratios.values())),
        unit="log ratio",
        low=low,
        high=high,
        detail=f"distances are ×{math.exp(mean(ratios)):.3g} of the other's",
    )


def _common(above: pd.DataFrame, below: pd.DataFrame) -> list[int]:
    return sorted(set(above["steps"].astype(int)) & set(below["steps"].astype(int)))


# ------------------------------------------------------------------------------------ few steps


def _hundred_suffice(tables: Tables) -> Measured:
    found: list[Measurement | str] = []
    distances = asked(tables, "frechet_distance")
    finished = distances[is_longest(distances)]
    for name, group in named(finished, arm_columns(finished, without=("stride", "steps"))):
        rows = _learned(group)
        counts = sorted(set(rows["steps"].astype(int)))
        if HUNDRED not in counts or counts[-1] == HUNDRED:
            continue
        few, most = (rows[rows["steps"] == count] for count in (HUNDRED, counts[-1]))
        what = f"log FD at {HUNDRED} steps minus that at {counts[-1]:,}, {name}"
        found.append(_compared(what, few.assign(steps=0), most.assign(steps=0), high=NEAR))
    return Measured.of(found, f"L_hybrid with learned Σ at {HUNDRED} and at more steps")


# --------------------------------------------------------------------------------------- strides


def _even_against_constant(
    tables: Tables, arm: Callable[[pd.DataFrame, str], pd.DataFrame], *, worse: bool, of: str
) -> Measured:
    found: list[Measurement | str] = []
    for name, group in _groups(tables, without=("stride", "steps")):
        even, constant = arm(group, "even"), arm(group, "constant")
        if counts := _common(even, constant):
            what = (
                f"log FD with an even stride minus a constant one, {name}, {listed(counts)} steps"
            )
            low, high = (0.0, math.inf) if worse else (-math.inf, 0.0)
            found.append(_compared(what, even, constant, low=low, high=high))
    return Measured.of(found, f"{of} over an even and over a constant stride")


def _even_hurts_ddim(tables: Tables) -> Measured:
    return _even_against_constant(tables, _ddim, worse=True, of="DDIM")


def _even_helps_ancestral(tables: Tables) -> Measured:
    return _even_against_constant(tables, _learned, worse=False, of="L_hybrid with learned Σ")


# ------------------------------------------------------------------------- DDIM against learned Σ


def _ddim_below_fifty(tables: Tables) -> Measured:
    found: list[Measurement | str] = []
    for name, group in _groups(tables, without=SAMPLING):
        ddim, learned = _ddim(group), _learned(group)
        counts = _common(ddim, learned)
        few = [count for count in counts if count < MANY]
        many = [count for count in counts if count > MANY]
        if few and many:
            for some, low, high in ((few, -math.inf, 0.0), (many, 0.0, math.inf)):
                what = f"log FD of L_simple by DDIM minus L_hybrid{name}, {listed(some)} steps"
                one = ddim[ddim["steps"].isin(some)]
                found.append(_compared(what, one, learned, low=low, high=high))
    return Measured.of(found, f"DDIM and L_hybrid below and above {MANY} steps")


# ----------------------------------------------------------------------------- the training batch


def _batch(tables: Tables) -> Measured:
    rows = asked(tables, "frechet_distance")
    if BATCH not in rows:
        return Measured([], ["networks trained with batches of two sizes"])
    found: list[Measurement | str] = []
    arms: dict[str, tuple[Rows, bool]] = {
        "L_hybrid, learned Σ": (_learned, True),
        "L_simple, DDIM": (_ddim, False),
    }
    lacking = dict.fromkeys(arms)
    for name, group in _groups(tables, without=(*SAMPLING, *TRAINING)):
        sizes = sorted(set(group[BATCH]))
        for arm, (pick, larger_is_better) in arms.items():
            mine = pick(group)
            large, small = (mine[mine[BATCH] == size] for size in (sizes[-1], sizes[0]))
            if len(sizes) < 2 or not (counts := _common(large, small)):
                continue
            lacking.pop(arm, None)
            what = (
                f"log FD with batches of {sizes[-1]} minus of {sizes[0]}, {arm}{name}, "
                f"{listed(counts)} steps"
            )
            low, high = (-math.inf, 0.0) if larger_is_better else (0.0, math.inf)
            found.append(_compared(what, large, small, low=low, high=high))
    nothing = "networks trained with batches of two sizes, sampled alike"
    found += [f"{arm}: {nothing}" for arm in lacking] if found else []
    return Measured.of(found, nothing)


CLAIMS: dict[str, Claim] = {
    "hundred_steps_are_nearly_enough": Claim(
        says="With learned Σ, 100 sampling steps give near-optimal quality.",
        source="Section 4 and Fig. 8",
        method="L_hybrid with its learned Σ over an even stride: log of the Fréchet distance at "
        f"{HUNDRED} steps minus that at the most steps, per seed, of networks trained to the end. "
        "Supported if the interval lies "
        f"below log 1.3 = {NEAR:.3f}, fixed beforehand.",
        measure=_hundred_suffice,
    ),
    "even_stride_hurts_ddim": Claim(
        says="DDIM needs its own constant stride: over the paper's even one its quality is much "
        "worse.",
        source="Section 4",
        method="L_simple sampled by DDIM with η = 0: log of the Fréchet distance with the even "
        "stride minus that with the constant one, averaged over the step counts that have both, "
        "per seed. Supported if the interval lies above zero.",
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
        says=f"With fewer than {MANY} steps DDIM gives the better samples, with more L_hybrid "
        "with its learned Σ.",
        source="Section 4, Appendix B and Figs. 8 and 11",
        method="Log of the Fréchet distance of L_simple by DDIM (constant stride) minus that of "
        f"L_hybrid with learned Σ (even stride), averaged over the step counts below {MANY}, and "
        "over those above, per seed. Supported if the first interval lies below zero and the "
        "second above.",
        measure=_ddim_below_fifty,
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
