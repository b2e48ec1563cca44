"""What the paper says of the terms of the bound."""

import pandas as pd

from studies.analyses.bound_terms.paper import FIRST_SHARE, MOST_OF_THE_BOUND
from studies.judging.comparison import Comparison, Region, compared
from studies.judging.verdicts import Claim, Measured
from studies.tables.groupings import by_seed
from studies.tables.intervals import Made, log_odds, log_odds_of
from studies.tables.rows import alike, asked, exact_bounds, series_by_seed, terms_by_seed
from studies.tables.tables import Tables

FIRST_SHARE_OF = f"share of the bound in the first {FIRST_SHARE:.0%} of steps,"


def _first_steps(tables: Tables) -> Measured:
    found: list[Comparison | str] = [
        Comparison(
            what=f"{FIRST_SHARE_OF} {name}",
            values=log_odds_of(_first_shares(arm)),
            unit="log odds",
            region=Region(low=log_odds(MOST_OF_THE_BOUND)),
        )
        for name, arm in alike(tables.steps)
    ]
    bounds = exact_bounds(asked(tables, "bits_per_dim"))
    found += [f"{FIRST_SHARE_OF} {name}" for name, arm in alike(bounds) if not by_seed(arm)]
    return compared(
        found
        if len(bounds)
        else [*found, f"{FIRST_SHARE_OF} any network (exact bounds alone have terms)"]
    )


def _first_shares(arm: pd.DataFrame) -> Made:
    """By seed: what the first steps' terms add up to, over the whole bound (prior included)."""
    first = arm[arm["step"] < FIRST_SHARE * arm["T"]]  # the prior stands at step T
    shares = first.groupby("seed")["mean"].sum() / arm.groupby("seed")["mean"].sum()
    count = int(first["step"].nunique())
    return Made(series_by_seed(shares)).by("share_of_first", *terms_by_seed(arm), count)


CLAIMS: dict[str, Claim] = {
    "first_steps_carry_the_bound": Claim(
        says="The first few steps of the diffusion process contribute most of the variational "
        "bound.",
        source="Section 3.1 and Fig. 2",
        method=f"For every network and every Σ it can be read with: the terms of the first "
        f"{FIRST_SHARE:.0%} of the steps, the decoder's among them, over the whole bound with its "
        "prior, per seed. Supported if the interval of this share, taken on the scale of log odds, "
        f"lies above {MOST_OF_THE_BOUND:.0%} for all of them.",
        measure=_first_steps,
    ),
}
