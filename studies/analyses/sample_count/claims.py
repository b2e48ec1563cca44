"""What the paper says of the number of samples that a score needs."""

from itertools import pairwise

import pandas as pd

from studies.judging.verdicts import Claim, Measured, Measurement
from studies.tables.groupings import arm_columns, by_seed
from studies.tables.intervals import paired_differences, t_interval
from studies.tables.labels import labelled
from studies.tables.rows import asked, mean
from studies.tables.tables import Tables


def _lower_with_more(tables: Tables) -> Measured:
    """Recipes differ here in the number of images alone; that is what is asked about."""
    scores = asked(tables, "frechet_distance")
    columns = arm_columns(scores, without=("images",))
    counts_of = scores.groupby(columns, dropna=False)["images"].transform("nunique")
    arms = [arm for _, arm in labelled(scores[counts_of > 1], columns).groupby("rank")]
    measurements, missing = [], []
    for arm in arms:
        counts = sorted(arm["images"].astype(int).unique())
        compared = [(counts[0], counts[-1]), *(pairwise(counts) if len(counts) > 2 else ())]
        for place, (fewer, more) in enumerate(compared):
            found = _difference(arm, fewer, more, decides=place == 0)
            measurements += [found] if found else []
            missing += [] if found or place else [_what(arm, fewer, more)]
    return Measured(measurements, missing if arms else ["one arm over two numbers of samples"])


def _difference(arm: pd.DataFrame, fewer: int, more: int, *, decides: bool) -> Measurement | None:
    few, many = (by_seed(arm[arm["images"] == count]) for count in (fewer, more))
    if not (differences := paired_differences(many, few)):
        return None
    relative = [difference / few[seed] for seed, difference in differences.items()]
    return Measurement(
        what=_what(arm, fewer, more),
        interval=t_interval(relative),
        unit="%",
        high=0.0,
        decides=decides,
        detail=f"mean FD {mean(few):.3g} over {fewer:,}, {mean(many):.3g} over {more:,}",
    )


def _what(arm: pd.DataFrame, fewer: int, more: int) -> str:
    return f"FD over {more:,} samples against {fewer:,}, {arm['arm'].iloc[0]}"


CLAIMS: dict[str, Claim] = {
    "more_samples_lower_distance": Claim(
        says="The same network gets a lower Fréchet distance when more of its samples are scored.",
        source="The paper scores ImageNet 64 over 10,000 samples and all else over 50,000; that "
        "the difference is about 2 points of FID is from its footnote as remembered, not verified",
        method="Of one network, sampled alike: the distance over the most samples minus that over "
        "the fewest, as a share of the latter, per seed; the fewer are the first of the more. "
        "Supported if the interval lies below zero. The steps in between are given and decide "
        "nothing.",
        measure=_lower_with_more,
    ),
}
