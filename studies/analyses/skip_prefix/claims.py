"""What the paper says of leaving out the noisy end of the reverse process."""

from collections.abc import Callable

import pandas as pd

from studies.analyses.skip_prefix.paper import A_FIFTH, AT_ONCE, HARDLY_WORSE
from studies.judging.comparison import ABOVE_ZERO, Comparison, Region, compared
from studies.judging.verdicts import Claim, Measured
from studies.tables.rows import alike, asked, series_by_seed, tied_to_schedule
from studies.tables.tables import Tables


def _linear_spares(tables: Tables) -> Measured:
    return _compared(
        tables,
        f"growth of FD by skipping {A_FIFTH:.0%}, linear",
        lambda arms: _growth(arms, "linear", A_FIFTH),
        Region(high=HARDLY_WORSE),
    )


def _cosine_suffers(tables: Tables) -> Measured:
    alone = _compared(
        tables,
        f"growth of FD by skipping {AT_ONCE:.0%}, cosine",
        lambda arms: _growth(arms, "cosine", AT_ONCE),
        ABOVE_ZERO,
    )
    beside_linear = _compared(
        tables,
        f"growth of FD by skipping {A_FIFTH:.0%}, cosine minus linear",
        lambda arms: _growth(arms, "cosine", A_FIFTH) - _growth(arms, "linear", A_FIFTH),
        ABOVE_ZERO,
    )
    return alone + beside_linear


def _compared(
    tables: Tables, what: str, growth: Callable[[pd.DataFrame], pd.Series], region: Region
) -> Measured:
    """The growth in every context of the study in which it is asked for."""
    scores = asked(tables, "frechet_distance")
    found: list[Comparison] = []
    for name, arms in alike(scores, "schedule", "skip", *tied_to_schedule(scores)):
        if len(growths := growth(arms)):
            said, values = f"{what}, {name}", series_by_seed(growths)
            found.append(Comparison(what=said, values=values, unit="%", region=region))
    return compared(found, what)


def _growth(arms: pd.DataFrame, schedule: str, skip: float) -> pd.Series:
    """FD with so much skipped over FD of the whole chain, minus 1, by seed.

    Empty where the study does not ask for it, NaN where it is not measured.
    """
    rows = arms[arms["schedule"] == schedule].drop_duplicates(["seed", "skip"])
    rows = rows.assign(value=rows["value"].astype(float))
    distances = rows.pivot(index="seed", columns="skip", values="value")
    if 0.0 not in distances or skip not in distances:
        return pd.Series(dtype=float)
    return distances[skip] / distances[0.0] - 1


CLAIMS: dict[str, Claim] = {
    "linear_spares_a_skipped_fifth": Claim(
        says="A network of the linear schedule draws hardly worse samples when up to a fifth of "
        "the reverse process is skipped.",
        source="Section 3.2 and Fig. 4",
        method=f"Fréchet distance with {A_FIFTH:.0%} of the reverse process skipped over that of "
        f"the whole, minus 1, per seed. Hardly worse means a growth below {HARDLY_WORSE:.0%}, "
        "fixed beforehand: supported if the whole interval lies below, contradicted if it lies "
        "above.",
        measure=_linear_spares,
    ),
    "cosine_suffers_from_any_skip": Claim(
        says="With the cosine schedule samples get worse as soon as anything is skipped, and "
        "sooner than with the linear one.",
        source="Fig. 4",
        method=f"As above, per seed: the growth by skipping {AT_ONCE:.0%}, and the growth by "
        f"skipping {A_FIFTH:.0%} less that of the linear network of the same seed. Supported if "
        "both intervals lie above zero.",
        measure=_cosine_suffers,
    ),
}
