"""What the paper says of the number of samples that a score needs."""

from collections.abc import Iterator
from itertools import pairwise

from studies.judging.comparison import BELOW_ZERO, Comparison, compared
from studies.judging.verdicts import Claim, Measured
from studies.tables.groupings import arm_columns, by_seed
from studies.tables.intervals import mean, paired_log_ratios
from studies.tables.labels import labelled
from studies.tables.rows import asked, parted
from studies.tables.tables import Tables


def _lower_with_more(tables: Tables) -> Measured:
    return compared(_comparisons(tables), "one arm over two numbers of samples")


def _comparisons(tables: Tables) -> Iterator[Comparison]:
    """Of each arm the most samples against the fewest, and the steps in between.

    Recipes differ here in the number of images alone; that is what is asked about.
    """
    scores = asked(tables, "frechet_distance")
    columns = arm_columns(scores, without=("images",))
    counts_of = scores.groupby(columns, dropna=False)["images"].transform("nunique")
    for (_, name), arm in labelled(scores[counts_of > 1], columns).groupby(["rank", "arm"]):
        counts = sorted(arm["images"].astype(int).unique())
        ends = (counts[0], counts[-1])
        for fewer, more in (ends, *(pairwise(counts) if len(counts) > 2 else ())):
            few, many = map(by_seed, parted(arm, "images", fewer, more))
            yield Comparison(
                what=f"log FD over {more:,} samples minus that over {fewer:,}, {name}",
                values=paired_log_ratios(many, few),
                unit="log ratio",
                region=BELOW_ZERO,
                decides=(fewer, more) == ends,
                detail=f"mean FD {mean(few):.3g} over {fewer:,}, {mean(many):.3g} over {more:,}",
            )


CLAIMS: dict[str, Claim] = {
    "more_samples_lower_distance": Claim(
        says="The same network gets a lower Fréchet distance when more of its samples are scored.",
        source="The paper scores ImageNet 64 over 10,000 samples and all else over 50,000; that "
        "the difference is about 2 points of FID is from its footnote as remembered, not verified",
        method="Of one network, sampled alike: the log of the distance over the most samples "
        "minus that over the fewest, per seed, both with the bias that this is about; the fewer "
        "are the first of the more. Supported if the interval lies below zero. The steps in "
        "between are given and decide nothing.",
        measure=_lower_with_more,
    ),
}
