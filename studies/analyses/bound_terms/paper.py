"""Fig. 2: the terms of the bound along the chain."""

from studies.analyses.analysis import Analysis, Need
from studies.analyses.needs import ESTIMATE, LIKELIHOOD, has_terms

FIG_2: dict[int, float] = {
    0: 1.1,
    50: 5.9e-3,
    100: 2.4e-3,
    200: 8.2e-4,
    500: 1.8e-4,
    1000: 5.1e-5,
    1500: 2.4e-5,
    2000: 1.2e-5,
    2500: 5.4e-6,
    3000: 1.7e-6,
    3500: 3.6e-7,
    3900: 7.2e-8,
    4000: 5e-8,
}
"""Term of the bound (bits/dim) by diffusion step, T = 4000, digitised. The paper does not say which
network and data the figure shows, so no result of ours can be known to be comparable with it."""


FIRST_SHARE = 0.05
"""Share of all steps that are the first few. Fixed beforehand; the paper gives no number."""
MOST_OF_THE_BOUND = 0.5
"""Smallest share of the bound that is most of it."""

_TERMS = Need(
    LIKELIHOOD,
    f"an exact likelihood ({ESTIMATE}: null), as an estimate has no terms by step",
    (ESTIMATE,),
    lambda arms: any(map(has_terms, arms)),
)

ANALYSIS = Analysis(
    figures={
        "vlb_terms": _TERMS,
    },
    claims={
        "first_steps_carry_the_bound": _TERMS,
    },
)
