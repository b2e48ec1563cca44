"""What the paper says of diffusion beside a GAN: better coverage, and with size better quality."""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pandas as pd

from studies.judging.verdicts import Claim, Measured, Measurement, Unit
from studies.tables.groupings import arm_columns, by_seed
from studies.tables.intervals import paired_differences, t_interval
from studies.tables.labels import labelled
from studies.tables.rows import asked, mean, of_any_weights
from studies.tables.tables import Tables

SIZE = "train.network.model_channels"
"""The setting by which diffusion models are called larger and smaller."""


@dataclass(frozen=True, slots=True)
class _Pair:
    """A diffusion model and what it is compared with, done or not.

    The GAN trained with the same data and images decides. Images from elsewhere are one draw
    without a spread of its own, and decide nothing.
    """

    arm: str
    rival: str
    ours: pd.DataFrame
    theirs: pd.DataFrame
    size: float
    """Of the diffusion model; NaN where the study has one size."""

    @property
    def decides(self) -> bool:
        return bool((self.theirs["training_steps"] > 0).all())

    def values(self) -> tuple[dict[int, float], dict[int, float]]:
        """Both by seed; none where they were scored by different recipes."""
        if len({*_recipes(self.ours), *_recipes(self.theirs)}) > 1:
            return {}, {}
        ours, theirs = by_seed(self.ours), by_seed(self.theirs)
        if not self.decides and theirs:
            theirs = dict.fromkeys(ours, next(iter(theirs.values())))
        return ours, theirs


def _recipes(rows: pd.DataFrame) -> Iterator[str]:
    """What each number was scored by. Which weights drew the images is the model's own affair."""
    yield from map(of_any_weights, rows["recipe"].dropna().unique())


def _pairs(tables: Tables, metric: str) -> list[_Pair]:
    rows = asked(tables, metric)
    if "rival" not in rows:
        return []
    rows = labelled(rows, arm_columns(rows))
    ours, theirs = rows[rows["rival"].isna()], rows[rows["rival"].notna()]
    return [
        _Pair(
            str(arm),
            str(rival),
            same,
            other,
            float(same[SIZE].iloc[0]) if SIZE in same else math.nan,
        )
        for (_, arm), same in ours.groupby(["rank", "arm"])
        for (_, rival), other in theirs.groupby(["rank", "arm"])
    ]


def _collected(
    pairs: list[_Pair], measure: Callable[[_Pair], Measurement | None], absent: str
) -> Measured:
    found = [(pair, measure(pair)) for pair in pairs]
    missing = [f"{p.arm} and {p.rival}, scored alike" for p, m in found if p.decides and not m]
    if not any(pair.decides for pair in pairs):
        missing.append(absent)
    return Measured([measured for _, measured in found if measured], missing)


def _difference(metric: str, sign: int) -> Callable[[Tables], Measured]:
    """That of a share, diffusion minus rival for sign 1, which the claim puts above zero."""

    def measure(pair: _Pair) -> Measurement | None:
        ours, theirs = pair.values()
        differences = [sign * value for value in paired_differences(ours, theirs).values()]
        if not differences:
            return None
        names = (pair.arm, pair.rival)[::sign]
        return Measurement(
            what=f"{metric} of {names[0]} minus that of {names[1]}",
            interval=t_interval(differences),
            unit="percentage points",
            low=0.0,
            decides=pair.decides,
            detail=f"{metric} {mean(ours):.3g} of {pair.arm}, {mean(theirs):.3g} of {pair.rival}",
        )

    absent = "a GAN beside a diffusion model"
    return lambda tables: _collected(_pairs(tables, metric), measure, absent)


def _size_decides(tables: Tables) -> Measured:
    pairs = _pairs(tables, "frechet_distance")
    sizes = sorted({pair.size for pair in pairs if not math.isnan(pair.size)})
    absent = "a GAN beside diffusion models of two sizes"
    if len(sizes) < 2:
        return Measured([], [absent])
    ends = [pair for pair in pairs if pair.size in (sizes[0], sizes[-1])]
    return _collected(ends, lambda pair: _log_ratio(pair, larger=pair.size == sizes[-1]), absent)


def _log_ratio(pair: _Pair, *, larger: bool) -> Measurement | None:
    """log FD of the diffusion model minus that of its rival: below zero for the larger model."""
    ours, theirs = pair.values()
    logs = ({seed: math.log(fd) for seed, fd in values.items()} for values in (ours, theirs))
    differences = list(paired_differences(*logs).values())
    if not differences:
        return None
    unit: Unit = "log ratio"
    return Measurement(
        what=f"FD of the {'larger' if larger else 'smaller'} model over that of {pair.rival}, "
        f"{pair.arm}",
        interval=t_interval(differences),
        unit=unit,
        low=-math.inf if larger else 0.0,
        high=0.0 if larger else math.inf,
        decides=pair.decides,
        detail=f"FD {mean(ours):.3g} of {pair.arm}, {mean(theirs):.3g} of {pair.rival}",
    )


ASIDE = " Images from elsewhere are given for comparison and decide nothing."

CLAIMS: dict[str, Claim] = {
    "diffusion_covers_more_than_gan": Claim(
        says="Class-conditional diffusion has a higher recall than a GAN.",
        source="Section 5 and Table 4",
        method="Recall of each diffusion model minus that of the GAN, per seed, over the same "
        "features, neighbours and numbers of images. Supported if every interval lies above zero."
        + ASIDE,
        measure=_difference("recall", 1),
    ),
    "gan_is_more_precise": Claim(
        says="The GAN has a higher precision than class-conditional diffusion.",
        source="Table 4",
        method="Precision of the GAN minus that of each diffusion model, per seed, over the same "
        "features, neighbours and numbers of images. Supported if every interval lies above zero."
        + ASIDE,
        measure=_difference("precision", -1),
    ),
    "only_large_diffusion_beats_gan": Claim(
        says="The larger diffusion model has a lower Fréchet distance than the GAN, the smaller "
        "a higher one.",
        source="Section 5 and Table 4 (2.92 and 6.92 against 4.06)",
        method="Natural log of the Fréchet distance of a diffusion model minus that of the GAN, "
        "per seed. Supported if the interval of the model of the most channels lies below zero and "
        "that of the model of the fewest above." + ASIDE,
        measure=_size_decides,
    ),
}
