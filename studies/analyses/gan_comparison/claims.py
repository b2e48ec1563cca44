"""What the paper says of diffusion beside a GAN: better coverage, and with size better quality."""

import math
from collections.abc import Callable
from functools import partial

import pandas as pd

from studies.analyses.needs import WIDTH
from studies.judging.comparison import ABOVE_ZERO, BELOW_ZERO, Comparison, Values, compared
from studies.judging.pairs import Pair
from studies.judging.verdicts import Claim, Measured
from studies.tables.groupings import arm_columns
from studies.tables.intervals import (
    Made,
    log_odds_of,
    log_ratios_of_means,
    mean,
    paired_differences,
)
from studies.tables.labels import labelled
from studies.tables.rows import judged, of_any_weights
from studies.tables.tables import Tables


def _pairs(tables: Tables, metric: str) -> list[Pair]:
    """Each diffusion model and each thing that it is compared with.

    The GAN trained with the same data and images decides. Images from elsewhere are one draw
    without a spread of its own, and decide nothing.
    """
    rows = judged(tables, metric)
    if "rival" not in rows:
        return []
    rows = labelled(rows, arm_columns(rows))
    ours, theirs = rows[rows["rival"].isna()], rows[rows["rival"].notna()]
    return [
        Pair(same, other, (str(arm), str(rival)), decides=bool((other["training_steps"] > 0).all()))
        for (_, arm), same in ours.groupby(["rank", "arm"])
        for (_, rival), other in theirs.groupby(["rank", "arm"])
    ]


def _values(pair: Pair) -> tuple[Values, Values]:
    """The values of both by seed; none where they were scored by different recipes."""
    if len({*_recipes(pair.first), *_recipes(pair.second)}) > 1:
        return {}, {}
    ours, theirs = pair.values
    if not pair.decides and theirs:
        one = next(iter(theirs.values()))
        theirs = Made(dict.fromkeys(ours, one)).by("one_for_all", theirs, ours)
    return ours, theirs


def _recipes(rows: pd.DataFrame) -> set[str]:
    """What each number was scored by. Which weights drew the images is the model's own affair."""
    return set(map(of_any_weights, rows["recipe"].dropna().unique()))


def _compared(pairs: list[Pair], compare: Callable[[Pair], Comparison], absent: str) -> Measured:
    """The comparison of each pair; what is absent where no GAN is among them."""
    lacking = [] if any(pair.decides for pair in pairs) else [absent]
    return compared([*map(compare, pairs), *lacking])


def _more(metric: str, tables: Tables, *, of_gan: bool = False) -> Measured:
    """By how much diffusion exceeds its rival in a share of images, or its rival diffusion.

    By the log of the odds, in which a share near one end has as much room as any.
    """

    def compare(pair: Pair) -> Comparison:
        ours, theirs = _values(pair)
        more, less = (theirs, ours) if of_gan else (ours, theirs)
        smallest = 0.5 / int(pair.first["images"].iloc[0])
        names = pair.names[::-1] if of_gan else pair.names
        return Comparison(
            what=f"log odds of the {metric} of {names[0]} minus those of {names[1]}",
            values=paired_differences(*(log_odds_of(one, smallest) for one in (more, less))),
            unit="log odds ratio",
            region=ABOVE_ZERO,
            decides=pair.decides,
            networks=pair.arms,
            detail=_against(metric, pair, ours, theirs),
            missing=_scored_alike(pair),
        )

    return _compared(_pairs(tables, metric), compare, "a GAN beside a diffusion model")


def _size_decides(tables: Tables) -> Measured:
    pairs = [pair for pair in _pairs(tables, "frechet_distance") if WIDTH in pair.first]
    sizes = sorted({_size(pair) for pair in pairs if not math.isnan(_size(pair))})
    absent = "a GAN beside diffusion models of two sizes"
    if len(sizes) < 2:
        return Measured([], [absent])
    ends = [pair for pair in pairs if _size(pair) in (sizes[0], sizes[-1])]
    return _compared(ends, lambda pair: _ratio(pair, larger=_size(pair) == sizes[-1]), absent)


def _size(pair: Pair) -> float:
    """Channels of the diffusion model."""
    return float(pair.first[WIDTH].iloc[0])


def _ratio(pair: Pair, *, larger: bool) -> Comparison:
    """FD of the diffusion model over that of its rival: the larger model's is the lower."""
    ours, theirs = _values(pair)
    arm, rival = pair.names
    return Comparison(
        what=f"FD of the {'larger' if larger else 'smaller'} model over that of {rival}, {arm}",
        values=log_ratios_of_means(ours, theirs),
        unit="log ratio",
        region=BELOW_ZERO if larger else ABOVE_ZERO,
        decides=pair.decides,
        networks=pair.arms,
        detail=_against("FD", pair, ours, theirs),
        missing=_scored_alike(pair),
    )


def _against(metric: str, pair: Pair, ours: Values, theirs: Values) -> str:
    arm, rival = pair.names
    return f"{metric} {mean(ours):.3g} of {arm}, {mean(theirs):.3g} of {rival}"


def _scored_alike(pair: Pair) -> str:
    return f"{' and '.join(pair.names)}, scored alike"


ASIDE = " Images from elsewhere are given for comparison and decide nothing."

CLAIMS: dict[str, Claim] = {
    "diffusion_covers_more_than_gan": Claim(
        says="Class-conditional diffusion has a higher recall than a GAN.",
        source="Section 5 and Table 4",
        method="The log of the odds of the recall of each diffusion model minus that of the GAN, "
        "per seed, over the same features, neighbours and numbers of images; less than half an "
        "image counts as half a one. Supported if every interval lies above zero." + ASIDE,
        measure=partial(_more, "recall"),
        of_trained=True,
    ),
    "gan_is_more_precise": Claim(
        says="The GAN has a higher precision than class-conditional diffusion.",
        source="Table 4",
        method="The log of the odds of the precision of the GAN minus that of each diffusion "
        "model, per seed, over the same features, neighbours and numbers of images; less than half "
        "an image counts as half a one. Supported if every interval lies above zero." + ASIDE,
        measure=partial(_more, "precision", of_gan=True),
        of_trained=True,
    ),
    "only_large_diffusion_beats_gan": Claim(
        says="The larger diffusion model has a lower Fréchet distance than the GAN, the smaller "
        "a higher one.",
        source="Section 5 and Table 4 (2.92 and 6.92 against 4.06)",
        method="Natural log of the mean Fréchet distance of a diffusion model over that of the "
        "GAN, paired by seed. Supported if the interval of the model of the most channels lies "
        "below zero and that of the model of the fewest above." + ASIDE,
        measure=_size_decides,
        of_trained=True,
    ),
}
