"""The numbers that Nichol & Dhariwal (2021, arXiv:2102.09672) published, each with its source.

A number from a table is exact; one read off a figure by measuring its picture is digitised, with
the error of the measurement beside it. Numbers are overlaid on ours only where everything that
they depend on is the same: a Fréchet distance over other features, another reference set or
another number of images is another quantity. `published` holds the rule for that.
"""

from functools import cache

from studies.paper.ablations import table_numbers
from studies.paper.bound_terms import FIG_2
from studies.paper.ensemble import APPENDIX_D, appendix_d_numbers
from studies.paper.gan_comparison import table_4_numbers
from studies.paper.gradient_noise import FIG_7, FIG_7_ERROR
from studies.paper.learning_curves import (
    FIG_6_ERROR,
    FIG_6_NOISY,
    FIG_6_RESAMPLED,
    fig_6_numbers,
)
from studies.paper.likelihoods import TABLE_3, TABLE_3_DATA, own_number, table_3
from studies.paper.sampling_steps import fig_8_numbers
from studies.paper.scaling import FIG_10_LAWS, fig_10_numbers
from studies.paper.short_bounds import SHORT_BOUND_STEPS, SHORT_BOUNDS
from studies.paper.skipped_prefix import fig_4_numbers
from studies.published.published import (
    ENSEMBLE,
    INCEPTION,
    Published,
    closest_reasons,
    comparable,
    differences,
    reasons_against,
    same_cell,
    settings_of,
)

__all__ = [
    "APPENDIX_D",
    "ENSEMBLE",
    "FIG_2",
    "FIG_6_ERROR",
    "FIG_6_NOISY",
    "FIG_6_RESAMPLED",
    "FIG_7",
    "FIG_7_ERROR",
    "FIG_10_LAWS",
    "INCEPTION",
    "SHORT_BOUNDS",
    "SHORT_BOUND_STEPS",
    "TABLE_3",
    "TABLE_3_DATA",
    "Published",
    "appendix_d_numbers",
    "closest_reasons",
    "comparable",
    "differences",
    "fig_4_numbers",
    "fig_6_numbers",
    "fig_8_numbers",
    "fig_10_numbers",
    "numbers",
    "own_number",
    "reasons_against",
    "same_cell",
    "settings_of",
    "table_3",
    "table_4_numbers",
    "table_numbers",
]


@cache
def numbers() -> tuple[Published, ...]:
    """Every number that a result could stand beside; those of Fig. 6 stand along a training."""
    return (
        *table_numbers(),
        *fig_8_numbers(),
        *appendix_d_numbers(),
        *fig_4_numbers(),
        *fig_10_numbers(),
        *table_4_numbers(),
    )
